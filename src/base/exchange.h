/*
 * base/exchange.h: one HTTP request and its reply, as plain values.
 *
 * A provider fills the request half, http.c carries it and fills the reply
 * half, the provider reads it.  Nothing here touches the network.
 */
#ifndef BI_EXCHANGE_H
#define BI_EXCHANGE_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

struct BiSpool;

typedef struct BiHeader
{
	char	   *name;
	char	   *value;
} BiHeader;

/* What is known of the request's effect once the exchange is over. */
typedef enum BiTransport
{
	BI_TRANSPORT_PENDING,		/* not over yet */
	BI_TRANSPORT_REPLIED,		/* a whole reply came, whatever its status */
	BI_TRANSPORT_UNSENT,		/* it certainly had no effect: never connected, or refused by us */
	BI_TRANSPORT_BROKEN			/* sent, and the reply lost or cut: it may have had its effect */
} BiTransport;

/* Why there is no whole reply. */
typedef enum BiCause
{
	BI_CAUSE_NONE,
	BI_CAUSE_RESOLVE,			/* host name */
	BI_CAUSE_CONNECT,			/* refused, unreachable, connect timeout */
	BI_CAUSE_CERTIFICATE,		/* TLS: the peer could not be verified */
	BI_CAUSE_DENIED,			/* scheme or address not allowed (promise 6) */
	BI_CAUSE_STALLED,			/* no bytes for batchinf.stall_timeout */
	BI_CAUSE_CUT,				/* the body ended early or the connection broke */
	BI_CAUSE_TOO_LARGE,			/* a reply for memory was larger than BI_REPLY_MAX */
	BI_CAUSE_LOCAL,				/* our side: the spool could not be read or written */
	BI_CAUSE_LIMIT,				/* a body for a spool was larger than download_max or temp_file_limit */
	BI_CAUSE_STOPPED			/* by bi_http_stop */
} BiCause;

/* The most of a reply that is kept in memory; larger ones belong in a spool. */
#define BI_REPLY_MAX (8 * 1024 * 1024)

typedef struct BiExchange
{
	/* the request */
	const char *method;
	char	   *url;
	List	   *headers;		/* of BiHeader, by bi_exchange_add_header only; wiped */
	bool		has_body;		/* body = head, then the spool's bytes, then tail */
	StringInfoData head;
	struct BiSpool *upload;		/* or NULL */
	StringInfoData tail;

	/* what the network may be asked for (promise 6) */
	bool		allow_http;		/* plain http, loopback, private addresses */
	bool		metadata;		/* also the machine's metadata service, which nothing else may reach */

	bool		brief;			/* all of it is small: it may take no longer than it may take to connect and
								 * then to stall */

	/* where a 2xx body goes: a spool, or NULL for memory */
	struct BiSpool *download;
	int64		download_max;	/* > 0: bytes that download may have, unpacked ... */
	int64		download_before;	/* ... together with these, which other spools have already */
	int64		cut_after;		/* > 0: no more of a body for memory is wanted: what came is the reply */

	/* while it is under way: bytes of bodies that were sent and received, unpacked */
	int64		moved;

	/* the reply */
	BiTransport transport;
	BiCause		cause;
	char	   *detail;			/* libcurl's or our words, no secret in them */
	int			status;
	List	   *reply_headers;	/* of BiHeader, names in lower case */
	StringInfoData body;		/* always NUL-terminated */

	MemoryContext cxt;			/* owner of all the above */
} BiExchange;

/* A new one, all of it owned by cxt, whose reset also overwrites its secrets. */
extern BiExchange *bi_exchange_new(MemoryContext cxt);
extern void bi_exchange_request(BiExchange *ex, const char *method, const char *url);

/* Values with control characters are refused when the exchange is started. */
extern void bi_exchange_add_header(BiExchange *ex, const char *name, const char *value);

/* The value of the first header of that name, in any case of letters, or NULL. */
extern const char *bi_exchange_request_header(const BiExchange *ex, const char *name);
extern const char *bi_exchange_reply_header(const BiExchange *ex, const char *name);

/* Is it a page for people?  No provider answers so: something on the way did. */
extern bool bi_exchange_reply_is_page(const BiExchange *ex);

/* The request's body as one: its size, and len bytes (fewer only at its end) from
 * offset; -1 with errno set when the spool cannot be read.  Never ereport, so
 * libcurl's callbacks may call them. */
extern int64 bi_exchange_body_size(const BiExchange *ex);
extern ssize_t bi_exchange_body_get(const BiExchange *ex, int64 offset, char *bytes, size_t len);

/* Takes over one line of a reply's header, with or without its line break; a line
 * that is no header is passed over, bytes that are no ASCII text become "?". */
extern void bi_exchange_add_reply_line(BiExchange *ex, const char *line, size_t len);

/* Milliseconds that the reply asks us to wait (retry-after-ms, retry-after in
 * seconds or as an HTTP date seen from now_unix), -1 if it does not say. */
extern int64 bi_exchange_retry_after(const BiExchange *ex, int64 now_unix);

/* Blots out the secret (base/blot.h) where the reply quotes it, in its body in memory and its
 * headers: before anybody reads them. */
extern void bi_exchange_scrub(BiExchange *ex, const char *secret);

/* Overwrites the values of all request headers and the body's head, which holds a login's
 * secret; called once the exchange is over. */
extern void bi_exchange_wipe(BiExchange *ex);

#endif							/* BI_EXCHANGE_H */
