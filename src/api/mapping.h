/*
 * api/mapping.h: what a user mapping's options must be together.
 */
#ifndef BI_MAPPING_H
#define BI_MAPPING_H

#include "postgres.h"

#include "nodes/pg_list.h"

/*
 * Raises an error if the options of a user mapping (DefElem, each valid by itself) do not go
 * together.
 */
extern void bi_mapping_check(List *given);

#endif							/* BI_MAPPING_H */
