'use strict';
// Message Batches: creating, showing, listing, cancelling, deleting, results. What happens in
// between is life.js.

const { Life } = require('./life');
const { receive } = require('./envelope');
const { invalid, refuse } = require('./errors');
const { onlyQuery, page } = require('./params');

const DAY = 86400e3;
const NO_FAULTS = { outcome: undefined, errors: undefined, finished: 0.5, lag: 0 };
const time = (ms) => (ms === null ? null : new Date(ms).toISOString().replace('Z', '000Z'));

class Batch {
  // total: how many requests; how: {version, betas} of the create.
  constructor(state, { project, total, how, faults, created = Date.now(), foreign = false }) {
    Object.assign(this, {
      id: state.newId('msgbatch_', 24),
      project,
      total,
      how,
      faults,
      created,
      foreign,
    });
    Object.assign(this, {
      since: Date.now(),
      ended: null,
      cancelled: null,
      archived: null,
      results: null,
      deleted: false,
      forgotten: false,
    });
    this.tally = { succeeded: 0, errored: 0, canceled: 0, expired: 0 };
    this.asked = { early: 0, late: 0, results: 0 };
  }

  get status() {
    return this.ended ? 'ended' : this.cancelled ? 'canceling' : 'in_progress';
  }

  cancel() {
    this.cancelled = this.cancelled || Date.now();
  }

  // results: {path, size}
  end(results) {
    Object.assign(this, { results, ended: Date.now() });
    if (this.faults.outcome === 'archived') this.archived = this.ended;
  }

  // Counts stay 0 until the whole batch has ended.
  get counts() {
    if (this.ended) return { processing: 0, ...this.tally };
    return { processing: this.total, succeeded: 0, errored: 0, canceled: 0, expired: 0 };
  }
}

const shown = (ctx) => (b) => ({
  id: b.id,
  type: 'message_batch',
  processing_status: b.status,
  request_counts: b.counts,
  ended_at: time(b.ended),
  created_at: time(b.created),
  expires_at: time(b.created + DAY),
  archived_at: time(b.archived),
  cancel_initiated_at: time(b.cancelled),
  results_url: b.ended && !b.archived ? `${baseOf(ctx)}/v1/messages/batches/${b.id}/results` : null,
});

// Where the asking client finds this simulator.
function baseOf({ sim, req, prefix }) {
  return (
    sim.config.results_base ||
    `${req.socket.encrypted ? 'https' : 'http'}://${req.headers.host}${prefix}`
  );
}

// POST /v1/messages/batches
async function createBatch(ctx) {
  onlyQuery(ctx, []);
  const body = await receive(ctx);
  const total = body.spans.length / 2;
  const { action, state, sim } = ctx;
  if (state.queued(ctx.project) + total > sim.config.max_queued_requests) {
    sim.store.remove(body.data);
    refuse(
      429,
      'Number of requests in the batch processing queue would exceed the limit of ' +
        `${sim.config.max_queued_requests}.`,
    );
  }
  const faults = {
    outcome: action.batch_outcome,
    errors: action.errors,
    finished: action.finished === undefined ? 0.5 : action.finished,
    lag: action.list_lag_ms || 0,
  };
  const batch = start(sim, state, { project: ctx.project, total, how: ctx.how, faults }, body);
  if (action.foreign)
    addForeign(sim, state, { requests: total, count: action.foreign, project: ctx.project });
  return { json: shown(ctx)(batch) };
}

function start(sim, state, traits, body) {
  const batch = new Batch(state, traits);
  state.batches.set(batch.id, batch);
  new Life(sim, state, batch, body).live();
  return batch;
}

// Batches of somebody else in the same workspace, for tests of finding one's own. Returns their
// ids. age_ms: how long ago they were created; outcome and finished as in faults.
function addForeign(
  sim,
  state,
  { requests, count = 1, project = 'default', age_ms: age = 0, outcome, finished = 0.5, ...rest },
) {
  const extra = Object.keys(rest)[0];
  if (extra !== undefined) throw new Error(`unknown key "${extra}"`);
  if (!Number.isInteger(requests) || requests < 1)
    throw new Error('requests must be a positive integer');
  const how = { version: '2023-06-01', betas: [] };
  return Array.from(
    { length: count },
    () =>
      start(
        sim,
        state,
        {
          project,
          total: requests,
          how,
          foreign: true,
          created: Date.now() - age,
          faults: { ...NO_FAULTS, outcome, finished },
        },
        foreignBody(sim.store.create(), requests),
      ).id,
  );
}

