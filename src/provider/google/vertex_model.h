/*
 * provider/google/vertex_model.h: names of models at Vertex AI.
 */
#ifndef BI_VERTEX_MODEL_H
#define BI_VERTEX_MODEL_H

#include "provider/provider.h"

/* The models whose request lines and answers are alike. */
typedef enum BiVertexFamily
{
	BI_VERTEX_GEMINI,			/* Gemini, and tuned models that make text */
	BI_VERTEX_EMBEDDING,		/* Gemini's embeddings */
	BI_VERTEX_TEXT_EMBEDDING,	/* the older embeddings, and tuned models that make embeddings */
	BI_VERTEX_CLAUDE,			/* Anthropic's models */
	BI_VERTEX_OTHER				/* other publishers' models: their requests are not known */
} BiVertexFamily;

/* Returns the family of the job's model.  The name of a tuned model does not tell it; the job's
 * task does. */
extern BiVertexFamily bi_vertex_model_family(const BiSpec *spec);

/* Returns the resource's name, palloc'd: publishers/…/models/…, or projects/… if it is
 * tuned. */
extern char *bi_vertex_model_name(const BiServer *server, const char *model);

/* True if it is a model of the project itself, not of a publisher. */
extern bool bi_vertex_model_is_tuned(const char *model);

/* Implements limit_model of provider.h. */
extern void bi_vertex_model_limit(const char *model, BiLimits *limits);

#endif							/* BI_VERTEX_MODEL_H */
