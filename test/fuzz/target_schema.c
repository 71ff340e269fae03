/*
 * test/fuzz/target_schema.c: does a value match a JSON Schema?
 *
 * Input: a line with the schema, then the value.
 */
#include "postgres.h"

#include "base/schema.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"

/* Told to people: one line would be too much to ask, for a schema's own words stand in it. */
static void
check_words(const char *words)
{
	FUZZ_CHECK(*words && pg_encoding_verifymbstr(PG_UTF8, words, strlen(words)) == strlen(words));
}

void
fuzz_one(const char *data, size_t len)
{
	FuzzInput	input = {data, len};
	char	   *line = fuzz_line(&input);
	BiJson	   *schema = bi_json_parse(line, strlen(line));
	BiJson	   *value = bi_json_parse(fuzz_rest(&input), input.len);
	BiSchema   *compiled;
	bool		too_costly;
	char	   *words;

	if (schema == NULL || value == NULL)
		return;
	compiled = bi_schema_compile(schema, &words);
	FUZZ_CHECK((compiled == NULL) == (words != NULL));
	if (compiled)
		words = bi_schema_mismatch(compiled, value, &too_costly);
	if (words)
		check_words(words);
}
