/*
 * intake/stored.c: the arguments of a call, kept for later calls.
 *
 * Values are texts of their types' output functions, under steady settings; tables have their
 * schemas.
 */
#include "postgres.h"

#include "base/json.h"
#include "base/steady.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "intake/stored.h"
#include "lib/stringinfo.h"
#include "store/sql.h"
#include "store/target.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

/* Any number is a value of type regclass. */
static char *
table_name(Oid relid)
{
	char	   *name = bi_target_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", relid)));
	return name;
}

static char *
text_of(const BiValues *values, BiArgument arg)
{
	Oid			output;
	bool		is_varlena;

	if (bi_listed[arg].type == REGCLASSOID)
		return table_name(DatumGetObjectId(values->value[arg]));
	if (bi_listed[arg].type == BI_BATCH_JSON)
		return bi_values_ordered(values, arg);
	getTypeOutputInfo(values->type[arg], &output, &is_varlena);
	return OidOutputFunctionCall(output, values->value[arg]);
}

char *
bi_stored_text(const BiValues *values)
{
	StringInfoData json;
	int			level = bi_steady_begin();

	initStringInfo(&json);
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
	{
		if (!values->given[arg])
			continue;
		appendStringInfoString(&json, json.len > 0 ? ", " : "");
		escape_json(&json, bi_listed[arg].name);
		appendStringInfoString(&json, ": ");
		escape_json(&json, text_of(values, arg));
	}
	bi_steady_end(level);
	return psprintf("{%s}", json.data);
}

char *
bi_stored_call(const BiValues *values, const char *more)
{
	StringInfoData call;
	int			level = bi_steady_begin();
	const char *separator = "";

	initStringInfo(&call);
	appendStringInfo(&call, "SELECT %s.batch_submit(", bi_sql_schema());
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
	{
		const BiListed *listed = &bi_listed[arg];
		char	   *text = values->given[arg] ? text_of(values, arg) : NULL;

		if (text == NULL || (listed->same && strcmp(listed->same, text) == 0))
			continue;
		appendStringInfo(&call, "%s%s => %s", separator, listed->name, quote_literal_cstr(text));
		separator = ", ";
	}
	bi_steady_end(level);
	appendStringInfo(&call, "%s%s)", more ? ", " : "", more ? more : "");
	return call.data;
}

/* Returns what is stored of an argument, or NULL if it is not given. */
static const char *
member_text(const BiJson *stored, const char *name)
{
	const BiJson *member = bi_json_get(stored, name);
	const char *text;

	if (member == NULL)
		return NULL;
	text = bi_json_string(member, NULL);
	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the stored argument \"%s\" cannot be read", name),
				 errdetail("It is no text.")));
	return text;
}

void
bi_stored_read(const char *json, const char *function, BiValues *values)
{
	BiJson	   *stored = json ? bi_json_parse(json, strlen(json)) : NULL;

	if (bi_json_type(stored) != BI_JSON_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the stored arguments cannot be read"),
				 errdetail("They are missing, or no JSON object of texts.")));
	memset(values, 0, sizeof(*values));
	values->function = function;
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
	{
		const BiListed *listed = &bi_listed[arg];
		const char *text = member_text(stored, listed->name);
		Oid			type = listed->type == BI_BATCH_JSON ? JSONOID : listed->type;
		Oid			input;
		Oid			ioparam;

		if (text == NULL)
			continue;
		getTypeInputInfo(type, &input, &ioparam);
		values->given[arg] = true;
		values->type[arg] = type;
		values->value[arg] = OidInputFunctionCall(input, pstrdup(text), ioparam, -1);
	}
	bi_values_check_built(values);
}
