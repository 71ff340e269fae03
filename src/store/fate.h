/*
 * store/fate.h: what becomes of a row, or of the rows of a value, that batch_revert puts back.
 */
#ifndef BI_FATE_H
#define BI_FATE_H

#include "postgres.h"

typedef enum BiFate
{
	BI_FATE_GONE,				/* also before it is looked for */
	BI_FATE_REVERTED,
	BI_FATE_CHANGED,
	BI_FATE_KEPT,				/* a trigger or policy of the table kept it as it was */
	BI_FATE_REFUSED,
	BI_FATE_UNKNOWN				/* what it held before is not known */
} BiFate;

/* How many rows had which fate. */
typedef struct BiFates
{
	int64		reverted;
	int64		changed;		/* they do not hold any more what was written */
	int64		gone;			/* there is no row with that key, or the role does not see it */
	int64		unknown;		/* it is not known what they held before */
	int64		refused;		/* the table does not take it: an error, a trigger, a policy */
	char	   *why;			/* the error of the first of those; NULL: there was none */
} BiFates;

/* Counts n rows. */
static inline void
bi_fate_count(BiFates *fates, BiFate fate, int64 n)
{
	switch (fate)
	{
		case BI_FATE_GONE:
			fates->gone += n;
			break;
		case BI_FATE_REVERTED:
			fates->reverted += n;
			break;
		case BI_FATE_CHANGED:
			fates->changed += n;
			break;
		case BI_FATE_KEPT:
		case BI_FATE_REFUSED:
			fates->refused += n;
			break;
		case BI_FATE_UNKNOWN:
			fates->unknown += n;
			break;
	}
}

#endif							/* BI_FATE_H */
