/*
 * engine/claim.c: a chunk that is due becomes a step.
 *
 * In the claim's transaction: what it needs is looked up, what its owner wishes is
 * heeded, the state that says what may be under way from now on is written, and the
 * move that goes with it chosen.  Called by drive.c.
 */
#include "postgres.h"

#include "base/secret.h"
#include "engine/claim.h"
#include "engine/create.h"
#include "engine/deliver.h"
#include "engine/follow.h"
#include "engine/react.h"
#include "miscadmin.h"
#include "store/aim.h"
#include "store/event.h"
#include "store/flight.h"
#include "store/gather.h"
#include "store/pause.h"
#include "store/rate.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* In the claim's transaction: the chunk stays where it is and says why. */
static void
wait_for(BiStep *step, const char *reason, int64 delay_ms)
{
	bi_chunk_save(step->chunk, step->record.from, true, delay_ms, reason, NULL);
}

/* In a transaction: PostgreSQL's hashes belong to its resource owner. */
static char *
account_digest(const BiStep *step)
{
	const BiServer *server = step->server;
	char	   *whose = step->provider->account ? step->provider->account(&step->call, step->secret) : step->secret;
	const char *parts[] = {step->chunk->intent, server->base_url, server->organization, server->project, whose};

	return bi_secret_digest(parts, lengthof(parts));
}

/* What the owner lacks to use the server, and what gives it; NULL if they have all. */
static const char *
load_key(BiStep *step)
{
	BiServer   *server = step->server;
	const char *owner = quote_identifier(GetUserNameFromId(step->job->owner, false));
	const char *name = quote_identifier(server->name);
	char	   *why = NULL;

	if (!bi_server_usable(server->oid, step->job->owner))
		return psprintf("the job's owner lacks USAGE on server \"%s\"; GRANT USAGE ON FOREIGN SERVER %s TO %s gives it",
						server->name, name, owner);
	step->provider = bi_registry_find(server->provider);
	if (step->provider == NULL)
		return psprintf("server \"%s\" has the unknown provider \"%s\"", server->name, server->provider);
	if (!OidIsValid(server->mapping))
		return psprintf("the job's owner has no user mapping for server \"%s\"; CREATE USER MAPPING FOR %s SERVER %s OPTIONS (…) gives the key",
						server->name, owner, name);
	step->secret = bi_registry_secret(step->provider, server, &why);
	if (step->secret == NULL)
		return psprintf("no key for server \"%s\": %s; ALTER USER MAPPING … SERVER %s changes where it comes from", server->name, why, name);
	return NULL;
}

/* A key that is missing holds up all jobs of its owner at that server, as one that is refused. */
static void
wait_for_key(BiStep *step, const char *missing)
{
	BiPause		pause = {
		.server = step->job->server, .server_name = step->server->name,
		.owner = step->job->owner, .requester = step->job->owner, .delay_ms = BI_STEP_AGAIN_MS,
		.cause = "missing", .kind = "no key", .reason = missing,
	};

	wait_for(step, missing, BI_STEP_AGAIN_MS);
	bi_pause_set(&pause);
}

/* Server, mapping, right and key, or the reason why not. */
static const char *
load_server(BiStep *step)
{
	BiJob	   *job = step->job;
	const char *missing;

	if (GetUserNameFromId(job->owner, true) == NULL)
		return psprintf("the job's owner does not exist any more; a superuser can give the job to another role:"
						" batch_adopt(" INT64_FORMAT ", 'role')", job->id);
	step->server = bi_server_load(job->server, job->owner);
	if (step->server == NULL)
		return psprintf("server \"%s\" does not exist any more", job->server_name);
	missing = load_key(step);
	if (missing)
		return missing;
	step->blot = bi_blot_new(step->cxt);
	bi_blot_add(step->blot, step->secret);
	step->call.job = job;
	step->call.server = step->server;
	step->call.chunk = step->chunk;
	step->account = account_digest(step);
	step->limits = bi_registry_limits(step->provider, step->server, job->spec.model);
	return NULL;
}

/* Its records end as the user wished, and the chunk as that state, which it has already. */
static void
end_as_wished(BiStep *step, const char *detail)
{
	BiChunk    *chunk = step->chunk;
	bool		late = step->wish == BI_WISH_DEADLINE;

	(void) bi_result_rest(chunk, late ? BI_EXPIRED : BI_CANCELLED_RECORD, false,
						  late ? "deadline" : "cancelled", late ? "the job's deadline has passed" : "the job was cancelled");
	(void) bi_result_settle(chunk, false);
	chunk->batch_end = late ? "expired" : "cancelled";
	bi_chunk_save(chunk, step->record.from, true, 0, NULL, NULL);
	bi_event_add(chunk, late ? "deadline passed" : "cancelled", detail, 0, NULL);
	bi_job_finish_due();
}

