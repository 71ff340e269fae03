/*
 * base/digest.c: SHA-256 and HMAC, PostgreSQL's own, that ereport when they fail.
 *
 * Knows nothing of what is hashed.  Called by sigv4.c and canonical.c.
 */
#include "postgres.h"

#include "base/digest.h"
#include "common/cryptohash.h"
#include "common/hmac.h"

static void
report_crypto(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("could not compute SHA-256")));
}

void
bi_digest_begin(BiDigest *hash)
{
	hash->ctx = pg_cryptohash_create(PG_SHA256);
	hash->broken = hash->ctx == NULL || pg_cryptohash_init(hash->ctx) < 0;
}

void
bi_digest_bytes(BiDigest *hash, const char *bytes, size_t len)
{
	if (!hash->broken && pg_cryptohash_update(hash->ctx, (const uint8 *) bytes, len) < 0)
		hash->broken = true;
}

void
bi_digest_text(BiDigest *hash, const char *text)
{
	bi_digest_bytes(hash, text, strlen(text));
}

void
bi_digest_hex(const uint8 *digest, char *hex)
{
	for (int i = 0; i < BI_DIGEST_SIZE; i++)
	{
		hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	hex[BI_DIGEST_HEX - 1] = '\0';
}

void
bi_digest_end(BiDigest *hash, char *hex)
{
	uint8		digest[BI_DIGEST_SIZE];

	if (!hash->broken && pg_cryptohash_final(hash->ctx, digest, sizeof(digest)) < 0)
		hash->broken = true;
	pg_cryptohash_free(hash->ctx);
	if (hash->broken)
		report_crypto();
	bi_digest_hex(digest, hex);
}

void
bi_digest_hmac(const void *key, size_t key_len, const char *text, uint8 *dest)
{
	pg_hmac_ctx *ctx = pg_hmac_create(PG_SHA256);
	bool		good = ctx != NULL && pg_hmac_init(ctx, key, key_len) >= 0 &&
		pg_hmac_update(ctx, (const uint8 *) text, strlen(text)) >= 0 &&
		pg_hmac_final(ctx, dest, BI_DIGEST_SIZE) >= 0;

	pg_hmac_free(ctx);
	if (!good)
		report_crypto();
}
