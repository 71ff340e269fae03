/*
 * api/serving.h: what a server's options must be together.
 */
#ifndef BI_SERVING_H
#define BI_SERVING_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* given: DefElem, each valid by itself.  Ereports where they do not go together. */
extern void bi_serving_check(List *given);

#endif							/* BI_SERVING_H */
