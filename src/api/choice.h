/*
 * api/choice.h: which word was meant.
 */
#ifndef BI_CHOICE_H
#define BI_CHOICE_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* What a wrong word might have been. */
typedef struct BiChoices
{
	const char *word;
	StringInfoData valid;		/* all candidates, for the detail */
	const char *closest;		/* or NULL */
	int			distance;		/* its distance */
} BiChoices;

extern void bi_choice_begin(BiChoices *choices, const char *word);

/* candidate must stay as long as choices. */
extern void bi_choice_add(BiChoices *choices, const char *candidate);

#endif							/* BI_CHOICE_H */
