/*
 * store/server.c: a foreign server of our wrapper and one user's mapping to it, as a struct.
 *
 * Knows the catalogs, by way of the syscache: nothing is kept here, so nothing is ever stale.
 * Must not know which values are sensible (api/option.c refused the others), nor what a provider
 * does with them.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/extension.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "store/server.h"

/* The largest number that parse_real gives exactly. */
#define EXACT_MAX ((double) (INT64CONST(1) << 53))

/* Which option fills which member; texts and numbers. */
typedef struct Field
{
	const char *option;
	size_t		offset;
} Field;

static const Field text_fields[] = {
	{"provider", offsetof(BiServer, provider)},
	{"base_url", offsetof(BiServer, base_url)},
	{"model", offsetof(BiServer, model)},
	{"api_version", offsetof(BiServer, api_version)},
	{"organization", offsetof(BiServer, organization)},
	{"project", offsetof(BiServer, project)},
	{"completion_window", offsetof(BiServer, completion_window)},
	{"auth", offsetof(BiServer, auth)},
	{"prompt_cache", offsetof(BiServer, prompt_cache)},
	{"endpoint", offsetof(BiServer, endpoint)},
	{"metadata", offsetof(BiServer, metadata)},
	{"authority_url", offsetof(BiServer, authority_url)},
	{"token_scope", offsetof(BiServer, token_scope)},
	{"region", offsetof(BiServer, region)},
	{"location", offsetof(BiServer, location)},
	{"role_arn", offsetof(BiServer, role_arn)},
	{"storage_url", offsetof(BiServer, storage_url)},
	{"storage_base_url", offsetof(BiServer, storage_base_url)},
	{"storage_style", offsetof(BiServer, storage_style)},
	{"storage_kms_key", offsetof(BiServer, storage_kms_key)},
	{"storage_owner", offsetof(BiServer, storage_owner)},
	{"storage_create", offsetof(BiServer, storage_create)},
	{"realtime_model", offsetof(BiServer, realtime_model)},
	{"realtime_base_url", offsetof(BiServer, realtime_base_url)},
	{"runtime_base_url", offsetof(BiServer, runtime_base_url)},
	{"request_labels", offsetof(BiServer, request_labels)},
	{"reasoning_tags", offsetof(BiServer, reasoning_tags)},
};

static const Field number_fields[] = {
	{"max_requests", offsetof(BiServer, max_requests)},
	{"min_requests", offsetof(BiServer, min_requests)},
	{"max_bytes", offsetof(BiServer, max_bytes)},
	{"max_batches", offsetof(BiServer, max_batches)},
	{"max_enqueued_tokens", offsetof(BiServer, max_enqueued_tokens)},
	{"max_enqueued_requests", offsetof(BiServer, max_enqueued_requests)},
	{"max_files", offsetof(BiServer, max_files)},
	{"poll_interval", offsetof(BiServer, poll_interval)},
	{"expires_after", offsetof(BiServer, expires_after)},
	{"settle_time", offsetof(BiServer, settle_time)},
};

static const Field key_fields[] = {
	{"api_key", offsetof(BiKeyRef, api_key)},
	{"api_key_file", offsetof(BiKeyRef, api_key_file)},
	{"api_key_env", offsetof(BiKeyRef, api_key_env)},
	{"client_secret", offsetof(BiKeyRef, client_secret)},
	{"service_account", offsetof(BiKeyRef, service_account)},
	{"service_account_file", offsetof(BiKeyRef, service_account_file)},
	{"tenant_id", offsetof(BiKeyRef, tenant_id)},
	{"client_id", offsetof(BiKeyRef, client_id)},
	{"access_key_id", offsetof(BiKeyRef, access_key_id)},
	{"secret_access_key", offsetof(BiKeyRef, secret_access_key)},
	{"session_token", offsetof(BiKeyRef, session_token)},
	{"credential_source", offsetof(BiKeyRef, credential_source)},
};

/* True if the wrapper belongs to our extension.  Its name alone would prove nothing. */
static bool
wrapper_is_ours(Oid fdw)
{
	Oid			extension = get_extension_oid("batchinf", true);

	return OidIsValid(extension) &&
		getExtensionOfObject(ForeignDataWrapperRelationId, fdw) == extension;
}

/* Returns the member of base that the option of that name fills; NULL if there is none. */
static void *
find_field(void *base, const Field *fields, int nfields, const char *option)
{
	for (int i = 0; i < nfields; i++)
	{
		if (strcmp(fields[i].option, option) == 0)
			return (char *) base + fields[i].offset;
	}
	return NULL;
}

static void
fill_texts(void *base, const Field *fields, int nfields, List *options)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *def = lfirst_node(DefElem, cell);
		char	  **text = find_field(base, fields, nfields, def->defname);

		if (text != NULL && def->arg != NULL)
			*text = strVal(def->arg);
	}
}

static void
fill_numbers(BiServer *server, List *options)
{
	ListCell   *cell;

	for (int i = 0; i < lengthof(number_fields); i++)
		*(int64 *) ((char *) server + number_fields[i].offset) = -1;

	foreach(cell, options)
	{
		DefElem    *def = lfirst_node(DefElem, cell);
		int64	   *number =
			find_field(server, number_fields, lengthof(number_fields), def->defname);

		if (number != NULL && def->arg != NULL)
			*number = bi_server_parse_size(strVal(def->arg));
	}
}

