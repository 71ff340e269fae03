/*
 * store/restore.h: the rows of replaced values are put back.
 */
#ifndef BI_RESTORE_H
#define BI_RESTORE_H

#include "postgres.h"

#include "store/fate.h"
#include "store/job.h"

/* One revert of a job that has replaced rows: its open target, and the group of values under way.
 * Made by bi_restore_open. */
typedef struct BiRestore BiRestore;

/* As bi_putback_open. */
extern BiRestore *bi_restore_open(const BiJob *job);

/* Reads the next group of values, from the last one on, and counts those that cannot be put back.
 * Returns how many others it has, -1 at the end.  Needs SPI. */
extern int	bi_restore_read(BiRestore *restore, BiFates *fates);

/*
 * Puts back values first to first + n - 1 of the group: deletes their rows, and inserts those that
 * were deleted before, with the rights of the role that has written them.  A value whose rows are
 * not just those that were written, and any row that the table refuses, makes it raise an error:
 * call it in a subtransaction.  Needs SPI.
 */
extern void bi_restore_write(BiRestore *restore, int first, int n);

/* Says that this value of the group was not put back.  True if the table refused it. */
extern bool bi_restore_refuse(BiRestore *restore, int value);

/* Saves and counts what became of the group: the rows that went and those that came.  Needs SPI. */
extern void bi_restore_save(BiRestore *restore, BiFates *fates);

/* Returns the names of other tables whose rows went with those that were deleted, for a message,
 * palloc'd; NULL: there are none.  What of these was deleted or changed is not put back. */
extern char *bi_restore_followers(const BiRestore *restore);

#endif							/* BI_RESTORE_H */
