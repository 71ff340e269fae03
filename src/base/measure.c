/*
 * base/measure.c: how many tokens a text has, estimated from its characters.
 *
 * A tokenizer has megabytes of data, and Claude's is not public.  So this is a rule that was fitted
 * to real ones: one pass over the text, which is cut into runs of one class of characters, and each
 * class has its tokens.
 *
 * A word of Latin letters is one token up to a length, and one more for each few letters behind it.
 * Accents and changes of case cost more.  In a language with many accents words are cut shorter:
 * whether the text is in one is known at its end only, so both sums are kept.  Digits come in
 * groups, a blank between two runs belongs to the second one.  Of other scripts each character is a
 * part of a token.
 *
 * Nothing here is exact: over 23 languages, code, JSON and identifiers the mean error is a tenth,
 * the largest a third.  What was measured corrects it.  All numbers are thousandths of a token, so
 * that the estimate is the same on each machine.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/measure.h"
#include "base/utf8.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#define TOKEN 1000
/* accents among letters of Latin, in thousandths, above which words are cut shorter */
#define MANY_ACCENTS 45

typedef enum Class
{
	BLANK, LATIN, ACCENTED, DIGIT, SIGN,
	CYRILLIC, GREEK, ARABIC, INDIC, HAN, HANGUL, OTHER,
	CLASSES
} Class;

/* What a family makes of a run: lengths are in thousandths of a character. */
typedef struct Rule
{
	int			whole;			/* letters of a word that are one token */
	int			step;			/* letters beyond them, for each further token */
	int			accent;			/* for each accent, in thousandths of a token */
	int			digits;			/* digits, and other ASCII, of a token */
	int			signs;
	int			character[CLASSES]; /* for each character of another script */
} Rule;

static const Rule rules[] = {
	[BI_TOKENIZER_NEW] = {7000, 4000, 450, 3000, 2300,
	{[CYRILLIC] = 303, [GREEK] = 385, [ARABIC] = 345, [INDIC] = 345,
	[HAN] = 800, [HANGUL] = 667, [OTHER] = 1538}},
	[BI_TOKENIZER_OLD] = {6000, 3500, 550, 3000, 2300,
	{[CYRILLIC] = 556, [GREEK] = 943, [ARABIC] = 885, [INDIC] = 1176,
	[HAN] = 1149, [HANGUL] = 1176, [OTHER] = 2500}},
	[BI_TOKENIZER_GEMMA] = {7000, 4000, 400, 1000, 1800,
	{[CYRILLIC] = 286, [GREEK] = 435, [ARABIC] = 357, [INDIC] = 300,
	[HAN] = 645, [HANGUL] = 625, [OTHER] = 909}},
};

/* Scripts by their code points, in order; what is not here is another one. */
static const struct
{
	uint32		first,
				last;
	Class		class;
}			scripts[] = {
	{0x00AA, 0x00AA, ACCENTED},
	{0x00B5, 0x00B5, ACCENTED},
	{0x00BA, 0x00BA, ACCENTED},
	{0x00C0, 0x024F, ACCENTED},
	{0x0300, 0x036F, ACCENTED},
	{0x0370, 0x03FF, GREEK},
	{0x0400, 0x052F, CYRILLIC},
	{0x0590, 0x05FF, GREEK},	/* Hebrew */
	{0x0600, 0x06FF, ARABIC},
	{0x0900, 0x0DFF, INDIC},
	{0x0E00, 0x0E7F, GREEK},	/* Thai */
	{0x1100, 0x11FF, HANGUL},
	{0x1E00, 0x1EFF, ACCENTED},
	{0x1F00, 0x1FFF, GREEK},
	{0x3000, 0x30FF, HAN},		/* signs and kana */
	{0x3130, 0x318F, HANGUL},
	{0x31F0, 0x9FFF, HAN},
	{0xAC00, 0xD7AF, HANGUL},
	{0xF900, 0xFAFF, HAN},
	{0xFF00, 0xFF9F, HAN},
	{0x20000, 0x3FFFF, HAN},
};

/* A run of one class, and what is known of the text so far.  On the stack of
 * bi_measure_tokens. */
