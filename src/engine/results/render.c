/*
 * engine/results/render.c: writes a chunk's request lines, into a spool or one by one for join.c.
 *
 * In pieces of bounded memory, each in a transaction of its own: the records of a chunk do not
 * change while its process holds it.  If a piece fails, nothing has been sent; the chunk goes
 * back to the state before and is rendered from its first record later.  Custom ids are made
 * and read here.
 */
#include "postgres.h"

#include "base/spool.h"
#include "engine/results/render.h"
#include "lib/stringinfo.h"
#include "store/record.h"
#include "utils/memutils.h"

/* A piece: this many records at most, and about this many bytes. */
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

	if (custom_id == NULL || strncmp(custom_id, chunk->intent, BI_NONCE_LEN) != 0 ||
		custom_id[BI_NONCE_LEN] != '-')
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
		bi_frame_append(&line, &render->frame,
						bi_render_custom_id(step->chunk, records[i].seq), records[i].input);
		if (render->take)
			render->take(render->arg, step, records[i].seq, line.data, line.len);
		else
			bi_spool_write(render->spool, line.data, line.len);
		render->lines++;
	}
}

/* Returns how many records a piece has, from the chunk's average size of one. */
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
	BiRender   *render = step->render;
	BiRecord   *records;
	int			n;

	if (render->order == NULL)
		render->order = bi_record_order(step->cxt, step->chunk, &render->records);
	n = (int) Min(piece_limit(step->chunk), render->records - render->lines);
	records = palloc(sizeof(BiRecord) * (n + 1));
	bi_record_read(CurrentMemoryContext, step->chunk, render->order + render->lines, n, records);
	render_lines(step, records, n);
	if (render->lines == render->records)
		step->work = render->on_done;
}

static void
render_piece(BiStep *step)
{
	ErrorData  *error;
	BiStepSave *save;

	step->work = render_piece;
	error = bi_xact_run(step->mode, render_phase, step);
	if (error == NULL)
	{
		if (step->work == step->render->on_done && step->render->spool)
			bi_spool_flush(step->render->spool);
		return;
	}
	/* The disk may have room again later. */
	save = bi_step_begin_save(step);
	step->chunk->state = step->render->back;
	save->delay_ms = BI_STEP_AGAIN_MS;
	save->wait.kind = BI_WAIT_ERROR;
	save->wait.words = psprintf("could not render the requests: %s", error->message);
	save->event = "could not render";
	save->detail = error->message;
	bi_step_save(step, NULL);
}

static void
start(BiStep *step, BiChunkState back, BiStepWork on_done)
{
	step->render = MemoryContextAllocZero(step->cxt, sizeof(BiRender));
	step->render->back = back;
	step->render->on_done = on_done;
	step->provider->job->frame(&step->job->spec, step->server, &step->render->frame);
	step->work = render_piece;
}

void
bi_render_start(BiStep *step, BiStepWork on_done)
{
	start(step, BI_CHUNK_PLANNED, on_done);
	step->render->spool = bi_spool_new(step->cxt);
}

void
bi_render_again(BiStep *step, BiRenderTake take, void *arg, BiStepWork on_done)
{
	start(step, BI_CHUNK_FETCHING, on_done);
	step->render->take = take;
	step->render->arg = arg;
}
