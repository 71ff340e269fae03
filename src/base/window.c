/*
 * base/window.c: a part of each day, as '22:00-05:00 Europe/Berlin'.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/window.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#define DAY_MINUTES (24 * 60)

/* Reads HH:MM at *text and goes behind it.  False if there is none. */
static bool
read_minute(const char **text, int *minute)
{
	const char *t = *text;

	if (!isdigit((unsigned char) t[0]) || !isdigit((unsigned char) t[1]) || t[2] != ':' ||
		!isdigit((unsigned char) t[3]) || !isdigit((unsigned char) t[4]))
		return false;
	*minute = ((t[0] - '0') * 10 + t[1] - '0') * 60 + (t[3] - '0') * 10 + t[4] - '0';
	*text += 5;
	return *minute <= DAY_MINUTES && t[3] < '6';
}

char *
bi_window_read(const char *text, BiWindow *window)
{
	const char *rest = text;
	pg_tz	   *tz = session_timezone;

	if (!read_minute(&rest, &window->from) || *rest++ != '-' ||
		!read_minute(&rest, &window->to) || (*rest != '\0' && *rest != ' '))
		return pstrdup("It is not two times and a time zone.");
	while (*rest == ' ')
		rest++;
	if (*rest)
		tz = pg_tzset(rest);
	if (tz == NULL)
		return psprintf("There is no time zone \"%s\".", rest);
	window->from %= DAY_MINUTES;
	window->to %= DAY_MINUTES;
	window->tz = tz;
	window->zone = pg_get_timezone_name(tz);
	return NULL;
}

char *
bi_window_text(const BiWindow *window)
{
	return psprintf("%02d:%02d-%02d:%02d %s", window->from / 60, window->from % 60,
					window->to / 60, window->to % 60, window->zone);
}

static bool
is_open(const BiWindow *window, int minute)
{
	if (window->from < window->to)
		return minute >= window->from && minute < window->to;
	return minute >= window->from || minute < window->to;
}

/* Returns when the window opens on the day of tm, or so many days later. */
static TimestampTz
opening(const BiWindow *window, struct pg_tm tm, int days)
{
	TimestampTz when;
	int			zone;

	j2date(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) + days, &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday);
	tm.tm_hour = window->from / 60;
	tm.tm_min = window->from % 60;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	zone = DetermineTimeZoneOffset(&tm, window->tz);
	if (tm2timestamp(&tm, 0, &zone, &when) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return when;
}

TimestampTz
bi_window_opens(const BiWindow *window, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			zone;
	TimestampTz when;

	if (timestamp2tm(at, &zone, &tm, &fsec, NULL, window->tz) != 0)
		return at;
	if (is_open(window, tm.tm_hour * 60 + tm.tm_min))
		return at;
	when = opening(window, tm, 0);
	return when > at ? when : opening(window, tm, 1);
}
