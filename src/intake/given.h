/*
 * intake/given.h: what a call has given, in a form that can be compared with another call's.
 */
#ifndef BI_GIVEN_H
#define BI_GIVEN_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* Returns the text of an argument's value: the same for the same value, whatever the settings of
 * the session are and in whatever form it was written. */
extern char *bi_given_text(Oid type, Datum value);

/* Appends a member to the members of a JSON object: the name, and the digest of the text. */
extern void bi_given_add(StringInfo members, const char *name, const char *text);

#endif							/* BI_GIVEN_H */
