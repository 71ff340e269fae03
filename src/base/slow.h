/*
 * base/slow.h: which transfers are too slow to go on.
 */
#ifndef BI_SLOW_H
#define BI_SLOW_H

#include "postgres.h"

/* What a transfer is busy with. */
typedef enum BiSlowPhase
{
	BI_SLOW_CONNECTING,			/* nothing was sent; the connect timeout is libcurl's */
	BI_SLOW_SENDING,			/* the body of the request, which is large */
	BI_SLOW_WAITING,			/* for the end of a reply for memory, or the head of any */
	BI_SLOW_RECEIVING			/* a body for a spool */
} BiSlowPhase;

/* What is known of one transfer.  It belongs to the transfer; bi_slow_judge alone writes it, except
 * for the two limits. */
typedef struct BiSlow
{
	int64		reply_ms;		/* the longest time for a whole reply */
	int64		window_ms;		/* the time in which a body must have its minimum rate */
	BiSlowPhase phase;
	int64		since_ms;		/* when the phase or its last window began */
	int64		moved;			/* bytes that had moved then */
} BiSlow;

/* One look at a transfer. */
typedef struct BiSlowLook
{
	int64		now_ms;			/* of any clock, as long as it is always the same */
	int64		body_size;		/* of the request */
	int64		sent;			/* bytes of that body */
	int64		received;		/* bytes of the reply, packed, with its head */
	bool		is_started;		/* the peer may have seen a byte of the request */
	bool		is_replied;		/* the head of the reply is here */
	bool		is_spooled;		/* and its body goes into a spool */
} BiSlowLook;

/* True if the transfer is too slow and must end; then why has the reason.  Raises no error and
 * does not palloc. */
extern bool bi_slow_judge(BiSlow *slow, const BiSlowLook *look, char *why, size_t size);

#endif							/* BI_SLOW_H */
