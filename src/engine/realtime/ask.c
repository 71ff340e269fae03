/*
 * engine/realtime/ask.c: single requests, answered at once, inside a user's own statement.
 *
 * A window of exchanges over one libcurl multi handle, whose connections are used again:
 *
 *     send_due     records whose time has come go out, while the window has room
 *     turn         bytes move; between two turns the statement can be interrupted
 *     take         replies become answers, another try, or the end of all
 *     settle       an answer is accepted and given to the caller; its memory goes
 *
 * The window ends when each record has its answer, when the deadline has passed, or when a reply
 * says what holds for all records.  Then those that are left get that reason.  Memory holds the
 * replies of one window; the rest is the caller's.
 *
 * Knows no provider by name, no table and no SQL.
 */
#include "postgres.h"

#include <time.h>

#include "base/http.h"
#include "engine/realtime/ask.h"
#include "engine/results/accept.h"
#include "miscadmin.h"
#include "provider/answer.h"
#include "provider/verdict.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* A record is sent so often at most. */
#define TRIES_MAX 4

/* The longest wait between two looks at the clock. */
#define TURN_MS 250

/* All of one call of bi_ask.  On its stack. */
typedef struct Window
{
	const BiAsking *asking;
	BiAsk	   *asks;
	int			n;
	int			over;			/* how many of them have been settled */
	MemoryContext cxt;			/* of http; NULL once nothing is under way any more */
	BiHttp	   *http;
	BiFrame		frame;
	BiBlot	   *blot;
	BiAccept   *accept;
	char	   *proof;			/* the secret, or a token for it */
} Window;

static BiCall
call_of(const Window *window)
{
	BiCall		call = bi_direct_call(window->asking->direct);

	call.job = window->asking->job;
	return call;
}

/* Answers */

/* Gives the answer to the caller and frees it. */
static void
settle(Window *window, BiAsk *ask, bool is_damaged)
{
	MemoryContext old = MemoryContextSwitchTo(ask->cxt);

	bi_accept_answer(window->accept, &ask->answer, is_damaged);
	MemoryContextSwitchTo(old);
	ask->is_over = true;
	window->over++;
	window->asking->on_answer(ask, window->asking->arg);
	MemoryContextDelete(ask->cxt);
	ask->cxt = NULL;
}

/* Renders the record's body, unless it was sent before. */
static void
prepare(Window *window, BiAsk *ask)
{
	StringInfoData body;
	MemoryContext old;

	if (ask->cxt)
		return;
	ask->cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf ask",
									 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(ask->cxt);
	initStringInfo(&body);
	bi_frame_append(&body, &window->frame, "", ask->input);
	ask->body = body.data;
	MemoryContextSwitchTo(old);
}

/* Settles a record that has no answer, for that reason. */
static void
deny(Window *window, BiAsk *ask, const BiVerdict *verdict)
{
	BiCall		call = call_of(window);
	MemoryContext old;

	prepare(window, ask);
	old = MemoryContextSwitchTo(ask->cxt);
	bi_answer_begin(&call, &ask->answer);
	bi_answer_deny(&ask->answer, verdict);
	MemoryContextSwitchTo(old);
	settle(window, ask, false);
}

/* Ends all that is under way. */
static void
hang_up(Window *window)
{
	MemoryContext cxt = window->cxt;

	window->cxt = NULL;
	window->http = NULL;
	if (cxt)
		MemoryContextDelete(cxt);
}

/* Settles all records that are not, for that reason: the window is over. */
static void
deny_rest(Window *window, const BiVerdict *verdict)
{
	BiVerdict	reason = *verdict;

	hang_up(window);			/* before the records' memory goes, and with it the words */
	reason.code = pstrdup(verdict->code);
	reason.message = pstrdup(verdict->message);
	for (int i = 0; i < window->n; i++)
		if (!window->asks[i].is_over)
			deny(window, &window->asks[i], &reason);
}

/* Sending */

static void
send_one(Window *window, BiAsk *ask)
{
	const BiDirect *direct = window->asking->direct;
	BiCall		call = call_of(window);
	MemoryContext old;
	BiExchange *ex;

	prepare(window, ask);
	old = MemoryContextSwitchTo(ask->cxt);
	ex = bi_direct_exchange(direct, AllocSetContextCreate(ask->cxt, "batchinf ask exchange",
														   ALLOCSET_DEFAULT_SIZES));
	ex->owner = ask;
	ex->patience_ms = bi_direct_left_ms(direct);
	appendStringInfoString(&ex->head, ask->body);
	direct->provider->realtime->request(&call, ex);
	if (strcmp(ask->body, ex->head.data) != 0)	/* a body that was written for batches */
		ask->body = pstrdup(ex->head.data);
	direct->provider->login->authorize(&call, window->proof, ex);
	INSTR_TIME_SET_CURRENT(ask->started_at);
	ask->seconds = -1;
	ask->tries++;
	ask->is_under_way = true;
	bi_http_start(window->http, ex);
	MemoryContextSwitchTo(old);
}

