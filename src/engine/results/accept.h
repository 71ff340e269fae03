/*
 * engine/results/accept.h: makes an answer fit for our tables.
 */
#ifndef BI_ACCEPT_H
#define BI_ACCEPT_H

#include "base/blot.h"
#include "store/job.h"
#include "store/outcome.h"

/* How many bytes are kept of an output, or of a line, that cannot be kept whole. */
#define BI_ACCEPT_CUT (64 * 1024)

/* Rules and secrets of one delivery.  Made at its beginning, and never changed then. */
typedef struct BiAccept BiAccept;

/* Returns what is needed to accept answers of the job, in the current context.  blot has the
 * secrets that were sent; it may get more, and must live as long. */
extern BiAccept *bi_accept_new(const BiJob *job, const BiBlot *blot);

/*
 * True if what the provider cancelled was cancelled by us because the deadline had passed, and
 * not by the user: then it has expired.
 */
extern bool bi_accept_is_late(const BiAccept *accept);

/*
 * Makes an answer fit for our tables, wherever it came from: overwrites quotes of secrets,
 * replaces NULs, drops impossible counts of tokens, and checks the output against the job's
 * response schema.  An output that cannot be taken as it is makes the answer an invalid output.
 * is_damaged: bytes of the output got lost on the way.
 *
 * Texts that it changes are palloc'd in the current context.  Interruptible; needs no
 * transaction.
 */
extern void bi_accept_answer(const BiAccept *accept, BiAnswer *answer, bool is_damaged);

#endif							/* BI_ACCEPT_H */
