/*
 * store/overwritten.h: the rows that a job has written, with what they held before.
 */
#ifndef BI_OVERWRITTEN_H
#define BI_OVERWRITTEN_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "store/fate.h"

/* A group has this many rows at most. */
#define BI_OVERWRITTEN_ROWS 1000

/* A row of the group, in its context. */
typedef struct BiOverwrittenRow
{
	int64		seq;
	int			item;			/* of batchinf.written; else 0 */
	bool		added;			/* the job has added it */
	char	   *record_id;		/* its key ... */
	List	   *key;			/* ... and the parts of a composite one */
	char	   *old;			/* NULL of a row that was added */
	Datum		print;			/* bytea */
	BiFate		fate;			/* the reader's */
} BiOverwrittenRow;

/* The rows of one job, group by group, the last one first.  Made by bi_overwritten_open; the reader
 * sets the fates of rows. */
typedef struct BiOverwritten
{
	int64		job_id;
	bool		is_written;		/* rows of batchinf.written; else of batchinf.result */
	MemoryContext cxt;			/* of the group */
	int64		before;			/* the records from this seq on have been read ... */
	int			before_item;	/* ... and of that record the rows from this item on */
	int			n;
	BiOverwrittenRow rows[BI_OVERWRITTEN_ROWS];
} BiOverwritten;

/* Returns the rows of a job, palloc'd in the current context, before the first group. */
extern BiOverwritten *bi_overwritten_open(int64 job_id, bool is_written);

/* Goes back to the last row. */
extern void bi_overwritten_rewind(BiOverwritten *group);

/* Reads the next group, and counts rows of which it is not known what they held.  Returns how many
 * others it has, -1 at the end.  Needs SPI. */
extern int	bi_overwritten_read(BiOverwritten *group, BiFates *fates);

#endif							/* BI_OVERWRITTEN_H */
