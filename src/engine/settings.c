/*
 * engine/settings.c: ALTER DATABASE and ALTER ROLE settings reach workers too, and a
 * session that calls batch_work has its own: what would change the meaning or the
 * durability of our work is forced.
 */
#include "postgres.h"

#include "engine/settings.h"

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
	{"deadlock_timeout", "100ms"},	/* before others look: we are the victim, and try again */
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
	{"jit", "off"},				/* takes longer than any of our statements */
	{"client_min_messages", "warning"},
};

/* An intent that a crash can undo is no intent. */
static void
force_durability(GucAction action)
{
	const char *value = GetConfigOption("synchronous_commit", false, false);

	if (strcmp(value, "off") == 0)
		(void) set_config_option("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION, action, true, 0, false);
}

void
bi_settings_force(GucAction action)
{
	for (int i = 0; i < lengthof(forced); i++)
		if (GetConfigOption(forced[i].name, true, false) != NULL)
			(void) set_config_option(forced[i].name, forced[i].value, PGC_SUSET, PGC_S_SESSION, action, true, 0, false);
	force_durability(action);
}

void
bi_settings_force_transaction(void)
{
	(void) set_config_option("transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	(void) set_config_option("transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}
