/*
 * engine/settings.h: the settings under which our own work runs.
 */
#ifndef BI_SETTINGS_H
#define BI_SETTINGS_H

#include "postgres.h"

#include "utils/guc.h"

/* Forces them: GUC_ACTION_SET for the whole life of a worker, GUC_ACTION_SAVE inside of a nest
 * level that the caller has opened. */
extern void bi_settings_force(GucAction action);

/* Makes the transaction that has just begun read committed and read-write, whatever the session's
 * defaults are.  Before its first snapshot. */
extern void bi_settings_force_transaction(void);

#endif							/* BI_SETTINGS_H */
