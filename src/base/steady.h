/*
 * base/steady.h: settings under which a value has always the same text.
 */
#ifndef BI_STEADY_H
#define BI_STEADY_H

#include "postgres.h"

#include "access/htup.h"

/* Puts them in force.  Returns what bi_steady_end takes; an error ends them, too. */
extern int	bi_steady_begin(void);

/* The same; these settings also make a value of such a text. */
extern int	bi_steady_begin_input(void);

/* Puts the former settings back in force. */
extern void bi_steady_end(int level);

/* True if the text of all columns of this row is the same under all settings. */
extern bool bi_steady_is_row(HeapTupleHeader row);

#endif							/* BI_STEADY_H */