/* No batch_adopt brings it back, as it does for a job without an owner. */
static bool
is_server_gone(const BiStep *step)
{
	return step->server == NULL && GetUserNameFromId(step->job->owner, true) != NULL;
}

/* The user wants no more of it, and nothing that is paid for is at the provider, as far as can
 * be known: of an ambiguous chunk he is the one who knows more. */
static bool
end_unsent(BiStep *step)
{
	BiChunk    *chunk = step->chunk;

	switch (chunk->state)
	{
		case BI_PLANNED:
			/* What failed may have left its input there. */
			chunk->state = chunk->failures > 0 ? BI_CLEANING : BI_CANCELLED;
			break;
		case BI_UPLOADING:
		case BI_UPLOADED:
		case BI_AMBIGUOUS:
			chunk->state = BI_CLEANING;
			break;
		default:
			return false;
	}
	end_as_wished(step, NULL);
	return true;
}

/* The user wants no more of it, and a batch is at the provider: it is to be cancelled there as
 * soon as that can be asked for.  That needs no server: a missing one is waited for then. */
static bool
begin_cancel(BiStep *step)
{
	if (step->chunk->state != BI_SUBMITTED && step->chunk->state != BI_RUNNING)
		return false;
	step->chunk->state = BI_CANCELLING;
	bi_chunk_save(step->chunk, step->record.from, true, 0, NULL, NULL);
	return true;
}

/* The server was dropped, and with it the way to the provider: what nobody waits for any more
 * ends here, and what we left there stays. */
static bool
abandon(BiStep *step, const char *reason)
{
	BiChunk    *chunk = step->chunk;

	switch (chunk->state)
	{
		case BI_CREATING:
		case BI_FETCHING:
		case BI_DELIVERING:
			if (step->wish == BI_WISH_NONE)
				return false;
			/* FALLTHROUGH */
		case BI_CANCELLING:
			chunk->state = BI_CLEANING;
			end_as_wished(step, reason);
			return true;
		case BI_CLEANING:
			chunk->state = bi_react_final(chunk);
			bi_chunk_save(chunk, BI_CLEANING, true, 0, NULL, NULL);
			bi_event_add(chunk, "left behind", reason, 0, NULL);
			return true;
		default:
			return false;
	}
}

static bool
is_beyond(int64 used, int64 more, int64 limit)
{
	return limit > 0 && used + more > limit;
}

/* Is there room for one more batch of this size at the server?  NULL, or what is full.  What
 * is planned leaves room to those whose inputs are there already, and to those before it. */
static const char *
no_room(BiStep *step)
{
	const BiLimits *limits = &step->limits;
	const BiChunk *chunk = step->chunk;
	bool		planned = chunk->state == BI_PLANNED;
	BiFlight	flight;

	if (limits->max_batches <= 0 && limits->max_enqueued_tokens <= 0 && limits->max_enqueued_requests <= 0 && limits->max_files <= 0)
		return NULL;
	flight = bi_flight_at(step->job->server, chunk, planned);
	if (is_beyond(flight.batches, 1, limits->max_batches))
		return psprintf(BI_FLIGHT_ROOM ": " INT64_FORMAT " batches in flight, max_batches is " INT64_FORMAT, flight.batches, limits->max_batches);
	if (flight.batches > 0 && is_beyond(flight.tokens, chunk->tokens, limits->max_enqueued_tokens))
		return psprintf(BI_FLIGHT_ROOM ": " INT64_FORMAT " tokens enqueued, max_enqueued_tokens is " INT64_FORMAT, flight.tokens, limits->max_enqueued_tokens);
	if (flight.batches > 0 && is_beyond(flight.requests, chunk->records, limits->max_enqueued_requests))
		return psprintf(BI_FLIGHT_ROOM ": " INT64_FORMAT " requests enqueued, max_enqueued_requests is " INT64_FORMAT, flight.requests, limits->max_enqueued_requests);
	if (planned && is_beyond(flight.files, 1, limits->max_files))
		return psprintf(BI_FLIGHT_ROOM ": " INT64_FORMAT " files there, max_files is " INT64_FORMAT, flight.files, limits->max_files);
	if (!planned || !flight.behind)
		return NULL;
	bi_flight_wake(step->job->server, 1);
	return BI_FLIGHT_ROOM ": others come first";
}

/* True: nothing more of this job is to be sent now, or the server has no room for it. */
static bool
must_wait(BiStep *step)
{
	const char *why = bi_rate_hold(step->job, step->chunk);

	if (why == NULL)
		why = no_room(step);
	if (why)
		wait_for(step, why, Min(10 * step->limits.poll_interval, 600) * 1000);
	return why != NULL;
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
	step->chunk->refs = bi_ref_set(step->chunk->refs, BI_CREATE_ACCOUNT, step->account);
	step->chunk->claimed_at = GetCurrentTimestamp();
	hold(step, BI_CREATING, bi_create_send);
}

