// Drives the simulator's Google with Google's official clients: every way to a token
// (google-auth-library), objects (@google-cloud/storage), batches of Vertex AI and of the Gemini
// Developer API (@google/genai). Prints TAP.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { call, startSim, Tap, until } from '../sim/harness.mjs';

for (const name of Object.keys(process.env))
  if (/^(GOOGLE|GCLOUD|GCE|GCP|GEMINI|CLOUDSDK|METADATA)_/.test(name)) delete process.env[name];
const tap = new Tap();
const sim = await startSim(['--batch-seconds', '0.1', '--api-key', 'gem-key']);
const BASE = `http://127.0.0.1:${sim.port}`;
process.env.GCE_METADATA_HOST = `127.0.0.1:${sim.port}`;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'batchinf-google-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
Object.assign(process.env, { CLOUDSDK_CONFIG: folder, HOME: folder });
const auth = await import('google-auth-library');
const { GoogleGenAI } = await import('@google/genai');
const { Storage } = await import('@google-cloud/storage');

const CLOUD = 'https://www.googleapis.com/auth/cloud-platform';
const EMAIL = 'batch@proj-1.iam.gserviceaccount.com';
const control = (name, value) =>
  call(sim, value === undefined ? 'GET' : 'POST', `/_sim/${name}`, {
    body: value && JSON.stringify(value),
  });
const credentials = async (query = '') => (await control(`google_credentials${query}`)).json;
const works = async (token) =>
  (await call(sim, 'GET', '/storage/v1/b/batch', { headers: { authorization: `Bearer ${token}` } }))
    .status === 200;

// The clients' own addresses of Google's token services, turned to the simulator.
function turned(client) {
  client.transporter.interceptors.request.add({
    resolved: async (config) => {
      const url = new URL(config.url);
      return Object.assign(config, { url: new URL(`${BASE}${url.pathname}${url.search}`) });
    },
  });
  return client;
}

// A client of the library that the other package has for itself, with a token at hand.
function preset(packageName) {
  const require = createRequire(createRequire(import.meta.url).resolve(packageName));
  const client = new (require('google-auth-library').OAuth2Client)();
  client.setCredentials({ access_token: 'ya29.sim', expiry_date: Date.now() + 3600e3 });
  return client;
}

async function throws(promise, code, name, more = () => true) {
  const error = await promise.then(
    () => null,
    (e) => e,
  );
  tap.ok(
    error && (error.code === code || error.status === code) && more(error),
    `${name}: ${code}`,
    String(error),
  );
}

async function testTokens() {
  const key = await credentials();
  const account = turned(
    new auth.JWT({
      email: key.client_email,
      key: key.private_key,
      keyId: key.private_key_id,
      scopes: [CLOUD],
    }),
  );
  tap.ok(await works((await account.getAccessToken()).token), 'a service account');
  const own = new auth.JWT({
    email: key.client_email,
    key: key.private_key,
    keyId: key.private_key_id,
  });
  tap.ok(
    await works(
      (await own.getRequestHeaders('https://storage.googleapis.com/'))
        .get('authorization')
        .slice(7),
    ),
    'a token that it signed itself',
  );
  const stranger = turned(
    new auth.JWT({
      email: 'nobody@proj-1.iam.gserviceaccount.com',
      key: key.private_key,
      scopes: [CLOUD],
    }),
  );
  await throws(stranger.getAccessToken(), 400, 'an unknown account', (e) =>
    /account not found/.test(JSON.stringify(e.response.data)),
  );
  const user = await credentials('?type=authorized_user');
  tap.ok(await works((await turned(auth.auth.fromJSON(user)).getAccessToken()).token), 'a user');
  const file = path.join(folder, 'subject');
  fs.writeFileSync(file, 'sim-subject-token');
  const federated = auth.auth.fromJSON(await credentials(`?type=external_account&file=${file}`));
  federated.scopes = [CLOUD];
  tap.ok(await works((await federated.getAccessToken()).token), 'workload identity federation');
  const impersonated = auth.auth.fromJSON(
    await credentials(`?type=external_account&file=${file}&email=${EMAIL}`),
  );
  tap.ok(await works((await impersonated.getAccessToken()).token), 'and a service account by it');
  fs.writeFileSync(file, 'another');
  const refused = auth.auth.fromJSON(await credentials(`?type=external_account&file=${file}`));
  tap.ok(
    await refused.getAccessToken().then(
      () => false,
      (e) => /invalid_grant/.test(e.message),
    ),
    'a subject token of nobody',
  );
  tap.ok(await works((await new auth.Compute().getAccessToken()).token), 'the metadata server');
  const found = new auth.GoogleAuth({ scopes: [CLOUD] });
  tap.is(
    [await found.getProjectId(), (await found.getCredentials()).client_email],
    ['proj-1', EMAIL],
    'all that a machine knows of itself',
  );
}

