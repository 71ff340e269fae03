/*
 * api/advice.h: what a prompt was probably meant to say.
 */
#ifndef BI_ADVICE_H
#define BI_ADVICE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "api/template.h"
#include "store/job.h"

/*
 * Warns where requests are probably not what the caller wants: a prompt that names no column
 * while several records are sent, a column named as other templates name it ({body}, $body),
 * and {{column}} in the system prompt, which is the same for all records.  columns are those
 * of the query, records the number of requests.  Raises nothing above WARNING.
 */
extern void bi_advice_give(const BiSpec *spec, const BiTemplate *t, TupleDesc columns, int64 records);

/*
 * Returns a hint for an input column, by its number, that cannot be sent: a string type in a column
 * that holds JSON is probably text under the wrong name.  NULL if there is nothing to say.
 */
extern char *bi_advice_column(const BiSpec *spec, TupleDesc columns, int column);

#endif							/* BI_ADVICE_H */
