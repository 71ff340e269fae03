/*
 * provider/embedding.h: what is known of the sizes of embeddings.
 */
#ifndef BI_EMBEDDING_H
#define BI_EMBEDDING_H

#include "base/json.h"
#include "provider/provider.h"

/* How many numbers this model's embeddings have where params do not say. */
typedef struct BiEmbeddingModel
{
	const char *model;
	int			size;
} BiEmbeddingModel;

/*
 * How many numbers each embedding of the job has: what params wish by their member wish (NULL:
 * they do not), else what models, a list up to a NULL, has for the job's model.  0: not known.
 */
extern int	bi_embedding_size(const BiSpec *spec, const BiJson *wish, const BiEmbeddingModel *models);

#endif							/* BI_EMBEDDING_H */
