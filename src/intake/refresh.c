/*
 * intake/refresh.c: what of a pipeline's query is due becomes a job.
 *
 *     query -> row, input -> judge (answered? in flight?) -> sieve -> planner -> job
 *
 * A row is due if it was never answered, if something else would be sent of it now, if it is to be
 * answered again, or if its failure is worth another try.  That is decided by a hash of what is
 * sent, never by a time.  What open jobs have is left out.
 *
 * Everything runs as the pipeline's owner, as REFRESH MATERIALIZED VIEW does, with the settings
 * that the session had which made this version: so whoever refreshes sends the same.
 */
#include "postgres.h"

#include "base/crash.h"
#include "base/digest.h"
#include "base/json.h"
#include "intake/argument.h"
#include "intake/enroll.h"
#include "intake/planner.h"
#include "intake/refresh.h"
#include "intake/stored.h"
#include "intake/whole.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/after.h"
#include "store/carry.h"
#include "store/owner.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"

/* The settings that a pipeline keeps, beside the custom ones: what names and texts mean. */
static const char *const kept_settings[] = {
	"search_path", "TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output",
	"lc_messages", "lc_monetary", "lc_numeric", "lc_time", "xmlbinary", "xmloption",
	"array_nulls", "backslash_quote", "standard_conforming_strings", "quote_all_identifiers",
	"default_text_search_config", "timezone_abbreviations", "row_security",
};

/* The format of a digest.  Another number would make all rows due. */
#define DIGEST_FORMAT "1"

char *
bi_refresh_settings(void)
{
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < lengthof(kept_settings); i++)
	{
		const char *value = GetConfigOption(kept_settings[i], true, false);

		if (value == NULL)
			continue;
		appendStringInfoString(&json, json.len > 0 ? ", " : "");
		escape_json(&json, kept_settings[i]);
		appendStringInfoString(&json, ": ");
		escape_json(&json, value);
	}
	return psprintf("{%s}", json.data);
}

/* Puts the settings of the pipeline in force, in this nest level.  lc_messages is the
 * superusers'; a locale that this machine lacks is a WARNING. */
static void
apply_settings(const BiPipeline *pipeline)
{
	const char *settings = pipeline->settings ? pipeline->settings : "";
	BiJson	   *json = bi_json_parse(settings, strlen(settings));

	for (int i = 0; i < lengthof(kept_settings); i++)
	{
		const BiJson *value = bi_json_get(json, kept_settings[i]);

		if (value && strcmp(kept_settings[i], "lc_messages") != 0)
			(void) set_config_option(kept_settings[i], bi_json_string(value, NULL),
									 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
									 WARNING, false);
	}
	bi_carry_apply(bi_carry_read(pipeline->custom));
}

/* A refresh under way.  judge is first: the sieve knows this part only. */
typedef struct Refresh
{
	BiJudge		judge;
	const BiPipeline *pipeline;
	const BiRefresh *wish;
	void		(*code) (struct Refresh *refresh);	/* what is done with the open query */
	BiEnroll	enroll;
	BiPipelineRows rows;
	Bitmapset  *seen;			/* as for bi_pipeline_judge */
	MemoryContext cxt;			/* of the refresh */
	BiGuard    *guard;			/* reads what rows of kept answers hold; NULL until there is one */
	int64		sent;			/* rows that were chosen to be sent */
	char	   *why;			/* why nothing is sent, or NULL */
	const BiPipeline *rebase;	/* the version whose answers count for this one; NULL: none */
	bool		mark;			/* rows that are answered as they are now are marked only */
	BiWhole    *whole;			/* of a replace: its values; else NULL */
} Refresh;

/* What is sent with each row: returns the hex SHA-256. */
static char *
digest_of(const BiSpec *spec)
{
	StringInfoData text;
	uint8		bytes[BI_DIGEST_SIZE];
	char	   *hex = palloc(BI_DIGEST_HEX);

	initStringInfo(&text);
	appendStringInfoString(&text, DIGEST_FORMAT);
	appendStringInfo(&text, " %d %d ", spec->task, spec->input);
	escape_json(&text, spec->model);
	escape_json(&text, spec->system_prompt ? spec->system_prompt : "");
	escape_json(&text, spec->params ? spec->params : "");
	escape_json(&text, spec->response_schema ? spec->response_schema : "");
	bi_digest_of(text.data, bytes);
	bi_digest_hex(bytes, hex);
	return hex;
}

