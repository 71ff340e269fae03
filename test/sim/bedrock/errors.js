'use strict';
// Bedrock's error shape: the type in a header, the message in the body.

const { Refusal } = require('../server');

const USUAL = {
  400: ['ValidationException', 'The request is invalid.'],
  403: ['AccessDeniedException', "You don't have sufficient access to perform this action."],
  404: ['ResourceNotFoundException', 'The specified resource was not found.'],
  409: ['ConflictException', 'The request conflicts with the state of the resource.'],
  429: ['ThrottlingException', 'Too many requests, please wait before trying again.'],
  500: ['InternalServerException', 'The server encountered an error processing your request.'],
  503: ['ServiceUnavailableException', 'The service is temporarily unable to handle the request.'],
};

const errorReply = (status, type, message) => ({
  status,
  json: { message },
  headers: { 'x-amzn-ErrorType': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` },
});

function usualError(status, code) {
  const [type, message] = USUAL[status] || USUAL[status >= 500 ? 500 : 400];
  return errorReply(status, code || type, message);
}

function refuse(status, type, message) {
  throw new Refusal(errorReply(status, type, message));
}

const invalid = (message) => refuse(400, 'ValidationException', message);

module.exports = { usualError, refuse, invalid };
