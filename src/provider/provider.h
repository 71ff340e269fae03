/*
 * provider/provider.h: the contract of a provider.
 *
 * A provider is a routine table that knows one API's shapes and nothing else: no
 * I/O, no SQL, no clock, no state.  It writes requests from plain values and reads
 * replies into plain values; all it returns is palloc'd in the current context.
 * Strings it is given and gives are UTF-8.
 */
#ifndef BI_PROVIDER_H
#define BI_PROVIDER_H

#include "postgres.h"

#include "base/exchange.h"
#include "store/chunk.h"
#include "store/job.h"
#include "store/result.h"
#include "store/server.h"

/* All a routine may look at.  chunk is NULL where none is concerned. */
typedef struct BiCall
{
	const BiJob *job;
	const BiServer *server;
	const BiChunk *chunk;
	const char *cursor;			/* of a routine that asks several times: NULL at first, then what
								 * its verdict had as next */
	int64		now;			/* the time, in Unix seconds: signatures need it */
} BiCall;

/* The reference that says how many lines the results have, all files together. */
#define BI_REF_LINES "lines"

/* The code of a verdict on a download that reached a limit of ours; the view batchinf.due knows it. */
#define BI_RESULTS_TOO_LARGE "results_too_large"

/* What a reply means for what was asked. */
typedef enum BiVerdictKind
{
	BI_OK,
	BI_DEFER,					/* nobody's fault, surely no effect: 429, quota; the server rests, then again */
	BI_NOT_YET,					/* surely no effect: this one thing is not ready yet, others may go on */
	BI_DENIED,					/* key, rights or money: a person must act; ask again slowly */
	BI_ABSENT,					/* what was named is not there (404) */
	BI_REFUSED,					/* this request is wrong and will stay wrong */
	BI_UNCLEAR					/* lost, cut off, 408, 409, 5xx, not understood: it may have had its effect */
} BiVerdictKind;

typedef struct BiVerdict
{
	BiVerdictKind kind;
	char	   *code;			/* the provider's or ours, never NULL unless OK */
	char	   *message;		/* in words, cut to a sensible length, never NULL unless OK; of a
								 * check that is OK: what it could not tell, or NULL */
	char	   *next;			/* OK, but not over: the same routine again with this cursor.  Of
								 * login, upload, outputs and check only; else NULL */
	int64		wait_ms;		/* how long the reply's body asks to wait; 0: it does not */
	bool		bad_key;		/* DENIED: it is the key itself, whatever the status says */
} BiVerdict;

/* A request line is a frame: fixed text with slots. */
typedef enum BiSlot
{
	BI_SLOT_NONE,
	BI_SLOT_ID,					/* the custom id, which needs no escaping */
	BI_SLOT_TEXT,				/* the input as a JSON string, with its quotes */
	BI_SLOT_JSON,				/* the input as it is: it is JSON */
	BI_SLOT_ELEMENTS			/* the input, a JSON array or object, without its brackets */
} BiSlot;

typedef struct BiFramePart
{
	char	   *text;			/* before the slot */
	BiSlot		slot;
} BiFramePart;

#define BI_FRAME_PARTS 6

typedef struct BiFrame
{
	int			nparts;
	BiFramePart part[BI_FRAME_PARTS];
	const char *separator;		/* between two lines; NULL: each line ends with \n */
} BiFrame;

/* One more line (with its \n, unless the frame has a separator) at the end of out.  input is
 * UTF-8. */
extern void bi_frame_append(StringInfo out, const BiFrame *frame, const char *custom_id, const char *input);

/* Its exact size in bytes for an id of id_len characters. */
extern int64 bi_frame_size(const BiFrame *frame, int id_len, const char *input);

/* Where a batch stands at the provider. */
typedef enum BiBatchState
{
	BI_BATCH_WAITING,			/* accepted, being validated or queued; also any word we do not know */
	BI_BATCH_RUNNING,
	BI_BATCH_COMPLETED,
	BI_BATCH_FAILED,			/* refused as a whole: see faults */
	BI_BATCH_EXPIRED,
	BI_BATCH_CANCELLED
} BiBatchState;

typedef struct BiFault
{
	char	   *code;
	char	   *message;
	int64		line;			/* of the input, from 1; 0: of no line */
} BiFault;

