/*
 * base/blot.h: secrets that are overwritten wherever a text quotes them.
 */
#ifndef BI_BLOT_H
#define BI_BLOT_H

#include "postgres.h"

typedef struct BiBlot BiBlot;

/* A shorter secret is never blotted out: it would hit words that are no secret. */
#define BI_BLOT_MIN 8

/* Returns an empty set, owned by cxt, whose reset overwrites the secrets in it. */
extern BiBlot *bi_blot_new(MemoryContext cxt);

/* Adds a copy of the secret; of a JSON object, those of its members, at any depth, that have
 * the names of secrets.  NULL and what is too short add nothing, nor does a second time. */
extern void bi_blot_add(BiBlot *blot, const char *secret);

/*
 * Overwrites with "*" each quote of a secret in text, whose length stays.  A quote may write
 * any of its characters as JSON does (\u0041, \/, \n), as JSON within JSON does, at any
 * depth (\\u0041, \\\/), or as a URL does (%41, %2541).  All characters of the escapes are
 * overwritten, so JSON stays JSON.  blot may be NULL.
 */
extern void bi_blot_out(const BiBlot *blot, char *text, size_t len);

/* Returns text itself where it quotes nothing, else a palloc'd and NUL-terminated copy, blotted. */
extern const char *bi_blot_text(const BiBlot *blot, const char *text, size_t len);

#endif							/* BI_BLOT_H */
