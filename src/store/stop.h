/*
 * store/stop.h: servers that their owners have paused.
 */
#ifndef BI_STOP_H
#define BI_STOP_H

#include "postgres.h"

/* Both need SPI and a transaction.  The caller has checked the user's right. */

/* Pauses the server: nothing new is sent to it until bi_stop_clear.  by: the role that asks.
 * False if it was paused already. */
extern bool bi_stop_set(Oid server, const char *by);

/* Ends the pause.  False if it was not paused. */
extern bool bi_stop_clear(Oid server);

#endif							/* BI_STOP_H */
