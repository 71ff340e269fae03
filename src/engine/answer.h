/*
 * engine/answer.h: lines of results files, joined to records by id.
 */
#ifndef BI_ANSWER_H
#define BI_ANSWER_H

#include "base/json.h"
#include "engine/step.h"
#include "nodes/bitmapset.h"

/* A group of lines: so many at most, and about so many bytes. */
#define BI_ANSWER_GROUP 500
#define BI_ANSWER_GROUP_BYTES (4 * 1024 * 1024)

/* How much is kept of a line or an output that cannot be kept in whole. */
#define BI_ANSWER_RAW_MAX (64 * 1024)

/* Where an API has several ways to tell whose an answer is: how many came by which. */
typedef struct BiChannel
{
	const char *name;			/* NULL: this and all behind it are free */
	int64		answers;
} BiChannel;

#define BI_CHANNELS 8

struct BiJoin;

/* One delivery, of a step. */
struct BiDeliver
{
	MemoryContext group_cxt;	/* reset for each group */
	MemoryContext line_cxt;		/* reset for each line, and for each output that is looked into */
	TimestampTz slice_end;		/* then the other steps have their turn */
	BiResult   *results;		/* of the group, in group_cxt */
	int			nresults;
	int			applied;		/* so many of them are in the tables */
	int			part;
	BiLines    *lines;			/* of that part, or NULL */
	const char *held;			/* the line that waits until join is there, or NULL */
	size_t		held_len;
	struct BiJoin *join;		/* NULL until an answer needs it */
	BiStepWork	joined;			/* what goes on when it is there */
	Bitmapset  *seen;			/* seqs of this pass, less first_seq */
	int64		first_seq;
	int64		last_seq;
	struct BiSchema *schema;	/* NULL without one, or if it costs too much */
	char	   *schema_refused; /* then why */
	int64		nlines;			/* read so far, empty ones aside */
	int64		duplicates;
	int64		unknown;
	int64		malformed;
	int64		repaired;		/* lines with bytes that are no UTF-8, which their answers do not need */
	int64		damaged;		/* lines that tell whose they are, and cannot be read in whole */
	bool		salvaging;		/* the pass over the same lines that takes those, and no others */
	BiChannel	channels[BI_CHANNELS];
	int64		unsaved;		/* answers that could not be saved now: the chunk fetches them again */
	char	   *unsaved_why;	/* the first reason, in the step's context */
	bool		overdue;		/* that has gone on for batchinf.write_give_up */
	bool		late;			/* cancelled by us for the deadline, not by the user */
};

/* A delivery of this step, at its beginning; in the current context. */
extern BiDeliver *bi_answer_new(BiStep *step);

/* In a transaction: which seqs the chunk can have. */
extern void bi_answer_bounds(BiStep *step);

/* Begins a pass that reads the damaged lines, which the first one only counted.  They come last: a
 * good line for the same record, or another download of the file, is better. */
extern void bi_answer_salvage(BiStep *step);

/* Begins a slice of time: see below. */
extern void bi_answer_begin_slice(BiDeliver *d);

/* Has the slice been used up?  Work on a group stops there between two records, and goes on at the
 * next turn of the loop: until then cancels, settings and other chunks are seen to. */
extern bool bi_answer_slice_over(const BiDeliver *d);

/* The next lines as results, at most BI_ANSWER_GROUP of them; how many.  Duplicates, unknown
 * ids, damaged and malformed lines are counted, and are none.  Stops with step->deliver->held
 * set where the next line can only be joined by what it answers, and join is not there yet.  In the
 * current context. */
extern int	bi_answer_read(BiStep *step, BiResult *results);

/* Sets an outcome whose output is stored, but is no success. */
extern void bi_answer_invalid(BiResult *result, const char *code, const char *error);

#endif							/* BI_ANSWER_H */
