/*
 * intake/mode.h: what a way of writing answers needs: write_mode, conflict, replace_by and each.
 */
#ifndef BI_MODE_H
#define BI_MODE_H

#include "postgres.h"

#include "intake/argument.h"
#include "intake/planner.h"
#include "store/target.h"

/*
 * Sets conflict and replace_by of the spec: as the request says, else what is usual for its target.
 * Raises an error for arguments that do not belong together.  The spec has its columns.  Needs a
 * transaction.
 */
extern void bi_mode_choose(const BiRequest *request, BiSpec *spec);

/*
 * Returns which of the record's columns, by their numbers from 0, are the key of the target's row
 * that an upsert may overwrite, or the value that is replaced, int; NIL if that is not known before
 * there is an answer.
 */
extern List *bi_mode_sources(const BiTarget *target);

/* Returns the texts of these columns of a record, char *: the value that its answer replaces.
 * Raises an error if one is null. */
extern List *bi_mode_value(const List *sources, const BiDraft *draft);

#endif							/* BI_MODE_H */
