// Tests of the simulator's AWS: signatures, S3, Bedrock's jobs. Prints TAP; node only.

import { createHash, createHmac } from 'node:crypto';
import sigv4 from './aws/sigv4.js';
import { call, startSim, Tap, until } from './harness.mjs';

const tap = new Tap();
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const sim = await startSim(['--batch-seconds', '0.04']);
const HOST = `127.0.0.1:${sim.port}`;
const sha = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const control = (name, value) =>
  call(sim, value === undefined ? 'GET' : 'POST', `/_sim/${name}`, {
    body: value && JSON.stringify(value),
  });
const reset = () => control('reset', {});
const stamp = (ms) => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');

// The signature of addresses that need no encoding of their own, written apart from the
// simulator's.
function signed(
  method,
  target,
  body,
  {
    service = 's3',
    region = 'us-east-1',
    key = 'AKIDEXAMPLE',
    secret = SECRET,
    host = HOST,
    headers = {},
    at = Date.now(),
    spoil = (s) => s,
    leave = [],
  } = {},
) {
  const date = stamp(at);
  const hash = headers['x-amz-content-sha256'] || sha(body || '');
  const all = {
    host,
    'x-amz-date': date,
    ...(service === 's3' ? { 'x-amz-content-sha256': hash } : {}),
    ...headers,
  };
  const names = Object.keys(all)
    .filter((name) => !leave.includes(name))
    .sort();
  const [path, query = ''] = target.split('?');
  const sorted = query
    .split('&')
    .filter(Boolean)
    .map((p) => (p.includes('=') ? p : `${p}=`))
    .sort()
    .join('&');
  const wire =
    service === 's3'
      ? path
      : path
          .split('/')
          .map((p) => sigv4.encode(p))
          .join('/');
  const canonical = [
    method,
    wire,
    sorted,
    names.map((n) => `${n}:${all[n]}\n`).join(''),
    names.join(';'),
    service === 's3' ? hash : sha(body || ''),
  ].join('\n');
  const scope = [date.slice(0, 8), region, service, 'aws4_request'];
  const signature = hmac(
    scope.reduce(hmac, `AWS4${secret}`),
    ['AWS4-HMAC-SHA256', date, scope.join('/'), sha(canonical)].join('\n'),
  ).toString('hex');
  return {
    ...all,
    authorization:
      `AWS4-HMAC-SHA256 Credential=${key}/${scope.join('/')}, ` +
      `SignedHeaders=${names.join(';')}, Signature=${spoil(signature)}`,
  };
}

function s3(method, target, body, how = {}) {
  const headers = signed(method, target, body, how);
  if (method === 'PUT' || method === 'POST')
    headers['content-length'] = Buffer.byteLength(how.sent || body || '');
  return call(sim, method, target, { headers, body: how.sent || body });
}

// The last hexadecimal digit with its lowest bit turned.
const flip = (signature) =>
  signature.slice(0, -1) + (parseInt(signature.slice(-1), 16) ^ 1).toString(16);
const tag = (reply, name) =>
  (new RegExp(`<${name}>([^<]*)</${name}>`).exec(reply.body.toString()) || [])[1];
const refused = (reply, status, code, name) =>
  tap.ok(
    reply.status === status &&
      tag(reply, 'Code') === code &&
      Boolean(reply.headers['x-amz-request-id']),
    name,
    { status: reply.status, body: reply.body.toString() },
  );

// Signatures that botocore made.
function testVectors() {
  const at = '20261120T100000Z';
  const arn =
    '/model-invocation-job/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A' +
    'model-invocation-job%2Fabcdefghijkl';
  const token = { 'x-amz-security-token': 'TOKENEXAMPLE==' };
  const vectors = [
    [
      'POST',
      'bedrock',
      '/model-invocation-job',
      sha('{"jobName":"j1"}'),
      { 'content-type': 'application/json' },
      'a19397a74fd511c8ad6ab59a62f696c93a3d0e24e5c4093f67c7fb983c37b850',
    ],
    [
      'GET',
      'bedrock',
      arn,
      EMPTY,
      token,
      '3a74f941774d876dd13358186b5917e70447e8639e011047c0ca11330440a6df',
    ],
    [
      'GET',
      'bedrock',
      '/model-invocation-jobs?maxResults=10&nameContains=run-7' +
        '&submitTimeAfter=2026-11-20T09%3A00%3A00Z',
      EMPTY,
      {},
      'a0f3c0cf5a3aeba580979e3027e44385d9eb1db0b0a739220153cf50952184c4',
    ],
    [
      'PUT',
      's3',
      '/in/a%20b.jsonl',
      'UNSIGNED-PAYLOAD',
      {},
      'fbc403b627fbcc1b002ed5cff5e3642c6a15bb1b926601a7b266af85f955dab8',
    ],
    [
      'GET',
      's3',
      '/?list-type=2&prefix=out%2Fjob%2F',
      EMPTY,
      {},
      '8ccffdb9d38a3fff6d14e78da0b5d0f2ae15a0168f8eafa7708e8f40ddc6fc79',
    ],
    [
      'POST',
      's3',
      '/in/big.jsonl?uploads',
      EMPTY,
      {},
      'ba4176b3067c83b11745ea7b0bc054d45b5e2d18654514a1f24988bcc1997113',
    ],
  ];
  for (const [method, service, url, payloadHash, more, signature] of vectors) {
    const host =
      service === 's3' ? 'bkt.s3.us-east-1.amazonaws.com' : 'bedrock.us-east-1.amazonaws.com';
    const headers = {
      host,
      'x-amz-date': at,
      ...(service === 's3' ? { 'x-amz-content-sha256': payloadHash } : {}),
      ...more,
    };
    const judge = (given) => {
      const authorization =
        'AWS4-HMAC-SHA256 ' +
        `Credential=AKIDEXAMPLE/20261120/us-east-1/${service}/aws4_request, ` +
        `SignedHeaders=${Object.keys(headers).sort().join(';')}, ` +
        `Signature=${given}`;
      try {
        return sigv4.verify(
          { method, url, rawHeaders: Object.entries({ ...headers, authorization }).flat() },
          {
            service,
            regions: ['us-east-1'],
            payloadHash,
            now: Date.UTC(2026, 10, 20, 10),
            skewMs: 0,
            credentials: { AKIDEXAMPLE: { secret: SECRET, token: more['x-amz-security-token'] } },
          },
        ).accessKey;
      } catch (error) {
        return error.kind;
      }
    };
    tap.is(
      [judge(signature), judge(flip(signature))],
      ['AKIDEXAMPLE', 'signature'],
      `botocore's ${method} ${service} ${url.slice(0, 40)}, and one bit beside it`,
    );
  }
}

