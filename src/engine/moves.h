/*
 * engine/moves.h: what is done in each state.
 */
#ifndef BI_MOVES_H
#define BI_MOVES_H

#include "engine/step.h"

/* First work of a claimed step, by state. */
extern void bi_move_upload(BiStep *step);	/* renders, uploads */
extern void bi_move_create(BiStep *step);
extern void bi_move_find(BiStep *step);
extern void bi_move_poll(BiStep *step);
extern void bi_move_cancel(BiStep *step);
extern void bi_move_fetch(BiStep *step);
extern void bi_move_clean(BiStep *step);

/* A request could not even be made: the login for it failed.  Nothing had an effect. */
extern void bi_move_unsent(BiStep *step, const BiVerdict *verdict);

#endif							/* BI_MOVES_H */
