/*
 * base/httpopt.h: what a transfer may ask for, and with which options of libcurl.
 */
#ifndef BI_HTTPOPT_H
#define BI_HTTPOPT_H

#include "base/transfer.h"

/* May this be asked for at all?  If not, the transfer has its cause.  Decides
 * inner_allowed. */
extern bool bi_httpopt_check(BiTransfer *transfer);

/* All options of the open easy handle but the callbacks. */
extern CURLcode bi_httpopt_set(BiTransfer *transfer);

#endif							/* BI_HTTPOPT_H */
