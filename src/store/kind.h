/*
 * store/kind.h: which kinds of relation can be a target, and what is special about each.
 */
#ifndef BI_KIND_H
#define BI_KIND_H

#include "postgres.h"

#include "utils/rel.h"

/*
 * Raises an error if rows of rel cannot be written in this mode: "update", "insert", "upsert" or
 * "replace".  For partitions and inheritance children that are foreign tables, too.
 */
extern void bi_kind_check(Relation rel, const char *mode);

/* True if rows of rel may be in a foreign table: rel is one, or one of its partitions or
 * inheritance children is. */
extern bool bi_kind_is_remote(Relation rel);

/*
 * Raises an error if writing these columns (names, cstrings) could move a row into a foreign
 * table.  Only of a relation whose rows may be in one.
 */
extern void bi_kind_check_moves(Relation rel, const List *names);

#endif							/* BI_KIND_H */
