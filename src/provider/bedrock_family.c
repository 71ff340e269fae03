/*
 * provider/bedrock_family.c: families of models: how they are told, and how each is asked for
 * an embedding.
 *
 * Text models are all asked by Converse.  Knows no job.  Called by bedrock_spec.c.
 */
#include "postgres.h"

#include "provider/bedrock.h"
#include "provider/body.h"
#include "provider/embedding.h"

static bool
begins(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) == 0;
}

/* What of an ARN names the model, or may do so. */
static const char *
name_of(const char *model)
{
	const char *slash = begins(model, "arn:") ? strchr(model, '/') : NULL;

	return slash ? slash + 1 : model;
}

static BiBedrockFamily
family_of(const char *name)
{
	bool		embeds = strstr(name, "embed") != NULL;

	if (begins(name, "amazon.titan-embed"))
		return BI_BEDROCK_TITAN;
	if (begins(name, "cohere.embed"))
		return BI_BEDROCK_COHERE;
	if (begins(name, "amazon.nova") && embeds)
		return BI_BEDROCK_NOVA;
	return embeds ? BI_BEDROCK_EMBEDDING : BI_BEDROCK_TEXT;
}

/* An inference profile has a region or a word for several before the model's own name: us., global. */
BiBedrockFamily
bi_bedrock_family(const char *model)
{
	const char *name = name_of(model);
	const char *dot = strchr(name, '.');
	BiBedrockFamily family = family_of(name);

	if (dot && (family == BI_BEDROCK_TEXT || family == BI_BEDROCK_EMBEDDING))
		family = family_of(dot + 1);
	return family;
}

/* The members that are ours, the one that lists the forms of numbers, and the one for their count. */
static const struct
{
	const char *ours[5];
	const char *types;
	const char *size;
}			members[] =
{
	[BI_BEDROCK_TITAN] = {{"inputText", "inputImage"}, "embeddingTypes", "dimensions"},
	[BI_BEDROCK_COHERE] = {{"texts", "images", "inputs"}, "embedding_types", "output_dimension"},
	[BI_BEDROCK_NOVA] = {{"text", "image", "video", "audio"}, NULL, "embeddingDimension"},
	[BI_BEDROCK_EMBEDDING] = {{NULL}, NULL, NULL},
};

/* Bytes and bits would have to be told from numbers. */
static bool
is_only_float(const BiJson *types)
{
	const char *type = bi_json_string(bi_json_item(types, 0), NULL);

	return bi_json_length(types) == 1 && type && strcmp(type, "float") == 0;
}

char *
bi_bedrock_family_refuse(BiBedrockFamily family, const BiJson *params)
{
	const char *types = members[family].types;

	for (const char *const *key = members[family].ours; *key; key++)
		if (bi_json_get(params, *key))
			return psprintf("params may not set \"%s\"", *key);
	if (types && bi_json_get(params, types) && !is_only_float(bi_json_get(params, types)))
		return psprintf("params may not set \"%s\" to anything but [\"float\"]", types);
	return NULL;
}

char *
bi_bedrock_family_refuse_body(BiBedrockFamily family, const BiJson *body)
{
	if (family == BI_BEDROCK_NOVA)
		return bi_json_get(body, "segmentedEmbeddingParams") ? NULL
			: bi_body_refuse_without(body, "singleEmbeddingParams");
	if (family != BI_BEDROCK_TITAN && family != BI_BEDROCK_COHERE)
		return NULL;
	for (const char *const *key = members[family].ours; *key; key++)
		if (bi_json_get(body, *key))
			return NULL;
	return bi_body_refuse_without(body, members[family].ours[0]);
}

/* As the pages on models' parameters in Bedrock's user guide say.  Amazon Nova is asked for a size,
 * or its page leaves the default open. */
int
bi_bedrock_family_embedding_size(const BiSpec *spec)
{
	static const BiEmbeddingModel models[] = {
		{"amazon.titan-embed-text-v1", 1536}, {"amazon.titan-embed-text-v2:0", 1024},
		{"cohere.embed-english-v3", 1024}, {"cohere.embed-multilingual-v3", 1024},
		{"cohere.embed-v4:0", 1536}, {NULL}
	};
	const BiJson *params = spec->params ? bi_json_parse(spec->params, strlen(spec->params)) : NULL;
	const char *wish = members[bi_bedrock_family(spec->model)].size;

	return bi_embedding_size(spec, wish ? bi_json_get(params, wish) : NULL, models);
}

/* All members, each with a comma before it, but for the one named except. */
static void
append_members(StringInfo out, const BiJson *object, const char *except)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(object, &place, &key, &value))
	{
		if (except && strcmp(key, except) == 0)
			continue;
		appendStringInfoChar(out, ',');
		bi_json_append_string(out, key);
		appendStringInfoChar(out, ':');
		bi_json_append(out, value);
	}
}

static void
append_nova_head(StringInfo head, const BiJson *params)
{
	const BiJson *truncation = bi_json_at(params, "truncationMode", NULL);

	appendStringInfoString(head, "{\"taskType\":\"SINGLE_EMBEDDING\",\"singleEmbeddingParams\":{\"text\":{\"truncationMode\":");
	if (truncation)
		bi_json_append(head, truncation);
	else
		appendStringInfoString(head, "\"END\"");
	appendStringInfoString(head, ",\"value\":");
}

void
bi_bedrock_family_frame(BiBedrockFamily family, const BiJson *params, StringInfo head, StringInfo tail)
{
	if (family == BI_BEDROCK_TITAN)
	{
		appendStringInfoString(head, "{\"inputText\":");
		append_members(tail, params, NULL);
	}
	else if (family == BI_BEDROCK_COHERE)
	{
		appendStringInfoString(head, "{\"texts\":[");
		appendStringInfoChar(tail, ']');
		if (!bi_json_get(params, "input_type"))
			appendStringInfoString(tail, ",\"input_type\":\"search_document\"");
		append_members(tail, params, NULL);
	}
	else
	{
		append_nova_head(head, params);
		appendStringInfoChar(tail, '}');
		if (!bi_json_get(params, "embeddingPurpose"))
			appendStringInfoString(tail, ",\"embeddingPurpose\":\"GENERIC_INDEX\"");
		append_members(tail, params, "truncationMode");
		appendStringInfoChar(tail, '}');
	}
	appendStringInfoChar(tail, '}');
}
