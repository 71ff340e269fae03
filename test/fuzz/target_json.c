/*
 * test/fuzz/target_json.c: JSON is read and written.
 *
 * Input: the text.  PostgreSQL's own parser is asked as well: what we take it takes, and what
 * it takes we take, but for the limits that json.h tells.  It alone is strict with escapes of
 * NUL bytes and of lone surrogates.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/json.h"
#include "base/pointer.h"
#include "base/salvage.h"
#include "base/value.h"
#include "fuzz.h"

static JsonParseErrorType
ask_postgres(const char *text, size_t len)
{
	JsonSemAction nothing = {0};

	return pg_parse_json(bi_json_lexer(text, len), &nothing);
}

static bool
postgres_may_take(const char *text, size_t len)
{
	JsonParseErrorType said = ask_postgres(text, len);

	return said == JSON_SUCCESS || said == JSON_UNICODE_CODE_POINT_ZERO ||
		said == JSON_UNICODE_HIGH_SURROGATE ||
		said == JSON_UNICODE_LOW_SURROGATE;
}

/* Every reader of every value, for what it touches. */
static void
read_all(const BiJson *json, int depth)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;
	size_t		len = 0;
	const char *string = bi_json_string(json, &len);
	char	   *plain = bi_json_cstring(json);
	int			members = 0;

	FUZZ_CHECK(depth <= BI_JSON_DEPTH + 1);
	FUZZ_CHECK(string == NULL || string[len] == '\0');
	FUZZ_CHECK(plain == NULL || string == NULL || strcmp(plain, string) == 0);
	FUZZ_CHECK(bi_json_type(json) != BI_JSON_BOOL ||
			   bi_json_bool(json, true) == bi_json_bool(json, false));
	(void) bi_json_int(json, 0);
	(void) bi_json_double(json, 0);
	for (int i = 0; i < bi_json_length(json) && bi_json_type(json) == BI_JSON_ARRAY; i++)
		read_all(bi_json_item(json, i), depth + 1);
	for (; bi_json_next(json, &place, &key, &value); members++)
	{
		StringInfoData ref;

		FUZZ_CHECK(bi_json_get(json, key) == value);
		initStringInfo(&ref);
		appendStringInfoChar(&ref, '#');
		bi_pointer_append(&ref, key);
		FUZZ_CHECK(strchr(key, '%') || bi_pointer_resolve(json, ref.data) == value);
		read_all(value, depth + 1);
	}
	FUZZ_CHECK(bi_json_type(json) != BI_JSON_OBJECT || members == bi_json_length(json));
	FUZZ_CHECK(bi_json_item(json, bi_json_length(json)) == NULL && bi_json_item(json, -1) == NULL);
}

/* Written and read again it is the same. */
static void
check_text(const BiJson *json)
{
	char	   *text = bi_json_text(json);
	BiJson	   *again = bi_json_parse(text, strlen(text));
	char	   *canonical = bi_value_canonical(json);

	FUZZ_CHECK(again && strcmp(bi_json_text(again), text) == 0);
	FUZZ_CHECK(postgres_may_take(text, strlen(text)));
	FUZZ_CHECK(strcmp(bi_value_canonical(again), canonical) == 0);
}

static int
depth_of(const char *text, size_t len)
{
	int			depth = 0;
	int			most = 0;

	for (size_t i = 0; i < len; i++)
	{
		depth += text[i] == '{' || text[i] == '[' ? 1 : text[i] == '}' || text[i] == ']' ? -1 : 0;
		most = Max(most, depth);
	}
	return most;
}

static void
check_string(const char *data, size_t len)
{
	char	   *text = fuzz_copy(data, len);
	StringInfoData out;
	const BiJson *json;

	initStringInfo(&out);
	bi_json_append_string(&out, text);
	FUZZ_CHECK(out.len == bi_json_string_size(text));
	json = bi_json_parse(out.data, out.len);
	FUZZ_CHECK(json == NULL || strcmp(bi_json_string(json, NULL), text) == 0);
	FUZZ_CHECK(json != NULL ||
			   pg_encoding_verifymbstr(PG_UTF8, text, strlen(text)) != strlen(text));
}

/* What is good is read as ever, and what is read of the rest is good. */
static void
check_lenient(const char *text, size_t len, const BiJson *strict)
{
	static const char *const path[] = {"custom_id", NULL};
	bool		repaired;
	BiJson	   *json = bi_json_parse_lenient(text, len, &repaired);
	char	   *id = bi_salvage_string(text, len, path);

	FUZZ_CHECK(strict == NULL ||
			   (json && !repaired &&
				strcmp(bi_json_text(json), bi_json_text(strict)) == 0));
	FUZZ_CHECK(id == NULL || pg_encoding_verifymbstr(PG_UTF8, id, strlen(id)) == strlen(id));
	if (json)
		check_text(json);
}

void
fuzz_one(const char *data, size_t len)
{
	char	   *text = fuzz_copy(data, len);
	BiJson	   *json = bi_json_parse(text, len);

	if (json)
	{
		FUZZ_CHECK(postgres_may_take(text, len));
		read_all(json, 1);
		check_text(json);
	}
	else if (pg_encoding_verifymbstr(PG_UTF8, text, len) == len &&
			 depth_of(text, len) <= BI_JSON_DEPTH)
		FUZZ_CHECK(ask_postgres(text, len) != JSON_SUCCESS);
	check_lenient(text, len, json);
	check_string(data, len);
}
