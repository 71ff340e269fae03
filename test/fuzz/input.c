/*
 * test/fuzz/input.c: inputs taken apart, and what every target asks of words.
 */
#include "postgres.h"

#include "fuzz.h"
#include "mb/pg_wchar.h"

char *
fuzz_copy(const char *data, size_t len)
{
	char	   *copy = palloc(len + 1);

	memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

char *
fuzz_line(FuzzInput *input)
{
	const char *stop = input->len > 0 ? memchr(input->data, '\n', input->len) : NULL;
	size_t		len = stop ? stop - input->data : input->len;
	char	   *line = fuzz_copy(input->data, len);

	len += stop != NULL;
	input->data += len;
	input->len -= len;
	return line;
}

char *
fuzz_word(char **line)
{
	char	   *word = *line + strspn(*line, " ");
	size_t		len = strcspn(word, " ");

	*line = word + len;
	return pnstrdup(word, len);
}

char *
fuzz_rest(FuzzInput *input)
{
	return fuzz_copy(input->data, input->len);
}

FuzzInput
fuzz_section(FuzzInput *input, char **status)
{
	FuzzInput	section = *input;

	*status = NULL;
	while (input->len > 0)
	{
		size_t		left = input->len;
		char	   *line = fuzz_line(input);

		if (strncmp(line, "&& ", 3) != 0)
			continue;
		*status = line + 3;
		section.len -= left;
		break;
	}
	return section;
}

int
fuzz_choose(const char *word, const char *const *names)
{
	unsigned	sum = 0;
	int			n;

	for (n = 0; names[n]; n++)
		if (strcmp(names[n], word) == 0)
			return n;
	for (; *word; word++)
		sum = sum * 31 + (unsigned char) *word;
	return sum % n;
}

void
fuzz_check_utf8(const char *text, size_t limit)
{
	size_t		len = strlen(text);

	FUZZ_CHECK(len <= limit);
	FUZZ_CHECK(pg_encoding_verifymbstr(PG_UTF8, text, (int) len) == (int) len);
}

void
fuzz_check_words(const char *text, size_t limit)
{
	fuzz_check_utf8(text, limit);
	for (; *text; text++)
		FUZZ_CHECK((unsigned char) *text >= ' ' && *text != 0x7F);
}
