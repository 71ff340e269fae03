/*
 * engine/batch/upload.c: the input of a batch goes to the provider.
 *
 * Renders the chunk's records into a spool and uploads it, in as many requests as the provider
 * wants.  An upload costs nothing and can be repeated: what fails begins again from the records.
 */
#include "postgres.h"

#include "engine/batch/upload.h"
#include "engine/call.h"
#include "engine/react.h"
#include "engine/results/render.h"

/* A move. */
typedef struct Upload
{
	BiSeries	series;			/* its requests */
} Upload;

static void read_upload(BiStepExchange *exchange);

static void
send_upload(BiStep *step)
{
	Upload	   *upload = step->move_data;
	BiStepExchange *exchange = bi_step_add_exchange(step);
	BiCall		call = bi_call_of_series(step, &upload->series);

	exchange->ex->upload = step->render->spool;
	step->provider->batch->upload(&call, exchange->ex);
	bi_call_send(exchange, read_upload);
}

static void
uploaded(BiStep *step, const BiStepExchange *exchange)
{
	BiStepSave *save = bi_react_begin_save(step, exchange, BI_CHUNK_UPLOADED, "uploaded");

	step->chunk->failures = 0;
	save->detail = psprintf(INT64_FORMAT " records, " INT64_FORMAT " bytes",
							step->render->lines, bi_spool_size(step->render->spool));
	save->server_works = true;
	bi_step_save(step, NULL);
}

static void
read_upload(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	Upload	   *upload = step->move_data;
	BiCall		call = bi_call_of_series(step, &upload->series);
	List	   *refs = step->chunk->batch->refs;
	BiVerdict	verdict = step->provider->batch->read_upload(&call, exchange->ex, &refs);

	step->chunk->batch->refs = refs;
	if (bi_call_next(&upload->series, &verdict))
		send_upload(step);
	else if (verdict.kind == BI_VERDICT_OK)
		uploaded(step, exchange);
	else if (verdict.kind == BI_VERDICT_REFUSED)
		bi_react_refuse(step, exchange, &verdict);
	else
		bi_react_defer(step, exchange, &verdict, BI_CHUNK_PLANNED);
}

void
bi_upload_start(BiStep *step)
{
	(void) bi_step_begin_move(step, BI_MOVE_UPLOAD, sizeof(Upload));
	bi_render_start(step, send_upload);
}
