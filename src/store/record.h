/*
 * store/record.h: records: one row of a job's query each.
 */
#ifndef BI_RECORD_H
#define BI_RECORD_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "store/chunk.h"

/* All of this needs SPI and a transaction. */

/* Bulk inserts of a new job's records; memory is bounded by what is buffered. */
typedef struct BiStage BiStage;

extern BiStage *bi_record_stage(MemoryContext cxt, int64 job_id);

/* chunk_id 0: the record is skipped, and has that outcome.  key: NULL, or the parts of a
 * composite key as cstrings.  All is copied. */
extern void bi_record_add(BiStage *stage, int64 seq, int64 chunk_id, const char *record_id,
						 const List *key, const char *input);
extern void bi_record_flush(BiStage *stage);

typedef struct BiRecord
{
	int64		seq;
	char	   *input;
} BiRecord;

/* The last n records of a chunk become another's; they are given back in order. */
extern int	bi_record_move_last(MemoryContext cxt, int64 from_chunk, int64 to_chunk, int n, BiRecord *records);

/* The next records of chunk behind seq, in order, at most limit; the number read. */
extern int	bi_record_read(MemoryContext cxt, int64 chunk_id, int64 after_seq, int limit, BiRecord *records);

/* The least and greatest seq that the results of a chunk may name: its job's, for a record
 * that has been sent again belongs to a later chunk. */
extern void bi_record_bounds(const BiChunk *chunk, int64 *first, int64 *last);

/* The seq of the line-th record of chunk, from 1; 0: there is none. */
extern int64 bi_record_of_line(const BiChunk *chunk, int64 line);

#endif							/* BI_RECORD_H */
