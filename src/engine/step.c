/*
 * engine/step.c: the frame of a step: claim, work, exchange, record.
 *
 * Knows how a chunk is claimed, how an exchange is sent with its secret and how what
 * came of it is recorded.  What to do in each state is moves.c.  Called by drive.c.
 */
#include "postgres.h"

#include "base/http.h"
#include "base/secret.h"
#include "engine/deliver.h"
#include "engine/moves.h"
#include "engine/step.h"
#include "engine/login.h"
#include "miscadmin.h"
#include "store/event.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A claim that meets something missing (server, mapping, key, right) looks again then. */
#define AGAIN_MS 30000

BiRecordOf *
bi_step_begin_record(BiStep *step)
{
	BiState		from = step->record.from;

	memset(&step->record, 0, sizeof(step->record));
	step->record.from = from;
	return &step->record;
}

static void
save(BiStep *step)
{
	BiRecordOf *r = &step->record;

	bi_chunk_save(step->chunk, r->from, !r->hold, r->delay_ms, r->waiting_for, r->error);
	if (r->event)
		bi_event_add(step->chunk, r->event, r->detail, r->status, r->request_id);
	if (r->pause_ms > 0)
		bi_pause_set(step->job->server, r->pause_owner, r->pause_ms, r->waiting_for);
	else if (r->heard && step->server_failures > 0)
		bi_pause_clear(step->job->server, step->job->owner);
	if (r->also)
		r->also(step);
	if (r->room)
		bi_chunk_room(step->job->server);
}

static void
save_phase(void *arg)
{
	save(arg);
}

/* A step that does not hold its chunk is over. */
static void
recorded(BiStep *step)
{
	step->record.from = step->chunk->state;
	step->not_before = 0;
	step->work = step->record.hold ? step->after_record : NULL;
	step->reply = NULL;
}

static void
try_record(BiStep *step)
{
	ErrorData  *error = bi_xact_run(step->mode, save_phase, step);

	if (error == NULL)
	{
		recorded(step);
		return;
	}
	if (error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE)
	{
		/* Somebody else moved it: what we know is old. */
		step->record.hold = false;
		recorded(step);
		return;
	}
	/* What was paid for must not be forgotten: until it is written, nothing else. */
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("could not record a step of chunk " INT64_FORMAT " of batch job " INT64_FORMAT ": %s",
					step->chunk->id, step->chunk->job_id, error->message)));
	step->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 1000);
	step->work = try_record;
}

void
bi_step_record(BiStep *step, BiStepWork then)
{
	step->after_record = then;
	step->work = try_record;
}

static BiExchange *
new_exchange(BiStep *step)
{
	BiExchange *ex = bi_exchange_new(AllocSetContextCreate(step->cxt, "batchinf exchange", ALLOCSET_DEFAULT_SIZES));

	ex->allow_http = step->server->owner_is_superuser;
	return ex;
}

/* Its reply is read by the work that bi_step_send names. */
BiExchange *
bi_step_exchange(BiStep *step)
{
	if (step->ex)
		MemoryContextDelete(step->ex->cxt);
	step->ex = new_exchange(step);
	return step->ex;
}

static void
start_exchange(BiStep *step, BiExchange *ex, BiStepWork reply)
{
	step->ex = ex;
	step->reply = reply;
	step->work = NULL;
	bi_http_start(step->http, ex);
}

static void
start_authorized(BiStep *step, BiExchange *ex, const char *proof)
{
	step->provider->authorize(&step->call, proof, ex);
	start_exchange(step, ex, step->behind_login);
}

/* The key has been exchanged for a token, or not. */
static void
read_login(BiStep *step)
{
	char	   *token;
	int			lifetime;
	BiVerdict	verdict = step->provider->read_login(&step->call, step->ex, &token, &lifetime);

	if (verdict.kind != BI_OK)
	{
		bi_move_unsent(step, &verdict);
		return;
	}
	MemoryContextDelete(step->ex->cxt);
	bi_login_keep(step->server, step->secret, token, lifetime);
	start_authorized(step, step->behind, token);
	bi_secret_wipe(token);
}

/* Does this provider want a token for this key?  Then that comes first. */
static bool
start_login(BiStep *step, BiExchange *ex)
{
	BiExchange *login;

	if (step->provider->login == NULL)
		return false;
	login = new_exchange(step);
	if (!step->provider->login(&step->call, step->secret, login))
		return false;
	step->behind = ex;
	start_exchange(step, login, read_login);
	return true;
}

