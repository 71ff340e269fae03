/*
 * engine/step.h: one chunk's next move, from its claim to what it saves.
 */
#ifndef BI_STEP_H
#define BI_STEP_H

#include "postgres.h"

#include "base/blot.h"
#include "base/http.h"
#include "base/spool.h"
#include "engine/fault.h"
#include "engine/xact.h"
#include "lib/ilist.h"
#include "provider/provider.h"
#include "provider/registry.h"
#include "store/pause.h"

typedef struct BiStep BiStep;
typedef struct BiStepExchange BiStepExchange;
typedef struct BiDeliver BiDeliver;

/* A piece of work of a step: local, bounded, with no transaction open when it is called. */
typedef void (*BiStepWork) (BiStep *step);

/* Reads the reply of an exchange that is over.  The exchange is freed when it returns. */
typedef void (*BiStepReply) (BiStepExchange *exchange);

/* Takes an exchange that was never sent, because its login failed with that verdict: it had no
 * effect.  Freed as above. */
typedef void (*BiStepUnsent) (BiStepExchange *exchange, const BiVerdict *verdict);

/* What a step does.  A move may hand over to another one: poll to find, cancel to poll. */
typedef enum BiMove
{
	BI_MOVE_NONE,				/* the claim has saved all there was to do */
	BI_MOVE_REWRITE,			/* repeats waiting writes; no call of the provider */
	BI_MOVE_COPY,				/* delivers copies of answers that are here; the same */
	BI_MOVE_UPLOAD,
	BI_MOVE_CREATE,
	BI_MOVE_FIND,
	BI_MOVE_POLL,
	BI_MOVE_CANCEL,
	BI_MOVE_FETCH,				/* with the delivery of what it has fetched */
	BI_MOVE_CLEAN
} BiMove;

/*
 * What came of a move, beside the chunk's own members.  bi_step_begin_save empties it, the move
 * fills it, and the transaction of bi_step_save writes it.
 */
typedef struct BiStepSave
{
	bool		keep_claim;		/* the step goes on after the save */
	int64		delay_ms;		/* the chunk is due again after this time */
	BiWait		wait;			/* why the chunk waits */
	char	   *error;			/* the chunk's error; NULL keeps the last one */
	char	   *event;			/* a word for batchinf.event; NULL writes no line there */
	char	   *detail;			/* of the event; may be NULL */
	int			status;			/* of the event: the reply's HTTP status, or 0 */
	char	   *request_id;		/* of the event: the provider's, or NULL */
	bool		server_works;	/* the server answered as it should: ends its pause */
	bool		frees_room;		/* the server can take more: wakes chunks that wait for that */
	int64		pause_ms;		/* > 0: no calls there for this owner, for this time */
	BiPauseCause pause_cause;
	TimestampTz pause_asked;	/* when the call was sent that failed; 0: none was */
	void		(*on_save) (BiStep *step, void *arg);	/* writes more in the same transaction;
														 * may be NULL */
	void	   *on_save_arg;	/* in the step's context */
} BiStepSave;

/*
 * An exchange of a step: one request of a move, and the login that it may need first.
 *
 * bi_step_add_exchange makes it, call.c sends it and frees it once its reply was read.  From
 * send to reply it is in step->exchanges.  The HTTP exchange that is under way has it as its
 * owner.  All of it is in cxt, whose reset wipes proof and login_cursor.
 */
struct BiStepExchange
{
	MemoryContext cxt;
	BiStep	   *step;
	BiExchange *ex;				/* what the move asks */
	BiExchange *login;			/* a login that goes first, while it is under way; else NULL */
	BiStepReply on_reply;		/* reads the reply of ex */
	void	   *arg;			/* the move's own, for on_reply; may be NULL */
	char	   *proof;			/* the token that ex was authorized with; NULL: the secret itself */
	char	   *login_cursor;	/* where a login of several requests goes on; may be secret.  NULL:
								 * at its first one */
	TimestampTz sent_at;		/* when ex or login, whichever is under way, was started */
	TimestampTz unwanted_at;	/* when watch.c first saw that nobody wants it; 0 if it is wanted */
	int64		seen_moved;		/* bytes that had moved when watch.c looked last */
	bool		is_dropped;		/* its step has ended: nobody reads its reply */
	bool		is_under_way;	/* it is in step->exchanges */
	dlist_node	node;			/* there */
};

/*
 * The share of one piece of work in which code of the job's owner runs: triggers, policies, checks
 * of a schema, paths.  share.c sets it before each such piece; the piece sets what it has written.
 */
typedef struct BiStepShare
{
	TimestampTz until;			/* the owner's code may run until then ... */
	TimestampTz wanted_until;	/* ... and until then once is_wanted says so */
	bool		(*is_wanted) (void);	/* true if others want this process; may be NULL.  Asked in
										 * a signal handler */
	bool		is_cut;			/* until leaves them less than batchinf.write_timeout */
	int			rows;			/* at most this many results in one transaction */
	int64		written;		/* by the piece: rows that were written ... */
	int64		written_us;		/* ... and the time that this took, in microseconds */
} BiStepShare;

