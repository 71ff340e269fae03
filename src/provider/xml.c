/*
 * provider/xml.c: small XML documents, as object stores answer with them.
 *
 * Knows as much of XML as they use, and refuses the rest: nothing in a document can name
 * another one or grow when it is read.  Called by s3.c.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "provider/xml.h"

#define DEPTH_MAX 16
#define ELEMENTS_MAX 50000

/* The characters of names. */
#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.-"

typedef struct Reader
{
	const char *at;
	const char *end;
	int			left;			/* elements that may still come */
} Reader;

static void
skip_space(Reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at))
		reader->at++;
}

static bool
skip(Reader *reader, const char *token)
{
	size_t		len = strlen(token);

	if ((size_t) (reader->end - reader->at) < len || memcmp(reader->at, token, len) != 0)
		return false;
	reader->at += len;
	return true;
}

/* NULL where there is none. */
static char *
read_name(Reader *reader)
{
	const char *start = reader->at;

	while (reader->at < reader->end && strchr(NAME, *reader->at))
		reader->at++;
	return reader->at > start ? pnstrdup(start, reader->at - start) : NULL;
}

static bool
skip_attribute(Reader *reader)
{
	char	   *name = read_name(reader);
	char		quote;
	const char *end;

	skip_space(reader);
	if (name == NULL || !skip(reader, "="))
		return false;
	skip_space(reader);
	if (reader->at == reader->end || (*reader->at != '"' && *reader->at != '\''))
		return false;
	quote = *reader->at++;
	end = memchr(reader->at, quote, reader->end - reader->at);
	if (end == NULL || memchr(reader->at, '<', end - reader->at))
		return false;
	reader->at = end + 1;
	return true;
}

/* Up to the end of a tag. */
static bool
skip_attributes(Reader *reader)
{
	for (;;)
	{
		const char *before = reader->at;

		skip_space(reader);
		if (reader->at == reader->end || *reader->at == '/' || *reader->at == '>')
			return true;
		if (reader->at == before || !skip_attribute(reader))
			return false;
	}
}

/* The character that &#…; or &#x…; means, at its first digit; false where it means none. */
static bool
read_reference(Reader *reader, StringInfo out)
{
	int			base = skip(reader, "x") ? 16 : 10;
	const char *start = reader->at;
	pg_wchar	code = 0;
	unsigned char bytes[MAX_MULTIBYTE_CHAR_LEN + 1];

	for (; reader->at < reader->end && isxdigit((unsigned char) *reader->at); reader->at++)
	{
		int			digit = isdigit((unsigned char) *reader->at) ? *reader->at - '0' : (*reader->at | 0x20) - 'a' + 10;

		code = code * base + digit;
		if (digit >= base || code > 0x10FFFF)
			return false;
	}
	if (reader->at == start || code == 0 || (code >= 0xD800 && code <= 0xDFFF) || !skip(reader, ";"))
		return false;
	unicode_to_utf8(code, bytes);
	appendBinaryStringInfo(out, (char *) bytes, pg_utf_mblen(bytes));
	return true;
}

/* Behind the ampersand. */
static bool
read_entity(Reader *reader, StringInfo out)
{
	static const struct
	{
		const char *name;
		char		means;
	}			entities[] = {{"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''}};

	if (skip(reader, "#"))
		return read_reference(reader, out);
	for (int i = 0; i < lengthof(entities); i++)
	{
		if (!skip(reader, entities[i].name))
			continue;
		appendStringInfoChar(out, entities[i].means);
		return true;
	}
	return false;
}

/* Up to the next tag. */
static bool
read_text(Reader *reader, StringInfo out)
{
	while (reader->at < reader->end && *reader->at != '<')
	{
		const char *start = reader->at;

		while (reader->at < reader->end && *reader->at != '<' && *reader->at != '&')
			reader->at++;
		appendBinaryStringInfo(out, start, (int) (reader->at - start));
		if (skip(reader, "&") && !read_entity(reader, out))
			return false;
	}
	return true;
}

static BiXml *read_element(Reader *reader, int depth);

/* Up to the end tag of parent. */
static bool
read_content(Reader *reader, BiXml *parent, int depth)
{
	BiXml	  **last = &parent->child;
	StringInfoData text;

	initStringInfo(&text);
	while (read_text(reader, &text))
	{
		if (reader->end - reader->at > 1 && reader->at[1] == '/')
		{
			parent->text = text.data;
			return true;
		}
		*last = read_element(reader, depth + 1);
		if (*last == NULL)
			return false;
		last = &(*last)->next;
	}
	return false;
}

/* NULL where there is none. */
static BiXml *
read_element(Reader *reader, int depth)
{
	BiXml	   *element;
	char	   *name;

	if (depth > DEPTH_MAX || reader->left-- == 0 || !skip(reader, "<"))
		return NULL;
	name = read_name(reader);
	if (name == NULL || !skip_attributes(reader))
		return NULL;
	element = palloc0(sizeof(BiXml));
	element->name = strrchr(name, ':') ? strrchr(name, ':') + 1 : name;
	element->text = "";
	if (skip(reader, "/>"))
		return element;
	if (!skip(reader, ">") || !read_content(reader, element, depth) || !skip(reader, "</") || !skip(reader, name))
		return NULL;
	skip_space(reader);
	return skip(reader, ">") ? element : NULL;
}

BiXml *
bi_xml_parse(const char *text, size_t len)
{
	Reader		reader = {text, text + len, ELEMENTS_MAX};
	BiXml	   *root;

	if (!pg_verify_mbstr(PG_UTF8, text, (int) len, true))
		return NULL;
	if (skip(&reader, "<?xml "))
	{
		while (reader.at < reader.end && !skip(&reader, "?>"))
			reader.at++;
	}
	skip_space(&reader);
	root = read_element(&reader, 1);
	skip_space(&reader);
	return reader.at == reader.end ? root : NULL;
}

static const BiXml *
find(const BiXml *element, const char *name)
{
	while (element && strcmp(element->name, name) != 0)
		element = element->next;
	return element;
}

const BiXml *
bi_xml_child(const BiXml *parent, const char *name)
{
	return find(parent ? parent->child : NULL, name);
}

const BiXml *
bi_xml_next(const BiXml *element)
{
	return find(element->next, element->name);
}

const char *
bi_xml_text(const BiXml *parent, const char *name)
{
	const BiXml *child = bi_xml_child(parent, name);

	return child ? child->text : NULL;
}
