'use strict';
// iamcredentials.googleapis.com: a token of one principal for one of a service account.

const { readBody } = require('../params');
const { errorInfo, invalid, refuse, violation } = require('../errors');
const { CLOUD } = require('./tokens');
const { principalOf } = require('./access');
const { unauthenticated } = require('../bearer');

const PERMISSION = 'iam.serviceAccounts.getAccessToken';
const LONGEST = 3600;

// POST /v1/projects/-/serviceAccounts/{email}:generateAccessToken
async function generateAccessToken(ctx) {
  const caller = ctx.sim.google.check(ctx.req.headers, 'iamcredentials.googleapis.com', [
    CLOUD,
    'https://www.googleapis.com/auth/iam',
  ]);
  if (caller.problem) unauthenticated(ctx, caller.problem, 'iamcredentials.googleapis.com');
  const body = await readBody(ctx, ['scope', 'lifetime', 'delegates']);
  const { email } = ctx.params;
  const who = principalOf(ctx.sim, email);
  if (!who || !(caller.who.impersonates || []).includes(email)) {
    refuse(403, `Permission '${PERMISSION}' denied on resource (or it may not exist).`, {
      details: [
        errorInfo('IAM_PERMISSION_DENIED', { permission: PERMISSION }, 'iam.googleapis.com'),
      ],
    });
  }
  if (
    !Array.isArray(body.scope) ||
    !body.scope.length ||
    body.scope.some((s) => typeof s !== 'string')
  )
    invalid('Scope is required.', [violation('scope', 'Scope is required.')]);
  const seconds = lifetimeOf(body.lifetime === undefined ? `${LONGEST}s` : body.lifetime);
  const { access_token: accessToken } = ctx.sim.google.issue(who, body.scope, seconds);
  return {
    json: {
      accessToken,
      expireTime: new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+/, ''),
    },
  };
}

function lifetimeOf(text) {
  const found = /^(\d+(?:\.\d+)?)s$/.exec(text);
  if (!found || Number(found[1]) <= 0)
    invalid(
      `Invalid value at 'lifetime' (type.googleapis.com/google.protobuf.Duration), "${text}"`,
    );
  if (Number(found[1]) > LONGEST) invalid(`The lifetime must be at most ${LONGEST} seconds.`);
  return Number(found[1]);
}

module.exports = { generateAccessToken };
