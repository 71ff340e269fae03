/*
 * api/mapping.h: what a user mapping's options must be together.
 */
#ifndef BI_MAPPING_H
#define BI_MAPPING_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* given: DefElem, each valid by itself.  Ereports where they do not go together. */
extern void bi_mapping_check(List *given);

#endif							/* BI_MAPPING_H */
