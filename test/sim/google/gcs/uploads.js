'use strict';
// Uploads: of the bytes alone (media), with metadata before them (multipart), and in sessions that survive broken
// connections (resumable). Bytes are hashed as they stream; no body is kept in memory.

const { parseMultipart } = require('../../multipart');
const { readText } = require('../../server');
const { needBucket } = require('./auth');
const { takeBlocks, BLOCK } = require('../blocks');
const { baseOf } = require('../service');
const { refuse } = require('./errors');
const { Hasher } = require('./hash');
const objects = require('./objects');

const METADATA = ['name', 'bucket', 'contentType', 'contentEncoding', 'cacheControl', 'contentDisposition', 'contentLanguage', 'storageClass', 'metadata', 'md5Hash', 'crc32c', 'kind'];
const PARAMETERS = ['uploadType', 'name', 'contentEncoding', 'predefinedAcl', 'upload_id', 'kmsKeyName'];
const KINDS = { media, multipart, resumable };

// POST o
function insert(ctx) {
  const serve = KINDS[ctx.query.get('uploadType')];
  objects.onlyQuery(ctx, PARAMETERS);
  if (!serve || ctx.query.has('upload_id')) refuse(400, `Invalid value for uploadType: ${ctx.query.get('uploadType')}`, 'badRequest');
  needBucket(ctx, 'storage.objects.create');
  return serve(ctx);
}

// A file that is written and hashed.
class Sink {
  constructor(sim) {
    Object.assign(this, { sim, out: sim.store.create(), hasher: new Hasher() });
  }

  write(bytes) {
    this.hasher.update(bytes);
    this.out.write(bytes);
  }

  get size() {
    return this.out.size;
  }

  drop() {
    this.sim.store.remove(this.out.close());
  }
}

// What a resumable upload is until it ends: done is then its answer. query: with the conditions of its begin.
class Session {
  constructor({ sim, state, params, query }, about, total) {
    Object.assign(this, { id: state.newId(), bucket: params.bucket, name: about.name, about, query, total, born: Date.now(), sink: new Sink(sim), done: null, cancelled: false });
  }

  get size() {
    return this.sink.size;
  }

  get open() {
    return !this.done && !this.cancelled;
  }

  drop() {
    if (this.open) this.sink.drop();
    this.cancelled = true;
  }
}

async function media(ctx) {
  const sink = new Sink(ctx.sim);
  const about = judged({ contentType: ctx.req.headers['content-type'] }, ctx);
  try {
    for await (const chunk of ctx.req) sink.write(chunk);
    return become(ctx, sink, about, ctx.query);
  } catch (error) {
    sink.drop();
    throw error;
  }
}

async function multipart(ctx) {
  const sink = new Sink(ctx.sim);
  const parts = [];
  try {
    await related(ctx, sink, parts);
    const about = judged(parsed(Buffer.concat(parts[0].chunks).toString()), ctx);
    return become(ctx, sink, { ...about, contentType: about.contentType || parts[1].type }, ctx.query);
  } catch (error) {
    sink.drop();
    throw error;
  }
}

// The first of the two parts is JSON and kept, the second goes to the sink.
async function related(ctx, sink, parts) {
  try {
    await parseMultipart(ctx.req, ({ type }) => {
      const part = { type, chunks: [] };
      parts.push(part);
      return { write: (bytes) => (parts.length === 1 ? part.chunks.push(Buffer.from(bytes)) : sink.write(bytes)), end: () => undefined };
    }, 'related');
  } catch (error) {
    refuse(400, `Malformed multipart body: ${error.message}`, 'badContent');
  }
  if (parts.length !== 2 || !/^application\/json\b/i.test(parts[0].type || '')) refuse(400, 'Malformed multipart body: expected a part of JSON and one of media.', 'badContent');
}

function parsed(text) {
  if (!text.trim()) return {};
  try {
    const found = JSON.parse(text);
    if (found && typeof found === 'object' && !Array.isArray(found)) return found;
  } catch {
    // refused below
  }
  return refuse(400, 'Parse Error', 'parseError');
}

// The metadata of an upload with the name that it or the query gives, or a refusal.
function judged(about, { query, params }) {
  const extra = Object.keys(about).find((key) => !METADATA.includes(key));
  if (extra !== undefined) refuse(400, `Unknown name "${extra}": Cannot find field.`, 'invalid');
  const name = query.get('name') === null ? about.name : query.get('name');
  if (name === undefined || name === '') refuse(400, 'Required object name', 'required');
  if (typeof name !== 'string' || Buffer.byteLength(name) > 1024 || /[\r\n]/.test(name) || name === '.' || name === '..') refuse(400, `Disallowed unicode characters present in object name '${name}'`, 'invalid');
  if (about.bucket !== undefined && about.bucket !== params.bucket) refuse(400, 'Value in the body does not match the bucket of the path', 'invalid');
  return { ...about, name };
}

// What was promised of the bytes must hold: by the metadata or by X-Goog-Hash.
function checkHashes(req, about, hashes) {
  const said = Object.fromEntries((req.headers['x-goog-hash'] || '').split(',').filter(Boolean).map((pair) => [pair.slice(0, pair.indexOf('=')).trim(), pair.slice(pair.indexOf('=') + 1).trim()]));
  for (const [label, given, got] of [['MD5', about.md5Hash || said.md5, hashes.md5Hash], ['CRC32C', about.crc32c || said.crc32c, hashes.crc32c]]) {
    if (given !== undefined && given !== got) refuse(400, `Provided ${label} hash "${given}" doesn't match calculated ${label} hash "${got}".`, 'invalid');
  }
}

