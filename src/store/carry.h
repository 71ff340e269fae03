/*
 * store/carry.h: the custom settings that a job takes from its submit to its write-back.
 */
#ifndef BI_CARRY_H
#define BI_CARRY_H

#include "postgres.h"

/*
 * Returns a JSON object of custom settings, palloc'd: those in force, and those that the database
 * and the role have and the session has not.  batchinf.carry_settings says which of them.  Raises
 * an error if they are too large.  Needs SPI.
 */
extern char *bi_carry_collect(Oid role);

/* The custom settings of one job, as batch_submit kept them.  Never changed once read. */
typedef struct BiCarried BiCarried;

/* Reads what bi_carry_collect has returned.  palloc'd; NULL for NULL. */
extern BiCarried *bi_carry_read(const char *settings);

/*
 * Puts them in force, as far as the current user may set them, and makes all other custom settings
 * empty, in any session.  They end with the caller's nest level of settings.  Does
 * nothing for NULL.
 */
extern void bi_carry_apply(const BiCarried *carried);

#endif							/* BI_CARRY_H */
