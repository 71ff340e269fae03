/*
 * base/address.h: which network addresses a request may not reach (promise 6).
 */
#ifndef BI_ADDRESS_H
#define BI_ADDRESS_H

#include "postgres.h"

#include <sys/socket.h>

typedef enum BiAddress
{
	BI_ADDRESS_OUTER,			/* in the public network */
	BI_ADDRESS_INNER,			/* loopback, private and similar; any family except IPv4 and IPv6 */
	BI_ADDRESS_METADATA			/* metadata services of clouds; link-local */
} BiAddress;

extern BiAddress bi_address_judge(const struct sockaddr *addr);

/* The same for an address in text form, IPv6 with or without brackets.  Returns otherwise if text
 * is not an address. */
extern BiAddress bi_address_judge_text(const char *text, BiAddress otherwise);

#endif							/* BI_ADDRESS_H */
