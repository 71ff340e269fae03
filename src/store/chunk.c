/*
 * store/chunk.c: the table batchinf.chunk: claims, transitions, what is due.
 *
 * Every transition is one UPDATE that names the state it expects and the process
 * that holds the chunk.  Knows no provider and no network.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "common/string.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "store/batchrow.h"
#include "store/chunk.h"
#include "store/spend.h"
#include "store/sql.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Sub-object number of the lock on our extension that serialises claims. */
#define CLAIM_LOCK 1

static const char *const copies_names[] = {
	[BI_COPIES_NONE] = NULL,
	[BI_COPIES_REPEAT] = "repeat",
	[BI_COPIES_CACHED] = "cached",
};

BiChunk *
bi_chunk_copy(const BiChunk *chunk)
{
	BiChunk    *copy = palloc(sizeof(BiChunk));

	*copy = *chunk;
	copy->batch = bi_batch_copy(chunk->batch);
	return copy;
}

void
bi_chunk_new_intent(char *intent)
{
	static const char digits[] = "0123456789abcdef";
	uint8		bytes[BI_INTENT_LEN / 2];

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	for (int i = 0; i < BI_INTENT_LEN; i++)
		intent[i] = digits[(bytes[i / 2] >> (i % 2 ? 0 : 4)) & 0xf];
	intent[BI_INTENT_LEN] = '\0';
}

int64
bi_chunk_reserve(void)
{
	bi_sql_run("SELECT nextval('batchinf.chunk_chunk_id_seq')", NULL);
	return bi_sql_int8(0, 1);
}

/* In a user's session the table may be of an earlier version: only copies need its new columns.
 * They begin as chunks that wait, so that nothing that the others wait for holds them up. */
static void
insert_copies(BiArgs *args, const BiChunk *chunk)
{
	bi_sql_arg_text(args, copies_names[chunk->copies]);
	bi_sql_arg(args, INT8OID, Int64GetDatum(chunk->source_chunk), chunk->source_chunk == 0);
	bi_sql_arg_text(args, BI_CHUNK_COPIES_WAIT);
	bi_sql_arg_text(args, bi_wait_name(BI_WAIT_SOURCE));
	bi_sql_arg_int4(args, chunk->source_chunk == 0 ? 0 : BI_CHUNK_COPIES_MS);
	bi_sql_run("INSERT INTO batchinf.chunk (chunk_id, job_id, attempt, attempts_left, intent,"
			   " records, bytes, tokens, copies, source_chunk, waiting_for, wait_kind,"
			   " waiting_since, next_step_at)"
			   " OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
			   " $12, now(), now() + $13 * interval '1 ms')", args);
}

void
bi_chunk_insert(const BiChunk *chunk)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_int4(&args, chunk->attempt);
	bi_sql_arg_int4(&args, chunk->attempts_left);
	bi_sql_arg_text(&args, chunk->intent);
	bi_sql_arg_int8(&args, chunk->records);
	bi_sql_arg_int8(&args, chunk->bytes);
	bi_sql_arg_int8(&args, chunk->tokens);
	if (chunk->copies != BI_COPIES_NONE)
	{
		insert_copies(&args, chunk);
		return;
	}
	bi_sql_run("INSERT INTO batchinf.chunk (chunk_id, job_id, attempt, attempts_left, intent,"
			   " records, bytes, tokens)"
			   " OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", &args);
}

void
bi_chunk_lock_claims(void)
{
	LockDatabaseObject(ExtensionRelationId, bi_sql_extension(), CLAIM_LOCK, ExclusiveLock);
}

static BiCopies
parse_copies(const char *word)
{
	if (word == NULL)
		return BI_COPIES_NONE;
	return strcmp(word, copies_names[BI_COPIES_REPEAT]) == 0 ? BI_COPIES_REPEAT : BI_COPIES_CACHED;
}

