/*
 * base/assert.h: the keywords of JSON Schema that look at one value and at no other
 * schema.
 */
#ifndef BI_ASSERT_H
#define BI_ASSERT_H

#include "base/dialect.h"
#include "base/json.h"

typedef struct BiAssert
{
	const BiDialect *dialect;	/* has the compiled patterns */
	bool		quiet;			/* nobody will read the words: an empty text will do */
	int64		work;			/* spent so far, in units of about a tenth of a microsecond */
	int64		work_max;		/* nothing more is done beyond it; the answers are then worthless */
} BiAssert;

/* Adds the work.  Returns whether all of it is still within work_max. */
extern bool bi_assert_spend(BiAssert *assert, int64 work);

/* NULL where value is what the keyword with that arg asserts, and for keywords that are
 * not this file's; else words to stand behind the value's place, as in: is not of type
 * number.  Palloc'd, or a constant where quiet. */
extern const char *bi_assert_complaint(BiAssert *assert, const char *keyword, const BiJson *arg, const BiJson *value);

/* Returns whether the pattern at that place (see dialect.h) is found in the text. */
extern bool bi_assert_matches(BiAssert *assert, const void *at, const char *text, size_t len);

#endif							/* BI_ASSERT_H */
