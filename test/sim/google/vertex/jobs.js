'use strict';
// Batch prediction jobs: creating, showing, listing, cancelling, deleting. What happens in between
// is life.js.

const { forbidden } = require('../bearer');
const { errorInfo, invalid, refuse, retryInfo, violation } = require('../errors');
const { parseFields, pick, BadFields } = require('../fields');
const { may } = require('../identity/access');
const { onlyQuery, page, readBody } = require('../params');
const { stamp, tick } = require('../times');
const { parseFilter, BadFilter } = require('./filter');
const { Life } = require('./life');
const { readWish } = require('./wish');

const TERMINAL = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED', 'PARTIALLY_SUCCEEDED'];

class Job {
  constructor(id, { asked, model, project, number, location, faults }) {
    Object.assign(this, {
      id,
      asked,
      model,
      project,
      number,
      location,
      faults,
      labels: asked.labels || {},
      state: 'JOB_STATE_QUEUED',
      created: Date.now(),
      made: tick(),
      started: null,
      ended: null,
    });
    Object.assign(this, {
      input: asked.inputConfig.gcsSource.uris[0],
      output: asked.outputConfig.gcsDestination.outputUriPrefix,
      updated: this.made,
    });
    Object.assign(this, {
      lines: 0,
      counts: null,
      folder: null,
      partial: undefined,
      error: undefined,
      cancelling: false,
      forgotten: false,
    });
  }

  enter(state) {
    if (this.cancelling && !TERMINAL.includes(state)) return;
    Object.assign(this, { state: `JOB_STATE_${state}`, updated: tick() });
  }

  end(state, error) {
    this.enter(state);
    Object.assign(this, { error, ended: this.updated });
  }

  cancel() {
    if (!this.cancelling) this.enter('CANCELLING');
    this.cancelling = true;
  }

  get over() {
    return this.ended !== null;
  }

  get name() {
    return `projects/${this.number}/locations/${this.location}/batchPredictionJobs/${this.id}`;
  }
}

// int64 values are texts, and those that are 0 are left out; how many are left is not known while a
// job runs.
function stats({ counts, lines, over }) {
  if (!counts) return undefined;
  const left = over ? lines - counts.ok - counts.failed : -1;
  const text = (n) => (n ? String(n) : undefined);
  return {
    successfulCount: text(counts.ok),
    failedCount: text(counts.failed),
    incompleteCount: text(left),
  };
}

// What is undefined is not there in JSON.
function shown(job) {
  const { displayName, model, inputConfig, modelParameters, outputConfig, labels } = job.asked;
  const time = (micros) => (micros ? stamp(micros) : undefined);
  return {
    name: job.name,
    displayName,
    model,
    inputConfig,
    modelParameters,
    outputConfig,
    labels,
    modelVersionId: '1',
    state: job.state,
    error: job.error,
    outputInfo: job.folder ? { gcsOutputDirectory: job.folder } : undefined,
    partialFailures: job.partial && job.partial.slice(0, 20),
    completionStats: stats(job),
    createTime: time(job.made),
    startTime: time(job.started),
    endTime: time(job.ended),
    updateTime: time(job.updated),
  };
}

function reply(ctx, value) {
  const wanted = ctx.query.get('fields') || ctx.query.get('$fields');
  if (!wanted) return { json: value };
  try {
    return { json: pick(value, parseFields(wanted)) };
  } catch (error) {
    if (error instanceof BadFields)
      invalid(`Request contains an invalid argument: ${error.message}`);
    throw error;
  }
}

function need(ctx, permission) {
  const full = `aiplatform.batchPredictionJobs.${permission}`;
  const { project, location } = ctx.params;
  if (!ctx.project || !may(ctx.who, full, ctx.project))
    forbidden(full, `projects/${project}/locations/${location}`);
}

// POST batchPredictionJobs
async function createJob(ctx) {
  need(ctx, 'create');
  onlyQuery(ctx, []);
  const {
    action,
    params: { location },
    project,
    sim,
    state,
  } = ctx;
  const { asked, model } = await readWish(ctx);
  if (model.kind === 'claude') checkRoom(ctx);
  const share = action.batch_outcome === 'expired' ? 0 : 0.5;
  const faults = {
    outcome: action.batch_outcome,
    errors: action.errors,
    finished: action.finished === undefined ? share : action.finished,
    lag: action.list_lag_ms || 0,
  };
  const job = new Job(state.jobId(), {
    asked,
    model,
    project,
    number: sim.config.google_projects[project].number,
    location,
    faults,
  });
  state.jobs.set(job.id, job);
  new Life(sim, state, job).live();
  return reply(ctx, shown(job));
}

