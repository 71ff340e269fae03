'use strict';
// Anthropic as a provider of the simulator: routes, keys, versions, headers, state. Also under the
// path prefix /anthropic.

const crypto = require('crypto');
const { Refusal } = require('../server');
const { refuse, invalid, usualError } = require('./errors');
const { readJson, page } = require('./params');
const { MODELS, findModel, modelObject } = require('./models');
const { PromptCache, promptTokens } = require('./cache');
const batches = require('./batches');
const { run } = require('./run');

const PREFIX = '/anthropic';
const VERSIONS = ['2023-06-01', '2026-10-21'];
const BETAS = [
  'message-batches-2024-09-24',
  'prompt-caching-2024-07-31',
  'extended-cache-ttl-2025-04-11',
  'structured-outputs-2025-11-13',
  'token-counting-2024-11-01',
  'output-300k-2026-03-24',
];
const ROUTES = [
  ['POST', '/v1/messages', realtime],
  ['POST', '/v1/messages/count_tokens', countTokens],
  ['POST', '/v1/messages/batches', batches.createBatch],
  ['GET', '/v1/messages/batches', batches.listBatches],
  ['GET', '/v1/messages/batches/{id}', batches.getBatch],
  ['DELETE', '/v1/messages/batches/{id}', batches.deleteBatch],
  ['POST', '/v1/messages/batches/{id}/cancel', batches.cancelBatch],
  ['GET', '/v1/messages/batches/{id}/results', batches.getResults],
  ['GET', '/v1/models', (ctx) => ({ json: page(ctx, MODELS, modelObject) })],
  ['GET', '/v1/models/{id}', getModel],
].map(([method, path, serve]) => ({
  method,
  path,
  serve,
  regex: new RegExp(`^${path.replace('{id}', '(?<id>[^/]+)')}$`),
}));

// Returns the provider of server.js's contract. What other providers have under the same path goes
// by the headers.
function createAnthropic(sim) {
  const state = new State(sim);
  return {
    name: 'anthropic',
    owns: (path, headers) =>
      path.startsWith(`${PREFIX}/v1/`) ||
      /^\/v1\/messages(\/|$)/.test(path) ||
      (path.startsWith('/v1/') && ('anthropic-version' in headers || 'x-api-key' in headers)),
    handle: (ctx) => handle(ctx, state),
    errorReply: (status, code) => dressed({ status, json: usualError(status, code) }, state),
    batches: () => [...state.batches.values()].map(batches.ledgerBatch),
    files: () => [],
    foreign: (wish) => batches.addForeign(sim, state, wish),
    reset: () => state.clear(),
  };
}

class State {
  constructor(sim) {
    this.sim = sim;
    this.seed = crypto.randomBytes(4).toString('hex');
    this.ids = 0;
    this.batches = new Map();
    this.clear();
  }

  clear() {
    for (const batch of this.batches.values()) batch.forgotten = true;
    this.batches = new Map();
    this.attempts = new Map();
    this.cache = new PromptCache(this.sim);
  }

  // Unique over resets and restarts.
  newId(prefix, length) {
    return `${prefix}01${this.seed}${(++this.ids).toString(16).padStart(length - 10, '0')}`;
  }

  // Requests in batches of this workspace that have not ended.
  queued(project) {
    return [...this.batches.values()].reduce(
      (n, b) => n + (b.project === project && !b.ended ? b.total : 0),
      0,
    );
  }
}

// The reply with the headers of every answer, and its request id in an error's body.
function dressed(reply, state) {
  if (reply.front) return reply;
  const id = state.newId('req_', 28);
  const headers = {
    'request-id': id,
    'anthropic-organization-id': '00000000-0000-4000-8000-000000000000',
    'anthropic-ratelimit-requests-limit': '4000',
    'anthropic-ratelimit-requests-remaining': '3999',
  };
  const json =
    reply.json && reply.json.type === 'error' ? { ...reply.json, request_id: id } : reply.json;
  return {
    ...reply,
    ...(json === undefined ? {} : { json }),
    headers: { ...headers, ...reply.headers },
  };
}

