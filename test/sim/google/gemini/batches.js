'use strict';
// Batches of the Developer API, which shows them as operations: creating, showing, listing,
// cancelling, deleting. What happens in between is life.js.

const { readText } = require('../../server');
const { errorInfo, invalid, refuse, retryInfo, violation } = require('../errors');
const { findModel } = require('../models/list');
const { isObject, onlyKeys, onlyQuery, page, readBody } = require('../params');
const { stamp, tick } = require('../times');
const { needFile, stateOf } = require('./files');
const { Life, enqueuedTokens } = require('./life');

const TYPE = 'type.googleapis.com/google.ai.generativelanguage.v1main';
const KEYS = [
  'displayName',
  'inputConfig',
  'priority',
  'model',
  'name',
  'output',
  'createTime',
  'endTime',
  'updateTime',
  'batchStats',
  'state',
];
const MAX_INLINE = 20 * 1024 * 1024;
const OPERATION = {
  GenerateContent: ['gemini', 'batchGenerateContent'],
  EmbedContent: ['embedding', 'asyncBatchEmbedContent'],
};

class Batch {
  // what: GenerateContent or EmbedContent; input: {path, size}, kept until the end; inline: its
  // lines came with the create
  constructor(id, traits) {
    Object.assign(this, {
      id,
      state: 'PENDING',
      created: Date.now(),
      made: tick(),
      ended: null,
      error: null,
      ...traits,
    });
    Object.assign(this, {
      counts: { ok: 0, failed: 0 },
      lines: null,
      output: null,
      outputFile: null,
      cancelling: false,
      forgotten: false,
      updated: this.made,
    });
  }

  enter(state) {
    Object.assign(this, { state, updated: tick() });
  }

  end(state, error = null) {
    this.enter(state);
    Object.assign(this, { error, ended: this.updated });
  }

  get over() {
    return this.ended !== null;
  }
}

// int64 values are texts, and those that are 0 are left out.
function stats({ lines, counts }) {
  const all = {
    requestCount: lines,
    successfulRequestCount: counts.ok,
    failedRequestCount: counts.failed,
    pendingRequestCount: lines - counts.ok - counts.failed,
  };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, n]) => n)
      .map(([name, n]) => [name, String(n)]),
  );
}

// What is undefined is not there in JSON.
function shown(batch) {
  const { id, what, model, displayName, file, state, made, updated, ended, over, error, lines } =
    batch;
  const output = batch.output && batch.late <= 0 ? batch.output() : undefined;
  const name = `batches/${id}`;
  const metadata = {
    '@type': `${TYPE}.${what}Batch`,
    model: `models/${model.id}`,
    displayName,
    inputConfig: file ? { fileName: file } : undefined,
    output,
    state: `BATCH_STATE_${state}`,
    name,
    createTime: stamp(made),
    updateTime: stamp(updated),
    endTime: over ? stamp(ended) : undefined,
    batchStats: lines === null ? undefined : stats(batch),
  };
  const response =
    output && state === 'SUCCEEDED'
      ? { '@type': `${TYPE}.${what}BatchOutput`, ...output }
      : undefined;
  return { name, metadata, done: over || undefined, error: error || undefined, response };
}

const createGenerate = (ctx) => create(ctx, 'GenerateContent');
const createEmbed = (ctx) => create(ctx, 'EmbedContent');

// POST models/{model}:batchGenerateContent and :asyncBatchEmbedContent
async function create(ctx, what) {
  onlyQuery(ctx, []);
  const { action, project, sim, state } = ctx;
  ctx.text = await readText(ctx);
  const body = await readBody(ctx, ['batch']);
  if (Buffer.byteLength(ctx.text) > MAX_INLINE)
    refuse(400, `Request payload size exceeds the limit: ${MAX_INLINE} bytes.`);
  const model = needModel(ctx.params.model, what);
  const asked = onlyKeys(
    body.batch === undefined ? wrong('batch', 'batch is required.') : body.batch,
    KEYS,
    'batch',
  );
  if (typeof asked.displayName !== 'string' || !asked.displayName)
    wrong('batch.display_name', 'batch.display_name is required.');
  const { data, file } = inputOf(
    ctx,
    onlyKeys(
      asked.inputConfig || wrong('batch.input_config', 'batch.input_config is required.'),
      ['fileName', 'requests'],
      'batch.input_config',
    ),
  );
  const active = [...state.batches.values()].filter(
    (batch) => batch.project === project && !batch.over,
  );
  if (active.length >= sim.config.gemini_max_batches)
    exhausted(sim, 'Too many concurrent batch requests.');
  const tokens = checkQuota(sim, active, model, data);
  const faults = {
    outcome: action.batch_outcome,
    errors: action.errors,
    finished: action.finished === undefined ? 0.5 : action.finished,
    lag: action.list_lag_ms || 0,
  };
  const batch = new Batch(state.batchId(), {
    what,
    model,
    project,
    displayName: asked.displayName,
    file,
    data,
    tokens,
    faults,
    late: sim.config.gemini_output_late,
  });
  state.batches.set(batch.id, batch);
  new Life(sim, state, batch).live();
  return { json: shown(batch) };
}

