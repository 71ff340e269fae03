/*
 * engine/drive.h: works on the chunks that are due, many exchanges at once.
 */
#ifndef BI_DRIVE_H
#define BI_DRIVE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "engine/host.h"
#include "engine/xact.h"

/* What the caller of bi_drive wants.  Constant while it runs. */
typedef struct BiDrive
{
	BiXactMode	mode;
	TimestampTz until;			/* end then, whatever is left; DT_NOEND: never */
	int			linger_ms;		/* stay for work that is due within this time; -1: while a chunk is
								 * unfinished */
	const BiDriveHost *host;			/* NULL: a session */
	/* Makes new work that is due, if there is some.  Returns when it is to be called again;
	 * DT_NOEND: when a look says so. */
	TimestampTz (*refresh) (BiXactMode mode);
	TimestampTz *polled_until;	/* open chunks whose poll was due then were polled, by whatever
								 * process; 0: not known.  Read at the beginning, written at the
								 * end.  NULL: not known */
} BiDrive;

/*
 * Works on all that is due in this database.  Returns when the next work is due, DT_NOEND if there
 * is none.  Without a transaction (worker), or in the transaction of a procedure that may commit.
 * Errors of single chunks are kept with them; raises cancels, and errors that belong to no chunk.
 */
extern TimestampTz bi_drive(const BiDrive *drive);

#endif							/* BI_DRIVE_H */
