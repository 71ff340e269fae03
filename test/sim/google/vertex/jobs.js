'use strict';
// Batch prediction jobs: creating, showing, listing, cancelling, deleting. What happens in between is life.js.

const { forbidden } = require('../bearer');
const { errorInfo, invalid, refuse, retryInfo, violation } = require('../errors');
const { parseFields, pick, BadFields } = require('../fields');
const { may } = require('../identity/access');
const { labelViolation } = require('../labels');
const { findPublished } = require('../models/list');
const { isObject, onlyKeys, onlyQuery, page, readBody } = require('../params');
const { stamp, tick } = require('../times');
const { parseFilter, BadFilter } = require('./filter');
const { uriOf } = require('./input');
const { Life } = require('./life');

const KEYS = ['displayName', 'model', 'inputConfig', 'outputConfig', 'modelParameters', 'labels', 'instanceConfig', 'encryptionSpec', 'serviceAccount', 'manualBatchTuningParameters', 'dedicatedResources', 'generateExplanation',
  'explanationSpec', 'disableContainerLogging', 'unmanagedContainerModel', 'modelVersionId'];
const OUTPUT_ONLY = ['name', 'state', 'createTime', 'startTime', 'endTime', 'updateTime', 'error', 'partialFailures', 'completionStats', 'outputInfo', 'resourcesConsumed'];
const TERMINAL = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED', 'PARTIALLY_SUCCEEDED'];
const MODEL = /^(?:projects\/[^/]+\/locations\/[^/]+\/)?publishers\/([a-z0-9-]+)\/models\/([a-zA-Z0-9@._-]+)$/;
const TUNED = /^projects\/[^/]+\/locations\/[^/]+\/models\/[^/]+$/;

