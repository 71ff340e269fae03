/*
 * store/putback.h: puts back what a job's answers have overwritten.
 */
#ifndef BI_PUTBACK_H
#define BI_PUTBACK_H

#include "postgres.h"

#include "store/fate.h"
#include "store/job.h"

/* One revert of a job: its open target, and the group of rows, or of replaced values, under way.
 * Made by bi_putback_open. */
typedef struct BiPutback BiPutback;

/*
 * Opens the target of an ended job, palloc'd in the current context.  Raises an error if it cannot
 * be written, or the role that writes it may not read the columns.  Checks deferred constraints of
 * the transaction at once, as the caller, and those of what follows.  Needs SPI.
 */
extern BiPutback *bi_putback_open(const BiJob *job);

/* Reads the next group of written rows, from the last one on.  Returns how many rows it has whose
 * old values are known, -1 at the end.  Needs SPI. */
extern int	bi_putback_read(BiPutback *putback);

/*
 * Puts back rows first to first + n - 1 of the group, where they hold what was written, with the
 * rights of the role that has written them.  Any row that the table refuses makes it raise an
 * error, and so does a replaced value that has changed: call it in a subtransaction.  Needs SPI.
 */
extern void bi_putback_write(BiPutback *putback, int first, int n);

/* Says that this row of the group was not put back, because of an error. */
extern void bi_putback_refuse(BiPutback *putback, int row, const char *why);

/* Saves and counts what became of the group.  Needs SPI. */
extern void bi_putback_save(BiPutback *putback);

/*
 * At the end.  True if all has to be read once more: rows were put back, so that others may hold
 * again what was written, where several answers of the job have written one row.  Else counts
 * records of which nothing is known.  Needs SPI.
 */
extern bool bi_putback_goes_on(BiPutback *putback);

extern const BiFates *bi_putback_fates(const BiPutback *putback);

/* Returns the names of other tables whose rows went with those that a replace has deleted, for a
 * message; NULL: there are none. */
extern char *bi_putback_followers(const BiPutback *putback);

#endif							/* BI_PUTBACK_H */
