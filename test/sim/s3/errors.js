'use strict';
// S3's error shape and texts.

const { Refusal } = require('../server');
const { document } = require('./xml');

const USUAL = {
  301: [
    'PermanentRedirect',
    'The bucket you are attempting to access must be addressed using the specified endpoint. ' +
      'Please send all future requests to this endpoint.',
  ],
  307: [
    'TemporaryRedirect',
    'Please re-send this request to the specified temporary endpoint. Continue to use the ' +
      'original request endpoint for future requests.',
  ],
  400: ['InvalidRequest', 'The request is invalid.'],
  403: ['AccessDenied', 'Access Denied'],
  404: ['NoSuchKey', 'The specified key does not exist.'],
  405: ['MethodNotAllowed', 'The specified method is not allowed against this resource.'],
  408: [
    'RequestTimeout',
    'Your socket connection to the server was not read from or written to within the timeout ' +
      'period. Idle connections will be closed.',
  ],
  409: [
    'OperationAborted',
    'A conflicting conditional operation is currently in progress against this resource. Please ' +
      'try again.',
  ],
  412: ['PreconditionFailed', 'At least one of the pre-conditions you specified did not hold'],
  416: ['InvalidRange', 'The requested range is not satisfiable'],
  500: ['InternalError', 'We encountered an internal error. Please try again.'],
  501: ['NotImplemented', 'A header you provided implies functionality that is not implemented'],
  503: ['SlowDown', 'Please reduce your request rate.'],
};

// more: further elements; headers: of the reply. The request id is filled in where the reply leaves
// (index.js).
const errorReply = (status, code, message, more = {}, headers = {}) => ({
  status,
  error: { Code: code, Message: message, ...more },
  headers,
});

function usualError(status, code) {
  const [usual, message] = USUAL[status] || USUAL[status >= 500 ? 500 : 400];
  return errorReply(status, code || usual, message);
}

function refuse(status, code, message, more, headers) {
  throw new Refusal(errorReply(status, code, message, more, headers));
}

const usually = (status) => {
  throw new Refusal(usualError(status));
};

const rendered = (error, ids) => document('Error', { ...error, ...ids }, '');

module.exports = { usualError, refuse, usually, rendered };
