/*
 * worker/hook.h: statements that need a database to themselves.
 */
#ifndef BI_HOOK_H
#define BI_HOOK_H

/* In _PG_init while preloading: installs the utility hook. */
extern void bi_hook_install(void);

#endif							/* BI_HOOK_H */
