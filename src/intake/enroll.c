/*
 * intake/enroll.c: a request becomes a job in our tables.
 *
 * The user's rights, the target and the tables are looked after here; the way from the query to
 * records is intake.c's.  The records go into our tables while they stream past (the sink below).
 * Nothing is sent: a worker does that after the commit.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "intake/enroll.h"
#include "intake/mode.h"
#include "intake/purse.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "provider/registry.h"
#include "provider/words.h"
#include "store/aim.h"
#include "store/carry.h"
#include "store/keyhash.h"
#include "store/owner.h"
#include "store/record.h"
#include "store/sql.h"
#include "store/target_check.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* The server */

/*
 * Returns the option that gives a key, for a hint: that of a file if the current user may name
 * one.
 */
static const char *
key_option(const BiProvider *provider)
{
	const char *const *names = provider->defaults.mapping_options;

	if (has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		for (int i = 0; names[i]; i++)
			if (bi_words_end(names[i], "_file"))
				return names[i];
	return names[0];
}

/* Loads the server of that name as the current user has it. */
static BiServer *
require_server(const char *name, const BiProvider **provider)
{
	BiServer   *server = bi_server_load(bi_server_require(name, GetUserId()), GetUserId());

	*provider = bi_registry_find(server->provider);
	if (*provider == NULL)
		INVALID(errmsg("server \"%s\" has the unknown provider \"%s\"", name, server->provider));
	if (!OidIsValid(server->mapping))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("user mapping not found for \"%s\" and server \"%s\"",
						GetUserNameFromId(GetUserId(), false), name),
				 errhint("CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (%s '…')"
						 " gives the key.",
						 quote_identifier(name), key_option(*provider))));
	return server;
}

/* The target */

/* Returns how many numbers an embedding of the job has; 0 if that is not certain. */
static int
embedding_size(const BiIntake *intake)
{
	const BiProviderJob *job = intake->provider->job;

	if (intake->spec.task != BI_TASK_EMBEDDING || job->embedding_size == NULL)
		return 0;
	return job->embedding_size(&intake->spec);
}

/* Returns the target, which the current user may write to; NULL if the job has none. */
static BiTarget *
require_target(const BiRequest *request, const BiIntake *intake, BiSpec *spec)
{
	BiTarget   *target;

	if (OidIsValid(request->target) != (request->spec.write_back != NULL))
		INVALID(errmsg("arguments \"target\" and \"write_back\" belong together"),
				errhint("target is the table, write_back says which column takes which part of the"
						" output."));
	bi_mode_choose(request, spec);
	if (!OidIsValid(request->target))
		return NULL;
	target = bi_target_open(request->target, spec);
	bi_target_check(target, spec, embedding_size(intake));
	/* Tables whose owners do not fit may be mended until the write; of these kinds the owners
	 * decide more, so say it now. */
	if (target->is_view || target->is_remote)
		(void) bi_owner_writer(GetUserId(), target->relid,
							   target->write_mode == BI_WRITE_MODE_REPLACE);
	return target;
}

/* The guard */

/* Returns the names as they stand in a message. */
static char *
join_names(const List *names)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, names)
		appendStringInfo(&text, "%s\"%s\"", foreach_current_index(cell) ? ", " : "",
						 (char *) lfirst(cell));
	return text.data;
}

/* Returns the names that are not in the other list. */
static List *
names_without(const List *names, const List *others)
{
	List	   *rest = NIL;
	ListCell   *cell;

	foreach(cell, names)
		if (!bi_target_names_have(others, lfirst(cell)))
			rest = lappend(rest, lfirst(cell));
	return rest;
}

/* Says what write_if => 'unchanged' cannot see. */
static void
report_unguarded(const List *other, const List *unreadable)
{
	if (other)
		ereport(NOTICE,
				(errmsg("changes of what the query's column %s is made of are not all noticed",
						join_names(other)),
				 errdetail("It does not come from columns of the target's own row alone.  An answer"
						   " is written although the rest may have changed since.")));
	if (unreadable)
		ereport(NOTICE,
				(errmsg("changes of column %s of the target are not noticed",
						join_names(unreadable)),
				 errdetail("You lack SELECT on it.")));
}