typedef struct Pass
{
	const Rule *rule;
	bool		in_word;		/* the run is a word */
	Class		class;
	int64		length;			/* characters of the run */
	int64		accents;		/* of the run */
	int64		turns;			/* changes of case in it */
	bool		upper;			/* the last letter is a capital */
	bool		spaces;			/* the run has nothing but spaces */
	int64		plain;			/* the sum, if the text has few accents */
	int64		shorter;		/* the sum, if it has many */
	int64		letters;		/* of the text, of Latin */
	int64		marks;			/* accents of the text */
} Pass;

/* Not by ctype.h: nine of ten characters come here. */
static inline Class
class_of_ascii(uint32 c)
{
	if ((c | 0x20) - 'a' < 26)
		return LATIN;
	if (c - '0' < 10)
		return DIGIT;
	return c == ' ' || c - '\t' < 5 ? BLANK : SIGN;
}

static Class
class_of(uint32 c)
{
	if (c < 0x80)
		return class_of_ascii((unsigned char) c);
	for (int i = 0; i < lengthof(scripts) && scripts[i].first <= c; i++)
		if (c <= scripts[i].last)
			return scripts[i].class;
	return OTHER;
}

/* Returns how many pieces of that length cover the run, in thousandths of a token. */
static int64
pieces(int64 length, int size)
{
	return length == 1 ? TOKEN : (length * TOKEN + size - 1) / size * TOKEN;
}

/* Returns the tokens of a word. */
static int64
word(const Pass *pass, int whole, int step)
{
	int64		rest = pass->length * TOKEN - whole;

	return TOKEN + (rest > 0 ? rest * TOKEN / step : 0) + pass->accents * pass->rule->accent +
		Max(pass->turns - 1, 0) * TOKEN / 2;
}

static void
add(Pass *pass, int64 tokens)
{
	pass->plain += tokens;
	pass->shorter += tokens;
}

static void
end_word(Pass *pass)
{
	const Rule *rule = pass->rule;

	pass->plain += word(pass, rule->whole, rule->step);
	pass->shorter += word(pass, rule->whole - 2500, rule->step - 800);
	pass->letters += pass->length;
	pass->marks += pass->accents;
}

/* Adds the tokens of the run that has ended. */
static void
end_run(Pass *pass)
{
	if (pass->length == 0)
		return;
	if (pass->in_word)
		end_word(pass);
	else if (pass->class == DIGIT)
		add(pass, pieces(pass->length, pass->rule->digits));
	else if (pass->class == SIGN)
		add(pass, pieces(pass->length, pass->rule->signs));
	else if (pass->class == BLANK)
		add(pass, pass->length == 1 && pass->spaces ? 0 : TOKEN);
	else
		add(pass, pass->length * pass->rule->character[pass->class]);
}

static void
begin_run(Pass *pass, Class class, bool in_word)
{
	pass->in_word = in_word;
	pass->class = class;
	pass->length = pass->accents = pass->turns = 0;
	pass->spaces = true;
	pass->upper = false;
}

static inline void
take(Pass *pass, uint32 c)
{
	Class		class = class_of(c);
	bool		in_word = class == LATIN || class == ACCENTED;

	if (in_word != pass->in_word || (!in_word && class != pass->class))
	{
		end_run(pass);
		begin_run(pass, class, in_word);
	}
	if (class == ACCENTED)
		pass->accents++;
	if (class == LATIN)
	{
		bool		upper = (c & 0x20) == 0;

		if (pass->length > 0 && upper != pass->upper)
			pass->turns++;
		pass->upper = upper;
	}
	if (c != ' ')
		pass->spaces = false;
	pass->length++;
}

int64
bi_measure_tokens(const char *text, size_t len, BiMeasure measure)
{
	Pass		pass = {.rule = &rules[measure.tokenizer], .class = CLASSES};
	int64		sum;

	for (size_t i = 0; i < len;)
	{
		unsigned char byte = (unsigned char) text[i];
		size_t		size = byte < 0x80 ? 1 : bi_utf8_size(text + i, len - i);

		take(&pass, size > 1 ? utf8_to_unicode((const unsigned char *) text + i) : byte);
		i += Max(size, 1);
		if (pass.length == 1)
			CHECK_FOR_INTERRUPTS();
	}
	end_run(&pass);
	sum = pass.marks * TOKEN > pass.letters * MANY_ACCENTS ? pass.shorter : pass.plain;
	return (sum * measure.percent / 100 + TOKEN - 1) / TOKEN;
}

