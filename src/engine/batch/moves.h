/*
 * engine/batch/moves.h: which state of a chunk calls which move of a batch.
 *
 * The one header of this folder that the engine's core includes.
 */
#ifndef BI_MOVES_H
#define BI_MOVES_H

#include "engine/step.h"

/*
 * In the claim's transaction, once server and key are loaded: the chunk waits and says why, or the
 * state is written that says what may be under way from now on, and step->work is the first work
 * of the move that goes with it.
 */
extern void bi_moves_start(BiStep *step);

#endif							/* BI_MOVES_H */
