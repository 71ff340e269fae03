/*
 * store/chunk.c: the table batchinf.chunk: claims, transitions, what is due.
 *
 * Every transition is one UPDATE that names the state it expects and the process
 * that holds the chunk.  Knows no provider and no network.  Called by engine/ and,
 * for inserts, by api/.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "common/string.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "store/chunk.h"
#include "store/sql.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Sub-object number of the lock on our extension that serialises claims. */
#define CLAIM_LOCK 1

/* Chunks of one server that are worked on at once. */
#define SERVER_SHARE "12"

BiChunk *
bi_chunk_copy(const BiChunk *chunk)
{
	BiChunk    *copy = palloc(sizeof(BiChunk));

	*copy = *chunk;
	copy->refs = bi_ref_copy(chunk->refs);
	copy->batch_id = chunk->batch_id ? pstrdup(chunk->batch_id) : NULL;
	copy->batch_end = chunk->batch_end ? pstrdup(chunk->batch_end) : NULL;
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
	bi_sql_run("INSERT INTO batchinf.chunk (chunk_id, job_id, attempt, attempts_left, intent, records, bytes, tokens)"
			   " OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", &args);
}

/* As an argument: text[] of name, value, name, value, … */
static void
arg_refs(BiArgs *args, const List *refs)
{
	Datum	   *items = palloc(sizeof(Datum) * (2 * list_length(refs) + 1));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, refs)
	{
		BiRef	   *ref = lfirst(cell);

		items[n++] = CStringGetTextDatum(ref->name);
		items[n++] = CStringGetTextDatum(ref->value);
	}
	bi_sql_arg_array(args, TEXTOID, items, NULL, n);
}

static List *
refs_from_array(Datum array)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;
	List	   *refs = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i + 1 < n; i += 2)
		if (!nulls[i] && !nulls[i + 1])
			refs = bi_ref_set(refs, TextDatumGetCString(items[i]), TextDatumGetCString(items[i + 1]));
	return refs;
}

void
bi_chunk_lock_claims(void)
{
	LockDatabaseObject(ExtensionRelationId, bi_sql_extension(), CLAIM_LOCK, ExclusiveLock);
}

#define CHUNK_COLUMNS \
	"c.chunk_id, c.job_id, c.state, c.attempt, c.attempts_left, c.intent, c.tries, c.records, c.bytes, c.tokens," \
	" c.batch_id, c.batch_end, c.claimed_at, c.failures, c.polls, c.write_tries, c.submitted_at," \
	" ARRAY(SELECT unnest(ARRAY[key, value]) FROM jsonb_each_text(c.refs))"
#define NCHUNK_COLUMNS 18

static BiChunk *
read_chunk(MemoryContext cxt, int64 row)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	BiChunk    *chunk = palloc0(sizeof(BiChunk));
	bool		isnull;

	chunk->id = bi_sql_int8(row, 1);
	chunk->job_id = bi_sql_int8(row, 2);
	chunk->state = bi_state_parse(bi_sql_text(cxt, row, 3));
	chunk->attempt = bi_sql_int8(row, 4);
	chunk->attempts_left = bi_sql_int8(row, 5);
	strlcpy(chunk->intent, bi_sql_text(cxt, row, 6), sizeof(chunk->intent));
	chunk->tries = bi_sql_int8(row, 7);
	chunk->records = bi_sql_int8(row, 8);
	chunk->bytes = bi_sql_int8(row, 9);
	chunk->tokens = bi_sql_int8(row, 10);
	chunk->batch_id = bi_sql_text(cxt, row, 11);
	chunk->batch_end = bi_sql_text(cxt, row, 12);
	chunk->claimed_at = bi_sql_time(row, 13);
	chunk->failures = bi_sql_int8(row, 14);
	chunk->polls = bi_sql_int8(row, 15);
	chunk->write_tries = bi_sql_int8(row, 16);
	chunk->submitted_at = bi_sql_time(row, 17);
	chunk->refs = refs_from_array(bi_sql_datum(row, 18, &isnull));
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

