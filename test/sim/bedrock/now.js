'use strict';
// One request to a model of Bedrock, answered at once: Converse and InvokeModel.

const { isObject } = require('../anthropic/params');
const { usualError, invalid, refuse } = require('./errors');
const { findModel } = require('./models');
const { run } = require('./run');

const MAX_BODY = 25000000;
const TYPES = {
  400: 'ValidationException',
  408: 'ModelTimeoutException',
  424: 'ModelErrorException',
  429: 'ThrottlingException',
  500: 'InternalServerException',
  503: 'ServiceUnavailableException',
};

function bodyOf(ctx) {
  if (!/^application\/json\b/.test(ctx.req.headers['content-type'] || ''))
    invalid('The content type of the request is not application/json.');
  if (ctx.text === null || ctx.text.length > MAX_BODY) invalid('Input is too long.');
  try {
    const body = JSON.parse(ctx.text);
    if (isObject(body)) return body;
  } catch {
    // refused below
  }
  return invalid('Malformed input request, please reformat your input and try again.');
}

function answer(ctx, type) {
  ctx.need('bedrock:InvokeModel');
  const model = findModel(ctx.id);
  if (!model || model.family === 'none')
    refuse(400, 'ValidationException', 'The provided model identifier is invalid.');
  if (type === 'Converse' && model.embeds)
    invalid('This action is not supported for the model that you selected.');
  const job = { id: null, model, type };
  const { output, error, none, asked } = run(ctx.sim, ctx.state, job, null, bodyOf(ctx));
  if (none || asked.has('missing')) return { drop: true };
  if (error) return failed(error);
  if (asked.has('badjson'))
    return {
      text: JSON.stringify(output).slice(0, 20),
      headers: { 'Content-Type': 'application/json' },
    };
  return { json: type === 'Converse' ? { ...output, metrics: { latencyMs: 5 } } : output };
}

function failed({ errorCode: status, errorMessage: message }) {
  const named = /^[A-Z][A-Za-z]+Exception$/.test(message);
  const reply = usualError(status, named ? message : TYPES[status]);
  return named ? reply : { ...reply, json: { message } };
}

module.exports = {
  converse: (ctx) => answer(ctx, 'Converse'),
  invoke: (ctx) => answer(ctx, 'InvokeModel'),
};
