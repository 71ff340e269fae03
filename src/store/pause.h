/*
 * store/pause.h: servers that want no calls for now.
 */
#ifndef BI_PAUSE_H
#define BI_PAUSE_H

#include "postgres.h"

/* What holds a server up; a pause as it is set.  Lives as long as its caller's variables. */
typedef struct BiPause
{
	Oid			server;
	const char *server_name;
	Oid			owner;			/* for the jobs of this role only; InvalidOid: for all */
	Oid			requester;		/* who alone is shown reason */
	int64		delay_ms;		/* no calls for so long */
	const char *cause;			/* "failing", "denied", "missing": as in the table */
	const char *kind;			/* what everybody else is shown who may use the server */
	const char *reason;			/* what the provider said, or what is missing */
} BiPause;

/* Records one more failure in a row, and reports the first one in the server's log. */
extern void bi_pause_set(const BiPause *pause);

/* Records that the server answered a call of owner's: nothing holds it up.  Reports it in the
 * server's log if something did. */
extern void bi_pause_clear(Oid server, const char *server_name, Oid owner);

#endif							/* BI_PAUSE_H */
