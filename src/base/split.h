/*
 * base/split.h: a text in pieces that are small enough for a model, cut where it hurts least.
 */
#ifndef BI_SPLIT_H
#define BI_SPLIT_H

#include "postgres.h"

#include "base/repertoire.h"

/* A place between two characters of a text.  Plain value. */
typedef struct BiSplitPlace
{
	size_t		byte;			/* bytes before it */
	int64		at;				/* characters before it */
} BiSplitPlace;

/* One piece.  Points into the text. */
typedef struct BiSplitPiece
{
	const char *text;
	size_t		len;			/* in bytes */
	int64		start;			/* its first character's number in the text, from 1 */
} BiSplitPiece;

/* A text that is being split.  bi_split_begin fills it, bi_split_next alone changes it.  It owns
 * nothing: the text and the repertoire must stay as long. */
typedef struct BiSplit
{
	const char *text;
	size_t		len;			/* in bytes */
	const BiRepertoire *repertoire;
	int			size;			/* of a piece at most, in characters */
	int			overlap;		/* of two pieces at most, in characters; less than size */
	size_t		blank_from;		/* nothing but white space follows this byte */
	BiSplitPlace start;			/* of the last piece */
	BiSplitPlace end;			/* of the last piece; at first the beginning of the text */
	int			level;			/* of the border at end, as split.c counts */
} BiSplit;

/*
 * Begins to split the text, which is in the repertoire's encoding.  size is 1 or more, overlap from
 * 0 to size - 1.  Interruptible.
 */
extern void bi_split_begin(BiSplit *split, const char *text, size_t len,
						   const BiRepertoire *repertoire, int size, int overlap);

/*
 * Finds the next piece; false if only white space is left.  Allocates nothing.  Interruptible.
 *
 * A piece begins and ends with what is no white space, and at borders of grapheme clusters.  It
 * ends behind the end of the piece before, and begins behind its beginning.  It has at most size
 * characters, unless it is one cluster.
 */
extern bool bi_split_next(BiSplit *split, BiSplitPiece *piece);

#endif							/* BI_SPLIT_H */
