/*
 * provider/wire.h: what every provider needs to write requests and to quote replies.
 */
#ifndef BI_WIRE_H
#define BI_WIRE_H

#include "base/json.h"
#include "provider/provider.h"

/* The server's base_url, or otherwise, without slashes at its end; palloc'd. */
extern char *bi_wire_base_url(const BiServer *server, const char *otherwise);

/* A URL without slashes at its end; palloc'd. */
extern char *bi_wire_trimmed(const char *url);

/* Percent-encodes everything but unreserved characters, slashes too. */
extern void bi_wire_append_escaped(StringInfo out, const char *text);

/* One more field of a form; name needs no escaping. */
extern void bi_wire_append_field(StringInfo form, const char *name, const char *value);

/* Foreign words as one line of valid UTF-8, palloc'd: at most limit bytes, whole characters,
 * spaces for control characters, "?" for bytes that are no UTF-8.  NULL for NULL. */
extern char *bi_wire_words(const char *text, size_t len, int limit);

/* The same of a JSON string, or of a number's text; NULL where it is neither or empty. */
extern char *bi_wire_json_words(const BiJson *json, int limit);

/* A time as RFC 3339 writes it, in UTC, as Unix seconds; -1 where text is none. */
extern int64 bi_wire_time(const char *text);

#define BI_WIRE_MESSAGE 1000	/* bytes of a message */
#define BI_WIRE_CODE 100		/* of a code, a model's name and the like */

#endif							/* BI_WIRE_H */