/*
 * A claimed chunk that is being worked on.  claim.c makes it, drive.c turns it until it is over,
 * then frees it.  Everything that belongs to one move only is in that move's own struct.
 */
struct BiStep
{
	/* Set by the claim, for the life of the step. */
	MemoryContext cxt;			/* freed with the step */
	BiXactMode	mode;
	BiHttp	   *http;
	BiFaults   *process_faults; /* of the loop that turns this step */
	BiChunk    *chunk;			/* as the move wants it to be saved */
	BiJob	   *job;
	BiServer   *server;			/* NULL where the move calls no provider */
	const BiProvider *provider;
	BiLimits	limits;			/* of this server and model */
	BiCall		call;			/* for routines of the provider that need no cursor */
	char	   *secret;			/* wiped with the step */
	BiBlot	   *blot;			/* blots out secret and all proofs used so far; or NULL */
	char	   *account;		/* digest of address and key, salted with the intent */
	int			server_failures;	/* how often in a row the server was throttled before */

	BiWish		wish;			/* what the owner wanted at the claim, or when watch.c ended an
								 * exchange for it */
	BiChunkState saved_state;	/* the chunk's state in the table */
	bool		is_quiet;		/* it began as a quiet poll (quiet.c) */
	bool		is_unclaimed;	/* no claim is in the table yet: its first save claims the chunk */
	TimestampTz base;			/* of a quiet poll: next_step_at of the chunk as it was read */

	/* What it does next.  Over once work is NULL and exchanges is empty. */
	BiStepWork	work;
	TimestampTz not_before;		/* work is not called before; 0: at once */
	dlist_head	exchanges;		/* BiStepExchange that are under way */
	BiStepShare share;			/* of a piece that runs code of the owner */

	/* The save under way. */
	BiStepSave	save;
	BiStepWork	after_save;		/* the work after it, if save.keep_claim */
	int			save_failures;	/* how often this save has failed */
	bool		saves_failure;	/* the save says only that the step has failed */
	char	   *let_go_reason;	/* why it saves nothing but the end of its claim; NULL: saves all */
	int64		let_go_ms;		/* the chunk is due again after this time */

	/* The move, and its parts. */
	BiMove		move;
	void	   *move_data;		/* the move's own struct, in cxt; NULL if it has none */
	BiStepUnsent on_unsent;		/* the same routine for all moves of a route */
	struct BiRender *render;	/* request lines, in a move that needs them */
	BiDeliver  *deliver;		/* results, in BI_MOVE_FETCH, BI_MOVE_COPY and BI_MOVE_REWRITE */
};

/* For drive.c. */

/* Does the next piece of work.  Raises a cancel of the session only: every other error ends the
 * step, and its chunk keeps the reason. */
extern void bi_step_work(BiStep *step);

/* Runs code(arg) in the same way, in the step's context. */
extern void bi_step_guard(BiStep *step, void (*code) (void *arg), void *arg);

/* True if nothing is left to do. */
extern bool bi_step_is_over(const BiStep *step);

/* Drops what is under way of it: it is over as soon as http.c has handed that back. */
extern void bi_step_drop(BiStep *step);

/* Wipes its secrets and frees it.  No transfer may fill its exchanges any more. */
extern void bi_step_free(BiStep *step);

/* Returns one line for pg_stat_activity. */
extern const char *bi_step_describe(const BiStep *step);

/* For claims, in the claim's transaction. */

/* The chunk stays in the state it is in, is due again after delay_ms, and says why. */
extern void bi_step_wait(BiStep *step, BiWaitKind kind, const char *words, int64 delay_ms);

/* Writes the state that says what may be under way from now on; a quiet poll, whose state stays,
 * writes nothing.  The step goes on with work. */
extern void bi_step_claim(BiStep *step, BiChunkState state, BiStepWork work);

/* For moves. */

/* Begins a move: returns its own struct of that size, zeroed, in the step's context; NULL if size
 * is 0. */
extern void *bi_step_begin_move(BiStep *step, BiMove move, Size size);

/* Returns a new exchange of the step, not sent yet.  One that is never sent is freed with the
 * step. */
extern BiStepExchange *bi_step_add_exchange(BiStep *step);

/* Returns what is under way of it, or was just answered: its login or its own request. */
extern BiExchange *bi_step_current(const BiStepExchange *exchange);

/* Begins a save: returns step->save with all members empty. */
extern BiStepSave *bi_step_begin_save(BiStep *step);

/*
 * Saves the chunk as it is now, with step->save.  Then the step goes on with that work if
 * save.keep_claim, else it is over.  What fails is tried again; paid work is not forgotten.
 */
extern void bi_step_save(BiStep *step, BiStepWork then);

/*
 * Ends the claim and saves nothing else: the chunk stays in the state that its claim saved, as
 * after a crash, and is due again delay_ms later, with reason.
 */
extern void bi_step_let_go(BiStep *step, const char *reason, int64 delay_ms);

/* What cannot go on now is tried again after this time. */
#define BI_STEP_AGAIN_MS 30000

#endif							/* BI_STEP_H */