function foreignBody(writer, requests) {
  const spans = [];
  for (let i = 0, at = 0; i < requests; i++) {
    const text = JSON.stringify({
      custom_id: `other-${i + 1}`,
      params: {
        model: 'claude-haiku-5-5',
        max_tokens: 64,
        messages: [{ role: 'user', content: `Somebody else's question ${i + 1}` }],
      },
    });
    spans.push(at, text.length);
    at += text.length + 1;
    writer.line(text);
  }
  return { data: writer.close(), spans };
}

function needBatch(ctx) {
  const batch = ctx.state.batches.get(ctx.params.id);
  return batch && !batch.deleted && batch.project === ctx.project ? batch : absent(ctx);
}

const absent = (ctx) => refuse(404, `Message Batch ${ctx.params.id} not found.`);

// The first so many calls of a kind may find nothing yet.
function maybeAbsent(ctx, batch, kind, times) {
  if (batch.asked[kind] >= times) return;
  batch.asked[kind]++;
  absent(ctx);
}

// GET /v1/messages/batches/{id}
function getBatch(ctx) {
  onlyQuery(ctx, []);
  const batch = needBatch(ctx);
  const { config } = ctx.sim;
  maybeAbsent(ctx, batch, 'early', config.absent_after_create);
  if (batch.ended) maybeAbsent(ctx, batch, 'late', config.absent_after_end);
  return { json: shown(ctx)(batch) };
}

// GET /v1/messages/batches, newest first
function listBatches(ctx) {
  const seen = [...ctx.state.batches.values()].filter(
    (b) => b.project === ctx.project && !b.deleted && Date.now() - b.since >= b.faults.lag,
  );
  return {
    json: page(
      ctx,
      seen.reverse().sort((a, b) => b.created - a.created),
      shown(ctx),
    ),
  };
}

// POST /v1/messages/batches/{id}/cancel
function cancelBatch(ctx) {
  const batch = needBatch(ctx);
  if (batch.ended)
    invalid(`Message Batch ${batch.id} cannot be canceled because it has already ended.`);
  batch.cancel();
  return { json: shown(ctx)(batch) };
}

// DELETE /v1/messages/batches/{id}
function deleteBatch(ctx) {
  const batch = needBatch(ctx);
  if (!batch.ended)
    invalid(
      `Message Batch ${batch.id} cannot be deleted while it is still processing. Cancel it first.`,
    );
  batch.deleted = true;
  ctx.sim.store.remove(batch.results);
  return { json: { id: batch.id, type: 'message_batch_deleted' } };
}

// GET /v1/messages/batches/{id}/results
function getResults(ctx) {
  onlyQuery(ctx, []);
  const batch = needBatch(ctx);
  if (!batch.ended) refuse(404, `Message Batch ${batch.id} has no available results.`);
  if (batch.archived) refuse(404, `The results of Message Batch ${batch.id} have been archived.`);
  maybeAbsent(ctx, batch, 'results', ctx.sim.config.absent_after_end);
  return {
    file: batch.results,
    chunked: ctx.sim.config.chunked_content,
    headers: { 'Content-Type': 'application/x-jsonl' },
  };
}

const ledgerBatch = (b) => ({
  id: b.id,
  input_file_id: null,
  endpoint: '/v1/messages',
  model: null,
  status: b.status,
  metadata: null,
  lines: b.total,
  completed: b.tally.succeeded,
  failed: b.total - b.tally.succeeded,
  output_file_id: null,
  error_file_id: null,
  version: b.how.version,
  betas: b.how.betas,
  foreign: b.foreign,
  deleted: b.deleted,
  cancel_initiated: b.cancelled !== null,
});

module.exports = {
  createBatch,
  addForeign,
  getBatch,
  listBatches,
  cancelBatch,
  deleteBatch,
  getResults,
  ledgerBatch,
};
