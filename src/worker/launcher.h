/*
 * worker/launcher.h: the process that starts visits where work is due.
 */
#ifndef BI_LAUNCHER_H
#define BI_LAUNCHER_H

#include "postgres.h"

/*
 * If the library is being preloaded: asks for the shared memory and the launcher, and installs the
 * utility hook.  Otherwise, and in pg_upgrade, does nothing.  For _PG_init, after bi_guc_define.
 */
extern void bi_launcher_register(void);

/* The launcher's process.  Never returns. */
extern PGDLLEXPORT void batchinf_launcher_main(Datum arg);

#endif							/* BI_LAUNCHER_H */
