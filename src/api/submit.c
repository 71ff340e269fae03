/*
 * api/submit.c: batch_submit: a query becomes a job.
 *
 * Everything that can be known to be wrong is said here, in the caller's statement.
 * The query runs as the caller; the rows stream through the planner into our tables.
 * Nothing is sent: that is the worker's, after commit.  Called from SQL.
 */
#include "postgres.h"

#include "api/advice.h"
#include "api/argument.h"
#include "api/planner.h"
#include "api/source.h"
#include "api/template.h"
#include "base/json.h"
#include "base/schema.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "provider/registry.h"
#include "store/aim.h"
#include "store/carry.h"
#include "store/rate.h"
#include "store/sql.h"
#include "store/target.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_submit);

typedef struct Submit
{
	BiJob		job;
	BiServer   *server;
	const BiProvider *provider;
	BiLimits	limits;
	BiFrame		frame;
	BiTarget   *target;
	char	   *key_argument;
	BiSource   *source;
	BiTemplate *template;		/* or … */
	int			input_column;	/* … the column that holds the input */
	bool		one_line;		/* its text may hold newlines: it is of type json */
} Submit;

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* Server, model, limits */

/* The option that gives a key: of a file where the current user may name one. */
static const char *
key_option(const BiProvider *provider)
{
	bool		may_read = has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES);

	for (const char *const *name = provider->mapping_options; may_read && *name; name++)
		if (strlen(*name) > strlen("_file") && strcmp(*name + strlen(*name) - strlen("_file"), "_file") == 0)
			return *name;
	return provider->mapping_options[0];
}

static void
choose_server(Submit *s)
{
	BiSpec	   *spec = &s->job.spec;

	s->job.server = bi_server_require(s->job.server_name, GetUserId());
	s->server = bi_server_load(s->job.server, GetUserId());
	s->provider = bi_registry_find(s->server->provider);
	if (s->provider == NULL)
		INVALID(errmsg("server \"%s\" has the unknown provider \"%s\"", s->job.server_name, s->server->provider));
	if (!OidIsValid(s->server->mapping))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("user mapping not found for \"%s\" and server \"%s\"",
						GetUserNameFromId(GetUserId(), false), s->job.server_name),
				 errhint("CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (%s '…') gives the key.",
						 quote_identifier(s->job.server_name), key_option(s->provider))));
	if (spec->model == NULL)
		spec->model = s->server->model;
	if (spec->model == NULL || spec->model[0] == '\0')
		INVALID(errmsg("no model is given"),
				errhint("Use the argument \"model\", or set it for all jobs: ALTER SERVER %s OPTIONS (ADD model '…').",
						quote_identifier(s->job.server_name)));
	s->limits = bi_registry_limits(s->provider, s->server, spec->model);
}

/* For an ereport about the input column, or this value of it; 0 if there is no hint. */
static int
hint_column(const Submit *s, const char *value)
{
	char	   *hint = bi_advice_column(&s->job.spec, bi_source_columns(s->source), s->input_column, value);

	return hint ? errhint("%s", hint) : 0;
}

static void
check_spec(const Submit *s)
{
	const BiSpec *spec = &s->job.spec;
	char	   *why;

	if (spec->response_schema)
	{
		if (bi_schema_read(spec->response_schema, &why) == NULL)
			INVALID(errmsg("invalid response_schema"), errdetail("%s", why));
	}
	why = s->provider->refuse_job(spec, s->server);
	if (why)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("server \"%s\" cannot do this job", s->job.server_name),
				 errdetail("%s", why),
				 hint_column(s, NULL)));
}

