/*
 * provider/shape/claude_answer.h: answers and errors of Claude's Messages API.
 */
#ifndef BI_CLAUDE_ANSWER_H
#define BI_CLAUDE_ANSWER_H

#include "base/json.h"
#include "provider/provider.h"

/* Reads a message into an answer that is empty except for whose it is. */
extern void bi_claude_answer_read(BiAnswer *answer, const BiJson *message);

/* Reads what stands where an answer is expected: a message, or an error in its place.  False if it
 * is neither. */
extern bool bi_claude_answer_take(BiAnswer *answer, const BiJson *body);

/* The same for the error that is in a message's place. */
extern void bi_claude_answer_fail(BiAnswer *answer, const BiJson *error);

/* Sets code and words of an error object {"type","message","details"}, palloc'd; each may be
 * NULL. */
extern void bi_claude_answer_words(const BiJson *error, char **code, char **message);

/* True if it is about money or a limit of spending, which only a person or the next month
 * changes. */
extern bool bi_claude_answer_is_billing(const char *code, const char *message);

#endif							/* BI_CLAUDE_ANSWER_H */
