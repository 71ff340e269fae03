/*
 * base/choice.c: which word a wrong one was probably meant to be, for details and hints.
 */
#include "postgres.h"

#include "base/choice.h"
#include "utils/varlena.h"

/* Words that differ in more letters are not close; nor are those that differ in more than half of
 * the wrong one. */
#define CLOSE_ENOUGH 4

void
bi_choice_begin(BiChoices *choices, const char *word)
{
	choices->word = word;
	choices->closest = NULL;
	choices->distance = CLOSE_ENOUGH + 1;
	initStringInfo(&choices->valid);
}

void
bi_choice_add(BiChoices *choices, const char *candidate)
{
	int			len = strlen(choices->word);
	int			distance;

	appendStringInfo(&choices->valid, "%s%s", choices->valid.len > 0 ? ", " : "", candidate);
	if (len >= NAMEDATALEN)
		return;
	distance = varstr_levenshtein_less_equal(choices->word, len, candidate, strlen(candidate),
											 1, 1, 1, CLOSE_ENOUGH, true);
	if (distance < choices->distance && distance <= len / 2)
	{
		choices->closest = candidate;
		choices->distance = distance;
	}
}
