/*
 * base/secret.c: key references become bytes for one exchange, then are wiped.
 *
 * Knows where a key can be: in the user mapping, in a file, or in the environment of the server.
 * Must not know what it is for, nor whether its owner was allowed to name that file: the validator
 * (api/option.c) asked when the reference was made.  No reason and no error ever contains a key or
 * a byte of a file.
 */
#include "postgres.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "storage/fd.h"

#include "base/json.h"
#include "base/secret.h"
#include "common/cryptohash.h"
#include "common/sha2.h"

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

/* What a reference names. */
typedef enum Kind
{
	KIND_KEY,					/* visible ASCII */
	KIND_DOCUMENT				/* any text */
} Kind;

/* Returns a copy without white space at its ends; NULL with *why.  what names its origin. */
static char *
take_key(const char *bytes, size_t len, Kind kind, const char *what, char **why)
{
	while (len > 0 && isspace((unsigned char) bytes[0]))
		bytes++, len--;
	while (len > 0 && isspace((unsigned char) bytes[len - 1]))
		len--;

	if (len == 0)
		*why = psprintf("the key given by %s is empty", what);
	else if (len > BI_SECRET_MAX)
		*why = psprintf("the key given by %s is larger than %d kB", what, BI_SECRET_MAX / 1024);
	else if (kind == KIND_KEY && !bi_secret_fits(bytes, len))
		*why = psprintf("the key given by %s has characters other than visible ASCII in it", what);
	else if (memchr(bytes, '\0', len) || !pg_verify_mbstr(PG_UTF8, bytes, len, true))
		*why = psprintf("what %s gives is no UTF-8 text", what);
	else
		return pnstrdup(bytes, len);
	return NULL;
}

/* Reads at most size bytes of fd.  Returns their number; -1 with errno. */
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
read_open_file(int fd, char *buffer, Kind kind, const char *what, char **why)
{
	struct stat st;
	ssize_t		len;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		*why = psprintf("file named by %s is not a regular file", what);
	else if ((len = read_all(fd, buffer, BI_SECRET_MAX + 1)) < 0)
		*why = psprintf("could not read file named by %s: %m", what);
	else if (len > BI_SECRET_MAX)
		*why = psprintf("file named by %s is larger than %d kB", what, BI_SECRET_MAX / 1024);
	else
		return take_key(buffer, len, kind, what, why);
	return NULL;
}

static char *
read_file(const char *path, Kind kind, const char *what, char **why)
{
	char	   *key;
	char	   *buffer;
	int			fd;

	if (!is_absolute_path(path))
	{
		*why = psprintf("%s is not an absolute path", what);
		return NULL;
	}

	/* Do not block: the path may have become a pipe that nobody writes to. */
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0)
	{
		*why = psprintf("could not read file named by %s: %m", what);
		return NULL;
	}
	buffer = palloc(BI_SECRET_MAX + 1);
	key = read_open_file(fd, buffer, kind, what, why);
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
		return take_key(value, strlen(value), KIND_KEY, "option \"api_key_env\"", why);
	*why = pstrdup("environment variable named by option \"api_key_env\" is not set for the"
				   " server");
	return NULL;
}

char *
bi_secret_read(const BiKeyRef *ref, char **why)
{
	*why = NULL;
	if (ref->api_key)
		return take_key(ref->api_key, strlen(ref->api_key), KIND_KEY, "option \"api_key\"", why);
	if (ref->client_secret)
		return take_key(ref->client_secret, strlen(ref->client_secret), KIND_KEY,
						"option \"client_secret\"", why);
	if (ref->service_account)
		return take_key(ref->service_account, strlen(ref->service_account), KIND_DOCUMENT,
						"option \"service_account\"", why);
	if (ref->api_key_file)
		return read_file(ref->api_key_file, KIND_KEY, "option \"api_key_file\"", why);
	if (ref->service_account_file)
		return read_file(ref->service_account_file, KIND_DOCUMENT,
						 "option \"service_account_file\"", why);
	if (ref->api_key_env)
		return read_environment(ref->api_key_env, why);
	*why = pstrdup("the user mapping has no option that gives a key, such as \"api_key\" or"
				   " \"api_key_file\"");
	return NULL;
}

static const char *
host_variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static char *
host_file(const char *path, char **why)
{
	return read_file(path, KIND_DOCUMENT, "the server's environment", why);
}

const BiHost bi_secret_host = {host_variable, host_file};

void
bi_secret_wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
}

void
bi_secret_wipe_json(const BiJson *document)
{
	size_t		len;
	const char *text = bi_json_string(document, &len);
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	if (text)
		explicit_bzero(unconstify(char *, text), len);
	for (int i = 0; bi_json_type(document) == BI_JSON_ARRAY && i < bi_json_length(document); i++)
		bi_secret_wipe_json(bi_json_item(document, i));
	while (bi_json_next(document, &place, &key, &value))
		bi_secret_wipe_json(value);
}

void
bi_secret_wipe_refs(BiKeyRef *ref)
{
	bi_secret_wipe(ref->api_key);
	bi_secret_wipe(ref->client_secret);
	bi_secret_wipe(ref->service_account);
	bi_secret_wipe(ref->secret_access_key);
	bi_secret_wipe(ref->session_token);
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
