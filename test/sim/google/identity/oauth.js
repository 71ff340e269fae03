'use strict';
// The token endpoints: oauth2.googleapis.com/token for service accounts (a signed assertion) and
// users (a refresh token), and sts.googleapis.com/v1/token for what another identity provider
// signed.

const { readText, Refusal } = require('../../server');
const { verify, JwtError } = require('./jwt');
const { baseOf } = require('../service');

const SCOPE = /^(https:\/\/www\.googleapis\.com\/auth\/[a-z._-]+|openid|email|profile)$/;
const AUDIENCES = [
  'https://oauth2.googleapis.com/token',
  'https://www.googleapis.com/oauth2/v4/token',
  'https://accounts.google.com/o/oauth2/token',
];
const URN = 'urn:ietf:params:oauth';
const JWT_BEARER = `${URN}:grant-type:jwt-bearer`;
const NO_CACHE = { 'Cache-Control': 'no-cache, no-store, max-age=0, must-revalidate' };

const GRANTS = { [JWT_BEARER]: assertion, refresh_token: refresh };
const REASONS = {
  malformed: 'Invalid JWT: the assertion could not be parsed.',
  account: 'Invalid grant: account not found',
  disabled: 'Invalid grant: account is disabled',
  signature: 'Invalid JWT Signature.',
  audience: 'Invalid JWT: Failed audience check.',
  time:
    'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable ' +
    'timeframe. Check your iat and exp values in the JWT claim.',
};

const errorReply = (status, error, words) => ({
  status,
  json: { error, ...(words ? { error_description: words } : {}) },
  headers: NO_CACHE,
});

function usualError(status, code) {
  if (status >= 500) return errorReply(status, code || 'internal_failure', 'Backend Error');
  if (status === 429)
    return errorReply(status, code || 'rate_limit_exceeded', 'Rate limit exceeded.');
  return errorReply(status, code || 'invalid_grant', 'Bad Request');
}

function refuse(status, error, words) {
  throw new Refusal(errorReply(status, error, words));
}

// The fields of the form, each once. No secret stays in the log.
async function readForm(ctx) {
  const type = ctx.req.headers['content-type'] || '';
  const text = await readText(ctx);
  ctx.log.body = '...';
  if (!/^application\/x-www-form-urlencoded\s*(;.*)?$/i.test(type))
    refuse(400, 'invalid_request', 'The content type must be application/x-www-form-urlencoded.');
  const form = new URLSearchParams(text || '');
  const twice = [...form.keys()].find((key, i, all) => all.indexOf(key) !== i);
  if (twice !== undefined)
    refuse(400, 'invalid_request', `OAuth 2 parameters can only have a single value: ${twice}`);
  return form;
}

const need = (form, name) =>
  form.get(name) || refuse(400, 'invalid_request', `Missing required parameter: ${name}`);
const scopesOf = (text) => text.split(' ').filter(Boolean);

// POST /token
async function token(ctx) {
  const form = await readForm(ctx);
  const kind = need(form, 'grant_type');
  const grant = Object.hasOwn(GRANTS, kind)
    ? GRANTS[kind]
    : refuse(400, 'unsupported_grant_type', `Invalid grant_type: ${kind}`);
  return { json: grant(ctx, form), headers: NO_CACHE };
}

function assertion(ctx, form) {
  const { sim } = ctx;
  const { claims, who } = claimsOf(ctx, need(form, 'assertion'));
  if (claims.sub !== undefined && claims.sub !== claims.iss)
    refuse(
      401,
      'unauthorized_client',
      'Client is unauthorized to retrieve access tokens using this method, or client not ' +
        'authorized for any of the scopes requested.',
    );
  const scopes = scopesOf(typeof claims.scope === 'string' ? claims.scope : '');
  if (!scopes.length || scopes.some((scope) => !SCOPE.test(scope)))
    refuse(400, 'invalid_scope', 'Invalid OAuth scope or ID token audience provided.');
  return sim.google.issue(who, scopes, sim.config.google_token_seconds);
}

