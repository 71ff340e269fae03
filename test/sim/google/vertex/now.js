'use strict';
// One request to a publisher's model at Vertex AI, answered at once.

const { invalid } = require('../errors');
const { onlyKeys, readObject } = require('../params');
const { replyOf } = require('../realtime');
const { RUNS } = require('./lines');

const METHODS = ['generateContent', 'embedContent', 'predict', 'rawPredict'];
const MAX_INSTANCES = 250;

// Which method a kind of model has; gemini-embedding-001 has that of the older ones.
const methodOf = ({ id, kind }) =>
  ({
    gemini: 'generateContent',
    embedding: id === 'gemini-embedding-001' ? 'predict' : 'embedContent',
    legacy: 'predict',
    claude: 'rawPredict',
  })[kind];

async function answer(ctx, method, model) {
  if (method !== methodOf(model)) invalid(`${model.id} is not supported in the ${method} API.`);
  const request = await readObject(ctx);
  const result =
    method === 'predict'
      ? predict(ctx, model, request)
      : RUNS[model.kind](ctx.sim, ctx.state, jobOf(model), { custom_id: 'now', request });
  const { output = {} } = result;
  return replyOf(ctx, model, { ...result, json: output.response || output });
}

const jobOf = (model, parameters = {}) => ({
  id: null,
  model,
  asked: { modelParameters: parameters },
});

function predict(ctx, model, given) {
  const { instances, parameters } = onlyKeys(given, ['instances', 'parameters']);
  const most = model.kind === 'embedding' ? 1 : MAX_INSTANCES;
  if (!Array.isArray(instances) || instances.length < 1) invalid('Empty instances.');
  if (instances.length > most)
    invalid(`${instances.length} instances are given, and at most ${most} are allowed.`);
  const known = ['outputDimensionality', 'autoTruncate'];
  const options = onlyKeys(parameters || {}, known, 'parameters');
  return RUNS.legacy(ctx.sim, ctx.state, jobOf(model, options), instances[0]);
}

module.exports = { METHODS, answer };
