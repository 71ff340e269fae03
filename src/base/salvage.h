/*
 * base/salvage.h: what can be read of JSON that is broken.
 */
#ifndef BI_SALVAGE_H
#define BI_SALVAGE_H

#include "postgres.h"

/*
 * Returns the string at path (keys of objects, up to a NULL) in the object that text begins
 * with, palloc'd; NULL if it is not there, or cannot be read.  The text may be cut, nested
 * deeper than any parser goes, or broken behind the string.  Of a repeated key the first one
 * that leads to a string counts.  Raises no error because of the content.
 */
extern char *bi_salvage_string(const char *text, size_t len, const char *const *path);

#endif							/* BI_SALVAGE_H */
