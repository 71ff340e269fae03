// Tests of the simulator itself: its strictness, its batches, directives, faults and ledger. Prints
// TAP; node only.

import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import multipart from './multipart.js';
import { call, MAIN, sleep, startSim, Tap, until } from './harness.mjs';

const { parseMultipart } = multipart;
const tap = new Tap();
const KEY = { authorization: 'Bearer sk-sim' };
const JSON_TYPE = { 'content-type': 'application/json' };
const CHAT = '/v1/chat/completions';
const sim = await startSim([
  '--api-key',
  'sk-sim',
  '--api-key',
  'sk-other:elsewhere',
  '--batch-seconds',
  '0.04',
]);

const get = (target, headers = KEY) => call(sim, 'GET', target, { headers });
const post = (target, value, headers = {}) =>
  call(sim, 'POST', target, {
    headers: { ...KEY, ...JSON_TYPE, ...headers },
    body: JSON.stringify(value),
  });
const control = (name, value) =>
  call(sim, value === undefined ? 'GET' : 'POST', `/_sim/${name}`, {
    body: value && JSON.stringify(value),
  });
const fault = (action, match, more = {}) => control('faults', { match, action, ...more });
const clearFaults = () => call(sim, 'DELETE', '/_sim/faults');
const ledger = async () => (await control('ledger')).json;
const reset = () => control('reset', {});

