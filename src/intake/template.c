/*
 * intake/template.c: prompts with {{column}}.
 *
 * A prompt is cut once into parts: text, and the column whose value follows it.  For each row the
 * parts are put together.  Pure text: no SQL, and no escaping, which is done where a request is
 * rendered.
 */
#include "postgres.h"

#include "intake/template.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

/* A piece of the prompt, with the column whose value follows it. */
typedef struct Part
{
	char	   *text;
	int			column;			/* its number, from 1; 0 after the last text */
} Part;

struct BiTemplate
{
	List	   *parts;			/* of Part */
	Bitmapset  *columns;		/* numbers of all columns that it names */
};

/* Returns the column whose name is nearest to a wrong one, for a hint; NULL if none is near. */
static const char *
nearest_column(const char *name, TupleDesc columns)
{
	const char *nearest = NULL;
	int			least = (int) strlen(name) / 2 + 1;

	if (strlen(name) > NAMEDATALEN)
		return NULL;
	for (int i = 0; i < columns->natts; i++)
	{
		const char *candidate = NameStr(TupleDescAttr(columns, i)->attname);
		int			distance = varstr_levenshtein_less_equal(name, strlen(name), candidate,
															 strlen(candidate), 1, 1, 1, least,
															 true);

		if (distance < least)
		{
			nearest = candidate;
			least = distance;
		}
	}
	return nearest;
}

/* Returns a hint for a name that no column has. */
static const char *
unknown_hint(const char *name, TupleDesc columns)
{
	const char *nearest = nearest_column(name, columns);

	if (strchr(name, '|') || strchr(name, '('))
		return "A prompt names columns only: compute the value in the query.";
	if (nearest)
		return psprintf("Perhaps you meant {{%s}}.", nearest);
	return "A literal {{ is written \\{{.";
}

/* Returns the number of the column of that name.  Raises an error if there is no such column. */
static int
require_column(const char *name, TupleDesc columns)
{
	for (int i = 0; i < columns->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(columns, i)->attname), name) == 0)
			return i + 1;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("the query has no column \"%s\", which the prompt names", name),
			 errhint("%s", unknown_hint(name, columns))));
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Returns the text from start to end without the blanks around it, palloc'd. */
static char *
trim(const char *start, const char *end)
{
	while (start < end && is_blank(*start))
		start++;
	while (end > start && is_blank(end[-1]))
		end--;
	return pnstrdup(start, end - start);
}

/* Ends a part: the text so far, which is emptied, and the column that follows it. */
static void
add_part(BiTemplate *t, StringInfo text, int column)
{
	Part	   *part = palloc(sizeof(Part));

	part->text = pstrdup(text->data);
	part->column = column;
	t->parts = lappend(t->parts, part);
	if (column > 0)
		t->columns = bms_add_member(t->columns, column);
	resetStringInfo(text);
}

BiTemplate *
bi_template_parse(const char *text, TupleDesc columns)
{
	BiTemplate *t = palloc0(sizeof(BiTemplate));
	StringInfoData literal;

	initStringInfo(&literal);
	for (const char *p = text; *p;)
	{
		const char *end;

		if (strncmp(p, "\\{{", 3) == 0)
		{
			appendStringInfoString(&literal, "{{");
			p += 3;
		}
		else if (strncmp(p, "{{", 2) == 0)
		{
			end = strstr(p, "}}");
			if (end == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("unterminated {{ in the prompt"),
						 errhint("A literal {{ is written \\{{.")));
			add_part(t, &literal, require_column(trim(p + 2, end), columns));
			p = end + 2;
		}
		else
			appendStringInfoChar(&literal, *p++);
	}
	add_part(t, &literal, 0);
	return t;
}

bool
bi_template_uses(const BiTemplate *t, int column)
{
	return bms_is_member(column, t->columns);
}

bool
bi_template_names_columns(const BiTemplate *t)
{
	return t->columns != NULL;
}

char *
bi_template_fill(const BiTemplate *t, char *const *values)
{
	StringInfoData prompt;
	ListCell   *cell;

	initStringInfo(&prompt);
	foreach(cell, t->parts)
	{
		Part	   *part = lfirst(cell);

		appendStringInfoString(&prompt, part->text);
		if (part->column == 0)
			continue;
		if (values[part->column - 1] == NULL)
			return NULL;
		appendStringInfoString(&prompt, values[part->column - 1]);
	}
	return prompt.data;
}
