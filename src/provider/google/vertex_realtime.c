/*
 * provider/google/vertex_realtime.c: single requests at Vertex AI.
 *
 * Knows which method each family of models has: generateContent (Gemini), rawPredict (Claude),
 * predict (text embeddings, gemini-embedding-001 too) and embedContent (later embeddings).
 *
 * Decided here: a model is called by its publisher's name, or by the resource that its name is; a
 * tuned model answers at an endpoint, projects/…/locations/…/endpoints/…, which option
 * realtime_model can name.
 *
 * Sources: npm @google/genai 3.3, @anthropic-ai/vertex-sdk 1.1; seen 2026-11.
 */
#include "postgres.h"

#include "provider/answer.h"
#include "provider/google/gapi.h"
#include "provider/google/gemini_embedding.h"
#include "provider/google/gemini_line.h"
#include "provider/google/gemini_spec.h"
#include "provider/google/vertex_address.h"
#include "provider/google/vertex_line.h"
#include "provider/google/vertex_model.h"
#include "provider/google/vertex_realtime.h"
#include "provider/google/vertex_spec.h"
#include "provider/shape/claude.h"
#include "provider/shape/claude_answer.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

static const BiGeminiDialect dialect = {.embedding_config = "embedContentConfig"};

/* What a request is. */
typedef enum Method
{
	GENERATE,
	EMBED,
	PREDICT,
	RAW_PREDICT
} Method;

/* A body of the query for gemini-embedding-001 is one of embedContent. */
static Method
method_of(const BiSpec *spec)
{
	switch (bi_vertex_model_family(spec))
	{
		case BI_VERTEX_CLAUDE:
			return RAW_PREDICT;
		case BI_VERTEX_TEXT_EMBEDDING:
			return PREDICT;
		case BI_VERTEX_EMBEDDING:
			return bi_words_end(spec->model, "gemini-embedding-001") &&
				spec->input != BI_INPUT_BODY ? PREDICT : EMBED;
		default:
			return GENERATE;
	}
}

/* {"instances":[{"content":"…","task_type":"…"}],"parameters":{"outputDimensionality":…}} */
static void
frame_predict(const BiSpec *spec, BiFrame *frame)
{
	BiJson	   *params = bi_json_parse_cstring(spec->params);
	bool		body = spec->input == BI_INPUT_BODY;
	StringInfoData head;
	StringInfoData tail;
	StringInfoData whole;

	initStringInfo(&head);
	initStringInfo(&tail);
	initStringInfo(&whole);
	appendStringInfo(&head, "{\"instances\":[%s", body ? "" : "{\"content\":");
	if (!body)
	{
		bi_wire_append_chosen(&tail, params, bi_gemini_embedding_is_whole, false);
		bi_wire_append_chosen(&whole, params, bi_gemini_embedding_is_whole, true);
		appendStringInfoChar(&tail, '}');
	}
	appendStringInfoChar(&tail, ']');
	if (whole.len > 0)
		appendStringInfo(&tail, ",\"parameters\":{%s}", whole.data + 1);
	appendStringInfoChar(&tail, '}');
	bi_frame_make_body(frame, &head, body ? BI_SLOT_JSON : BI_SLOT_TEXT, &tail);
}

void
bi_vertex_realtime_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	switch (method_of(spec))
	{
		case RAW_PREDICT:
			bi_claude_frame_body(spec, server, BI_VERTEX_CLAUDE_VERSION, frame);
			break;
		case PREDICT:
			frame_predict(spec, frame);
			break;
		default:
			bi_gemini_spec_frame_body(&dialect, spec, frame);
	}
}

void
bi_vertex_realtime_request(const BiCall *call, BiExchange *ex)
{
	static const char *const verbs[] = {
		[GENERATE] = "generateContent", [EMBED] = "embedContent", [PREDICT] = "predict",
		[RAW_PREDICT] = "rawPredict"
	};
	const BiServer *server = call->server;
	char	   *model = bi_vertex_model_name(server, call->job->spec.model);
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/v1/");
	if (!bi_words_begin(model, "projects/"))
	{
		appendStringInfoString(&path, "projects/");
		bi_wire_append_escaped(&path, server->project);
		appendStringInfo(&path, "/locations/%s/", server->location);
	}
	appendStringInfo(&path, "%s:%s", model, verbs[method_of(&call->job->spec)]);
	bi_vertex_address_request(call, "POST", path.data, ex);
	bi_exchange_add_header(ex, "Content-Type", "application/json");
	ex->has_body = true;
}

BiVerdict
bi_vertex_realtime_read(const BiCall *call, const BiExchange *ex, BiResultLine *line)
{
	BiVerdict	verdict = bi_gapi_verdict(ex);
	Method		method = method_of(&call->job->spec);
	BiJson	   *body;

	if (method == GENERATE || method == EMBED)
		return bi_gemini_line_reply(call, ex, verdict, line);
	body = bi_answer_open(call, ex, &verdict, line);
	if (body && method == PREDICT && bi_json_at(body, "predictions", NULL))
		bi_vertex_line_embedding(call, body, &line->answer);
	else if (body && (method == PREDICT || !bi_claude_answer_take(&line->answer, body)))
		return bi_verdict_unexpected(ex, "an answer");
	return verdict;
}