class Job {
  constructor(id, { asked, model, project, number, location, faults }) {
    Object.assign(this, { id, asked, model, project, number, location, faults, labels: asked.labels || {}, state: 'JOB_STATE_QUEUED', created: Date.now(), made: tick(), started: null, ended: null });
    Object.assign(this, { input: asked.inputConfig.gcsSource.uris[0], output: asked.outputConfig.gcsDestination.outputUriPrefix, lines: 0, counts: null, folder: null, cancelling: false, forgotten: false });
    this.updated = this.made;
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

// int64 values are texts, and those that are 0 are left out; how many are left is not known while a job runs.
function stats({ counts, lines, over }) {
  if (!counts) return {};
  const left = over ? lines - counts.ok - counts.failed : -1;
  return { completionStats: { ...(counts.ok ? { successfulCount: String(counts.ok) } : {}), ...(counts.failed ? { failedCount: String(counts.failed) } : {}), ...(left ? { incompleteCount: String(left) } : {}) } };
}

const shown = (job) => ({
  name: job.name, displayName: job.asked.displayName, model: job.asked.model, inputConfig: job.asked.inputConfig, ...(job.asked.modelParameters === undefined ? {} : { modelParameters: job.asked.modelParameters }),
  outputConfig: job.asked.outputConfig, ...(job.folder ? { outputInfo: { gcsOutputDirectory: job.folder } } : {}), state: job.state, ...(job.error ? { error: job.error } : {}), ...(job.partial ? { partialFailures: job.partial.slice(0, 20) } : {}),
  ...stats(job), createTime: stamp(job.made), ...(job.started ? { startTime: stamp(job.started) } : {}), ...(job.ended ? { endTime: stamp(job.ended) } : {}), updateTime: stamp(job.updated),
  ...(job.asked.labels ? { labels: job.asked.labels } : {}), modelVersionId: '1',
});

function reply(ctx, value) {
  const wanted = ctx.query.get('fields') || ctx.query.get('$fields');
  if (!wanted) return { json: value };
  try {
    return { json: pick(value, parseFields(wanted)) };
  } catch (error) {
    if (error instanceof BadFields) invalid(`Request contains an invalid argument: ${error.message}`);
    throw error;
  }
}

function need(ctx, permission) {
  const full = `aiplatform.batchPredictionJobs.${permission}`;
  const { project, location } = ctx.params;
  if (!ctx.project || !may(ctx.who, full, ctx.project)) forbidden(full, `projects/${project}/locations/${location}`);
}

// POST batchPredictionJobs
async function createJob(ctx) {
  need(ctx, 'create');
  onlyQuery(ctx, []);
  const { action, params: { location }, project, sim, state } = ctx;
  const asked = await readBody(ctx, [...KEYS, ...OUTPUT_ONLY]);
  for (const key of OUTPUT_ONLY) delete asked[key];
  const model = judge(asked, location);
  const running = [...state.jobs.values()].filter((job) => job.project === project && !job.over && job.model.kind === 'claude').length;
  if (model.kind === 'claude' && running >= sim.config.vertex_max_claude_jobs) quota(sim, 'Quota exceeded for aiplatform.googleapis.com/concurrent_batch_prediction_jobs with base model: anthropic-claude.');
  const share = action.batch_outcome === 'expired' ? 0 : 0.5;
  const faults = { outcome: action.batch_outcome, errors: action.errors, finished: action.finished === undefined ? share : action.finished, lag: action.list_lag_ms || 0 };
  const job = new Job(state.jobId(), { asked, model, project, number: sim.config.google_projects[project].number, location, faults });
  state.jobs.set(job.id, job);
  new Life(sim, state, job).live();
  return reply(ctx, shown(job));
}

function quota(sim, message) {
  refuse(429, message, { details: [errorInfo('RATE_LIMIT_EXCEEDED', { service: 'aiplatform.googleapis.com' }), retryInfo(sim.config.google_retry_delay)] });
}

const wrong = (field, text) => invalid(text, [violation(field, text)]);

// The shapes first, then what they name. Returns the model.
function judge(asked, location) {
  const { displayName: name, labels, instanceConfig } = asked;
  if (typeof name !== 'string' || !name) wrong('batch_prediction_job.display_name', 'Required field is not set.');
  if ([...name].length > 128) wrong('batch_prediction_job.display_name', 'display_name must be at most 128 characters.');
  const broken = labels === undefined ? null : labelViolation(labels);
  if (broken) wrong('batch_prediction_job.labels', broken);
  checkInput(asked);
  checkOutput(asked);
  if (instanceConfig !== undefined) wrong('batch_prediction_job.instance_config', 'instance_config is not supported for publisher models.');
  return modelOf(asked.model, location);
}

function checkInput(asked) {
  const config = asked.inputConfig = onlyKeys(asked.inputConfig || wrong('batch_prediction_job.input_config', 'Required field is not set.'), ['instancesFormat', 'gcsSource', 'bigquerySource', 'vertexMultimodalDatasetSource'], 'batch_prediction_job.input_config');
  if (config.bigquerySource || config.instancesFormat === 'bigquery') refuse(501, 'This simulator has no BigQuery.');
  if (config.instancesFormat !== 'jsonl') wrong('batch_prediction_job.input_config.instances_format', `Unsupported instances_format: ${config.instancesFormat}.`);
  const { uris } = isObject(config.gcsSource) ? config.gcsSource : {};
  if (!Array.isArray(uris) || uris.length !== 1) wrong('batch_prediction_job.input_config.gcs_source.uris', 'Exactly one URI is expected.');
  const place = uriOf(uris[0]);
  if (!place || !place.name || place.name.split('*').length > 2) wrong('batch_prediction_job.input_config.gcs_source.uris', `Invalid Cloud Storage URI: ${uris[0]}`);
}

function checkOutput(asked) {
  const config = asked.outputConfig = onlyKeys(asked.outputConfig || wrong('batch_prediction_job.output_config', 'Required field is not set.'), ['predictionsFormat', 'gcsDestination', 'bigqueryDestination', 'vertexMultimodalDatasetDestination'], 'batch_prediction_job.output_config');
  if (config.bigqueryDestination || config.predictionsFormat === 'bigquery') refuse(501, 'This simulator has no BigQuery.');
  if (config.predictionsFormat !== 'jsonl') wrong('batch_prediction_job.output_config.predictions_format', `Unsupported predictions_format: ${config.predictionsFormat}.`);
  const prefix = isObject(config.gcsDestination) ? config.gcsDestination.outputUriPrefix : undefined;
  if (typeof prefix !== 'string' || !uriOf(prefix.includes('/', 5) ? prefix : `${prefix}/`)) wrong('batch_prediction_job.output_config.gcs_destination.output_uri_prefix', `Invalid Cloud Storage URI: ${prefix}`);
}

function modelOf(name, location) {
  if (typeof name !== 'string' || !name) wrong('batch_prediction_job.model', 'Exactly one of model, unmanaged_container_model, or endpoint must be set.');
  if (TUNED.test(name)) refuse(404, `The Model does not exist: ${name}`);
  const found = MODEL.exec(name);
  if (!found) wrong('batch_prediction_job.model', `Invalid resource name: ${name}`);
  const model = findPublished(found[1], found[2]);
  if (!model || (model.locations && !model.locations.includes(location))) refuse(404, `Publisher Model \`${name}\` was not found or your project does not have access to it. Please ensure you are using a valid model version.`);
  return model;
}

// The job of the path, in this project and location.
function needJob(ctx, permission) {
  need(ctx, permission);
  const { id, location } = ctx.params;
  if (!/^\d+$/.test(id)) invalid(`Invalid resource name: batchPredictionJobs/${id}`);
  const job = ctx.state.jobs.get(id);
  if (job && job.project === ctx.project && job.location === location) return job;
  return refuse(404, `The BatchPredictionJob does not exist: projects/${ctx.params.project}/locations/${location}/batchPredictionJobs/${id}`);
}

// GET batchPredictionJobs/{id}
const getJob = (ctx) => reply(ctx, shown(needJob(ctx, 'get')));

// GET batchPredictionJobs, the newest first
function listJobs(ctx) {
  need(ctx, 'list');
  onlyQuery(ctx, ['filter', 'pageSize', 'pageToken', 'readMask']);
  const { params: { location }, project, sim, state } = ctx;
  const fits = filterOf(ctx.query.get('filter') || '');
  const all = [...state.jobs.values()].filter((job) => job.project === project && job.location === location && Date.now() - job.created >= Math.max(job.faults.lag, sim.config.vertex_list_lag_ms) && fits(job)).reverse();
  const { rows, next } = page(ctx, all, (job) => job.id);
  return reply(ctx, { ...(rows.length ? { batchPredictionJobs: rows.map(shown) } : {}), ...(next ? { nextPageToken: next } : {}) });
}

function filterOf(text) {
  try {
    return parseFilter(text);
  } catch (error) {
    if (error instanceof BadFilter) return invalid(`List filter is invalid: ${error.message}.`, [violation('filter', error.message)]);
    throw error;
  }
}

// POST batchPredictionJobs/{id}:cancel
async function cancelJob(ctx) {
  const job = needJob(ctx, 'cancel');
  await readBody(ctx, ['name']);
  if (job.over) refuse(400, `The BatchPredictionJob ${job.name} is in state ${job.state} and cannot be canceled.`, { status: 'FAILED_PRECONDITION' });
  job.cancel();
  return { json: {} };
}

// DELETE batchPredictionJobs/{id}
function deleteJob(ctx) {
  const job = needJob(ctx, 'delete');
  if (!job.over) refuse(400, `The BatchPredictionJob ${job.name} is in state ${job.state} and cannot be deleted.`, { status: 'FAILED_PRECONDITION' });
  ctx.state.jobs.delete(job.id);
  ctx.state.deleted.push(job);
  const now = stamp(tick());
  return { json: { name: `projects/${job.number}/locations/${job.location}/operations/${ctx.state.jobId()}`, metadata: { '@type': 'type.googleapis.com/google.cloud.aiplatform.v1.DeleteOperationMetadata', genericMetadata: { createTime: now, updateTime: now } },
    done: true, response: { '@type': 'type.googleapis.com/google.protobuf.Empty' } } };
}

const ledgerBatch = (deleted) => (job) => ({ id: job.id, input_file_id: job.input, endpoint: `${job.project}/${job.location}`, model: job.model.id, status: job.state, metadata: job.asked.labels || null, lines: job.lines, completed: job.counts ? job.counts.ok : 0,
  failed: job.counts ? job.counts.failed : 0, output_file_id: job.folder, error_file_id: null, name: job.asked.displayName, deleted });

module.exports = { createJob, getJob, listJobs, cancelJob, deleteJob, ledgerBatch };
