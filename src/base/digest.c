/*
 * base/digest.c: SHA-256 and HMAC, by PostgreSQL's own functions, which raise errors when they
 * fail.
 *
 * Knows nothing of what is hashed.  The server's hashes over libcrypto want a resource owner,
 * which a worker has in a transaction only.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/digest.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "utils/resowner.h"

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

bytea *
bi_digest_bytea(const uint8 *digest, int n)
{
	bytea	   *bytes = palloc(VARHDRSZ + n);

	SET_VARSIZE(bytes, VARHDRSZ + n);
	memcpy(VARDATA(bytes), digest, n);
	return bytes;
}

static void
finish(BiDigest *hash, uint8 *digest)
{
	if (!hash->broken && pg_cryptohash_final(hash->ctx, digest, BI_DIGEST_SIZE) < 0)
		hash->broken = true;
	pg_cryptohash_free(hash->ctx);
	if (hash->broken)
		report_crypto();
}

void
bi_digest_end(BiDigest *hash, char *hex)
{
	uint8		digest[BI_DIGEST_SIZE];

	finish(hash, digest);
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

void
bi_digest_own(void (*work) (void *arg), void *arg)
{
	ResourceOwner before = CurrentResourceOwner;
	ResourceOwner own = before ? NULL : ResourceOwnerCreate(NULL, "batchinf digest");

	if (own)
		CurrentResourceOwner = own;
	PG_TRY();
	{
		work(arg);
	}
	PG_FINALLY();
	{
		CurrentResourceOwner = before;
		if (own)
		{
			ResourceOwnerRelease(own, RESOURCE_RELEASE_BEFORE_LOCKS, false, true);
			ResourceOwnerRelease(own, RESOURCE_RELEASE_LOCKS, false, true);
			ResourceOwnerRelease(own, RESOURCE_RELEASE_AFTER_LOCKS, false, true);
			ResourceOwnerDelete(own);
		}
	}
	PG_END_TRY();
}

typedef struct TextDigest
{
	const char *text;
	uint8	   *dest;
} TextDigest;

static void
digest_text(void *arg)
{
	TextDigest *of = arg;
	BiDigest	hash;

	bi_digest_begin(&hash);
	bi_digest_text(&hash, of->text);
	finish(&hash, of->dest);
}

void
bi_digest_of(const char *text, uint8 *dest)
{
	TextDigest	of = {text, dest};

	bi_digest_own(digest_text, &of);
}
