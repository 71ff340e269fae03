/*
 * base/repertoire.c: what the bytes of a server encoding are in Unicode.
 *
 * In UTF-8 each character tells its code point.  Other encodings need PostgreSQL's conversions,
 * which are made for whole texts.  So what matters is converted once: in an encoding of single
 * bytes each of them, in the others each character with a meaning of its own.  SQL_ASCII says
 * nothing of bytes above 127: they are letters.
 */
#include "postgres.h"

#include "base/repertoire.h"
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

/* Characters above ASCII that have a meaning, in their order. */
static const struct
{
	uint32		code;
	int			mark;
}			marks[] = {
	{0x0085, BI_MARK_SPACE}, {0x00A0, BI_MARK_SPACE | BI_MARK_FIXED},
	/* « and » */
	{0x00AB, BI_MARK_CLOSER | BI_MARK_OPENER}, {0x00BB, BI_MARK_CLOSER},
	/* Armenian, Arabic, Urdu, Devanagari */
	{0x0589, BI_MARK_STOP}, {0x061F, BI_MARK_STOP}, {0x06D4, BI_MARK_STOP},
	{0x0964, BI_MARK_STOP}, {0x0965, BI_MARK_STOP},
	/* Burmese, Ethiopic */
	{0x104B, BI_MARK_STOP}, {0x1362, BI_MARK_STOP}, {0x1367, BI_MARK_STOP},
	{0x1680, BI_MARK_SPACE},
	/* Khmer */
	{0x17D4, BI_MARK_STOP}, {0x17D5, BI_MARK_STOP},
	{0x2000, BI_MARK_SPACE}, {0x2001, BI_MARK_SPACE}, {0x2002, BI_MARK_SPACE},
	{0x2003, BI_MARK_SPACE}, {0x2004, BI_MARK_SPACE}, {0x2005, BI_MARK_SPACE},
	{0x2006, BI_MARK_SPACE}, {0x2007, BI_MARK_SPACE | BI_MARK_FIXED},
	{0x2008, BI_MARK_SPACE}, {0x2009, BI_MARK_SPACE}, {0x200A, BI_MARK_SPACE},
	{0x200B, BI_MARK_BREAK},
	/* English and Chinese open with 2018 and 201C, German closes with them */
	{0x2018, BI_MARK_CLOSER | BI_MARK_OPENER}, {0x2019, BI_MARK_CLOSER},
	{0x201C, BI_MARK_CLOSER | BI_MARK_OPENER}, {0x201D, BI_MARK_CLOSER},
	/* three dots in one */
	{0x2026, BI_MARK_STOP},
	{0x2028, BI_MARK_SPACE | BI_MARK_LINE}, {0x2029, BI_MARK_SPACE | BI_MARK_LINE},
	{0x202F, BI_MARK_SPACE | BI_MARK_FIXED},
	{0x2039, BI_MARK_CLOSER | BI_MARK_OPENER}, {0x203A, BI_MARK_CLOSER},
	/* two marks in one: !! ?! ?? */
	{0x203C, BI_MARK_STOP}, {0x203D, BI_MARK_STOP}, {0x2047, BI_MARK_STOP},
	{0x2048, BI_MARK_STOP}, {0x2049, BI_MARK_STOP},
	{0x205F, BI_MARK_SPACE}, {0x3000, BI_MARK_SPACE},
	{0x3002, BI_MARK_FULL_STOP},
	/* brackets of Chinese and Japanese */
	{0x3009, BI_MARK_CLOSER}, {0x300B, BI_MARK_CLOSER}, {0x300D, BI_MARK_CLOSER},
	{0x300F, BI_MARK_CLOSER}, {0x3011, BI_MARK_CLOSER}, {0x3015, BI_MARK_CLOSER},
	{0x3017, BI_MARK_CLOSER}, {0x3019, BI_MARK_CLOSER}, {0x301B, BI_MARK_CLOSER},
	/* small and wide forms of ASCII, and the narrow stop */
	{0xFE52, BI_MARK_STOP}, {0xFE56, BI_MARK_STOP}, {0xFE57, BI_MARK_STOP},
	{0xFF01, BI_MARK_FULL_STOP}, {0xFF09, BI_MARK_CLOSER}, {0xFF0E, BI_MARK_STOP},
	{0xFF1F, BI_MARK_FULL_STOP}, {0xFF3D, BI_MARK_CLOSER}, {0xFF5D, BI_MARK_CLOSER},
	{0xFF61, BI_MARK_FULL_STOP}, {0xFF63, BI_MARK_CLOSER},
};

static int
ascii_mark(uint32 code)
{
	switch (code)
	{
		case '\n':
		case '\r':
			return BI_MARK_SPACE | BI_MARK_LINE;
		case ' ':
		case '\t':
		case '\v':
		case '\f':
			return BI_MARK_SPACE;
		case '.':
		case '!':
		case '?':
			return BI_MARK_STOP;
		case '"':
		case '\'':
		case ')':
		case ']':
		case '}':
			return BI_MARK_CLOSER;
		default:
			return 0;
	}
}

