/*
 * base/spool.c: bodies on disk, and the lines in them.
 *
 * The file is one of fd.c's temporary files: PostgreSQL names, places and removes it.  We read and
 * write a duplicate of its descriptor, which fd.c knows of.  The virtual descriptor will not do:
 * it may be closed at any time, and its functions may raise errors, which libcurl's callbacks must
 * not.
 *
 * Knows nothing of HTTP or of what the bytes mean.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/foreign.h"
#include "base/spool.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define BUFFER_SIZE (64 * 1024)

struct BiSpool
{
	MemoryContext cxt;
	BiForeign  *own;
	bool		announced;		/* fd.c knows of our external descriptor */
	File		file;
	int			fd;				/* a duplicate of file's, or -1 */
	int64		size;			/* bytes in the file */
	pg_crc32c	crc;			/* of these bytes, not finalized */
	char	   *buffer;			/* NULL, or BUFFER_SIZE bytes */
	size_t		used;			/* bytes of buffer that are not yet in the file */
	bool		refused;		/* temp_file_limit refused the last bytes, not the disk */
};

/* Bytes in the files of all spools of this process.  temp_file_limit limits them. */
static int64 spooled = 0;

struct BiLines
{
	BiSpool    *spool;
	int64		offset;			/* in the spool: where the bytes after end begin */
	size_t		max_line;
	char	   *buffer;
	size_t		size;			/* one byte more is allocated, for a NUL */
	size_t		start;			/* of the next line */
	size_t		scanned;		/* no \n between start and here */
	size_t		end;
	const char *head;			/* of the last line, if it was too long; in buffer */
	size_t		head_len;
};

static void
close_files(void *thing)
{
	BiSpool    *spool = thing;

	if (spool->fd >= 0)
		close(spool->fd);
	spool->fd = -1;
	if (spool->announced)
		ReleaseExternalFD();
	spool->announced = false;
	if (spool->file >= 0)
		FileClose(spool->file);
	spool->file = -1;
	spooled -= spool->size;
	spool->size = 0;
}

static void
report_failure(const char *what)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not %s temporary file: %m", what)));
}

static void
report_unwritten(const BiSpool *spool)
{
	if (!spool->refused)
		report_failure("write to");
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("temporary file size exceeds temp_file_limit (%dkB)", temp_file_limit),
			 errdetail("Files of batch jobs in this process have " INT64_FORMAT " kB.",
					   spooled / 1024)));
}

BiSpool *
bi_spool_new(MemoryContext cxt)
{
	BiSpool    *spool = MemoryContextAllocZero(cxt, sizeof(BiSpool));

	spool->cxt = cxt;
	spool->file = -1;
	spool->fd = -1;
	INIT_CRC32C(spool->crc);
	spool->own = bi_foreign_own(cxt, spool, close_files);

	/* Tell fd.c first, which may close virtual descriptors, then open ours. */
	if (!AcquireExternalFD())
		report_failure("open");
	spool->announced = true;
	spool->file = OpenTemporaryFile(true);
	spool->fd = fcntl(FileGetRawDesc(spool->file), F_DUPFD_CLOEXEC, 0);
	if (spool->fd < 0)
		report_failure("open");
	return spool;
}

void
bi_spool_close(BiSpool *spool)
{
	if (spool->buffer != NULL)
		pfree(spool->buffer);
	spool->buffer = NULL;
	spool->used = 0;
	bi_foreign_release(spool->own);
}

