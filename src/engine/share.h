/*
 * engine/share.h: whose piece of work is done now, and how long code of its owner may run.
 */
#ifndef BI_SHARE_H
#define BI_SHARE_H

#include "engine/host.h"
#include "engine/quiet.h"
#include "engine/step.h"

/* What a loop knows of the owners whose code it has run.  A reset of its context frees it. */
typedef struct BiShare BiShare;

/* What a loop has to do, in one turn of it. */
typedef struct BiShareTurn
{
	const List *steps;			/* BiStep */
	const List *dues;			/* BiOwnerDue: what waits for a time */
	const BiQuiet *quiet;		/* the polls that wait for theirs */
	bool		is_crowded;		/* another process is to help, for which no piece may be long */
} BiShareTurn;

/* Returns an empty one, in cxt.  host: NULL in a session. */
extern BiShare *bi_share_new(MemoryContext cxt, const BiDriveHost *host);

/*
 * Does a turn: a piece of work of each of the steps that have some and whose turn it is.  True if a
 * step has more to do at once.  Raises a cancel of the session only.
 */
extern bool bi_share_work(BiShare *share, const BiShareTurn *turn);

/* Returns how many milliseconds it takes to write that many rows of the owner, by what the last
 * ones took; 0 if that is not known, or if already one of them takes a whole turn. */
extern double bi_share_estimate(BiShare *share, Oid owner, int64 rows);

#endif							/* BI_SHARE_H */
