/*
 * base/token.h: the tokens of JSON text, below any tree.
 */
#ifndef BI_TOKEN_H
#define BI_TOKEN_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* The mark: an exponent of zero that nobody else writes.  See bi_token_walk. */
#define BI_TOKEN_MARK "E+0000000"
#define BI_TOKEN_MARK_LEN (sizeof(BI_TOKEN_MARK) - 1)

/*
 * True if the text consists of well-formed tokens (RFC 8259), has no NUL byte in a key, and at most
 * max_depth brackets open.  Does not check the order of the tokens.  If it has whole numbers that a
 * machine word might change, marked becomes a palloc'd copy with the mark behind each of them.
 * marked must be zeroed before, and stays so otherwise.  lenient: NaN, Infinity and -Infinity, and
 * control characters in strings, are well-formed too; the copy has null and escapes instead.
 */
extern bool bi_token_walk(const char *text, size_t len, int max_depth, bool lenient,
						  StringInfo marked);

/* Appends a JSON string with its quotes: len bytes of UTF-8, NUL bytes allowed. */
extern void bi_token_append_string(StringInfo out, const char *utf8, size_t len);

/* Returns the size of what bi_token_append_string appends. */
extern size_t bi_token_string_size(const char *utf8, size_t len);

#endif							/* BI_TOKEN_H */
