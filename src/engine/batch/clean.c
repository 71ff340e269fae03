/*
 * engine/batch/clean.c: removes what we left at the provider.
 *
 * The results are safe by now, so that nothing here may hold the job up for long: what cannot be
 * removed after some tries is left behind, and the event says so.
 */
#include "postgres.h"

#include "engine/batch/clean.h"
#include "engine/batch/outputs.h"
#include "engine/react.h"

/* After this many failures the rest is left behind. */
#define CLEAN_TRIES 5

/* A move. */
typedef struct Clean
{
	BiOutputs	outputs;
	int			discard_index;	/* of the thing that is being removed, from 0 */
} Clean;

/* left: NULL, or why something is left behind. */
static void
cleaned(BiStep *step, const char *left)
{
	BiStepSave *save = bi_step_begin_save(step);
	bool		had_input = bi_ref_get(step->chunk->batch->refs, "input") != NULL;

	step->chunk->state = bi_react_final(step->chunk);
	step->chunk->failures = 0;
	save->server_works = left == NULL;
	save->frees_room = step->limits.max_files > 0;
	if (left)
	{
		save->event = "left behind";
		save->detail = pstrdup(left);
	}
	else
		save->event = had_input ? "cleaned" : NULL;
	bi_step_save(step, NULL);
}

static void
cannot_clean(BiStepExchange *exchange, const BiVerdict *verdict)
{
	BiStep	   *step = exchange->step;

	if (verdict->kind == BI_VERDICT_REFUSED || step->chunk->failures >= CLEAN_TRIES)
		cleaned(step, bi_react_text(verdict));
	else
		bi_react_defer(step, exchange, verdict, BI_CHUNK_CLEANING);
}

static void read_discard(BiStepExchange *exchange);

static void
send_discard(BiStep *step)
{
	const Clean *clean = step->move_data;
	BiStepExchange *exchange = bi_step_add_exchange(step);

	if (step->provider->batch->discard(&step->call, clean->discard_index, exchange->ex))
		bi_call_send(exchange, read_discard);
	else
		cleaned(step, NULL);
}

static void
read_discard(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	Clean	   *clean = step->move_data;
	BiVerdict	verdict = step->provider->batch->read_discard(&step->call, exchange->ex);

	if (verdict.kind == BI_VERDICT_OK && bi_exchange_reply_is_page(exchange->ex))
		verdict = bi_verdict_make(exchange->ex, BI_VERDICT_UNCLEAR, "unexpected_reply",
								  "an HTML page in place of a deletion");
	if (verdict.kind != BI_VERDICT_OK && verdict.kind != BI_VERDICT_ABSENT)
	{
		cannot_clean(exchange, &verdict);
		return;
	}
	clean->discard_index++;
	send_discard(step);
}

/* A place that is not there needs no list.  What the chunk's references name is removed. */
static void
cannot_list(BiStepExchange *exchange, const BiVerdict *verdict)
{
	if (verdict->kind == BI_VERDICT_ABSENT)
		send_discard(exchange->step);
	else
		cannot_clean(exchange, verdict);
}

void
bi_clean_start(BiStep *step)
{
	Clean	   *clean = bi_step_begin_move(step, BI_MOVE_CLEAN, sizeof(Clean));

	clean->outputs.on_listed = send_discard;
	clean->outputs.on_failed = cannot_list;
	bi_outputs_list(step, &clean->outputs);
}
