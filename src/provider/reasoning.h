/*
 * provider/reasoning.h: what a model thought aloud at the head of its answer.
 */
#ifndef BI_REASONING_H
#define BI_REASONING_H

#include "postgres.h"

/* The largest number of tag names that a server may have. */
#define BI_REASONING_TAGS 8

/* Two parts of one text, which belongs to the caller: nothing is copied. */
typedef struct BiReasoning
{
	const char *thought;		/* without white space at its ends; NULL: no tag was found */
	size_t		thought_len;
	const char *answer;			/* all that is left, without white space before it */
	size_t		answer_len;
} BiReasoning;

/*
 * Splits an answer of len bytes, which may hold NUL, into what was thought and the rest.  names
 * are those of tags, separated by commas, or NULL.
 *
 * <name> counts only at the head, after white space at most.  All up to the first </name> is
 * thought; without a </name>, all there is.  A </name> without a <name> before it ends a thought
 * that began at the head: some chat templates put <name> into the prompt.  An answer that begins
 * as a JSON object or array has no such thought.
 */
extern BiReasoning bi_reasoning_split(const char *text, size_t len, const char *names);

/* True if names is a list of 1 to BI_REASONING_TAGS names that tags can have. */
extern bool bi_reasoning_is_list(const char *names);

#endif							/* BI_REASONING_H */
