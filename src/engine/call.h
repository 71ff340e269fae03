/*
 * engine/call.h: a step's calls of the provider: sent with their proof, read when they are over.
 */
#ifndef BI_CALL_H
#define BI_CALL_H

#include "engine/step.h"

/*
 * Sends an exchange (of bi_step_add_exchange) that is ready except for its proof, after a login
 * where that is needed.  on_reply reads the reply; if the login fails, step->on_unsent is called
 * instead.  Every call of either is the last thing done with the exchange: it is freed then.
 */
extern void bi_call_send(BiStepExchange *exchange, BiStepReply on_reply);

/* Takes an exchange that http.c has handed back: its own reply, or that of its login.  For
 * drive.c; errors as in bi_step_work. */
extern void bi_call_reply(BiStepExchange *exchange);

/* The requests of one routine that asks several times, such as a list of many pages.  Zeroed at
 * first; owned by its move. */
typedef struct BiSeries
{
	char	   *cursor;			/* where the next request goes on; NULL for the first one */
	int			answered;		/* replies that had a next one */
} BiSeries;

/* Returns the step's call with the cursor of the series. */
extern BiCall bi_call_of_series(const BiStep *step, const BiSeries *series);

/*
 * Notes the verdict on a reply.  True: send the next request.  False: this was the last one, or
 * it failed.  A series without an end becomes UNCLEAR.
 */
extern bool bi_call_next(BiSeries *series, BiVerdict *verdict);

#endif							/* BI_CALL_H */
