// Tests of the simulator's Anthropic: its strictness, its batches, directives, faults and ledger.
// Prints TAP; node only.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import split from './anthropic/split.js';
import { call, sleep, startSim, Tap, until } from './harness.mjs';

const { Splitter } = split;
const tap = new Tap();
const BATCHES = '/v1/messages/batches';
const KEY = { 'x-api-key': 'sk-sim', 'anthropic-version': '2023-06-01' };
const NEW = { authorization: 'Bearer sk-sim', 'anthropic-version': '2026-10-21' };
const JSON_TYPE = { 'content-type': 'application/json' };
const CREATE = { method: 'POST', path_regex: '/batches$' };
const sim = await startSim([
  '--api-key',
  'sk-sim',
  '--api-key',
  'sk-other:elsewhere',
  '--batch-seconds',
  '0.04',
]);

const get = (target, headers = KEY) => call(sim, 'GET', target, { headers });
const send = (target, body, headers = {}) =>
  call(sim, 'POST', target, {
    headers: { ...KEY, ...JSON_TYPE, 'content-length': Buffer.byteLength(body), ...headers },
    body,
  });
const post = (target, value, headers) => send(target, JSON.stringify(value), headers);
const remove = (id) => call(sim, 'DELETE', `${BATCHES}/${id}`, { headers: KEY });
const cancel = (id) => call(sim, 'POST', `${BATCHES}/${id}/cancel`, { headers: KEY });
const control = (name, value) =>
  call(sim, value === undefined ? 'GET' : 'POST', `/_sim/${name}`, {
    body: value && JSON.stringify(value),
  });
const fault = (action, match = CREATE, more = {}) => control('faults', { match, action, ...more });
const ledger = async () => (await control('ledger')).json;
const reset = () => control('reset', {});

