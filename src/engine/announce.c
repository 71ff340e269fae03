/*
 * engine/announce.c: notifies listeners that jobs have ended.
 *
 * NOTIFY can fail at the commit of its transaction: the queue of the server is full, because some
 * session LISTENs and sleeps in a transaction, or another session's commit with a NOTIFY hangs and
 * keeps the lock of the queue.  Any role can cause that.  So no transaction that settles anything
 * sends NOTIFY: it marks the job, and another transaction removes the mark and sends NOTIFY, or
 * does neither.  A crash between the two leaves the mark, and the next process that works in this
 * database finds it.
 */
#include "postgres.h"

#include "engine/announce.h"
#include "store/notify.h"
#include "utils/timestamp.h"

/* After a failure NOTIFY is tried again after this time. */
#define AGAIN_MS 60000

static TimestampTz not_before = 0;	/* after a failure */

static void
announce_phase(void *arg)
{
	bi_notify_send();
}

void
bi_announce(BiXactMode mode)
{
	static bool failing = false;
	ErrorData  *error;

	if (GetCurrentTimestamp() < not_before)
		return;
	error = bi_xact_run(mode, announce_phase, NULL);
	if (error == NULL)
	{
		failing = false;
		return;
	}
	not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), AGAIN_MS);
	if (!failing)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not announce the end of batch jobs: %s", error->message),
				 errdetail("The jobs have ended all the same."
						   " NOTIFY is tried again while batch jobs are worked on.")));
	failing = true;
}
