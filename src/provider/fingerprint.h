/*
 * provider/fingerprint.h: requests as they are told from each other, however an API writes
 * them back.
 */
#ifndef BI_FINGERPRINT_H
#define BI_FINGERPRINT_H

#include "base/json.h"

/* The same text, palloc'd, for requests that differ only in the order of members, in members
 * that are null or empty, in snake_case or camelCase, in how numbers are written (1 and 1.0; a
 * fraction as a float and as a double) and in "labels". */
extern char *bi_fingerprint_text(const BiJson *request);

/* Is it the same name, in snake_case or camelCase? */
extern bool bi_fingerprint_same_name(const char *a, const char *b);

/* The member of that name in either spelling; NULL if there is none, or a JSON null. */
extern BiJson *bi_fingerprint_member(const BiJson *object, const char *name);

#endif							/* BI_FINGERPRINT_H */
