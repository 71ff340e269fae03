/*
 * base/spool.h: a body on disk, in a temporary file of PostgreSQL's, owned by a memory context.
 * PostgreSQL removes it at the end of the process, and after a crash.
 */
#ifndef BI_SPOOL_H
#define BI_SPOOL_H

#include "postgres.h"

/* A file with a body.  It lives until its context is reset or bi_spool_close. */
typedef struct BiSpool BiSpool;

/* Returns a new empty spool, which a reset of cxt closes and removes.  Needs no transaction, and
 * survives the end of one. */
extern BiSpool *bi_spool_new(MemoryContext cxt);

/* Closes and removes it now.  It must not be used any more. */
extern void bi_spool_close(BiSpool *spool);

/* Appends.  Raises an error if the disk or temp_file_limit refuses.  All spools of a process count
 * together for that limit, as all temporary files do. */
extern void bi_spool_write(BiSpool *spool, const char *bytes, size_t len);

/* Writes to the file what bi_spool_write has buffered.  Raises errors as it does. */
extern void bi_spool_flush(BiSpool *spool);

/* Write and read without a buffer and without errors, for libcurl's callbacks.  Return the bytes
 * moved; -1 with errno set if the disk refuses.  put moves all bytes or fails; get moves less than
 * len only at the end. */
extern ssize_t bi_spool_put(BiSpool *spool, const char *bytes, size_t len);
extern ssize_t bi_spool_get(BiSpool *spool, int64 offset, char *bytes, size_t len);

/* After put has returned -1: true if temp_file_limit refused.  Then errno means nothing. */
extern bool bi_spool_refused(const BiSpool *spool);

/* Returns its size in bytes, with those that are still in the buffer. */
extern int64 bi_spool_size(const BiSpool *spool);

/* Returns the CRC-32C of all these bytes. */
extern uint32 bi_spool_crc32c(const BiSpool *spool);

/*
 * The lines of a spool, in order, from the start.  A line has no \n (and no \r before it), is
 * NUL-terminated at len, and stays valid until the next call.  An empty line has len 0; the last
 * one needs no \n.  Memory: at most one line, in the context that was current at open.  A line
 * longer than max_line is skipped: it is reported with line = NULL and its length, and its
 * beginning, NUL-terminated, can be read until the next call.  Reading raises an error if the disk
 * refuses.
 */
typedef struct BiLines BiLines;
extern BiLines *bi_lines_open(BiSpool *spool, size_t max_line);
extern bool bi_lines_next(BiLines *lines, const char **line, size_t *len);
extern const char *bi_lines_head(const BiLines *lines, size_t *len);

/* The most that is kept of the beginning of such a line, in bytes. */
#define BI_LINES_HEAD (128 * 1024)

#endif							/* BI_SPOOL_H */
