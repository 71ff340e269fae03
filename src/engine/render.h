/*
 * engine/render.h: a chunk's records as request lines.
 */
#ifndef BI_RENDER_H
#define BI_RENDER_H

#include "engine/step.h"

/* Takes one line, in a transaction. */
typedef void (*BiRenderTake) (BiStep *step, int64 seq, const char *line, size_t len);

typedef struct BiRender
{
	BiSpool    *spool;			/* where lines go … */
	BiRenderTake take;			/* … or who takes them */
	BiFrame		frame;
	int64		seq;			/* the last one rendered */
	int64		lines;
	BiState		back;			/* where the chunk goes that cannot be rendered now */
	BiStepWork	done;
} BiRender;

/* Renders piece by piece as work of the step; then calls done with the spool in
 * step->render->spool. */
extern void bi_render_start(BiStep *step, BiStepWork done);

/* The same lines once more, given to take one by one, of a chunk that is being delivered. */
extern void bi_render_again(BiStep *step, BiRenderTake take, BiStepWork done);

/* <nonce>-<seq> */
extern char *bi_render_custom_id(const BiChunk *chunk, int64 seq);

/* The seq in a custom id of this chunk, 0 if it is none. */
extern int64 bi_render_parse_id(const BiChunk *chunk, const char *custom_id);

#endif							/* BI_RENDER_H */
