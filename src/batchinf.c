/*
 * batchinf.c: the library's entry point, and nothing else.
 *
 * Knows that there are settings and, when preloaded, a launcher; no SQL, no
 * work of its own.  Called by the server: at its start when batchinf stands in
 * shared_preload_libraries, else by the first of our functions in a session.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "base/guc.h"
#include "worker/launcher.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	bi_guc_define();
	if (process_shared_preload_libraries_in_progress)
		bi_launcher_register();
}
