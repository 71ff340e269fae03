/*
 * engine/step.c: the frame of a step: claim, work, exchange, record.
 *
 * Knows how an exchange is sent with its secret and how what came of it is recorded.
 * What is done in each state stands in create.c and follow.c, how a step begins in
 * claim.c.  Called by them and by drive.c.
 */
#include "postgres.h"

#include <time.h>

#include "base/crash.h"
#include "base/http.h"
#include "base/secret.h"
#include "engine/fault.h"
#include "engine/login.h"
#include "engine/step.h"
#include "miscadmin.h"
#include "store/event.h"
#include "store/flight.h"
#include "store/pause.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Who looks when a batch has ended: it may have been a large one. */
#define ROOM_FOR 8

/* How often a step tries to record before its chunk is let go, and how long it waits between. */
#define RECORD_TRIES 5
#define RECORD_AGAIN_MS 1000

BiRecordOf *
bi_step_begin_record(BiStep *step)
{
	BiState		from = step->record.from;

	memset(&step->record, 0, sizeof(step->record));
	step->record.from = from;
	return &step->record;
}

/* The chunk stays as its claim left it: what was to be recorded is given up.  A reason that
 * the chunk gives already is not reported again. */
static void
let_go(const BiStep *step)
{
	if (!bi_chunk_let_go(step->chunk->id, step->rewrites, step->let_go_ms, step->let_go))
		return;
	bi_event_add(step->chunk, "error", step->let_go, 0, NULL);
	ereport(LOG,
			(errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " was let go: %s",
					step->chunk->id, step->chunk->job_id, step->let_go)));
}

/* Of a pause, without a word of the provider's. */
static const char *
pause_kind(const BiRecordOf *r)
{
	if (r->status == 0)
		return "no answer";
	return r->status >= 300 ? psprintf("HTTP status %d", r->status) : "refused for now";
}

static void
set_pause(const BiStep *step)
{
	const BiRecordOf *r = &step->record;
	BiPause		pause = {
		.server = step->job->server, .server_name = step->server->name,
		.owner = r->pause_owner, .requester = step->job->owner, .delay_ms = r->pause_ms,
		.cause = r->denied ? "denied" : "failing", .kind = pause_kind(r), .reason = r->waiting_for,
	};

	bi_pause_set(&pause);
}

static void
save(BiStep *step)
{
	BiRecordOf *r = &step->record;

	bi_chunk_save(step->chunk, r->from, !r->hold, r->delay_ms, r->waiting_for, r->error);
	if (r->event)
		bi_event_add(step->chunk, r->event, r->detail, r->status, r->request_id);
	if (r->pause_ms > 0)
		set_pause(step);
	else if (r->heard && step->server_failures > 0)
		bi_pause_clear(step->job->server, step->server->name, step->job->owner);
	if (r->also)
		r->also(step);
	if (r->room)
		bi_flight_wake(step->job->server, ROOM_FOR);
	BI_CRASH_POINT(bi_state_name(r->from), "record");
}

static void
save_phase(void *arg)
{
	BiStep	   *step = arg;

	if (step->let_go)
		let_go(step);
	else
		save(step);
}

static void try_record(BiStep *step);

/* A step that does not hold its chunk is over. */
static void
recorded(BiStep *step)
{
	step->record.from = step->chunk->state;
	step->not_before = 0;
	step->record_failures = 0;
	step->work = step->record.hold ? step->after_record : NULL;
	step->reply = NULL;
}

/*
 * Tries again a second later, for what was paid for must not be forgotten.  Where only this
 * chunk fails, it is let go in the state that its claim recorded, as a crash would leave it.
 * Where nothing can be recorded, drive.c ends the process.
 */
static void
not_recorded(BiStep *step, const ErrorData *error)
{
	char	   *text = psprintf("could not record a step of chunk " INT64_FORMAT " of batch job " INT64_FORMAT ": %s",
								step->chunk->id, step->chunk->job_id, error->message);

	if (bi_fault_add(step->process_faults, error->sqlerrcode, text) && step->record_failures == 0)
		ereport(LOG, (errcode(error->sqlerrcode), errmsg_internal("%s", text)));
	if (++step->record_failures == RECORD_TRIES)
		bi_step_let_go(step, error->message, BI_STEP_AGAIN_MS);
	step->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RECORD_AGAIN_MS);
	step->work = try_record;
}

static void
try_record(BiStep *step)
{
	ErrorData  *error = bi_xact_run(step->mode, save_phase, step);

	if (error == NULL)
	{
		BI_CRASH_POINT(bi_state_name(step->record.from), "recorded");
		/* That a chunk could be let go says little: it is the least that a transaction may need. */
		if (!step->failing && step->let_go == NULL)
			bi_fault_none(step->process_faults);
		recorded(step);
	}
	else if (error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE)
	{
		/* Somebody else moved it: what we know is old. */
		step->record.hold = false;
		recorded(step);
	}
	else
		not_recorded(step, error);
}

void
bi_step_let_go(BiStep *step, const char *reason, int64 delay_ms)
{
	if (step->let_go)
		return;
	step->let_go = MemoryContextStrdup(step->cxt, reason);
	step->let_go_ms = delay_ms;
	step->chunk->state = step->record.from;
	step->record.hold = false;
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
	step->sent_at = GetCurrentTimestamp();
	step->unwanted_at = 0;
	step->moved = 0;
	BI_CRASH_POINT(bi_state_name(step->record.from), "send");
	bi_http_start(step->http, ex);
}