const body = (content, more = {}) => ({
  model: 'claude-haiku-4-5',
  max_tokens: 512,
  messages: [{ role: 'user', content }],
  ...more,
});
const item = (id, content, more = {}) => ({ custom_id: id, params: body(content, more) });
const items = (n) => Array.from({ length: n }, (_, i) => item(`r${i}`, `text ${i}`));
const create = (requests, headers) => post(BATCHES, { requests }, headers);
const linesOf = (bytes) => bytes.toString().split('\n').filter(Boolean).map(tryJson);
const ended = (id, ms = 20000) =>
  until(
    async () => {
      const b = (await get(`${BATCHES}/${id}`)).json;
      return b && b.processing_status === 'ended' && b;
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

// Creates, waits: {batch, lines} with the parsed results.
async function whole(requests, headers) {
  const created = await create(requests, headers);
  if (created.status !== 200) throw new Error(`create: ${created.body}`);
  const batch = await ended(created.json.id);
  return { batch, lines: linesOf((await get(new URL(batch.results_url).pathname)).body) };
}

function refused(reply, status, type, name, message) {
  const e = reply.json && reply.json.type === 'error' && reply.json.error;
  const whole =
    e &&
    e.type === type &&
    typeof e.message === 'string' &&
    reply.json.request_id === reply.headers['request-id'] &&
    /^req_/.test(reply.json.request_id);
  tap.ok(reply.status === status && whole && (!message || e.message.includes(message)), name, {
    status: reply.status,
    body: reply.body.toString(),
  });
}
const bad = (reply, name, message) => refused(reply, 400, 'invalid_request_error', name, message);

async function testHeaders() {
  const models = (headers) => get('/v1/models', headers);
  refused(
    await get(BATCHES, { 'anthropic-version': '2023-06-01' }),
    401,
    'authentication_error',
    'no key: 401',
  );
  refused(
    await models({ ...KEY, 'x-api-key': 'sk-wrong' }),
    401,
    'authentication_error',
    'wrong key: 401',
  );
  refused(
    await models({ ...NEW, authorization: 'Bearer sk-wrong' }),
    401,
    'authentication_error',
    'wrong bearer: 401',
  );
  refused(
    await models({ ...NEW, authorization: 'Basic sk-sim' }),
    401,
    'authentication_error',
    'no bearer: 401',
  );
  refused(
    await models({ ...KEY, authorization: 'Bearer sk-sim' }),
    401,
    'authentication_error',
    'both keys: 401',
  );
  for (const [name, headers] of Object.entries({ 'x-api-key': KEY, bearer: NEW }))
    tap.is((await models(headers)).status, 200, `${name} is fine`);
  bad(await get(BATCHES, { 'x-api-key': 'sk-sim' }), 'no version', 'header is required');
  bad(
    await models({ ...KEY, 'anthropic-version': '2024-01-01' }),
    'unknown version',
    'not a valid version',
  );
  bad(
    await models({ ...KEY, 'anthropic-beta': 'message-batches-2024-09-24,nonsense' }),
    'unknown beta',
    'nonsense',
  );
  tap.is(
    (
      await models({
        ...KEY,
        'anthropic-beta': 'message-batches-2024-09-24, output-300k-2026-03-24',
      })
    ).status,
    200,
    'known betas',
  );
  refused(await get('/v1/messages/nothing/x/y'), 404, 'not_found_error', 'unknown path: 404');
  tap.is((await call(sim, 'PUT', BATCHES, { headers: KEY })).status, 405, 'wrong method: 405');
  bad(
    await post(BATCHES, { requests: items(1) }, { 'content-type': 'text/plain' }),
    'content-type',
  );
  bad(
    await post(BATCHES, { requests: items(1) }, { 'content-encoding': 'gzip' }),
    'content-encoding',
  );
  const openai = await get('/v1/models', { authorization: 'Bearer sk-sim' });
  tap.ok(openai.json.object === 'list', "without a version /v1/models is OpenAI's");
  tap.is(
    (await get('/anthropic/v1/models/claude-haiku-4-5')).json.id,
    'claude-haiku-4-5-20251001',
    'path prefix',
  );
}

async function testModels() {
  const list = (await get('/v1/models?limit=2')).json;
  tap.ok(
    list.data.length === 2 &&
      list.has_more &&
      list.first_id === list.data[0].id &&
      list.data[0].type === 'model' &&
      list.data[0].max_tokens,
    'models',
    list,
  );
  refused(await get('/v1/models/claude-0'), 404, 'not_found_error', 'unknown model');
}

async function testEnvelope() {
  const one = JSON.stringify(item('a', 'x'));
  const cases = {
    'no JSON': ['{oops', 'not valid JSON'],
    'cut off': [`{"requests":[${one}`, 'not valid JSON'],
    'no object': ['[]', 'not valid JSON'],
    'empty body': ['', 'not valid JSON'],
    'nothing in it': ['{}', 'requests: Field required'],
    'no list': ['{"requests":{}}', 'valid list'],
    'no requests': ['{"requests":[]}', 'at least 1'],
    'another key': [`{"requests":[${one}],"name":"x"}`, 'name: Extra inputs'],
    'another key first': [`{"name":"x","requests":[${one}]}`, 'name: Extra inputs'],
    'requests twice': [`{"requests":[${one}],"requests":[]}`, 'Extra inputs'],
    'text after the end': [`{"requests":[${one}]} x`, 'not valid JSON'],
    'comma at the end': [`{"requests":[${one},]}`, 'not valid JSON'],
    'no comma': [`{"requests":[${one} ${one}]}`, 'not valid JSON'],
    'two commas': [`{"requests":[${one},,${one}]}`, 'not valid JSON'],
    'brackets that do not match': ['{"requests":[{"custom_id":"a","params":{]]}', 'not valid JSON'],
    'request no object': ['{"requests":[1]}', 'requests.0: Input should be'],
    'no custom_id': ['{"requests":[{"params":{}}]}', 'requests.0.custom_id: Field required'],
    'no params': ['{"requests":[{"custom_id":"a"}]}', 'requests.0.params: Field required'],
    'params no object': ['{"requests":[{"custom_id":"a","params":"x"}]}', 'requests.0.params'],
    'unknown key': [
      '{"requests":[{"custom_id":"a","params":{},"url":"x"}]}',
      'requests.0.url: Extra',
    ],
    'custom_id a number': ['{"requests":[{"custom_id":1,"params":{}}]}', 'valid string'],
    'custom_id empty': ['{"requests":[{"custom_id":"","params":{}}]}', 'match pattern'],
    'custom_id of 65 characters': [
      JSON.stringify({ requests: [item('x'.repeat(65), 'x')] }),
      'match pattern',
    ],
    'custom_id with a dot': [JSON.stringify({ requests: [item('a.b', 'x')] }), 'match pattern'],
    'custom_id with a newline': [JSON.stringify({ requests: [item('a\n', 'x')] }), 'match pattern'],
    'duplicate custom_id': [`{"requests":[${one},${one}]}`, 'requests.1.custom_id'],
    'invalid UTF-8': [
      Buffer.concat([
        Buffer.from('{"requests":[{"custom_id":"a","params":{"x":"'),
        Buffer.from([0xff]),
        Buffer.from('"}}]}'),
      ]),
      'not valid JSON',
    ],
    'directive invalid_line': [
      JSON.stringify({ requests: [item('a', '[[sim:invalid_line]]')] }),
      'requests.0',
    ],
  };
  for (const [name, [text, message]] of Object.entries(cases))
    bad(await send(BATCHES, text), `envelope: ${name}`, message);
  tap.is(
    [(await get(BATCHES)).json.data, (await ledger()).batches.length],
    [[], 0],
    'a refused create makes nothing',
  );
  tap.is(
    (
      await send(
        BATCHES,
        ` {\r\n"requests" :\t[ ${one} , ${JSON.stringify(item('b-_9', '"]}\\"\\\\é€'))} ] } \n`,
      )
    ).status,
    200,
    'blanks and quotes',
  );
  tap.is(
    (await create([item('x'.repeat(64), 'x'), { custom_id: 'b', params: {} }])).status,
    200,
    'params are not looked at',
  );
  await testEnvelopeLimits();
}

async function testEnvelopeLimits() {
  await control('config', {
    max_batch_requests: 2,
    max_create_bytes: 1000,
    max_queued_requests: 3,
  });
  bad(
    await create([1, 2, 3].map((n) => ({ custom_id: `r${n}`, params: {} }))),
    'too many requests',
    'at most 2 items',
  );
  const large = await create([item('a', 'x'.repeat(1000))]);
  tap.ok(
    large.status === 413 &&
      large.json === null &&
      large.headers['content-type'] === 'text/html' &&
      !large.headers['request-id'],
    'too large: 413 without JSON',
    large.body.toString(),
  );
  const chunked = await call(sim, 'POST', BATCHES, {
    headers: { ...KEY, ...JSON_TYPE, 'transfer-encoding': 'chunked' },
    body: '{}',
  });
  tap.ok(chunked.status === 411 && chunked.json === null, 'no length: 411 without JSON');
  await reset();
  await control('config', { max_queued_requests: 3 });
  await fault({ batch_outcome: 'in_progress_forever' });
  const first = (await create(items(2))).json;
  refused(await create(items(2)), 429, 'rate_limit_error', 'queue full: 429');
  await cancel(first.id);
  await ended(first.id);
  tap.is((await create(items(2))).status, 200, 'room in the queue again');
  await reset();
}

// The splitter finds the same spans however the bytes are cut.
function testSplitter() {
  const parts = [item('a', 'x"]},{['), item('b', '\\"\\\\é€'), item('c', [])].map((i) =>
    JSON.stringify(i, null, 1),
  );
  const bytes = Buffer.from(` {\n "requests": [${parts.join(' , ')}]}\n`);
  for (const step of [1, 2, 3, 7, 1000]) {
    const s = new Splitter();
    for (let i = 0; i < bytes.length; i += step) s.push(bytes.subarray(i, i + step));
    s.finish();
    const found = Array.from({ length: s.spans.length / 2 }, (_, i) =>
      bytes
        .subarray(s.spans[2 * i], s.spans[2 * i] + s.spans[2 * i + 1])
        .toString()
        .trim(),
    );
    tap.is([s.problem, found], [null, parts], `envelope in pieces of ${step}`);
  }
}

async function testLife() {
  await reset();
  await control('config', { batch_seconds: 3 });
  const created = await create(items(3));
  const b = created.json;
  tap.is(
    Object.keys(b),
    [
      'id',
      'type',
      'processing_status',
      'request_counts',
      'ended_at',
      'created_at',
      'expires_at',
      'archived_at',
      'cancel_initiated_at',
      'results_url',
    ],
    'batch object has all fields',
  );
  tap.ok(
    b.id.startsWith('msgbatch_') &&
      b.type === 'message_batch' &&
      b.processing_status === 'in_progress' &&
      b.results_url === null &&
      b.ended_at === null,
    'new batch',
    b,
  );
  tap.ok(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(b.created_at) &&
      Date.parse(b.expires_at) - Date.parse(b.created_at) === 86400e3,
    'times',
    b,
  );
  refused(
    await get(`${BATCHES}/${b.id}/results`),
    404,
    'not_found_error',
    'results before the end: 404',
  );
  bad(await remove(b.id), 'delete before the end');
  await until(async () => (await control('entries')).json.length > 0, 'a request to run');
  tap.is(
    (await get(`${BATCHES}/${b.id}`)).json.request_counts,
    { processing: 3, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
    'counts stay until the end',
  );
  const end = await ended(b.id);
  tap.is(
    end.request_counts,
    { processing: 0, succeeded: 3, errored: 0, canceled: 0, expired: 0 },
    'counts at the end',
  );
  tap.ok(
    end.ended_at >= end.created_at &&
      end.cancel_initiated_at === null &&
      end.results_url === `http://127.0.0.1:${sim.port}${BATCHES}/${b.id}/results`,
    'ended batch',
    end,
  );
  const results = await get(`${BATCHES}/${b.id}/results`);
  tap.is(
    [
      results.headers['content-type'],
      linesOf(results.body)
        .map((l) => l.custom_id)
        .sort(),
    ],
    ['application/x-jsonl', ['r0', 'r1', 'r2']],
    'results',
  );
  tap.ok(
    results.body.toString().endsWith('}\n') &&
      linesOf(results.body).some((l, i) => l.custom_id !== `r${i}`),
    'results in another order, with a newline at the end',
  );
  bad(await cancel(b.id), 'cancel after the end');
  await testOwners(b.id);
  tap.is((await remove(b.id)).json, { id: b.id, type: 'message_batch_deleted' }, 'delete');
  for (const target of [b.id, `${b.id}/results`])
    refused(await get(`${BATCHES}/${target}`), 404, 'not_found_error', 'deleted batch is gone');
  tap.is(
    [(await get(BATCHES)).json, (await ledger()).batches[0].deleted],
    [{ data: [], has_more: false, first_id: null, last_id: null }, true],
    'not listed, but in the ledger',
  );
  await control('config', { batch_seconds: 0.04 });
}

async function testOwners(id) {
  const other = { ...KEY, 'x-api-key': 'sk-other' };
  refused(
    await get(`${BATCHES}/${id}`, other),
    404,
    'not_found_error',
    'batches of another workspace are not seen',
  );
  tap.is((await get(BATCHES, other)).json.data, [], 'nor listed');
  refused(await get(`${BATCHES}/msgbatch_nope`), 404, 'not_found_error', 'unknown batch');
  const prefixed = (await get(`/anthropic${BATCHES}/${id}`)).json.results_url;
  tap.ok(
    prefixed.includes('/anthropic/v1/') && (await get(new URL(prefixed).pathname)).status === 200,
    'results_url keeps the path prefix',
    prefixed,
  );
  await control('config', { results_base: 'https://elsewhere.example' });
  tap.is(
    (await get(`${BATCHES}/${id}`)).json.results_url,
    `https://elsewhere.example${BATCHES}/${id}/results`,
    'results_base',
  );
  await control('config', { results_base: null });
}

async function testList() {
  await reset();
  const ids = [];
  for (let i = 0; i < 5; i += 1) ids.unshift((await create(items(1))).json.id);
  const list = async (query) => (await get(`${BATCHES}?${query}`)).json;
  const shape = (l) => [
    l.data.map((b) => ids.indexOf(b.id)),
    l.has_more,
    ids.indexOf(l.first_id),
    ids.indexOf(l.last_id),
  ];
  tap.is(shape(await list('')), [[0, 1, 2, 3, 4], false, 0, 4], 'newest first');
  tap.is(shape(await list('limit=2')), [[0, 1], true, 0, 1], 'first page');
  tap.is(
    shape(await list(`limit=2&after_id=${ids[1]}`)),
    [[2, 3], true, 2, 3],
    'after_id: the next older ones',
  );
  tap.is(shape(await list(`limit=2&after_id=${ids[3]}`)), [[4], false, 4, 4], 'last page');
  tap.is(
    shape(await list(`limit=2&before_id=${ids[4]}`)),
    [[2, 3], true, 2, 3],
    'before_id: the next newer ones',
  );
  tap.is(
    shape(await list(`limit=2&before_id=${ids[1]}`)),
    [[0], false, 0, 0],
    'before_id: the newest',
  );
  for (const query of [
    'limit=0',
    'limit=1001',
    'limit=x',
    'after_id=msgbatch_nope',
    `after_id=${ids[0]}&before_id=${ids[1]}`,
    'after=x',
  ])
    bad(await get(`${BATCHES}?${query}`), `list: ${query.slice(0, 20)}`);
  tap.is((await list('limit=1000&beta=true')).data.length, 5, 'limit=1000, beta=true');
}

async function testBodies() {
  const schema = (s) => ({ output_config: { format: { type: 'json_schema', schema: s } } });
  const object = (properties, more = {}) => ({
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
    ...more,
  });
  const cases = {
    'no model': { model: undefined },
    'no max_tokens': { max_tokens: undefined },
    'max_tokens a text': { max_tokens: '5' },
    'max_tokens too large': { max_tokens: 64001 },
    'no messages': { messages: undefined },
    'empty messages': { messages: [] },
    'unknown role': { messages: [{ role: 'robot', content: 'x' }] },
    'role system in an older model': {
      messages: [
        { role: 'user', content: 'x' },
        { role: 'system', content: 'x' },
      ],
    },
    'assistant first': {
      messages: [
        { role: 'assistant', content: 'x' },
        { role: 'user', content: 'x' },
      ],
    },
    'empty content': { messages: [{ role: 'user', content: '' }] },
    'null content': { messages: [{ role: 'user', content: null }] },
    'empty text block': { messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] },
    'unknown block': { messages: [{ role: 'user', content: [{ type: 'sound' }] }] },
    'prefill of a newer model': {
      model: 'claude-opus-4-6',
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: '{' },
      ],
    },
    'unknown parameter': { foo: 1 },
    "OpenAI's parameter": { max_completion_tokens: 5 },
    'system block': { system: [{ type: 'image' }] },
    'temperature 1.5': { temperature: 1.5 },
    'temperature of a newer model': { model: 'claude-opus-5', temperature: 0 },
    'top_k of a newer model': { model: 'claude-opus-4-8', top_k: 5 },
    stream: { stream: true },
    'thinking enabled in a newer model': {
      model: 'claude-opus-4-8',
      thinking: { type: 'enabled', budget_tokens: 1024 },
    },
    'adaptive in an older one': { thinking: { type: 'adaptive' } },
    'thinking off where it is always on': {
      model: 'claude-opus-5-5',
      thinking: { type: 'disabled' },
    },
    'thinking budget': { thinking: { type: 'enabled', budget_tokens: 1024 } },
    effort: { output_config: { effort: 'huge' } },
    'format without schema': { output_config: { format: { type: 'json_schema' } } },
    "OpenAI's format": {
      output_config: { format: { type: 'json_schema', name: 'x', schema: object({}) } },
    },
    'open object': schema({ type: 'object', properties: {} }),
    'nested open object': schema(
      object({ a: { type: 'array', items: { type: 'object', properties: {} } } }),
    ),
    minimum: schema(object({ a: { type: 'integer', minimum: 1 } })),
    minLength: schema(object({ a: { type: 'string', minLength: 1 } })),
    recursion: schema(
      object(
        { a: { $ref: '#/$defs/a' } },
        { $defs: { a: object({ b: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } }) } },
      ),
    ),
    'external reference': schema(object({ a: { $ref: 'https://example.com/x' } })),
    '25 optional ones': schema({
      ...object(
        Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`k${i}`, { type: 'string' }])),
      ),
      required: [],
    }),
    'tool_choice without tools': { tool_choice: { type: 'any' } },
    'unknown tool': {
      tools: [{ name: 'a', input_schema: { type: 'object' } }],
      tool_choice: { type: 'tool', name: 'b' },
    },
    metadata: { metadata: { job: '1' } },
    service_tier: { service_tier: 'batch' },
    'cache ttl': { cache_control: { type: 'ephemeral', ttl: '2h' } },
    'cache type': { system: [{ type: 'text', text: 'x', cache_control: { type: 'eternal' } }] },
    '5 breakpoints': {
      messages: [
        {
          role: 'user',
          content: Array.from({ length: 5 }, () => ({
            type: 'text',
            text: 'x',
            cache_control: { type: 'ephemeral' },
          })),
        },
      ],
    },
    '1h after 5m': {
      system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }],
      cache_control: { type: 'ephemeral', ttl: '1h' },
    },
    'blank stop sequence': { stop_sequences: [' '] },
    'too long': { messages: [{ role: 'user', content: 'word '.repeat(170000) }] },
  };
  for (const [name, change] of Object.entries(cases))
    bad(await post('/v1/messages', { ...body('hi'), ...change }), `body: ${name}`);
  refused(
    await post('/v1/messages', body('hi', { model: 'claude-0' })),
    404,
    'not_found_error',
    'body: unknown model',
  );
  bad(await post('/v1/messages', body('[[sim:nonsense]]')), 'body: unknown directive', 'nonsense');
  const fine = {
    'temperature of an older model': { temperature: 0, top_k: 5 },
    'temperature 1 of a newer one': { model: 'claude-opus-5', temperature: 1 },
    prefill: {
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: '{' },
      ],
    },
    'blocks and system': {
      system: [{ type: 'text', text: 'x' }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'x' },
            { type: 'image', source: {} },
          ],
        },
      ],
    },
    'adaptive thinking': {
      model: 'claude-opus-4-8',
      thinking: { type: 'adaptive' },
      output_config: { effort: 'low' },
    },
    'optional property and reference': schema({
      ...object(
        { a: { $ref: '#/$defs/a' }, b: { type: 'string' } },
        { $defs: { a: { enum: ['x', 'y'] } } },
      ),
      required: ['a'],
    }),
    'max_tokens 0': { max_tokens: 0 },
  };
  for (const [name, change] of Object.entries(fine))
    tap.is(
      (await post('/v1/messages', { ...body('hi'), ...change })).status,
      200,
      `body: ${name} is fine`,
    );
  tap.is(
    (await post('/v1/messages/count_tokens', { ...body('12345678'), max_tokens: undefined })).json,
    { input_tokens: 9 },
    'count_tokens',
  );
}

