'use strict';
// The error shape of Google's newer APIs, google.rpc.Status in JSON, and the texts of common
// statuses.

const { Refusal } = require('../server');

const STATUSES = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  412: 'FAILED_PRECONDITION',
  416: 'OUT_OF_RANGE',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};
const MESSAGES = {
  INVALID_ARGUMENT: 'Request contains an invalid argument.',
  FAILED_PRECONDITION: 'Precondition check failed.',
  NOT_FOUND: 'Requested entity was not found.',
  UNAUTHENTICATED:
    'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie ' +
    'or other valid authentication credential. See ' +
    'https://developers.google.com/identity/sign-in/web/devconsole-project.',
  PERMISSION_DENIED: 'The caller does not have permission',
  ALREADY_EXISTS: 'Requested entity already exists',
  ABORTED: 'The operation was aborted.',
  CANCELLED: 'The operation was cancelled.',
  RESOURCE_EXHAUSTED:
    'Resource exhausted. Please try again later. Please refer to ' +
    'https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.',
  INTERNAL: 'Internal error encountered.',
  UNIMPLEMENTED: 'Operation is not implemented, or supported, or enabled.',
  UNAVAILABLE: 'The service is currently unavailable.',
  DEADLINE_EXCEEDED: 'Deadline expired before operation could complete.',
};
// Of google.rpc.Code, as job errors and result lines have them.
const CODES = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};

const statusOf = (http) => STATUSES[http] || (http >= 500 ? 'INTERNAL' : 'INVALID_ARGUMENT');
const errorInfo = (reason, metadata, domain = 'googleapis.com') => ({
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  reason,
  domain,
  ...(metadata ? { metadata } : {}),
});
const retryInfo = (retryDelay) => ({
  '@type': 'type.googleapis.com/google.rpc.RetryInfo',
  retryDelay,
});

function errorBody(http, message, { status = statusOf(http), details } = {}) {
  return {
    error: { code: http, message, status, ...(details && details.length ? { details } : {}) },
  };
}

// code: the name of a status in place of the usual one, or a reason.
function usualError(http, code, retryDelay) {
  const status = code in MESSAGES ? code : statusOf(http);
  const details = [
    ...(code && status !== code ? [errorInfo(code)] : []),
    ...([429, 503].includes(http) && retryDelay ? [retryInfo(retryDelay)] : []),
  ];
  return { status: http, json: errorBody(http, MESSAGES[status], { status, details }) };
}

// more: {status, details, headers}
function refuse(http, message, { headers, ...more } = {}) {
  throw new Refusal({ status: http, json: errorBody(http, message, more), headers });
}

const invalid = (message, details) => refuse(400, message, { details });
const violation = (field, description) => ({
  '@type': 'type.googleapis.com/google.rpc.BadRequest',
  fieldViolations: [{ ...(field ? { field } : {}), description }],
});

// A body that the service's JSON parser does not take.
function unknownName(name, at = '') {
  const message =
    'Invalid JSON payload received. Unknown name ' +
    `"${name}"${at ? ` at '${at}'` : ''}: Cannot find field.`;
  return invalid(message, [violation(at, message)]);
}

module.exports = {
  CODES,
  errorInfo,
  retryInfo,
  usualError,
  refuse,
  invalid,
  violation,
  unknownName,
};
