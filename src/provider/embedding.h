/*
 * provider/embedding.h: what is known of the sizes of embeddings.
 */
#ifndef BI_EMBEDDING_H
#define BI_EMBEDDING_H

#include "base/json.h"
#include "provider/provider.h"

/* How many numbers a model's embeddings have unless params say otherwise. */
typedef struct BiEmbeddingModel
{
	const char *model;
	int			size;
} BiEmbeddingModel;

/*
 * Returns how many numbers each embedding of the job has: wish, the member of params that sets it
 * (may be NULL), else what models, a list up to a NULL, has for the job's model; 0 if not known.
 */
extern int	bi_embedding_size(const BiSpec *spec, const BiJson *wish,
							  const BiEmbeddingModel *models);

/* Returns why the job cannot be one of embeddings at any provider, palloc'd, or NULL. */
extern char *bi_embedding_refuse_job(const BiSpec *spec);

#endif							/* BI_EMBEDDING_H */
