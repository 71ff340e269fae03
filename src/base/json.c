/*
 * base/json.c: the wall around json-c.
 *
 * Knows json-c and nothing of what the texts mean.  Each text is first walked by
 * token.c, which makes sure that json-c reads what the standard says, and marks
 * whole numbers that do not fit a machine word, so that json-c keeps their text.
 * json-c's memory is malloc'd: the root of each tree is tied to the memory context
 * of its parsing.
 */
#include "postgres.h"

#include <errno.h>
#include <limits.h>
#include <math.h>

#include <json-c/json.h>

#include "base/foreign.h"
#include "base/heft.h"
#include "base/json.h"
#include "base/token.h"
#include "base/utf8.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* How many bytes are parsed between two checks for interrupts. */
#define PIECE ((size_t) 64 * 1024)

/* json-c has no object for null.  This address represents it. */
static const char json_null = 0;

#define NULL_VALUE ((BiJson *) unconstify(char *, &json_null))

static json_object *
object_of(const BiJson *json)
{
	if (json == NULL || json == NULL_VALUE)
		return NULL;
	return (json_object *) unconstify(BiJson *, json);
}

static BiJson *
value_of(json_object *object)
{
	return object == NULL ? NULL_VALUE : (BiJson *) object;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
put_object(void *object)
{
	json_object_put(object);
}

/* The tokener collects each string in one buffer.  Makes the buffer large enough, and later
 * overwrites it. */
static void
flood(json_tokener *tokener, const char *filler)
{
	json_tokener_parse_ex(tokener, filler, (int) strlen(filler));
	json_tokener_reset(tokener);
}

static void
free_tokener(void *tokener)
{
	json_tokener_free(tokener);
}

/* Returns how much of the text json-c has read.  It reads a piece at a time.  An interrupt may
 * raise an error between two pieces; then the tokener's owner frees what it has made so far. */
static size_t
parse_pieces(json_tokener *tokener, const char *text, size_t len, json_object **root)
{
	size_t		done = 0;

	do
	{
		if (done > 0)
			CHECK_FOR_INTERRUPTS();
		*root = json_tokener_parse_ex(tokener, text + done, (int) Min(len - done, PIECE));
		done += json_tokener_get_parse_end(tokener);
	} while (done < len && json_tokener_get_error(tokener) == json_tokener_continue);
	return done;
}

/* Lets json-c parse the text.  A number at the root ends only with a NUL byte. */
static bool
parse_tokens(const char *text, size_t len, const char *filler, json_object **root)
{
	json_tokener *tokener = json_tokener_new_ex(BI_JSON_DEPTH + 1);
	BiForeign  *own = NULL;
	bool		done;

	if (tokener == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	if (len > PIECE)
		own = bi_foreign_own(CurrentMemoryContext, tokener, free_tokener);
	flood(tokener, filler);
	/* Without flags: the caller has verified the UTF-8, token.c is stricter than
	 * JSON_TOKENER_STRICT, with which json-c 0.18 refuses all but ASCII. */
	done = parse_pieces(tokener, text, len, root) == len;
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		*root = json_tokener_parse_ex(tokener, "", 1);
	done = done && json_tokener_get_error(tokener) == json_tokener_success;
	flood(tokener, filler);
	if (own)
		bi_foreign_release(own);
	else
		json_tokener_free(tokener);
	if (!done && *root)
		json_object_put(*root);
	return done;
}

BiJson *
bi_json_parse_text(const char *text, size_t len, BiJsonMode mode)
{
	const char *filler = "";
	StringInfoData marked = {0};
	json_object *root = NULL;
	bool		good;

	while (len > 0 && is_space(text[len - 1]))
		len--;
	if (len == 0 || len >= MaxAllocSize ||
		pg_encoding_verifymbstr(PG_UTF8, text, (int) len) != (int) len)
		return NULL;
	if (bi_heft_exceeds(text, len, BI_HEFT_MAX))
		return NULL;
	if (mode == BI_JSON_SECRET)
		filler = psprintf("\"%*s", (int) len, "");
	good = bi_token_walk(text, len, BI_JSON_DEPTH, mode == BI_JSON_LENIENT, &marked);
	if (good)
		good = marked.data
			? parse_tokens(marked.data, marked.len, filler, &root)
				: parse_tokens(text, len, filler, &root);
	if (marked.data)
		pfree(marked.data);
	if (!good)
		return NULL;
	if (root)
		bi_foreign_own(CurrentMemoryContext, root, put_object);
	return value_of(root);
}

BiJson *
bi_json_parse_lenient(const char *text, size_t len, bool *repaired)
{
	static const char mark[] = "\xEF\xBB\xBF";

	if (len >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
	{
		text += strlen(mark);
		len -= strlen(mark);
	}
	*repaired = len < MaxAllocSize &&
		pg_encoding_verifymbstr(PG_UTF8, text, (int) len) != (int) len;
	if (*repaired)
		text = bi_utf8_repair(text, len, MaxAllocSize / 2, &len);
	return bi_json_parse_text(text, len, BI_JSON_LENIENT);
}

/*
 * Returns the text of a fraction or a marked number as it was read; NULL for small whole numbers.
 */
static const char *
source_of(json_object *number, size_t *len, bool *whole)
{
	const char *source = json_object_get_userdata(number);

	*len = source ? strlen(source) : 0;
	*whole = *len > BI_TOKEN_MARK_LEN && strchr(source, '.') == NULL &&
		memcmp(source + *len - BI_TOKEN_MARK_LEN, BI_TOKEN_MARK, BI_TOKEN_MARK_LEN) == 0;
	if (*whole)
		*len -= BI_TOKEN_MARK_LEN;
	return source;
}

BiJsonType
bi_json_type(const BiJson *json)
{
	size_t		len;
	bool		whole;

	if (json == NULL)
		return BI_JSON_ABSENT;
	switch (json_object_get_type(object_of(json)))
	{
		case json_type_boolean:
			return BI_JSON_BOOL;
		case json_type_int:
			return BI_JSON_INT;
		case json_type_double:
			source_of(object_of(json), &len, &whole);
			return whole ? BI_JSON_INT : BI_JSON_DOUBLE;
		case json_type_string:
			return BI_JSON_STRING;
		case json_type_array:
			return BI_JSON_ARRAY;
		case json_type_object:
			return BI_JSON_OBJECT;
		case json_type_null:
			break;
	}
	return BI_JSON_NULL;
}

BiJson *
bi_json_get(const BiJson *json, const char *key)
{
	json_object *member;

	if (!json_object_is_type(object_of(json), json_type_object) ||
		!json_object_object_get_ex(object_of(json), key, &member))
		return NULL;
	return value_of(member);
}

BiJson *
bi_json_at(const BiJson *json,...)
{
	const BiJson *at = json;
	const char *key;
	va_list		keys;

	va_start(keys, json);
	while ((key = va_arg(keys, const char *)) != NULL)
		at = bi_json_get(at, key);
	va_end(keys);
	return at == NULL_VALUE ? NULL : unconstify(BiJson *, at);
}

const char *
bi_json_string(const BiJson *json, size_t *len)
{
	json_object *object = object_of(json);

	if (!json_object_is_type(object, json_type_string))
		return NULL;
	if (len)
		*len = json_object_get_string_len(object);
	return json_object_get_string(object);
}

bool
bi_json_equals(const BiJson *json, const char *text)
{
	const char *string = bi_json_string(json, NULL);

	return string && strcmp(string, text) == 0;
}

char *
bi_json_cstring(const BiJson *json)
{
	size_t		len;
	const char *string = bi_json_string(json, &len);

	if (string)
		return strlen(string) == len ? pnstrdup(string, len) : NULL;
	if (bi_json_type(json) == BI_JSON_INT || bi_json_type(json) == BI_JSON_DOUBLE)
		return bi_json_text(json);
	return NULL;
}

int64
bi_json_int(const BiJson *json, int64 otherwise)
{
	json_object *object = object_of(json);
	const char *source;
	size_t		len;
	bool		whole;
	double		number;
	long long	parsed;

	if (json_object_is_type(object, json_type_int))
		return json_object_get_int64(object);
	if (!json_object_is_type(object, json_type_double))
		return otherwise;
	source = source_of(object, &len, &whole);
	if (whole)
	{
		errno = 0;
		parsed = strtoll(source, NULL, 10);
		return errno == 0 ? parsed : otherwise;
	}
	number = json_object_get_double(object);
	return number == rint(number) && fabs(number) < 9e18 ? (int64) number : otherwise;
}

double
bi_json_double(const BiJson *json, double otherwise)
{
	json_object *object = object_of(json);

	if (!json_object_is_type(object, json_type_int) &&
		!json_object_is_type(object, json_type_double))
		return otherwise;
	return json_object_get_double(object);
}

bool
bi_json_bool(const BiJson *json, bool otherwise)
{
	json_object *object = object_of(json);

	return json_object_is_type(object, json_type_boolean)
		? json_object_get_boolean(object) : otherwise;
}

int
bi_json_length(const BiJson *json)
{
	json_object *object = object_of(json);

	if (json_object_is_type(object, json_type_array))
		return (int) json_object_array_length(object);
	return json_object_is_type(object, json_type_object) ? json_object_object_length(object) : 0;
}

BiJson *
bi_json_item(const BiJson *json, int i)
{
	json_object *object = object_of(json);

	if (!json_object_is_type(object, json_type_array) || i < 0 || i >= bi_json_length(json))
		return NULL;
	return value_of(json_object_array_get_idx(object, i));
}

bool
bi_json_next(const BiJson *json, void **place, const char **key, BiJson **value)
{
	struct lh_entry *entry = *place;

	if (!json_object_is_type(object_of(json), json_type_object))
		return false;
	entry = entry ? lh_entry_next(entry) : lh_table_head(json_object_get_object(object_of(json)));
	if (entry == NULL)
		return false;
	*place = entry;
	*key = lh_entry_k(entry);
	*value = value_of((json_object *) lh_entry_v(entry));
	return true;
}

/* Writing.  The parser has limited the depth. */

static void append_object(StringInfo out, json_object *object);

static void
append_number(StringInfo out, json_object *number)
{
	size_t		len;
	bool		whole;
	const char *source = source_of(number, &len, &whole);

	if (source)
		appendBinaryStringInfo(out, source, (int) len);
	else
		appendStringInfo(out, INT64_FORMAT, (int64) json_object_get_int64(number));
}

static void
append_array(StringInfo out, json_object *array)
{
	size_t		length = json_object_array_length(array);

	appendStringInfoChar(out, '[');
	for (size_t i = 0; i < length; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		append_object(out, json_object_array_get_idx(array, i));
	}
	appendStringInfoChar(out, ']');
}

static void
append_members(StringInfo out, json_object *object)
{
	struct lh_entry *first = lh_table_head(json_object_get_object(object));

	appendStringInfoChar(out, '{');
	for (struct lh_entry *entry = first; entry; entry = lh_entry_next(entry))
	{
		if (entry != first)
			appendStringInfoChar(out, ',');
		bi_json_append_string(out, lh_entry_k(entry));
		appendStringInfoChar(out, ':');
		append_object(out, (json_object *) lh_entry_v(entry));
	}
	appendStringInfoChar(out, '}');
}

static void
append_object(StringInfo out, json_object *object)
{
	CHECK_FOR_INTERRUPTS();
	switch (json_object_get_type(object))
	{
		case json_type_null:
			appendStringInfoString(out, "null");
			break;
		case json_type_boolean:
			appendStringInfoString(out, json_object_get_boolean(object) ? "true" : "false");
			break;
		case json_type_int:
		case json_type_double:
			append_number(out, object);
			break;
		case json_type_string:
			bi_json_append_bytes(out, json_object_get_string(object),
								 json_object_get_string_len(object));
			break;
		case json_type_array:
			append_array(out, object);
			break;
		case json_type_object:
			append_members(out, object);
			break;
	}
}

void
bi_json_append(StringInfo out, const BiJson *json)
{
	if (json)
		append_object(out, object_of(json));
}

char *
bi_json_text(const BiJson *json)
{
	StringInfoData out;

	if (json == NULL)
		return NULL;
	initStringInfo(&out);
	bi_json_append(&out, json);
	return out.data;
}

void
bi_json_append_bytes(StringInfo out, const char *utf8, size_t len)
{
	bi_token_append_string(out, utf8, len);
}

void
bi_json_append_string(StringInfo out, const char *utf8)
{
	bi_token_append_string(out, utf8, strlen(utf8));
}

size_t
bi_json_string_size(const char *utf8)
{
	return bi_token_string_size(utf8, strlen(utf8));
}
