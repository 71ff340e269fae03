// test/bench/old.mjs FILE ROWS: what old values cost, by the medians of the measures.
import { readFileSync } from 'node:fs';

const [, , file, rows] = process.argv;
const measures = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split(' '));

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

const seconds = (mode, kept) =>
  median(measures.filter((m) => m[0] === mode && m[1] === kept).map((m) => Number(m[2])));

console.log('write_mode  rows/s, kept  rows/s, not kept  times');
for (const mode of ['update', 'upsert', 'replace']) {
  const [yes, no] = [seconds(mode, 'yes'), seconds(mode, 'no')];
  const rate = (s) => Math.round(rows / s).toLocaleString('en-US');
  console.log(
    `${mode.padEnd(10)}  ${rate(yes).padStart(12)}  ${rate(no).padStart(16)}  ` +
      (yes / no).toFixed(2).padStart(5),
  );
}