// What is wrong with params ends as an errored line.
async function testAsync() {
  const { batch, lines } = await whole([
    item('fine', 'x'),
    item('zero', 'x', { max_tokens: 0 }),
    item('stream', 'x', { stream: true }),
    item('speed', 'x', { speed: 'fast' }),
    item('store', 'x', { store: true }),
    item('model', 'x', { model: 'claude-0' }),
    { custom_id: 'nothing', params: {} },
    item('warm', 'x', { temperature: 0 }),
    item('long', 'x', { model: 'claude-opus-5', max_tokens: 200000 }),
  ]);
  tap.is(
    batch.request_counts,
    { processing: 0, succeeded: 2, errored: 7, canceled: 0, expired: 0 },
    'asynchronous validation',
  );
  const line = (id, all = lines) => all.find((l) => l.custom_id === id);
  tap.is(
    line('zero').result,
    {
      type: 'errored',
      error: {
        type: 'error',
        error: {
          type: 'invalid_request_error',
          message: 'max_tokens: Input should be greater than or equal to 1',
        },
        request_id: null,
      },
    },
    'an error is nested twice',
  );
  tap.is(line('model').result.error.error.type, 'not_found_error', 'unknown model in a batch');
  tap.ok(
    line('speed').result.error.error.message.includes('not supported in message batches'),
    'what batches do not take',
  );
  const newer = (
    await whole(
      [
        item('a', 'x'),
        item('b', 'x', { temperature: 1 }),
        item('c', 'x', { top_p: 1 }),
        item('d', 'x', { top_k: 1 }),
        item('e', [{ type: 'text', text: 'x', citations: [{}] }]),
        {
          custom_id: 'f',
          params: body('x', {
            messages: [
              { role: 'user', content: 'x' },
              { role: 'assistant', content: [{ type: 'document' }] },
              { role: 'user', content: 'x' },
            ],
          }),
        },
      ],
      { 'anthropic-version': '2026-10-21' },
    )
  ).lines;
  tap.is(
    newer
      .filter((l) => l.result.type === 'errored')
      .map((l) => l.custom_id)
      .sort(),
    ['b', 'c', 'd', 'e', 'f'],
    'rules of 2026-10-21 in a batch',
  );
  bad(
    await call(sim, 'POST', '/v1/messages', {
      headers: { ...NEW, ...JSON_TYPE },
      body: JSON.stringify(body('x', { temperature: 1 })),
    }),
    'rules of 2026-10-21 alone',
    'temperature',
  );
  const long = await whole([item('long', 'x', { model: 'claude-opus-5', max_tokens: 200000 })], {
    'anthropic-beta': 'output-300k-2026-03-24',
  });
  tap.is(long.lines[0].result.type, 'succeeded', 'output-300k');
}

