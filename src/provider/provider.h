/*
 * provider/provider.h: the contract of a provider.
 *
 * A provider is a set of routine tables that know one API's shapes and nothing else: no I/O, no
 * SQL, no clock, no state.  Routines write requests from plain values and read replies into plain
 * values; all that they return is palloc'd in the current memory context.  Strings are UTF-8, both
 * ways.
 *
 * There is a table for each thing that a provider does: "job" (what can be sent, and in which
 * shape), "login" (who calls), "batch" (from the upload to the clean-up), "realtime" (one record,
 * answered at once), "check" (are key and model good).  Most routines are pairs: one writes a
 * request into a BiExchange, the engine carries it, and the one whose name begins with "read" reads
 * the reply.  A reader returns a BiVerdict (verdict.h) and sets its other results if that is OK.
 * No routine raises an error for what a reply holds.
 */
#ifndef BI_PROVIDER_H
#define BI_PROVIDER_H

#include "postgres.h"

#include "base/exchange.h"
#include "provider/frame.h"
#include "provider/verdict.h"
#include "store/chunk.h"
#include "store/job.h"
#include "store/result.h"
#include "store/server.h"

typedef struct BiProvider BiProvider;

/*
 * All that a routine may look at.  The caller of the routine makes it and owns what it points to;
 * job and chunk are NULL where the call concerns none, as in a login or a check.
 */
typedef struct BiCall
{
	const BiProvider *provider; /* whose routine it is */
	const BiJob *job;
	const BiServer *server;
	const BiChunk *chunk;
	const char *cursor;			/* for a routine that asks several times: NULL at first, then what
								 * its last verdict had as next */
	int64		now;			/* the time in Unix seconds, which signatures need */
} BiCall;

/* The reference that holds how many lines the results have, all files together. */
#define BI_REF_LINES "lines"

/* Where a batch stands at the provider. */
typedef enum BiBatchState
{
	BI_BATCH_WAITING,			/* accepted, validated, queued; also any word that we do not know */
	BI_BATCH_RUNNING,
	BI_BATCH_COMPLETED,
	BI_BATCH_FAILED,			/* refused as a whole: see faults */
	BI_BATCH_EXPIRED,
	BI_BATCH_CANCELLED
} BiBatchState;

/* One thing that is wrong with a batch. */
typedef struct BiFault
{
	char	   *code;			/* the provider's, never NULL */
	char	   *message;		/* in words, never NULL */
	int64		line;			/* of the input, from 1; 0: it is about the whole batch */
} BiFault;

/* What a reply to create or poll reports of a batch.  Lives as long as the reply's exchange. */
typedef struct BiBatchReport
{
	BiBatchState state;
	char	   *id;				/* NULL if the reply does not have it */
	List	   *refs;			/* of BiRef: to be added to the chunk's */
	List	   *faults;			/* of BiFault; without FAILED: what the user should read of it */
	bool		deferred;		/* FAILED for quota, load or money, not for its content: create it
								 * again later */
	int64		completed;		/* requests that succeeded, for progress only; -1 if unknown */
	int64		failed;			/* requests that failed, for progress only; -1 if unknown */
} BiBatchReport;

/*
 * What one page of a search for the chunk's batch shows.  If a list cannot show the intent, the
 * batches that have ended and may be it are candidates: their results decide (peek).  Lives as long
 * as the reply's exchange.
 */
typedef struct BiFound
{
	char	   *batch_id;		/* the batch, for certain; NULL: it is not on this page */
	List	   *twins;			/* of char *: ids that are the batch too, for certain: the create
								 * call had its effect twice */
	char	   *cursor;			/* where to go on; NULL: that was the last page */
	bool		complete;		/* with the last page: "not found" proves that it is not there */
	List	   *candidates;		/* of char *: ids that may be the batch, and have ended */
	List	   *pending;		/* of char *: ids that may be the batch, and have no results yet */
} BiFound;

/* How much of a line could be read. */
typedef enum BiLineState
{
	BI_LINE_WHOLE,
	BI_LINE_REPAIRED,			/* U+FFFD was read for each byte that is not UTF-8 */
	BI_LINE_UNREADABLE			/* at most whose answer it is could be read */
} BiLineState;

/*
 * One line of a results file: an answer, and what tells whose it is.
 *
 * read_line fills it; it lives until the line's record has been found.  The record is found by
 * custom_id, or else by fingerprint.  A line with neither is malformed.
 */
typedef struct BiResultLine
{
	char	   *custom_id;
	char	   *fingerprint;	/* of the request that it answers; only if there is no custom_id */
	const char *channel;		/* by which of the API's ways custom_id or fingerprint came, as a
								 * word; NULL if the API has one way */
	BiLineState state;
	BiAnswer	answer;
} BiResultLine;

