/*
 * api/treasury.c: what the calls that set prices and budgets share: who may, and their arguments.
 */
#include "postgres.h"

#include "api/treasury.h"
#include "miscadmin.h"
#include "store/sql.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

void
bi_treasury_require_right(const char *what)
{
	Oid			owner = bi_sql_owner();

	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set %s", what),
				 errdetail("Only superusers and roles with the privileges of role \"%s\", which "
						   "owns the extension, may set %s.",
						   GetUserNameFromId(owner, false), what)));
}

char *
bi_treasury_text(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(i));
}

void
bi_treasury_refuse_word(const char *argument, const BiChoices *choices)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"%s\": \"%s\"", argument, choices->word),
			 errdetail("Valid values are: %s.", choices->valid.data),
			 choices->closest ? errhint("Perhaps you meant \"%s\".", choices->closest) : 0));
}

const char *
bi_treasury_word(FunctionCallInfo fcinfo, int i, const char *name, const char *const *words)
{
	BiChoices	choices;

	bi_choice_begin(&choices, bi_treasury_text(fcinfo, i, name));
	for (; *words; words++)
	{
		if (strcmp(*words, choices.word) == 0)
			return *words;
		bi_choice_add(&choices, *words);
	}
	bi_treasury_refuse_word(name, &choices);
	return NULL;
}

bool
bi_treasury_is_amount(Numeric number)
{
	return !numeric_is_nan(number) && !numeric_is_inf(number) &&
		DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(number),
										  NumericGetDatum(int64_to_numeric(0)))) >= 0;
}
