'use strict';
// The error shape of the JSON API of Cloud Storage. Downloads are refused in plain text.

const { Refusal } = require('../../server');

const USUAL = {
  400: ['invalid', 'Invalid argument.'],
  401: ['authError', 'Invalid Credentials'],
  403: ['forbidden', 'Forbidden'],
  404: ['notFound', 'Not Found'],
  408: ['requestTimeout', 'Request Timeout'],
  409: ['conflict', 'Conflict'],
  410: ['gone', 'Gone'],
  412: ['conditionNotMet', 'At least one of the pre-conditions you specified did not hold.'],
  416: ['requestedRangeNotSatisfiable', 'The requested range cannot be satisfied.'],
  429: [
    'rateLimitExceeded',
    'The project exceeded the rate limit for creating and deleting buckets.',
  ],
  500: ['internalError', 'We encountered an internal error. Please try again.'],
  502: ['backendError', 'Backend Error'],
  503: ['backendError', 'We encountered an internal error. Please try again.'],
  504: ['backendError', 'Gateway Timeout'],
};
const DOMAINS = {
  rateLimitExceeded: 'usageLimits',
  userRateLimitExceeded: 'usageLimits',
  quotaExceeded: 'usageLimits',
};

function errorReply(status, reason, message, where = {}) {
  const one = { message, domain: DOMAINS[reason] || 'global', reason, ...where };
  return { status, json: { error: { code: status, message, errors: [one] } } };
}

function usualError(status, code) {
  const [reason, message] = USUAL[status] || USUAL[status >= 500 ? 500 : 400];
  return errorReply(status, code || reason, message);
}

function refuse(status, message, reason = (USUAL[status] || USUAL[400])[0], where) {
  throw new Refusal(errorReply(status, reason, message, where));
}

const usually = (status) => {
  throw new Refusal(usualError(status));
};

// The refusal of a request for media: the message alone.
const plain = (reply) =>
  reply.json && reply.json.error
    ? {
        status: reply.status,
        text: reply.json.error.message,
        headers: { ...reply.headers, 'Content-Type': 'text/html; charset=UTF-8' },
      }
    : reply;

module.exports = { usualError, refuse, usually, plain };
