/*
 * provider/reasoning.h: what a model thought aloud at the head of its answer.
 */
#ifndef BI_REASONING_H
#define BI_REASONING_H

#include "postgres.h"

/* So many names of tags a server may have. */
#define BI_REASONING_TAGS 8

/* Two parts of one text: nothing is copied. */
typedef struct BiReasoning
{
	const char *thought;		/* without white space at its ends; NULL: no tag was found */
	size_t		thought_len;
	const char *answer;			/* all that is left, without white space before it */
	size_t		answer_len;
} BiReasoning;

/*
 * Splits an answer of len bytes, which may hold NUL.  names: those of tags, separated by commas,
 * or NULL.  <name> counts only at the head, behind white space at most, and all up to the first
 * </name> is thought; all there is, where that is missing.  A </name> that no <name> comes
 * before ends a thought that began at the head, as chat templates leave it which put <name> into
 * the prompt; not in an answer that begins as a JSON object or array does.
 */
extern BiReasoning bi_reasoning_split(const char *text, size_t len, const char *names);

/* True if names is a list of 1 to BI_REASONING_TAGS names that tags can have. */
extern bool bi_reasoning_is_list(const char *names);

#endif							/* BI_REASONING_H */