// Conditions hold for the moment at which the object appears.
function become(ctx, sink, about, query) {
  const { bucket } = ctx.params;
  const hashes = sink.hasher.digest();
  checkHashes(ctx.req, about, hashes);
  objects.checkConditions(query, ctx.state.objects(bucket).get(about.name));
  const object = ctx.state.put(bucket, about.name, { data: sink.out.close(), hashes, type: about.contentType || 'application/octet-stream', metadata: about.metadata });
  return objects.shown({ ...ctx, query }, objects.resource(ctx, object));
}

// POST o?uploadType=resumable
async function resumable(ctx) {
  const { headers } = ctx.req;
  const text = await readText(ctx);
  const about = judged({ contentType: headers['x-upload-content-type'], ...parsed(text || '') }, ctx);
  objects.checkConditions(ctx.query, ctx.state.objects(ctx.params.bucket).get(about.name));
  const announced = headers['x-upload-content-length'];
  if (announced !== undefined && !/^\d+$/.test(announced)) refuse(400, 'Invalid X-Upload-Content-Length header.', 'badRequest');
  const session = new Session(ctx, about, announced === undefined ? null : Number(announced));
  ctx.state.sessions.set(session.id, session);
  const query = new URLSearchParams([...ctx.query, ['upload_id', session.id]]);
  return { text: '', headers: { Location: `${baseOf(ctx)}/upload/storage/v1/b/${encodeURIComponent(session.bucket)}/o?${query}` } };
}

function needSession(ctx) {
  const session = ctx.state.sessions.get(ctx.query.get('upload_id'));
  if (!session || session.bucket !== ctx.params.bucket) refuse(404, 'Upload session not found.');
  if (session.cancelled) refuse(410, 'The upload session was cancelled.');
  if (Date.now() - session.born > ctx.sim.config.gcs_session_seconds * 1000) refuse(410, 'The upload session has expired.');
  return session;
}

// PUT o?upload_id=
async function putSession(ctx) {
  const session = needSession(ctx);
  if (session.done) return session.done;
  const range = rangeOf(ctx, session);
  if (!range.query) await take(ctx, session, range);
  if (range.ends && session.size === range.total) return finish(ctx, session);
  return { status: 308, text: '', headers: session.size ? { Range: `bytes=0-${session.size - 1}` } : {} };
}

// {query, or from, length (null if unknown)}, ends: these are the last bytes, total (null until the body is read).
function rangeOf(ctx, session) {
  const { 'content-range': header, 'content-length': sent } = ctx.req.headers;
  const found = /^bytes (?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(header === undefined ? 'bytes 0-*/*' : header);
  if (!found) refuse(400, 'Failed to parse Content-Range header.', 'badRequest');
  const total = found[3] === '*' ? null : Number(found[3]);
  if (total !== null && session.total !== null && total !== session.total) refuse(400, `Invalid request. The total size ${total} in the Content-Range header does not match the expected size ${session.total}.`, 'badRequest');
  if (total !== null) session.total = total;
  if (found[1] === undefined) {
    if (Number(sent) > 0) refuse(400, 'Client sent query request with a non-empty body.', 'badRequest');
    return { query: true, ends: total !== null, total };
  }
  const from = Number(found[1]);
  const open = found[2] === '*';
  const length = open ? null : Number(found[2]) - from + 1;
  if (from > session.size) refuse(503, `Invalid request. According to the Content-Range header, the upload offset is ${from} byte(s), which exceeds already uploaded size of ${session.size} byte(s).`, 'backendError');
  if (length !== null && (length <= 0 || (total !== null && from + length > total))) refuse(400, 'Failed to parse Content-Range header.', 'badRequest');
  const ends = open || (total !== null && from + length === total);
  if (!ends && length % BLOCK) refuse(400, `Invalid request. The number of bytes uploaded is required to be equal or greater than ${BLOCK}, except for the final request (it's recommended to be the exact multiple of ${BLOCK}). The received request contained ${length} bytes, which does not meet this requirement.`, 'badRequest');
  return { from, length, ends, total };
}

// Takes the bytes that are not there yet. Of a broken request, and with the fault "persist", only whole blocks stay.
async function take(ctx, session, range) {
  const { persist } = ctx.action;
  const most = persist === undefined ? Infinity : session.size + persist - (persist % BLOCK);
  const { got, whole, keepRest } = await takeBlocks(ctx.req, session.sink, range.from, most);
  if (!whole) return;
  if (range.length !== null && got !== range.length) refuse(400, `Invalid request. There were ${got} byte(s) in the request body. There should have been ${range.length} byte(s) (starting at offset ${range.from} and ending at offset ${range.from + range.length - 1}) according to the Content-Range header.`, 'badRequest');
  keepRest();
  if (range.total === null && range.ends) range.total = range.from + got;
}

function finish(ctx, session) {
  try {
    session.done = become(ctx, session.sink, session.about, session.query);
  } catch (error) {
    session.drop();
    throw error;
  }
  return session.done;
}

// DELETE o?upload_id=
function cancelSession(ctx) {
  const session = needSession(ctx);
  session.drop();
  return { status: 499, text: '' };
}

module.exports = { insert, putSession, cancelSession };
