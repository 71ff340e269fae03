// Signs the vectors of test/fixtures/sigv4 with AWS's own @smithy/signature-v4: the unit test
// proves that base/sigv4.c makes the same of them. Prints TAP.

import fs from 'node:fs';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { Tap } from '../sim/harness.mjs';

const tap = new Tap();
const vectors = JSON.parse(
  fs.readFileSync(new URL('../fixtures/sigv4/vectors.json', import.meta.url), 'utf8'),
);

const bodyOf = ({ head = '', spool = '', times = 1, tail = '' } = {}) =>
  head + spool.repeat(times) + tail;

function queryOf(text) {
  const query = {};
  for (const part of text.split('&').filter(Boolean)) {
    const [name, ...value] = part.split('=');
    const key = decodeURIComponent(name);
    query[key] = [...(query[key] ?? []), decodeURIComponent(value.join('='))];
  }
  return query;
}

async function sha256(text) {
  const hash = new Sha256();
  hash.update(text);
  return Buffer.from(await hash.digest()).toString('hex');
}

// As the clients of AWS sign: what the URL parser of JavaScript would change of a path stays as it
// is.
async function authorization(vector) {
  const [, protocol, host, path, , query] = vector.url.match(
    /^(https?:)\/\/([^/?#]+)([^?#]*)(\?([^#]*))?/,
  );
  const headers = { host: host.replace(protocol === 'https:' ? /:443$/ : /:80$/, '') };
  for (const [name, value] of vector.headers ?? []) {
    const key = name.toLowerCase();
    headers[key] = key in headers && key !== 'host' ? `${headers[key]},${value.trim()}` : value;
  }
  const body = bodyOf(vector.body);
  if (vector.s3) headers['x-amz-content-sha256'] = vector.payload ?? (await sha256(body));
  const signer = new SignatureV4({
    service: vector.service,
    region: vector.region,
    sha256: Sha256,
    uriEscapePath: !vector.s3,
    applyChecksum: false,
    credentials: {
      accessKeyId: vector.access_key,
      secretAccessKey: vector.secret_key,
      sessionToken: vector.session_token,
    },
  });
  const request = {
    method: vector.method,
    protocol,
    hostname: host,
    path: path || '/',
    query: queryOf(query ?? ''),
    headers,
    body,
  };
  const signed = await signer.sign(request, { signingDate: new Date(vector.time * 1000) });
  return signed.headers.authorization;
}

for (const vector of vectors) {
  const theirs = await authorization(vector);
  tap.ok(theirs === vector.authorization, vector.name, theirs);
}
tap.ok(vectors.length >= 30, `${vectors.length} vectors`);
const flip = (text) => text.slice(0, -1) + (text.at(-1) === '0' ? '1' : '0');
tap.ok(
  (await authorization(vectors[0])) !== flip(vectors[0].authorization),
  'a signature wrong by one digit is told apart',
);
tap.ok(
  (await authorization({ ...vectors[0], time: vectors[0].time + 1 })) !== vectors[0].authorization,
  'so is another second',
);
tap.done();