/* True if rows that the job may overwrite are known before there are answers.  Says so if not. */
static bool
can_guard(const BiJob *job, const BiTarget *target)
{
	if (job->spec.write_if != BI_WRITE_IF_UNCHANGED ||
		target->write_mode == BI_WRITE_MODE_UPDATE)
		return true;
	if (target->write_mode != BI_WRITE_MODE_UPSERT)
		return false;
	if (bi_mode_sources(target) != NIL)
		return true;
	ereport(NOTICE,
			(errmsg("changes of rows that are there are not noticed"),
			 errdetail("Which rows the answers overwrite is not known before they come."),
			 errhint("With write_if => 'null' only columns that are null are overwritten.")));
	return false;
}

/* Sets which columns of the target must hold what they hold now when an answer is written. */
static void
choose_guard(BiJob *job, const BiTarget *target, const BiIntake *intake)
{
	BiTrace		trace = {NIL, NIL};
	List	   *names = bi_target_column_names(target);

	if (job->spec.write_if == BI_WRITE_IF_UNCHANGED && target->write_mode == BI_WRITE_MODE_UPDATE)
	{
		trace = bi_intake_trace(intake, job->target);
		names = list_concat(names, names_without(trace.guarded, names));
	}
	job->spec.guarded = bi_guard_readable(job->target, names, job->owner);
	names = names_without(names, job->spec.guarded);
	if (job->spec.write_if == BI_WRITE_IF_NULL && names)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for column %s of table %s", join_names(names),
						target->name),
				 errhint("write_if => 'null' needs SELECT on the columns to be written.")));
	report_unguarded(trace.other, names);
}

/* The sink: records go into our tables */

/* A sink that stores the records of one job.  On the stack of store_job. */
typedef struct Storage
{
	BiSink		sink;			/* first: the planner knows this part only */
	int64		job_id;
	BiStage    *stage;			/* records that are not in the table yet */
	const BiEnroll *enroll;
} Storage;

static void
name_chunk(BiSink *sink, BiChunk *chunk)
{
	chunk->id = bi_chunk_reserve();
	chunk->job_id = ((Storage *) sink)->job_id;
	bi_chunk_new_intent(chunk->intent);
}

void
bi_enroll_value(const BiEnroll *enroll, const BiDraft *draft, pg_uuid_t *value)
{
	List	   *key = bi_mode_value(enroll->sources, draft);

	bi_keyhash_set(enroll->value_hash, linitial(key), list_length(key) > 1 ? key : NIL, value);
}

static void
stage_record(BiSink *sink, int64 seq, const BiChunk *chunk, const BiDraft *draft)
{
	Storage    *storage = (Storage *) sink;
	pg_uuid_t	value;
	BiStaged	record = {
		seq, chunk ? chunk->id : 0, draft->record_id, draft->key, draft->input, draft->columns
	};

	if (draft->copies != BI_COPIES_NONE)
	{
		record.source_job = draft->source_job != 0 ? draft->source_job : storage->job_id;
		record.source_seq = draft->source_seq;
	}
	if (storage->enroll->value_hash)
	{
		bi_enroll_value(storage->enroll, draft, &value);
		record.value = &value;
	}
	bi_record_add(storage->stage, &record);
}

static void
move_records(BiSink *sink, const BiChunk *from, const BiChunk *to, int n)
{
	bi_record_flush(((Storage *) sink)->stage);
	bi_record_move_last(from->id, to->id, n);
}

BiGuard *
bi_enroll_guard(const BiEnroll *enroll)
{
	const BiJob *job = &enroll->job;

	return bi_guard_open(enroll->target, job->spec.guarded,
						 bi_owner_writer(job->owner, enroll->target->relid, false),
						 bi_source_snapshot(enroll->intake->source));
}

/* Returns what reads the guards of the records, or NULL. */
static BiGuard *
open_guards(const BiEnroll *enroll)
{
	const BiSpec *spec = &enroll->job.spec;

	if (enroll->target == NULL || spec->write_if != BI_WRITE_IF_UNCHANGED || spec->guarded == NIL)
		return NULL;
	return bi_enroll_guard(enroll);
}

