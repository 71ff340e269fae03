// Drives the simulator with OpenAI's official client: every operation, the error classes, a whole
// batch. Prints TAP.
// Runs on node 18 too, whose global File the client misses.

import { File } from 'node:buffer';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import OpenAI, { toFile } from 'openai';
import { call, startSim, Tap, until } from '../sim/harness.mjs';

globalThis.File ??= File;

const tap = new Tap();
const sim = await startSim(['--api-key', 'sk-sim', '--batch-seconds', '0.2']);
const clientOf = (apiKey, maxRetries = 0) =>
  new OpenAI({
    apiKey,
    maxRetries,
    organization: 'org-1',
    project: 'proj_1',
    baseURL: `http://127.0.0.1:${sim.port}/v1`,
  });
const client = clientOf('sk-sim');
const control = (name, value) =>
  call(sim, 'POST', `/_sim/${name}`, { body: JSON.stringify(value) });
const logged = async () => JSON.parse((await call(sim, 'GET', '/_sim/requests')).body).pop();

const line = (id, body, url = '/v1/chat/completions') =>
  JSON.stringify({ custom_id: id, method: 'POST', url, body });
const chat = (content, more = {}) => ({
  model: 'gpt-4o-mini',
  messages: [{ role: 'user', content }],
  ...more,
});
const upload = async (text, more = {}) =>
  client.files.create({
    file: await toFile(Buffer.from(text), 'in.jsonl'),
    purpose: 'batch',
    ...more,
  });
const create = (id, more = {}) =>
  client.batches.create({
    input_file_id: id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    ...more,
  });
const ended = (id) =>
  until(async () => {
    const batch = await client.batches.retrieve(id);
    return ['completed', 'failed', 'expired', 'cancelled'].includes(batch.status) && batch;
  }, `batch ${id} to end`);

// The client's file content as parsed lines.
async function lines(id) {
  const text = await (await client.files.content(id)).text();
  return text
    .trimEnd()
    .split('\n')
    .map((l) => JSON.parse(l));
}

async function throws(promise, Kind, name, more = () => true) {
  const error = await promise.then(
    () => null,
    (e) => e,
  );
  tap.ok(error instanceof Kind && more(error), `${name}: ${Kind.name}`, String(error));
}

async function testFiles() {
  const made = await upload(`${line('a', chat('hi'))}\n`);
  tap.ok(
    made.id.startsWith('file-') &&
      made.object === 'file' &&
      made.purpose === 'batch' &&
      made.filename === 'in.jsonl' &&
      made.status === 'processed',
    'files.create',
    made,
  );
  await testStreamed();
  const dated = await upload('x\n', { expires_after: { anchor: 'created_at', seconds: 86400 } });
  tap.is(dated.expires_at - dated.created_at, 86400, 'files.create with expires_after');
  const again = await client.files.retrieve(made.id);
  tap.ok(
    again.id === made.id && again.expires_at === again.created_at + 2592000,
    'files.retrieve',
    again,
  );
  const listed = [];
  for await (const file of client.files.list({ purpose: 'batch', limit: 1 })) listed.push(file.id);
  tap.is(listed, [dated.id, made.id], 'files.list pages through');
  tap.is((await lines(made.id))[0].custom_id, 'a', 'files.content');
  tap.is((await logged()).headers.accept, 'application/binary', 'content is asked for as binary');
  const gone = await client.files.delete(made.id);
  tap.ok(gone.deleted === true && gone.id === made.id && gone.object === 'file', 'files.delete');
  await throws(
    client.files.retrieve(made.id),
    OpenAI.NotFoundError,
    'files.retrieve of a deleted file',
  );
  await throws(
    client.files.create({ file: await toFile(Buffer.from('x'), 'in.txt'), purpose: 'batch' }),
    OpenAI.BadRequestError,
    'filename',
  );
  await throws(
    upload('x', { expires_after: { anchor: 'created_at', seconds: 60 } }),
    OpenAI.BadRequestError,
    'expires_after too short',
  );
}

// A file given as a stream travels chunked, with the file before the purpose.
async function testStreamed() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'batchinf-client-'));
  fs.writeFileSync(path.join(folder, 'in.jsonl'), 'streamed\n');
  const made = await client.files.create({
    file: fs.createReadStream(path.join(folder, 'in.jsonl')),
    purpose: 'batch',
  });
  const { headers } = await logged();
  tap.ok(
    made.filename === 'in.jsonl' &&
      made.bytes === 9 &&
      headers['transfer-encoding'] === 'chunked' &&
      headers['openai-project'] === 'proj_1',
    'files.create from a stream',
    { made, headers },
  );
  await client.files.delete(made.id);
  fs.rmSync(folder, { recursive: true });
}

