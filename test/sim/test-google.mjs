// Tests of the simulator's Google: tokens, Cloud Storage, Vertex AI's batch prediction jobs, the Gemini Developer API.
// Prints TAP; node only.

import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { call, startSim, Tap, until } from './harness.mjs';

const tap = new Tap();
const sim = await startSim(['--batch-seconds', '0.04', '--api-key', 'gem-key', '--api-key', 'other-key:other']);
const BASE = `http://127.0.0.1:${sim.port}`;
const EMAIL = 'batch@proj-1.iam.gserviceaccount.com';
const CLOUD = 'https://www.googleapis.com/auth/cloud-platform';
const control = (name, value) => call(sim, value === undefined ? 'GET' : 'POST', `/_sim/${name}`, { body: value && JSON.stringify(value) });
const config = (value) => control('config', value);
const fault = (path, action, more = {}) => control('faults', { match: { path_regex: path }, action, ...more });
const reset = () => control('reset', {});
const bearer = (token = 'ya29.sim') => ({ authorization: `Bearer ${token}` });
const form = (fields) => ({ body: new URLSearchParams(fields).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } });
const reasonOf = (reply) => ((reply.json || {}).error || {}).details?.find((d) => /ErrorInfo$/.test(d['@type']))?.reason;

// ---- tokens ----

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// An assertion of a service account, signed apart from the simulator.
function assertion(key, claims = {}, { header = {}, spoil = (s) => s } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const body = `${b64({ alg: 'RS256', typ: 'JWT', kid: key.private_key_id, ...header })}.${b64({ iss: EMAIL, scope: CLOUD, aud: 'https://oauth2.googleapis.com/token', iat: now, exp: now + 3600, ...claims })}`;
  return `${body}.${spoil(createSign('RSA-SHA256').update(body).sign(key.private_key, 'base64url'))}`;
}

const grant = (fields, path = '/token') => call(sim, 'POST', path, form(fields));
const jwtGrant = (text) => grant({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: text });
const refusedGrant = (reply, status, error, words, name) => tap.ok(reply.status === status && (reply.json || {}).error === error && words.test(reply.json.error_description), name, reply.body.toString());
const works = async (token) => (await call(sim, 'GET', '/storage/v1/b/batch', { headers: bearer(token) })).status;

async function testAssertions() {
  const key = (await control('google_credentials')).json;
  tap.is([key.type, key.client_email, key.token_uri], ['service_account', EMAIL, `${BASE}/token`], 'the key of a service account');
  const good = await jwtGrant(assertion(key));
  tap.is([good.status, good.json.expires_in, good.json.token_type, await works(good.json.access_token)], [200, 3599, 'Bearer', 200], 'a good assertion');
  tap.is((await jwtGrant(assertion(key, { aud: `${BASE}/token` }))).status, 200, 'the audience may be this address');
  tap.is((await jwtGrant(assertion(key, {}, { header: { kid: undefined } }))).status, 200, 'without a key id');
  const now = Math.floor(Date.now() / 1000);
  const other = { private_key_id: key.private_key_id, private_key: generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }).privateKey };
  for (const [text, words, name] of [
    [assertion(key, {}, { spoil: (s) => (s[9] === 'A' ? 'B' : 'A') + s.slice(1) }), /^Invalid JWT Signature\.$/, 'a signature that is wrong'],
    [assertion(other), /^Invalid JWT Signature\.$/, 'another key'],
    [assertion(key, {}, { header: { kid: 'nobody' } }), /^Invalid JWT Signature\.$/, 'an unknown key id'],
    [assertion(key, { iss: 'nobody@proj-1.iam.gserviceaccount.com' }), /^Invalid grant: account not found$/, 'an unknown account'],
    [assertion(key, { iat: now + 600, exp: now + 4200 }), /short-lived token .*reasonable timeframe/, 'a clock that is ahead'],
    [assertion(key, { iat: now - 7200, exp: now - 3600 }), /reasonable timeframe/, 'an old one'],
    [assertion(key, { iat: now, exp: now + 3601 }), /60 minutes/, 'longer than an hour'],
    [assertion(key, { aud: 'https://example.com/' }), /audience/, 'another audience'],
    ['abc', /could not be parsed/, 'no JWT'],
  ]) refusedGrant(await jwtGrant(text), 400, 'invalid_grant', words, name);
  refusedGrant(await jwtGrant(assertion(key, { scope: 'everything' })), 400, 'invalid_scope', /scope/, 'a scope that is none');
  refusedGrant(await jwtGrant(assertion(key, { sub: 'someone@example.com' })), 401, 'unauthorized_client', /unauthorized/, 'delegation');
  refusedGrant(await grant({ grant_type: 'password' }), 400, 'unsupported_grant_type', /password/, 'another grant');
}

