/*
 * worker/visitor.h: this process as a visit of a database, among others.
 *
 * If the library was not preloaded, bi_visitor_attach and bi_visitor_is_first return true, and all
 * other functions do nothing and return false or 0.  None raises an error or needs a transaction.
 */
#ifndef BI_VISITOR_H
#define BI_VISITOR_H

#include "postgres.h"

#include "datatype/timestamp.h"

/*
 * This process is a visit of the database from here on.  False, and it is not, if nobody has asked
 * for one, or if the database is held.
 */
extern bool bi_visitor_attach(Oid database);

/*
 * The visit leaves.  due: when its database has work again, as far as it knows; DT_NOEND: not
 * before somebody says so.
 */
extern void bi_visitor_detach(TimestampTz due);

/* What a visit is doing, for the others and the launcher: it is busy from now on, and has something
 * else to do at that time; or it rests. */
extern void bi_visitor_busy(TimestampTz next);
extern void bi_visitor_rests(void);

/* True if another visit of the database has more to do than it can. */
extern bool bi_visitor_helps(void);

/* As in BiDriveHost. */
extern void bi_visitor_set_load(int load, bool crowded);
extern bool bi_visitor_has_freer(int load);
extern bool bi_visitor_hand_over(int load);

/* True if no visit that came before this one works for its database; one that is busy for long does
 * not count. */
extern bool bi_visitor_is_first(void);

/* True if the database has another visit. */
extern bool bi_visitor_has_company(void);

/* Wakes the other visits of the database. */
extern void bi_visitor_wake_others(void);

/* As in BiDriveHost. */
extern bool bi_visitor_begin_code(Oid owner, bool quick);
extern void bi_visitor_end_code(void);

/* True if this visit must leave soon, because a database waits for its first one. */
extern bool bi_visitor_must_yield(void);

/* Until when the visits of this database have polled its open chunks, as in BiDrive; 0: not known.
 * For the visit. */
extern TimestampTz bi_visitor_polled_until(void);
extern void bi_visitor_set_polled_until(TimestampTz until);

/* The visit leaves by an error.  Counts as a failure, unless somebody holds the database. */
extern void bi_visitor_give_up(void);

/* True if this visit must leave at once because somebody holds its database. */
extern bool bi_visitor_held(void);

/* True if somebody woke this visit since the last call of bi_visitor_take_wake.  For signal
 * handlers, too. */
extern bool bi_visitor_is_woken(void);

/* The same; and it is not woken any more. */
extern bool bi_visitor_take_wake(void);

#endif							/* BI_VISITOR_H */
