'use strict';
// The Files API: resumable uploads, files and their ends, downloads of what batches wrote.

const crypto = require('crypto');
const { takeBlocks, BLOCK } = require('../blocks');
const { invalid, refuse } = require('../errors');
const { isObject, onlyKeys, onlyQuery, page, readBody } = require('../params');
const { baseOf } = require('../service');
const { Sink } = require('../sink');

const LIFE_MS = 48 * 3600e3;
const ABOUT = ['name', 'displayName', 'mimeType', 'sizeBytes'];
const time = (ms) => new Date(ms).toISOString();

const sinkOf = (sim) => new Sink(sim, crypto.createHash('sha256'));

// Makes a file of a sink, also of what batches wrote. traits: {project, type, displayName, source}
function addFile(state, id, sink, traits) {
  const file = {
    id,
    created: Date.now(),
    data: sink.close(),
    sum: sink.hasher.digest('hex'),
    ...traits,
  };
  state.files.set(id, file);
  return file;
}

// What is undefined is not there in JSON.
const shown = (ctx) => (file) => ({
  name: `files/${file.id}`,
  displayName: file.displayName,
  mimeType: file.type,
  sizeBytes: String(file.data.size),
  sha256Hash: Buffer.from(file.sum).toString('base64'),
  source: file.source,
  state: stateOf(ctx, file),
  createTime: time(file.created),
  updateTime: time(file.created),
  expirationTime: time(file.created + LIFE_MS),
  uri: `${baseOf(ctx)}/v1beta/files/${file.id}`,
  downloadUri:
    file.source === 'GENERATED'
      ? `${baseOf(ctx)}/download/v1beta/files/${file.id}:download?alt=media`
      : undefined,
});

const stateOf = ({ sim }, file) =>
  Date.now() - file.created < sim.config.gemini_file_processing_ms && file.source === 'UPLOADED'
    ? 'PROCESSING'
    : 'ACTIVE';

// Whose it is not, it is not there for.
function needFile(ctx, id) {
  const file = ctx.state.files.get(id);
  if (file && file.project === ctx.project) return file;
  return refuse(403, `You do not have permission to access the File ${id} or it may not exist.`);
}

const getFile = (ctx) => ({ json: shown(ctx)(needFile(ctx, ctx.params.id)) });

function listFiles(ctx) {
  onlyQuery(ctx, ['pageSize', 'pageToken']);
  const all = [...ctx.state.files.values()]
    .filter((file) => file.project === ctx.project)
    .reverse();
  const { rows, next } = page(ctx, all, (file) => file.id, { most: 100, usual: 10 });
  return { json: { files: rows.length ? rows.map(shown(ctx)) : undefined, nextPageToken: next } };
}

function deleteFile(ctx) {
  const file = needFile(ctx, ctx.params.id);
  ctx.state.files.delete(file.id);
  ctx.sim.store.remove(file.data);
  return { json: {} };
}

// GET files/{id}:download?alt=media, of what was generated only
function download(ctx) {
  const file = needFile(ctx, ctx.params.id);
  if (ctx.query.get('alt') !== 'media') invalid('The request is missing the alt=media parameter.');
  if (file.source !== 'GENERATED')
    invalid(`The file ${file.id} cannot be downloaded: only generated files can.`);
  return { file: file.data, headers: { 'Content-Type': file.type } };
}

// POST /upload/v1beta/files: the begin of an upload, or one of its pieces, whose address carries
// the authority
async function upload(ctx) {
  const headers = ctx.req.headers;
  const commands = (headers['x-goog-upload-command'] || '').split(',').map((word) => word.trim());
  if (ctx.query.has('upload_id')) return piece(ctx, commands);
  if (headers['x-goog-upload-protocol'] !== 'resumable')
    invalid('X-Goog-Upload-Protocol must be resumable.');
  if (commands.join() !== 'start') invalid('X-Goog-Upload-Command must be start.');
  const size = headers['x-goog-upload-header-content-length'];
  const most = ctx.sim.config.gemini_max_file_bytes;
  if (size !== undefined && !/^\d+$/.test(size))
    invalid('Invalid X-Goog-Upload-Header-Content-Length.');
  if (Number(size) > most)
    invalid(`The file is too large: ${size} bytes, more than the maximum of ${most} bytes.`);
  const { file: about = {} } = await readBody(ctx, ['file']);
  const begun = begin(
    ctx,
    isObject(about) ? onlyKeys(about, ABOUT, 'file') : invalid("Invalid value at 'file'."),
    size === undefined ? null : Number(size),
  );
  const address =
    `${baseOf(ctx)}/upload/v1beta/files?upload_id=${begun.id}` + '&upload_protocol=resumable';
  const where = {
    'X-Goog-Upload-URL': address,
    'X-Goog-Upload-Control-URL': address,
    'X-GUploader-UploadID': begun.id,
  };
  return {
    text: '',
    headers: {
      'X-Goog-Upload-Status': 'active',
      'X-Goog-Upload-Chunk-Granularity': BLOCK,
      ...where,
    },
  };
}

