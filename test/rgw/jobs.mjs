// Drives the simulator's Bedrock, whose storage is at radosgw, with AWS's own clients, and looks
// for what bedrock.sql left there (TAP).

import { createRequire } from 'node:module';
import { call, startSim, Tap, until } from '../sim/harness.mjs';

const require = createRequire(new URL('../client/package.json', import.meta.url));
const [S3, Bedrock] = [require('@aws-sdk/client-s3'), require('@aws-sdk/client-bedrock')];
const { RGW_URL: endpoint, RGW_ACCESS_KEY: access_key, RGW_SECRET_KEY: secret } = process.env;
const tap = new Tap();
const sim = await startSim(['--batch-seconds', '0.1']);
const client = (Client, url, accessKeyId, secretAccessKey) =>
  new Client({
    region: 'us-east-1',
    endpoint: url,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
  });
const s3 = client(S3.S3Client, endpoint, access_key, secret);
const bedrock = client(
  Bedrock.BedrockClient,
  `http://127.0.0.1:${sim.port}`,
  'AKIDEXAMPLE',
  'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
);
const store = (name, input) => s3.send(new S3[`${name}Command`]({ Bucket: 'jobs', ...input }));
const ask = (name, input) => bedrock.send(new Bedrock[`${name}Command`](input));
const read = async (Key) =>
  (await (await store('GetObject', { Key })).Body.transformToString())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

async function run(jobName, from, to) {
  const { jobArn } = await ask('CreateModelInvocationJob', {
    jobName,
    roleArn: 'arn:aws:iam::123456789012:role/BedrockBatch',
    modelId: 'amazon.titan-embed-text-v2:0',
    inputDataConfig: { s3InputDataConfig: { s3Uri: from } },
    outputDataConfig: { s3OutputDataConfig: { s3Uri: to } },
  });
  const job = await until(async () => {
    const seen = await ask('GetModelInvocationJob', { jobIdentifier: jobArn });
    return seen.endTime && seen;
  }, `${jobName} to end`);
  return { ...job, id: jobArn.split('/').pop() };
}

const line = (i) =>
  JSON.stringify({
    recordId: `record-${i}`,
    modelInput: { inputText: `text ${i}`, dimensions: 256 },
  });
const some = (from, to) => Array.from({ length: to - from }, (_, i) => line(from + i)).join('\n');

await call(sim, 'POST', '/_sim/config', {
  body: JSON.stringify({ bedrock_storage: { endpoint, access_key, secret } }),
});
await store('CreateBucket', {});
await store('PutObject', { Key: 'in/one.jsonl', Body: some(0, 100) });
await store('PutObject', { Key: "in/more!/(a)'1'.jsonl", Body: some(0, 60) });
await store('PutObject', { Key: 'in/more!/b.jsonl', Body: some(60, 120) });

await tap.group('left', async () => {
  tap.is(
    (await store('ListObjectsV2', { Bucket: 'batchinf-jobs' })).KeyCount,
    0,
    'the bucket that batchinf made is empty',
  );
});
await tap.group('one file', async () => {
  const job = await run('one', 's3://jobs/in/one.jsonl', 's3://jobs/out/');
  const lines = await read(`out/${job.id}/one.jsonl.out`);
  tap.is(
    [job.status, lines.length, lines.every((l) => l.modelOutput.embedding.length === 256)],
    ['Completed', 100, true],
    'one file',
  );
  tap.is(
    (await read(`out/${job.id}/manifest.json.out`))[0].successRecordCount,
    100,
    'its manifest',
  );
});
await tap.group('a folder', async () => {
  const job = await run('folder', 's3://jobs/in/more!/', 's3://jobs/out');
  const found = await store('ListObjectsV2', { Prefix: `out/${job.id}/` });
  tap.is(
    [job.status, found.Contents.map((object) => object.Key.split('/').pop())],
    ['Completed', ["(a)'1'.jsonl.out", 'b.jsonl.out', 'manifest.json.out']],
    'a folder of two',
  );
});
await tap.group('failures', async () => {
  tap.ok(
    (await run('none', 's3://jobs/in/none', 's3://jobs/out/')).message.startsWith(
      'No .jsonl input files',
    ),
    'no file',
  );
  tap.ok(
    (await run('nowhere', 's3://nowhere/in', 's3://jobs/out/')).message.startsWith(
      'Could not validate GetObject',
    ),
    'no bucket',
  );
  tap.ok(
    (await run('nowhither', 's3://jobs/in/one.jsonl', 's3://nowhere/out/')).message.startsWith(
      'Could not validate PutObject',
    ),
    'no bucket for the outputs',
  );
});
await sim.stop();
process.exit(tap.done());
