'use strict';
// One of Google's services as a provider of server.js's contract: its routes, who asks, the dress
// of its answers.
// All are also under the path prefix /google, as behind a proxy.

const { Refusal } = require('../server');

const PREFIX = '/google';

// [method, path with {name}s, serve(ctx) -> reply]; the first that fits is taken. ctx.params has
// the names, decoded.
const compile = (routes) =>
  routes.map(([method, path, serve]) => ({
    method,
    path,
    serve,
    regex: new RegExp(`^${path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
  }));

// service: {name, owns: RegExp of paths, routes, state, authenticate(ctx), errorReply(status,
// code), absent(ctx) -> reply, headers() of every answer, batches(), files(), foreign}. Where
// nothing is said of them they are empty.
function createService(
  sim,
  {
    name,
    owns,
    routes,
    state,
    authenticate = () => undefined,
    errorReply,
    absent = notFound,
    headers = () => ({}),
    batches = () => [],
    files = () => [],
    ...more
  },
) {
  const service = { routes: compile(routes), state, authenticate, absent, headers };
  return {
    name,
    owns: (path) => owns.test(path.startsWith(`${PREFIX}/`) ? path.slice(PREFIX.length) : path),
    handle: (ctx) => handle(ctx, service),
    errorReply: (status, code) => dressed(errorReply(status, code), headers()),
    batches,
    files,
    reset: () => state.clear(),
    ...more,
  };
}

const dressed = (reply, headers) => ({
  ...reply,
  headers: {
    ...(reply.json === undefined ? {} : { 'Content-Type': 'application/json; charset=UTF-8' }),
    ...headers,
    ...reply.headers,
  },
});

async function handle(ctx, service) {
  ctx.state = service.state;
  ctx.prefix = ctx.path.startsWith(`${PREFIX}/`) ? PREFIX : '';
  const headers = service.headers();
  try {
    return dressed(await route(ctx, service), headers);
  } catch (error) {
    if (error instanceof Refusal) error.reply = dressed(error.reply, headers);
    throw error;
  }
}

async function route(ctx, { routes, authenticate, absent }) {
  const path = ctx.path.slice(ctx.prefix.length);
  const found = routes.find((r) => r.method === ctx.method && r.regex.test(path));
  if (!found) return absent(ctx);
  ctx.params = decoded(found.regex.exec(path).groups);
  if (!ctx.params) return absent(ctx);
  ctx.sim.log.count(`${found.method} ${found.path}`);
  await authenticate(ctx);
  return found.serve(ctx);
}

function decoded(groups = {}) {
  try {
    return Object.fromEntries(
      Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]),
    );
  } catch {
    return null;
  }
}

// What the front end says of an address that is nobody's.
const notFound = ({ path }) => ({
  status: 404,
  headers: { 'Content-Type': 'text/html; charset=UTF-8' },
  text:
    `<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Error 404 (Not ` +
    `Found)!!1</title>\n<p><b>404.</b> <ins>That’s an error.</ins>\n<p>The requested URL ` +
    `<code>${path.replace(/[<&]/g, '')}</code> was not found on this server. <ins>That’s all ` +
    `we know.</ins>\n`,
});

// Where the asking client finds this simulator.
const baseOf = ({ req, prefix }) =>
  `${req.socket.encrypted ? 'https' : 'http'}://${req.headers.host}${prefix}`;

module.exports = { createService, notFound, baseOf };
