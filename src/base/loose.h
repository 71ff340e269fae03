/*
 * base/loose.h: JSON as models write it.
 */
#ifndef BI_LOOSE_H
#define BI_LOOSE_H

#include "postgres.h"

/*
 * Returns the JSON text that text means, if it means one: a text that is one block of
 * Markdown's fenced code is the block's content, and control characters within strings are
 * written as escapes.  Returns text itself where there is nothing to change, else a palloc'd
 * copy.  Does not tell whether the result is JSON.
 */
extern const char *bi_loose_json(const char *text);

#endif							/* BI_LOOSE_H */
