/*
 * base/window.h: a part of each day, as '22:00-05:00 Europe/Berlin'.
 */
#ifndef BI_WINDOW_H
#define BI_WINDOW_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* A part of each day in a time zone.  Filled by bi_window_read. */
typedef struct BiWindow
{
	int			from;			/* minute of the day, from 0 */
	int			to;				/* the first minute behind it; at or before from: the next day's */
	const char *zone;			/* name of the time zone */
	void	   *tz;				/* PostgreSQL's own */
} BiWindow;

/*
 * Reads the text: two times HH:MM, a dash between them, and perhaps a time zone; without one it is
 * the session's.  Both times may be the same: the whole day.  Returns NULL, or what is wrong with
 * it, palloc'd.
 */
extern char *bi_window_read(const char *text, BiWindow *window);

/* Returns the text with its time zone, palloc'd. */
extern char *bi_window_text(const BiWindow *window);

/*
 * Returns when the window is open next: at, if it is open then; otherwise a time at which to ask
 * again.  An opening time that a day does not have, because clocks are put forward over it, is as
 * much later.  A window that lies in such a gap does not open that day; one that lies in an hour
 * that a day has twice opens twice.
 */
extern TimestampTz bi_window_opens(const BiWindow *window, TimestampTz at);

#endif							/* BI_WINDOW_H */
