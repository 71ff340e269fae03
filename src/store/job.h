/*
 * store/job.h: a job: the arguments of batch_submit, and what its owner wants since.
 */
#ifndef BI_JOB_H
#define BI_JOB_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "store/spec.h"

/* A row of batchinf.job.  bi_job_load reads it, batch_submit makes it; a copy of that moment. */
typedef struct BiJob
{
	int64		id;
	BiSpec		spec;
	char	   *name;
	Oid			owner;
	char	   *owner_name;		/* as it was at submit */
	bool		owner_superuser;	/* the owner was a superuser when it got the job; false for a
								 * job of 0.1.0 */
	Oid			server;
	char	   *server_name;
	Oid			target;			/* InvalidOid if the job has no write-back */
	char	   *target_name;
	bool		paused;
	bool		cancelled;		/* asked for */
	TimestampTz deadline;		/* DT_NOEND if the job has no deadline */
	bool		foreign;		/* of another install or database */
	bool		ended;			/* completed, failed or cancelled */
	const uint8 *digest;		/* SHA-256 of what is sent with each record (intake/alike.h), for
								 * bi_job_insert; NULL: not known.  Not read back */
} BiJob;

/* The functions below need SPI and a transaction. */

/* Reserves an id, so that records can name their job before it is inserted. */
extern int64 bi_job_reserve(void);

/* Inserts job (id reserved; paused, cancelled, foreign and wishes ignored) for the
 * current user in this install.  If all records are skipped it is completed at once. */
extern void bi_job_insert(const BiJob *job, int64 records, int64 skipped);

/* Returns the job, in cxt; NULL if there is no such job. */
extern BiJob *bi_job_load(MemoryContext cxt, int64 job_id);

/* Returns the role that has the job here: its owner, by oid; for a foreign job the role with
 * its owner's name.  InvalidOid if that role does not exist. */
extern Oid	bi_job_role(const BiJob *job);

/*
 * Returns the job if the current user has the rights of its owner, otherwise raises an error, as
 * for a job that does not exist and for a foreign one that has not ended.  what is a verb for the
 * message ("cancel").
 */
extern BiJob *bi_job_require(MemoryContext cxt, int64 job_id, const char *what);

/* Raises an error if the job is foreign, ended or not: nothing of it is sent here. */
extern void bi_job_refuse_foreign(const BiJob *job, const char *what);

/*
 * Record what the owner wants.  The caller has called bi_job_require.  False if the job has ended.
 */
extern bool bi_job_cancel(int64 job_id);
extern bool bi_job_pause(int64 job_id, bool paused);

/*
 * Makes an ended job go on, for work that its chunks have again; a pause from before its end is
 * over.  send_again: records are to be sent, so that a cancel and a deadline that has passed are
 * forgotten, too.  The caller has locked the job.
 */
extern void bi_job_reopen(int64 job_id, bool send_again);

/* Locks the job's row until the end of the transaction, so that a job loaded after it stays as it
 * is.  Does nothing if there is no such job. */
extern void bi_job_lock(int64 job_id);

/* Makes the job one of this install, with that owner, server and target.  The job was loaded after
 * it was locked. */
extern void bi_job_adopt(const BiJob *job, Oid owner, Oid server, Oid target);

/* Returns the ids of all foreign jobs, a list of int64 *. */
extern List *bi_job_foreign_ids(MemoryContext cxt);

/*
 * Ends those of n jobs all of whose records have ended, and marks them to be announced; ids NULL:
 * of all jobs.  False if one is over and stays as it is, because another transaction has locked
 * it.  Of a job whose last chunks two processes end at the same moment neither sees the end: ask
 * again after the commit.
 */
extern bool bi_job_finish(const int64 *ids, int n);

#endif							/* BI_JOB_H */
