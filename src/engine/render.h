/*
 * engine/render.h: a chunk's records as request lines in a spool.
 */
#ifndef BI_RENDER_H
#define BI_RENDER_H

#include "engine/step.h"

/* Renders piece by piece as work of the step; then calls done with the spool in
 * step->render->spool. */
typedef struct BiRender
{
	BiSpool    *spool;
	BiFrame		frame;
	int64		seq;			/* the last one rendered */
	int64		lines;
	BiStepWork	done;
} BiRender;

extern void bi_render_start(BiStep *step, BiStepWork done);

/* <nonce>-<seq> */
extern char *bi_render_custom_id(const BiChunk *chunk, int64 seq);

/* The seq in a custom id of this chunk, 0 if it is none. */
extern int64 bi_render_parse_id(const BiChunk *chunk, const char *custom_id);

#endif							/* BI_RENDER_H */
