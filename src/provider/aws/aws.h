/*
 * provider/aws/aws.h: what the providers at AWS have in common: regions, addresses, accounts and
 * signatures.
 *
 * A proof is what a request is signed with: the JSON object
 * {"AccessKeyId":…,"SecretAccessKey":…,"Token":…,"bearer":…}.  "Token" belongs to temporary
 * credentials, "bearer" is an API key of Bedrock; both may be missing.  All its strings are
 * visible ASCII.
 */
#ifndef BI_AWS_H
#define BI_AWS_H

#include "provider/provider.h"

/* Returns the server's region; "" if it has none. */
extern const char *bi_aws_region(const BiServer *server);

/* Returns the public address of an AWS service in the server's region, palloc'd:
 * "https://SERVICE.REGION.amazonaws.com". */
extern char *bi_aws_url(const BiServer *server, const char *service);

/*
 * Implements account of BiProviderLogin: the account of role_arn and the region, palloc'd.  All
 * keys of an AWS account see the same jobs, so a rotated key is not another account.
 */
extern char *bi_aws_account(const BiCall *call, const char *secret);

/*
 * Signs a request that is complete except for its signature (base/sigv4.h).  service is the name
 * in the signature's scope.  For "s3" over https the body is not part of the signature.  For every
 * other service the proof's API key, if it has one, is sent instead of a signature.
 */
extern void bi_aws_sign(const BiCall *call, const char *proof, const char *service, BiExchange *ex);

/* Returns what a status means whose error code does not say more. */
extern BiVerdictKind bi_aws_kind(int status);

#endif							/* BI_AWS_H */
