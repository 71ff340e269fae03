/*
 * base/crash.h: named points between two effects, at which a test stops a process to kill it.
 *
 * Without -DBI_CRASH_POINTS they are nothing.  Only the build of test/fault/crash.pl sets it;
 * test/fault/crash.c has what they do then.
 */
#ifndef BI_CRASH_H
#define BI_CRASH_H

#ifdef BI_CRASH_POINTS
/* Reaches a point.  where: the state of the chunk, or the thing that is under way. */
extern void bi_crash_reach(const char *where, const char *point);
#define BI_CRASH_POINT(where, point) bi_crash_reach((where), (point))
#else
#define BI_CRASH_POINT(where, point) ((void) 0)
#endif

#endif							/* BI_CRASH_H */