/* The provider would refuse so small a batch.  True: it is not sent now, or not at all. */
static bool
is_too_small(BiStep *step)
{
	BiChunk    *chunk = step->chunk;
	int64		min = step->limits.min_requests;
	/* What is sent again does not go with just enough: those that come later would be too few. */
	int64		few = min > 1 && chunk->attempt > 1 ? 2 * min : min;
	char	   *text;

	if (chunk->records >= few)
		return false;
	bi_gather_small(chunk, few, step->limits.max_requests, step->limits.max_bytes);
	if (chunk->records >= few)
		return false;
	text = psprintf(INT64_FORMAT " records, fewer than the " INT64_FORMAT " that a batch needs", chunk->records, min);
	if (bi_gather_more(chunk, few))
	{
		wait_for(step, chunk->records < min ? psprintf("company: %s", text) : "company: others of the job may have to be sent again too",
				 step->limits.poll_interval * 1000);
		return true;
	}
	if (chunk->records >= min)
		return false;
	bi_result_repeat(chunk, "too_few_records", text);
	chunk->state = BI_DONE;
	chunk->batch_end = "completed";
	bi_chunk_save(chunk, BI_PLANNED, true, 0, NULL, NULL);
	bi_event_add(chunk, "not sent", text, 0, NULL);
	bi_job_finish_due();
	return true;
}

/* The target cannot be written: an answer for it would be paid for in vain. */
static bool
is_target_amiss(BiStep *step)
{
	char	   *why = OidIsValid(step->job->target) ? bi_aim_find(step->job)->why : NULL;

	if (why == NULL)
		return false;
	wait_for(step, psprintf("target: %s; it is looked at again by itself, or at once by batch_resume(" INT64_FORMAT ")",
							why, step->job->id),
			 Min(BI_STEP_AGAIN_MS, bi_react_poll_ms(step)));
	return true;
}

/* Nothing of the chunk is paid for yet. */
static bool
is_unpaid(BiState state)
{
	return state == BI_PLANNED || state == BI_UPLOADING || state == BI_UPLOADED;
}

static void
choose_move(BiStep *step)
{
	BiChunk    *chunk = step->chunk;

	if (is_unpaid(chunk->state) && is_target_amiss(step))
		return;
	switch (chunk->state)
	{
		case BI_PLANNED:
			if (is_too_small(step) || must_wait(step))
				break;
			if (step->provider->upload == NULL)
				begin_create(step);
			else
				hold(step, BI_UPLOADING, bi_create_upload);
			break;
		case BI_UPLOADING:		/* its worker died */
			hold(step, BI_UPLOADING, bi_create_upload);
			break;
		case BI_UPLOADED:
			if (!must_wait(step))
				begin_create(step);
			break;
		case BI_CREATING:		/* its fate is unknown */
			hold(step, BI_CREATING, bi_create_find);
			break;
		case BI_SUBMITTED:
		case BI_RUNNING:
			hold(step, chunk->state, bi_follow_poll);
			break;
		case BI_CANCELLING:
			hold(step, BI_CANCELLING, bi_follow_cancel);
			break;
		case BI_DELIVERING:		/* its worker died */
			chunk->state = BI_FETCHING;
			bi_chunk_save(chunk, BI_DELIVERING, false, 0, NULL, NULL);
			step->record.from = BI_FETCHING;
			/* FALLTHROUGH */
		case BI_FETCHING:
			hold(step, BI_FETCHING, bi_follow_fetch);
			break;
		case BI_CLEANING:
			hold(step, BI_CLEANING, bi_follow_clean);
			break;
		case BI_AMBIGUOUS:
			hold(step, BI_AMBIGUOUS, chunk->batch_id ? bi_follow_poll : bi_create_find);
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
	if (step->wish != BI_WISH_NONE && (end_unsent(step) || begin_cancel(step)))
		return;
	missing = load_server(step);
	if (missing && is_server_gone(step) && abandon(step, missing))
		return;
	if (missing && is_server_gone(step))
		wait_for(step, psprintf("%s; batch_cancel(" INT64_FORMAT ") ends the job", missing, step->job->id), BI_STEP_AGAIN_MS);
	else if (missing && step->server)
		wait_for_key(step, missing);
	else if (missing)
		wait_for(step, missing, BI_STEP_AGAIN_MS);
	else
		choose_move(step);
}

BiStep *
bi_claim_step(MemoryContext cxt, BiXactMode mode, BiHttp *http, const BiDue *due)
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
	step->unsent = bi_create_unsent;
	/* Another one of this job may have taken its records over. */
	if (bi_chunk_claim(step->chunk))
	{
		step->job = bi_job_load(cxt, step->chunk->job_id);
		prepare(step, due);
	}
	MemoryContextSwitchTo(old);
	return step;
}

void
bi_claim_refuse(const BiDue *due, const char *reason)
{
	if (!bi_chunk_claim(due->chunk))
		return;
	bi_chunk_save(due->chunk, due->chunk->state, true, BI_STEP_AGAIN_MS, reason, NULL);
}