static void
set_proof(BiStep *step, char *proof)
{
	bi_secret_wipe(step->proof);
	step->proof = proof;
	bi_blot_add(step->blot, proof);
}

/* proof is NULL for the secret itself; it is the step's from now on. */
static void
start_authorized(BiStep *step, BiExchange *ex, char *proof)
{
	set_proof(step, proof);
	step->call.now = (int64) time(NULL);
	step->provider->authorize(&step->call, proof ? proof : step->secret, ex);
	start_exchange(step, ex, step->behind_login);
}

static bool start_login(BiStep *step, BiExchange *ex);

static void
set_login_cursor(BiStep *step, char *cursor)
{
	bi_secret_wipe(step->login_cursor);
	step->login_cursor = cursor;
}

static BiCall
login_call(const BiStep *step)
{
	BiCall		call = step->call;

	call.cursor = step->login_cursor;
	call.now = (int64) time(NULL);
	return call;
}

/* There is no token.  The one that was to be renewed does as long as it is good. */
static void
login_failed(BiStep *step, const BiVerdict *verdict)
{
	MemoryContext cxt = step->ex->cxt;
	char	   *spare = bi_login_spare(step->server, step->secret);

	if (spare == NULL)
	{
		step->unsent(step, verdict);
		/* Whoever should give it is the mapping's affair: others have their own. */
		step->record.pause_owner = step->job->owner;
		return;
	}
	ereport(LOG,
			(errmsg("could not renew the login at server \"%s\", which is still good: %s", step->server->name, verdict->message)));
	start_authorized(step, step->behind, spare);
	MemoryContextDelete(cxt);
}

/* The key has been exchanged for a token, or not, or not yet. */
static void
read_login(BiStep *step)
{
	BiCall		call = login_call(step);
	char	   *token;
	int			lifetime;
	BiVerdict	verdict = step->provider->read_login(&call, step->secret, step->ex, &token, &lifetime);
	MemoryContext cxt = step->ex->cxt;

	set_login_cursor(step, verdict.kind == BI_OK ? verdict.next : NULL);
	if (verdict.kind != BI_OK)
	{
		login_failed(step, &verdict);
		return;
	}
	if (verdict.next == NULL)
	{
		bi_login_keep(step->server, step->secret, token, lifetime);
		BI_CRASH_POINT(bi_state_name(step->record.from), "login");
		start_authorized(step, step->behind, token);
	}
	else if (!start_login(step, step->behind))
		elog(ERROR, "the login of server \"%s\" does not end", step->server->name);
	MemoryContextDelete(cxt);
}

/* Does this provider want a token for this key?  Then that comes first. */
static bool
start_login(BiStep *step, BiExchange *ex)
{
	BiCall		call = login_call(step);
	BiExchange *login;

	if (step->provider->login == NULL)
		return false;
	login = new_exchange(step);
	login->brief = true;		/* whoever drips, at an address of a mapping, would take a place from others */
	if (!step->provider->login(&call, step->secret, login))
		return false;
	/* It may give the proof that we have: that is not to be blotted out of its reply. */
	set_proof(step, NULL);
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
	set_login_cursor(step, NULL);
	if (token == NULL && start_login(step, ex))
		return;
	start_authorized(step, ex, token);
}

/* Listings have a thousand entries a page: more pages than this are none of ours. */
#define TURNS_MAX 1000

void
bi_step_begin_turns(BiStep *step)
{
	step->call.cursor = NULL;
	step->turns = 0;
}

bool
bi_step_next_turn(BiStep *step, BiVerdict *verdict)
{
	if (verdict->kind != BI_OK || verdict->next == NULL)
	{
		step->call.cursor = NULL;
		return false;
	}
	step->call.cursor = pstrdup(verdict->next);
	if (++step->turns < TURNS_MAX)
		return true;
	verdict->kind = BI_UNCLEAR;
	verdict->code = "endless";
	verdict->message = "the provider's pages do not end";
	return false;
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
	step->failing = true;
	bi_fault_kept(step->process_faults, error);
	step->chunk->state = r->from;
	r->event = "error";
	r->detail = error->message;
	r->waiting_for = error->message;
	r->delay_ms = BI_STEP_AGAIN_MS;
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
	bi_exchange_scrub(step->ex, step->proof);
	bi_exchange_scrub(step->ex, step->login_cursor);
	step->reply = NULL;
	BI_CRASH_POINT(bi_state_name(step->record.from), "reply");
	run_guarded(step, reply);
}

void
bi_step_work(BiStep *step)
{
	BiStepWork	work = step->work;

	step->work = NULL;
	BI_CRASH_POINT(bi_state_name(step->record.from), "work");
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
	bi_secret_wipe(step->proof);
	bi_secret_wipe(step->login_cursor);
	MemoryContextDelete(step->cxt);
}

const char *
bi_step_describe(const BiStep *step)
{
	return psprintf("%s chunk " INT64_FORMAT " of batch job " INT64_FORMAT,
					bi_state_name(step->chunk->state), step->chunk->id, step->chunk->job_id);
}