/* The input: a template, or a column */

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
choose_input_column(Submit *s)
{
	BiSpec	   *spec = &s->job.spec;
	const char *chosen = NULL;

	for (int i = 0; i < lengthof(input_columns); i++)
	{
		int			column = bi_source_column(s->source, input_columns[i].column);

		if (column == 0 || input_columns[i].task != spec->task)
			continue;
		if (chosen)
			INVALID(errmsg("the query returns both a column \"%s\" and a column \"%s\"", chosen, input_columns[i].column),
					errhint("Leave one of them out, or give the argument \"prompt\"."));
		chosen = input_columns[i].column;
		s->input_column = column;
		spec->input = input_columns[i].input;
	}
	if (chosen == NULL)
		INVALID(errmsg("there is nothing to send"),
				errhint("%s", bi_advice_nothing(spec, bi_source_columns(s->source))));
	bi_advice_check_column(spec, bi_source_columns(s->source), s->input_column);
	s->one_line = spec->input != BI_INPUT_TEXT;
	bi_source_want(s->source, s->input_column);
}

static void
choose_input(Submit *s)
{
	TupleDesc	columns = bi_source_columns(s->source);

	if (s->job.spec.prompt == NULL)
	{
		choose_input_column(s);
		return;
	}
	s->template = bi_template_parse(s->job.spec.prompt, columns);
	s->job.spec.input = BI_INPUT_TEXT;
	for (int i = 1; i <= columns->natts; i++)
		if (bi_template_uses(s->template, i))
			bi_source_want(s->source, i);
}

/* The key */

static List *
key_names(Submit *s)
{
	List	   *names = NIL;
	List	   *copies = NIL;
	ListCell   *cell;

	if (s->key_argument)
	{
		if (!SplitIdentifierString(s->key_argument, ',', &names) || names == NIL)
			INVALID(errmsg("argument \"key\" must be a list of column names"));
		foreach(cell, names)
			copies = lappend(copies, pstrdup(lfirst(cell)));
		return copies;
	}
	if (OidIsValid(s->job.target))
		names = bi_target_primary_key(s->job.target);
	if (names == NIL && bi_source_columns(s->source)->natts > 0)
		names = list_make1(pstrdup(NameStr(TupleDescAttr(bi_source_columns(s->source), 0)->attname)));
	return names;
}

static void
choose_key(Submit *s)
{
	List	   *columns = NIL;
	ListCell   *cell;

	s->job.spec.key = key_names(s);
	foreach(cell, s->job.spec.key)
	{
		int			column = bi_source_column(s->source, lfirst(cell));

		if (column == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("the query has no key column \"%s\"", (char *) lfirst(cell)),
					 s->key_argument == NULL
					 ? errhint("It is the target's primary key; return it, or give the argument \"key\".") : 0));
		columns = lappend_int(columns, column);
	}
	if (columns == NIL)
		INVALID(errmsg("the query returns no columns"));
	bi_source_set_key(s->source, columns);
}

static int
embedding_size(const Submit *s)
{
	if (s->job.spec.task != BI_TASK_EMBEDDING || s->provider->embedding_size == NULL)
		return 0;
	return s->provider->embedding_size(&s->job.spec);
}

