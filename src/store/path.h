/*
 * store/path.h: which paths of a write-back cost too much.
 */
#ifndef BI_PATH_H
#define BI_PATH_H

#include "postgres.h"

/* Returns why a compiled SQL/JSON path may not be used, with the figure and the limit, palloc'd;
 * NULL if it may.  Interruptible. */
extern char *bi_path_refuse(Datum jsonpath);

#endif							/* BI_PATH_H */
