/*
 * worker/wake.c: the end of a session's transaction.
 *
 * At commit this wakes the visit of this database, or the launcher.  If the library is not
 * preloaded, it asks the server for a worker.  A transaction that has committed must not fail.  So
 * nothing here raises an error then, and a worker that cannot be had is silent.  bi_wake_possible
 * says it beforehand.  The one transaction callback of a backend is here, and hook.c uses it too.
 * Knows nothing about jobs.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/guc.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "worker/slot.h"
#include "worker/version.h"
#include "worker/visit.h"
#include "worker/wake.h"

static bool registered = false;
static bool wake_wanted = false;
static bool release_wanted = false;

/* Raises no error: the server accepts what bi_visit_describe writes, and without a handle it
 * allocates nothing. */
static void
start_worker(void)
{
	BackgroundWorker worker;

	if (!bi_guc_enabled || IsBinaryUpgrade)
		return;
	bi_visit_describe(&worker, MyDatabaseId, 0);
	(void) RegisterDynamicBackgroundWorker(&worker, NULL);
}

static void
end_transaction(bool committed)
{
	bool		wake = wake_wanted && committed;
	bool		release = release_wanted;

	wake_wanted = release_wanted = false;
	if (release)
		bi_slot_release(committed);
	if (wake && bi_slot_present())
		bi_slot_wake(MyDatabaseId);
	else if (wake)
		start_worker();
}

static void
refuse_prepare(void)
{
	if (wake_wanted)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has called batch_submit"),
				 errdetail("The same is true of other functions that change a batch job.")));
}

static void
on_xact_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_COMMIT:
			end_transaction(true);
			break;
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			end_transaction(false);
			break;
		default:
			break;
	}
}

static void
register_callback(void)
{
	if (registered)
		return;
	RegisterXactCallback(on_xact_event, NULL);
	registered = true;
}

void
bi_wake_at_commit(void)
{
	register_callback();
	wake_wanted = true;
}

void
bi_wake_release_at_end(void)
{
	register_callback();
	release_wanted = true;
}

bool
bi_wake_possible(char **why)
{
	if (bi_version_found(why) && *why)
		return false;
	if (IsBinaryUpgrade)
		*why = pstrdup("The server runs in binary upgrade mode.");
	else if (!bi_guc_enabled)
		*why = pstrdup("batchinf.enabled is off.");
	else if (bi_slot_present() && !bi_slot_launcher_runs())
		*why = pstrdup("The batchinf launcher is not running.");
	else if (!bi_slot_present() && max_worker_processes == 0)
		*why = pstrdup("batchinf is not in shared_preload_libraries,"
					   " and max_worker_processes is 0.");
	if (*why != NULL)
		return false;
	if (!bi_slot_present())
		*why = pstrdup("batchinf is not in shared_preload_libraries: a worker is started at commit,"
					   " but not again after a restart of the server.");
	return true;
}
