'use strict';
// OpenAI, and by config.quirks its compatible relatives, as a provider of the simulator: routes,
// keys, headers.

const { Refusal } = require('../server');
const { refuse, usualError } = require('./errors');
const { MODELS, findModel, modelObject } = require('./models');
const files = require('./files');
const batches = require('./batches');
const { realtime } = require('./realtime');
const { State, ledgerBatch, ledgerFile } = require('./state');
const { OPENAI } = require('./dialect');
const { dressError } = require('./quirks');

const ROUTES = [
  ['POST', '/v1/files', files.createFile],
  ['GET', '/v1/files', files.listFiles],
  ['GET', '/v1/files/{id}', files.getFile],
  ['DELETE', '/v1/files/{id}', files.deleteFile],
  ['GET', '/v1/files/{id}/content', files.getContent],
  ['POST', '/v1/batches', batches.createBatch],
  ['GET', '/v1/batches', batches.listBatches],
  ['GET', '/v1/batches/{id}', batches.getBatch],
  ['POST', '/v1/batches/{id}/cancel', batches.cancelBatch],
  ['GET', '/v1/models', () => ({ json: { object: 'list', data: MODELS.map(modelObject) } })],
  ['GET', '/v1/models/{id}', getModel],
  ['POST', '/v1/chat/completions', (ctx) => realtime(ctx, ctx.path)],
  ['POST', '/v1/responses', (ctx) => realtime(ctx, ctx.path)],
  ['POST', '/v1/embeddings', (ctx) => realtime(ctx, ctx.path)],
].map(([method, path, serve]) => ({
  method,
  path,
  serve,
  regex: new RegExp(`^${path.replace('{id}', '(?<id>[^/]+)')}$`),
}));

// Returns the provider of server.js's contract.
function createOpenAI(sim) {
  const state = new State(sim, OPENAI);
  return {
    name: 'openai',
    owns: (path) => path.startsWith('/v1/'),
    handle: (ctx) => handle(ctx, state),
    errorReply: (status, code) => ({
      status,
      json: usualError(status, code),
      headers: commonHeaders(state),
    }),
    batches: () => [...state.batches.values()].map(ledgerBatch),
    files: () => [...state.files.values()].map(ledgerFile),
    reset: () => state.clear(),
  };
}

const commonHeaders = (state) => ({
  'x-request-id': state.newId('req_', 32),
  'openai-version': '2020-10-01',
  'openai-organization': 'org-sim',
  'openai-processing-ms': '5',
});

async function handle(ctx, state) {
  const headers = commonHeaders(state);
  ctx.state = state;
  try {
    const reply = await route(ctx);
    return { ...reply, headers: { ...headers, ...reply.headers } };
  } catch (error) {
    if (error instanceof Refusal) {
      error.reply.headers = { ...headers, ...error.reply.headers };
      error.reply.json = dressError(ctx.sim.config.quirks, error.reply.json);
    }
    throw error;
  }
}

async function route(ctx) {
  authenticate(ctx);
  const here = ROUTES.filter((r) => r.regex.test(ctx.path));
  const found = here.find((r) => r.method === ctx.method);
  if (!here.length) refuse(404, `Invalid URL (${ctx.method} ${ctx.path})`);
  if (!found)
    refuse(
      405,
      `Not allowed to ${ctx.method} on ${ctx.path}. (HINT: Perhaps you meant to use a different ` +
        'HTTP method?)',
    );
  ctx.sim.log.count(`${found.method} ${found.path}`);
  ctx.params = { id: decodeURIComponent((found.regex.exec(ctx.path).groups || {}).id || '') };
  return found.serve(ctx);
}

function authenticate(ctx) {
  const header = ctx.req.headers.authorization;
  if (!header)
    refuse(
      401,
      "You didn't provide an API key. You need to provide your API key in an Authorization " +
        'header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password ' +
        'field ' +
        "(with blank username) if you're accessing the API from your browser and are prompted " +
        'for ' +
        'a username and password. You can obtain an API key from ' +
        'https://platform.openai.com/account/api-keys.',
    );
  const key = (/^Bearer (\S+)$/.exec(header) || [])[1] || '';
  ctx.project = ctx.sim.config.keys.get(key);
  if (ctx.project === undefined)
    refuse(
      401,
      `Incorrect API key provided: ${masked(key)}. You can find your API key at ` +
        'https://platform.openai.com/account/api-keys.',
      { code: 'invalid_api_key' },
    );
}

// As the service shows a wrong key: its ends, with stars between.
const masked = (key) =>
  key.length > 12
    ? `${key.slice(0, 8)}${'*'.repeat(key.length - 12)}${key.slice(-4)}`
    : '*'.repeat(key.length);

function getModel(ctx) {
  const model = findModel(ctx.params.id);
  if (!model)
    refuse(404, `The model '${ctx.params.id}' does not exist`, {
      param: 'model',
      code: 'model_not_found',
    });
  return { json: modelObject(model) };
}

module.exports = { createOpenAI };
