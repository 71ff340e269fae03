/*
 * engine/step.h: one chunk's next move, from its claim to its record.
 *
 * A step is claimed in a transaction, then does pieces of local work and exchanges
 * in turn (no transaction is open while bytes travel), and ends with the record of
 * what came of it.  drive.c turns many steps at once.
 */
#ifndef BI_STEP_H
#define BI_STEP_H

#include "postgres.h"

#include "base/blot.h"
#include "base/http.h"
#include "base/spool.h"
#include "engine/fault.h"
#include "engine/xact.h"
#include "provider/provider.h"
#include "provider/registry.h"

typedef struct BiStep BiStep;
typedef struct BiDeliver BiDeliver;

typedef void (*BiStepWork) (BiStep *step);

/* What came of a step, until it is recorded. */
typedef struct BiRecordOf
{
	BiState		from;			/* as last recorded */
	bool		hold;			/* go on with this step once recorded */
	int64		delay_ms;		/* when the chunk is due again */
	char	   *waiting_for;	/* NULL: not waiting */
	char	   *error;			/* NULL: keep the last one */
	char	   *event;			/* NULL: nothing worth a line of history */
	char	   *detail;
	int			status;
	char	   *request_id;
	bool		heard;			/* the server answered sensibly: its pause is over */
	bool		room;			/* the batch no longer counts at the server */
	int64		pause_ms;		/* > 0: the server is paused … */
	Oid			pause_owner;	/* … for this owner's jobs only, or for all */
	bool		denied;			/* … because the key was refused */
	void		(*also) (BiStep *step); /* more of the same transaction */
} BiRecordOf;

struct BiStep
{
	MemoryContext cxt;			/* lives as long as the step; NULL once it is over */
	BiXactMode	mode;
	BiHttp	   *http;
	BiChunk    *chunk;
	BiJob	   *job;
	BiServer   *server;
	const BiProvider *provider;
	BiLimits	limits;
	BiCall		call;
	BiWish		wish;
	char	   *secret;			/* wiped when the step is over */
	BiBlot	   *blot;			/* secret, and each proof used so far; NULL without a server */
	char	   *account;		/* digest of address and key, salted with the intent */
	int			server_failures;

	/* what it does next: a piece of work, or an exchange under way */
	BiStepWork	work;			/* NULL while waiting for ex */
	TimestampTz not_before;		/* of work; 0: at once */
	BiExchange *ex;
	TimestampTz sent_at;		/* ex was started */
	TimestampTz unwanted_at;	/* watch.c saw that ex is not wanted any more; 0: it is */
	int64		moved;			/* ex->moved when watch.c looked last */
	BiStepWork	reply;			/* called when ex is over */
	BiExchange *behind;			/* what goes on once the login that is under way is over … */
	BiStepWork	behind_login;	/* … and who reads it */
	char	   *login_cursor;	/* of a login of several requests; may be secret */
	char	   *proof;			/* what the exchange under way was authorized with; wiped with its reply */
	void		(*unsent) (BiStep *step, const BiVerdict *verdict); /* … or who takes it that the login failed */

	BiRecordOf	record;
	BiStepWork	after_record;	/* goes on there when record.hold */
	BiFaults   *process_faults;			/* of the loop that turns this step */
	int			record_failures;	/* how often this record has failed */
	bool		failing;		/* the record says only that the step has failed */
	char	   *let_go;			/* why nothing is recorded but the end of the claim; NULL: all is */
	int64		let_go_ms;		/* the chunk is due again so much later */
	bool		rewrites;		/* the step only repeats writes: the chunk's own next step stands */

	/* what the moves themselves keep */
	char	   *cursor;			/* find: where to go on */
	List	   *candidates;		/* find: ids still to be looked into */
	List	   *running;		/* find: ids that cannot be told before they have ended */
	bool		pending;		/* find: one cannot be told yet */
	bool		complete;		/* find: the list told all there is */
	int			part;			/* fetch: of the results; cleaning: which thing */
	int			turns;			/* requests of one routine so far */
	List	   *spools;			/* fetched parts, BiSpool */
	bool		partial;		/* the job was cancelled, and what has come of its results is all that is wanted */
	List	   *faults;			/* of a batch that was refused, BiFault */
	struct BiRender *render;
	BiDeliver  *deliver;
};

/* Does the next piece of work. */
extern void bi_step_work(BiStep *step);

/* Takes the exchange that is over. */
extern void bi_step_reply(BiStep *step);

/* Nothing is left to do: frees it. */
extern bool bi_step_over(const BiStep *step);
extern void bi_step_free(BiStep *step);

/* One line for pg_stat_activity. */
extern const char *bi_step_describe(const BiStep *step);

/* For those who fill a step with moves. */

/* Sends a request that a provider routine writes. */
extern BiExchange *bi_step_exchange(BiStep *step);
extern void bi_step_send(BiStep *step, BiStepWork reply);

/* A routine of several requests begins … */
extern void bi_step_begin_turns(BiStep *step);

/* … and goes on: true where its verdict says so, with the cursor for the next one.  One that
 * does not end becomes UNCLEAR. */
extern bool bi_step_next_turn(BiStep *step, BiVerdict *verdict);

/* Records step->record with the chunk as it is now, then goes on or ends. */
extern void bi_step_record(BiStep *step, BiStepWork then);

/*
 * Ends the claim and records nothing else: the chunk stays in the state that its claim
 * recorded, as after a crash, and is due again delay_ms later, with reason.
 */
extern void bi_step_let_go(BiStep *step, const char *reason, int64 delay_ms);

/* Starts a record: all fields empty, from the state that is recorded now. */
extern BiRecordOf *bi_step_begin_record(BiStep *step);

/* What cannot go on now looks again then. */
#define BI_STEP_AGAIN_MS 30000

#endif							/* BI_STEP_H */