void
bi_step_send(BiStep *step, BiStepWork reply)
{
	BiExchange *ex = step->ex;
	char	   *token = step->provider->login ? bi_login_find(step->server, step->secret) : NULL;

	step->behind_login = reply;
	if (token == NULL && start_login(step, ex))
		return;
	start_authorized(step, ex, token ? token : step->secret);
	if (token)
		bi_secret_wipe(token);
}

/* An error that no phase has caught: no transaction is open.  The chunk stays in the
 * state that is recorded and says why; what it does next is what a crash would do. */
static void
give_up(BiStep *step, const ErrorData *error)
{
	BiRecordOf *r = bi_step_begin_record(step);

	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " cannot go on now: %s",
					step->chunk->id, step->chunk->job_id, error->message)));
	step->chunk->state = r->from;
	r->event = "error";
	r->detail = error->message;
	r->waiting_for = error->message;
	r->delay_ms = AGAIN_MS;
	step->reply = NULL;
	bi_step_record(step, NULL);
}

/* Promise 4: one bad chunk stops nothing else. */
static void
run_guarded(BiStep *step, BiStepWork work)
{
	MemoryContext old = MemoryContextSwitchTo(step->cxt);

	PG_TRY();
	{
		work(step);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(step->cxt);
		error = CopyErrorData();
		if (bi_xact_is_cancel(error))
			PG_RE_THROW();
		FlushErrorState();
		give_up(step, error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

void
bi_step_reply(BiStep *step)
{
	BiStepWork	reply = step->reply;

	/* Some providers quote the key that they refuse. */
	bi_exchange_scrub(step->ex, step->secret);
	step->reply = NULL;
	run_guarded(step, reply);
}

void
bi_step_work(BiStep *step)
{
	BiStepWork	work = step->work;

	step->work = NULL;
	run_guarded(step, work);
}

bool
bi_step_over(const BiStep *step)
{
	return step->work == NULL && step->reply == NULL;
}

void
bi_step_free(BiStep *step)
{
	bi_secret_wipe(step->secret);
	MemoryContextDelete(step->cxt);
}

const char *
bi_step_describe(const BiStep *step)
{
	return psprintf("%s chunk " INT64_FORMAT " of batch job " INT64_FORMAT,
					bi_state_name(step->chunk->state), step->chunk->id, step->chunk->job_id);
}

/* In the claim's transaction: the chunk stays where it is and says why. */
static void
wait_for(BiStep *step, const char *reason, int64 delay_ms)
{
	bi_chunk_save(step->chunk, step->record.from, true, delay_ms, reason, NULL);
}

/* Server, mapping, right and key, or the reason why not. */
static const char *
load_server(BiStep *step)
{
	BiJob	   *job = step->job;
	char	   *why = NULL;

	if (GetUserNameFromId(job->owner, true) == NULL)
		return "the job's owner does not exist any more";
	step->server = bi_server_load(job->server, job->owner);
	if (step->server == NULL)
		return psprintf("server \"%s\" does not exist any more", job->server_name);
	if (!bi_server_usable(job->server, job->owner))
		return psprintf("the job's owner lacks USAGE on server \"%s\"", job->server_name);
	step->provider = bi_registry_find(step->server->provider);
	if (step->provider == NULL)
		return psprintf("server \"%s\" has the unknown provider \"%s\"", job->server_name, step->server->provider);
	if (!OidIsValid(step->server->mapping))
		return psprintf("the job's owner has no user mapping for server \"%s\"", job->server_name);
	step->secret = bi_secret_read(&step->server->key, &why);
	if (step->secret == NULL)
		return psprintf("no key for server \"%s\": %s", job->server_name, why);
	step->limits = bi_registry_limits(step->provider, step->server);
	step->call.job = job;
	step->call.server = step->server;
	step->call.chunk = step->chunk;
	return NULL;
}

/* The user wants no more of it, and nothing is at the provider, or nothing that is paid for. */
static bool
end_unsent(BiStep *step)
{
	BiChunk    *chunk = step->chunk;
	bool		late = step->wish == BI_WISH_DEADLINE;

	switch (chunk->state)
	{
		case BI_PLANNED:
			chunk->state = BI_CANCELLED;
			break;
		case BI_UPLOADING:
		case BI_UPLOADED:
		case BI_AMBIGUOUS:
			chunk->state = BI_CLEANING;
			break;
		default:
			return false;
	}
	(void) bi_result_rest(chunk, late ? BI_EXPIRED : BI_CANCELLED_RECORD, false,
						  late ? "deadline" : "cancelled", late ? "the job's deadline has passed" : "the job was cancelled");
	(void) bi_result_settle(chunk, false);
	chunk->batch_end = late ? "expired" : "cancelled";
	bi_chunk_save(chunk, step->record.from, true, 0, NULL, NULL);
	bi_event_add(chunk, late ? "deadline passed" : "cancelled", NULL, 0, NULL);
	bi_job_finish_due();
	return true;
}

/* Is there room for one more batch of this size at the server?  NULL, or what is full. */
static char *
no_room(BiStep *step)
{
	BiFlight	flight = bi_chunk_in_flight(step->job->server);

	if (step->limits.max_batches > 0 && flight.batches >= step->limits.max_batches)
		return psprintf("room at the server: " INT64_FORMAT " batches in flight", flight.batches);
	if (step->limits.max_enqueued_tokens > 0 && flight.batches > 0 &&
		flight.tokens + step->chunk->tokens > step->limits.max_enqueued_tokens)
		return psprintf("room at the server: " INT64_FORMAT " tokens enqueued", flight.tokens);
	return NULL;
}

/* The claim records the state that says what may be under way from now on. */
static void
hold(BiStep *step, BiState state, BiStepWork work)
{
	step->chunk->state = state;
	bi_chunk_save(step->chunk, step->record.from, false, 0, NULL, NULL);
	step->record.from = state;
	step->work = work;
}

/* Promise 1: durable before the paid call. */
static void
begin_create(BiStep *step)
{
	step->chunk->tries++;
	step->chunk->claimed_at = GetCurrentTimestamp();
	hold(step, BI_CREATING, bi_move_create);
}

static void
choose_move(BiStep *step)
{
	BiChunk    *chunk = step->chunk;
	char	   *full;

	switch (chunk->state)
	{
		case BI_PLANNED:
			full = no_room(step);
			if (full == NULL && step->provider->upload == NULL)
				begin_create(step);
			else if (full)
				wait_for(step, full, Min(10 * step->limits.poll_interval, 600) * 1000);
			else
				hold(step, BI_UPLOADING, bi_move_upload);
			break;
		case BI_UPLOADING:		/* its worker died */
			hold(step, BI_UPLOADING, bi_move_upload);
			break;
		case BI_UPLOADED:
			begin_create(step);
			break;
		case BI_CREATING:		/* its fate is unknown */
			hold(step, BI_CREATING, bi_move_find);
			break;
		case BI_SUBMITTED:
		case BI_RUNNING:
			if (step->wish == BI_WISH_NONE)
				hold(step, chunk->state, bi_move_poll);
			else
			{
				chunk->state = BI_CANCELLING;
				bi_chunk_save(chunk, step->record.from, true, 0, NULL, NULL);
			}
			break;
		case BI_CANCELLING:
			hold(step, BI_CANCELLING, bi_ref_get(chunk->refs, "cancel_sent") ? bi_move_poll : bi_move_cancel);
			break;
		case BI_DELIVERING:		/* its worker died */
			chunk->state = BI_FETCHING;
			bi_chunk_save(chunk, BI_DELIVERING, false, 0, NULL, NULL);
			step->record.from = BI_FETCHING;
			/* FALLTHROUGH */
		case BI_FETCHING:
			hold(step, BI_FETCHING, bi_move_fetch);
			break;
		case BI_CLEANING:
			hold(step, BI_CLEANING, bi_move_clean);
			break;
		case BI_AMBIGUOUS:
			hold(step, BI_AMBIGUOUS, chunk->batch_id ? bi_move_poll : bi_move_find);
			break;
		case BI_DONE:
		case BI_CANCELLED:
		case BI_FAILED:
			break;
	}
}

static void
prepare(BiStep *step, const BiDue *due)
{
	const char *missing;

	if (!due->step)
	{
		step->work = bi_deliver_rewrite;
		return;
	}
	if (step->wish != BI_WISH_NONE && end_unsent(step))
		return;
	missing = load_server(step);
	if (missing)
		wait_for(step, missing, AGAIN_MS);
	else
		choose_move(step);
}

BiStep *
bi_step_claim(MemoryContext cxt, BiXactMode mode, BiHttp *http, const BiDue *due)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	BiStep	   *step = palloc0(sizeof(BiStep));

	step->cxt = cxt;
	step->mode = mode;
	step->http = http;
	step->chunk = bi_chunk_copy(due->chunk);
	step->wish = due->wish;
	step->server_failures = due->server_failures;
	step->record.from = due->chunk->state;
	bi_chunk_claim(step->chunk);
	step->job = bi_job_load(cxt, step->chunk->job_id);
	prepare(step, due);
	MemoryContextSwitchTo(old);
	return step;
}

void
bi_step_refuse(const BiDue *due, const char *reason)
{
	bi_chunk_claim(due->chunk);
	bi_chunk_save(due->chunk, due->chunk->state, true, AGAIN_MS, reason, NULL);
}