async function testBatchEndToEnd() {
  const schema = {
    type: 'object',
    properties: { label: { type: 'string', enum: ['bug', 'other'] } },
    required: ['label'],
    additionalProperties: false,
  };
  const format = {
    response_format: { type: 'json_schema', json_schema: { name: 'ticket', strict: true, schema } },
  };
  const input = [
    line('one', chat('plain')),
    line('two', chat('This is a bug', format)),
    line('three', chat('[[sim:error=400]]')),
  ].join('\n');
  const file = await upload(`${input}\n`);
  const made = await create(file.id, {
    metadata: { job: '42' },
    output_expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  tap.ok(
    made.object === 'batch' &&
      made.status === 'validating' &&
      made.errors === null &&
      made.metadata.job === '42' &&
      made.request_counts.total === 0,
    'batches.create',
    made,
  );
  const batch = await ended(made.id);
  tap.ok(
    batch.status === 'completed' &&
      batch.completed_at >= batch.created_at &&
      batch.in_progress_at &&
      batch.finalizing_at,
    'batches.retrieve until it ends',
    batch,
  );
  tap.is(batch.request_counts, { total: 3, completed: 2, failed: 1 }, 'request_counts');
  const out = Object.fromEntries((await lines(batch.output_file_id)).map((l) => [l.custom_id, l]));
  const [err] = await lines(batch.error_file_id);
  tap.is(Object.keys(out).sort(), ['one', 'two'], 'output file by custom_id');
  tap.is(
    JSON.parse(out.two.response.body.choices[0].message.content),
    { label: 'bug' },
    'structured output',
  );
  tap.ok(
    err.custom_id === 'three' &&
      err.response.status_code === 400 &&
      err.error === null &&
      err.response.body.error.type,
    'error file',
    err,
  );
  const output = await client.files.retrieve(batch.output_file_id);
  tap.ok(
    output.purpose === 'batch_output' && output.expires_at === output.created_at + 3600,
    'output file object',
    output,
  );
  const total = out.one.response.body.usage.total_tokens + out.two.response.body.usage.total_tokens;
  tap.is(batch.usage.total_tokens, total, 'usage of the batch is the sum of its lines');
}

async function testEmbeddingBatch() {
  const body = { model: 'text-embedding-3-small', input: ['alpha', 'beta'], dimensions: 8 };
  const file = await upload(line('e', body, '/v1/embeddings'));
  const batch = await ended((await create(file.id, { endpoint: '/v1/embeddings' })).id);
  const [{ response }] = await lines(batch.output_file_id);
  tap.is(
    response.body.data.map((d) => [d.index, d.embedding.length]),
    [
      [0, 8],
      [1, 8],
    ],
    'a batch of embeddings',
  );
}

const RESPONSES = '/v1/responses';
const response = (input, more = {}) => ({
  model: 'gpt-5.4-pro',
  input,
  max_output_tokens: 200,
  store: false,
  ...more,
});

async function testResponses() {
  const schema = {
    type: 'object',
    properties: { label: { type: 'string', enum: ['bug', 'other'] } },
    required: ['label'],
    additionalProperties: false,
  };
  const text = { format: { type: 'json_schema', name: 'ans', strict: true, schema } };
  const answer = await client.responses.create(
    response('This is a bug', { instructions: 'Be short.', text }),
  );
  tap.is(
    [answer.object, answer.status, JSON.parse(answer.output_text)],
    ['response', 'completed', { label: 'bug' }],
    'responses.create',
  );
  tap.ok(
    answer.output[0].type === 'reasoning' &&
      answer.output[1].type === 'message' &&
      answer.usage.input_tokens_details.cached_tokens === 0,
    'reasoning comes first',
    answer,
  );
  const items = await client.responses.create(
    response([
      { role: 'user', content: [{ type: 'input_text', text: '[[sim:say=ab]][[sim:items]]' }] },
    ]),
  );
  tap.is(
    items.output.map((o) => o.type),
    ['reasoning', 'message', 'web_search_call', 'message'],
    'items',
  );
  tap.is(
    (await client.responses.create(response('[[sim:length]] hello'))).incomplete_details,
    { reason: 'max_output_tokens' },
    'incomplete',
  );
  tap.is(
    (await client.responses.create(response('[[sim:refusal]]'))).output.at(-1).content[0].type,
    'refusal',
    'a refusal',
  );
  tap.is(
    (await client.responses.create(response('[[sim:failed=invalid_prompt]]'))).error.code,
    'invalid_prompt',
    'failed',
  );
  tap.is(
    (await client.responses.create(response('[[sim:call]]'))).output.at(-1).type,
    'function_call',
    'a call',
  );
  for (const [bad, param] of [
    [{ messages: [] }, 'messages'],
    [{ max_tokens: 100 }, 'max_tokens'],
    [{ response_format: { type: 'text' } }, 'response_format'],
    [{ nonsense: 1 }, 'nonsense'],
    [{ max_output_tokens: 15 }, 'max_output_tokens'],
    [{ input: undefined }, 'input'],
    [{ input: [{ role: 'tool', content: 'x' }] }, 'input[0].role'],
    [{ temperature: 0 }, 'temperature'],
    [
      { input: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }] },
      'input[0].content[0].type',
    ],
    [{ text: { format: { type: 'json_schema', schema } } }, 'text.format.name'],
  ]) {
    await throws(
      client.responses.create(response('x', bad)),
      OpenAI.BadRequestError,
      `refused: ${param}`,
      (e) => e.param === param,
    );
  }
  await throws(
    client.chat.completions.create(chat('x', { model: 'gpt-5.4-pro' })),
    OpenAI.BadRequestError,
    'a model of responses only',
    (e) => e.param === 'model',
  );
}