async function testTokens() {
  const key = (await control('google_credentials')).json;
  await config({ google_token_seconds: 0.01 });
  const short = (await jwtGrant(assertion(key))).json;
  await until(async () => await works(short.access_token) === 401, 'the token to expire');
  const late = await call(sim, 'POST', `/v1/projects/-/serviceAccounts/${EMAIL}:generateAccessToken`, { headers: bearer(short.access_token) });
  tap.is([late.status, reasonOf(late)], [401, 'ACCESS_TOKEN_EXPIRED'], 'tokens expire');
  await config({ google_clock_ms: -600e3 });
  refusedGrant(await jwtGrant(assertion(key)), 400, 'invalid_grant', /timeframe/, 'a clock of Google that is behind');
  await reset();
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  await config({ google_service_accounts: { [EMAIL]: { keys: { mine: pair.publicKey } } } });
  tap.is((await jwtGrant(assertion({ private_key_id: 'mine', private_key: pair.privateKey }))).status, 200, 'a key of the configuration');
  await config({ google_service_accounts: { [EMAIL]: { disabled: true } } });
  refusedGrant(await jwtGrant(assertion(key)), 400, 'invalid_grant', /disabled/, 'a disabled account');
  await reset();
  const own = assertion(key, { sub: EMAIL, scope: undefined, aud: 'https://storage.googleapis.com/' });
  tap.is([await works(own), await works(assertion(key, { sub: EMAIL, scope: undefined, aud: 'https://example.com/' }))], [200, 401], 'a token that the account signed itself');
  tap.is(await works((await jwtGrant(assertion(key, { scope: 'https://www.googleapis.com/auth/monitoring' }))).json.access_token), 403, 'a token without the scope');
  const logged = (await control('requests')).json.find((r) => r.path === '/token');
  tap.is(logged.body, '...', 'no assertion stands in the log');
}

async function testUsers() {
  const user = (await control('google_credentials?type=authorized_user')).json;
  const fields = { grant_type: 'refresh_token', client_id: user.client_id, client_secret: user.client_secret, refresh_token: user.refresh_token };
  const good = await grant(fields);
  tap.is([good.status, await works(good.json.access_token)], [200, 200], 'a refresh token');
  refusedGrant(await grant({ ...fields, client_secret: 'x' }), 401, 'invalid_client', /Unauthorized/, 'a wrong secret');
  refusedGrant(await grant({ ...fields, refresh_token: 'x' }), 400, 'invalid_grant', /Bad Request/, 'a wrong token');
  await config({ google_users: { [user.client_id]: { secret: user.client_secret, refresh_tokens: { [user.refresh_token]: { email: 'u@example.com', revoked: true } } } } });
  refusedGrant(await grant(fields), 400, 'invalid_grant', /^Token has been expired or revoked\.$/, 'a revoked one');
  await reset();
}

