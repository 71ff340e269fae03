// Tests of the simulator's Google: tokens, Cloud Storage, Vertex AI's batch prediction jobs, the
// Gemini Developer API.
// Prints TAP; node only.

import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { call, startSim, Tap, until } from './harness.mjs';

const tap = new Tap();
const sim = await startSim([
  '--batch-seconds',
  '0.04',
  '--api-key',
  'gem-key',
  '--api-key',
  'other-key:other',
]);
const BASE = `http://127.0.0.1:${sim.port}`;
const EMAIL = 'batch@proj-1.iam.gserviceaccount.com';
const CLOUD = 'https://www.googleapis.com/auth/cloud-platform';
const control = (name, value) =>
  call(sim, value === undefined ? 'GET' : 'POST', `/_sim/${name}`, {
    body: value && JSON.stringify(value),
  });
const config = (value) => control('config', value);
const fault = (path, action, more = {}) =>
  control('faults', { match: { path_regex: path }, action, ...more });
const reset = () => control('reset', {});
const bearer = (token = 'ya29.sim') => ({ authorization: `Bearer ${token}` });
const form = (fields) => ({
  body: new URLSearchParams(fields).toString(),
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
});
const reasonOf = (reply) =>
  ((reply.json || {}).error || {}).details?.find((d) => /ErrorInfo$/.test(d['@type']))?.reason;

// ---- tokens ----

const b64 = (value) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// An assertion of a service account, signed apart from the simulator.
function assertion(key, claims = {}, { header = {}, spoil = (s) => s } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const head = { alg: 'RS256', typ: 'JWT', kid: key.private_key_id, ...header };
  const wanted = {
    iss: EMAIL,
    scope: CLOUD,
    aud: 'https://oauth2.googleapis.com/token',
    iat: now,
    exp: now + 3600,
    ...claims,
  };
  const body = `${b64(head)}.${b64(wanted)}`;
  const signature = createSign('RSA-SHA256').update(body).sign(key.private_key, 'base64url');
  return `${body}.${spoil(signature)}`;
}

const grant = (fields, path = '/token') => call(sim, 'POST', path, form(fields));
const jwtGrant = (text) =>
  grant({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: text });
const refusedGrant = (reply, status, error, words, name) =>
  tap.ok(
    reply.status === status &&
      (reply.json || {}).error === error &&
      words.test(reply.json.error_description),
    name,
    reply.body.toString(),
  );
const works = async (token) =>
  (await call(sim, 'GET', '/storage/v1/b/batch', { headers: bearer(token) })).status;

async function testAssertions() {
  const key = (await control('google_credentials')).json;
  tap.is(
    [key.type, key.client_email, key.token_uri],
    ['service_account', EMAIL, `${BASE}/token`],
    'the key of a service account',
  );
  const good = await jwtGrant(assertion(key));
  tap.is(
    [good.status, good.json.expires_in, good.json.token_type, await works(good.json.access_token)],
    [200, 3599, 'Bearer', 200],
    'a good assertion',
  );
  tap.is(
    (await jwtGrant(assertion(key, { aud: `${BASE}/token` }))).status,
    200,
    'the audience may be this address',
  );
  tap.is(
    (await jwtGrant(assertion(key, {}, { header: { kid: undefined } }))).status,
    200,
    'without a key id',
  );
  const now = Math.floor(Date.now() / 1000);
  const other = {
    private_key_id: key.private_key_id,
    private_key: generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }).privateKey,
  };
  for (const [text, words, name] of [
    [
      assertion(key, {}, { spoil: (s) => (s[9] === 'A' ? 'B' : 'A') + s.slice(1) }),
      /^Invalid JWT Signature\.$/,
      'a signature that is wrong',
    ],
    [assertion(other), /^Invalid JWT Signature\.$/, 'another key'],
    [
      assertion(key, {}, { header: { kid: 'nobody' } }),
      /^Invalid JWT Signature\.$/,
      'an unknown key id',
    ],
    [
      assertion(key, { iss: 'nobody@proj-1.iam.gserviceaccount.com' }),
      /^Invalid grant: account not found$/,
      'an unknown account',
    ],
    [
      assertion(key, { iat: now + 600, exp: now + 4200 }),
      /short-lived token .*reasonable timeframe/,
      'a clock that is ahead',
    ],
    [assertion(key, { iat: now - 7200, exp: now - 3600 }), /reasonable timeframe/, 'an old one'],
    [assertion(key, { iat: now, exp: now + 3601 }), /60 minutes/, 'longer than an hour'],
    [assertion(key, { aud: 'https://example.com/' }), /audience/, 'another audience'],
    ['abc', /could not be parsed/, 'no JWT'],
  ])
    refusedGrant(await jwtGrant(text), 400, 'invalid_grant', words, name);
  refusedGrant(
    await jwtGrant(assertion(key, { scope: 'everything' })),
    400,
    'invalid_scope',
    /scope/,
    'a scope that is none',
  );
  refusedGrant(
    await jwtGrant(assertion(key, { sub: 'someone@example.com' })),
    401,
    'unauthorized_client',
    /unauthorized/,
    'delegation',
  );
  refusedGrant(
    await grant({ grant_type: 'password' }),
    400,
    'unsupported_grant_type',
    /password/,
    'another grant',
  );
}

async function testTokens() {
  const key = (await control('google_credentials')).json;
  await config({ google_token_seconds: 0.01 });
  const short = (await jwtGrant(assertion(key))).json;
  await until(async () => (await works(short.access_token)) === 401, 'the token to expire');
  const late = await call(
    sim,
    'POST',
    `/v1/projects/-/serviceAccounts/${EMAIL}:generateAccessToken`,
    { headers: bearer(short.access_token) },
  );
  tap.is([late.status, reasonOf(late)], [401, 'ACCESS_TOKEN_EXPIRED'], 'tokens expire');
  await config({ google_clock_ms: -600e3 });
  refusedGrant(
    await jwtGrant(assertion(key)),
    400,
    'invalid_grant',
    /timeframe/,
    'a clock of Google that is behind',
  );
  await reset();
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  await config({ google_service_accounts: { [EMAIL]: { keys: { mine: pair.publicKey } } } });
  tap.is(
    (await jwtGrant(assertion({ private_key_id: 'mine', private_key: pair.privateKey }))).status,
    200,
    'a key of the configuration',
  );
  await config({ google_service_accounts: { [EMAIL]: { disabled: true } } });
  refusedGrant(
    await jwtGrant(assertion(key)),
    400,
    'invalid_grant',
    /disabled/,
    'a disabled account',
  );
  await reset();
  const own = assertion(key, {
    sub: EMAIL,
    scope: undefined,
    aud: 'https://storage.googleapis.com/',
  });
  tap.is(
    [
      await works(own),
      await works(assertion(key, { sub: EMAIL, scope: undefined, aud: 'https://example.com/' })),
    ],
    [200, 401],
    'a token that the account signed itself',
  );
  tap.is(
    await works(
      (await jwtGrant(assertion(key, { scope: 'https://www.googleapis.com/auth/monitoring' }))).json
        .access_token,
    ),
    403,
    'a token without the scope',
  );
  const logged = (await control('requests')).json.find((r) => r.path === '/token');
  tap.is(logged.body, '...', 'no assertion stands in the log');
}

async function testUsers() {
  const user = (await control('google_credentials?type=authorized_user')).json;
  const fields = {
    grant_type: 'refresh_token',
    client_id: user.client_id,
    client_secret: user.client_secret,
    refresh_token: user.refresh_token,
  };
  const good = await grant(fields);
  tap.is([good.status, await works(good.json.access_token)], [200, 200], 'a refresh token');
  refusedGrant(
    await grant({ ...fields, client_secret: 'x' }),
    401,
    'invalid_client',
    /Unauthorized/,
    'a wrong secret',
  );
  refusedGrant(
    await grant({ ...fields, refresh_token: 'x' }),
    400,
    'invalid_grant',
    /Bad Request/,
    'a wrong token',
  );
  await config({
    google_users: {
      [user.client_id]: {
        secret: user.client_secret,
        refresh_tokens: { [user.refresh_token]: { email: 'u@example.com', revoked: true } },
      },
    },
  });
  refusedGrant(
    await grant(fields),
    400,
    'invalid_grant',
    /^Token has been expired or revoked\.$/,
    'a revoked one',
  );
  await reset();
}

