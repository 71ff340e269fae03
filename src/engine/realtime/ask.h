/*
 * engine/realtime/ask.h: single requests, answered at once, inside a user's own statement.
 */
#ifndef BI_ASK_H
#define BI_ASK_H

#include "engine/direct.h"
#include "portability/instr_time.h"
#include "store/outcome.h"

/*
 * One record that is asked about.  The caller zeroes it, sets number and input, and owns it; bi_ask
 * sets the rest.  What the rest points to is valid during on_answer only.
 */
typedef struct BiAsk
{
	int			number;			/* the caller's */
	const char *input;			/* what the record is sent as */
	char	   *body;			/* of the request */
	BiAnswer	answer;			/* it has an outcome, also if the record was not sent */
	double		seconds;		/* from the request to its whole reply; -1 if there was none */

	/* Of ask.c. */
	MemoryContext cxt;			/* body and answer; NULL before the first try and at the end */
	int			tries;
	bool		is_under_way;
	bool		is_over;
	TimestampTz due_at;			/* of the next try */
	instr_time	started_at;		/* the last try */
} BiAsk;

/* What bi_ask needs.  A variable of the caller. */
typedef struct BiAsking
{
	const BiDirect *direct;		/* its server as bi_registry_realtime makes it */
	const BiJob *job;			/* as bi_registry_realtime makes it; it need not be stored */
	char	   *secret;			/* of the user mapping; wiped at the end of the statement */
	int			at_once;		/* the most exchanges at the same time */
	void		(*on_answer) (BiAsk *ask, void *arg);	/* called once for each, in any order */
	void	   *arg;
} BiAsking;

/*
 * Sends n records, each as a request of its own, and calls on_answer as their answers come,
 * accepted as engine/results/accept.h says.  A record that has no answer at the deadline is errored
 * with that reason, as any other without one.  After a reply that holds for all of them (a bad key,
 * no such model) no more are sent.  What had no effect, such as a refusal for load, is sent again
 * until the deadline, a few times; what may have been paid for is not.
 *
 * Interruptible; nothing is under way when it returns or raises an error.
 */
extern void bi_ask(const BiAsking *asking, BiAsk *asks, int n);

#endif							/* BI_ASK_H */
