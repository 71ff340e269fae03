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

/* One header.  It belongs to the context of its exchange. */
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
	BI_CAUSE_STALLED,			/* no bytes for batchinf.stall_timeout, or too slow (slow.c) */
	BI_CAUSE_CUT,				/* the body ended early or the connection broke */
	BI_CAUSE_TOO_LARGE,			/* a reply for memory was larger than BI_REPLY_MAX */
	BI_CAUSE_LOCAL,				/* our side: the spool could not be read or written */
	/* a body for a spool was above download_max or temp_file_limit */
	BI_CAUSE_LIMIT,
	BI_CAUSE_STOPPED			/* by bi_http_stop */
} BiCause;

/* The most of a reply that is kept in memory; larger ones belong in a spool. */
#define BI_REPLY_MAX (8 * 1024 * 1024)

/*
 * One exchange.  It is made for one request and used once.  Its caller, or a provider, writes the
 * request; http.c writes the reply; then the provider reads it.  Its context owns all of it, except
 * the spools.
 */
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

	/* what it may reach in the network (promise 6) */
	bool		allow_http;		/* plain http, loopback, private addresses */
	/* the machine's metadata service, too */
	bool		metadata;

	/* where a 2xx body goes: a spool, or NULL for memory */
	struct BiSpool *download;
	int64		download_max;	/* > 0: limit for all downloads of the results, unpacked */
	int64		download_before;	/* bytes of them that other spools have already */
	int			patience_ms;	/* > 0: an answer may take so long, if the settings allow less */
	int64		cut_after;		/* > 0: ends the reply after these bytes of a body for memory */

	/* while it is under way: bytes of bodies sent and received, unpacked */
	int64		moved;

	/* the reply */
	BiTransport transport;
	BiCause		cause;
	char	   *detail;			/* in libcurl's or our words; never has a secret */
	int			status;
	List	   *reply_headers;	/* of BiHeader, names in lower case */
	StringInfoData body;		/* always NUL-terminated */

	void	   *owner;			/* for its maker; nothing in base/ reads it */
	MemoryContext cxt;			/* owner of all the above */
} BiExchange;

/* Returns a new exchange, owned by cxt.  A reset of cxt also overwrites its secrets. */
extern BiExchange *bi_exchange_new(MemoryContext cxt);
extern void bi_exchange_request(BiExchange *ex, const char *method, const char *url);

/* Adds a header.  A value with control characters is refused when the exchange is started. */
extern void bi_exchange_add_header(BiExchange *ex, const char *name, const char *value);

/* Returns the value of the first header of that name, in any letter case; NULL if there is none. */
extern const char *bi_exchange_request_header(const BiExchange *ex, const char *name);
extern const char *bi_exchange_reply_header(const BiExchange *ex, const char *name);

/* True if the reply is an HTML page.  No provider answers so: something in between did. */
extern bool bi_exchange_reply_is_page(const BiExchange *ex);

/* Return the size of the request's whole body; and len of its bytes from offset, fewer only at the
 * end; -1 with errno set if the spool cannot be read.  They raise no error, so that libcurl's
 * callbacks may call them. */
extern int64 bi_exchange_body_size(const BiExchange *ex);
extern ssize_t bi_exchange_body_get(const BiExchange *ex, int64 offset, char *bytes, size_t len);

/* Adds one line of a reply's header, with or without its line break.  Ignores a line that is not a
 * header.  Bytes that are not ASCII text become "?". */
extern void bi_exchange_add_reply_line(BiExchange *ex, const char *line, size_t len);

/* Returns how many milliseconds the reply asks us to wait (retry-after-ms, or retry-after in
 * seconds or as an HTTP date, seen from now_unix); -1 if it does not say. */
extern int64 bi_exchange_retry_after(const BiExchange *ex, int64 now_unix);

/* Overwrites each quote of the secret (base/blot.h) in the reply's headers and its body in memory.
 * Must come before anything reads them. */
extern void bi_exchange_scrub(BiExchange *ex, const char *secret);

/* Overwrites the values of all request headers, and the body's head, which has a login's secret.
 * For an exchange that is over. */
extern void bi_exchange_wipe(BiExchange *ex);

#endif							/* BI_EXCHANGE_H */
