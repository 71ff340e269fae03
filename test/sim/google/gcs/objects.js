'use strict';
// Objects: what is shown of one, getting it or its bytes, deleting; preconditions; buckets and
// their lists.

const { allowed, denied, needBucket } = require('./auth');
const { parseFields, pick, BadFields } = require('../fields');
const { baseOf } = require('../service');
const { refuse, usually } = require('./errors');

const COMMON = ['alt', 'fields', 'prettyPrint', 'quotaUser', 'userProject', 'projection', 'key'];
const CONDITIONS = [
  'ifGenerationMatch',
  'ifGenerationNotMatch',
  'ifMetagenerationMatch',
  'ifMetagenerationNotMatch',
];
const NAMES = new Set([
  'kind',
  'items',
  'prefixes',
  'nextPageToken',
  'id',
  'selfLink',
  'mediaLink',
  'name',
  'bucket',
  'generation',
  'metageneration',
  'contentType',
  'storageClass',
  'size',
  'md5Hash',
  'crc32c',
  'etag',
  'timeCreated',
  'updated',
  'timeStorageClassUpdated',
  'timeFinalized',
  'metadata',
  'contentEncoding',
  'cacheControl',
  'contentDisposition',
  'contentLanguage',
  'location',
  'locationType',
  'projectNumber',
  'iamConfiguration',
  'timeDeleted',
  'customTime',
  'error',
]);
const MAX_RESULTS = 1000;
const MADE = '2026-01-01T00:00:00.000Z'; // all buckets

function onlyQuery(ctx, known) {
  const bad = [...ctx.query.keys()].find(
    (name) => !COMMON.includes(name) && !CONDITIONS.includes(name) && !known.includes(name),
  );
  if (bad !== undefined) refuse(400, `Unknown query parameter: ${bad}`, 'badRequest');
}

// The reply, cut down to what the parameter "fields" wants.
function shown(ctx, value) {
  const wanted = ctx.query.get('fields');
  if (wanted === null) return { json: value };
  try {
    return { json: pick(value, parseFields(wanted, NAMES)) };
  } catch (error) {
    if (error instanceof BadFields)
      refuse(400, error.message, 'invalidParameter', {
        locationType: 'parameter',
        location: 'fields',
      });
    throw error;
  }
}

