/*
 * base/json.h: JSON as the wire has it, behind a wall: the only json-c.
 *
 * A BiJson is read-only and belongs to the memory context that was current when
 * its text was parsed.  Every reader takes NULL and answers "nothing", so that
 * bi_json_at(reply, "error", "code", NULL) needs no checks on the way.
 */
#ifndef BI_JSON_H
#define BI_JSON_H

#include "postgres.h"

#include "lib/stringinfo.h"

typedef struct BiJson BiJson;

typedef enum BiJsonType
{
	BI_JSON_ABSENT,				/* a NULL pointer */
	BI_JSON_NULL,
	BI_JSON_BOOL,
	BI_JSON_INT,				/* written without fraction and exponent, of any size */
	BI_JSON_DOUBLE,
	BI_JSON_STRING,
	BI_JSON_ARRAY,
	BI_JSON_OBJECT
} BiJsonType;

typedef enum BiJsonMode
{
	BI_JSON_STRICT,
	BI_JSON_SECRET,
	BI_JSON_LENIENT
} BiJsonMode;

extern BiJson *bi_json_parse_text(const char *text, size_t len, BiJsonMode mode);

/* The parsed text (UTF-8, at most BI_JSON_DEPTH levels deep, nothing but space behind
 * it), or NULL where it is no JSON.  Strict: RFC 8259, no NaN, no key with a NUL in it.
 * Of a repeated key the last one counts.  NULL too for a text whose tree would take more than
 * BI_HEFT_MAX bytes of memory (heft.h).  Never ereports for its content.  Interruptible. */
static inline BiJson *
bi_json_parse(const char *text, size_t len)
{
	return bi_json_parse_text(text, len, BI_JSON_STRICT);
}

/* The same of a text that is a secret: but for the tree, which bi_secret_wipe_json overwrites,
 * nothing of it stays behind in memory. */
static inline BiJson *
bi_json_parse_secret(const char *text, size_t len)
{
	return bi_json_parse_text(text, len, BI_JSON_SECRET);
}

/*
 * The same of a text that is paid for, in which one odd token must not lose the rest: only for
 * lines of results.  A byte order mark at the beginning is passed over; NaN, Infinity and
 * -Infinity are read as null; control characters may stand in strings as they are.  Where the
 * text is no UTF-8, *repaired becomes true and U+FFFD stands for each byte that is none.
 */
extern BiJson *bi_json_parse_lenient(const char *text, size_t len, bool *repaired);

#define BI_JSON_DEPTH 128

extern BiJsonType bi_json_type(const BiJson *json);

/* The member of that path of object keys, NULL if any step is missing.  JSON
 * null counts as missing. End the list with NULL. */
extern BiJson *bi_json_at(const BiJson *json,...);

/* The member of that key, which may be a JSON null; NULL if it is missing. */
extern BiJson *bi_json_get(const BiJson *json, const char *key);

/* NULL when it is no string.  Strings may hold NUL bytes: len (may be NULL) tells. */
extern const char *bi_json_string(const BiJson *json, size_t *len);

/* The string where it is one and has no NUL byte in it, palloc'd, else NULL;
 * numbers give their text. */
extern char *bi_json_cstring(const BiJson *json);
extern int64 bi_json_int(const BiJson *json, int64 otherwise);	/* of whole numbers that fit */
extern double bi_json_double(const BiJson *json, double otherwise);
extern bool bi_json_bool(const BiJson *json, bool otherwise);

extern int	bi_json_length(const BiJson *json); /* of an array or object; else 0 */
extern BiJson *bi_json_item(const BiJson *json, int i);

/* The next member of an object, in constant time; *place is NULL for the first. */
extern bool bi_json_next(const BiJson *json, void **place, const char **key, BiJson **value);

/* Compact text, palloc'd; numbers as they were written.  NULL for NULL. */
extern char *bi_json_text(const BiJson *json);

/* Writing is appending to a StringInfo. */
extern void bi_json_append(StringInfo out, const BiJson *json); /* as bi_json_text; nothing for NULL */
extern void bi_json_append_string(StringInfo out, const char *utf8);
extern void bi_json_append_bytes(StringInfo out, const char *utf8, size_t len); /* NUL bytes allowed */
extern size_t bi_json_string_size(const char *utf8);	/* what bi_json_append_string would append */

#endif							/* BI_JSON_H */
