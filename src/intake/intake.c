/*
 * intake/intake.c: from a query and its spec to records, for all callers.
 *
 * A row of the query goes this way:
 *
 *     source (runs the query as its user) -> key and input -> planner -> the caller's sink
 *
 * The input is the prompt with the row's values in its {{column}}s (template), or the text of one
 * column: prompt, messages, input or body.  The sink decides what becomes of a record:
 * batch_submit stores it.  Errors are raised at once, in the caller's statement, and nothing is
 * left behind then.
 *
 * Where the query returns bodies, the endpoint is the one that the first body is written for, so
 * the frame of the request lines is made when that row is read.
 *
 * Jobs, rights and targets are the caller's.  Of a target only its primary key is looked up here:
 * it is the key of the rows if the request names no other.
 */
#include "postgres.h"

#include "base/schema.h"
#include "intake/advice.h"
#include "intake/alike.h"
#include "intake/intake.h"
#include "miscadmin.h"
#include "provider/registry.h"
#include "store/copy.h"
#include "store/target.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* With prompt_cache 'auto' a prefix of so many bytes is marked that so many requests share: a write
 * for an hour costs twice as much as input, so half of them must find what the others wrote. */
#define CACHE_BYTES 1500
#define CACHE_REQUESTS 100

/* The model */

static void
choose_model(BiIntake *intake)
{
	if (intake->spec.model == NULL)
		intake->spec.model = intake->server->model;
	if (intake->spec.model == NULL || intake->spec.model[0] == '\0')
		INVALID(errmsg("no model is given"),
				errhint("Use the argument \"model\", or set it for all jobs:"
						" ALTER SERVER %s OPTIONS (ADD model '…').",
						quote_identifier(intake->server->name)));
	intake->limits = bi_registry_limits(intake->provider, intake->server, intake->spec.model);
}

/* The input: a prompt, or a column */

/* Which column of the query is the input of which task. */
static const struct
{
	const char *column;
	BiTask		task;
	BiInput		input;
}			input_columns[] = {
	{"prompt", BI_TASK_CHAT, BI_INPUT_TEXT},
	{"messages", BI_TASK_CHAT, BI_INPUT_MESSAGES},
	{"input", BI_TASK_EMBEDDING, BI_INPUT_TEXT},
	{"body", BI_TASK_CHAT, BI_INPUT_BODY},
	{"body", BI_TASK_EMBEDDING, BI_INPUT_BODY},
};

static void
choose_input_column(BiIntake *intake)
{
	BiSpec	   *spec = &intake->spec;
	TupleDesc	columns = bi_source_columns(intake->source);
	const char *chosen = NULL;

	for (int i = 0; i < lengthof(input_columns); i++)
	{
		const char *name = input_columns[i].column;
		int			column = bi_source_column(intake->source, name);

		if (column == 0 || input_columns[i].task != spec->task)
			continue;
		if (chosen)
			INVALID(errmsg("the query returns both a column \"%s\" and a column \"%s\"", chosen,
						   name),
					errhint("Leave one of them out, or give the argument \"prompt\"."));
		chosen = name;
		intake->input_column = column;
		spec->input = input_columns[i].input;
	}
	if (chosen == NULL)
		INVALID(errmsg("there is nothing to send"),
				errhint("%s", bi_advice_nothing(spec, columns)));
	bi_advice_check_column(spec, columns, intake->input_column);
	bi_source_want(intake->source, intake->input_column);
}

static void
choose_input(BiIntake *intake)
{
	TupleDesc	columns = bi_source_columns(intake->source);

	if (intake->spec.prompt == NULL)
	{
		choose_input_column(intake);
		return;
	}
	intake->template = bi_template_parse(intake->spec.prompt, columns);
	intake->spec.input = BI_INPUT_TEXT;
	for (int i = 1; i <= columns->natts; i++)
		if (bi_template_uses(intake->template, i))
			bi_source_want(intake->source, i);
}

/* The key */

/* True if the query returns all of these columns. */
static bool
has_columns(const BiIntake *intake, const List *names)
{
	ListCell   *cell;

	foreach(cell, names)
		if (bi_source_column(intake->source, lfirst(cell)) == 0)
			return false;
	return true;
}

/* Returns the columns that make a row's key: as the request says, else the primary key of its
 * target, else the first column.  Answers that are not written to the rows of the query need not
 * have the target's key. */
static List *
key_names(const BiIntake *intake, const BiRequest *request)
{
	TupleDesc	columns = bi_source_columns(intake->source);
	List	   *names = NIL;

	if (request->key)
		return bi_argument_names("key", request->key);
	if (OidIsValid(request->target))
		names = bi_target_primary_key(request->target);
	if (request->spec.write_mode != BI_WRITE_MODE_UPDATE && !has_columns(intake, names))
		names = NIL;
	if (names == NIL && columns->natts > 0)
		names = list_make1(pstrdup(NameStr(TupleDescAttr(columns, 0)->attname)));
	return names;
}

