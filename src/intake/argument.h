/*
 * intake/argument.h: the arguments that batch_submit and its siblings have in common.
 */
#ifndef BI_ARGUMENT_H
#define BI_ARGUMENT_H

#include "postgres.h"

#include "fmgr.h"
#include "intake/values.h"
#include "store/job.h"

/* Whether rows with the same request are sent once. */
typedef enum BiDedup
{
	BI_DEDUP_DECIDE,			/* as alike.h says */
	BI_DEDUP_OFF,
	BI_DEDUP_ON
} BiDedup;

/*
 * What one call asks for: its arguments, read and checked one by one, nothing looked up.
 * bi_argument_read fills it in the current memory context.  It lives as long as that context, and
 * nobody changes it afterwards: what is found out about the job goes into a copy of its spec.
 */
typedef struct BiRequest
{
	BiSpec		spec;			/* its members model (NULL if not given) to max_failure_rate; input,
								 * endpoint, key, aim, settings and names of columns are empty */
	char	   *server;			/* name of the foreign server */
	char	   *key;			/* list of column names as it was written, or NULL */
	Oid			target;			/* the table to write to, or InvalidOid */
	char	   *conflict;		/* as key: columns of the target that find the row of an upsert */
	char	   *replace_by;		/* the same: those whose value is replaced */
	char	   *name;			/* name of the job, or NULL */
	TimestampTz deadline;		/* end of the job, or DT_NOEND */
	BiDedup		dedup;
	TimestampTz cache_since;	/* answers since then are given again, or DT_NOEND: none are */
	char	   *idempotency_key;	/* or NULL */
	char	   *given;			/* with it: the other arguments that were given, as a JSON object of
								 * the digest of each value by its name.  Defaults are not given */
} BiRequest;

/*
 * Reads the arguments of the SQL function that is called into *request.  Arguments are found by
 * their names in pg_proc, whatever their places; the function need not have all of them.
 *
 * Raises errors for what can be found wrong without looking at another argument or the database,
 * and ERRCODE_FEATURE_NOT_SUPPORTED for an argument that is given but asks for something that is
 * not built yet.  Needs a transaction, no SPI.
 */
extern void bi_argument_read(FunctionCallInfo fcinfo, BiRequest *request);

/* The same of values that were found before. */
extern void bi_argument_of_values(const BiValues *values, BiRequest *request);

/* Returns the names in a list of identifiers, char *, palloc'd.  argument: its name, for the
 * error. */
extern List *bi_argument_names(const char *argument, const char *list);

#endif							/* BI_ARGUMENT_H */
