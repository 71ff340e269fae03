/*
 * base/backoff.h: how long to wait.  Pure: no clock, no randomness of its own.
 */
#ifndef BI_BACKOFF_H
#define BI_BACKOFF_H

#include "postgres.h"

/* Returns base_ms * factor^n, at most cap_ms, changed by up to 10 % either way.  spread, in [0,1),
 * comes from the caller's random source.  n counts from 0. */
extern int64 bi_backoff_ms(int64 base_ms, double factor, int64 cap_ms, int n, double spread);

#endif							/* BI_BACKOFF_H */
