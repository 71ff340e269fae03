/*
 * provider/openai/openai_endpoint.h: which endpoint a job's requests go to.
 */
#ifndef BI_OPENAI_ENDPOINT_H
#define BI_OPENAI_ENDPOINT_H

#include "base/json.h"
#include "provider/provider.h"

#define BI_OPENAI_CHAT "/v1/chat/completions"

/* As in provider.h: "responses", or NULL. */
extern const char *bi_openai_endpoint_choose(const BiSpec *spec, const BiServer *server,
											 const char *body);

/* Returns the URL that the job's lines have: always with /v1. */
extern const char *bi_openai_endpoint_path(const BiSpec *spec);

/* True if the job goes to /v1/responses. */
extern bool bi_openai_endpoint_is_responses(const BiSpec *spec);

/*
 * Returns why these params, or this body (what names it), are certainly for another endpoint than
 * the job's; NULL if they may be for it.
 */
extern char *bi_openai_endpoint_refuse_members(const BiSpec *spec, const BiJson *json,
											   const char *what);

/* The same of a whole body. */
extern char *bi_openai_endpoint_refuse_body(const BiSpec *spec, const BiJson *body);

#endif							/* BI_OPENAI_ENDPOINT_H */
