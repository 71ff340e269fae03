/*
 * provider/aws/aws_login.h: temporary AWS credentials from STS, from a container's endpoint or from
 * an instance's metadata service.
 */
#ifndef BI_AWS_LOGIN_H
#define BI_AWS_LOGIN_H

#include "provider/provider.h"

/* Implement request_token and read_token of BiProviderLogin.  The token is a proof (aws.h).  False,
 * and no request, if the secret is a proof already. */
extern bool bi_aws_login_request(const BiCall *call, const char *secret, BiExchange *ex);
extern BiVerdict bi_aws_login_read(const BiCall *call, const char *secret, const BiExchange *ex,
								   char **token, int *lifetime);

#endif							/* BI_AWS_LOGIN_H */
