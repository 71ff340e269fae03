/*
 * intake/template.h: a prompt with {{column}} in it.
 */
#ifndef BI_TEMPLATE_H
#define BI_TEMPLATE_H

#include "postgres.h"

#include "access/tupdesc.h"

/* A prompt, cut at its {{column}}s.  Constant once it is made. */
typedef struct BiTemplate BiTemplate;

/*
 * Returns the template of a prompt, in the current memory context.  Looks up each {{column}}
 * (blanks around the name are allowed; \{{ is a literal {{) in the query's columns.  Raises an
 * error for a column that the query does not have, and for {{ without an end.
 */
extern BiTemplate *bi_template_parse(const char *text, TupleDesc columns);

/* True if it names this column, from 1. */
extern bool bi_template_uses(const BiTemplate *t, int column);

/* True if it names any column. */
extern bool bi_template_names_columns(const BiTemplate *t);

/*
 * Returns the prompt for one row, palloc'd: values[i] is the text form of column i + 1, NULL for
 * null.  Returns NULL if a column that it names is null.
 */
extern char *bi_template_fill(const BiTemplate *t, char *const *values);

#endif							/* BI_TEMPLATE_H */
