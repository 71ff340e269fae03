/*
 * store/pause.h: servers that want no calls for now.
 */
#ifndef BI_PAUSE_H
#define BI_PAUSE_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Why a server is not called. */
typedef enum BiPauseCause
{
	BI_PAUSE_FAILING,			/* the server does not work */
	BI_PAUSE_THROTTLED,			/* it takes no more from this owner for now */
	BI_PAUSE_DENIED,			/* it refuses the owner's key */
	BI_PAUSE_MISSING			/* key, user mapping or USAGE is missing here */
} BiPauseCause;

/* A server is not called for a while for the jobs of one owner: what one key meets says nothing of
 * others.  Its caller makes it, as a variable. */
typedef struct BiPause
{
	Oid			server;
	const char *server_name;
	Oid			owner;			/* whose jobs it holds up; only this role sees reason */
	int64		delay_ms;		/* no calls for this time */
	BiPauseCause cause;
	const char *kind;			/* what others see */
	const char *reason;			/* what the provider said, or what is missing */
	TimestampTz asked_at;		/* when the call was sent that failed; 0: none was */
} BiPause;

/*
 * Records one more failure in a row, and reports the first one in the server's log.  A call that
 * was sent before the last failure came is of the same round, and does not count again.
 */
extern void bi_pause_set(const BiPause *pause);

/* Records that the server answered a call of owner's: nothing holds him up there.  Reports it in
 * the server's log if something did. */
extern void bi_pause_clear(Oid server, const char *server_name, Oid owner);

#endif							/* BI_PAUSE_H */
