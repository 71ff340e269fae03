/*
 * store/spec.c: what a job asks for, as it is kept in batchinf.job.spec.
 *
 * Members that a job of an earlier version lacks mean what that version did.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "store/spec.h"
#include "store/sql.h"
#include "utils/json.h"
#include "utils/timestamp.h"

static const char *const task_names[] = {"chat", "embedding"};
static const char *const input_names[] = {"text", "messages", "body"};
static const char *const in_flight_names[] = {"skip", "error", "send"};
static const char *const write_if_names[] = {"unchanged", "null", "always"};
static const char *const write_mode_names[] = {"update", "insert", "upsert", "replace"};

static void
append_text(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, value);
}

static void
append_json(StringInfo out, const char *name, const char *json)
{
	appendStringInfo(out, "%s\"%s\":%s", out->len > 1 ? "," : "", name, json ? json : "null");
}

static char *
names_to_json(const List *names)
{
	StringInfoData out;
	ListCell   *cell;

	initStringInfo(&out);
	appendStringInfoChar(&out, '[');
	foreach(cell, names)
	{
		appendStringInfoString(&out, foreach_current_index(cell) == 0 ? "" : ",");
		escape_json(&out, lfirst(cell));
	}
	appendStringInfoChar(&out, ']');
	return out.data;
}

static void
append_money(StringInfo out, const BiSpec *spec)
{
	if (spec->max_cost)
	{
		append_json(out, "max_cost", spec->max_cost);
		append_json(out, "max_cost_by_setting", spec->max_cost_by_setting ? "true" : "false");
	}
	if (spec->estimated_cost)
		append_json(out, "estimated_cost", spec->estimated_cost);
}

/* Returns the spec as JSON.  JSON that is sent to a model is a text in it, because jsonb would sort
 * the members.  Jobs of 0.1.0 have objects there: ->> reads both.  owner_superuser is not a column,
 * because the tables of 0.1.0 must take jobs of this library until they are updated. */
char *
bi_spec_to_json(const BiSpec *spec, bool by_superuser)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	append_text(&out, "query", spec->query);
	append_text(&out, "prompt", spec->prompt);
	append_text(&out, "system_prompt", spec->system_prompt);
	append_text(&out, "model", spec->model);
	append_text(&out, "task", task_names[spec->task]);
	append_text(&out, "input", input_names[spec->input]);
	if (spec->endpoint)
		append_text(&out, "endpoint", spec->endpoint);
	append_json(&out, "key", names_to_json(spec->key));
	append_json(&out, "write_back", spec->write_back);
	append_text(&out, "response_schema", spec->response_schema);
	append_text(&out, "params", spec->params);
	if (spec->prompt_cache)
		append_text(&out, "prompt_cache", spec->prompt_cache);
	append_json(&out, "max_attempts", psprintf("%d", spec->max_attempts));
	append_json(&out, "owner_superuser", by_superuser ? "true" : "false");
	append_json(&out, "settings", spec->settings);
	append_json(&out, "aim", spec->aim);
	if (spec->max_failure_rate)
		append_json(&out, "max_failure_rate", spec->max_failure_rate);
	append_money(&out, spec);
	if (!TIMESTAMP_NOT_FINITE(spec->start_after))
		append_json(&out, "start_after", psprintf(INT64_FORMAT, spec->start_after));
	if (spec->submit_window)
		append_text(&out, "submit_window", spec->submit_window);
	if (!TIMESTAMP_NOT_FINITE(spec->retry_until))
		append_json(&out, "retry_until", psprintf(INT64_FORMAT, spec->retry_until));
	if (spec->keep)
		append_text(&out, "keep", spec->keep);
	if (spec->pipeline != 0)
	{
		append_json(&out, "pipeline", psprintf("%d", spec->pipeline));
		append_json(&out, "version", psprintf("%d", spec->version));
		append_text(&out, "digest", spec->digest);
	}
	if (spec->write_mode != BI_WRITE_MODE_UPDATE)
	{
		append_text(&out, "write_mode", write_mode_names[spec->write_mode]);
		append_json(&out, "conflict", names_to_json(spec->conflict));
		append_json(&out, "replace_by", names_to_json(spec->replace_by));
		append_text(&out, "each", spec->each);
	}
	if (spec->columns)
		append_json(&out, "columns", names_to_json(spec->columns));
	if (spec->write_back)
	{
		append_text(&out, "in_flight", in_flight_names[spec->in_flight]);
		append_text(&out, "write_if", write_if_names[spec->write_if]);
		append_json(&out, "guarded", names_to_json(spec->guarded));
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

const char *
bi_spec_write_mode(BiWriteMode mode)
{
	return write_mode_names[mode];
}

const char *
bi_spec_task(BiTask task)
{
	return task_names[task];
}

static int
parse_word(const char *word, const char *const *words, int n)
{
	for (int i = 0; word && i < n; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown word \"%s\" in the specification of a batch job",
					word ? word : "NULL")));
}