/*
 * True if the mapping may mean keys that the machine has.  The server's owner must have the right,
 * and so must the role that made the mapping.  PUBLIC's mapping is made by the server's owner; a
 * source of the machine was checked when it was named; any other mapping may be made by its own
 * user.
 */
static bool
may_use_host(const BiServer *server, Oid mapping_user)
{
	const char *source = server->key.credential_source;

	if (!server->may_read_keys)
		return false;
	return !OidIsValid(mapping_user) || (source && strcmp(source, "static") != 0) ||
		has_privs_of_role(mapping_user, ROLE_PG_READ_SERVER_FILES);
}

/* Lists names that fill no member, too: no provider takes them. */
static void
fill_key(BiServer *server, List *options)
{
	ListCell   *cell;

	fill_texts(&server->key, key_fields, lengthof(key_fields), options);
	foreach(cell, options)
		server->mapping_options =
			lappend(server->mapping_options, lfirst_node(DefElem, cell)->defname);
}

/* Reads the user's own mapping, or PUBLIC's if there is none.  They are not merged. */
static void
fill_mapping(BiServer *server, Oid user)
{
	HeapTuple	tuple;
	Datum		options;
	bool		isnull;
	Oid			mapping_user;

	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user),
							ObjectIdGetDatum(server->oid));
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
								ObjectIdGetDatum(server->oid));
	if (!HeapTupleIsValid(tuple))
		return;

	server->mapping = ((Form_pg_user_mapping) GETSTRUCT(tuple))->oid;
	options =
		SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		fill_key(server, untransformRelOptions(options));
	mapping_user = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser;
	ReleaseSysCache(tuple);
	server->may_use_host = may_use_host(server, mapping_user);
}

BiServer *
bi_server_load(Oid server, Oid user)
{
	ForeignServer *foreign = GetForeignServerExtended(server, FSV_MISSING_OK);
	BiServer   *result;

	if (foreign == NULL || !wrapper_is_ours(foreign->fdwid))
		return NULL;

	result = palloc0(sizeof(BiServer));
	result->oid = server;
	result->name = foreign->servername;
	result->owner = foreign->owner;
	result->owner_is_superuser = superuser_arg(foreign->owner);
	result->may_read_keys = has_privs_of_role(foreign->owner, ROLE_PG_READ_SERVER_FILES);
	result->provider = pstrdup("");
	fill_texts(result, text_fields, lengthof(text_fields), foreign->options);
	fill_numbers(result, foreign->options);
	fill_mapping(result, user);
	return result;
}

Oid
bi_server_find(const char *name)
{
	ForeignServer *foreign = GetForeignServerByName(name, true);

	return foreign != NULL && wrapper_is_ours(foreign->fdwid) ? foreign->serverid : InvalidOid;
}

char *
bi_server_provider(Oid server)
{
	BiServer	holder = {.provider = pstrdup("")};

	fill_texts(&holder, text_fields, lengthof(text_fields), GetForeignServer(server)->options);
	return holder.provider;
}

/* Scans the catalog, which has no index by server and few rows. */
bool
bi_server_has_mappings(Oid server)
{
	Relation	catalog = table_open(UserMappingRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, Anum_pg_user_mapping_umserver, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(server));
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

Oid
bi_server_require(const char *name, Oid user)
{
	Oid			server = bi_server_find(name);

	if (!OidIsValid(server) && OidIsValid(get_foreign_server_oid(name, true)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a server of foreign-data wrapper \"batchinf\"",
						name)));
	if (!OidIsValid(server))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errhint("Use CREATE SERVER ... FOREIGN DATA WRAPPER batchinf to create it.")));
	if (!bi_server_usable(server, user))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
	return server;
}

bool
bi_server_usable(Oid server, Oid user)
{
	return SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(server)) &&
		bi_server_aclcheck(server, user) == ACLCHECK_OK;
}

const char *
bi_server_lost(Oid server, Oid mapping, Oid user)
{
	if (!SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(server)))
		return "the server was dropped";
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(user)))
		return "the job's owner was dropped";
	if (!SearchSysCacheExists1(USERMAPPINGOID, ObjectIdGetDatum(mapping)))
		return "the user mapping was dropped";
	return bi_server_usable(server, user) ? NULL : "the job's owner lost USAGE on the server";
}

int64
bi_server_parse_size(const char *text)
{
	size_t		whole = strspn(text, "0123456789");
	const char *rest = text + whole;
	double		number;

	/* parse_real alone would also accept 0x10 and 1e3. */
	if (whole == 0)
		return -1;
	if (*rest != '\0')
	{
		rest += rest[0] == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
		rest += strspn(rest, " ");
		if (*rest == '\0' || rest[strspn(rest, "BkMGT")] != '\0')
			return -1;
	}
	if (!parse_real(text, &number, GUC_UNIT_BYTE, NULL) || number > EXACT_MAX)
		return -1;
	return (int64) rint(number);
}
