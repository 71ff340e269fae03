/*
 * base/address.c: which network addresses a request may not reach (promise 6).
 *
 * A table of address blocks and nothing else: no resolving, no I/O, no settings.
 * Called by http.c with addresses that are already resolved, so that a name which
 * points inwards is caught as well as an address.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/address.h"

typedef struct Block
{
	uint8		prefix[4];
	int			bits;
} Block;

static const Block v4_blocks[] = {
	{{0, 0, 0, 0}, 8},			/* this host */
	{{10, 0, 0, 0}, 8},			/* private */
	{{100, 64, 0, 0}, 10},		/* carrier-grade NAT */
	{{127, 0, 0, 0}, 8},		/* loopback */
	{{169, 254, 0, 0}, 16},		/* link-local, metadata services */
	{{172, 16, 0, 0}, 12},		/* private */
	{{192, 0, 0, 0}, 24},		/* protocol assignments */
	{{192, 168, 0, 0}, 16},		/* private */
	{{198, 18, 0, 0}, 15},		/* benchmarking */
	{{224, 0, 0, 0}, 3}			/* multicast, reserved, broadcast */
};

static const Block v6_blocks[] = {
	{{0xfc, 0, 0, 0}, 7},		/* unique local */
	{{0xfe, 0x80, 0, 0}, 9},	/* link-local, site-local */
	{{0xff, 0, 0, 0}, 8}		/* multicast */
};

static bool
in_block(const uint8 *addr, const Block *block)
{
	for (int bit = 0; bit < block->bits; bit++)
	{
		if ((addr[bit / 8] ^ block->prefix[bit / 8]) & (0x80 >> bit % 8))
			return false;
	}
	return true;
}

static bool
v4_inner(const uint8 *addr)
{
	for (int i = 0; i < lengthof(v4_blocks); i++)
	{
		if (in_block(addr, &v4_blocks[i]))
			return true;
	}
	return false;
}

/*
 * Addresses that carry an IPv4 one are judged by that: mapped and compatible
 * (which makes :: and ::1 part of 0.0.0.0/8), NAT64 and 6to4.
 */
static bool
v6_inner(const uint8 *addr)
{
	static const uint8 zero[10] = {0};
	static const uint8 nat64[12] = {0, 0x64, 0xff, 0x9b};

	if (memcmp(addr, zero, 10) == 0 &&
		((addr[10] == 0 && addr[11] == 0) || (addr[10] == 0xff && addr[11] == 0xff)))
		return v4_inner(addr + 12);
	if (memcmp(addr, nat64, sizeof(nat64)) == 0)
		return v4_inner(addr + 12);
	if (addr[0] == 0x20 && addr[1] == 0x02)
		return v4_inner(addr + 2);
	for (int i = 0; i < lengthof(v6_blocks); i++)
	{
		if (in_block(addr, &v6_blocks[i]))
			return true;
	}
	return false;
}

bool
bi_address_inner(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return v4_inner((const uint8 *) &((const struct sockaddr_in *) addr)->sin_addr);
	if (addr->sa_family == AF_INET6)
		return v6_inner((const uint8 *) &((const struct sockaddr_in6 *) addr)->sin6_addr);
	return true;
}

bool
bi_address_text_inner(const char *text, bool otherwise)
{
	uint8		addr[16];
	char		bare[INET6_ADDRSTRLEN];
	size_t		len = strlen(text);

	if (inet_pton(AF_INET, text, addr) == 1)
		return v4_inner(addr);
	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
	{
		text++;
		len -= 2;
	}
	if (len >= sizeof(bare))
		return otherwise;
	memcpy(bare, text, len);
	bare[len] = '\0';
	return inet_pton(AF_INET6, bare, addr) == 1 ? v6_inner(addr) : otherwise;
}
