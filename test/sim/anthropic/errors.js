'use strict';
// Anthropic's error shape and the texts of common statuses. request_id is filled in where the reply
// leaves (index.js).

const { Refusal } = require('../server');

const USUAL = {
  400: ['invalid_request_error', 'The request is invalid.'],
  401: ['authentication_error', 'invalid x-api-key'],
  402: ['billing_error', 'There is a problem with your billing.'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'Not found'],
  409: ['conflict_error', 'The request conflicts with the state of the resource.'],
  413: ['request_too_large', 'Request exceeds the maximum size'],
  429: ['rate_limit_error', 'This request would exceed the rate limit of your organization.'],
  500: ['api_error', 'Internal server error'],
  504: ['timeout_error', 'Request timed out.'],
  529: ['overloaded_error', 'Overloaded'],
};
const TYPES = new Set(Object.values(USUAL).map(([type]) => type));

const usual = (status) => USUAL[status] || USUAL[status >= 500 ? 500 : 400];

// code: error.details.error_code, left out where there is none.
const errorOf = (status, message, code) => ({
  type: 'error',
  error: { type: usual(status)[0], message, ...(code ? { details: { error_code: code } } : {}) },
  request_id: null,
});

// The usual body of a status; `code` is a type in place of the usual one, or an error_code.
function usualError(status, code) {
  const [type, message] = usual(status);
  if (!TYPES.has(code)) return errorOf(status, message, code);
  return { type: 'error', error: { type: code || type, message }, request_id: null };
}

// Throws the refusal.
function refuse(status, message, code) {
  throw new Refusal({ status, json: errorOf(status, message, code) });
}

const invalid = (message) => refuse(400, message);

// What answers before the API itself is reached: no JSON and no request-id.
function refuseInFront(status, title) {
  const text =
    `<html>\r\n<head><title>${status} ${title}</title></head>\r\n<body>\r\n<center>` +
    `<h1>${status} ${title}</h1></center>\r\n<hr><center>cloudflare</center>\r\n` +
    `</body>\r\n</html>\r\n`;
  throw new Refusal({
    status,
    text,
    front: true,
    headers: { 'Content-Type': 'text/html', Server: 'cloudflare' },
  });
}

module.exports = { errorOf, usualError, refuse, invalid, refuseInFront };
