/*
 * store/writeback.h: puts outputs into target rows, as the job's owner.
 */
#ifndef BI_WRITEBACK_H
#define BI_WRITEBACK_H

#include "postgres.h"

#include "store/extract.h"
#include "store/job.h"
#include "store/note.h"
#include "store/result.h"

typedef struct BiWriteback BiWriteback;

/*
 * Opens the job's target, in the current context; raises why it cannot be written.  Call it in
 * the transaction of the writes: the locks that it takes keep the tables' owners until the end of
 * that transaction.
 */
extern BiWriteback *bi_writeback_open(const BiJob *job);

/* Makes one that only finds values, of a target that is open. */
extern BiWriteback *bi_writeback_view(BiTarget *target);

/* True if something must be found in the output before it is written.  If not, leave out
 * bi_writeback_find. */
extern bool bi_writeback_must_find(const BiWriteback *wb, const BiResult *result);

/* bi_extract_values of the open target, unless one of its paths costs too much. */
extern BiFit bi_writeback_find(const BiWriteback *wb, MemoryContext cxt, BiResult *result,
							   char **why);

/*
 * Writes the rows of results[0..n), or of items, whose values have been found, as the job's owner.
 * Sets their write_state to written, target_missing or stale or, if the table kept a row as it
 * was, write_failed.  Of what is written it also sets, in the context of bi_writeback_keep_in:
 * print; old of a row that was there; row_key except by an UPDATE of the record's own row.  They
 * stay unknown where the role may not read the columns, or several rows have the key.
 *
 * Any row that fails makes it raise an error: call it in a subtransaction.  It waits for a lock
 * no longer than lock_ms.  Nothing of the owner's is left to run at commit.
 */
extern void bi_writeback_write(BiWriteback *wb, BiResult *const *results, int n, int lock_ms);

/* Sets in which context old, print and row_key are from now on.  At first it is that of the open
 * target. */
extern void bi_writeback_keep_in(BiWriteback *wb, MemoryContext cxt);

/*
 * Of a replace: deletes the rows of the values that these have.  The same holds.  notes: a place
 * for all notes, in which each deleted row is noted with the number, from 1, of a result that has
 * its value; NULL: they are not noted.
 */
extern void bi_writeback_remove(BiWriteback *wb, BiResult *const *results, int n, BiNotes *notes,
								int lock_ms);

/* Of a replace: returns the names of the columns of a deleted row that are noted, by the numbers of
 * the columns, NULL for one that is not; NIL if such rows are not noted. */
extern const List *bi_writeback_noted(const BiWriteback *wb);

/* Returns the bytes of old values of all rows that were written, also by statements that were
 * rolled back. */
extern size_t bi_writeback_kept(const BiWriteback *wb);

/* True if the old values of the rows that were written take much memory: write no more of them in
 * this transaction. */
extern bool bi_writeback_is_full(const BiWriteback *wb);

#endif							/* BI_WRITEBACK_H */
