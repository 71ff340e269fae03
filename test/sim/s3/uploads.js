'use strict';
// Multipart uploads.

const crypto = require('crypto');
const fs = require('fs');
const { readText } = require('../server');
const { needPermission } = require('./auth');
const { receive } = require('./body');
const { xml } = require('./buckets');
const { refuse } = require('./errors');
const { encryption } = require('./objects');
const { all, first } = require('./xml');

const MAX_PARTS = 10000;
const PIECE = 1 << 20;

// POST key?uploads
function createUpload(ctx, bucket) {
  needPermission(ctx, bucket, 's3:PutObject');
  const sse = encryption(ctx, bucket);
  const id = ctx.state.newId();
  ctx.state.uploads.set(id, {
    id,
    bucket: ctx.bucket,
    key: ctx.key,
    parts: new Map(),
    type: ctx.req.headers['content-type'],
    sse,
  });
  return {
    ...xml('InitiateMultipartUploadResult', { Bucket: ctx.bucket, Key: ctx.key, UploadId: id }),
    headers: { 'Content-Type': 'application/xml', ...sse },
  };
}

function needUpload(ctx) {
  const upload = ctx.state.uploads.get(ctx.query.get('uploadId'));
  if (upload && upload.bucket === ctx.bucket && upload.key === ctx.key) return upload;
  return refuse(
    404,
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have ' +
      'been aborted or completed.',
    { UploadId: ctx.query.get('uploadId') },
  );
}

// PUT key?partNumber=N&uploadId=U
async function putPart(ctx, bucket) {
  needPermission(ctx, bucket, 's3:PutObject');
  const upload = needUpload(ctx);
  const number = Number(ctx.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS)
    refuse(
      400,
      'InvalidArgument',
      'Part number must be an integer between 1 and 10000, inclusive',
      { ArgumentName: 'partNumber', ArgumentValue: ctx.query.get('partNumber') },
    );
  const { data, md5, checksums } = await receive(ctx);
  const before = upload.parts.get(number);
  if (before) ctx.sim.store.remove(before.data);
  upload.parts.set(number, { number, data, md5, modified: Date.now() });
  return { headers: { ETag: `"${md5}"`, ...upload.sse, ...checksums } };
}

// GET key?uploadId=U
function listParts(ctx, bucket) {
  needPermission(ctx, bucket, 's3:ListMultipartUploadParts');
  const upload = needUpload(ctx);
  const parts = [...upload.parts.values()].sort((a, b) => a.number - b.number);
  return xml('ListPartsResult', {
    Bucket: ctx.bucket,
    Key: ctx.key,
    UploadId: upload.id,
    MaxParts: MAX_PARTS,
    IsTruncated: false,
    Part: parts.map((p) => ({
      PartNumber: p.number,
      LastModified: new Date(p.modified).toISOString(),
      ETag: `"${p.md5}"`,
      Size: p.data.size,
    })),
  });
}

// POST key?uploadId=U
async function completeUpload(ctx, bucket) {
  needPermission(ctx, bucket, 's3:PutObject');
  const upload = needUpload(ctx);
  const text = await readText(ctx);
  const asked = all(text || '', 'Part').map((part) => ({
    number: Number(first(part, 'PartNumber')),
    etag: (first(part, 'ETag') || '').replace(/"/g, ''),
  }));
  if (!asked.length)
    refuse(
      400,
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    );
  const parts = asked.map((wanted, i) =>
    chosen(ctx, upload, wanted, i && asked[i - 1].number, i === asked.length - 1),
  );
  const data = join(ctx.sim.store, parts);
  const md5 = crypto
    .createHash('md5')
    .update(Buffer.concat(parts.map((p) => Buffer.from(p.md5, 'hex'))))
    .digest('hex');
  const object = ctx.state.put(ctx.bucket, ctx.key, {
    data,
    etag: `"${md5}-${parts.length}"`,
    type: upload.type,
    sse: upload.sse,
    checksums: {},
  });
  ctx.state.drop(upload);
  return xml('CompleteMultipartUploadResult', {
    Location: `https://${ctx.bucket}.s3.${ctx.who.region}.amazonaws.com/${ctx.key}`,
    Bucket: ctx.bucket,
    Key: ctx.key,
    ETag: object.etag,
  });
}

function chosen({ sim }, upload, { number, etag }, before, last) {
  if (number <= before)
    refuse(
      400,
      'InvalidPartOrder',
      'The list of parts was not in ascending order. Parts must be ordered by part number.',
      { UploadId: upload.id },
    );
  const part = upload.parts.get(number);
  if (!part || part.md5 !== etag)
    refuse(
      400,
      'InvalidPart',
      'One or more of the specified parts could not be found. The part may not have been ' +
        "uploaded, or the specified entity tag may not match the part's entity tag.",
      { UploadId: upload.id, PartNumber: number, ETag: etag },
    );
  if (!last && part.data.size < sim.config.s3_min_part_bytes)
    refuse(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      ProposedSize: part.data.size,
      MinSizeAllowed: sim.config.s3_min_part_bytes,
      PartNumber: number,
      ETag: part.md5,
    });
  return part;
}

function join(store, parts) {
  const writer = store.create();
  const piece = Buffer.alloc(PIECE);
  for (const { data } of parts) {
    const fd = fs.openSync(data.path, 'r');
    for (let n = fs.readSync(fd, piece); n > 0; n = fs.readSync(fd, piece))
      writer.write(piece.subarray(0, n));
    fs.closeSync(fd);
  }
  return writer.close();
}

// DELETE key?uploadId=U
function abortUpload(ctx, bucket) {
  needPermission(ctx, bucket, 's3:AbortMultipartUpload');
  ctx.state.drop(needUpload(ctx));
  return { status: 204 };
}

module.exports = { createUpload, putPart, listParts, completeUpload, abortUpload };
