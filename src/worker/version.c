/*
 * worker/version.c: do the extension's SQL objects have the version of the library?
 *
 * After new files are installed, and before ALTER EXTENSION UPDATE, they do not.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "worker/version.h"

/* Returns the version of the extension in this database, palloc'd; NULL if it is not there. */
static char *
installed_version(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	char	   *version = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(get_extension_oid("batchinf", true)));
	scan = systable_beginscan(rel, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		datum = heap_getattr(tuple, Anum_pg_extension_extversion,
										 RelationGetDescr(rel), &isnull);

		version = isnull ? pstrdup("") : TextDatumGetCString(datum);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return version;
}

bool
bi_version_found(char **why)
{
	char	   *version = installed_version();

	*why = NULL;
	if (version && strcmp(version, BATCHINF_VERSION) != 0)
		*why = psprintf("The library has version %s, the extension version %s.",
						BATCHINF_VERSION, version);
	return version != NULL;
}

void
bi_version_require(const char *message)
{
	char	   *why;

	if (bi_version_found(&why) && why)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_internal("%s", message),
				 errdetail_internal("%s", why),
				 errhint(BI_VERSION_HINT)));
}
