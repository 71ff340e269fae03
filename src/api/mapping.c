/*
 * api/mapping.c: what a user mapping's options must be together.
 *
 * Knows which of them give the same secret, and which need others.  Must not know which provider
 * takes which (the provider's table says so), nor repeat a value.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "nodes/parsenodes.h"

#include "api/mapping.h"

/* The options that give the key: a mapping may have one of them. */
static const char *const keys[] = {
	"api_key", "api_key_file", "api_key_env", "client_secret", "service_account",
	"service_account_file"
};

/* A mapping that has the first option must have the second. */
static const struct
{
	const char *option;
	const char *needs;
}			pairs[] = {
	{"client_secret", "tenant_id"},
	{"client_secret", "client_id"},
	{"tenant_id", "client_id"},
	{"client_id", "tenant_id"},
	{"access_key_id", "secret_access_key"},
	{"secret_access_key", "access_key_id"},
	{"session_token", "access_key_id"},
};

/* Options that contradict each other. */
static const struct
{
	const char *option;
	const char *other;
}			contradictions[] = {
	{"api_key", "tenant_id"},	/* the secret of a client is the option "client_secret" */
};

/* Returns the option of that name; NULL if it is not there. */
static DefElem *
find_given(List *given, const char *name)
{
	ListCell   *cell;

	foreach(cell, given)
	{
		DefElem    *def = lfirst_node(DefElem, cell);

		if (strcmp(def->defname, name) == 0)
			return def;
	}
	return NULL;
}

static bool
is_given(List *given, const char *name)
{
	return find_given(given, name) != NULL;
}

static bool
is_key(const char *name)
{
	for (int i = 0; i < lengthof(keys); i++)
		if (strcmp(keys[i], name) == 0)
			return true;
	return false;
}

static void
refuse_both(const char *one, const char *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("options \"%s\" and \"%s\" cannot both be set", one, other),
			 errhint("ALTER USER MAPPING can drop one and add the other in one command.")));
}

/* Refuses a second key.  The message names both in the order in which they were given. */
static void
check_one_key(List *given)
{
	const char *found = NULL;
	ListCell   *cell;

	foreach(cell, given)
	{
		const char *name = lfirst_node(DefElem, cell)->defname;

		if (!is_key(name))
			continue;
		if (found)
			refuse_both(found, name);
		found = name;
	}
}

/*
 * Refuses credentials in the mapping beside a credential_source that means those of the machine.
 * An API key may be beside any source.
 */
static void
check_source(List *given)
{
	static const char *const own[] = {"access_key_id", "service_account", "service_account_file"};
	DefElem    *source = find_given(given, "credential_source");

	if (source == NULL || strcmp(defGetString(source), "static") == 0)
		return;
	for (int i = 0; i < lengthof(own); i++)
		if (is_given(given, own[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" cannot be set where option \"%s\" is \"%s\"",
							own[i], "credential_source", defGetString(source)),
					 errhint("The credentials are those of the mapping (\"static\") or of the"
							 " database server's machine.")));
}

void
bi_mapping_check(List *given)
{
	check_one_key(given);
	check_source(given);
	for (int i = 0; i < lengthof(contradictions); i++)
	{
		if (is_given(given, contradictions[i].option) && is_given(given, contradictions[i].other))
			refuse_both(contradictions[i].option, contradictions[i].other);
	}
	for (int i = 0; i < lengthof(pairs); i++)
	{
		if (is_given(given, pairs[i].option) && !is_given(given, pairs[i].needs))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
					 errmsg("option \"%s\" is required where option \"%s\" is set",
							pairs[i].needs, pairs[i].option)));
	}
}
