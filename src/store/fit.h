/*
 * store/fit.h: values of an output in the form that a column's type takes.
 */
#ifndef BI_FIT_H
#define BI_FIT_H

#include "postgres.h"

#include "utils/jsonb.h"

/* True if values for this type may have to be changed.  If not, the functions below change
 * nothing, and need not be called.  Raises an error if there are too many types within it. */
extern bool bi_fit_matters(Oid type);

/*
 * Appends the value as JSON whose parts the type's input takes.  Numbers without a fraction (3.0)
 * for integers and booleans are written without a decimal point, and blanks at the ends of
 * strings are cut off for types that are not text; in arrays and row types too.
 */
extern void bi_fit_append(StringInfo out, Oid type, Jsonb *value);

/* The same for a text that is the whole value.  Returns text itself or a palloc'd copy. */
extern const char *bi_fit_text(Oid type, const char *text);

#endif							/* BI_FIT_H */
