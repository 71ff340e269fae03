/*
 * base/sigv4.c: AWS Signature Version 4 for one exchange.
 *
 * Knows the payload, the key and the headers of a signature; canonical.c knows what is
 * signed.  No clock, and no I/O except reading the spool that is sent.
 */
#include "postgres.h"

#include "base/canonical.h"
#include "base/digest.h"
#include "base/sigv4.h"
#include "miscadmin.h"
#include "pgtime.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define UNSIGNED "UNSIGNED-PAYLOAD"
#define READ_SIZE (64 * 1024)

static void
hash_body(const BiExchange *ex, char *hex)
{
	int64		size = bi_exchange_body_size(ex);
	char	   *bytes = palloc(READ_SIZE);
	BiDigest	hash;
	ssize_t		n = 0;
	int			failure = 0;

	bi_digest_begin(&hash);
	for (int64 at = 0; at < size && failure == 0; at += n)
	{
		n = bi_exchange_body_get(ex, at, bytes, READ_SIZE);
		CHECK_FOR_INTERRUPTS();
		if (n <= 0)
			failure = n < 0 ? errno : EIO;
		else
			bi_digest_bytes(&hash, bytes, n);
	}
	bi_digest_end(&hash, hex);
	explicit_bzero(bytes, READ_SIZE);
	pfree(bytes);
	if (failure)
	{
		errno = failure;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read temporary file: %m")));
	}
}

/* Computes the signature of the text with the key of this day, region and service. */
static void
sign_text(const BiSigv4 *with, const char *day, const char *text, char *hex)
{
	uint8		key[BI_DIGEST_SIZE] = {0};
	size_t		len = strlen(with->secret_key) + 4;
	char	   *first = palloc(len + 1);

	PG_TRY();
	{
		snprintf(first, len + 1, "AWS4%s", with->secret_key);
		bi_digest_hmac(first, len, day, key);
		bi_digest_hmac(key, sizeof(key), with->region, key);
		bi_digest_hmac(key, sizeof(key), with->service, key);
		bi_digest_hmac(key, sizeof(key), "aws4_request", key);
		bi_digest_hmac(key, sizeof(key), text, key);
		bi_digest_hex(key, hex);
	}
	PG_FINALLY();
	{
		explicit_bzero(first, len);
		explicit_bzero(key, sizeof(key));
	}
	PG_END_TRY();
	pfree(first);
}

/* Returns what the signature says about the body.  hex has space for a hash. */
static const char *
describe_payload(const BiExchange *ex, const BiSigv4 *with, const BiCanonicalUrl *url, char *hex)
{
	if (with->payload == BI_SIGV4_UNSIGNED)
	{
		if (!with->s3)
			bi_canonical_refuse("only S3 takes a body that is not signed");
		if (!url->https)
			bi_canonical_refuse("its body must be signed over plain http");
		return UNSIGNED;
	}
	if (with->payload == BI_SIGV4_GIVEN)
	{
		const char *hash = with->payload_hash;

		if (hash == NULL || strspn(hash, "0123456789abcdef") != BI_DIGEST_HEX - 1 ||
			strlen(hash) != BI_DIGEST_HEX - 1)
			bi_canonical_refuse("the hash of its body is no SHA-256");
		return hash;
	}
	hash_body(ex, hex);
	return hex;
}

static void
add_headers(BiExchange *ex, const BiSigv4 *with, const char *time, const char *payload)
{
	static const char *const ours[] =
		{"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"};

	for (int i = 0; i < lengthof(ours); i++)
	{
		if (bi_exchange_request_header(ex, ours[i]))
			bi_canonical_refuse("it is signed already");
	}
	bi_exchange_add_header(ex, "x-amz-date", time);
	if (with->session_token)
		bi_exchange_add_header(ex, "x-amz-security-token", with->session_token);
	if (with->s3)
		bi_exchange_add_header(ex, "x-amz-content-sha256", payload);
}

static void
sign(BiExchange *ex, const BiSigv4 *with)
{
	BiCanonicalUrl url;
	char		hash[BI_DIGEST_HEX];
	char		signature[BI_DIGEST_HEX];
	char		time[32];
	pg_time_t	now = with->now_unix;
	const char *payload;
	List	   *headers;
	char	   *names;
	char	   *scope;

	bi_canonical_split(ex->url, with->s3, &url);
	payload = describe_payload(ex, with, &url, hash);
	pg_strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", pg_gmtime(&now));
	scope = psprintf("%.8s/%s/%s/aws4_request", time, with->region, with->service);
	add_headers(ex, with, time, payload);

	headers = bi_canonical_headers(ex, &url);
	names = bi_canonical_names(headers);
	bi_canonical_hash(ex, &url, headers, names, payload, hash);
	sign_text(with, pnstrdup(time, 8), psprintf(ALGORITHM "\n%s\n%s\n%s", time, scope, hash),
			  signature);
	bi_exchange_add_header(ex, "authorization",
						   psprintf(ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
									with->access_key, scope, names, signature));
}

typedef struct Signing
{
	BiExchange *ex;
	const BiSigv4 *with;
} Signing;

static void
sign_owned(void *arg)
{
	Signing    *signing = arg;

	sign(signing->ex, signing->with);
}

void
bi_sigv4_sign(BiExchange *ex, const BiSigv4 *with)
{
	Signing		signing = {ex, with};

	bi_digest_own(sign_owned, &signing);
}
