/*
 * base/crash.h: named points between two effects, at which a test stops a process to kill it.
 *
 * They are nothing without -DBI_CRASH_POINTS, of which only test/fault/crash.pl's own build
 * is made; what they do then stands in test/fault/crash.c.
 */
#ifndef BI_CRASH_H
#define BI_CRASH_H

#ifdef BI_CRASH_POINTS
/* where is the state of the chunk, or the thing that is under way. */
extern void bi_crash_reach(const char *where, const char *point);
#define BI_CRASH_POINT(where, point) bi_crash_reach((where), (point))
#else
#define BI_CRASH_POINT(where, point) ((void) 0)
#endif

#endif							/* BI_CRASH_H */
