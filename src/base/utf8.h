/*
 * base/utf8.h: bytes that should be UTF-8, and may not be.
 */
#ifndef BI_UTF8_H
#define BI_UTF8_H

#include "postgres.h"

/* What replaces a byte that is not UTF-8: U+FFFD. */
#define BI_UTF8_REPLACEMENT "\xEF\xBF\xBD"

/* Returns the size of the character at text, which has len bytes; 0 if it is not UTF-8. */
extern size_t bi_utf8_size(const char *text, size_t len);

/*
 * Returns a palloc'd copy with U+FFFD instead of each byte that is not UTF-8 and of each NUL.  It
 * has at most limit bytes, whole characters, and is NUL-terminated.  *out_len is its length.
 */
extern char *bi_utf8_repair(const char *text, size_t len, size_t limit, size_t *out_len);

#endif							/* BI_UTF8_H */
