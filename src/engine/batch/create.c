/*
 * engine/batch/create.c: the call that makes a batch, and that costs money.
 *
 * Promise 1 begins here.  The claim commits the intent: state "creating", the number of the call,
 * and a digest of the account it is made with.  Then the call is sent, once.  If its reply is lost
 * or unclear, the chunk stays "creating", and the next claim looks for the batch (find.c)
 * before anything is sent again.
 *
 * Where the provider has no upload, the input travels with the call.
 */
#include "postgres.h"

#include "engine/batch/create.h"
#include "engine/call.h"
#include "engine/react.h"
#include "engine/results/render.h"
#include "utils/timestamp.h"

/* A call of unknown effect is looked for at most this much later. */
#define LOOK_FOR_IT_MS 1000

void
bi_create_submitted(BiStep *step, const BiStepExchange *exchange, const char *batch_id,
					const char *event)
{
	BiChunk    *chunk = step->chunk;
	BiStepSave *save = bi_react_begin_save(step, exchange, BI_CHUNK_SUBMITTED, event);

	chunk->batch->id = pstrdup(batch_id);
	chunk->failures = 0;
	chunk->polls = 0;
	chunk->batch->refs = bi_ref_set(chunk->batch->refs, BI_CREATE_LOST_SINCE, NULL);
	chunk->batch->account = NULL;
	save->detail = chunk->batch->id;
	save->server_works = true;
	save->delay_ms = bi_react_backoff(bi_react_poll_ms(step), 1, BI_REACT_DEFER_CAP_MS, 0);
	bi_step_save(step, NULL);
}

/* The provider does not have what we uploaded (yet).  Tries the call again for a while, then
 * uploads again for a while, then takes it for a refusal. */
static void
input_absent(BiStep *step, const BiStepExchange *exchange, const BiVerdict *verdict)
{
	if (step->chunk->failures < BI_REACT_ABSENT_TRIES)
		bi_react_defer(step, exchange, verdict, BI_CHUNK_UPLOADED);
	else if (step->chunk->failures < 2 * BI_REACT_ABSENT_TRIES)
		bi_react_defer(step, exchange, verdict, BI_CHUNK_PLANNED);
	else
		bi_react_refuse(step, exchange, verdict);
}

static void
read_create(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	BiBatchReport batch = {0};
	BiVerdict	verdict = step->provider->batch->read_create(&step->call, exchange->ex, &batch);

	switch (verdict.kind)
	{
		case BI_VERDICT_OK:
			bi_react_take_refs(step, &batch);
			bi_create_submitted(step, exchange, batch.id, "submitted");
			break;
		case BI_VERDICT_UNCLEAR:
			bi_react_defer(step, exchange, &verdict, BI_CHUNK_CREATING);
			step->save.delay_ms = Min(step->save.delay_ms, LOOK_FOR_IT_MS);
			break;
		case BI_VERDICT_ABSENT:
			input_absent(step, exchange, &verdict);
			break;
		case BI_VERDICT_REFUSED:
			bi_react_refuse(step, exchange, &verdict);
			break;
		case BI_VERDICT_DEFER:
		case BI_VERDICT_NOT_YET:
		case BI_VERDICT_DENIED:
			bi_react_defer(step, exchange, &verdict, bi_react_before_create(step));
			break;
	}
}

static void
send_create(BiStep *step)
{
	BiStepExchange *exchange = bi_step_add_exchange(step);

	exchange->ex->upload = step->render ? step->render->spool : NULL;
	step->provider->batch->create(&step->call, exchange->ex);
	bi_call_send(exchange, read_create);
}

static void
start(BiStep *step)
{
	(void) bi_step_begin_move(step, BI_MOVE_CREATE, 0);
	if (step->provider->batch->upload)
		send_create(step);
	else
		bi_render_start(step, send_create);
}

void
bi_create_claim(BiStep *step)
{
	bi_batch_begin_call(step->chunk->batch, step->account, GetCurrentTimestamp());
	bi_step_claim(step, BI_CHUNK_CREATING, start);
}
