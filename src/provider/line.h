/*
 * provider/line.h: what all providers do alike with a line of a results file.
 */
#ifndef BI_LINE_H
#define BI_LINE_H

#include "base/json.h"
#include "provider/provider.h"

/*
 * Begins an answer with nothing in it, and returns the tree of its line.  NULL, with the answer
 * errored and its line BI_LINE_UNREADABLE, if the line cannot be parsed.
 */
extern BiJson *bi_line_parse(const BiCall *call, const char *line, size_t len, BiAnswer *answer);

/* The same of a line that has the request's id as its member name.  The id is set whenever it can
 * be found; NULL, with the answer errored, also for a line that has no id. */
extern BiJson *bi_line_read(const BiCall *call, const char *line, size_t len, const char *name, BiAnswer *answer);

/* Sets an outcome that is no success; code and message are copied. */
extern void bi_line_fail(BiAnswer *answer, BiOutcome outcome, bool retryable, const char *code,
						 const char *message);

/* Sets the output to a copy of len bytes of text, and reasoning to what the server's
 * reasoning_tags take off its head. */
extern void bi_line_set_text(BiAnswer *answer, const char *text, size_t len);

/* Sets the output to json's text. */
extern void bi_line_set_json(BiAnswer *answer, const BiJson *json);

/* Appends to a list of JSON values that begins empty; bi_line_set_list ends it and makes it the
 * output, unless it is still empty. */
extern void bi_line_append(StringInfo list, const BiJson *value);
extern void bi_line_set_list(BiAnswer *answer, StringInfo list);

/* True if there is no output, or only white space. */
extern bool bi_line_is_blank(const BiAnswer *answer);

/*
 * Says what a generated answer is, from its finish reason and its output.  good lists the
 * reasons (up to a NULL, in any letter case) by which this API ends a whole answer.  A success
 * has one of those or no reason at all, and an output that is more than white space.  Every
 * other reason, known to us or not, is an invalid output whose code tells the reason.
 */
extern void bi_line_judge(BiAnswer *answer, const char *const *good);

/* Says what an embedding is: a success if values is a list of one number or more. */
extern void bi_line_judge_embedding(BiAnswer *answer, const BiJson *values);

#endif							/* BI_LINE_H */
