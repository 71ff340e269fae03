// Drives the simulator's S3 and Bedrock with AWS's official clients: objects, ranges, lists,
// multipart, streams, a whole job with Titan, the error classes. Prints TAP.

import { call, startSim, Tap, until } from '../sim/harness.mjs';

for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
Object.assign(process.env, {
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
});
const S3 = await import('@aws-sdk/client-s3');
const Bedrock = await import('@aws-sdk/client-bedrock');

const tap = new Tap();
const sim = await startSim(['--batch-seconds', '0.1']);
const control = (name, value) =>
  call(sim, 'POST', `/_sim/${name}`, { body: JSON.stringify(value) });
const how = (more) => ({
  region: 'us-east-1',
  endpoint: `http://127.0.0.1:${sim.port}`,
  maxAttempts: 1,
  credentials: {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  },
  ...more,
});
const s3 = new S3.S3Client(how({ forcePathStyle: true }));
const bedrock = new Bedrock.BedrockClient(how());
const ask = (client, kit, name, input) => client.send(new kit[`${name}Command`](input));
const store = (name, input) => ask(s3, S3, name, { Bucket: 'batch', ...input });
const jobs = (name, input, client = bedrock) => ask(client, Bedrock, name, input);

async function throws(promise, kind, name) {
  const error = await promise.then(
    () => null,
    (e) => e,
  );
  tap.ok(error && error.name === kind, `${name}: ${kind}`, String(error));
}

async function testObjects() {
  const Key = "in/a b:é+(!'*)~.jsonl";
  await store('PutObject', {
    Key,
    Body: 'hello world',
    ContentType: 'application/jsonl',
    ExpectedBucketOwner: '123456789012',
  });
  const got = await store('GetObject', { Key });
  tap.is(
    [await got.Body.transformToString(), got.ContentType, got.ServerSideEncryption],
    ['hello world', 'application/jsonl', 'AES256'],
    'put and get, checksums on',
  );
  tap.is(
    await (await store('GetObject', { Key, Range: 'bytes=6-' })).Body.transformToString(),
    'world',
    'a range',
  );
  tap.is((await store('HeadObject', { Key })).ContentLength, 11, 'head');
  const { Readable } = await import('node:stream');
  await store('PutObject', {
    Key: 'stream',
    Body: Readable.from([Buffer.from('abc'), Buffer.from('def')]),
    ContentLength: 6,
  });
  tap.is(
    await (await store('GetObject', { Key: 'stream' })).Body.transformToString(),
    'abcdef',
    'a stream, framed as aws-chunked',
  );
  tap.is(
    (await store('ListObjectsV2', { Prefix: 'in/' })).Contents.map((o) => o.Key),
    [Key],
    'list',
  );
  const pages = [];
  for await (const page of S3.paginateListObjectsV2(
    { client: s3, pageSize: 1 },
    { Bucket: 'batch' },
  ))
    pages.push(page.KeyCount);
  tap.is(pages, [1, 1], 'page by page');
  await store('DeleteObject', { Key });
  await throws(store('GetObject', { Key }), 'NoSuchKey', 'deleted');
  await throws(store('HeadObject', { Key }), 'NotFound', 'head of nothing');
}

async function testMultipart() {
  const { UploadId } = await store('CreateMultipartUpload', { Key: 'mp' });
  const parts = [];
  for (const [i, Body] of ['a'.repeat(5 << 20), 'end'].entries())
    parts.push({
      PartNumber: i + 1,
      ETag: (await store('UploadPart', { Key: 'mp', UploadId, PartNumber: i + 1, Body })).ETag,
    });
  tap.is((await store('ListParts', { Key: 'mp', UploadId })).Parts.length, 2, 'parts');
  tap.ok(
    (
      await store('CompleteMultipartUpload', {
        Key: 'mp',
        UploadId,
        MultipartUpload: { Parts: parts },
      })
    ).ETag.endsWith('-2"'),
    'complete',
  );
  tap.is((await store('HeadObject', { Key: 'mp' })).ContentLength, (5 << 20) + 3, 'its size');
  await throws(
    store('AbortMultipartUpload', { Key: 'mp', UploadId }),
    'NoSuchUpload',
    'abort afterwards',
  );
}

