/*
 * intake/advice.c: hints and warnings about a prompt, or a column that holds the input.
 *
 * A prompt without {{column}} is valid, and each of its requests is paid for.  If it is sent for
 * several records, it is hardly ever meant so; if it names a column as another template language
 * does, never.  So the caller is warned, and may roll back.  Pure text, no SQL.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/transam.h"
#include "base/json.h"
#include "catalog/pg_type.h"
#include "intake/advice.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* A hint names at most this many columns. */
#define COLUMNS_MAX 5

/* How a template language writes the place of a value.  Constant. */
typedef struct Form
{
	const char *before;			/* text before the name */
	const char *after;			/* text behind it; "" if the name ends where its characters end */
	bool		is_clear;		/* hardly ever meant as text, if there is a column of that name */
} Form;

static const Form forms[] = {
	{"${", "}", true},
	{"{", "}", true},
	{"%(", ")s", true},
	{"$", "", true},
	{":", "", false},
	{"<", ">", false},
	{"[", "]", false},
};

/* A column that a text names in a manner that is not ours. */
typedef struct Miss
{
	const char *column;			/* its name; NULL if nothing was found */
	char	   *written;		/* as it is in the text, with what stands around the name */
	bool		is_clear;		/* as in Form */
} Miss;

static bool
is_name_char(char c)
{
	return isalnum((unsigned char) c) || c == '_' || IS_HIGHBIT_SET(c);
}

static const char *
skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* Returns the end of the form with this name at p, or NULL. */
static const char *
match_form(const Form *form, const char *name, const char *p)
{
	bool		is_pair = form->after[0] != '\0';

	if (strncmp(p, form->before, strlen(form->before)) != 0)
		return NULL;
	p += strlen(form->before);
	if (is_pair)
		p = skip_blanks(p);
	if (pg_strncasecmp(p, name, strlen(name)) != 0)
		return NULL;
	p += strlen(name);
	if (!is_pair)
		return is_name_char(*p) ? NULL : p;
	p = skip_blanks(p);
	return strncmp(p, form->after, strlen(form->after)) == 0 ? p + strlen(form->after) : NULL;
}

/* Returns the column that the text names at p. */
static Miss
miss_at(const char *p, TupleDesc columns)
{
	Miss		miss = {0};

	for (int f = 0; f < lengthof(forms); f++)
		for (int i = 0; i < columns->natts; i++)
		{
			const char *name = NameStr(TupleDescAttr(columns, i)->attname);
			const char *end = match_form(&forms[f], name, p);

			if (end == NULL)
				continue;
			miss.column = name;
			miss.written = pnstrdup(p, end - p);
			miss.is_clear = forms[f].is_clear;
			return miss;
		}
	return miss;
}

/* True if a form may begin at p: not within {{column}} and \{{, nor in 12:30, US$ and casts. */
static bool
may_begin(const char *text, const char *p)
{
	if (strchr("{$%:<[", *p) == NULL)
		return false;
	if (p == text)
		return true;
	return p[-1] != *p && (strchr("$%:", *p) == NULL || !is_name_char(p[-1]));
}

/* Returns the first column that the text names in a manner that is not ours; a clear one first. */
static Miss
find_miss(const char *text, TupleDesc columns)
{
	Miss		first = {0};

	for (const char *p = text; *p; p++)
	{
		Miss		miss;

		if (!may_begin(text, p))
			continue;
		miss = miss_at(p, columns);
		if (miss.is_clear)
			return miss;
		if (first.column == NULL)
			first = miss;
	}
	return first;
}

static bool
is_key(const BiSpec *spec, const char *column)
{
	ListCell   *cell;

	foreach(cell, spec->key)
		if (strcmp(lfirst(cell), column) == 0)
			return true;
	return false;
}

/* Returns "{{subject}}, {{body}}": columns besides the key that a prompt may name; or "". */
static char *
likely_columns(const BiSpec *spec, TupleDesc columns)
{
	StringInfoData names;
	int			n = 0;

	initStringInfo(&names);
	for (int i = 0; i < columns->natts && n < COLUMNS_MAX; i++)
	{
		const char *name = NameStr(TupleDescAttr(columns, i)->attname);

		if (!is_key(spec, name))
			appendStringInfo(&names, "%s{{%s}}", n++ > 0 ? ", " : "", name);
	}
	return names.data;
}

static void
warn_constant(const BiSpec *spec, TupleDesc columns, int64 records)
{
	Miss		miss = find_miss(spec->prompt, columns);
	char	   *likely = likely_columns(spec, columns);
	char	   *hint;

	if (miss.column)
		hint = psprintf("Write {{%s}} instead of %s.", miss.column, miss.written);
	else if (likely[0] != '\0')
		hint = psprintf("A prompt names a column of the query in double braces, here %s.", likely);
	else
		hint = pstrdup("Return what each request is about from the query, and name that column in"
					   " double braces.");
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("the prompt names no column of the query: all " INT64_FORMAT
					" requests are the same", records),
			 errhint("%s", hint)));
}

static void
warn_miss(const char *prompt, TupleDesc columns)
{
	Miss		miss = find_miss(prompt, columns);

	if (miss.is_clear)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("the prompt's %s is sent as it is written", miss.written),
				 errhint("Write {{%s}} to send the value of that column.", miss.column)));
}

