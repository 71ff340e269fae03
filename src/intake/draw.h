/*
 * intake/draw.h: a few rows of a query, as records.
 */
#ifndef BI_DRAW_H
#define BI_DRAW_H

#include "postgres.h"

#include "intake/intake.h"

/*
 * Draws at most max records: the first ones, or at random of all.  Returns them in the order of the
 * query, a list of BiDraft that owns all of its texts, palloc'd.  Reads little more than it needs,
 * at random all rows, and closes the query.  Keys are not compared, and a number of records that is
 * too small for a batch is no error.  Raises an error as bi_intake_next.  SPI must be connected.
 */
extern List *bi_draw(BiIntake *intake, int max, bool at_random);

#endif							/* BI_DRAW_H */
