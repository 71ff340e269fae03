/*
 * engine/claim.c: a chunk that is due becomes a step.
 *
 * One process works on a chunk at a time.  The claim is its holder in the table, written in the
 * same subtransaction as all of this, so that a claim that fails leaves nothing behind:
 *
 *   1. The chunk is taken.  Another process may have ended it meanwhile; then there is no step.
 *   2. If only waiting writes are due, the step repeats them, and that is all.
 *   3. If the job was cancelled or has passed its deadline: a chunk of which nothing is paid for
 *      ends now, with its records.  A chunk whose batch is at the provider becomes "cancelling",
 *      and the provider is asked as soon as it can be.
 *      Copies need nothing of what follows: their answers are in our tables (results/copies.c).
 *   4. Server, user mapping, right and key are looked up, as the job's owner.  If one of them is
 *      missing, the chunk waits and says what gives it.  A missing key throttles the server for
 *      all jobs of this owner, so that each of them does not find out by itself.
 *   5. If the server was dropped, nothing can be asked any more.  A chunk that the owner has given
 *      up ends, and what it left at the provider is reported as left behind.
 *   6. batch/moves.c chooses the move by the chunk's state, passes the gates, and writes the state
 *      that says what may be under way from now on.
 *
 * What the claim has written is the truth after a crash: the next claim finds the chunk in that
 * state, held by a process that is gone, and does what the state asks for.
 *
 * Why the key is read here and not when it is needed: a key reference is resolved with catalog
 * look-ups, which need a transaction.  It stays in memory, and is wiped with the step.
 *
 * A step may be over when the claim returns: everything that was to be done is in the table.
 *
 * A quiet poll (quiet.c) goes the same way from 4 on, and writes nothing: step.c takes the chunk
 * when there is something to save.
 */
#include "postgres.h"

#include "base/crash.h"
#include "base/secret.h"
#include "engine/batch/moves.h"
#include "engine/claim.h"
#include "engine/react.h"
#include "engine/results/copies.h"
#include "engine/results/deliver.h"
#include "engine/settle.h"
#include "miscadmin.h"
#include "store/attempt.h"
#include "store/event.h"
#include "store/open.h"
#include "store/pause.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* How often claims are released at the end; each try waits no longer than lock_timeout. */
#define RELEASE_TRIES 3

/* Returns a digest of whose batches this server and key see.  In a transaction: PostgreSQL's hashes
 * belong to its resource owner. */
static char *
account_digest(const BiStep *step)
{
	const BiServer *server = step->server;
	const BiProviderLogin *login = step->provider->login;
	const char *parts[] = {
		step->chunk->intent, server->base_url, server->organization, server->project,
		login->account ? login->account(&step->call, step->secret) : step->secret
	};

	return bi_secret_digest(parts, lengthof(parts));
}

/* Sets provider and secret.  Returns what the owner lacks to use the server, and what gives it;
 * NULL if they have all. */
static const char *
load_key(BiStep *step)
{
	BiServer   *server = step->server;
	const char *owner = quote_identifier(GetUserNameFromId(step->job->owner, false));
	const char *name = quote_identifier(server->name);
	char	   *why = NULL;

	if (!bi_server_usable(server->oid, step->job->owner))
		return psprintf("the job's owner lacks USAGE on server \"%s\";"
						" GRANT USAGE ON FOREIGN SERVER %s TO %s gives it",
						server->name, name, owner);
	step->provider = bi_registry_find(server->provider);
	if (step->provider == NULL)
		return psprintf("server \"%s\" has the unknown provider \"%s\"",
						server->name, server->provider);
	if (!OidIsValid(server->mapping))
		return psprintf("the job's owner has no user mapping for server \"%s\";"
						" CREATE USER MAPPING FOR %s SERVER %s OPTIONS (…) gives the key",
						server->name, owner, name);
	step->secret = bi_registry_secret(step->provider, server, &why);
	if (step->secret == NULL)
		return psprintf("no key for server \"%s\": %s;"
						" ALTER USER MAPPING … SERVER %s changes where it comes from",
						server->name, why, name);
	return NULL;
}

/* A missing key holds up all jobs of its owner at that server, as a refused one does. */
static void
wait_for_key(BiStep *step, const char *missing)
{
	BiPause		pause = {
		.server = step->job->server, .server_name = step->server->name,
		.owner = step->job->owner, .delay_ms = BI_STEP_AGAIN_MS, .cause = BI_PAUSE_MISSING,
		.kind = "no key", .reason = missing,
	};

	bi_step_wait(step, BI_WAIT_KEY, missing, BI_STEP_AGAIN_MS);
	bi_pause_set(&pause);
}