// Resumable uploads of this client forget its login at an address of one's own: the header is set
// beside it.
function storage() {
  const client = new Storage({
    projectId: 'proj-1',
    apiEndpoint: BASE,
    authClient: preset('@google-cloud/storage'),
    useAuthWithCustomEndpoint: true,
    retryOptions: { autoRetry: false },
  });
  client.interceptors.push({
    request: (options) => ({
      ...options,
      headers: { ...options.headers, Authorization: 'Bearer ya29.sim' },
    }),
  });
  return client;
}

async function testStorage() {
  const bucket = storage().bucket('batch');
  tap.is((await bucket.exists())[0], true, 'a bucket');
  const name = 'dir a/in:1+é.jsonl';
  for (const resumable of [false, true]) {
    await bucket.file(name).save('hello world', { resumable, contentType: 'application/jsonl' });
    const [metadata] = await bucket.file(name).getMetadata();
    tap.is(
      [metadata.size, metadata.contentType, (await bucket.file(name).download())[0].toString()],
      ['11', 'application/jsonl', 'hello world'],
      `save and download, hashes checked, ${resumable ? 'resumable' : 'multipart'}`,
    );
  }
  tap.is((await bucket.file(name).download({ start: 6, end: 8 }))[0].toString(), 'wor', 'a range');
  await throws(
    bucket.file(name).save('x', { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } }),
    412,
    'create only',
  );
  const big = Buffer.alloc(3 * 256 * 1024 + 7, 'x');
  await bucket.file('big').save(big, { resumable: true, chunkSize: 256 * 1024 });
  tap.is((await bucket.file('big').getMetadata())[0].size, String(big.length), 'in chunks');
  const [files] = await bucket.getFiles({ prefix: 'dir a/' });
  tap.is(
    files.map((file) => file.name),
    [name],
    'list',
  );
  const pages = [];
  for (let query = { maxResults: 1, autoPaginate: false }; query;) {
    const [some, next] = await bucket.getFiles(query);
    pages.push(some.length);
    query = next;
  }
  tap.is(pages, [1, 1], 'page by page');
  await bucket.file(name).delete();
  await throws(bucket.file(name).getMetadata(), 404, 'deleted');
  await throws(bucket.file(name).download(), 404, 'its bytes too');
  await throws(storage().bucket('foreign-batch').getFiles(), 403, "somebody else's bucket");
  await throws(storage().bucket('nowhere').getMetadata(), 404, 'no bucket');
}

const vertex = (authClient = preset('@google/genai')) =>
  new GoogleGenAI({
    vertexai: true,
    project: 'proj-1',
    location: 'us-central1',
    httpOptions: { baseUrl: BASE },
    googleAuthOptions: { authClient },
  });
const OVER = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED', 'PARTIALLY_SUCCEEDED'].map(
  (state) => `JOB_STATE_${state}`,
);
const ended = (ai, name) =>
  until(async () => {
    const job = await ai.batches.get({ name });
    return OVER.includes(job.state) && job;
  }, `${name} to end`);
const contents = (text) => [{ role: 'user', parts: [{ text }] }];

async function testVertex() {
  const ai = vertex();
  const bucket = storage().bucket('batch');
  const texts = Array.from({ length: 20 }, (_, i) => `text ${i}`);
  await bucket
    .file('in/a.jsonl')
    .save(
      texts
        .map((text, i) =>
          JSON.stringify({ request: { contents: contents(text), labels: { rid: `r${i}` } } }),
        )
        .join('\n'),
      { resumable: false },
    );
  const make = (more = {}) =>
    ai.batches.create({
      model: 'gemini-2.5-flash',
      src: 'gs://batch/in/a.jsonl',
      config: { displayName: 'j', dest: 'gs://batch/out' },
      ...more,
    });
  const made = await make();
  tap.ok(
    /^projects\/123456789012\/.*batchPredictionJobs\/\d+$/.test(made.name) &&
      made.state !== 'JOB_STATE_SUCCEEDED',
    'batches.create',
    made,
  );
  const done = await ended(ai, made.name);
  tap.is(
    [done.state, done.completionStats && Number(done.completionStats.successfulCount)],
    ['JOB_STATE_SUCCEEDED', 20],
    'batches.get',
  );
  const [found] = (await bucket.getFiles({ prefix: 'out/' }))[0].filter((file) =>
    /prediction-model-.*\/predictions\.jsonl$/.test(file.name),
  );
  const lines = (await found.download())[0]
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  tap.ok(
    lines.length === 20 &&
      new Set(lines.map((line) => line.request.labels.rid)).size === 20 &&
      lines.every((line) => line.response.candidates[0].content.parts[0].text.startsWith('Sim ')),
    'the answers',
    lines[0],
  );
  tap.is(
    (await ended(ai, (await make({ src: 'gs://batch/none.jsonl' })).name)).error.code,
    5,
    'a job that fails',
  );
  const names = [];
  for await (const job of await ai.batches.list({ config: { pageSize: 1 } })) names.push(job.name);
  tap.is([names.length, names[1]], [2, made.name], 'batches.list, page by page');
  await control('config', { batch_seconds: 30 });
  const slow = await make();
  await ai.batches.cancel({ name: slow.name });
  tap.is((await ended(ai, slow.name)).state, 'JOB_STATE_CANCELLED', 'batches.cancel');
  tap.is((await ai.batches.delete({ name: made.name })).done, true, 'batches.delete');
  await throws(ai.batches.get({ name: made.name }), 404, 'deleted');
  await throws(make({ model: 'gemini-9' }), 404, 'a model that is none');
  const wrong = preset('@google/genai');
  wrong.setCredentials({ access_token: 'no', expiry_date: Date.now() + 3600e3 });
  await throws(vertex(wrong).batches.get({ name: slow.name }), 401, 'a wrong token');
  await control('faults', {
    match: { path_regex: 'batchPredictionJobs' },
    action: { status: 429 },
  });
  await throws(make(), 429, 'a quota', (e) => /RESOURCE_EXHAUSTED/.test(e.message));
}

