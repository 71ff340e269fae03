/*
 * store/inflight.h: which rows of a target are in open jobs: batchinf.in_flight.
 */
#ifndef BI_INFLIGHT_H
#define BI_INFLIGHT_H

#include "postgres.h"

#include "store/job.h"
#include "store/target.h"
#include "utils/uuid.h"

/* The rows of one target, as one job takes them.  Made by bi_inflight_open. */
typedef struct BiInflight BiInflight;

/* All of this needs SPI and a transaction. */

/* True if the tables have what this needs: false until ALTER EXTENSION UPDATE. */
extern bool bi_inflight_exists(void);

/*
 * Returns the rows of the target for the job of that id, in the current context.  Raises an error
 * if an open job has rows there for one of the same columns, but knows them by other key columns;
 * unless the wish is to send rows whatever other jobs have.
 */
extern BiInflight *bi_inflight_open(const BiTarget *target, int64 job_id, BiInFlight wish);

/* Returns the rows of a job without a target, of that pipeline: they are known by their key's
 * text. */
extern BiInflight *bi_inflight_open_pipeline(int pipeline, int64 job_id);

/* Sets *hash to that of a row, as bi_keyhash_set. */
extern void bi_inflight_hash(const BiInflight *rows, const char *record_id, const List *key,
							 pg_uuid_t *hash);

/*
 * Takes the n rows with these hashes, which differ and are in ascending order: call after call in
 * ascending order, too, so that two jobs cannot wait for each other.  Sets taken of each: false if
 * an open job has the row for one of the columns.  Waits for a transaction that is taking the same
 * row.  Raises ERRCODE_T_R_SERIALIZATION_FAILURE where the snapshot does not show what that has
 * done.
 */
extern void bi_inflight_take(const BiInflight *rows, const pg_uuid_t *hashes, int n, bool *taken);

/* Sets held of each: true if an open job has the row.  Takes nothing, and waits for nobody. */
extern void bi_inflight_look(const BiInflight *rows, const pg_uuid_t *hashes, int n, bool *held);

/* Returns the id of a job that has the row, which bi_inflight_take did not take; 0 if it is over
 * by now. */
extern int64 bi_inflight_holder(const BiInflight *rows, const pg_uuid_t *hash);

/* Writes down with the job, which must be in its table, what it holds, and how many rows were left
 * out because they are in flight already. */
extern void bi_inflight_note(const BiInflight *rows, int64 already);

/* The job, which has ended, has rows again. */
extern void bi_inflight_hold(const BiInflight *rows);

/* Returns the rows of a job that is there, as its target is now; NULL if it holds none, or if its
 * target cannot be written. */
extern BiInflight *bi_inflight_of_job(const BiJob *job, BiInFlight wish);

/* The job, which was foreign, has its rows here from now on. */
extern void bi_inflight_adopt(const BiInflight *rows);

/* Frees rows of jobs that have ended.  True if there are more: call it again in another
 * transaction. */
extern bool bi_inflight_sweep(void);

/* Orders hashes as PostgreSQL orders uuids. */
extern int	bi_inflight_compare(const void *a, const void *b);

#endif							/* BI_INFLIGHT_H */
