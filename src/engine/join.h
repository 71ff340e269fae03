/*
 * engine/join.h: answers without an id find their record by what they answer.
 */
#ifndef BI_JOIN_H
#define BI_JOIN_H

#include "engine/step.h"

typedef struct BiJoin BiJoin;

/* As work of a step that delivers: the fingerprints of all its chunk's requests, then done.
 * Memory: 24 bytes a request. */
extern void bi_join_start(BiStep *step, BiStepWork done);

/* The seq of a request with this fingerprint that was not handed out before, in order; 0 where
 * there is no more, and *known false where there never was one. */
extern int64 bi_join_take(BiJoin *join, const char *fingerprint, bool *known);

#endif							/* BI_JOIN_H */
