// Drives the simulator's Azure OpenAI with Azure's client of the openai package: the classic
// surface with a key and with a token of Entra ID, the v1 surface with OpenAI's own client; the
// oddities; the quirks of compatible servers. Prints TAP.

import { File } from 'node:buffer';
import OpenAI, { AzureOpenAI, toFile } from 'openai';
import { call, startSim, Tap, until } from '../sim/harness.mjs';

globalThis.File ??= File;

const tap = new Tap();
const sim = await startSim(['--api-key', 'az-key', '--batch-seconds', '0.1']);
const endpoint = `http://127.0.0.1:${sim.port}`;
const common = { endpoint, maxRetries: 0 };
const classic = new AzureOpenAI({ ...common, apiKey: 'az-key', apiVersion: '2024-10-21' });
const v1 = new OpenAI({ apiKey: 'az-key', baseURL: `${endpoint}/openai/v1`, maxRetries: 0 });
const control = (name, value) =>
  call(sim, 'POST', `/_sim/${name}`, { body: JSON.stringify(value) });
const config = (value) => control('config', value);
const logged = async (n = 1) =>
  JSON.parse((await call(sim, 'GET', '/_sim/requests')).body).slice(-n)[0];

const line = (id, content = 'hi', model = 'mini-batch', url = '/v1/chat/completions') =>
  JSON.stringify({
    custom_id: id,
    method: 'POST',
    url,
    body: { model, messages: [{ role: 'user', content }] },
  });
const upload = async (client, text, more = {}) =>
  client.files.create({
    file: await toFile(Buffer.from(text), 'in.jsonl'),
    purpose: 'batch',
    ...more,
  });
const create = (client, id, path = '/v1/chat/completions') =>
  client.batches.create({ input_file_id: id, endpoint: path, completion_window: '24h' });
const processed = (client, id) =>
  until(
    async () => (await client.files.retrieve(id)).status === 'processed',
    'the file to be processed',
  );
const over = ['completed', 'failed', 'expired', 'cancelled', 'canceled'];
const ended = (client, id) =>
  until(async () => {
    const batch = await client.batches.retrieve(id);
    return over.includes(batch.status.toLowerCase()) && batch;
  }, `batch ${id} to end`);
const textOf = async (client, id) => (await client.files.content(id)).text();

async function whole(client, text, path) {
  const file = await upload(client, text);
  await processed(client, file.id);
  return ended(client, (await create(client, file.id, path)).id);
}

async function throws(promise, Kind, name, more = () => true) {
  const error = await promise.then(
    () => null,
    (e) => e,
  );
  tap.ok(error instanceof Kind && more(error), `${name}: ${Kind.name}`, String(error));
}

async function testClassic() {
  const file = await upload(classic, `${line('a')}\n${line('b', '[[sim:error=400]]')}\n`);
  tap.ok(file.status === 'pending' && file.purpose === 'batch', 'an upload is pending', file);
  const asked = await logged();
  tap.ok(
    asked.path === '/openai/files?api-version=2024-10-21' && asked.headers['api-key'] === '...-key',
    'asked as the wire has it',
    asked,
  );
  await config({ azure_file_pending_ms: 60000 });
  await throws(
    create(classic, file.id, '/chat/completions'),
    OpenAI.BadRequestError,
    'a batch of a pending file',
    (e) => /'pending' state/.test(e.message),
  );
  await config({ azure_file_pending_ms: 0 });
  await processed(classic, file.id);
  const batch = await create(classic, file.id, '/chat/completions');
  tap.ok(
    batch.endpoint === '/chat/completions' && batch.status === 'validating',
    'batches.create',
    batch,
  );
  tap.is((await logged()).status, 201, 'created is 201');
  const end = await ended(classic, batch.id);
  tap.is(
    [end.status, end.request_counts],
    ['completed', { total: 2, completed: 1, failed: 1 }],
    'it ends',
  );
  const out = JSON.parse(await textOf(classic, end.output_file_id));
  tap.ok(
    !('id' in out) &&
      out.custom_id === 'a' &&
      out.response.body.choices[0].content_filter_results &&
      out.response.status_code === 200,
    'a line of Azure',
    out,
  );
  const all = [];
  for await (const one of classic.batches.list({ limit: 1 })) all.push(one.id);
  tap.is(all, [batch.id], 'batches.list');
  await classic.files.delete(file.id);
  tap.is((await logged()).status, 204, 'files.delete has no body');
  tap.ok(
    (await classic.models.list()).data.some((m) => m.capabilities),
    'models.list',
  );
}

