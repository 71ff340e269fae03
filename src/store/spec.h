/*
 * store/spec.h: what a job asks for, as it is kept in batchinf.job.spec.
 */
#ifndef BI_SPEC_H
#define BI_SPEC_H

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

/* What becomes of a row that is in an open job already, for the same column of the same target. */
typedef enum BiInFlight
{
	BI_IN_FLIGHT_SKIP,			/* it is left out */
	BI_IN_FLIGHT_ERROR,
	BI_IN_FLIGHT_SEND			/* it is sent, too */
} BiInFlight;

/* Which rows an answer is written to. */
typedef enum BiWriteIf
{
	BI_WRITE_IF_UNCHANGED,		/* the guarded columns hold what they held at submit */
	BI_WRITE_IF_NULL,			/* the columns to be written are null */
	BI_WRITE_IF_ALWAYS
} BiWriteIf;

/* How an answer becomes rows. */
typedef enum BiWriteMode
{
	BI_WRITE_MODE_UPDATE,		/* the row with the record's key is updated */
	BI_WRITE_MODE_INSERT,		/* rows are added */
	BI_WRITE_MODE_UPSERT,		/* rows are added, or updated where they are there */
	BI_WRITE_MODE_REPLACE		/* the rows of a value are deleted, and all of its new ones added */
} BiWriteMode;

/* What a job asks for.  batch_submit fills it and stores it with the job; nobody changes it later.
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
	char	   *write_back;		/* JSON object column -> what fills it (fill.h), or NULL */
	BiWriteMode write_mode;
	List	   *conflict;		/* char *, of an upsert: the target's columns that find its row */
	List	   *replace_by;		/* char *, of a replace: the target's columns that are the value */
	char	   *each;			/* SQL/JSON path to the items of an output, a row each; or NULL */
	List	   *columns;		/* char *: the query's columns whose values go to the target */
	char	   *response_schema;	/* JSON object, its members in the order of writing, or NULL */
	char	   *params;			/* the same */
	const char *prompt_cache;	/* how long the provider is to keep the prefix that all requests
								 * share: 1h, where the server's option is auto and it is worth it;
								 * NULL: as that option says */
	int			max_attempts;
	char	   *aim;			/* JSON object: what aim.c remembers of the target; NULL: nothing */
	char	   *max_failure_rate;	/* a number from 0 to 1, or NULL: see rate.h */
	char	   *max_cost;		/* US dollars, or NULL: what its batches may cost together */
	bool		max_cost_by_setting;	/* the job did not name it */
	char	   *estimated_cost; /* US dollars, as estimated at submit; NULL: not known.  Not read
								 * back */
	TimestampTz start_after;	/* nothing is sent before; DT_NOBEGIN: at once */
	char	   *submit_window;	/* text of base/window.h: nothing is sent outside of it; or NULL */
	TimestampTz retry_until;	/* nothing is sent again after it by itself; DT_NOEND: no limit */
	int			pipeline;		/* id of the pipeline whose refresh made the job; 0: none did */
	int			version;		/* of that pipeline */
	char	   *digest;			/* hex SHA-256 of what is sent with all of its records, for the
								 * pipeline; or NULL */
	BiInFlight	in_flight;
	BiWriteIf	write_if;
	List	   *guarded;		/* names of columns of the target, char *: for write_if unchanged */
	char	   *keep;			/* text of an interval: how long inputs and outputs stay after the
								 * end; NULL: as the settings say.  Not read back */
	char	   *settings;		/* JSON object: the custom settings of its write-back.  NULL: it
								 * has no write-back, or is of 0.1.0 */
} BiSpec;

/* True if answers may add rows to the target: which ones is not known before. */
static inline bool
bi_spec_adds(const BiSpec *spec)
{
	return spec->write_mode != BI_WRITE_MODE_UPDATE;
}

/* Returns the spec as JSON, palloc'd.  by_superuser: the owner is one. */
extern char *bi_spec_to_json(const BiSpec *spec, bool by_superuser);

/* Reads the spec of a job, which exists, in cxt.  Needs SPI and a transaction. */
extern void bi_spec_read(MemoryContext cxt, int64 job_id, BiSpec *spec);

/* Returns the word for a way of writing, a constant. */
extern const char *bi_spec_write_mode(BiWriteMode mode);

/* Returns the word for a task, a constant. */
extern const char *bi_spec_task(BiTask task);

#endif							/* BI_SPEC_H */
