/*
 * api/preview.c: batch_preview: answers to a few rows, now.
 *
 * The query runs as the caller.  Its first rows, or some of them at random, are sent as single
 * requests inside the caller's statement, which can be interrupted at any time and has a deadline.
 * Nothing is stored, and no transaction id is taken.  What batch_submit refuses is refused here,
 * except a number of records that is too small for a batch; rows that open jobs have are not left
 * out.
 *
 * The rows come in the order of the query, unless early ones wait while large ones are ready:
 * memory is bounded.
 */
#include "postgres.h"

#include "api/preview_row.h"
#include "engine/realtime/ask.h"
#include "fmgr.h"
#include "funcapi.h"
#include "intake/argument.h"
#include "intake/draw.h"
#include "intake/enroll.h"
#include "intake/purse.h"
#include "intake/weigh.h"
#include "provider/registry.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(batchinf_preview);

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

#define SAMPLE_MAX 100
#define AT_ONCE 16
#define TIMEOUT_MAX_S (60 * 60)

/* Rows that wait for those before them may take so much memory. */
#define WAITING_MAX ((Size) 64 * 1024 * 1024)

/* The arguments that only this function has: the last ones. */
typedef struct Wish
{
	int			sample;
	bool		at_random;
	int64		timeout_ms;
} Wish;

/* A row on its way to the result. */
typedef struct Waiting
{
	MemoryContext cxt;			/* of its values; NULL before it is ready, and once it is given */
	bool		is_given;
	BiPreviewRow row;
} Waiting;

/* One call.  On its function's stack. */
typedef struct Preview
{
	ReturnSetInfo *result;
	BiServer	server;			/* as requests in real time need it, and so is job */
	BiJob		job;
	BiTrial		trial;
	BiPreviewJob shared;
	List	   *drafts;
	Waiting    *waiting;		/* one for each draft */
	int			next;			/* the first one that is not given */
	Size		held;			/* memory of those that wait */
} Preview;

/* Arguments */

static int64
timeout_ms(const Interval *timeout)
{
	Datum		unit = CStringGetTextDatum("epoch");
	Datum		seconds = DirectFunctionCall2(interval_part, unit, PointerGetDatum(timeout));
	double		ms = DatumGetFloat8(seconds) * 1000;

	if (!(ms >= 1000 && ms <= TIMEOUT_MAX_S * 1000.0))
		INVALID(errmsg("argument \"timeout\" must be between 1 second and 1 hour"));
	return (int64) ms;
}

/* Reads the last three arguments: sample, random and timeout. */
static Wish
read_wish(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"sample", "random", "timeout"};
	int			first = PG_NARGS() - (int) lengthof(names);
	Wish		wish;

	for (int i = 0; i < lengthof(names); i++)
		if (PG_ARGISNULL(first + i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null", names[i])));
	wish.sample = PG_GETARG_INT32(first);
	wish.at_random = PG_GETARG_BOOL(first + 1);
	wish.timeout_ms = timeout_ms(PG_GETARG_INTERVAL_P(first + 2));
	if (wish.sample < 1 || wish.sample > SAMPLE_MAX)
		INVALID(errmsg("argument \"sample\" must be between 1 and %d", SAMPLE_MAX));
	return wish;
}

/* Rows */

static void
give(Preview *preview, Waiting *waiting)
{
	tuplestore_putvalues(preview->result->setResult, preview->result->setDesc,
						 waiting->row.values, waiting->row.nulls);
	preview->held -= MemoryContextMemAllocated(waiting->cxt, true);
	MemoryContextDelete(waiting->cxt);
	waiting->cxt = NULL;
	waiting->is_given = true;
}

/* Gives the rows that are ready to the result: those before which none is missing or, if they take
 * too much memory, all. */
static void
give_ready(Preview *preview)
{
	int			n = list_length(preview->drafts);

	for (int i = preview->next; preview->held > WAITING_MAX && i < n; i++)
		if (preview->waiting[i].cxt)
			give(preview, &preview->waiting[i]);
	for (; preview->next < n; preview->next++)
	{
		Waiting    *waiting = &preview->waiting[preview->next];

		if (waiting->cxt)
			give(preview, waiting);
		else if (!waiting->is_given)
			return;
	}
}

/* Makes the row of a draft.  ask is NULL if it is skipped. */
static void
make_row(Preview *preview, int number, const BiAsk *ask)
{
	Waiting    *waiting = &preview->waiting[number];
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf preview row",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);

	bi_preview_row_fill(&waiting->row, &preview->shared, list_nth(preview->drafts, number), ask);
	MemoryContextSwitchTo(old);
	waiting->cxt = cxt;
	preview->held += MemoryContextMemAllocated(cxt, true);
}

static void
take_answer(BiAsk *ask, void *arg)
{
	make_row(arg, ask->number, ask);
	give_ready(arg);
}

/* The call */

/* Makes the job that the requests are of. */
static void
make_job(Preview *preview, const BiEnroll *enroll)
{
	const BiIntake *intake = enroll->intake;

	if (intake->provider->realtime == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("server \"%s\" cannot be asked for single rows", intake->server->name),
				 errdetail("That is not supported yet for provider \"%s\".",
						   intake->provider->name)));
	preview->server = *intake->server;
	preview->job = enroll->job;
	preview->job.spec.endpoint = intake->spec.endpoint; /* known after the first body only */
	bi_registry_realtime(&preview->server, &preview->job.spec);
	bi_tariff_begin(&preview->shared.tariffs, CurrentMemoryContext, &preview->job);
	if (enroll->target == NULL)
		return;
	bi_trial_open(&preview->trial, enroll->target);
	preview->shared.trial = &preview->trial;
}