BiChunk *
bi_chunk_read(MemoryContext cxt, int64 row)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	BiChunk    *chunk = palloc0(sizeof(BiChunk));

	chunk->id = bi_sql_int8(row, 1);
	chunk->job_id = bi_sql_int8(row, 2);
	chunk->state = bi_state_parse(bi_sql_text(cxt, row, 3));
	chunk->attempt = bi_sql_int8(row, 4);
	chunk->attempts_left = bi_sql_int8(row, 5);
	strlcpy(chunk->intent, bi_sql_text(cxt, row, 6), sizeof(chunk->intent));
	chunk->records = bi_sql_int8(row, 7);
	chunk->bytes = bi_sql_int8(row, 8);
	chunk->tokens = bi_sql_int8(row, 9);
	chunk->failures = bi_sql_int8(row, 10);
	chunk->polls = bi_sql_int8(row, 11);
	chunk->write_tries = bi_sql_int8(row, 12);
	chunk->copies = parse_copies(bi_sql_text(cxt, row, 13));
	chunk->source_chunk = bi_sql_int8(row, 14);
	chunk->batch = bi_batchrow_read(row, BI_CHUNK_NCOLUMNS - BI_BATCHROW_NCOLUMNS + 1);
	MemoryContextSwitchTo(old);
	return chunk;
}

static BiWish
parse_wish(const char *word)
{
	if (word == NULL)
		return BI_WISH_NONE;
	return strcmp(word, "cancel") == 0 ? BI_WISH_CANCEL : BI_WISH_DEADLINE;
}

/* Reads a row of the statement of bi_chunk_due. */
static BiDue *
read_due(MemoryContext cxt, int64 row)
{
	BiDue	   *due = palloc0(sizeof(BiDue));

	due->chunk = bi_chunk_read(cxt, row);
	due->wish = parse_wish(bi_sql_text(cxt, row, BI_CHUNK_NCOLUMNS + 1));
	due->server = bi_sql_int8(row, BI_CHUNK_NCOLUMNS + 2);
	due->owner = bi_sql_int8(row, BI_CHUNK_NCOLUMNS + 3);
	due->step = bi_sql_bool(row, BI_CHUNK_NCOLUMNS + 4);
	due->server_failures = bi_sql_int8(row, BI_CHUNK_NCOLUMNS + 5);
	due->place = bi_sql_int8(row, BI_CHUNK_NCOLUMNS + 6);
	due->berth = bi_sql_int8(row, BI_CHUNK_NCOLUMNS + 7);
	return due;
}

List *
bi_chunk_due(MemoryContext cxt, int n, bool *more)
{
	BiArgs		args = {0};
	List	   *due = NIL;
	int64		found;
	int64		locked;
	MemoryContext old;

	bi_sql_arg_int4(&args, n);
	/* What another transaction has locked comes without a chunk. */
	found = bi_sql_rerun("WITH s AS MATERIALIZED (SELECT * FROM batchinf.schedule"
						 "  ORDER BY rank LIMIT $1 + 1),"
						 " c AS MATERIALIZED (SELECT c.* FROM batchinf.chunk c"
						 "  WHERE c.chunk_id IN (SELECT chunk_id FROM s WHERE rank <= $1)"
						 "  FOR UPDATE SKIP LOCKED)"
						 " SELECT " BI_CHUNK_COLUMNS ", s.wish, s.server, s.owner, s.step_due,"
						 " s.server_failures, s.place, s.berth"
						 " FROM s LEFT JOIN c ON c.chunk_id = s.chunk_id" BI_BATCHROW_JOIN
						 " ORDER BY c.chunk_id IS NULL, s.rank", &args);
	for (locked = 0; locked < found && bi_sql_int8(locked, 1) != 0; locked++)
	{
		old = MemoryContextSwitchTo(cxt);
		due = lappend(due, read_due(cxt, locked));
		MemoryContextSwitchTo(old);
	}
	*more = locked < found;
	return due;
}

List *
bi_chunk_next_due(MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	List	   *dues = NIL;
	int64		n = bi_sql_rerun("SELECT owner::bigint, at FROM batchinf.next_due", NULL);

	for (int64 row = 0; row < n; row++)
	{
		BiOwnerDue *due = palloc(sizeof(BiOwnerDue));

		due->owner = (Oid) bi_sql_int8(row, 1);
		due->at = bi_sql_time(row, 2);
		dues = lappend(dues, due);
	}
	MemoryContextSwitchTo(old);
	return dues;
}

TimestampTz
bi_chunk_first_due(const List *dues)
{
	TimestampTz first = DT_NOEND;
	ListCell   *cell;

	foreach(cell, dues)
		first = Min(first, ((BiOwnerDue *) lfirst(cell))->at);
	return first;
}

