'use strict';
// The body of a create: received into a file, its frame judged on the way, then each request's
// envelope. What is in params is judged when the request runs. Memory: the spans and the custom
// ids.

const fs = require('fs');
const { isUtf8 } = require('buffer');
const { keepBody } = require('../log');
const { invalid, refuse, refuseInFront } = require('./errors');
const { isObject, needJson } = require('./params');
const { Splitter, NO_JSON } = require('./split');

const SLICE_MS = 8;
const ID = /^[a-zA-Z0-9_-]{1,64}$/;

// Returns {data:{path,size}, spans}; leaves no file behind if it refuses.
async function receive(ctx) {
  needJson(ctx);
  needLength(ctx);
  const writer = ctx.sim.store.create();
  try {
    const spans = await split(ctx, writer);
    const data = writer.close();
    await judge(ctx, data, spans);
    return { data, spans };
  } catch (error) {
    ctx.sim.store.remove(writer.close());
    throw error;
  }
}

// The clients all name the length; what is not documented is refused.
function needLength(ctx) {
  const length = ctx.req.headers['content-length'];
  if (length === undefined) refuseInFront(411, 'Length Required');
  if (Number(length) > ctx.sim.config.max_create_bytes)
    refuseInFront(413, 'Request Entity Too Large');
}

async function split(ctx, writer) {
  const splitter = new Splitter();
  for await (const piece of source(ctx)) {
    if (!writer.size && ctx.log) keepBody(ctx.log, piece.toString('utf8', 0, 4000));
    splitter.push(piece);
    writer.write(piece);
  }
  splitter.finish();
  if (splitter.problem) invalid(splitter.problem);
  return splitter.spans;
}

// The body, also where a fault's delay has read it already.
function source(ctx) {
  if (ctx.text === null) throw new Error('delay_ms with a body of more than 32 MB');
  return ctx.text === undefined ? ctx.req : [Buffer.from(ctx.text)];
}

async function judge(ctx, data, spans) {
  const count = spans.length / 2;
  const most = ctx.sim.config.max_batch_requests;
  if (!count) invalid('requests: List should have at least 1 item after validation, not 0');
  if (count > most)
    invalid(`requests: List should have at most ${most} items after validation, not ${count}`);
  const seen = new Set();
  const fd = fs.openSync(data.path, 'r');
  try {
    for (let i = 0, slice = Date.now(); i < count; i++) {
      judgeOne(readAt(fd, spans[2 * i], spans[2 * i + 1]), `requests.${i}`, seen);
      if (Date.now() - slice < SLICE_MS) continue;
      await new Promise((done) => setImmediate(done));
      slice = Date.now();
    }
  } finally {
    fs.closeSync(fd);
  }
}

function judgeOne(bytes, at, seen) {
  if (bytes.includes('[[sim:invalid_line')) invalid(`${at}: refused by the directive invalid_line`);
  const request = parse(bytes);
  if (request === undefined) invalid(NO_JSON);
  if (!isObject(request))
    invalid(`${at}: Input should be a valid dictionary or object to extract fields from`);
  for (const key of ['custom_id', 'params'])
    if (request[key] === undefined) invalid(`${at}.${key}: Field required`);
  const extra = Object.keys(request).find((key) => key !== 'custom_id' && key !== 'params');
  if (extra !== undefined) invalid(`${at}.${extra}: Extra inputs are not permitted`);
  if (typeof request.custom_id !== 'string')
    invalid(`${at}.custom_id: Input should be a valid string`);
  if (!ID.test(request.custom_id))
    invalid(`${at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'`);
  if (!isObject(request.params))
    invalid(`${at}.params: Input should be a valid dictionary or object to extract fields from`);
  if (seen.has(request.custom_id))
    refuse(400, `${at}.custom_id: custom_id "${request.custom_id}" is not unique within the batch`);
  seen.add(request.custom_id);
}

function parse(bytes) {
  if (!isUtf8(bytes)) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

function readAt(fd, position, length) {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, fs.readSync(fd, buffer, 0, length, position));
}

module.exports = { receive, readAt };
