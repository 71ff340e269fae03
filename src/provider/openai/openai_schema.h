/*
 * provider/openai/openai_schema.h: response schemas that OpenAI takes as strict.
 */
#ifndef BI_OPENAI_SCHEMA_H
#define BI_OPENAI_SCHEMA_H

#include "base/json.h"

/* True if "strict" may be set for this response schema: OpenAI takes only a subset so. */
extern bool bi_openai_schema_is_strict(const BiJson *schema);

#endif							/* BI_OPENAI_SCHEMA_H */
