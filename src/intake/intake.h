/*
 * intake/intake.h: from a query and its spec to records, for all callers.
 */
#ifndef BI_INTAKE_H
#define BI_INTAKE_H

#include "postgres.h"

#include "intake/argument.h"
#include "intake/planner.h"
#include "intake/repeats.h"
#include "intake/sieve.h"
#include "intake/source.h"
#include "intake/template.h"
#include "intake/trace.h"
#include "provider/provider.h"

/*
 * A query that is open, with all that is needed to make requests of its rows.  bi_intake_open makes
 * it in the current memory context; bi_intake_run or bi_intake_draw reads the query, once.  Other
 * files read its members, and change none but sieve.
 */
typedef struct BiIntake
{
	BiSpec		spec;			/* the request's, and what is found out here: model, input, key and
								 * endpoint.  Where the query returns bodies, the endpoint is known
								 * after its first row only.  aim and settings are empty */
	const BiServer *server;
	const BiProvider *provider;
	BiLimits	limits;			/* of a batch of that model */
	BiFrame		frame;			/* of the request lines, known as the endpoint is */
	BiSource   *source;
	BiTemplate *template;		/* the prompt; NULL if a column of the query holds the input */
	BiSieve    *sieve;			/* leaves rows out that open jobs have; NULL: none.  The caller may
								 * set it before bi_intake_run */
	BiRepeats  *repeats;		/* finds copies among the rows; NULL: none are looked for */
	TimestampTz cache_since;	/* answers of earlier jobs that came since then may be given again;
								 * DT_NOEND: none */
	int			input_column;	/* the number of that column, from 1; 0 if there is a prompt */
} BiIntake;

/*
 * Opens the query of a request as the current user, in their snapshot, and decides what each row
 * is sent as: the column or the prompt that gives the input, the key, the endpoint.  Raises an
 * error for all that can be found wrong without reading a row.  request, server and provider must
 * live as long as the result.  SPI must be connected; the caller has checked the right to use the
 * server.
 */
extern BiIntake *bi_intake_open(const BiRequest *request, const BiServer *server,
								const BiProvider *provider);

/*
 * Reads the next row.  Sets *draft to its record, which is in cxt, except its key and columns:
 * those belong to the source until the next row.  False after the last row.  Raises an error for a
 * row that cannot be sent.  For a caller that does not call bi_intake_run.  SPI must be
 * connected.
 */
extern bool bi_intake_next(BiIntake *intake, MemoryContext cxt, BiDraft *draft);

/* Returns which columns of the target the text that is sent comes from. */
extern BiTrace bi_intake_trace(const BiIntake *intake, Oid target);

/* Writes the digest of what is sent with each record, of BI_DIGEST_SIZE bytes.  False if no row was
 * read that says what it is. */
extern bool bi_intake_digest(const BiIntake *intake, uint8 *digest);

/*
 * Reads all rows, gives their records to the sink and returns what they are together.  Raises an
 * error for a row that cannot be sent, a key that is null or that two rows have, and if there are
 * fewer records than a batch of the server needs.  SPI must be connected.
 */
extern BiPlanned bi_intake_run(BiIntake *intake, BiSink *sink);

/*
 * Warns where the requests, as many as planned says, are probably not what the caller wants.
 * Raises nothing above WARNING.
 */
extern void bi_intake_warn(const BiIntake *intake, const BiPlanned *planned);

#endif							/* BI_INTAKE_H */
