/*
 * provider/gemini.h: Gemini's requests and results, which Vertex AI and the Gemini Developer
 * API have in common, and where the two differ.
 */
#ifndef BI_GEMINI_H
#define BI_GEMINI_H

#include "base/json.h"
#include "provider/provider.h"

typedef struct BiGeminiDialect
{
	bool		keys;			/* every line has a "key"; else only lines of embeddings have */
	bool		labels;			/* a request may carry labels: one of them is its id, unless the server says no */
	const char *embedding_config;	/* where options of an embedding stand in its request; NULL: in itself */
} BiGeminiDialect;

/* The label that is a request's id. */
#define BI_GEMINI_LABEL "rid"

/* gemini_spec.c: from a job to its lines */

/* As in provider.h. */
extern char *bi_gemini_spec_refuse_job(const BiGeminiDialect *dialect, const BiSpec *spec);
extern char *bi_gemini_spec_refuse_input(const BiSpec *spec, const char *input);
extern void bi_gemini_spec_frame(const BiGeminiDialect *dialect, const BiSpec *spec, const BiServer *server, BiFrame *frame);

/* gemini_schema.c: schemas as Google's APIs keep their order */

/* Appends a schema, and with each object in it the order of its properties. */
extern void bi_gemini_schema_append(StringInfo out, const BiJson *schema);

/* Appends the value of a request's member of that name, in which schemas are so written. */
extern void bi_gemini_schema_append_member(StringInfo out, const char *name, const BiJson *value);

/* gemini_embedding.c: embeddings, of which also the older models are */

/* As in provider.h, of task "embedding". */
extern char *bi_gemini_embedding_refuse_job(const BiSpec *spec);
extern char *bi_gemini_embedding_refuse_input(const BiSpec *spec, const char *input);
extern void bi_gemini_embedding_frame(const BiGeminiDialect *dialect, const BiSpec *spec, BiFrame *frame);

/* The same, also for the older models at Vertex AI. */
extern int	bi_gemini_embedding_size(const BiSpec *spec);

/* Is it an option that says what the embedding shall be? */
extern bool bi_gemini_embedding_is_option(const char *name);

/* Does params ask for less dimensions?  Then the vector is cut by us, where the API has not. */
extern bool bi_gemini_embedding_is_size(const char *name);

/* The output: a list of numbers, or why it is none. */
extern void bi_gemini_embedding_read(const BiCall *call, const BiJson *values, BiAnswer *answer);

/* gemini_line.c: what a line of results means */

/* As in provider.h. */
extern void bi_gemini_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer);
extern char *bi_gemini_line_fingerprint(const BiCall *call, const char *line, size_t len);

/* Begins the answer of a line, says whose it is and returns the line's tree; NULL, with the answer
 * errored, if the line cannot be read or nothing tells whose it is. */
extern BiJson *bi_gemini_line_open(const BiCall *call, const char *line, size_t len,
								   BiAnswer *answer);

/* Does the line say that its request failed?  Then the answer is that. */
extern bool bi_gemini_line_failed(const BiCall *call, const BiJson *line, BiAnswer *answer);

/* The Gemini Developer API */

extern const BiProvider bi_gemini;

/* Names of a chunk's references: the files of a batch; "dead" holds ids of batches that failed
 * before, with spaces between them. */
#define BI_GEMINI_INPUT "input"
#define BI_GEMINI_OUTPUT "output"
#define BI_GEMINI_DEAD "dead"

/* gemini_api.c: addresses, names and verdicts */

/* Begins a request below the API's version: BASE + root + /VERSION + path. */
extern void bi_gemini_api_request(const BiCall *call, const char *method, const char *root, const char *path, BiExchange *ex);

/* As bi_gapi_verdict, with what only this API says otherwise. */
extern BiVerdict bi_gemini_api_verdict(const BiExchange *ex);

/* The name of a resource, kind + '/' + id, palloc'd; NULL where it is none that can stand in an
 * address. */
extern char *bi_gemini_api_name(const BiJson *name, const char *kind);

/* By what a chunk's batch and files are known. */
extern char *bi_gemini_api_token(const BiChunk *chunk);

/* gemini_file.c: files */

/* As in provider.h. */
extern void bi_gemini_file_upload(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_gemini_file_read_upload(const BiCall *call, const BiExchange *ex, List **refs);
extern bool bi_gemini_file_fetch(const BiCall *call, int part, BiExchange *ex);
extern BiVerdict bi_gemini_file_read_fetch(const BiCall *call, const BiExchange *ex);

/* The name of a chunk's input, whether it is there or not. */
extern char *bi_gemini_file_input(const BiChunk *chunk);

/* gemini_batch.c: batches, which the API shows as operations, and lists of them */

/* false where json is none.  Of one that succeeded the references are there once it tells them. */
extern bool bi_gemini_batch_read(const BiJson *json, BiBatch *batch);

/* false where json is no list whose entries all tell what they are. */
extern bool bi_gemini_batch_find(const BiCall *call, const BiJson *json, BiFound *found);

/* The i-th batch of the chunk, from 0: its own and those that failed; NULL: there are no more. */
extern char *bi_gemini_batch_of(const BiChunk *chunk, int i);

#endif							/* BI_GEMINI_H */
