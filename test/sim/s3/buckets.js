'use strict';
// Buckets: making, heading, locating, removing, and ListObjectsV2.

const { readText } = require('../server');
const { may, needPermission } = require('./auth');
const { refuse } = require('./errors');
const { encode } = require('../aws/sigv4');
const { document, first } = require('./xml');

const NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const MAX_KEYS = 1000;
const xml = (root, value) => ({
  text: document(root, value),
  headers: { 'Content-Type': 'application/xml' },
});

// PUT bucket; the constraint must be the region that is asked, and none for us-east-1.
async function createBucket(ctx) {
  const { state, bucket: name, who } = ctx;
  if (!NAME.test(name))
    refuse(400, 'InvalidBucketName', 'The specified bucket is not valid.', { BucketName: name });
  needPermission(ctx, { owner: who.credential.account }, 's3:CreateBucket');
  const wanted = first((await readText(ctx)) || '', 'LocationConstraint');
  if ((wanted || 'us-east-1') !== who.region)
    refuse(
      400,
      'IllegalLocationConstraintException',
      `The ${wanted || 'unspecified'} location constraint is incompatible for the region ` +
        'specific endpoint this request was sent to.',
    );
  const there = state.bucket(name);
  if (there && may(ctx.sim, there, who.credential, 's3:CreateBucket'))
    refuse(
      409,
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded and you already own it.',
      { BucketName: name },
    );
  if (there)
    refuse(
      409,
      'BucketAlreadyExists',
      'The requested bucket name is not available. The bucket namespace is shared by all users ' +
        'of the system. Please select a different name and try again.',
      { BucketName: name },
    );
  state.made.set(name, { region: who.region, owner: who.credential.account });
  return { text: '', headers: { Location: `/${name}` } };
}

function headBucket(ctx, bucket) {
  needPermission(ctx, bucket, 's3:ListBucket');
  return { text: '', headers: { 'x-amz-bucket-region': ctx.who.region } };
}

function locate(ctx, bucket) {
  needPermission(ctx, bucket, 's3:GetBucketLocation');
  const region = ctx.who.region === 'us-east-1' ? '' : ctx.who.region;
  return {
    text:
      `<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint ` +
      `xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${region}</LocationConstraint>`,
    headers: { 'Content-Type': 'application/xml' },
  };
}

function deleteBucket(ctx, bucket) {
  needPermission(ctx, bucket, 's3:DeleteBucket');
  if (ctx.state.objects(ctx.bucket).size)
    refuse(409, 'BucketNotEmpty', 'The bucket you tried to delete is not empty', {
      BucketName: ctx.bucket,
    });
  ctx.state.made.set(ctx.bucket, null);
  return { status: 204 };
}

// GET bucket?list-type=2
function listObjects(ctx, bucket) {
  needPermission(ctx, bucket, 's3:ListBucket');
  const { query } = ctx;
  const asked = {
    prefix: query.get('prefix') || '',
    delimiter: query.get('delimiter') || '',
    after: afterOf(query),
    max: maxOf(query.get('max-keys')),
  };
  const { rows, more } = page(ctx.state.sorted(ctx.bucket), asked);
  const coded =
    query.get('encoding-type') === 'url'
      ? (text) => text.split('/').map(encode).join('/')
      : (text) => text;
  return xml('ListBucketResult', {
    Name: ctx.bucket,
    Prefix: coded(asked.prefix),
    Delimiter: asked.delimiter ? coded(asked.delimiter) : null,
    MaxKeys: asked.max,
    EncodingType: query.get('encoding-type'),
    KeyCount: rows.length,
    IsTruncated: more,
    ContinuationToken: query.get('continuation-token'),
    NextContinuationToken: more ? tokenOf(rows[rows.length - 1]) : null,
    StartAfter: query.has('start-after') ? coded(query.get('start-after')) : null,
    Contents: rows
      .filter((row) => row.object)
      .map(({ name, object }) => ({
        Key: coded(name),
        LastModified: new Date(object.modified).toISOString(),
        ETag: object.etag,
        Size: object.data.size,
        StorageClass: 'STANDARD',
      })),
    CommonPrefixes: rows.filter((row) => !row.object).map(({ name }) => ({ Prefix: coded(name) })),
  });
}

// Tokens carry what must be percent-encoded in a query.
const tokenOf = ({ name, object }) =>
  `+/${Buffer.from(`${object ? 'k' : 'p'}${name}`).toString('base64')}=`;

function afterOf(query) {
  const token = query.get('continuation-token');
  if (token === null) return { name: query.get('start-after') || '', whole: false };
  const text = token.startsWith('+/') ? Buffer.from(token.slice(2), 'base64').toString() : '';
  if (!/^[kp]/.test(text))
    refuse(400, 'InvalidArgument', 'The continuation token provided is incorrect', {
      ArgumentName: 'continuation-token',
    });
  return { name: text.slice(1), whole: text[0] === 'p' };
}

function maxOf(text) {
  if (text === null) return MAX_KEYS;
  if (!/^\d+$/.test(text))
    refuse(400, 'InvalidArgument', 'Provided max-keys not an integer or within integer range', {
      ArgumentName: 'max-keys',
      ArgumentValue: text,
    });
  return Math.min(MAX_KEYS, Number(text));
}

// sorted: [key, object] in the order of bytes. A common prefix counts as one row.
function page(sorted, { prefix, delimiter, after, max }) {
  const rows = [];
  for (const [key, object] of sorted) {
    if (
      !key.startsWith(prefix) ||
      Buffer.compare(Buffer.from(key), Buffer.from(after.name)) <= 0 ||
      (after.whole && key.startsWith(after.name))
    )
      continue;
    const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    const name = cut < 0 ? key : key.slice(0, cut + delimiter.length);
    if (cut >= 0 && rows.length && rows[rows.length - 1].name === name) continue;
    if (rows.length === max) return { rows, more: max > 0 };
    rows.push({ name, object: cut < 0 ? object : null });
  }
  return { rows, more: false };
}

module.exports = { createBucket, headBucket, locate, deleteBucket, listObjects, xml };
