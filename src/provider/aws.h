/*
 * provider/aws.h: who we are at AWS: credentials and signatures, for the providers that
 * live there.
 */
#ifndef BI_AWS_H
#define BI_AWS_H

#include "provider/provider.h"

/*
 * A proof is the JSON object {"AccessKeyId":…,"SecretAccessKey":…,"Token":…,"bearer":…}:
 * credentials, with a session's token and an API key of Bedrock where there are such.  All are
 * visible ASCII, and so is the whole.
 */

/* Of a provider: its secret routine.  A proof, or what bi_aws_login gets one for. */
extern char *bi_aws_secret(const BiServer *server, const BiHost *host, char **why);

/* Of a provider: its login routines. */
extern bool bi_aws_login(const BiCall *call, const char *secret, BiExchange *ex);
extern BiVerdict bi_aws_read_login(const BiCall *call, const char *secret, const BiExchange *ex, char **token, int *lifetime);

/* Of a provider: its account routine, for which the account of role_arn and the region do:
 * jobs are seen by all keys of an account, whenever they change. */
extern char *bi_aws_account(const BiCall *call, const char *secret);

/* Never NULL. */
extern const char *bi_aws_region(const BiServer *server);

/* Where AWS has that service in that region, https://SERVICE.REGION.amazonaws.com; palloc'd. */
extern char *bi_aws_url(const BiServer *server, const char *service);

/* Signs a request that is whole but for that (base/sigv4.h).  service: "s3", whose bodies are
 * left out over https, or another, such as "bedrock", where an API key goes before a signature. */
extern void bi_aws_sign(const BiCall *call, const char *proof, const char *service, BiExchange *ex);

/* Between aws*.c. */

/* A secret that is no proof has its source in the member "source", which is one of these. */
#define BI_AWS_WEB_IDENTITY "web_identity"
#define BI_AWS_CONTAINER "container"
#define BI_AWS_INSTANCE "instance"

/* Where else credentials would have been taken from, in order. */
#define BI_AWS_BEFORE "the user mapping, the environment, a web identity and a container"

/* A JSON object, palloc'd, of which nothing is left behind elsewhere in memory: names, each with a
 * text, or with NULL where it is left out, up to a NULL. */
extern char *bi_aws_object(const char *name,...);

#endif							/* BI_AWS_H */