async function testModel() {
  const ask = async (text, more) => (await post('/v1/messages', body(text, more))).json;
  const plain = await ask('Capital of Peru?');
  tap.is(
    Object.keys(plain),
    [
      'id',
      'type',
      'role',
      'model',
      'content',
      'stop_reason',
      'stop_sequence',
      'stop_details',
      'usage',
    ],
    'message has all fields',
  );
  tap.ok(
    plain.content[0].type === 'text' &&
      plain.content[0].citations === null &&
      plain.model === 'claude-haiku-4-5-20251001' &&
      plain.stop_reason === 'end_turn' &&
      plain.usage.service_tier === 'standard',
    'plain answer',
    plain,
  );
  const same = await call(sim, 'POST', '/v1/chat/completions', {
    headers: { authorization: 'Bearer sk-sim', ...JSON_TYPE },
    body: JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'Capital of Peru?' }],
    }),
  });
  tap.is(
    plain.content[0].text,
    same.json.choices[0].message.content,
    'the same model behind both providers',
  );
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['label'],
    properties: { label: { enum: ['billing', 'bug'] } },
  };
  tap.is(
    (await ask('This is a bug', { output_config: { format: { type: 'json_schema', schema } } }))
      .content[0].text,
    '{"label":"bug"}',
    'structured output',
  );
  const tools = [{ name: 'classify', input_schema: schema }];
  const used = await ask('This is a bug', {
    tools,
    tool_choice: { type: 'tool', name: 'classify' },
  });
  tap.ok(
    used.stop_reason === 'tool_use' &&
      used.content[0].type === 'tool_use' &&
      used.content[0].input.label === 'bug',
    'tool_choice',
    used,
  );
  const cut = await ask('x '.repeat(50), { max_tokens: 2 });
  tap.is(
    [cut.stop_reason, cut.usage.output_tokens, cut.content[0].text.length],
    ['max_tokens', 2, 8],
    'max_tokens cuts',
  );
  const stopped = await ask('one two STOP three', { stop_sequences: ['nope', ' STOP'] });
  tap.ok(
    stopped.stop_reason === 'stop_sequence' &&
      stopped.stop_sequence === ' STOP' &&
      stopped.content[0].text.endsWith('two'),
    'stop_sequences',
    stopped,
  );
  const thought = await ask('x', { model: 'claude-opus-5-5' });
  tap.is(
    [thought.content.map((b) => b.type), thought.usage.output_tokens_details.thinking_tokens],
    [['thinking', 'redacted_thinking', 'text'], 64],
    'thinking blocks come first',
  );
}