/* Warns of {{column}} in the system prompt. */
static void
warn_system_prompt(const char *text, TupleDesc columns)
{
	static const Form ours = {"{{", "}}", true};

	for (const char *p = text; (p = strstr(p, ours.before)) != NULL; p++)
		for (int i = 0; i < columns->natts; i++)
		{
			const char *name = NameStr(TupleDescAttr(columns, i)->attname);

			if (match_form(&ours, name, p) == NULL)
				continue;
			ereport(WARNING,
					(errcode(ERRCODE_WARNING),
					 errmsg("the system prompt's {{%s}} is sent as it is written", name),
					 errhint("The system prompt is the same for all records. Name columns in the"
							 " argument \"prompt\".")));
			return;
		}
}

void
bi_advice_warn(const BiSpec *spec, const BiTemplate *t, TupleDesc columns, int64 records)
{
	if (spec->system_prompt)
		warn_system_prompt(spec->system_prompt, columns);
	if (t == NULL)
		return;
	if (bi_template_names_columns(t))
		warn_miss(spec->prompt, columns);
	else if (records > 1)
		warn_constant(spec, columns, records);
}

/* Input columns */

/* Returns what the input column holds, for a message. */
static const char *
held_by(const BiSpec *spec)
{
	return spec->input == BI_INPUT_BODY ? "the provider's whole request" : "a conversation";
}

/* Returns the name of the column that holds text to send. */
static const char *
text_column(const BiSpec *spec)
{
	return spec->task == BI_TASK_EMBEDDING ? "input" : "prompt";
}

static bool
is_json(Oid type)
{
	Oid			base = getBaseType(type);

	return base == JSONOID || base == JSONBOID;
}

/* Returns a hint for a value that is JSON of another kind than its column holds, or NULL. */
static char *
hint_of_value(const BiSpec *spec, const char *name, const char *value)
{
	BiJson	   *json = bi_json_parse(value, strlen(value));
	BiJsonType	type = bi_json_length(json) > 0 ? bi_json_type(json) : BI_JSON_ABSENT;

	if (spec->input == BI_INPUT_MESSAGES && type == BI_JSON_OBJECT)
		return psprintf("One message too is an array: jsonb_build_array(%s) AS messages.", name);
	if (spec->input == BI_INPUT_BODY && type == BI_JSON_ARRAY && spec->task == BI_TASK_CHAT)
		return psprintf("An array of messages is returned as a column \"messages\":"
						" %s AS messages.", name);
	return NULL;
}

char *
bi_advice_column(const BiSpec *spec, TupleDesc columns, int column, const char *value)
{
	Form_pg_attribute attribute;
	const char *name;
	char	   *hint;

	if (spec->input == BI_INPUT_TEXT || column == 0)
		return NULL;
	attribute = TupleDescAttr(columns, column - 1);
	name = NameStr(attribute->attname);
	hint = value ? hint_of_value(spec, name, value) : NULL;
	if (hint || TypeCategory(attribute->atttypid) != TYPCATEGORY_STRING)
		return hint;
	return psprintf("A column \"%s\" holds %s, as JSON. If it is the text to send, return it"
					" under another name: %s AS %s.", name, held_by(spec), name, text_column(spec));
}

/*
 * True if a value of this type may be JSON: it is text, or the type is not one of PostgreSQL's
 * own.
 */
static bool
may_hold_json(Oid type)
{
	char		category = TypeCategory(type);

	return is_json(type) || category == TYPCATEGORY_STRING || category == TYPCATEGORY_UNKNOWN ||
		(category == TYPCATEGORY_USER && type >= FirstNormalObjectId);
}

static void
refuse_type(const BiSpec *spec, const char *name, Oid type)
{
	bool		converts = TypeCategory(type) == TYPCATEGORY_ARRAY || type_is_rowtype(type);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of the query must be of type json or jsonb", name),
			 errdetail("It is of type %s, and holds %s.", format_type_be(type), held_by(spec)),
			 converts
			 ? errhint("to_jsonb(%s) AS %s makes JSON of it.", name, name)
			 : errhint("If it is the text to send, return it under another name: %s AS %s.",
					   name, text_column(spec))));
}

void
bi_advice_check_column(const BiSpec *spec, TupleDesc columns, int column)
{
	Form_pg_attribute attribute = TupleDescAttr(columns, column - 1);
	const char *name = NameStr(attribute->attname);
	Oid			type = attribute->atttypid;

	if (spec->input != BI_INPUT_TEXT && !may_hold_json(type))
		refuse_type(spec, name, type);
	if (spec->input == BI_INPUT_TEXT && spec->task == BI_TASK_EMBEDDING && is_json(type))
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("column \"%s\" of type %s is embedded as its text", name,
						format_type_be(type)),
				 errdetail("Each record has one embedding, also where its JSON is an array."),
				 errhint("%s::text AS %s says that this is meant.", name, name)));
}

static bool
has_column(TupleDesc columns, const char *name)
{
	for (int i = 0; i < columns->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(columns, i)->attname), name) == 0)
			return true;
	return false;
}

char *
bi_advice_nothing(const BiSpec *spec, TupleDesc columns)
{
	bool		is_chat = spec->task == BI_TASK_CHAT;

	if (is_chat && has_column(columns, "input"))
		return pstrdup("A column \"input\" is text to embed, with task => 'embedding'."
					   " For a chat return it AS prompt.");
	if (!is_chat && has_column(columns, "prompt"))
		return pstrdup("A column \"prompt\" is for a chat. To embed it return it AS input.");
	if (!is_chat && has_column(columns, "messages"))
		return pstrdup("A column \"messages\" is for a chat: leave out task => 'embedding', or"
					   " return the text to embed AS input.");
	return psprintf("Give the argument \"prompt\", or return a column %s from the query.",
					is_chat
					? "\"prompt\", \"messages\" or \"body\""
					: "\"input\" or \"body\"");
}
