/*
 * store/stop.h: servers that their owners have paused.
 */
#ifndef BI_STOP_H
#define BI_STOP_H

#include "postgres.h"

/* Both need SPI and a transaction; the caller has asked whether the user may. */

/* Nothing new is sent to the server until bi_stop_clear.  by: who said so.  Returns false if it
 * was paused already. */
extern bool bi_stop_set(Oid server, const char *by);

/* Returns false if it was not paused. */
extern bool bi_stop_clear(Oid server);

#endif							/* BI_STOP_H */