async function testCaching() {
  await reset();
  const control1h = { type: 'ephemeral', ttl: '1h' };
  const cached = (id, text, ttl = control1h) =>
    item(id, text, { system: [{ type: 'text', text: 'rule '.repeat(4000), cache_control: ttl }] });
  const { lines } = await whole(Array.from({ length: 5 }, (_, i) => cached(`r${i}`, `text ${i}`)));
  const usages = lines.map((l) => l.result.message.usage);
  tap.is(
    usages
      .filter((u) => u.cache_creation_input_tokens === 5000)
      .map((u) => [u.cache_creation, u.cache_read_input_tokens]),
    [[{ ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 5000 }, 0]],
    'the first one writes the cache',
  );
  tap.is(
    usages.filter((u) => u.cache_read_input_tokens === 5000 && u.cache_creation_input_tokens === 0)
      .length,
    4,
    'the others read it',
  );
  tap.ok(
    usages.every((u) => u.input_tokens === 9 && u.service_tier === 'batch'),
    'input_tokens without what is cached',
    usages[0],
  );
  const entries = (await control('entries')).json;
  tap.ok(
    entries.length === 5 &&
      entries.every((e) => e.prompt_tokens === 5009) &&
      entries.filter((e) => e.cached_tokens === 5000).length === 4,
    'the ledger counts all of it',
    entries[0],
  );
  const usage = async (params) => (await post('/v1/messages', params)).json.usage;
  const short = await usage(
    body('x', { system: [{ type: 'text', text: 'short', cache_control: control1h }] }),
  );
  tap.is(
    [short.cache_creation_input_tokens, short.cache_read_input_tokens],
    [0, 0],
    'a short prefix is not cached',
  );
  await control('config', { cache_min_tokens: 0 });
  const system = [{ type: 'text', text: 'short', cache_control: control1h }];
  const two = body('a longer text', { system, cache_control: { type: 'ephemeral' } });
  const [first, longer, again] = [
    await usage(body('x', { system })),
    await usage(two),
    await usage(two),
  ];
  tap.is(
    [
      first.cache_creation.ephemeral_1h_input_tokens,
      longer.cache_read_input_tokens,
      longer.cache_creation.ephemeral_5m_input_tokens,
    ],
    [2, 2, 8],
    'cache_min_tokens; two breakpoints',
  );
  tap.is(
    [again.cache_read_input_tokens, again.cache_creation, again.input_tokens],
    [10, { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 }, 3],
    'the longest cached prefix is read',
  );
  await control('config', { cache_min_tokens: null });
}

