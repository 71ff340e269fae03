/*
 * store/flight.c: how much of a server's limits is in use.
 */
#include "postgres.h"

#include "store/flight.h"
#include "store/sql.h"

#define IS_SENT \
	"(c.state IN ('creating', 'submitted', 'running', 'cancelling') OR c.state = 'ambiguous' AND c.claimed_at > now() - interval '1 day')"

BiFlight
bi_flight_at(Oid server, const BiChunk *chunk, bool coming)
{
	BiArgs		args = {0};
	BiFlight	flight;

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, chunk->job_id);
	bi_sql_arg_bool(&args, coming);
	bi_sql_run("WITH share AS"
			   " (SELECT c.job_id, count(*) FILTER (WHERE s.counts) AS batches, sum(c.records) FILTER (WHERE s.counts) AS requests,"
			   "  sum(c.tokens) FILTER (WHERE s.counts) AS tokens, count(*) FILTER (WHERE c.state <> 'planned') AS files,"
			   "  min(c.chunk_id) FILTER (WHERE s.waits AND c.chunk_id <> $2) AS first"
			   "  FROM batchinf.chunk c JOIN batchinf.job j ON j.job_id = c.job_id"
			   "  JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database"
			   "  LEFT JOIN batchinf.pause_here q ON q.server = j.server AND q.owner = j.owner AND q.until > now()"
			   "  CROSS JOIN LATERAL (SELECT NOT j.paused AND q.owner IS NULL) a(able)"
			   "  CROSS JOIN LATERAL (SELECT " IS_SENT " OR $4 AND a.able AND c.state IN ('uploading', 'uploaded') AS counts,"
			   "   a.able AND c.state = 'planned' AND c.waiting_for LIKE '" BI_FLIGHT_ROOM "%' AS waits) s"
			   "  WHERE j.server = $1 AND c.next_step_at IS NOT NULL GROUP BY c.job_id)"
			   " SELECT COALESCE(sum(batches), 0)::bigint, COALESCE(sum(requests), 0)::bigint,"
			   " COALESCE(sum(tokens), 0)::bigint, COALESCE(sum(files), 0)::bigint,"
			   " COALESCE(bool_or((batches, first) < (SELECT m.batches, $2 FROM share m WHERE m.job_id = $3))"
			   "  FILTER (WHERE first IS NOT NULL), false) FROM share", &args);
	flight.batches = bi_sql_int8(0, 1);
	flight.requests = bi_sql_int8(0, 2);
	flight.tokens = bi_sql_int8(0, 3);
	flight.files = bi_sql_int8(0, 4);
	flight.behind = bi_sql_bool(0, 5);
	return flight;
}

void
bi_flight_wake(Oid server, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_int4(&args, n);
	bi_sql_run("UPDATE batchinf.chunk SET next_step_at = now() WHERE next_step_at > now() AND chunk_id IN"
			   " (SELECT c.chunk_id FROM batchinf.chunk c JOIN batchinf.job j ON j.job_id = c.job_id"
			   "  JOIN (SELECT k.job_id, count(*) FILTER (WHERE k.state NOT IN ('planned', 'fetching', 'delivering', 'cleaning')) AS share"
			   "   FROM batchinf.chunk k WHERE k.next_step_at IS NOT NULL GROUP BY k.job_id) s ON s.job_id = c.job_id"
			   "  WHERE j.server = $1 AND NOT j.paused AND c.next_step_at IS NOT NULL AND c.holder_pid IS NULL"
			   "  AND c.state IN ('planned', 'uploaded') AND (c.refs ? 'dead' OR c.waiting_for LIKE '" BI_FLIGHT_ROOM "%')"
			   "  ORDER BY s.share, c.chunk_id LIMIT $2 FOR UPDATE OF c SKIP LOCKED)", &args);
}
