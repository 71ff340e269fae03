/*
 * provider/aws/aws_secret.h: which AWS credentials a user mapping means.
 */
#ifndef BI_AWS_SECRET_H
#define BI_AWS_SECRET_H

#include "provider/provider.h"

/*
 * A secret is a proof (aws.h), or it says where to get one: its member "source" is then one of
 * these words, which are also values of option credential_source.
 */
#define BI_AWS_WEB_IDENTITY "web_identity"
#define BI_AWS_CONTAINER "container"
#define BI_AWS_INSTANCE "instance"

/* The sources that are tried before the instance's metadata service, for messages. */
#define BI_AWS_BEFORE "the user mapping, the environment, a web identity and a container"

/* Implements secret of BiProviderLogin: a proof, or what bi_aws_login_request needs to get one. */
extern char *bi_aws_secret_find(const BiServer *server, const BiHost *host, char **why);

#endif							/* BI_AWS_SECRET_H */