async function testGemini() {
  const ai = new GoogleGenAI({ apiKey: 'gem-key', httpOptions: { baseUrl: BASE } });
  const text = ['one', '[[sim:error=400]]']
    .map((t, i) => JSON.stringify({ key: `r${i}`, request: { contents: contents(t) } }))
    .join('\n');
  const file = await ai.files.upload({
    file: new Blob([text], { type: 'application/jsonl' }),
    config: { displayName: 'in', mimeType: 'application/jsonl' },
  });
  tap.is(
    [file.state, file.displayName, (await ai.files.get({ name: file.name })).sizeBytes],
    ['ACTIVE', 'in', String(Buffer.byteLength(text))],
    'files.upload and get',
  );
  const model = 'gemini-2.5-flash';
  const made = await ai.batches.create({ model, src: file.name, config: { displayName: 'j' } });
  tap.is([made.state, made.model], ['JOB_STATE_PENDING', `models/${model}`], 'batches.create');
  const done = await ended(ai, made.name);
  const downloadPath = path.join(folder, 'out.jsonl');
  await ai.files.download({ file: done.dest.fileName, downloadPath });
  const lines = await until(
    () =>
      fs.existsSync(downloadPath) &&
      fs.readFileSync(downloadPath, 'utf8').endsWith('\n') &&
      fs
        .readFileSync(downloadPath, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    'the download',
  );
  const got = Object.fromEntries(lines.map((line) => [line.key, line]));
  tap.is(
    [done.state, got.r0.response.candidates[0].finishReason, got.r1.error.code],
    ['JOB_STATE_SUCCEEDED', 'STOP', 3],
    'batches.get and the file of results',
  );
  const inline = await ended(
    ai,
    (
      await ai.batches.create({
        model,
        src: [{ contents: contents('a'), metadata: { key: 'k' } }],
        config: { displayName: 'i' },
      })
    ).name,
  );
  tap.is(
    [
      inline.dest.inlinedResponses.length,
      inline.dest.inlinedResponses[0].response.candidates[0].content.parts[0].text.startsWith(
        'Sim ',
      ),
    ],
    [1, true],
    'inline',
  );
  const embedded = await ended(
    ai,
    (
      await ai.batches.createEmbeddings({
        model: 'gemini-embedding-001',
        src: { inlinedRequests: { contents: ['a', 'b'], config: { outputDimensionality: 8 } } },
        config: { displayName: 'e' },
      })
    ).name,
  );
  tap.is(
    embedded.dest.inlinedEmbedContentResponses.map((one) => one.response.embedding.values.length),
    [8, 8],
    'embeddings',
  );
  const names = [];
  for await (const job of await ai.batches.list({ config: { pageSize: 2 } })) names.push(job.name);
  tap.is([names.length, names[2]], [3, made.name], 'batches.list, page by page');
  await control('config', { batch_seconds: 30 });
  const slow = await ai.batches.create({ model, src: file.name, config: { displayName: 's' } });
  await ai.batches.cancel({ name: slow.name });
  tap.is((await ended(ai, slow.name)).state, 'JOB_STATE_CANCELLED', 'batches.cancel');
  await ai.batches.delete({ name: made.name });
  await throws(ai.batches.get({ name: made.name }), 404, 'batches.delete');
  await ai.files.delete({ name: file.name });
  await throws(ai.files.get({ name: file.name }), 403, 'files.delete');
  tap.is((await ai.models.get({ model })).name, `models/${model}`, 'models.get');
  await throws(
    new GoogleGenAI({ apiKey: 'no', httpOptions: { baseUrl: BASE } }).models.get({ model }),
    400,
    'a wrong key',
    (e) => /API_KEY_INVALID/.test(e.message),
  );
}

for (const test of [testTokens, testStorage, testVertex, testGemini]) {
  await control('reset', {});
  await tap.group(test.name, test);
}
await sim.stop();
process.exit(tap.done());
