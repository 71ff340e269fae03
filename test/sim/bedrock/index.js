'use strict';
// Bedrock's model invocation jobs as a provider of the simulator: routes, signatures and API keys,
// errors, state.

const crypto = require('crypto');
const { PromptCache } = require('../anthropic/cache');
const { Refusal, readText } = require('../server');
const { verify, AuthError, sha256 } = require('../aws/sigv4');
const { refuse, usualError } = require('./errors');
const jobs = require('./jobs');
const now = require('./now');

const SKEW_MS = 5 * 60e3;
const ROUTES = [
  ['POST', '/model-invocation-job', /^\/model-invocation-job$/, jobs.createJob],
  ['GET', '/model-invocation-jobs', /^\/model-invocation-jobs$/, jobs.listJobs],
  ['POST', '/model-invocation-job/{id}/stop', /^\/model-invocation-job\/(.+)\/stop$/, jobs.stopJob],
  ['POST', '/model/{id}/converse', /^\/model\/([^/]+)\/converse$/, now.converse],
  ['POST', '/model/{id}/invoke', /^\/model\/([^/]+)\/invoke$/, now.invoke],
  ['GET', '/model-invocation-job/{id}', /^\/model-invocation-job\/(.+)$/, jobs.getJob],
];
const SIGNATURE =
  'The request signature we calculated does not match the signature you provided. Check your ' +
  'AWS Secret Access Key and signing method. Consult the service documentation for details.';
const REFUSALS = {
  missing: () => ['MissingAuthenticationTokenException', 'Missing Authentication Token'],
  malformed: ({ reason }) => [
    'IncompleteSignatureException',
    `Authorization header is malformed: ${reason}.`,
  ],
  key: () => [
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
  ],
  token: () => [
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
  ],
  expired: () => ['ExpiredTokenException', 'The security token included in the request is expired'],
  region: () => ['InvalidSignatureException', 'Credential should be scoped to a valid region.'],
  service: () => [
    'InvalidSignatureException',
    "Credential should be scoped to correct service: 'bedrock'.",
  ],
  skew: ({ date, late }) => [
    'InvalidSignatureException',
    late
      ? `Signature expired: ${date} is now earlier than the allowed time (5 min.)`
      : `Signature not yet current: ${date} is still later than the allowed time (5 min.)`,
  ],
  unsigned: () => ['InvalidSignatureException', SIGNATURE],
  signature: () => ['InvalidSignatureException', SIGNATURE],
};

class State {
  constructor(sim) {
    this.sim = sim;
    this.jobs = new Map();
    this.ids = 0;
    this.clear();
  }

  clear() {
    for (const job of this.jobs.values()) job.forgotten = true;
    Object.assign(this, { jobs: new Map(), attempts: new Map(), cache: new PromptCache(this.sim) });
  }

  // Of this account in this region, oldest first.
  all({ account, region }) {
    return [...this.jobs.values()].filter(
      (job) => job.account === account && job.region === region,
    );
  }

  jobId() {
    return crypto.randomBytes(9).toString('hex').slice(0, 12);
  }

  newId(prefix, length) {
    return `${prefix}bdrk_${(++this.ids).toString(16).padStart(length - 5, '0')}`;
  }
}

function createBedrock(sim) {
  const state = new State(sim);
  return {
    name: 'bedrock',
    owns: (path, { authorization = '' }) =>
      /^\/model-invocation-jobs?(\/|$)/.test(path) ||
      /^\/model\/[^/]+\/(converse|invoke)$/.test(path) ||
      /\/bedrock\/aws4_request/.test(authorization),
    handle: (ctx) => handle(ctx, state),
    errorReply: (status, code) => dressed(usualError(status, code)),
    batches: () => [...state.jobs.values()].map(jobs.ledgerBatch),
    files: () => [],
    reset: () => state.clear(),
  };
}

const dressed = (reply) => ({
  ...reply,
  headers: { 'x-amzn-RequestId': crypto.randomUUID(), ...reply.headers },
});

async function handle(ctx, state) {
  ctx.state = state;
  try {
    return dressed(await route(ctx));
  } catch (error) {
    if (error instanceof Refusal) error.reply = dressed(error.reply);
    throw error;
  }
}

async function route(ctx) {
  await authenticate(ctx);
  const found = ROUTES.find(([method, , regex]) => method === ctx.method && regex.test(ctx.path));
  if (!found) refuse(404, 'UnknownOperationException', 'Unknown operation');
  ctx.sim.log.count(`${found[0]} ${found[1]}`);
  ctx.id = decodeURIComponent(found[2].exec(ctx.path)[1] || '');
  return found[3](ctx);
}

// Sets ctx.account, ctx.region and ctx.need(action).
async function authenticate(ctx) {
  const { config } = ctx.sim;
  const { authorization, host = '' } = ctx.req.headers;
  ctx.text = await readText(ctx);
  const named = (/^bedrock(?:-runtime)?(?:-fips)?\.([a-z0-9-]+)\./.exec(host) || [])[1];
  const bearer = (/^Bearer (\S+)$/.exec(authorization || '') || [])[1];
  if (bearer !== undefined && !config.bedrock_api_keys.includes(bearer))
    refuse(
      403,
      'AccessDeniedException',
      'Authentication failed: Please make sure your API Key is valid.',
    );
  const who =
    bearer === undefined
      ? signer(ctx, named)
      : { credential: {}, region: named || config.aws_regions[0] };
  const account = who.credential.account || config.aws_account;
  Object.assign(ctx, {
    account,
    region: who.region,
    need: (action) => {
      if ((who.credential.deny || []).includes(action))
        refuse(
          403,
          'AccessDeniedException',
          `User: arn:aws:iam::${account}:user/sim is not authorized to perform: ${action} ` +
            `because no identity-based policy allows the ${action} action`,
        );
    },
  });
}

function signer(ctx, region) {
  const { config } = ctx.sim;
  const payloadHash = sha256(ctx.text || '');
  const announced = ctx.req.headers['x-amz-content-sha256'];
  try {
    if (announced !== undefined && announced !== payloadHash) throw new AuthError('signature');
    return verify(
      { method: ctx.method, url: ctx.req.url, rawHeaders: ctx.req.rawHeaders },
      {
        service: 'bedrock',
        regions: region ? [region] : config.aws_regions,
        payloadHash,
        credentials: ctx.sim.aws.credentials(),
        now: ctx.sim.aws.now(),
        skewMs: SKEW_MS,
      },
    );
  } catch (error) {
    if (error instanceof AuthError) refuse(403, ...REFUSALS[error.kind](error.detail));
    throw error;
  }
}

module.exports = { createBedrock };