/* Appends the bytes to the file, if temp_file_limit and the disk allow. */
static bool
append_bytes(BiSpool *spool, const char *bytes, size_t len)
{
	size_t		done = 0;

	spool->refused = temp_file_limit >= 0 &&
		spooled + (int64) len > temp_file_limit * INT64CONST(1024);
	if (spool->refused)
		return false;
	while (done < len)
	{
		ssize_t		n = pwrite(spool->fd, bytes + done, len - done, spool->size + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return false;
		done += n;
	}
	spool->size += len;
	spooled += len;
	COMP_CRC32C(spool->crc, bytes, len);
	return true;
}

static bool
drain_buffer(BiSpool *spool)
{
	if (spool->used > 0 && !append_bytes(spool, spool->buffer, spool->used))
		return false;
	spool->used = 0;
	return true;
}

void
bi_spool_write(BiSpool *spool, const char *bytes, size_t len)
{
	if (spool->buffer == NULL)
		spool->buffer = MemoryContextAlloc(spool->cxt, BUFFER_SIZE);
	if (spool->used + len > BUFFER_SIZE && !drain_buffer(spool))
		report_unwritten(spool);
	if (len > BUFFER_SIZE)
	{
		if (!append_bytes(spool, bytes, len))
			report_unwritten(spool);
		return;
	}
	memcpy(spool->buffer + spool->used, bytes, len);
	spool->used += len;
}

void
bi_spool_flush(BiSpool *spool)
{
	if (!drain_buffer(spool))
		report_unwritten(spool);
	if (spool->buffer != NULL)
		pfree(spool->buffer);
	spool->buffer = NULL;
}

ssize_t
bi_spool_put(BiSpool *spool, const char *bytes, size_t len)
{
	if (!drain_buffer(spool) || !append_bytes(spool, bytes, len))
		return -1;
	return len;
}

bool
bi_spool_refused(const BiSpool *spool)
{
	return spool->refused;
}

ssize_t
bi_spool_get(BiSpool *spool, int64 offset, char *bytes, size_t len)
{
	size_t		done = 0;

	if (!drain_buffer(spool))
		return -1;
	while (done < len)
	{
		ssize_t		n = pread(spool->fd, bytes + done, len - done, offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

int64
bi_spool_size(const BiSpool *spool)
{
	return spool->size + spool->used;
}

uint32
bi_spool_crc32c(const BiSpool *spool)
{
	pg_crc32c	crc = spool->crc;

	if (spool->used > 0)
		COMP_CRC32C(crc, spool->buffer, spool->used);
	FIN_CRC32C(crc);
	return crc;
}

BiLines *
bi_lines_open(BiSpool *spool, size_t max_line)
{
	BiLines    *lines = palloc0(sizeof(BiLines));

	bi_spool_flush(spool);
	lines->spool = spool;
	lines->max_line = max_line;
	lines->size = BUFFER_SIZE;
	lines->buffer = palloc(lines->size + 1);
	return lines;
}

/* Reads more bytes after end.  False at the end of the spool.  Interruptible, because a line may be
 * as long as the spool. */
static bool
fill_lines(BiLines *lines)
{
	ssize_t		n;

	CHECK_FOR_INTERRUPTS();
	n = bi_spool_get(lines->spool, lines->offset, lines->buffer + lines->end,
					 lines->size - lines->end);

	if (n < 0)
		report_failure("read");
	lines->offset += n;
	lines->end += n;
	return n > 0;
}

/* Makes space after end: moves what is there to the front, or doubles the buffer.  Each byte is
 * moved only a limited number of times. */
static void
make_room(BiLines *lines)
{
	if (lines->start > 0)
	{
		memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
		lines->end -= lines->start;
		lines->scanned -= lines->start;
		lines->start = 0;
	}
	if (lines->size - lines->end < lines->size / 2)
	{
		lines->buffer = repalloc_huge(lines->buffer, lines->size * 2 + 1);
		lines->size *= 2;
	}
}

/* Returns the bytes before stop as a line, and goes on behind its \n if there is one. */
static bool
take_line(BiLines *lines, size_t stop, const char **line, size_t *len)
{
	size_t		start = lines->start;

	lines->start = lines->scanned = Min(stop + 1, lines->end);
	if (stop > start && lines->buffer[stop - 1] == '\r')
		stop--;
	lines->buffer[stop] = '\0';
	*len = stop - start;
	*line = *len <= lines->max_line ? lines->buffer + start : NULL;
	if (*line == NULL)
	{
		lines->head = lines->buffer + start;
		lines->head_len = Min(*len, BI_LINES_HEAD);
		lines->buffer[start + lines->head_len] = '\0';
	}
	return true;
}

/* Skips the rest of a line that is too long, and keeps its beginning in front of what is read. */
static bool
skip_line(BiLines *lines, const char **line, size_t *len)
{
	size_t		passed = lines->end - lines->start;
	bool		cr = lines->buffer[lines->end - 1] == '\r';
	size_t		room = lines->head_len + 1;
	char	   *newline = NULL;

	memmove(lines->buffer, lines->buffer + lines->start, lines->head_len);
	lines->buffer[lines->head_len] = '\0';
	lines->head = lines->buffer;
	do
	{
		lines->start = lines->scanned = lines->end = room;
		if (!fill_lines(lines))
			break;
		newline = memchr(lines->buffer + room, '\n', lines->end - room);
		lines->start = newline ? newline - lines->buffer : lines->end;
		if (lines->start > room)
			cr = lines->buffer[lines->start - 1] == '\r';
		passed += lines->start - room;
	} while (newline == NULL);

	if (newline != NULL)
		lines->scanned = ++lines->start;
	*len = passed - (cr ? 1 : 0);
	*line = NULL;
	return true;
}

const char *
bi_lines_head(const BiLines *lines, size_t *len)
{
	*len = lines->head_len;
	return lines->head;
}

bool
bi_lines_next(BiLines *lines, const char **line, size_t *len)
{
	for (;;)
	{
		char	   *newline =
			memchr(lines->buffer + lines->scanned, '\n', lines->end - lines->scanned);

		if (newline != NULL)
			return take_line(lines, newline - lines->buffer, line, len);
		lines->scanned = lines->end;
		if (lines->end - lines->start > lines->max_line + 1)
		{
			lines->head_len = Min(lines->max_line, Min(BI_LINES_HEAD, lines->size / 2));
			return skip_line(lines, line, len);
		}
		if (lines->end == lines->size)
			make_room(lines);
		if (!fill_lines(lines))
			return lines->end > lines->start && take_line(lines, lines->end, line, len);
	}
}