async function testDirectives() {
  await reset();
  const names = [
    'plain',
    'error=400',
    'error=529',
    'error=429:enforced_spend_limit_reached',
    'error=500:overloaded_error',
    'status0',
    'expired',
    'cancelled',
    'timeout',
    'refusal',
    'refusal=cyber',
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
    'pause_turn',
    'context_window',
    'stop=future_reason',
    'thinking',
    'blocks',
    'tool_use',
  ];
  const idOf = (name) => name.replace(/[^a-z0-9_]/g, '-').slice(0, 30);
  const { batch, lines } = await whole(
    names.map((n) =>
      item(idOf(n), n === 'plain' ? 'plain words' : `ask [[sim:${n}]]`, { max_tokens: 60000 }),
    ),
  );
  const all = (n) => lines.filter((l) => l && l.custom_id === idOf(n));
  const result = (n) => all(n)[0].result;
  const message = (n) => result(n).message;
  const error = (n) => result(n).error.error;
  tap.is(
    batch.request_counts,
    { processing: 0, succeeded: 22, errored: 7, canceled: 1, expired: 1 },
    'request_counts',
  );
  tap.is(
    [
      'error=400',
      'error=529',
      'error=500:overloaded_error',
      'status0',
      'timeout',
      'fail_times=1',
    ].map((n) => error(n).type),
    [
      'invalid_request_error',
      'overloaded_error',
      'overloaded_error',
      'api_error',
      'timeout_error',
      'api_error',
    ],
    'errors',
  );
  tap.is(
    [
      error('error=429:enforced_spend_limit_reached').type,
      error('error=429:enforced_spend_limit_reached').details.error_code,
    ],
    ['rate_limit_error', 'enforced_spend_limit_reached'],
    'error=STATUS:CODE',
  );
  tap.is(
    [result('expired'), result('cancelled')],
    [{ type: 'expired' }, { type: 'canceled' }],
    'expired, cancelled',
  );
  tap.is(
    ['refusal', 'refusal=cyber', 'content_filter'].map((n) => [
      message(n).stop_reason,
      message(n).stop_details.category,
      message(n).content.length,
    ]),
    [
      ['refusal', null, 0],
      ['refusal', 'cyber', 0],
      ['refusal', 'general_harms', 0],
    ],
    'refusal, content_filter',
  );
  tap.is(
    ['length', 'pause_turn', 'context_window', 'stop=future_reason'].map(
      (n) => message(n).stop_reason,
    ),
    ['max_tokens', 'pause_turn', 'model_context_window_exceeded', 'future_reason'],
    'stop reasons',
  );
  tap.is(
    [all('missing').length, all('duplicate').length, all('both').map((l) => l.result.type)],
    [0, 2, ['succeeded', 'errored']],
    'missing, duplicate, both',
  );
  tap.is(
    [
      lines.filter((l) => l === null).length,
      lines.filter((l) => l && l.custom_id.startsWith('sim-unknown')).length,
    ],
    [1, 1],
    'badjson, unknown',
  );
  tap.is(
    [message('null_content').content[0].text, message('nochoices').content],
    ['', []],
    'null_content, nochoices',
  );
  tap.is(
    ['nul', 'say=a%20%5D%5D%C3%A9', 'json=%7B%22a%22%3A1%7D'].map(
      (n) => message(n).content[0].text,
    ),
    ['before\u0000after', 'a ]]é', '{"a":1}'],
    'nul, say, json',
  );
  tap.is(message('big=100000').content[0].text.length, 100000, 'big');
  tap.is(
    message('thinking').content.map((b) => b.type),
    ['thinking', 'redacted_thinking', 'text'],
    'thinking',
  );
  const blocks = message('blocks').content;
  tap.is(
    [
      blocks.map((b) => b.type),
      blocks
        .filter((b) => b.type === 'text')
        .map((b) => b.text)
        .join('')
        .startsWith('Sim '),
    ],
    [['text', 'server_tool_use', 'sim_future_block', 'text'], true],
    'blocks',
  );
  tap.is(
    [message('tool_use').stop_reason, message('tool_use').content[0].name],
    ['tool_use', 'sim_tool'],
    'tool_use',
  );
  tap.is(
    (await whole([item('again', 'ask [[sim:fail_times=1]]')])).lines[0].result.type,
    'succeeded',
    'fail_times',
  );
  await testRealtimeDirectives();
}

async function testRealtimeDirectives() {
  const ask = (text) => post('/v1/messages', body(text));
  refused(await ask('[[sim:error=529]]'), 529, 'overloaded_error', 'realtime: error=529');
  refused(await ask('[[sim:timeout]]'), 504, 'timeout_error', 'realtime: timeout');
  for (const name of ['status0', 'expired', 'missing'])
    tap.ok((await ask(`[[sim:${name}]]`)).error, `realtime: ${name} hangs up`);
  const broken = await ask('[[sim:badjson]]');
  tap.ok(broken.status === 200 && broken.json === null, 'realtime: badjson');
  const foreign = await call(sim, 'POST', '/v1/chat/completions', {
    headers: { authorization: 'Bearer sk-sim', ...JSON_TYPE },
    body: JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: '[[sim:pause_turn]]' }],
    }),
  });
  tap.is(foreign.status, 400, "OpenAI does not know Anthropic's directives");
}

async function testOutcomes() {
  await reset();
  for (const [outcome, kind] of [
    ['expired', 'expired'],
    ['cancelled', 'canceled'],
  ]) {
    await fault({ batch_outcome: outcome, finished: 0.3 });
    const { batch, lines } = await whole(items(10));
    const left = lines.filter((l) => l.result.type === kind);
    tap.ok(
      lines.length === 10 &&
        left.length === 7 &&
        batch.request_counts[kind] === 7 &&
        batch.request_counts.succeeded === 3 &&
        Boolean(batch.cancel_initiated_at) === (kind === 'canceled'),
      `batch_outcome ${outcome}`,
      batch,
    );
  }
  await fault({ batch_outcome: 'failed', errors: [{ message: 'all lost' }] });
  const failed = await whole(items(2));
  tap.ok(
    failed.batch.request_counts.errored === 2 &&
      failed.lines.every((l) => l.result.error.error.message === 'all lost'),
    'batch_outcome failed',
  );
  await fault({ batch_outcome: 'archived' });
  const { id } = (await create(items(2))).json;
  const archived = await ended(id);
  tap.ok(
    archived.results_url === null &&
      archived.archived_at &&
      archived.request_counts.succeeded === 2,
    'batch_outcome archived',
    archived,
  );
  refused(
    await get(`${BATCHES}/${id}/results`),
    404,
    'not_found_error',
    'archived results are gone',
  );
  await testForever();
  await testAbsent();
}

