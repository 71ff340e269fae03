'use strict';
// The Gemini Developer API as a provider of the simulator: keys, models, files, batches.

const crypto = require('crypto');
const { errorInfo, refuse, usualError } = require('../errors');
const { embed } = require('../models/embed');
const { generate } = require('../models/generate');
const { MODELS, findModel } = require('../models/list');
const { onlyQuery, page, readObject } = require('../params');
const { replyOf } = require('../realtime');
const { createService } = require('../service');
const batches = require('./batches');
const files = require('./files');

const SERVICE = 'generativelanguage.googleapis.com';
const METHODS = {
  gemini: ['generateContent', 'countTokens', 'createCachedContent', 'batchGenerateContent'],
  embedding: ['embedContent', 'countTextTokens', 'asyncBatchEmbedContent'],
};
const ROUTES = [
  ['GET', '/v1beta/models', listModels],
  ['GET', '/v1beta/models/{model}', getModel],
  ['POST', '/v1beta/models/{model}:batchGenerateContent', batches.createGenerate],
  ['POST', '/v1beta/models/{model}:asyncBatchEmbedContent', batches.createEmbed],
  ['POST', '/v1beta/models/{model}:generateContent', generateNow],
  ['POST', '/v1beta/models/{model}:embedContent', embedNow],
  ['GET', '/v1beta/batches', batches.listBatches],
  ['GET', '/v1beta/batches/{id}', batches.getBatch],
  ['POST', '/v1beta/batches/{id}:cancel', batches.cancelBatch],
  ['DELETE', '/v1beta/batches/{id}', batches.deleteBatch],
  ['POST', '/upload/v1beta/files', files.upload],
  ['GET', '/v1beta/files', files.listFiles],
  ['GET', '/v1beta/files/{id}:download', files.download],
  ['GET', '/download/v1beta/files/{id}:download', files.download],
  ['GET', '/v1beta/files/{id}', files.getFile],
  ['DELETE', '/v1beta/files/{id}', files.deleteFile],
];
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

class State {
  constructor() {
    Object.assign(this, { batches: new Map(), deleted: [], uploads: new Map() });
    this.clear();
  }

  clear() {
    for (const batch of [...this.batches.values(), ...this.deleted]) batch.forgotten = true;
    for (const begun of this.uploads.values()) if (begun.status === 'active') begun.sink.drop();
    Object.assign(this, {
      files: new Map(),
      batches: new Map(),
      deleted: [],
      uploads: new Map(),
      attempts: new Map(),
    });
  }

  newId() {
    return crypto.randomBytes(32).toString('base64url');
  }

  fileId() {
    return letters(12);
  }

  batchId() {
    return letters(36);
  }
}

const letters = (length) =>
  Array.from(crypto.randomBytes(length), (byte) => LETTERS[byte % LETTERS.length]).join('');

function createGemini(sim) {
  const state = new State();
  return createService(sim, {
    name: 'gemini',
    owns: /^\/(upload\/|download\/)?v1beta\//,
    routes: ROUTES,
    state,
    authenticate,
    errorReply: (status, code) => usualError(status, code, sim.config.google_retry_delay),
    headers: () => ({ Server: 'scaffolding on HTTPServer2', 'X-Frame-Options': 'SAMEORIGIN' }),
    batches: () => [
      ...[...state.batches.values()].map(batches.ledgerBatch(false)),
      ...state.deleted.map(batches.ledgerBatch(true)),
    ],
    files: () => [...state.files.values()].map(files.ledgerFile),
  });
}

// A key in the header or the query; the pieces of an upload need none.
function authenticate(ctx) {
  if (ctx.path.endsWith('/upload/v1beta/files') && ctx.query.has('upload_id')) return;
  const key = ctx.req.headers['x-goog-api-key'] || ctx.query.get('key');
  if (!key)
    refuse(
      403,
      "Method doesn't allow unregistered callers (callers without established identity). Please " +
        'use API Key or other form of API consumer identity to call this API.',
    );
  ctx.project = ctx.sim.config.keys.get(key);
  if (ctx.project === undefined)
    refuse(400, 'API key not valid. Please pass a valid API key.', {
      details: [errorInfo('API_KEY_INVALID', { service: SERVICE })],
    });
}

const modelObject = ({ id, kind, context, output = 1, thinking = 'none' }) => ({
  name: `models/${id}`,
  version: '001',
  displayName: id,
  description: `${id} of the simulator`,
  inputTokenLimit: context,
  outputTokenLimit: output,
  supportedGenerationMethods: METHODS[kind],
  thinking: thinking === 'none' ? undefined : true,
});

function listModels(ctx) {
  onlyQuery(ctx, ['pageSize', 'pageToken']);
  const { rows, next } = page(
    ctx,
    MODELS.filter((model) => METHODS[model.kind]),
    (model) => model.id,
    { most: 1000, usual: 50 },
  );
  return { json: { models: rows.map(modelObject), nextPageToken: next } };
}

function getModel(ctx) {
  const model = findModel(ctx.params.model);
  if (!model || !METHODS[model.kind])
    refuse(404, `Model is not found: models/${ctx.params.model} for api version v1beta`);
  return { json: modelObject(model) };
}

// The model of a request, which must be of that kind.
function needModel(ctx, kind) {
  const model = findModel(ctx.params.model);
  if (!model || model.kind !== kind)
    refuse(
      404,
      `models/${ctx.params.model} is not found for API version v1beta, or is not supported for ` +
        'this method. Call ListModels to see the list of available models and their supported ' +
        'methods.',
    );
  return model;
}

async function generateNow(ctx) {
  const model = needModel(ctx, 'gemini');
  const request = await readObject(ctx);
  const { attempts } = ctx.state;
  const result = generate({ request, model, service: 'developer', attempts });
  return replyOf(ctx, model, { ...result, json: result.response });
}

async function embedNow(ctx) {
  const model = needModel(ctx, 'embedding');
  const result = embed({
    request: await readObject(ctx),
    model,
    attempts: ctx.state.attempts,
    how: { shape: 'developer', dense: ctx.sim.config.dense_embeddings },
  });
  return replyOf(ctx, model, { ...result, json: { embedding: { values: result.values } } });
}

module.exports = { createGemini };
