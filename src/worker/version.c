/*
 * worker/version.c: is the SQL side of the same version as the library?
 *
 * Between the upgrade of the files and ALTER EXTENSION UPDATE it is not.  Called by visit.c
 * and wake.c, and by batch_work.
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

/* The version of the SQL side, palloc'd; NULL where there is no extension. */
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
		Datum		datum = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(rel), &isnull);

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
		*why = psprintf("The library has version %s, the extension version %s.", BATCHINF_VERSION, version);
	return version != NULL;
}
