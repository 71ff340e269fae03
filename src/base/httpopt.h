/*
 * base/httpopt.h: what a transfer may ask for, and with which options of libcurl.
 */
#ifndef BI_HTTPOPT_H
#define BI_HTTPOPT_H

#include "base/transfer.h"

/*
 * True if the request is allowed at all.  If not, the transfer has the cause.  Sets inner_allowed.
 */
extern bool bi_httpopt_check(BiTransfer *transfer);

/* Sets all options of the open easy handle, except the callbacks. */
extern CURLcode bi_httpopt_set(BiTransfer *transfer);

#endif							/* BI_HTTPOPT_H */
