/*
 * base/http.c: many exchanges at once in one libcurl multi handle.
 *
 * Each turn returns from libcurl, so that CHECK_FOR_INTERRUPTS can do all its work between turns.
 * A transfer's context is a child of the set's context: a reset frees the transfers first, then the
 * multi handle.  Knows nothing about what the bytes mean.
 */
#include "base/transfer.h"

#include <signal.h>

#include "base/http.h"
#include "base/httpopt.h"
#include "base/spool.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#define TURN_MS_MAX 250

/* Of the time between two turns at most this much counts for transfers: what this process does
 * meanwhile is not the provider's slowness. */
#define COUNTED_MS_MAX 1000

struct BiHttp
{
	MemoryContext cxt;
	CURLM	   *multi;
	int			live;			/* in multi */
	dlist_head	under_way;		/* those */
	int			nover;
	dlist_head	over;
	instr_time	turned_at;		/* the last turn */
	int64		clock_ms;		/* time that counts for transfers */
};

static void
release_multi(void *thing)
{
	curl_multi_cleanup(thing);
}

/* Calls libcurl with all signals blocked.  Its resolver threads inherit the signal mask, and no
 * signal handler may run in them. */
static void
perform_unsignalled(BiHttp *http)
{
	sigset_t	all;
	sigset_t	before;
	int			left;
	CURLMcode	code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = curl_multi_perform(http->multi, &left);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not move HTTP transfers: %s", curl_multi_strerror(code))));
}

static void
end_transfer(BiHttp *http, BiTransfer *transfer, CURLcode code)
{
	bi_transfer_finish(transfer, code);
	dlist_push_tail(&http->over, &transfer->node);
	http->nover++;
}

static void
end_live(BiHttp *http, BiTransfer *transfer, CURLcode code)
{
	dlist_delete(&transfer->node);
	http->live--;
	end_transfer(http, transfer, code);
}

static void
collect_transfers(BiHttp *http)
{
	CURLMsg    *msg;
	int			left;

	while ((msg = curl_multi_info_read(http->multi, &left)) != NULL)
	{
		CURLcode	code = msg->data.result;
		char	   *transfer = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &transfer);
		end_live(http, (BiTransfer *) transfer, code);
	}
}

static int64
elapsed_ms(instr_time since)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, since);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}

/* Ends the transfers that are too slow.  Comes after libcurl has read what is here. */
static void
end_slow(BiHttp *http)
{
	dlist_mutable_iter iter;

	http->clock_ms += Min(elapsed_ms(http->turned_at), COUNTED_MS_MAX);
	INSTR_TIME_SET_CURRENT(http->turned_at);
	dlist_foreach_modify(iter, &http->under_way)
	{
		BiTransfer *transfer = dlist_container(BiTransfer, node, iter.cur);

		if (bi_transfer_is_slow(transfer, http->clock_ms))
			end_live(http, transfer, CURLE_OPERATION_TIMEDOUT);
	}
}

BiHttp *
bi_http_new(MemoryContext parent)
{
	static bool initialized = false;
	MemoryContext cxt = AllocSetContextCreate(parent, "batchinf http", ALLOCSET_SMALL_SIZES);
	BiHttp	   *http = MemoryContextAllocZero(cxt, sizeof(BiHttp));

	if (!initialized && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		initialized = true;
	http->cxt = cxt;
	dlist_init(&http->over);
	dlist_init(&http->under_way);
	http->multi = initialized ? curl_multi_init() : NULL;
	if (http->multi == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize libcurl")));
	bi_foreign_own(cxt, http->multi, release_multi);
	return http;
}

static CURLcode
launch(BiTransfer *transfer, CURLM *multi)
{
	BI_TRY(bi_transfer_open(transfer));
	BI_TRY(bi_httpopt_set(transfer));
	return bi_transfer_launch(transfer, multi);
}

void
bi_http_start(BiHttp *http, BiExchange *ex)
{
	BiTransfer *transfer;
	CURLcode	code = CURLE_OK;

	if (ex->upload != NULL)
		bi_spool_flush(ex->upload);
	transfer = bi_transfer_new(http->cxt, ex);
	if (bi_httpopt_check(transfer))
		code = launch(transfer, http->multi);
	if (transfer->multi != NULL)
	{
		dlist_push_tail(&http->under_way, &transfer->node);
		http->live++;
	}
	else
		end_transfer(http, transfer, code);
}

int
bi_http_running(const BiHttp *http)
{
	return http->live + http->nover;
}

void
bi_http_turn(BiHttp *http, int timeout_ms)
{
	perform_unsignalled(http);
	collect_transfers(http);
	end_slow(http);
	if (http->live == 0 || http->nover > 0)
		return;
	pgstat_report_wait_start(PG_WAIT_EXTENSION);
	curl_multi_poll(http->multi, NULL, 0, Min(Max(timeout_ms, 0), TURN_MS_MAX), NULL);
	pgstat_report_wait_end();
}

void
bi_http_stop(BiHttp *http, const BiExchange *ex, const char *why)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &http->under_way)
	{
		BiTransfer *transfer = dlist_container(BiTransfer, node, iter.cur);

		if (transfer->ex != ex)
			continue;
		bi_transfer_give_up(transfer, BI_CAUSE_STOPPED, "%s", why);
		end_live(http, transfer, CURLE_ABORTED_BY_CALLBACK);
	}
}

BiExchange *
bi_http_next(BiHttp *http)
{
	BiTransfer *transfer;
	BiExchange *ex;

	if (http->nover == 0)
		return NULL;
	transfer = dlist_container(BiTransfer, node, dlist_pop_head_node(&http->over));
	http->nover--;
	ex = transfer->ex;
	bi_exchange_wipe(ex);
	MemoryContextDelete(transfer->cxt);
	return ex;
}

static void
run_until(BiHttp *http, BiExchange *ex, int timeout_ms)
{
	instr_time	begin;

	INSTR_TIME_SET_CURRENT(begin);
	bi_http_start(http, ex);
	while (bi_http_next(http) == NULL)
	{
		int64		left = timeout_ms - elapsed_ms(begin);

		if (left <= 0)
		{
			ex->transport = BI_TRANSPORT_BROKEN;
			ex->cause = BI_CAUSE_STALLED;
			ex->detail = MemoryContextStrdup(ex->cxt, "the reply took too long");
			return;
		}
		CHECK_FOR_INTERRUPTS();
		bi_http_turn(http, (int) Min(left, TURN_MS_MAX));
	}
}

void
bi_http_run(BiExchange *ex, int timeout_ms)
{
	MemoryContext cxt =
		AllocSetContextCreate(CurrentMemoryContext, "batchinf http run", ALLOCSET_SMALL_SIZES);

	PG_TRY();
	{
		run_until(bi_http_new(cxt), ex, timeout_ms);
	}
	PG_FINALLY();
	{
		MemoryContextDelete(cxt);
		bi_exchange_wipe(ex);
	}
	PG_END_TRY();
}
