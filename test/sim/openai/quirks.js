'use strict';
// How relatives' answers differ from OpenAI's, each by a name in config.quirks. Shapes of answers
// only, no state.

const QUIRKS = {
  status: ['upper', 'capital', 'camel'], // IN_PROGRESS, In_progress, InProgress
  canceled: [true], // with one l
  times: ['iso'], // 2026-11-20T10:00:00.0000000+00:00
  counts: ['null'],
  empty_ids: [true], // "" where no file is
  failed_files: [true], // a batch that failed names files all the same
  errors: ['array', 'string'], // in place of {object, data}
  // {"error":"..."}, [{"error":{...}}], "...", {"message":...}
  http_errors: ['string', 'array', 'text', 'flat'],
  list: ['cursor', 'bare', 'value'], // Groq's pages, an array, {"value":[...]}
  ids: 'number', // so many characters, base64 with / + =
  metadata: ['dropped', 'refused'],
  expiry: ['refused'],
  error_file: ['none'], // what failed stands in the output file, its error a text
};

function checkQuirks(quirks) {
  for (const [name, value] of Object.entries(quirks)) {
    const known = QUIRKS[name];
    if (!known || !(known === 'number' ? Number.isInteger(value) : known.includes(value)))
      throw new Error(`unknown quirk ${name}: ${JSON.stringify(value)}`);
  }
}

const STATUS = {
  upper: (word) => word.toUpperCase(),
  capital: (word) => word[0].toUpperCase() + word.slice(1),
  camel: (word) =>
    word
      .split('_')
      .map((part) => part[0].toUpperCase() + part.slice(1))
      .join(''),
};
const iso = (seconds) => new Date(seconds * 1000).toISOString().replace(/Z$/, '0000+00:00');
const isTime = (key) => /_at$/.test(key);

const ERRORS = {
  array: (list) => list.data,
  string: (list) => list.data.map((e) => e.message).join(' '),
};

// A file or batch object, dressed.
function dress(quirks, object) {
  const out = { ...object };
  if (quirks.metadata === 'dropped' && 'metadata' in out) out.metadata = null;
  if (quirks.canceled && out.status === 'cancelled') out.status = 'canceled';
  if (quirks.status && out.object === 'batch') out.status = STATUS[quirks.status](out.status);
  for (const key of Object.keys(out))
    if (quirks.times === 'iso' && isTime(key) && out[key] !== null) out[key] = iso(out[key]);
  if (quirks.counts === 'null' && out.request_counts)
    out.request_counts = { ...out.request_counts, completed: null, failed: null };
  for (const key of ['output_file_id', 'error_file_id'])
    if (quirks.empty_ids && out[key] === null) out[key] = '';
  if (quirks.errors && out.errors) out.errors = ERRORS[quirks.errors](out.errors);
  return out;
}

// OpenAI's error body as this relative words it.
function dressError(quirks, body) {
  const { error } = body;
  if (!quirks.http_errors || !error) return body;
  return {
    string: { error: error.message },
    array: [body],
    text: error.message,
    flat: { object: 'error', message: error.message, type: error.type, code: 400 },
  }[quirks.http_errors];
}

// `all` as the list this relative gives, or null where it gives OpenAI's.
function listed(quirks, ctx, all, shape) {
  if (quirks.list === 'bare') return all.map(shape);
  if (quirks.list !== 'cursor') return null;
  const from = Number(Buffer.from(ctx.query.get('cursor') || '', 'base64').toString() || 0);
  const data = all.slice(from, from + Number(ctx.query.get('limit') || 20));
  const next =
    from + data.length < all.length
      ? Buffer.from(String(from + data.length)).toString('base64')
      : null;
  return { object: 'list', data: data.map(shape), paging: { next_cursor: next } };
}

// An id of that length as some proxies make them.
function longId(id, length) {
  const noise = Buffer.from(`litellm_proxy;${id};`.repeat(Math.ceil(length / 16))).toString(
    'base64',
  );
  return `${noise.slice(0, Math.max(40, length - 6))}/+${id.slice(-2)}==`;
}

module.exports = { checkQuirks, dress, dressError, listed, longId };
