/*
 * base/blot.c: secrets that are overwritten wherever a text quotes them.
 *
 * Gateways and providers quote keys in what they refuse, in logs, in answers.  A quote is
 * found in any form that JSON or a URL gives it, before anything parses the text.  This guards
 * against quotes only.  A provider that wants to pass a key on can encode it in other ways
 * (base64, backwards), and knows it anyway.
 *
 * One pass over the text, whatever the number of secrets: a byte is looked at twice only
 * where a quote may begin, at the first character of a secret, "\" or "%".
 */
#include "postgres.h"

#include <ctype.h>

#include "base/blot.h"
#include "base/foreign.h"
#include "base/json.h"
#include "base/secret.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

typedef struct Secret
{
	char	   *text;
	size_t		len;
	char	   *folded;			/* text, each run of backslashes as one; NULL: too short */
} Secret;

struct BiBlot
{
	MemoryContext cxt;
	List	   *secrets;		/* of Secret */
	bool		begins[256];	/* true if a quote may begin with this byte */
};

static void
wipe_blot(void *thing)
{
	BiBlot	   *blot = thing;
	ListCell   *lc;

	foreach(lc, blot->secrets)
	{
		Secret	   *secret = lfirst(lc);

		bi_secret_wipe(secret->text);
		bi_secret_wipe(secret->folded);
	}
	blot->secrets = NIL;
}

BiBlot *
bi_blot_new(MemoryContext cxt)
{
	BiBlot	   *blot = MemoryContextAllocZero(cxt, sizeof(BiBlot));

	blot->cxt = cxt;
	bi_foreign_own(cxt, blot, wipe_blot);
	return blot;
}

static bool
has_secret(const BiBlot *blot, const char *text)
{
	ListCell   *lc;

	foreach(lc, blot->secrets)
		if (strcmp(((Secret *) lfirst(lc))->text, text) == 0)
			return true;
	return false;
}

/* Returns a palloc'd copy in which each run of backslashes is one: how many an escape has depends
 * on how deep it is nested. */
static char *
fold_backslashes(const char *text)
{
	char	   *folded = palloc(strlen(text) + 1);
	size_t		len = 0;

	for (; *text; text++)
	{
		if (*text != '\\' || len == 0 || folded[len - 1] != '\\')
			folded[len++] = *text;
	}
	folded[len] = '\0';
	if (len >= BI_BLOT_MIN)
		return folded;
	bi_secret_wipe(folded);
	return NULL;
}

static void
add_one(BiBlot *blot, const char *text)
{
	MemoryContext old;
	Secret	   *secret;

	if (text == NULL || strlen(text) < BI_BLOT_MIN || has_secret(blot, text))
		return;
	old = MemoryContextSwitchTo(blot->cxt);
	secret = palloc(sizeof(Secret));
	secret->text = pstrdup(text);
	secret->len = strlen(text);
	secret->folded = fold_backslashes(text);
	blot->secrets = lappend(blot->secrets, secret);
	blot->begins[(unsigned char) *text] = blot->begins['\\'] = blot->begins['%'] = true;
	MemoryContextSwitchTo(old);
}

/* True if a member of that name has a secret as its value. */
static bool
names_secret(const char *key)
{
	static const char *const names[] = {
		"private_key", "refresh_token", "client_secret", "subject_token", "bearer", "authorization",
		"SecretAccessKey", "Token", "WebIdentityToken"
	};

	for (int i = 0; i < lengthof(names); i++)
		if (pg_strcasecmp(key, names[i]) == 0)
			return true;
	return false;
}

static void
add_members(BiBlot *blot, const BiJson *document)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(document, &place, &key, &value))
	{
		if (names_secret(key))
			add_one(blot, bi_json_string(value, NULL));
		add_members(blot, value);
	}
}

void
bi_blot_add(BiBlot *blot, const char *secret)
{
	BiJson	   *document = secret && *secret == '{'
		? bi_json_parse_secret(secret, strlen(secret)) : NULL;

	if (document == NULL)
		add_one(blot, secret);
	add_members(blot, document);
	bi_secret_wipe_json(document);
}

