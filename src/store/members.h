/*
 * store/members.h: members of structs as arguments of a statement: an array of each, for unnest.
 */
#ifndef BI_MEMBERS_H
#define BI_MEMBERS_H

#include "postgres.h"

#include "store/sql.h"

/* Each adds one array with an item for each of n structs.  items: an array of pointers to them;
 * offset: of the member in each. */

/* Texts; NULL for a NULL. */
extern void bi_member_texts(BiArgs *args, const void *items, int n, size_t offset);

/* Numbers (int8); NULL for a negative one, which is unknown. */
extern void bi_member_int8s(BiArgs *args, const void *items, int n, size_t offset);

/* Flags. */
extern void bi_member_bools(BiArgs *args, const void *items, int n, size_t offset);

/* Amounts (numeric); NULL for a NULL. */
extern void bi_member_amounts(BiArgs *args, const void *items, int n, size_t offset);

/* The words themselves; NULL for a NULL. */
extern void bi_member_words(BiArgs *args, const char *const *words, int n);

#endif							/* BI_MEMBERS_H */
