/*
 * provider/wire.h: what every provider needs to write requests and to quote replies.
 */
#ifndef BI_WIRE_H
#define BI_WIRE_H

#include "base/exchange.h"
#include "base/json.h"
#include "store/server.h"

/* Returns the server's base_url, or else otherwise, without slashes at its end; palloc'd. */
extern char *bi_wire_base_url(const BiServer *server, const char *otherwise);

/* Returns a URL without slashes at its end; palloc'd. */
extern char *bi_wire_trimmed(const char *url);

/* Appends text, percent-encoded: everything except unreserved characters, slashes too. */
extern void bi_wire_append_escaped(StringInfo out, const char *text);

/* The same, but leaves slashes. */
extern void bi_wire_append_path(StringInfo out, const char *text);

/* Appends a field to a form; name needs no escaping. */
extern void bi_wire_append_field(StringInfo form, const char *name, const char *value);

/* Returns foreign words as one line of valid UTF-8, palloc'd: at most limit bytes, whole
 * characters, spaces for control characters, "?" for bytes that are not UTF-8.  NULL for NULL. */
extern char *bi_wire_words(const char *text, size_t len, int limit);

/* The same of a JSON string, or of a number's text; NULL if it is neither or empty. */
extern char *bi_wire_json_words(const BiJson *json, int limit);

/* Returns a time of RFC 3339, in UTC, as Unix seconds; -1 if text is not one. */
extern int64 bi_wire_time(const char *text);

/* Returns an id that can are in a URL and in a list separated by spaces, palloc'd; NULL if this
 * is not one. */
extern char *bi_wire_id(const BiJson *id);

/* Returns before + name, percent-encoded + after; palloc'd. */
extern char *bi_wire_path(const char *before, const char *name, const char *after);

/* True if the URL's query has that parameter with that value, percent-encoded.  url may be NULL. */
extern bool bi_wire_has_parameter(const char *url, const char *name, const char *value);

/* Returns the tree of the reply's body; NULL if it is not JSON. */
extern BiJson *bi_wire_body(const BiExchange *ex);

/* Returns a count, a whole number that an int holds; -1 if json is not one. */
extern int64 bi_wire_count(const BiJson *json);

/* Appends the object's members, each with a comma before it, except that one (may be NULL). */
extern void bi_wire_append_members(StringInfo out, const BiJson *object, const char *except);

/* Appends the object's members that are not null and whose names belong, or do not belong, to those
 * that is_one knows; each with a comma before it. */
extern void bi_wire_append_chosen(StringInfo out, const BiJson *object,
								  bool (*is_one) (const char *name), bool belong);

/* Adds the header that proves who we are by a bearer's token. */
extern void bi_wire_bearer(const char *secret, BiExchange *ex);

#define BI_WIRE_MESSAGE 1000	/* bytes of a message */
#define BI_WIRE_CODE 100		/* of a code, a model's name and the like */

#endif							/* BI_WIRE_H */
