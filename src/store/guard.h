/*
 * store/guard.h: what the guarded columns of the target's rows hold at submit.
 */
#ifndef BI_GUARD_H
#define BI_GUARD_H

#include "postgres.h"

#include "store/target.h"
#include "utils/snapshot.h"

/* Reads the rows of one target in one snapshot.  Made by bi_guard_open. */
typedef struct BiGuard BiGuard;

/* A row whose guard is asked for. */
typedef struct BiGuarded
{
	const char *record_id;		/* its key as text, as in keydoc.h */
	const List *key;
	Datum		guard;			/* out: bytea, palloc'd: one fingerprint of 16 bytes, or several
								 * if several rows have the key; 0 if the user sees none */
} BiGuarded;

/* True if the tables can hold guards: false until ALTER EXTENSION UPDATE.  Needs a transaction. */
extern bool bi_guard_exists(void);

/* Returns those of the columns (names, char *) that the role may read, palloc'd. */
extern List *bi_guard_readable(Oid relid, const List *names, Oid role);

/* Returns what reads these columns of the target as that role, in the current context: the one that
 * writes the job's answers.  Code of the table (policies, domains of its key) runs in a
 * security-restricted operation.  names, target and the snapshot must live as long. */
extern BiGuard *bi_guard_open(const BiTarget *target, const List *names, Oid role,
							  Snapshot snapshot);

/* Sets guard of the n rows, in the current context.  Needs SPI. */
extern void bi_guard_read(BiGuard *guard, BiGuarded *rows, int n);

#endif							/* BI_GUARD_H */
