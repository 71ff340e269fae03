/*
 * store/carry.c: the custom settings that a job takes from its submit to its write-back.
 *
 * Policies and triggers of multi-tenant databases read them: without app.tenant a row that the
 * query saw is invisible to the UPDATE.  The settings in force at the call count, because the
 * query runs under them: SET, set_config, a function's SET clause.  ALTER ROLE and ALTER DATABASE
 * reach a session only when it starts; what they set and the session has not, as after SET ROLE,
 * is read from the catalog.  They are kept in the job's spec.
 */
#include "postgres.h"

#include "base/custom.h"
#include "base/guc.h"
#include "base/json.h"
#include "miscadmin.h"
#include "store/carry.h"
#include "store/sql.h"
#include "utils/json.h"

/* Limits on what a job keeps. */
#define BYTES_MAX (64 * 1024)
#define SETTINGS_MAX 1000

#define LEAVE_OUT \
	"RESET what the write-back does not need, or leave it out by \"batchinf.carry_settings\"."

struct BiCarried
{
	List	   *settings;		/* BiCustom */
};

static bool
has_name(const List *settings, const char *name)
{
	ListCell   *cell;

	foreach(cell, settings)
		if (pg_strcasecmp(((BiCustom *) lfirst(cell))->name, name) == 0)
			return true;
	return false;
}

/* Splits "name=value", in place.  Returns NULL if that is not a custom setting here. */
static BiCustom *
split_stored(char *pair)
{
	char	   *equals = pair ? strchr(pair, '=') : NULL;
	BiCustom   *custom;

	if (equals == NULL)
		return NULL;
	*equals = '\0';
	if (strchr(pair, '.') == NULL || !bi_custom_is_text(pair) || bi_custom_is_real(pair))
		return NULL;
	custom = palloc(sizeof(BiCustom));
	custom->name = pair;
	custom->value = equals + 1;
	custom->is_set = true;
	return custom;
}

/* Returns the list with those of the others added that it does not have: set ones, or those that
 * are not set. */
static List *
add(List *settings, const List *others, bool is_set)
{
	ListCell   *cell;

	foreach(cell, others)
	{
		BiCustom   *custom = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (custom->is_set == is_set && !has_name(settings, custom->name))
			settings = lappend(settings, custom);
	}
	return settings;
}

/* Returns the settings of ALTER ROLE and ALTER DATABASE, in the order of their precedence: the
 * role's in this database, the role's, the database's, those of all. */
static List *
list_stored(Oid role)
{
	BiArgs		args = {0};
	List	   *settings = NIL;
	int64		n;

	bi_sql_arg_oid(&args, MyDatabaseId);
	bi_sql_arg_oid(&args, role);
	n = bi_sql_run("SELECT c.pair FROM pg_db_role_setting s, unnest(s.setconfig) c(pair)"
				   " WHERE s.setdatabase IN (0, $1) AND s.setrole IN (0, $2)"
				   " ORDER BY s.setrole = 0, s.setdatabase = 0", &args);
	for (int64 i = 0; i < n; i++)
	{
		BiCustom   *custom = split_stored(bi_sql_text(CurrentMemoryContext, i, 1));

		if (custom)
			settings = lappend(settings, custom);
	}
	return settings;
}

static void
check_size(const List *settings)
{
	size_t		bytes = 0;
	size_t		largest = 0;
	const char *name = "";
	ListCell   *cell;

	foreach(cell, settings)
	{
		BiCustom   *custom = lfirst(cell);
		size_t		size = strlen(custom->name) + strlen(custom->value);

		bytes += size;
		if (size > largest)
		{
			largest = size;
			name = custom->name;
		}
	}
	if (bytes > BYTES_MAX || list_length(settings) > SETTINGS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("custom settings are too large to be kept with a batch job"),
				 errdetail("%d settings have %zu bytes; a job keeps at most %d settings and %d"
						   " bytes. The largest is \"%.100s\", %zu bytes.",
						   list_length(settings), bytes, SETTINGS_MAX, BYTES_MAX, name, largest),
				 errhint(LEAVE_OUT)));
}

/* Raises an error if the value is not valid text: the command line of a client may hold
 * anything. */
static void
require_text(const BiCustom *custom)
{
	if (!bi_custom_is_text(custom->value))
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("custom setting \"%s\" cannot be kept with a batch job", custom->name),
				 errdetail("Its value is no valid text in encoding UTF8."),
				 errhint(LEAVE_OUT)));
}

char *
bi_carry_collect(Oid role)
{
	List	   *session = bi_custom_list();
	List	   *settings = add(NIL, session, true);
	StringInfoData json;
	ListCell   *cell;

	settings = add(settings, list_stored(role), true);
	settings = add(settings, session, false);

	foreach(cell, settings)
		if (!bi_guc_carries(((BiCustom *) lfirst(cell))->name))
			settings = foreach_delete_current(settings, cell);
	check_size(settings);
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	foreach(cell, settings)
	{
		BiCustom   *custom = lfirst(cell);

		require_text(custom);
		if (json.len > 1)
			appendStringInfoChar(&json, ',');
		escape_json(&json, custom->name);
		appendStringInfoChar(&json, ':');
		escape_json(&json, custom->value);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

BiCarried *
bi_carry_read(const char *settings)
{
	BiCarried  *carried;
	BiJson	   *json;
	void	   *place = NULL;
	const char *name;
	BiJson	   *value;

	if (settings == NULL)
		return NULL;
	carried = palloc0(sizeof(BiCarried));
	json = bi_json_parse(settings, strlen(settings));
	while (bi_json_next(json, &place, &name, &value))
	{
		BiCustom   *custom = palloc0(sizeof(BiCustom));

		custom->name = pstrdup(name);
		custom->value = bi_json_cstring(value);
		if (custom->value)
			carried->settings = lappend(carried->settings, custom);
	}
	return carried;
}

void
bi_carry_apply(const BiCarried *carried)
{
	if (carried)
		bi_custom_force(carried->settings);
}
