/*
 * base/texts.h: lists of texts as PostgreSQL's text[], and back.
 *
 * A list has char * members; one that is NULL is SQL's NULL.  Everything is palloc'd in the current
 * context.
 */
#ifndef BI_TEXTS_H
#define BI_TEXTS_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* Returns a copy of the list and of its members. */
extern List *bi_texts_copy(const List *texts);

/* True if both lists have the same texts in the same order; NULL equals NULL. */
extern bool bi_texts_equal(const List *a, const List *b);

/* Returns the list as a text[]. */
extern Datum bi_texts_array(const List *texts);

/* Returns the list as the text form of a text[], a text: an array of arrays cannot be unnested row
 * by row. */
extern Datum bi_texts_literal(const List *texts);

/* Returns the members of a text[]. */
extern List *bi_texts_list(Datum array);

#endif							/* BI_TEXTS_H */
