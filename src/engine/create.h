/*
 * engine/create.h: the way to a batch.  First work of a claimed step, by state.
 */
#ifndef BI_CREATE_H
#define BI_CREATE_H

#include "engine/step.h"

/* uploading: renders the records and uploads them. */
extern void bi_create_upload(BiStep *step);

/* creating, claimed just now: the paid call. */
extern void bi_create_send(BiStep *step);

/* creating or ambiguous, of unknown fate: looks for the batch. */
extern void bi_create_find(BiStep *step);

/* The chunk's reference that says with which account (BiStep) the create call was made: only
 * under the same one does "there is none" say anything. */
#define BI_CREATE_ACCOUNT "account"

/* A request could not even be made: the login for it failed.  Nothing had an effect. */
extern void bi_create_unsent(BiStep *step, const BiVerdict *verdict);

#endif							/* BI_CREATE_H */
