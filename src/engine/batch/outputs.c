/*
 * engine/batch/outputs.c: lists what an ended batch left at the provider.
 *
 * A part of two moves, fetch and clean.
 */
#include "postgres.h"

#include "engine/batch/outputs.h"

static void read_page(BiStepExchange *exchange);

static void
send_page(BiStep *step, BiOutputs *outputs)
{
	BiStepExchange *exchange = bi_step_add_exchange(step);
	BiCall		call = bi_call_of_series(step, &outputs->series);

	exchange->arg = outputs;
	step->provider->batch->outputs(&call, exchange->ex);
	bi_call_send(exchange, read_page);
}

/* Of each page only the references are kept, the rest is freed with the exchange. */
static void
read_page(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	BiOutputs  *outputs = exchange->arg;
	BiCall		call = bi_call_of_series(step, &outputs->series);
	MemoryContext old = MemoryContextSwitchTo(exchange->ex->cxt);
	List	   *refs = bi_ref_copy(step->chunk->batch->refs);
	BiVerdict	verdict = step->provider->batch->read_outputs(&call, exchange->ex, &refs);

	MemoryContextSwitchTo(old);
	step->chunk->batch->refs = bi_ref_copy(refs);
	if (bi_call_next(&outputs->series, &verdict))
		send_page(step, outputs);
	else if (verdict.kind == BI_VERDICT_OK)
		outputs->on_listed(step);
	else
		outputs->on_failed(exchange, &verdict);
}

void
bi_outputs_list(BiStep *step, BiOutputs *outputs)
{
	if (step->provider->batch->outputs)
		send_page(step, outputs);
	else
		outputs->on_listed(step);
}
