/*
 * provider/google/vertex_model.c: names of models at Vertex AI.
 *
 * Knows how short names become resources, and which family, and so which form of request, a name
 * means.
 */
#include "postgres.h"

#include "provider/google/vertex_model.h"
#include "provider/words.h"

/* Returns what stands behind the last slash. */
static const char *
short_name(const char *model)
{
	const char *slash = strrchr(model, '/');

	return slash ? slash + 1 : model;
}

/* A number is what the console calls a tuned model. */
bool
bi_vertex_model_is_tuned(const char *model)
{
	return (bi_words_begin(model, "projects/") && strstr(model, "/publishers/") == NULL) ||
		bi_words_begin(model, "models/") || model[strspn(model, "0123456789")] == '\0';
}

/* Returns a text that begins with the publisher and a slash.  A name is publishers/NAME/…,
 * NAME/MODEL or MODEL; the last is Anthropic's from "claude-" on, otherwise Google's. */
static const char *
publisher_of(const char *model)
{
	const char *at = strstr(model, "publishers/");

	if (at)
		return at + strlen("publishers/");
	if (strchr(model, '/'))
		return model;
	return bi_words_begin(model, "claude-") ? "anthropic/" : "google/";
}

/* Returns the family of a model of Google's. */
static BiVertexFamily
family_of_name(const char *name)
{
	if (bi_words_begin(name, "gemini-embedding"))
		return BI_VERTEX_EMBEDDING;
	return strstr(name, "embedding") ? BI_VERTEX_TEXT_EMBEDDING : BI_VERTEX_GEMINI;
}

BiVertexFamily
bi_vertex_model_family(const BiSpec *spec)
{
	const char *publisher = publisher_of(spec->model);

	if (bi_vertex_model_is_tuned(spec->model))
		return spec->task == BI_TASK_EMBEDDING ? BI_VERTEX_TEXT_EMBEDDING : BI_VERTEX_GEMINI;
	if (bi_words_begin(publisher, "anthropic/"))
		return BI_VERTEX_CLAUDE;
	if (bi_words_begin(publisher, "google/"))
		return family_of_name(short_name(spec->model));
	return BI_VERTEX_OTHER;
}

char *
bi_vertex_model_name(const BiServer *server, const char *model)
{
	const char *publisher;

	if (bi_words_begin(model, "projects/") || bi_words_begin(model, "publishers/"))
		return pstrdup(model);
	if (bi_vertex_model_is_tuned(model))
		return psprintf("projects/%s/locations/%s/models/%s", server->project, server->location,
						short_name(model));
	publisher = publisher_of(model);
	return psprintf("publishers/%.*s/models/%s", (int) strcspn(publisher, "/"), publisher,
					short_name(model));
}

/* Sources: docs.cloud.google.com, "Get batch text embeddings" (30,000 prompts a job) and "Claude
 * batch predictions" (4 jobs at once by default); seen 2026-11. */
void
bi_vertex_model_limit(const char *model, BiLimits *limits)
{
	BiSpec		spec = {.model = unconstify(char *, model)};

	switch (bi_vertex_model_family(&spec))
	{
		case BI_VERTEX_TEXT_EMBEDDING:
			limits->max_requests = 30000;
			break;
		case BI_VERTEX_CLAUDE:
			limits->max_batches = 4;
			break;
		default:
			break;
	}
}