async function testVersions() {
  const of = (apiVersion) => new AzureOpenAI({ ...common, apiKey: 'az-key', apiVersion });
  await throws(
    of('2024-07-18').batches.list(),
    OpenAI.NotFoundError,
    'a version that is none',
    (e) => e.code === '404',
  );
  tap.ok((await of('2025-04-01-preview').batches.list()).data, 'a preview');
  tap.is(
    (await call(sim, 'GET', '/openai/batches', { headers: { 'api-key': 'az-key' } })).status,
    404,
    'the classic surface without a version',
  );
  tap.is(
    (
      await call(sim, 'GET', '/openai/v1/batches?api-version=preview', {
        headers: { 'api-key': 'az-key' },
      })
    ).status,
    200,
    'v1 with its own',
  );
  await throws(
    new AzureOpenAI({ ...common, apiKey: 'wrong', apiVersion: '2024-10-21' }).batches.list(),
    OpenAI.AuthenticationError,
    'a wrong key',
    (e) => e.code === '401',
  );
}

async function testV1() {
  const batch = await whole(v1, `${line('a')}\n${line('b')}\n`);
  tap.ok(
    batch.status === 'completed' &&
      batch.endpoint === '/v1/chat/completions' &&
      batch.error_file_id,
    'v1, with the key as a bearer',
    batch,
  );
  tap.is(await textOf(v1, batch.error_file_id), '', 'where nothing failed the error file is empty');
  const gone = await v1.files.delete(batch.output_file_id);
  tap.ok(gone.deleted, 'files.delete');
  const vectors = await whole(
    v1,
    JSON.stringify({
      custom_id: 'e',
      method: 'POST',
      url: '/v1/embeddings',
      body: { model: 'small-batch', input: 'x', encoding_format: 'float' },
    }),
    '/v1/embeddings',
  );
  tap.is(vectors.status, 'completed', 'embeddings');
}

async function testEntra() {
  const token = (form, tenant = 'sim-tenant') =>
    call(sim, 'POST', `/${tenant}/oauth2/v2.0/token`, {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    });
  const form = {
    client_id: 'sim-client',
    scope: 'https://cognitiveservices.azure.com/.default',
    client_secret: 'sim-secret~1&=',
    grant_type: 'client_credentials',
  };
  const good = await token(form);
  tap.ok(
    good.status === 200 && good.json.token_type === 'Bearer' && good.json.expires_in === 3600,
    'a token',
    good,
  );
  tap.is((await logged()).body, '...', 'the form is not logged');
  const refusals = [
    [{ ...form, client_secret: 'x' }, 401, 7000215],
    [{ ...form, client_id: 'x' }, 400, 700016],
    [{ ...form, scope: 'x' }, 400, 1002012],
    [{ ...form, grant_type: 'password' }, 400, 70003],
    [{ client_id: 'sim-client' }, 400, 900144],
  ];
  for (const [bad, status, code] of refusals) {
    const reply = await token(bad);
    tap.ok(
      reply.status === status && reply.json.error_codes[0] === code,
      `refused: ${code}`,
      reply.json,
    );
  }
  tap.is((await token(form, 'nobody')).json.error_codes, [90002], 'refused: 90002');
  const client = new AzureOpenAI({
    ...common,
    azureADTokenProvider: async () => good.json.access_token,
    apiVersion: '2025-04-01-preview',
  });
  tap.is(
    (await whole(client, line('a'), '/chat/completions')).status,
    'completed',
    'a batch with a token',
  );
  const { headers } = await logged();
  tap.ok(
    /^\.\.\./.test(headers.authorization) && !headers['api-key'],
    'which travels as a bearer',
    headers,
  );
  await config({ azure_token_seconds: 0 });
  const dead = (await token(form)).json.access_token;
  await throws(
    new AzureOpenAI({
      ...common,
      azureADTokenProvider: async () => dead,
      apiVersion: '2024-10-21',
    }).batches.list(),
    OpenAI.AuthenticationError,
    'a token that is too old',
  );
}

