/*
 * base/jwt.c: JSON Web Tokens signed with an RSA key (RS256).
 *
 * Knows libcrypto's keys and base64url, and nothing about what is claimed.  From the making to the
 * freeing of a key nothing is palloc'd and no error is raised.
 */
#include "postgres.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/json.h"
#include "base/jwt.h"
#include "lib/stringinfo.h"

#define BITS_MIN 2048
#define SIGNATURE_MAX 2048		/* bytes: a key of 16,384 bits */

/* Without this, libcrypto would ask for a passphrase at the terminal. */
static int
no_passphrase(char *buffer, int size, int writing, void *asked)
{
	*(bool *) asked = true;
	return -1;
}

static const char *
refuse_key(const EVP_PKEY *key, bool encrypted)
{
	if (encrypted)
		return "the private key is encrypted";
	if (key == NULL)
		return "the private key is not in PEM form";
	if (EVP_PKEY_base_id(key) != EVP_PKEY_RSA)
		return "the private key is not an RSA key";
	if (EVP_PKEY_bits(key) < BITS_MIN || EVP_PKEY_size(key) > SIGNATURE_MAX)
		return "the private key has a size that is not used: 2048 bits are usual";
	return NULL;
}

/* Returns the key, which the caller must free; NULL with the reason if nothing can be signed with
 * it. */
static EVP_PKEY *
open_key(const char *pem, const char **why)
{
	bool		encrypted = false;
	BIO		   *text = BIO_new_mem_buf(pem, -1);
	EVP_PKEY   *key = text ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, &encrypted) : NULL;

	BIO_free(text);
	ERR_clear_error();
	*why = refuse_key(key, encrypted);
	if (*why == NULL)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* Signs with RSASSA-PKCS1-v1_5 and SHA-256.  Returns the signature's size; 0 if that failed. */
static size_t
sign_text(EVP_PKEY *key, const char *text, size_t len, unsigned char *signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t		size = SIGNATURE_MAX;
	bool		good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(ctx, signature, &size, (const unsigned char *) text, len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good ? size : 0;
}

/* Signs something: some damaged keys fail only then. */
const char *
bi_jwt_refuse(const char *pem)
{
	unsigned char signature[SIGNATURE_MAX];
	const char *why;
	EVP_PKEY   *key = open_key(pem, &why);

	if (key && sign_text(key, "", 0, signature) == 0)
		why = "the private key is damaged";
	EVP_PKEY_free(key);
	return why;
}

/* Appends the bytes as base64url, without padding. */
static void
append_encoded(StringInfo out, const void *bytes, size_t len)
{
	int			n;

	enlargeStringInfo(out, (int) (len + 2) / 3 * 4);
	n = EVP_EncodeBlock((unsigned char *) out->data + out->len, bytes, (int) len);
	for (char *c = out->data + out->len; n > 0; c++, n--)
	{
		if (*c == '=')
			break;
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
		out->len++;
	}
	out->data[out->len] = '\0';
}

static void
append_header(StringInfo out, const char *key_id)
{
	StringInfoData header;

	initStringInfo(&header);
	appendStringInfoString(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
	if (key_id)
	{
		appendStringInfoString(&header, ",\"kid\":");
		bi_json_append_string(&header, key_id);
	}
	appendStringInfoChar(&header, '}');
	append_encoded(out, header.data, header.len);
}

char *
bi_jwt_sign(const char *pem, const char *key_id, const char *claims)
{
	unsigned char signature[SIGNATURE_MAX];
	StringInfoData token;
	const char *why;
	EVP_PKEY   *key;
	size_t		size;

	initStringInfo(&token);
	/* Enough space at once: a text that grows would leave copies behind that are never wiped. */
	enlargeStringInfo(&token, (int) (2 * strlen(claims) + 2 * SIGNATURE_MAX));
	append_header(&token, key_id);
	appendStringInfoChar(&token, '.');
	append_encoded(&token, claims, strlen(claims));

	key = open_key(pem, &why);
	size = key ? sign_text(key, token.data, token.len, signature) : 0;
	EVP_PKEY_free(key);
	if (size == 0)
		return NULL;
	appendStringInfoChar(&token, '.');
	append_encoded(&token, signature, size);
	return token.data;
}
