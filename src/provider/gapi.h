/*
 * provider/gapi.h: what replies of Google's APIs mean: Vertex AI's, Cloud Storage's, Gemini's.
 */
#ifndef BI_GAPI_H
#define BI_GAPI_H

#include "base/json.h"
#include "provider/provider.h"

/* What status, transport and error body say; OK: 2xx, whatever the body is. */
extern BiVerdict bi_gapi_verdict(const BiExchange *ex);

/* The word of an error object {"code","status","message"}, by its status or by its code, which
 * is HTTP's or one of the sixteen of google.rpc.Code; NULL where it has none that is known. */
extern const char *bi_gapi_word(const BiJson *error);

/* The word that a text begins with; NULL where it begins with none. */
extern const char *bi_gapi_find_word(const char *text);

/* Is that word one of load, and not of content? */
extern bool bi_gapi_is_transient(const char *word);

/* Code and message of an error object; neither is NULL. */
extern BiFault *bi_gapi_fault(const BiJson *error);

/* A Unix time as JSON, -1 where it is none. */
extern int64 bi_gapi_time(const BiJson *json);

#endif							/* BI_GAPI_H */
