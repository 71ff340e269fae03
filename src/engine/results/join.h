/*
 * engine/results/join.h: answers without an id find their record by what they answer.
 */
#ifndef BI_JOIN_H
#define BI_JOIN_H

#include "engine/step.h"

typedef struct BiJoin BiJoin;

/*
 * Makes the fingerprints of all requests of the step's chunk, as work of the step, and goes on
 * with on_done then.  Returns the join, which may be used from on_done on; the step's context
 * owns it.  first_seq: no request has a smaller seq.  line_cxt: for one request at a time.
 * Memory: 24 bytes a request.
 */
extern BiJoin *bi_join_start(BiStep *step, int64 first_seq, MemoryContext line_cxt,
							 BiStepWork on_done);

/* Returns the seq of a request with this fingerprint, one that was not handed out before, in
 * order.  0 if there is none left; *is_known is false if there never was one. */
extern int64 bi_join_take(BiJoin *join, const char *fingerprint, bool *is_known);

#endif							/* BI_JOIN_H */
