/*
 * provider/report.h: what all providers do alike with batches and lists of them.
 */
#ifndef BI_REPORT_H
#define BI_REPORT_H

#include "base/json.h"
#include "provider/provider.h"

/* What a word of an API says about a batch.  Constant. */
typedef struct BiStateWord
{
	const char *word;
	BiBatchState state;
} BiStateWord;

/* A family's reader of a batch object: sets *batch; false if json is not one. */
typedef bool (*BiBatchReader) (const BiJson *json, BiBatchReport *batch);

/* A family's reader of a page of batches: sets *found; false if json is not such a page. */
typedef bool (*BiPageReader) (const BiCall *call, const BiJson *json, BiFound *found);

/*
 * Sets *batch from the reply to ex (zeros unless OK) and returns verdict, which is the family's on
 * that reply, or UNCLEAR if the reply is not a batch with an id.  wanted names it in the message.
 */
extern BiVerdict bi_report_take(BiVerdict verdict, const BiExchange *ex, BiBatchReader read,
								const char *wanted, BiBatchReport *batch);

/* The same; UNCLEAR also if it is not the batch of that id. */
extern BiVerdict bi_report_take_own(BiVerdict verdict, const BiExchange *ex, BiBatchReader read,
									const char *id, const char *wanted, BiBatchReport *batch);

/*
 * The same of a page that was asked for: sets *found.  parameter is the one of ex's URL that
 * carries the cursor.  A server that names the same place again does not go on: the cursor is then
 * NULL and the list not complete, so that nothing is certain.
 */
extern BiVerdict bi_report_take_page(BiVerdict verdict, const BiCall *call, const BiExchange *ex,
									 BiPageReader read, const char *parameter, const char *wanted,
									 BiFound *found);

/* Returns the state of the first word that equals says is text; BI_BATCH_WAITING if there is none:
 * what a state that we do not know means is left to the next poll.  words ends with a NULL word. */
extern BiBatchState bi_report_state(const BiStateWord *words, const char *text,
									bool (*equals) (const char *text, const char *word));

/*
 * Sets *ids (char *) to those of a list's entries, in order.  False if list is not an array, or if
 * an entry has no id: that one may be ours, so the list cannot prove that ours is not there.
 */
extern bool bi_report_read_ids(const BiJson *list, char *(*id_of) (const BiJson *entry),
							   List **ids);

/*
 * Sets cursor and complete from the token of a page that has one unless it is the last.  False if
 * token is not a text: the list is then not complete and has no cursor.
 */
extern bool bi_report_read_token(const BiJson *token, BiFound *found);

#endif							/* BI_REPORT_H */
