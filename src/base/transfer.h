/*
 * base/transfer.h: one exchange on its way through libcurl.
 *
 * For http.c, transfer.c and httpopt.c only: this is the one place that includes
 * libcurl's header.
 */
#ifndef BI_TRANSFER_H
#define BI_TRANSFER_H

#include "postgres.h"

#include <curl/curl.h>

#include "base/compat.h"
#include "base/exchange.h"
#include "base/foreign.h"
#include "base/slow.h"
#include "lib/ilist.h"

/* What callbacks collect.  It is malloc'd, because palloc may raise an error. */
typedef struct BiBytes
{
	char	   *data;
	size_t		len;
	size_t		size;
} BiBytes;

/*
 * One exchange while libcurl works on it.  http.c makes it and deletes its context when the
 * exchange is over.  While it is under way, libcurl's callbacks write it, and nothing else.
 */
typedef struct BiTransfer
{
	dlist_node	node;			/* in the set's list of those under way, or over */
	MemoryContext cxt;
	BiForeign  *own;
	BiExchange *ex;
	CURLM	   *multi;			/* NULL while not in it */
	CURL	   *easy;
	struct curl_slist *headers;
	bool		given_up;		/* callbacks touch nothing any more: ex may be gone */
	bool		inner_allowed;	/* it may use plain http and inner addresses */
	bool		metadata_allowed;
	bool		started;		/* the peer may have seen a byte of the request */
	BiCause		cause;			/* why we refused or gave up, with its words */
	char		why[256];
	char		message[CURL_ERROR_SIZE];	/* libcurl's */
	int64		sent;			/* offset in the body */
	BiBytes		lines;			/* of the reply's header */
	int			nlines;
	size_t		header_bytes;	/* of all lines that came, kept or not */
	bool		lines_end;
	BiBytes		body;
	bool		enough;			/* we cut the reply after ex->cut_after */
	BiSlow		slow;
} BiTransfer;

#define BI_TRY(call) \
	do { \
		CURLcode	try_code = (call); \
		if (try_code != CURLE_OK) \
			return try_code; \
	} while (0)
#define BI_SET(transfer, option, value) \
	BI_TRY(curl_easy_setopt((transfer)->easy, (option), (value)))

/* Returns a transfer in a context of its own below parent.  A reset takes it out of multi and frees
 * it. */
extern BiTransfer *bi_transfer_new(MemoryContext parent, BiExchange *ex);

/* Makes its easy handle, with its callbacks. */
extern CURLcode bi_transfer_open(BiTransfer *transfer);

/* Starts it.  If that fails, it is not in multi. */
extern CURLcode bi_transfer_launch(BiTransfer *transfer, CURLM *multi);

/* Stores why it must not go on.  what is a format with one %s for which.  Raises no error and does
 * not palloc. */
extern void bi_transfer_give_up(BiTransfer *transfer, BiCause cause, const char *what,
								const char *which);

/* True if it is too slow to go on at now_ms; then the reason is stored.  For a transfer that is in
 * multi.  All times that it is asked with come from one clock. */
extern bool bi_transfer_is_slow(BiTransfer *transfer, int64 now_ms);

/* It has ended with code: fills the reply half of its exchange, and frees what is libcurl's. */
extern void bi_transfer_finish(BiTransfer *transfer, CURLcode code);

#endif							/* BI_TRANSFER_H */