List *
bi_chunk_due(MemoryContext cxt, int room, int room_for_others)
{
	BiArgs		args = {0};
	List	   *due = NIL;
	int64		n;

	bi_sql_arg_int4(&args, room);
	bi_sql_arg_int4(&args, room_for_others);
	/* turn: the how manieth of its job it would be; place: … of its server.  Where the server or the owner's key failed the
	 * one that has not been tried for longest goes first: one that always fails is no probe for the others. */
	n = bi_sql_run("SELECT " CHUNK_COLUMNS ", d.wish, d.server, d.owner, COALESCE(d.step_at <= now(), false), d.server_failures,"
				   " EXISTS (SELECT FROM batchinf.pause_here q WHERE q.server = d.server AND q.owner = 0 AND q.failures > 0) FROM"
				   " (SELECT e.*, row_number() OVER (ORDER BY e.place, e.at, e.chunk_id) AS rank FROM"
				   "   (SELECT f.*, count(*) FILTER (WHERE f.held) OVER (PARTITION BY f.server) + row_number() OVER"
				   "      (PARTITION BY f.server, f.held ORDER BY f.probe NULLS FIRST, f.turn, f.class, f.at, f.chunk_id) AS place FROM"
				   "     (SELECT v.*, t.at, CASE WHEN v.server_failures > 0 THEN v.asked_at END AS probe,"
				   "        count(*) FILTER (WHERE v.held) OVER (PARTITION BY v.server, v.job_id) + row_number() OVER"
				   "        (PARTITION BY v.server, v.job_id, v.held ORDER BY v.class, t.at, v.chunk_id) AS turn"
				   "        FROM batchinf.due v CROSS JOIN LATERAL (SELECT LEAST(v.step_at, v.write_at)) t(at)"
				   "        WHERE v.held OR t.at <= now()) f) e"
				   "   WHERE NOT e.held AND e.place <= " SERVER_SHARE ") d"
				   " JOIN batchinf.chunk c ON c.chunk_id = d.chunk_id"
				   " WHERE d.rank <= $1 OR (d.place = 1 AND d.rank <= $2)"
				   " ORDER BY d.rank FOR UPDATE OF c SKIP LOCKED", &args);
	for (int64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(cxt);
		BiDue	   *one = palloc0(sizeof(BiDue));

		one->chunk = read_chunk(cxt, i);
		one->wish = parse_wish(bi_sql_text(cxt, i, NCHUNK_COLUMNS + 1));
		one->server = bi_sql_int8(i, NCHUNK_COLUMNS + 2);
		one->owner = bi_sql_int8(i, NCHUNK_COLUMNS + 3);
		one->step = bi_sql_bool(i, NCHUNK_COLUMNS + 4);
		one->server_failures = bi_sql_int8(i, NCHUNK_COLUMNS + 5);
		one->all_failed = bi_sql_bool(i, NCHUNK_COLUMNS + 6);
		due = lappend(due, one);
		MemoryContextSwitchTo(old);
	}
	return due;
}

TimestampTz
bi_chunk_next_due(bool *unfinished)
{
	/* A job of finished chunks that has not ended is in somebody's open transaction. */
	bi_sql_run("SELECT LEAST(min(LEAST(d.step_at, d.write_at)) FILTER (WHERE NOT d.held), CASE WHEN l.late THEN now() END),"
			   " l.late OR COALESCE(bool_or(NOT d.paused OR d.write_at IS NOT NULL), false)"
			   " FROM (SELECT EXISTS (SELECT FROM batchinf.job j JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database"
			   "   WHERE j.ended IS NULL AND NOT EXISTS (SELECT FROM batchinf.chunk c WHERE c.job_id = j.job_id"
			   "    AND (c.next_step_at IS NOT NULL OR c.write_waiting > 0))) AS late) l"
			   " LEFT JOIN batchinf.due d ON true GROUP BY l.late", NULL);
	*unfinished = bi_sql_bool(0, 2);
	return bi_sql_time(0, 1);
}

/* Here, and not in pg_stat_activity, which does not tell everybody everything. */
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
	return bi_sql_run("UPDATE batchinf.chunk SET holder_pid = pg_backend_pid(), holder_start = $2 WHERE chunk_id = $1", &args) > 0;
}

static void
check_move(const BiChunk *chunk, BiState from)
{
	if (!bi_state_may_move(from, chunk->state))
		elog(ERROR, "chunk " INT64_FORMAT " cannot move from %s to %s",
			 chunk->id, bi_state_name(from), bi_state_name(chunk->state));
}

