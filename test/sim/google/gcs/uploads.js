'use strict';
// Uploads in one request: of the bytes alone (media), or with metadata before them (multipart).
// Bytes are hashed as they stream; no body is kept in memory. And what these have in common with
// sessions (sessions.js).

const { parseMultipart } = require('../../multipart');
const { refuse } = require('./errors');
const objects = require('./objects');

const METADATA = [
  'name',
  'bucket',
  'contentType',
  'contentEncoding',
  'cacheControl',
  'contentDisposition',
  'contentLanguage',
  'storageClass',
  'metadata',
  'md5Hash',
  'crc32c',
  'kind',
];

// POST o?uploadType=media
async function media(ctx) {
  const sink = ctx.state.sink();
  const about = judged({ contentType: ctx.req.headers['content-type'] }, ctx);
  try {
    for await (const chunk of ctx.req) sink.write(chunk);
    return become(ctx, sink, about, ctx.query);
  } catch (error) {
    sink.drop();
    throw error;
  }
}

// POST o?uploadType=multipart
async function multipart(ctx) {
  const sink = ctx.state.sink();
  const parts = [];
  try {
    await related(ctx, sink, parts);
    const about = judged(parsed(Buffer.concat(parts[0].chunks).toString()), ctx);
    return become(
      ctx,
      sink,
      { ...about, contentType: about.contentType || parts[1].type },
      ctx.query,
    );
  } catch (error) {
    sink.drop();
    throw error;
  }
}

// The first of the two parts is JSON and kept, the second goes to the sink.
async function related(ctx, sink, parts) {
  try {
    await parseMultipart(
      ctx.req,
      ({ type }) => {
        const part = { type, chunks: [] };
        parts.push(part);
        return {
          write: (bytes) =>
            parts.length === 1 ? part.chunks.push(Buffer.from(bytes)) : sink.write(bytes),
          end: () => undefined,
        };
      },
      'related',
    );
  } catch (error) {
    refuse(400, `Malformed multipart body: ${error.message}`, 'badContent');
  }
  if (parts.length !== 2 || !/^application\/json\b/i.test(parts[0].type || ''))
    refuse(
      400,
      'Malformed multipart body: expected a part of JSON and one of media.',
      'badContent',
    );
}

function parsed(text) {
  if (!text.trim()) return {};
  try {
    const found = JSON.parse(text);
    if (found && typeof found === 'object' && !Array.isArray(found)) return found;
  } catch {
    // refused below
  }
  return refuse(400, 'Parse Error', 'parseError');
}

// The metadata of an upload with the name that it or the query gives, or a refusal.
function judged(about, { query, params }) {
  const extra = Object.keys(about).find((key) => !METADATA.includes(key));
  if (extra !== undefined) refuse(400, `Unknown name "${extra}": Cannot find field.`, 'invalid');
  const name = query.get('name') === null ? about.name : query.get('name');
  if (name === undefined || name === '') refuse(400, 'Required object name', 'required');
  if (
    typeof name !== 'string' ||
    Buffer.byteLength(name) > 1024 ||
    /[\r\n]/.test(name) ||
    name === '.' ||
    name === '..'
  )
    refuse(400, `Disallowed unicode characters present in object name '${name}'`, 'invalid');
  if (about.bucket !== undefined && about.bucket !== params.bucket)
    refuse(400, 'Value in the body does not match the bucket of the path', 'invalid');
  return { ...about, name };
}

// What was promised of the bytes must hold: by the metadata or by X-Goog-Hash.
function checkHashes(req, about, hashes) {
  const said = Object.fromEntries(
    (req.headers['x-goog-hash'] || '')
      .split(',')
      .filter(Boolean)
      .map((pair) => [
        pair.slice(0, pair.indexOf('=')).trim(),
        pair.slice(pair.indexOf('=') + 1).trim(),
      ]),
  );
  for (const [label, given, got] of [
    ['MD5', about.md5Hash || said.md5, hashes.md5Hash],
    ['CRC32C', about.crc32c || said.crc32c, hashes.crc32c],
  ]) {
    if (given !== undefined && given !== got)
      refuse(
        400,
        `Provided ${label} hash "${given}" doesn't match calculated ${label} hash "${got}".`,
        'invalid',
      );
  }
}

// Conditions hold for the moment at which the object appears.
function become(ctx, sink, about, query) {
  const { bucket } = ctx.params;
  const hashes = sink.hasher.digest();
  checkHashes(ctx.req, about, hashes);
  objects.checkConditions(query, ctx.state.objects(bucket).get(about.name));
  const object = ctx.state.put(bucket, about.name, sink, hashes, {
    type: about.contentType || 'application/octet-stream',
    metadata: about.metadata,
  });
  return objects.shown({ ...ctx, query }, objects.resource(ctx, object));
}

module.exports = { media, multipart, judged, parsed, become };
