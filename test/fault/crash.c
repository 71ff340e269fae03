/*
 * test/fault/crash.c: what the points of base/crash.h do in the build of crash.pl.
 *
 * In the data directory, OID being the database's: a process that comes for the nth time to
 * the point that the file crash/OID names, as "where/point nth", renames it to crash/OID.reached
 * and stays there until it is killed.  Where there is a file crash/OID.trace, all points that
 * are passed are noted in it.  Safe within libcurl's callbacks: no ereport, no palloc.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/crash.h"
#include "miscadmin.h"
#include "storage/pmsignal.h"

#define PATH_SIZE 64
#define LINE_SIZE 128

static void
trace(const char *line)
{
	char		path[PATH_SIZE];
	int			fd;

	snprintf(path, sizeof(path), "crash/%u.trace", MyDatabaseId);
	fd = open(path, O_WRONLY | O_APPEND);
	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		abort();
	close(fd);
}

/* Is it the point that is armed?  nth is how often it is to be reached. */
static bool
is_armed(const char *path, const char *line, int *nth)
{
	char		armed[LINE_SIZE] = "";
	size_t		len = strlen(line) - 1;
	int			fd = open(path, O_RDONLY);

	if (fd < 0)
		return false;
	if (read(fd, armed, sizeof(armed) - 1) < 0)
		abort();
	close(fd);
	if (strncmp(armed, line, len) != 0 || armed[len] != ' ')
		return false;
	*nth = (int) strtol(armed + len, NULL, 10);
	return true;
}

/* Also where signals are blocked: an immediate stop of the server must get through. */
static void
stay(void)
{
	sigset_t	none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	while (PostmasterIsAlive())
		pg_usleep(10000);
	_exit(2);
}

void
bi_crash_reach(const char *where, const char *point)
{
	static int	times = 0;
	char		line[LINE_SIZE];
	char		path[PATH_SIZE];
	char		reached[PATH_SIZE + 16];
	int			nth;

	snprintf(line, sizeof(line), "%s/%s\n", where, point);
	snprintf(path, sizeof(path), "crash/%u", MyDatabaseId);
	trace(line);
	if (!is_armed(path, line, &nth) || ++times < nth)
		return;
	snprintf(reached, sizeof(reached), "%s.reached", path);
	if (rename(path, reached) == 0)
		stay();
}
