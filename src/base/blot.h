/*
 * base/blot.h: secrets that are overwritten wherever a text quotes them.
 */
#ifndef BI_BLOT_H
#define BI_BLOT_H

#include "postgres.h"

/* A set of secrets.  A step has one, as long as it lives. */
typedef struct BiBlot BiBlot;

/* Shorter secrets are not blotted out: that would hit words that are not secret. */
#define BI_BLOT_MIN 8

/* Returns an empty set, owned by cxt, whose reset overwrites the secrets in it. */
extern BiBlot *bi_blot_new(MemoryContext cxt);

/* Adds a copy of the secret.  Of a JSON object it adds those members, at any depth, whose names are
 * those of secrets.  NULL, and what is too short or is there already, adds nothing. */
extern void bi_blot_add(BiBlot *blot, const char *secret);

/*
 * Overwrites with "*" each quote of a secret in text, whose length stays.  A quote may write
 * any of its characters as JSON does (\u0041, \/, \n), as JSON within JSON does, at any
 * depth (\\u0041, \\\/), or as a URL does (%41, %2541).  All characters of the escapes are
 * overwritten, so JSON stays JSON.  blot may be NULL.
 */
extern void bi_blot_out(const BiBlot *blot, char *text, size_t len);

/* Returns text itself if it quotes nothing; otherwise a palloc'd, NUL-terminated copy without the
 * quotes. */
extern const char *bi_blot_text(const BiBlot *blot, const char *text, size_t len);

#endif							/* BI_BLOT_H */
