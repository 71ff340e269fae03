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

/* A compiled pattern.  It belongs to the memory context in which it was compiled, and so does the
 * memory of PostgreSQL's engine. */
typedef struct BiPattern BiPattern;

/* The largest size of a pattern, as regsize.c counts it. */
#define BI_PATTERN_SIZE_MAX 2000

/*
 * Compiles the pattern, in the current context.  Returns NULL, and the reason (palloc'd) in
 * *why, if it is malformed, too large, or has back references, whose cost has no bound.
 * Interruptible.
 */
extern BiPattern *bi_pattern_compile(const char *pattern, size_t len, char **why);

extern int64 bi_pattern_size(const BiPattern *pattern);

/* Returns what a search through len bytes may cost at most, in units of 0.1 microseconds. */
extern int64 bi_pattern_work(const BiPattern *pattern, size_t len);

/* Returns whether it is found anywhere in the text.  Interruptible. */
extern bool bi_pattern_found(BiPattern *pattern, const char *text, size_t len);

#endif							/* BI_PATTERN_H */