async function testForever() {
  await fault({ batch_outcome: 'in_progress_forever', finished: 0.4 });
  const { id } = (await create(items(10))).json;
  await until(
    async () => (await control(`entries?batch_id=${id}`)).json.length === 4,
    'four requests to run',
  );
  await sleep(100);
  tap.is(
    (await get(`${BATCHES}/${id}`)).json.processing_status,
    'in_progress',
    'in_progress_forever',
  );
  await control('config', { batch_seconds: 3 });
  const asked = await cancel(id);
  tap.ok(
    asked.status === 200 &&
      asked.json.processing_status === 'canceling' &&
      asked.json.cancel_initiated_at &&
      asked.json.request_counts.processing === 10,
    'cancel: canceling',
    asked.json,
  );
  const again = await cancel(id);
  tap.is(
    [again.status, again.json.cancel_initiated_at],
    [200, asked.json.cancel_initiated_at],
    'cancel again: the same',
  );
  await control('config', { batch_seconds: 0.04 });
  tap.is(
    (await ended(id)).request_counts,
    { processing: 0, succeeded: 4, errored: 0, canceled: 6, expired: 0 },
    'cancelled: finished requests are kept',
  );
  tap.is((await control(`entries?batch_id=${id}`)).json.length, 4, 'only they are billed');
}

async function testAbsent() {
  await control('config', { absent_after_create: 2, absent_after_end: 1 });
  const { id } = (await create(items(1))).json;
  const target = `${BATCHES}/${id}`;
  tap.is(
    [(await get(target)).status, (await get(target)).status, (await get(target)).json.id],
    [404, 404, id],
    'absent_after_create',
  );
  tap.is((await get(BATCHES)).json.data[0].id, id, 'though it is listed');
  await until(
    async () => (await get(BATCHES)).json.data[0].processing_status === 'ended',
    'the end',
  );
  const seen = [];
  for (const path of [target, target, `${target}/results`, `${target}/results`])
    seen.push((await get(path)).status);
  tap.is(seen, [404, 200, 404, 200], 'absent_after_end');
  await control('config', { absent_after_create: 0, absent_after_end: 0 });
}

async function testFaults() {
  await reset();
  const models = { path_regex: '^/v1/models$' };
  const once = async (action) => {
    await fault(action, models);
    return get('/v1/models');
  };
  refused(await once({ status: 529 }), 529, 'overloaded_error', 'status: the usual error');
  const spent = await once({ status: 429, error_code: 'enforced_spend_limit_reached' });
  tap.ok(
    spent.status === 429 &&
      spent.json.error.details.error_code === 'enforced_spend_limit_reached' &&
      !('retry-after' in spent.headers),
    'spend limit: no retry-after',
    spent.json,
  );
  const ramp = await once({
    status: 429,
    error_code: 'ramp_limit_exceeded',
    headers: { 'Retry-After': '7' },
  });
  tap.is(
    [ramp.json.error.type, ramp.headers['retry-after']],
    ['rate_limit_error', '7'],
    'ramp limit',
  );
  const before = async () => (await get(BATCHES)).json.data.length;
  await fault({ reset: 'before' });
  tap.ok((await create(items(2))).error && (await before()) === 0, 'reset before: no effect');
  await fault({ html: 413 });
  tap.is([(await create(items(2))).status, await before()], [413, 0], 'html 413: no effect');
  for (const action of [{ reset: 'after' }, { lost_after_effect: true }]) {
    const was = await before();
    await fault(action);
    tap.ok(
      (await create(items(2))).error && (await before()) === was + 1,
      `${JSON.stringify(action)}: effect without answer`,
    );
  }
  const text = JSON.stringify({ requests: items(2) });
  const impatient = () =>
    call(sim, 'POST', BATCHES, {
      headers: { ...KEY, ...JSON_TYPE, 'content-length': text.length },
      body: text,
      timeout: 1500,
    });
  await fault({ hang: 'after' });
  const was = await before();
  tap.ok(
    (await impatient()).error && (await before()) === was + 1,
    'hang after: effect without answer',
  );
  await fault({ hang: true });
  tap.ok((await impatient()).error && (await before()) === was + 1, 'hang: no effect');
  await fault({ delay_ms: 3000 });
  await impatient();
  await until(async () => (await before()) === was + 2, 'the delayed create');
  tap.ok(true, 'delay_ms: an effect after the client has gone');
  await fault({ lost_after_effect: true, list_lag_ms: 3000 });
  await create(items(2));
  tap.is(await before(), was + 2, 'list_lag_ms hides the new batch');
  await until(async () => (await before()) === was + 3, 'the batch to show');
  await testDownloads();
  await testAborted();
}

async function testDownloads() {
  const { batch } = await whole(items(100));
  const target = new URL(batch.results_url).pathname;
  await fault({ truncate: 500 }, { path_regex: '/results$' });
  const cut = await get(target);
  tap.ok(cut.error && cut.body.length === 500, 'truncated results');
  await control('config', { chunked_content: true });
  const chunked = await get(target, { ...KEY, 'accept-encoding': 'gzip' });
  tap.ok(
    chunked.headers['transfer-encoding'] === 'chunked' && linesOf(chunked.body).length === 100,
    'chunked results',
  );
  await control('config', { chunked_content: false });
}

// A create that the client leaves half sent has no effect.
async function testAborted() {
  await reset();
  const socket = net.connect(sim.port, '127.0.0.1');
  socket.write(
    `POST ${BATCHES} HTTP/1.1\r\nHost: x\r\nx-api-key: sk-sim\r\nanthropic-version: ` +
      `2023-06-01\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n` +
      '{"requests":[{"custom_id"',
  );
  await until(
    async () => (await control('requests')).json.some((r) => r.path === BATCHES),
    'the half request',
  );
  socket.destroy();
  tap.is(
    [(await get(BATCHES)).json.data, (await ledger()).batches],
    [[], []],
    'a create cut off by the client has no effect',
  );
}