// parts: [name, value, filename, type]
function form(parts, boundary = 'b0undary') {
  const head = ([name, , filename, type]) =>
    `--${boundary}\r\nContent-Disposition: form-data; ` +
    `name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n` +
    `${type ? `Content-Type: ${type}\r\n` : ''}\r\n`;
  const body = Buffer.concat([
    ...parts.flatMap((p) => [Buffer.from(head(p)), Buffer.from(p[1]), Buffer.from('\r\n')]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
  return { headers: { ...KEY, 'content-type': `multipart/form-data; boundary=${boundary}` }, body };
}

const upload = (bytes, extra = [], filename = 'in.jsonl') =>
  call(sim, 'POST', '/v1/files', {
    ...form([['purpose', 'batch'], ...extra, ['file', bytes, filename, 'application/jsonl']]),
    timeout: 60000,
  });
const chatBody = (content, more = {}) => ({
  model: 'gpt-4o-mini',
  messages: [{ role: 'user', content }],
  ...more,
});
const chatLine = (id, content, more = {}) =>
  JSON.stringify({ custom_id: id, method: 'POST', url: CHAT, body: chatBody(content, more) });
const linesOf = (bytes) => bytes.toString().split('\n').filter(Boolean);
const content = async (id) =>
  id ? linesOf((await get(`/v1/files/${id}/content`)).body).map((l) => tryJson(l)) : [];
const createBatch = (fileId, more = {}) =>
  post('/v1/batches', { input_file_id: fileId, endpoint: CHAT, completion_window: '24h', ...more });
const ended = (id, ms = 20000) =>
  until(
    async () => {
      const b = (await get(`/v1/batches/${id}`)).json;
      return b && ['completed', 'failed', 'expired', 'cancelled'].includes(b.status) && b;
    },
    `batch ${id} to end`,
    ms,
  );

function tryJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Uploads, creates, waits: {batch, out, err} with the parsed lines.
async function whole(text, more = {}) {
  const file = (await upload(text)).json;
  const created = await createBatch(file.id, more);
  if (created.status !== 200) throw new Error(`create: ${created.body}`);
  const batch = await ended(created.json.id);
  return {
    batch,
    out: await content(batch.output_file_id),
    err: await content(batch.error_file_id),
  };
}

function refused(reply, status, code, name) {
  const e = reply.json && reply.json.error;
  tap.ok(
    reply.status === status &&
      e &&
      (code === undefined || e.code === code) &&
      'param' in e &&
      typeof e.message === 'string',
    name,
    { status: reply.status, body: reply.body.toString() },
  );
}

async function testKeys() {
  refused(await get('/v1/models', {}), 401, null, 'no key: 401');
  refused(
    await get('/v1/models', { authorization: 'Bearer sk-wrong-key-0000' }),
    401,
    'invalid_api_key',
    'wrong key: 401',
  );
  refused(
    await get('/v1/models', { authorization: 'Basic sk-sim' }),
    401,
    'invalid_api_key',
    'no bearer: 401',
  );
  refused(await get('/v1/nothing'), 404, null, 'unknown path: 404');
  refused(await call(sim, 'PUT', '/v1/files', { headers: KEY }), 405, null, 'wrong method: 405');
  const file = (await upload('x\n')).json;
  refused(
    await get(`/v1/files/${file.id}`, { authorization: 'Bearer sk-other' }),
    404,
    null,
    'files of another project are not seen',
  );
  tap.ok(/^req_/.test((await get('/v1/models')).headers['x-request-id']), 'x-request-id');
}

async function testFiles() {
  const day = [
    ['expires_after[anchor]', 'created_at'],
    ['expires_after[seconds]', '86400'],
  ];
  const made = (await upload('{"a":1}\n', day)).json;
  tap.is(
    Object.keys(made),
    [
      'id',
      'object',
      'bytes',
      'created_at',
      'expires_at',
      'filename',
      'purpose',
      'status',
      'status_details',
    ],
    'file object has all fields',
  );
  tap.ok(
    made.expires_at === made.created_at + 86400 && made.bytes === 8 && made.status_details === null,
    'expiry and size',
    made,
  );
  tap.is(
    (await upload('a\n')).json.expires_at,
    null,
    'default expiry is null in the answer to the upload',
  );
  tap.is((await get(`/v1/files/${made.id}/content`)).body.toString(), '{"a":1}\n', 'content');
  refused(await upload('a', [], 'in.json'), 400, null, 'filename not .jsonl');
  refused(await upload('a', [['foo', '1']]), 400, null, 'unknown field');
  refused(await upload('a', [['purpose', 'batch']]), 400, null, 'field twice');
  refused(await upload('a', [['expires_after.anchor', 'created_at']]), 400, null, 'dot notation');
  refused(await upload('a', [day[0]]), 400, 'missing_required_parameter', 'half an expiry');
  for (const bad of ['3599', '2592001', 'x'])
    refused(
      await upload('a', [day[0], ['expires_after[seconds]', bad]]),
      400,
      undefined,
      `expiry ${bad}`,
    );
  refused(
    await call(
      sim,
      'POST',
      '/v1/files',
      form([
        ['purpose', 'assistants'],
        ['file', 'a', 'a.jsonl'],
      ]),
    ),
    400,
    'invalid_value',
    'purpose not batch',
  );
  refused(
    await call(sim, 'POST', '/v1/files', form([['file', 'a', 'a.jsonl']])),
    400,
    'missing_required_parameter',
    'no purpose',
  );
  refused(
    await call(sim, 'POST', '/v1/files', form([['purpose', 'batch']])),
    400,
    'missing_required_parameter',
    'no file',
  );
  refused(await post('/v1/files', {}), 415, 'unsupported_content_type', 'upload as JSON');
  await testMultipart();
  refused(await get('/v1/files/file-nope'), 404, null, 'unknown file');
  tap.is(
    (await call(sim, 'DELETE', `/v1/files/${made.id}`, { headers: KEY })).json,
    { id: made.id, object: 'file', deleted: true },
    'delete',
  );
  refused(await get(`/v1/files/${made.id}/content`), 404, null, 'deleted file is gone');
}

async function testMultipart() {
  const good = form([
    ['purpose', 'batch'],
    ['file', 'a', 'a.jsonl'],
  ]);
  const send = (body, type = good.headers['content-type']) =>
    call(sim, 'POST', '/v1/files', { headers: { ...KEY, 'content-type': type }, body });
  refused(
    await send(good.body.subarray(0, good.body.length - 10)),
    400,
    null,
    'multipart without its end',
  );
  refused(
    await send(Buffer.concat([Buffer.from('junk\r\n'), good.body])),
    400,
    null,
    'multipart with a preamble',
  );
  refused(await send(good.body, 'multipart/form-data'), 400, null, 'multipart without boundary');
  refused(
    await send(good.body, 'multipart/form-data; boundary=other'),
    400,
    null,
    'multipart with another boundary',
  );
  await testParser(good);
  const tricky = Buffer.from('\r\n--b0undar\r\n--b0undarx\r\n\r\n');
  const made = (await upload(tricky)).json;
  tap.ok(
    (await get(`/v1/files/${made.id}/content`)).body.equals(tricky),
    'bytes that look like a boundary survive',
  );
}

// The parser sees the same parts however the bytes are cut.
async function testParser({ headers, body }) {
  for (const step of [1, 2, 3, 7, 1000]) {
    const seen = [];
    const cut = {
      headers,
      async *[Symbol.asyncIterator]() {
        for (let i = 0; i < body.length; i += step) yield body.subarray(i, i + step);
      },
    };
    await parseMultipart(cut, (part) => {
      seen.push(part.name, part.filename, '');
      return {
        write: (b) => {
          seen.push(seen.pop() + b);
        },
        end() {},
      };
    });
    tap.is(
      seen,
      ['purpose', undefined, 'batch', 'file', 'a.jsonl', 'a'],
      `multipart in pieces of ${step}`,
    );
  }
}

async function testLists() {
  await reset();
  for (const n of [1, 2, 3]) await upload(`${n}\n`);
  const first = (await get('/v1/files?purpose=batch&limit=2')).json;
  tap.ok(
    first.data.length === 2 && first.has_more === true && first.last_id === first.data[1].id,
    'first page of files',
  );
  const second = (await get(`/v1/files?purpose=batch&limit=2&after=${first.last_id}`)).json;
  tap.ok(second.data.length === 1 && second.has_more === false, 'second page of files');
  tap.is(
    (await get('/v1/files?order=asc&limit=1')).json.data[0].id,
    second.data[0].id,
    'ascending order',
  );
  tap.is((await get('/v1/files?purpose=batch_output')).json.data.length, 0, 'list by purpose');
  for (const bad of ['0', '10001', 'x'])
    refused(await get(`/v1/files?limit=${bad}`), 400, undefined, `files limit=${bad}`);
  const ids = [];
  for (const f of first.data) ids.unshift((await createBatch(f.id)).json.id);
  const list = (await get('/v1/batches?limit=1')).json;
  tap.ok(list.data[0].id === ids[0] && list.has_more, 'newest batch first', list);
  tap.is(
    (await get(`/v1/batches?limit=1&after=${ids[0]}`)).json.data[0].id,
    ids[1],
    'second page of batches',
  );
  for (const bad of ['0', '101'])
    refused(await get(`/v1/batches?limit=${bad}`), 400, undefined, `batches limit=${bad}`);
  refused(await get('/v1/batches?after=batch_nope'), 400, undefined, 'after an unknown batch');
}

async function testCreate() {
  const { id } = (await upload(`${chatLine('a', 'hi')}\n`)).json;
  const batch = (await createBatch(id, { metadata: { job: '1' } })).json;
  tap.is(
    Object.keys(batch),
    [
      'id',
      'object',
      'endpoint',
      'model',
      'errors',
      'input_file_id',
      'completion_window',
      'status',
      'output_file_id',
      'error_file_id',
      'created_at',
      'in_progress_at',
      'expires_at',
      'finalizing_at',
      'completed_at',
      'failed_at',
      'expired_at',
      'cancelling_at',
      'cancelled_at',
      'request_counts',
      'usage',
      'metadata',
    ],
    'batch object has all fields',
  );
  tap.ok(
    batch.status === 'validating' &&
      batch.output_file_id === null &&
      batch.request_counts.total === 0 &&
      batch.expires_at === batch.created_at + 86400,
    'new batch',
    batch,
  );
  refused(await createBatch(undefined), 400, 'missing_required_parameter', 'no input file');
  refused(await createBatch('file-nope'), 400, null, 'unknown input file');
  refused(await createBatch(id, { priority: 1 }), 400, 'unknown_parameter', 'unknown parameter');
  refused(
    await createBatch(id, { completion_window: '1h' }),
    400,
    'invalid_value',
    'completion_window',
  );
  refused(
    await createBatch(id, { endpoint: '/chat/completions' }),
    400,
    'invalid_value',
    'endpoint',
  );
  refused(
    await createBatch(id, { output_expires_after: { anchor: 'created_at', seconds: 1 } }),
    400,
    'invalid_value',
    'output_expires_after',
  );
  refused(
    await createBatch(id, { metadata: { k: 1 } }),
    400,
    'invalid_type',
    'metadata value no string',
  );
  refused(
    await createBatch(id, { metadata: { k: 'x'.repeat(513) } }),
    400,
    'string_above_max_length',
    'metadata value too long',
  );
  refused(
    await createBatch(id, { metadata: { ['k'.repeat(65)]: 'x' } }),
    400,
    undefined,
    'metadata key too long',
  );
  refused(
    await createBatch(id, {
      metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v'])),
    }),
    400,
    undefined,
    'metadata with 17 pairs',
  );
  refused(
    await call(sim, 'POST', '/v1/batches', { headers: { ...KEY, ...JSON_TYPE }, body: '{' }),
    400,
    null,
    'broken JSON',
  );
  refused(
    await call(sim, 'POST', '/v1/batches', {
      headers: { ...KEY, 'content-type': 'text/plain' },
      body: '{}',
    }),
    415,
    'unsupported_content_type',
    'content type',
  );
  refused(await get('/v1/batches/batch_nope'), 404, null, 'unknown batch');
  const end = await ended(batch.id);
  refused(
    await call(sim, 'POST', `/v1/batches/${batch.id}/cancel`, { headers: KEY }),
    409,
    null,
    'cancel of a completed batch',
  );
  refused(await createBatch(end.output_file_id), 400, 'invalid_value', 'an output file as input');
}

async function testValidation() {
  const good = chatLine('a', 'hi');
  const object = (change) => JSON.stringify({ ...JSON.parse(chatLine('b', 'hi')), ...change });
  const cases = {
    'line that is no JSON': [`${good}\n{oops\n`, 'invalid_json_line', 2],
    'blank line': [`${good}\n\n${chatLine('c', 'x')}\n`, 'invalid_json_line', 2],
    BOM: [`\ufeff${good}\n`, 'invalid_json_line', 1],
    'invalid UTF-8': [
      Buffer.concat([Buffer.from(good.replace('hi', 'h')), Buffer.from([0xff, 10])]),
      'invalid_json_line',
      1,
    ],
    'duplicate custom_id': [`${good}\n${good}\n`, 'duplicate_custom_id', 2],
    'wrong url': [object({ url: '/v1/embeddings' }), 'url_mismatch', 1],
    'wrong method': [object({ method: 'GET' }), 'invalid_method', 1],
    'mixed models': [
      `${good}\n${chatLine('b', 'hi', { model: 'o4-mini' })}`,
      'mismatched_model',
      2,
    ],
    'unknown model': [chatLine('a', 'hi', { model: 'gpt-0' }), 'model_not_found', 1],
    'no custom_id': [object({ custom_id: undefined }), 'missing_required_parameter', 1],
    'custom_id of 65 characters': [object({ custom_id: 'x'.repeat(65) }), 'invalid_request', 1],
    'unknown key': [object({ extra: 1 }), 'invalid_request', 1],
    'body no object': [object({ body: [] }), 'invalid_request', 1],
    'empty file': ['', 'empty_file', null],
    'directive invalid_line': [
      `${good}\n${chatLine('b', '[[sim:invalid_line]]')}`,
      'invalid_json_line',
      2,
    ],
  };
  for (const [name, [text, code, line]] of Object.entries(cases)) {
    const { batch } = await whole(text);
    const e = batch.errors && batch.errors.data[0];
    tap.ok(
      batch.status === 'failed' &&
        e &&
        e.code === code &&
        e.line === line &&
        'param' in e &&
        batch.output_file_id === null &&
        batch.failed_at,
      `validation: ${name}`,
      batch,
    );
  }
  await control('config', { max_lines: 2, max_file_bytes: 2000 });
  tap.is(
    (await whole([1, 2, 3].map((n) => chatLine(`r${n}`, 'x')).join('\n'))).batch.errors.data[0]
      .code,
    'too_many_tasks',
    'validation: too many lines',
  );
  refused(await upload('x'.repeat(2001)), 400, null, 'file too large');
  await reset();
}

async function testBodies() {
  const schema = (s, more = {}) => ({
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'out', strict: true, schema: s, ...more },
    },
  });
  const object = (properties, more = {}) => ({
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
    ...more,
  });
  const bad = {
    'unknown parameter': [{ foo: 1 }, 'unknown_parameter'],
    stream: [{ stream: true }, 'unsupported_value'],
    'temperature 3': [{ temperature: 3 }, 'decimal_above_max_value'],
    'no messages': [{ messages: undefined }, 'missing_required_parameter'],
    'empty messages': [{ messages: [] }, 'empty_array'],
    'unknown role': [{ messages: [{ role: 'robot', content: 'x' }] }, 'invalid_value'],
    'null content': [{ messages: [{ role: 'user', content: null }] }, null],
    'unknown part': [
      { messages: [{ role: 'user', content: [{ type: 'sound' }] }] },
      'invalid_value',
    ],
    'max_tokens of a reasoning model': [
      { model: 'o4-mini', max_tokens: 5 },
      'unsupported_parameter',
    ],
    'max_tokens of gpt-5': [{ model: 'gpt-5.4-mini', max_tokens: 5 }, 'unsupported_parameter'],
    'temperature of a reasoning model': [{ model: 'o4-mini', temperature: 0 }, 'unsupported_value'],
    'reasoning_effort of a plain model': [{ reasoning_effort: 'low' }, null],
    'unknown model': [{ model: 'gpt-0' }, 'model_not_found', 404],
    'embedding model': [{ model: 'text-embedding-3-small' }, null],
    'json_object without the word': [{ response_format: { type: 'json_object' } }, null],
    'schema name': [schema(object({ a: { type: 'string' } }), { name: 'a b' }), 'invalid_value'],
    'open object': [schema({ type: 'object', properties: {}, required: [] }), null],
    'optional property': [schema(object({ a: { type: 'string' } }, { required: [] })), null],
    'array root': [schema({ type: 'array', items: { type: 'string' } }), null],
    'nested open object': [schema(object({ a: { type: 'object', properties: {} } })), null],
    allOf: [schema(object({ a: { allOf: [] } })), null],
    'unknown format': [{ response_format: { type: 'xml' } }, 'invalid_value'],
    'context length': [chatBody('word '.repeat(110000)), 'context_length_exceeded'],
    'unknown directive': [chatBody('[[sim:nonsense]]'), null],
  };
  for (const [name, [change, code, status = 400]] of Object.entries(bad))
    refused(await post(CHAT, { ...chatBody('hi'), ...change }), status, code, `chat body: ${name}`);
  for (const [name, change] of Object.entries({
    'temperature of gpt-5.4': { model: 'gpt-5.4-mini', temperature: 0 },
    'a plain schema': schema(object({ a: { type: 'string' } })),
    'loose schema': schema({ type: 'object' }, { strict: false }),
    parts: { messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }] },
  })) {
    tap.is(
      (await post(CHAT, { ...chatBody('hi'), ...change })).status,
      200,
      `chat body: ${name} is fine`,
    );
  }
  await testEmbeddingBodies();
}