async function testSignatures() {
  await s3('PUT', '/batch/a', 'x');
  const get = (how) => s3('GET', '/batch/a', '', how);
  tap.is((await get()).body.toString(), 'x', 'a good signature');
  refused(await call(sim, 'GET', '/batch/a'), 403, 'AccessDenied', 'none');
  refused(await get({ spoil: flip }), 403, 'SignatureDoesNotMatch', 'wrong by one bit');
  refused(await get({ secret: `${SECRET}x` }), 403, 'SignatureDoesNotMatch', 'wrong secret');
  refused(await get({ key: 'AKIDNOBODY' }), 403, 'InvalidAccessKeyId', 'unknown key');
  refused(await get({ service: 'sts' }), 400, 'AuthorizationHeaderMalformed', 'another service');
  refused(await get({ region: 'mars-1' }), 400, 'AuthorizationHeaderMalformed', 'no such region');
  refused(
    await get({ at: Date.now() - 16 * 60e3 }),
    403,
    'RequestTimeTooSkewed',
    'sixteen minutes late',
  );
  tap.is((await get({ at: Date.now() - 14 * 60e3 })).status, 200, 'fourteen are borne');
  refused(
    await get({ headers: { 'x-amz-meta-a': '1' }, leave: ['x-amz-meta-a'] }),
    403,
    'AccessDenied',
    'an x-amz header unsigned',
  );
  const session = { key: 'ASIAEXAMPLE' };
  tap.is(
    (await get({ ...session, headers: { 'x-amz-security-token': 'TOK/EN==' } })).status,
    200,
    'a session token',
  );
  refused(
    await get({ ...session, headers: { 'x-amz-security-token': 'TOK/EN=' } }),
    400,
    'InvalidToken',
    'a wrong one',
  );
  refused(await get(session), 403, 'InvalidAccessKeyId', 'none');
  await control('config', {
    aws_credentials: {
      ASIAEXAMPLE: { secret: SECRET, token: 'TOK/EN==', expires: '2026-01-01T00:00:00Z' },
    },
  });
  refused(
    await get({ ...session, headers: { 'x-amz-security-token': 'TOK/EN==' } }),
    400,
    'ExpiredToken',
    'an expired one',
  );
  const logged = (await control('requests')).json.pop();
  tap.is(
    [logged.headers.authorization.length < 10, logged.headers['x-amz-security-token']],
    [true, '...EN=='],
    'neither stands in the log',
  );
  await reset();
  await control('config', { aws_clock_ms: 20 * 60e3 });
  refused(await get(), 403, 'RequestTimeTooSkewed', 'a clock of the service that is ahead');
  await reset();
}

