/*
 * api/template.h: a prompt with {{column}} in it.
 */
#ifndef BI_TEMPLATE_H
#define BI_TEMPLATE_H

#include "postgres.h"

#include "access/tupdesc.h"

typedef struct BiTemplate BiTemplate;

/*
 * Looks up each {{column}} (blanks around the name are allowed; \{{ is a literal {{) in
 * the query's columns; ereports an unknown one.  In the current context.
 */
extern BiTemplate *bi_template_parse(const char *text, TupleDesc columns);

/* Which columns it names, from 1. */
extern bool bi_template_uses(const BiTemplate *t, int column);

/* True if it names any column. */
extern bool bi_template_names_columns(const BiTemplate *t);

/* The prompt for one row: values[i] is the text form of column i + 1, NULL for NULL.  NULL
 * if a column that it names is NULL. */
extern char *bi_template_fill(const BiTemplate *t, char *const *values);

#endif							/* BI_TEMPLATE_H */
