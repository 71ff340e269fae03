/*
 * base/loose.h: JSON as models write it.
 */
#ifndef BI_LOOSE_H
#define BI_LOOSE_H

#include "postgres.h"

/*
 * Returns the JSON text that text means.  If text is one block of Markdown's fenced code, that is
 * the content of the block.  Control characters within strings become escapes.  Returns text
 * itself if nothing changes; otherwise a palloc'd copy.  Does not check that the result is JSON.
 */
extern const char *bi_loose_json(const char *text);

#endif							/* BI_LOOSE_H */