void
bi_chunk_save(const BiChunk *chunk, BiState from, bool release,
			  int64 delay_ms, const char *waiting_for, const char *error)
{
	BiArgs		args = {0};

	check_move(chunk, from);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_text(&args, bi_state_name(from));
	bi_sql_arg_int4(&args, chunk->attempt);
	bi_sql_arg_text(&args, bi_state_name(chunk->state));
	bi_sql_arg_int4(&args, chunk->tries);
	bi_sql_arg_text(&args, chunk->batch_id);
	bi_sql_arg_text(&args, chunk->batch_end);
	arg_refs(&args, chunk->refs);
	bi_sql_arg_time(&args, chunk->claimed_at);
	bi_sql_arg_int4(&args, chunk->failures);
	bi_sql_arg_int4(&args, chunk->polls);
	bi_sql_arg_bool(&args, release);
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(delay_ms / 1000.0), bi_state_final(chunk->state));
	bi_sql_arg_text(&args, waiting_for);
	bi_sql_arg_text(&args, error);
	bi_sql_arg_int4(&args, chunk->attempts_left);
	bi_sql_arg_text(&args, chunk->intent);
	if (bi_sql_run("UPDATE batchinf.chunk SET state = $4, tries = $5, batch_id = $6, batch_end = $7, refs = jsonb_object($8),"
				   " claimed_at = $9, failures = $10, polls = $11, attempts_left = $16,"
				   " holder_pid = CASE WHEN NOT $12 THEN holder_pid END, holder_start = CASE WHEN NOT $12 THEN holder_start END,"
				   " next_step_at = clock_timestamp() + $13 * interval '1 second', waiting_for = $14, error = COALESCE($15, error),"
				   " waiting_since = CASE WHEN $14 IS NOT NULL THEN COALESCE(waiting_since, now()) WHEN NOT $12 THEN waiting_since END,"
				   " submitted_at = CASE WHEN $6 <> COALESCE(batch_id, '') THEN now() ELSE submitted_at END,"
				   " ended_at = CASE WHEN $7 IS NOT NULL THEN COALESCE(ended_at, now()) END"
				   " WHERE chunk_id = $1 AND intent = $17 AND state = $2 AND attempt = $3 AND holder_pid = pg_backend_pid()", &args) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("chunk " INT64_FORMAT " of batch job " INT64_FORMAT " was changed by another process",
						chunk->id, chunk->job_id)));
}

bool
bi_chunk_let_go(int64 chunk_id, bool writes, int64 delay_ms, const char *reason)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, chunk_id);
	bi_sql_arg_bool(&args, writes);
	bi_sql_arg(&args, FLOAT8OID, Float8GetDatum(delay_ms / 1000.0), false);
	bi_sql_arg_text(&args, reason);
	if (bi_sql_run("UPDATE batchinf.chunk c SET holder_pid = NULL, holder_start = NULL, waiting_for = $4,"
				   " waiting_since = COALESCE(c.waiting_since, now()),"
				   " next_step_at = CASE WHEN $2 OR c.next_step_at IS NULL THEN c.next_step_at ELSE t.later END,"
				   " write_at = CASE WHEN $2 THEN t.later ELSE c.write_at END, write_tries = c.write_tries + $2::int"
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
	n = (int) bi_sql_run("SELECT CASE WHEN j.cancelled_at IS NOT NULL THEN 'cancel' WHEN j.deadline <= now() THEN 'deadline' END"
						 " FROM unnest($1) WITH ORDINALITY i(chunk_id, place) LEFT JOIN batchinf.chunk c ON c.chunk_id = i.chunk_id"
						 " LEFT JOIN batchinf.job j ON j.job_id = c.job_id ORDER BY i.place", &args);
	for (int i = 0; i < n; i++)
		wishes[i] = parse_wish(bi_sql_text(CurrentMemoryContext, i, 1));
}

void
bi_chunk_release_all(void)
{
	bi_sql_run("UPDATE batchinf.chunk SET holder_pid = NULL, holder_start = NULL WHERE holder_pid = pg_backend_pid()"
			   " AND (next_step_at IS NOT NULL OR write_waiting > 0)", NULL);
}

bool
bi_chunk_owns_batch(const char *batch_id)
{
	BiArgs		args = {0};

	bi_sql_arg_text(&args, batch_id);
	return bi_sql_run("SELECT FROM batchinf.chunk c WHERE c.batch_id = $1"
					  " UNION ALL SELECT FROM batchinf.chunk c WHERE c.refs ? 'dead'"
					  " AND $1 = ANY (string_to_array(c.refs->>'dead', ' ')) LIMIT 1", &args) > 0;
}

void
bi_chunk_hurry(int64 job_id)
{
	BiArgs		args = {0};

	bi_sql_arg_int8(&args, job_id);
	bi_sql_run("UPDATE batchinf.chunk c SET write_at = LEAST(c.write_at, now()),"
			   " next_step_at = CASE WHEN c.waiting_for IS NOT NULL AND c.next_step_at > now() THEN now() ELSE c.next_step_at END"
			   " WHERE c.job_id = $1 AND (c.write_waiting > 0 OR (c.waiting_for IS NOT NULL AND c.next_step_at > now()))"
			   " AND EXISTS (SELECT FROM batchinf.due d WHERE d.chunk_id = c.chunk_id AND NOT d.held)", &args);
}
