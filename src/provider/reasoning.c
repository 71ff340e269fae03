/*
 * provider/reasoning.c: what a model thought aloud at the head of its answer.
 *
 * Knows tags and text, no API's shapes.  Looks at each byte once.
 */
#include "postgres.h"

#include "provider/reasoning.h"

#define BLANKS " \t\r\n\v\f"
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:"
#define NAME_MAX_BYTES 64

/* A part of a text, which belongs to the caller. */
typedef struct Span
{
	const char *start;
	size_t		len;
} Span;

static bool
is_blank(char c)
{
	return c != '\0' && strchr(BLANKS, c) != NULL;
}

static Span
trim(Span span)
{
	for (; span.len > 0 && is_blank(span.start[0]); span.len--)
		span.start++;
	while (span.len > 0 && is_blank(span.start[span.len - 1]))
		span.len--;
	return span;
}

/* Takes the next name from a list; false at its end. */
static bool
next_name(const char **list, Span *name)
{
	if (*list == NULL)
		return false;
	name->start = *list;
	name->len = strcspn(*list, ",");
	*list = name->start[name->len] == ',' ? name->start + name->len + 1 : NULL;
	*name = trim(*name);
	return true;
}

/* Sets *name to that of the tag that text begins with; false if it begins with none of names.  mark
 * is how the tag begins: "<" or "</". */
static bool
begins_with_tag(Span text, const char *mark, const char *names, Span *name)
{
	size_t		before = strlen(mark);

	if (text.len < before || memcmp(text.start, mark, before) != 0)
		return false;
	while (next_name(&names, name))
		if (name->len > 0 && text.len > before + name->len &&
			memcmp(text.start + before, name->start, name->len) == 0 &&
			text.start[before + name->len] == '>')
			return true;
	return false;
}

/* Sets *close to the text from the first closing tag on.  False if there is none, or, unless open,
 * if an opening tag comes before it. */
static bool
find_close(Span text, const char *names, bool open, Span *close, Span *name)
{
	const char *end = text.start + text.len;

	for (const char *p = text.start; (p = memchr(p, '<', end - p)) != NULL; p++)
	{
		*close = (Span) {p, end - p};
		if (begins_with_tag(*close, "</", names, name))
			return true;
		if (!open && begins_with_tag(*close, "<", names, name))
			return false;
	}
	return false;
}

static Span
behind(Span text, size_t len)
{
	return (Span) {text.start + len, text.len - len};
}

static BiReasoning
split_at(Span thought, Span answer)
{
	thought = trim(thought);
	while (answer.len > 0 && is_blank(answer.start[0]))
		answer = behind(answer, 1);
	return (BiReasoning) {thought.start, thought.len, answer.start, answer.len};
}

BiReasoning
bi_reasoning_split(const char *text, size_t len, const char *names)
{
	Span		head = {text, len};
	Span		close;
	Span		name;
	Span		end;
	bool		open;

	while (head.len > 0 && is_blank(head.start[0]))
		head = behind(head, 1);
	open = begins_with_tag(head, "<", names, &name);
	if (open)
	{
		head = behind(head, strlen("<>") + name.len);
		names = pnstrdup(name.start, name.len);
	}
	else if (names == NULL || (head.len > 0 && strchr("{[", head.start[0])))
		return (BiReasoning) {NULL, 0, text, len};
	if (find_close(head, names, open, &close, &end))
		return split_at((Span) {head.start, close.start - head.start},
						behind(close, strlen("</>") + end.len));
	return open ? split_at(head, behind(head, head.len)) : (BiReasoning) {NULL, 0, text, len};
}

bool
bi_reasoning_is_list(const char *names)
{
	int			n = 0;
	Span		name;

	while (next_name(&names, &name))
		if (++n > BI_REASONING_TAGS || name.len == 0 || name.len > NAME_MAX_BYTES ||
			strspn(name.start, NAME_BYTES) < name.len)
			return false;
	return n > 0;
}
