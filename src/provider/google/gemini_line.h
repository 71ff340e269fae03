/*
 * provider/google/gemini_line.h: what a line of Gemini's results means.
 */
#ifndef BI_GEMINI_LINE_H
#define BI_GEMINI_LINE_H

#include "base/json.h"
#include "provider/provider.h"

/* Implement read_line and fingerprint of provider.h. */
extern void bi_gemini_line_read(const BiCall *call, const char *text, size_t len,
								BiResultLine *line);
extern char *bi_gemini_line_fingerprint(const BiCall *call, const char *line, size_t len);

/*
 * Begins the answer of a line, says whose it is and returns the line's tree.  NULL, with the answer
 * errored, if the line cannot be read or does not tell whose it is.
 */
extern BiJson *bi_gemini_line_open(const BiCall *call, const char *text, size_t len,
								   BiResultLine *line);

/* Reads a response of GenerateContent or EmbedContent, by the job's task. */
extern void bi_gemini_line_answer(const BiCall *call, const BiJson *response, BiAnswer *answer);

/* Reads the same in a reply to a single request, on which verdict is the API's. */
extern BiVerdict bi_gemini_line_reply(const BiCall *call, const BiExchange *ex, BiVerdict verdict,
									  BiResultLine *line);

/* True if the line says that its request failed; the answer is then that failure. */
extern bool bi_gemini_line_failed(const BiCall *call, const BiJson *line, BiAnswer *answer);

#endif							/* BI_GEMINI_LINE_H */
