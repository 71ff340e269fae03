/*
 * base/assert.h: the keywords of JSON Schema that look at one value and at no other
 * schema.
 */
#ifndef BI_ASSERT_H
#define BI_ASSERT_H

#include "base/dialect.h"
#include "base/json.h"

/* The state of one value's check.  The caller makes it, as a variable, and the functions below add
 * to work. */
typedef struct BiAssert
{
	const BiDialect *dialect;	/* has the compiled patterns */
	bool		quiet;			/* nobody reads the words: an empty text is enough */
	int64		work;			/* spent so far, in units of about a tenth of a microsecond */
	int64		work_max;		/* beyond it nothing is done, and results mean nothing */
} BiAssert;

/* Adds the work.  Returns whether all of it is still within work_max. */
extern bool bi_assert_spend(BiAssert *assert, int64 work);

/*
 * Returns NULL if value is as the keyword with that arg demands, and for keywords of other files.
 * Otherwise returns words that follow the value's place, such as: is not of type number.  They are
 * palloc'd; if quiet, a constant.
 */
extern const char *bi_assert_complaint(BiAssert *assert, const char *keyword, const BiJson *arg,
									   const BiJson *value);

/* Returns whether the pattern at that place (see dialect.h) is found in the text. */
extern bool bi_assert_matches(BiAssert *assert, const void *at, const char *text, size_t len);

#endif							/* BI_ASSERT_H */