/* Counts a row.  True if it is to be sent. */
static bool
choose(Refresh *refresh, BiPipelineRow state, bool held)
{
	BiPipelineRows *rows = &refresh->rows;

	rows->rows++;
	switch (state)
	{
		case BI_ROW_ANSWERED:
			rows->answered++;
			return false;
		case BI_ROW_FAILED:
			rows->failed++;
			return false;
		case BI_ROW_KEPT:
			rows->kept++;
			return false;
		default:
			break;
	}
	if (held)
	{
		rows->in_flight++;
		return false;
	}
	rows->due++;
	rows->changed += state == BI_ROW_CHANGED;
	if (refresh->wish->max_rows > 0 && refresh->sent >= refresh->wish->max_rows)
		return false;
	refresh->sent++;
	return true;
}

/* A key that the query returns twice, with two texts, would be paid for at each refresh. */
static void
refuse_again(const BiPipelineAsk *asks, int n)
{
	for (int i = 0; i < n; i++)
		if (asks[i].again)
			bi_planner_refuse_equal(asks[i].key);
}

/* Returns what reads the target's rows for the refresh. */
static BiGuard *
require_guard(Refresh *refresh)
{
	MemoryContext old = MemoryContextSwitchTo(refresh->cxt);

	if (refresh->guard == NULL)
		refresh->guard = bi_enroll_guard(&refresh->enroll);
	MemoryContextSwitchTo(old);
	return refresh->guard;
}

/* Sets what the target rows of kept answers hold now. */
static void
look_at_kept(Refresh *refresh, const BiDraft *rows, BiPipelineAsk *asks, int n)
{
	BiGuarded  *kept = palloc(sizeof(BiGuarded) * n);
	BiPipelineAsk **asked = palloc(sizeof(BiPipelineAsk *) * n);
	int			m = 0;

	for (int i = 0; i < n; i++)
	{
		asks[i].holds = (Datum) 0;
		if (asks[i].state != BI_ROW_KEPT)
			continue;
		kept[m] = (BiGuarded) {rows[i].record_id, rows[i].key};
		asked[m++] = &asks[i];
	}
	if (m == 0 || refresh->enroll.target == NULL ||
		refresh->enroll.target->write_mode != BI_WRITE_MODE_UPDATE)
		return;
	bi_guard_read(require_guard(refresh), kept, m);
	for (int i = 0; i < m; i++)
		asked[i]->holds = kept[i].guard;
}

/* Sets which rows open jobs have.  Only those are asked for that may be due or written: most rows
 * are answered.  They are judged once more behind it, for a job that ended meanwhile has answered
 * some. */
static void
look_in_flight(Refresh *refresh, const BiDraft *rows, BiPipelineAsk *asks, int n, bool *held)
{
	BiPipelineAsk *some = palloc(sizeof(BiPipelineAsk) * n);
	pg_uuid_t  *hashes = palloc(sizeof(pg_uuid_t) * n);
	bool	   *has = palloc(sizeof(bool) * n);
	int		   *places = palloc(sizeof(int) * n);
	int			m = 0;

	for (int i = 0; i < n; i++)
	{
		held[i] = false;
		if (asks[i].state == BI_ROW_ANSWERED || asks[i].state == BI_ROW_FAILED)
			continue;
		bi_inflight_hash(refresh->enroll.rows, rows[i].record_id, rows[i].key, &hashes[m]);
		some[m] = asks[i];
		places[m++] = i;
	}
	if (m == 0)
		return;
	bi_inflight_look(refresh->enroll.rows, hashes, m, has);
	bi_pipeline_judge(refresh->pipeline, refresh->enroll.job.spec.digest, some, m, NULL, NULL);
	for (int i = 0; i < m; i++)
	{
		/* The answer of another job is on its way, and is written where this one is not. */
		if (has[i] && some[i].state == BI_ROW_KEPT)
			some[i].state = BI_ROW_CHANGED;
		asks[places[i]].state = some[i].state;
		held[places[i]] = has[i];
	}
}

/* Of a replace: it is decided later which values are sent.  What open jobs have is asked first, for
 * a job that ends meanwhile has answered its rows. */
