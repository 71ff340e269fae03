/*
 * base/json.h: JSON as the wire has it, behind a wall: the only json-c.
 *
 * A BiJson is read-only and belongs to the memory context that was current when
 * its text was parsed.  Every reader accepts NULL and returns "nothing" for it, so that
 * bi_json_at(reply, "error", "code", NULL) needs no checks on the way.
 */
#ifndef BI_JSON_H
#define BI_JSON_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* A value in a parsed text.  It lives as long as the tree that it is in. */
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

/*
 * Parses the text: UTF-8, at most BI_JSON_DEPTH levels deep, with only white space behind it.
 * Strict: RFC 8259, no NaN, no key with a NUL in it.  Of a repeated key the last one counts.
 * Returns NULL if it is not JSON, and if its tree would need more than BI_HEFT_MAX bytes of memory
 * (heft.h).  Raises no error because of the content.  Interruptible.
 */
static inline BiJson *
bi_json_parse(const char *text, size_t len)
{
	return bi_json_parse_text(text, len, BI_JSON_STRICT);
}

/* The same for a text that ends with NUL.  NULL for NULL. */
static inline BiJson *
bi_json_parse_cstring(const char *text)
{
	return text ? bi_json_parse(text, strlen(text)) : NULL;
}

/* The same for a text that is secret.  Nothing of it stays in memory except the tree, which
 * bi_secret_wipe_json overwrites. */
static inline BiJson *
bi_json_parse_secret(const char *text, size_t len)
{
	return bi_json_parse_text(text, len, BI_JSON_SECRET);
}

/* The same of a text that ends with NUL; NULL for NULL. */
static inline BiJson *
bi_json_parse_secret_cstring(const char *text)
{
	return text ? bi_json_parse_secret(text, strlen(text)) : NULL;
}

/*
 * The same for a text that was paid for, in which one odd token must not lose the rest.  Only for
 * lines of results.  Ignores a byte order mark at the beginning, reads NaN, Infinity and -Infinity
 * as null, and accepts control characters in strings.  If the text is not UTF-8, sets *repaired,
 * and reads U+FFFD for each byte that is not.
 */
extern BiJson *bi_json_parse_lenient(const char *text, size_t len, bool *repaired);

#define BI_JSON_DEPTH 128

extern BiJsonType bi_json_type(const BiJson *json);

/* Returns the member at that path of object keys; NULL if any step is missing.  JSON null counts as
 * missing.  The list ends with NULL. */
extern BiJson *bi_json_at(const BiJson *json,...);

/* Returns the member of that key, which may be a JSON null; NULL if it is missing. */
extern BiJson *bi_json_get(const BiJson *json, const char *key);

/* Returns the string; NULL if it is not one.  Strings may contain NUL bytes: *len is the length;
 * len may be NULL. */
extern const char *bi_json_string(const BiJson *json, size_t *len);

/* Returns the string, palloc'd; NULL if it is not one or has a NUL byte.  Of a number it returns
 * the text. */
extern char *bi_json_cstring(const BiJson *json);

/* Returns the value of a whole number that fits; otherwise for all others. */
extern int64 bi_json_int(const BiJson *json, int64 otherwise);
extern double bi_json_double(const BiJson *json, double otherwise);
extern bool bi_json_bool(const BiJson *json, bool otherwise);

/* Returns the number of items or members; 0 if it is neither an array nor an object. */
extern int	bi_json_length(const BiJson *json);
extern BiJson *bi_json_item(const BiJson *json, int i);

/* Steps to the next member of an object, in constant time.  *place is NULL before the first.  False
 * at the end. */
extern bool bi_json_next(const BiJson *json, void **place, const char **key, BiJson **value);

/* Returns it as compact text, palloc'd, with numbers as they were written.  NULL for NULL. */
extern char *bi_json_text(const BiJson *json);

/* True if it is a string and equals text. */
extern bool bi_json_equals(const BiJson *json, const char *text);

/* Writing is appending to a StringInfo. */
/* Appends it as bi_json_text returns it; nothing for NULL. */
extern void bi_json_append(StringInfo out, const BiJson *json);

/* Append a JSON string with its quotes; the second one may have NUL bytes. */
extern void bi_json_append_string(StringInfo out, const char *utf8);
extern void bi_json_append_bytes(StringInfo out, const char *utf8, size_t len);

/* Returns the size of what bi_json_append_string would append. */
extern size_t bi_json_string_size(const char *utf8);

#endif							/* BI_JSON_H */
