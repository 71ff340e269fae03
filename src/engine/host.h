/*
 * engine/host.h: the process that a loop works in, where it is one of those that come to databases.
 *
 * Several of them may work in a database at the same time.  The loop says what it is doing, and
 * asks what the others do.  None of these functions needs a transaction, or raises an error.
 */
#ifndef BI_HOST_H
#define BI_HOST_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Code of an owner that takes longer is not quick. */
#define BI_HOST_QUICK_MS 200

/* A constant of that process. */
typedef struct BiDriveHost
{
	/* When to end. */
	bool		(*leave) (void);	/* true: at once */
	bool		(*drain) (void);	/* true: take nothing more on, and end when all is done */

	/* New work. */
	bool		(*is_wanted) (void);	/* true: there is some.  Asked in signal handlers, too */
	void		(*go_looking) (void);	/* the loop looks for it now */

	/* How it is going. */
	void		(*busy) (TimestampTz next); /* a turn begins; something else is due then */
	void		(*rests) (void);	/* the loop waits */
	void		(*set_load) (int load, bool crowded);	/* so many chunks' results; crowded: that is
													 * more than one process can do */

	/* What the others do. */
	bool		(*has_company) (void);	/* true: another process works in this database */
	bool		(*helps) (void);	/* true: another one is crowded, and may hand something over */
	bool		(*has_freer) (int load);	/* true: another one has a smaller load */
	bool		(*hand_over) (int load);	/* true: another one has at least two fewer, and
											 * counts one more as its own now */
	bool		(*polls) (void);	/* true: open chunks are polled here, not by another process */
	void		(*wake_others) (void);	/* there is new work for the others, such as a poll */

	/* Code of that owner is to run here.  quick: the last time it did not take long.  False: it
	 * must wait, because it runs in another process. */
	bool		(*begin_code) (Oid owner, bool quick);
	void		(*end_code) (void);
} BiDriveHost;

#endif							/* BI_HOST_H */
