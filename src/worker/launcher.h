/*
 * worker/launcher.h: the process that starts visits where work is due.
 */
#ifndef BI_LAUNCHER_H
#define BI_LAUNCHER_H

#include "postgres.h"

/* In _PG_init, after bi_guc_define: when the library is being preloaded, asks for the
 * shared memory, the launcher and the utility hook; else, and in pg_upgrade, nothing. */
extern void bi_launcher_register(void);

extern PGDLLEXPORT void batchinf_launcher_main(Datum arg);

#endif							/* BI_LAUNCHER_H */
