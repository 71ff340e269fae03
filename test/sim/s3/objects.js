'use strict';
// One object: putting, getting with ranges and conditions, heading, deleting; server-side
// encryption and ACL headers.

const { needPermission } = require('./auth');
const { receive } = require('./body');
const { refuse, usually } = require('./errors');

const SSE = 'x-amz-server-side-encryption';
const SSE_KEY = `${SSE}-aws-kms-key-id`;
const ACLS_ALLOWED = ['private', 'bucket-owner-full-control'];

// What an upload says about encryption and access, judged: the headers to answer with.
function encryption({ req: { headers }, sim }, bucket) {
  const acl = headers['x-amz-acl'];
  if (acl !== undefined && !ACLS_ALLOWED.includes(acl))
    refuse(400, 'AccessControlListNotSupported', 'The bucket does not allow ACLs');
  const kind = headers[SSE];
  const key = headers[SSE_KEY];
  if (bucket.require_sse && kind !== bucket.require_sse)
    refuse(403, 'AccessDenied', 'Access Denied');
  if (kind !== undefined && !['AES256', 'aws:kms'].includes(kind))
    refuse(400, 'InvalidArgument', 'The encryption method specified is not supported', {
      ArgumentName: SSE,
      ArgumentValue: kind,
    });
  if (key !== undefined && kind !== 'aws:kms')
    refuse(
      400,
      'InvalidArgument',
      `Server Side Encryption with AWS KMS managed key requires HTTP header ${SSE} : aws:kms`,
      { ArgumentName: SSE, ArgumentValue: kind || 'null' },
    );
  if (key !== undefined && !sim.config.aws_kms_keys.includes(key))
    refuse(400, 'KMS.NotFoundException', `Invalid keyId '${key}'`);
  return kind === 'aws:kms' ? { [SSE]: kind, [SSE_KEY]: key || 'aws/s3' } : { [SSE]: 'AES256' };
}

// PUT key
async function putObject(ctx, bucket) {
  needPermission(ctx, bucket, 's3:PutObject');
  if (!ctx.key.length || Buffer.byteLength(ctx.key) > 1024)
    refuse(400, 'KeyTooLongError', 'Your key is too long');
  const sse = encryption(ctx, bucket);
  const { 'if-none-match': none } = ctx.req.headers;
  if (none !== undefined && none !== '*')
    refuse(
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
      { Header: 'If-None-Match' },
    );
  const { data, md5, checksums } = await receive(ctx);
  const objects = ctx.state.objects(ctx.bucket);
  if (none === '*' && objects.has(ctx.key)) {
    ctx.sim.store.remove(data);
    refuse(
      412,
      'PreconditionFailed',
      'At least one of the pre-conditions you specified did not hold',
      { Condition: 'If-None-Match' },
    );
  }
  const object = ctx.state.put(ctx.bucket, ctx.key, {
    data,
    etag: `"${md5}"`,
    type: ctx.req.headers['content-type'],
    sse,
    checksums,
  });
  return { headers: { ETag: object.etag, ...sse, ...checksums } };
}

// The object; without permission to list the bucket nobody learns that it is missing.
function needObject(ctx, bucket) {
  needPermission(ctx, bucket, 's3:GetObject');
  const object = ctx.state.objects(ctx.bucket).get(ctx.key);
  if (object) return object;
  needPermission(ctx, bucket, 's3:ListBucket');
  return refuse(404, 'NoSuchKey', 'The specified key does not exist.', { Key: ctx.key });
}

// GET and HEAD key
function getObject(ctx, bucket) {
  const object = needObject(ctx, bucket);
  const { 'if-match': match, 'if-none-match': none } = ctx.req.headers;
  if (match !== undefined && match !== '*' && match !== object.etag) usually(412);
  if (none !== undefined && (none === '*' || none === object.etag))
    return { status: 304, headers: { ETag: object.etag } };
  const { data } = object;
  const range = rangeOf(ctx.req.headers.range, data.size);
  const checked =
    ctx.req.headers['x-amz-checksum-mode'] === 'ENABLED' && !range ? object.checksums : {};
  const headers = {
    'Content-Type': object.type || 'binary/octet-stream',
    ETag: object.etag,
    'Last-Modified': new Date(object.modified).toUTCString(),
    'Accept-Ranges': 'bytes',
    ...object.sse,
    ...checked,
  };
  if (!range) return { file: data, headers };
  const [start, end] = range;
  return {
    status: 206,
    file: { path: data.path, start, size: end - start + 1 },
    headers: { ...headers, 'Content-Range': `bytes ${start}-${end}/${data.size}` },
  };
}

// [first, last] byte, or null for the whole: what is no single range of bytes is passed over.
function rangeOf(header, size) {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header || '');
  if (!found || (found[1] === '' && found[2] === '')) return null;
  const suffix = found[1] === '';
  const start = suffix ? Math.max(0, size - Number(found[2])) : Number(found[1]);
  const end = suffix || found[2] === '' ? size - 1 : Math.min(size - 1, Number(found[2]));
  if (start >= size)
    refuse(
      416,
      'InvalidRange',
      'The requested range is not satisfiable',
      { RangeRequested: header, ActualObjectSize: size },
      { 'Content-Range': `bytes */${size}` },
    );
  return start > end ? null : [start, end];
}

// DELETE key: also of what is not there
function deleteObject(ctx, bucket) {
  needPermission(ctx, bucket, 's3:DeleteObject');
  ctx.state.remove(ctx.bucket, ctx.key);
  return { status: 204 };
}

module.exports = { putObject, getObject, deleteObject, encryption };
