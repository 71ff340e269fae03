/*
 * intake/stored.h: the arguments of a call, kept for later calls.
 */
#ifndef BI_STORED_H
#define BI_STORED_H

#include "postgres.h"

#include "intake/values.h"

/* Returns the arguments that are given, as a JSON object of texts by name, palloc'd: each as any
 * session reads it. */
extern char *bi_stored_text(const BiValues *values);

/* Sets the values of such an object; NULL: it is missing.  function: for messages.  They are
 * palloc'd.  Raises an error for what is no such object, for a table that does not exist any more,
 * and for what is not built. */
extern void bi_stored_read(const char *json, const char *function, BiValues *values);

/* Returns a call of batch_submit with these arguments, which can be copied: all that do not have
 * their defaults, by name and as literals.  more: arguments that follow, or NULL. */
extern char *bi_stored_call(const BiValues *values, const char *more);

#endif							/* BI_STORED_H */