/* What one batch, and all batches of a server, may have.  The server's options override them. */
typedef struct BiLimits
{
	int64		max_requests;	/* a batch */
	int64		min_requests;	/* a batch */
	int64		max_bytes;		/* of a batch's input */
	int64		max_batches;	/* in flight; 0: the provider has no limit */
	int64		max_enqueued_tokens;	/* 0: not known */
	int64		max_enqueued_requests;	/* 0: not known */
	int64		max_files;		/* inputs that are at the provider; 0: not known */
	int64		poll_interval;	/* seconds between two polls of a batch */
	int64		expires_after;	/* seconds that an upload lives; 0: it gets no end */
	int64		settle_time;	/* seconds until the list surely shows a batch; 0: as the setting */
} BiLimits;

/*
 * What a provider brings before any job is known.  Names of options are lists up to a NULL: DDL
 * refuses an option that is in no list of the provider, and a user mapping that has such an
 * option nevertheless is never used.
 */
typedef struct BiProviderDefaults
{
	const char *base_url;		/* NULL: each server must give one */
	const char *request_id_header;	/* the reply's header that holds the request's id; NULL:
									 * x-request-id */
	BiLimits	limits;			/* for every model */

	/* Changes the limits that are different for this model.  NULL: none is. */
	void		(*limit_model) (const char *model, BiLimits *limits);

	const char *const *server_options;	/* beside those that every provider takes */
	const char *const *required_options;	/* those of server_options that must be set; or NULL */
	const char *const *mapping_options;
	const char *storage_prefix; /* each storage_url begins with it; NULL: any will do */
} BiProviderDefaults;

/* From a job to its request lines: what can be sent, and in which shape. */
typedef struct BiProviderJob
{
	/*
	 * Returns the word by which the job keeps its endpoint (a constant), NULL for the usual
	 * one.  body is the job's first where the query returns whole bodies, else NULL.  The
	 * routine itself is NULL if the provider has one endpoint a task.
	 */
	const char *(*choose_endpoint) (const BiSpec *spec, const BiServer *server, const char *body);

	/* Returns why this job cannot be done here at all (lower case, no period), or NULL. */
	char	   *(*refuse_job) (const BiSpec *spec, const BiServer *server);

	/* Returns why this input (of kind MESSAGES or BODY) cannot be sent, or NULL. */
	char	   *(*refuse_input) (const BiSpec *spec, const char *input);

	/*
	 * Returns how many numbers each embedding of the job has, 0 if that is not certain.  NULL:
	 * it never is.
	 */
	int			(*embedding_size) (const BiSpec *spec);

	/* Sets the shape of this job's request lines. */
	void		(*frame) (const BiSpec *spec, const BiServer *server, BiFrame *frame);
} BiProviderJob;

/* Who calls: from a user mapping to what each request carries as proof. */
typedef struct BiProviderLogin
{
	/*
	 * Returns the secret that this mapping means, palloc'd, or NULL with *why in one line that
	 * quotes nothing.  host is NULL if the mapping may not use what the machine has.  The
	 * routine itself is NULL where bi_secret_read does it.
	 */
	char	   *(*secret) (const BiServer *server, const BiHost *host, char **why);

	/*
	 * Returns a text for whose batches this server and secret see: when it changes, "not found"
	 * proves nothing.  NULL: address, organization, project and the secret itself.
	 */
	char	   *(*account) (const BiCall *call, const char *secret);

	/*
	 * Writes the request that exchanges the secret for a token; false if this server's secret
	 * is used as it is.  read_token returns the token, palloc'd, with its lifetime in seconds.
	 * The engine keeps it in memory only, until shortly before its end, and gives it to authorize
	 * in the secret's place.  An address that comes from the mapping, not from the server, is
	 * asked only as server->may_use_host allows.  NULL: secrets are always used as they are.
	 */
	bool		(*request_token) (const BiCall *call, const char *secret, BiExchange *ex);
	BiVerdict	(*read_token) (const BiCall *call, const char *secret, const BiExchange *ex,
							   char **token, int *lifetime);

	/* Adds the proof to a request that is complete otherwise. */
	void		(*authorize) (const BiCall *call, const char *secret, BiExchange *ex);
} BiProviderLogin;

