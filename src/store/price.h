/*
 * store/price.h: the table batchinf.price: prices that batch_set_price has set.
 */
#ifndef BI_PRICE_H
#define BI_PRICE_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* A price to be set.  A variable of the caller, who has checked all of it. */
typedef struct BiPrice
{
	const char *provider;
	const char *model;			/* a pattern of LIKE */
	const char *mode;
	const char *kind;
	int64		above_tokens;
	TimestampTz valid_from;
	Oid			server;			/* InvalidOid: all of the provider */
	const char *server_name;	/* NULL then */
	Datum		per_million;	/* numeric; 0: the price ends */
	const char *set_by;			/* the role that asks */
} BiPrice;

/*
 * Sets the price from valid_from on, in place of the one that was set from then on.  False if the
 * price is to end and there is none.  Needs SPI and a transaction.
 */
extern bool bi_price_set(const BiPrice *price);

#endif							/* BI_PRICE_H */
