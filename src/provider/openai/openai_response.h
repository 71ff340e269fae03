/*
 * provider/openai/openai_response.h: the answers of /v1/responses.
 */
#ifndef BI_OPENAI_RESPONSE_H
#define BI_OPENAI_RESPONSE_H

#include "base/json.h"
#include "provider/provider.h"

/* Reads the body of an answer: its output, why the model ended and what it counted. */
extern void bi_openai_response_read(const BiJson *body, BiAnswer *answer);

#endif							/* BI_OPENAI_RESPONSE_H */
