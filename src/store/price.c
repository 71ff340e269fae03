/*
 * store/price.c: the table batchinf.price: prices that batch_set_price has set.
 *
 * A row counts from its valid_from until the next one of the same key.  What has passed stays, so
 * that an answer of then can be priced later.  A row without a price ends the one before it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/price.h"
#include "store/sql.h"
#include "utils/timestamp.h"

/* The rows of one key; its server is known here by its oid. */
#define SAME_KEY " FROM batchinf.price_here h WHERE h.provider = $1 AND h.model = $2" \
	" AND h.mode = $3 AND h.kind = $4 AND h.above_tokens = $5" \
	" AND h.server IS NOT DISTINCT FROM $7"

static void
bind_key(BiArgs *args, const BiPrice *price)
{
	bi_sql_arg_text(args, price->provider);
	bi_sql_arg_text(args, price->model);
	bi_sql_arg_text(args, price->mode);
	bi_sql_arg_text(args, price->kind);
	bi_sql_arg_int8(args, price->above_tokens);
	bi_sql_arg(args, TIMESTAMPTZOID, TimestampTzGetDatum(price->valid_from), false);
	bi_sql_arg(args, OIDOID, ObjectIdGetDatum(price->server), !OidIsValid(price->server));
}

/* True if there is a price that a row at this time would end. */
static bool
is_priced(const BiPrice *price)
{
	BiArgs		args = {0};

	bind_key(&args, price);
	return bi_sql_run("SELECT h.per_million IS NOT NULL" SAME_KEY " AND h.valid_from < $6"
					  " ORDER BY h.valid_from DESC LIMIT 1", &args) > 0 && bi_sql_bool(0, 1);
}

bool
bi_price_set(const BiPrice *price)
{
	BiArgs		args = {0};
	bool		was_set;

	/* two calls for the same key must not both insert it */
	bi_sql_run("LOCK TABLE batchinf.price IN SHARE ROW EXCLUSIVE MODE", NULL);
	bind_key(&args, price);
	was_set = bi_sql_run("DELETE FROM batchinf.price p WHERE p.price_id IN (SELECT h.price_id"
						 SAME_KEY " AND h.valid_from = $6)", &args) > 0;
	if (price->per_million == 0 && !is_priced(price))
		return was_set;
	bi_sql_arg_text(&args, price->server_name);
	bi_sql_arg(&args, NUMERICOID, price->per_million, price->per_million == 0);
	bi_sql_arg_text(&args, price->set_by);
	if (bi_sql_run("INSERT INTO batchinf.price (provider, model, mode, kind, above_tokens,"
				   " valid_from, server, server_name, per_million, set_by, server_owner,"
				   " install, database)"
				   " SELECT $1, $2, $3, $4, $5, $6, $7, $8::name, $9, $10::name,"
				   " (SELECT pg_get_userbyid(f.srvowner) FROM pg_foreign_server f"
				   " WHERE f.oid = $7), e.uuid, e.database FROM batchinf.here e", &args) != 1)
		elog(ERROR, "the installation is unknown");
	return true;
}
