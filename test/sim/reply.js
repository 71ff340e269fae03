'use strict';
// Puts a reply on the wire, whole or spoiled. A reply is {status, headers, and one of json, text,
// file:{path,size,start}}.
// JSON is gzipped for clients that accept it; files never are.

const fs = require('fs');
const zlib = require('zlib');

const DRIP_TICKS = 20; // a second
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// action: the fault's transport keys (delay and reset are the server's business).
async function send(req, res, reply, action) {
  const body = bodyOf(req, reply, action);
  const whole = action.truncate === undefined && action.stall === undefined && !action.wrong_length;
  res.writeHead(reply.status || 200, headersOf(reply, body, action));
  const all = req.method === 'HEAD' ? 0 : body.size;
  const cut = action.truncate === undefined ? action.stall : action.truncate;
  const end = cut === undefined ? all : Math.max(0, Math.min(cut, all - 1));
  for await (const piece of pieces(body, end, action.drip)) {
    if (res.destroyed) return;
    await write(res, piece);
    if (action.drip) await sleep((piece.length / action.drip) * 1000);
  }
  if (action.endless && all > 0) await repeat(res, body, action.drip);
  if (whole) res.end();
  else if (action.stall !== undefined && all > 0) res.flushHeaders();
  else endSocket(res);
}

// The body, over and over, as long as anybody listens.
async function repeat(res, body, drip) {
  const bytes =
    body.bytes || fs.readFileSync(body.path).subarray(body.start, body.start + body.size);
  const block = drip
    ? bytes
    : Buffer.concat(Array(Math.ceil((1 << 20) / bytes.length)).fill(bytes));
  for (;;) {
    for await (const piece of pieces({ bytes: block }, block.length, drip)) {
      if (res.destroyed) return;
      await write(res, piece);
      if (drip) await sleep((piece.length / drip) * 1000);
    }
  }
}

function bodyOf(req, reply, action) {
  if (reply.file)
    return { size: reply.file.size, path: reply.file.path, start: reply.file.start || 0 };
  const bytes = Buffer.isBuffer(reply.text)
    ? reply.text
    : Buffer.from(reply.json !== undefined ? JSON.stringify(reply.json) : reply.text || '');
  const zip =
    reply.json !== undefined &&
    !action.endless &&
    /\bgzip\b/.test(req.headers['accept-encoding'] || '');
  const out = zip ? zlib.gzipSync(bytes) : bytes;
  return { size: out.length, bytes: out, zip };
}

function headersOf(reply, body, action) {
  const headers = {
    ...(reply.json !== undefined ? { 'Content-Type': 'application/json' } : {}),
    ...reply.headers,
  };
  if (body.zip) headers['Content-Encoding'] = 'gzip';
  const extra = action.wrong_length === true ? 10 : action.wrong_length || 0;
  if (reply.chunked || action.chunked || action.endless) headers['Transfer-Encoding'] = 'chunked';
  else headers['Content-Length'] = Math.max(0, body.size + extra);
  return headers;
}

async function* pieces(body, end, drip) {
  if (end === 0) return;
  const step = drip ? Math.max(1, Math.floor(drip / DRIP_TICKS)) : 1 << 18;
  const source = body.path
    ? fs.createReadStream(body.path, {
        start: body.start,
        end: body.start + end - 1,
        highWaterMark: step,
      })
    : [body.bytes.subarray(0, end)];
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += step) yield chunk.subarray(at, at + step);
  }
}

const write = (res, piece) =>
  new Promise((done) => {
    res.once('close', done);
    res.write(piece, () => {
      res.removeListener('close', done);
      done();
    });
  });

// Ends the connection in good order at TCP level, with HTTP's message unfinished.
function endSocket(res) {
  if (!res.headersSent) return;
  res.flushHeaders();
  const socket = res.socket;
  if (socket) setImmediate(() => socket.end());
}

module.exports = { send, sleep };
