/*
 * engine/settings.c: the settings under which our own work runs.
 *
 * ALTER DATABASE and ALTER ROLE settings reach workers too, and a session that calls batch_work
 * has its own.  Whatever would change the meaning or the durability of our work is forced.
 */
#include "postgres.h"

#include "engine/settings.h"

/* A setting that this version of PostgreSQL does not have is passed over. */
static const struct
{
	const char *name;
	const char *value;
}			forced[] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"statement_timeout", "0"},
	{"transaction_timeout", "0"},	/* 17 and newer */
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"exit_on_error", "off"},
	{"lock_timeout", "1s"},
	{"deadlock_timeout", "100ms"},	/* shorter than others': we are the victim, and try again */
	{"default_transaction_read_only", "off"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_deferrable", "off"},
	{"session_replication_role", "origin"},
	{"row_security", "on"},
	{"DateStyle", "ISO"},
	{"IntervalStyle", "postgres"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
	{"check_function_bodies", "on"},
	{"jit", "off"},				/* compiling takes longer than any of our statements */
	{"client_min_messages", "warning"},
};

static void
set(const char *name, const char *value, GucContext context, GucAction action)
{
	(void) set_config_option(name, value, context, PGC_S_SESSION, action, true, 0, false);
}

/* A crash must not undo a commit: an intent would be lost after its paid call was sent. */
static void
force_durability(GucAction action)
{
	const char *value = GetConfigOption("synchronous_commit", false, false);

	if (strcmp(value, "off") == 0)
		set("synchronous_commit", "local", PGC_SUSET, action);
}

void
bi_settings_force(GucAction action)
{
	for (int i = 0; i < lengthof(forced); i++)
		if (GetConfigOption(forced[i].name, true, false) != NULL)
			set(forced[i].name, forced[i].value, PGC_SUSET, action);
	force_durability(action);
}

void
bi_settings_force_transaction(void)
{
	set("transaction_isolation", "read committed", PGC_USERSET, GUC_ACTION_LOCAL);
	set("transaction_read_only", "off", PGC_USERSET, GUC_ACTION_LOCAL);
}
