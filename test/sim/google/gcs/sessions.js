'use strict';
// Resumable uploads: sessions that survive broken connections.

const { readText } = require('../../server');
const { takeBlocks, BLOCK } = require('../blocks');
const { baseOf } = require('../service');
const { refuse } = require('./errors');
const objects = require('./objects');
const { judged, parsed, become } = require('./uploads');

// What a resumable upload is until it ends: done is then its answer. query: with the conditions of
// its begin.
class Session {
  constructor({ state, params, query }, about, total) {
    Object.assign(this, {
      id: state.newId(),
      bucket: params.bucket,
      name: about.name,
      about,
      query,
      total,
      born: Date.now(),
      sink: state.sink(),
      done: null,
      cancelled: false,
    });
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

// POST o?uploadType=resumable
async function resumable(ctx) {
  const { headers } = ctx.req;
  const text = await readText(ctx);
  const about = judged(
    { contentType: headers['x-upload-content-type'], ...parsed(text || '') },
    ctx,
  );
  objects.checkConditions(ctx.query, ctx.state.objects(ctx.params.bucket).get(about.name));
  const announced = headers['x-upload-content-length'];
  if (announced !== undefined && !/^\d+$/.test(announced))
    refuse(400, 'Invalid X-Upload-Content-Length header.', 'badRequest');
  const session = new Session(ctx, about, announced === undefined ? null : Number(announced));
  ctx.state.sessions.set(session.id, session);
  const query = new URLSearchParams([...ctx.query, ['upload_id', session.id]]);
  const bucket = encodeURIComponent(session.bucket);
  return {
    text: '',
    headers: { Location: `${baseOf(ctx)}/upload/storage/v1/b/${bucket}/o?${query}` },
  };
}

function needSession(ctx) {
  const session = ctx.state.sessions.get(ctx.query.get('upload_id'));
  if (!session || session.bucket !== ctx.params.bucket) refuse(404, 'Upload session not found.');
  if (session.cancelled) refuse(410, 'The upload session was cancelled.');
  if (Date.now() - session.born > ctx.sim.config.gcs_session_seconds * 1000)
    refuse(410, 'The upload session has expired.');
  return session;
}

// PUT o?upload_id=
async function putSession(ctx) {
  const session = needSession(ctx);
  if (session.done) return session.done;
  const range = rangeOf(ctx, session);
  if (!range.query) await take(ctx, session, range);
  if (range.ends && session.size === range.total) return finish(ctx, session);
  return {
    status: 308,
    text: '',
    headers: session.size ? { Range: `bytes=0-${session.size - 1}` } : {},
  };
}

// {query, or from, length (null if unknown)}, ends: these are the last bytes, total (null until the
// body is read).
function rangeOf(ctx, session) {
  const { 'content-range': header, 'content-length': sent } = ctx.req.headers;
  const found = /^bytes (?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(
    header === undefined ? 'bytes 0-*/*' : header,
  );
  if (!found) refuse(400, 'Failed to parse Content-Range header.', 'badRequest');
  const total = found[3] === '*' ? null : Number(found[3]);
  if (total !== null && session.total !== null && total !== session.total)
    refuse(
      400,
      `Invalid request. The total size ${total} in the Content-Range header does not match the ` +
        `expected size ${session.total}.`,
      'badRequest',
    );
  if (total !== null) session.total = total;
  if (found[1] === undefined) {
    if (Number(sent) > 0)
      refuse(400, 'Client sent query request with a non-empty body.', 'badRequest');
    return { query: true, ends: total !== null, total };
  }
  const from = Number(found[1]);
  const open = found[2] === '*';
  const length = open ? null : Number(found[2]) - from + 1;
  if (from > session.size)
    refuse(
      503,
      `Invalid request. According to the Content-Range header, the upload offset is ${from} ` +
        `byte(s), which exceeds already uploaded size of ${session.size} byte(s).`,
      'backendError',
    );
  if (length !== null && (length <= 0 || (total !== null && from + length > total)))
    refuse(400, 'Failed to parse Content-Range header.', 'badRequest');
  const ends = open || (total !== null && from + length === total);
  if (!ends && length % BLOCK)
    refuse(
      400,
      'Invalid request. The number of bytes uploaded is required to be equal or greater than ' +
        `${BLOCK}, except for the final request (it's recommended to be the exact multiple of ` +
        `${BLOCK}). The received request contained ${length} bytes, which does not meet this ` +
        'requirement.',
      'badRequest',
    );
  return { from, length, ends, total };
}

// Takes the bytes that are not there yet. Of a broken request, and with the fault "persist", only
// whole blocks stay.
async function take(ctx, session, range) {
  const { persist } = ctx.action;
  const most = persist === undefined ? Infinity : session.size + persist - (persist % BLOCK);
  const { got, whole, keepRest } = await takeBlocks(ctx.req, session.sink, range.from, most);
  if (!whole) return;
  if (range.length !== null && got !== range.length)
    refuse(
      400,
      `Invalid request. There were ${got} byte(s) in the request body. There should have been ` +
        `${range.length} byte(s) (starting at offset ${range.from} and ending at offset ` +
        `${range.from + range.length - 1}) according to the Content-Range header.`,
      'badRequest',
    );
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

module.exports = { resumable, putSession, cancelSession };