static void
judge_values(Refresh *refresh, const BiDraft *rows, BiPipelineAsk *asks, int n, bool *keep)
{
	pg_uuid_t  *hashes = palloc(sizeof(pg_uuid_t) * n);
	pg_uuid_t  *values = palloc(sizeof(pg_uuid_t) * n);
	bool	   *held = palloc(sizeof(bool) * n);

	for (int i = 0; i < n; i++)
	{
		bi_inflight_hash(refresh->enroll.rows, rows[i].record_id, rows[i].key, &hashes[i]);
		bi_enroll_value(&refresh->enroll, &rows[i], &values[i]);
		asks[i].value = &values[i];
	}
	bi_inflight_look(refresh->enroll.rows, hashes, n, held);
	bi_pipeline_judge(refresh->pipeline, refresh->enroll.job.spec.digest, asks, n,
					  &refresh->seen, refresh->cxt);
	refuse_again(asks, n);
	for (int i = 0; i < n; i++)
		bi_whole_add(refresh->whole, &asks[i], held[i]);
	memset(keep, true, n);
}

static void
judge_rows(BiJudge *judge, const BiDraft *rows, int n, bool *keep)
{
	Refresh    *refresh = (Refresh *) judge;
	const char *digest = refresh->enroll.job.spec.digest;
	BiPipelineAsk *asks = palloc(sizeof(BiPipelineAsk) * n);
	bool	   *held = palloc(sizeof(bool) * n);

	for (int i = 0; i < n; i++)
		asks[i] = (BiPipelineAsk) {rows[i].record_id, rows[i].input};
	if (refresh->rebase)
	{
		if (refresh->mark)
			bi_pipeline_mark_current(refresh->pipeline, digest, asks, n);
		else
			bi_pipeline_rebase(refresh->pipeline, digest, asks, n);
		memset(keep, false, n);
		return;
	}
	if (refresh->whole)
	{
		judge_values(refresh, rows, asks, n, keep);
		return;
	}
	bi_pipeline_judge(refresh->pipeline, digest, asks, n, &refresh->seen, refresh->cxt);
	refuse_again(asks, n);
	look_in_flight(refresh, rows, asks, n, held);
	for (int i = 0; i < n; i++)
		keep[i] = choose(refresh, asks[i].state, held[i]);
	look_at_kept(refresh, rows, asks, n);
	bi_pipeline_write_kept(refresh->pipeline, asks, n);
}

/* Returns why what is due is not to be sent now, or NULL. */
static char *
refusal(const Refresh *refresh)
{
	const BiPipeline *pipeline = refresh->pipeline;
	const BiPipelineRows *rows = &refresh->rows;
	int64		before = rows->answered + rows->changed + rows->kept;

	if (!refresh->wish->force && rows->changed * 2 > before)
		return psprintf(INT64_FORMAT " of " INT64_FORMAT " answered rows would be sent again, under"
						" the same version; batch_refresh(…, force => true) sends them",
						rows->changed, before);
	if (refresh->wish->is_scheduled && rows->due < pipeline->min_rows && !pipeline->is_overdue)
		return psprintf(INT64_FORMAT " rows are due, fewer than min_rows", rows->due);
	return NULL;
}

/* Asked once all rows are judged, before one is stored. */
static bool
may_go_on(BiJudge *judge)
{
	Refresh    *refresh = (Refresh *) judge;

	if (refresh->rebase)
		return true;
	if (refresh->whole)
		bi_whole_choose(refresh->whole, refresh->pipeline, refresh->wish->max_rows,
						&refresh->rows);
	if (refresh->rows.due > 0)
		refresh->why = refusal(refresh);
	if (refresh->whole && refresh->why == NULL)
		bi_whole_forget(refresh->whole, refresh->pipeline);
	return refresh->why == NULL;
}

static bool
is_chosen(BiJudge *judge, int64 number)
{
	const Refresh *refresh = (Refresh *) judge;

	return refresh->whole == NULL || bi_whole_is_chosen(refresh->whole, number);
}

