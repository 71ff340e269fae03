'use strict';
// The Files API: what is uploaded, what batches leave behind. Bytes live in the store, objects in
// state.files.

const { parseMultipart } = require('../multipart');
const { refuse, missing, invalid } = require('./errors');
const { onlyQuery, page, readExpiry } = require('./params');
const { dress } = require('./quirks');

const RETENTION = 2592000;
const now = () => Math.floor(Date.now() / 1000);

// POST /files
async function createFile(ctx) {
  const upload = await receive(ctx);
  try {
    return { status: ctx.state.dialect.created, json: accept(ctx, upload) };
  } catch (error) {
    if (upload.data) ctx.sim.store.remove(upload.data);
    throw error;
  }
}

// The parts of the form: {fields, filename, data:{path,size}, tooLarge, problem}. Leaves no file
// behind if it refuses.
async function receive(ctx) {
  const type = ctx.req.headers['content-type'] || '';
  if (!/^multipart\/form-data/i.test(type))
    refuse(
      415,
      `Unsupported content type: '${type}'. This API method only accepts 'multipart/form-data' ` +
        'requests.',
      { code: 'unsupported_content_type' },
    );
  const upload = {
    fields: {},
    filename: undefined,
    writer: null,
    data: null,
    tooLarge: false,
    problem: null,
  };
  try {
    await parseMultipart(ctx.req, (part) =>
      part.name === 'file' && part.filename !== undefined
        ? fileSink(ctx.sim, upload, part)
        : fieldSink(ctx.state.dialect.fields, upload, part),
    );
  } catch (error) {
    if (upload.writer) ctx.sim.store.remove(upload.writer.close());
    refuse(400, `Could not parse multipart form: ${error.message}`);
  }
  return upload;
}

function fieldSink({ anchor, seconds, ignored }, upload, { name, filename }) {
  const chunks = [];
  if (filename !== undefined) upload.problem = name;
  return {
    write: (bytes) => chunks.push(Buffer.from(bytes.subarray(0, 1024))),
    end: () => {
      if (ignored.includes(name)) return;
      if (!['purpose', anchor, seconds].includes(name) || name in upload.fields)
        upload.problem = name;
      upload.fields[name] = Buffer.concat(chunks).toString();
    },
  };
}

function fileSink(sim, upload, { filename }) {
  if (upload.writer) throw new Error('more than one file');
  upload.filename = filename;
  const writer = sim.store.create();
  upload.writer = writer;
  const limit = sim.config.max_file_bytes;
  return {
    write: (bytes) => {
      if (writer.size + bytes.length > limit) upload.tooLarge = true;
      if (!upload.tooLarge) writer.write(bytes);
    },
    end: () => {
      upload.data = writer.close();
    },
  };
}

function accept(ctx, upload) {
  const { fields } = upload;
  if (upload.problem !== null)
    refuse(400, `Unrecognized request argument supplied: ${upload.problem}`);
  if (fields.purpose === undefined) missing('purpose');
  if (fields.purpose !== 'batch')
    invalid('purpose', `Invalid value: '${fields.purpose}'. Supported values are: 'batch'.`);
  if (!upload.data) missing('file');
  const seconds = expiryOf(ctx, fields);
  if (!/\.jsonl$/.test(upload.filename))
    refuse(400, 'Invalid file format for Batch API. Must be .jsonl', { param: 'file' });
  if (upload.tooLarge) refuse(400, 'File is too large.');
  ctx.state.dialect.checkRoom(ctx, seconds);
  const file = addFile(ctx.sim, ctx.state, {
    project: ctx.project,
    filename: upload.filename,
    purpose: 'batch',
    data: upload.data,
    seconds,
  });
  // Without an expiry of its own a file's default is told only by later calls.
  return { ...fileObject(ctx)(file), ...(seconds === null ? { expires_at: null } : {}) };
}

// Seconds, or null if none are given.
function expiryOf(ctx, fields) {
  const { fields: names, life } = ctx.state.dialect;
  const anchor = fields[names.anchor];
  const seconds = fields[names.seconds];
  if (anchor === undefined && seconds === undefined) return null;
  if (ctx.sim.config.quirks.expiry)
    invalid('expires_after', 'Extra inputs are not permitted: expires_after', 'unknown_parameter');
  return readExpiry(
    { anchor, seconds: /^\d+$/.test(seconds || '') ? Number(seconds) : seconds },
    'expires_after',
    life,
  );
}

// Also used for what batches write. Returns the file.
function addFile(sim, state, { project, filename, purpose, data, seconds, id }) {
  const created = now();
  const file = {
    id: id || state.newName('file-', 22),
    asked: seconds,
    project,
    filename,
    purpose,
    data,
    created_at: created,
    expires_at: created + (seconds || RETENTION),
    since: Date.now(),
  };
  state.files.set(file.id, file);
  return file;
}

const fileObject =
  ({ sim, state }) =>
  (file) =>
    dress(sim.config.quirks, {
      id: file.id,
      object: 'file',
      bytes: file.data.size,
      created_at: file.created_at,
      expires_at: file.expires_at,
      filename: file.filename,
      purpose: file.purpose,
      status: state.dialect.fileStatus(sim.config, file),
      status_details: null,
    });

// The file if this project sees it (yet), else undefined.
function visibleFile(ctx, id) {
  const file = ctx.state.files.get(id);
  const late =
    file &&
    file.purpose === 'batch' &&
    Date.now() - file.since < ctx.sim.config.file_visible_after_ms;
  return file && !late && file.project === ctx.project ? file : undefined;
}

const needFile = (ctx) =>
  visibleFile(ctx, ctx.params.id) ||
  refuse(404, `No such File object: ${ctx.params.id}`, { param: 'id' });

// GET /files
function listFiles(ctx) {
  onlyQuery(ctx, ['purpose', 'limit', 'order', 'after']);
  const order = ctx.query.get('order') || 'desc';
  if (!['asc', 'desc'].includes(order))
    invalid('order', `Invalid value: '${order}'. Supported values are: 'asc' and 'desc'.`);
  const purpose = ctx.query.get('purpose');
  const all = [...ctx.state.files.keys()]
    .map((id) => visibleFile(ctx, id))
    .filter((f) => f && (!purpose || f.purpose === purpose));
  if (order === 'desc') all.reverse();
  return { json: page(ctx, all, { max: 10000, byDefault: 10000 }, fileObject(ctx)) };
}

// GET and DELETE /files/{id}
const getFile = (ctx) => ({ json: fileObject(ctx)(needFile(ctx)) });

function deleteFile(ctx) {
  const file = needFile(ctx);
  ctx.state.files.delete(file.id);
  ctx.sim.store.remove(file.data);
  return { json: { id: file.id, object: 'file', deleted: true } };
}

// GET /files/{id}/content
function getContent(ctx) {
  const file = needFile(ctx);
  return {
    file: file.data,
    chunked: ctx.sim.config.chunked_content,
    headers: {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': `attachment; filename="${file.filename}"`,
    },
  };
}

module.exports = {
  createFile,
  listFiles,
  getFile,
  deleteFile,
  getContent,
  addFile,
  visibleFile,
  now,
};
