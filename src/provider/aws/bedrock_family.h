/*
 * provider/aws/bedrock_family.h: the families of Bedrock's models, and the requests of those that
 * make embeddings.
 */
#ifndef BI_BEDROCK_FAMILY_H
#define BI_BEDROCK_FAMILY_H

#include "base/json.h"
#include "provider/provider.h"

/* The models whose requests for an embedding are alike. */
typedef enum BiBedrockFamily
{
	BI_BEDROCK_TEXT,			/* every model that makes text; also every name that is not known */
	BI_BEDROCK_TITAN,			/* Amazon Titan Text Embeddings */
	BI_BEDROCK_COHERE,			/* Cohere Embed */
	BI_BEDROCK_NOVA,			/* Amazon Nova Multimodal Embeddings */
	BI_BEDROCK_EMBEDDING		/* other embedding models: their requests are not known */
} BiBedrockFamily;

/* Returns the family that a model's id, an inference profile's id or an ARN tells. */
extern BiBedrockFamily bi_bedrock_family_of(const char *model);

/* Returns why an embedding model of the family surely refuses this body, palloc'd; NULL if it may
 * take it. */
extern char *bi_bedrock_family_refuse_body(BiBedrockFamily family, const BiJson *body);

/* Returns why these params cannot be used for embeddings of the family, palloc'd; NULL if they
 * can. */
extern char *bi_bedrock_family_refuse(BiBedrockFamily family, const BiJson *params);

/* Implements embedding_size of provider.h. */
extern int	bi_bedrock_family_embedding_size(const BiSpec *spec);

/* Appends to head what stands before the text in the model's request for an embedding, and to tail
 * what stands behind it. */
extern void bi_bedrock_family_frame(BiBedrockFamily family, const BiJson *params, StringInfo head,
									StringInfo tail);

#endif							/* BI_BEDROCK_FAMILY_H */