async function testRefusals() {
  const wrong = new S3.S3Client(
    how({
      forcePathStyle: true,
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wrong' },
    }),
  );
  await throws(
    ask(wrong, S3, 'ListObjectsV2', { Bucket: 'batch' }),
    'SignatureDoesNotMatch',
    'a wrong secret',
  );
  await throws(store('ListObjectsV2', { Bucket: 'nowhere' }), 'NoSuchBucket', 'no bucket');
  await throws(
    store('ListObjectsV2', { Bucket: 'west-batch' }),
    'PermanentRedirect',
    'a bucket elsewhere',
  );
  await throws(
    store('GetObject', { Key: 'x', ExpectedBucketOwner: '999999999999' }),
    'AccessDenied',
    'another owner',
  );
  const session = new S3.S3Client(
    how({
      forcePathStyle: true,
      credentials: {
        accessKeyId: 'ASIAEXAMPLE',
        secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
        sessionToken: 'TOK/EN==',
      },
    }),
  );
  tap.is(
    (await ask(session, S3, 'ListObjectsV2', { Bucket: 'batch' })).$metadata.httpStatusCode,
    200,
    'a session token',
  );
}

async function testJob() {
  const lines = Array.from({ length: 100 }, (_, i) =>
    JSON.stringify({
      recordId: `record-${i}`,
      modelInput: { inputText: `text ${i}`, dimensions: 256 },
    }),
  ).join('\n');
  await store('PutObject', { Key: 'in/t.jsonl', Body: lines });
  const request = {
    jobName: 'titan',
    roleArn: 'arn:aws:iam::123456789012:role/BedrockBatch',
    modelId: 'amazon.titan-embed-text-v2:0',
    clientRequestToken: 'tok-1',
    inputDataConfig: { s3InputDataConfig: { s3Uri: 's3://batch/in/t.jsonl' } },
    outputDataConfig: { s3OutputDataConfig: { s3Uri: 's3://batch/out/' } },
  };
  const { jobArn } = await jobs('CreateModelInvocationJob', request);
  tap.is((await jobs('CreateModelInvocationJob', request)).jobArn, jobArn, 'the same token');
  const id = jobArn.split('/').pop();
  const done = await until(async () => {
    const job = await jobs('GetModelInvocationJob', { jobIdentifier: jobArn });
    return job.endTime && job;
  }, 'the job to end');
  tap.is(
    [done.status, (await jobs('GetModelInvocationJob', { jobIdentifier: id })).jobArn],
    ['Completed', jobArn],
    'a job, by ARN and by id',
  );
  const out = (
    await (await store('GetObject', { Key: `out/${id}/t.jsonl.out` })).Body.transformToString()
  )
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l));
  tap.ok(
    out.length === 100 && out.every((l) => l.modelOutput.embedding.length === 256),
    'its vectors',
  );
  const list = await jobs('ListModelInvocationJobs', {
    nameContains: 'tit',
    statusEquals: 'Completed',
    submitTimeAfter: new Date(0),
  });
  tap.is(
    list.invocationJobSummaries.map((j) => j.clientRequestToken),
    ['tok-1'],
    'the list',
  );
  await throws(
    jobs('StopModelInvocationJob', { jobIdentifier: jobArn }),
    'ConflictException',
    'stop afterwards',
  );
  await throws(
    jobs('GetModelInvocationJob', { jobIdentifier: 'abcdefghijkl' }),
    'ResourceNotFoundException',
    'no job',
  );
  const bearer = new Bedrock.BedrockClient(
    how({
      credentials: undefined,
      token: { token: 'BEDROCK_API_KEY' },
      authSchemePreference: ['httpBearerAuth'],
    }),
  );
  tap.is(
    (await jobs('GetModelInvocationJob', { jobIdentifier: jobArn }, bearer)).status,
    'Completed',
    'an API key',
  );
  await control('config', { bedrock_max_jobs: 0 });
  await throws(
    jobs('CreateModelInvocationJob', { ...request, clientRequestToken: 'tok-2' }),
    'ServiceQuotaExceededException',
    'too many jobs',
  );
}

for (const test of [testObjects, testMultipart, testRefusals, testJob]) {
  await control('reset', {});
  await tap.group(test.name, test);
}
await sim.stop();
process.exit(tap.done());