async function testEmbeddingBodies() {
  const embed = (change) =>
    post('/v1/embeddings', { model: 'text-embedding-3-small', input: 'hi', ...change });
  refused(await embed({ input: '' }), 400, null, 'embedding of nothing');
  refused(await embed({ input: ['a', ''] }), 400, null, 'an empty one among embeddings');
  refused(
    await embed({ input: Array(2049).fill('a') }),
    400,
    'array_above_max_length',
    '2049 inputs',
  );
  refused(await embed({ input: 'word '.repeat(8000) }), 400, null, 'input too long');
  refused(await embed({ dimensions: 1537 }), 400, 'integer_above_max_value', 'too many dimensions');
  refused(await embed({ encoding_format: 'hex' }), 400, 'invalid_value', 'encoding_format');
  refused(await embed({ foo: 1 }), 400, 'unknown_parameter', 'embedding parameter');
  const plain = (await embed({ dimensions: 64 })).json.data[0].embedding;
  const packed = Buffer.from(
    (await embed({ dimensions: 64, encoding_format: 'base64' })).json.data[0].embedding,
    'base64',
  );
  tap.ok(
    plain.length === 64 &&
      packed.length === 256 &&
      Math.abs(packed.readFloatLE(0) - plain[0]) < 1e-6,
    'float and base64 agree',
  );
}

