/*
 * store/extract.h: the values that a target's columns take from an output.
 */
#ifndef BI_EXTRACT_H
#define BI_EXTRACT_H

#include "lib/stringinfo.h"
#include "store/result.h"
#include "store/target.h"

/* Whether an output fits a target. */
typedef enum BiFit
{
	BI_FIT_OK,
	BI_FIT_NOT_JSON,			/* it is not JSON, which a column needs */
	BI_FIT_TOO_COSTLY			/* a path, or the output as JSON, costs too much */
} BiFit;

/* True if a column takes anything else than the output as it is. */
extern bool bi_extract_is_needed(const BiTarget *target, const BiAnswer *answer);

/*
 * Finds the values of all columns: sets result->values, or its items and the values of each, in
 * cxt.  Each value is a JSON text, or NULL for the output as it is.  If the output does not fit,
 * *why says so, in cxt too.
 *
 * Leaves much in the current context.  Needs a transaction.  Raises an error for an output that
 * only PostgreSQL's own JSON types refuse.  What it costs has no bound that can be counted: run
 * it within a budget.  Interruptible, except while it makes a jsonb.
 */
extern BiFit bi_extract_values(const BiTarget *target, MemoryContext cxt, BiResult *result,
							   char **why);

/* Appends the value of a column that is filled from the query, as JSON. */
extern void bi_extract_carried(StringInfo out, const BiTarget *target,
							   const BiTargetColumn *column, const BiResult *result);

/* True if PostgreSQL's own parser takes text as JSON, escapes included.  Interruptible. */
extern bool bi_extract_is_json(const char *text);

#endif							/* BI_EXTRACT_H */
