/*
 * store/carry.h: the custom settings that a job takes from its submit to its write-back.
 */
#ifndef BI_CARRY_H
#define BI_CARRY_H

#include "postgres.h"

/* Returns a JSON object of the custom settings in force, and of those that the database and the
 * role have of their own and the session has not, as batchinf.carry_settings wants them.  Raises
 * an error where they are too large.  Needs SPI. */
extern char *bi_carry_collect(Oid role);

/* The custom settings of one job, as they were kept. */
typedef struct BiCarried BiCarried;

/* Returns them, palloc'd; NULL for NULL. */
extern BiCarried *bi_carry_read(const char *settings);

/* Puts them in force, and makes all others empty, until the caller's nest level of settings ends,
 * as the current user may: whoever's session this is.  Does nothing for NULL. */
extern void bi_carry_apply(const BiCarried *carried);

#endif							/* BI_CARRY_H */