async function testModel() {
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['label', 'score', 'tags', 'sub', 'maybe', 'title', 'n'],
    properties: {
      label: { type: 'string', enum: ['billing', 'bug', 'other'] },
      score: { type: 'number', minimum: 0, maximum: 1 },
      tags: { type: 'array', items: { $ref: '#/$defs/tag' }, minItems: 2, maxItems: 4 },
      sub: {
        type: 'object',
        additionalProperties: false,
        required: ['ok'],
        properties: { ok: { type: 'boolean' } },
      },
      maybe: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
      title: { type: 'string' },
      n: { type: ['integer', 'null'], minimum: 5, maximum: 7 },
    },
    $defs: { tag: { type: 'string', enum: ['x', 'y'] } },
  };
  const ask = async (text) =>
    JSON.parse(
      (
        await post(
          CHAT,
          chatBody(text, {
            response_format: {
              type: 'json_schema',
              json_schema: { name: 's', strict: true, schema },
            },
          }),
        )
      ).json.choices[0].message.content,
    );
  const v = await ask('There is a bug in the export');
  tap.ok(
    v.label === 'bug' &&
      v.score >= 0 &&
      v.score <= 1 &&
      v.tags.length >= 2 &&
      v.tags.every((t) => 'xy'.includes(t)) &&
      typeof v.sub.ok === 'boolean' &&
      (v.maybe === null || Number.isInteger(v.maybe)) &&
      v.title.startsWith('There is') &&
      v.n >= 5 &&
      v.n <= 7,
    'value conforms to its schema',
    v,
  );
  tap.is(await ask('There is a bug in the export'), v, 'the model is deterministic');
  const tree = {
    type: 'object',
    additionalProperties: false,
    required: ['next'],
    properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
  };
  tap.is(
    (
      await post(
        CHAT,
        chatBody('deep', {
          response_format: {
            type: 'json_schema',
            json_schema: { name: 't', strict: true, schema: tree },
          },
        }),
      )
    ).status,
    200,
    'recursive schema ends',
  );
  const [a, b, c] = (
    await post('/v1/embeddings', {
      model: 'text-embedding-3-small',
      input: ['red apple pie', 'green apple pie', 'tax law'],
    })
  ).json.data.map((d) => d.embedding);
  const dot = (x, y) => x.reduce((s, n, i) => s + n * y[i], 0);
  tap.ok(
    a.length === 1536 && Math.abs(dot(a, a) - 1) < 1e-4 && dot(a, b) > 0.5 && dot(a, c) < 0.3,
    'embeddings: unit vectors, similar texts are near',
  );
  const cut = (await post(CHAT, chatBody('x '.repeat(50), { max_completion_tokens: 2 }))).json;
  tap.ok(
    cut.choices[0].finish_reason === 'length' &&
      cut.usage.completion_tokens === 2 &&
      cut.usage.total_tokens === cut.usage.prompt_tokens + 2,
    'max_completion_tokens cuts',
    cut,
  );
}

