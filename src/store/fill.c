/*
 * store/fill.c: what fills a column of the target: a member of write_back.
 *
 * A string is a path into the output.  An object with one member names something else.  Knows no
 * table.
 */
#include "postgres.h"

#include "store/fill.h"

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

static BiFill
read_path(const char *column, const char *path)
{
	if (strchr(path, '$') == NULL)
		INVALID(errmsg("write_back path \"%s\" of column \"%s\" does not begin with $", path,
					   column),
				errhint("Write {\"%s\": \"$\"} for the whole output, {\"%s\": \"$.%s\"} for a"
						" member of it.", column, column, path[0] ? path : column));
	return (BiFill) {BI_FILL_PATH, pstrdup(path)};
}

BiFill
bi_fill_read(const char *column, const BiJson *value)
{
	const char *path = bi_json_string(value, NULL);
	const BiJson *constant = bi_json_get(value, "const");
	char	   *name = bi_json_cstring(bi_json_get(value, "column"));

	if (path)
		return read_path(column, path);
	if (bi_json_type(value) == BI_JSON_OBJECT && bi_json_length(value) == 1)
	{
		if (constant)
			return (BiFill) {BI_FILL_CONST, bi_json_text(constant)};
		if (name && bi_json_type(bi_json_get(value, "column")) == BI_JSON_STRING)
			return (BiFill) {BI_FILL_COLUMN, name};
		if (bi_json_bool(bi_json_get(value, "ordinal"), false))
			return (BiFill) {BI_FILL_ORDINAL, NULL};
	}
	INVALID(errmsg("write_back of column \"%s\" says nothing that can fill it", column),
			errhint("Give an SQL/JSON path into the output (\"$\" is the whole output),"
					" {\"column\": \"a column of the query\"}, {\"ordinal\": true} or"
					" {\"const\": any value}."));
}

List *
bi_fill_columns(const char *write_back)
{
	const BiJson *json = bi_json_parse_cstring(write_back);
	List	   *names = NIL;
	void	   *place = NULL;
	const char *column;
	BiJson	   *value;

	while (bi_json_next(json, &place, &column, &value))
	{
		BiFill		fill = bi_fill_read(column, value);
		bool		is_new = fill.kind == BI_FILL_COLUMN;
		ListCell   *cell;

		foreach(cell, names)
			is_new = is_new && strcmp(lfirst(cell), fill.text) != 0;
		if (is_new)
			names = lappend(names, fill.text);
	}
	return names;
}
