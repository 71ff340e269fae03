/*
 * base/value.h: JSON values as the standard compares them: 1 is 1.0, and the order
 * of an object's members does not matter.
 */
#ifndef BI_VALUE_H
#define BI_VALUE_H

#include "base/json.h"

/* Returns a palloc'd text that is the same for equal values, and only for them.  Numbers beyond
 * 1000 characters or 1e300 are compared as doubles.  Interruptible. */
extern char *bi_value_canonical(const BiJson *json);

/* True if two items of the array have the same value.  *bytes is the size of all canonical texts.
 * Interruptible. */
extern bool bi_value_repeats(const BiJson *array, size_t *bytes);

/* Compares two numbers: returns -1, 0 or 1. */
extern int	bi_value_compare(const BiJson *a, const BiJson *b);

/* True if the number is a whole multiple of step, which must be above 0. */
extern bool bi_value_is_multiple(const BiJson *number, const BiJson *step);

/* True for a number without a fraction; 1.0 is one. */
extern bool bi_value_is_integer(const BiJson *json);

#endif							/* BI_VALUE_H */
