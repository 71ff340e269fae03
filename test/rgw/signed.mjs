// Sends requests that base/sigv4.c signed to radosgw: odd keys and queries, bodies from spools,
// multipart uploads, and requests that are wrong by one bit.
// AWS's own client looks at what came of them. Prints TAP.

import { execFileSync } from 'node:child_process';
import http from 'node:http';
import { createRequire } from 'node:module';
import { Tap } from '../sim/harness.mjs';

const S3 = createRequire(new URL('../client/package.json', import.meta.url))('@aws-sdk/client-s3');
const { RGW_URL: base, RGW_ACCESS_KEY: accessKeyId, RGW_SECRET_KEY: secretAccessKey } = process.env;
const tap = new Tap();
const client = new S3.S3Client({
  region: 'us-east-1',
  endpoint: base,
  forcePathStyle: true,
  maxAttempts: 1,
  credentials: { accessKeyId, secretAccessKey },
});
const ask = (name, input) => client.send(new S3[`${name}Command`]({ Bucket: 'batch', ...input }));

const KEYS = [
  'plain',
  'a b',
  ' lead and trail ',
  'a+b',
  'a=b&c=d',
  'a%2Fb',
  '100%',
  "!'()*",
  '~-._',
  'é/ü/漢字/😀',
  'a?b#c',
  ':@,;$',
  '"<>\\^`{|}[]',
  'tab\tkey',
  'dots/../up',
  './here',
  'two//slashes',
  '/root',
  'folder/',
  'in/job-1/chunk.jsonl',
  'x'.repeat(1024),
];

const encode = (text) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
const pathOf = (key) => `/batch/${key.split('/').map(encode).join('/')}`;
const queryOf = (query) =>
  Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join('&');
const bodyOf = ({ head = '', spool = '', times = 1, tail = '' } = {}) =>
  Buffer.from(head + spool.repeat(times) + tail);

// Takes a list of {method, target, headers, body, …} and returns it with the headers that are sent;
// a body is written as in the vectors of fixtures/sigv4.
function sign(requests) {
  const vectors = requests.map(({ target, ...more }) => ({
    url: base + target,
    s3: true,
    service: 's3',
    region: 'us-east-1',
    access_key: accessKeyId,
    secret_key: secretAccessKey,
    time: Math.floor(Date.now() / 1000),
    ...more,
  }));
  const sql =
    "SELECT json_agg(unit.unit_sigv4(convert_to(v::text, 'UTF8')) ORDER BY n) " +
    "FROM json_array_elements(:'vectors') WITH ORDINALITY AS e(v, n)";
  const texts = JSON.parse(
    execFileSync(
      'psql',
      ['-qtAX', '-v', 'ON_ERROR_STOP=1', '-v', `vectors=${JSON.stringify(vectors)}`],
      { input: sql, encoding: 'utf8' },
    ),
  );
  return requests.map((request, i) => ({
    ...request,
    headers: texts[i]
      .trim()
      .split('\n')
      .map((line) => line.split(/: (.*)/s).slice(0, 2)),
  }));
}

