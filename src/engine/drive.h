/*
 * engine/drive.h: works on the chunks that are due, many exchanges at once.
 */
#ifndef BI_DRIVE_H
#define BI_DRIVE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "engine/xact.h"

typedef struct BiDrive
{
	BiXactMode	mode;
	TimestampTz until;			/* leave then, whatever is left; DT_NOEND: never */
	int			linger_ms;		/* wait here for work that is due within this time; -1: for all work */
	bool		(*leave) (void);	/* asked every turn: leave now?  May be NULL */
} BiDrive;

/*
 * Runs with no transaction open (worker) or in a procedure's own (procedure).
 * Returns when the next work of this database is due: DT_NOEND when there is none.
 * Errors of single chunks are kept with them; what cannot be attributed is thrown.
 */
extern TimestampTz bi_drive(const BiDrive *drive);

#endif							/* BI_DRIVE_H */
