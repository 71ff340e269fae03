/*
 * store/tariff.h: what tokens cost at a job's server, by the model that answered.
 */
#ifndef BI_TARIFF_H
#define BI_TARIFF_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "store/job.h"
#include "utils/array.h"

/* The most models of one delivery that have prices: what more a provider names is unpriced, so that
 * names that are made up cost no time. */
#define BI_TARIFF_MODELS 16

/* The prices of one model, as bi_cost takes them; NULL: it has none. */
typedef struct BiTariff
{
	char	   *model;			/* that the replies name; NULL: they name none */
	ArrayType  *cost;			/* in the job's mode */
	ArrayType  *realtime;		/* the standard prices of real time */
} BiTariff;

/*
 * The tariffs of a job's server, which a delivery keeps for the answers to come.  Whoever delivers
 * owns it; only tariff.c writes it.  Prices are those of the time of the transaction, except that
 * a price which was set less than a second ago may not be seen.
 */
typedef struct BiTariffs
{
	const BiJob *job;
	MemoryContext cxt;			/* of what was read; reset when it may be old */
	TimestampTz until;			/* until when it counts */
	int			n;
	BiTariff	models[BI_TARIFF_MODELS];
} BiTariffs;

/* Begins with nothing read; what is read lives in a child of cxt. */
extern void bi_tariff_begin(BiTariffs *tariffs, MemoryContext cxt, const BiJob *job);

/* Returns the tariff of that model, until the end of the transaction; NULL if there are too many
 * models.  model NULL: the one that was asked for.  Needs SPI and a transaction. */
extern const BiTariff *bi_tariff_find(BiTariffs *tariffs, const char *model);

#endif							/* BI_TARIFF_H */
