/*
 * store/writeback.h: puts outputs into target rows, as the job's owner.
 */
#ifndef BI_WRITEBACK_H
#define BI_WRITEBACK_H

#include "postgres.h"

#include "store/job.h"
#include "store/result.h"

typedef struct BiWriteback BiWriteback;

/* Looks the target up, in the current context; ereports why it cannot be written.  Call it in
 * the transaction of the writes: until its end the locks taken keep the tables' owners. */
extern BiWriteback *bi_writeback_open(const BiJob *job);

/*
 * Is this output one that its paths can be applied to?  NULL, or the reason (then the
 * record is invalid_output).  Needs a transaction; may ereport for an output that only
 * PostgreSQL's own JSON type refuses.
 */
extern const char *bi_writeback_refuse(const BiWriteback *wb, const char *output, bool is_json);

/*
 * Writes the rows of results[0..n) in one statement as the job's owner, and sets their
 * write_state to written or target_missing.  Any row that fails makes it ereport: call
 * it in a subtransaction.  A lock is waited for no longer than lock_ms.  Nothing of the
 * owner's is left to run at commit.
 */
extern void bi_writeback_update(const BiWriteback *wb, BiResult *const *results, int n, int lock_ms);

#endif							/* BI_WRITEBACK_H */
