/*
 * api/serving.h: what a server's options must be together.
 */
#ifndef BI_SERVING_H
#define BI_SERVING_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "provider/provider.h"

/* The provider that the options (DefElem) name; NULL if there is no such provider.  Ereports
 * where they name none. */
extern const BiProvider *bi_serving_provider(List *given);

/* given: DefElem, each valid by itself.  Ereports where they do not go together. */
extern void bi_serving_check(List *given, const BiProvider *provider);

#endif							/* BI_SERVING_H */
