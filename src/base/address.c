/*
 * base/address.c: which network addresses a request may not reach (promise 6).
 *
 * A table of address blocks and nothing else: no resolving, no I/O, no settings.  It judges
 * addresses that are already resolved, so that a name that points inwards is caught as well.
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

/* The metadata services of clouds give keys without a password to everybody who can reach them. */
static const Block v4_metadata[] = {
	{{169, 254, 0, 0}, 16},		/* all that is link-local */
	{{100, 100, 100, 200}, 32}, /* Alibaba */
	{{168, 63, 129, 16}, 32},	/* Azure */
	{{192, 0, 0, 192}, 32}		/* Oracle */
};

static const Block v6_metadata[] = {
	{{0xfd, 0x00, 0x0e, 0xc2}, 32}, /* AWS */
	{{0xfd, 0x20, 0x00, 0xce}, 32}	/* Google */
};

/* IPv6 addresses that contain an IPv4 address. */
static const struct
{
	uint8		prefix[12];
	int			len;			/* of the prefix */
	int			at;				/* where in it the IPv4 address begins */
}			carriers[] = {
	{{0}, 12, 12},				/* compatible; also :: and ::1, as part of 0.0.0.0/8 */
	{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12, 12},	/* mapped */
	{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12, 12}, /* translated */
	{{0, 0x64, 0xff, 0x9b}, 12, 12},	/* NAT64 */
	{{0, 0x64, 0xff, 0x9b, 0, 1}, 6, 12},	/* NAT64 of a local network */
	{{0x20, 0x02}, 2, 2}		/* 6to4 */
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
in_any(const uint8 *addr, const Block *blocks, int nblocks)
{
	for (int i = 0; i < nblocks; i++)
	{
		if (in_block(addr, &blocks[i]))
			return true;
	}
	return false;
}

static BiAddress
judge_v4(const uint8 *addr)
{
	if (in_any(addr, v4_metadata, lengthof(v4_metadata)))
		return BI_ADDRESS_METADATA;
	return in_any(addr, v4_blocks, lengthof(v4_blocks)) ? BI_ADDRESS_INNER : BI_ADDRESS_OUTER;
}

static BiAddress
judge_v6(const uint8 *addr)
{
	for (int i = 0; i < lengthof(carriers); i++)
	{
		if (memcmp(addr, carriers[i].prefix, carriers[i].len) == 0)
			return judge_v4(addr + carriers[i].at);
	}
	if (in_any(addr, v6_metadata, lengthof(v6_metadata)))
		return BI_ADDRESS_METADATA;
	return in_any(addr, v6_blocks, lengthof(v6_blocks)) ? BI_ADDRESS_INNER : BI_ADDRESS_OUTER;
}

BiAddress
bi_address_judge(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return judge_v4((const uint8 *) &((const struct sockaddr_in *) addr)->sin_addr);
	if (addr->sa_family == AF_INET6)
		return judge_v6((const uint8 *) &((const struct sockaddr_in6 *) addr)->sin6_addr);
	return BI_ADDRESS_INNER;
}

BiAddress
bi_address_judge_text(const char *text, BiAddress otherwise)
{
	uint8		addr[16];
	char		bare[INET6_ADDRSTRLEN];
	size_t		len = strlen(text);

	if (len > 0 && text[len - 1] == '.')
		len--;					/* the dot at the end of a complete name */
	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
	{
		text++;
		len -= 2;
	}
	if (len >= sizeof(bare))
		return otherwise;
	memcpy(bare, text, len);
	bare[len] = '\0';
	if (inet_pton(AF_INET, bare, addr) == 1)
		return judge_v4(addr);
	return inet_pton(AF_INET6, bare, addr) == 1 ? judge_v6(addr) : otherwise;
}
