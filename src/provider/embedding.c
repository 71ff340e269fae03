/*
 * provider/embedding.c: what is known of the sizes of embeddings.
 *
 * Knows no provider: each brings its own list of models.
 */
#include "postgres.h"

#include "provider/embedding.h"

/*
 * True if text names that model.  A path (of an ARN, a resource, a proxy) and the prefix of an
 * inference profile may come before the name, nothing after it.
 */
static bool
is_model(const char *text, const char *model)
{
	const char *slash = strrchr(text, '/');
	const char *name = slash ? slash + 1 : text;
	size_t		len = strlen(name);
	size_t		tail = strlen(model);

	if (len < tail || strcmp(name + len - tail, model) != 0)
		return false;
	return len == tail || name[len - tail - 1] == '.';
}

int
bi_embedding_size(const BiSpec *spec, const BiJson *wish, const BiEmbeddingModel *models)
{
	if (spec->input == BI_INPUT_BODY)
		return 0;				/* each body sets its own */
	if (wish && bi_json_type(wish) != BI_JSON_NULL)
		return (int) Min(Max(bi_json_int(wish, 0), 0), PG_INT32_MAX);
	for (; models->model; models++)
		if (is_model(spec->model, models->model))
			return models->size;
	return 0;
}

char *
bi_embedding_refuse_job(const BiSpec *spec)
{
	if (spec->input == BI_INPUT_MESSAGES)
		return pstrdup("messages cannot be embedded");
	if (spec->response_schema)
		return pstrdup("response_schema cannot be used for embeddings");
	if (spec->system_prompt)
		return pstrdup("system_prompt cannot be used for embeddings");
	return NULL;
}
