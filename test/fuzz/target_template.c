/*
 * test/fuzz/target_template.c: a prompt with {{column}}.
 *
 * Input: the prompt.  The query has columns a, "b c", "}" and a long one.
 */
#include "postgres.h"

#include "intake/template.h"
#include "fuzz.h"

static const char *const columns[] =
	{"a", "b c", "}", "a_name_that_is_as_long_as_a_name_can_be_in_a_postgres_database_1"};
static char *const values[] = {"one", NULL, "{{a}}", ""};

static TupleDesc
make_columns(void)
{
	TupleDesc	desc = palloc0(offsetof(struct TupleDescData, attrs) +
							   lengthof(columns) * sizeof(FormData_pg_attribute));

	desc->natts = lengthof(columns);
	for (int i = 0; i < lengthof(columns); i++)
		strlcpy(NameStr(TupleDescAttr(desc, i)->attname), columns[i], NAMEDATALEN);
	return desc;
}

static void
fill(void *arg)
{
	const BiTemplate *t = bi_template_parse(arg, make_columns());
	char	   *prompt = bi_template_fill(t, values);

	FUZZ_CHECK((prompt == NULL) == bi_template_uses(t, 2));
}

/* With every {{ as \{{ it names no column, and is the text again. */
static void
check_literal(const char *text)
{
	StringInfoData escaped;
	char	   *prompt;

	initStringInfo(&escaped);
	for (const char *p = text; *p; p++)
	{
		if (strncmp(p, "{{", 2) == 0)
			appendStringInfoString(&escaped, "\\{{"), p++;
		else
			appendStringInfoChar(&escaped, *p);
	}
	prompt = bi_template_fill(bi_template_parse(escaped.data, make_columns()), values);
	FUZZ_CHECK(prompt && strcmp(prompt, text) == 0);
}

void
fuzz_one(const char *data, size_t len)
{
	char	   *text = fuzz_copy(data, len);

	(void) fuzz_try(fill, text);
	check_literal(text);
}
