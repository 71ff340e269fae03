/*
 * store/outcome.h: how an attempt of a record ended: its answer, and the write of its output.
 */
#ifndef BI_OUTCOME_H
#define BI_OUTCOME_H

#include "postgres.h"

/* How an attempt ended.  Words of batchinf.result.outcome, in the order of bi_outcome_name. */
typedef enum BiOutcome
{
	BI_OUTCOME_SUCCEEDED,
	BI_OUTCOME_INVALID_OUTPUT,	/* an output came and is stored, but it is not what was asked for */
	BI_OUTCOME_ERRORED,			/* the provider reports an error instead of an output */
	BI_OUTCOME_EXPIRED,
	BI_OUTCOME_CANCELLED,
	BI_OUTCOME_MISSING,			/* the results do not mention the request */
	BI_OUTCOME_SKIPPED			/* never sent: its prompt is NULL */
} BiOutcome;

#define BI_NOUTCOMES (BI_OUTCOME_SKIPPED + 1)

/* Returns the word of the outcome, a constant. */
extern const char *bi_outcome_name(BiOutcome outcome);

/* Returns the outcome with this word.  Raises an error if there is none. */
extern BiOutcome bi_outcome_parse(const char *name);

/* How the write of an output to its target row stands.  Words of batchinf.result.write_state, in
 * the order of bi_outcome_write_name. */
typedef enum BiWriteState
{
	BI_WRITE_NONE,				/* no write: the job has no target, or the output is no success */
	BI_WRITE_WRITTEN,
	BI_WRITE_WAITING,			/* it failed, may succeed later, and is repeated */
	BI_WRITE_STALE,				/* the row has changed since it was sent */
	BI_WRITE_TARGET_MISSING,	/* there is no such row any more */
	BI_WRITE_FAILED,			/* repeating it changes nothing */
	BI_WRITE_PARTLY,			/* some items of the output are written, the others failed */
	BI_WRITE_INCOMPLETE,		/* it is written together with others, which have not succeeded */
	BI_WRITE_REVERTED			/* it was written, and batch_revert has put back what was before */
} BiWriteState;

#define BI_NWRITES (BI_WRITE_REVERTED + 1)

/* Returns the word of the state, a constant; NULL for BI_WRITE_NONE. */
extern const char *bi_outcome_write_name(BiWriteState state);

/*
 * What a model answered to one request, in the same form for all providers and all ways by which
 * answers come.
 *
 * A provider's routine fills it from a reply or from a line of a results file.
 * engine/results/ then makes it fit for our tables, and changes it only there.  It is a plain
 * value: copying the struct copies the answer, the texts stay in the context in which
 * they were made.
 */
typedef struct BiAnswer
{
	BiOutcome	outcome;
	bool		retryable;		/* another attempt may end better */
	char	   *output;			/* text, or JSON if output_is_json; NULL if there is none */
	size_t		output_len;		/* in bytes: output may hold NUL bytes until it is accepted */
	bool		output_is_json;
	const char *reasoning_tags; /* the server's option, which says what of a text is reasoning */
	char	   *reasoning;		/* what the model thought before it answered; NULL if nothing */
	size_t		reasoning_len;	/* in bytes, as output_len */
	char	   *finish_reason;	/* why the model ended, in the provider's word; NULL if unknown */
	char	   *model;			/* the model that answered; NULL if unknown */
	int64		input_tokens;	/* -1 if unknown, as those below; all that concerns a cache, too */
	int64		cached_tokens;	/* of input_tokens: read from a cache */
	int64		cache_write_tokens; /* of input_tokens: written to a cache */
	int64		cache_write_1h_tokens;	/* of input_tokens: written to a cache for an hour */
	int64		output_tokens;	/* reasoning included */
	char	   *error_code;		/* NULL if it succeeded */
	char	   *error;			/* NULL if it succeeded */
	char	   *request_id;		/* the provider's, for its support; NULL if unknown */
	bool		is_copy;		/* of another record's answer, which has the tokens and the cost */
} BiAnswer;

#endif							/* BI_OUTCOME_H */
