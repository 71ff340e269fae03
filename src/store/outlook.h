/*
 * store/outlook.h: how a server does: how long its batches take, and how busy it is.
 */
#ifndef BI_OUTLOOK_H
#define BI_OUTLOOK_H

#include "postgres.h"

#include "utils/numeric.h"

/*
 * What is known of a server with one model.  A variable of the caller; what it points to lives in
 * the context of the call.  Numbers about past batches are NULL if there are none.
 */
typedef struct BiOutlook
{
	int64		batches;		/* past ones that are known */
	Numeric		hours_p50;		/* from the provider's yes to the end of the batch */
	Numeric		hours_p95;
	Numeric		hours_p99;
	Numeric		late;			/* share of those that expired, or met the deadline of their job */
	int64		answers;		/* of these batches */
	Numeric		failed;			/* share of these that are no success */
	int64		in_use;			/* batches that are there now, of all jobs of the database */
	int64		waiting;		/* records that are not sent yet, of all jobs */
	char	   *paused;			/* why nothing is sent now; NULL: the server works */
} BiOutlook;

/* Sets *outlook for that model, and for jobs of that role.  Needs SPI and a transaction. */
extern void bi_outlook_read(Oid server, const char *model, Oid role, BiOutlook *outlook);

#endif							/* BI_OUTLOOK_H */
