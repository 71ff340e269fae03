/*
 * base/choice.h: which word a wrong one was probably meant to be.
 */
#ifndef BI_CHOICE_H
#define BI_CHOICE_H

#include "postgres.h"

#include "lib/stringinfo.h"

/*
 * What a wrong word might have been.  The caller has it on its stack: bi_choice_begin, then
 * bi_choice_add for each valid word, then its members are read.  Words must live as long.
 */
typedef struct BiChoices
{
	const char *word;			/* the wrong one */
	StringInfoData valid;		/* all valid words, separated by commas */
	const char *closest;		/* the valid word that is closest, or NULL if none is close */
	int			distance;		/* how many letters closest and word differ in */
} BiChoices;

/* Begins with no valid word. */
extern void bi_choice_begin(BiChoices *choices, const char *word);

/* Adds a valid word. */
extern void bi_choice_add(BiChoices *choices, const char *candidate);

#endif							/* BI_CHOICE_H */
