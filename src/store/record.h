/*
 * store/record.h: records: one row of a job's query each.
 */
#ifndef BI_RECORD_H
#define BI_RECORD_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "store/chunk.h"
#include "store/guard.h"
#include "utils/uuid.h"

/* All of this needs SPI and a transaction. */

/* Bulk inserts of a new job's records; memory is bounded by what is buffered. */
typedef struct BiStage BiStage;

/* guards: reads what is guarded of each record's row; NULL: nothing is.  sources: the numbers, from
 * 0, of those of the record's columns that are the key of that row, int; NIL: its own key is. */
extern BiStage *bi_record_stage(MemoryContext cxt, int64 job_id, BiGuard *guards,
								const List *sources);

/* A record that is to be staged. */
typedef struct BiStaged
{
	int64		seq;
	int64		chunk_id;		/* 0: it is skipped */
	const char *record_id;
	const List *key;			/* the parts of a composite key, char *, or NIL */
	const char *input;			/* or NULL */
	const List *columns;		/* the values of BiSpec.columns, char *; NULL for a null */
	const pg_uuid_t *value;		/* what it replaces together with others (replace.h), or NULL */
	int64		source_job;		/* of a copy (copy.h): the record whose answer it copies; else 0 */
	int64		source_seq;
} BiStaged;

/* Adds a record.  Copies all of it. */
extern void bi_record_add(BiStage *stage, const BiStaged *record);
extern void bi_record_flush(BiStage *stage);

/* A record to be rendered, as bi_record_read returns it. */
typedef struct BiRecord
{
	int64		seq;
	char	   *input;
} BiRecord;

/* Moves the last n records of a chunk, by seq, to another chunk. */
extern void bi_record_move_last(int64 from_chunk, int64 to_chunk, int n);

/*
 * Returns the seqs of the chunk's records in the order in which its requests are written, in cxt;
 * *n: how many.  Long requests stand in the order of their inputs, so that those that begin alike
 * follow each other: the provider's prompt cache is good for those.  All others in the order of
 * their seqs.
 */
extern int64 *bi_record_order(MemoryContext cxt, const BiChunk *chunk, int64 *n);

/* Reads the records with these n seqs, in their order, into records. */
extern void bi_record_read(MemoryContext cxt, const BiChunk *chunk, const int64 *seqs, int n,
						   BiRecord *records);

/* Finds the least and greatest seq that the results of a chunk may name.  They are those of its
 * job, because a record that was sent again belongs to a later chunk. */
extern void bi_record_bounds(const BiChunk *chunk, int64 *first, int64 *last);

/* Returns the seq of the line-th request of the chunk, from 1; 0 if it has fewer. */
extern int64 bi_record_of_line(const BiChunk *chunk, int64 line);

#endif							/* BI_RECORD_H */
