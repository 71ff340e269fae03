/*
 * engine/batch/unsent.c: a planned chunk that is never sent ends.
 *
 * Nothing of this attempt was paid for.  What came of an earlier one stays what it was.
 */
#include "postgres.h"

#include "engine/batch/unsent.h"
#include "store/attempt.h"
#include "store/event.h"
#include "store/job.h"

void
bi_unsent_end(BiStep *step, const char *code, const char *reason)
{
	BiChunk    *chunk = step->chunk;

	bi_attempt_repeat(chunk, code, reason);
	/* A try that failed may have left its input at the provider. */
	chunk->state = chunk->failures > 0 ? BI_CHUNK_CLEANING : BI_CHUNK_DONE;
	bi_batch_finish(chunk->batch, BI_BATCH_END_COMPLETED);
	bi_chunk_save(chunk, BI_CHUNK_PLANNED, true, 0, NULL, NULL);
	bi_event_add(chunk, "not sent", reason, 0, NULL);
	(void) bi_job_finish(&chunk->job_id, 1);
}