/* Opens the query, as the owner and with the settings of the pipeline. */
static void
open_query(Refresh *refresh)
{
	const BiPipeline *pipeline = refresh->pipeline;
	BiValues   *values = palloc(sizeof(BiValues));
	BiRequest  *request = palloc(sizeof(BiRequest));
	BiEnroll   *enroll = &refresh->enroll;

	bi_stored_read(pipeline->given, "batch_refresh", values);
	bi_argument_of_values(values, request);
	request->name = pipeline->name;
	if (request->spec.in_flight == BI_IN_FLIGHT_SEND)
		request->spec.in_flight = BI_IN_FLIGHT_SKIP;
	enroll->pipeline = pipeline->id;
	enroll->judge = &refresh->judge;
	refresh->judge.judge = judge_rows;
	refresh->judge.may_go_on = may_go_on;
	refresh->judge.is_chosen = is_chosen;
	if (request->spec.write_mode == BI_WRITE_MODE_REPLACE && refresh->rebase == NULL)
		refresh->whole = bi_whole_new();
	bi_enroll_open(enroll, request);
	enroll->job.spec.pipeline = pipeline->id;
	enroll->job.spec.version = pipeline->version;
	enroll->job.spec.digest = digest_of(&enroll->job.spec);
}

static void
run_as_owner(void *arg)
{
	Refresh    *refresh = arg;

	open_query(refresh);
	if (refresh->code)
		refresh->code(refresh);
}

static void
run(Refresh *refresh)
{
	const BiPipeline *pipeline = refresh->pipeline;
	int			level = NewGUCNestLevel();

	if (superuser_arg(pipeline->owner) && !pipeline->owner_superuser)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of pipeline \"%s\" has become a superuser", pipeline->name),
				 errhint("A superuser lets it go on: batch_adopt_pipeline(%s).",
						 quote_literal_cstr(pipeline->name))));
	apply_settings(pipeline);
	bi_owner_call(pipeline->owner, run_as_owner, refresh);
	AtEOXact_GUC(false, level);
}

static void
enroll_rows(Refresh *refresh)
{
	BiPlanned	planned = bi_enroll_run(&refresh->enroll);
	BiPipelineRows *rows = &refresh->rows;

	/* what others have taken since it was looked at */
	rows->in_flight += planned.records + planned.already;
	rows->due -= planned.records + planned.already;
}

int64
bi_refresh_run(const BiPipeline *pipeline, const BiRefresh *wish, char **why)
{
	Refresh    *refresh = palloc0(sizeof(Refresh));

	refresh->pipeline = pipeline;
	refresh->wish = wish;
	refresh->cxt = CurrentMemoryContext;
	refresh->code = enroll_rows;
	bi_after_take(pipeline->id);
	run(refresh);
	*why = refresh->why;
	BI_CRASH_POINT("refresh", "taken");
	bi_pipeline_note(pipeline, &refresh->rows, refresh->enroll.job.id, refresh->why);
	return refresh->enroll.job.id;
}

/* A row that the query does not return once it is answered is never seen to change. */
static void
warn_of_filter(Refresh *refresh)
{
	const BiEnroll *enroll = &refresh->enroll;
	const char *name;

	if (enroll->target == NULL)
		return;
	name = bi_trace_filter(bi_source_query(enroll->intake->source), enroll->target->relid,
						   bi_target_column_names(enroll->target));
	if (name)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("the query leaves out rows that are answered: it looks at column \"%s\"",
						name),
				 errdetail("The pipeline knows by itself what is answered.  Rows that the query"
						   " does not return are not counted, nor seen to change."),
				 errhint("Leave that condition out.")));
}

void
bi_refresh_check(const BiPipeline *pipeline)
{
	Refresh    *refresh = palloc0(sizeof(Refresh));

	refresh->pipeline = pipeline;
	refresh->code = warn_of_filter;
	run(refresh);
}

void
bi_refresh_rebase(const BiPipeline *old, const BiPipeline *pipeline)
{
	static const BiRefresh any = {0};
	Refresh    *refresh = palloc0(sizeof(Refresh));

	refresh->pipeline = old;
	refresh->wish = &any;
	refresh->code = enroll_rows;
	refresh->rebase = pipeline;
	refresh->mark = true;
	run(refresh);
	refresh = palloc0(sizeof(Refresh));
	refresh->pipeline = pipeline;
	refresh->wish = &any;
	refresh->code = enroll_rows;
	refresh->rebase = pipeline;
	run(refresh);
	bi_pipeline_unmark(pipeline);
}