/* Loads server, provider, key and limits.  Returns NULL, or what is missing and who can give it. */
static const char *
load_server(BiStep *step)
{
	BiJob	   *job = step->job;
	const char *missing;

	if (GetUserNameFromId(job->owner, true) == NULL)
		return psprintf("the job's owner does not exist any more;"
						" a superuser can give the job to another role:"
						" batch_adopt(" INT64_FORMAT ", 'role')", job->id);
	step->server = bi_server_load(job->server, job->owner);
	if (step->server == NULL)
		return psprintf("server \"%s\" does not exist any more", job->server_name);
	missing = load_key(step);
	if (missing)
		return missing;
	step->blot = bi_blot_new(step->cxt);
	bi_blot_add(step->blot, step->secret);
	step->call.provider = step->provider;
	step->call.job = job;
	step->call.server = step->server;
	step->call.chunk = step->chunk;
	step->account = account_digest(step);
	step->limits = bi_registry_limits(step->provider, step->server, job->spec.model);
	return NULL;
}

/* Ends the records as the owner wished, and the chunk in the state that it has already.  detail is
 * the event's, or NULL. */
static void
end_as_wished(BiStep *step, const char *detail)
{
	BiChunk    *chunk = step->chunk;
	bool		late = step->wish == BI_WISH_DEADLINE;

	if (late)
		(void) bi_attempt_rest(chunk, BI_OUTCOME_EXPIRED, false, "deadline",
							   "the job's deadline has passed");
	else
		(void) bi_attempt_rest(chunk, BI_OUTCOME_CANCELLED, false, "cancelled",
							   "the job was cancelled");
	(void) bi_attempt_settle(chunk, false);
	bi_batch_finish(chunk->batch, late ? BI_BATCH_END_EXPIRED : BI_BATCH_END_CANCELLED);
	bi_chunk_save(chunk, step->saved_state, true, 0, NULL, NULL);
	bi_event_add(chunk, late ? "deadline passed" : "cancelled", detail, 0, NULL);
	bi_settle(step->job, chunk, step->saved_state);
	(void) bi_job_finish(&chunk->job_id, 1);
}

/* True if the server was dropped.  Without an owner there is no server either, but batch_adopt can
 * bring that back. */
static bool
is_server_gone(const BiStep *step)
{
	return step->server == NULL && GetUserNameFromId(step->job->owner, true) != NULL;
}

/* The job was cancelled or is past its deadline, and no paid batch is known: ends the chunk now.
 * False if a batch may be there.  An ambiguous chunk ends, too: its owner may know more about it
 * than we do. */
static bool
end_unsent(BiStep *step)
{
	BiChunk    *chunk = step->chunk;

	switch (chunk->state)
	{
		case BI_CHUNK_PLANNED:
			/* A try that failed may have left its input at the provider. */
			chunk->state = chunk->failures > 0 ? BI_CHUNK_CLEANING : BI_CHUNK_CANCELLED;
			break;
		case BI_CHUNK_UPLOADING:
		case BI_CHUNK_UPLOADED:
		case BI_CHUNK_AMBIGUOUS:
			chunk->state = BI_CHUNK_CLEANING;
			break;
		case BI_CHUNK_DELIVERING:
			if (chunk->copies == BI_COPIES_NONE)
				return false;
			chunk->state = BI_CHUNK_CANCELLED;
			break;
		default:
			return false;
	}
	end_as_wished(step, NULL);
	return true;
}

/* The job was cancelled or is past its deadline, and a batch is at the provider: writes that it is
 * to be cancelled.  This needs no server: if it is missing, the chunk waits for it then. */
static bool
begin_cancel(BiStep *step)
{
	if (step->chunk->state != BI_CHUNK_SUBMITTED && step->chunk->state != BI_CHUNK_RUNNING)
		return false;
	step->chunk->state = BI_CHUNK_CANCELLING;
	bi_chunk_save(step->chunk, step->saved_state, true, 0, NULL, NULL);
	return true;
}

/* The server was dropped, and with it the way to the provider.  Ends a chunk that nobody waits for
 * any more, and leaves behind what is there.  False if somebody may wait for it. */
static bool
abandon(BiStep *step, const char *reason)
{
	BiChunk    *chunk = step->chunk;

	switch (chunk->state)
	{
		case BI_CHUNK_CREATING:
		case BI_CHUNK_FETCHING:
		case BI_CHUNK_DELIVERING:
			if (step->wish == BI_WISH_NONE)
				return false;
			/* FALLTHROUGH */
		case BI_CHUNK_CANCELLING:
			chunk->state = BI_CHUNK_CLEANING;
			end_as_wished(step, reason);
			return true;
		case BI_CHUNK_CLEANING:
			chunk->state = bi_react_final(chunk);
			bi_chunk_save(chunk, BI_CHUNK_CLEANING, true, 0, NULL, NULL);
			bi_event_add(chunk, "left behind", reason, 0, NULL);
			return true;
		default:
			return false;
	}
}

/* Saves what the chunk waits for before anything can be asked of the provider. */
static void
wait_for_missing(BiStep *step, const char *missing)
{
	if (is_server_gone(step))
		bi_step_wait(step, BI_WAIT_SERVER,
					 psprintf("%s; batch_cancel(" INT64_FORMAT ") ends the job",
							  missing, step->job->id),
					 BI_STEP_AGAIN_MS);
	else if (step->server)
		wait_for_key(step, missing);
	else
		bi_step_wait(step, BI_WAIT_OWNER, missing, BI_STEP_AGAIN_MS);
}