/* Returns the number that the four hex digits at p mean; 0 if one of them is not a hex digit. */
static uint32
read_hex(const char *p, const char *end)
{
	uint32		code = 0;

	for (int i = 0; i < 4; i++, p++)
	{
		if (p >= end || !isxdigit((unsigned char) *p))
			return 0;
		code = code * 16 + (uint32) (isdigit((unsigned char) *p) ? *p - '0'
									 : (*p | 0x20) - 'a' + 10);
	}
	return code;
}

/* Appends what the escape behind the backslash at p stands for.  Returns where the text goes on. */
static const char *
unescape(StringInfo out, const char *p, const char *end)
{
	unsigned char utf8[8] = {0};
	uint32		code;

	if (++p >= end)
		return end;
	if (*p != 'u')
	{
		appendStringInfoChar(out, strchr("bfnrt", *p) ? '\n' : *p);
		return p + 1;
	}
	code = read_hex(++p, end);
	p = Min(p + 4, end);
	if (code >> 10 == 0xD800 >> 10 && end - p >= 6 && p[0] == '\\' && p[1] == 'u')
	{
		code = 0x10000 + ((code & 0x3FF) << 10) + (read_hex(p + 2, end) & 0x3FF);
		p += 6;
	}
	unicode_to_utf8(code, utf8);
	appendBinaryStringInfo(out, (char *) utf8, pg_utf_mblen(utf8));
	return p;
}

/* Appends the string that begins behind p.  Returns where the text goes on. */
static const char *
take_string(StringInfo out, const char *p, const char *end)
{
	while (p < end && *p != '"')
	{
		const char *plain = p;

		while (p < end && *p != '"' && *p != '\\')
			p++;
		appendBinaryStringInfo(out, plain, (int) (p - plain));
		if (p < end && *p == '\\')
			p = unescape(out, p, end);
	}
	return p + 1;
}

int64
bi_measure_strings(const char *json, size_t len, char between, BiMeasure measure)
{
	const char *end = json + len;
	StringInfoData strings;
	int64		tokens;

	initStringInfo(&strings);
	for (const char *p = json; p < end;)
	{
		p = memchr(p, '"', end - p);
		if (p == NULL)
			break;
		if (strings.len > 0)
			appendStringInfoChar(&strings, between);
		p = take_string(&strings, p + 1, end);
	}
	tokens = bi_measure_tokens(strings.data, strings.len, measure);
	pfree(strings.data);
	return tokens;
}

/* Returns the number at *p and moves *p behind it.  Returns 0 if there is no digit at *p, or if the
 * number has more than two digits, as a date has. */
static int
read_number(const char **p)
{
	int			number = 0;

	for (; isdigit((unsigned char) **p); (*p)++)
		number = Min(number * 10 + **p - '0', 1000);
	return number < 100 ? number : 0;
}

/* Returns how many tokens Claude of that name makes of a hundred.  The tokenizer is not public:
 * Anthropic says that from 4.7 on it makes about 30 % more of them. */
static int
percent_of_claude(const char *name)
{
	int			major;
	int			minor = 0;

	while (*name && !isdigit((unsigned char) *name))
		name++;
	major = read_number(&name);
	if (*name == '-' || *name == '.')
	{
		name++;
		minor = read_number(&name);
	}
	return major > 4 || (major == 4 && minor >= 7) ? 150 : 115;
}

static bool
is_old(const char *model)
{
	const char *gpt4 = strstr(model, "gpt-4");

	return strstr(model, "text-embedding-") || strstr(model, "gpt-3.5") ||
		strstr(model, "gpt-35") || (gpt4 && (gpt4[5] == '\0' || gpt4[5] == '-'));
}

BiMeasure
bi_measure_of_model(const char *model)
{
	const char *claude = strstr(model, "claude");

	if (claude)
		return (BiMeasure) {BI_TOKENIZER_NEW, percent_of_claude(claude)};
	if (strstr(model, "gemini") || strstr(model, "gemma"))
		return (BiMeasure) {BI_TOKENIZER_GEMMA, 100};
	return (BiMeasure) {is_old(model) ? BI_TOKENIZER_OLD : BI_TOKENIZER_NEW, 100};
}