async function testFederation() {
  const external = (
    await control(`google_credentials?type=external_account&file=/f&email=${EMAIL}`)
  ).json;
  const fields = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: external.audience,
    scope: CLOUD,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: 'sim-subject-token',
    subject_token_type: external.subject_token_type,
  };
  const federated = await grant(fields, '/v1/token');
  tap.is(
    [federated.status, federated.json.issued_token_type, federated.json.token_type],
    [200, 'urn:ietf:params:oauth:token-type:access_token', 'Bearer'],
    'a token for a subject token',
  );
  refusedGrant(
    await grant({ ...fields, audience: '//iam.googleapis.com/projects/1/x' }, '/v1/token'),
    400,
    'invalid_target',
    /audience/,
    'an unknown pool',
  );
  refusedGrant(
    await grant({ ...fields, subject_token: 'x' }, '/v1/token'),
    400,
    'invalid_grant',
    /verified/,
    'an unknown subject token',
  );
  const take = (token, body, email = EMAIL) =>
    call(sim, 'POST', `/v1/projects/-/serviceAccounts/${email}:generateAccessToken`, {
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const got = await take(federated.json.access_token, { scope: [CLOUD], lifetime: '600s' });
  tap.ok(
    got.status === 200 &&
      Math.abs(Date.parse(got.json.expireTime) - Date.now() - 600e3) < 5000 &&
      (await works(got.json.accessToken)) === 200,
    'impersonation',
    got.json,
  );
  tap.is(
    [
      (
        await take(
          federated.json.access_token,
          { scope: [CLOUD] },
          'x@proj-1.iam.gserviceaccount.com',
        )
      ).status,
      (await take('ya29.sim', { scope: [CLOUD] })).status,
    ],
    [403, 403],
    'not of others, not by others',
  );
  tap.is(
    [
      (await take(federated.json.access_token, { scope: [CLOUD], lifetime: '3601s' })).status,
      (await take(federated.json.access_token, {})).status,
      (await take('no', {})).status,
    ],
    [400, 400, 401],
    'too long, no scope, no token',
  );
}

async function testMetadata() {
  const get = (path, headers = { 'metadata-flavor': 'Google' }) =>
    call(sim, 'GET', `/computeMetadata/v1/${path}`, { headers });
  const token = await get('instance/service-accounts/default/token');
  tap.is(
    [token.status, token.headers['metadata-flavor'], await works(token.json.access_token)],
    [200, 'Google', 200],
    'the metadata server',
  );
  tap.is(
    [
      (await get('project/project-id')).body.toString(),
      (await get('instance/service-accounts/default/email')).body.toString(),
    ],
    ['proj-1', EMAIL],
    'who it is',
  );
  tap.is(
    [
      (await get('instance/service-accounts/default/token', {})).status,
      (
        await get('instance/service-accounts/default/token', {
          'metadata-flavor': 'Google',
          'x-forwarded-for': '1.2.3.4',
        })
      ).status,
      (await get('nothing')).status,
    ],
    [403, 403, 404],
    'refusals',
  );
  await config({ google_metadata_account: null });
  tap.is(
    (await get('instance/service-accounts/default/token')).status,
    404,
    'a machine without an account',
  );
  await reset();
}

// ---- storage ----

const gcs = (method, path, { headers, body, token } = {}) =>
  call(sim, method, path, {
    headers: { ...(token === null ? {} : bearer(token)), ...headers },
    body,
  });
const put = (name, body, { query = '', headers = { 'content-type': 'application/jsonl' } } = {}) =>
  gcs(
    'POST',
    `/upload/storage/v1/b/batch/o?uploadType=media&name=${encodeURIComponent(name)}${query}`,
    { body, headers },
  );
const object = (name, query = '', how = {}) =>
  gcs('GET', `/storage/v1/b/batch/o/${encodeURIComponent(name)}${query}`, how);
const download = async (name, headers) => object(name, '?alt=media', { headers });
const refused = (reply, status, reason, name) =>
  tap.ok(
    reply.status === status &&
      reply.json?.error.errors[0].reason === reason &&
      reply.json.error.code === status,
    name,
    { status: reply.status, body: reply.body.toString() },
  );
const md5 = (text) => createHash('md5').update(text).digest('base64');

async function testObjects() {
  const name = "in/a b+é:('*)~.jsonl";
  const made = await put(name, '0123456789', { query: '&ifGenerationMatch=0' });
  tap.is(
    [
      made.status,
      made.json.name,
      made.json.size,
      made.json.md5Hash,
      made.json.crc32c,
      made.json.contentType,
    ],
    [200, name, '10', md5('0123456789'), 'KAwGng==', 'application/jsonl'],
    'media',
  );
  refused(
    await put(name, 'x', { query: '&ifGenerationMatch=0' }),
    412,
    'conditionNotMet',
    'once only',
  );
  tap.is((await object(name)).json, made.json, 'metadata');
  const got = await download(name);
  tap.is(
    [got.status, got.body.toString(), got.headers['x-goog-hash'], got.headers['x-goog-generation']],
    [200, '0123456789', `crc32c=KAwGng==,md5=${md5('0123456789')}`, made.json.generation],
    'download',
  );
  const range = async (text) => {
    const reply = await download(name, { range: text });
    return [reply.status, reply.body.toString(), reply.headers['content-range']];
  };
  tap.is(
    [await range('bytes=2-3'), await range('bytes=7-'), await range('bytes=-2')],
    [
      [206, '23', 'bytes 2-3/10'],
      [206, '789', 'bytes 7-9/10'],
      [206, '89', 'bytes 8-9/10'],
    ],
    'ranges',
  );
  tap.is(
    [
      (await range('bytes=10-'))[0],
      (await object(name, `?alt=media&generation=${made.json.generation}`)).status,
      (await object(name, '?alt=media&generation=1')).status,
    ],
    [416, 200, 404],
    'beyond the end, a generation, another one',
  );
  const none = await download('none');
  tap.is(
    [none.status, none.body.toString(), none.json],
    [404, 'No such object: batch/none', null],
    'a download is refused in plain text',
  );
  refused(await object('none'), 404, 'notFound', 'nothing there');
  tap.is(
    (await gcs('GET', '/storage/v1/b/batch/o/in/a')).headers['content-type'],
    'text/html; charset=UTF-8',
    'a slash that is not encoded',
  );
  const remove = (query = '') =>
    gcs('DELETE', `/storage/v1/b/batch/o/${encodeURIComponent(name)}${query}`);
  refused(
    await remove('?ifGenerationMatch=1'),
    412,
    'conditionNotMet',
    'another generation is not deleted',
  );
  tap.is([(await remove()).status, (await remove()).status], [204, 404], 'delete');
  refused(
    await gcs('POST', '/upload/storage/v1/b/batch/o?uploadType=media', { body: 'x' }),
    400,
    'required',
    'no name',
  );
  refused(
    await gcs('POST', '/upload/storage/v1/b/batch/o?name=a', { body: 'x' }),
    400,
    'badRequest',
    'no uploadType',
  );
  refused(
    await put('a', 'x', { query: '&ifgenerationmatch=0' }),
    400,
    'badRequest',
    'a parameter that is none',
  );
  await reset();
}

const multipart = (about, text, { boundary = 'b-1', type = 'application/jsonl' } = {}) =>
  gcs('POST', '/upload/storage/v1/b/batch/o?uploadType=multipart', {
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body:
      `--b-1\r\nContent-Type: application/json\r\n\r\n${about}\r\n--b-1\r\nContent-Type: ` +
      `${type}\r\n\r\n${text}\r\n--b-1--`,
  });

async function testMultipart() {
  const made = await multipart('{"name":"m","metadata":{"a":"1"}}', 'line\n');
  tap.is(
    [
      made.status,
      made.json.size,
      made.json.contentType,
      made.json.metadata,
      (await download('m')).body.toString(),
    ],
    [200, '5', 'application/jsonl', { a: '1' }, 'line\n'],
    'multipart',
  );
  refused(
    await multipart('{"name":"m"}', 'x', { boundary: 'b-2' }),
    400,
    'badContent',
    'another boundary',
  );
  refused(await multipart('{"name":', 'x'), 400, 'parseError', 'metadata that are no JSON');
  refused(await multipart('{}', 'x'), 400, 'required', 'no name');
  refused(
    await multipart('{"name":"h","md5Hash":"AAAA"}', 'x'),
    400,
    'invalid',
    'a hash that does not hold',
  );
  tap.is(
    [
      (await object('h')).status,
      (await multipart(`{"name":"h","md5Hash":"${md5('x')}"}`, 'x')).status,
    ],
    [404, 200],
    'one that does',
  );
  refused(
    await put('h2', 'x', { headers: { 'x-goog-hash': `crc32c=AAAAAA==,md5=${md5('x')}` } }),
    400,
    'invalid',
    'a hash in a header',
  );
  await reset();
}

const BLOCK = 256 * 1024;
async function session(name, { query = '', headers = {}, body = '{}' } = {}) {
  const reply = await gcs(
    'POST',
    `/upload/storage/v1/b/batch/o?uploadType=resumable&name=${name}${query}`,
    { headers: { 'content-type': 'application/json', ...headers }, body },
  );
  return { reply, at: (reply.headers.location || '').slice(BASE.length) };
}
const piece = (at, range, body = '') =>
  gcs('PUT', at, {
    token: null,
    headers: { 'content-range': range, 'content-length': Buffer.byteLength(body) },
    body,
  });
const state = (reply) => [reply.status, reply.headers.range];

async function testResumable() {
  const text = 'x'.repeat(2 * BLOCK + 5);
  const { reply, at } = await session('r', {
    headers: {
      'x-upload-content-type': 'application/jsonl',
      'x-upload-content-length': text.length,
    },
  });
  tap.ok(
    reply.status === 200 && /upload_id=/.test(at) && reply.headers['x-guploader-uploadid'],
    'a session',
    reply.headers,
  );
  tap.is(state(await piece(at, `bytes */${text.length}`)), [308, undefined], 'nothing is there');
  tap.is(
    state(await piece(at, `bytes 0-${BLOCK - 1}/${text.length}`, text.slice(0, BLOCK))),
    [308, `bytes=0-${BLOCK - 1}`],
    'a chunk',
  );
  refused(
    await piece(at, `bytes ${2 * BLOCK}-${text.length - 1}/${text.length}`, text.slice(2 * BLOCK)),
    503,
    'backendError',
    'a gap',
  );
  refused(
    await piece(at, `bytes ${BLOCK}-${BLOCK + 9}/${text.length}`, text.slice(0, 10)),
    400,
    'badRequest',
    'a small chunk that is not the last',
  );
  refused(await piece(at, 'bytes 1-2', ''), 400, 'badRequest', 'a range that is none');
  refused(await piece(at, 'bytes */*', 'x'), 400, 'badRequest', 'a question with a body');
  refused(await piece(at, 'bytes */7'), 400, 'badRequest', 'another size');
  tap.is(state(await piece(at, 'bytes */*')), [308, `bytes=0-${BLOCK - 1}`], 'how far it is');
  const done = await piece(at, `bytes 0-${text.length - 1}/${text.length}`, text);
  tap.is(
    [done.status, done.json.size, done.json.contentType, done.json.md5Hash],
    [200, String(text.length), 'application/jsonl', md5(text)],
    'what overlaps is passed over',
  );
  tap.is((await piece(at, 'bytes */*')).json, done.json, 'asked again');
  tap.is((await gcs('DELETE', at, { token: null })).status, 499, 'cancel');
  tap.is((await piece(at, 'bytes */*')).status, 410, 'a cancelled session');
  tap.is(
    (await piece(at.replace(/upload_id=.*/, 'upload_id=no'), 'bytes */*')).status,
    404,
    'an unknown one',
  );
  const whole = await session('w');
  tap.is(
    (await piece(whole.at, 'bytes 0-*/*', 'abc')).json.size,
    '3',
    'a stream of unknown length',
  );
  tap.is(
    (await session('w', { query: '&ifGenerationMatch=0' })).reply.status,
    412,
    'a condition at the begin',
  );
  const race = await session('late', { query: '&ifGenerationMatch=0' });
  await put('late', 'first');
  refused(await piece(race.at, 'bytes 0-0/1', 'x'), 412, 'conditionNotMet', 'and at the end');
  await config({ gcs_session_seconds: 0 });
  const { at: old } = await session('old');
  await until(async () => (await piece(old, 'bytes */*')).status === 410, 'the session to expire');
  await reset();
}

// A PUT that breaks off after the body's first bytes.
function breakOff(at, headers, body) {
  return new Promise((done) => {
    const req = http.request(`${BASE}${at}`, { method: 'PUT', headers, agent: false });
    req.on('error', done);
    req.write(body, () => setTimeout(() => req.destroy(), 30));
  });
}

async function testBroken() {
  const size = 3 * BLOCK;
  const { at } = await session('b');
  await breakOff(
    at,
    { 'content-range': `bytes 0-${size - 1}/${size}`, 'content-length': size },
    Buffer.alloc(BLOCK + 100, 'x'),
  );
  await until(
    async () => (await piece(at, 'bytes */*')).headers.range === `bytes=0-${BLOCK - 1}`,
    'the whole blocks of what arrived',
  );
  tap.ok(true, 'of a broken request whole blocks stay');
  await fault('/upload/', { persist: BLOCK });
  tap.is(
    state(await piece(at, `bytes ${BLOCK}-${size - 1}/${size}`, 'x'.repeat(2 * BLOCK))),
    [308, `bytes=0-${2 * BLOCK - 1}`],
    'less is kept than was sent',
  );
  await fault('/upload/', { lost_after_effect: true });
  tap.ok(
    (await piece(at, `bytes ${2 * BLOCK}-${size - 1}/${size}`, 'x'.repeat(BLOCK))).error,
    'an answer that is lost',
  );
  tap.is(
    [(await piece(at, `bytes */${size}`)).json.size, (await object('b')).json.md5Hash],
    [String(size), md5('x'.repeat(size))],
    'was an upload',
  );
  await fault('/storage/', { status: 503 });
  refused(await object('b'), 503, 'backendError', 'a status');
  await fault('/storage/', { status: 429 });
  refused(await object('b'), 429, 'rateLimitExceeded', 'another');
  await fault('/storage/', { truncate: 40 });
  const cut = await download('b');
  tap.ok(cut.error && cut.body.length === 40, 'a cut download');
  tap.is(
    (await control('ledger')).json.files_left,
    [{ id: 'gs://batch/b', purpose: 'gcs', filename: 'b', bytes: size }],
    'what is left stands in the ledger',
  );
  await reset();
}

async function testBuckets() {
  tap.is(
    [
      (await gcs('GET', '/storage/v1/b/batch')).json.location,
      (await gcs('GET', '/storage/v1/b/west-batch')).json.locationType,
    ],
    ['US', 'region'],
    'buckets',
  );
  refused(await gcs('GET', '/storage/v1/b/nowhere'), 404, 'notFound', 'no bucket');
  refused(await gcs('GET', '/storage/v1/b/nowhere/o'), 404, 'notFound', 'no bucket to list');
  refused(
    await gcs('GET', '/storage/v1/b/foreign-batch/o'),
    403,
    'forbidden',
    "somebody else's bucket",
  );
  refused(await gcs('GET', '/storage/v1/b/batch', { token: null }), 401, 'required', 'no token');
  refused(
    await gcs('GET', '/storage/v1/b/batch', { token: 'no' }),
    401,
    'authError',
    'a token of nobody',
  );
  await config({
    gcs_buckets: { batch: { deny: ['storage.buckets.get', 'storage.objects.list'] } },
  });
  refused(await gcs('GET', '/storage/v1/b/batch'), 403, 'forbidden', 'denied');
  refused(await object('none'), 403, 'forbidden', 'missing, for those who may not list');
  await config({ google_service_accounts: { [EMAIL]: { deny: ['storage.objects.create'] } } });
  refused(await put('x', 'x'), 403, 'forbidden', 'an account that may not write');
  await reset();
}

async function testList() {
  for (const name of ['a/1', 'a/2', 'a/b/3', 'a/b/4', 'b', 'Z', 'é']) await put(name, 'x');
  const list = async (query = '') =>
    (await gcs('GET', `/google/storage/v1/b/batch/o?${query}`)).json;
  tap.is(
    (await list()).items.map((o) => o.name),
    ['Z', 'a/1', 'a/2', 'a/b/3', 'a/b/4', 'b', 'é'],
    'in the order of bytes',
  );
  const folder = await list('prefix=a%2F&delimiter=%2F');
  tap.is(
    [folder.items.map((o) => o.name), folder.prefixes],
    [['a/1', 'a/2'], ['a/b/']],
    'prefix and delimiter',
  );
  const pages = [];
  for (let next = ''; next !== undefined;) {
    const found = await list(
      `maxResults=3&delimiter=/${next && `&pageToken=${encodeURIComponent(next)}`}`,
    );
    pages.push([(found.items || []).length, (found.prefixes || []).length]);
    next = found.nextPageToken;
  }
  tap.is(
    pages,
    [
      [2, 1],
      [1, 0],
    ],
    'pages, with tokens that need encoding',
  );
  tap.is(
    await list('prefix=b&fields=items(name,size),nextPageToken'),
    { items: [{ name: 'b', size: '1' }] },
    'fields',
  );
  tap.is(await list('prefix=none'), { kind: 'storage#objects' }, 'nothing');
  refused(
    await gcs('GET', '/storage/v1/b/batch/o?fields=items(nme)'),
    400,
    'invalidParameter',
    'fields that are none',
  );
  refused(
    await gcs('GET', '/storage/v1/b/batch/o?pageToken=no'),
    400,
    'invalid',
    'a token of nobody',
  );
  await reset();
}

// ---- Vertex AI ----

const HOME = '/v1/projects/proj-1/locations/us-central1';
const api = (method, path, value, { token, headers } = {}) =>
  call(sim, method, path, {
    headers: {
      ...(token === null ? {} : bearer(token)),
      ...(value === undefined
        ? {}
        : {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(JSON.stringify(value)),
          }),
      ...headers,
    },
    body: value === undefined ? undefined : JSON.stringify(value),
  });
const refusedApi = (reply, status, code, name, more = () => true) =>
  tap.ok(
    reply.status === status &&
      reply.json?.error.status === code &&
      reply.json.error.code === status &&
      more(reply.json.error),
    name,
    { status: reply.status, body: reply.body.toString() },
  );
const FLASH = 'publishers/google/models/gemini-2.5-flash-lite';
const wish = (more = {}) => ({
  displayName: 'run7',
  model: FLASH,
  inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://batch/in/a.jsonl'] } },
  outputConfig: {
    predictionsFormat: 'jsonl',
    gcsDestination: { outputUriPrefix: 'gs://batch/out/run7' },
  },
  ...more,
});
const create = (more, path = HOME, how) =>
  api('POST', `${path}/batchPredictionJobs`, wish(more), how);
const getJob = async (name) => (await api('GET', `/v1/${name}`)).json;
const ended = (name) =>
  until(async () => {
    const job = await getJob(name);
    return job.endTime && job;
  }, `${name} to end`);
const say = (text, more = {}) => ({ contents: [{ role: 'user', parts: [{ text }] }], ...more });
const input = (lines) =>
  put(
    'in/a.jsonl',
    lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
  );
const textOf = (line) =>
  line.response.candidates[0].content.parts.map((part) => part.text).join('');

// Puts the lines, runs a job over them: {job, files: {name: lines}, lines of predictions, raw}.
async function whole(lines, more = {}, during = () => undefined) {
  await input(lines);
  const made = await create(more);
  if (made.status !== 200) throw new Error(made.body.toString());
  await during(made.json.name, made.json);
  const job = await ended(made.json.name);
  const folder = job.outputInfo
    ? job.outputInfo.gcsOutputDirectory.slice('gs://batch/'.length)
    : null;
  const found = folder
    ? (await gcs('GET', `/storage/v1/b/batch/o?prefix=${encodeURIComponent(`${folder}/`)}`)).json
        .items
    : [];
  const files = {};
  for (const { name } of found)
    files[name.slice(folder.length + 1)] = (await download(name)).body
      .toString()
      .split('\n')
      .filter(Boolean);
  const raw = Object.entries(files)
    .filter(([name]) => name.startsWith('predictions'))
    .flatMap(([, texts]) => texts);
  return {
    job,
    files,
    raw,
    lines: raw.filter((text) => text.endsWith('}')).map((text) => JSON.parse(text)),
  };
}
const labelled = (texts) =>
  texts.map((text, i) => ({ request: say(text, { labels: { rid: `r${i}` } }) }));
const byLabel = (lines) => Object.fromEntries(lines.map((line) => [line.request.labels.rid, line]));

async function testJobs() {
  const made = [];
  const { job, lines, files } = await whole(
    labelled(['one', '[[sim:error=429]]', '[[sim:missing]] x', 'four']),
    { labels: { intent: 'abc' } },
    (name, { state: first }) => made.push(name, first),
  );
  tap.ok(
    /^projects\/123456789012\/locations\/us-central1\/batchPredictionJobs\/\d+$/.test(made[0]) &&
      made[1] === 'JOB_STATE_QUEUED',
    'a new job',
    made,
  );
  tap.is(
    [job.state, job.completionStats, job.displayName, job.labels, 'error' in job],
    [
      'JOB_STATE_SUCCEEDED',
      { successfulCount: '3', failedCount: '1' },
      'run7',
      { intent: 'abc' },
      false,
    ],
    'a job that has ended',
  );
  tap.ok(
    /^gs:\/\/batch\/out\/run7\/prediction-model-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(
      job.outputInfo.gcsOutputDirectory,
    ),
    'where its outputs are',
    job.outputInfo,
  );
  const got = byLabel(lines);
  tap.is(
    [Object.keys(files), Object.keys(got).sort()],
    [['predictions.jsonl'], ['r0', 'r1', 'r3']],
    'one file, a line for each but the missing one',
  );
  tap.ok(
    got.r0.status === '' &&
      textOf(got.r0).startsWith('Sim ') &&
      got.r0.response.candidates[0].finishReason === 'STOP' &&
      got.r0.response.usageMetadata.totalTokenCount > 0,
    'an answer',
    got.r0,
  );
  tap.ok(
    /^Too Many Requests: \{"error":\{"code":429,/.test(got.r1.status) &&
      Object.keys(got.r1.response).length === 0,
    'a failed line',
    got.r1,
  );
  const [{ request: sent }] = labelled(['one']);
  tap.ok(
    JSON.stringify(got.r0.request) !== JSON.stringify(sent) &&
      isDeepStrictEqual(got.r0.request, sent),
    'the request comes back in another order',
    got.r0.request,
  );
  const { json: ledger } = await control('ledger');
  tap.is(
    [
      ledger.billed_requests,
      Object.keys(ledger.by_custom_id).sort(),
      ledger.batches[0].metadata,
      ledger.batches[0].status,
    ],
    [3, ['r0', 'r2', 'r3'], { intent: 'abc' }, 'JOB_STATE_SUCCEEDED'],
    'the ledger',
  );
  const beta = (
    await api(
      'GET',
      `/google/v1beta1/projects/123456789012${made[0].slice('projects/123456789012'.length)}`,
    )
  ).json;
  tap.is(beta.name, made[0], 'the other version, by number');
  const gone = await api('DELETE', `/v1/${made[0]}`, {});
  tap.is(
    [gone.status, gone.json.done, (await api('GET', `/v1/${made[0]}`)).status],
    [200, true, 404],
    'delete',
  );
  await reset();
}

async function testJobRefusals() {
  refusedApi(await create({}, HOME, { token: null }), 401, 'UNAUTHENTICATED', 'no token');
  refusedApi(
    await create({}, HOME, { token: 'no' }),
    401,
    'UNAUTHENTICATED',
    'a wrong one',
    (e) => e.details[0].reason === 'ACCESS_TOKEN_TYPE_UNSUPPORTED',
  );
  refusedApi(
    await create({}, '/v1/projects/nobody/locations/us-central1'),
    403,
    'PERMISSION_DENIED',
    'another project',
    (e) => e.details[0].reason === 'IAM_PERMISSION_DENIED',
  );
  tap.is(
    [
      (await create({}, '/v1/projects/proj-1/locations/mars-1')).status,
      (await create({}, HOME, { headers: { host: 'europe-west4-aiplatform.googleapis.com' } }))
        .status,
    ],
    [404, 404],
    "a location that is none, or not this endpoint's",
  );
  tap.is(
    (await create({}, HOME, { headers: { host: 'us-central1-aiplatform.googleapis.com' } })).status,
    200,
    'its own endpoint',
  );
  const bad = async (more, name, code = 'INVALID_ARGUMENT', status = 400) =>
    refusedApi(await create(more), status, code, name);
  await bad({ displayName: undefined }, 'no name');
  await bad({ displayName: 'x'.repeat(129) }, 'a long name');
  await bad({ modle: 'x' }, 'a field that is none');
  await bad({ model: 'gemini-2.5-flash' }, 'a model that is no resource');
  await bad(
    { model: 'publishers/google/models/gemini-9' },
    'a model that is none',
    'NOT_FOUND',
    404,
  );
  await bad(
    { model: 'publishers/google/models/gemini-embedding-2' },
    'a model that is elsewhere',
    'NOT_FOUND',
    404,
  );
  await bad({ labels: { a: 'x'.repeat(64) } }, 'a long label');
  await bad({ labels: { a: 'A' } }, 'a label in capitals');
  await bad({ labels: { '1': 'a' } }, 'a key that begins with a number');
  tap.is(
    (await create({ labels: { a: 'x'.repeat(63), 'b_c-d': '' } })).status,
    200,
    'labels as they may be',
  );
  const places = wish();
  await bad(
    {
      inputConfig: { ...places.inputConfig, gcsSource: { uris: ['gs://batch/a', 'gs://batch/b'] } },
    },
    'two files',
  );
  await bad(
    { inputConfig: { ...places.inputConfig, gcsSource: { uris: ['s3://batch/a'] } } },
    'a place that is none',
  );
  await bad({ inputConfig: { ...places.inputConfig, instancesFormat: 'csv' } }, 'another format');
  await bad(
    { outputConfig: { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix: 'out/' } } },
    'an output that is nowhere',
  );
  await bad({ instanceConfig: { keyField: 'key' } }, 'a key field');
  refusedApi(
    await api('GET', `${HOME}/batchPredictionJobs/12345`),
    404,
    'NOT_FOUND',
    'no such job',
  );
  refusedApi(
    await api('GET', `${HOME}/batchPredictionJobs/abc`),
    400,
    'INVALID_ARGUMENT',
    'a name that is none',
  );
  await config({
    google_service_accounts: { [EMAIL]: { deny: ['aiplatform.batchPredictionJobs.create'] } },
  });
  refusedApi(await create(), 403, 'PERMISSION_DENIED', 'an account that may not');
  await reset();
}

async function testJobFailures() {
  const fails = async (lines, more) => {
    const { job } = await whole(lines, more);
    return [job.state, job.error.code];
  };
  const some = labelled(['x']);
  tap.is(
    await fails(some, {
      inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://batch/none.jsonl'] } },
    }),
    ['JOB_STATE_FAILED', 5],
    'no such file',
  );
  tap.is(
    await fails(some, {
      inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://nowhere/a.jsonl'] } },
    }),
    ['JOB_STATE_FAILED', 5],
    'no such bucket',
  );
  tap.is(
    await fails(some, {
      outputConfig: {
        predictionsFormat: 'jsonl',
        gcsDestination: { outputUriPrefix: 'gs://foreign-batch/out' },
      },
    }),
    ['JOB_STATE_FAILED', 7],
    'a bucket that the agent may not write to',
  );
  tap.is(
    await fails(some, {
      outputConfig: {
        predictionsFormat: 'jsonl',
        gcsDestination: { outputUriPrefix: 'gs://west-batch/out' },
      },
    }),
    ['JOB_STATE_FAILED', 9],
    'a bucket in another region',
  );
  tap.is(
    [await fails(['nonsense']), await fails(['{"prompt":"x"}']), await fails([])],
    [
      ['JOB_STATE_FAILED', 3],
      ['JOB_STATE_FAILED', 3],
      ['JOB_STATE_FAILED', 3],
    ],
    'a line that is no JSON, one without a request, none at all',
  );
  await config({ vertex_max_requests: 1 });
  tap.is(await fails(labelled(['x', 'y'])), ['JOB_STATE_FAILED', 3], 'too many requests');
  await config({ vertex_max_file_bytes: 10 });
  tap.is(await fails(some), ['JOB_STATE_FAILED', 3], 'too large a file');
  await reset();
  await config({
    google_service_accounts: {
      [EMAIL]: {},
      'service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com': {
        deny: ['storage.objects.get'],
      },
    },
  });
  tap.is(await fails(some), ['JOB_STATE_FAILED', 7], 'an agent that may not read');
  await reset();
  const star = await whole(labelled(['x']), {
    inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://batch/in/*.jsonl'] } },
  });
  tap.is([star.job.state, star.lines.length], ['JOB_STATE_SUCCEEDED', 1], 'a wildcard');
  await reset();
}

async function testJobEnds() {
  const four = labelled(['a', 'b', 'c', 'd']);
  const run = async (action, more) => {
    await fault('/batchPredictionJobs$', action);
    return whole(four, more);
  };
  for (const [action, state, got] of [
    [{ batch_outcome: 'partial' }, 'PARTIALLY_SUCCEEDED', 2],
    [{ batch_outcome: 'cancelled' }, 'CANCELLED', 2],
    [{ batch_outcome: 'expired' }, 'EXPIRED', 0],
    [{ batch_outcome: 'expired', finished: 0.75 }, 'EXPIRED', 3],
    [{ batch_outcome: 'failed' }, 'FAILED', 0],
  ]) {
    const { job, lines } = await run(action);
    tap.is([job.state, lines.length], [`JOB_STATE_${state}`, got], JSON.stringify(action));
  }
  const { job: partial } = await run({
    batch_outcome: 'partial',
    errors: [{ code: 8, message: 'no room' }],
  });
  tap.is(
    [partial.partialFailures, partial.completionStats],
    [[{ code: 8, message: 'no room' }], { successfulCount: '2', incompleteCount: '2' }],
    'partial failures',
  );
  await fault('/batchPredictionJobs$', { batch_outcome: 'in_progress_forever' });
  const stopped = await whole(four, {}, async (name) => {
    const running = await until(async () => {
      const job = await getJob(name);
      return (job.completionStats || {}).successfulCount === '2' && job;
    }, 'half of it to run');
    tap.is(
      [running.state, running.completionStats.incompleteCount],
      ['JOB_STATE_RUNNING', '-1'],
      'a running job',
    );
    refusedApi(
      await api('DELETE', `/v1/${name}`, {}),
      400,
      'FAILED_PRECONDITION',
      'a running job is not deleted',
    );
    tap.is((await api('POST', `/v1beta1/${name}:cancel`, {})).json, {}, 'cancel');
    tap.ok(
      ['JOB_STATE_CANCELLING', 'JOB_STATE_CANCELLED'].includes((await getJob(name)).state),
      'is under way',
    );
  });
  tap.is(
    [
      stopped.job.state,
      stopped.job.error.code,
      stopped.lines.length,
      (await control('ledger?summary=1')).json.batches.length,
    ],
    ['JOB_STATE_CANCELLED', 1, 2, 7],
    'what ran is there',
  );
  refusedApi(
    await api('POST', `/v1/${stopped.job.name}:cancel`, {}),
    400,
    'FAILED_PRECONDITION',
    'not twice',
  );
  await config({ vertex_cancel_too_late: true, batch_seconds: 2 });
  const late = await whole(four, {}, (name) => api('POST', `/v1/${name}:cancel`, {}));
  tap.is(
    [late.job.state, late.lines.length],
    ['JOB_STATE_SUCCEEDED', 4],
    'a cancel that comes too late',
  );
  await reset();
}

async function testJobList() {
  const names = [];
  for (const [displayName, labels] of [
    ['first', { intent: 'a', n: '1' }],
    ['second', { intent: 'b' }],
    ['third', undefined],
  ])
    names.push((await create({ displayName, ...(labels ? { labels } : {}) })).json.name);
  for (const name of names) await ended(name);
  const list = async (filter, more = '') =>
    (await api('GET', `${HOME}/batchPredictionJobs?filter=${encodeURIComponent(filter)}${more}`))
      .json;
  const found = async (filter) =>
    ((await list(filter)).batchPredictionJobs || []).map((job) => job.displayName);
  for (const [filter, wanted] of [
    ['', ['third', 'second', 'first']],
    ['labels.intent=a', ['first']],
    ['labels.intent=a AND labels.n=1', ['first']],
    ['labels.intent=a labels.n=2', []],
    ['labels.intent:*', ['second', 'first']],
    ['labels.intent="b" OR display_name="third"', ['third', 'second']],
    ['NOT labels.intent=a', ['third', 'second']],
    ['state="JOB_STATE_FAILED" AND (display_name:"*ir*" OR labels.n=1)', ['third', 'first']],
    ['state!=JOB_STATE_FAILED', []],
    ['create_time>"2020-01-01T00:00:00Z" AND display_name!="first"', ['third', 'second']],
    ['create_time<"2020-01-01T00:00:00Z"', []],
  ])
    tap.is(await found(filter), wanted, filter || 'no filter');
  for (const filter of [
    'labels.intent',
    'color=red',
    'create_time>yesterday',
    '(state=x',
    'display_name>"a"',
  ])
    refusedApi(
      await api('GET', `${HOME}/batchPredictionJobs?filter=${encodeURIComponent(filter)}`),
      400,
      'INVALID_ARGUMENT',
      `a filter that is none: ${filter}`,
    );
  const first = await list('', '&pageSize=2&fields=batchPredictionJobs/name,nextPageToken');
  const second = await list('', `&pageSize=2&pageToken=${encodeURIComponent(first.nextPageToken)}`);
  tap.is(
    [
      first.batchPredictionJobs,
      second.batchPredictionJobs.map((job) => job.name),
      second.nextPageToken,
    ],
    [[{ name: names[2] }, { name: names[1] }], [names[0]], undefined],
    'pages',
  );
  refusedApi(
    await api('GET', `${HOME}/batchPredictionJobs?colour=red`),
    400,
    'INVALID_ARGUMENT',
    'a parameter that is none',
  );
  tap.is(
    (await api('GET', '/v1/projects/proj-1/locations/europe-west4/batchPredictionJobs')).json,
    {},
    'another location has none of them',
  );
  await reset();
  await config({ vertex_list_lag_ms: 600e3 });
  const { name } = (await create({ labels: { intent: 'late' } })).json;
  tap.is(
    [
      (await list('labels.intent=late')).batchPredictionJobs,
      (await api('GET', `/v1/${name}`)).status,
    ],
    [undefined, 200],
    'a new job is not listed at once',
  );
  await config({ vertex_list_lag_ms: 0 });
  tap.is((await list('labels.intent=late')).batchPredictionJobs.length, 1, 'but later');
  await reset();
}

async function testOutputs() {
  const ten = labelled(Array.from({ length: 10 }, (_, i) => `text ${i}`));
  const order = (lines) => lines.map((line) => Number(line.request.labels.rid.slice(1)));
  tap.ok(
    order((await whole(ten)).lines).some((n, i) => n !== i),
    'results are not in the order of requests',
  );
  await config({ vertex_order: 'input', vertex_shards: 3, vertex_incremental: true });
  const { files, lines } = await whole(ten);
  tap.is(
    [Object.keys(files), lines.length, files['incremental_predictions_0001.jsonl'].length],
    [
      [
        'incremental_predictions_0001.jsonl',
        'predictions_0001.jsonl',
        'predictions_0002.jsonl',
        'predictions_0003.jsonl',
      ],
      10,
      10,
    ],
    'shards and an incremental file',
  );
  await reset();
  await config({ vertex_order: 'input' });
  tap.is(order((await whole(ten)).lines), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'or they are');
  const line = {
    key: 'k',
    request: {
      ...say('x', {
        labels: { rid: 'r0' },
        generation_config: {
          temperature: 0.4,
          responseJsonSchema: { type: 'object', properties: { a_b: { type: 'string' } } },
          response_mime_type: 'application/json',
        },
      }),
    },
  };
  const echoed = async (...ways) => {
    await config({ vertex_echo: ways });
    return (await whole([line])).lines[0];
  };
  tap.is(JSON.stringify((await echoed()).request), JSON.stringify(line.request), 'verbatim');
  const camel = (await echoed('camel')).request.generationConfig;
  tap.is(
    [camel.responseMimeType, camel.responseJsonSchema],
    ['application/json', line.request.generation_config.responseJsonSchema],
    'camelCase, but not in schemas',
  );
  tap.is(
    (await echoed('floats')).request.generation_config.temperature,
    Math.fround(0.4),
    'widened floats',
  );
  const nulls = (await echoed('nulls')).request;
  tap.is([nulls.tools, nulls.contents[0].parts[0].fileData], [null, null], 'nulls');
  tap.is(
    [(await echoed('no_labels')).request.labels, (await echoed()).key, (await echoed('key')).key],
    [undefined, undefined, 'k'],
    'labels dropped; keys only where they are wanted',
  );
  tap.is((await config({ vertex_echo: ['backwards'] })).status, 400, 'no such way');
  await reset();
}

async function testGemini() {
  const one = async (text, more = {}, model = 'gemini-2.5-flash-lite') =>
    (await whole([{ request: say(text, more) }], { model: `publishers/google/models/${model}` }))
      .lines[0];
  const generation = (text, generationConfig, model) => one(text, { generationConfig }, model);
  const answerOf = async (...how) => (await generation(...how)).response.candidates[0];
  const schema = {
    type: 'object',
    properties: {
      label: { type: 'string', enum: ['billing', 'bug'] },
      score: { type: 'integer', minimum: 1, maximum: 5 },
    },
    required: ['label', 'score'],
  };
  const json = { responseMimeType: 'application/json' };
  const byJson = textOf(
    await generation('a billing question', { ...json, responseJsonSchema: schema }),
  );
  const byOpen = textOf(
    await generation('a billing question', {
      ...json,
      responseSchema: {
        type: 'OBJECT',
        properties: {
          label: { type: 'STRING', enum: ['billing', 'bug'] },
          score: { type: 'INTEGER', minimum: 1, maximum: 5 },
        },
      },
    }),
  );
  tap.is(
    [JSON.parse(byJson).label, byOpen],
    ['billing', byJson],
    'both kinds of schema, the same answer',
  );
  const thinking = (await generation('why', {}, 'gemini-2.5-flash')).response.usageMetadata;
  tap.ok(
    thinking.thoughtsTokenCount === 64 &&
      thinking.totalTokenCount === thinking.promptTokenCount + thinking.candidatesTokenCount + 64,
    'thinking counts',
    thinking,
  );
  tap.is(
    (await generation('why', { thinkingConfig: { thinkingBudget: 0 } }, 'gemini-2.5-flash'))
      .response.usageMetadata.thoughtsTokenCount,
    undefined,
    'no thinking, no count',
  );
  const shown = await answerOf(
    'why',
    { thinkingConfig: { includeThoughts: true } },
    'gemini-2.5-pro',
  );
  tap.is(
    [
      shown.content.parts.length,
      shown.content.parts[0].thought,
      shown.content.parts[1].text.startsWith('Sim '),
    ],
    [2, true, true],
    'thoughts are shown if asked for',
  );
  const starved = await answerOf('why', { maxOutputTokens: 20 }, 'gemini-2.5-flash');
  tap.is(
    [starved.finishReason, starved.content],
    ['MAX_TOKENS', { role: 'model' }],
    'thinking eats what may be said',
  );
  tap.is(
    (await answerOf('[[sim:say=one%0Atwo]]', { stopSequences: ['\n'] })).content.parts[0].text,
    'one',
    'a stop sequence',
  );
  const finish = async (directive) => (await one(`[[sim:${directive}]] x`)).response;
  tap.is(
    [
      (await finish('length')).candidates[0].finishReason,
      (await finish('content_filter')).candidates[0].finishReason,
      (await finish('stop=RECITATION')).candidates[0].finishReason,
    ],
    ['MAX_TOKENS', 'SAFETY', 'RECITATION'],
    'finish reasons',
  );
  const blocked = await finish('refusal');
  tap.is(
    [
      blocked.promptFeedback.blockReason,
      blocked.candidates,
      (await finish('blocked=BLOCKLIST')).promptFeedback.blockReason,
    ],
    ['PROHIBITED_CONTENT', undefined, 'BLOCKLIST'],
    'a blocked prompt',
  );
  tap.is(
    [
      (await finish('nochoices')).candidates,
      (await finish('null_content')).candidates[0].content,
      (await finish('parts')).candidates[0].content.parts.length,
    ],
    [undefined, { role: 'model' }, 2],
    'no candidates, no parts, two parts',
  );
  const cached = (await one('[[sim:cached]] a long enough question')).response.usageMetadata;
  tap.ok(
    cached.cachedContentTokenCount > 0 && cached.cachedContentTokenCount < cached.promptTokenCount,
    'cached tokens',
    cached,
  );
  const refusals = [
    [{ contents: [] }, /contents/],
    [{ contents: [{ parts: [{ text: 'x' }] }] }, /valid role/],
    [{ contents: [{ role: 'user', parts: [{ text: '' }] }] }, /text parameter/],
    [say('x', { temperature: 1 }), /Unknown name .+temperature/],
    [say('x', { generationConfig: { temperature: 3 } }), /temperature value of 3/],
    [say('x', { generationConfig: { maxOutputTokens: 0 } }), /maxOutputTokens/],
    [say('x', { labels: { A: 'x' } }), /label/],
    [say('x', { cachedContent: 'c' }), /Cached content/],
    [
      say('x', { generationConfig: { ...json, responseSchema: { type: 'OBJECT' } } }),
      /non-empty for OBJECT/,
    ],
    [
      say('x', { generationConfig: { ...json, responseSchema: { type: 'STRING', const: 'x' } } }),
      /Unknown name .+const/,
    ],
    [
      say('x', { generationConfig: { ...json, responseSchema: { type: ['string', 'null'] } } }),
      /not repeating/,
    ],
    [say('x', { generationConfig: { responseJsonSchema: schema } }), /response_mime_type/],
    [say('[[sim:nonsense]]'), /unknown simulator directive/],
  ];
  const { lines } = await whole(
    refusals
      .map(([request]) => ({ request }))
      .concat({
        request: say('x', { generationConfig: { thinkingConfig: { thinkingBudget: 0 } } }),
      }),
    { model: 'publishers/google/models/gemini-2.5-pro' },
  );
  for (const [request, words] of [...refusals, [null, /Budget 0/]])
    tap.ok(
      lines.some(
        (line) =>
          words.test(line.status) && line.status.startsWith('Bad Request: {"error":{"code":400'),
      ),
      `refused: ${words}`,
      request,
    );
  await reset();
}

async function testDirectives() {
  const { raw, lines, job } = await whole([
    ...labelled([
      '[[sim:duplicate]]',
      '[[sim:both]]',
      '[[sim:badjson]]',
      '[[sim:unknown]]',
      '[[sim:expired]]',
      '[[sim:status0]]',
      '[[sim:fail_times=1]]',
    ]),
    { key: 'k', request: say('[[sim:unknown]]') },
  ]);
  const of = (id) =>
    lines.filter((line) => line.request?.labels?.rid === id).map((line) => Boolean(line.status));
  tap.is(
    [of('r0'), of('r1'), of('r4'), of('r5'), of('r6')],
    [[false, false], [false, true], [], [true], [true]],
    'duplicate, both, not processed, a failure without JSON, a first failure',
  );
  tap.ok(
    raw.some((text) => !text.endsWith('}')) && of('sim-unknown-3').length === 1,
    'a broken line, an unknown one',
  );
  tap.is(
    job.completionStats,
    { successfulCount: '5', failedCount: '2', incompleteCount: '1' },
    'how they are counted',
  );
  tap.is((await whole(labelled(['[[sim:fail_times=1]]']))).lines[0].status, '', 'then it works');
  tap.is(
    (await whole(labelled(['[[sim:invalid_line]]']))).job.state,
    'JOB_STATE_FAILED',
    'an invalid line',
  );
  await reset();
}

async function testEmbeddings() {
  const embeds = (text, more = {}) => ({
    key: `id_${text}`,
    request: { content: { parts: [{ text }] }, ...more },
  });
  const model = 'publishers/google/models/gemini-embedding-001';
  const { lines } = await whole(
    [
      embeds('a', { embed_content_config: { output_dimensionality: 8, task_type: 'CLUSTERING' } }),
      embeds('b'),
      embeds('[[sim:error=500]]'),
      embeds('c', { embed_content_config: { output_dimensionality: 4000 } }),
    ],
    { model },
  );
  const got = Object.fromEntries(lines.map((line) => [line.key, line]));
  tap.is(
    [
      got.id_a.response.embedding.values.length,
      got.id_b.response.embedding.values.length,
      got.id_b.response.usageMetadata.promptTokenCount,
    ],
    [8, 3072, 1],
    'vectors, by key',
  );
  tap.ok(
    /^Internal Server Error/.test(got['id_[[sim:error=500]]'].status) &&
      /4000/.test(got.id_c.status),
    'failures',
  );
  await config({ vertex_full_dimensions: true, vertex_echo: ['no_key'] });
  const [full] = (
    await whole([embeds('a', { embed_content_config: { output_dimensionality: 8 } })], { model })
  ).lines;
  tap.is(
    [full.response.embedding.values.length, full.key, full.request.content.parts[0].text],
    [3072, undefined, 'a'],
    'all dimensions, no key',
  );
  await reset();
  const legacy = await whole(
    [{ content: 'hello world', task_type: 'CLUSTERING' }, { content: '[[sim:error=400]]' }],
    { model: 'publishers/google/models/text-embedding-005' },
  );
  const [good, bad] = [legacy.lines.find((l) => !l.status), legacy.lines.find((l) => l.status)];
  tap.is(
    [
      good.instance,
      good.predictions[0].embeddings.values.length,
      good.predictions[0].embeddings.statistics,
      bad.predictions,
    ],
    [
      { content: 'hello world', task_type: 'CLUSTERING' },
      768,
      { token_count: 3, truncated: false },
      [],
    ],
    'the older models',
  );
  await reset();
}

async function testClaude() {
  const model = 'publishers/anthropic/models/claude-sonnet-4-5@20250929';
  const ask = (content, more = {}) => ({
    anthropic_version: 'vertex-2023-10-16',
    max_tokens: 64,
    messages: [{ role: 'user', content }],
    ...more,
  });
  const { lines } = await whole(
    [
      { custom_id: 'a', request: ask('hi') },
      { custom_id: 'b', request: ask('hi', { anthropic_version: undefined }) },
      { custom_id: 'c', request: ask('hi', { model: 'x' }) },
      { custom_id: 'd', request: ask('[[sim:error=529]]') },
    ],
    { model },
  );
  const got = Object.fromEntries(lines.map((line) => [line.custom_id, line]));
  tap.is(
    [
      got.a.response.content[0].text.startsWith('Sim '),
      got.a.response.usage.output_tokens > 0,
      got.a.status,
    ],
    [true, true, ''],
    'Claude answers',
  );
  tap.ok(
    /anthropic_version: Field required/.test(got.b.status) &&
      /model: Extra inputs/.test(got.c.status) &&
      /overloaded/.test(got.d.status),
    'and refuses',
    got,
  );
  await config({ vertex_max_claude_jobs: 0 });
  refusedApi(await create({ model }), 429, 'RESOURCE_EXHAUSTED', 'too many jobs', (e) =>
    e.details.some((d) => d.retryDelay === '1s'),
  );
  await reset();
}

async function testVertexFaults() {
  await fault('/batchPredictionJobs$', { status: 429, error_code: 'RATE_LIMIT_EXCEEDED' });
  refusedApi(
    await create(),
    429,
    'RESOURCE_EXHAUSTED',
    'a quota',
    (e) =>
      e.details.some((d) => d.reason === 'RATE_LIMIT_EXCEEDED') &&
      e.details.some((d) => /RetryInfo$/.test(d['@type']) && d.retryDelay === '1s'),
  );
  await fault('/batchPredictionJobs$', { status: 503 });
  refusedApi(await create(), 503, 'UNAVAILABLE', 'another status');
  await fault('/batchPredictionJobs$', { lost_after_effect: true });
  tap.ok((await create({ labels: { intent: 'lost' } })).error, 'an answer that is lost');
  tap.is(
    (await api('GET', `${HOME}/batchPredictionJobs?filter=labels.intent%3Dlost`)).json
      .batchPredictionJobs.length,
    1,
    'was a job',
  );
  await fault('/batchPredictionJobs$', { redirect: 'http://example.com/' });
  tap.is((await create()).headers.location, 'http://example.com/', 'a redirect');
  tap.is(
    [
      (await api('GET', '/v1/publishers/google/models/gemini-2.5-flash')).json.name,
      (await api('GET', '/v1/publishers/google/models/none')).status,
    ],
    ['publishers/google/models/gemini-2.5-flash', 404],
    'a model, for nothing',
  );
  const counted = await api(
    'POST',
    `${HOME}/publishers/google/models/gemini-2.5-flash:countTokens`,
    say('hello world'),
  );
  tap.is(
    [
      counted.json.totalTokens,
      (await api('POST', `${HOME}/publishers/google/models/gemini-2.5-flash:countTokens`, {}))
        .status,
    ],
    [3, 400],
    'tokens are counted for nothing',
  );
  await reset();
}

// ---- the Gemini Developer API ----

const gem = (method, path, value, { key = 'gem-key', headers } = {}) =>
  call(sim, method, path, {
    headers: {
      ...(key ? { 'x-goog-api-key': key } : {}),
      ...(value === undefined
        ? {}
        : {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(JSON.stringify(value)),
          }),
      ...headers,
    },
    body: value === undefined ? undefined : JSON.stringify(value),
  });
const startUpload = (length, file = { displayName: 'in' }, headers = {}) =>
  gem(
    'POST',
    '/upload/v1beta/files',
    { file },
    {
      headers: {
        'x-goog-upload-protocol': 'resumable',
        'x-goog-upload-command': 'start',
        'x-goog-upload-header-content-length': length,
        'x-goog-upload-header-content-type': 'application/jsonl',
        ...headers,
      },
    },
  );
const uploadAt = (reply) => reply.headers['x-goog-upload-url'].slice(BASE.length);
const sendPiece = (at, command, offset, body = '') =>
  call(sim, 'POST', at, {
    headers: {
      'x-goog-upload-command': command,
      'x-goog-upload-offset': offset,
      'content-length': Buffer.byteLength(body),
    },
    body,
  });
const progress = (reply) => [
  reply.status,
  reply.headers['x-goog-upload-status'],
  reply.headers['x-goog-upload-size-received'],
];
async function uploadLines(lines) {
  const text = lines
    .map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`)
    .join('');
  return (
    await sendPiece(
      uploadAt(await startUpload(Buffer.byteLength(text))),
      'upload, finalize',
      0,
      text,
    )
  ).json.file;
}
const batchOf = (inputConfig, more = {}) => ({ batch: { displayName: 'j', inputConfig, ...more } });
const startBatch = (
  inputConfig,
  { model = 'gemini-2.5-flash-lite', method = 'batchGenerateContent', more } = {},
) => gem('POST', `/v1beta/models/${model}:${method}`, batchOf(inputConfig, more));
const getBatch = async (name) => (await gem('GET', `/v1beta/${name}`)).json;
const batchEnd = (name) =>
  until(async () => {
    const found = await getBatch(name);
    return found.done && found;
  }, `${name} to end`);

// Runs a batch over the lines of a file: {op, lines by key, raw}.
async function fileBatch(lines, how) {
  const made = await startBatch({ fileName: (await uploadLines(lines)).name }, how);
  if (made.status !== 200) throw new Error(made.body.toString());
  const op = await batchEnd(made.json.name);
  const name = op.metadata.output?.responsesFile;
  const raw = name
    ? (await gem('GET', `/download/v1beta/${name}:download?alt=media`)).body
        .toString()
        .split('\n')
        .filter(Boolean)
    : [];
  return {
    op,
    raw,
    lines: raw.filter((text) => text.endsWith('}')).map((text) => JSON.parse(text)),
  };
}
const keyed = (texts) =>
  texts.map((text, i) => ({ key: `r${i}`, request: { contents: [{ parts: [{ text }] }] } }));

async function testKeys() {
  tap.is(
    (await gem('GET', '/v1beta/models/gemini-2.5-flash')).json.supportedGenerationMethods.includes(
      'batchGenerateContent',
    ),
    true,
    'a model',
  );
  tap.is(
    (await call(sim, 'GET', '/v1beta/models?key=gem-key')).json.models.length > 5,
    true,
    'models, with the key in the query',
  );
  refusedApi(
    await gem('GET', '/v1beta/models', undefined, { key: null }),
    403,
    'PERMISSION_DENIED',
    'no key',
  );
  refusedApi(
    await gem('GET', '/v1beta/models', undefined, { key: 'no' }),
    400,
    'INVALID_ARGUMENT',
    'a wrong key',
    (e) => e.details[0].reason === 'API_KEY_INVALID',
  );
  refusedApi(await gem('GET', '/v1beta/models/none'), 404, 'NOT_FOUND', 'no such model');
  tap.is(
    (await control('requests')).json.pop().headers['x-goog-api-key'],
    '...-key',
    'no key stands in the log',
  );
}

async function testFiles() {
  const text = 'x'.repeat(BLOCK + 5);
  const begun = await startUpload(text.length);
  tap.is(
    [
      begun.status,
      begun.headers['x-goog-upload-status'],
      begun.headers['x-goog-upload-chunk-granularity'],
    ],
    [200, 'active', String(BLOCK)],
    'an upload begins',
  );
  const at = uploadAt(begun);
  tap.is(
    progress(await sendPiece(at, 'upload', 0, text.slice(0, BLOCK))),
    [200, 'active', String(BLOCK)],
    'a chunk',
  );
  tap.is(
    progress(await sendPiece(at, 'query', 0)),
    [200, 'active', String(BLOCK)],
    'how far it is',
  );
  refusedApi(
    await sendPiece(at, 'upload, finalize', 0, text),
    400,
    'INVALID_ARGUMENT',
    'a wrong offset',
  );
  refusedApi(
    await sendPiece(at, 'upload', BLOCK, 'abc'),
    400,
    'INVALID_ARGUMENT',
    'a small chunk that is not the last',
  );
  const done = await sendPiece(at, 'upload, finalize', BLOCK, text.slice(BLOCK));
  const { file } = done.json;
  tap.is(
    [progress(done)[1], file.sizeBytes, file.state, file.source, file.displayName, file.mimeType],
    ['final', String(text.length), 'ACTIVE', 'UPLOADED', 'in', 'application/jsonl'],
    'a file',
  );
  tap.is(
    Buffer.from(file.sha256Hash, 'base64').toString(),
    createHash('sha256').update(text).digest('hex'),
    'its hash',
  );
  tap.is(
    [
      (await gem('GET', `/v1beta/${file.name}`)).json,
      (await gem('GET', '/v1beta/files?pageSize=1')).json.files[0].name,
    ],
    [file, file.name],
    'get and list',
  );
  refusedApi(
    await gem('GET', `/v1beta/${file.name}`, undefined, { key: 'other-key' }),
    403,
    'PERMISSION_DENIED',
    "another project's file",
  );
  refusedApi(
    await gem('GET', `/v1beta/${file.name}:download?alt=media`),
    400,
    'INVALID_ARGUMENT',
    'an upload is not downloaded',
  );
  tap.is(
    [
      (await gem('DELETE', `/v1beta/${file.name}`)).json,
      (await gem('GET', `/v1beta/${file.name}`)).status,
    ],
    [{}, 403],
    'delete',
  );
  const named = uploadAt(await startUpload(3, { name: 'files/mine-1', mimeType: 'text/plain' }));
  refusedApi(
    await sendPiece(named, 'upload, finalize', 0, 'ab'),
    400,
    'INVALID_ARGUMENT',
    'fewer bytes than announced',
  );
  tap.is(
    (await sendPiece(named, 'upload, finalize', 2, 'c')).json.file.name,
    'files/mine-1',
    "a name of one's own",
  );
  refusedApi(
    await startUpload(3, { name: 'files/mine-1' }),
    409,
    'ALREADY_EXISTS',
    'that is taken',
  );
  refusedApi(await startUpload(2e9 + 1), 400, 'INVALID_ARGUMENT', 'too large');
  refusedApi(
    await startUpload(3, {}, { 'x-goog-upload-protocol': 'raw' }),
    400,
    'INVALID_ARGUMENT',
    'another protocol',
  );
  const dropped = uploadAt(await startUpload(3));
  tap.is(
    [
      progress(await sendPiece(dropped, 'cancel', 0))[1],
      progress(await sendPiece(dropped, 'upload', 0, 'x'))[1],
    ],
    ['cancelled', 'cancelled'],
    'cancel',
  );
  await reset();
}

async function testBatches() {
  const made = [];
  const file = await uploadLines(keyed(['one', '[[sim:error=429]]', '[[sim:missing]] x']));
  made.push((await startBatch({ fileName: file.name })).json);
  tap.ok(
    /^batches\/[a-z0-9]+$/.test(made[0].name) &&
      !('done' in made[0]) &&
      made[0].metadata.state === 'BATCH_STATE_PENDING' &&
      /GenerateContentBatch$/.test(made[0].metadata['@type']),
    'a new batch',
    made[0],
  );
  const op = await batchEnd(made[0].name);
  tap.is(
    [
      op.metadata.state,
      op.metadata.batchStats,
      op.metadata.inputConfig,
      op.response.responsesFile === op.metadata.output.responsesFile,
      'error' in op,
    ],
    [
      'BATCH_STATE_SUCCEEDED',
      { requestCount: '3', successfulRequestCount: '2', failedRequestCount: '1' },
      { fileName: file.name },
      true,
      false,
    ],
    'a batch that has ended',
  );
  const { lines } = await fileBatch(keyed(['one', '[[sim:error=429]]', '[[sim:missing]] x']));
  const got = Object.fromEntries(lines.map((line) => [line.key, line]));
  tap.ok(
    textOf(got.r0).startsWith('Sim ') &&
      got.r0.response.usageMetadata.totalTokenCount > 0 &&
      got.r1.error.code === 8 &&
      Object.keys(got).length === 2,
    'lines by key',
    got,
  );
  const generated = (await gem('GET', `/v1beta/${op.response.responsesFile}`)).json;
  tap.ok(
    generated.source === 'GENERATED' &&
      (await gem('GET', generated.downloadUri.slice(BASE.length))).status === 200,
    'the file of results',
    generated,
  );
  const snake = (
    await gem('POST', '/v1beta/models/gemini-2.5-flash:batchGenerateContent', {
      batch: { display_name: 's', input_config: { file_name: file.name } },
    })
  ).json;
  await batchEnd(snake.name);
  const inline = await startBatch({
    requests: {
      requests: [
        { request: keyed(['a'])[0].request, metadata: { key: 'k1' } },
        { request: keyed(['[[sim:error=400]]'])[0].request, metadata: { key: 'k2' } },
      ],
    },
  });
  const { inlinedResponses } = (await batchEnd(inline.json.name)).response.inlinedResponses;
  const of = (key) => inlinedResponses.find((one) => one.metadata.key === key);
  tap.is([textOf(of('k1')).startsWith('Sim '), of('k2').error.code], [true, 3], 'inline');
  const list = (await gem('GET', '/v1beta/batches?pageSize=2')).json;
  tap.is(
    [list.operations.map((o) => o.name), typeof list.nextPageToken],
    [[inline.json.name, snake.name], 'string'],
    'the list, newest first',
  );
  tap.is(
    [
      (await gem('DELETE', `/v1beta/${inline.json.name}`)).json,
      (await gem('GET', `/v1beta/${inline.json.name}`)).status,
    ],
    [{}, 404],
    'delete',
  );
  const ledger = (await control('ledger')).json;
  tap.is(
    [
      ledger.by_custom_id.k1,
      ledger.by_custom_id.r0,
      ledger.files_left.every((f) => f.purpose === 'gemini'),
    ],
    [1, 3, true],
    'the ledger',
  );
  await reset();
}

async function testBatchRefusals() {
  const { name } = await uploadLines(keyed(['x']));
  const start = (config, how) => startBatch(config, how);
  refusedApi(await start({ fileName: 'files/none' }), 403, 'PERMISSION_DENIED', 'no such file');
  refusedApi(await start({ fileName: name }, { model: 'none' }), 404, 'NOT_FOUND', 'no such model');
  refusedApi(
    await start({ fileName: name }, { method: 'asyncBatchEmbedContent' }),
    404,
    'NOT_FOUND',
    'a model that does not embed',
  );
  refusedApi(
    await start({ fileName: name }, { more: { displayName: undefined } }),
    400,
    'INVALID_ARGUMENT',
    'no name',
  );
  refusedApi(await start({}), 400, 'INVALID_ARGUMENT', 'no input');
  refusedApi(
    await start({ requests: { requests: [{ contents: [] }] } }),
    400,
    'INVALID_ARGUMENT',
    'requests that are none',
  );
  refusedApi(
    await start({ requests: { requests: [{ request: { x: 'x'.repeat(20 << 20) } }] } }),
    400,
    'INVALID_ARGUMENT',
    'too much in the body',
  );
  await config({ gemini_file_processing_ms: 60000 });
  refusedApi(
    await start({ fileName: name }),
    400,
    'FAILED_PRECONDITION',
    'a file that is not active',
  );
  await config({ gemini_file_processing_ms: 0, gemini_max_batches: 0 });
  refusedApi(await start({ fileName: name }), 429, 'RESOURCE_EXHAUSTED', 'too many batches');
  await config({ gemini_max_batches: 100, quotas: { 'gemini-2.5-flash-lite': 0 } });
  refusedApi(
    await start({ fileName: name }),
    429,
    'RESOURCE_EXHAUSTED',
    'a quota of tokens',
    (e) => e.details.some((d) => d.retryDelay) && e.details.some((d) => d.violations),
  );
  await reset();
  const fails = async (lines) => {
    const { op } = await fileBatch(lines);
    return [op.metadata.state, op.error.code, 'response' in op];
  };
  tap.is(
    [
      await fails(['nonsense']),
      await fails(['{"key":"a"}']),
      await fails(keyed(['[[sim:invalid_line]]'])),
    ],
    Array(3).fill(['BATCH_STATE_FAILED', 3, false]),
    'files that are not valid',
  );
  await reset();
}

async function testBatchEnds() {
  const four = keyed(['a', 'b', 'c', 'd']);
  for (const [outcome, wanted, code] of [
    ['expired', 'EXPIRED', 4],
    ['cancelled', 'CANCELLED', 1],
    ['failed', 'FAILED', 3],
  ]) {
    await fault(':batchGenerateContent$', { batch_outcome: outcome });
    const { op, raw } = await fileBatch(four);
    tap.is(
      [op.metadata.state, op.error.code, raw.length],
      [`BATCH_STATE_${wanted}`, code, 0],
      outcome,
    );
  }
  await fault(':batchGenerateContent$', { batch_outcome: 'in_progress_forever' });
  const { name } = (await startBatch({ fileName: (await uploadLines(four)).name })).json;
  await until(
    async () => (await getBatch(name)).metadata.batchStats?.successfulRequestCount === '2',
    'half of it to run',
  );
  tap.is((await gem('POST', `/v1beta/${name}:cancel`, {})).json, {}, 'cancel');
  tap.is((await batchEnd(name)).metadata.state, 'BATCH_STATE_CANCELLED', 'is obeyed');
  refusedApi(
    await gem('POST', `/v1beta/${name}:cancel`, {}),
    400,
    'FAILED_PRECONDITION',
    'not twice',
  );
  await config({ gemini_output_late: 2 });
  const late = (await startBatch({ fileName: (await uploadLines(four)).name })).json.name;
  const first = await batchEnd(late);
  tap.is(
    [
      first.metadata.state,
      first.metadata.output,
      (await getBatch(late)).response,
      'responsesFile' in (await getBatch(late)).response,
    ],
    ['BATCH_STATE_SUCCEEDED', undefined, undefined, true],
    'an output that is late',
  );
  await fault(':batchGenerateContent$', { list_lag_ms: 60000 });
  await startBatch({ fileName: (await uploadLines(four)).name });
  tap.is(
    (await gem('GET', '/v1beta/batches?pageSize=1')).json.operations[0].name,
    late,
    'a batch that is not listed yet',
  );
  await fault(':batchGenerateContent$', { status: 429 });
  refusedApi(await startBatch({ fileName: 'files/x' }), 429, 'RESOURCE_EXHAUSTED', 'a status');
  await reset();
  const { raw, lines } = await fileBatch(
    keyed([
      '[[sim:duplicate]]',
      '[[sim:both]]',
      '[[sim:badjson]]',
      '[[sim:unknown]]',
      '[[sim:expired]]',
    ]),
  );
  const of = (key) => lines.filter((line) => line.key === key).map((line) => Boolean(line.error));
  tap.is(
    [of('r0'), of('r1'), of('r4'), of('sim-unknown-3'), raw.some((text) => !text.endsWith('}'))],
    [[false, false], [false, true], [], [false], true],
    'directives',
  );
  await reset();
}

async function testBatchEmbeddings() {
  const lines = [
    ['a', { output_dimensionality: 8 }],
    ['b', { taskType: 'CLUSTERING' }],
    ['[[sim:error=500]]', {}],
  ].map(([text, more]) => ({ key: text, request: { content: { parts: [{ text }] }, ...more } }));
  const how = { model: 'gemini-embedding-001', method: 'asyncBatchEmbedContent' };
  const { op, lines: out } = await fileBatch(lines, how);
  const got = Object.fromEntries(out.map((line) => [line.key, line]));
  tap.is(
    [
      /EmbedContentBatch$/.test(op.metadata['@type']),
      got.a.response.embedding.values.length,
      got.b.response.embedding.values.length,
      got['[[sim:error=500]]'].error.code,
    ],
    [true, 8, 3072, 13],
    'embeddings',
  );
  const inline = await startBatch(
    { requests: { requests: [{ request: lines[0].request, metadata: { key: 'k' } }] } },
    how,
  );
  tap.is(
    (await batchEnd(inline.json.name)).response.inlinedResponses.inlinedResponses[0].response
      .embedding.values.length,
    8,
    'inline',
  );
  await reset();
}

for (const test of [
  testAssertions,
  testTokens,
  testUsers,
  testFederation,
  testMetadata,
  testObjects,
  testMultipart,
  testResumable,
  testBroken,
  testBuckets,
  testList,
  testJobs,
  testJobRefusals,
  testJobFailures,
  testJobEnds,
  testJobList,
  testOutputs,
  testGemini,
  testDirectives,
  testEmbeddings,
  testClaude,
  testVertexFaults,
  testKeys,
  testFiles,
  testBatches,
  testBatchRefusals,
  testBatchEnds,
  testBatchEmbeddings,
])
  await tap.group(test.name, test);
await sim.stop();
process.exit(tap.done());
