/*
 * intake/listed.h: the list of arguments that batch_submit and its siblings share.
 */
#ifndef BI_LISTED_H
#define BI_LISTED_H

#include "postgres.h"

typedef enum BiArgument
{
	BI_ARG_QUERY,
	BI_ARG_SERVER,
	BI_ARG_PROMPT,
	BI_ARG_SYSTEM_PROMPT,
	BI_ARG_MODEL,
	BI_ARG_TASK,
	BI_ARG_KEY,
	BI_ARG_TARGET,
	BI_ARG_WRITE_BACK,
	BI_ARG_RESPONSE_SCHEMA,
	BI_ARG_PARAMS,
	BI_ARG_NAME,
	BI_ARG_DEADLINE,
	BI_ARG_MAX_ATTEMPTS,
	BI_ARG_MAX_FAILURE_RATE,
	BI_ARG_WRITE_IF,
	BI_ARG_IN_FLIGHT,
	BI_ARG_IDEMPOTENCY_KEY,
	BI_ARG_START_AFTER,
	BI_ARG_SUBMIT_WINDOW,
	BI_ARG_RETRY_FOR,
	BI_ARG_WRITE_MODE,
	BI_ARG_CONFLICT,
	BI_ARG_REPLACE_BY,
	BI_ARG_EACH,
	BI_ARG_KEEP,
	BI_ARG_MAX_COST,
	BI_ARG_DEDUP,
	BI_ARG_CACHE,
	BI_ARG_MODE,
	BI_ARG_LEFT_OVER,
	BI_ARG_PILOT,
	BI_ARG_PILOT_GATE,
	BI_ARG_CASCADE,
	BI_ARG_REASK,
	BI_ARG_SCHEMA_FROM_TARGET,
	BI_ARG_COUNT
} BiArgument;

/* The type batch_json, or jsonb as in version 0.1.0. */
#define BI_BATCH_JSON InvalidOid

/* One argument of the list.  Constant. */
typedef struct BiListed
{
	const char *name;
	Oid			type;			/* its SQL type, or BI_BATCH_JSON */
	int			max_bytes;		/* limit of its value; 0: no limit but the type's */
	const char *const *words;	/* all values that it may have, NULL-terminated; NULL: any value */
	const char *today;			/* what is done without an argument that is not built, for the hint;
								 * NULL if it is built */
	const char *same;			/* the value, as text, that asks for what is done without the
								 * argument, or NULL */
} BiListed;

/* The list: an item for each BiArgument. */
extern const BiListed bi_listed[BI_ARG_COUNT];

#endif							/* BI_LISTED_H */