static void
choose_key(BiIntake *intake, const BiRequest *request)
{
	List	   *columns = NIL;
	ListCell   *cell;

	intake->spec.key = key_names(intake, request);
	foreach(cell, intake->spec.key)
	{
		int			column = bi_source_column(intake->source, lfirst(cell));

		if (column == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("the query has no key column \"%s\"", (char *) lfirst(cell)),
					 request->key == NULL
					 ? errhint("It is the target's primary key; return it, or give the argument"
							   " \"key\".")
					 : 0));
		columns = lappend_int(columns, column);
	}
	if (columns == NIL)
		INVALID(errmsg("the query returns no columns"));
	bi_source_set_key(intake->source, columns);
}

/* The columns whose values go to the target beside the output. */
static void
choose_columns(BiIntake *intake)
{
	List	   *columns = NIL;
	ListCell   *cell;

	intake->spec.columns = bi_fill_columns(intake->spec.write_back);
	foreach(cell, intake->spec.columns)
	{
		int			column = bi_source_column(intake->source, lfirst(cell));

		if (column == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("the query has no column \"%s\"", (char *) lfirst(cell)),
					 errdetail("write_back names it.")));
		columns = lappend_int(columns, column);
	}
	bi_source_carry(intake->source, columns);
}

/* What the provider says to it */

/*
 * Chooses the endpoint, and with it the shape of the request lines.  body is the first one where
 * the query returns bodies, else NULL.
 */
static void
choose_endpoint(BiIntake *intake, const char *body)
{
	const BiProviderJob *job = intake->provider->job;

	if (job->choose_endpoint)
		intake->spec.endpoint = job->choose_endpoint(&intake->spec, intake->server, body);
	job->frame(&intake->spec, intake->server, &intake->frame);
}

/*
 * With prompt_cache 'auto' the shared prefix is marked for an hour, if it is long and many requests
 * share it.  How many is known at the end only: until then the marks are counted in the sizes.
 */
static void
choose_prompt_cache(BiIntake *intake)
{
	const char *option = intake->server->prompt_cache;
	const char *prefix = intake->spec.system_prompt;

	if (option && strcmp(option, "auto") == 0 && prefix && strlen(prefix) >= CACHE_BYTES)
		intake->spec.prompt_cache = "1h";
}

/* For an ereport about the input column, or about this value of it; no hint if there is nothing to
 * say. */
static int
hint_column(const BiIntake *intake, const char *value)
{
	char	   *hint = bi_advice_column(&intake->spec, bi_source_columns(intake->source),
										intake->input_column, value);

	return hint ? errhint("%s", hint) : 0;
}

static void
check_spec(const BiIntake *intake)
{
	const BiSpec *spec = &intake->spec;
	char	   *why;

	if (spec->response_schema && bi_schema_read(spec->response_schema, &why) == NULL)
		INVALID(errmsg("invalid response_schema"), errdetail("%s", why));
	why = intake->provider->job->refuse_job(spec, intake->server);
	if (why)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("server \"%s\" cannot do this job", intake->server->name),
				 errdetail("%s", why),
				 hint_column(intake, NULL)));
}

/* Decides whether rows may have the answers of others. */
static void
choose_copies(BiIntake *intake, const BiRequest *request)
{
	bool		dedup = request->dedup == BI_DEDUP_ON;

	intake->cache_since = request->cache_since;
	if (!bi_copy_exists())
		return;
	if (request->dedup == BI_DEDUP_DECIDE)
		dedup = bi_alike_by_default(&intake->spec);
	if (dedup || !TIMESTAMP_IS_NOEND(intake->cache_since))
		intake->repeats = bi_repeats_new(dedup);
}

BiIntake *
bi_intake_open(const BiRequest *request, const BiServer *server, const BiProvider *provider)
{
	BiIntake   *intake = palloc0(sizeof(BiIntake));

	intake->spec = request->spec;
	intake->server = server;
	intake->provider = provider;
	choose_model(intake);
	intake->source = bi_source_open(request->spec.query);
	choose_input(intake);
	choose_key(intake, request);
	choose_columns(intake);
	choose_prompt_cache(intake);
	if (intake->spec.input != BI_INPUT_BODY)
		choose_endpoint(intake, NULL);
	check_spec(intake);
	choose_copies(intake, request);
	return intake;
}

BiTrace
bi_intake_trace(const BiIntake *intake, Oid target)
{
	Bitmapset  *sent = NULL;
	int			n = bi_source_columns(intake->source)->natts;

	for (int i = 1; i <= n; i++)
		if (intake->template ? bi_template_uses(intake->template, i) : i == intake->input_column)
			sent = bms_add_member(sent, i);
	return bi_trace_columns(bi_source_query(intake->source), bi_source_key(intake->source),
							intake->spec.key, sent, target);
}

/* Rows */

