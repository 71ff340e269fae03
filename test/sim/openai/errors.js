'use strict';
// OpenAI's error shape and the texts of common statuses.

const { Refusal } = require('../server');

const DEFAULTS = {
  400: ['invalid_request_error', null, 'The request is invalid.'],
  401: ['invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.'],
  403: [
    'invalid_request_error',
    'unsupported_country_region_territory',
    'Country, region, or territory not supported',
  ],
  404: ['invalid_request_error', null, 'The requested resource does not exist.'],
  408: ['timeout', 'request_timeout', 'Request timed out.'],
  409: ['invalid_request_error', null, 'The request conflicts with the state of the resource.'],
  422: ['invalid_request_error', 'invalid_value', 'The request could not be processed.'],
  429: [
    'requests',
    'rate_limit_exceeded',
    'Rate limit reached for requests. Please try again in 1s.',
  ],
  500: [
    'server_error',
    null,
    'The server had an error while processing your request. Sorry about that!',
  ],
  502: ['server_error', null, 'Bad gateway.'],
  503: [
    'service_unavailable_error',
    'server_is_overloaded',
    'The server is currently overloaded. Please try again later.',
  ],
};
const QUOTA = [
  'insufficient_quota',
  'credit_balance_exhausted',
  'organization_spend_limit_exceeded',
  'project_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
];

const errorOf = (message, { type = 'invalid_request_error', param = null, code = null } = {}) => ({
  error: { message, type, param, code },
});

// The usual body of a status; `code` replaces the usual code.
function usualError(status, code) {
  const [type, usual, message] = DEFAULTS[status] || DEFAULTS[status >= 500 ? 500 : 400];
  if (QUOTA.includes(code))
    return errorOf('You exceeded your current quota, please check your plan and billing details.', {
      type: 'insufficient_quota',
      code,
    });
  return errorOf(message, { type, code: code || usual });
}

// Throws the refusal.
function refuse(status, message, { headers, ...detail } = {}) {
  throw new Refusal({ status, json: errorOf(message, detail), headers });
}

const missing = (param) =>
  refuse(400, `Missing required parameter: '${param}'.`, {
    param,
    code: 'missing_required_parameter',
  });
const invalid = (param, message, code = 'invalid_value') => refuse(400, message, { param, code });

module.exports = { errorOf, usualError, refuse, missing, invalid };
