/*
 * base/pointer.h: JSON pointers in URI fragments, as $ref has them.
 */
#ifndef BI_POINTER_H
#define BI_POINTER_H

#include "base/json.h"

/* What a local reference ("#", "#/$defs/…") names in root, NULL if there is nothing or
 * the reference is none or not local. */
extern BiJson *bi_pointer_resolve(const BiJson *root, const char *ref);

/* One more step at the end of a JSON pointer. */
extern void bi_pointer_append(StringInfo out, const char *step);

#endif							/* BI_POINTER_H */