async function testObjects() {
  const body = '0123456789';
  const put = await s3('PUT', '/batch/in/a%20b%2B.jsonl', body, {
    headers: { 'content-type': 'application/jsonl' },
  });
  tap.is(
    [put.status, put.headers.etag],
    [200, `"${createHash('md5').update(body).digest('hex')}"`],
    'put',
  );
  const got = await s3('GET', '/batch/in/a%20b%2B.jsonl');
  tap.is(
    [got.status, got.body.toString(), got.headers['content-type'], got.headers['content-length']],
    [200, body, 'application/jsonl', '10'],
    'get',
  );
  const head = await s3('HEAD', '/batch/in/a%20b%2B.jsonl');
  tap.is(
    [head.status, head.body.length, head.headers['content-length'], head.headers.etag],
    [200, 0, '10', put.headers.etag],
    'head',
  );
  const range = async (text) => {
    const reply = await s3('GET', '/batch/in/a%20b%2B.jsonl', '', { headers: { range: text } });
    return [reply.status, reply.body.toString(), reply.headers['content-range']];
  };
  tap.is(
    [
      await range('bytes=3-5'),
      await range('bytes=8-'),
      await range('bytes=-2'),
      await range('bytes=4-99'),
    ],
    [
      [206, '345', 'bytes 3-5/10'],
      [206, '89', 'bytes 8-9/10'],
      [206, '89', 'bytes 8-9/10'],
      [206, '456789', 'bytes 4-9/10'],
    ],
    'ranges',
  );
  refused(
    await s3('GET', '/batch/in/a%20b%2B.jsonl', '', { headers: { range: 'bytes=10-' } }),
    416,
    'InvalidRange',
    'past the end',
  );
  refused(
    await s3('GET', '/batch/in/a%20b%2B.jsonl', '', { headers: { 'if-match': '"other"' } }),
    412,
    'PreconditionFailed',
    'if-match',
  );
  refused(
    await s3('PUT', '/batch/in/a%20b%2B.jsonl', 'y', { headers: { 'if-none-match': '*' } }),
    412,
    'PreconditionFailed',
    'create once',
  );
  refused(
    await s3('PUT', '/batch/x', 'hello', { sent: 'hellp' }),
    400,
    'XAmzContentSHA256Mismatch',
    'a body that is not the signed one',
  );
  refused(
    await s3('PUT', '/batch/x', 'hello', {
      headers: { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' },
    }),
    400,
    'BadDigest',
    'Content-MD5',
  );
  refused(
    await s3('PUT', '/batch/x', 'hello', { headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } }),
    400,
    'BadDigest',
    'a checksum',
  );
  refused(
    await s3('PUT', '/batch/x', 'hello', {
      headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    }),
    400,
    'InvalidRequest',
    'an unsigned payload over http',
  );
  const chunked = { ...signed('PUT', '/batch/x', 'hello'), 'transfer-encoding': 'chunked' };
  refused(
    await call(sim, 'PUT', '/batch/x', { headers: chunked, body: 'hello' }),
    501,
    'NotImplemented',
    'chunked without aws-chunked',
  );
  await control('config', { s3_unsigned_over_http: true });
  tap.is(
    (
      await s3('PUT', '/batch/x', 'hello', {
        headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
      })
    ).status,
    200,
    'where it is allowed',
  );
  tap.is(
    [(await s3('DELETE', '/batch/x')).status, (await s3('DELETE', '/batch/x')).status],
    [204, 204],
    'delete, twice',
  );
  refused(await s3('GET', '/batch/x'), 404, 'NoSuchKey', 'gone');
  tap.is(
    (await control('ledger')).json.files_left.map((f) => f.id),
    ['s3://batch/in/a b+.jsonl'],
    'files_left',
  );
  await reset();
}

async function testBuckets() {
  const host = `batch.s3.us-east-1.localhost:${sim.port}`;
  tap.is((await s3('PUT', '/k', 'virtual', { host })).status, 200, 'virtual-host style');
  tap.is(
    (await s3('GET', '/batch/k')).body.toString(),
    'virtual',
    'is the same object as path style',
  );
  refused(
    await s3('GET', '/k', '', { host, region: 'us-west-2' }),
    400,
    'AuthorizationHeaderMalformed',
    "a scope that is not the host's region",
  );
  refused(await s3('GET', '/nowhere/k'), 404, 'NoSuchBucket', 'no bucket');
  const moved = await s3('GET', '/west-batch/k');
  refused(moved, 301, 'PermanentRedirect', 'a bucket elsewhere');
  tap.is(
    [moved.headers['x-amz-bucket-region'], tag(moved, 'Endpoint')],
    ['us-west-2', 'west-batch.s3.us-west-2.amazonaws.com'],
    'says where',
  );
  refused(
    await s3('GET', '/west-batch/k', '', { region: 'us-west-2' }),
    404,
    'NoSuchKey',
    'and is there',
  );
  refused(await s3('GET', '/foreign-batch/k'), 403, 'AccessDenied', "somebody else's bucket");
  refused(
    await s3('GET', '/batch/k', '', { headers: { 'x-amz-expected-bucket-owner': '999999999999' } }),
    403,
    'AccessDenied',
    'another owner expected',
  );
  tap.is(
    (
      await s3('GET', '/batch/k', '', {
        headers: { 'x-amz-expected-bucket-owner': '123456789012' },
      })
    ).status,
    200,
    'the owner expected',
  );
  await control('config', {
    s3_buckets: { batch: { deny: ['s3:PutObject', 's3:ListBucket'], require_sse: 'aws:kms' } },
  });
  refused(await s3('PUT', '/batch/k', 'x'), 403, 'AccessDenied', 'denied');
  refused(
    await s3('GET', '/batch/none'),
    403,
    'AccessDenied',
    'missing, for those who may not list',
  );
  await reset();
  refused(
    await s3('PUT', '/batch/k', 'x', { headers: { 'x-amz-acl': 'public-read' } }),
    400,
    'AccessControlListNotSupported',
    'an ACL',
  );
  const sse = {
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': 'alias/batch',
  };
  tap.is(
    (await s3('PUT', '/batch/k', 'x', { headers: sse })).headers[
      'x-amz-server-side-encryption-aws-kms-key-id'
    ],
    'alias/batch',
    'a key for encryption',
  );
  refused(
    await s3('PUT', '/batch/k', 'x', {
      headers: { ...sse, 'x-amz-server-side-encryption-aws-kms-key-id': 'alias/none' },
    }),
    400,
    'KMS.NotFoundException',
    'an unknown one',
  );
  const west =
    '<CreateBucketConfiguration><LocationConstraint>us-west-2</LocationConstraint>' +
    '</CreateBucketConfiguration>';
  refused(
    await s3('PUT', '/new-one', west),
    400,
    'IllegalLocationConstraintException',
    "a constraint that is not the region's",
  );
  tap.is(
    [
      (await s3('PUT', '/new-one', west, { region: 'us-west-2' })).status,
      (await s3('HEAD', '/new-one', '', { region: 'us-west-2' })).status,
    ],
    [200, 200],
    'a new bucket',
  );
  refused(
    await s3('PUT', '/new-one', west, { region: 'us-west-2' }),
    409,
    'BucketAlreadyOwnedByYou',
    'twice',
  );
  await reset();
}

