// Gets credentials from the simulator by AWS's official providers, as its clients find them (STS
// with a web identity, a container's endpoint, an instance's metadata service), and uses them for
// S3 and Bedrock. Prints TAP.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { call, startSim, Tap, until } from '../sim/harness.mjs';

for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
Object.assign(process.env, {
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_REGION: 'us-east-1',
});
const {
  fromContainerMetadata,
  fromHttp,
  fromInstanceMetadata,
  fromNodeProviderChain,
  fromTokenFile,
} = await import('@aws-sdk/credential-providers');
const { ListObjectsV2Command, S3Client } = await import('@aws-sdk/client-s3');
const { BedrockClient, ListModelInvocationJobsCommand } = await import('@aws-sdk/client-bedrock');

const tap = new Tap();
const sim = await startSim();
const url = `http://127.0.0.1:${sim.port}`;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'batchinf-aws-'));
const tokenFile = path.join(folder, 'token');
const clientConfig = { region: 'us-east-1', endpoint: url, maxAttempts: 1 };
const ROLE = 'arn:aws:iam::123456789012:role/BatchCaller';
const control = (name, value) =>
  call(sim, 'POST', `/_sim/${name}`, { body: JSON.stringify(value) });
const routes = async () => (await call(sim, 'GET', '/_sim/ledger')).json.requests;

// With these environment variables, and without them afterwards.
async function within(variables, body) {
  Object.assign(process.env, variables);
  try {
    return await body();
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

// Are these credentials, for about an hour, that S3 and Bedrock take?
async function judge(name, credentials) {
  const found = await credentials();
  const left = (found.expiration - Date.now()) / 60e3;
  tap.ok(
    found.accessKeyId.startsWith('ASIA') && Boolean(found.sessionToken) && left > 55 && left <= 60,
    `${name}: credentials for an hour`,
    { ...found, secretAccessKey: null },
  );
  const s3 = new S3Client({ ...clientConfig, forcePathStyle: true, credentials });
  const bedrock = new BedrockClient({ ...clientConfig, credentials });
  const codes = [
    await s3.send(new ListObjectsV2Command({ Bucket: 'batch' })),
    await bedrock.send(new ListModelInvocationJobsCommand({})),
  ].map((r) => r.$metadata.httpStatusCode);
  tap.is(codes, [200, 200], `${name}: taken by S3 and Bedrock`);
}

const refusal = (promise) =>
  promise.then(
    () => 'none',
    (error) => `${error.name}: ${error.message}`,
  );

async function testWebIdentity() {
  fs.writeFileSync(tokenFile, 'sim.web.identity-token');
  const provider = () =>
    fromTokenFile({
      webIdentityTokenFile: tokenFile,
      roleArn: ROLE,
      roleSessionName: 'conformance',
      clientConfig,
    });
  await judge('fromTokenFile', provider());
  tap.ok((await routes())['sts AssumeRoleWithWebIdentity'] > 0, '… asks STS');
  const chain = await within({ AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile, AWS_ROLE_ARN: ROLE }, () =>
    fromNodeProviderChain({ clientConfig })(),
  );
  tap.ok(chain.accessKeyId.startsWith('ASIA'), 'the chain: a web identity by the environment');
  fs.writeFileSync(tokenFile, 'of-somebody-else');
  tap.ok(/^InvalidIdentityToken/.test(await refusal(provider()())), 'an unknown token');
  fs.writeFileSync(tokenFile, 'sim.web.identity-token');
  await control('config', {
    aws_web_identity_tokens: {
      'sim.web.identity-token': { roles: [ROLE], expires: '2026-01-01T00:00:00Z' },
    },
  });
  tap.ok(/^ExpiredToken/.test(await refusal(provider()())), 'one that has ended');
  await control('config', { aws_web_identity_tokens: { 'sim.web.identity-token': {} } });
  tap.ok(/^AccessDenied/.test(await refusal(provider()())), 'a role that does not trust it');
}

async function testContainer() {
  const full = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v2/credentials/sim-task` };
  await within(full, () =>
    judge('fromContainerMetadata', fromContainerMetadata({ maxRetries: 0 })),
  );
  const pod = {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'sim.pod-token',
  };
  await within(pod, () => judge('fromHttp, with a token', fromHttp({ maxRetries: 0 })));
  fs.writeFileSync(tokenFile, 'sim.pod-token');
  const byFile = {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
  };
  tap.ok(
    (await within(byFile, () => fromHttp({ maxRetries: 0 })())).accessKeyId.startsWith('ASIA'),
    '… from a file',
  );
  tap.ok(
    /401|cannot be validated/.test(
      await refusal(
        within({ ...pod, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'wrong' }, () =>
          fromHttp({ maxRetries: 0 })(),
        ),
      ),
    ),
    'a wrong token',
  );
  tap.ok(
    (await within(full, () => fromNodeProviderChain()())).accessKeyId.startsWith('ASIA'),
    'the chain: a container by the environment',
  );
  tap.ok((await routes())['container credentials'] > 0, '… asks its endpoint');
}

async function testInstance() {
  const endpoint = { AWS_EC2_METADATA_SERVICE_ENDPOINT: url };
  const provider = () => fromInstanceMetadata({ maxRetries: 0 });
  await within(endpoint, () => judge('fromInstanceMetadata', provider()));
  tap.ok(
    (
      await within(endpoint, () => fromNodeProviderChain({ maxRetries: 0 })())
    ).accessKeyId.startsWith('ASIA'),
    'the chain: the instance comes last',
  );
  const asked = await routes();
  tap.ok(
    asked['imds token'] > 0 && asked['imds credentials'] > 0,
    "… with version 2's token",
    asked,
  );
  await control('config', { aws_instance_role: null });
  tap.ok(
    (await refusal(within(endpoint, () => provider()()))) !== 'none',
    'no role, no credentials',
  );
}

// Its own clients get new ones before the old ones end.
async function testRenewal() {
  await control('config', { aws_session_seconds: 4, aws_session_share: 0 });
  const s3 = new S3Client({
    ...clientConfig,
    forcePathStyle: true,
    credentials: fromHttp({
      awsContainerCredentialsFullUri: `${url}/v2/credentials/sim-task`,
      maxRetries: 0,
    }),
  });
  const list = async () =>
    (await s3.send(new ListObjectsV2Command({ Bucket: 'batch' }))).$metadata.httpStatusCode;
  const codes = [await list()];
  const begin = Date.now();
  await until(
    async () => codes.push(await list()) && Date.now() - begin > 5000,
    'the first credentials to end',
  );
  tap.ok(
    codes.every((code) => code === 200),
    'no request of theirs fails',
    codes,
  );
  tap.ok((await routes())['container credentials'] > 1, '… for others were asked for');
}

for (const test of [testWebIdentity, testContainer, testInstance, testRenewal]) {
  await control('reset', {});
  await tap.group(test.name, test);
}
await sim.stop();
fs.rmSync(folder, { recursive: true });
process.exit(tap.done());
