'use strict';
// Entra ID, as far as a client's secret buys a token: POST /{tenant}/oauth2/v2.0/token. Also under
// the prefix /entra.

const crypto = require('crypto');
const { readText, Refusal } = require('../server');

const PATH = /^(?:\/entra)?\/([^/]+)\/oauth2\/v2\.0\/token$/;
const SCOPES = ['https://cognitiveservices.azure.com/.default', 'https://ai.azure.com/.default'];
const FIELDS = ['client_id', 'client_secret', 'grant_type', 'scope'];

function refuse(status, error, code, words) {
  const stamp = new Date().toISOString().replace('T', ' ');
  throw new Refusal({
    status,
    headers: { 'Cache-Control': 'no-store' },
    json: {
      error,
      error_description:
        `AADSTS${code}: ${words} Trace ID: 00000000-0000-0000-0000-000000000000 ` +
        `Timestamp: ${stamp}`,
      error_codes: [code],
      timestamp: stamp,
      trace_id: '00000000-0000-0000-0000-000000000000',
    },
  });
}

async function token(ctx, state) {
  if (ctx.method !== 'POST')
    refuse(405, 'invalid_request', 900561, 'The endpoint only accepts POST requests.');
  const type = ctx.req.headers['content-type'] || '';
  if (!/^application\/x-www-form-urlencoded\s*(;.*)?$/i.test(type))
    refuse(
      400,
      'invalid_request',
      900144,
      "The request body must contain the following parameter: 'grant_type'.",
    );
  const form = new URLSearchParams(await readText(ctx));
  ctx.log.body = '...';
  const client = clientOf(ctx, form);
  const random = (bytes) => crypto.randomBytes(bytes).toString('base64url');
  const value = `eyJ0eXAiOiJKV1QifQ.${random(600)}.${random(32)}`;
  const life = ctx.sim.config.azure_token_seconds;
  state.tokens.set(value, {
    until: Date.now() + life * 1000,
    project: client.project || 'default',
  });
  return {
    json: {
      token_type: 'Bearer',
      expires_in: Math.floor(life),
      ext_expires_in: Math.floor(life),
      access_token: value,
    },
    headers: { 'Cache-Control': 'no-store' },
  };
}

// The client that the form names and proves, or a refusal.
function clientOf(ctx, form) {
  const missing = FIELDS.find((name) => !form.get(name));
  if (missing)
    refuse(
      400,
      'invalid_request',
      900144,
      `The request body must contain the following parameter: '${missing}'.`,
    );
  const extra = [...form.keys()].find((name) => !FIELDS.includes(name));
  if (extra)
    refuse(
      400,
      'invalid_request',
      9002313,
      `Invalid request. Request is malformed or invalid: ${extra}.`,
    );
  if (form.get('grant_type') !== 'client_credentials')
    refuse(
      400,
      'unsupported_grant_type',
      70003,
      `The app requested an unsupported grant type '${form.get('grant_type')}'.`,
    );
  const tenant = decodeURIComponent(PATH.exec(ctx.path)[1]);
  const clients = Object.entries(ctx.sim.config.azure_clients);
  if (!clients.some(([, c]) => c.tenant === tenant))
    refuse(
      400,
      'invalid_request',
      90002,
      `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are ` +
        'signing into the correct cloud.',
    );
  const found = clients.find(([id, c]) => id === form.get('client_id') && c.tenant === tenant);
  if (!found)
    refuse(
      400,
      'unauthorized_client',
      700016,
      `Application with identifier '${form.get('client_id')}' was not found in the directory ` +
        `'${tenant}'.`,
    );
  if (found[1].secret !== form.get('client_secret'))
    refuse(
      401,
      'invalid_client',
      7000215,
      'Invalid client secret provided. Ensure the secret being sent in the request is the client ' +
        'secret value, not the client secret ID.',
    );
  if (!SCOPES.includes(form.get('scope')))
    refuse(
      400,
      'invalid_scope',
      1002012,
      `The provided value for scope ${form.get('scope')} is not valid.`,
    );
  return found[1];
}

module.exports = { PATH, token };