async function testForeign() {
  await reset();
  const made = (
    await control('foreign', {
      provider: 'anthropic',
      requests: 3,
      count: 2,
      age_ms: 60000,
      outcome: 'in_progress_forever',
    })
  ).json.ids;
  await fault({ lost_after_effect: true, foreign: 1 });
  await create(items(3));
  const { data } = (await get(BATCHES)).json;
  const own = (await ledger()).batches.filter((b) => !b.foreign).map((b) => b.id);
  tap.ok(
    data.length === 4 &&
      data.every((b) => b.request_counts.processing + b.request_counts.succeeded === 3) &&
      own.length === 1,
    'foreign batches of the same size',
    data,
  );
  tap.ok(
    made.includes(data[2].id) &&
      made.includes(data[3].id) &&
      Date.now() - Date.parse(data[3].created_at) >= 60000,
    'age_ms: listed by their time',
  );
  await Promise.all([ended(data[0].id), ended(data[1].id)]);
  const twin = data[0].id === own[0] ? data[1].id : data[0].id;
  tap.is(
    linesOf((await get(`${BATCHES}/${twin}/results`)).body).map((l) => [
      l.custom_id.slice(0, 6),
      l.result.type,
    ]),
    Array(3).fill(['other-', 'succeeded']),
    'their results are their own',
  );
  tap.is((await ledger()).billed_requests, 3, 'they are not in the bill');
  await cancel(made[0]);
  tap.is(
    (await ended(made[0])).request_counts,
    { processing: 0, succeeded: 1, errored: 0, canceled: 2, expired: 0 },
    'their outcome',
  );
  const [late] = (await control('foreign', { provider: 'anthropic', requests: 1, age_ms: 3600000 }))
    .json.ids;
  tap.is((await get(BATCHES)).json.last_id, late, 'an older one made later is listed last');
  for (const wish of [
    { provider: 'anthropic' },
    { provider: 'nobody', requests: 1 },
    { provider: 'anthropic', requests: 1, size: 2 },
  ])
    tap.is(
      (await control('foreign', wish)).status,
      400,
      `foreign: ${JSON.stringify(wish)} is refused`,
    );
}

async function testLedger() {
  await reset();
  const sha = (text) => createHash('sha256').update(text).digest('hex');
  const first = await whole([
    item('a', 'same'),
    item('b', 'other'),
    item('c', '[[sim:error=500]]'),
  ]);
  await whole([item('a', 'same')], { 'anthropic-version': '2026-10-21' });
  await post('/v1/messages', body('realtime'));
  const l = await ledger();
  tap.is(
    [l.billed_requests, l.realtime_requests, l.content_billed_again, l.by_custom_id],
    [3, 1, 1, { b: 1, a: 2 }],
    'only what succeeded is billed',
  );
  tap.is(
    [l.by_content[sha('same')], l.by_content[sha('other')], l.files_left],
    [2, 1, []],
    'by_content; no files',
  );
  const [one, two] = l.batches;
  tap.ok(
    l.batches.length === 2 &&
      one.id === first.batch.id &&
      one.lines === 3 &&
      one.completed === 2 &&
      one.failed === 1 &&
      one.version === '2023-06-01' &&
      two.version === '2026-10-21' &&
      one.deleted === false,
    'batches',
    l.batches,
  );
  tap.ok(
    l.requests['POST /v1/messages/batches'] === 2 &&
      l.requests['GET /v1/messages/batches/{id}/results'] === 2,
    'requests by route',
    l.requests,
  );
  const log = (await control('requests')).json;
  tap.ok(
    log.every((r) => r.headers['x-api-key'] === '...-sim') &&
      log.find((r) => r.path === BATCHES).body.startsWith('{"requests":'),
    'requests, with the key redacted',
  );
}

// A body near the limit, in 100,000 requests, sent in pieces: memory stays flat.
async function testSize() {
  await reset();
  await fault({ batch_outcome: 'in_progress_forever', finished: 0 });
  const n = 100000;
  const filler = 'lorem ipsum '.repeat(200);
  const line = (i) =>
    (i ? ',' : '{"requests":[') +
    JSON.stringify(item(`row-${String(i).padStart(6, '0')}`, filler)) +
    (i === n - 1 ? ']}' : '');
  const length = n * Buffer.byteLength(line(1)) + 14;
  const before = peak();
  const start = Date.now();
  const reply = await new Promise((done, fail) => {
    const req = http
      .request(
        {
          host: '127.0.0.1',
          port: sim.port,
          method: 'POST',
          path: BATCHES,
          headers: { ...KEY, ...JSON_TYPE, 'content-length': length },
          agent: false,
        },
        (res) => {
          const chunks = [];
          res
            .on('data', (c) => chunks.push(c))
            .on('end', () =>
              done({ status: res.statusCode, json: tryJson(Buffer.concat(chunks).toString()) }),
            );
        },
      )
      .on('error', fail);
    (async () => {
      for (let i = 0; i < n; i += 500)
        if (!req.write(Array.from({ length: 500 }, (_, k) => line(i + k)).join('')))
          await new Promise((d) => {
            req.once('drain', d);
          });
      req.end();
    })();
  });
  const grown = Math.round((peak() - before) / 1024);
  console.log(`# ${length} bytes in ${Date.now() - start} ms, ${grown} MB more memory`);
  tap.ok(
    reply.status === 200 &&
      reply.json.request_counts.processing === n &&
      length > 240e6 &&
      length < 256e6,
    `${n} requests in ${length} bytes`,
    reply,
  );
  tap.ok(grown < 150, 'memory stays flat', grown);
  await reset();
}

// The simulator's largest resident size so far, in kB.
const peak = () =>
  Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${sim.child.pid}/status`, 'utf8'))[1]);

// Many small requests from create to results.
async function testMany() {
  const n = 20000;
  const start = Date.now();
  const { batch, lines } = await whole(items(n));
  console.log(`# ${n} requests in ${Date.now() - start} ms`);
  tap.ok(
    batch.request_counts.succeeded === n && new Set(lines.map((l) => l.custom_id)).size === n,
    `${n} requests, each answered once`,
    batch,
  );
}

for (const test of [
  testHeaders,
  testModels,
  testEnvelope,
  testSplitter,
  testLife,
  testList,
  testBodies,
  testAsync,
  testModel,
  testCaching,
  testDirectives,
  testOutcomes,
  testFaults,
  testForeign,
  testLedger,
  testMany,
  testSize,
]) {
  await tap.group(test.name, test);
}
await sim.stop();
process.exit(tap.done());
