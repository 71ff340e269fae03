/*
 * base/pointer.h: JSON pointers in URI fragments, as $ref has them.
 */
#ifndef BI_POINTER_H
#define BI_POINTER_H

#include "base/json.h"

/* Returns what a local reference ("#", "#/$defs/…") names in root; NULL if nothing is there, or
 * the reference is invalid or not local. */
extern BiJson *bi_pointer_resolve(const BiJson *root, const char *ref);

/* Appends one more step to a JSON pointer. */
extern void bi_pointer_append(StringInfo out, const char *step);

#endif							/* BI_POINTER_H */