async function testFederation() {
  const external = (await control(`google_credentials?type=external_account&file=/f&email=${EMAIL}`)).json;
  const fields = { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', audience: external.audience, scope: CLOUD, requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: 'sim-subject-token', subject_token_type: external.subject_token_type };
  const federated = await grant(fields, '/v1/token');
  tap.is([federated.status, federated.json.issued_token_type, federated.json.token_type], [200, 'urn:ietf:params:oauth:token-type:access_token', 'Bearer'], 'a token for a subject token');
  refusedGrant(await grant({ ...fields, audience: '//iam.googleapis.com/projects/1/x' }, '/v1/token'), 400, 'invalid_target', /audience/, 'an unknown pool');
  refusedGrant(await grant({ ...fields, subject_token: 'x' }, '/v1/token'), 400, 'invalid_grant', /verified/, 'an unknown subject token');
  const take = (token, body, email = EMAIL) => call(sim, 'POST', `/v1/projects/-/serviceAccounts/${email}:generateAccessToken`, { headers: { ...bearer(token), 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const got = await take(federated.json.access_token, { scope: [CLOUD], lifetime: '600s' });
  tap.ok(got.status === 200 && Math.abs(Date.parse(got.json.expireTime) - Date.now() - 600e3) < 5000 && await works(got.json.accessToken) === 200, 'impersonation', got.json);
  tap.is([(await take(federated.json.access_token, { scope: [CLOUD] }, 'x@proj-1.iam.gserviceaccount.com')).status, (await take('ya29.sim', { scope: [CLOUD] })).status], [403, 403], 'not of others, not by others');
  tap.is([(await take(federated.json.access_token, { scope: [CLOUD], lifetime: '3601s' })).status, (await take(federated.json.access_token, {})).status, (await take('no', {})).status], [400, 400, 401], 'too long, no scope, no token');
}

async function testMetadata() {
  const get = (path, headers = { 'metadata-flavor': 'Google' }) => call(sim, 'GET', `/computeMetadata/v1/${path}`, { headers });
  const token = await get('instance/service-accounts/default/token');
  tap.is([token.status, token.headers['metadata-flavor'], await works(token.json.access_token)], [200, 'Google', 200], 'the metadata server');
  tap.is([(await get('project/project-id')).body.toString(), (await get('instance/service-accounts/default/email')).body.toString()], ['proj-1', EMAIL], 'who it is');
  tap.is([(await get('instance/service-accounts/default/token', {})).status, (await get('instance/service-accounts/default/token', { 'metadata-flavor': 'Google', 'x-forwarded-for': '1.2.3.4' })).status, (await get('nothing')).status], [403, 403, 404], 'refusals');
  await config({ google_metadata_account: null });
  tap.is((await get('instance/service-accounts/default/token')).status, 404, 'a machine without an account');
  await reset();
}

// ---- storage ----

const gcs = (method, path, { headers, body, token } = {}) => call(sim, method, path, { headers: { ...(token === null ? {} : bearer(token)), ...headers }, body });
const put = (name, body, { query = '', headers = { 'content-type': 'application/jsonl' } } = {}) => gcs('POST', `/upload/storage/v1/b/batch/o?uploadType=media&name=${encodeURIComponent(name)}${query}`, { body, headers });
const object = (name, query = '', how = {}) => gcs('GET', `/storage/v1/b/batch/o/${encodeURIComponent(name)}${query}`, how);
const download = async (name, headers) => object(name, '?alt=media', { headers });
const refused = (reply, status, reason, name) => tap.ok(reply.status === status && reply.json?.error.errors[0].reason === reason && reply.json.error.code === status, name, { status: reply.status, body: reply.body.toString() });
const md5 = (text) => createHash('md5').update(text).digest('base64');

async function testObjects() {
  const name = 'in/a b+é:(\'*)~.jsonl';
  const made = await put(name, '0123456789', { query: '&ifGenerationMatch=0' });
  tap.is([made.status, made.json.name, made.json.size, made.json.md5Hash, made.json.crc32c, made.json.contentType], [200, name, '10', md5('0123456789'), 'KAwGng==', 'application/jsonl'], 'media');
  refused(await put(name, 'x', { query: '&ifGenerationMatch=0' }), 412, 'conditionNotMet', 'once only');
  tap.is((await object(name)).json, made.json, 'metadata');
  const got = await download(name);
  tap.is([got.status, got.body.toString(), got.headers['x-goog-hash'], got.headers['x-goog-generation']], [200, '0123456789', `crc32c=KAwGng==,md5=${md5('0123456789')}`, made.json.generation], 'download');
  const range = async (text) => {
    const reply = await download(name, { range: text });
    return [reply.status, reply.body.toString(), reply.headers['content-range']];
  };
  tap.is([await range('bytes=2-3'), await range('bytes=7-'), await range('bytes=-2')], [[206, '23', 'bytes 2-3/10'], [206, '789', 'bytes 7-9/10'], [206, '89', 'bytes 8-9/10']], 'ranges');
  tap.is([(await range('bytes=10-'))[0], (await object(name, `?alt=media&generation=${made.json.generation}`)).status, (await object(name, '?alt=media&generation=1')).status], [416, 200, 404], 'beyond the end, a generation, another one');
  const none = await download('none');
  tap.is([none.status, none.body.toString(), none.json], [404, 'No such object: batch/none', null], 'a download is refused in plain text');
  refused(await object('none'), 404, 'notFound', 'nothing there');
  tap.is((await gcs('GET', '/storage/v1/b/batch/o/in/a')).headers['content-type'], 'text/html; charset=UTF-8', 'a slash that is not encoded');
  const remove = (query = '') => gcs('DELETE', `/storage/v1/b/batch/o/${encodeURIComponent(name)}${query}`);
  refused(await remove('?ifGenerationMatch=1'), 412, 'conditionNotMet', 'another generation is not deleted');
  tap.is([(await remove()).status, (await remove()).status], [204, 404], 'delete');
  refused(await gcs('POST', '/upload/storage/v1/b/batch/o?uploadType=media', { body: 'x' }), 400, 'required', 'no name');
  refused(await gcs('POST', '/upload/storage/v1/b/batch/o?name=a', { body: 'x' }), 400, 'badRequest', 'no uploadType');
  refused(await put('a', 'x', { query: '&ifgenerationmatch=0' }), 400, 'badRequest', 'a parameter that is none');
  await reset();
}

const multipart = (about, text, { boundary = 'b-1', type = 'application/jsonl' } = {}) => gcs('POST', '/upload/storage/v1/b/batch/o?uploadType=multipart', {
  headers: { 'content-type': `multipart/related; boundary=${boundary}` }, body: `--b-1\r\nContent-Type: application/json\r\n\r\n${about}\r\n--b-1\r\nContent-Type: ${type}\r\n\r\n${text}\r\n--b-1--` });

async function testMultipart() {
  const made = await multipart('{"name":"m","metadata":{"a":"1"}}', 'line\n');
  tap.is([made.status, made.json.size, made.json.contentType, made.json.metadata, (await download('m')).body.toString()], [200, '5', 'application/jsonl', { a: '1' }, 'line\n'], 'multipart');
  refused(await multipart('{"name":"m"}', 'x', { boundary: 'b-2' }), 400, 'badContent', 'another boundary');
  refused(await multipart('{"name":', 'x'), 400, 'parseError', 'metadata that are no JSON');
  refused(await multipart('{}', 'x'), 400, 'required', 'no name');
  refused(await multipart('{"name":"h","md5Hash":"AAAA"}', 'x'), 400, 'invalid', 'a hash that does not hold');
  tap.is([(await object('h')).status, (await multipart(`{"name":"h","md5Hash":"${md5('x')}"}`, 'x')).status], [404, 200], 'one that does');
  refused(await put('h2', 'x', { headers: { 'x-goog-hash': `crc32c=AAAAAA==,md5=${md5('x')}` } }), 400, 'invalid', 'a hash in a header');
  await reset();
}

const BLOCK = 256 * 1024;
async function session(name, { query = '', headers = {}, body = '{}' } = {}) {
  const reply = await gcs('POST', `/upload/storage/v1/b/batch/o?uploadType=resumable&name=${name}${query}`, { headers: { 'content-type': 'application/json', ...headers }, body });
  return { reply, at: (reply.headers.location || '').slice(BASE.length) };
}
const piece = (at, range, body = '') => gcs('PUT', at, { token: null, headers: { 'content-range': range, 'content-length': Buffer.byteLength(body) }, body });
const state = (reply) => [reply.status, reply.headers.range];

async function testResumable() {
  const text = 'x'.repeat(2 * BLOCK + 5);
  const { reply, at } = await session('r', { headers: { 'x-upload-content-type': 'application/jsonl', 'x-upload-content-length': text.length } });
  tap.ok(reply.status === 200 && /upload_id=/.test(at) && reply.headers['x-guploader-uploadid'], 'a session', reply.headers);
  tap.is(state(await piece(at, `bytes */${text.length}`)), [308, undefined], 'nothing is there');
  tap.is(state(await piece(at, `bytes 0-${BLOCK - 1}/${text.length}`, text.slice(0, BLOCK))), [308, `bytes=0-${BLOCK - 1}`], 'a chunk');
  refused(await piece(at, `bytes ${2 * BLOCK}-${text.length - 1}/${text.length}`, text.slice(2 * BLOCK)), 503, 'backendError', 'a gap');
  refused(await piece(at, `bytes ${BLOCK}-${BLOCK + 9}/${text.length}`, text.slice(0, 10)), 400, 'badRequest', 'a small chunk that is not the last');
  refused(await piece(at, 'bytes 1-2', ''), 400, 'badRequest', 'a range that is none');
  refused(await piece(at, 'bytes */*', 'x'), 400, 'badRequest', 'a question with a body');
  refused(await piece(at, 'bytes */7'), 400, 'badRequest', 'another size');
  tap.is(state(await piece(at, 'bytes */*')), [308, `bytes=0-${BLOCK - 1}`], 'how far it is');
  const done = await piece(at, `bytes 0-${text.length - 1}/${text.length}`, text);
  tap.is([done.status, done.json.size, done.json.contentType, done.json.md5Hash], [200, String(text.length), 'application/jsonl', md5(text)], 'what overlaps is passed over');
  tap.is((await piece(at, 'bytes */*')).json, done.json, 'asked again');
  tap.is((await gcs('DELETE', at, { token: null })).status, 499, 'cancel');
  tap.is((await piece(at, 'bytes */*')).status, 410, 'a cancelled session');
  tap.is((await piece(at.replace(/upload_id=.*/, 'upload_id=no'), 'bytes */*')).status, 404, 'an unknown one');
  const whole = await session('w');
  tap.is((await piece(whole.at, 'bytes 0-*/*', 'abc')).json.size, '3', 'a stream of unknown length');
  tap.is((await session('w', { query: '&ifGenerationMatch=0' })).reply.status, 412, 'a condition at the begin');
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
  await breakOff(at, { 'content-range': `bytes 0-${size - 1}/${size}`, 'content-length': size }, Buffer.alloc(BLOCK + 100, 'x'));
  await until(async () => (await piece(at, 'bytes */*')).headers.range === `bytes=0-${BLOCK - 1}`, 'the whole blocks of what arrived');
  tap.ok(true, 'of a broken request whole blocks stay');
  await fault('/upload/', { persist: BLOCK });
  tap.is(state(await piece(at, `bytes ${BLOCK}-${size - 1}/${size}`, 'x'.repeat(2 * BLOCK))), [308, `bytes=0-${2 * BLOCK - 1}`], 'less is kept than was sent');
  await fault('/upload/', { lost_after_effect: true });
  tap.ok((await piece(at, `bytes ${2 * BLOCK}-${size - 1}/${size}`, 'x'.repeat(BLOCK))).error, 'an answer that is lost');
  tap.is([(await piece(at, `bytes */${size}`)).json.size, (await object('b')).json.md5Hash], [String(size), md5('x'.repeat(size))], 'was an upload');
  await fault('/storage/', { status: 503 });
  refused(await object('b'), 503, 'backendError', 'a status');
  await fault('/storage/', { status: 429 });
  refused(await object('b'), 429, 'rateLimitExceeded', 'another');
  await fault('/storage/', { truncate: 40 });
  const cut = await download('b');
  tap.ok(cut.error && cut.body.length === 40, 'a cut download');
  tap.is((await control('ledger')).json.files_left, [{ id: 'gs://batch/b', purpose: 'gcs', filename: 'b', bytes: size }], 'what is left stands in the ledger');
  await reset();
}

async function testBuckets() {
  tap.is([(await gcs('GET', '/storage/v1/b/batch')).json.location, (await gcs('GET', '/storage/v1/b/west-batch')).json.locationType], ['US', 'region'], 'buckets');
  refused(await gcs('GET', '/storage/v1/b/nowhere'), 404, 'notFound', 'no bucket');
  refused(await gcs('GET', '/storage/v1/b/nowhere/o'), 404, 'notFound', 'no bucket to list');
  refused(await gcs('GET', '/storage/v1/b/foreign-batch/o'), 403, 'forbidden', 'somebody else\'s bucket');
  refused(await gcs('GET', '/storage/v1/b/batch', { token: null }), 401, 'required', 'no token');
  refused(await gcs('GET', '/storage/v1/b/batch', { token: 'no' }), 401, 'authError', 'a token of nobody');
  await config({ gcs_buckets: { batch: { deny: ['storage.buckets.get', 'storage.objects.list'] } } });
  refused(await gcs('GET', '/storage/v1/b/batch'), 403, 'forbidden', 'denied');
  refused(await object('none'), 403, 'forbidden', 'missing, for those who may not list');
  await config({ google_service_accounts: { [EMAIL]: { deny: ['storage.objects.create'] } } });
  refused(await put('x', 'x'), 403, 'forbidden', 'an account that may not write');
  await reset();
}

async function testList() {
  for (const name of ['a/1', 'a/2', 'a/b/3', 'a/b/4', 'b', 'Z', 'é']) await put(name, 'x');
  const list = async (query = '') => (await gcs('GET', `/google/storage/v1/b/batch/o?${query}`)).json;
  tap.is((await list()).items.map((o) => o.name), ['Z', 'a/1', 'a/2', 'a/b/3', 'a/b/4', 'b', 'é'], 'in the order of bytes');
  const folder = await list('prefix=a%2F&delimiter=%2F');
  tap.is([folder.items.map((o) => o.name), folder.prefixes], [['a/1', 'a/2'], ['a/b/']], 'prefix and delimiter');
  const pages = [];
  for (let next = ''; next !== undefined;) {
    const found = await list(`maxResults=3&delimiter=/${next && `&pageToken=${encodeURIComponent(next)}`}`);
    pages.push([(found.items || []).length, (found.prefixes || []).length]);
    next = found.nextPageToken;
  }
  tap.is(pages, [[2, 1], [1, 0]], 'pages, with tokens that need encoding');
  tap.is(await list('prefix=b&fields=items(name,size),nextPageToken'), { items: [{ name: 'b', size: '1' }] }, 'fields');
  tap.is(await list('prefix=none'), { kind: 'storage#objects' }, 'nothing');
  refused(await gcs('GET', '/storage/v1/b/batch/o?fields=items(nme)'), 400, 'invalidParameter', 'fields that are none');
  refused(await gcs('GET', '/storage/v1/b/batch/o?pageToken=no'), 400, 'invalid', 'a token of nobody');
  await reset();
}

for (const test of [testAssertions, testTokens, testUsers, testFederation, testMetadata, testObjects, testMultipart, testResumable, testBroken, testBuckets, testList]) await tap.group(test.name, test);
await sim.stop();
process.exit(tap.done());
