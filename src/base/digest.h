/*
 * base/digest.h: SHA-256 and HMAC, PostgreSQL's own.
 */
#ifndef BI_DIGEST_H
#define BI_DIGEST_H

#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"

#define BI_DIGEST_SIZE PG_SHA256_DIGEST_LENGTH
#define BI_DIGEST_HEX (2 * BI_DIGEST_SIZE + 1)

/* A SHA-256 that is being computed.  All functions except bi_digest_of need a resource owner.  No
 * function between begin and end raises an error. */
typedef struct BiDigest
{
	pg_cryptohash_ctx *ctx;
	bool		broken;
} BiDigest;

extern void bi_digest_begin(BiDigest *hash);
extern void bi_digest_bytes(BiDigest *hash, const char *bytes, size_t len);
extern void bi_digest_text(BiDigest *hash, const char *text);

/* Ends and frees it; hex has BI_DIGEST_HEX bytes.  Raises an error if anything has failed. */
extern void bi_digest_end(BiDigest *hash, char *hex);

/* Computes an HMAC.  dest has BI_DIGEST_SIZE bytes and may be the key itself. */
extern void bi_digest_hmac(const void *key, size_t key_len, const char *text, uint8 *dest);
extern void bi_digest_hex(const uint8 *digest, char *hex);

/* Returns the first n bytes of a digest as a bytea, palloc'd. */
extern bytea *bi_digest_bytea(const uint8 *digest, int n);

/* Calls work with a resource owner; outside of a transaction with one of its own. */
extern void bi_digest_own(void (*work) (void *arg), void *arg);

/* Computes the SHA-256 of the text, in or outside of a transaction.  dest has BI_DIGEST_SIZE
 * bytes. */
extern void bi_digest_of(const char *text, uint8 *dest);

#endif							/* BI_DIGEST_H */
