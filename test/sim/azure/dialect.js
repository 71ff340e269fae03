'use strict';
// What Azure OpenAI decides otherwise than OpenAI.

const fs = require('fs');
const { findModel } = require('../openai/models');
const { refuse } = require('../openai/errors');
const { Judge, linesOf } = require('../openai/lines');

const ENDPOINTS = {
  '/chat/completions': '/v1/chat/completions',
  '/v1/chat/completions': '/v1/chat/completions',
  '/embeddings': '/v1/embeddings',
  '/v1/embeddings': '/v1/embeddings',
};
const URLS = { ...ENDPOINTS, '/responses': '/v1/responses', '/v1/responses': '/v1/responses' };
const CHAT = '/v1/chat/completions';
const BATCH_SKUS = ['GlobalBatch', 'DataZoneBatch'];
const deployment = (sim, name) =>
  Object.hasOwn(sim.config.azure_deployments, name)
    ? sim.config.azure_deployments[name]
    : undefined;
const fullWords = (name, limit) =>
  'The number of enqueued tokens has surpassed the configured limit of ' +
  `${Math.ceil(limit / 1000)}K for the deployment '${name}'. Please either increase the limit ` +
  'or try again once the current jobs have finished.';

// A deployment is a name for a model, of some kind of billing.
function findDeployed(sim, name) {
  const found = deployment(sim, name);
  return found && findModel(found.model);
}

// 500 files without an expiry, 10,000 with one.
function checkRoom(ctx, seconds) {
  const { azure_max_files: plain, azure_max_expiring_files: expiring } = ctx.sim.config;
  const alike = [...ctx.state.files.values()].filter(
    (f) => f.purpose === 'batch' && Boolean(f.asked) === Boolean(seconds),
  ).length;
  const max = seconds ? expiring : plain;
  if (alike >= max)
    refuse(
      400,
      `The quota for files ${seconds ? 'with' : 'without'} expiry is reached. The maximum is ` +
        `${max}.`,
      { code: 'quotaExceeded' },
    );
}

const fileStatus = (config, file) =>
  file.purpose === 'batch' && Date.now() - file.since < config.azure_file_pending_ms
    ? 'pending'
    : 'processed';

// A batch is made of a file that was looked at; in some regions its tokens must fit at once.
function checkInput(ctx, file, endpoint) {
  const status = fileStatus(ctx.sim.config, file);
  if (status !== 'processed')
    refuse(
      400,
      `The input file '${file.id}' is in '${status}' state. Only files with status 'Processed' ` +
        'are accepted.',
      { code: 'invalidRequest' },
    );
  ctx.judged = judge(ctx, file, endpoint);
  const { model, tokens } = ctx.judged;
  const limit = ctx.sim.config.quotas[model];
  if (
    ctx.sim.config.azure_fail_fast &&
    limit !== undefined &&
    ctx.state.enqueued(model) + tokens > limit
  ) {
    refuse(400, fullWords(model, limit), {
      code: 'token_limit_exceeded',
      headers: tokenHeaders(ctx),
    });
  }
}

function judge(ctx, file, endpoint) {
  const judged = new Judge(endpoint, ctx.sim.config.azure_max_lines, ctx.state);
  const fd = fs.openSync(file.data.path, 'r');
  for (const line of linesOf(fd)) judged.take(line);
  fs.closeSync(fd);
  return judged;
}

function tokenHeaders(ctx) {
  const { config } = ctx.sim;
  if (!config.azure_token_headers || !ctx.judged) return {};
  const limit = config.quotas[ctx.judged.model];
  return {
    'deployment-enqueued-tokens': String(ctx.judged.tokens),
    ...(limit === undefined ? {} : { 'deployment-maximum-enqueued-tokens': String(limit) }),
  };
}

// An error of the whole batch: a deployment that is none for batches.
function deployed(sim, name) {
  const found = deployment(sim, name);
  if (!found || BATCH_SKUS.includes(found.sku)) return null;
  return {
    code: 'invalid_request',
    message:
      `The deployment SKU '${found.sku}' is invalid. Please ensure that the Azure OpenAI ` +
      'deployment SKU is globalbatch for batch API requests.',
    param: null,
    line: null,
  };
}

// Refuses a deployment that is none, or one of batches only.
function answersNow(sim, name, endpoint) {
  const found = deployment(sim, name);
  if (!found)
    refuse(
      404,
      'The API deployment for this resource does not exist. If you created the deployment within ' +
        'the last 5 minutes, please wait a moment and try again.',
      { code: 'DeploymentNotFound' },
    );
  if (BATCH_SKUS.includes(found.sku))
    refuse(
      400,
      `The ${endpoint === '/v1/embeddings' ? 'embeddings' : 'chatCompletion'} operation does ` +
        `not work with the specified model, ${found.model}. Please choose different model and ` +
        'try again.',
      { code: 'OperationNotSupported' },
    );
}

// Lines have no id of their own, and what the content filter thinks.
function line({ id, ...rest }) {
  const { response } = rest;
  if (!response || !response.body.choices) return rest;
  const choices = response.body.choices.map((c) => ({
    ...c,
    content_filter_results: { hate: { filtered: false, severity: 'safe' } },
  }));
  return {
    ...rest,
    response: {
      ...response,
      body: {
        ...response.body,
        choices,
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
      },
    },
  };
}

const AZURE = {
  reset: (words, seconds) => seconds,
  // its documents know no other: a batch of responses is created as one of chat, and the file
  // decides
  endpoints: Object.keys(ENDPOINTS),
  endpointOf: (given) => ENDPOINTS[given],
  urlOf: (given) => URLS[given] || given,
  fits: (url, endpoint) => url === endpoint || (url === '/v1/responses' && endpoint === CHAT),
  fields: {
    anchor: 'expires_after.anchor',
    seconds: 'expires_after.seconds',
    ignored: ['expires_after[anchor]', 'expires_after[seconds]'],
  },
  life: [1209600, 2592000],
  created: 201,
  findModel: findDeployed,
  maxLines: (config) => config.azure_max_lines,
  checkRoom,
  checkInput,
  fileStatus,
  deployed,
  modelMissing: (name) =>
    `The Azure OpenAI model deployment name '${name}' that was specified in the model property ` +
    "of the input file wasn't found. Please ensure this name points to a valid Azure OpenAI " +
    'model deployment.',
  tokensFull: fullWords,
  createHeaders: tokenHeaders,
  emptyErrorFile: true,
  line,
};

module.exports = { AZURE, answersNow };
