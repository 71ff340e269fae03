/*
 * base/backoff.c: how long to wait.
 *
 * Arithmetic only: clock and randomness are arguments, so that tests wait for
 * nothing.
 */
#include "postgres.h"

#include <math.h>

#include "base/backoff.h"

int64
bi_backoff_ms(int64 base_ms, double factor, int64 cap_ms, int n, double spread)
{
	double		wait = (double) base_ms * pow(factor, Max(n, 0));

	/* The comparison also catches overflow to infinity. */
	if (!(wait < (double) cap_ms))
		wait = (double) cap_ms;
	return (int64) rint(wait * (0.9 + 0.2 * spread));
}