function claimsOf(ctx, text) {
  try {
    return verify(ctx.sim, text, [...AUDIENCES, `${baseOf(ctx)}/token`]);
  } catch (error) {
    if (error instanceof JwtError) return refuse(400, 'invalid_grant', REASONS[error.message]);
    throw error;
  }
}

// A user's own credentials, as gcloud leaves them behind.
function refresh(ctx, form) {
  const { google_users: users, google_token_seconds: seconds } = ctx.sim.config;
  const [id, secret, value] = ['client_id', 'client_secret', 'refresh_token'].map((name) =>
    need(form, name),
  );
  const client = Object.hasOwn(users, id)
    ? users[id]
    : refuse(401, 'invalid_client', 'The OAuth client was not found.');
  if (client.secret !== secret) refuse(401, 'invalid_client', 'Unauthorized');
  const user = Object.hasOwn(client.refresh_tokens, value)
    ? client.refresh_tokens[value]
    : refuse(400, 'invalid_grant', 'Bad Request');
  if (user.revoked) refuse(400, 'invalid_grant', 'Token has been expired or revoked.');
  const scopes = form.get('scope')
    ? scopesOf(form.get('scope'))
    : ['https://www.googleapis.com/auth/cloud-platform'];
  const who = {
    email: user.email,
    projects: user.projects || [Object.keys(ctx.sim.config.google_projects)[0]],
    deny: user.deny || [],
  };
  return { ...ctx.sim.google.issue(who, scopes, seconds), scope: scopes.join(' ') };
}

// POST /v1/token: workload identity federation
async function exchange(ctx) {
  const { sim } = ctx;
  const form = await readForm(ctx);
  const [kind, audience, subject, type] = [
    'grant_type',
    'audience',
    'subject_token',
    'subject_token_type',
  ].map((name) => need(form, name));
  if (kind !== `${URN}:grant-type:token-exchange`)
    refuse(400, 'unsupported_grant_type', `Invalid grant_type: ${kind}`);
  if (![null, `${URN}:token-type:access_token`].includes(form.get('requested_token_type')))
    refuse(400, 'invalid_request', 'Invalid value for "requested_token_type".');
  if (!audience.startsWith('//iam.googleapis.com/'))
    refuse(
      400,
      'invalid_request',
      'Invalid value for "audience". This value should be the full resource name of the Identity ' +
        'Provider.',
    );
  const pools = sim.config.google_workload_pools;
  const pool = Object.hasOwn(pools, audience)
    ? pools[audience]
    : refuse(
        400,
        'invalid_target',
        'The target service indicated by the "audience" parameters is invalid. This might either ' +
          "be because the pool or provider is disabled or deleted or because it doesn't exist.",
      );
  const known = Object.hasOwn(pool.subject_tokens, subject) ? pool.subject_tokens[subject] : null;
  if (!known || ![`${URN}:token-type:jwt`, `${URN}:token-type:id_token`].includes(type))
    refuse(400, 'invalid_grant', 'The credential could not be verified by the identity provider.');
  if (known.expires && Date.now() >= Date.parse(known.expires))
    refuse(400, 'invalid_grant', 'ID Token is stale to sign-in.');
  const who = {
    email: `principal:${audience}/subject/${known.subject}`,
    projects: known.projects || [],
    deny: known.deny || [],
    impersonates: known.impersonates || [],
  };
  const { access_token, expires_in, token_type } = sim.google.issue(
    who,
    scopesOf(form.get('scope') || ''),
    sim.config.google_token_seconds,
  );
  return {
    json: {
      access_token,
      issued_token_type: `${URN}:token-type:access_token`,
      token_type,
      expires_in,
    },
    headers: NO_CACHE,
  };
}

module.exports = { token, exchange, usualError };
