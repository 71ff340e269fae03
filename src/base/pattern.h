/*
 * base/pattern.h: regular expressions over UTF-8, by PostgreSQL's engine.
 *
 * Its dialect is the advanced one of PostgreSQL, not ECMA-262's: what schemas
 * commonly use (classes, \d \w \s, {n,m}, alternation, look-around) means the same
 * in both; \p{…} is refused; upper and lower case and classes are those of ASCII.
 */
#ifndef BI_PATTERN_H
#define BI_PATTERN_H

#include "postgres.h"

/* NULL where the pattern is one; else the reason, palloc'd.  Back references are
 * refused: their cost has no bound. */
extern char *bi_pattern_refuse(const char *pattern, size_t len);

/* Is it found anywhere in the text?  false for a pattern that is refused.  Interruptible. */
extern bool bi_pattern_found(const char *pattern, size_t pattern_len, const char *text, size_t len);

#endif							/* BI_PATTERN_H */