typedef struct BiBatch
{
	BiBatchState state;
	char	   *id;
	List	   *refs;			/* BiRef: to be added to the chunk's */
	List	   *faults;			/* BiFault; where it did not fail: what is to be told of it */
	bool		deferred;		/* FAILED for quota, load or money, not for its content: create again later */
	int64		completed;		/* as told, for progress only; -1 unknown */
	int64		failed;
} BiBatch;

/* One page of looking for a batch by its intent.  Where a list cannot show the intent, the
 * ended batches that may be it are candidates, told by their results (peek). */
typedef struct BiFound
{
	char	   *batch_id;		/* it is this one, for certain; NULL: not on this page */
	List	   *twins;			/* char *: ids that are it too, for certain: the call had its effect twice */
	char	   *cursor;			/* where to go on; NULL: that was the last page */
	bool		complete;		/* after the last page: not found means there is none */
	List	   *candidates;		/* char *: ids that may be it, and have ended */
	List	   *pending;		/* char *: ids that may be it and have not ended: they cannot tell yet */
} BiFound;

/* How much of a line could be read. */
typedef enum BiLineState
{
	BI_LINE_WHOLE,
	BI_LINE_REPAIRED,			/* U+FFFD was read for each byte that is no UTF-8 */
	BI_LINE_UNREADABLE			/* no more than whose answer it is, if that */
} BiLineState;

/* One line of a results file.  It is joined to its record by custom_id or else by
 * fingerprint; with neither it is a line that we do not understand. */
typedef struct BiAnswer
{
	char	   *custom_id;
	char	   *fingerprint;	/* where there is no custom id: that of the request it answers */
	BiLineState line;
	const char *channel;		/* where the API has several: what told whose it is, in a word */
	BiOutcome	outcome;
	bool		retryable;		/* worth another attempt */
	char	   *output;			/* text, or JSON where output_is_json; or NULL */
	size_t		output_len;		/* output may hold NUL bytes */
	bool		output_is_json;
	const char *reasoning_tags; /* the server's: a text has what stands between them taken off */
	char	   *reasoning;		/* that; NULL: nothing */
	size_t		reasoning_len;	/* it may hold NUL bytes */
	char	   *finish_reason;
	char	   *model;
	int64		input_tokens;	/* -1: not told */
	int64		cached_tokens;
	int64		output_tokens;
	char	   *error_code;
	char	   *error;
	char	   *request_id;
} BiAnswer;

typedef struct BiLimits
{
	int64		max_requests;
	int64		min_requests;
	int64		max_bytes;
	int64		max_batches;	/* in flight a server; 0: no limit of the provider's */
	int64		max_enqueued_tokens;	/* 0: not known */
	int64		max_enqueued_requests;	/* 0: not known */
	int64		max_files;		/* inputs that are there, 0: not known */
	int64		poll_interval;	/* seconds */
	int64		expires_after;	/* seconds for uploaded files, 0: none is sent */
	int64		settle_time;	/* seconds that a batch may take until the list shows it; 0: as the setting */
} BiLimits;

