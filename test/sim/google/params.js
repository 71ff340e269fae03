'use strict';
// What the services check of a request alike: JSON bodies, query, pages. Each throws a refusal in
// Google's words.

const { readText } = require('../server');
const { invalid, refuse, unknownName, violation } = require('./errors');

const COMMON = ['alt', 'fields', '$fields', 'prettyPrint', '$alt', 'key', 'quotaUser'];
const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);
const camel = (name) => name.replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase());

// The body as an object whose members are among the known ones; both spellings of a name are one.
async function readBody(ctx, known) {
  const text = await readText(ctx);
  if (text === null) refuse(400, 'Request payload size exceeds the limit: 33554432 bytes.');
  const type = ctx.req.headers['content-type'] || '';
  if (text && !/^application\/json\s*(;.*)?$/i.test(type))
    invalid(`Invalid content type: "${type}".`);
  return onlyKeys(parse(text || '{}'), known);
}

// The body as an object of any members.
async function readObject(ctx) {
  const text = await readText(ctx);
  if (text === null) refuse(400, 'Request payload size exceeds the limit: 33554432 bytes.');
  const type = ctx.req.headers['content-type'] || '';
  if (!/^application\/json\s*(;.*)?$/i.test(type)) invalid(`Invalid content type: "${type}".`);
  return parse(text || '{}');
}

function parse(text) {
  try {
    const body = JSON.parse(text);
    if (isObject(body)) return body;
  } catch {
    // refused below
  }
  return invalid('Invalid JSON payload received. Unexpected token.', [
    violation('', 'Invalid JSON payload received. Unexpected token.'),
  ]);
}

// A copy with camelCase names, without nulls, which say nothing; at: where it stands.
function onlyKeys(object, known, at = '') {
  if (!isObject(object)) invalid(`Invalid value at '${at}', expected an object.`);
  const bad = Object.keys(object).find((name) => !known.includes(camel(name)));
  if (bad !== undefined) unknownName(bad, at);
  return Object.fromEntries(
    Object.entries(object)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [camel(name), value]),
  );
}

function onlyQuery(ctx, known) {
  const bad = [...ctx.query.keys()].find(
    (name) => !COMMON.includes(name) && !known.includes(camel(name)),
  );
  if (bad === undefined) return;
  const message =
    `Invalid JSON payload received. Unknown name "${bad}": Cannot bind query ` +
    `parameter. Field '${bad}' could not be found in request message.`;
  invalid(message, [violation('', message)]);
}

// {rows, next} of all, by the query's pageSize and pageToken. idOf(row): what tokens are made of.
function page(ctx, all, idOf, { most = 100, usual = 100 } = {}) {
  const [size, token] = [ctx.query.get('pageSize') || '0', ctx.query.get('pageToken')];
  if (!/^-?\d+$/.test(size)) invalid(`Invalid value at 'page_size' (TYPE_INT32), "${size}"`);
  if (Number(size) < 0) invalid('page_size must be non-negative.');
  const limit = Math.min(most, Number(size) || usual);
  const from = token ? all.findIndex((row) => tokenOf(idOf(row)) === token) + 1 : 0;
  if (token && from === 0) invalid('List page token is invalid.');
  const rows = all.slice(from, from + limit);
  return {
    rows,
    next: from + limit < all.length ? tokenOf(idOf(rows[rows.length - 1])) : undefined,
  };
}

// With what must be percent-encoded in a query.
const tokenOf = (id) => `+/${Buffer.from(id).toString('base64')}`;

module.exports = { isObject, camel, readBody, readObject, onlyKeys, onlyQuery, page };