bool
bi_chunk_any_unfinished(void)
{
	bi_sql_rerun("SELECT EXISTS (SELECT FROM batchinf.chunk c"
				 " JOIN batchinf.job j ON j.job_id = c.job_id"
				 " JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database"
				 " WHERE c.next_step_at IS NOT NULL AND NOT (batchinf.class(c.state) > 0"
				 "   AND j.cancelled_at IS NULL AND COALESCE(j.deadline > now(), true)"
				 "   AND (j.paused OR EXISTS (SELECT FROM batchinf.stop_here st"
				 "    WHERE st.server = j.server)))"
				 "  OR c.write_waiting > 0)", NULL);
	return bi_sql_bool(0, 1);
}

/* True if the process with that pid and start time is alive.  pg_stat_activity would not show that
 * to every role. */
PG_FUNCTION_INFO_V1(batchinf_is_alive);
Datum
batchinf_is_alive(PG_FUNCTION_ARGS)
{
	int			n = pgstat_fetch_stat_numbackends();

	for (int i = 1; i <= n; i++)
	{
		PgBackendStatus *entry = &bi_local_beentry(i)->backendStatus;

		if (entry->st_procpid == PG_GETARG_INT32(0))
			PG_RETURN_BOOL(entry->st_proc_start_timestamp == PG_GETARG_TIMESTAMPTZ(1));
	}
	PG_RETURN_BOOL(false);
}

bool
bi_chunk_claim(const BiChunk *chunk)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_time(&args, MyStartTimestamp);
	return bi_sql_run("UPDATE batchinf.chunk SET holder_pid = pg_backend_pid(), holder_start = $2"
					  " WHERE chunk_id = $1", &args) > 0;
}

/* True if its results are final. */
static bool
is_settled(BiChunkState state)
{
	return state == BI_CHUNK_CLEANING || bi_state_final(state);
}

static void
check_move(const BiChunk *chunk, BiChunkState from)
{
	if (!bi_state_may_move(from, chunk->state))
		elog(ERROR, "chunk " INT64_FORMAT " cannot move from %s to %s",
			 chunk->id, bi_state_name(from), bi_state_name(chunk->state));
}

/* Makes chunks due that wait for the results of this one.  One that is locked looks by itself a
 * few seconds later. */
static void
wake_copies(int64 chunk_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_run("UPDATE batchinf.chunk SET next_step_at = now() WHERE chunk_id IN"
			   " (SELECT c.chunk_id FROM batchinf.chunk c WHERE c.source_chunk = $1"
			   "  AND c.next_step_at > now() AND c.holder_pid IS NULL FOR UPDATE SKIP LOCKED)",
			   &args);
}

void
bi_chunk_save(const BiChunk *chunk, BiChunkState from, bool release,
			  int64 delay_ms, const BiWait *wait, const char *error)
{
	BiArgs		args = {0};

	check_move(chunk, from);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, bi_state_name(from));
	bi_sql_arg_int4(&args, chunk->attempt);
	bi_sql_arg_text(&args, bi_state_name(chunk->state));
	bi_sql_arg_int4(&args, chunk->batch->try);
	bi_sql_arg_int4(&args, chunk->failures);
	bi_sql_arg_int4(&args, chunk->polls);
	bi_sql_arg_bool(&args, release);
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(delay_ms / 1000.0), bi_state_final(chunk->state));
	bi_sql_arg_text(&args, wait ? wait->words : NULL);
	bi_sql_arg_text(&args, error);
	bi_sql_arg_int4(&args, chunk->attempts_left);
	bi_sql_arg_text(&args, chunk->intent);
	bi_sql_arg_text(&args, wait ? bi_wait_name(wait->kind) : NULL);
	bi_sql_arg_int8(&args, chunk->traffic.requests);
	bi_sql_arg_int8(&args, chunk->traffic.bytes_up);
	bi_sql_arg_int8(&args, chunk->traffic.bytes_down);
	bi_sql_arg_bool(&args, bi_state_reserves(chunk->state));
	if (bi_sql_run("UPDATE batchinf.chunk SET state = $4, tries = $5, failures = $6, polls = $7,"
				   " attempts_left = $12,"
				   " holder_pid = CASE WHEN NOT $8 THEN holder_pid END,"
				   " holder_start = CASE WHEN NOT $8 THEN holder_start END,"
				   " next_step_at = clock_timestamp() + $9 * interval '1 second',"
				   " waiting_for = $10, wait_kind = $14, error = COALESCE($11, error),"
				   " waiting_since = CASE WHEN $10 IS NOT NULL THEN COALESCE(waiting_since, now())"
				   "  WHEN NOT $8 THEN waiting_since END,"
				   " requests = requests + $15, bytes_up = bytes_up + $16,"
				   " bytes_down = bytes_down + $17,"
				   " reserved = CASE WHEN $18 THEN reserved END"
				   " WHERE chunk_id = $1 AND intent = $13 AND state = $2 AND attempt = $3"
				   " AND holder_pid = pg_backend_pid()", &args) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT
						" was changed by another process", chunk->id, chunk->job_id)));
	bi_spend_staged(chunk->job_id, chunk->id,
					chunk->traffic.bytes_up + chunk->traffic.bytes_down);
	bi_batchrow_save(chunk->id, chunk->batch);
	if (is_settled(chunk->state) && !is_settled(from))
		wake_copies(chunk->id);
}

