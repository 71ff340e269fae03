/*
 * provider/aws/bedrock_family.c: the families of Bedrock's models, and the requests of those that
 * make embeddings.
 *
 * Text models need no family: all of them are asked by Converse.  Knows no job.
 */
#include "postgres.h"

#include "provider/aws/bedrock_family.h"
#include "provider/body.h"
#include "provider/embedding.h"
#include "provider/wire.h"
#include "provider/words.h"

/* Returns the part of an ARN that names the model, or may do so; any other name as it is. */
static const char *
name_of(const char *model)
{
	const char *slash = bi_words_begin(model, "arn:") ? strchr(model, '/') : NULL;

	return slash ? slash + 1 : model;
}

/* Returns the family of a name that begins with the model's maker. */
static BiBedrockFamily
family_of(const char *name)
{
	bool		embeds = strstr(name, "embed") != NULL;

	if (bi_words_begin(name, "amazon.titan-embed"))
		return BI_BEDROCK_TITAN;
	if (bi_words_begin(name, "cohere.embed"))
		return BI_BEDROCK_COHERE;
	if (bi_words_begin(name, "amazon.nova") && embeds)
		return BI_BEDROCK_NOVA;
	return embeds ? BI_BEDROCK_EMBEDDING : BI_BEDROCK_TEXT;
}

/* An inference profile has a region, or a word for several, before the model's own name: "us.",
 * "global.". */
BiBedrockFamily
bi_bedrock_family_of(const char *model)
{
	const char *name = name_of(model);
	const char *dot = strchr(name, '.');
	BiBedrockFamily family = family_of(name);

	if (dot && (family == BI_BEDROCK_TEXT || family == BI_BEDROCK_EMBEDDING))
		family = family_of(dot + 1);
	return family;
}

/* Members of a family's request.  (Sources: the pages on models' parameters in Bedrock's user
 * guide, npm @ai-sdk/amazon-bedrock 4.0, seen 2026-11.) */
static const struct
{
	const char *ours[5];		/* those that hold the input, up to a NULL */
	const char *types;			/* the one that lists the forms of numbers, or NULL */
	const char *size;			/* the one that says how many numbers, or NULL */
}			members[] =
{
	[BI_BEDROCK_TITAN] = {{"inputText", "inputImage"}, "embeddingTypes", "dimensions"},
	[BI_BEDROCK_COHERE] = {{"texts", "images", "inputs"}, "embedding_types", "output_dimension"},
	[BI_BEDROCK_NOVA] = {{"text", "image", "video", "audio"}, NULL, "embeddingDimension"},
	[BI_BEDROCK_EMBEDDING] = {{NULL}, NULL, NULL},
};

/* True if only floats are asked for.  Answers with bytes or bits would have to be told from
 * vectors. */
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

/* Source: the pages on models' parameters in Bedrock's user guide.  That of Amazon Nova does not
 * say the default size. */
int
bi_bedrock_family_embedding_size(const BiSpec *spec)
{
	static const BiEmbeddingModel models[] = {
		{"amazon.titan-embed-text-v1", 1536}, {"amazon.titan-embed-text-v2:0", 1024},
		{"cohere.embed-english-v3", 1024}, {"cohere.embed-multilingual-v3", 1024},
		{"cohere.embed-v4:0", 1536}, {NULL}
	};
	const BiJson *params = bi_json_parse_cstring(spec->params);
	const char *wish = members[bi_bedrock_family_of(spec->model)].size;

	return bi_embedding_size(spec, wish ? bi_json_get(params, wish) : NULL, models);
}

/* Appends the head of a request to Nova, whose text stands two levels deep. */
static void
append_nova_head(StringInfo head, const BiJson *params)
{
	const BiJson *truncation = bi_json_at(params, "truncationMode", NULL);

	appendStringInfoString(head, "{\"taskType\":\"SINGLE_EMBEDDING\","
						   "\"singleEmbeddingParams\":{\"text\":{\"truncationMode\":");
	if (truncation)
		bi_json_append(head, truncation);
	else
		appendStringInfoString(head, "\"END\"");
	appendStringInfoString(head, ",\"value\":");
}

void
bi_bedrock_family_frame(BiBedrockFamily family, const BiJson *params, StringInfo head,
						StringInfo tail)
{
	if (family == BI_BEDROCK_TITAN)
	{
		appendStringInfoString(head, "{\"inputText\":");
		bi_wire_append_members(tail, params, NULL);
	}
	else if (family == BI_BEDROCK_COHERE)
	{
		appendStringInfoString(head, "{\"texts\":[");
		appendStringInfoChar(tail, ']');
		if (!bi_json_get(params, "input_type"))
			appendStringInfoString(tail, ",\"input_type\":\"search_document\"");
		bi_wire_append_members(tail, params, NULL);
	}
	else
	{
		append_nova_head(head, params);
		appendStringInfoChar(tail, '}');
		if (!bi_json_get(params, "embeddingPurpose"))
			appendStringInfoString(tail, ",\"embeddingPurpose\":\"GENERIC_INDEX\"");
		bi_wire_append_members(tail, params, "truncationMode");
		appendStringInfoChar(tail, '}');
	}
	appendStringInfoChar(tail, '}');
}