// Claude's jobs of a project are few at a time.
function checkRoom({ project, sim, state }) {
  const running = [...state.jobs.values()].filter(
    (job) => job.project === project && !job.over && job.model.kind === 'claude',
  ).length;
  if (running < sim.config.vertex_max_claude_jobs) return;
  const details = [
    errorInfo('RATE_LIMIT_EXCEEDED', { service: 'aiplatform.googleapis.com' }),
    retryInfo(sim.config.google_retry_delay),
  ];
  refuse(
    429,
    'Quota exceeded for aiplatform.googleapis.com/concurrent_batch_prediction_jobs with base ' +
      'model: anthropic-claude.',
    { details },
  );
}

// The job of the path, in this project and location.
function needJob(ctx, permission) {
  need(ctx, permission);
  const { id, location } = ctx.params;
  if (!/^\d+$/.test(id)) invalid(`Invalid resource name: batchPredictionJobs/${id}`);
  const job = ctx.state.jobs.get(id);
  if (job && job.project === ctx.project && job.location === location) return job;
  return refuse(
    404,
    'The BatchPredictionJob does not exist: ' +
      `projects/${ctx.params.project}/locations/${location}/batchPredictionJobs/${id}`,
  );
}

// GET batchPredictionJobs/{id}
const getJob = (ctx) => reply(ctx, shown(needJob(ctx, 'get')));

// GET batchPredictionJobs, the newest first
function listJobs(ctx) {
  need(ctx, 'list');
  onlyQuery(ctx, ['filter', 'pageSize', 'pageToken', 'readMask']);
  const {
    params: { location },
    project,
    sim,
    state,
  } = ctx;
  const fits = filterOf(ctx.query.get('filter') || '');
  const listed = (job) =>
    Date.now() - job.created >= Math.max(job.faults.lag, sim.config.vertex_list_lag_ms);
  const all = [...state.jobs.values()]
    .filter(
      (job) => job.project === project && job.location === location && listed(job) && fits(job),
    )
    .reverse();
  const { rows, next } = page(ctx, all, (job) => job.id);
  return reply(ctx, {
    batchPredictionJobs: rows.length ? rows.map(shown) : undefined,
    nextPageToken: next,
  });
}

function filterOf(text) {
  try {
    return parseFilter(text);
  } catch (error) {
    if (error instanceof BadFilter)
      return invalid(`List filter is invalid: ${error.message}.`, [
        violation('filter', error.message),
      ]);
    throw error;
  }
}

// POST batchPredictionJobs/{id}:cancel
async function cancelJob(ctx) {
  const job = needJob(ctx, 'cancel');
  await readBody(ctx, ['name']);
  if (job.over)
    refuse(
      400,
      `The BatchPredictionJob ${job.name} is in state ${job.state} and cannot be canceled.`,
      { status: 'FAILED_PRECONDITION' },
    );
  job.cancel();
  return { json: {} };
}

// DELETE batchPredictionJobs/{id}
function deleteJob(ctx) {
  const job = needJob(ctx, 'delete');
  if (!job.over)
    refuse(
      400,
      `The BatchPredictionJob ${job.name} is in state ${job.state} and cannot be deleted.`,
      { status: 'FAILED_PRECONDITION' },
    );
  ctx.state.jobs.delete(job.id);
  ctx.state.deleted.push(job);
  const now = stamp(tick());
  return {
    json: {
      name: `projects/${job.number}/locations/${job.location}/operations/${ctx.state.jobId()}`,
      done: true,
      response: { '@type': 'type.googleapis.com/google.protobuf.Empty' },
      metadata: {
        '@type': 'type.googleapis.com/google.cloud.aiplatform.v1.DeleteOperationMetadata',
        genericMetadata: { createTime: now, updateTime: now },
      },
    },
  };
}

const ledgerBatch =
  (deleted) =>
  ({ id, input, project, location, model, state, labels, lines, counts, folder, asked }) => ({
    id,
    input_file_id: input,
    endpoint: `${project}/${location}`,
    model: model.id,
    status: state,
    metadata: labels,
    lines,
    completed: counts ? counts.ok : 0,
    failed: counts ? counts.failed : 0,
    output_file_id: folder,
    error_file_id: null,
    name: asked.displayName,
    deleted,
  });

module.exports = { createJob, getJob, listJobs, cancelJob, deleteJob, ledgerBatch };
