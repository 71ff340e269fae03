'use strict';
// Runs one line of a job's input and says what lines of output come of it. Bills what succeeded.

const http = require('http');
const { run: runClaude } = require('../../anthropic/run');
const { isObject } = require('../params');
const { embed } = require('../models/embed');
const { generate } = require('../models/generate');
const { echo } = require('./echo');
const { sha256 } = require('../../text');

const WORDS = { 504: 'Deadline Exceeded' };

// A failed line says what happened in its status, as words and the error's JSON.
const statusOf = (error) =>
  `${WORDS[error.code] || http.STATUS_CODES[error.code] || 'Error'}: ${JSON.stringify({ error })}`;

// kind -> (sim, state, job, line) => {asked, question, and one of output (members of the line),
// error, none}
const RUNS = {
  gemini: (sim, state, job, { request }) => {
    const result = generate({
      request,
      model: job.model,
      service: 'vertex',
      attempts: state.attempts,
    });
    return { ...result, output: result.response && { response: result.response } };
  },
  embedding: (sim, state, job, { request }) => {
    const how = {
      shape: 'vertex',
      full: sim.config.vertex_full_dimensions,
      dense: sim.config.dense_embeddings,
    };
    const result = embed({ request, model: job.model, attempts: state.attempts, how });
    return {
      ...result,
      output: result.values && {
        response: {
          embedding: { values: result.values },
          usageMetadata: { promptTokenCount: result.spent.prompt },
        },
      },
    };
  },
  legacy: (sim, state, job, line) => {
    const how = {
      shape: 'legacy',
      dense: sim.config.dense_embeddings,
      defaults: job.asked.modelParameters,
    };
    const result = embed({ request: line, model: job.model, attempts: state.attempts, how });
    return {
      ...result,
      output: result.values && {
        predictions: [
          {
            embeddings: {
              values: result.values,
              statistics: { token_count: result.spent.prompt, truncated: result.truncated },
            },
          },
        ],
      },
    };
  },
  claude,
};

// As Anthropic's own, without model, with Vertex AI's version.
function claude(sim, state, job, { custom_id: id, request }) {
  const refused = (message) => ({
    asked: new Map(),
    question: '',
    error: { type: 'error', error: { type: 'invalid_request_error', message }, code: 400 },
  });
  const {
    anthropic_version: version,
    anthropic_beta: beta,
    ...params
  } = isObject(request) ? request : {};
  if (typeof id !== 'string' || !id) return refused('custom_id: Input should be a valid string');
  if (version !== 'vertex-2023-10-16')
    return refused(
      version === undefined ? 'anthropic_version: Field required' : 'Invalid API version',
    );
  const extra = ['model', 'stream'].find((key) => key in params);
  if (extra) return refused(`${extra}: Extra inputs are not permitted`);
  let billed = null;
  const result = runClaude(
    {
      ...sim,
      ledger: {
        bill: (entry) => {
          billed = entry;
        },
      },
    },
    state,
    { ...params, model: job.model.claude },
    { version: '2023-06-01', betas: beta || [], batched: true },
    {},
  );
  const { asked } = result;
  if (result.type === 'errored') return { asked, error: { ...result.error, code: result.status } };
  if (result.type !== 'succeeded') return { asked, none: true };
  return {
    asked,
    sum: billed.content_sha256,
    spent: {
      prompt: billed.prompt_tokens,
      cached: billed.cached_tokens,
      completion: billed.completion_tokens,
    },
    output: { response: result.message },
  };
}

// What a line is known by: its key, its custom id, or the first of its request's labels.
const nameOf = ({ key, custom_id: id, request }) =>
  key ||
  id ||
  (isObject(request) && isObject(request.labels) ? Object.values(request.labels)[0] : undefined) ||
  null;

const INTERNAL = { code: 500, message: 'Internal error encountered.', status: 'INTERNAL' };

// {ok: true, false or undefined (not processed), texts}
function runLine(sim, state, job, line, index) {
  const result = RUNS[job.model.kind](sim, state, job, line);
  if (result.none) return { texts: [] };
  const ways = sim.config.vertex_echo;
  const write = (of, status, output) => text(of, job, ways, { status, ...output });
  const failed = (status) =>
    write(line, status, job.model.kind === 'legacy' ? { predictions: [] } : { response: {} });
  if (result.error)
    return {
      ok: false,
      texts: [
        failed(
          result.asked.has('status0')
            ? 'An internal error has occurred. Please retry.'
            : statusOf(result.error),
        ),
      ],
    };
  bill(sim, job, line, result);
  const good = write(line, '', result.output);
  return {
    ok: true,
    texts: spoilt(
      result.asked,
      good,
      () => failed(statusOf(INTERNAL)),
      () => write(stranger(line, index), '', result.output),
    ),
  };
}

function bill(sim, job, line, { spent, sum, question }) {
  sim.ledger.bill({
    batch_id: job.id,
    custom_id: nameOf(line),
    model: job.model.id,
    prompt_tokens: spent.prompt,
    cached_tokens: spent.cached,
    completion_tokens: spent.completion,
    content_sha256: sum || sha256(question),
  });
}

// The lines that the directives make of a good one.
function spoilt(asked, good, failed, unknown) {
  if (asked.has('missing')) return [];
  return [
    asked.has('badjson') ? good.slice(0, 60) : good,
    ...(asked.has('duplicate') ? [good] : []),
    ...(asked.has('both') ? [failed()] : []),
    ...(asked.has('unknown') ? [unknown()] : []),
  ];
}

// The same line under a name that nobody gave.
function stranger(line, index) {
  const name = `sim-unknown-${index}`;
  const renamed = Object.fromEntries(
    ['key', 'custom_id', 'content']
      .filter((member) => member in line)
      .map((member) => [member, name]),
  );
  if (!isObject(line.request)) return { ...line, ...renamed };
  const labels = Object.fromEntries(
    Object.keys(line.request.labels || {}).map((key) => [key, name]),
  );
  return {
    ...line,
    ...renamed,
    request: { ...line.request, labels, contents: [{ role: 'user', parts: [{ text: name }] }] },
  };
}

// A line of output. Keys of generateContent lines come back only if the configuration wants it:
// they are not documented.
function text(line, { model: { kind } }, ways, outcome) {
  const { key, custom_id: id, request } = line;
  const time = { processed_time: new Date().toISOString().replace('Z', '+00:00') };
  if (kind === 'legacy') return JSON.stringify({ instance: line, ...outcome });
  const keyed =
    key !== undefined && (kind === 'embedding' ? !ways.includes('no_key') : ways.includes('key'));
  return JSON.stringify({
    key: keyed ? key : undefined,
    custom_id: kind === 'claude' ? id : undefined,
    status: outcome.status,
    ...time,
    request: echo(request, ways),
    ...outcome,
  });
}

module.exports = { RUNS, runLine };
