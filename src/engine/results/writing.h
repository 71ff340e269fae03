/*
 * engine/results/writing.h: one try to write rows of the target, within the limits that code of the
 * target's owner has.
 */
#ifndef BI_WRITING_H
#define BI_WRITING_H

#include "engine/results/workspace.h"
#include "engine/step.h"
#include "store/writeback.h"

/* What is to be written.  Made by apply.c for one transaction. */
typedef struct BiWriteTask
{
	BiStep	   *step;
	BiWorkspace *space;
	BiResult   *results;
	int			n;				/* bi_write_results makes it smaller if time runs out */
	bool		repeated;		/* these are waiting writes, whose outcomes stand */
	const ErrorData *error;		/* why nothing can be written; NULL if it can */
} BiWriteTask;

/* The writes of one task.  Lives as long as bi_write_results. */
typedef struct BiWriting
{
	BiWriteTask *task;
	BiWriteback *wb;			/* the open target, in the group's context */
	void		(*write) (struct BiWriting *writing);	/* writes the rows, or raises an error */
	BiResult  **rows;			/* those that are to be written by the next try */
	int			nrows;
	bool		is_last;		/* no try comes after it: it may use all the time that is left */
	int			lock_ms;		/* how long it waits for a row lock */
	TimestampTz until;			/* when code of the owner has run long enough, in all tries */
	TimestampTz fair_until;		/* before that, a try may use half of the time that is left */
} BiWriting;

/* How long a write of several rows waits for a row lock. */
#define BI_WRITING_LOCK_MS 1000

/* Sets how long code of the owner may run. */
extern void bi_writing_begin(BiWriting *writing);

/* Writes the rows.  Returns NULL, or why they could not be written: then nothing of the try
 * stands. */
extern ErrorData *bi_writing_try(BiWriting *writing);

/* Sets the state of a row that could not be written. */
extern void bi_writing_note(BiResult *row, const ErrorData *error);

/* True if the next row is for another piece of work: the time has been used up.  passed: one of the
 * rows before has taken too long; then a few more are tried, which may be fast. */
extern bool bi_writing_is_over(const BiWriting *writing, bool passed);

#endif							/* BI_WRITING_H */
