/*
 * test/unit/unit_base.c: JSON, schemas and waiting, callable from SQL.
 *
 * Texts come as bytea, so that a test can send what is no UTF-8, and go as text.
 */
#include "postgres.h"

#include "base/backoff.h"
#include "base/exchange.h"
#include "base/json.h"
#include "base/loose.h"
#include "base/measure.h"
#include "base/pace.h"
#include "base/schema.h"
#include "base/slow.h"
#include "base/value.h"
#include "base/window.h"
#include "fmgr.h"
#include "unit.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(unit_json);
PG_FUNCTION_INFO_V1(unit_json_read);
PG_FUNCTION_INFO_V1(unit_json_string);
PG_FUNCTION_INFO_V1(unit_canonical);
PG_FUNCTION_INFO_V1(unit_loose);
PG_FUNCTION_INFO_V1(unit_measure);
PG_FUNCTION_INFO_V1(unit_schema);
PG_FUNCTION_INFO_V1(unit_schema_suite);
PG_FUNCTION_INFO_V1(unit_backoff);
PG_FUNCTION_INFO_V1(unit_pace);
PG_FUNCTION_INFO_V1(unit_slow);
PG_FUNCTION_INFO_V1(unit_window);
PG_FUNCTION_INFO_V1(unit_retry_after);

BiJson *
unit_parse(const bytea *bytes)
{
	return bi_json_parse(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/* Returns the compact text, NULL if it is not JSON. */
Datum
unit_json(PG_FUNCTION_ARGS)
{
	char	   *text = bi_json_text(unit_parse(PG_GETARG_BYTEA_PP(0)));

	if (text == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(text));
}

Datum
unit_loose(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(bi_loose_json(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

/* unit_measure(bytea, text): the estimated tokens of a text, for that model. */
Datum
unit_measure(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	BiMeasure	measure = bi_measure_of_model(text_to_cstring(PG_GETARG_TEXT_PP(1)));

	PG_RETURN_INT64(bi_measure_tokens(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), measure));
}

/* Returns what every reader says of the member of that key. */
Datum
unit_json_read(PG_FUNCTION_ARGS)
{
	static const char *const types[] = {
		"absent", "null", "bool", "int", "double", "string", "array", "object"
	};
	BiJson	   *json = unit_parse(PG_GETARG_BYTEA_PP(0));
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(1));
	BiJson	   *member = bi_json_get(json, key);
	size_t		len = 0;
	const char *string = bi_json_string(member, &len);
	char	   *plain = bi_json_cstring(member);

	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s at=%s string=%s/%d cstring=%s"
											  " int=" INT64_FORMAT " double=%g bool=%d length=%d"
												  " item=%s",
											  types[bi_json_type(member)],
											  bi_json_at(json, key, NULL) ? "yes" : "no",
											  string ? "yes" : "no", (int) len, plain ? plain
											  : "none", bi_json_int(member, -99),
											  bi_json_double(member, -99),
											  bi_json_bool(member, false), bi_json_length(member),
											  types[bi_json_type(bi_json_item(member, 0))])));
}

/* Returns a JSON string of the text, whose size must be the one computed before. */
Datum
unit_json_string(PG_FUNCTION_ARGS)
{
	char	   *string = text_to_cstring(PG_GETARG_TEXT_PP(0));
	StringInfoData out;

	initStringInfo(&out);
	bi_json_append_string(&out, string);
	if (out.len != bi_json_string_size(string))
		ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("size %zu foretold, %d written", bi_json_string_size(string), out.len));
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

Datum
unit_canonical(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(bi_value_canonical(unit_parse(PG_GETARG_BYTEA_PP(0)))));
}

/* NULL where the value matches, else the mismatch, or why the schema is refused. */
Datum
unit_schema(PG_FUNCTION_ARGS)
{
	BiJson	   *schema = unit_parse(PG_GETARG_BYTEA_PP(0));
	char	   *refused;
	BiSchema   *compiled = bi_schema_compile(schema, &refused);
	bool		too_costly;
	char	   *mismatch = compiled
		? bi_schema_mismatch(compiled, unit_parse(PG_GETARG_BYTEA_PP(1)), &too_costly) : NULL;

	if (refused)
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("refused: %s", refused)));
	if (mismatch)
		PG_RETURN_TEXT_P(cstring_to_text(too_costly ? psprintf("too costly: %s", mismatch)
										 : mismatch));
	PG_RETURN_NULL();
}

static char *
member_text(const BiJson *json, const char *key)
{
	char	   *text = bi_json_cstring(bi_json_get(json, key));

	return text ? text : "?";
}

/* Runs one group of the official suite.  Returns how many tests came out right, and adds the
 * others to told. */
