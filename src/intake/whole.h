/*
 * intake/whole.h: a pipeline that replaces the rows of values: each value is sent whole, or not.
 */
#ifndef BI_WHOLE_H
#define BI_WHOLE_H

#include "postgres.h"

#include "store/pipeline.h"
#include "utils/uuid.h"

/* The rows of one refresh, by their values.  Made by bi_whole_new. */
typedef struct BiWhole BiWhole;

/* Returns an empty one, in the current context. */
extern BiWhole *bi_whole_new(void);

/* Adds the next row of the query, as it was judged; held: an open job has it. */
extern void bi_whole_add(BiWhole *whole, const BiPipelineAsk *row, bool held);

/*
 * Once all rows are there: chooses the values that are due, and counts the rows.  A value is due if
 * one of its rows is, or if one that was answered is not among its rows any more.  max_rows: no
 * further value is chosen once this many rows are; 0: all.  Needs SPI.
 */
extern void bi_whole_choose(BiWhole *whole, const BiPipeline *pipeline, int64 max_rows,
							BiPipelineRows *rows);

/* Then: true if the row with this number, from 0, is of a value that is chosen. */
extern bool bi_whole_is_chosen(const BiWhole *whole, int64 number);

/* Forgets what was answered of the values that are chosen.  Needs SPI. */
extern void bi_whole_forget(BiWhole *whole, const BiPipeline *pipeline);

#endif							/* BI_WHOLE_H */
