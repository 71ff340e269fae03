/*
 * store/ceiling.h: what may be spent: budgets, and the max_cost of a job.
 */
#ifndef BI_CEILING_H
#define BI_CEILING_H

#include "postgres.h"

#include "store/job.h"
#include "utils/numeric.h"

/* What happens when more would be spent than a limit allows.  The words of SQL are in budget.c. */
typedef enum BiOnExceed
{
	BI_ON_EXCEED_REFUSE,		/* submit raises an error; what was submitted before is not sent */
	BI_ON_EXCEED_WAIT,			/* it is sent when there is money again */
	BI_ON_EXCEED_WARN			/* it is sent, and reported */
} BiOnExceed;

/* A budget that batch_set_budget sets.  A variable of its caller. */
typedef struct BiBudget
{
	Oid			role;			/* whose jobs it counts, with those of its members; 0: of all */
	Oid			server;			/* 0: all servers */
	const char *server_name;	/* NULL: all */
	const char *period;			/* day, week, month, total */
	Numeric		amount;			/* US dollars */
	BiOnExceed	on_exceed;
} BiBudget;

/* A limit that leaves too little.  Amounts are texts, in US dollars. */
typedef struct BiCeiling
{
	char	   *name;			/* with what it is for, for a message */
	bool		is_budget;		/* false: it is the job's max_cost */
	char	   *amount;
	Numeric		limit;			/* the amount, as a number */
	char	   *spent;
	char	   *reserved;		/* for batches under way */
	BiOnExceed	on_exceed;
	TimestampTz until;			/* when its period ends; DT_NOEND: never */
	bool		is_spent;		/* it leaves too little even if nothing reserved is spent */
} BiCeiling;

/* True if a batch of that cost never fits, even at the beginning of a period. */
extern bool bi_ceiling_never_fits(const BiCeiling *ceiling, Numeric need);

/* Returns an amount as messages show it.  Needs no SPI. */
extern char *bi_ceiling_text(Numeric amount);

/* The words for on_exceed, NULL behind the last one. */
extern const char *const bi_ceiling_words[];

/* All of this needs SPI and a transaction. */

/* True if the tables have what this needs: false until ALTER EXTENSION UPDATE. */
extern bool bi_ceiling_exists(void);

/* Sets the budget, which replaces the one for the same role, server and period.  Returns its id. */
extern int64 bi_ceiling_set(const BiBudget *budget);

/* Removes the budget.  False if there is none with that id. */
extern bool bi_ceiling_drop(int64 id);

/*
 * Returns the limits of the job that leave less than need for something more, as a list of
 * BiCeiling in the current context: those that refuse first, then those that wait.  With need NULL,
 * which is a cost that is not known, these are all of its limits.
 */
extern List *bi_ceiling_exceeded(const BiJob *job, Numeric need);

/* The same for what is spent already: limits that were passed. */
extern List *bi_ceiling_passed(const BiJob *job);

/*
 * Sets aside that amount for the chunk, in the transaction that claims it.  It ends with the save
 * by which the chunk leaves the states of bi_state_reserves.
 */
extern void bi_ceiling_reserve(int64 chunk_id, Numeric amount);

/* Makes chunks due that wait for money which this job might have left over: the oldest, one of a
 * job. */
extern void bi_ceiling_wake(const BiJob *job);

#endif							/* BI_CEILING_H */