/* Returns the value of n hexadecimal digits at text; -1 if they are not there. */
static int
read_hex(const char *text, const char *end, int n)
{
	int			value = 0;

	if (end - text < n)
		return -1;
	for (int i = 0; i < n; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + (c | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return value;
}

/* Returns what JSON means by a backslash and that letter. */
static char
escaped_char(char letter)
{
	static const char letters[] = "bfnrt";
	static const char meanings[] = "\b\f\n\r\t";
	const char *found = letter ? strchr(letters, letter) : NULL;

	return found ? meanings[found - letters] : letter;
}

/* Returns how many bytes at text, which begin with a backslash, mean c; 0 if they do not. */
static size_t
json_escape(const char *text, const char *end, char c)
{
	const char *next = text;

	while (next < end && *next == '\\')
		next++;
	if (next < end && *next == 'u' && read_hex(next + 1, end, 4) == (unsigned char) c)
		return next + 5 - text;
	if (c == '\\')
		return next - text;
	return next < end && !isalnum((unsigned char) c) && escaped_char(*next) == c
		? next + 1 - text : 0;
}

/* The same for bytes that begin with a percent sign. */
static size_t
url_escape(const char *text, const char *end, char c)
{
	const char *next = text + 1;

	while (end - next >= 2 && next[0] == '2' && next[1] == '5')
		next += 2;
	if (read_hex(next, end, 2) == (unsigned char) c)
		return next + 2 - text;
	return c == '%' ? next - text : 0;
}

/* Returns how many bytes at text mean c, in any form; 0 if they do not. */
static inline size_t
unit_size(const char *text, const char *end, char c)
{
	if (text == end)
		return 0;
	if (*text == '\\')
		return json_escape(text, end, c);
	if (*text == '%')
		return url_escape(text, end, c);
	return *text == c ? 1 : 0;
}

/* Returns how many bytes at text quote the secret; 0 if they do not.  A run of backslashes is read
 * from its start only: to read a long one from each of its bytes would take for ever. */
static size_t
quote_size(const Secret *secret, const char *text, const char *end, bool within_run)
{
	const char *next = text;

	if (*text == *secret->text && end - text >= (ptrdiff_t) secret->len &&
		memcmp(text, secret->text, secret->len) == 0)
		return secret->len;
	if (secret->folded == NULL || within_run)
		return 0;
	for (const char *c = secret->folded; *c; c++)
	{
		size_t		size = unit_size(next, end, *c);

		if (size == 0)
			return 0;
		next += size;
	}
	return next - text;
}

static inline bool
is_escape(char c)
{
	return c == '\\' || c == '%';
}

/* False if the next character shows that no quote begins here, which is so at most places. */
static inline bool
may_begin(const Secret *secret, const char *at, const char *end)
{
	if (is_escape(*at))
		return true;
	return *at == secret->text[0] && at + 1 < end && (at[1] == secret->text[1] || is_escape(at[1]));
}

/* Returns the first quote of any secret in [from, end), with its size; NULL if there is none.  from
 * must not be within a run of backslashes. */
static const char *
find_quote(const BiBlot *blot, const char *from, const char *end, size_t *size)
{
	for (const char *at = from; at < end; at++)
	{
		ListCell   *lc;

		if (!blot->begins[(unsigned char) *at])
			continue;
		foreach(lc, blot->secrets)
		{
			if (!may_begin(lfirst(lc), at, end))
				continue;
			*size = quote_size(lfirst(lc), at, end, at > from && *at == '\\' && at[-1] == '\\');
			if (*size > 0)
				return at;
		}
	}
	return NULL;
}

void
bi_blot_out(const BiBlot *blot, char *text, size_t len)
{
	const char *from = text;
	const char *quote;
	size_t		size;

	while (blot && blot->secrets && (quote = find_quote(blot, from, text + len, &size)) != NULL)
	{
		memset(text + (quote - text), '*', size);
		from = quote + size;
	}
}

const char *
bi_blot_text(const BiBlot *blot, const char *text, size_t len)
{
	size_t		size;
	char	   *copy;

	if (blot == NULL || blot->secrets == NIL || find_quote(blot, text, text + len, &size) == NULL)
		return text;
	copy = MemoryContextAllocHuge(CurrentMemoryContext, len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	bi_blot_out(blot, copy, len);
	return copy;
}
