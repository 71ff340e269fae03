/*
 * base/loose.c: JSON as models write it.
 *
 * Models that are asked for JSON often put it into a fenced code block, and write line breaks
 * within strings as they are.  Both are certain to be meant, so both are read.  Nothing else is
 * repaired: a guess could change what the model said.  Knows no job and no column.
 */
#include "postgres.h"

#include "base/loose.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

#define FENCE_MIN 3				/* CommonMark 0.31, section 4.5 */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Returns how many characters of fence (` or ~) begin at text, 0 for too few. */
static size_t
fence_length(const char *text, const char *end, char fence)
{
	const char *p = text;

	while (p < end && *p == fence)
		p++;
	return p - text >= FENCE_MIN ? p - text : 0;
}

/* Returns the beginning of the line that ends at end. */
static const char *
last_line(const char *begin, const char *end)
{
	while (end > begin && end[-1] != '\n')
		end--;
	return end;
}

/* True if a line within could close a fence of this length. */
static bool
has_fence(const char *begin, const char *end, char fence, size_t length)
{
	for (const char *line = begin; line < end;)
	{
		const char *newline = memchr(line, '\n', end - line);
		const char *p = line;

		CHECK_FOR_INTERRUPTS();
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		if (fence_length(p, end, fence) >= length)
			return true;
		line = newline ? newline + 1 : end;
	}
	return false;
}

/* If the text is one fenced block and nothing else, narrows it to the content of the block. */
static void
unfence(const char **begin, const char **end)
{
	char		fence = **begin;
	size_t		length = fence == '`' || fence == '~' ? fence_length(*begin, *end, fence) : 0;
	const char *content;
	const char *close;
	const char *p;

	if (length == 0)
		return;
	content = memchr(*begin, '\n', *end - *begin);
	close = last_line(*begin, *end);
	if (content == NULL || close <= content)
		return;
	content++;
	for (p = close; p < *end && (*p == ' ' || *p == '\t'); p++)
		continue;
	if (fence_length(p, *end, fence) != (size_t) (*end - p) || (size_t) (*end - p) < length)
		return;
	if (has_fence(content, close, fence, length))
		return;
	*begin = content;
	*end = close;
}

/* Appends the text with each control character within a string as an escape. */
static void
append_escaped(StringInfo out, const char *begin, const char *end)
{
	bool		in_string = false;
	const char *from = begin;

	for (const char *p = begin; p < end; p++)
	{
		if (*p == '"')
			in_string = !in_string;
		else if (in_string && *p == '\\' && p + 1 < end)
			p++;
		else if (in_string && (unsigned char) *p < ' ')
		{
			appendBinaryStringInfo(out, from, (int) (p - from));
			appendStringInfo(out, "\\u%04x", (unsigned char) *p);
			from = p + 1;
		}
	}
	appendBinaryStringInfo(out, from, (int) (end - from));
}

/* Only then there may be something to escape. */
static bool
has_control(const char *begin, const char *end)
{
	for (const char *p = begin; p < end; p++)
		if ((unsigned char) *p < ' ')
			return true;
	return false;
}

const char *
bi_loose_json(const char *text)
{
	const char *begin = text;
	const char *end = text + strlen(text);
	StringInfoData out;

	while (end > begin && is_blank(end[-1]))
		end--;
	while (begin < end && is_blank(*begin))
		begin++;
	unfence(&begin, &end);
	if (begin == text && end == text + strlen(text) && !has_control(begin, end))
		return text;
	initStringInfo(&out);
	append_escaped(&out, begin, end);
	return out.data;
}
