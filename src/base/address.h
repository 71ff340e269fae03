/*
 * base/address.h: which network addresses a request may not reach (promise 6).
 */
#ifndef BI_ADDRESS_H
#define BI_ADDRESS_H

#include "postgres.h"

#include <sys/socket.h>

/* Is it loopback, link-local, private, or otherwise no address of the public
 * network?  Any family but IPv4 and IPv6 is. */
extern bool bi_address_inner(const struct sockaddr *addr);

/* The same for an address in text form, IPv6 with or without brackets; otherwise
 * where text is not an address. */
extern bool bi_address_text_inner(const char *text, bool otherwise);

#endif							/* BI_ADDRESS_H */