// A form by hand: the client has OpenAI's brackets, which Azure passes over.
function form(fields) {
  const parts = [['purpose', 'batch'], ...fields].map(
    ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const body =
    `${parts.join('')}--b\r\nContent-Disposition: form-data; name="file"; ` +
    `filename="in.jsonl"\r\n\r\n${line('a')}\r\n--b--\r\n`;
  return call(sim, 'POST', '/openai/v1/files', {
    headers: { 'api-key': 'az-key', 'content-type': 'multipart/form-data; boundary=b' },
    body,
  });
}

async function testExpiryAndRoom() {
  const life = (seconds) =>
    form([
      ['expires_after.anchor', 'created_at'],
      ['expires_after.seconds', String(seconds)],
    ]);
  const made = (await life(1209600)).json;
  tap.is(made.expires_at - made.created_at, 1209600, 'an expiry in dot form');
  const ignored = await upload(v1, line('a'), {
    expires_after: { anchor: 'created_at', seconds: 1209600 },
  });
  tap.is(ignored.expires_at, null, 'in brackets it is passed over');
  tap.is(
    [(await life(604800)).status, (await life(2592001)).status],
    [400, 400],
    'an expiry out of range',
  );
  await config({ azure_max_files: 1 });
  await throws(
    upload(v1, line('a')),
    OpenAI.BadRequestError,
    'too many files without expiry',
    (e) => e.code === 'quotaExceeded' && /maximum is 1/.test(e.message),
  );
  tap.is((await life(1209600)).status, 201, 'with one there is room');
}

async function testDeployments() {
  const codes = async (text) => (await whole(v1, text)).errors.data.map((e) => e.code);
  tap.is(await codes(line('a', 'x', 'nowhere')), ['model_not_found'], 'no such deployment');
  tap.is(
    await codes(line('a', 'x', 'mini-live')),
    ['invalid_request'],
    'a deployment of another type',
  );
  tap.is(
    await codes(`${line('a')}\n${line('b', 'x', 'mini-batch', '/chat/completions')}`),
    ['url_mismatch'],
    'urls that do not agree',
  );
  tap.is(
    (await whole(v1, line('a', 'x', 'mini-batch', '/chat/completions'))).status,
    'completed',
    'the older url',
  );
}

// Azure documents no endpoint of responses: a batch of chat completions whose lines are of
// responses is one.
async function testResponses() {
  const asked = (url, more = {}) =>
    JSON.stringify({
      custom_id: 'r',
      method: 'POST',
      url,
      body: { model: 'mini-batch', input: 'Hi', max_output_tokens: 200, store: false, ...more },
    });
  const batch = await whole(v1, asked('/v1/responses'));
  tap.is(
    [batch.status, batch.endpoint],
    ['completed', '/v1/chat/completions'],
    'a batch of responses',
  );
  tap.is(
    JSON.parse(await textOf(v1, batch.output_file_id)).response.body.object,
    'response',
    'its line',
  );
  tap.is(
    (await whole(classic, asked('/v1/responses'), '/chat/completions')).status,
    'completed',
    'the same on the classic surface',
  );
  const bad = await whole(v1, asked('/v1/responses', { max_tokens: 5 }));
  tap.is(
    [
      bad.request_counts.failed,
      JSON.parse(await textOf(v1, bad.error_file_id)).response.body.error.param,
    ],
    [1, 'max_tokens'],
    'its lines are judged as those of responses',
  );
  tap.is(
    (await whole(v1, `${line('a')}\n${asked('/v1/responses')}`)).errors.data.map((e) => e.code),
    ['url_mismatch'],
    'chat completions and responses in one',
  );
  const file = await upload(v1, asked('/v1/responses'));
  await processed(v1, file.id);
  await throws(
    create(v1, file.id, '/v1/responses'),
    OpenAI.BadRequestError,
    'an endpoint that is not documented',
  );
}

async function testTokens() {
  await config({ quotas: { 'mini-batch': 5 } });
  const late = await whole(v1, line('a', 'x'.repeat(100)));
  tap.ok(
    late.status === 'failed' && late.errors.data[0].code === 'token_limit_exceeded',
    'too many tokens, told late',
    late.errors,
  );
  await config({ azure_fail_fast: true, azure_file_pending_ms: 0 });
  const file = await upload(v1, line('a', 'x'.repeat(100)));
  await throws(
    create(v1, file.id),
    OpenAI.BadRequestError,
    'told at once',
    (e) =>
      e.code === 'token_limit_exceeded' &&
      e.headers.get('deployment-maximum-enqueued-tokens') === '5',
  );
}

async function testQuirks() {
  await config({
    quirks: {
      status: 'capital',
      times: 'iso',
      counts: 'null',
      empty_ids: true,
      canceled: true,
      list: 'value',
      failed_files: true,
    },
  });
  const batch = await whole(v1, line('a'));
  tap.ok(
    batch.status === 'Completed' &&
      /T.*0000\+00:00$/.test(batch.created_at) &&
      batch.request_counts.completed === null,
    'words, times and counts',
    batch,
  );
  const bad = await whole(v1, '{oops');
  tap.ok(
    bad.status === 'Failed' && bad.output_file_id && bad.error_file_id,
    'files of a batch that failed',
    bad,
  );
  await control('faults', {
    match: { path_regex: '/batches$' },
    action: { batch_outcome: 'in_progress_forever' },
  });
  const file = await upload(v1, `${line('a')}\n${line('b')}`);
  await processed(v1, file.id);
  const made = await create(v1, file.id);
  tap.is([made.output_file_id, made.error_file_id], ['', ''], 'no file is ""');
  await v1.batches.cancel(made.id);
  tap.is((await ended(v1, made.id)).status, 'Canceled', 'one l');
  const list = (await call(sim, 'GET', '/openai/v1/batches', { headers: { 'api-key': 'az-key' } }))
    .json;
  tap.ok(list.value.length === 3 && list.has_more === false, 'a list in "value"', list);
}

// OpenAI's surface, as its relatives have it.
async function testCompatible() {
  const client = new OpenAI({ apiKey: 'az-key', baseURL: `${endpoint}/v1`, maxRetries: 0 });
  const plain = (id, content) => line(id, content, 'gpt-4o-mini');
  await config({
    quirks: {
      ids: 400,
      status: 'upper',
      errors: 'array',
      list: 'cursor',
      metadata: 'dropped',
      error_file: 'none',
      http_errors: 'string',
    },
  });
  const file = await upload(client, `${plain('a')}\n${plain('b', '[[sim:error=400]]')}`);
  tap.ok(
    file.id.length >= 400 && /[/+]/.test(file.id) && file.id.endsWith('='),
    'long ids',
    file.id,
  );
  const made = await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata: { a: 'b' },
  });
  tap.ok(made.status === 'VALIDATING' && made.metadata === null, 'metadata is dropped', made);
  const batch = await ended(client, made.id);
  const lines = (await textOf(client, batch.output_file_id))
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l));
  tap.ok(
    batch.error_file_id === null &&
      lines.some(
        (l) => l.custom_id === 'b' && typeof l.error === 'string' && l.response.body === null,
      ),
    'one file, errors as texts',
    lines,
  );
  const failed = await whole(client, '{oops');
  tap.ok(Array.isArray(failed.errors) && failed.status === 'FAILED', 'errors as an array', failed);
  const get = (target) => call(sim, 'GET', target, { headers: { authorization: 'Bearer az-key' } });
  const first = (await get('/v1/batches?limit=1')).json;
  const second = (
    await get(`/v1/batches?limit=1&cursor=${encodeURIComponent(first.paging.next_cursor)}`)
  ).json;
  tap.ok(
    first.data[0].id === failed.id &&
      second.data[0].id === batch.id &&
      second.paging.next_cursor === null &&
      !('has_more' in first),
    'pages by cursor',
    { first, second },
  );
  tap.is((await get('/v1/batches?after=x')).status, 400, 'after is not known');
  tap.is(typeof (await get('/v1/batches/nope')).json.error, 'string', 'an error as a text');
  await config({ quirks: { metadata: 'refused', expiry: 'refused' } });
  const other = await upload(client, plain('a'));
  await throws(
    client.batches.create({
      input_file_id: other.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { a: 'b' },
    }),
    OpenAI.BadRequestError,
    'metadata is refused',
  );
  await throws(
    upload(client, plain('a'), { expires_after: { anchor: 'created_at', seconds: 86400 } }),
    OpenAI.BadRequestError,
    'so is an expiry',
  );
  tap.is((await config({ quirks: { status: 'loud' } })).status, 400, 'a quirk that is none');
}

for (const test of [
  testClassic,
  testVersions,
  testV1,
  testEntra,
  testExpiryAndRoom,
  testDeployments,
  testResponses,
  testTokens,
  testQuirks,
  testCompatible,
]) {
  await control('reset', {});
  await tap.group(test.name, test);
}
await sim.stop();
process.exit(tap.done());
