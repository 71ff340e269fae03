'use strict';
// Checks shared by the endpoints: keys, paging, expiry, metadata. Each throws a refusal in OpenAI's
// words.

const { readText } = require('../server');
const { refuse, missing, invalid } = require('./errors');

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);
const typeName = (v) =>
  v === null
    ? 'null'
    : Array.isArray(v)
      ? 'an array'
      : typeof v === 'object'
        ? 'an object'
        : Number.isInteger(v)
          ? 'an integer'
          : `a ${typeof v}`;

// The body of a JSON call as an object.
async function readJson(ctx) {
  const type = ctx.req.headers['content-type'] || '';
  if (!/^application\/json\s*(;.*)?$/i.test(type)) {
    refuse(
      415,
      `Unsupported content type: '${type}'. This API method only accepts 'application/json' ` +
        `requests, but you specified the header 'Content-Type: ${type}'. Please try again with a ` +
        'supported content type.',
      { code: 'unsupported_content_type' },
    );
  }
  const text = await readText(ctx);
  if (text === null) refuse(413, 'Request body too large.');
  const body = parse(text);
  if (!isObject(body))
    refuse(
      400,
      "We could not parse the JSON body of your request. (HINT: This likely means you aren't " +
        'using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was ' +
        'sent was not valid JSON.)',
    );
  return body;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function onlyKeys(object, known, prefix = '') {
  const bad = Object.keys(object).find((key) => !known.includes(key));
  if (bad !== undefined)
    invalid(prefix + bad, `Unknown parameter: '${prefix}${bad}'.`, 'unknown_parameter');
}

function onlyQuery(ctx, known) {
  const bad = [...ctx.query.keys()].find((key) => !known.includes(key));
  if (bad !== undefined) invalid(bad, `Unknown query parameter: '${bad}'.`, 'unknown_parameter');
}

// `all` newest first or as asked; returns OpenAI's list object.
function page(ctx, all, { max, byDefault }, shape) {
  const limit = readLimit(ctx.query.get('limit'), max, byDefault);
  const after = ctx.query.get('after');
  const from = after === null ? 0 : all.findIndex((item) => item.id === after) + 1;
  if (after !== null && from === 0) invalid('after', `No such object: '${after}'.`, null);
  const data = all.slice(from, from + limit);
  return {
    object: 'list',
    data: data.map(shape),
    first_id: data.length ? data[0].id : null,
    last_id: data.length ? data[data.length - 1].id : null,
    has_more: from + limit < all.length,
  };
}

function readLimit(text, max, byDefault) {
  if (text === null) return byDefault;
  if (!/^-?\d+$/.test(text))
    invalid(
      'limit',
      `Invalid 'limit': expected an integer, but got '${text}' instead.`,
      'invalid_type',
    );
  const n = Number(text);
  if (n < 1)
    invalid(
      'limit',
      `Invalid 'limit': integer below minimum value. Expected a value >= 1, but got ${n} instead.`,
      'integer_below_min_value',
    );
  if (n > max)
    invalid(
      'limit',
      `Invalid 'limit': integer above maximum value. Expected a value <= ${max}, but got ${n} ` +
        'instead.',
      'integer_above_max_value',
    );
  return n;
}

// {anchor, seconds} -> seconds, or null if not given.
function readExpiry(value, name, [least, most]) {
  if (value === undefined || value === null) return null;
  if (!isObject(value))
    invalid(
      name,
      `Invalid type for '${name}': expected an object, but got ${typeName(value)} instead.`,
      'invalid_type',
    );
  onlyKeys(value, ['anchor', 'seconds'], `${name}.`);
  if (value.anchor === undefined) missing(`${name}.anchor`);
  if (value.seconds === undefined) missing(`${name}.seconds`);
  if (value.anchor !== 'created_at')
    invalid(
      `${name}.anchor`,
      `Invalid value: '${value.anchor}'. Supported values are: 'created_at'.`,
    );
  if (!Number.isInteger(value.seconds))
    invalid(
      `${name}.seconds`,
      `Invalid type for '${name}.seconds': expected an integer, but got ` +
        `${typeName(value.seconds)} instead.`,
      'invalid_type',
    );
  if (value.seconds < least || value.seconds > most)
    invalid(
      `${name}.seconds`,
      `Invalid '${name}.seconds': expected a value between ${least} and ${most}, but got ` +
        `${value.seconds} instead.`,
    );
  return value.seconds;
}

function checkMetadata(metadata) {
  if (metadata === undefined || metadata === null) return;
  if (!isObject(metadata))
    invalid(
      'metadata',
      `Invalid type for 'metadata': expected an object, but got ${typeName(metadata)} instead.`,
      'invalid_type',
    );
  const pairs = Object.entries(metadata);
  if (pairs.length > 16)
    invalid(
      'metadata',
      "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, " +
        `but got an object with ${pairs.length} properties instead.`,
      'object_above_max_properties',
    );
  for (const [key, value] of pairs) {
    if ([...key].length > 64)
      invalid(
        'metadata',
        "Invalid 'metadata': property name too long. Expected a property name with maximum " +
          'length 64.',
        'property_name_above_max_length',
      );
    if (typeof value !== 'string')
      invalid(
        `metadata.${key}`,
        `Invalid type for 'metadata.${key}': expected a string, but got ${typeName(value)} ` +
          'instead.',
        'invalid_type',
      );
    if ([...value].length > 512)
      invalid(
        `metadata.${key}`,
        `Invalid 'metadata.${key}': string too long. Expected a string with maximum length 512.`,
        'string_above_max_length',
      );
  }
}

module.exports = {
  isObject,
  typeName,
  readJson,
  onlyKeys,
  onlyQuery,
  page,
  readExpiry,
  checkMetadata,
};
