/*
 * store/stray.h: lines of results files that joined no record.
 */
#ifndef BI_STRAY_H
#define BI_STRAY_H

#include "store/chunk.h"
#include "utils/numeric.h"

/* How many there are, and what they cost.  A variable of the caller. */
typedef struct BiStrayLines
{
	int64		duplicates;
	int64		unknown;
	int64		malformed;
	Numeric		cost;			/* of duplicates that were paid for; NULL is 0 */
	int64		unpriced;		/* how many of those have no price */
} BiStrayLines;

/* Records them, once, in the transaction that ends the delivery; their cost in the ledger, too. */
extern void bi_stray_note(const BiChunk *chunk, const BiStrayLines *lines);

#endif							/* BI_STRAY_H */
