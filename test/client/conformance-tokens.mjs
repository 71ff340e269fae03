// The counts of test/fixtures/tokens, which src/base/measure.c is tested against, are those of the
// real tokenizers. Prints TAP.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Tap } from '../sim/harness.mjs';

const tap = new Tap();
const file = (name) => fileURLToPath(new URL(`../fixtures/tokens/${name}`, import.meta.url));
const counted = execFileSync(process.execPath, [file('count.mjs')], { encoding: 'utf8' });
tap.ok(
  counted === fs.readFileSync(file('counts.json'), 'utf8'),
  'test/fixtures/tokens/counts.json is what the tokenizers count',
);
tap.ok(Object.keys(JSON.parse(counted)).length >= 12, 'of each text');
process.exit(tap.done());