int
bi_repertoire_mark(uint32 code)
{
	int			low = 0;
	int			high = lengthof(marks) - 1;

	if (code < 0x80)
		return ascii_mark(code);
	while (low <= high)
	{
		int			middle = (low + high) / 2;

		if (marks[middle].code == code)
			return marks[middle].mark;
		if (marks[middle].code < code)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return 0;
}

/* Returns the bytes as one number. */
static uint32
number_of(const char *text, int size)
{
	uint32		number = 0;

	for (int i = 0; i < size; i++)
		number = number << 8 | (unsigned char) text[i];
	return number;
}

static uint32
find_code(const BiRepertoire *repertoire, uint32 bytes)
{
	int			low = 0;
	int			high = repertoire->count - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;

		if (repertoire->codes[middle].bytes == bytes)
			return repertoire->codes[middle].code;
		if (repertoire->codes[middle].bytes < bytes)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return BI_CODE_UNKNOWN;
}

uint32
bi_repertoire_read(const BiRepertoire *repertoire, const char *text, size_t len, int *size)
{
	int			whole;

	*size = 1;
	if ((unsigned char) *text < 0x80)
		return (unsigned char) *text;
	whole = pg_encoding_mblen(repertoire->encoding, text);
	*size = (int) Min((size_t) whole, len);
	if (*size < whole)
		return BI_CODE_UNKNOWN;
	if (repertoire->encoding == PG_UTF8)
		return utf8_to_unicode((const unsigned char *) text);
	return find_code(repertoire, number_of(text, *size));
}

/* Converts one character into to, which has room for any.  Returns how many bytes that are, 0 if
 * the other encoding does not have it. */
static int
convert(Oid conversion, int from_encoding, int to_encoding, char *from, int size, char *to)
{
	int			done = pg_do_encoding_conversion_buf(conversion, from_encoding, to_encoding,
													 (unsigned char *) from, size,
													 (unsigned char *) to,
													 size * MAX_CONVERSION_GROWTH + 1, true);

	return done == size ? (int) strlen(to) : 0;
}

static void
add_code(BiRepertoire *repertoire, const char *text, int size, uint32 code)
{
	repertoire->codes[repertoire->count].bytes = number_of(text, size);
	repertoire->codes[repertoire->count].code = code;
	repertoire->count++;
}

/* Adds each byte above ASCII. */
static void
add_bytes(BiRepertoire *repertoire)
{
	Oid			conversion = FindDefaultConversionProc(repertoire->encoding, PG_UTF8);

	for (int byte = 0x80; OidIsValid(conversion) && byte <= 0xFF; byte++)
	{
		char		from[] = {(char) byte, '\0'};
		char		to[MAX_CONVERSION_GROWTH + 1];

		if (convert(conversion, repertoire->encoding, PG_UTF8, from, 1, to) > 0)
			add_code(repertoire, from, 1, utf8_to_unicode((unsigned char *) to));
	}
}

static int
compare_codes(const void *a, const void *b)
{
	uint32		left = ((const struct BiRepertoireCode *) a)->bytes;
	uint32		right = ((const struct BiRepertoireCode *) b)->bytes;

	return (left > right) - (left < right);
}

/* Adds the characters of marks. */
static void
add_marks(BiRepertoire *repertoire)
{
	Oid			conversion = FindDefaultConversionProc(PG_UTF8, repertoire->encoding);

	for (int i = 0; OidIsValid(conversion) && i < lengthof(marks); i++)
	{
		char		from[MAX_MULTIBYTE_CHAR_LEN + 1] = "";
		char		to[MAX_MULTIBYTE_CHAR_LEN * MAX_CONVERSION_GROWTH + 1];
		int			size;

		unicode_to_utf8(marks[i].code, (unsigned char *) from);
		size = convert(conversion, PG_UTF8, repertoire->encoding, from, (int) strlen(from), to);
		/* a sequence of several characters is no mark */
		if (size > 0 && size <= sizeof(uint32) &&
			pg_encoding_mblen(repertoire->encoding, to) == size)
			add_code(repertoire, to, size, marks[i].code);
	}
	qsort(repertoire->codes, repertoire->count, sizeof(repertoire->codes[0]), compare_codes);
}

BiRepertoire *
bi_repertoire_make(int encoding)
{
	int			most = Max(0x80, (int) lengthof(marks));
	BiRepertoire *repertoire = palloc0(offsetof(BiRepertoire, codes) +
									   most * sizeof(struct BiRepertoireCode));

	repertoire->encoding = encoding;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return repertoire;
	if (pg_encoding_max_length(encoding) == 1)
		add_bytes(repertoire);
	else
		add_marks(repertoire);
	return repertoire;
}
