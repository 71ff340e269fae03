/*
 * base/slow.c: which transfers are too slow to go on.
 *
 * libcurl ends a transfer that moves nothing.  But a byte every half second is a movement, and a
 * provider could hold a step for hours by it.  So:
 *
 * - A reply for memory must be whole within reply_ms (connect_timeout plus stall_timeout): the
 *   first byte may take stall_timeout, and the rest is small.  The time counts from the start of
 *   the exchange, or, after a large body, from the end of that body: a provider may be busy with
 *   what it was sent.  A reply for a spool has the same time for its head.
 * - A large body of a request, and a body for a spool, must move MIN_RATE on average in each window
 *   of window_ms (stall_timeout).  The first window begins with the body, so that a body that is
 *   whole within one is never judged.
 *
 * MIN_RATE: 64 transfers of one process that share a line of 1 Mbit/s have twice as much each.
 * Windows follow each other.  A sliding one would need a series of samples, and would end a drip
 * one window earlier at most.
 *
 * Arithmetic only: the clock is an argument, so that tests wait for nothing.
 */
#include "base/slow.h"

/* Bytes a second. */
#define MIN_RATE 1024

/* A body up to this size is sent at once: it has no phase of its own. */
#define SMALL_BODY (64 * 1024)

static BiSlowPhase
phase_of(const BiSlowLook *look)
{
	if (look->is_spooled)
		return BI_SLOW_RECEIVING;
	if (look->is_replied || look->body_size <= SMALL_BODY || look->sent >= look->body_size)
		return BI_SLOW_WAITING;
	return look->is_started ? BI_SLOW_SENDING : BI_SLOW_CONNECTING;
}

static int64
bytes_moved(const BiSlow *slow, const BiSlowLook *look)
{
	return slow->phase == BI_SLOW_SENDING ? look->sent : look->received;
}

static void
begin_window(BiSlow *slow, const BiSlowLook *look)
{
	slow->since_ms = look->now_ms;
	slow->moved = bytes_moved(slow, look);
}

static bool
is_reply_late(const BiSlow *slow, const BiSlowLook *look, char *why, size_t size)
{
	int64		took = look->now_ms - slow->since_ms;

	if (took < slow->reply_ms)
		return false;
	snprintf(why, size,
			 "the reply brought " INT64_FORMAT " bytes in %.1f s and had not ended;"
			 " it may take batchinf.connect_timeout plus batchinf.stall_timeout",
			 look->received, took / 1000.0);
	return true;
}

static bool
is_body_slow(BiSlow *slow, const BiSlowLook *look, char *why, size_t size)
{
	int64		took = look->now_ms - slow->since_ms;
	int64		moved = bytes_moved(slow, look) - slow->moved;

	if (took < slow->window_ms)
		return false;
	if (moved >= MIN_RATE * took / 1000)
	{
		begin_window(slow, look);
		return false;
	}
	snprintf(why, size, "the %s " INT64_FORMAT " bytes in %.1f s: less than %d bytes a second",
			 slow->phase == BI_SLOW_SENDING ? "provider took" : "reply brought",
			 moved, took / 1000.0, MIN_RATE);
	return true;
}

bool
bi_slow_judge(BiSlow *slow, const BiSlowLook *look, char *why, size_t size)
{
	BiSlowPhase phase = phase_of(look);

	if (slow->phase != phase)
	{
		slow->phase = phase;
		begin_window(slow, look);
	}
	switch (phase)
	{
		case BI_SLOW_CONNECTING:
			break;
		case BI_SLOW_WAITING:
			return is_reply_late(slow, look, why, size);
		case BI_SLOW_SENDING:
		case BI_SLOW_RECEIVING:
			return is_body_slow(slow, look, why, size);
	}
	return false;
}