async function testDirectives() {
  await reset();
  const names = [
    'plain',
    'error=400',
    'error=429:insufficient_quota',
    'status0',
    'expired',
    'cancelled',
    'timeout',
    'refusal',
    'length',
    'content_filter',
    'missing',
    'duplicate',
    'both',
    'badjson',
    'unknown',
    'null_content',
    'nul',
    'big=100000',
    'say=a%20%5D%5D%C3%A9',
    'json=%7B%22a%22%3A1%7D',
    'fail_times=1',
    'nochoices',
  ];
  const idOf = (name) => name.replace(/[^a-z0-9_]/g, '-').slice(0, 20);
  const { batch, out, err } = await whole(
    names
      .map((n) => chatLine(idOf(n), n === 'plain' ? 'plain words' : `ask [[sim:${n}]]`))
      .join('\n'),
  );
  const inOut = (n) => out.filter((l) => l && l.custom_id === idOf(n));
  const inErr = (n) => err.filter((l) => l.custom_id === idOf(n));
  const choice = (n) => inOut(n)[0].response.body.choices[0];
  tap.is(batch.status, 'completed', 'a batch of all directives completes');
  tap.is(batch.request_counts, { total: 22, completed: 15, failed: 3 }, 'request_counts');
  const e400 = inErr('error=400')[0];
  tap.ok(
    e400.response.status_code === 400 &&
      e400.response.body.error.type === 'invalid_request_error' &&
      e400.error === null,
    'error=400',
    e400,
  );
  tap.is(
    inErr('error=429:insufficient_quota')[0].response.body.error.code,
    'insufficient_quota',
    'error=STATUS:CODE',
  );
  tap.is(inErr('status0')[0].response, { status_code: 0, request_id: '', body: {} }, 'status0');
  for (const [n, code] of [
    ['expired', 'batch_expired'],
    ['cancelled', 'batch_cancelled'],
    ['timeout', 'request_timeout'],
  ])
    tap.ok(inErr(n)[0].response === null && inErr(n)[0].error.code === code, n);
  tap.ok(
    choice('refusal').message.content === null && choice('refusal').message.refusal,
    'refusal',
  );
  tap.is(
    [choice('length').finish_reason, choice('content_filter').finish_reason],
    ['length', 'content_filter'],
    'length, content_filter',
  );
  tap.is([inOut('missing').length, inErr('missing').length], [0, 0], 'missing');
  tap.is(inOut('duplicate').length, 2, 'duplicate');
  tap.is([inOut('both').length, inErr('both').length], [1, 1], 'both');
  tap.is(out.filter((l) => l === null).length, 1, 'badjson');
  tap.is(out.filter((l) => l && l.custom_id.startsWith('sim-unknown')).length, 1, 'unknown');
  tap.ok(
    choice('null_content').message.content === null &&
      choice('null_content').message.refusal === null,
    'null_content',
  );
  tap.ok(choice('nul').message.content.includes('\u0000'), 'nul');
  tap.is(choice('big=100000').message.content.length, 100000, 'big');
  tap.is(choice('say=a%20%5D%5D%C3%A9').message.content, 'a ]]é', 'say');
  tap.is(choice('json=%7B%22a%22%3A1%7D').message.content, '{"a":1}', 'json');
  tap.is(
    [
      inErr('fail_times=1')[0].response.status_code,
      (await whole(chatLine('again', 'ask [[sim:fail_times=1]]'))).out.length,
    ],
    [500, 1],
    'fail_times',
  );
  tap.is(inOut('nochoices')[0].response.body.choices, [], 'nochoices');
  tap.ok(
    inOut('plain')[0].response.status_code === 200 && inOut('plain')[0].id.startsWith('batch_req_'),
    'a plain line',
  );
  await testRealtimeDirectives();
}

