/*
 * provider/aws/aws_secret.c: which AWS credentials a user mapping means.
 *
 * Reads the mapping and, if the mapping may use what the machine has, the server's environment and
 * the files that it names.  Runs in the transaction of the claim and asks nobody over the network:
 * what must be asked for is written into the secret, for aws_login.c.
 *
 * Decided here:
 * - The search stops at the first source whose variables are set.  If that source then gives
 *   nothing, the job waits with the reason.  It does not go on to the next source: a job must not
 *   change its account in the middle.
 * - Not looked for: profiles, SSO, processes, roles on top of roles.
 */
#include "postgres.h"

#include "base/url.h"
#include "provider/aws/aws_secret.h"
#include "provider/proof.h"
#include "provider/words.h"

/* Why a mapping may not use what the machine has (BiHost). */
#define NO_HOST "credentials of the database server's machine are used only at servers that " \
	"a role with privileges of \"pg_read_server_files\" owns, and there for the mapping of " \
	"PUBLIC, those of such roles, and those whose \"credential_source\" such a role has set"

/* Fixed addresses: ECS's endpoint for relative URIs, the metadata service by IPv4 and IPv6. */
#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_URL "http://169.254.169.254"
#define INSTANCE_URL_6 "http://[fd00:ec2::254]"

/* One search for credentials.  It lives on the stack of bi_aws_secret_find, which fills it. */
typedef struct Search
{
	const BiKeyRef *key;		/* what the mapping has */
	const BiHost *host;			/* what the machine has; NULL: not for this mapping */
	const char *bearer;			/* the API key of Bedrock that goes with the credentials, or NULL */
} Search;

/* Returns the value of a variable of the server's environment that must be set and fit into a
 * header; NULL, with *why, if it is not so. */
static const char *
need_variable(const Search *search, const char *name, char **why)
{
	const char *value = search->host->variable(name);

	if (value == NULL)
		*why = psprintf("environment variable %s is not set for the server", name);
	else if (!bi_secret_fits(value, strlen(value)))
		*why = psprintf("environment variable %s has characters other than visible ASCII in it",
						name);
	else
		return value;
	return NULL;
}

/* The same of a variable that need not be set; *value is NULL if it is not.  False, with *why, only
 * if its value does not fit. */
static bool
may_variable(const Search *search, const char *name, const char **value, char **why)
{
	*value = search->host->variable(name) ? need_variable(search, name, why) : NULL;
	return *value || search->host->variable(name) == NULL;
}

/*
 * The sources.  Of each, has_… is true if the source is there, and read_… returns the secret,
 * or NULL with *why.  All but the first are asked only if search->host is not NULL.
 */

/* The mapping's own keys */

static bool
has_static(const Search *search)
{
	return search->key->access_key_id != NULL;
}

static char *
read_static(const Search *search, char **why)
{
	const BiKeyRef *key = search->key;

	if (key->access_key_id && key->secret_access_key)
		return bi_proof_object("AccessKeyId", key->access_key_id,
							   "SecretAccessKey", key->secret_access_key,
							   "Token", key->session_token, "bearer", search->bearer, NULL);
	*why = pstrdup("the user mapping has no options \"access_key_id\" and \"secret_access_key\"");
	return NULL;
}

/* The environment */

static bool
has_environment(const Search *search)
{
	return search->host->variable("AWS_ACCESS_KEY_ID") != NULL;
}

static char *
read_environment(const Search *search, char **why)
{
	const char *id = need_variable(search, "AWS_ACCESS_KEY_ID", why);
	const char *key = id ? need_variable(search, "AWS_SECRET_ACCESS_KEY", why) : NULL;
	const char *token;

	if (key == NULL || !may_variable(search, "AWS_SESSION_TOKEN", &token, why))
		return NULL;
	return bi_proof_object("AccessKeyId", id, "SecretAccessKey", key, "Token", token,
						   "bearer", search->bearer, NULL);
}

/* A web identity: a token of another identity provider, for which STS gives credentials.  Its file
 * is read here, so that a renewed token is another secret. */

