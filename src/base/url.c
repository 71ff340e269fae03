/*
 * base/url.c: is this a URL that requests may be built on?
 *
 * Knows the shape of a base URL, stricter than any standard, so that no later
 * reader can see a different host in it.  Must not know who may use which host.  Pure.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/url.h"

#define URL_MAX 2048

#define HEX "0123456789abcdefABCDEF"
#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* True for ":1" to ":65535", and for nothing. */
static bool
is_port(const char *port, size_t len)
{
	int			number = 0;

	if (len == 0)
		return true;
	if (port[0] != ':' || len > 6)
		return false;
	for (size_t i = 1; i < len; i++)
	{
		if (!isdigit((unsigned char) port[i]))
			return false;
		number = number * 10 + (port[i] - '0');
	}
	return number >= 1 && number <= 65535;
}

/* Returns the length of the host that authority begins with; 0 if there is none. */
static size_t
host_length(const char *authority)
{
	size_t		len;

	if (authority[0] != '[')
		return strspn(authority, ALPHANUMERIC "-._");
	len = 1 + strspn(authority + 1, HEX ":.");
	return len > 1 && authority[len] == ']' ? len + 1 : 0;
}

/* Returns NULL if authority is host or host:port; otherwise the reason. */
static char *
refuse_authority(const char *authority, size_t len)
{
	size_t		host = host_length(authority);

	if (len == 0)
		return pstrdup("The URL has no host.");
	if (memchr(authority, '@', len) != NULL)
		return pstrdup("The URL must not have a user name or password.");
	if (host == 0 || (host < len && authority[host] != ':'))
		return pstrdup("The URL's host is not valid.");
	if (!is_port(authority + host, len - host))
		return pstrdup("The URL's port must be a number between 1 and 65535.");
	return NULL;
}

static bool
is_visible(const char *url)
{
	for (; *url != '\0'; url++)
	{
		if (*url <= ' ' || *url > '~' || *url == '\\')
			return false;
	}
	return true;
}

char *
bi_url_refuse(const char *url, char **plain_host)
{
	bool		plain = strncmp(url, "http://", 7) == 0;
	const char *authority = url + (plain ? 7 : 8);
	char	   *reason;

	*plain_host = NULL;
	if (!plain && strncmp(url, "https://", 8) != 0)
		return pstrdup("The URL must start with \"https://\" or \"http://\".");
	if (strlen(url) > URL_MAX)
		return psprintf("The URL must not be longer than %d bytes.", URL_MAX);
	if (!is_visible(url))
		return pstrdup("The URL must consist of visible ASCII characters,"
					   " without spaces and backslashes.");
	if (strchr(url, '?') != NULL)
		return pstrdup("The URL must not have a query.");
	if (strchr(url, '#') != NULL)
		return pstrdup("The URL must not have a fragment.");

	reason = refuse_authority(authority, strcspn(authority, "/"));
	if (reason == NULL && plain)
		*plain_host = pnstrdup(authority, host_length(authority));
	return reason;
}
