'use strict';
// S3 as a provider of the simulator: which requests are its own, operations, errors, ids of
// requests.

const { Refusal } = require('../server');
const { address, authenticate, needBucket } = require('./auth');
const buckets = require('./buckets');
const { refuse, rendered, usualError } = require('./errors');
const objects = require('./objects');
const { State } = require('./state');
const uploads = require('./uploads');

// Query keys that make an operation of its own; x-id is the SDK's remark.
const KNOWN = new Set([
  'list-type',
  'prefix',
  'delimiter',
  'max-keys',
  'continuation-token',
  'start-after',
  'encoding-type',
  'fetch-owner',
  'location',
  'uploads',
  'uploadId',
  'partNumber',
  'x-id',
]);
// [method, on a key or a bucket, query keys that must be there, name, what serves it]; the first
// that fits.
const OPERATIONS = [
  ['PUT', 'key', ['partNumber', 'uploadId'], 'UploadPart', uploads.putPart],
  ['PUT', 'key', [], 'PutObject', objects.putObject],
  ['GET', 'key', ['uploadId'], 'ListParts', uploads.listParts],
  ['GET', 'key', [], 'GetObject', objects.getObject],
  ['HEAD', 'key', [], 'HeadObject', objects.getObject],
  ['DELETE', 'key', ['uploadId'], 'AbortMultipartUpload', uploads.abortUpload],
  ['DELETE', 'key', [], 'DeleteObject', objects.deleteObject],
  ['POST', 'key', ['uploads'], 'CreateMultipartUpload', uploads.createUpload],
  ['POST', 'key', ['uploadId'], 'CompleteMultipartUpload', uploads.completeUpload],
  ['GET', 'bucket', ['list-type'], 'ListObjectsV2', buckets.listObjects],
  ['GET', 'bucket', ['location'], 'GetBucketLocation', buckets.locate],
  ['HEAD', 'bucket', [], 'HeadBucket', buckets.headBucket],
  ['PUT', 'bucket', [], 'CreateBucket', buckets.createBucket],
  ['DELETE', 'bucket', [], 'DeleteBucket', buckets.deleteBucket],
];

function createS3(sim) {
  const state = new State(sim);
  sim.s3 = state;
  return {
    name: 's3',
    owns: (path, headers) => ours(state, path, headers),
    handle: (ctx) => handle(ctx, state),
    errorReply: (status, code) => dressed(usualError(status, code), state),
    batches: () => [],
    files: () => state.files(),
    reset: () => state.clear(),
  };
}

// By what signed it, by its host, or (nobody signed) by a bucket's name in the path.
function ours(state, path, { authorization = '', host = '', 'x-amz-content-sha256': hash }) {
  if (/^AWS4-HMAC-SHA256 .*\/aws4_request/.test(authorization))
    return !authorization.includes('/bedrock/aws4_request');
  return (
    hash !== undefined ||
    /(^|\.)s3[.-][^/]*(amazonaws\.com|localhost)(:|$)/.test(host) ||
    Boolean(state.bucket(path.split('/')[1]))
  );
}

// The reply with the headers of every answer, and its request id in an error's body.
function dressed({ error, ...reply }, state) {
  const ids = { RequestId: state.newId().replace(/\W/g, '').toUpperCase(), HostId: 'c2ltdWxhdGVk' };
  const headers = {
    'x-amz-request-id': ids.RequestId,
    'x-amz-id-2': ids.HostId,
    Server: 'AmazonS3',
    ...reply.headers,
  };
  if (!error) return { ...reply, headers };
  return {
    ...reply,
    text: rendered(error, ids),
    headers: { 'Content-Type': 'application/xml', ...headers },
  };
}

async function handle(ctx, state) {
  ctx.state = state;
  try {
    return dressed(await route(ctx), state);
  } catch (error) {
    if (error instanceof Refusal) error.reply = dressed(error.reply, state);
    throw error;
  }
}

function route(ctx) {
  const { region, ...place } = address(ctx.req.url, ctx.req.headers.host || '');
  Object.assign(ctx, place);
  authenticate(ctx, region);
  const keys = [...ctx.query.keys()];
  const kind = ctx.key ? 'key' : 'bucket';
  const found = OPERATIONS.find(
    ([method, on, needed]) =>
      method === ctx.method && on === kind && needed.every((key) => keys.includes(key)),
  );
  if (!found || !ctx.bucket || keys.some((key) => !KNOWN.has(key)))
    refuse(
      501,
      'NotImplemented',
      'A header or query you provided implies functionality that is not implemented.',
    );
  ctx.sim.log.count(`s3 ${found[3]}`);
  return found[4](ctx, found[3] === 'CreateBucket' ? null : needBucket(ctx));
}

module.exports = { createS3 };
