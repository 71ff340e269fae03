/*
 * api/option.h: which options there are.
 */
#ifndef BI_OPTION_H
#define BI_OPTION_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "provider/provider.h"

/*
 * Ereports where an option of given (DefElem) has a name that objects of this catalog do not
 * take, or the provider (NULL: any).  A name that only another provider takes is a WARNING while
 * a dump is restored.
 */
extern void bi_option_check_names(List *given, Oid catalog, const BiProvider *provider);

#endif							/* BI_OPTION_H */
