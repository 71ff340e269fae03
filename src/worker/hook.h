/*
 * worker/hook.h: statements that need a database to themselves.
 */
#ifndef BI_HOOK_H
#define BI_HOOK_H

/* Installs the utility hook.  For _PG_init, while the library is being preloaded. */
extern void bi_hook_install(void);

#endif							/* BI_HOOK_H */