bool
bi_chunk_let_go(int64 chunk_id, bool writes, int64 delay_ms, const BiWait *wait)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_arg_bool(&args, writes);
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(delay_ms / 1000.0), false);
	bi_sql_arg_text(&args, wait->words);
	bi_sql_arg_text(&args, bi_wait_name(wait->kind));
	if (bi_sql_run("UPDATE batchinf.chunk c SET holder_pid = NULL, holder_start = NULL,"
				   " waiting_for = $4,"
				   " wait_kind = $5,"
				   " waiting_since = COALESCE(c.waiting_since, now()),"
				   " next_step_at = CASE WHEN $2 OR c.next_step_at IS NULL THEN c.next_step_at"
				   " ELSE t.later END,"
				   " write_at = CASE WHEN $2 THEN t.later"
				   " ELSE c.write_at END, write_tries = c.write_tries + $2::int"
				   " FROM (SELECT k.waiting_for FROM batchinf.chunk k WHERE k.chunk_id = $1) o,"
				   " (SELECT clock_timestamp() + $3 * interval '1 second' AS later) t"
				   " WHERE c.chunk_id = $1 AND c.holder_pid = pg_backend_pid()"
				   " RETURNING o.waiting_for IS DISTINCT FROM $4", &args) == 0)
		return false;
	return bi_sql_bool(0, 1);
}

void
bi_chunk_wishes(const int64 *ids, BiWish *wishes, int n)
{
	BiArgs		args = {0};
	Datum	   *items = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
	{
		items[i] = Int64GetDatum(ids[i]);
		wishes[i] = BI_WISH_NONE;
	}
	bi_sql_arg_array(&args, INT8OID, items, NULL, n);
	n = (int) bi_sql_run("SELECT CASE WHEN j.cancelled_at IS NOT NULL THEN 'cancel'"
						 " WHEN j.deadline <= now() THEN 'deadline' END"
						 " FROM unnest($1) WITH ORDINALITY i(chunk_id, place)"
						 " LEFT JOIN batchinf.chunk c ON c.chunk_id = i.chunk_id"
						 " LEFT JOIN batchinf.job j ON j.job_id = c.job_id ORDER BY i.place",
						 &args);
	for (int i = 0; i < n; i++)
		wishes[i] = parse_wish(bi_sql_text(CurrentMemoryContext, i, 1));
}

void
bi_chunk_release_all(void)
{
	bi_sql_run("UPDATE batchinf.chunk SET holder_pid = NULL, holder_start = NULL"
			   " WHERE holder_pid = pg_backend_pid()"
			   " AND (next_step_at IS NOT NULL OR write_waiting > 0)", NULL);
}

/* In a user's session the table may be that of 0.1.0, which has no wait_kind. */
void
bi_chunk_hurry(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("UPDATE batchinf.chunk c SET write_at = LEAST(c.write_at, now()),"
			   " next_step_at = CASE WHEN c.waiting_for IS NOT NULL"
			   " AND c.next_step_at > now() THEN now() ELSE c.next_step_at END"
			   " WHERE c.job_id = $1 AND (c.write_waiting > 0 OR (c.waiting_for IS NOT NULL"
			   " AND c.next_step_at > now()))"
			   " AND EXISTS (SELECT FROM batchinf.due d WHERE d.chunk_id = c.chunk_id"
			   " AND NOT d.held)", &args);
}
