'use strict';
// Vertex AI as a provider of the simulator: batch prediction jobs, publishers' models, counting
// tokens.

const crypto = require('crypto');
const { PromptCache } = require('../../anthropic/cache');
const { unauthenticated } = require('../bearer');
const { invalid, refuse, usualError } = require('../errors');
const { projectNamed } = require('../identity/access');
const { judge, Bad } = require('../models/bodies');
const { promptTokens } = require('../models/generate');
const { findPublished } = require('../models/list');
const { readBody } = require('../params');
const { createService, notFound } = require('../service');
const { Refusal } = require('../../server');
const jobs = require('./jobs');
const now = require('./now');

const SERVICE = 'aiplatform.googleapis.com';
const PLACE = 'projects/{project}/locations/{location}';
const BOTH = [
  ['POST', `${PLACE}/batchPredictionJobs/{id}:cancel`, jobs.cancelJob],
  ['POST', `${PLACE}/batchPredictionJobs`, jobs.createJob],
  ['GET', `${PLACE}/batchPredictionJobs`, jobs.listJobs],
  ['GET', `${PLACE}/batchPredictionJobs/{id}`, jobs.getJob],
  ['DELETE', `${PLACE}/batchPredictionJobs/{id}`, jobs.deleteJob],
  ['POST', `${PLACE}/publishers/{publisher}/models/{model}:countTokens`, countTokens],
  ...now.METHODS.map((method) => [
    'POST',
    `${PLACE}/publishers/{publisher}/models/{model}:${method}`,
    (ctx) => now.answer(ctx, method, needModel(ctx.params)),
  ]),
  ['GET', 'publishers/{publisher}/models/{model}', getModel],
];
const ROUTES = ['/v1', '/v1beta1'].flatMap((version) =>
  BOTH.map(([method, path, serve]) => [method, `${version}/${path}`, serve]),
);

class State {
  constructor(sim) {
    this.sim = sim;
    this.jobs = new Map();
    this.clear();
  }

  clear() {
    for (const job of this.jobs.values()) job.forgotten = true;
    Object.assign(this, {
      jobs: new Map(),
      deleted: [],
      attempts: new Map(),
      cache: new PromptCache(this.sim),
      ids: 0,
    });
  }

  jobId() {
    return `${crypto.randomInt(1e9, 9e9)}${crypto.randomInt(1e8, 9e8)}`;
  }

  // Of messages of Claude.
  newId(prefix, length) {
    return `${prefix}vrtx_${(++this.ids).toString(16).padStart(length - 5, '0')}`;
  }
}

function createVertex(sim) {
  const state = new State(sim);
  return createService(sim, {
    name: 'vertex',
    owns: /^\/v1(beta1)?\/(projects|publishers)\//,
    routes: ROUTES,
    state,
    authenticate,
    errorReply: (status, code) => usualError(status, code, sim.config.google_retry_delay),
    headers: () => ({ Server: 'ESF', 'X-Frame-Options': 'SAMEORIGIN' }),
    batches: () => [
      ...[...state.jobs.values()].map(jobs.ledgerBatch(false)),
      ...state.deleted.map(jobs.ledgerBatch(true)),
    ],
  });
}

// The location that a host of Google's serves, or undefined.
function locationOf(host = '') {
  const name = host.replace(/:\d+$/, '');
  const found =
    /^(?:([a-z0-9-]+)-)?aiplatform\.googleapis\.com$/.exec(name) ||
    /^aiplatform\.(us|eu)\.rep\.googleapis\.com$/.exec(name);
  return found ? found[1] || 'global' : undefined;
}

// Who asks; and that this endpoint serves the place: the front end knows no others.
function authenticate(ctx) {
  const { location, project } = ctx.params;
  const served = locationOf(ctx.req.headers.host);
  if (
    location !== undefined &&
    (!ctx.sim.config.vertex_locations.includes(location) || (served || location) !== location)
  )
    throw new Refusal(notFound(ctx));
  const token = ctx.sim.google.check(
    ctx.req.headers,
    served && served !== 'global' ? `${served}-${SERVICE}` : SERVICE,
  );
  if (token.problem) unauthenticated(ctx, token.problem, SERVICE);
  ctx.who = token.who;
  ctx.project = project && projectNamed(ctx.sim, project);
}

const needModel = ({ publisher, model }) =>
  findPublished(publisher, model) ||
  refuse(404, `Publisher Model \`publishers/${publisher}/models/${model}\` not found.`);

function getModel(ctx) {
  const { id, publisher } = needModel(ctx.params);
  const name = `publishers/${publisher}/models/${id}`;
  return {
    json: {
      name,
      versionId: 'default',
      openSourceCategory: 'PROPRIETARY',
      launchStage: 'GA',
      publisherModelTemplate: `projects/{user-project}/locations/{location}/${name}`,
    },
  };
}

// Free of charge, as a check of a model.
async function countTokens(ctx) {
  const model = needModel(ctx.params);
  const body = await readBody(ctx, ['contents', 'systemInstruction', 'tools', 'generationConfig']);
  try {
    const totalTokens = promptTokens(judge(body, model, 'vertex'));
    return {
      json: { totalTokens, promptTokensDetails: [{ modality: 'TEXT', tokenCount: totalTokens }] },
    };
  } catch (error) {
    if (error instanceof Bad) return invalid(error.message);
    throw error;
  }
}

module.exports = { createVertex };
