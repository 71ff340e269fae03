'use strict';
// Where tokens come from, as providers of the simulator: OAuth and STS, iamcredentials, the
// metadata server.

const { createService } = require('../service');
const { usualError } = require('../errors');
const { Tokens } = require('./tokens');
const oauth = require('./oauth');
const { generateAccessToken } = require('./impersonate');
const metadata = require('./metadata');

function createIdentity(sim) {
  const state = new Tokens(sim);
  sim.google = state;
  return [
    createService(sim, {
      name: 'google-oauth',
      owns: /^\/(v1\/)?token$/,
      state,
      errorReply: oauth.usualError,
      routes: [
        ['POST', '/token', oauth.token],
        ['POST', '/v1/token', oauth.exchange],
      ],
    }),
    createService(sim, {
      name: 'google-iam',
      owns: /^\/v1\/projects\/-\/serviceAccounts\//,
      state,
      errorReply: (status, code) => usualError(status, code, sim.config.google_retry_delay),
      routes: [
        ['POST', '/v1/projects/-/serviceAccounts/{email}:generateAccessToken', generateAccessToken],
      ],
    }),
    createService(sim, {
      name: 'google-metadata',
      owns: /^\/computeMetadata\//,
      state,
      errorReply: metadata.errorReply,
      headers: () => metadata.FLAVOR,
      absent: () => metadata.errorReply(404),
      authenticate: metadata.authenticate,
      routes: metadata.ROUTES,
    }),
  ];
}

module.exports = { createIdentity };
