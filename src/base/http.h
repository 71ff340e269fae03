/*
 * base/http.h: many exchanges at once in one libcurl multi handle.
 */
#ifndef BI_HTTP_H
#define BI_HTTP_H

#include "base/exchange.h"

typedef struct BiHttp BiHttp;

/* A set of running exchanges, freed (with whatever still runs) when cxt is reset. */
extern BiHttp *bi_http_new(MemoryContext cxt);

/* Starts ex.  A request that may not be made at all is over at once, with
 * transport UNSENT and its cause; it is handed out by bi_http_next all the same.
 * A 2xx body is appended to ex->download.  ex and its spools must outlive their
 * stay in http, or be freed by the same reset as http.  Ereports only when memory
 * or the disk is full. */
extern void bi_http_start(BiHttp *http, BiExchange *ex);

/* How many have been started and not yet handed out. */
extern int	bi_http_running(const BiHttp *http);

/* Moves bytes, waiting at most timeout_ms (clamped to 250) for something to
 * happen; the caller calls CHECK_FOR_INTERRUPTS between two calls.  Returns at once
 * when nothing runs or something is over. */
extern void bi_http_turn(BiHttp *http, int timeout_ms);

/* Ends ex, if it is under way: it is over now, with BI_CAUSE_STOPPED and why as its detail. */
extern void bi_http_stop(BiHttp *http, const BiExchange *ex, const char *why);

/* The next exchange that is over, or NULL.  Its secrets are wiped. */
extern BiExchange *bi_http_next(BiHttp *http);

/* One exchange from start to end in the caller's own statement, interruptible,
 * at most timeout_ms in all (then BROKEN, STALLED). */
extern void bi_http_run(BiExchange *ex, int timeout_ms);

#endif							/* BI_HTTP_H */
