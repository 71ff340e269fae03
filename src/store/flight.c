/*
 * store/flight.c: how much of a server's limits is in use.
 */
#include "postgres.h"

#include "store/flight.h"
#include "store/sql.h"

#define IS_SENT \
	"(c.state IN ('creating', 'submitted', 'running', 'cancelling') OR c.state = 'ambiguous' AND" \
	"  EXISTS (SELECT FROM batchinf.batch b WHERE b.chunk_id = c.chunk_id AND b.try = c.tries" \
	"   AND b.claimed_at > now() - interval '1 day'))"

/* What takes up a server's limits or waits for them, in the words of the index chunk_sent. */
#define IS_THERE \
	"c.next_step_at IS NOT NULL" \
	" AND (c.state <> 'planned' OR c.wait_kind IN ('room', 'throttled')) AND c.copies IS NULL"

#define CALLED "interval '" CppAsString2(BI_FLIGHT_CALLED_S) " s'"

BiFlight
bi_flight_at(const BiJob *job, const BiChunk *chunk, bool coming)
{
	BiArgs		args = {0};
	BiFlight	flight;

	bi_sql_arg_oid(&args, job->server);
	bi_sql_arg_int8(&args, chunk->id);
	bi_sql_arg_int8(&args, job->id);
	bi_sql_arg_bool(&args, coming);
	bi_sql_arg_oid(&args, job->owner);
	bi_sql_rerun("WITH share AS"
				 " (SELECT c.job_id, c.owner, count(*) FILTER (WHERE s.counts) AS batches,"
				 "  sum(c.records) FILTER (WHERE s.counts) AS requests,"
				 "  sum(c.tokens) FILTER (WHERE s.counts) AS tokens,"
				 "  count(*) FILTER (WHERE c.state <> 'planned') AS files,"
				 "  min(c.chunk_id) FILTER (WHERE s.waits AND c.chunk_id <> $2) AS first,"
				 "  min(c.chunk_id) FILTER (WHERE s.waits AND c.next_step_at > now()) AS uncalled"
				 "  FROM batchinf.chunk c JOIN batchinf.job j ON j.job_id = c.job_id"
				 "  JOIN batchinf.here h ON h.uuid = j.install AND h.database = j.database"
				 "  LEFT JOIN batchinf.pause_here q ON q.server = c.server AND q.owner = c.owner"
				 "   AND q.until > now()"
				 "  CROSS JOIN LATERAL (SELECT NOT j.paused AND q.owner IS NULL) a(able)"
				 "  CROSS JOIN LATERAL (SELECT " IS_SENT " OR $4 AND a.able AND c.owner = $5"
				 "    AND c.state IN ('uploading', 'uploaded') AS counts,"
				 "   a.able AND c.state = 'planned' AND c.wait_kind = 'room'"
				 "    AND c.next_step_at > now() - " CALLED " AS waits) s"
				 "  WHERE c.server = $1 AND " IS_THERE " GROUP BY c.job_id, c.owner),"
				 " owner AS (SELECT s.owner, sum(s.batches) AS batches FROM share s"
				 "  GROUP BY s.owner)"
				 " SELECT COALESCE(sum(s.batches), 0)::bigint,"
				 " COALESCE(sum(s.requests), 0)::bigint,"
				 " COALESCE(sum(s.tokens), 0)::bigint, COALESCE(sum(s.files), 0)::bigint,"
				 " count(*) FILTER (WHERE s.first IS NOT NULL AND CASE WHEN s.owner = $5"
				 "  THEN (s.batches, s.first)"
				 "   < (COALESCE((SELECT m.batches FROM share m WHERE m.job_id = $3), 0), $2)"
				 "  ELSE o.batches < m.batches OR o.batches = m.batches AND s.uncalled < $2 END)"
				 " FROM share s JOIN owner o ON o.owner = s.owner"
				 " CROSS JOIN (SELECT COALESCE((SELECT batches FROM owner WHERE owner = $5), 0))"
				 "  m(batches)", &args);
	flight.batches = bi_sql_int8(0, 1);
	flight.requests = bi_sql_int8(0, 2);
	flight.tokens = bi_sql_int8(0, 3);
	flight.files = bi_sql_int8(0, 4);
	flight.jobs_first = bi_sql_int8(0, 5);
	return flight;
}

/* Four owners are called at once, because some of them may be unable to come. */
#define OWNERS "4"

void
bi_flight_wake(Oid server, int n)
{
	BiArgs		args = {0};

	bi_sql_arg_oid(&args, server);
	bi_sql_arg_int4(&args, n);
	bi_sql_rerun("WITH here AS MATERIALIZED"
				 " (SELECT c.chunk_id, c.job_id, c.owner,"
				 "  c.state NOT IN ('planned', 'fetching', 'delivering', 'cleaning') AS counts"
				 "  FROM batchinf.chunk c WHERE c.server = $1 AND " IS_THERE "),"
				 " share AS (SELECT job_id, count(*) FILTER (WHERE counts) AS batches"
				 "  FROM here GROUP BY job_id),"
				 " owner AS (SELECT owner, count(*) FILTER (WHERE counts) AS batches"
				 "  FROM here GROUP BY owner),"
				 " next AS (SELECT c.chunk_id, o.batches AS of_owner, s.batches AS of_job,"
				 "  row_number() OVER (PARTITION BY c.owner ORDER BY s.batches, c.chunk_id)"
				 "   AS place"
				 "  FROM here h JOIN batchinf.chunk c ON c.chunk_id = h.chunk_id"
				 "  JOIN share s ON s.job_id = c.job_id JOIN owner o ON o.owner = c.owner"
				 "  JOIN batchinf.job j ON j.job_id = c.job_id"
				 "  WHERE NOT j.paused AND c.next_step_at > now() AND c.holder_pid IS NULL"
				 "  AND c.state IN ('planned', 'uploaded')"
				 "  AND (c.wait_kind = 'room' OR EXISTS (SELECT FROM batchinf.batch b"
				 "   WHERE b.chunk_id = c.chunk_id AND b.try <> c.tries"
				 "   AND b.batch_id IS NOT NULL)))"
				 " UPDATE batchinf.chunk SET next_step_at = now() WHERE chunk_id IN"
				 " (SELECT c.chunk_id FROM batchinf.chunk c WHERE c.chunk_id IN"
				 "   (SELECT chunk_id FROM next WHERE place <= $2"
				 "    ORDER BY place, of_owner, of_job, chunk_id LIMIT " OWNERS " * $2)"
				 "  AND c.next_step_at > now() AND c.holder_pid IS NULL FOR UPDATE SKIP LOCKED)",
				 &args);
}