async function testResponseBatch() {
  const file = await upload(
    [
      line('r', response('[[sim:say=ab]]'), RESPONSES),
      line('bad', { ...response('x'), max_tokens: 7 }, RESPONSES),
      line('no', response('[[sim:failed]]'), RESPONSES),
    ].join('\n'),
  );
  const batch = await ended((await create(file.id, { endpoint: RESPONSES })).id);
  tap.is(
    [batch.status, batch.endpoint, batch.request_counts],
    ['completed', RESPONSES, { total: 3, completed: 2, failed: 1 }],
    'a batch of responses',
  );
  const out = Object.fromEntries(
    (await lines(batch.output_file_id)).map((l) => [l.custom_id, l.response.body]),
  );
  tap.is([out.r.output.at(-1).content[0].text, out.no.status], ['ab', 'failed'], 'its output file');
  tap.is(
    (await lines(batch.error_file_id))[0].response.body.error.param,
    'max_tokens',
    'its error file',
  );
  tap.is(
    batch.usage.total_tokens,
    out.r.usage.total_tokens + out.no.usage.total_tokens,
    'its usage',
  );
  const mixed = await ended((await create(file.id)).id);
  tap.is(
    [mixed.status, mixed.errors.data[0].code],
    ['failed', 'url_mismatch'],
    'a batch of chat completions with lines of responses',
  );
}

async function testBatchLists() {
  const file = await upload(line('a', chat('x')));
  const ids = [];
  for (let i = 0; i < 3; i += 1) ids.unshift((await create(file.id)).id);
  const first = await client.batches.list({ limit: 2 });
  tap.ok(
    first.data.length === 2 && first.hasNextPage() && first.data[0].id === ids[0],
    'batches.list, newest first',
  );
  const all = [];
  for await (const batch of client.batches.list({ limit: 1 })) all.push(batch.id);
  tap.ok(all.length > 4 && ids.every((id, i) => all[i] === id), 'batches.list pages through', all);
  await throws(client.batches.list({ limit: 101 }), OpenAI.BadRequestError, 'limit');
}

async function testCancel() {
  await control('faults', {
    match: { method: 'POST', path_regex: '/batches$' },
    action: { batch_outcome: 'in_progress_forever' },
  });
  const file = await upload([1, 2, 3, 4].map((n) => line(`r${n}`, chat(`x ${n}`))).join('\n'));
  const made = await create(file.id);
  await until(
    async () => (await client.batches.retrieve(made.id)).request_counts.completed === 2,
    'half of it to finish',
  );
  const asked = await client.batches.cancel(made.id);
  tap.ok(asked.status === 'cancelling' && asked.cancelling_at, 'batches.cancel', asked);
  const batch = await ended(made.id);
  tap.ok(
    batch.status === 'cancelled' && (await lines(batch.output_file_id)).length === 2,
    'finished requests are kept',
  );
  tap.is(
    (await lines(batch.error_file_id)).map((l) => [l.response, l.error.code]),
    [
      [null, 'batch_cancelled'],
      [null, 'batch_cancelled'],
    ],
    'the rest are batch_cancelled',
  );
  const done = await ended((await create(file.id)).id);
  await throws(client.batches.cancel(done.id), OpenAI.ConflictError, 'cancel of a completed batch');
}

