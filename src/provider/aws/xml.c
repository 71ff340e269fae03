/*
 * provider/aws/xml.c: reads the small XML documents of object stores.
 *
 * Knows as much of XML as such documents use, and refuses the rest.  So no document can name
 * another one, and none grows when it is read.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "provider/aws/xml.h"

/* Bounds of a document: how deep elements nest, and how many there are.  A page of S3's list has
 * 1,000 objects of about 7 elements. */
#define DEPTH_MAX 16
#define ELEMENTS_MAX 50000

/* The characters of names that are accepted. */
#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.-"

/* The place of reading in a document.  It lives on the stack of bi_xml_parse. */
typedef struct Reader
{
	const char *at;				/* the next byte */
	const char *end;			/* behind the last byte */
	int			left;			/* how many more elements may come */
} Reader;

/* Reading passes at over what was read.  A function that returns false, or NULL, has found that the
 * text is not a document; at is then of no use. */

/* Passes over white space. */
static void
skip_space(Reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at))
		reader->at++;
}

/* Passes over the token if it comes next; false if it does not. */
static bool
skip(Reader *reader, const char *token)
{
	size_t		len = strlen(token);

	if ((size_t) (reader->end - reader->at) < len || memcmp(reader->at, token, len) != 0)
		return false;
	reader->at += len;
	return true;
}

/* Returns the name that comes next, palloc'd; NULL if none does. */
static char *
read_name(Reader *reader)
{
	const char *start = reader->at;

	while (reader->at < reader->end && strchr(NAME, *reader->at))
		reader->at++;
	return reader->at > start ? pnstrdup(start, reader->at - start) : NULL;
}

/* Passes over an attribute: NAME="VALUE" or NAME='VALUE'. */
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

/* Passes over attributes, up to the end of the tag. */
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

/* Appends the character that &#…; or &#x…; means; "&#" has been read. */
static bool
read_reference(Reader *reader, StringInfo out)
{
	int			base = skip(reader, "x") ? 16 : 10;
	const char *start = reader->at;
	pg_wchar	code = 0;
	unsigned char bytes[MAX_MULTIBYTE_CHAR_LEN + 1];

	for (; reader->at < reader->end && isxdigit((unsigned char) *reader->at); reader->at++)
	{
		char		c = *reader->at;
		int			digit = isdigit((unsigned char) c) ? c - '0' : (c | 0x20) - 'a' + 10;

		code = code * base + digit;
		if (digit >= base || code > 0x10FFFF)
			return false;
	}
	if (reader->at == start || code == 0 || (code >= 0xD800 && code <= 0xDFFF) ||
		!skip(reader, ";"))
		return false;
	unicode_to_utf8(code, bytes);
	appendBinaryStringInfo(out, (char *) bytes, pg_utf_mblen(bytes));
	return true;
}

/* Appends what an entity or a character reference means; "&" has been read. */
static bool
read_entity(Reader *reader, StringInfo out)
{
	static const struct
	{
		const char *name;
		char		means;
	}			entities[] =
	{
		{"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''}
	};

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

/* Appends the text up to the next tag. */
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

/* Reads text and children of parent, up to its end tag. */
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

/* Returns the element that comes next, palloc'd with all its children. */
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
	if (!skip(reader, ">") || !read_content(reader, element, depth) || !skip(reader, "</") ||
		!skip(reader, name))
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

/* Returns the first element of that name in a list of siblings that begins with element, or
 * NULL. */
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
