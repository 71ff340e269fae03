/*
 * api/command.c: the event trigger on ALTER SERVER and on CREATE and ALTER USER MAPPING.
 *
 * A validator sees the options of one object, and two rules concern two objects: a user mapping
 * has options of its server's provider only, and a server that has user mappings keeps its
 * provider.  The trigger sees the command before it is executed: what it asks for, and what
 * is there now.  Commands about other wrappers' servers, OWNER TO and RENAME pass.
 *
 * It runs as the role that gives the command, and reads catalogs only, no name by a search path.
 * It cannot be the last word: it does not fire in single-user mode or where a superuser has
 * disabled it, and does not see what another session has not committed.  bi_registry_secret
 * decides again at each use.
 */
#include "postgres.h"

#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"

#include "api/option.h"
#include "provider/registry.h"
#include "store/server.h"

/* True if the changes (DefElem) name another provider, or drop the present one. */
static bool
changes_provider(List *changes, const char *provider)
{
	ListCell   *cell;

	foreach(cell, changes)
	{
		DefElem    *def = lfirst_node(DefElem, cell);

		if (strcmp(def->defname, "provider") == 0 &&
			(def->defaction == DEFELEM_DROP || strcmp(defGetString(def), provider) != 0))
			return true;
	}
	return false;
}

static void
check_server(const AlterForeignServerStmt *stmt, Oid server)
{
	const char *provider = bi_server_provider(server);

	if (!changes_provider(stmt->options, provider) || !bi_server_has_mappings(server))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot change the provider of server \"%s\" because it has user mappings",
					stmt->servername),
			 errdetail("Their secrets were given for provider \"%s\".", provider),
			 errhint("Use DROP USER MAPPING first, or CREATE SERVER to create another server.")));
}

/* Checks the options that the command adds or sets.  It may drop any option. */
static void
check_mapping(List *changes, Oid server)
{
	List	   *given = NIL;
	ListCell   *cell;

	foreach(cell, changes)
	{
		if (lfirst_node(DefElem, cell)->defaction != DEFELEM_DROP)
			given = lappend(given, lfirst(cell));
	}
	bi_option_check_names(given, UserMappingRelationId,
						  bi_registry_find(bi_server_provider(server)));
}

static void
check_command(const Node *command)
{
	const char *name = NULL;
	Oid			server;

	if (IsA(command, AlterForeignServerStmt))
		name = ((const AlterForeignServerStmt *) command)->servername;
	else if (IsA(command, CreateUserMappingStmt))
		name = ((const CreateUserMappingStmt *) command)->servername;
	else if (IsA(command, AlterUserMappingStmt))
		name = ((const AlterUserMappingStmt *) command)->servername;
	server = name ? bi_server_find(name) : InvalidOid;
	if (!OidIsValid(server))
		return;
	if (IsA(command, AlterForeignServerStmt))
		check_server((const AlterForeignServerStmt *) command, server);
	else if (IsA(command, CreateUserMappingStmt))
		check_mapping(((const CreateUserMappingStmt *) command)->options, server);
	else
		check_mapping(((const AlterUserMappingStmt *) command)->options, server);
}

PG_FUNCTION_INFO_V1(batchinf_check_command);

/* batchinf.check_command() RETURNS event_trigger: raises an error, or the command goes on. */
Datum
batchinf_check_command(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by event trigger manager",
						"batchinf.check_command")));
	check_command(((EventTriggerData *) fcinfo->context)->parsetree);
	PG_RETURN_NULL();
}
