/*
 * intake/values.h: the values of the arguments of one call.
 */
#ifndef BI_VALUES_H
#define BI_VALUES_H

#include "postgres.h"

#include "fmgr.h"
#include "intake/listed.h"

/* The values, by their places in the list.  Filled by bi_values_of_call; they live as long as the
 * call's arguments, and nobody changes them. */
typedef struct BiValues
{
	const char *function;		/* the name of the SQL function */
	bool		given[BI_ARG_COUNT];	/* false: the function lacks the argument, or it is NULL */
	Oid			type[BI_ARG_COUNT];
	Datum		value[BI_ARG_COUNT];	/* of those that are given */
} BiValues;

/*
 * Finds the arguments of the SQL function that is called by their names in pg_proc, whatever their
 * places; the function need not have all of them.  Raises errors for what the list makes possible
 * to check: a value that is too large, a word that is not allowed, and
 * ERRCODE_FEATURE_NOT_SUPPORTED for an argument that asks for something that is not built yet.
 * Needs a transaction, no SPI.
 */
extern void bi_values_of_call(FunctionCallInfo fcinfo, BiValues *values);

/* Raises ERRCODE_FEATURE_NOT_SUPPORTED for an argument that asks for something that is not built
 * yet. */
extern void bi_values_check_built(const BiValues *values);

/* Raises an error unless the argument is given. */
extern void bi_values_require(const BiValues *values, BiArgument arg);

/* Returns the value of an argument of type text, palloc'd; NULL if it is not given. */
extern char *bi_values_text(const BiValues *values, BiArgument arg);

/* Returns the number, from 0, of the word that is the value; otherwise if it is not given. */
extern int	bi_values_word(const BiValues *values, BiArgument arg, int otherwise);

/* Returns the text of a JSON argument that must be an object, palloc'd; NULL if it is not given. */
extern char *bi_values_object(const BiValues *values, BiArgument arg);

/*
 * The same of an argument of type batch_json, compact: members in the order in which they were
 * written, of a name given twice the last value in the first one's place.  Raises what jsonb
 * raises: escapes that are no character.
 */
extern char *bi_values_ordered(const BiValues *values, BiArgument arg);

/* Returns the arguments that were given and ask for something else than their defaults: a JSON
 * object of the digest of each value by its name, without idempotency_key. */
extern char *bi_values_given(const BiValues *values);

#endif							/* BI_VALUES_H */
