/*
 * provider/answer.h: what all providers do alike with an answer, in a line of a results file or
 * in a reply.
 */
#ifndef BI_ANSWER_H
#define BI_ANSWER_H

#include "base/json.h"
#include "provider/provider.h"

/* Makes an answer with nothing in it, and all counts unknown. */
extern void bi_answer_begin(const BiCall *call, BiAnswer *answer);

/*
 * Begins a line with nothing in it, and returns the tree of its text.  NULL, with its answer
 * errored and its state BI_LINE_UNREADABLE, if the text cannot be parsed.
 */
extern BiJson *bi_answer_parse(const BiCall *call, const char *text, size_t len,
							   BiResultLine *line);

/* The same of a line that has the request's id as its member name.  The id is set whenever it can
 * be found; NULL, with the answer errored, also for a line that has no id. */
extern BiJson *bi_answer_read(const BiCall *call, const char *text, size_t len, const char *name,
							  BiResultLine *line);

/*
 * Begins the line of a reply to a single request (BiProviderRealtime), and returns the tree of its
 * body if *verdict, which is the family's on that reply, is OK.  NULL otherwise, and for a body
 * that is not JSON, which makes the verdict UNCLEAR.
 */
extern BiJson *bi_answer_open(const BiCall *call, const BiExchange *ex, BiVerdict *verdict,
							  BiResultLine *line);

/* Makes the answer of a request that has none an error, with the words of the verdict. */
extern void bi_answer_deny(BiAnswer *answer, const BiVerdict *verdict);

/* Sets an outcome that is no success; code and message are copied. */
extern void bi_answer_fail(BiAnswer *answer, BiOutcome outcome, bool retryable, const char *code,
						   const char *message);

/* Makes the answer an invalid output: what it holds is stored, but it is no success.  code and
 * message are copied. */
extern void bi_answer_invalid(BiAnswer *answer, const char *code, const char *message);

/* Sets the output to a copy of len bytes of text, and reasoning to what the server's
 * reasoning_tags take off its head. */
extern void bi_answer_set_text(BiAnswer *answer, const char *text, size_t len);

/* Sets the output to json's text. */
extern void bi_answer_set_json(BiAnswer *answer, const BiJson *json);

/* Appends to a list of JSON values that begins empty; bi_answer_set_list ends it and makes it the
 * output, unless it is still empty. */
extern void bi_answer_append(StringInfo list, const BiJson *value);
extern void bi_answer_set_list(BiAnswer *answer, StringInfo list);

/* True if there is no output, or only white space. */
extern bool bi_answer_is_blank(const BiAnswer *answer);

/*
 * Says what a generated answer is, from its finish reason and its output.  good lists the
 * reasons (up to a NULL, in any letter case) by which this API ends a whole answer.  A success
 * has one of those or no reason at all, and an output that is more than white space.  Every
 * other reason, known to us or not, is an invalid output whose code tells the reason.
 */
extern void bi_answer_judge(BiAnswer *answer, const char *const *good);

/* Says what an embedding is: a success if values is a list of one number or more. */
extern void bi_answer_judge_embedding(BiAnswer *answer, const BiJson *values);

/* Returns the tokens that the provider reports; -1 if it reports none or no count. */
extern int64 bi_answer_count(const BiJson *json);

#endif							/* BI_ANSWER_H */
