'use strict';
// HTTP plumbing: one request from its arrival to its reply or its accident. Knows no provider.
// A provider is {name, owns(path, headers), handle(ctx) -> reply, errorReply(status, code) ->
// reply, batches(), files(), reset(), and where batches of others can be made foreign(wish) ->
// ids}. The first that owns a request gets it.

const http = require('http');
const https = require('https');
const { Readable } = require('stream');
const { send, sleep } = require('./reply');
const { keepBody } = require('./log');
const { spoil } = require('./lies');

const MAX_JSON = 32 * 1024 * 1024;

// Thrown by handlers: the reply to give instead of success.
class Refusal extends Error {
  constructor(reply) {
    super(`refused with ${reply.status}`);
    this.reply = reply;
  }
}

function createServer(sim, tls) {
  const listener = (req, res) => serve(sim, req, res).catch((error) => crash(res, error));
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  server.requestTimeout = 0;
  return server;
}

// A bug of the simulator must be seen as one; a client that went away is none.
function crash(res, error) {
  if (res.destroyed) return undefined;
  process.stderr.write(`sim: ${error.stack}\n`);
  if (res.headersSent) return res.destroy();
  res.writeHead(599, { 'Content-Type': 'text/plain' });
  return res.end(`simulator error: ${error.message}`);
}

// The API key of a request, however it is sent.
const keyOf = ({ authorization = '', ...headers }) =>
  headers['x-api-key'] || headers['api-key'] || authorization.replace(/^Bearer /, '');

async function serve(sim, req, res) {
  const url = new URL(req.url, 'http://sim');
  const ctx = {
    sim,
    req,
    res,
    method: req.method,
    path: url.pathname,
    query: url.searchParams,
    action: {},
  };
  if (ctx.path.startsWith('/_sim/')) return finish(ctx, await attempt(ctx, sim.control));
  ctx.log = sim.log.open(req);
  ctx.lane = sim.lanes.of(req);
  if (ctx.lane) ctx.lane.requests.push(ctx.log);
  ctx.provider = sim.providers.find((p) => p.owns(ctx.path, req.headers));
  if (!ctx.provider) return finish(ctx, { status: 404, text: 'no provider here' });
  ctx.action = sim.faults.take({
    method: ctx.method,
    path: ctx.path,
    lane: req.socket.localPort,
    key: keyOf(req.headers),
  });
  if (Object.keys(ctx.action).length) ctx.log.fault = ctx.action;
  const { shut_after: shut } = ctx.action;
  if (shut) ctx.lane.close(shut);
  await answer(ctx);
  if (shut) ctx.lane.part();
  return undefined;
}

async function answer(ctx) {
  const { action } = ctx;
  if (action.delay_ms) await delay(ctx, action.delay_ms);
  if (action.reset === 'before') return reset(ctx.res);
  if (action.hang && action.hang !== 'after') return drain(ctx.req);
  if (action.read) ctx.req = slowly(ctx.req, action.read);
  const canned = cannedReply(ctx);
  if (canned) return finish(ctx, canned);
  const reply = await attempt(ctx, ctx.provider);
  if (action.hang === 'after') return drain(ctx.req);
  if (action.reset === 'after') return reset(ctx.res);
  if (action.lost_after_effect || reply.drop) return ctx.req.socket.end();
  return finish(ctx, spoil(reply, action));
}

// What was received has its effect, also when the client does not wait for it.
async function delay(ctx, ms) {
  if (/json\b/.test(ctx.req.headers['content-type'])) ctx.text = await readText(ctx);
  await sleep(ms);
}

// The request, whose body is read at that rate.
function slowly(req, bytesPerSecond) {
  const { headers, rawHeaders, method, url, socket } = req;
  const step = Math.max(1, Math.floor(bytesPerSecond / 10));
  async function* body() {
    for await (const chunk of req) {
      for (let at = 0; at < chunk.length; at += step) {
        const piece = chunk.subarray(at, at + step);
        if (socket.destroyed) throw new Error('the client has gone');
        yield piece;
        await sleep((piece.length / bytesPerSecond) * 1000);
      }
    }
  }
  return Object.assign(Readable.from(body()), { headers, rawHeaders, method, url, socket });
}

async function attempt(ctx, handler) {
  try {
    return await handler.handle(ctx);
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    throw error;
  }
}

async function finish(ctx, reply) {
  await drain(ctx.req);
  if (ctx.log) ctx.log.status = reply.status || 200;
  await send(ctx.req, ctx.res, reply, ctx.action);
}

// The reply of a fault that answers instead of the provider, or null.
function cannedReply({ action, provider }) {
  const headers = action.headers || {};
  if (action.redirect)
    return { status: 302, text: '', headers: { Location: action.redirect, ...headers } };
  if (action.html)
    return {
      status: action.html,
      text:
        `<html><head><title>${action.html}</title></head><body><center><h1>${action.html} ` +
        `Bad Gateway</h1></center></body></html>\r\n`,
      headers: { 'Content-Type': 'text/html', ...headers },
    };
  if (action.status === undefined && action.body === undefined) return null;
  if (action.body === undefined)
    return merge(provider.errorReply(action.status, action.error_code), headers);
  if (typeof action.body === 'string')
    return {
      status: action.status,
      text: action.body,
      headers: { 'Content-Type': 'application/json', ...headers },
    };
  return { status: action.status, json: action.body, headers };
}

const merge = (reply, headers) => ({ ...reply, headers: { ...reply.headers, ...headers } });

function reset(res) {
  const { socket } = res;
  if (socket && socket.resetAndDestroy && !socket.encrypted) socket.resetAndDestroy();
  else if (socket) socket.destroy();
}

// Reads what is left of a request, so that the client gets to hear the answer.
function drain(req) {
  if (req.readableEnded || req.destroyed) return undefined;
  return new Promise((done) => {
    req.once('end', done);
    req.once('close', done);
    req.resume();
  });
}

// The request's body as text, up to 32 MB; null if there is more.
async function readText(ctx) {
  if (ctx.text !== undefined) return ctx.text;
  const chunks = [];
  let size = 0;
  for await (const chunk of ctx.req) {
    size += chunk.length;
    if (size <= MAX_JSON) chunks.push(chunk);
  }
  if (size > MAX_JSON) return null;
  const text = Buffer.concat(chunks).toString();
  if (ctx.log) keepBody(ctx.log, text);
  return text;
}

module.exports = { createServer, Refusal, readText };