// What is undefined is not there in JSON.
function resource(ctx, object) {
  const { bucket, name, generation, created, hashes, data, type: contentType, metadata } = object;
  const path = `storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    selfLink: `${baseOf(ctx)}/${path}`,
    mediaLink: `${baseOf(ctx)}/download/${path}?generation=${generation}&alt=media`,
    name,
    bucket,
    generation,
    metageneration: '1',
    contentType,
    storageClass: 'STANDARD',
    size: String(data.size),
    ...hashes,
    etag: etagOf(object),
    metadata,
    timeCreated: created,
    updated: created,
    timeStorageClassUpdated: created,
    timeFinalized: created,
  };
}

const etagOf = ({ generation }) => Buffer.from(`sim${generation}`).toString('base64');

// Refuses what a condition of the query forbids. object: what is there, or undefined; reads: the
// NotMatch ones are 304.
function checkConditions(query, object, reads = false) {
  const now = { Generation: object ? object.generation : '0', Metageneration: object ? '1' : '0' };
  for (const [what, value] of Object.entries(now)) {
    const [match, not] = [query.get(`if${what}Match`), query.get(`if${what}NotMatch`)];
    for (const given of [match, not])
      if (given !== null && !/^\d+$/.test(given))
        refuse(400, `Invalid value for if${what}Match: ${given}`, 'invalidParameter');
    if (match !== null && match !== value) usually(412);
    if (not !== null && not === value && reads) throwNotModified();
    if (not !== null && not === value) usually(412);
  }
}

const throwNotModified = () => refuse(304, 'Not Modified', 'notModified');

// The object of the path; without the right to list nobody learns that it is missing.
function needObject(ctx, permission) {
  const bucket = needBucket(ctx, permission);
  const { bucket: home, object: name } = ctx.params;
  const object = ctx.state.objects(home).get(name);
  const wanted = ctx.query.get('generation');
  if (object && (wanted === null || wanted === object.generation)) return object;
  if (!allowed(ctx.who, bucket, 'storage.objects.list')) denied(ctx.who, permission);
  return refuse(404, `No such object: ${home}/${name}${wanted === null ? '' : `#${wanted}`}`);
}

// GET o/{object}
function getObject(ctx) {
  onlyQuery(ctx, ['generation']);
  const object = needObject(ctx, 'storage.objects.get');
  checkConditions(ctx.query, object, true);
  return ctx.media ? media(ctx, object) : shown(ctx, resource(ctx, object));
}

function media(ctx, object) {
  const { data } = object;
  const range = rangeOf(ctx.req.headers.range, data.size);
  const headers = mediaHeaders(object);
  if (!range) return { file: data, headers };
  const [start, end] = range;
  return {
    status: 206,
    file: { path: data.path, start, size: end - start + 1 },
    headers: { ...headers, 'Content-Range': `bytes ${start}-${end}/${data.size}` },
  };
}

const mediaHeaders = (object) => ({
  'Content-Type': object.type,
  'Content-Disposition': 'attachment',
  ETag: etagOf(object),
  'Last-Modified': new Date(object.created).toUTCString(),
  'Accept-Ranges': 'bytes',
  'x-goog-hash': `crc32c=${object.hashes.crc32c},md5=${object.hashes.md5Hash}`,
  'x-goog-generation': object.generation,
  'x-goog-metageneration': '1',
  'x-goog-stored-content-encoding': 'identity',
  'x-goog-stored-content-length': object.data.size,
  'x-goog-storage-class': 'STANDARD',
});

// [first, last] byte, or null for the whole: what is no single range of bytes is passed over.
function rangeOf(header, size) {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header || '');
  if (!found || (found[1] === '' && found[2] === '')) return null;
  const suffix = found[1] === '';
  const start = suffix ? Math.max(0, size - Number(found[2])) : Number(found[1]);
  const end = suffix || found[2] === '' ? size - 1 : Math.min(size - 1, Number(found[2]));
  if (start >= size) usually(416);
  return start > end ? null : [start, end];
}

// DELETE o/{object}
function deleteObject(ctx) {
  onlyQuery(ctx, ['generation']);
  const object = needObject(ctx, 'storage.objects.delete');
  checkConditions(ctx.query, object);
  ctx.state.remove(object.bucket, object.name);
  return { status: 204 };
}

// GET b/{bucket}
function getBucket(ctx) {
  onlyQuery(ctx, []);
  const { bucket: name } = ctx.params;
  const bucket = needBucket(ctx, 'storage.buckets.get');
  const { number: projectNumber } = ctx.sim.config.google_projects[bucket.project];
  return shown(ctx, {
    kind: 'storage#bucket',
    id: name,
    selfLink: `${baseOf(ctx)}/storage/v1/b/${name}`,
    name,
    projectNumber,
    generation: '1',
    metageneration: '1',
    etag: 'CAE=',
    timeCreated: MADE,
    updated: MADE,
    location: bucket.location,
    locationType: /-/.test(bucket.location) ? 'region' : 'multi-region',
    storageClass: 'STANDARD',
    iamConfiguration: {
      uniformBucketLevelAccess: { enabled: true },
      publicAccessPrevention: 'enforced',
    },
  });
}

// GET b/{bucket}/o
function listObjects(ctx) {
  const { query, state } = ctx;
  onlyQuery(ctx, [
    'prefix',
    'delimiter',
    'pageToken',
    'maxResults',
    'startOffset',
    'endOffset',
    'includeTrailingDelimiter',
    'versions',
    'autoPaginate',
  ]);
  needBucket(ctx, 'storage.objects.list');
  const [prefix, delimiter] = [query.get('prefix') || '', query.get('delimiter') || ''];
  const asked = {
    prefix,
    delimiter,
    after: afterOf(query.get('pageToken')),
    max: maxOf(query.get('maxResults')),
    from: query.get('startOffset'),
    to: query.get('endOffset'),
  };
  const { rows, more } = page(state.sorted(ctx.params.bucket), asked);
  const [items, prefixes] = [
    rows.filter((r) => r.object).map((r) => resource(ctx, r.object)),
    rows.filter((r) => !r.object).map((r) => r.name),
  ];
  const some = (list) => (list.length ? list : undefined);
  return shown(ctx, {
    kind: 'storage#objects',
    nextPageToken: more ? tokenOf(rows[rows.length - 1]) : undefined,
    prefixes: some(prefixes),
    items: some(items),
  });
}

// Tokens carry what must be percent-encoded in a query.
const tokenOf = ({ name, object }) =>
  `C/+${Buffer.from(`${object ? 'o' : 'p'}${name}`).toString('base64')}=`;

function afterOf(token) {
  if (token === null || token === '') return null;
  const text = token.startsWith('C/+') ? Buffer.from(token.slice(3), 'base64').toString() : '';
  if (!/^[op]/.test(text)) refuse(400, 'Invalid argument: pageToken', 'invalid');
  return { name: text.slice(1), whole: text[0] === 'p' };
}

function maxOf(text) {
  if (text === null) return MAX_RESULTS;
  if (!/^\d+$/.test(text) || text === '0')
    refuse(
      400,
      `Invalid value '${text}'. Values must be within the range: [1, 2147483647]`,
      'invalidParameter',
      { locationType: 'parameter', location: 'maxResults' },
    );
  return Math.min(MAX_RESULTS, Number(text));
}

const before = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;

// sorted: objects in the order of bytes. A common prefix counts as one row.
function page(sorted, { prefix, delimiter, after, max, from, to }) {
  const rows = [];
  for (const object of sorted) {
    const { name: full } = object;
    if (
      !full.startsWith(prefix) ||
      (from !== null && before(full, from)) ||
      (to !== null && !before(full, to))
    )
      continue;
    if (after && (!before(after.name, full) || (after.whole && full.startsWith(after.name))))
      continue;
    const cut = delimiter ? full.indexOf(delimiter, prefix.length) : -1;
    const name = cut < 0 ? full : full.slice(0, cut + delimiter.length);
    if (cut >= 0 && rows.length && rows[rows.length - 1].name === name) continue;
    if (rows.length === max) return { rows, more: true };
    rows.push({ name, object: cut < 0 ? object : null });
  }
  return { rows, more: false };
}

module.exports = {
  getObject,
  deleteObject,
  getBucket,
  listObjects,
  resource,
  shown,
  checkConditions,
  onlyQuery,
};
