'use strict';
// Model invocation jobs: creating, showing, listing, stopping. What happens in between is life.js.

const { readText } = require('../server');
const { isObject } = require('../anthropic/params');
const { refuse, invalid } = require('./errors');
const { uriOf } = require('./input');
const { Life } = require('./life');
const { findModel } = require('./models');

const KEYS = [
  'jobName',
  'clientRequestToken',
  'roleArn',
  'modelId',
  'modelInvocationType',
  'inputDataConfig',
  'outputDataConfig',
  'timeoutDurationInHours',
  'vpcConfig',
  'tags',
];
const TERMINAL = ['Completed', 'PartiallyCompleted', 'Failed', 'Stopped', 'Expired'];
const PATTERNS = {
  jobName: /^(?=.{1,63}$)[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9+\-.]){0,63}$/,
  clientRequestToken: /^(?=.{1,256}$)[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}$/,
  roleArn: /^arn:aws(-[^:]+)?:iam::\d{12}:role\/.+$/,
};
const time = (ms) => new Date(ms).toISOString();

class Job {
  constructor(id, { asked, account, region, model, faults }) {
    Object.assign(this, {
      id,
      asked,
      account,
      region,
      model,
      faults,
      status: 'Submitted',
      created: Date.now(),
      changed: Date.now(),
      ended: null,
      message: undefined,
      stopping: false,
      forgotten: false,
      counts: null,
    });
    Object.assign(this, {
      arn: `arn:aws:bedrock:${region}:${account}:model-invocation-job/${id}`,
      type: asked.modelInvocationType || 'InvokeModel',
    });
    Object.assign(this, {
      input: asked.inputDataConfig.s3InputDataConfig,
      output: asked.outputDataConfig.s3OutputDataConfig,
    });
  }

  enter(status) {
    Object.assign(this, { status, changed: Date.now() });
  }

  end(status, message) {
    this.enter(status);
    Object.assign(this, { message, ended: this.changed });
  }

  get over() {
    return TERMINAL.includes(this.status);
  }
}

function shown(job) {
  const { asked, counts, model } = job;
  return {
    jobArn: job.arn,
    jobName: asked.jobName,
    modelId: asked.modelId.startsWith('arn:')
      ? asked.modelId
      : `arn:aws:bedrock:${job.region}::foundation-model/${model.id}`,
    clientRequestToken: asked.clientRequestToken,
    roleArn: asked.roleArn,
    status: job.status,
    message: job.message,
    submitTime: time(job.created),
    lastModifiedTime: time(job.changed),
    endTime: job.ended ? time(job.ended) : undefined,
    inputDataConfig: asked.inputDataConfig,
    outputDataConfig: asked.outputDataConfig,
    vpcConfig: asked.vpcConfig,
    timeoutDurationInHours: asked.timeoutDurationInHours || 24,
    jobExpirationTime: time(job.created + (asked.timeoutDurationInHours || 24) * 3600e3),
    modelInvocationType: job.type,
    ...(counts
      ? {
          totalRecordCount: counts.total,
          processedRecordCount: counts.processed,
          successRecordCount: counts.success,
          errorRecordCount: counts.error,
        }
      : {}),
  };
}

// POST /model-invocation-job
async function createJob(ctx) {
  ctx.need('bedrock:CreateModelInvocationJob');
  const asked = await readBody(ctx);
  const model = judge(asked, ctx.sim);
  const { state, action, account, region, sim } = ctx;
  const before =
    asked.clientRequestToken &&
    state.all(ctx).find((job) => job.asked.clientRequestToken === asked.clientRequestToken);
  if (before) return same(before, asked);
  const running = state.all(ctx).filter((job) => job.model.id === model.id && !job.over).length;
  if (running >= sim.config.bedrock_max_jobs)
    refuse(
      400,
      'ServiceQuotaExceededException',
      'You have exceeded the number of in-progress and submitted batch inference jobs ' +
        `(${sim.config.bedrock_max_jobs}) for ${model.id}.`,
    );
  if (state.all(ctx).some((job) => job.asked.jobName === asked.jobName))
    invalid('The provided job name is currently in use.');
  const faults = {
    outcome: action.batch_outcome,
    errors: action.errors,
    finished: action.finished === undefined ? 0.5 : action.finished,
    lag: action.list_lag_ms || 0,
  };
  const job = new Job(state.jobId(), { asked, account, region, model, faults });
  state.jobs.set(job.id, job);
  new Life(sim, state, job).live();
  return { json: { jobArn: job.arn } };
}

function same(job, asked) {
  if (JSON.stringify(job.asked) !== JSON.stringify(asked))
    refuse(
      400,
      'ConflictException',
      'The clientRequestToken was used before with other parameters.',
    );
  return { json: { jobArn: job.arn } };
}

async function readBody(ctx) {
  let body;
  try {
    body = JSON.parse(await readText(ctx));
  } catch {
    invalid('The request body is not valid JSON.');
  }
  if (!isObject(body)) invalid('The request body is no object.');
  const extra = Object.keys(body).find((key) => !KEYS.includes(key));
  if (extra !== undefined) invalid(`Unknown member ${extra}.`);
  return body;
}