typedef struct BiProvider
{
	const char *name;			/* as in CREATE SERVER … OPTIONS (provider '…') */
	const char *base_url;		/* default, or NULL: the server must give one */
	const char *request_id;		/* the reply's header with the request's id; NULL: x-request-id */
	BiLimits	limits;			/* defaults */

	/*
	 * Names of options, each list up to a NULL.  What is in no list of a provider is refused
	 * by DDL; a user mapping that has such an option all the same is never used.
	 */
	const char *const *server_options;	/* beside those that every provider takes */
	const char *const *required;	/* of server_options, those that must be set; or NULL */
	const char *const *mapping_options;

	const char *storage;		/* how its storage_url begins; NULL: any */

	/* What is otherwise for this model.  NULL: nothing. */
	void		(*limit_model) (const char *model, BiLimits *limits);

	/*
	 * Where the provider has several endpoints for a task: the word by which the job keeps the
	 * one that it goes to (a constant), NULL: the usual one.  body is the job's first where the
	 * query returns whole bodies, else NULL.  NULL: it never has several.
	 */
	const char *(*choose_endpoint) (const BiSpec *spec, const BiServer *server, const char *body);

	/* Can this job be done here at all?  NULL or the reason (lower case, no period). */
	char	   *(*refuse_job) (const BiSpec *spec, const BiServer *server);

	/* Can this input (MESSAGES or BODY) be sent?  NULL or the reason. */
	char	   *(*refuse_input) (const BiSpec *spec, const char *input);

	/* How many numbers each embedding of the job has, where that is sure; else 0.  NULL: it never is. */
	int			(*embedding_size) (const BiSpec *spec);

	/* The shape of this job's request lines. */
	void		(*frame) (const BiSpec *spec, const BiServer *server, BiFrame *frame);

	/*
	 * The secret that this mapping means, palloc'd, or NULL with *why in one line that
	 * quotes nothing.  host is NULL where the mapping may not use what the machine has.  The
	 * routine itself: NULL where bi_secret_read does.
	 */
	char	   *(*secret) (const BiServer *server, const BiHost *host, char **why);

	/*
	 * Whose batches this server and secret see: where it changes, "not found" proves
	 * nothing.  NULL: address, organization, project and the secret itself.
	 */
	char	   *(*account) (const BiCall *call, const char *secret);

	/*
	 * Where the key must first be exchanged for a token: writes that request, false
	 * where this server's key is used as it is.  The token is kept in memory only, until
	 * shortly before its lifetime (seconds) ends, and given to authorize in the key's
	 * place.  An address that the mapping gave, and not the server, is asked only for what
	 * server->may_use_host allows.  NULL: never.
	 */
	bool		(*login) (const BiCall *call, const char *secret, BiExchange *ex);
	BiVerdict	(*read_login) (const BiCall *call, const char *secret, const BiExchange *ex, char **token, int *lifetime);

	/* Adds what proves who we are to a request that is ready but for it. */
	void		(*authorize) (const BiCall *call, const char *secret, BiExchange *ex);

	/* Sends the input (ex->upload is set by the caller, for each request of it); refs name it
	 * from then on.  NULL: the input travels with create, which then finds ex->upload set. */
	void		(*upload) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_upload) (const BiCall *call, const BiExchange *ex, List **refs);

	/* The paid call.  The token that finds it again: the chunk's intent and tries. */
	void		(*create) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_create) (const BiCall *call, const BiExchange *ex, BiBatch *batch);

	/* Looks for it; cursor is NULL for the first page. */
	void		(*find) (const BiCall *call, const char *cursor, BiExchange *ex);
	BiVerdict	(*read_find) (const BiCall *call, const BiExchange *ex, BiFound *found);

	/* Is a candidate ours?  Its first result line tells; the reply may be cut anywhere
	 * (ex->cut_after).  NULL: find has no candidates. */
	void		(*peek) (const BiCall *call, const char *batch_id, BiExchange *ex);
	BiVerdict	(*read_peek) (const BiCall *call, const BiExchange *ex, bool *ours);

	void		(*poll) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_poll) (const BiCall *call, const BiExchange *ex, BiBatch *batch);

	/* OK also where there is nothing left to cancel. */
	void		(*cancel) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_cancel) (const BiCall *call, const BiExchange *ex);

	/*
	 * What an ended batch left there, where poll did not tell: its refs, for fetch and
	 * discard, and BI_REF_LINES where the provider tells how many lines there are.  Asked
	 * before each of both, whatever the batch's end; chunk->batch_id may be NULL.  NULL: poll tells all.
	 */
	void		(*outputs) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_outputs) (const BiCall *call, const BiExchange *ex, List **refs);

	/* The part-th results file, from 0; false: there are no more. */
	bool		(*fetch) (const BiCall *call, int part, BiExchange *ex);
	BiVerdict	(*read_fetch) (const BiCall *call, const BiExchange *ex);

	/* One line (NUL-terminated at len) of a results file. */
	void		(*read_line) (const BiCall *call, const char *line, size_t len, BiAnswer *answer);

	/*
	 * A request line as a text that is the same for what the API echoes of it, and for no
	 * other request but an equal one; NULL where the line has none.  NULL: every answer has
	 * its custom id.
	 */
	char	   *(*fingerprint) (const BiCall *call, const char *line, size_t len);

	/* Removes the i-th thing that we left there, from 0; false: there are no more. ABSENT is fine. */
	bool		(*discard) (const BiCall *call, int i, BiExchange *ex);
	BiVerdict	(*read_discard) (const BiCall *call, const BiExchange *ex);

	/* Free calls that tell whether key and model are good: OK, DENIED, ABSENT (model); NOT_YET:
	 * the same is asked again a moment later, and where there is no time for that it is OK. */
	void		(*check) (const BiCall *call, BiExchange *ex);
	BiVerdict	(*read_check) (const BiCall *call, const BiExchange *ex);
} BiProvider;

#endif							/* BI_PROVIDER_H */
