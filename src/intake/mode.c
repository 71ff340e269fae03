/*
 * intake/mode.c: what a way of writing answers needs.
 */
#include "postgres.h"

#include "intake/mode.h"
#include "store/fill.h"

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* Raises an error for an argument that is given although it belongs to another way of writing. */
static void
refuse_stray(const char *argument, bool is_given, bool belongs, const char *modes)
{
	if (is_given && !belongs)
		INVALID(errmsg("argument \"%s\" needs write_mode %s", argument, modes));
}

static void
check_together(const BiRequest *request, const BiSpec *spec)
{
	BiWriteMode mode = spec->write_mode;
	bool		adds = mode != BI_WRITE_MODE_UPDATE;

	if (adds && !OidIsValid(request->target))
		INVALID(errmsg("argument \"write_mode\" needs the argument \"target\""));
	refuse_stray("conflict", request->conflict, mode == BI_WRITE_MODE_UPSERT, "'upsert'");
	refuse_stray("replace_by", request->replace_by, mode == BI_WRITE_MODE_REPLACE, "'replace'");
	refuse_stray("each", spec->each, adds, "'insert', 'upsert' or 'replace'");
	if (adds && spec->in_flight == BI_IN_FLIGHT_ERROR)
		INVALID(errmsg("in_flight => 'error' needs write_mode 'update'"),
				errdetail("Rows that answers add are not known before."));
	if (spec->write_if == BI_WRITE_IF_NULL &&
		(mode == BI_WRITE_MODE_INSERT || mode == BI_WRITE_MODE_REPLACE))
		INVALID(errmsg("write_if => 'null' needs write_mode 'update' or 'upsert'"));
}

/* Returns the columns of the target's primary key that are filled from the query. */
static List *
filled_keys(const BiRequest *request, const BiSpec *spec)
{
	const BiJson *json = bi_json_parse_cstring(spec->write_back);
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, bi_target_primary_key(request->target))
	{
		const BiJson *value = bi_json_get(json, lfirst(cell));

		if (value && bi_fill_read(lfirst(cell), value).kind == BI_FILL_COLUMN)
			names = lappend(names, lfirst(cell));
	}
	return names;
}

static List *
choose_value(const BiRequest *request, const BiSpec *spec)
{
	List	   *names;

	if (request->replace_by)
		return bi_argument_names("replace_by", request->replace_by);
	names = filled_keys(request, spec);
	if (names == NIL)
		INVALID(errmsg("argument \"replace_by\" is missing"),
				errdetail("No column of the target's primary key is filled with"
						  " {\"column\": \"…\"}."),
				errhint("Name the target's columns whose rows are replaced together."));
	if (spec->each == NULL &&
		list_length(names) == list_length(bi_target_primary_key(request->target)))
		INVALID(errmsg("argument \"replace_by\" is missing"),
				errdetail("The whole primary key of the target is filled from the query, so each"
						  " answer would replace one row only."),
				errhint("Name the target's columns whose rows are replaced together."));
	return names;
}

static List *
choose_arbiter(const BiRequest *request)
{
	List	   *names;

	if (request->conflict)
		return bi_argument_names("conflict", request->conflict);
	names = bi_target_primary_key(request->target);
	if (names == NIL)
		INVALID(errmsg("the target has no primary key"),
				errhint("Name the columns of a unique index in the argument \"conflict\"."));
	return names;
}

void
bi_mode_choose(const BiRequest *request, BiSpec *spec)
{
	check_together(request, spec);
	if (spec->write_mode == BI_WRITE_MODE_UPSERT)
		spec->conflict = choose_arbiter(request);
	else if (spec->write_mode == BI_WRITE_MODE_REPLACE)
		spec->replace_by = choose_value(request, spec);
}

List *
bi_mode_sources(const BiTarget *target)
{
	List	   *sources = NIL;
	ListCell   *cell;
	ListCell   *name;

	if (target->write_mode != BI_WRITE_MODE_REPLACE &&
		(target->write_mode != BI_WRITE_MODE_UPSERT || target->each != 0))
		return NIL;
	foreach(cell, target->keys)
	{
		const BiTargetColumn *key = lfirst(cell);
		const BiTargetColumn *column = list_nth(target->columns, key->place);

		if (column->fill.kind != BI_FILL_COLUMN)
			return NIL;
		foreach(name, target->sources)
			if (strcmp(lfirst(name), column->fill.text) == 0)
				sources = lappend_int(sources, foreach_current_index(name));
	}
	return sources;
}

List *
bi_mode_value(const List *sources, const BiDraft *draft)
{
	List	   *value = NIL;
	ListCell   *cell;

	foreach(cell, sources)
	{
		char	   *text = list_nth(draft->columns, lfirst_int(cell));

		if (text == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("record \"%s\" replaces rows of a null",
							bi_planner_shown(draft->record_id)),
					 errhint("Leave out rows in which a column of replace_by is null.")));
		value = lappend(value, text);
	}
	return value;
}
