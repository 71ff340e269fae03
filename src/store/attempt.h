/*
 * store/attempt.h: the end of an attempt: what becomes of a chunk's records.
 */
#ifndef BI_ATTEMPT_H
#define BI_ATTEMPT_H

#include "store/chunk.h"
#include "store/outcome.h"

/* All of this needs SPI and a transaction. */

/* Gives every record of chunk that has no result yet this one.  Returns how many. */
extern int64 bi_attempt_rest(const BiChunk *chunk, BiOutcome outcome, bool retryable,
							 const char *code, const char *error);

/* Ends the attempt, and notes what its batch has brought.  Retryable results move to a new chunk,
 * whose attempt is the next, if attempts are left and again is true; otherwise they are final as
 * they are.  Returns how many records moved. */
extern int64 bi_attempt_settle(const BiChunk *chunk, bool again);

/* Ends a chunk that is never sent: each of its records ends as its last attempt did, or with this
 * error if this is the first. */
extern void bi_attempt_repeat(const BiChunk *chunk, const char *code, const char *error);

/* Moves records without any result to a new chunk, as the same attempt.  Returns how many. */
extern int64 bi_attempt_resend(const BiChunk *chunk);

#endif							/* BI_ATTEMPT_H */
