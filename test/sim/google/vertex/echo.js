'use strict';
// How a line's request comes back in its result: not as the bytes that were sent. Each way is a
// pure function of the value.

const { camel, isObject } = require('../params');

// What stands below these is the user's, not the API's: names there stay as they are.
const OPAQUE = new Set([
  'labels',
  'responseSchema',
  'response_schema',
  'responseJsonSchema',
  'response_json_schema',
  'args',
  'parametersJsonSchema',
]);
const NULLS = {
  parts: ['fileData', 'inlineData', 'functionCall'],
  request: ['tools', 'toolConfig', 'safetySettings'],
};

function walk(value, change, name = '') {
  if (Array.isArray(value)) return value.map((one) => walk(one, change, name));
  if (!isObject(value)) return change(value, name);
  return change(
    Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, walk(inner, change, key)]),
    ),
    name,
  );
}

const sorted = (value) =>
  isObject(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? 1 : -1)))
    : value;
const widened = (value) =>
  typeof value === 'number' && !Number.isInteger(value) ? Math.fround(value) : value;

function nulls(value, name) {
  if (!isObject(value) || !(name in NULLS)) return value;
  return {
    ...Object.fromEntries(NULLS[name].filter((key) => !(key in value)).map((key) => [key, null])),
    ...value,
  };
}

function camelled(value) {
  if (Array.isArray(value)) return value.map(camelled);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      camel(key),
      OPAQUE.has(key) ? inner : camelled(inner),
    ]),
  );
}

function withoutLabels(value) {
  if (!isObject(value)) return value;
  const { labels, ...rest } = value;
  return rest;
}

const WAYS = {
  reordered: (request) => walk(request, sorted),
  nulls: (request) => walk(request, nulls, 'request'),
  camel: camelled,
  floats: (request) => walk(request, widened),
  no_labels: withoutLabels,
};

// The ways of the list, one after another; names that are not of requests (no_key, key) are the
// caller's.
const echo = (request, ways) =>
  ways.reduce((value, way) => (WAYS[way] ? WAYS[way](value) : value), request);

// Throws an Error that names a way there is none of.
function checkWays(ways) {
  const bad = ways.find((way) => !(way in WAYS) && !['key', 'no_key'].includes(way));
  if (bad !== undefined) throw new Error(`unknown way "${bad}" in vertex_echo`);
}

module.exports = { echo, checkWays };
