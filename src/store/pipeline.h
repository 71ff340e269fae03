/*
 * store/pipeline.h: pipelines, their versions, and what was answered: batchinf.pipeline,
 * batchinf.pipeline_version and batchinf.answered.
 */
#ifndef BI_PIPELINE_H
#define BI_PIPELINE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/bitmapset.h"
#include "store/chunk.h"
#include "store/job.h"
#include "store/result.h"
#include "utils/uuid.h"

/* A row of batchinf.pipeline with its version in force: given, settings and custom are NULL if that
 * is missing.  bi_pipeline_load reads it; a copy of that moment. */
typedef struct BiPipeline
{
	int			id;
	char	   *name;
	Oid			owner;			/* of the role that has it here: of a foreign one the role with its
								 * owner's name.  InvalidOid if there is none */
	bool		foreign;		/* of another install or database */
	bool		paused;
	bool		owner_superuser;	/* its owner was a superuser when it got it */
	int			version;
	char	   *given;			/* the arguments, as intake/stored.h writes them */
	char	   *settings;		/* JSON object: settings of the session by name ... */
	char	   *custom;			/* ... and the custom ones, as bi_carry_collect returns them */
	int			min_rows;		/* 0: any number */
	bool		is_overdue;		/* what is due has waited for max_age */
} BiPipeline;

/* What a refresh has found, of the rows of the query that have something to send. */
typedef struct BiPipelineRows
{
	int64		rows;
	int64		answered;		/* as they are now */
	int64		due;			/* worth sending, and not in an open job ... */
	int64		changed;		/* ... of these, those that were answered before */
	int64		in_flight;
	int64		failed;			/* their last answer was none, and it is not tried again yet */
	int64		kept;			/* answered, and the answer is to be written once more */
} BiPipelineRows;

/* What a row of the query is to its pipeline. */
typedef enum BiPipelineRow
{
	BI_ROW_NEW,					/* never answered */
	BI_ROW_CHANGED,				/* something else is sent now than what was answered */
	BI_ROW_RESEND,				/* answered, and to be answered again */
	BI_ROW_RETRY,				/* failed, and worth another try */
	BI_ROW_FAILED,
	BI_ROW_ANSWERED,
	BI_ROW_KEPT					/* answered, but the answer was not written */
} BiPipelineRow;

/* All of this needs SPI and a transaction. */

/* Returns the pipeline of that name, in the current context, locked until the end of the
 * transaction.  Raises an error if there is none. */
extern BiPipeline *bi_pipeline_require(const char *name);

/* The same by its id; NULL if there is none, or if another process has locked it. */
extern BiPipeline *bi_pipeline_load(int id);

/* Raises an error unless the current user has the rights of its owner.  what: a verb. */
extern void bi_pipeline_check_rights(const BiPipeline *pipeline, const char *what);

/* Sets ids and owners of those of ours that are due, the longest first, max at most.  Returns how
 * many they are. */
extern int	bi_pipeline_due(int *ids, Oid *owners, int max);

/* Returns when the next one of ours is due; DT_NOEND if none is. */
extern TimestampTz bi_pipeline_next(void);

/* A row of the query, as its pipeline sees it. */
typedef struct BiPipelineAsk
{
	const char *key;
	const char *input;			/* what would be sent */
	const pg_uuid_t *value;		/* of a replace: as record.value; NULL: none */
	BiPipelineRow state;		/* out */
	bool		again;			/* out: a row before it, in this refresh, had the same key */
	bool		moved;			/* out: it was answered with another value */
	Datum		holds;			/* of a kept one: bytea, what its target row holds now; 0: there is
								 * none */
} BiPipelineAsk;

/* Sets state and again of n rows.  digest: as in BiSpec.  *seen: which answered rows this refresh
 * has asked for, a bit each; NULL at its first call.  It is made in cxt.  seen NULL: again is not
 * asked. */
extern void bi_pipeline_judge(const BiPipeline *pipeline, const char *digest, BiPipelineAsk *rows,
							  int n, Bitmapset **seen, MemoryContext cxt);

/* Marks those of the n rows that are answered as they are now. */
extern void bi_pipeline_mark_current(const BiPipeline *pipeline, const char *digest,
									 const BiPipelineAsk *rows, int n);

/* Those that are marked are remembered by what would be sent of them now: they are not sent again
 * because a new version sends something else. */
extern void bi_pipeline_rebase(const BiPipeline *pipeline, const char *digest,
							   const BiPipelineAsk *rows, int n);

/* Ends the marks.  Those that still have one are not in the query of this version. */
extern void bi_pipeline_unmark(const BiPipeline *pipeline);

/* Writes the kept answers of those of n rows that have one to their target rows once more, where
 * such a row holds something else than at the last try. */
extern void bi_pipeline_write_kept(const BiPipeline *pipeline, const BiPipelineAsk *rows, int n);

/* Sets counts to how many answered rows the pipeline has with each of n values. */
extern void bi_pipeline_count_values(const BiPipeline *pipeline, const pg_uuid_t *values, int n,
									 int64 *counts);

/* Forgets what was answered of rows with these n values, which are all sent again. */
extern void bi_pipeline_forget_values(const BiPipeline *pipeline, const pg_uuid_t *values, int n);

/* Remembers that the answers with these values are written: does nothing for a job without a
 * pipeline. */
extern void bi_pipeline_written(const BiJob *job, const pg_uuid_t *values, int n);

/* Records a refresh.  job_id: 0: nothing was sent.  error: why it stopped, or NULL. */
extern void bi_pipeline_note(const BiPipeline *pipeline, const BiPipelineRows *rows, int64 job_id,
							 const char *error);

/* Records that a refresh by time begins: should it fail, the next one comes later each time. */
extern void bi_pipeline_note_try(int id);

/* Records why it has failed. */
extern void bi_pipeline_note_error(int id, const char *error);

/* Remembers results of a job of a pipeline, which are in the table: does nothing for other jobs. */
extern void bi_pipeline_answer(const BiJob *job, const BiResult *results, int n);

#endif							/* BI_PIPELINE_H */