async function testRealtimeDirectives() {
  refused(
    await post(CHAT, chatBody('[[sim:error=429]]')),
    429,
    'rate_limit_exceeded',
    'realtime: error=429',
  );
  tap.is((await post(CHAT, chatBody('[[sim:timeout]]'))).status, 408, 'realtime: timeout');
  tap.ok((await post(CHAT, chatBody('[[sim:status0]]'))).error, 'realtime: status0 hangs up');
  const bad = await post(CHAT, chatBody('[[sim:badjson]]'));
  tap.ok(bad.status === 200 && bad.json === null, 'realtime: badjson');
  tap.is(
    (await post('/v1/embeddings', { model: 'text-embedding-3-small', input: '[[sim:nochoices]]' }))
      .json.data,
    [],
    'embeddings: nochoices',
  );
}

async function testOutcomes() {
  await reset();
  const lines = Array.from({ length: 10 }, (_, i) => chatLine(`r${i}`, `text ${i}`)).join('\n');
  const allBad = await whole(chatLine('a', '[[sim:error=500]]'));
  tap.ok(
    allBad.batch.status === 'completed' &&
      allBad.batch.output_file_id === null &&
      allBad.err.length === 1,
    'completed without one success: no output file',
  );
  const clean = await whole(lines);
  tap.ok(
    clean.batch.error_file_id === null &&
      clean.out.length === 10 &&
      clean.batch.usage.total_tokens > 0,
    'clean batch: no error file',
  );
  tap.ok(
    clean.out.some((l, i) => l.custom_id !== `r${i}`),
    'output order is not input order',
  );
  for (const outcome of ['expired', 'cancelled']) {
    await fault(
      { batch_outcome: outcome, finished: 0.3 },
      { method: 'POST', path_regex: '/batches$' },
    );
    const { batch, out, err } = await whole(lines);
    tap.ok(
      batch.status === outcome &&
        out.length === 3 &&
        err.length === 7 &&
        err.every((l) => l.error.code === `batch_${outcome}`) &&
        batch.request_counts.completed === 3 &&
        batch[`${outcome}_at`],
      `batch_outcome ${outcome}`,
      batch,
    );
  }
  await fault(
    {
      batch_outcome: 'failed',
      errors: [
        {
          code: 'token_limit_exceeded',
          message: 'Enqueued token limit reached',
          param: null,
          line: null,
        },
      ],
    },
    { method: 'POST', path_regex: '/batches$' },
  );
  const failed = (await whole(lines)).batch;
  tap.ok(
    failed.status === 'failed' && failed.errors.data[0].code === 'token_limit_exceeded',
    'batch_outcome failed with errors',
  );
  await testForever(lines);
  await fault({ error_file_id: '' }, { method: 'POST', path_regex: '/batches$' });
  tap.is((await whole(lines)).batch.error_file_id, '', 'error_file_id ""');
  await control('config', { error_file_id_empty: true });
  tap.is((await whole(lines)).batch.error_file_id, '', 'config error_file_id_empty');
  await control('config', { error_file_id_empty: false, quotas: { 'gpt-4o-mini': 20 } });
  const over = (await whole(lines)).batch;
  tap.ok(
    over.status === 'failed' &&
      over.errors.data[0].code === 'token_limit_exceeded' &&
      over.errors.data[0].message.startsWith('Enqueued'),
    'quota',
    over,
  );
  await control('config', { quotas: {} });
}

async function testForever(lines) {
  await fault(
    { batch_outcome: 'in_progress_forever', finished: 0.4 },
    { method: 'POST', path_regex: '/batches$' },
  );
  const created = (await createBatch((await upload(lines)).json.id)).json;
  await until(
    async () => (await get(`/v1/batches/${created.id}`)).json.request_counts.completed === 4,
    'four requests to finish',
  );
  await sleep(100);
  tap.is(
    (await get(`/v1/batches/${created.id}`)).json.status,
    'in_progress',
    'in_progress_forever',
  );
  const asked = await call(sim, 'POST', `/v1/batches/${created.id}/cancel`, { headers: KEY });
  tap.ok(
    asked.status === 200 && asked.json.status === 'cancelling' && asked.json.cancelling_at,
    'cancel: cancelling',
  );
  const batch = await ended(created.id);
  const [out, err] = [await content(batch.output_file_id), await content(batch.error_file_id)];
  tap.ok(
    batch.status === 'cancelled' &&
      out.length === 4 &&
      err.length === 6 &&
      err[0].error.code === 'batch_cancelled',
    'cancelled: finished requests are kept',
    batch,
  );
  tap.is(
    (await call(sim, 'POST', `/v1/batches/${created.id}/cancel`, { headers: KEY })).json.status,
    'cancelled',
    'cancel of a cancelled batch: 200',
  );
}

