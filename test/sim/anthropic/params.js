'use strict';
// Checks shared by the endpoints: JSON bodies, query, paging. Each throws a refusal in Anthropic's
// words.

const { readText } = require('../server');
const { invalid, refuse, refuseInFront } = require('./errors');

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

// What every request with a JSON body must say about it.
function needJson(ctx) {
  const type = ctx.req.headers['content-type'] || '';
  if (!/^application\/json\s*(;.*)?$/i.test(type))
    invalid(`content-type: expected application/json, but got "${type}"`);
  const coding = ctx.req.headers['content-encoding'];
  if (coding && coding !== 'identity')
    refuse(
      400,
      `The request body's Content-Encoding "${coding}" is not supported.`,
      'request_body_encoding_unsupported',
    );
}

// The body of a JSON call as an object, up to 32 MB.
async function readJson(ctx) {
  needJson(ctx);
  const text = await readText(ctx);
  if (text === null) refuseInFront(413, 'Request Entity Too Large');
  const body = parse(text);
  if (body === undefined) invalid('The request body is not valid JSON.');
  if (!isObject(body)) invalid('Input should be a valid dictionary');
  return body;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// beta: what older clients add to any path.
function onlyQuery(ctx, known) {
  const bad = [...ctx.query.keys()].find((key) => key !== 'beta' && !known.includes(key));
  if (bad !== undefined) invalid(`${bad}: Extra inputs are not permitted`);
}

// `all` in its order; after_id asks for what follows, before_id for what stands directly before.
function page(ctx, all, shape) {
  onlyQuery(ctx, ['limit', 'after_id', 'before_id']);
  const limit = readLimit(ctx.query.get('limit'));
  const [after, before] = [ctx.query.get('after_id'), ctx.query.get('before_id')];
  if (after !== null && before !== null)
    invalid('before_id: only one of before_id and after_id may be given');
  const end = before === null ? null : place(all, 'before_id', before);
  const from =
    end !== null
      ? Math.max(0, end - limit)
      : after === null
        ? 0
        : place(all, 'after_id', after) + 1;
  const to = end !== null ? end : from + limit;
  const data = all.slice(from, to);
  return {
    data: data.map(shape),
    has_more: end !== null ? from > 0 : to < all.length,
    first_id: data.length ? data[0].id : null,
    last_id: data.length ? data[data.length - 1].id : null,
  };
}

function place(all, name, id) {
  const at = all.findIndex((item) => item.id === id);
  return at >= 0 ? at : invalid(`${name}: "${id}" not found`);
}

function readLimit(text) {
  if (text === null) return 20;
  if (!/^-?\d+$/.test(text))
    invalid('limit: Input should be a valid integer, unable to parse string as an integer');
  if (Number(text) < 1) invalid('limit: Input should be greater than or equal to 1');
  if (Number(text) > 1000) invalid('limit: Input should be less than or equal to 1000');
  return Number(text);
}

module.exports = { isObject, needJson, readJson, onlyQuery, page };