static bool
has_web_identity(const Search *search)
{
	return search->host->variable("AWS_WEB_IDENTITY_TOKEN_FILE") != NULL;
}

static char *
read_web_identity(const Search *search, char **why)
{
	const char *path = need_variable(search, "AWS_WEB_IDENTITY_TOKEN_FILE", why);
	const char *role = path ? need_variable(search, "AWS_ROLE_ARN", why) : NULL;
	const char *session;
	char	   *token;
	char	   *secret = NULL;

	if (role == NULL || !may_variable(search, "AWS_ROLE_SESSION_NAME", &session, why))
		return NULL;
	token = search->host->file(path, why);
	if (token == NULL)
		return NULL;
	if (bi_secret_fits(token, strlen(token)))
		secret = bi_proof_object("source", BI_AWS_WEB_IDENTITY, "RoleArn", role,
								 "RoleSessionName", session ? session : "batchinf",
								 "WebIdentityToken", token, "bearer", search->bearer, NULL);
	else
		*why = pstrdup("the file named by environment variable AWS_WEB_IDENTITY_TOKEN_FILE holds "
					   "no token: it has characters other than visible ASCII in it");
	bi_secret_wipe(token);
	return secret;
}

/* A container's endpoint */

static bool
has_container(const Search *search)
{
	return search->host->variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
		search->host->variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

/* True if plain http may be used: for the machine itself and for the addresses of ECS and EKS
 * (source: botocore, utils.py, ContainerMetadataFetcher, 2026-08). */
static bool
is_near(const char *host)
{
	static const char *const hosts[] = {
		"localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", NULL
	};

	return bi_words_list_anycase(hosts, host) ||
		(bi_words_begin(host, "127.") && host[strspn(host, "0123456789.")] == '\0');
}

/* Returns the endpoint's address, palloc'd; NULL, with *why, if none may be asked. */
static char *
read_container_url(const Search *search, char **why)
{
	const char *path = search->host->variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *url = search->host->variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	char	   *plain_host;

	if (path)
		url = psprintf(CONTAINER_HOST "%s%s", *path == '/' ? "" : "/", path);
	if (url == NULL)
		*why = pstrdup("neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
					   "AWS_CONTAINER_CREDENTIALS_FULL_URI is set in the server's environment");
	else if (bi_url_refuse(url, &plain_host) != NULL)
		*why = psprintf("environment variable AWS_CONTAINER_CREDENTIALS_%s_URI is not valid",
						path ? "RELATIVE" : "FULL");
	else if (plain_host && !is_near(plain_host))
		*why = pstrdup("environment variable AWS_CONTAINER_CREDENTIALS_FULL_URI names a host "
					   "that may be asked by https only");
	else
		return pstrdup(url);
	return NULL;
}

/* Sets *authorization to the value for the header Authorization, palloc'd, or to NULL if there is
 * to be none.  False, with *why, if there should be one and it cannot be used. */
static bool
read_authorization(const Search *search, char **authorization, char **why)
{
	const char *path = search->host->variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *value = search->host->variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");

	if (path)
		*authorization = search->host->file(path, why);
	else
		*authorization = value ? pstrdup(value) : NULL;
	if (path && *authorization == NULL)
		return false;
	for (const char *c = *authorization; c && *c; c++)
	{
		if (*c < ' ' || *c > '~')
		{
			*why = pstrdup("the token for the container's credentials has characters other than "
						   "visible ASCII in it");
			bi_secret_wipe(*authorization);
			return false;
		}
	}
	return true;
}

static char *
read_container(const Search *search, char **why)
{
	char	   *url = read_container_url(search, why);
	char	   *authorization;
	char	   *secret;

	if (url == NULL || !read_authorization(search, &authorization, why))
		return NULL;
	secret = bi_proof_object("source", BI_AWS_CONTAINER, "url", url,
							 "authorization", authorization, "bearer", search->bearer, NULL);
	bi_secret_wipe(authorization);
	return secret;
}

/* An instance's metadata service */

static bool
has_instance(const Search *search)
{
	const char *disabled = search->host->variable("AWS_EC2_METADATA_DISABLED");

	return disabled == NULL || pg_strcasecmp(disabled, "true") != 0;
}

static char *
read_instance(const Search *search, char **why)
{
	const char *url = search->host->variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = search->host->variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	const char *before = search->key->credential_source ? NULL : BI_AWS_BEFORE;
	char	   *plain_host;

	if (url == NULL)
		url = mode && pg_strcasecmp(mode, "ipv6") == 0 ? INSTANCE_URL_6 : INSTANCE_URL;
	if (!has_instance(search))
		*why = pstrdup("environment variable AWS_EC2_METADATA_DISABLED of the server switches "
					   "the metadata service off");
	else if (bi_url_refuse(url, &plain_host) != NULL)
		*why = pstrdup("environment variable AWS_EC2_METADATA_SERVICE_ENDPOINT is not valid");
	else
		return bi_proof_object("source", BI_AWS_INSTANCE, "url", url, "bearer", search->bearer,
							   "before", before, NULL);
	return NULL;
}

/* All of them */

/* The sources by the words of option credential_source, in the order in which AWS's tools look
 * (source: botocore, credentials.py, create_credential_resolver, 2026-08). */
static const struct
{
	const char *name;
	bool		(*is_there) (const Search *search);
	char	   *(*read) (const Search *search, char **why);
}			sources[] = {
	{"static", has_static, read_static},
	{"environment", has_environment, read_environment},
	{BI_AWS_WEB_IDENTITY, has_web_identity, read_web_identity},
	{BI_AWS_CONTAINER, has_container, read_container},
	{BI_AWS_INSTANCE, has_instance, read_instance},
};

/* Returns the secret of the source that credential_source names, else of the first that is there.
 * What the machine has begins with the second source. */
static char *
read_first(const Search *search, char **why)
{
	const char *named = search->key->credential_source;

	for (int i = 0; i < lengthof(sources) && (i == 0 || search->host); i++)
	{
		if (named ? strcmp(named, sources[i].name) == 0 : sources[i].is_there(search))
			return sources[i].read(search, why);
	}
	if (search->host)
		*why = pstrdup("no credentials found: looked at " BI_AWS_BEFORE "; "
					   "AWS_EC2_METADATA_DISABLED switches the instance's metadata service off");
	else
		*why = psprintf("%s" NO_HOST, named ? "" : "the user mapping has no options "
						"\"access_key_id\" and \"secret_access_key\"; ");
	return NULL;
}

/*
 * Sets *bearer to the API key of Bedrock that the mapping has, or that the environment has beside
 * credentials from there; palloc'd, or NULL if there is none.  False, with *why, if there should be
 * one and it cannot be used.
 */
static bool
read_bearer(const Search *search, char **bearer, char **why)
{
	const BiKeyRef *key = search->key;
	const char *source = key->credential_source;
	bool		chosen = source ? strcmp(source, "environment") == 0 : key->access_key_id == NULL;
	const char *value = NULL;

	*bearer = NULL;
	if (key->api_key || key->api_key_file || key->api_key_env)
	{
		*bearer = bi_secret_read(key, why);
		return *bearer != NULL;
	}
	if (search->host && chosen &&
		!may_variable(search, "AWS_BEARER_TOKEN_BEDROCK", &value, why))
		return false;
	*bearer = value ? pstrdup(value) : NULL;
	return true;
}

char *
bi_aws_secret_find(const BiServer *server, const BiHost *host, char **why)
{
	Search		search = {.key = &server->key, .host = host};
	char	   *bearer;
	char	   *secret;

	if (!read_bearer(&search, &bearer, why))
		return NULL;
	search.bearer = bearer;
	secret = read_first(&search, why);
	if (secret == NULL && bearer)
		*why = psprintf("an API key is good for Bedrock only, and the files are in S3: %s", *why);
	bi_secret_wipe(bearer);
	return secret;
}
