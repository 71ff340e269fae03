/*
 * store/cache.h: answers of earlier jobs that can be given again.
 */
#ifndef BI_CACHE_H
#define BI_CACHE_H

#include "postgres.h"

#include "base/digest.h"
#include "datatype/timestamp.h"

/* The answers that are not older than a time, of the jobs of one owner at one server that have sent
 * the same with each of their records.  Made by bi_cache_open. */
typedef struct BiCache BiCache;

/* One of them. */
typedef struct BiCached
{
	uint8		hash[BI_DIGEST_SIZE];	/* SHA-256 of the input that it answers */
	int64		job_id;
	int64		seq;
	TimestampTz at;				/* when it came */
} BiCached;

/* All of this needs SPI and a transaction. */

/*
 * Returns the answers, in the current context, that the current user's jobs have had at the server
 * since then.  digest: BI_DIGEST_SIZE bytes, as in BiJob.  Jobs of other owners never count,
 * whatever rights the user has, nor those of another install or database that were not adopted.
 */
extern BiCache *bi_cache_open(const uint8 *digest, Oid server, TimestampTz since);

/* Reads the next answers, n at most, in no order.  Returns how many; 0 after the last ones. */
extern int	bi_cache_read(BiCache *cache, BiCached *answers, int n);

#endif							/* BI_CACHE_H */