/* One batch of the provider, from the upload of its input to the removal of what it left. */
typedef struct BiProviderBatch
{
	/*
	 * Sends the input (the engine sets ex->upload, for each request of the upload); refs name
	 * it from then on.  NULL: the input travels with create, which then finds ex->upload set.
	 */
	void		(*upload) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_upload) (const BiCall *call, const BiExchange *ex, List **refs);

	/* The call that costs money.  It carries the chunk's intent and tries, to be found again. */
	void		(*create) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_create) (const BiCall *call, const BiExchange *ex, BiBatchReport *batch);

	/* Asks for a page of batches in which this chunk's may be; cursor is NULL for the first. */
	void		(*find) (const BiCall *call, const char *cursor, BiExchange *ex);
	BiVerdict	(*read_find) (const BiCall *call, const BiExchange *ex, BiFound *found);

	/*
	 * Asks whether a candidate is this chunk's.  Its first result line answers that; the reply
	 * may be cut anywhere (ex->cut_after).  NULL: find returns no candidates.
	 */
	void		(*peek) (const BiCall *call, const char *batch_id, BiExchange *ex);
	BiVerdict	(*read_peek) (const BiCall *call, const BiExchange *ex, bool *ours);

	void		(*poll) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_poll) (const BiCall *call, const BiExchange *ex, BiBatchReport *batch);

	/* OK also if there is nothing left to cancel. */
	void		(*cancel) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_cancel) (const BiCall *call, const BiExchange *ex);

	/*
	 * Asks what an ended batch left there, where poll does not say: its refs, for fetch and
	 * discard, and BI_REF_LINES if the provider reports how many lines there are.  The engine
	 * asks before each of both, whatever the batch's end; chunk->batch->id may be NULL.  NULL:
	 * poll says it all.
	 */
	void		(*outputs) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_outputs) (const BiCall *call, const BiExchange *ex, List **refs);

	/* Asks for the part-th results file, from 0; false if there are no more. */
	bool		(*fetch) (const BiCall *call, int part, BiExchange *ex);
	BiVerdict	(*read_fetch) (const BiCall *call, const BiExchange *ex);

	/* Reads one line of a results file, which has len bytes and a NUL behind them.  Never raises
	 * an error: what it does not understand becomes an outcome. */
	void		(*read_line) (const BiCall *call, const char *text, size_t len, BiResultLine *line);

	/*
	 * Returns a request line as a text that is the same for what the API echoes of it, and
	 * for no other request except an equal one; NULL if the line has none.  The routine itself
	 * is NULL if every answer has its custom id.
	 */
	char	   *(*fingerprint) (const BiCall *call, const char *line, size_t len);

	/* Removes the i-th thing that the chunk left there, from 0; false if there are no more.  ABSENT
	 * is as good as OK. */
	bool		(*discard) (const BiCall *call, int i, BiExchange *ex);
	BiVerdict	(*read_discard) (const BiCall *call, const BiExchange *ex);
} BiProviderBatch;

/*
 * One record, sent by itself and answered at once.  The routines are called with the server and the
 * job's spec as bi_registry_realtime makes them: base_url and model are those for such calls.
 */
typedef struct BiProviderRealtime
{
	/* Sets the shape of the bodies of this job's requests, without an id
	 * (bi_frame_make_body). */
	void		(*frame) (const BiSpec *spec, const BiServer *server, BiFrame *frame);

	/* Writes the request.  Its body, as the frame has it, is in ex->head already. */
	void		(*request) (const BiCall *call, BiExchange *ex);

	/*
	 * Reads the reply into a line that has neither an id nor a fingerprint.  OK: its answer is what
	 * came of the record.  Any other verdict says that there is no answer, and why: REFUSED is the
	 * record's own fault; DEFER and NOT_YET had no effect and may be sent again; UNCLEAR may have
	 * been paid for; DENIED and ABSENT (the model) hold for all records.
	 */
	BiVerdict	(*read) (const BiCall *call, const BiExchange *ex, BiResultLine *line);
} BiProviderRealtime;

/*
 * Free calls that say whether key and model are good: OK, DENIED, ABSENT (the model).  After
 * NOT_YET the same is asked again a moment later; if there is no time for that it counts as OK.
 */
typedef struct BiProviderCheck
{
	void		(*request) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read) (const BiCall *call, const BiExchange *ex);
} BiProviderCheck;

/* A provider: constant, one a name.  No table in it is NULL, except realtime where it is not
 * known how a single record is sent. */
struct BiProvider
{
	const char *name;			/* as in CREATE SERVER … OPTIONS (provider '…') */
	BiProviderDefaults defaults;
	const BiProviderJob *job;
	const BiProviderLogin *login;
	const BiProviderBatch *batch;
	const BiProviderRealtime *realtime;
	const BiProviderCheck *check;
	const void *dialect;		/* in what relatives that share their routines differ: read by those
								 * routines only */
};

#endif							/* BI_PROVIDER_H */
