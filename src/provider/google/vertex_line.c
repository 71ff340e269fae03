/*
 * provider/google/vertex_line.c: what a line of Vertex AI's results means.
 *
 * Knows which family of models has which answers, and those of the older embeddings.  Gemini's
 * stand in gemini_line.c, Claude's in anthropic_line.c.  A line may hold anything.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/google/gemini_embedding.h"
#include "provider/google/gemini_line.h"
#include "provider/google/vertex_line.h"
#include "provider/google/vertex_model.h"
#include "provider/shape/claude_answer.h"

/* Reads an answer of the older embeddings:
 * {"instance":{…},"predictions":[{"embeddings":{"values":[…],"statistics":{"token_count":8}}}]}. */
void
bi_vertex_line_embedding(const BiCall *call, const BiJson *line, BiAnswer *answer)
{
	const BiJson *predictions = bi_json_at(line, "predictions", NULL);
	const BiJson *embeddings = bi_json_at(bi_json_item(predictions, 0), "embeddings", NULL);

	const BiJson *tokens = bi_json_at(embeddings, "statistics", "token_count", NULL);

	answer->input_tokens = Max(bi_json_int(tokens, -1), -1);
	bi_gemini_embedding_read(call, bi_json_at(embeddings, "values", NULL), answer);
}

/* Reads an answer of Claude: a message of Anthropic's, or the text of one. */
static void
read_claude(const BiJson *line, BiAnswer *answer)
{
	const BiJson *response = bi_json_at(line, "response", NULL);
	size_t		len;
	const char *text = bi_json_string(response, &len);
	bool		repaired;

	if (text)
		response = bi_json_parse_lenient(text, len, &repaired);
	if (!bi_claude_answer_take(answer, response))
		bi_answer_fail(answer, BI_OUTCOME_ERRORED, true, "unknown_result",
					   "the line has no result that is known");
}

void
bi_vertex_line_read(const BiCall *call, const char *text, size_t len, BiResultLine *line)
{
	BiAnswer   *answer = &line->answer;
	BiVertexFamily family = bi_vertex_model_family(&call->job->spec);
	BiJson	   *json;

	if (family != BI_VERTEX_CLAUDE && family != BI_VERTEX_TEXT_EMBEDDING)
	{
		bi_gemini_line_read(call, text, len, line);
		return;
	}
	json = bi_gemini_line_open(call, text, len, line);
	if (json == NULL || bi_gemini_line_failed(call, json, answer))
		return;
	if (family == BI_VERTEX_CLAUDE)
		read_claude(json, answer);
	else
		bi_vertex_line_embedding(call, json, answer);
}
