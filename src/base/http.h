/*
 * base/http.h: many exchanges at once in one libcurl multi handle.
 */
#ifndef BI_HTTP_H
#define BI_HTTP_H

#include "base/exchange.h"

/* A set of exchanges that run at once.  A loop has one, as long as it runs. */
typedef struct BiHttp BiHttp;

/* A set of running exchanges.  A reset of cxt frees it, with all that still runs. */
extern BiHttp *bi_http_new(MemoryContext cxt);

/* Starts ex.  A request that is not allowed is over at once, with transport UNSENT and its cause;
 * bi_http_next returns it too.  A 2xx body is appended to ex->download.  ex and its spools must
 * live until bi_http_next has returned ex, or be freed by the same reset as http.  Raises an error
 * only if memory or the disk is full. */
extern void bi_http_start(BiHttp *http, BiExchange *ex);

/* Returns how many were started and not yet returned by bi_http_next. */
extern int	bi_http_running(const BiHttp *http);

/* Moves bytes, and ends what is too slow with BI_CAUSE_STALLED.  Waits at most timeout_ms, and
 * never more than 250, for something to happen.  Returns at once if nothing runs or an exchange is
 * over.  The caller must call CHECK_FOR_INTERRUPTS between two calls. */
extern void bi_http_turn(BiHttp *http, int timeout_ms);

/* Ends ex, if it is under way, with BI_CAUSE_STOPPED and why as its detail. */
extern void bi_http_stop(BiHttp *http, const BiExchange *ex, const char *why);

/* Returns the next exchange that is over; NULL if there is none.  Its secrets are wiped. */
extern BiExchange *bi_http_next(BiHttp *http);

/* Does one exchange from start to end in the caller's own statement.  Interruptible.  It takes at
 * most timeout_ms; then it ends as BROKEN, STALLED. */
extern void bi_http_run(BiExchange *ex, int timeout_ms);

#endif							/* BI_HTTP_H */
