// Signs the assertions of test/fixtures/google with node's crypto: the unit test proves that
// base/jwt.c makes the same of the same key, header and claims. Prints TAP.

import crypto from 'node:crypto';
import fs from 'node:fs';
import { Tap } from '../sim/harness.mjs';

const tap = new Tap();
const read = (name) =>
  JSON.parse(fs.readFileSync(new URL(`../fixtures/google/${name}`, import.meta.url), 'utf8'));
const documents = read('documents.json');
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

for (const { document, now, header, claims, assertion } of read('assertions.json')) {
  const { private_key: key } = documents[document];
  const text = `${encode(header)}.${encode(claims)}`;
  const signature = crypto.sign('RSA-SHA256', Buffer.from(text), key).toString('base64url');
  tap.is(`${text}.${signature}`, assertion, `${document}, at ${now}`);
  tap.ok(
    crypto.verify(
      'RSA-SHA256',
      Buffer.from(text),
      crypto.createPublicKey(key),
      Buffer.from(assertion.split('.')[2], 'base64url'),
    ),
    `${document}, at ${now}: verified`,
  );
}
tap.done();
