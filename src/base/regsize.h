/*
 * base/regsize.h: how much a regular expression costs, counted from its text alone.
 */
#ifndef BI_REGSIZE_H
#define BI_REGSIZE_H

#include "postgres.h"

/* The counted size of one pattern, a plain value. */
typedef struct BiRegsize
{
	int64		size;			/* what compiling costs: see regsize.c */
	int64		states;			/* what searching costs: the same without constraints */
	bool		looks_around;	/* it has a look-ahead or look-behind */
} BiRegsize;

/* Counts the size of the pattern (UTF-8) in *size.  Returns NULL, or a constant text that names the
 * syntax that is not supported because its cost cannot be predicted.  A malformed pattern gets some
 * size: the compiler says what is wrong with it. */
extern const char *bi_regsize_count(const char *pattern, size_t len, BiRegsize *size);

#endif							/* BI_REGSIZE_H */
