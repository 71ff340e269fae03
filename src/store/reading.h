/*
 * store/reading.h: whose code runs when a view or a foreign table is read or written, beside
 * that of its owner.
 */
#ifndef BI_READING_H
#define BI_READING_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/rel.h"

/*
 * Returns these roles, oids; NIL for other kinds of relation:
 *
 * - of a foreign table, the owner of its server, who says where the connection goes and with which
 *   files of this machine;
 * - of a view that is_written, the owners of the functions of its triggers.
 */
extern List *bi_reading_owners(Relation rel, bool is_written);

/* Returns the views and foreign tables that the query of a view reads, oids; NIL for other kinds
 * of relation.  No other kind runs code when it is read, except by row security, which is that of
 * the view's owner. */
extern List *bi_reading_tables(Relation rel);

#endif							/* BI_READING_H */