/* A request is one line: newlines stand only between the tokens of JSON. */
static char *
flatten(char *json)
{
	for (char *p = json; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return json;
}

/* Returns what the row is sent as; NULL if it is skipped. */
static char *
row_input(const BiIntake *intake, const BiRow *row)
{
	char	   *input;
	char	   *why;

	if (intake->template)
		return bi_template_fill(intake->template, row->values);
	input = row->values[intake->input_column - 1];
	if (input == NULL || intake->spec.input == BI_INPUT_TEXT)
		return input;
	why = intake->provider->job->refuse_input(&intake->spec, flatten(input));
	if (why)
		INVALID(errmsg("record \"%s\" cannot be sent", bi_planner_shown(row->record_id)),
				errdetail("%s", why), hint_column(intake, input));
	return input;
}

/* Takes a row that is not left out. */
static void
pass_on(BiIntake *intake, BiPlanner *planner, const BiDraft *draft)
{
	if (intake->repeats)
		bi_repeats_add(intake->repeats, draft);
	else
		bi_planner_add(planner, draft);
}

/* Makes the frame, if the row has the first body of the query. */
static void
look_at_body(BiIntake *intake, const BiRow *row)
{
	const char *body = row->values[intake->input_column - 1];

	if (body && intake->frame.nparts == 0)
		choose_endpoint(intake, body);
}

static BiDraft
make_draft(const BiIntake *intake, const BiRow *row)
{
	if (row->record_id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the query returns a row whose key is null"),
				 errhint("Leave such rows out, or name other columns in the argument \"key\".")));
	return (BiDraft) {row->record_id, row->key, row_input(intake, row), row->columns};
}

bool
bi_intake_next(BiIntake *intake, MemoryContext cxt, BiDraft *draft)
{
	BiRow	   *row = bi_source_next(intake->source);
	MemoryContext old;

	if (row == NULL)
		return false;
	if (intake->spec.input == BI_INPUT_BODY)
		look_at_body(intake, row);
	old = MemoryContextSwitchTo(cxt);
	*draft = make_draft(intake, row);
	MemoryContextSwitchTo(old);
	return true;
}

static void
stream_rows(BiIntake *intake, BiPlanner *planner)
{
	MemoryContext row_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf intake row",
												  ALLOCSET_DEFAULT_SIZES);
	BiDraft		draft;

	while (bi_intake_next(intake, row_cxt, &draft))
	{
		MemoryContext old = MemoryContextSwitchTo(row_cxt);

		if (intake->sieve)
			bi_sieve_add(intake->sieve, &draft);
		else
			pass_on(intake, planner, &draft);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_cxt);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextDelete(row_cxt);
}

/* Takes what the sieve leaves. */
static void
sift_rows(BiIntake *intake, BiPlanner *planner)
{
	BiDraft		draft;

	bi_sieve_shake(intake->sieve);
	while (bi_sieve_next(intake->sieve, &draft))
	{
		pass_on(intake, planner, &draft);
		CHECK_FOR_INTERRUPTS();
	}
}

bool
bi_intake_digest(const BiIntake *intake, uint8 *digest)
{
	if (intake->frame.nparts == 0)
		return false;
	bi_alike_digest(&intake->spec, intake->server, intake->provider, digest);
	return true;
}

/* Gives the planner all rows, with those marked that are copies. */
static void
mark_copies(BiIntake *intake, BiPlanner *planner)
{
	uint8		digest[BI_DIGEST_SIZE];
	BiCache    *cache = NULL;
	BiDraft		draft;

	if (!TIMESTAMP_IS_NOEND(intake->cache_since) && bi_intake_digest(intake, digest))
		cache = bi_cache_open(digest, intake->server->oid, intake->cache_since);
	bi_repeats_find(intake->repeats, cache, intake->limits.min_requests);
	while (bi_repeats_next(intake->repeats, &draft))
	{
		bi_planner_add(planner, &draft);
		CHECK_FOR_INTERRUPTS();
	}
	bi_repeats_free(intake->repeats);
}

static void
check_minimum(const BiIntake *intake, int64 records)
{
	if (records == 0 || records >= intake->limits.min_requests)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("server \"%s\" needs at least " INT64_FORMAT " records a batch",
					intake->server->name, intake->limits.min_requests),
			 errdetail("The query returns " INT64_FORMAT ".", records),
			 errhint("Collect more rows before you submit them, or use another server.")));
}

BiPlanned
bi_intake_run(BiIntake *intake, BiSink *sink)
{
	BiPlanner  *planner = bi_planner_new(&intake->spec, &intake->limits, &intake->frame, sink);
	BiPlanned	planned;
	int64		sent;

	stream_rows(intake, planner);
	if (intake->sieve)
		sift_rows(intake, planner);
	if (intake->repeats)
		mark_copies(intake, planner);
	planned = bi_planner_finish(planner);
	if (intake->sieve)
	{
		planned.already = bi_sieve_left_out(intake->sieve);
		bi_sieve_free(intake->sieve);
	}
	sent = planned.records - planned.skipped - planned.repeats - planned.cached;
	check_minimum(intake, sent);
	if (sent < CACHE_REQUESTS)
		intake->spec.prompt_cache = NULL;
	return planned;
}

void
bi_intake_warn(const BiIntake *intake, const BiPlanned *planned)
{
	bi_advice_warn(&intake->spec, intake->template, bi_source_columns(intake->source),
				   planned->records - planned->skipped);
}