async function testFaults() {
  await reset();
  await testAborted();
  const models = { path_regex: '^/v1/models$' };
  const once = async (action, more) => {
    await fault(action, models, more);
    const r = await get('/v1/models');
    await clearFaults();
    return r;
  };
  refused(
    await once({ status: 429, headers: { 'Retry-After': '7' } }),
    429,
    'rate_limit_exceeded',
    'status: the usual error',
  );
  const canned = await once({
    status: 503,
    body: 'busy',
    headers: { 'Content-Type': 'text/plain', 'Retry-After': '7' },
  });
  tap.is(
    [canned.status, canned.body.toString(), canned.headers['retry-after']],
    [503, 'busy', '7'],
    'status, body and headers',
  );
  tap.is((await once({ status: 200, body: { a: 1 } })).json, { a: 1 }, 'another body');
  const html = await once({ html: 502 });
  tap.ok(
    html.status === 502 && html.headers['content-type'] === 'text/html' && html.json === null,
    'html',
  );
  tap.is(
    (await once({ redirect: 'http://127.0.0.1:1/x' })).headers.location,
    'http://127.0.0.1:1/x',
    'redirect',
  );
  tap.is((await once({ reset: 'before' })).error.code, 'ECONNRESET', 'reset before');
  const slow = Date.now();
  tap.ok((await once({ delay_ms: 150 })).status === 200 && Date.now() - slow >= 145, 'delay_ms');
  await fault({ hang: true }, models);
  tap.is(
    (await call(sim, 'GET', '/v1/models', { headers: KEY, timeout: 150 })).error.message,
    'client timeout',
    'hang',
  );
  const start = Date.now();
  tap.ok((await once({ drip: 2000 })).json && Date.now() - start > 150, 'drip');
  const short = await once({ truncate: 20 });
  tap.ok(
    short.error && short.body.length === 20 && Number(short.headers['content-length']) > 20,
    'truncate keeps Content-Length',
  );
  const chunked = await once({ truncate: 20, chunked: true });
  tap.ok(
    chunked.error &&
      chunked.body.length === 20 &&
      chunked.headers['transfer-encoding'] === 'chunked',
    'truncate of a chunked body',
  );
  const long = await once({ wrong_length: true });
  tap.ok(
    long.error && long.body.length === Number(long.headers['content-length']) - 10,
    'wrong_length',
  );
  await testFaultRules(models);
  await testLostEffects();
}

// Clients that go away in the middle of a request leave the simulator well.
async function testAborted() {
  for (const [target, type] of [
    ['/v1/files', 'multipart/form-data; boundary=b'],
    ['/v1/batches', 'application/json'],
  ]) {
    const socket = net.connect(sim.port, '127.0.0.1');
    socket.write(
      `POST ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-sim\r\nContent-Type: ` +
        `${type}\r\nContent-Length: 1000\r\n\r\n--b\r\nContent-Disposition: form-data; ` +
        `name="file"; filename="a.jsonl"\r\n\r\nabc`,
    );
    await sleep(50);
    socket.destroy();
  }
  await sleep(50);
  const l = await ledger();
  tap.is(
    [(await get('/v1/models')).status, l.files_left.length],
    [200, 0],
    'requests cut off by the client have no effect',
  );
}

async function testFaultRules(models) {
  await fault({ status: 500 }, models, { times: 2, after: 1 });
  const seen = [];
  for (let i = 0; i < 4; i += 1) seen.push((await get('/v1/models')).status);
  tap.is(seen, [200, 500, 500, 200], 'times and after');
  await fault({ status: 500 }, { ...models, method: 'POST' }, { times: 'always' });
  tap.is((await get('/v1/models')).status, 200, 'match by method');
  await clearFaults();
  tap.is((await fault({ stattus: 500 }, models)).status, 400, 'a mistyped action is refused');
  tap.is((await control('config', { nonsense: 1 })).status, 400, 'a mistyped setting is refused');
}

async function testLostEffects() {
  const { id } = (await upload(`${chatLine('a', 'x')}\n`)).json;
  const create = { method: 'POST', path_regex: '/batches$' };
  const count = async () => (await get('/v1/batches')).json.data.length;
  const before = await count();
  await fault({ reset: 'before' }, create);
  tap.ok((await createBatch(id)).error && (await count()) === before, 'reset before: no effect');
  for (const action of [{ reset: 'after' }, { lost_after_effect: true }]) {
    const was = await count();
    await fault(action, create);
    const lost = await createBatch(id);
    tap.ok(
      lost.error && lost.status === null && (await count()) === was + 1,
      `${JSON.stringify(action)}: effect without answer`,
    );
  }
  await fault({ hang: 'after' }, create);
  const was = await count();
  await call(sim, 'POST', '/v1/batches', {
    headers: { ...KEY, ...JSON_TYPE },
    body: JSON.stringify({ input_file_id: id, endpoint: CHAT, completion_window: '24h' }),
    timeout: 1500,
  });
  tap.is(await count(), was + 1, 'hang after: effect without answer');
  await fault({ lost_after_effect: true, list_lag_ms: 3000 }, create);
  await createBatch(id);
  tap.is(await count(), was + 1, 'list_lag_ms hides the new batch');
  await until(async () => (await count()) === was + 2, 'the batch to show');
  await control('config', { file_visible_after_ms: 3000 });
  const late = (await upload('x\n')).json;
  refused(await get(`/v1/files/${late.id}`), 404, null, 'file_visible_after_ms');
  await until(async () => (await get(`/v1/files/${late.id}`)).status === 200, 'the file to show');
  await control('config', { file_visible_after_ms: 0 });
}

async function testDownloads() {
  await reset();
  const bytes = Buffer.alloc(3e6, 'line of text\n');
  const { id } = (await upload(bytes)).json;
  const target = `/v1/files/${id}/content`;
  const gz = { ...KEY, 'accept-encoding': 'gzip, deflate' };
  const packed = await get(`/v1/files/${id}`, gz);
  tap.ok(
    packed.headers['content-encoding'] === 'gzip' &&
      JSON.parse(zlib.gunzipSync(packed.body)).id === id,
    'JSON is gzipped on request',
  );
  const plain = await get(target, gz);
  tap.ok(
    plain.headers['content-encoding'] === undefined &&
      plain.body.equals(bytes) &&
      plain.headers['content-disposition'] === 'attachment; filename="in.jsonl"',
    'file content never is',
  );
  await control('config', { chunked_content: true });
  const chunked = await get(target);
  tap.ok(
    chunked.headers['transfer-encoding'] === 'chunked' && chunked.body.equals(bytes),
    'chunked_content',
  );
  await control('config', { chunked_content: false });
  await fault({ truncate: 1e6 }, { path_regex: '/content$' });
  const cut = await get(target);
  tap.ok(
    cut.error && cut.body.length === 1e6 && cut.headers['content-length'] === '3000000',
    'truncated download',
  );
}

