/*
 * engine/results/match.h: finds the record that a line of a results file answers.
 */
#ifndef BI_MATCH_H
#define BI_MATCH_H

#include "engine/results/join.h"
#include "engine/step.h"
#include "nodes/bitmapset.h"

/* One of an API's ways to tell whose an answer is, and how many answers came by it. */
typedef struct BiChannel
{
	const char *name;			/* NULL: this channel and all behind it are free */
	int64		answers;
} BiChannel;

#define BI_CHANNELS 8

/*
 * Which records of a chunk have an answer by now.  The reader owns it, for one delivery; only
 * match.c writes it, except join, which deliver.c has made when the reader waits for it.
 */
typedef struct BiMatch
{
	const BiChunk *chunk;
	int64		first_seq;		/* no result of the chunk has a smaller seq ... */
	int64		last_seq;		/* ... or a greater one */
	Bitmapset  *seen;			/* the records that have an answer, as seq - first_seq */
	BiJoin	   *join;			/* NULL until an answer without a custom id needs it */
	BiChannel	channels[BI_CHANNELS];
} BiMatch;

typedef enum BiMatchKind
{
	BI_MATCH_FOUND,
	BI_MATCH_DUPLICATE,			/* its record has an answer already */
	BI_MATCH_UNKNOWN			/* no request of this chunk is meant */
} BiMatchKind;

/* Begins a delivery of chunk: no record has an answer.  Needs SPI and a transaction; memory:
 * one bit a record of the job, in the current context, which must outlive the delivery. */
extern void bi_match_begin(BiMatch *match, const BiChunk *chunk);

/* True if the record of line can be found only by a join, which is not there yet. */
extern bool bi_match_needs_join(const BiMatch *match, const BiResultLine *line);

/* Finds the record of line, which has a custom id or a fingerprint, and notes that it has an
 * answer.  Sets *seq if it is found. */
extern BiMatchKind bi_match_line(BiMatch *match, const BiResultLine *line, int64 *seq);

/* Returns how many records have an answer. */
extern int64 bi_match_answered(const BiMatch *match);

#endif							/* BI_MATCH_H */
