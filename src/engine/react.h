/*
 * engine/react.h: what replies mean for a chunk and its server, whatever was asked.
 */
#ifndef BI_REACT_H
#define BI_REACT_H

#include "engine/step.h"

/* Waits begin with this time, or the poll interval if that is shorter, and double up to the cap. */
#define BI_REACT_DEFER_BASE_MS 5000
#define BI_REACT_DEFER_CAP_MS (10 * 60 * 1000)

/* Ask this often for what is not there (yet), before drawing a conclusion. */
#define BI_REACT_ABSENT_TRIES 5

/* The reason of an ambiguous chunk whose batch has disappeared. */
#define BI_REACT_NOT_KNOWN \
	"the provider does not know the batch any more; was the key changed to another project's?"

/* Returns bi_backoff_ms with randomness of this process. */
extern int64 bi_react_backoff(int64 base_ms, double factor, int64 cap_ms, int n);

/* Returns the server's poll interval. */
extern int64 bi_react_poll_ms(const BiStep *step);

/* Returns how long a lost call may take until its effect shows. */
extern int64 bi_react_settle_ms(const BiStep *step);

/*
 * Begins a save of a move to that state, with status and request id of the exchange; event NULL
 * writes no line of history.  Here and below: exchange is the one that was just answered, NULL if
 * this is about no reply.
 */
extern BiStepSave *bi_react_begin_save(BiStep *step, const BiStepExchange *exchange,
									   BiChunkState to, const char *event);

/* Returns "code: message", palloc'd. */
extern char *bi_react_text(const BiVerdict *verdict);

/* Each of the following saves the step, which is over with it. */

/* The chunk goes back to that state and waits; the server is throttled if the verdict is about
 * the server, or about the owner's key there. */
extern void bi_react_defer(BiStep *step, const BiStepExchange *exchange, const BiVerdict *verdict,
						   BiChunkState back);

/* The provider gives no certain answer: the chunk asks again, and a person may know more. */
extern void bi_react_ambiguous(BiStep *step, const BiStepExchange *exchange, const char *reason);

/*
 * The provider refused the batch as a whole.  Records whose lines the faults name (a list of
 * BiFault, not empty) end with the provider's words, the others are sent again; if no line is
 * named, all records end so.
 */
extern void bi_react_fail(BiStep *step, const BiStepExchange *exchange, List *faults);

/* The same, with the verdict as the one fault. */
extern void bi_react_refuse(BiStep *step, const BiStepExchange *exchange,
							const BiVerdict *verdict);

/* Returns a fault of no line, with copies of both texts. */
extern BiFault *bi_react_fault(const char *code, const char *message);

/* Returns the state in which a chunk waits for its create call: with its input at the provider,
 * or without it where the input travels with the call. */
extern BiChunkState bi_react_before_create(const BiStep *step);

/* Returns the last state of a chunk whose batch has ended. */
extern BiChunkState bi_react_final(const BiChunk *chunk);

/* Adds the batch's references to the chunk's.  True if they change it. */
extern bool bi_react_take_refs(BiStep *step, const BiBatchReport *batch);

#endif							/* BI_REACT_H */
