/*
 * provider/google/fingerprint.h: a text that identifies a request although an API writes it back in
 * another form.
 */
#ifndef BI_FINGERPRINT_H
#define BI_FINGERPRINT_H

#include "base/json.h"

/*
 * Returns a text, palloc'd, that is the same for two requests if they differ only in: the order of
 * members; members that are null or empty; snake_case or camelCase of names; how a number is
 * written (1 and 1.0, a fraction as float and as double); the member "labels".
 */
extern char *bi_fingerprint_text(const BiJson *request);

/* True if it is the same name, in snake_case or camelCase. */
extern bool bi_fingerprint_same_name(const char *a, const char *b);

/* Returns the member of that name in either spelling; NULL if it is missing or a JSON null. */
extern BiJson *bi_fingerprint_member(const BiJson *object, const char *name);

#endif							/* BI_FINGERPRINT_H */
