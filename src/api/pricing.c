/*
 * api/pricing.c: batch_set_price, and batchinf.cost.
 *
 * Knows who may set a price and what it may be.  What it means is in the SQL of batchinf.prices_of.
 */
#include "postgres.h"

#include "api/treasury.h"
#include "base/choice.h"
#include "base/cost.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "provider/registry.h"
#include "store/price.h"
#include "store/server.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(batchinf_set_price);
PG_FUNCTION_INFO_V1(batchinf_cost);

static const char *const modes[] = {"batch", "flex", "realtime", NULL};
static const char *const kinds[] = {
	"input",
	"cached_input",
	"cache_write",
	"cache_write_1h",
	"output",
	NULL
};

static const char *
provider_argument(FunctionCallInfo fcinfo, int i)
{
	BiChoices	choices;
	const char *name;

	bi_choice_begin(&choices, bi_treasury_text(fcinfo, i, "provider"));
	for (int n = 0; (name = bi_registry_name(n)) != NULL; n++)
	{
		if (strcmp(name, choices.word) == 0)
			return name;
		bi_choice_add(&choices, name);
	}
	bi_treasury_refuse_word("provider", &choices);
	return NULL;
}

/* Returns the argument.  A pattern that LIKE refuses would make every look-up of a price fail. */
static const char *
pattern_argument(FunctionCallInfo fcinfo, int i)
{
	char	   *pattern = bi_treasury_text(fcinfo, i, "model");

	if (pattern[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"model\" must not be empty"),
				 errhint("'%%' is the pattern of all models.")));
	for (const char *p = pattern; *p; p += pg_mblen(p))
		if (*p == '\\' && *++p == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_ESCAPE_SEQUENCE),
					 errmsg("argument \"model\" must not end with the escape character"),
					 errhint("A backslash takes the meaning from the %% or _ behind it.")));
	return pattern;
}

/* Returns the price, or 0 for NULL, which ends one. */
static Datum
price_argument(FunctionCallInfo fcinfo, int i)
{
	Numeric		price;

	if (PG_ARGISNULL(i))
		return 0;
	price = PG_GETARG_NUMERIC(i);
	if (!bi_treasury_is_amount(price))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"per_million\" must be a number that is not negative"),
				 errdetail("It is a price in US dollars for a million tokens.")));
	return NumericGetDatum(price);
}

/* Sets the server of the price, if there is one.  Its provider must be that of the price. */
static void
read_server(FunctionCallInfo fcinfo, int i, BiPrice *price)
{
	char	   *provider;

	if (PG_ARGISNULL(i))
		return;
	price->server_name = pstrdup(NameStr(*PG_GETARG_NAME(i)));
	price->server = bi_server_require(price->server_name, GetUserId());
	provider = bi_server_provider(price->server);
	if (strcmp(provider, price->provider) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" has provider \"%s\", not \"%s\"", price->server_name,
						provider, price->provider)));
}

static void
read_range(FunctionCallInfo fcinfo, BiPrice *price)
{
	if (PG_ARGISNULL(6) || PG_ARGISNULL(7))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("arguments \"valid_from\" and \"above_tokens\" must not be null")));
	price->valid_from = PG_GETARG_TIMESTAMPTZ(6);
	price->above_tokens = PG_GETARG_INT64(7);
	if (price->above_tokens < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"above_tokens\" must not be negative")));
}

/* batch_set_price(provider text, model text, mode text, kind text, per_million numeric,
 * server name, valid_from timestamptz, above_tokens bigint) */
Datum
batchinf_set_price(PG_FUNCTION_ARGS)
{
	BiPrice		price = {0};

	bi_treasury_require_right("prices");
	price.provider = provider_argument(fcinfo, 0);
	price.model = pattern_argument(fcinfo, 1);
	price.mode = bi_treasury_word(fcinfo, 2, "mode", modes);
	price.kind = bi_treasury_word(fcinfo, 3, "kind", kinds);
	price.per_million = price_argument(fcinfo, 4);
	read_server(fcinfo, 5, &price);
	read_range(fcinfo, &price);
	price.set_by = GetUserNameFromId(GetUserId(), false);
	bi_sql_connect();
	if (!bi_price_set(&price))
		ereport(NOTICE,
				(errmsg("there is no price of your own that could end then"),
				 errhint("View batch_prices has all prices.")));
	bi_sql_finish();
	PG_RETURN_VOID();
}

/* Returns the count; that one if it is NULL. */
static int64
count_argument(FunctionCallInfo fcinfo, int i, int64 otherwise)
{
	return PG_ARGISNULL(i) ? otherwise : PG_GETARG_INT64(i);
}

/* batchinf.cost(tariff numeric[], input_tokens, cached_tokens, cache_write_tokens,
 * cache_write_1h_tokens, output_tokens bigint, factor numeric) RETURNS numeric */
Datum
batchinf_cost(PG_FUNCTION_ARGS)
{
	BiUsage		usage = {
		.input = count_argument(fcinfo, 1, -1),
		.cached = count_argument(fcinfo, 2, 0),
		.cache_write = count_argument(fcinfo, 3, 0),
		.cache_write_1h = count_argument(fcinfo, 4, 0),
		.output = count_argument(fcinfo, 5, -1),
	};
	Numeric		cost;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(6))
		PG_RETURN_NULL();
	cost = bi_cost(PG_GETARG_ARRAYTYPE_P(0), &usage, PG_GETARG_NUMERIC(6));
	if (cost == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(cost);
}
