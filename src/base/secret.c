/*
 * base/secret.c: key references become bytes for one exchange, then are wiped.
 *
 * Knows where a key can stand: in the user mapping, in a file or in the
 * environment of the server.  Must not know what it is for, nor whether its
 * owner was allowed to name that file: the validator (api/option.c) asked when
 * the reference was made.  No key and no byte of a file ever stands in a reason
 * or an error.  Called by engine/ and api/check.c before an exchange.
 */
#include "postgres.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"

#include "base/secret.h"
#include "common/cryptohash.h"
#include "common/sha2.h"

#define SCRUB_MIN 8

bool
bi_secret_fits(const char *key, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (key[i] <= ' ' || key[i] > '~')
			return false;
	}
	return len > 0;
}

/* A copy without the white space at its ends, or NULL with *why. */
static char *
take_key(const char *bytes, size_t len, const char *option, char **why)
{
	while (len > 0 && isspace((unsigned char) bytes[0]))
		bytes++, len--;
	while (len > 0 && isspace((unsigned char) bytes[len - 1]))
		len--;

	if (len == 0)
		*why = psprintf("the key given by option \"%s\" is empty", option);
	else if (!bi_secret_fits(bytes, len))
		*why = psprintf("the key given by option \"%s\" has characters other than visible ASCII in it", option);
	else
		return pnstrdup(bytes, len);
	return NULL;
}

/* At most size bytes of fd; -1 with errno. */
static ssize_t
read_all(int fd, char *buffer, size_t size)
{
	size_t		len = 0;

	while (len < size)
	{
		ssize_t		got = read(fd, buffer + len, size - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += got;
	}
	return len;
}

static char *
read_open_file(int fd, char *buffer, char **why)
{
	struct stat st;
	ssize_t		len;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		*why = pstrdup("file named by option \"api_key_file\" is not a regular file");
	else if ((len = read_all(fd, buffer, BI_SECRET_MAX + 1)) < 0)
		*why = psprintf("could not read file named by option \"api_key_file\": %m");
	else if (len > BI_SECRET_MAX)
		*why = psprintf("file named by option \"api_key_file\" is larger than %d kB", BI_SECRET_MAX / 1024);
	else
		return take_key(buffer, len, "api_key_file", why);
	return NULL;
}

static char *
read_file(const char *path, char **why)
{
	char	   *key;
	char	   *buffer;
	int			fd;

	if (!is_absolute_path(path))
	{
		*why = pstrdup("option \"api_key_file\" is not an absolute path");
		return NULL;
	}

	/* Not blocking: the path may have become a pipe that nobody writes to. */
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0)
	{
		*why = psprintf("could not read file named by option \"api_key_file\": %m");
		return NULL;
	}
	buffer = palloc(BI_SECRET_MAX + 1);
	key = read_open_file(fd, buffer, why);
	explicit_bzero(buffer, BI_SECRET_MAX + 1);
	pfree(buffer);
	CloseTransientFile(fd);
	return key;
}

static char *
read_environment(const char *name, char **why)
{
	const char *value = getenv(name);

	if (value != NULL)
		return take_key(value, strlen(value), "api_key_env", why);
	*why = pstrdup("environment variable named by option \"api_key_env\" is not set for the server");
	return NULL;
}

char *
bi_secret_read(const BiKeyRef *ref, char **why)
{
	*why = NULL;
	if (ref->api_key != NULL)
		return take_key(ref->api_key, strlen(ref->api_key), "api_key", why);
	if (ref->client_secret != NULL)
		return take_key(ref->client_secret, strlen(ref->client_secret), "client_secret", why);
	if (ref->api_key_file != NULL)
		return read_file(ref->api_key_file, why);
	if (ref->api_key_env != NULL)
		return read_environment(ref->api_key_env, why);
	*why = pstrdup("the user mapping has none of the options \"api_key\", \"api_key_file\", \"api_key_env\" and \"client_secret\"");
	return NULL;
}

void
bi_secret_scrub(char *text, size_t len, const char *key)
{
	size_t		key_len = key != NULL ? strlen(key) : 0;
	char	   *end = text + len;

	if (key_len < SCRUB_MIN)
		return;
	while (end - text >= (ptrdiff_t) key_len &&
		   (text = memchr(text, key[0], end - text - key_len + 1)) != NULL)
	{
		if (memcmp(text, key, key_len) == 0)
		{
			memset(text, '*', key_len);
			text += key_len;
		}
		else
			text++;
	}
}

void
bi_secret_wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
}

static void
add_part(pg_cryptohash_ctx *hash, const char *part)
{
	static const uint8 end = 0;

	if (part && pg_cryptohash_update(hash, (const uint8 *) part, strlen(part)) < 0)
		elog(ERROR, "could not compute a digest");
	if (pg_cryptohash_update(hash, &end, 1) < 0)
		elog(ERROR, "could not compute a digest");
}

char *
bi_secret_digest(const char *const *parts, int n)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *text = palloc(33);

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		elog(ERROR, "could not compute a digest");
	for (int i = 0; i < n; i++)
		add_part(hash, parts[i]);
	if (pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a digest");
	pg_cryptohash_free(hash);
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return text;
}
