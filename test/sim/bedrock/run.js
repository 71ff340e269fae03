'use strict';
// Runs one record: rules, directives, the model's answer. Bills what succeeded.

const { run: runClaude } = require('../anthropic/run');
const { isObject } = require('../anthropic/params');
const directives = require('../directives');
const model = require('../model');
const { sha256, tokens, cutBytes } = require('../text');
const { FAMILIES, violation } = require('./families');

const OWN = new Set(['thinking']);
const MAX_BIG = 64 * 1024 * 1024;
const NOTHING = new Map();
const failed = (status, message, asked = NOTHING) => ({
  error: { errorCode: status, errorMessage: message },
  asked,
});

// {asked, and one of output, error, none: true}; job: of jobs.js.
function run(sim, state, job, recordId, input) {
  if (!isObject(input))
    return failed(400, 'Malformed input request: modelInput must be an object.');
  if (job.model.family === 'claude' && job.type === 'InvokeModel')
    return claude(sim, state, job, recordId, input);
  const family = job.type === 'Converse' ? FAMILIES.converse : FAMILIES[job.model.family];
  const wrong = violation(family, input);
  if (wrong) return failed(400, wrong);
  const texts = family.texts ? family.texts(input) : [family.question(input)];
  const question = texts.join('\n');
  let asked;
  try {
    asked = directives.parse(question, OWN);
  } catch (error) {
    return failed(400, error.message);
  }
  const instead = insteadOf(state, job, question, asked);
  if (instead) return instead;
  const used = tokens(JSON.stringify(input));
  const answer = family.texts
    ? {
        output: family.vectors(
          texts.map((t) =>
            model.embedding(directives.strip(t), family.size(input), sim.config.dense_embeddings),
          ),
          used,
          input,
        ),
        spent: 0,
      }
    : speak(family, input, question, asked, used);
  directives.recount(asked, answer.output.usage);
  bill(sim, job, recordId, ...spentOf(answer, used), question);
  return { output: answer.output, asked };
}

// What the model has read and said; a cache counts beside inputTokens.
function spentOf({ output, spent }, used) {
  const { inputTokens, cacheReadInputTokens = 0, cacheWriteInputTokens = 0, outputTokens } =
    output.usage || {};
  if (inputTokens === undefined) return [used, spent];
  return [inputTokens + cacheReadInputTokens + cacheWriteInputTokens, outputTokens];
}

function bill(sim, job, recordId, input, output, question) {
  sim.ledger.bill({
    batch_id: job.id,
    custom_id: recordId,
    model: job.model.id,
    prompt_tokens: input,
    completion_tokens: output,
    content_sha256: sha256(question),
  });
}

// What comes instead of an answer, or null.
function insteadOf(state, job, question, asked) {
  if (asked.has('error')) {
    const [status, type] = asked.get('error').split(':');
    return failed(Number(status) || 500, type || 'The model could not process the record.', asked);
  }
  if (asked.has('timeout'))
    return failed(
      408,
      'Model has timed out in processing the request. Try your request again.',
      asked,
    );
  if (asked.has('status0'))
    return failed(
      500,
      'The system encountered an unexpected error during processing. Try your request again.',
      asked,
    );
  if (asked.has('expired') || asked.has('cancelled')) return { none: true, asked };
  if (!asked.has('fail_times')) return null;
  const key = `${job.model.id}\n${question}`;
  state.attempts.set(key, (state.attempts.get(key) || 0) + 1);
  return state.attempts.get(key) <= Number(asked.get('fail_times'))
    ? failed(
        500,
        'The system encountered an unexpected error during processing. Try your request again.',
        asked,
      )
    : null;
}

function speak(family, input, question, asked, used) {
  const plain = directives.strip(question);
  const spoken = { ...said(input, plain, asked), thinking: asked.has('thinking') };
  if (asked.has('stop')) spoken.stop = asked.get('stop');
  const limit = family.limit(input);
  if (tokens(spoken.text) > limit)
    Object.assign(spoken, { text: cutBytes(spoken.text, limit * 4), end: 'length' });
  const spent = tokens(spoken.text);
  return { output: family.answer(spoken, { input: used, output: spent }, input), spent };
}

// {text, end, empty}
function said(input, plain, asked) {
  if (asked.has('refusal')) return { text: '', end: 'refusal', empty: true };
  if (asked.has('content_filter')) return { text: '', end: 'filter', empty: true };
  if (asked.has('nochoices')) return { text: '', end: 'end', empty: true };
  if (asked.has('null_content')) return { text: '', end: 'end' };
  if (asked.has('nul')) return { text: 'before\u0000after', end: 'end' };
  if (asked.has('big'))
    return { text: 'x'.repeat(Math.min(MAX_BIG, Number(asked.get('big')) || 0)), end: 'end' };
  if (asked.has('say') || asked.has('json'))
    return { text: asked.has('say') ? asked.get('say') : asked.get('json'), end: 'end' };
  const schema = schemaOf(input);
  const text = schema ? model.jsonAnswer(schema, plain) : model.plainAnswer(plain);
  return asked.has('length')
    ? { text: cutBytes(text, Math.max(1, Buffer.byteLength(text) >> 1)), end: 'length' }
    : { text, end: 'end' };
}

// The schema of Converse's outputConfig, which is JSON in a string.
function schemaOf({ outputConfig }) {
  try {
    return JSON.parse(outputConfig.textFormat.structure.jsonSchema.schema);
  } catch {
    return null;
  }
}

// As Anthropic's own, without model, with Bedrock's version.
function claude(sim, state, job, recordId, input) {
  const { anthropic_version: version, anthropic_beta: beta, ...params } = input;
  const extra = ['model', 'modelId', 'stream'].find((key) => key in params);
  if (extra) return failed(400, `${extra}: Extra inputs are not permitted`);
  if (version !== 'bedrock-2023-05-31')
    return failed(
      400,
      version === undefined ? 'anthropic_version: Field required' : 'Invalid API version',
    );
  const ledger = { bill: (entry) => sim.ledger.bill({ ...entry, model: job.model.id }) };
  const result = runClaude(
    { ...sim, ledger },
    state,
    { ...params, model: job.model.claude },
    { version: '2023-06-01', betas: beta || [], batched: true },
    { batch_id: job.id, custom_id: recordId },
  );
  if (result.type === 'succeeded') return { output: result.message, asked: result.asked };
  if (result.type === 'errored')
    return failed(result.status, result.error.error.message, result.asked);
  return { none: true, asked: result.asked };
}

module.exports = { run };
