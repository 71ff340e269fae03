/*
 * intake/values.c: the values of the arguments of one call.
 *
 * A function may have the arguments of the list at any place, have others beside them, or lack
 * some (the batch_submit of version 0.1.0 lacks most of them until ALTER EXTENSION UPDATE).  So an
 * argument is found by its name in pg_proc.  This is done once for each call site: the places are
 * kept in fn_extra.
 *
 * Knows no other argument and no table when it checks one.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "base/json.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "intake/given.h"
#include "intake/values.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* Where the arguments are */

/* Where one SQL function has the arguments.  Lives as long as the call site, in its fn_mcxt. */
typedef struct Places
{
	int			place[BI_ARG_COUNT];	/* in fcinfo->args; -1 if the function lacks it */
	Oid			type[BI_ARG_COUNT];
} Places;

/* Records the place of an argument of the function, if it is one of the list. */
static void
set_place(Places *places, int place, const char *name, Oid type)
{
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
	{
		if (strcmp(bi_listed[arg].name, name) != 0)
			continue;
		if (bi_listed[arg].type != BI_BATCH_JSON && bi_listed[arg].type != type)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
					 errmsg("argument \"%s\" must be of type %s", name,
							format_type_be(bi_listed[arg].type))));
		places->place[arg] = place;
		places->type[arg] = type;
	}
}

/* Looks up the places of the arguments of a function, in cxt. */
static Places *
find_places(Oid function, MemoryContext cxt)
{
	Places	   *places = MemoryContextAllocZero(cxt, sizeof(Places));
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			n;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	memset(places->place, -1, sizeof(places->place));
	n = get_func_arg_info(tuple, &types, &names, &modes);
	for (int i = 0, place = 0; names && i < n; i++)
	{
		/* the others are columns of the result */
		if (modes == NULL || modes[i] == PROARGMODE_IN)
			set_place(places, place++, names[i], types[i]);
	}
	ReleaseSysCache(tuple);
	return places;
}

/* Sets the values of the function's arguments. */
static void
take_values(FunctionCallInfo fcinfo, BiValues *values)
{
	FmgrInfo   *function = fcinfo->flinfo;
	const Places *places;

	if (function->fn_extra == NULL)
		function->fn_extra = find_places(function->fn_oid, function->fn_mcxt);
	places = function->fn_extra;
	memset(values, 0, sizeof(*values));
	values->function = get_func_name(function->fn_oid);
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
	{
		int			place = places->place[arg];

		if (place < 0 || fcinfo->args[place].isnull)
			continue;
		values->given[arg] = true;
		values->type[arg] = places->type[arg];
		values->value[arg] = fcinfo->args[place].value;
	}
}

/* The checks that the list makes possible */

/* Looks at no byte of the values. */
static void
check_sizes(const BiValues *values)
{
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
	{
		int			max = bi_listed[arg].max_bytes;
		Size		size;

		if (max == 0 || !values->given[arg])
			continue;
		size = toast_raw_datum_size(values->value[arg]) - VARHDRSZ;
		if (size > max)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("argument \"%s\" is too large", bi_listed[arg].name),
					 errdetail("It has %zu bytes, and may have %d.", size, max)));
	}
}

void
bi_values_require(const BiValues *values, BiArgument arg)
{
	if (!values->given[arg])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", bi_listed[arg].name)));
}

/* Returns the number of the word that the value is.  Raises an error if it is not a word
 * that the argument takes. */
static int
find_word(BiArgument arg, const char *value)
{
	const char *const *words = bi_listed[arg].words;
	StringInfoData valid;

	initStringInfo(&valid);
	for (int i = 0; words[i]; i++)
	{
		if (strcmp(words[i], value) == 0)
			return i;
		appendStringInfo(&valid, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	INVALID(errmsg("invalid value for argument \"%s\": \"%s\"", bi_listed[arg].name, value),
			errhint("Available values: %s.", valid.data));
}

/* Refuses an argument that is not built, unless it asks for what is done without it. */
static void
check_built(const BiValues *values, BiArgument arg)
{
	const BiListed *listed = &bi_listed[arg];
	char	   *value = NULL;

	if (listed->today == NULL || !values->given[arg])
		return;
	if (listed->words || listed->same)
		value = bi_given_text(values->type[arg], values->value[arg]);
	if (listed->words)
		(void) find_word(arg, value);
	if (listed->same && strcmp(listed->same, value) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 listed->words
			 ? errmsg("value \"%s\" for argument \"%s\" of %s is not supported yet", value,
					  listed->name, values->function)
			 : errmsg("argument \"%s\" of %s is not supported yet", listed->name,
					  values->function),
			 errhint("Leave it out: %s.", listed->today)));
}

void
bi_values_check_built(const BiValues *values)
{
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
		check_built(values, arg);
}

void
bi_values_of_call(FunctionCallInfo fcinfo, BiValues *values)
{
	take_values(fcinfo, values);
	check_sizes(values);
	bi_values_check_built(values);
}

/* Readers: one value each */

char *
bi_values_text(const BiValues *values, BiArgument arg)
{
	return values->given[arg] ? TextDatumGetCString(values->value[arg]) : NULL;
}

int
bi_values_word(const BiValues *values, BiArgument arg, int otherwise)
{
	return values->given[arg] ? find_word(arg, bi_values_text(values, arg)) : otherwise;
}

static Jsonb *
require_object(Jsonb *json, BiArgument arg)
{
	if (!JB_ROOT_IS_OBJECT(json))
		INVALID(errmsg("argument \"%s\" must be a JSON object", bi_listed[arg].name),
				arg == BI_ARG_WRITE_BACK
				? errhint("Write {\"column\": \"$\"}: which column takes which part of the output.")
				: 0);
	return json;
}

char *
bi_values_object(const BiValues *values, BiArgument arg)
{
	Jsonb	   *json;

	if (!values->given[arg])
		return NULL;
	json = require_object(DatumGetJsonbP(values->value[arg]), arg);
	return JsonbToCString(NULL, &json->root, VARSIZE(json));
}

char *
bi_values_ordered(const BiValues *values, BiArgument arg)
{
	char	   *text;
	BiJson	   *json;

	if (!values->given[arg] || values->type[arg] == JSONBOID)
		return bi_values_object(values, arg);
	text = bi_values_text(values, arg);
	(void) require_object(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text))),
						  arg);
	json = bi_json_parse(text, strlen(text));
	if (json == NULL)
		INVALID(errmsg("argument \"%s\" cannot be sent as JSON", bi_listed[arg].name),
				errdetail("It is more than %d levels deep.", BI_JSON_DEPTH));
	return bi_json_text(json);
}

char *
bi_values_given(const BiValues *values)
{
	StringInfoData json;

	initStringInfo(&json);
	for (BiArgument arg = 0; arg < BI_ARG_COUNT; arg++)
	{
		const BiListed *listed = &bi_listed[arg];
		char	   *text;

		/* What is not built cannot ask for anything. */
		if (arg == BI_ARG_IDEMPOTENCY_KEY || listed->today || !values->given[arg])
			continue;
		text = listed->type == BI_BATCH_JSON ? bi_values_ordered(values, arg)
			: bi_given_text(values->type[arg], values->value[arg]);
		if (listed->same == NULL || strcmp(listed->same, text) != 0)
			bi_given_add(&json, listed->name, text);
	}
	return psprintf("{%s}", json.data);
}
