/*
 * api/serving.h: what a server's options must be together.
 */
#ifndef BI_SERVING_H
#define BI_SERVING_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "provider/provider.h"

/*
 * Returns the provider that the options (DefElem) name; NULL if there is no such provider.
 * Raises an error if they have no option "provider".
 */
extern const BiProvider *bi_serving_provider(List *given);

/* Raises an error if the options of a server (DefElem, each valid by itself) do not go together. */
extern void bi_serving_check(List *given, const BiProvider *provider);

#endif							/* BI_SERVING_H */
