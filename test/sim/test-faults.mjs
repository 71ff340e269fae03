// Tests of what a network does to any provider's replies, and of lanes. Prints TAP; node only.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { call, startSim, Tap } from './harness.mjs';

const tap = new Tap();
const sim = await startSim();
const KEY = { headers: { authorization: 'Bearer sk-sim' } };
const control = async (name, value) =>
  (
    await call(sim, value === undefined ? 'GET' : 'POST', `/_sim/${name}`, {
      body: value && JSON.stringify(value),
    })
  ).json;
const fault = (action, match = {}, more = {}) => control('faults', { match, action, ...more });
const models = (more = {}, door = sim) =>
  call(door, 'GET', '/v1/models/gpt-5.4-mini', { ...KEY, ...more });
const whole = (await models()).json;

async function told(action, more) {
  await fault(action);
  return models(more);
}

await tap.group('lies', async () => {
  tap.is((await told({ lie: 'half' })).body.length, JSON.stringify(whole).length >> 1, 'half');
  tap.is((await told({ lie: 'empty' })).body.length, 0, 'empty');
  const other = (await told({ lie: 'other_id' })).json;
  tap.ok(
    other.object === 'model' && other.id === 'gpt-5.4-mini',
    'other_id: short words stay',
    other,
  );
  tap.is(
    (await told({ lie: 'nul' })).json,
    {
      ...Object.fromEntries(
        Object.entries(whole).map(([k, v]) => [k, typeof v === 'string' ? `${v}\0` : v]),
      ),
    },
    'nul',
  );
  tap.ok((await told({ lie: 'utf8' })).body.includes(0xff), 'utf8');
  const twice = await told({ lie: 'duplicate' });
  tap.ok(
    twice.body.toString().startsWith('{"id":null,"id":"') && twice.json.id === whole.id,
    'duplicate',
    twice.body.toString(),
  );
  tap.ok(
    /^\[{100000}\]{100000}$/.test((await told({ lie: 'deep' })).body.toString().trim()),
    'deep',
  );
  const long = await told({ lie: 'long' });
  tap.ok(long.body.length > 100e6 && !long.body.includes('\n'), 'long', long.body.length);
  const packed = await told({ gzip: true });
  tap.is(
    [packed.headers['content-encoding'], JSON.parse(zlib.gunzipSync(packed.body)).id],
    ['gzip', whole.id],
    'gzip, unasked',
  );
  const unpacked = await told({ gzip: 'lie' });
  tap.is(
    [unpacked.headers['content-encoding'], unpacked.json && unpacked.json.id],
    ['gzip', whole.id],
    'gzip, only said',
  );
  const bomb = await told({ bomb: 20 });
  tap.is(
    [bomb.body.length < 1e6, zlib.gunzipSync(bomb.body).length],
    [true, JSON.stringify(whole).length + 20e6],
    'bomb: small as it comes',
  );
  const endless = await told({ endless: true, drip: 20000 }, { longest: 1000 });
  tap.ok(
    endless.error && endless.body.length > 10 * JSON.stringify(whole).length,
    'endless',
    endless.body.length,
  );
  const stalled = await told({ stall: 5 }, { timeout: 2000 });
  tap.is(
    [stalled.body.length, stalled.error && stalled.error.message],
    [5, 'client timeout'],
    'stall: no more than that comes',
  );
  for (const [lie, written] of [
    ['unicode', '"\\u0069\\u0064":"\\u0067\\u0070'],
    ['partly', '"i\\u0064":"g\\u0070t'],
    ['slashes', '"id":"gpt'],
  ]) {
    const reply = await told({ lie });
    tap.ok(
      reply.body.toString().startsWith(`{${written}`) && reply.json.id === whole.id,
      `${lie}: the same in escapes`,
      reply.body.toString(),
    );
  }
  tap.is(
    (
      await call(sim, 'POST', '/_sim/faults', {
        body: JSON.stringify({ action: { lie: 'white' } }),
      })
    ).status,
    400,
    'an unknown lie',
  );
});

await tap.group('lies about lines', async () => {
  const boundary = 'b';
  const line = JSON.stringify({
    custom_id: 'aaaa1111-1',
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'x' }] },
  });
  const part = (name, value, more = '') =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
  const both = `${line}\n${line.replace('-1', '-2')}\n`;
  const file = part('file', both, '; filename="in.jsonl"');
  const form = `${part('purpose', 'batch')}${file}--${boundary}--\r\n`;
  const { id } = (
    await call(sim, 'POST', '/v1/files', {
      headers: { ...KEY.headers, 'content-type': `multipart/form-data; boundary=${boundary}` },
      body: form,
    })
  ).json;
  const lines = async (action) => {
    await fault(action);
    return (await call(sim, 'GET', `/v1/files/${id}/content`, KEY)).body;
  };
  tap.is(
    (await lines({ lie: 'other_id' }))
      .toString()
      .split('\n')
      .map((l) => l && JSON.parse(l).custom_id),
    ['aaaa2222-1', 'aaaa2222-2', ''],
    'other_id: in each line',
  );
  const long = await lines({ lie: 'long' });
  tap.ok(
    long.indexOf('\n') > 100e6 &&
      long
        .subarray(long.indexOf('\n') + 1)
        .toString()
        .startsWith(line),
    'long: a line before the others',
  );
  tap.is(
    (await lines({ lie: 'utf8' })).filter((byte) => byte === 0xff).length,
    2,
    'utf8: in each line',
  );
});

await tap.group('lanes', async () => {
  const {
    ports: [one, two],
  } = await control('lanes', { count: 2 });
  const first = { port: one };
  await fault({ status: 500 }, { lane: one }, { times: 'always' });
  tap.is(
    [
      (await models({}, first)).status,
      (await models({}, { port: two })).status,
      (await models()).status,
    ],
    [500, 200, 200],
    'a fault of one lane',
  );
  await call(sim, 'DELETE', '/_sim/faults');
  await fault({ shut_after: 'refused' }, { lane: one });
  tap.is(
    [
      (await models({}, first)).json.id,
      (await models({}, first)).error.code,
      (await models({}, { port: two })).status,
    ],
    [whole.id, 'ECONNREFUSED', 200],
    'shut after a reply that comes whole',
  );
  await control('admit', { port: one });
  tap.is((await models({}, first)).status, 200, 'admitted again');
  const seen = (await control('lanes'))[one];
  tap.is(
    seen.map(({ status, fault: met }) => [status, met && Object.keys(met)[0]]),
    [
      [500, 'status'],
      [200, 'shut_after'],
      [200, null],
    ],
    'the requests of a lane',
  );
});

await tap.group('certificates', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'batchinf-simtest-'));
  const make = (name) => {
    const [cert, key] = ['crt', 'key'].map((end) => path.join(folder, `${name}.${end}`));
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'ignore' },
    );
    return { cert, key };
  };
  const right = make('right');
  const {
    ports: [port],
  } = await control('lanes', { tls: { ...right, wrong: make('wrong') } });
  const ask = () => models({ tls: { ca: fs.readFileSync(right.cert) } }, { port });
  const status = async () => {
    const reply = await ask();
    return reply.status || reply.error.code;
  };
  tap.is(await status(), 200, 'a lane with TLS');
  await control('shut', { port, how: 'certificate' });
  tap.is(await status(), 'DEPTH_ZERO_SELF_SIGNED_CERT', 'a certificate that nobody trusts');
  await control('admit', { port });
  tap.is(await status(), 200, 'the right one again');
  fs.rmSync(folder, { recursive: true });
});

await sim.stop();
process.exit(tap.done());
