/*
 * base/repertoire.h: what the bytes of a server encoding are in Unicode.
 */
#ifndef BI_REPERTOIRE_H
#define BI_REPERTOIRE_H

#include "postgres.h"

/* What a character means to who splits a text; a set of these. */
#define BI_MARK_SPACE 1			/* white space */
#define BI_MARK_FIXED 2			/* … at which a line must not be broken */
#define BI_MARK_LINE 4			/* … that ends a line */
#define BI_MARK_BREAK 8			/* a word may end behind it: zero width space */
#define BI_MARK_STOP 16			/* ends a sentence if white space follows */
#define BI_MARK_FULL_STOP 32	/* ends a sentence whatever follows */
#define BI_MARK_CLOSER 64		/* a quote or bracket that still belongs to the sentence */
#define BI_MARK_OPENER 128		/* … unless it opens the next one, as it does in some language */

/* A code point that an encoding cannot tell: it is a letter like any other. */
#define BI_CODE_UNKNOWN 0xFFFD

/* One encoding.  bi_repertoire_make makes it in a memory context of the caller's, and nothing
 * changes it then. */
typedef struct BiRepertoire
{
	int			encoding;
	int			count;			/* of codes; 0 in UTF-8, which needs none */
	struct BiRepertoireCode
	{
		uint32		bytes;		/* as one number, the first byte is the highest */
		uint32		code;
	}			codes[FLEXIBLE_ARRAY_MEMBER];	/* in the order of bytes */
} BiRepertoire;

/* Returns what the character means.  Constant. */
extern int	bi_repertoire_mark(uint32 code);

/* Returns the code point of the character at text, which has len bytes, one or more; also if it is
 * no valid character.  *size is how many bytes it has, len at most. */
extern uint32 bi_repertoire_read(const BiRepertoire *repertoire, const char *text, size_t len,
								 int *size);

/*
 * Makes the repertoire of a server encoding in the current memory context.  It has all characters
 * of an encoding of single bytes, and of the others those that bi_repertoire_mark knows.  Needs a
 * transaction, except for UTF-8 and SQL_ASCII.
 */
extern BiRepertoire *bi_repertoire_make(int encoding);

#endif							/* BI_REPERTOIRE_H */
