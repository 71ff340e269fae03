/*
 * provider/verdict.h: what replies mean, whichever provider gave them.
 */
#ifndef BI_VERDICT_H
#define BI_VERDICT_H

#include "postgres.h"

#include "base/exchange.h"
#include "base/json.h"

/* What a reply means for what was asked. */
typedef enum BiVerdictKind
{
	BI_VERDICT_OK,				/* done as asked */
	BI_VERDICT_DEFER,			/* no effect, not the request's fault (429, quota): retry later */
	BI_VERDICT_NOT_YET,			/* no effect: this one thing is not ready yet, others may go on */
	BI_VERDICT_DENIED,			/* key, rights or money: a person must act; retry rarely */
	BI_VERDICT_ABSENT,			/* what was named is not there (404) */
	BI_VERDICT_REFUSED,			/* this request is wrong and will stay wrong */
	BI_VERDICT_UNCLEAR			/* effect unknown (lost reply, 408, 409, 5xx, unreadable body):
								 * search before sending again */
} BiVerdictKind;

/*
 * How far a verdict reaches that is not OK: who is held up until the retry.  The engine looks at
 * the scope and at no status.
 */
typedef enum BiScope
{
	BI_SCOPE_REQUEST,			/* the chunk that asked; the server is good to all others */
	BI_SCOPE_KEY,				/* the key: all jobs of the job's owner at this server.  Others
								 * have keys, rights and limits of their own and go on */
	BI_SCOPE_SERVER				/* the server: all jobs at it, of all owners */
} BiScope;

/* What a reader makes of a reply; a plain value, its texts are palloc'd. */
typedef struct BiVerdict
{
	BiVerdictKind kind;
	char	   *code;			/* the provider's or ours; NULL only if OK */
	char	   *message;		/* in words, cut to a sensible length; NULL only if OK.  With an OK
								 * of a check: what the check could not find out, or NULL */
	char	   *next;			/* with OK: there is more to ask, call the routine again with this
								 * cursor.  Of login, upload, outputs and check only; else NULL */
	int64		wait_ms;		/* how long the reply's body asks to wait; 0 if it does not */
	bool		bad_key;		/* with DENIED: the key itself is wrong or lacks a right; it is not
								 * about money */
	BiScope		scope;
} BiVerdict;

/* The code for a download that reached one of our limits; the view batchinf.due compares it. */
#define BI_RESULTS_TOO_LARGE "results_too_large"

/*
 * Returns a verdict on the reply to ex; code and message are copied.  Its scope and bad_key follow
 * from kind and status: DENIED is the key's, DEFER is the key's with a 4xx and the server's
 * otherwise, NOT_YET is the request's, and all others are the server's with a 5xx only.
 */
extern BiVerdict bi_verdict_make(const BiExchange *ex, BiVerdictKind kind, const char *code,
								 const char *message);

/* Makes it a verdict of another kind on the reply to ex, with the scope that follows. */
extern void bi_verdict_change(BiVerdict *verdict, const BiExchange *ex, BiVerdictKind kind);

/* Returns OK with a copy of cursor as next. */
extern BiVerdict bi_verdict_next(const char *cursor);

/*
 * Returns what transport and status say, with the words of an error body in the most common shapes;
 * OK: 2xx, whatever the body is.  It is the whole truth of a reply that has none of a family's own
 * words: a gateway's page, a proxy's text.
 */
extern BiVerdict bi_verdict_read(const BiExchange *ex);

/* Returns UNCLEAR, for a good status with a body that is not what was asked for. */
extern BiVerdict bi_verdict_unexpected(const BiExchange *ex, const char *wanted);

/*
 * Returns the object that has the words of an error: the body's member "error", else the body
 * itself, or the first of a list of such.  NULL for NULL.
 */
extern const BiJson *bi_verdict_error_of(const BiJson *body);

#endif							/* BI_VERDICT_H */
