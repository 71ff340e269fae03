/*
 * provider/proof.h: JSON objects whose members are secrets.
 */
#ifndef BI_PROOF_H
#define BI_PROOF_H

#include "postgres.h"

/*
 * Returns the text of a JSON object, palloc'd.  The arguments are pairs of a member's name and its
 * text, up to a name that is NULL; a member whose text is NULL is left out.  Names need no
 * escaping.  Memory is taken once, so no copy of a secret stays behind elsewhere; the caller wipes
 * the result.
 */
extern char *bi_proof_object(const char *name,...);

#endif							/* BI_PROOF_H */
