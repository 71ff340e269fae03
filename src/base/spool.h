/*
 * base/spool.h: a body on disk: a temporary file of PostgreSQL's (removed by
 * itself at process end and after a crash), owned by a memory context.
 */
#ifndef BI_SPOOL_H
#define BI_SPOOL_H

#include "postgres.h"

typedef struct BiSpool BiSpool;

/* A new empty spool, closed and removed when cxt is reset or deleted.  Needs no
 * transaction and outlives any. */
extern BiSpool *bi_spool_new(MemoryContext cxt);

/* Closes and removes it now; it may not be used any more. */
extern void bi_spool_close(BiSpool *spool);

/* Appends; ereports when the disk refuses, or temp_file_limit: the spools of a process count
 * together, as its temporary files do. */
extern void bi_spool_write(BiSpool *spool, const char *bytes, size_t len);

/* Ends a series of bi_spool_write: what is buffered goes to the file; ereports. */
extern void bi_spool_flush(BiSpool *spool);

/* The same without ereport, unbuffered, for libcurl's callbacks: bytes moved,
 * -1 with errno set when the disk refuses.  put moves all or fails; get moves less
 * than len only at the end. */
extern ssize_t bi_spool_put(BiSpool *spool, const char *bytes, size_t len);
extern ssize_t bi_spool_get(BiSpool *spool, int64 offset, char *bytes, size_t len);

/* After put returned -1: was it temp_file_limit?  Then errno says nothing. */
extern bool bi_spool_refused(const BiSpool *spool);

/* Bytes, those still in the buffer included. */
extern int64 bi_spool_size(const BiSpool *spool);

/* The CRC-32C of all those bytes. */
extern uint32 bi_spool_crc32c(const BiSpool *spool);

/* Lines, in order, from the start.  A line is without its \n (and \r before it),
 * NUL-terminated at len, and stays until the next call; an empty one has len 0, a
 * last one needs no \n.  Memory: one line at most, in the context that was current
 * at open.  Lines longer than max_line are passed over whole and reported with
 * line = NULL and their length; their beginning, NUL-terminated, can be had until the next
 * call.  Reading ereports when the disk refuses. */
typedef struct BiLines BiLines;
extern BiLines *bi_lines_open(BiSpool *spool, size_t max_line);
extern bool bi_lines_next(BiLines *lines, const char **line, size_t *len);
extern const char *bi_lines_head(const BiLines *lines, size_t *len);

/* At most so much of a line is its beginning. */
#define BI_LINES_HEAD (128 * 1024)

#endif							/* BI_SPOOL_H */
