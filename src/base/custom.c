/*
 * base/custom.c: custom settings, which applications make up by SET app.tenant = '1'.
 *
 * PostgreSQL calls them placeholders, because a module that is loaded later may define them.  Until
 * then everybody may set them, and they mean nothing to PostgreSQL.  No view shows them.  Knows
 * nothing about jobs.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/custom.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"

static bool
is_placeholder(const struct config_generic *setting)
{
	return (setting->flags & GUC_CUSTOM_PLACEHOLDER) != 0 && strchr(setting->name, '.') != NULL;
}

bool
bi_custom_is_text(const char *bytes)
{
	return pg_verifymbstr(bytes, (int) strlen(bytes), true);
}

/* Returns its current value, which belongs to PostgreSQL. */
static const char *
value_of(const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	return value ? value : "";
}

List *
bi_custom_list(void)
{
	int			count;
	struct config_generic **settings = bi_guc_variables(&count);
	List	   *list = NIL;

	for (int i = 0; i < count; i++)
	{
		BiCustom   *custom;

		if (!is_placeholder(settings[i]) || !bi_custom_is_text(settings[i]->name))
			continue;
		custom = palloc(sizeof(BiCustom));
		custom->name = pstrdup(settings[i]->name);
		custom->value = pstrdup(value_of(custom->name));
		custom->is_set = settings[i]->source > PGC_S_DEFAULT;
		list = lappend(list, custom);
	}
	return list;
}

bool
bi_custom_is_real(const char *name)
{
	int			count;
	struct config_generic **settings = bi_guc_variables(&count);

	for (int i = 0; i < count; i++)
		if (pg_strcasecmp(settings[i]->name, name) == 0)
			return !is_placeholder(settings[i]);
	return false;
}

/* Sets it with PGC_USERSET: a module that defines the name later then checks the current user's
 * rights.  With DEBUG1 an impossible name raises no error. */
static void
force(const char *name, const char *value)
{
	if (strchr(name, '.') != NULL && !bi_custom_is_real(name))
		(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, DEBUG1, false);
}

void
bi_custom_force(const List *settings)
{
	List	   *others = bi_custom_list();
	ListCell   *cell;

	foreach(cell, others)
		if (*((BiCustom *) lfirst(cell))->value != '\0')
			force(((BiCustom *) lfirst(cell))->name, "");
	foreach(cell, settings)
		force(((BiCustom *) lfirst(cell))->name, ((BiCustom *) lfirst(cell))->value);
	list_free_deep(others);
}
