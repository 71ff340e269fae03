'use strict';
// How Google's newer APIs refuse who asks: no token, a bad one, an old one, one without the scope;
// and who may not.

const { errorInfo, refuse } = require('./errors');

const LOGIN =
  'Expected OAuth 2 access token, login cookie or other valid authentication credential. See ' +
  'https://developers.google.com/identity/sign-in/web/devconsole-project.';
const PROBLEMS = {
  missing: [
    401,
    `Request is missing required authentication credential. ${LOGIN}`,
    'CREDENTIALS_MISSING',
  ],
  invalid: [
    401,
    `Request had invalid authentication credentials. ${LOGIN}`,
    'ACCESS_TOKEN_TYPE_UNSUPPORTED',
  ],
  expired: [
    401,
    `Request had invalid authentication credentials. ${LOGIN}`,
    'ACCESS_TOKEN_EXPIRED',
  ],
  scope: [
    403,
    'Request had insufficient authentication scopes.',
    'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
  ],
};

function unauthenticated(ctx, problem, service) {
  const [status, message, reason] = PROBLEMS[problem];
  refuse(status, message, {
    details: [errorInfo(reason, { service })],
    headers:
      status === 401 ? { 'WWW-Authenticate': 'Bearer realm="https://accounts.google.com/"' } : {},
  });
}

function forbidden(permission, resource) {
  refuse(
    403,
    `Permission '${permission}' denied on resource '//aiplatform.googleapis.com/${resource}' (or ` +
      'it may not exist).',
    {
      details: [
        errorInfo('IAM_PERMISSION_DENIED', { permission, resource }, 'aiplatform.googleapis.com'),
      ],
    },
  );
}

module.exports = { unauthenticated, forbidden };