/* Decides what the step does. */
static void
prepare(BiStep *step, const BiDue *due)
{
	const char *missing;

	if (!due->step)
	{
		step->move = BI_MOVE_REWRITE;
		step->work = bi_deliver_rewrite;
		return;
	}
	if (step->wish != BI_WISH_NONE && (end_unsent(step) || begin_cancel(step)))
		return;
	if (step->chunk->copies != BI_COPIES_NONE)
	{
		bi_copies_claim(step, bi_deliver_copies);
		return;
	}
	missing = load_server(step);
	if (missing == NULL)
		bi_moves_start(step);
	else if (!is_server_gone(step) || !abandon(step, missing))
		wait_for_missing(step, missing);
}

/* A chunk that is being claimed. */
typedef struct Claim
{
	const BiClaimer *claimer;
	const BiDue *due;
	MemoryContext cxt;			/* of the step */
	BiStep	   *step;			/* out: what the claim made */
	const char *reason;			/* why it could not be claimed */
} Claim;

static BiStep *
new_step(const Claim *claim)
{
	const BiDue *due = claim->due;
	BiStep	   *step = palloc0(sizeof(BiStep));

	step->cxt = claim->cxt;
	step->mode = claim->claimer->mode;
	dlist_init(&step->exchanges);
	step->http = claim->claimer->http;
	step->process_faults = claim->claimer->faults;
	step->chunk = bi_chunk_copy(due->chunk);
	step->wish = due->wish;
	step->server_failures = due->server_failures;
	step->saved_state = due->chunk->state;
	step->base = due->base;
	step->is_quiet = step->is_unclaimed = due->base != 0;
	return step;
}

static void
claim_phase(void *arg)
{
	Claim	   *claim = arg;
	MemoryContext old = MemoryContextSwitchTo(claim->cxt);
	BiStep	   *step = new_step(claim);

	/* Another chunk of this job may have taken its records over. */
	if (step->is_unclaimed || bi_chunk_claim(step->chunk))
	{
		step->job = bi_job_load(claim->cxt, step->chunk->job_id);
		prepare(step, claim->due);
	}
	claim->step = step;
	MemoryContextSwitchTo(old);
}

/* Lets the chunk wait with that reason, because its claim has failed. */
static void
refuse_phase(void *arg)
{
	const Claim *claim = arg;
	const BiChunk *chunk = claim->due->chunk;
	BiWait		wait = {BI_WAIT_ERROR, claim->reason};

	if (claim->due->base != 0)
		bi_open_claim(chunk, chunk->state, claim->due->base);
	else if (!bi_chunk_claim(chunk))
		return;
	bi_chunk_save(chunk, chunk->state, true, BI_STEP_AGAIN_MS, &wait, NULL);
}

/* Promise 4: one bad chunk stops nothing else. */
static void
refuse(Claim *claim, const ErrorData *error)
{
	const BiChunk *chunk = claim->due->chunk;
	BiFaults   *faults = claim->claimer->faults;

	MemoryContextDelete(claim->cxt);
	/* Another process has changed the chunk of a quiet poll. */
	if (error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE && claim->due->base != 0)
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("could not claim chunk " INT64_FORMAT " of batch job " INT64_FORMAT ": %s",
					chunk->id, chunk->job_id, error->message)));
	claim->reason = error->message;
	if (bi_xact_try(refuse_phase, claim) == NULL)
		bi_fault_kept(faults, error);
	else
		(void) bi_fault_add(faults, error->sqlerrcode, error->message);
}

BiStep *
bi_claim_step(const BiClaimer *claimer, const BiDue *due)
{
	Claim		claim = {.claimer = claimer, .due = due};
	ErrorData  *error;

	claim.cxt = AllocSetContextCreate(claimer->cxt, "batchinf step", ALLOCSET_DEFAULT_SIZES);
	error = bi_xact_try(claim_phase, &claim);
	if (error)
	{
		refuse(&claim, error);
		return NULL;
	}
	BI_CRASH_POINT(bi_state_name(claim.step->chunk->state), "claim");
	return claim.step;
}

bool
bi_claim_is_second_probe(const List *steps, const BiDue *due)
{
	ListCell   *cell;

	if (!due->step || due->server_failures == 0 || due->wish != BI_WISH_NONE)
		return false;
	foreach(cell, steps)
	{
		const BiJob *job = ((BiStep *) lfirst(cell))->job;

		if (job->server == due->server && job->owner == due->owner)
			return true;
	}
	return false;
}

static void
release_phase(void *arg)
{
	bi_chunk_release_all();
}

void
bi_claim_release(BiXactMode mode)
{
	ErrorData  *error;
	int			tries = 0;

	while ((error = bi_xact_finish(mode, release_phase, NULL)) != NULL && ++tries < RELEASE_TRIES)
		continue;
	if (error)
		ereport(LOG,
				(errmsg("could not release claims: %s", error->message),
				 errdetail("They end with this process, or when it works on batch jobs again.")));
}