async function testList() {
  for (const key of ['a/1', 'a/2', 'a/b/3', 'a/b/4', 'b', 'Z'])
    await s3('PUT', `/batch/${key}`, 'x');
  const list = async (query) => {
    const reply = await s3('GET', `/batch?list-type=2${query}`);
    const all = (name) =>
      [...reply.body.toString().matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(
        (m) => m[1],
      );
    return {
      keys: all('Key'),
      prefixes: [...reply.body.toString().matchAll(/<CommonPrefixes><Prefix>([^<]*)/g)].map(
        (m) => m[1],
      ),
      next: tag(reply, 'NextContinuationToken'),
      more: tag(reply, 'IsTruncated'),
      reply,
    };
  };
  tap.is(
    (await list('')).keys,
    ['Z', 'a/1', 'a/2', 'a/b/3', 'a/b/4', 'b'],
    'in the order of bytes',
  );
  const folder = await list('&prefix=a%2F&delimiter=%2F');
  tap.is([folder.keys, folder.prefixes], [['a/1', 'a/2'], ['a/b/']], 'prefix and delimiter');
  const pages = [];
  for (let next = ''; next !== undefined;) {
    const page = await list(
      `&max-keys=4${next && `&continuation-token=${encodeURIComponent(next)}`}`,
    );
    pages.push(page.keys.length);
    next = page.next;
  }
  tap.is(pages, [4, 2], 'continuation, with tokens that need encoding');
  tap.is((await list('&start-after=a%2Fb%2F3')).keys, ['a/b/4', 'b'], 'start-after');
  refused(
    (await list('&continuation-token=nope')).reply,
    400,
    'InvalidArgument',
    'a token of nobody',
  );
  await reset();
}

async function testUploads() {
  await control('config', { s3_min_part_bytes: 10 });
  const id = encodeURIComponent(tag(await s3('POST', '/batch/mp?uploads'), 'UploadId'));
  const part = async (n, text) =>
    (await s3('PUT', `/batch/mp?partNumber=${n}&uploadId=${id}`, text)).headers.etag;
  const tags = [await part(1, 'a'.repeat(10)), await part(2, 'b'.repeat(9)), await part(3, 'c')];
  const finish = (numbers) => {
    const parts = numbers.map((n) => {
      const tag = tags[n - 1].replace(/"/g, '&quot;');
      return `<Part><PartNumber>${n}</PartNumber><ETag>${tag}</ETag></Part>`;
    });
    return s3(
      'POST',
      `/batch/mp?uploadId=${id}`,
      `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`,
    );
  };
  refused(await finish([1, 2, 3]), 400, 'EntityTooSmall', 'a small part that is not the last');
  refused(await finish([1, 1]), 400, 'InvalidPartOrder', 'order');
  tap.is(
    (await s3('GET', `/batch/mp?uploadId=${id}`)).body.toString().match(/<PartNumber>/g).length,
    3,
    'list parts',
  );
  refused(await s3('GET', '/batch/mp'), 404, 'NoSuchKey', 'nothing is there before the end');
  const done = await finish([1, 2]);
  tap.ok(
    done.status === 200 && /-2"/.test(tag(done, 'ETag').replace(/&quot;/g, '"')),
    'complete',
    done.body.toString(),
  );
  tap.is(
    (await s3('GET', '/batch/mp')).body.toString(),
    'a'.repeat(10) + 'b'.repeat(9),
    'the parts together',
  );
  refused(await finish([1]), 404, 'NoSuchUpload', 'once only');
  const other = encodeURIComponent(tag(await s3('POST', '/batch/mp2?uploads'), 'UploadId'));
  tap.is(
    [
      (await s3('DELETE', `/batch/mp2?uploadId=${other}`)).status,
      (await s3('DELETE', `/batch/mp2?uploadId=${other}`)).status,
    ],
    [204, 404],
    'abort',
  );
  await reset();
}

async function testS3Faults() {
  await s3('PUT', '/batch/a', 'x'.repeat(100));
  await control('faults', { match: { path_regex: '/batch/' }, action: { status: 503 } });
  refused(await s3('GET', '/batch/a'), 503, 'SlowDown', 'a status');
  await control('faults', { match: { path_regex: '/batch/' }, action: { truncate: 40 } });
  const cut = await s3('GET', '/batch/a');
  tap.ok(cut.error && cut.body.length === 40, 'a cut download');
  await control('faults', { match: { method: 'PUT' }, action: { lost_after_effect: true } });
  tap.ok(
    (await s3('PUT', '/batch/lost', 'x')).error && (await s3('GET', '/batch/lost')).status === 200,
    'an upload whose answer is lost',
  );
  await reset();
}

const bedrock = (method, target, body = '', how = {}) =>
  call(sim, method, target, {
    headers: signed(method, target, body, {
      service: 'bedrock',
      ...how,
      headers: { ...(body && { 'content-type': 'application/json' }), ...how.headers },
    }),
    body,
  });
const refusedJob = (reply, status, type, name) =>
  tap.ok(
    reply.status === status &&
      (reply.headers['x-amzn-errortype'] || '').startsWith(`${type}:`) &&
      reply.json.message,
    name,
    { status: reply.status, type: reply.headers['x-amzn-errortype'], body: reply.body.toString() },
  );
const ROLE = 'arn:aws:iam::123456789012:role/BedrockBatch';
let names = 0;
const job = (more = {}) => ({
  jobName: more.clientRequestToken ? 'run7' : `run-${++names}`,
  roleArn: ROLE,
  modelId: 'amazon.nova-lite-v1:0',
  modelInvocationType: 'Converse',
  inputDataConfig: { s3InputDataConfig: { s3Uri: 's3://batch/in/a.jsonl' } },
  outputDataConfig: { s3OutputDataConfig: { s3Uri: 's3://batch/out/' } },
  ...more,
});
const create = (more, how) =>
  bedrock('POST', '/model-invocation-job', JSON.stringify(job(more)), how);
const getJob = async (id) => (await bedrock('GET', `/model-invocation-job/${id}`)).json;
const ended = (id) =>
  until(async () => {
    const found = await getJob(id);
    return found.endTime && found;
  }, `job ${id} to end`);
const say = (text) => ({ messages: [{ role: 'user', content: [{ text }] }] });

// Puts the inputs, runs a job over them: {id, job, lines by recordId, manifest, raw}.
async function whole(inputs, more = {}, during = () => undefined) {
  await control('config', { bedrock_min_records: 1 });
  await s3(
    'PUT',
    '/batch/in/a.jsonl',
    inputs
      .map((modelInput, i) => `${JSON.stringify({ recordId: `r${i}`, modelInput })}\n`)
      .join(''),
  );
  const made = await create(more);
  if (made.status !== 200) throw new Error(made.body.toString());
  const id = made.json.jobArn.split('/').pop();
  await during(id);
  const found = await ended(id);
  const raw = (await s3('GET', `/batch/out/${id}/a.jsonl.out`)).body
    .toString()
    .split('\n')
    .filter(Boolean);
  const lines = Object.fromEntries(
    raw
      .filter((l) => l.endsWith('}'))
      .map((l) => JSON.parse(l))
      .map((l) => [l.recordId, l]),
  );
  return {
    id,
    job: found,
    lines,
    raw,
    manifest: (await s3('GET', `/batch/out/${id}/manifest.json.out`)).json,
  };
}

async function testJobs() {
  const {
    id,
    job: found,
    lines,
    manifest,
  } = await whole(
    [
      say('one'),
      say('[[sim:error=429:slow]]'),
      { ...say('x'), modelId: 'm' },
      say('[[sim:missing]]'),
    ],
    { clientRequestToken: 'tok-1' },
  );
  tap.is(
    [
      found.status,
      found.totalRecordCount,
      found.successRecordCount,
      found.errorRecordCount,
      found.clientRequestToken,
    ],
    ['Completed', 4, 2, 2, 'tok-1'],
    'a job',
  );
  tap.ok(
    lines.r0.modelOutput.output.message.content[0].text.startsWith('Sim ') &&
      lines.r0.modelOutput.usage.totalTokens > 0,
    'an answer',
    lines.r0,
  );
  tap.is(
    [lines.r1.error, lines.r2.error.errorCode, 'r3' in lines],
    [{ errorCode: 429, errorMessage: 'slow' }, 400, false],
    'errors, and a record without output',
  );
  tap.is(
    [manifest.totalRecordCount, manifest.successRecordCount, manifest.errorRecordCount],
    [4, 2, 2],
    'the manifest',
  );
  tap.is(
    (await create({ clientRequestToken: 'tok-1' })).json.jobArn,
    found.jobArn,
    'the same token is the same job',
  );
  refusedJob(
    await create({ clientRequestToken: 'tok-1', jobName: 'other' }),
    400,
    'ConflictException',
    'with other parameters it is not',
  );
  refusedJob(
    await create({ clientRequestToken: 'tok-2' }),
    400,
    'ValidationException',
    'a name that another job has',
  );
  tap.is(
    (await getJob(encodeURIComponent(found.jobArn))).jobArn,
    found.jobArn,
    'by its ARN, whose path is encoded twice',
  );
  tap.is(
    (
      await call(sim, 'GET', `/model-invocation-job/${id}`, {
        headers: { authorization: 'Bearer BEDROCK_API_KEY' },
      })
    ).json.status,
    'Completed',
    'an API key',
  );
  const ledger = (await control('ledger')).json;
  tap.is([ledger.billed_requests, ledger.batches.length], [2, 1], 'the ledger');
  await reset();
}

async function testJobAuth() {
  const list = (how) => bedrock('GET', '/model-invocation-jobs', '', how);
  tap.is((await list()).status, 200, 'a good signature');
  refusedJob(await list({ spoil: flip }), 403, 'InvalidSignatureException', 'wrong by one bit');
  refusedJob(await list({ key: 'AKIDNOBODY' }), 403, 'UnrecognizedClientException', 'unknown key');
  refusedJob(
    await list({ at: Date.now() - 6 * 60e3 }),
    403,
    'InvalidSignatureException',
    'six minutes late',
  );
  refusedJob(await list({ region: 'mars-1' }), 403, 'InvalidSignatureException', 'no such region');
  refusedJob(
    await call(sim, 'GET', '/model-invocation-jobs'),
    403,
    'MissingAuthenticationTokenException',
    'nothing',
  );
  refusedJob(
    await call(sim, 'GET', '/model-invocation-jobs', { headers: { authorization: 'Bearer no' } }),
    403,
    'AccessDeniedException',
    'a wrong API key',
  );
}

async function testJobFailures() {
  refusedJob(
    await create({ roleArn: `${ROLE}2` }),
    403,
    'AccessDeniedException',
    'a role that cannot be passed',
  );
  refusedJob(
    await create({ modelId: 'amazon.titan-text-express-v1' }),
    400,
    'ValidationException',
    'a model without batches',
  );
  refusedJob(
    await create({ modelId: 'nobody.knows' }),
    400,
    'ValidationException',
    'an unknown model',
  );
  refusedJob(await create({ jobName: 'a_b' }), 400, 'ValidationException', 'a name');
  refusedJob(
    await create({ outputDataConfig: { s3OutputDataConfig: { s3Uri: 's3://batch/dt=1/' } } }),
    400,
    'ValidationException',
    'a key with =',
  );
  const fails = async (more) =>
    (await ended((await create(more)).json.jobArn.split('/').pop())).message;
  await s3(
    'PUT',
    '/batch/in/a.jsonl',
    `${JSON.stringify({ recordId: 'r', modelInput: say('x') })}\n`,
  );
  tap.ok(
    /less records \(1\) than the required minimum of: 100$/.test(await fails()),
    'too few records fail later',
  );
  tap.ok(
    /GetObject/.test(
      await fails({ inputDataConfig: { s3InputDataConfig: { s3Uri: 's3://none/in/a.jsonl' } } }),
    ),
    'a missing bucket',
  );
  await s3('PUT', '/batch/in/a.jsonl', 'nonsense\n');
  tap.ok(/Line 1 of a.jsonl is not valid JSON/.test(await fails()), 'a line that is none');
  await control('config', { aws_roles: { [ROLE]: { deny: ['s3:PutObject'] } } });
  tap.ok(/PutObject/.test(await fails()), 'a role that may not write');
  await control('config', { bedrock_max_jobs: 0 });
  refusedJob(await create(), 400, 'ServiceQuotaExceededException', 'too many jobs');
  await reset();
}

async function testJobEnds() {
  const four = ['a', 'b', 'c', 'd'].map(say);
  for (const [outcome, status, got] of [
    ['partial', 'PartiallyCompleted', 2],
    ['cancelled', 'Stopped', 2],
    ['expired', 'Expired', 0],
    ['failed', 'Failed', 0],
  ]) {
    await control('faults', {
      match: { path_regex: '/model-invocation-job$' },
      action: { batch_outcome: outcome },
    });
    const { job: found, lines } = await whole(four);
    tap.is([found.status, Object.keys(lines).length], [status, got], outcome);
  }
  await control('faults', {
    match: { path_regex: '/model-invocation-job$' },
    action: { batch_outcome: 'in_progress_forever' },
  });
  const { job: stopped, id } = await whole(four, {}, async (name) => {
    await until(async () => (await getJob(name)).processedRecordCount === 2, 'half of it to run');
    tap.is((await bedrock('POST', `/model-invocation-job/${name}/stop`)).json, {}, 'stop');
  });
  tap.is([stopped.status, stopped.processedRecordCount], ['Stopped', 2], 'what ran is there');
  refusedJob(
    await bedrock('POST', `/model-invocation-job/${id}/stop`),
    400,
    'ConflictException',
    'not twice',
  );
  const list = (await bedrock('GET', '/model-invocation-jobs?maxResults=1&statusEquals=Stopped'))
    .json;
  tap.is(
    [list.invocationJobSummaries.map((j) => j.jobArn), typeof list.nextToken],
    [[stopped.jobArn], 'string'],
    'the list, newest first',
  );
  const rest = (
    await bedrock(
      'GET',
      `/model-invocation-jobs?maxResults=1&nextToken=${encodeURIComponent(list.nextToken)}` +
        '&statusEquals=Stopped',
    )
  ).json;
  tap.is([rest.invocationJobSummaries.length, rest.nextToken], [1, undefined], 'goes on');
  await reset();
}

async function testFamilies() {
  const one = async (modelId, input) =>
    (await whole([input], { modelId, modelInvocationType: 'InvokeModel' })).lines.r0;
  const out = async (modelId, input) => (await one(modelId, input)).modelOutput;
  tap.is(
    (
      await out('us.anthropic.claude-haiku-4-5-20251001-v1:0', {
        anthropic_version: 'bedrock-2023-05-31',
        max_tokens: 64,
        messages: [{ role: 'user', content: 'hi' }],
      })
    ).content[0].type,
    'text',
    'Claude',
  );
  tap.is(
    (
      await one('anthropic.claude-haiku-4-5-20251001-v1:0', {
        anthropic_version: 'bedrock-2023-05-31',
        model: 'x',
        max_tokens: 64,
        messages: [],
      })
    ).error.errorMessage,
    'model: Extra inputs are not permitted',
    'Claude with a model',
  );
  tap.ok(
    (await out('amazon.nova-lite-v1:0', { schemaVersion: 'messages-v1', ...say('hi') })).output
      .message.content[0].text,
    'Nova',
  );
  const titan = await out('amazon.titan-embed-text-v2:0', {
    inputText: 'hi there',
    dimensions: 256,
  });
  tap.ok(titan.embedding.length === 256 && titan.inputTextTokenCount > 0, 'Titan');
  const nova = await out('amazon.nova-2-multimodal-embeddings-v1:0', {
    taskType: 'SINGLE_EMBEDDING',
    singleEmbeddingParams: {
      embeddingPurpose: 'GENERIC_INDEX',
      embeddingDimension: 256,
      text: { truncationMode: 'END', value: 'hi' },
    },
  });
  tap.is(nova.embeddings[0].embedding.length, 256, "Nova's embeddings");
  const texts = { texts: ['a', 'b'], input_type: 'search_document' };
  tap.is(
    [
      (await out('cohere.embed-english-v3', texts)).embeddings.map((v) => v.length),
      (await out('cohere.embed-v4:0', { ...texts, output_dimension: 256 })).embeddings.float.map(
        (v) => v.length,
      ),
    ],
    [
      [1024, 1024],
      [256, 256],
    ],
    'Cohere',
  );
  tap.ok(
    (await out('meta.llama3-3-70b-instruct-v1:0', { prompt: 'hi' })).generation.startsWith('Sim '),
    'Llama',
  );
  tap.ok(
    (await out('mistral.mistral-large-2407-v1:0', { prompt: 'hi' })).outputs[0].text.startsWith(
      'Sim ',
    ),
    'Mistral',
  );
  await reset();
}

// ---- credentials that end ----

const CALLER = 'arn:aws:iam::123456789012:role/BatchCaller';
const WEB_TOKEN = 'sim.web.identity-token';
const sts = (form, headers = {}) =>
  call(sim, 'POST', '/', {
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', ...headers },
    body: new URLSearchParams({ Version: '2011-06-15', ...form }).toString(),
  });
const assume = (more = {}) =>
  sts({
    Action: 'AssumeRoleWithWebIdentity',
    RoleArn: CALLER,
    RoleSessionName: 'batchinf',
    WebIdentityToken: WEB_TOKEN,
    ...more,
  });
const refusedBySts = (reply, status, code, name) =>
  tap.ok(
    reply.status === status && tag(reply, 'Code') === code && Boolean(tag(reply, 'RequestId')),
    name,
    { status: reply.status, body: reply.body.toString() },
  );
const of = (reply) => ({
  key: tag(reply, 'AccessKeyId'),
  secret: tag(reply, 'SecretAccessKey'),
  headers: { 'x-amz-security-token': tag(reply, 'SessionToken') },
});
const given = ({ json }) => ({
  key: json.AccessKeyId,
  secret: json.SecretAccessKey,
  headers: { 'x-amz-security-token': json.Token },
});
const listJobs = (how) =>
  call(sim, 'GET', '/model-invocation-jobs', {
    headers: signed('GET', '/model-invocation-jobs', '', { service: 'bedrock', ...how }),
  });

async function testSts() {
  const reply = await assume();
  const left = (Date.parse(tag(reply, 'Expiration')) - Date.now()) / 1000;
  tap.ok(
    reply.status === 200 &&
      reply.headers['content-type'] === 'text/xml' &&
      left > 3590 &&
      left <= 3600,
    'an hour',
    reply.body.toString(),
  );
  tap.is(
    [tag(reply, 'Arn'), tag(reply, 'AccessKeyId').slice(0, 4)],
    ['arn:aws:sts::123456789012:assumed-role/BatchCaller/batchinf', 'ASIA'],
    'who it is',
  );
  tap.is(
    [
      (await s3('PUT', '/batch/by-session', 'x', of(reply))).status,
      (await listJobs(of(reply))).status,
    ],
    [200, 200],
    'good for S3 and Bedrock',
  );
  tap.ok(of(await assume()).key !== of(reply).key, 'others each time');
  refusedBySts(
    await assume({ WebIdentityToken: 'somebody-else' }),
    400,
    'InvalidIdentityToken',
    'an unknown token',
  );
  refusedBySts(
    await assume({ RoleArn: 'arn:aws:iam::123456789012:role/BedrockBatch' }),
    403,
    'AccessDenied',
    'a role that does not trust it',
  );
  refusedBySts(await assume({ RoleArn: 'BatchCaller' }), 400, 'ValidationError', 'no ARN');
  refusedBySts(
    await assume({ RoleSessionName: 'a b' }),
    400,
    'ValidationError',
    'a bad session name',
  );
  refusedBySts(await assume({ DurationSeconds: '899' }), 400, 'ValidationError', 'too short');
  refusedBySts(await assume({ Version: '2010-01-01' }), 400, 'NoSuchVersion', 'another version');
  refusedBySts(
    await assume({ Colour: 'red' }),
    400,
    'MalformedQueryString',
    'an unknown parameter',
  );
  refusedBySts(await sts({ Action: 'GetCallerIdentity' }), 400, 'InvalidAction', 'another action');
  await control('config', {
    aws_web_identity_tokens: { [WEB_TOKEN]: { roles: [CALLER], expires: '2026-01-01T00:00:00Z' } },
  });
  refusedBySts(await assume(), 400, 'ExpiredTokenException', 'a token that has ended');
  const requests = JSON.stringify((await control('requests')).json);
  tap.ok(!requests.includes(WEB_TOKEN), 'the log has no token');
  await reset();
}

async function testContainer() {
  const get = (path, authorization) =>
    call(sim, 'GET', path, { headers: authorization ? { authorization } : {} });
  const task = await get('/v2/credentials/sim-task');
  tap.is(
    [task.status, Object.keys(task.json), task.json.RoleArn],
    [200, ['RoleArn', 'AccessKeyId', 'SecretAccessKey', 'Token', 'Expiration'], CALLER],
    'a task of ECS',
  );
  tap.is((await s3('PUT', '/batch/by-task', 'x', given(task))).status, 200, 'good for S3');
  const unknown = await get('/v2/credentials/of-another');
  tap.is([unknown.status, unknown.json.code], [400, 'InvalidIdInRequest'], 'another path');
  tap.is(
    [
      (await get('/v1/credentials', 'sim.pod-token')).status,
      (await get('/v1/credentials', 'wrong')).status,
      (await get('/v1/credentials')).status,
    ],
    [200, 401, 401],
    'a pod of EKS must say its token',
  );
  tap.is((await call(sim, 'POST', '/v2/credentials/sim-task')).status, 405, 'GET only');
  await reset();
}

const IMDS = '/latest/meta-data/iam/security-credentials/';
const imdsToken = (seconds = '60', more = {}) =>
  call(sim, 'PUT', '/latest/api/token', {
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': seconds, ...more },
  });
const imds = (path, token) =>
  call(sim, 'GET', path, { headers: token ? { 'x-aws-ec2-metadata-token': token } : {} });

async function testInstance() {
  const token = (await imdsToken()).body.toString();
  tap.is((await imds(IMDS, token)).body.toString(), 'BatchCaller', 'its role');
  const found = await imds(`${IMDS}BatchCaller`, token);
  tap.is([found.json.Code, found.json.Type], ['Success', 'AWS-HMAC'], 'its credentials');
  tap.is((await listJobs(given(found))).status, 200, 'good for Bedrock');
  tap.is(
    (await imds(`${IMDS}BatchCaller`, token)).json.AccessKeyId,
    found.json.AccessKeyId,
    'the same for a while',
  );
  tap.is(
    [(await imds(IMDS)).status, (await imds(IMDS, 'wrong')).status],
    [401, 401],
    'version 1 is off',
  );
  tap.is(
    [
      (await imdsToken('0')).status,
      (await imdsToken('21601')).status,
      (await imdsToken('60', { 'x-forwarded-for': '10.0.0.1' })).status,
    ],
    [400, 400, 403],
    'no token for nothing, for too long, through a proxy',
  );
  tap.is(
    [(await imds(`${IMDS}Other`, token)).status, (await imds('/latest/user-data', token)).status],
    [404, 404],
    'nothing else',
  );
  const short = (await imdsToken('1')).body.toString();
  await until(async () => (await imds(IMDS, short)).status === 401, 'the token to end');
  await control('config', { aws_roles: { [CALLER]: { trust: false } } });
  tap.is(
    (await imds(`${IMDS}BatchCaller`, token)).json.Code,
    'AssumeRoleUnauthorizedAccess',
    'a role that does not trust EC2',
  );
  await control('config', { aws_instance_role: null });
  tap.is((await imds(IMDS, token)).status, 404, 'no role');
  await control('config', { aws_instance_enabled: false });
  tap.is((await imdsToken()).status, 403, 'switched off');
  await reset();
}

async function testSessionsEnd() {
  const task = async () => given(await call(sim, 'GET', '/v2/credentials/sim-task'));
  await control('config', { aws_session_seconds: 6 });
  const first = await task();
  tap.is((await s3('PUT', '/batch/a', 'x', first)).status, 200, 'good');
  refused(
    await s3('PUT', '/batch/a', 'x', { ...first, headers: { 'x-amz-security-token': 'other' } }),
    400,
    'InvalidToken',
    'with its own token only',
  );
  await until(async () => (await task()).key !== first.key, 'new ones');
  tap.is(
    (await s3('PUT', '/batch/a', 'x', first)).status,
    200,
    'new ones come before the old ones end',
  );
  await until(async () => (await s3('PUT', '/batch/a', 'x', first)).status === 400, 'its end');
  refused(await s3('PUT', '/batch/a', 'x', first), 400, 'ExpiredToken', 'S3 after its end');
  const late = await listJobs(first);
  tap.is(
    [late.status, late.headers['x-amzn-errortype'].split(':')[0]],
    [403, 'ExpiredTokenException'],
    'Bedrock after its end',
  );
  await control('config', {
    aws_session_seconds: 3600,
    aws_session_share: 1,
    aws_roles: { [CALLER]: { deny: ['s3:PutObject'] } },
  });
  const last = of(await assume());
  refused(await s3('PUT', '/batch/a', 'x', last), 403, 'AccessDenied', 'what its role may not do');
  await control('config', { aws_sessions_since: new Date(Date.now() + 1000).toISOString() });
  refused(await s3('GET', '/batch/a', '', last), 403, 'InvalidAccessKeyId', 'revoked');
  await reset();
}

for (const test of [
  testVectors,
  testSignatures,
  testObjects,
  testBuckets,
  testList,
  testUploads,
  testS3Faults,
  testJobs,
  testJobAuth,
  testJobFailures,
  testJobEnds,
  testFamilies,
  testSts,
  testContainer,
  testInstance,
  testSessionsEnd,
])
  await tap.group(test.name, test);
await sim.stop();
process.exit(tap.done());
