'use strict';
// How the rules of a body say what is wrong: an exception with OpenAI's error in it.

const { errorOf } = require('./errors');
const { typeName } = require('./params');

class Bad extends Error {
  constructor(param, message, code, status = 400) {
    super(message);
    this.reply = { status, body: errorOf(message, { param, code }) };
  }
}

const bad = (param, message, code = 'invalid_value') => {
  throw new Bad(param, message, code);
};
const badType = (param, wanted, got) =>
  bad(
    param,
    `Invalid type for '${param}': expected ${wanted}, but got ${typeName(got)} instead.`,
    'invalid_type',
  );

function checked(check, body, model) {
  try {
    check(body, model);
    return null;
  } catch (error) {
    if (error instanceof Bad) return error.reply;
    throw error;
  }
}

function unknownKeys(body, known) {
  const key = Object.keys(body).find((k) => !known.has(k));
  if (key !== undefined) bad(key, `Unknown parameter: '${key}'.`, 'unknown_parameter');
}

function checkNumber(body, key, low, high, integer) {
  const v = body[key];
  if (v === undefined || v === null) return;
  if (typeof v !== 'number' || (integer && !Number.isInteger(v)))
    badType(key, integer ? 'an integer' : 'a decimal', v);
  const kind = integer ? 'integer' : 'decimal';
  if (v < low)
    bad(
      key,
      `Invalid '${key}': ${kind} below minimum value. Expected a value >= ${low}, but got ${v} ` +
        'instead.',
      `${kind}_below_min_value`,
    );
  if (v > high)
    bad(
      key,
      `Invalid '${key}': ${kind} above maximum value. Expected a value <= ${high}, but got ${v} ` +
        'instead.',
      `${kind}_above_max_value`,
    );
}

module.exports = { bad, badType, checked, unknownKeys, checkNumber };