/* Sets what is asked of the drafts; those that are skipped are ready.  Returns how many are
 * asked. */
static int
list_asks(Preview *preview, BiAsk *asks)
{
	int			n = 0;
	ListCell   *cell;

	foreach(cell, preview->drafts)
	{
		const BiDraft *draft = lfirst(cell);

		if (draft->input == NULL)
			make_row(preview, foreach_current_index(cell), NULL);
		else
			asks[n++] = (BiAsk) {.number = foreach_current_index(cell), .input = draft->input};
	}
	return n;
}

/* Raises an error if the job's max_cost, or a budget that refuses, leaves too little for these
 * requests.  Nothing of what they cost is stored, so no budget counts it afterwards. */
static void
check_purse(Preview *preview, const BiAsk *asks, int n)
{
	BiWeigh		weigh = bi_weigh_of(&preview->job.spec);
	BiChunk		chunk = {.records = n};
	BiPlanned	planned = {.records = n, .chunks = list_make1(&chunk)};

	for (int i = 0; i < n; i++)
		chunk.tokens += bi_weigh_tokens(&weigh, asks[i].input);
	bi_purse_check(&preview->job, &planned);
}

/* Returns the secret of the user mapping. */
static char *
read_secret(Preview *preview, const BiProvider *provider)
{
	char	   *why;
	char	   *secret = bi_registry_secret(provider, &preview->server, &why);

	if (secret == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("there is no key for server \"%s\"", preview->server.name),
				 errdetail("%s.", why)));
	return secret;
}

static void
run(Preview *preview, const BiProvider *provider, const Wish *wish)
{
	int			n = list_length(preview->drafts);
	BiAsk	   *asks = palloc0(sizeof(BiAsk) * (n + 1));
	BiDirect	direct = {provider, &preview->server};
	BiAsking	asking = {
		.direct = &direct,
		.job = &preview->job,
		.at_once = AT_ONCE,
		.on_answer = take_answer,
		.arg = preview
	};

	preview->waiting = palloc0(sizeof(Waiting) * (n + 1));
	n = list_asks(preview, asks);
	give_ready(preview);
	if (n == 0)
		return;
	check_purse(preview, asks, n);
	asking.secret = read_secret(preview, provider);
	direct.deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wish->timeout_ms);
	bi_ask(&asking, asks, n);
}

/* batch_preview(query text, server name, …, sample int, random boolean, timeout interval) RETURNS
 * TABLE(…): a row for each record. */
Datum
batchinf_preview(PG_FUNCTION_ARGS)
{
	Preview		preview = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	BiEnroll	enroll = {0};
	BiRequest	request;
	Wish		wish;

	InitMaterializedSRF(fcinfo, 0);
	bi_argument_read(fcinfo, &request);
	wish = read_wish(fcinfo);
	bi_sql_connect();
	bi_enroll_check(&enroll, &request);
	preview.drafts = bi_draw(enroll.intake, wish.sample, wish.at_random);
	make_job(&preview, &enroll);
	run(&preview, enroll.intake->provider, &wish);
	bi_sql_finish();
	return (Datum) 0;
}
