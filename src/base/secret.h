/*
 * base/secret.h: key references become bytes for one exchange, then are wiped.
 */
#ifndef BI_SECRET_H
#define BI_SECRET_H

#include "postgres.h"

struct BiJson;

/* References as a user mapping has them; any may be NULL.  At most one of the first six is
 * set. */
typedef struct BiKeyRef
{
	char	   *api_key;
	char	   *api_key_file;
	char	   *api_key_env;
	char	   *client_secret;	/* of the client below */
	char	   *service_account;	/* a JSON document */
	char	   *service_account_file;

	char	   *tenant_id;		/* not secret: whose key it is, if a login must say so */
	char	   *client_id;

	char	   *access_key_id;	/* of secret_access_key */
	char	   *secret_access_key;
	char	   *session_token;
	char	   *credential_source;	/* which of several places: see the option */
} BiKeyRef;

/* The most of a key file that is read. */
#define BI_SECRET_MAX (64 * 1024)

/* Returns the key, palloc'd, without white space at its ends; NULL with *why if the reference
 * gives no key.  *why is one line and has nothing of any file.  Raises no error for a missing or
 * unreadable file.  Needs a transaction, which closes the file if memory runs out. */
extern char *bi_secret_read(const BiKeyRef *ref, char **why);

/* What the machine itself has, for those who may use it. */
typedef struct BiHost
{
	const char *(*variable) (const char *name); /* of the server's environment; NULL: not set */
	/* as bi_secret_read, any text without NUL */
	char	   *(*file) (const char *path, char **why);
} BiHost;

extern const BiHost bi_secret_host;

/* Overwrites the references that are secrets themselves. */
extern void bi_secret_wipe_refs(BiKeyRef *ref);

/* True if these bytes can be in a request header: visible ASCII only.  A line break would begin
 * another header. */
extern bool bi_secret_fits(const char *key, size_t len);

/* Returns a digest of these parts, 32 hexadecimal digits, palloc'd; NULL counts as an empty part.
 * It is equal for equal parts, and says nothing about a key that nobody can guess.  Needs a
 * transaction. */
extern char *bi_secret_digest(const char *const *parts, int n);

/* Overwrites the key; NULL is allowed.  Does not free it. */
extern void bi_secret_wipe(char *secret);

/* Overwrites all strings of a document that has secrets, except its keys.  NULL is allowed.  The
 * document must not be read afterwards. */
extern void bi_secret_wipe_json(const struct BiJson *document);

#endif							/* BI_SECRET_H */
