/*
 * store/job.h: a job: what batch_submit was told, and what its owner wishes.
 */
#ifndef BI_JOB_H
#define BI_JOB_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef enum BiTask
{
	BI_TASK_CHAT,
	BI_TASK_EMBEDDING
} BiTask;

/* What record.input holds. */
typedef enum BiInput
{
	BI_INPUT_TEXT,				/* a prompt, or the text to embed */
	BI_INPUT_MESSAGES,			/* a JSON array of messages */
	BI_INPUT_BODY				/* a JSON object: the provider's own request body */
} BiInput;

/* All that batch_submit was told, but for the key's and target's resolution.
 * Texts are in the server encoding; JSON is text. */
typedef struct BiSpec
{
	char	   *query;
	char	   *prompt;
	char	   *system_prompt;
	char	   *model;			/* never NULL: the argument or the server's */
	BiTask		task;
	BiInput		input;
	const char *endpoint;		/* the provider's word for it; NULL: the task's usual one */
	List	   *key;			/* column names, char * */
	char	   *write_back;		/* JSON object column -> path, or NULL */
	char	   *response_schema;	/* JSON object, its members in the order of writing, or NULL */
	char	   *params;			/* the same */
	int			max_attempts;
	char	   *aim;			/* JSON object: what aim.c remembers of the target; NULL: nothing */
	char	   *max_failure_rate;	/* a number from 0 to 1, or NULL: see rate.h */
	char	   *settings;		/* JSON object: the custom settings of its write-back.  NULL: it
								 * has no write-back, or is of 0.1.0 */
} BiSpec;

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
	Oid			target;			/* InvalidOid: none */
	char	   *target_name;
	bool		paused;
	bool		cancelled;		/* asked for */
	TimestampTz deadline;		/* DT_NOEND: none */
	bool		foreign;		/* of another install or database */
	bool		ended;			/* completed, failed or cancelled */
} BiJob;

/* The functions below need SPI and a transaction. */

/* Reserves an id, so that records can name their job before it is inserted. */
extern int64 bi_job_reserve(void);

/* Inserts job (id reserved; paused, cancelled, foreign and wishes ignored) for the
 * current user in this install.  No records but skipped ones: it is completed at once. */
extern void bi_job_insert(const BiJob *job, int64 records, int64 skipped);

/* NULL: no such job. */
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

/* The owner's wishes; the caller has asked bi_job_require. false: it has ended already. */
extern bool bi_job_cancel(int64 job_id);
extern bool bi_job_pause(int64 job_id, bool paused);

/* Sends the records with these outcomes (text[]) again in new chunks; how many. */
extern int64 bi_job_retry(const BiJob *job, Datum outcomes);

/* Until the transaction's end nobody else changes the job's row; a job loaded from now on
 * is as it stays.  Nothing where there is no such job. */
extern void bi_job_lock(int64 job_id);

/* Makes the job, loaded since it was locked, one of this install, of owner, with server and
 * target as looked up with the rights of owner. */
extern void bi_job_adopt(const BiJob *job, Oid owner, Oid server, Oid target);
extern List *bi_job_foreign_ids(MemoryContext cxt); /* int64 * */

/* Marks jobs all of whose records have ended as ended and to be announced.  Those that
 * somebody has locked are left for the next time. */
extern void bi_job_finish_due(void);


#endif							/* BI_JOB_H */
