/*
 * engine/direct.h: exchanges inside a user's own statement.
 */
#ifndef BI_DIRECT_H
#define BI_DIRECT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "provider/provider.h"

/*
 * What the exchanges of one statement have in common.  A variable of the statement's function,
 * which sets all of it; it owns what it points to.
 */
typedef struct BiDirect
{
	const BiProvider *provider;
	const BiServer *server;
	TimestampTz deadline;		/* of all exchanges together */
} BiDirect;

/* Returns how many milliseconds are left until the deadline; 0 if it has passed. */
extern int	bi_direct_left_ms(const BiDirect *direct);

/* Returns a new exchange, owned by cxt, that may reach what the server's owner allows. */
extern BiExchange *bi_direct_exchange(const BiDirect *direct, MemoryContext cxt);

/* Returns a call of the provider's routines that concerns no job. */
extern BiCall bi_direct_call(const BiDirect *direct);

/* Returns the secret, which is wiped when the current context goes, however the statement ends. */
extern char *bi_direct_guard(char *secret);

/*
 * Does one exchange, until the deadline.  Interruptible.  Wipes quotes of the secret out of the
 * reply; the request's headers are wiped, too.
 */
extern void bi_direct_run(const BiDirect *direct, BiExchange *ex, const char *secret);

/*
 * Returns what requests carry as proof: the secret, or a token that it was exchanged for, which is
 * wiped as by bi_direct_guard.  NULL if the login gives no token: *verdict says why, and *failed is
 * the exchange that was refused.  Interruptible.
 */
extern char *bi_direct_login(const BiDirect *direct, char *secret, BiExchange **failed,
							 BiVerdict *verdict);

#endif							/* BI_DIRECT_H */