async function testLedger() {
  await reset();
  const sha = (text) => createHash('sha256').update(text).digest('hex');
  const first = await whole(
    [chatLine('a', 'same'), chatLine('b', 'other'), chatLine('c', '[[sim:error=500]]')].join('\n'),
    { metadata: { job: '7' } },
  );
  await whole(chatLine('a', 'same'));
  await post(CHAT, chatBody('realtime'));
  const l = await ledger();
  tap.is(
    [l.billed_requests, l.realtime_requests, l.content_billed_again],
    [3, 1, 1],
    'billed requests',
  );
  tap.is(l.by_custom_id, { b: 1, a: 2 }, 'by_custom_id');
  tap.is(
    [l.by_content[sha('same')], l.by_content[sha('other')]],
    [2, 1],
    'by_content: sha256 of the last user content',
  );
  tap.ok(
    l.batches.length === 2 &&
      l.batches[0].id === first.batch.id &&
      l.batches[0].lines === 3 &&
      l.batches[0].metadata.job === '7' &&
      l.batches[0].input_file_id,
    'batches',
    l.batches,
  );
  tap.is(
    l.files_left.map((f) => f.purpose).sort(),
    ['batch', 'batch', 'batch_output', 'batch_output', 'batch_output'],
    'files_left',
  );
  tap.is(
    [l.requests['POST /v1/files'], l.requests['POST /v1/batches']],
    [2, 2],
    'requests by route',
  );
  tap.is((await control('ledger?summary=1')).json.by_content, undefined, 'ledger?summary=1');
  const entries = (await control(`entries?batch_id=${first.batch.id}`)).json;
  tap.ok(
    entries.length === 2 &&
      entries.every(
        (e) =>
          e.billed === true &&
          e.prompt_tokens > 0 &&
          e.completion_tokens > 0 &&
          e.model === 'gpt-4o-mini',
      ),
    'entries',
    entries,
  );
  const log = (await control('requests')).json;
  tap.ok(
    log.length > 5 &&
      log.every((r) => r.headers.authorization === '...-sim') &&
      log[0].status === 200,
    'requests, with the key redacted',
    log[0],
  );
  await reset();
  const empty = await ledger();
  tap.is(
    [empty.billed_requests, empty.batches.length, empty.files_left.length],
    [0, 0, 0],
    'reset forgets',
  );
}

async function testSize() {
  const n = 50000;
  const start = Date.now();
  const { id } = (
    await upload(
      Array.from({ length: n }, (_, i) => chatLine(`row-${i}`, `text number ${i}`)).join('\n'),
    )
  ).json;
  const created = (await createBatch(id)).json;
  const batch = await ended(created.id, 60000);
  tap.ok(batch.status === 'completed' && batch.request_counts.completed === n, `${n} lines`, batch);
  console.log(`# ${n} lines in ${Date.now() - start} ms`);
  const ids = new Set((await content(batch.output_file_id)).map((l) => l.custom_id));
  tap.is(ids.size, n, 'each answered once');
  await reset();
}

async function testProcess() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'batchinf-simtest-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map((f) => path.join(folder, f));
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
    ],
    { stdio: 'ignore' },
  );
  const tls = await startSim(['--tls-cert', cert, '--tls-key', key]);
  tap.is(
    (await call(tls, 'GET', '/v1/models', { headers: KEY, tls: { ca: fs.readFileSync(cert) } }))
      .status,
    200,
    'TLS',
  );
  await tls.stop();
  const inside = () => fs.readdirSync(folder).filter((f) => f.startsWith('batchinf-sim-')).length;
  const other = await startSim([], { TMPDIR: folder });
  tap.is(inside(), 1, 'a temporary folder while it runs');
  await other.stop();
  tap.is(inside(), 0, 'nothing is left behind');
  fs.rmSync(folder, { recursive: true });
}

// The simulator ends with its parent, or with the process it was told to watch.
async function testOrphan() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'batchinf-simtest-'));
  const file = path.join(folder, 'port');
  const shell = spawn(
    'sh',
    ['-c', '"$0" "$1" --port-file "$2" & read -r wait', process.execPath, MAIN, file],
    { stdio: ['pipe', 'ignore', 'ignore'] },
  );
  await until(() => fs.existsSync(file), 'the port file');
  const orphan = { port: Number(fs.readFileSync(file, 'utf8')) };
  shell.kill('SIGKILL');
  await until(async () => (await call(orphan, 'GET', '/_sim/health')).error, 'the orphan to end');
  tap.ok(true, 'ends with its parent');
  fs.rmSync(folder, { recursive: true });
  const watched = spawn('sleep', ['60']);
  const follower = await startSim(['--parent-pid', String(watched.pid)]);
  watched.kill();
  await until(() => follower.child.exitCode === 0, 'the follower to end');
  tap.ok(true, 'ends with --parent-pid');
}

for (const test of [
  testKeys,
  testFiles,
  testLists,
  testCreate,
  testValidation,
  testBodies,
  testModel,
  testDirectives,
  testOutcomes,
  testFaults,
  testDownloads,
  testLedger,
  testSize,
  testProcess,
  testOrphan,
]) {
  await tap.group(test.name, test);
}
await sim.stop();
process.exit(tap.done());
