/*
 * base/address.h: which network addresses a request may not reach (promise 6).
 */
#ifndef BI_ADDRESS_H
#define BI_ADDRESS_H

#include "postgres.h"

#include <sys/socket.h>

typedef enum BiAddress
{
	BI_ADDRESS_OUTER,			/* of the public network */
	BI_ADDRESS_INNER,			/* loopback, private and the like; any family but IPv4 and IPv6 */
	BI_ADDRESS_METADATA			/* where clouds give keys to whoever asks; link-local */
} BiAddress;

extern BiAddress bi_address_judge(const struct sockaddr *addr);

/* The same for an address in text form, IPv6 with or without brackets; otherwise
 * where text is not an address. */
extern BiAddress bi_address_judge_text(const char *text, BiAddress otherwise);

#endif							/* BI_ADDRESS_H */
