/*
 * provider/google/gapi.h: what errors and replies mean that Google's APIs have in common: Vertex
 * AI's, Cloud Storage's, Gemini's.
 */
#ifndef BI_GAPI_H
#define BI_GAPI_H

#include "base/json.h"
#include "provider/provider.h"

/* Returns what status, transport and error body say; OK for every 2xx, whatever its body is. */
extern BiVerdict bi_gapi_verdict(const BiExchange *ex);

/*
 * Returns the word of an error object {"code","status","message"}, such as "NOT_FOUND": a constant.
 * It comes from the status, or from the code, which is an HTTP status or one of the sixteen numbers
 * of google.rpc.Code.  NULL if neither is known.
 */
extern const char *bi_gapi_word(const BiJson *error);

/* Returns the word that text begins with, a constant; NULL if it begins with none. */
extern const char *bi_gapi_find_word(const char *text);

/* True if this word is about load or a fault of the service, not about the request's content. */
extern bool bi_gapi_is_transient(const char *word);

/* Returns code and message of an error object, palloc'd; neither is NULL. */
extern BiFault *bi_gapi_fault(const BiJson *error);

/* Returns a count that JSON has as a number or as a text of at most max_digits digits; otherwise if
 * it is not one. */
extern int64 bi_gapi_count(const BiJson *json, int max_digits, int64 otherwise);

/* Returns the first detail of an error object whose member of that name is that text, or NULL. */
extern const BiJson *bi_gapi_detail(const BiJson *error, const char *name, const char *text);

/* Returns a time that JSON has as text, in Unix seconds; -1 if it is not a time. */
extern int64 bi_gapi_time(const BiJson *json);

#endif							/* BI_GAPI_H */
