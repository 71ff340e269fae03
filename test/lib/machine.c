/*
 * test/lib/machine.c: a machine in a cloud, preloaded into the server under test.
 *
 * Whatever connects to an address where clouds have their metadata services is connected to
 * port $MACHINE_PORT of this machine instead, and names under "machine.test" resolve to such
 * addresses.  So a request that should never have left does arrive somewhere.
 *
 * 203.0.113.1, an address for documentation, is a host out in the world, and is that port too.
 * rebind.machine.test resolves to it and to 127.0.0.1 by turns, as the name of a hostile owner
 * may who waits for the second look.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DOMAIN ".machine.test"

static const struct
{
	const char *name;
	const char *address;
}			names[] = {
	{"instance", "169.254.169.254"},
	{"container", "169.254.170.2"},
	{"instance6", "fd00:ec2::254"},
	{"google", "fd20:ce::254"},
	{"mapped", "::ffff:169.254.169.254"},
};

#define OUTER "203.0.113.1"

static int
is_outer(const struct sockaddr *to)
{
	return to->sa_family == AF_INET &&
		((const struct sockaddr_in *) to)->sin_addr.s_addr == inet_addr(OUTER);
}

static int
is_link_local(const unsigned char *v4)
{
	return v4[0] == 169 && v4[1] == 254;
}

/* The addresses that base/address.c must know, but for those that few clouds have. */
static int
is_metadata(const struct sockaddr *to)
{
	static const unsigned char aws[4] = {0xfd, 0x00, 0x0e, 0xc2};
	static const unsigned char google[4] = {0xfd, 0x20, 0x00, 0xce};
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	const unsigned char *v6 =
		(const unsigned char *) &((const struct sockaddr_in6 *) to)->sin6_addr;

	if (to->sa_family == AF_INET)
		return is_outer(to) ||
			is_link_local((const unsigned char *) &((const struct sockaddr_in *) to)->sin_addr);
	if (to->sa_family != AF_INET6)
		return 0;
	return memcmp(v6, aws, 4) == 0 || memcmp(v6, google, 4) == 0 ||
		(memcmp(v6, mapped, 12) == 0 && is_link_local(v6 + 12));
}

static int
connect_here(int fd, int family)
{
	int			(*real) (int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
	unsigned short port = htons((unsigned short) atoi(getenv("MACHINE_PORT")));
	struct sockaddr_in v4 =
		{.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

	inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr);
	if (family == AF_INET)
		return real(fd, (struct sockaddr *) &v4, sizeof(v4));
	return real(fd, (struct sockaddr *) &v6, sizeof(v6));
}

/* Sockets that are connected to OUTER, as their owner believes. */
#define FDS 1024
static unsigned char outer_fds[FDS];

int
connect(int fd, const struct sockaddr *to, socklen_t size)
{
	int			(*real) (int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");

	if (fd >= 0 && fd < FDS)
		outer_fds[fd] = is_outer(to);
	if (is_metadata(to) && getenv("MACHINE_PORT"))
		return connect_here(fd, to->sa_family);
	return real(fd, to, size);
}

/* base/transfer.c judges this address too, once connected. */
int
getpeername(int fd, struct sockaddr *peer, socklen_t *size)
{
	int			(*real) (int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "getpeername");
	int			result = real(fd, peer, size);

	if (result == 0 && fd >= 0 && fd < FDS && outer_fds[fd])
		((struct sockaddr_in *) peer)->sin_addr.s_addr = inet_addr(OUTER);
	return result;
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **found)
{
	int			(*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");
	size_t		len = node ? strlen(node) : 0;

	if (len > strlen(DOMAIN) && strcmp(node + len - strlen(DOMAIN), DOMAIN) == 0)
	{
		static atomic_int looks = 0;

		if (strcmp(node, "rebind" DOMAIN) == 0)
			node = looks++ % 2 == 0 ? OUTER : "127.0.0.1";
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strncmp(node, names[i].name, len - strlen(DOMAIN)) == 0 &&
				names[i].name[len - strlen(DOMAIN)] == '\0')
				node = names[i].address;
	}
	return real(node, service, hints, found);
}
