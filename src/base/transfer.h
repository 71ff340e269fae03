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
#include "lib/ilist.h"

/* What callbacks collect: malloc'd, because palloc may throw. */
typedef struct BiBytes
{
	char	   *data;
	size_t		len;
	size_t		size;
} BiBytes;

typedef struct BiTransfer
{
	dlist_node	node;			/* in the set's list of those that are under way, or over */
	MemoryContext cxt;
	BiForeign  *own;
	BiExchange *ex;
	CURLM	   *multi;			/* NULL while not in it */
	CURL	   *easy;
	struct curl_slist *headers;
	bool		given_up;		/* callbacks touch nothing any more, ex may be gone */
	bool		inner_allowed;	/* plain http and inner addresses */
	bool		metadata_allowed;
	bool		started;		/* the peer may have seen a byte of the request */
	BiCause		cause;			/* why we refuse or gave up, with its words */
	char		why[256];
	char		message[CURL_ERROR_SIZE];	/* libcurl's */
	int64		sent;			/* offset in the body */
	BiBytes		lines;			/* of the reply's header */
	int			nlines;
	size_t		header_bytes;	/* all that came, kept or not */
	bool		lines_end;
	BiBytes		body;
	bool		enough;			/* cut by ourselves: ex->cut_after */
} BiTransfer;

#define BI_TRY(call) \
	do { \
		CURLcode	try_code = (call); \
		if (try_code != CURLE_OK) \
			return try_code; \
	} while (0)
#define BI_SET(transfer, option, value) \
	BI_TRY(curl_easy_setopt((transfer)->easy, (option), (value)))

/* A transfer in a context of its own below parent, whose reset takes it
 * out of multi and frees it. */
extern BiTransfer *bi_transfer_new(MemoryContext parent, BiExchange *ex);

/* Makes its easy handle, with the callbacks that receive and send. */
extern CURLcode bi_transfer_open(BiTransfer *transfer);

/* Puts it on its way; on failure it is not in multi. */
extern CURLcode bi_transfer_launch(BiTransfer *transfer, CURLM *multi);

/* Notes why it is not to go on, what being a format with one %s for which.  Never
 * ereports or pallocs. */
extern void bi_transfer_give_up(BiTransfer *transfer, BiCause cause, const char *what, const char *which);

/* It is over with code: fills the reply half of its exchange, frees what is libcurl's. */
extern void bi_transfer_finish(BiTransfer *transfer, CURLcode code);

#endif							/* BI_TRANSFER_H */
