/*
 * store/aim.h: where a job's outputs go now, whatever became of the target since batch_submit.
 */
#ifndef BI_AIM_H
#define BI_AIM_H

#include "store/target.h"

/* The target as it is now.  Made by bi_aim_find; nothing keeps it true after that. */
typedef struct BiAim
{
	Oid			relid;
	List	   *key;			/* the present names of the key columns, cstrings */
	char	   *write_back;		/* a JSON object: the columns' present names, what fills them */
	List	   *conflict;		/* the present names of those of BiSpec, cstrings ... */
	List	   *replace_by;		/* ... and of these */
	List	   *guarded;		/* the present names of the guarded columns, cstrings */
	bool		guard_lost;		/* one of those was dropped */
	char	   *why;			/* why the target cannot be written; NULL if it can.  Only then are
								 * the other members set */
} BiAim;

/* Returns what of the target is remembered with the job (spec.aim), as JSON, palloc'd: its owner,
 * and the columns' numbers by their present names.  guarded: names of more columns. */
extern char *bi_aim_remember(const BiTarget *target, const List *guarded);

/*
 * Finds the target of a job and its columns, palloc'd in the current context, and checks the
 * rights of the job's owner, who must exist.  Takes no lock and waits for none, so everything may
 * have changed when it returns.  Needs a transaction.
 */
extern BiAim *bi_aim_find(const BiJob *job);

/* Returns the job's spec with the present names of the target's columns, as aim has them. */
extern BiSpec bi_aim_spec(const BiJob *job, const BiAim *aim);

/*
 * Sets the present names in a table of the job's key columns and of the columns that it writes, in
 * the job's order, cstrings; NULL in the place of one that was dropped.  relid: the job's target,
 * or a table that has its rows, too.  Asks for no rights, and the job may be foreign.
 */
extern void bi_aim_names(const BiJob *job, Oid relid, List **keys, List **columns);

/* Opens the target that bi_aim_find finds.  Raises why it cannot be written, with an SQLSTATE that
 * engine/results/blame.c takes for a reason that may pass. */
extern BiTarget *bi_aim_open(const BiJob *job);

#endif							/* BI_AIM_H */
