/*
 * base/token.h: the tokens of JSON text, below any tree.
 */
#ifndef BI_TOKEN_H
#define BI_TOKEN_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* An exponent of zero that nobody else writes: see bi_token_walk. */
#define BI_TOKEN_MARK "E+0000000"
#define BI_TOKEN_MARK_LEN (sizeof(BI_TOKEN_MARK) - 1)

/*
 * Is all of the text well-formed tokens (RFC 8259), with no NUL byte in a key and no more
 * than max_depth brackets open?  How else they stand together is not looked at.  Where it
 * has whole numbers that a machine word might change, marked, which must be zeroed, becomes
 * a palloc'd copy with the mark behind each of them; otherwise it stays as it is.  lenient:
 * NaN, Infinity and -Infinity are well-formed too, and so are control characters in strings;
 * the copy has null and escapes in their places.
 */
extern bool bi_token_walk(const char *text, size_t len, int max_depth, bool lenient,
						  StringInfo marked);

/* A JSON string with its quotes; len bytes of UTF-8, NUL bytes allowed. */
extern void bi_token_append_string(StringInfo out, const char *utf8, size_t len);

/* The size of what the above appends. */
extern size_t bi_token_string_size(const char *utf8, size_t len);

#endif							/* BI_TOKEN_H */
