'use strict';
// Azure OpenAI as a provider of the simulator: two surfaces, keys and tokens, versions, headers,
// error bodies.
// Files, batches and their life are openai/'s, in Azure's dialect.

const { Refusal } = require('../server');
const { refuse, usualError } = require('../openai/errors');
const { MODELS } = require('../openai/models');
const { State, ledgerBatch, ledgerFile } = require('../openai/state');
const files = require('../openai/files');
const batches = require('../openai/batches');
const { realtime } = require('../openai/realtime');
const entra = require('./entra');
const { AZURE, answersNow } = require('./dialect');

const V1 = '/openai/v1';
const CLASSIC = '/openai';
const VERSIONS = [
  '2024-07-01-preview',
  '2024-08-01-preview',
  '2024-10-01-preview',
  '2024-10-21',
  '2025-01-01-preview',
  '2025-03-01-preview',
  '2025-04-01-preview',
];
const ROUTES = [
  ['POST', '/files', files.createFile],
  ['GET', '/files', files.listFiles],
  ['GET', '/files/{id}', files.getFile],
  ['DELETE', '/files/{id}', deleteFile],
  ['GET', '/files/{id}/content', files.getContent],
  ['POST', '/batches', batches.createBatch],
  ['GET', '/batches', batches.listBatches],
  ['GET', '/batches/{id}', batches.getBatch],
  ['POST', '/batches/{id}/cancel', batches.cancelBatch],
  ['POST', '/chat/completions', (ctx) => now(ctx, '/v1/chat/completions', true)],
  ['POST', '/embeddings', (ctx) => now(ctx, '/v1/embeddings', true)],
  ['POST', '/responses', (ctx) => now(ctx, '/v1/responses', ctx.v1)],
  ['POST', '/deployments/{id}/chat/completions', (ctx) => now(ctx, '/v1/chat/completions', false)],
  ['POST', '/deployments/{id}/embeddings', (ctx) => now(ctx, '/v1/embeddings', false)],
  ['GET', '/models', () => ({ json: { data: MODELS.map(modelObject), object: 'list' } })],
].map(([method, path, serve]) => ({
  method,
  path,
  serve,
  regex: new RegExp(`^${path.replace('{id}', '(?<id>[^/]+)')}$`),
}));

// Returns the provider of server.js's contract.
function createAzure(sim) {
  const state = new State(sim, AZURE);
  state.tokens = new Map();
  return {
    name: 'azure_openai',
    owns: (path) => path.startsWith(`${CLASSIC}/`) || entra.PATH.test(path),
    handle: (ctx) => handle(ctx, state),
    errorReply: (status, code) => ({
      status,
      json: worded(usualError(status, code), status),
      headers: commonHeaders(state),
    }),
    batches: () => [...state.batches.values()].map(ledgerBatch),
    files: () => [...state.files.values()].map(ledgerFile),
    reset: () => {
      state.clear();
      state.tokens.clear();
    },
  };
}

const commonHeaders = (state) => ({
  'apim-request-id': state.newId('', 32),
  'x-request-id': state.newId('', 32),
  'x-ms-region': 'Sim Central',
  'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
});

// Azure's error bodies have a code, always, and no type.
function worded(body, status) {
  if (!body || !body.error) return body;
  const { message, code } = body.error;
  return {
    error: {
      code: code || { 400: 'invalidRequest', 404: 'notFound' }[status] || String(status),
      message,
    },
  };
}

async function handle(ctx, state) {
  if (entra.PATH.test(ctx.path)) return entra.token(ctx, state);
  const headers = commonHeaders(state);
  ctx.state = state;
  try {
    const reply = await route(ctx);
    return { ...reply, headers: { ...headers, ...reply.headers } };
  } catch (error) {
    if (error instanceof Refusal) {
      error.reply.headers = { ...headers, ...error.reply.headers };
      error.reply.json = worded(error.reply.json, error.reply.status);
    }
    throw error;
  }
}

async function route(ctx) {
  ctx.v1 = ctx.path.startsWith(`${V1}/`);
  checkVersion(ctx);
  authenticate(ctx);
  const path = ctx.path.slice((ctx.v1 ? V1 : CLASSIC).length);
  const found = ROUTES.find((r) => r.method === ctx.method && r.regex.test(path));
  if (!found) refuse(404, 'Resource not found', { code: '404' });
  ctx.sim.log.count(`${found.method} ${ctx.v1 ? V1 : CLASSIC}${found.path}`);
  ctx.params = { id: decodeURIComponent((found.regex.exec(path).groups || {}).id || '') };
  return found.serve(ctx);
}

// The classic surface must be told its version, the other may be.
function checkVersion(ctx) {
  const version = ctx.query.get('api-version');
  const good = ctx.v1 ? [null, 'v1', 'preview'].includes(version) : VERSIONS.includes(version);
  if (!good || ctx.query.getAll('api-version').length > 1)
    refuse(404, 'Resource not found', { code: '404' });
  ctx.query.delete('api-version');
}

const DENIED =
  'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a ' +
  'valid key for an active subscription and use a correct regional API endpoint for your ' +
  'resource.';

// api-key, or a bearer: a token of Entra ID, on v1 also the key.
function authenticate(ctx) {
  const { authorization, 'api-key': key } = ctx.req.headers;
  const bearer = (/^Bearer (\S+)$/.exec(authorization || '') || [])[1];
  const token = ctx.state.tokens.get(bearer);
  if (token && token.until > Date.now() && !key) ctx.project = token.project;
  else ctx.project = ctx.sim.config.keys.get(key || (ctx.v1 && bearer));
  if (ctx.project === undefined)
    refuse(
      401,
      bearer && !key
        ? 'Unauthorized. Access token is missing, invalid, audience is incorrect ' +
            '(https://cognitiveservices.azure.com), or have expired.'
        : DENIED,
      { code: '401' },
    );
}

// One request at once. The deployment is named in the path on the classic surface, where a model in
// the body says nothing, except of responses; on v1 it is the body's model.
function now(ctx, endpoint, v1) {
  if (v1 !== ctx.v1) refuse(404, 'Resource not found', { code: '404' });
  return realtime(ctx, endpoint, (body) => {
    const name = ctx.params.id || body.model;
    answersNow(ctx.sim, name, endpoint);
    return { ...body, model: name };
  });
}

// The classic surface answers without a body.
function deleteFile(ctx) {
  const reply = files.deleteFile(ctx);
  return ctx.v1 ? reply : { status: 204, text: '' };
}

const modelObject = (m) => ({
  status: 'succeeded',
  capabilities: {
    fine_tune: false,
    inference: true,
    completion: false,
    chat_completion: m.kind === 'chat',
    embeddings: m.kind === 'embedding',
  },
  lifecycle_status: 'generally-available',
  deprecation: { inference: m.created + 6e7 },
  id: m.snapshot,
  created_at: m.created,
  object: 'model',
});

module.exports = { createAzure };
