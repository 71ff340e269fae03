/*
 * engine/batch/fetch.c: downloads the results of a batch.
 *
 * All results files are downloaded into spools, one after the other, before the first line is
 * read: no transaction waits for the network, and a file that was cut off is seen in time.  Then
 * the chunk is "delivering", and results/deliver.c goes on.  A crash after that begins the
 * download again: spools do not outlive their process.
 */
#include "postgres.h"

#include "base/guc.h"
#include "engine/batch/fetch.h"
#include "engine/batch/outputs.h"
#include "engine/react.h"
#include "engine/results/deliver.h"

/*
 * Where batchinf.max_result_size is not set, results may have this many bytes, and these for each
 * record, and this many for each byte of the requests, which some providers repeat.
 */
#define RESULT_BASE (64 * 1024 * 1024)
#define RESULT_RECORD (1024 * 1024)
#define RESULT_ECHO 4

/* A download that reached the limit is tried again up to this much later. */
#define LIMIT_CAP_MS (60 * 60 * 1000)

/* A move. */
typedef struct Fetch
{
	BiOutputs	outputs;
	int			fetch_index;	/* of the results file that is asked for, from 0 */
	List	   *spools;			/* BiSpool, one a file: whole, except for the last one */
	bool		is_partial;		/* the download was ended; what has come is delivered */
} Fetch;

/* True if it ends like a results file: with a whole line. */
static bool
ends_whole(BiSpool *spool)
{
	int64		size = bi_spool_size(spool);
	char		last;

	if (size == 0)
		return true;
	return bi_spool_get(spool, size - 1, &last, 1) == 1 && (last == '\n' || last == '}');
}

/* Returns how many bytes all results may have: generous, because the answers' size is not known. */
static int64
results_max(const BiChunk *chunk)
{
	if (bi_guc_max_result_size > 0)
		return bi_guc_max_result_size * INT64CONST(1024);
	return RESULT_BASE + chunk->records * RESULT_RECORD + chunk->bytes * RESULT_ECHO;
}

static int64
spooled_size(const Fetch *fetch)
{
	int64		size = 0;
	ListCell   *cell;

	foreach(cell, fetch->spools)
		size += bi_spool_size(lfirst(cell));
	return size;
}

/* Work after the save that says "delivering". */
static void
deliver(BiStep *step)
{
	const Fetch *fetch = step->move_data;

	bi_deliver_start(step, fetch->spools, fetch->is_partial);
}

/* Delivers the lines that have come; the other records end as the owner wished. */
static void
deliver_partial(BiStepExchange *exchange, const BiVerdict *verdict)
{
	BiStep	   *step = exchange->step;
	Fetch	   *fetch = step->move_data;
	BiStepSave *save = bi_react_begin_save(step, exchange, BI_CHUNK_DELIVERING, "download ended");

	fetch->is_partial = true;
	save->detail = psprintf("%s; " INT64_FORMAT " bytes had come", bi_react_text(verdict),
							spooled_size(fetch));
	save->keep_claim = true;
	bi_step_save(step, deliver);
}

/* True if the job was cancelled, or is late, and its results do not come to an end. */
static bool
is_partial_wanted(const BiStepExchange *exchange)
{
	const BiExchange *ex = exchange->ex;

	if (exchange->step->wish == BI_WISH_NONE || ex->download == NULL)
		return false;
	if (ex->cause == BI_CAUSE_STOPPED)
		return spooled_size(exchange->step->move_data) > 0;
	return ex->cause == BI_CAUSE_LIMIT;
}

static void
cannot_fetch(BiStepExchange *exchange, const BiVerdict *verdict)
{
	BiStep	   *step = exchange->step;
	int			failures = step->chunk->failures;
	int64		later;

	if (verdict->kind == BI_VERDICT_ABSENT && failures >= BI_REACT_ABSENT_TRIES)
	{
		bi_react_ambiguous(step, exchange, "the provider does not have the results file");
		return;
	}
	if (is_partial_wanted(exchange))
	{
		deliver_partial(exchange, verdict);
		return;
	}
	bi_react_defer(step, exchange, verdict, BI_CHUNK_FETCHING);
	if (exchange->ex->cause != BI_CAUSE_LIMIT)
		return;
	/* Each try may download as much as the limit: a person must raise it first. */
	later = bi_react_backoff(BI_STEP_AGAIN_MS, 2, LIMIT_CAP_MS, failures);
	step->save.delay_ms = Max(step->save.delay_ms, later);
}

static void send_fetch(BiStep *step);

static void
read_fetch(BiStepExchange *exchange)
{
	BiStep	   *step = exchange->step;
	Fetch	   *fetch = step->move_data;
	BiVerdict	verdict = step->provider->batch->read_fetch(&step->call, exchange->ex);

	if (verdict.kind == BI_VERDICT_OK && !ends_whole(llast(fetch->spools)))
		verdict = bi_verdict_make(exchange->ex, BI_VERDICT_UNCLEAR, "truncated",
								  "the results file ends within a line");
	if (verdict.kind != BI_VERDICT_OK)
	{
		cannot_fetch(exchange, &verdict);
		return;
	}
	fetch->fetch_index++;
	send_fetch(step);
}

static void
save_fetched(BiStep *step)
{
	BiStepSave *save = bi_step_begin_save(step);

	step->chunk->state = BI_CHUNK_DELIVERING;
	save->keep_claim = true;
	save->server_works = true;
	bi_step_save(step, deliver);
}

static void
send_fetch(BiStep *step)
{
	Fetch	   *fetch = step->move_data;
	BiStepExchange *exchange = bi_step_add_exchange(step);
	BiExchange *ex = exchange->ex;

	if (!step->provider->batch->fetch(&step->call, fetch->fetch_index, ex))
	{
		save_fetched(step);
		return;
	}
	ex->download = bi_spool_new(step->cxt);
	ex->download_max = results_max(step->chunk);
	ex->download_before = spooled_size(fetch);
	fetch->spools = lappend(fetch->spools, ex->download);
	bi_call_send(exchange, read_fetch);
}

void
bi_fetch_start(BiStep *step)
{
	Fetch	   *fetch = bi_step_begin_move(step, BI_MOVE_FETCH, sizeof(Fetch));

	fetch->outputs.on_listed = send_fetch;
	fetch->outputs.on_failed = cannot_fetch;
	bi_outputs_list(step, &fetch->outputs);
}
