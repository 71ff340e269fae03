/*
 * engine/render.c: writes a chunk's request lines, into a spool or for whoever asks.
 *
 * In pieces of bounded memory, each in a transaction of its own: the records of a
 * chunk do not change while it is held.  Custom ids are made and read here.
 */
#include "postgres.h"

#include "base/spool.h"
#include "engine/render.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

/* A piece: so many records at most, and about so many bytes. */
#define PIECE_RECORDS 250
#define PIECE_BYTES (4 * 1024 * 1024)

char *
bi_render_custom_id(const BiChunk *chunk, int64 seq)
{
	return psprintf("%.*s-" INT64_FORMAT, BI_NONCE_LEN, chunk->intent, seq);
}

int64
bi_render_parse_id(const BiChunk *chunk, const char *custom_id)
{
	char	   *end;
	int64		seq;

	if (custom_id == NULL || strncmp(custom_id, chunk->intent, BI_NONCE_LEN) != 0 || custom_id[BI_NONCE_LEN] != '-')
		return 0;
	custom_id += BI_NONCE_LEN + 1;
	if (*custom_id < '1' || *custom_id > '9')
		return 0;
	errno = 0;
	seq = strtoll(custom_id, &end, 10);
	return *end == '\0' && errno == 0 ? seq : 0;
}

static void
render_lines(BiStep *step, const BiRecord *records, int n)
{
	BiRender   *render = step->render;
	StringInfoData line;

	initStringInfo(&line);
	for (int i = 0; i < n; i++)
	{
		resetStringInfo(&line);
		if (render->frame.separator && render->lines > 0)
			appendStringInfoString(&line, render->frame.separator);
		bi_frame_append(&line, &render->frame, bi_render_custom_id(step->chunk, records[i].seq), records[i].input);
		if (render->take)
			render->take(step, records[i].seq, line.data, line.len);
		else
			bi_spool_write(render->spool, line.data, line.len);
		render->seq = records[i].seq;
		render->lines++;
	}
}

static int
piece_limit(const BiChunk *chunk)
{
	int64		average = chunk->bytes / Max(chunk->records, 1) + 1;

	return (int) Max(1, Min(PIECE_RECORDS, PIECE_BYTES / average));
}

static void
render_phase(void *arg)
{
	BiStep	   *step = arg;
	int			limit = piece_limit(step->chunk);
	BiRecord   *records = palloc(sizeof(BiRecord) * limit);
	int			n = bi_record_read(CurrentMemoryContext, step->chunk->id, step->render->seq, limit, records);

	render_lines(step, records, n);
	if (n < limit)
		step->work = step->render->done;
}

static void
render_piece(BiStep *step)
{
	ErrorData  *error;

	step->work = render_piece;
	error = bi_xact_run(step->mode, render_phase, step);
	if (error == NULL)
	{
		if (step->work == step->render->done && step->render->spool)
			bi_spool_flush(step->render->spool);
		return;
	}
	/* Nothing has been sent: the disk may have room again later. */
	bi_step_begin_record(step);
	step->chunk->state = step->render->back;
	step->record.delay_ms = 30000;
	step->record.waiting_for = error->message;
	step->record.event = "could not render";
	step->record.detail = error->message;
	bi_step_record(step, NULL);
}

static void
start(BiStep *step, BiState back, BiStepWork done)
{
	step->render = MemoryContextAllocZero(step->cxt, sizeof(BiRender));
	step->render->back = back;
	step->render->done = done;
	step->provider->frame(&step->job->spec, step->server, &step->render->frame);
	step->work = render_piece;
}

void
bi_render_start(BiStep *step, BiStepWork done)
{
	start(step, BI_PLANNED, done);
	step->render->spool = bi_spool_new(step->cxt);
}

void
bi_render_again(BiStep *step, BiRenderTake take, BiStepWork done)
{
	start(step, BI_FETCHING, done);
	step->render->take = take;
}
