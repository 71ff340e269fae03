/*
 * provider/words.c: comparing the words of an API with those that we know.
 *
 * Knows bytes and no API.  Providers tell a failure's cause by its code where there is one, and
 * by pieces of its message where there is none.
 */
#include "postgres.h"

#include "provider/words.h"

bool
bi_words_equal(const char *word, const char *other)
{
	return word && strcmp(word, other) == 0;
}

bool
bi_words_begin(const char *text, const char *start)
{
	return text && strncmp(text, start, strlen(start)) == 0;
}

bool
bi_words_end(const char *text, const char *tail)
{
	size_t		len = text ? strlen(text) : 0;
	size_t		tail_len = strlen(tail);

	return text && len >= tail_len && strcmp(text + len - tail_len, tail) == 0;
}

bool
bi_words_list(const char *const *list, const char *word)
{
	for (; word && *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

bool
bi_words_list_anycase(const char *const *list, const char *word)
{
	for (; word && *list; list++)
		if (pg_strcasecmp(word, *list) == 0)
			return true;
	return false;
}

char *
bi_words_find(const char *text, const char *words)
{
	size_t		len = strlen(words);

	for (; text && *text; text++)
		if (pg_strncasecmp(text, words, len) == 0)
			return unconstify(char *, text);
	return NULL;
}

bool
bi_words_mention(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (bi_words_find(text, *list))
			return true;
	return false;
}
