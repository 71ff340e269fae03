/*
 * provider/google/fingerprint.c: a text that identifies a request although an API writes it back in
 * another form.
 *
 * Google's services echo a request, but not its bytes: members change places, absent ones come as
 * null, names change their spelling, and fractions pass through floats.  What that cannot change is
 * written here, in one way only.
 *
 * Decided here: names are folded everywhere, also in what is the caller's own, such as arguments of
 * functions.  Two requests that differ only in such spelling get each other's answers, and only if
 * nothing else identifies them.
 *
 * Sources: reports of programs that run against the service, BerriAI/litellm#14044 and a notebook
 * of GoogleCloudPlatform/generative-ai; seen 2026-11.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "provider/google/fingerprint.h"
#include "provider/words.h"

static void append_value(StringInfo out, const BiJson *json, const char *except);

/* Names */

/* Returns the name without "_" and in lower case, palloc'd: snake_case and camelCase become the
 * same. */
static char *
fold_name(const char *name)
{
	char	   *folded = palloc(strlen(name) + 1);
	char	   *to = folded;

	for (; *name; name++)
		if (*name != '_')
			*to++ = pg_ascii_tolower((unsigned char) *name);
	*to = '\0';
	return folded;
}

bool
bi_fingerprint_same_name(const char *a, const char *b)
{
	for (;; a++, b++)
	{
		a += strspn(a, "_");
		b += strspn(b, "_");
		if (pg_ascii_tolower((unsigned char) *a) != pg_ascii_tolower((unsigned char) *b))
			return false;
		if (*a == '\0')
			return true;
	}
}

BiJson *
bi_fingerprint_member(const BiJson *object, const char *name)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(object, &place, &key, &value))
		if (bi_fingerprint_same_name(key, name) && bi_json_type(value) != BI_JSON_NULL)
			return value;
	return NULL;
}

/* Appends a number: a whole one exactly, a fraction as a float, for an echo may have passed through
 * one. */
static void
append_number(StringInfo out, const BiJson *json)
{
	double		number = bi_json_double(json, 0);
	float		narrow = (float) number;

	if (number == rint(number) && fabs(number) < 9e15)
		appendStringInfo(out, INT64_FORMAT, (int64) number);
	else if (bi_json_type(json) == BI_JSON_INT)
		bi_json_append(out, json);
	else if (isfinite(narrow))
		appendStringInfo(out, "%.9g", narrow);
	else
		appendStringInfo(out, "%.17g", number);
}

/* Appends an array, whose order counts. */
static void
append_array(StringInfo out, const BiJson *json)
{
	int			length = bi_json_length(json);

	appendStringInfoChar(out, '[');
	for (int i = 0; i < length; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		append_value(out, bi_json_item(json, i), NULL);
	}
	appendStringInfoChar(out, ']');
}

/* A member of an object, as it is written.  Both texts belong to append_object, which frees
 * them. */
typedef struct Member
{
	char	   *name;			/* folded */
	char	   *value;			/* canonical */
} Member;

/* Compares by name, then by value, because folded names may be equal. */
static int
member_order(const void *a, const void *b)
{
	const Member *x = a;
	const Member *y = b;
	int			order = strcmp(x->name, y->name);

	CHECK_FOR_INTERRUPTS();
	return order ? order : strcmp(x->value, y->value);
}

/* True if the value is one that an echo may leave out or add. */
static bool
is_empty(const char *value)
{
	static const char *const empty[] = {"null", "\"\"", "{}", "[]", NULL};

	return bi_words_list(empty, value);
}

/* Writes the members that are not empty, except those named except (may be NULL), to members, and
 * returns how many they are. */
static int
collect_members(const BiJson *json, const char *except, Member *members)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;
	int			count = 0;

	while (bi_json_next(json, &place, &key, &value))
	{
		StringInfoData text;

		if (except && bi_fingerprint_same_name(key, except))
			continue;
		initStringInfo(&text);
		append_value(&text, value, NULL);
		if (is_empty(text.data))
			pfree(text.data);
		else
			members[count++] = (Member) {fold_name(key), repalloc(text.data, text.len + 1)};
	}
	return count;
}

/* Appends an object, its members sorted. */
static void
append_object(StringInfo out, const BiJson *json, const char *except)
{
	Size		size = sizeof(Member) * (bi_json_length(json) + 1);
	Member	   *members = palloc_extended(size, MCXT_ALLOC_HUGE);
	int			count = collect_members(json, except, members);

	qsort(members, count, sizeof(Member), member_order);
	appendStringInfoChar(out, '{');
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		bi_json_append_string(out, members[i].name);
		appendStringInfoChar(out, ':');
		appendStringInfoString(out, members[i].value);
		pfree(members[i].name);
		pfree(members[i].value);
	}
	appendStringInfoChar(out, '}');
	pfree(members);
}

/* Appends a value.  except: members of that name are left out, in this object and not below it. */
static void
append_value(StringInfo out, const BiJson *json, const char *except)
{
	CHECK_FOR_INTERRUPTS();
	switch (bi_json_type(json))
	{
		case BI_JSON_INT:
		case BI_JSON_DOUBLE:
			append_number(out, json);
			break;
		case BI_JSON_ARRAY:
			append_array(out, json);
			break;
		case BI_JSON_OBJECT:
			append_object(out, json, except);
			break;
		default:
			bi_json_append(out, json);
	}
}

char *
bi_fingerprint_text(const BiJson *request)
{
	StringInfoData out;

	initStringInfo(&out);
	append_value(&out, request, "labels");
	return out.data;
}
