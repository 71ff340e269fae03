/*
 * test/fuzz/target_lines.c: a spool is cut into lines.
 *
 * Input: a line "MAX TIMES", then the spool's bytes, which stand there that often: so the
 * lines grow beyond the buffer that reads them.  Compared with the plainest splitter.
 */
#include "postgres.h"

#include "base/spool.h"
#include "fuzz.h"

#define SPOOL_MAX 150000

/* The line at *at, as the contract has it; false where there are no more. */
static bool
plain_next(const char *bytes, size_t size, size_t *at, const char **line, size_t *len)
{
	const char *stop;

	if (*at >= size)
		return false;
	*line = bytes + *at;
	stop = memchr(*line, '\n', size - *at);
	*len = stop ? stop - *line : size - *at;
	*at += *len + 1;
	if (*len > 0 && (*line)[*len - 1] == '\r')
		(*len)--;
	return true;
}

static void
compare(BiSpool *spool, const char *bytes, size_t size, size_t max_line)
{
	BiLines    *lines = bi_lines_open(spool, max_line);
	size_t		at = 0;
	const char *expected;
	size_t		expected_len;
	const char *line;
	size_t		len;

	while (plain_next(bytes, size, &at, &expected, &expected_len))
	{
		FUZZ_CHECK(bi_lines_next(lines, &line, &len));
		FUZZ_CHECK(len == expected_len);
		FUZZ_CHECK((line != NULL) == (len <= max_line));
		if (line == NULL)
			line = bi_lines_head(lines, &len);
		FUZZ_CHECK(len <= expected_len && (len == expected_len || len <= BI_LINES_HEAD));
		FUZZ_CHECK(memcmp(line, expected, len) == 0 && line[len] == '\0');
	}
	FUZZ_CHECK(!bi_lines_next(lines, &line, &len));
	FUZZ_CHECK(!bi_lines_next(lines, &line, &len));
}

void
fuzz_one(const char *data, size_t len)
{
	FuzzInput	input = {data, len};
	char	   *line = fuzz_line(&input);
	size_t		max_line = strtoul(fuzz_word(&line), NULL, 10) % SPOOL_MAX;
	size_t		times = strtoul(fuzz_word(&line), NULL, 10) % SPOOL_MAX + 1;
	BiSpool    *spool = bi_spool_new(CurrentMemoryContext);
	StringInfoData all;

	initStringInfo(&all);
	do
		appendBinaryStringInfo(&all, input.data, (int) input.len);
	while (--times > 0 && all.len > 0 && all.len + input.len <= SPOOL_MAX);
	bi_spool_write(spool, all.data, all.len / 2);
	bi_spool_write(spool, all.data + all.len / 2, all.len - all.len / 2);
	FUZZ_CHECK(bi_spool_size(spool) == all.len);
	compare(spool, all.data, all.len, max_line);
}
