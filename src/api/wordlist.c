/*
 * api/wordlist.c: arguments that are lists of words.
 */
#include "postgres.h"

#include "api/wordlist.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

static bool
is_one_of(const char *word, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

char *
bi_wordlist_find_other(ArrayType *given, const char *const *words)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(given, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *word = nulls[i] ? pstrdup("NULL") : TextDatumGetCString(elements[i]);

		if (nulls[i] || !is_one_of(word, words))
			return word;
	}
	return NULL;
}
