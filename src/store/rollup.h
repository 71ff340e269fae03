/*
 * store/rollup.h: old rows of the ledger become one row a day.
 */
#ifndef BI_ROLLUP_H
#define BI_ROLLUP_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* The functions need SPI and a transaction. */

/* Returns when rows of the ledger are old; DT_NOEND: never, or there are none. */
extern TimestampTz bi_rollup_next(void);

/* Replaces old rows of one day, so many that it takes a fraction of a second.  False if there are
 * none. */
extern bool bi_rollup_piece(void);

#endif							/* BI_ROLLUP_H */
