/*
 * store/path.h: which paths of a write-back cost too much.
 */
#ifndef BI_PATH_H
#define BI_PATH_H

#include "store/target.h"

/* Returns NULL, or why the column's path may not be used, with the figure and the limit;
 * palloc'd.  Interruptible. */
extern char *bi_path_refuse(const BiTargetColumn *column);

/* The same of all columns: the first reason, with the column's name. */
extern char *bi_path_refuse_any(const BiTarget *target);

#endif							/* BI_PATH_H */