// The path goes out as it stands. {status, text, headers}
function send({ method, target, headers, body }) {
  return new Promise((done, fail) => {
    const bytes = bodyOf(body);
    const more =
      body || method === 'PUT' || method === 'POST' ? [['content-length', bytes.length]] : [];
    const req = http.request(
      base,
      {
        method,
        path: target,
        headers: [...headers, ...more, ['host', new URL(base).host]].flat(),
        agent: false,
      },
      (res) => {
        const chunks = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('end', () =>
          done({
            status: res.statusCode,
            headers: res.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    req.on('error', fail);
    req.end(bytes);
  });
}

async function all(requests) {
  const replies = [];
  for (const request of sign(requests)) replies.push(await send(request));
  return replies;
}

const unescape = (text) =>
  text.replace(/&(lt|gt|quot|apos|amp|#(\d+|x[\da-f]+));/gi, (_, name, code) =>
    code
      ? String.fromCodePoint(Number(code.replace(/^x/i, '0x')))
      : { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }[name.toLowerCase()],
  );
const tags = (text, name) =>
  [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, value]) =>
    unescape(value),
  );
const shown = (key) =>
  JSON.stringify(key.length > 40 ? `${key.slice(0, 20)}… (${key.length})` : key);

async function testKeys() {
  const each = (more) => all(KEYS.map((key) => ({ target: pathOf(key), ...more(key) })));
  const puts = await each((key) => ({
    method: 'PUT',
    body: { head: `body of ${key}` },
    headers: [['content-type', 'application/jsonl']],
  }));
  const gets = await each(() => ({ method: 'GET' }));
  const heads = await each(() => ({ method: 'HEAD' }));
  const lists = await all(
    KEYS.map((prefix) => ({
      method: 'GET',
      target: `/batch?${queryOf({ 'list-type': '2', prefix })}`,
    })),
  );
  const there = (await ask('ListObjectsV2', {})).Contents.map((object) => object.Key);
  const deletes = await each(() => ({ method: 'DELETE' }));
  const gone = await each(() => ({ method: 'GET' }));
  KEYS.forEach((key, i) => {
    tap.is(
      [puts, gets, heads, lists, deletes, gone].map((replies) => replies[i].status),
      [200, 200, 200, 200, 204, 404],
      `${shown(key)}: put, get, head, list, delete, gone`,
    );
    tap.is(
      [gets[i].text, heads[i].headers['content-type'], tags(lists[i].text, 'Key').includes(key)],
      [`body of ${key}`, 'application/jsonl', true],
      `${shown(key)}: its body, type and name`,
    );
  });
  tap.is(there.sort(), [...KEYS].sort(), "AWS's client lists the same keys");
}

async function testBodies() {
  const body = { head: 'first\n', spool: `${'x'.repeat(1023)}\n`, times: 6000, tail: 'last' };
  const [put] = await all([{ method: 'PUT', target: pathOf('big'), body }]);
  const back = await (await ask('GetObject', { Key: 'big' })).Body.transformToString();
  tap.is(
    [put.status, back.length, back === bodyOf(body).toString()],
    [200, 6144010, true],
    "six megabytes from a spool, which AWS's client reads",
  );
}

async function testMultipart() {
  const target = pathOf('in/many parts.jsonl');
  const [begun] = await all([{ method: 'POST', target: `${target}?uploads` }]);
  const [uploadId] = tags(begun.text, 'UploadId');
  const part = (n, body) => ({
    method: 'PUT',
    target: `${target}?${queryOf({ partNumber: String(n), uploadId })}`,
    body,
  });
  const parts = await all([
    part(1, { spool: 'a'.repeat(1024), times: 5120 }),
    part(2, { head: 'the rest' }),
  ]);
  const list = parts
    .map(
      (reply, i) =>
        `<Part><PartNumber>${i + 1}</PartNumber><ETag>${reply.headers.etag}</ETag></Part>`,
    )
    .join('');
  const [whole, length] = await all([
    {
      method: 'POST',
      target: `${target}?${queryOf({ uploadId })}`,
      body: { head: `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>` },
    },
    { method: 'HEAD', target },
  ]);
  tap.is(
    [
      begun.status,
      ...parts.map((reply) => reply.status),
      whole.status,
      length.headers['content-length'],
    ],
    [200, 200, 200, 200, String(5 * 1024 * 1024 + 8)],
    'an upload in two parts',
  );
  const [second] = await all([{ method: 'POST', target: `${target}?uploads` }]);
  const [aborted] = await all([
    {
      method: 'DELETE',
      target: `${target}?${queryOf({ uploadId: tags(second.text, 'UploadId')[0] })}`,
    },
  ]);
  tap.is(aborted.status, 204, 'another, given up');
}

async function testPages() {
  await all(
    ['p/1 +', 'p/2=', 'p/3%'].map((key) => ({
      method: 'PUT',
      target: pathOf(key),
      body: { head: key },
    })),
  );
  const seen = [];
  for (let token; seen.length < 9;) {
    const [page] = await all([
      {
        method: 'GET',
        target: `/batch?${queryOf({
          'list-type': '2',
          'max-keys': '1',
          prefix: 'p/',
          ...(token ? { 'continuation-token': token } : {}),
        })}`,
      },
    ]);
    seen.push(...tags(page.text, 'Key'));
    [token] = tags(page.text, 'NextContinuationToken');
    if (!token) break;
  }
  tap.is(seen, ['p/1 +', 'p/2=', 'p/3%'], 'a list, page by page');
}

const refused = (reply, status, code, name) =>
  tap.is([reply.status, tags(reply.text, 'Code')[0]], [status, code], name);

async function testRefusals() {
  const put = { method: 'PUT', target: pathOf('wrong'), body: { head: 'hello' } };
  const get = { method: 'GET', target: pathOf('big') };
  const change = (request, name, how) => ({
    ...request,
    headers: request.headers.map(([key, value]) => [
      key,
      key.toLowerCase() === name ? how(value) : value,
    ]),
  });
  const bit = (text) => text.slice(0, -1) + (parseInt(text.at(-1), 16) ^ 1).toString(16);
  const [a, b] = sign([put, get]);
  refused(
    await send(change(a, 'authorization', bit)),
    403,
    'SignatureDoesNotMatch',
    'one bit of a signature',
  );
  refused(
    await send(change(b, 'authorization', bit)),
    403,
    'SignatureDoesNotMatch',
    'one bit of another',
  );
  refused(
    await send({ ...b, target: pathOf('bih') }),
    403,
    'SignatureDoesNotMatch',
    'one bit of the path',
  );
  refused(await send({ ...b, target: `${b.target}?a=b` }), 403, 'SignatureDoesNotMatch', 'a query');
  refused(await send({ ...b, method: 'DELETE' }), 403, 'SignatureDoesNotMatch', 'another method');
  refused(
    await send({ ...a, body: { head: 'hellp' } }),
    400,
    'XAmzContentSHA256Mismatch',
    'one bit of the body',
  );
  const [secret, key, late] = sign([
    { ...get, secret_key: `${secretAccessKey.slice(0, -1)}>` },
    { ...get, access_key: 'NOBODY' },
    { ...get, time: Math.floor(Date.now() / 1000) - 3600 },
  ]);
  refused(await send(secret), 403, 'SignatureDoesNotMatch', 'another secret');
  refused(await send(key), 403, 'InvalidAccessKeyId', 'another key');
  refused(await send(late), 403, 'RequestTimeTooSkewed', 'an hour ago');
  tap.is(
    [(await send(b)).status, (await send(sign([{ ...get, target: pathOf('wrong') }])[0])).status],
    [200, 404],
    'what was not changed is served; what was refused did nothing',
  );
}

await ask('CreateBucket', {});
for (const test of [testKeys, testBodies, testMultipart, testPages, testRefusals])
  await tap.group(test.name, test);
process.exit(tap.done());
