/*
 * base/assert.h: the keywords of JSON Schema that look at one value and at no other
 * schema.
 */
#ifndef BI_ASSERT_H
#define BI_ASSERT_H

#include "base/json.h"

typedef struct BiAssert
{
	bool		quiet;			/* nobody will read the words: an empty text will do */
	int64		work;			/* spent so far, in units of about a tenth of a microsecond */
} BiAssert;

/* NULL where value is what the keyword with that arg asserts, and for keywords that are
 * not this file's; else words to stand behind the value's place, as in: is not of type
 * number.  Palloc'd, or a constant where quiet. */
extern const char *bi_assert_complaint(BiAssert *assert, const char *keyword, const BiJson *arg, const BiJson *value);

/* Is the pattern found in the text?  Tells the work. */
extern bool bi_assert_matches(BiAssert *assert, const char *pattern, size_t pattern_len, const char *text, size_t len);

#endif							/* BI_ASSERT_H */