function begin(ctx, { name, displayName, mimeType }, total) {
  const id =
    name === undefined
      ? ctx.state.fileId()
      : (/^files\/([a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?)$/.exec(name) || [])[1];
  if (id === undefined) invalid(`Invalid file name: ${name}.`);
  if (ctx.state.files.has(id)) refuse(409, `Requested entity already exists: files/${id}`);
  const type =
    mimeType || ctx.req.headers['x-goog-upload-header-content-type'] || 'application/octet-stream';
  const begun = {
    id: ctx.state.newId(),
    file: id,
    total,
    displayName,
    type,
    project: ctx.project,
    sink: sinkOf(ctx.sim),
    status: 'active',
    answer: null,
  };
  ctx.state.uploads.set(begun.id, begun);
  return begun;
}

async function piece(ctx, commands) {
  const begun = ctx.state.uploads.get(ctx.query.get('upload_id'));
  if (!begun) refuse(404, 'Upload not found.');
  const say = (reply) => ({
    ...reply,
    headers: {
      'X-Goog-Upload-Status': begun.status,
      'X-Goog-Upload-Size-Received': begun.sink.size,
      ...reply.headers,
    },
  });
  if (commands.join() === 'query' || begun.status !== 'active')
    return say(begun.answer || { text: '' });
  if (commands.join() === 'cancel') return say(cancel(begun));
  if (!['upload', 'upload,finalize', 'finalize'].includes(commands.join()))
    invalid('Invalid X-Goog-Upload-Command.');
  if (commands[0] === 'upload' && !(await take(ctx, begun, commands.includes('finalize'))))
    return say({ text: '' });
  return say(commands.includes('finalize') ? finish(ctx, begun) : { text: '' });
}

function cancel(begun) {
  begun.sink.drop();
  begun.status = 'cancelled';
  return { text: '' };
}

// True if the whole request was taken.
async function take(ctx, begun, last) {
  const { 'x-goog-upload-offset': offset, 'content-length': length } = ctx.req.headers;
  if (!/^\d+$/.test(offset || '') || Number(offset) !== begun.sink.size)
    invalid(`Invalid X-Goog-Upload-Offset: ${offset}, expected ${begun.sink.size}.`);
  if (!last && length !== undefined && Number(length) % BLOCK)
    invalid(`The size of a chunk must be a multiple of ${BLOCK} bytes.`);
  const { whole, keepRest } = await takeBlocks(ctx.req, begun.sink, Number(offset));
  if (whole) keepRest();
  return whole;
}

function finish(ctx, begun) {
  const { sink, total, displayName, project, type } = begun;
  if (total !== null && sink.size !== total)
    invalid(`The upload has ${sink.size} bytes, ${total} were announced.`);
  const file = addFile(ctx.state, begun.file, sink, {
    project,
    type,
    displayName,
    source: 'UPLOADED',
  });
  begun.status = 'final';
  begun.answer = { json: { file: shown(ctx)(file) } };
  return begun.answer;
}

const ledgerFile = (file) => ({
  id: `files/${file.id}`,
  purpose: 'gemini',
  filename: file.displayName || file.id,
  expires_at: Math.floor((file.created + LIFE_MS) / 1000),
  bytes: file.data.size,
});

module.exports = {
  upload,
  getFile,
  listFiles,
  deleteFile,
  download,
  addFile,
  needFile,
  stateOf,
  ledgerFile,
  sinkOf,
};