static void
choose_target(Submit *s)
{
	if (OidIsValid(s->job.target) != (s->job.spec.write_back != NULL))
		INVALID(errmsg("arguments \"target\" and \"write_back\" belong together"),
				errhint("target is the table, write_back says which column takes which part of the output."));
	if (!OidIsValid(s->job.target))
		return;
	s->target = bi_target_open(s->job.target, s->job.spec.key, s->job.spec.write_back);
	bi_target_check(s->target, &s->job.spec, embedding_size(s));
	s->job.target_name = s->target->name;
	s->job.spec.aim = bi_aim_remember(s->target);
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

static char *
row_input(const Submit *s, const BiRow *row)
{
	char	   *input;
	char	   *why;

	if (s->template)
		return bi_template_fill(s->template, row->values);
	input = row->values[s->input_column - 1];
	if (input == NULL || s->job.spec.input == BI_INPUT_TEXT)
		return input;
	why = s->provider->refuse_input(&s->job.spec, flatten(input));
	if (why)
		INVALID(errmsg("record \"%s\" cannot be sent", bi_planner_shown(row->record_id)),
				errdetail("%s", why), hint_column(s, input));
	return input;
}

/*
 * Chooses the endpoint, and with it the shape of the request lines.  body is the first one where
 * the query returns bodies, else NULL.
 */
static void
choose_endpoint(Submit *s, const char *body)
{
	if (s->provider->choose_endpoint)
		s->job.spec.endpoint = s->provider->choose_endpoint(&s->job.spec, s->server, body);
	s->provider->frame(&s->job.spec, s->server, &s->frame);
}

static void
look_at_body(Submit *s, const BiRow *row)
{
	const char *body = row->values[s->input_column - 1];

	if (body && s->frame.nparts == 0)
		choose_endpoint(s, body);
}

static void
stream_rows(Submit *s, BiPlanner *planner)
{
	MemoryContext row_cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf submit row", ALLOCSET_DEFAULT_SIZES);
	BiRow	   *row;

	while ((row = bi_source_next(s->source)) != NULL)
	{
		MemoryContext old;

		if (row->record_id == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the query returns a row whose key is null"),
					 errhint("Leave such rows out, or name other columns in the argument \"key\".")));
		if (s->job.spec.input == BI_INPUT_BODY)
			look_at_body(s, row);
		old = MemoryContextSwitchTo(row_cxt);
		bi_planner_add(planner, row->record_id, row->key, row_input(s, row));
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_cxt);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
check_minimum(const Submit *s, int64 records)
{
	if (records > 0 && records < s->limits.min_requests)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" needs at least " INT64_FORMAT " records a batch", s->job.server_name, s->limits.min_requests),
				 errdetail("The query returns " INT64_FORMAT ".", records),
				 errhint("Collect more rows before you submit them, or use another server.")));
}

static void
tell(const BiPlanned *planned)
{
	char	   *why = NULL;

	if (planned->records == 0)
		ereport(NOTICE, (errmsg("the query returns no rows: the batch job is completed")));
	else if (planned->skipped > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " of " INT64_FORMAT " records are skipped because their input is null",
						planned->skipped, planned->records)));
	if (planned->records == planned->skipped)
		return;
	if (!bi_wake_possible(&why))
		ereport(NOTICE,
				(errmsg("no background worker will do this batch job"),
				 errdetail("%s", why),
				 errhint("CALL batch_work() does it in a session.")));
	else if (why)
		ereport(NOTICE,
				(errmsg("a background worker started by this session will do this batch job"),
				 errdetail("%s", why)));
}

static void
stage_job(Submit *s)
{
	BiPlanner  *planner;
	BiPlanned	planned;

	s->job.id = bi_job_reserve();
	planner = bi_planner_new(s->job.id, &s->limits, &s->frame, s->job.spec.max_attempts,
							 s->job.spec.max_failure_rate ? BI_RATE_ENOUGH : 0);
	stream_rows(s, planner);
	planned = bi_planner_finish(planner);
	check_minimum(s, planned.records - planned.skipped);
	bi_job_insert(&s->job, planned.records, planned.skipped);
	bi_planner_chunks(planner);
	bi_advice_give(&s->job.spec, s->template, bi_source_columns(s->source), planned.records - planned.skipped);
	tell(&planned);
	bi_wake_at_commit();
}

static void
check_encoding(void)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("batch jobs need a database with encoding UTF8"),
				 errdetail("This one has %s; a model's output can hold any character.", GetDatabaseEncodingName())));
}

Datum
batchinf_submit(PG_FUNCTION_ARGS)
{
	Submit		s = {0};

	PreventCommandIfReadOnly("batch_submit()");
	check_encoding();
	bi_argument_read(fcinfo, &s.job, &s.key_argument);
	choose_server(&s);
	bi_sql_connect();
	if (OidIsValid(s.job.target))
		s.job.spec.settings = bi_carry_collect(s.job.owner);
	s.source = bi_source_open(s.job.spec.query);
	choose_input(&s);
	choose_key(&s);
	if (s.job.spec.input != BI_INPUT_BODY)
		choose_endpoint(&s, NULL);
	check_spec(&s);
	choose_target(&s);
	stage_job(&s);
	bi_sql_finish();
	PG_RETURN_INT64(s.job.id);
}
