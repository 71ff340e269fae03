/*
 * store/cache.c: answers of earlier jobs that can be given again.
 *
 * No index finds an answer by its input: it would cost each record of each job.  All answers of the
 * jobs in question are read instead, in pieces, and the reader sorts them; so a job that asks for
 * them pays for that, and no other one.
 *
 * Only answers of the provider count, not copies of them: what is copied is as old as its source.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/cache.h"
#include "store/sql.h"

struct BiCache
{
	TimestampTz since;
	int64	   *jobs;
	int64		njobs;
	int64		job;			/* the number of the job that is read, from 0 */
	int64		after;			/* its seq that was read last */
};

BiCache *
bi_cache_open(const uint8 *digest, Oid server, TimestampTz since)
{
	BiCache    *cache = palloc0(sizeof(BiCache));
	BiArgs		args = {0};

	bi_sql_arg(&args, BYTEAOID, PointerGetDatum(bi_digest_bytea(digest, BI_DIGEST_SIZE)), false);
	bi_sql_arg_oid(&args, GetUserId());
	bi_sql_arg_oid(&args, server);
	bi_sql_arg_time(&args, since);
	cache->since = since;
	cache->njobs = bi_sql_run("SELECT j.job_id FROM batchinf.job j JOIN batchinf.here h"
							  " ON h.uuid = j.install AND h.database = j.database"
							  " WHERE j.digest = $1 AND j.owner = $2 AND j.server = $3"
							  "  AND j.results_removed_at IS NULL"
							  "  AND COALESCE(j.finished_at >= $4, true)", &args);
	cache->jobs = palloc(sizeof(int64) * (cache->njobs + 1));
	for (int64 i = 0; i < cache->njobs; i++)
		cache->jobs[i] = bi_sql_int8(i, 1);
	return cache;
}

/* Reads the next answers of the job under way. */
static int
read_job(BiCache *cache, BiCached *answers, int n)
{
	BiArgs		args = {0};
	int			found;

	bi_sql_arg_int8(&args, cache->jobs[cache->job]);
	bi_sql_arg_int8(&args, cache->after);
	bi_sql_arg_time(&args, cache->since);
	bi_sql_arg_int4(&args, n);
	found = (int) bi_sql_run("SELECT r.seq, r.input_hash, s.finished_at FROM batchinf.record r,"
							 " LATERAL (SELECT s.finished_at FROM batchinf.result s"
							 "  WHERE s.job_id = r.job_id AND s.seq = r.seq"
							 "   AND s.attempt = r.attempt AND s.outcome = 'succeeded'"
							 "   AND s.output IS NOT NULL AND s.finished_at >= $3 LIMIT 1) s"
							 " WHERE r.job_id = $1 AND r.seq > $2 AND r.source_job IS NULL"
							 "  AND octet_length(r.input_hash) = "
							 CppAsString2(BI_DIGEST_SIZE) " ORDER BY r.seq LIMIT $4", &args);
	for (int i = 0; i < found; i++)
	{
		bool		isnull;
		bytea	   *hash = DatumGetByteaPP(bi_sql_datum(i, 2, &isnull));

		memcpy(answers[i].hash, VARDATA_ANY(hash), BI_DIGEST_SIZE);
		answers[i].job_id = cache->jobs[cache->job];
		answers[i].seq = bi_sql_int8(i, 1);
		answers[i].at = bi_sql_time(i, 3);
		cache->after = answers[i].seq;
	}
	return found;
}

int
bi_cache_read(BiCache *cache, BiCached *answers, int n)
{
	while (cache->job < cache->njobs)
	{
		int			found = read_job(cache, answers, n);

		if (found > 0)
			return found;
		cache->job++;
		cache->after = 0;
	}
	return 0;
}
