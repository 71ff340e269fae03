'use strict';
// The Batches API: creating, showing, listing, cancelling. What happens in between is life.js.

const fs = require('fs');
const { refuse, missing, invalid } = require('./errors');
const {
  readJson,
  onlyKeys,
  onlyQuery,
  page,
  readExpiry,
  checkMetadata,
  typeName,
} = require('./params');
const { visibleFile, now } = require('./files');
const { Life } = require('./life');
const { dress, listed } = require('./quirks');

const KEYS = ['input_file_id', 'endpoint', 'completion_window', 'metadata', 'output_expires_after'];

// POST /batches
async function createBatch(ctx) {
  const body = await readJson(ctx);
  const { dialect } = ctx.state;
  const endpoint = checkCreate(ctx, body);
  const outputSeconds = readExpiry(body.output_expires_after, 'output_expires_after', dialect.life);
  const file = visibleFile(ctx, body.input_file_id);
  if (!file)
    refuse(
      400,
      `Cannot find file '${body.input_file_id}', or organization org-sim or project ` +
        `proj_${ctx.project} does not have access to it.`,
      { param: 'input_file_id' },
    );
  if (file.purpose !== 'batch')
    invalid('input_file_id', `Invalid file purpose '${file.purpose}'. Expected 'batch'.`);
  dialect.checkInput(ctx, file, endpoint);
  const batch = newBatch(ctx, body, endpoint, outputSeconds);
  ctx.state.batches.set(batch.id, batch);
  new Life(ctx.sim, ctx.state, batch, fs.openSync(file.data.path, 'r')).live();
  return {
    status: dialect.created,
    json: batchObject(ctx)(batch),
    headers: dialect.createHeaders(ctx),
  };
}

// The endpoint to be played.
function checkCreate(ctx, body) {
  const { endpoints, endpointOf } = ctx.state.dialect;
  const { quirks } = ctx.sim.config;
  onlyKeys(
    body,
    KEYS.filter(
      (key) =>
        !(key === 'metadata' && quirks.metadata === 'refused') &&
        !(key === 'output_expires_after' && quirks.expiry),
    ),
  );
  for (const key of ['input_file_id', 'endpoint', 'completion_window']) {
    if (body[key] === undefined || body[key] === null) missing(key);
    if (typeof body[key] !== 'string')
      invalid(
        key,
        `Invalid type for '${key}': expected a string, but got ${typeName(body[key])} instead.`,
        'invalid_type',
      );
  }
  if (!endpoints.includes(body.endpoint))
    invalid(
      'endpoint',
      `Invalid value: '${body.endpoint}'. Supported values are: ` +
        `${endpoints.map((e) => `'${e}'`).join(', ')}.`,
    );
  if (!endpointOf(body.endpoint))
    invalid('endpoint', `The simulator does not play '${body.endpoint}'.`);
  if (body.completion_window !== '24h')
    invalid(
      'completion_window',
      `Invalid value: '${body.completion_window}'. Supported values are: '24h'.`,
    );
  checkMetadata(body.metadata);
  return endpointOf(body.endpoint);
}

function newBatch(ctx, body, endpoint, outputSeconds) {
  const { action } = ctx;
  const created = now();
  return {
    id: ctx.state.newName('batch_', 32),
    project: ctx.project,
    endpoint,
    named: body.endpoint,
    model: null,
    input_file_id: body.input_file_id,
    status: 'validating',
    created_at: created,
    expires_at: created + 86400,
    metadata: body.metadata || null,
    counts: { total: 0, completed: 0, failed: 0 },
    usage: noUsage(),
    outputSeconds,
    since: Date.now(),
    forgotten: false,
    enqueued: null,
    faults: {
      outcome: action.batch_outcome,
      errors: action.errors,
      finished: action.finished === undefined ? 0.5 : action.finished,
      errorFileId: action.error_file_id,
      lag: action.list_lag_ms || 0,
    },
  };
}

const noUsage = () => ({
  input_tokens: 0,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 0,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 0,
});

// Every field is there, with explicit nulls, as real traffic has it.
const batchObject =
  ({ sim }) =>
  (b) =>
    dress(sim.config.quirks, {
      id: b.id,
      object: 'batch',
      endpoint: b.named,
      model: b.model,
      errors: b.errors || null,
      input_file_id: b.input_file_id,
      completion_window: '24h',
      status: b.status,
      output_file_id: b.output_file_id || null,
      error_file_id: b.error_file_id === undefined ? null : b.error_file_id,
      created_at: b.created_at,
      in_progress_at: b.in_progress_at || null,
      expires_at: b.expires_at,
      finalizing_at: b.finalizing_at || null,
      completed_at: b.completed_at || null,
      failed_at: b.failed_at || null,
      expired_at: b.expired_at || null,
      cancelling_at: b.cancelling_at || null,
      cancelled_at: b.cancelled_at || null,
      request_counts: { ...b.counts },
      usage: b.usage,
      metadata: b.metadata,
    });

function needBatch(ctx) {
  const batch = ctx.state.batches.get(ctx.params.id);
  return batch && batch.project === ctx.project
    ? batch
    : refuse(404, `No batch found with id '${ctx.params.id}'.`);
}

const getBatch = (ctx) => ({ json: batchObject(ctx)(needBatch(ctx)) });

// GET /batches, newest first
function listBatches(ctx) {
  const { quirks } = ctx.sim.config;
  onlyQuery(ctx, ['limit', quirks.list === 'cursor' ? 'cursor' : 'after']);
  const seen = [...ctx.state.batches.values()].filter(
    (b) => b.project === ctx.project && Date.now() - b.since >= b.faults.lag,
  );
  seen.reverse();
  const list =
    listed(quirks, ctx, seen, batchObject(ctx)) ||
    page(ctx, seen, { max: 100, byDefault: 20 }, batchObject(ctx));
  if (quirks.list !== 'value') return { json: list };
  const { data, ...rest } = list;
  return { json: { value: data, ...rest } };
}

// POST /batches/{id}/cancel
async function cancelBatch(ctx) {
  const batch = needBatch(ctx);
  if (['completed', 'failed', 'expired'].includes(batch.status))
    refuse(409, `Cannot cancel a batch with status '${batch.status}'.`);
  if (!batch.cancelling_at) Object.assign(batch, { status: 'cancelling', cancelling_at: now() });
  return { json: batchObject(ctx)(batch) };
}

module.exports = { createBatch, getBatch, listBatches, cancelBatch };
