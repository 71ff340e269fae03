/*
 * api/treasury.h: what the calls that set prices and budgets share.
 */
#ifndef BI_TREASURY_H
#define BI_TREASURY_H

#include "postgres.h"

#include "base/choice.h"
#include "fmgr.h"
#include "utils/numeric.h"

/* Raises an error unless the current user may set such things: superusers and members of the
 * extension's owner.  what: "prices". */
extern void bi_treasury_require_right(const char *what);

/* Returns the text of that argument, which must not be NULL. */
extern char *bi_treasury_text(FunctionCallInfo fcinfo, int i, const char *name);

/* Returns the argument, which must be one of these words, the last of which is NULL. */
extern const char *bi_treasury_word(FunctionCallInfo fcinfo, int i, const char *name,
									const char *const *words);

/* Raises the error for a word that is not valid, and names the valid ones. */
extern void bi_treasury_refuse_word(const char *argument, const BiChoices *choices);

/* True if the number can be an amount: not negative, and finite. */
extern bool bi_treasury_is_amount(Numeric number);

#endif							/* BI_TREASURY_H */
