/*
 * provider/anthropic.h: Anthropic's Message Batches.
 */
#ifndef BI_ANTHROPIC_H
#define BI_ANTHROPIC_H

#include "base/json.h"
#include "provider/provider.h"

extern const BiProvider bi_anthropic;

/* Where the server does not set api_version. */
#define BI_ANTHROPIC_VERSION "2023-06-01"

/* anthropic_spec.c: from a job to its requests.  As in provider.h. */
extern char *bi_anthropic_spec_refuse_job(const BiSpec *spec, const BiServer *server);
extern char *bi_anthropic_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_anthropic_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame);

/*
 * One request's body, around its input.  version: where Claude is served elsewhere, the
 * "anthropic_version" that stands in the model's place; NULL: at Anthropic itself.
 */
extern void bi_anthropic_spec_append_head(StringInfo out, const BiSpec *spec, const BiServer *server, const char *version);
extern BiSlot bi_anthropic_spec_slot(const BiSpec *spec);
extern void bi_anthropic_spec_append_tail(StringInfo out, const BiSpec *spec);

/* bi_anthropic_spec_refuse_input for such bodies. */
extern char *bi_anthropic_spec_refuse_elsewhere(const BiSpec *spec, const char *input, const char *version);

/* anthropic_schema.c: the part of JSON Schema that the API takes */

/* NULL where the schema can be brought into it; else why not, with the place. */
extern char *bi_anthropic_schema_refuse(const BiJson *schema);

/* The schema so that the API takes it: what matches it matches the original but for what the
 * API cannot assert, which stands in descriptions.  Only what refuse lets pass. */
extern void bi_anthropic_schema_append(StringInfo out, const BiJson *schema);

/* anthropic_reply.c: what replies mean */

/* What status, transport and error body say; OK: 2xx, whatever the body is. */
extern BiVerdict bi_anthropic_reply_verdict(const BiExchange *ex);

/* Code and words of an error object {"type","message","details"}; each may stay NULL. */
extern void bi_anthropic_reply_words(const BiJson *error, char **code, char **message);

/* Is it money or a limit of spending, that only a person or the next month can change? */
extern bool bi_anthropic_reply_is_billing(const char *code, const char *message);

/* Is it an object of that type, or one that does not say what it is? */
extern bool bi_anthropic_reply_is_a(const BiJson *json, const char *type);

/* anthropic_batch.c: batch objects */

/* A batch object; false where it is none or has no status. */
extern bool bi_anthropic_batch_read(const BiJson *json, BiBatch *batch);

/* One page of batches, the newest first; false where it is no list that we understand. */
extern bool bi_anthropic_batch_find(const BiCall *call, const BiJson *json, BiFound *found);

/* anthropic_line.c: results */

/* As in provider.h. */
extern void bi_anthropic_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer);

/* What a message, or an error that stands in its place, means for an answer that is empty but
 * for whose it is; also where Claude is served elsewhere. */
extern void bi_anthropic_line_message(BiAnswer *answer, const BiJson *message);
extern void bi_anthropic_line_error(BiAnswer *answer, const BiJson *error);

/* Whose are these results, of which only the beginning may be there?  false: it does not tell. */
extern bool bi_anthropic_line_peek(const BiChunk *chunk, const char *text, size_t len, bool *ours);

#endif							/* BI_ANTHROPIC_H */