async function testFailed() {
  const file = await upload(`${line('a', chat('x'))}\n{oops`);
  const batch = await ended((await create(file.id)).id);
  tap.ok(
    batch.status === 'failed' &&
      batch.errors.data[0].line === 2 &&
      batch.errors.data[0].code === 'invalid_json_line' &&
      batch.output_file_id === null,
    'a batch that fails validation',
    batch,
  );
}

async function testRealtime() {
  tap.is((await client.models.retrieve('gpt-4o-mini')).id, 'gpt-4o-mini', 'models.retrieve');
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  tap.ok(models.includes('text-embedding-3-small'), 'models.list', models);
  const answer = await client.chat.completions.create(
    chat('Say hi', { max_completion_tokens: 50 }),
  );
  tap.ok(
    answer.object === 'chat.completion' &&
      answer.choices[0].finish_reason === 'stop' &&
      answer.choices[0].message.content &&
      answer.usage.total_tokens > 0 &&
      answer._request_id,
    'chat.completions.create',
    answer,
  );
  const vectors = await client.embeddings.create({
    model: 'text-embedding-3-small',
    input: ['a', 'b'],
    dimensions: 16,
  });
  tap.ok(
    vectors.data.length === 2 &&
      vectors.data[1].embedding.length === 16 &&
      typeof vectors.data[0].embedding[0] === 'number',
    'embeddings.create (base64 underneath)',
  );
  const floats = await client.embeddings.create({
    model: 'text-embedding-3-large',
    input: 'a',
    encoding_format: 'float',
  });
  tap.is(floats.data[0].embedding.length, 3072, 'embeddings.create with float');
}

async function testErrors() {
  await throws(
    clientOf('sk-bad').models.list(),
    OpenAI.AuthenticationError,
    'wrong key',
    (e) => e.code === 'invalid_api_key' && e.status === 401,
  );
  await throws(
    client.models.retrieve('gpt-0'),
    OpenAI.NotFoundError,
    'unknown model',
    (e) => e.code === 'model_not_found',
  );
  await throws(client.batches.retrieve('batch_nope'), OpenAI.NotFoundError, 'unknown batch');
  await throws(create('file-nope'), OpenAI.BadRequestError, 'unknown input file');
  await throws(
    client.batches.create({ input_file_id: 'x', endpoint: '/v1/chat/completions' }),
    OpenAI.BadRequestError,
    'no window',
    (e) => e.param === 'completion_window' && e.code === 'missing_required_parameter',
  );
  await throws(
    client.chat.completions.create(chat('x', { nonsense: 1 })),
    OpenAI.BadRequestError,
    'unknown parameter',
  );
  await throws(
    client.chat.completions.create(chat('[[sim:error=500]]')),
    OpenAI.InternalServerError,
    'server error',
  );
  const models = { match: { path_regex: '/models$' } };
  await control('faults', { ...models, action: { status: 429, headers: { 'Retry-After': '1' } } });
  await throws(
    client.models.list(),
    OpenAI.RateLimitError,
    'rate limit',
    (e) => e.headers.get('retry-after') === '1' && e.code === 'rate_limit_exceeded',
  );
  await control('faults', { ...models, action: { reset: 'before' } });
  await throws(client.models.list(), OpenAI.APIConnectionError, 'reset');
  await control('faults', {
    ...models,
    action: { status: 503, headers: { 'retry-after-ms': '20' } },
  });
  tap.ok((await clientOf('sk-sim', 1).models.list()).data.length > 0, 'the client retries a 503');
}

for (const test of [
  testFiles,
  testBatchEndToEnd,
  testEmbeddingBatch,
  testResponses,
  testResponseBatch,
  testBatchLists,
  testCancel,
  testFailed,
  testRealtime,
  testErrors,
]) {
  await tap.group(test.name, test);
}
await sim.stop();
process.exit(tap.done());
