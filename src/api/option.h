/*
 * api/option.h: the names of options that servers and user mappings take.
 */
#ifndef BI_OPTION_H
#define BI_OPTION_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "provider/provider.h"

/*
 * Raises an error for an option (of given, DefElem) with a name that objects of this catalog do not
 * take, or that this provider does not (NULL: any provider).  While a dump is restored, a name that
 * only another provider takes is a WARNING.
 */
extern void bi_option_check_names(List *given, Oid catalog, const BiProvider *provider);

#endif							/* BI_OPTION_H */