async function handle(ctx, state) {
  ctx.state = state;
  ctx.prefix = ctx.path.startsWith(`${PREFIX}/`) ? PREFIX : '';
  try {
    return dressed(await route(ctx, ctx.path.slice(ctx.prefix.length)), state);
  } catch (error) {
    if (error instanceof Refusal) error.reply = dressed(error.reply, state);
    throw error;
  }
}

async function route(ctx, path) {
  authenticate(ctx);
  ctx.how = howAsked(ctx.req.headers);
  const here = ROUTES.filter((r) => r.regex.test(path));
  const found = here.find((r) => r.method === ctx.method);
  if (!here.length) refuse(404, 'Not found');
  if (!found) refuse(405, 'Method Not Allowed');
  ctx.sim.log.count(`${found.method} ${found.path}`);
  ctx.params = { id: decodeURIComponent((found.regex.exec(path).groups || {}).id || '') };
  return found.serve(ctx);
}

// A key by either header; both at once say two things.
function authenticate(ctx) {
  const { authorization, 'x-api-key': plain } = ctx.req.headers;
  if (authorization === undefined && plain === undefined)
    refuse(401, 'x-api-key header is required');
  if (authorization !== undefined && plain !== undefined)
    refuse(401, 'Only one of the x-api-key and Authorization headers may be given');
  const bearer = (/^Bearer (\S+)$/.exec(authorization || '') || [])[1];
  ctx.project = ctx.sim.config.keys.get(plain === undefined ? bearer : plain);
  if (ctx.project === undefined)
    refuse(401, plain === undefined ? 'Invalid bearer token' : 'invalid x-api-key');
}

// {version, betas} of the request's headers.
function howAsked(headers) {
  const version = headers['anthropic-version'];
  if (version === undefined) invalid('anthropic-version: header is required');
  if (!VERSIONS.includes(version))
    invalid(`anthropic-version: "${version}" is not a valid version`);
  const betas = (headers['anthropic-beta'] || '')
    .split(',')
    .map((beta) => beta.trim())
    .filter(Boolean);
  const unknown = betas.find((beta) => !BETAS.includes(beta));
  if (unknown !== undefined)
    invalid(
      `Unexpected value(s) \`${unknown}\` for the \`anthropic-beta\` header. Please consult our ` +
        'documentation at docs.claude.com or try again without the header.',
    );
  const workspace = headers['anthropic-workspace-id'];
  if (workspace !== undefined && !workspace.startsWith('wrkspc_'))
    invalid('anthropic-workspace-id: not a valid workspace id');
  return { version, betas };
}

function getModel(ctx) {
  const model = findModel(ctx.params.id);
  return model ? { json: modelObject(model) } : refuse(404, `model: ${ctx.params.id}`);
}

// POST /v1/messages. Directives that only a batch can play hang up or answer oddly.
async function realtime(ctx) {
  const body = await readJson(ctx);
  const result = run(
    ctx.sim,
    ctx.state,
    body,
    { ...ctx.how, batched: false },
    { batch_id: null, custom_id: null },
  );
  if (
    result.asked.has('missing') ||
    result.type === 'expired' ||
    result.type === 'canceled' ||
    result.asked.has('status0')
  )
    return { drop: true };
  if (result.type === 'errored') return { status: result.status, json: result.error };
  if (result.asked.has('badjson'))
    return {
      text: JSON.stringify(result.message).slice(0, 20),
      headers: { 'Content-Type': 'application/json' },
    };
  return { json: result.message };
}

async function countTokens(ctx) {
  const body = await readJson(ctx);
  if (!findModel(body.model)) refuse(404, `model: ${body.model}`);
  if ('max_tokens' in body) invalid('max_tokens: Extra inputs are not permitted');
  return { json: { input_tokens: promptTokens(body) } };
}

module.exports = { createAnthropic };