/* Makes the job of a request whose query is open.  Returns its target, or NULL. */
static BiTarget *
fill_job(BiJob *job, const BiRequest *request, const BiIntake *intake)
{
	BiTarget   *target;

	job->spec = intake->spec;
	target = require_target(request, intake, &job->spec);
	job->name = request->name;
	job->owner = GetUserId();
	job->server = intake->server->oid;
	job->server_name = request->server;
	job->deadline = request->deadline;
	job->target = request->target;
	if (target)
	{
		job->target_name = target->name;
		if (!bi_guard_exists() || !can_guard(job, target))
			job->spec.write_if = BI_WRITE_IF_ALWAYS;
		if (job->spec.write_if != BI_WRITE_IF_ALWAYS)
			choose_guard(job, target, intake);
		job->spec.aim = bi_aim_remember(target, job->spec.guarded);
	}
	return target;
}

static void
check_encoding(void)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("batch jobs need a database with encoding UTF8"),
				 errdetail("This one has %s; a model's output can hold any character.",
						   GetDatabaseEncodingName())));
}

void
bi_enroll_check(BiEnroll *enroll, const BiRequest *request)
{
	const BiProvider *provider;
	BiServer   *server;

	check_encoding();
	server = require_server(request->server, &provider);
	enroll->intake = bi_intake_open(request, server, provider);
	enroll->target = fill_job(&enroll->job, request, enroll->intake);
}

void
bi_enroll_open(BiEnroll *enroll, const BiRequest *request)
{
	BiJob	   *job = &enroll->job;
	char	   *settings = NULL;

	if (OidIsValid(request->target)) /* before the query can change them */
		settings = bi_carry_collect(GetUserId());
	bi_enroll_check(enroll, request);
	job->spec.settings = settings;
	if (job->id == 0 && !enroll->only_look)
		job->id = bi_job_reserve();
	enroll->sources = enroll->target ? bi_mode_sources(enroll->target) : NIL;
	if (job->spec.write_mode == BI_WRITE_MODE_REPLACE)
		enroll->value_hash = bi_keyhash_new(enroll->target);
	if (enroll->pipeline != 0 && (enroll->target == NULL || bi_spec_adds(&job->spec)))
		enroll->rows = bi_inflight_open_pipeline(enroll->pipeline, job->id);
	else if (enroll->target && !bi_spec_adds(&job->spec) && bi_inflight_exists())
		enroll->rows = bi_inflight_open(enroll->target, job->id, job->spec.in_flight);
}

/* Stores the job, whose records are stored. */
static void
store_job(BiEnroll *enroll, const BiPlanned *planned)
{
	BiJob	   *job = &enroll->job;
	uint8		digest[BI_DIGEST_SIZE];
	ListCell   *cell;

	job->spec.endpoint = enroll->intake->spec.endpoint;	/* known after the first body only */
	job->spec.prompt_cache = enroll->intake->spec.prompt_cache;	/* after the last row */
	job->digest = bi_intake_digest(enroll->intake, digest) ? digest : NULL;
	bi_purse_check(job, planned);
	bi_job_insert(job, planned->records, planned->skipped);
	if (enroll->rows)
		bi_inflight_note(enroll->rows, planned->already);
	foreach(cell, planned->chunks)
		bi_chunk_insert(lfirst(cell));
	foreach(cell, planned->copies)
		bi_chunk_insert(lfirst(cell));
}

BiPlanned
bi_enroll_run(BiEnroll *enroll)
{
	Storage		storage = {{name_chunk, stage_record, move_records}};
	BiJob	   *job = &enroll->job;
	BiIntake   *intake = enroll->intake;
	BiPlanned	planned;

	/* A value whose rows are replaced is sent whole.  The judge has left out those of which an open
	 * job has a row, so there is one only if that job has begun again meanwhile. */
	if (enroll->rows)
		intake->sieve = bi_sieve_new(enroll->rows, enroll->value_hash ? BI_IN_FLIGHT_ERROR
									 : job->spec.in_flight, enroll->judge);
	storage.job_id = job->id;
	storage.enroll = enroll;
	storage.stage = bi_record_stage(CurrentMemoryContext, job->id, open_guards(enroll),
									enroll->sources);
	planned = bi_intake_run(intake, &storage.sink);
	bi_record_flush(storage.stage);
	if (planned.records > 0 || enroll->pipeline == 0)
		store_job(enroll, &planned);
	else
		job->id = 0;
	return planned;
}
