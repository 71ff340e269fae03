/*
 * store/result.h: how attempts of records ended.
 */
#ifndef BI_RESULT_H
#define BI_RESULT_H

#include "store/record.h"

/* How a record ended.  The order is that of bi_outcome_name. */
typedef enum BiOutcome
{
	BI_SUCCEEDED,
	BI_INVALID_OUTPUT,
	BI_ERRORED,
	BI_EXPIRED,
	BI_CANCELLED_RECORD,
	BI_MISSING,
	BI_SKIPPED
} BiOutcome;

#define BI_NOUTCOMES (BI_SKIPPED + 1)

extern const char *bi_outcome_name(BiOutcome outcome);

/* The rest needs SPI and a transaction. */

/* Word of batchinf.result.write_state, or NULL where there is no write-back. */
#define BI_WRITTEN "written"
#define BI_WRITE_WAITING "waiting"
#define BI_TARGET_MISSING "target_missing"
#define BI_WRITE_FAILED "write_failed"
#define BI_STALE "stale"

/* A result on its way into the table, or back from it for a repeated write. */
typedef struct BiResult
{
	int64		seq;
	BiOutcome	outcome;
	bool		retryable;
	char	   *output;
	bool		output_json;
	char	   *finish_reason;
	char	   *model;
	int64		input_tokens;	/* -1: not told */
	int64		cached_tokens;
	int64		output_tokens;
	char	   *error_code;
	char	   *error;
	char	   *request_id;
	char	   *reasoning;

	/* set by bi_result_lookup */
	bool		known;			/* it is a record of this chunk */
	bool		delivered;		/* and has its result already */
	char	   *record_id;
	List	   *key;			/* parts of a composite key, cstrings */

	/* set by bi_result_waiting */
	bool		overdue;		/* it has waited for batchinf.write_give_up */

	/* set by the write-back */
	char	  **values;			/* by column, the JSON text that its path found; see writeback.h */
	const char *write_state;
	char	   *write_error;
} BiResult;

/* Fills known, delivered, record_id and key of each. */
extern void bi_result_lookup(MemoryContext cxt, const BiChunk *chunk, BiResult *results, int n);

/* Inserts those that are known and not delivered, and counts in the chunk what is final
 * (a retryable one with attempts left is not).  Replaying changes nothing. */
extern void bi_result_insert(const BiChunk *chunk, const BiResult *results, int n);

/* Gives every record of chunk that has no result yet this one; how many. */
extern int64 bi_result_rest(const BiChunk *chunk, BiOutcome outcome, bool retryable,
							const char *code, const char *error);

/* Ends the attempt: retryable results are sent again in a new chunk where attempts are
 * left, else, or when again is false, they are final as they are.  How many are sent. */
extern int64 bi_result_settle(const BiChunk *chunk, bool again);

/* Every record of chunk, which is not sent, ends as its last attempt did, or the first time
 * with this error. */
extern void bi_result_repeat(const BiChunk *chunk, const char *code, const char *error);

/* Records without any result move to a new chunk, the same attempt; how many. */
extern int64 bi_result_resend(const BiChunk *chunk);

/* Lines of a results file that joined no record. */
extern void bi_result_note_lines(const BiChunk *chunk, int64 duplicates, int64 unknown, int64 malformed);

/* Writes that wait: up to limit of them, in an order that changes with the chunk's
 * write_tries, so that those that stay locked do not stand before the others; and their
 * new states. */
extern int	bi_result_waiting(MemoryContext cxt, const BiChunk *chunk, BiResult *results, int limit);
extern void bi_result_rewritten(const BiChunk *chunk, const BiResult *results, int n, int64 delay_ms);

#endif							/* BI_RESULT_H */