static int
run_group(const BiJson *group, StringInfo told)
{
	const BiJson *schema = bi_json_get(group, "schema");
	const BiJson *tests = bi_json_get(group, "tests");
	char	   *refused;
	BiSchema   *compiled = bi_schema_compile(schema, &refused);
	int			right = 0;

	if (refused)
		appendStringInfo(told, "\nrefused: %s: %s", member_text(group, "description"), refused);
	for (int i = 0; refused == NULL && i < bi_json_length(tests); i++)
	{
		const BiJson *test = bi_json_item(tests, i);
		bool		too_costly;
		char	   *mismatch = bi_schema_mismatch(compiled, bi_json_get(test, "data"), &too_costly);

		if ((mismatch == NULL) == bi_json_bool(bi_json_get(test, "valid"), false))
			right++;
		else
			appendStringInfo(told, "\nwrong: %s: %s: %s", member_text(group, "description"),
							 member_text(test, "description"),
							 mismatch ? mismatch : "matches");
	}
	return right;
}

/* Runs a file of the official suite. */
Datum
unit_schema_suite(PG_FUNCTION_ARGS)
{
	BiJson	   *groups = unit_parse(PG_GETARG_BYTEA_PP(0));
	StringInfoData told;
	int			right = 0;

	initStringInfo(&told);
	for (int i = 0; i < bi_json_length(groups); i++)
		right += run_group(bi_json_item(groups, i), &told);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%d right%s", right, told.data)));
}

Datum
unit_backoff(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(bi_backoff_ms(PG_GETARG_INT64(0), PG_GETARG_FLOAT8(1), PG_GETARG_INT64(2),
								  PG_GETARG_INT32(3),
								  PG_GETARG_FLOAT8(4)));
}

/* Seconds since the beginning of the series. */
Datum
unit_pace(PG_FUNCTION_ARGS)
{
	TimestampTz base = USECS_PER_DAY;
	TimestampTz after = base + (TimestampTz) (PG_GETARG_FLOAT8(2) * USECS_PER_SEC);

	PG_RETURN_FLOAT8((double) (bi_pace_next(base, PG_GETARG_INT64(0), PG_GETARG_INT64(1), after) -
							   base) / USECS_PER_SEC);
}

/* Looks at a transfer with a body of that size, 60 s for a body and 70 s for a reply.  A look is a
 * line: seconds, bytes sent, bytes received, then "c" while it connects, "r" with the head of the
 * reply, "s" if its body goes into a spool. */
Datum
unit_slow(PG_FUNCTION_ARGS)
{
	BiSlow		slow = {.reply_ms = 70000, .window_ms = 60000};
	const char *line = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char		why[256];

	while (line)
	{
		BiSlowLook	look = {.body_size = PG_GETARG_INT64(0)};
		double		seconds;
		char		flags[8] = "";

		if (sscanf(line, "%lf " INT64_FORMAT " " INT64_FORMAT " %7s",
				   &seconds, &look.sent, &look.received, flags) < 3)
			elog(ERROR, "not a look: %s", line);
		look.now_ms = (int64) (seconds * 1000);
		look.is_started = strchr(flags, 'c') == NULL;
		look.is_spooled = strchr(flags, 's') != NULL;
		look.is_replied = look.is_spooled || strchr(flags, 'r') != NULL;
		if (bi_slow_judge(&slow, &look, why, sizeof(why)))
			PG_RETURN_TEXT_P(cstring_to_text(psprintf("at %g s: %s", seconds, why)));
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	PG_RETURN_TEXT_P(cstring_to_text("goes on"));
}

/* Header lines, separated by line breaks, become an exchange's reply headers. */
void
unit_add_headers(BiExchange *ex, const char *lines)
{
	while (*lines)
	{
		size_t		len = strcspn(lines, "\n");

		bi_exchange_add_reply_line(ex, lines, len);
		lines += len + (lines[len] == '\n');
	}
}

Datum
unit_retry_after(PG_FUNCTION_ARGS)
{
	BiExchange *ex = bi_exchange_new(CurrentMemoryContext);

	unit_add_headers(ex, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_INT64(bi_exchange_retry_after(ex, PG_GETARG_INT64(1)));
}

/* unit_window(text, timestamptz): the window as it is stored, and when it opens next; or what is
 * wrong with it. */
Datum
unit_window(PG_FUNCTION_ARGS)
{
	BiWindow	window;
	char	   *why = bi_window_read(text_to_cstring(PG_GETARG_TEXT_PP(0)), &window);
	TimestampTz opens;

	if (why)
		PG_RETURN_TEXT_P(cstring_to_text(why));
	opens = bi_window_opens(&window, PG_GETARG_TIMESTAMPTZ(1));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s: %s", bi_window_text(&window),
											  timestamptz_to_str(opens))));
}