// The shapes first, then what they name. Returns the model.
function judge(asked, sim) {
  for (const key of ['jobName', 'roleArn', 'modelId', 'inputDataConfig', 'outputDataConfig'])
    if (asked[key] === undefined) constraint(key, 'Member must not be null');
  for (const [key, pattern] of Object.entries(PATTERNS))
    if (asked[key] !== undefined && !pattern.test(asked[key]))
      constraint(key, `Member must satisfy regular expression pattern: ${pattern.source}`);
  const { s3InputDataConfig: input } = asked.inputDataConfig;
  const { s3OutputDataConfig: output } = asked.outputDataConfig;
  if (!isObject(input) || !uriOf(input.s3Uri) || input.s3Uri.length > 1024)
    constraint(
      'inputDataConfig.s3InputDataConfig.s3Uri',
      'Member must satisfy regular expression pattern',
    );
  if (!isObject(output) || !uriOf(output.s3Uri) || output.s3Uri.length > 1024)
    constraint(
      'outputDataConfig.s3OutputDataConfig.s3Uri',
      'Member must satisfy regular expression pattern',
    );
  if (![undefined, 'JSONL'].includes(input.s3InputFormat))
    constraint(
      'inputDataConfig.s3InputDataConfig.s3InputFormat',
      'Member must satisfy enum value set: [JSONL]',
    );
  const hours = asked.timeoutDurationInHours;
  if (hours !== undefined && !(Number.isInteger(hours) && hours >= 24 && hours <= 168))
    constraint('timeoutDurationInHours', 'Member must have value between 24 and 168');
  if (![undefined, 'InvokeModel', 'Converse'].includes(asked.modelInvocationType))
    constraint(
      'modelInvocationType',
      'Member must satisfy enum value set: [InvokeModel, Converse]',
    );
  const role = Object.hasOwn(sim.config.aws_roles, asked.roleArn)
    ? sim.config.aws_roles[asked.roleArn]
    : null;
  if (!role || role.pass === false)
    refuse(
      403,
      'AccessDeniedException',
      `User: arn:aws:iam::${sim.config.aws_account}:user/sim is not authorized to perform: ` +
        `iam:PassRole on resource: ${asked.roleArn} because no identity-based policy allows the ` +
        'iam:PassRole action',
    );
  const model = findModel(asked.modelId) || invalid('The provided model identifier is invalid.');
  if (model.family === 'none')
    invalid(`Batch inference is not supported for the model ${model.id}.`);
  if (model.embeds && asked.modelInvocationType === 'Converse')
    invalid(`The model ${model.id} does not support Converse.`);
  return model;
}

const constraint = (where, what) =>
  invalid(`1 validation error detected: Value at '${where}' failed to satisfy constraint: ${what}`);

function needJob(ctx) {
  const found =
    /^(?:arn:aws[a-z-]*:bedrock:([a-z0-9-]+):(\d{12}):model-invocation-job\/)?([a-z0-9]{12})$/.exec(
      ctx.id,
    );
  if (!found) constraint('jobIdentifier', 'Member must satisfy regular expression pattern');
  const job = ctx.state
    .all(ctx)
    .find((j) => j.id === found[3] && (found[1] === undefined || j.arn === ctx.id));
  return (
    job ||
    refuse(404, 'ResourceNotFoundException', `Could not find the model invocation job ${ctx.id}.`)
  );
}

// GET /model-invocation-job/{id}
function getJob(ctx) {
  ctx.need('bedrock:GetModelInvocationJob');
  return { json: shown(needJob(ctx)) };
}

// GET /model-invocation-jobs
function listJobs(ctx) {
  ctx.need('bedrock:ListModelInvocationJobs');
  const q = (name) => ctx.query.get(name);
  const max = q('maxResults') === null ? 100 : Number(q('maxResults'));
  if (!Number.isInteger(max) || max < 1 || max > 1000)
    constraint('maxResults', 'Member must have value between 1 and 1000');
  const seen = ctx.state
    .all(ctx)
    .filter(
      (job) =>
        Date.now() - job.created >= job.faults.lag &&
        (q('statusEquals') === null || job.status === q('statusEquals')) &&
        (q('nameContains') === null || job.asked.jobName.includes(q('nameContains'))) &&
        (q('submitTimeAfter') === null || job.created > Date.parse(q('submitTimeAfter'))) &&
        (q('submitTimeBefore') === null || job.created < Date.parse(q('submitTimeBefore'))),
    );
  if (q('sortOrder') !== 'Ascending') seen.reverse();
  const from =
    q('nextToken') === null ? 0 : seen.findIndex((job) => `${job.id}+/=` === q('nextToken')) + 1;
  if (q('nextToken') !== null && from === 0) invalid('The nextToken is invalid.');
  const page = seen.slice(from, from + max);
  return {
    json: {
      invocationJobSummaries: page.map(shown),
      ...(from + max < seen.length ? { nextToken: `${page[page.length - 1].id}+/=` } : {}),
    },
  };
}

// POST /model-invocation-job/{id}/stop
function stopJob(ctx) {
  ctx.need('bedrock:StopModelInvocationJob');
  const job = needJob(ctx);
  if (job.over)
    refuse(
      400,
      'ConflictException',
      `The model invocation job ${job.id} is ${job.status} and cannot be stopped.`,
    );
  job.stopping = true;
  job.enter('Stopping');
  return { json: {} };
}

const ledgerBatch = (job) => ({
  id: job.id,
  input_file_id: job.input.s3Uri,
  endpoint: job.type,
  model: job.model.id,
  status: job.status,
  metadata: null,
  lines: job.counts ? job.counts.total : 0,
  completed: job.counts ? job.counts.success : 0,
  failed: job.counts ? job.counts.error : 0,
  output_file_id: null,
  error_file_id: null,
  name: job.asked.jobName,
  token: job.asked.clientRequestToken,
});

module.exports = { createJob, getJob, listJobs, stopJob, ledgerBatch };