static void
send_due(Window *window)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < window->n; i++)
	{
		BiAsk	   *ask = &window->asks[i];

		if (bi_http_running(window->http) >= window->asking->at_once)
			return;
		if (!ask->is_over && !ask->is_under_way && ask->due_at <= now)
			send_one(window, ask);
	}
}

/* Replies */

/* True if the record is to be sent again: sets when. */
static bool
may_repeat(const Window *window, BiAsk *ask, const BiExchange *ex, const BiVerdict *verdict)
{
	int64		asked_ms = bi_exchange_retry_after(ex, (int64) time(NULL));
	int64		wait_ms = verdict->wait_ms;

	if (verdict->kind != BI_VERDICT_DEFER && verdict->kind != BI_VERDICT_NOT_YET)
		return false;
	if (asked_ms > 0)
		wait_ms = asked_ms;
	if (wait_ms <= 0)
		wait_ms = (int64) 1000 << (ask->tries - 1);
	ask->due_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);
	return ask->tries < TRIES_MAX && ask->due_at < window->asking->direct->deadline;
}

static double
seconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

/* Reads the reply into the record's answer, and sets *verdict. */
static void
read_reply(const Window *window, BiAsk *ask, const BiExchange *ex, BiResultLine *line,
		   BiVerdict *verdict)
{
	const BiProvider *provider = window->asking->direct->provider;
	const char *header = provider->defaults.request_id_header;
	BiCall		call = call_of(window);
	const char *id = bi_exchange_reply_header(ex, header ? header : "x-request-id");

	*verdict = provider->realtime->read(&call, ex, line);
	if (verdict->kind != BI_VERDICT_OK)
	{
		bi_answer_begin(&call, &line->answer);
		bi_answer_deny(&line->answer, verdict);
	}
	ask->answer = line->answer;
	if (ask->answer.request_id == NULL && id)
		ask->answer.request_id = pstrdup(id);
}

static void
take(Window *window, BiExchange *ex)
{
	BiAsk	   *ask = ex->owner;
	MemoryContext old = MemoryContextSwitchTo(ask->cxt);
	BiResultLine line;
	BiVerdict	verdict;
	bool		repeat;

	ask->is_under_way = false;
	if (ex->transport == BI_TRANSPORT_REPLIED)
		ask->seconds = seconds_since(ask->started_at);
	/* Some providers quote the key that they refuse. */
	bi_exchange_scrub(ex, window->asking->secret);
	bi_exchange_scrub(ex, window->proof);
	read_reply(window, ask, ex, &line, &verdict);
	MemoryContextSwitchTo(old);
	repeat = may_repeat(window, ask, ex, &verdict);
	MemoryContextDelete(ex->cxt);
	if (repeat)
		return;
	if (verdict.kind == BI_VERDICT_DENIED || verdict.kind == BI_VERDICT_ABSENT)
		deny_rest(window, &verdict);	/* and this one: its answer says the same */
	else
		settle(window, ask, verdict.kind == BI_VERDICT_OK && line.state == BI_LINE_REPAIRED);
}

static void
turn(Window *window)
{
	int			left_ms = Min(bi_direct_left_ms(window->asking->direct), TURN_MS);

	if (bi_http_running(window->http) > 0)
		bi_http_turn(window->http, left_ms);
	else
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left_ms,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	CHECK_FOR_INTERRUPTS();
}

static void
run(Window *window)
{
	static const BiVerdict late = {
		.kind = BI_VERDICT_UNCLEAR,
		.code = "timeout",
		.message = "no answer came within the time for the whole call"
	};

	while (window->over < window->n)
	{
		BiExchange *ex;

		send_due(window);
		turn(window);
		while (window->http && (ex = bi_http_next(window->http)) != NULL)
			take(window, ex);
		if (window->http && bi_direct_left_ms(window->asking->direct) == 0)
			deny_rest(window, &late);
	}
}

/* Logs in.  False, with all records settled, if there is no proof. */
static bool
login(Window *window)
{
	const BiAsking *asking = window->asking;
	BiExchange *failed = NULL;
	BiVerdict	verdict = {0};

	bi_blot_add(window->blot, asking->secret);
	window->proof = bi_direct_login(asking->direct, bi_direct_guard(asking->secret), &failed,
									&verdict);
	if (window->proof == NULL)
		deny_rest(window, &verdict);
	else if (window->proof != asking->secret)
		bi_blot_add(window->blot, window->proof);
	return window->proof != NULL;
}

void
bi_ask(const BiAsking *asking, BiAsk *asks, int n)
{
	const BiDirect *direct = asking->direct;
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "batchinf asking",
											  ALLOCSET_DEFAULT_SIZES);
	Window		window = {.asking = asking, .asks = asks, .n = n, .cxt = cxt};

	window.blot = bi_blot_new(CurrentMemoryContext);
	window.accept = bi_accept_new(asking->job, window.blot);
	direct->provider->realtime->frame(&asking->job->spec, direct->server, &window.frame);
	if (!login(&window))
		return;
	PG_TRY();
	{
		window.http = bi_http_new(cxt);
		run(&window);
	}
	PG_FINALLY();
	{
		hang_up(&window);
	}
	PG_END_TRY();
}
