/*
 * provider/words.h: comparing the words of an API with those that we know.
 *
 * Lists end with NULL.  A text or word that is NULL equals, begins with and mentions nothing.
 */
#ifndef BI_WORDS_H
#define BI_WORDS_H

#include "postgres.h"

/* True if word is that one. */
extern bool bi_words_equal(const char *word, const char *other);

/* True if text begins with those bytes. */
extern bool bi_words_begin(const char *text, const char *start);

/* True if text ends with those bytes. */
extern bool bi_words_end(const char *text, const char *tail);

/* True if word is one of the list. */
extern bool bi_words_list(const char *const *list, const char *word);

/* The same, whatever the case of ASCII letters. */
extern bool bi_words_list_anycase(const char *const *list, const char *word);

/* Returns where the words first are in text, whatever the case of ASCII letters; NULL if
 * nowhere. */
extern char *bi_words_find(const char *text, const char *words);

/* True if text has one of the list's words in it, whatever the case of ASCII letters. */
extern bool bi_words_mention(const char *text, const char *const *list);

#endif							/* BI_WORDS_H */
