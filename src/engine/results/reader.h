/*
 * engine/results/reader.h: lines of results files become results of records.
 */
#ifndef BI_READER_H
#define BI_READER_H

#include "engine/results/accept.h"
#include "engine/results/match.h"
#include "engine/results/workspace.h"
#include "engine/step.h"
#include "store/result.h"

/* What the lines of a chunk's results files were. */
typedef struct BiLineCounts
{
	int64		lines;			/* read so far, blank ones aside */
	int64		duplicates;		/* whose record has an answer already */
	int64		unknown;		/* that answer no request of the chunk */
	int64		malformed;		/* that do not tell whose they are */
	int64		repaired;		/* read whole, although some bytes are not UTF-8 */
	int64		damaged;		/* that tell whose they are, and cannot be read whole */
} BiLineCounts;

/*
 * The source of a batch's answers: its results files, line by line.
 *
 * A delivery owns it.  Only reader.c writes it, except match.join, which deliver.c has made when
 * bi_reader_awaits_join says so.
 */
typedef struct BiReader
{
	const BiStep *step;
	BiWorkspace *space;
	const BiAccept *accept;
	List	   *spools;			/* of BiSpool: the files, each a part of the results */
	int			part;			/* index of the file that is being read */
	BiLines    *lines;			/* of that file; NULL before its first line */
	const char *pending;		/* a line that waits for the join, in the file's buffer; or NULL */
	size_t		pending_len;
	bool		salvaging;		/* this is the second pass: see bi_reader_salvage */
	BiMatch		match;
	BiLineCounts counts;
	List	   *seconds;		/* BiResult *: second answers that the last read has met, whose
								 * tokens are known; in the context of the results */
} BiReader;

/* Begins to read the spools of a step.  Needs SPI and a transaction; the current context must
 * outlive the delivery. */
extern void bi_reader_begin(BiReader *reader, const BiStep *step, List *spools,
							BiWorkspace *space, const BiAccept *accept);

/*
 * Reads the next lines as results: at most BI_WORKSPACE_GROUP of them, and until the slice has
 * been used up.  Returns how many results it has made, in the current context.  Lines that are
 * duplicate, unknown, malformed or damaged are counted and make no result.  Needs no
 * transaction; raises an error if the disk refuses.
 */
extern int	bi_reader_read(BiReader *reader, BiResult *results);

/* True if the last line read can only be joined by what it answers, and match.join is not made
 * yet.  The next bi_reader_read begins with that line. */
extern bool bi_reader_awaits_join(const BiReader *reader);

/* True if the last line of the last file has been read. */
extern bool bi_reader_is_at_end(const BiReader *reader);

/*
 * Begins the second pass, which reads the damaged lines, and no others; the first pass only
 * counts them.  They come last because a good line for the same record, or another download of
 * the file, is better.
 */
extern void bi_reader_salvage(BiReader *reader);

#endif							/* BI_READER_H */
