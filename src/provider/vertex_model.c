/*
 * provider/vertex_model.c: names of models at Vertex AI.
 *
 * Knows how short names become resources, and which family, and so which shape of request, a
 * name means.  Called by vertex*.c.
 */
#include "postgres.h"

#include "provider/vertex.h"

static bool
begins(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) == 0;
}

/* What stands behind the last slash. */
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
	return (begins(model, "projects/") && strstr(model, "/publishers/") == NULL) ||
		begins(model, "models/") || model[strspn(model, "0123456789")] == '\0';
}

/* publishers/NAME/… or NAME/MODEL; Google's where the name does not tell. */
static const char *
publisher_of(const char *model)
{
	const char *at = strstr(model, "publishers/");

	if (at)
		return at + strlen("publishers/");
	if (strchr(model, '/'))
		return model;
	return begins(model, "claude-") ? "anthropic/" : "google/";
}

static BiVertexFamily
family_of_name(const char *name)
{
	if (begins(name, "gemini-embedding"))
		return BI_VERTEX_EMBEDDING;
	return strstr(name, "embedding") ? BI_VERTEX_TEXT_EMBEDDING : BI_VERTEX_GEMINI;
}

BiVertexFamily
bi_vertex_model_family(const BiSpec *spec)
{
	const char *publisher = publisher_of(spec->model);

	if (bi_vertex_model_is_tuned(spec->model))
		return spec->task == BI_TASK_EMBEDDING ? BI_VERTEX_TEXT_EMBEDDING : BI_VERTEX_GEMINI;
	if (begins(publisher, "anthropic/"))
		return BI_VERTEX_CLAUDE;
	return begins(publisher, "google/") ? family_of_name(short_name(spec->model)) : BI_VERTEX_OTHER;
}

char *
bi_vertex_model_name(const BiServer *server, const char *model)
{
	const char *publisher;

	if (begins(model, "projects/") || begins(model, "publishers/"))
		return pstrdup(model);
	if (bi_vertex_model_is_tuned(model))
		return psprintf("projects/%s/locations/%s/models/%s", server->project, server->location, short_name(model));
	publisher = publisher_of(model);
	return psprintf("publishers/%.*s/models/%s", (int) strcspn(publisher, "/"), publisher, short_name(model));
}

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
