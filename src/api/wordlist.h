/*
 * api/wordlist.h: arguments that are lists of words.
 */
#ifndef BI_WORDLIST_H
#define BI_WORDLIST_H

#include "postgres.h"

#include "utils/array.h"

/*
 * Returns the first element of a text[] that is not among the words, palloc'd, or "NULL" for a
 * null element.  Returns NULL if there is no such element.  words ends with NULL.
 */
extern char *bi_wordlist_find_other(ArrayType *given, const char *const *words);

#endif							/* BI_WORDLIST_H */