/* A list of names in the spec. */
#define NAMES(member) \
	" ARRAY(SELECT e.v FROM jsonb_array_elements_text(s->'" member "') WITH ORDINALITY e(v, i)" \
	"  ORDER BY e.i)"

/* What bi_spec_read reads, in its order. */
#define SPEC_COLUMNS \
	"s->>'query', s->>'prompt', s->>'system_prompt', s->>'model', s->>'task', s->>'input'," \
	" s->>'write_back', s->>'response_schema', s->>'params', (s->>'max_attempts')::int," \
	" s->>'settings', s->>'endpoint', s->>'aim', s->>'max_failure_rate'," \
	" COALESCE(s->>'in_flight', 'send'), COALESCE(s->>'write_if', 'always')," \
	" COALESCE((s->>'start_after')::int8, 0), s->>'submit_window'," \
	" COALESCE((s->>'retry_until')::int8, 0)," \
	" COALESCE((s->>'pipeline')::int, 0), COALESCE((s->>'version')::int, 0), s->>'digest'," \
	" COALESCE(s->>'write_mode', 'update'), s->>'each', s->>'max_cost'," \
	" COALESCE((s->>'max_cost_by_setting')::bool, false)," \
	NAMES("key") "," NAMES("guarded") "," NAMES("conflict") "," NAMES("replace_by") "," \
	NAMES("columns") ", s->>'prompt_cache'"

void
bi_spec_read(MemoryContext cxt, int64 job_id, BiSpec *spec)
{
	BiArgs		args = {0};
	int			i = 0;

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("SELECT " SPEC_COLUMNS
			   " FROM batchinf.job j, LATERAL (SELECT j.spec) s(s) WHERE j.job_id = $1", &args);
	spec->query = bi_sql_text(cxt, 0, ++i);
	spec->prompt = bi_sql_text(cxt, 0, ++i);
	spec->system_prompt = bi_sql_text(cxt, 0, ++i);
	spec->model = bi_sql_text(cxt, 0, ++i);
	spec->task = parse_word(bi_sql_text(cxt, 0, ++i), task_names, lengthof(task_names));
	spec->input = parse_word(bi_sql_text(cxt, 0, ++i), input_names, lengthof(input_names));
	spec->write_back = bi_sql_text(cxt, 0, ++i);
	spec->response_schema = bi_sql_text(cxt, 0, ++i);
	spec->params = bi_sql_text(cxt, 0, ++i);
	spec->max_attempts = bi_sql_int8(0, ++i);
	spec->settings = bi_sql_text(cxt, 0, ++i);
	spec->endpoint = bi_sql_text(cxt, 0, ++i);
	spec->aim = bi_sql_text(cxt, 0, ++i);
	spec->max_failure_rate = bi_sql_text(cxt, 0, ++i);
	spec->in_flight = parse_word(bi_sql_text(cxt, 0, ++i), in_flight_names,
								 lengthof(in_flight_names));
	spec->write_if = parse_word(bi_sql_text(cxt, 0, ++i), write_if_names,
								lengthof(write_if_names));
	/* Times are microseconds, as PostgreSQL counts them. */
	spec->start_after = bi_sql_int8(0, ++i);
	spec->submit_window = bi_sql_text(cxt, 0, ++i);
	spec->retry_until = bi_sql_int8(0, ++i);
	if (spec->retry_until == 0)
		TIMESTAMP_NOEND(spec->retry_until);
	spec->pipeline = bi_sql_int8(0, ++i);
	spec->version = bi_sql_int8(0, ++i);
	spec->digest = bi_sql_text(cxt, 0, ++i);
	spec->write_mode = parse_word(bi_sql_text(cxt, 0, ++i), write_mode_names,
								  lengthof(write_mode_names));
	spec->each = bi_sql_text(cxt, 0, ++i);
	spec->max_cost = bi_sql_text(cxt, 0, ++i);
	spec->max_cost_by_setting = bi_sql_bool(0, ++i);
	spec->key = bi_sql_texts(cxt, 0, ++i);
	spec->guarded = bi_sql_texts(cxt, 0, ++i);
	spec->conflict = bi_sql_texts(cxt, 0, ++i);
	spec->replace_by = bi_sql_texts(cxt, 0, ++i);
	spec->columns = bi_sql_texts(cxt, 0, ++i);
	spec->prompt_cache = bi_sql_text(cxt, 0, ++i);
}
