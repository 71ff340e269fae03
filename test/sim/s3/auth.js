'use strict';
// Who asks S3, for which bucket and key, in which region; and whether they may.

const { verify, AuthError, split, decode } = require('../aws/sigv4');
const { refuse } = require('./errors');

const SKEW_MS = 15 * 60e3;
const STREAMING = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

// {bucket, key, region of the host or null}: virtual-host style by the name before s3, or before
// localhost; else path style.
function address(url, host) {
  const path = split(url)[0].slice(1);
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const aws =
    /^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?([a-z0-9-]+))?\.(?:amazonaws\.com|localhost)$/.exec(name);
  const local = aws ? null : /^(.+)\.localhost$/.exec(name);
  const bucket = aws ? aws[1] : local && local[1];
  const region = (aws && aws[2]) || null;
  if (bucket) return { bucket, key: decoded(path), region };
  const at = path.indexOf('/');
  return {
    bucket: decoded(at < 0 ? path : path.slice(0, at)),
    key: at < 0 ? '' : decoded(path.slice(at + 1)),
    region,
  };
}

function decoded(text) {
  try {
    return decode(text);
  } catch {
    return refuse(400, 'InvalidURI', "Couldn't parse the specified URI.");
  }
}

// Sets ctx.who: {accessKey, credential, region}. The body is not judged here.
function authenticate(ctx, region) {
  const { config } = ctx.sim;
  const payloadHash = ctx.req.headers['x-amz-content-sha256'];
  try {
    ctx.who = verify(
      { method: ctx.method, url: ctx.req.url, rawHeaders: ctx.req.rawHeaders },
      {
        service: 's3',
        regions: region ? [region] : config.aws_regions,
        payloadHash: payloadHash || '',
        credentials: ctx.sim.aws.credentials(),
        now: ctx.sim.aws.now(),
        skewMs: SKEW_MS,
      },
    );
  } catch (error) {
    if (error instanceof AuthError) refused(error);
    throw error;
  }
  checkPayloadHash(ctx, payloadHash);
}

function checkPayloadHash({ req, sim }, hash) {
  if (hash === undefined)
    refuse(400, 'InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  if (hash === 'UNSIGNED-PAYLOAD' && !req.socket.encrypted && !sim.config.s3_unsigned_over_http)
    refuse(400, 'InvalidRequest', 'UNSIGNED-PAYLOAD is allowed over HTTPS only');
  if (hash.startsWith('STREAMING-') && hash !== STREAMING)
    refuse(
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
      { Header: 'x-amz-content-sha256' },
    );
  if (!/^([0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-.*)$/.test(hash))
    refuse(
      400,
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a ' +
        'valid sha256 value.',
      { ArgumentName: 'x-amz-content-sha256', ArgumentValue: hash },
    );
}

const REFUSALS = {
  missing: () => refuse(403, 'AccessDenied', 'Access Denied'),
  malformed: ({ reason }) =>
    refuse(
      400,
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; ${reason}.`,
    ),
  key: ({ accessKey }) =>
    refuse(
      403,
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
      { AWSAccessKeyId: accessKey },
    ),
  region: ({ region, expected }) =>
    refuse(
      400,
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; the region '${region}' is wrong; expecting ` +
        `'${expected}'`,
      { Region: expected },
      { 'x-amz-bucket-region': expected },
    ),
  service: ({ service }) =>
    refuse(
      400,
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; incorrect service "${service}". This endpoint ` +
        'belongs to "s3".',
    ),
  token: ({ missing }) =>
    missing
      ? refuse(
          403,
          'InvalidAccessKeyId',
          'The AWS Access Key Id you provided does not exist in our records.',
        )
      : refuse(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.'),
  expired: () => refuse(400, 'ExpiredToken', 'The provided token has expired.'),
  skew: ({ date, now, skewMs }) =>
    refuse(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      {
        RequestTime: date,
        ServerTime: new Date(now).toISOString().replace(/\.\d+/, ''),
        MaxAllowedSkewMilliseconds: skewMs,
      },
    ),
  unsigned: ({ headers }) =>
    refuse(403, 'AccessDenied', 'There were headers present in the request which were not signed', {
      HeadersNotSigned: headers.join(', '),
    }),
  signature: ({ accessKey, signature, toSign, canonical }) =>
    refuse(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your ' +
        'key and signing method.',
      {
        AWSAccessKeyId: accessKey,
        StringToSign: toSign,
        SignatureProvided: signature,
        CanonicalRequest: canonical,
      },
    ),
};

const refused = ({ kind, detail }) => REFUSALS[kind](detail);

// The bucket of this request, there, in this region, of the expected owner.
function needBucket(ctx) {
  const { bucket, who, sim, state } = ctx;
  const found = state.bucket(bucket);
  if (!found)
    refuse(404, 'NoSuchBucket', 'The specified bucket does not exist', { BucketName: bucket });
  const region = found.region || sim.config.aws_regions[0];
  if (region !== who.region) {
    const endpoint = `${bucket}.s3.${region}.amazonaws.com`;
    refuse(
      301,
      'PermanentRedirect',
      'The bucket you are attempting to access must be addressed using the specified endpoint. ' +
        'Please send all future requests to this endpoint.',
      { Endpoint: endpoint, Bucket: bucket },
      { 'x-amz-bucket-region': region },
    );
  }
  const expected = ctx.req.headers['x-amz-expected-bucket-owner'];
  if (expected !== undefined && expected !== ownerOf(found, sim))
    refuse(403, 'AccessDenied', 'Access Denied');
  return found;
}

const ownerOf = (bucket, sim) => bucket.owner || sim.config.aws_account;

// deny lists stand with the bucket and with the credential (or role).
function may(sim, bucket, actor, action) {
  const same = ownerOf(bucket, sim) === (actor.account || sim.config.aws_account);
  return (
    (same || Boolean(bucket.shared)) &&
    ![...(bucket.deny || []), ...(actor.deny || [])].includes(action)
  );
}

function needPermission(ctx, bucket, action) {
  const { sim, who } = ctx;
  if (may(sim, bucket, who.credential, action)) return;
  const resource = `arn:aws:s3:::${ctx.bucket}${ctx.key ? `/${ctx.key}` : ''}`;
  refuse(
    403,
    'AccessDenied',
    `User: arn:aws:iam::${who.credential.account || sim.config.aws_account}:user/sim is not ` +
      `authorized to perform: ${action} on resource: "${resource}" because no identity-based ` +
      `policy allows the ${action} action`,
  );
}

module.exports = { address, authenticate, needBucket, needPermission, may, ownerOf, STREAMING };