const wrong = (field, text) => invalid(text, [violation(field, text)]);

function needModel(id, what) {
  const model = findModel(id);
  const [kind, method] = OPERATION[what];
  if (model && model.kind === kind) return model;
  return refuse(
    404,
    `models/${id} is not found for API version v1beta, or is not supported for ${method}. Call ` +
      'ListModels to see the list of available models and their supported methods.',
  );
}

// The bytes of the input, of a file or of the requests in the body, which become lines too.
function inputOf(ctx, { fileName, requests }) {
  if ((fileName === undefined) === (requests === undefined))
    wrong('batch.input_config', 'Exactly one of file_name and requests is expected.');
  if (requests !== undefined) return { data: inlined(ctx, requests), file: null };
  const id =
    (/^files\/(.+)$/.exec(fileName) || [])[1] ||
    wrong('batch.input_config.file_name', `Invalid file name: ${fileName}.`);
  const file = needFile(ctx, id);
  if (stateOf(ctx, file) !== 'ACTIVE')
    refuse(400, `The File ${id} is not in an ACTIVE state and usage is not allowed.`, {
      status: 'FAILED_PRECONDITION',
    });
  return { data: file.data, file: fileName };
}

function inlined({ sim }, wrapper) {
  const { requests } = onlyKeys(wrapper, ['requests'], 'batch.input_config.requests');
  if (!Array.isArray(requests) || !requests.length)
    wrong('batch.input_config.requests.requests', 'At least one request is expected.');
  const lines = requests.map((one, i) => {
    const { request, metadata } = onlyKeys(
      one,
      ['request', 'metadata'],
      `batch.input_config.requests.requests[${i}]`,
    );
    if (!isObject(request))
      wrong(`batch.input_config.requests.requests[${i}].request`, 'request is required.');
    return JSON.stringify({ request, metadata });
  });
  const out = sim.store.create();
  lines.forEach((line) => out.line(line));
  return out.close();
}

// The tokens of the input, if a quota counts them.
function checkQuota(sim, active, model, data) {
  const limit = sim.config.quotas[model.id];
  if (limit === undefined) return 0;
  const tokens = enqueuedTokens(data);
  const before = active
    .filter((batch) => batch.model === model)
    .reduce((n, batch) => n + batch.tokens, 0);
  if (before + tokens > limit)
    exhausted(
      sim,
      'You exceeded your current quota, please check your plan and billing details.',
      `BatchEnqueuedTokens-${model.id}`,
    );
  return tokens;
}

function exhausted(sim, message, quotaId = 'ConcurrentBatchRequests') {
  refuse(429, message, {
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
        violations: [{ quotaMetric: 'generativelanguage.googleapis.com/batch', quotaId }],
      },
      errorInfo('RATE_LIMIT_EXCEEDED', { service: 'generativelanguage.googleapis.com' }),
      retryInfo(sim.config.google_retry_delay),
    ],
  });
}

function needBatch(ctx) {
  const batch = ctx.state.batches.get(ctx.params.id);
  return batch && batch.project === ctx.project
    ? batch
    : refuse(404, `Requested entity was not found: batches/${ctx.params.id}`);
}

// GET batches/{id}; what it wrote may be late.
function getBatch(ctx) {
  const batch = needBatch(ctx);
  const answer = shown(batch);
  if (batch.over) batch.late--;
  return { json: answer };
}

// GET batches, the newest first
function listBatches(ctx) {
  onlyQuery(ctx, ['pageSize', 'pageToken', 'filter', 'returnPartialSuccess']);
  const all = [...ctx.state.batches.values()]
    .filter(
      (batch) => batch.project === ctx.project && Date.now() - batch.created >= batch.faults.lag,
    )
    .reverse();
  const { rows, next } = page(ctx, all, (batch) => batch.id);
  return { json: { operations: rows.length ? rows.map(shown) : undefined, nextPageToken: next } };
}

// POST batches/{id}:cancel
async function cancelBatch(ctx) {
  const batch = needBatch(ctx);
  await readBody(ctx, []);
  if (batch.over)
    refuse(
      400,
      `The batch ${batch.id} is in state BATCH_STATE_${batch.state} and cannot be cancelled.`,
      { status: 'FAILED_PRECONDITION' },
    );
  batch.cancelling = true;
  return { json: {} };
}

// DELETE batches/{id}: nobody wants to hear of it, but it goes on
function deleteBatch(ctx) {
  const batch = needBatch(ctx);
  ctx.state.batches.delete(batch.id);
  ctx.state.deleted.push(batch);
  return { json: {} };
}

const ledgerBatch =
  (deleted) =>
  ({ id, file, what, model, state, lines, counts, outputFile, displayName }) => ({
    id,
    input_file_id: file,
    endpoint: what,
    model: model.id,
    status: `BATCH_STATE_${state}`,
    metadata: null,
    lines: lines || 0,
    completed: counts.ok,
    failed: counts.failed,
    output_file_id: outputFile,
    error_file_id: null,
    name: displayName,
    deleted,
  });

module.exports = {
  createGenerate,
  createEmbed,
  getBatch,
  listBatches,
  cancelBatch,
  deleteBatch,
  ledgerBatch,
};
