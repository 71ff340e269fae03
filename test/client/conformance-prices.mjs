// The prices that the extension ships: sql/prices.sql is what `make prices` makes of the pinned
// package, and each price of real time from it is what the package itself asks for that name.
// Prints TAP.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { calcPrice } from '@pydantic/genai-prices';
import { Tap } from '../sim/harness.mjs';

const tap = new Tap();
const file = (name) => new URL(`../../sql/${name}`, import.meta.url);
const committed = fs.readFileSync(file('prices.sql'), 'utf8');
const script = fileURLToPath(file('prices.mjs'));
const made = execFileSync(process.execPath, [script], { encoding: 'utf8', maxBuffer: 1 << 26 });
tap.ok(made === committed, 'sql/prices.sql is what make prices makes of the pinned package');
tap.ok(/^-- MIT License|^-- The MIT License/m.test(committed), 'it has the licence of its source');

// ---- the rows of the package ----

const KINDS = ['input', 'cached_input', 'cache_write', 'cache_write_1h', 'output'];
const IDS = { openai: 'openai', azure_openai: 'azure', anthropic: 'anthropic', bedrock: 'aws' };

// The statements, each with its provider, mode and source, and its rows.
function statements() {
  return committed
    .split('INSERT INTO ')
    .slice(1)
    .map((text) => {
      const [, provider, mode, source] = /SELECT '(\w+)', '(\w+)', .*\n +'(.*)',\n/.exec(text);
      const rows = [...text.matchAll(/^ {4}\('(.*?)',\s+'(.*?)', (\d+), (.*)\),?$/gm)];
      return { provider, mode, source, rows: rows.map(read) };
    });
}

function read([, model, since, above, prices]) {
  const values = prices.split(', ').map((price) => (price === 'NULL' ? null : Number(price)));
  const row = { model, since, above: Number(above) };
  KINDS.forEach((kind, i) => {
    row[kind] = values[i];
  });
  return row;
}

// The first instant of a row, or one long ago.
const instant = (row) =>
  new Date(row.since === '-infinity' ? '2024-01-01' : row.since.replace(' UTC', 'Z'));

// What the package asks for a prompt of that size and one output token; null: the model is unknown.
function ask(provider, row, usage) {
  const price = calcPrice(usage, row.model, {
    providerId: IDS[provider] ?? 'google',
    timestamp: instant(row),
  });
  return price === null ? null : price.total_price;
}

const near = (a, b) => a !== null && Math.abs(a - b) <= 1e-9 * Math.max(a, b);

// A prompt in the tier of the row: all of it plain, all of it from a cache, all of it written.
function agrees(provider, row) {
  const input = row.above + 100;
  const output = row.output === null ? {} : { output_tokens: 10 };
  const paid = (price) => (input * price + (row.output ?? 0) * 10) / 1e6;
  return (
    near(ask(provider, row, { input_tokens: input, ...output }), paid(row.input)) &&
    (row.cached_input === null ||
      near(
        ask(provider, row, { input_tokens: input, cache_read_tokens: input, ...output }),
        paid(row.cached_input),
      )) &&
    (row.cache_write === null ||
      near(
        ask(provider, row, { input_tokens: input, cache_write_tokens: input, ...output }),
        paid(row.cache_write),
      ))
  );
}

for (const { provider, mode, source, rows } of statements()) {
  if (mode === 'realtime' && source.startsWith('@pydantic')) {
    const wrong = rows.filter((row) => !agrees(provider, row)).map((row) => row.model);
    tap.ok(
      rows.length > 0 && wrong.length === 0,
      `${provider}: ${rows.length} prices are those of the package ${wrong}`,
    );
  }
}

// ---- batch and flex, by what the providers say ----

const keyOf = (provider, row) => [provider, row.model, row.since, row.above].join(' ');
const realtime = new Map(
  statements()
    .filter(({ mode }) => mode === 'realtime')
    .flatMap(({ provider, rows }) => rows.map((row) => [keyOf(provider, row), row])),
);
const isHalf = (price, of) => (price === null ? of === null : price * 2 === of);
for (const { provider, mode, rows } of statements().filter((one) => one.mode !== 'realtime')) {
  const wrong = rows.filter((row) => {
    const of = realtime.get(keyOf(provider, row));
    return !of || !isHalf(row.input, of.input) || !isHalf(row.output, of.output);
  });
  const cheap = rows.filter(
    ({ input, cached_input: cached }) => cached !== null && (cached > input || cached <= 0),
  );
  tap.is([...wrong, ...cheap], [], `${provider}: ${mode} is half, and a cache costs no more`);
}

// ---- where the package is wrong, and a price of ours stands instead ----

const price = (provider, model, usage) => ask(provider, { model, since: '-infinity' }, usage);
const cached = { input_tokens: 1e6, cache_read_tokens: 1e6 };
tap.ok(
  near(price('bedrock', 'amazon.titan-embed-text-v2:0', { input_tokens: 1e6 }), 0.1) &&
    near(price('anthropic', 'claude-sonnet-5-5', cached), 0.2),
  'the package still takes the nearest name for another one',
);
process.exit(tap.done());
