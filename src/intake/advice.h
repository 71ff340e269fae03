/*
 * intake/advice.h: hints and warnings about a prompt, or a column that holds the input.
 */
#ifndef BI_ADVICE_H
#define BI_ADVICE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "intake/template.h"
#include "store/job.h"

/*
 * Warns where requests are probably not what the caller wants: a prompt that names no column
 * while several records are sent, a column named as other templates name it ({body}, $body),
 * and {{column}} in the system prompt, which is the same for all records.  t is NULL if there is no
 * prompt, columns are those of the query, records the number of requests.  Raises nothing above
 * WARNING.
 */
extern void bi_advice_warn(const BiSpec *spec, const BiTemplate *t, TupleDesc columns,
						   int64 records);

/*
 * Returns a hint, palloc'd, for an input column (its number, from 1) that cannot be sent: a
 * string in a column that holds JSON is probably text under the wrong name.  value is the value
 * at fault, or NULL if all are.  Returns NULL if there is nothing to say.
 */
extern char *bi_advice_column(const BiSpec *spec, TupleDesc columns, int column, const char *value);

/*
 * Raises an error for an input column of a type that can never hold what its name says, and a
 * WARNING for JSON that is to be embedded as text.
 */
extern void bi_advice_check_column(const BiSpec *spec, TupleDesc columns, int column);

/* Returns a hint, palloc'd, for a query that has no column with an input. */
extern char *bi_advice_nothing(const BiSpec *spec, TupleDesc columns);

#endif							/* BI_ADVICE_H */
