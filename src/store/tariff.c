/*
 * store/tariff.c: what tokens cost at a job's server, by the model that answered.
 *
 * Reads batchinf.tariff, which knows whose price counts: once for each model of a delivery, and
 * again when its prices may have changed.  Prices that were set for a later time are known, and
 * end what was read before.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "store/sql.h"
#include "store/tariff.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Prices that are set meanwhile are seen after this time. */
#define AGAIN_MS 1000

void
bi_tariff_begin(BiTariffs *tariffs, MemoryContext cxt, const BiJob *job)
{
	memset(tariffs, 0, sizeof(BiTariffs));
	tariffs->job = job;
	tariffs->cxt = AllocSetContextCreate(cxt, "batchinf tariffs", ALLOCSET_SMALL_SIZES);
}

/* Forgets what may be old. */
static void
begin_again(BiTariffs *tariffs)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	if (now < tariffs->until)
		return;
	tariffs->n = 0;
	MemoryContextReset(tariffs->cxt);
	tariffs->until = TimestampTzPlusMilliseconds(now, AGAIN_MS);
}

static ArrayType *
read_array(MemoryContext cxt, int col)
{
	bool		isnull;
	Datum		array = bi_sql_datum(0, col, &isnull);
	MemoryContext old;
	ArrayType  *copy;

	if (isnull)
		return NULL;
	old = MemoryContextSwitchTo(cxt);
	copy = DatumGetArrayTypePCopy(array);
	MemoryContextSwitchTo(old);
	return copy;
}

/* Reads the prices of a model into the next place. */
static const BiTariff *
read_model(BiTariffs *tariffs, const char *model)
{
	BiTariff   *tariff = &tariffs->models[tariffs->n];
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, tariffs->job->server);
	bi_sql_arg_text(&args, tariffs->job->spec.model);
	bi_sql_arg_text(&args, model);
	bi_sql_run("SELECT (SELECT t.tiers FROM batchinf.tariff($1, $2, $3, 'batch', now()) t),"
			   " (SELECT t.tiers FROM batchinf.tariff($1, $2, $3, 'realtime', now()) t),"
			   " LEAST((SELECT min(p.valid_from) FROM batchinf.price p WHERE p.valid_from > now()),"
			   "  (SELECT min(l.valid_from) FROM batchinf.price_list l"
			   "   WHERE l.valid_from > now()))", &args);
	tariff->model = model ? MemoryContextStrdup(tariffs->cxt, model) : NULL;
	tariff->cost = read_array(tariffs->cxt, 1);
	tariff->realtime = read_array(tariffs->cxt, 2);
	tariffs->until = Min(tariffs->until, bi_sql_time(0, 3));
	tariffs->n++;
	return tariff;
}

const BiTariff *
bi_tariff_find(BiTariffs *tariffs, const char *model)
{
	begin_again(tariffs);
	for (int i = 0; i < tariffs->n; i++)
	{
		const char *known = tariffs->models[i].model;

		if (known == model || (known && model && strcmp(known, model) == 0))
			return &tariffs->models[i];
	}
	return tariffs->n < BI_TARIFF_MODELS ? read_model(tariffs, model) : NULL;
}
