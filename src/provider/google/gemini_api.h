/*
 * provider/google/gemini_api.h: addresses, names and verdicts of the Gemini Developer API.
 */
#ifndef BI_GEMINI_API_H
#define BI_GEMINI_API_H

#include "base/json.h"
#include "provider/provider.h"

/* The API's address, unless the server sets base_url. */
#define BI_GEMINI_API_URL "https://generativelanguage.googleapis.com"

/* Begins a request to BASE + root + "/VERSION/" + path. */
extern void bi_gemini_api_request(const BiCall *call, const char *method, const char *root,
								  const char *path, BiExchange *ex);

/* Returns as bi_gapi_verdict, except for the statuses that mean something different here. */
extern BiVerdict bi_gemini_api_verdict(const BiExchange *ex);

/* Returns the name of a resource, palloc'd: kind, a slash and an id.  NULL if it is not a name that
 * can stand in an address. */
extern char *bi_gemini_api_name(const BiJson *name, const char *kind);

/* Returns the display name of a chunk's batch and file, palloc'd.  It finds the batch again. */
extern char *bi_gemini_api_token(const BiChunk *chunk);

#endif							/* BI_GEMINI_API_H */
