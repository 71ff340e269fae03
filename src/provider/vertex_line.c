/*
 * provider/vertex_line.c: what a line of a results file means at Vertex AI.
 *
 * Knows which family of models has which answers, and those of the older embeddings; Gemini's
 * stand in gemini_line.c, Claude's in anthropic_line.c.  A line may hold anything.  Called
 * through the routine table, once a line.
 */
#include "postgres.h"

#include "provider/anthropic.h"
#include "provider/gemini.h"
#include "provider/line.h"
#include "provider/vertex.h"

/* {"instance":{…},"predictions":[{"embeddings":{"values":[…],"statistics":{"token_count":8}}}]} */
static void
read_text_embedding(const BiCall *call, const BiJson *line, BiAnswer *answer)
{
	const BiJson *predictions = bi_json_at(line, "predictions", NULL);
	const BiJson *embeddings = bi_json_at(bi_json_item(predictions, 0), "embeddings", NULL);

	answer->input_tokens = Max(bi_json_int(bi_json_at(embeddings, "statistics", "token_count", NULL), -1), -1);
	bi_gemini_embedding_read(call, bi_json_at(embeddings, "values", NULL), answer);
}

/* A message of Anthropic's, or its text. */
static void
read_claude(const BiJson *line, BiAnswer *answer)
{
	const BiJson *response = bi_json_at(line, "response", NULL);
	size_t		len;
	const char *text = bi_json_string(response, &len);
	const char *type;
	bool		repaired;

	if (text)
		response = bi_json_parse_lenient(text, len, &repaired);
	type = bi_json_string(bi_json_at(response, "type", NULL), NULL);
	if (type && strcmp(type, "error") == 0)
		bi_anthropic_line_error(answer, response);
	else if (bi_json_at(response, "content", NULL) || bi_json_at(response, "stop_reason", NULL))
		bi_anthropic_line_message(answer, response);
	else
		bi_line_fail(answer, BI_ERRORED, true, "unknown_result", "the line has no result that is known");
}

void
bi_vertex_line_read(const BiCall *call, const char *line, size_t len, BiAnswer *answer)
{
	BiVertexFamily family = bi_vertex_model_family(&call->job->spec);
	BiJson	   *json;

	if (family != BI_VERTEX_CLAUDE && family != BI_VERTEX_TEXT_EMBEDDING)
	{
		bi_gemini_line_read(call, line, len, answer);
		return;
	}
	json = bi_gemini_line_open(call, line, len, answer);
	if (json == NULL || bi_gemini_line_failed(call, json, answer))
		return;
	if (family == BI_VERTEX_CLAUDE)
		read_claude(json, answer);
	else
		read_text_embedding(call, json, answer);
}
