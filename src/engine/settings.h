/*
 * engine/settings.h: the settings under which our own work runs.
 */
#ifndef BI_SETTINGS_H
#define BI_SETTINGS_H

#include "postgres.h"

#include "utils/guc.h"

/* Forces them: GUC_ACTION_SET for a worker's whole life, GUC_ACTION_SAVE inside a
 * nest level of the caller's. */
extern void bi_settings_force(GucAction action);

/* The transaction that has just begun, before its first snapshot: read committed and
 * read-write, whatever the session's defaults are. */
extern void bi_settings_force_transaction(void);

#endif							/* BI_SETTINGS_H */
