/*
 * store/aim.h: where a job's outputs go now, whatever became of the target since batch_submit.
 */
#ifndef BI_AIM_H
#define BI_AIM_H

#include "store/target.h"

/* The target as it is now.  palloc'd by bi_aim_find. */
typedef struct BiAim
{
	Oid			relid;
	List	   *key;			/* the key columns' names now, char * */
	char	   *write_back;		/* JSON object: the columns' names now -> paths */
	char	   *why;			/* why it cannot be written, or NULL; then the others are not set */
} BiAim;

/* Returns what of the target is remembered with the job (spec.aim), as JSON, palloc'd: its owner
 * and the numbers of the columns by their names of now. */
extern char *bi_aim_remember(const BiTarget *target);

/*
 * Finds the target of a job and its columns, palloc'd in the current context, with the rights of
 * the job's owner, who must exist.  Takes no lock and waits for none: all may have changed when it
 * returns.  Needs a transaction.
 */
extern BiAim *bi_aim_find(const BiJob *job);

/* bi_aim_find, and bi_target_open with what it has found; raises why it cannot be written, with an
 * SQLSTATE that engine/blame.c takes for a reason that may pass. */
extern BiTarget *bi_aim_open(const BiJob *job);

#endif							/* BI_AIM_H */
