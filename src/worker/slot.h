/*
 * worker/slot.h: which database is due, visited or held.
 *
 * There is a slot for each database of which one of these is true or was a moment ago;
 * the others need none.  Where the library was not preloaded there are no slots: bi_slot_present is
 * false, bi_slot_attach is true, and the rest does nothing and answers "no".
 * Nothing here ereports or needs a transaction.
 */
#ifndef BI_SLOT_H
#define BI_SLOT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

extern bool bi_slot_present(void);

/* Sets the latch of that process, if it lives. */
extern void bi_slot_poke(pid_t pid);

/* The launcher comes and goes. */
extern void bi_slot_open(void);
extern void bi_slot_close(void);
extern bool bi_slot_launcher_runs(void);

/* The database is due now, unless it backs off; false: no slot is free. */
extern bool bi_slot_add(Oid database);

/* Frees the slots of databases that are not in the list of oids. */
extern void bi_slot_keep_only(const List *databases);

/*
 * The slot whose visit is to be started now: of those due the least recently
 * visited, unless max_visits are under way.  It counts as under way from here on.
 * -1: none, and *next says when one is due (DT_NOEND: none is).
 */
extern int	bi_slot_pick(int max_visits, TimestampTz now, Oid *database, TimestampTz *next);

/* Its visit was not started (stays due), or ended before it got there (backs off). */
extern void bi_slot_not_started(int slot, bool failed);

/*
 * A visit comes: false where this database is visited already or held.  It leaves
 * with the time of the next work (DT_NOEND: no more is due), or is given up: a
 * failure, unless it was sent away.
 */
extern bool bi_slot_attach(Oid database);
extern void bi_slot_detach(TimestampTz due);
extern void bi_slot_give_up(void);

/* Is this visit to go because somebody holds its database? */
extern bool bi_slot_held(void);

/* Has a wake come to this visit since this was last asked? */
extern bool bi_slot_take_wake(void);

/* Any session: the database has work now. */
extern void bi_slot_wake(Oid database);

/*
 * No visit starts in the database until this process releases it or dies; the
 * one there is told to leave and its pid returned, else 0.  dropping: its slot goes
 * away when the release says that the transaction committed.
 */
extern pid_t bi_slot_hold(Oid database, bool dropping);
extern void bi_slot_terminate(Oid database, pid_t visit);
extern void bi_slot_release(bool committed);

#endif							/* BI_SLOT_H */
