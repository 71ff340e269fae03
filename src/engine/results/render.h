/*
 * engine/results/render.h: a chunk's records as request lines.
 */
#ifndef BI_RENDER_H
#define BI_RENDER_H

#include "engine/step.h"

/* Takes one line, which stays until it returns; in a transaction. */
typedef void (*BiRenderTake) (void *arg, BiStep *step, int64 seq, const char *line, size_t len);

/*
 * A rendering: of a chunk that is to be sent, or of one whose answers have no ids.  Made by the
 * functions below in the step's context, one at a time (step->render); only render.c writes it.
 */
typedef struct BiRender
{
	BiSpool    *spool;			/* takes the lines; NULL if "take" does */
	BiRenderTake take;			/* takes each line with arg; NULL if the spool does */
	void	   *arg;
	BiFrame		frame;			/* the shape of the job's request lines */
	int64	   *order;			/* the seqs of the chunk's records, as they are written ... */
	int64		records;		/* ... and how many; NULL before the first piece */
	int64		lines;			/* rendered so far */
	BiChunkState back;			/* the chunk's state if it cannot be rendered now */
	BiStepWork	on_done;		/* what the step does once all lines are rendered */
} BiRender;

/* Renders the step's chunk into a new spool, step->render->spool, piece by piece as work of the
 * step, which goes on with on_done. */
extern void bi_render_start(BiStep *step, BiStepWork on_done);

/* Renders the same lines once more, of a chunk whose results are being delivered: take gets
 * them one by one. */
extern void bi_render_again(BiStep *step, BiRenderTake take, void *arg, BiStepWork on_done);

/* Returns the custom id of a request, <nonce>-<seq>, palloc'd. */
extern char *bi_render_custom_id(const BiChunk *chunk, int64 seq);

/* Returns the seq in a custom id of this chunk; 0 for any other text, and for NULL. */
extern int64 bi_render_parse_id(const BiChunk *chunk, const char *custom_id);

#endif							/* BI_RENDER_H */
