/*
 * engine/react.h: what replies mean for a chunk and its server, whatever was asked.
 */
#ifndef BI_REACT_H
#define BI_REACT_H

#include "engine/step.h"

/* Waits: base (or the poll interval, if shorter), doubled each time up to the cap. */
#define BI_REACT_DEFER_BASE_MS 5000
#define BI_REACT_DEFER_CAP_MS (10 * 60 * 1000)

/* So often is something not there (yet) before we draw a conclusion. */
#define BI_REACT_ABSENT_TRIES 5

/* bi_backoff_ms with this process's randomness. */
extern int64 bi_react_backoff(int64 base_ms, double factor, int64 cap_ms, int n);
extern int64 bi_react_poll_ms(const BiStep *step);

/* For so long may a lost call still have its effect. */
extern int64 bi_react_settle_ms(const BiStep *step);

/* Begins a record of a move to that state, with what the last exchange told; event NULL:
 * no line of history. */
extern BiRecordOf *bi_react_record(BiStep *step, BiState to, const char *event);

/* code: message */
extern char *bi_react_text(const BiVerdict *verdict);

/* Each of these records the step, which is over with it. */

/* Later again: a wait of the chunk, and a pause of the server where the verdict is about
 * that.  back is the state that the chunk goes back to. */
extern void bi_react_defer(BiStep *step, const BiVerdict *verdict, BiState back);

/* The provider gives no certain answer: a person may know more. */
extern void bi_react_ambiguous(BiStep *step, const char *reason);

#define BI_REACT_NOT_KNOWN "the provider does not know the batch any more; was the key changed to another project's?"

/* The batch is refused as a whole: lines that faults (BiFault, at least one) name end with
 * the provider's words, the others are sent again; where none is named, all end so. */
extern void bi_react_fail(BiStep *step, List *faults);
extern void bi_react_refuse(BiStep *step, const BiVerdict *verdict);

extern BiFault *bi_react_fault(const char *code, const char *message);

/* Where a chunk waits for its create call: with its input there, or, where the input
 * travels with the call, without. */
extern BiState bi_react_before_create(const BiStep *step);

/* How a chunk ends whose batch has ended. */
extern BiState bi_react_final(const BiChunk *chunk);

/* That batch is one of the chunk's, but nobody follows it any more: it is never taken for
 * another one, and goes when the chunk is cleaned. */
extern void bi_react_bury(BiChunk *chunk, const char *batch_id);

/* The batch's references become the chunk's. */
extern void bi_react_take_refs(BiStep *step, const BiBatch *batch);

#endif							/* BI_REACT_H */
