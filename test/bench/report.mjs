// test/bench/report.mjs FILE: medians of the measures as one small table.
import { readFileSync } from 'node:fs';

const measures = readFileSync(process.argv[2], 'utf8')
  .trim()
  .split('\n')
  .map((line) => {
    const [kind, phase, side, ...numbers] = line.split(' ');
    const [rows, seconds, wal, memory] = numbers.map(Number);
    return { kind, phase, side, rate: rows / seconds, wal, memory };
  });

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

// The median of what (rate, wal, memory); NaN where it was not measured.
const of = (kind, phase, side, what) =>
  median(
    measures
      .filter((m) => m.kind === kind && m.phase === phase && m.side === side)
      .map((m) => m[what]),
  ) ?? NaN;

const count = (n) => Math.round(n).toLocaleString('en-US');
const megabytes = (n) => (n / 1e6).toFixed(1);

const LINES = [
  ['stage', 'copy', 'COPY of the request lines'],
  ['stage', 'sql', 'INSERT … SELECT of the records'],
  ['render', 'sql', 'COPY … TO PROGRAM'],
  ['deliver', 'sql', 'INSERT … SELECT and UPDATE … FROM'],
];

const table = [
  [
    'phase',
    'rows/s',
    'beside',
    'rows/s',
    'times',
    'WAL MB',
    'beside',
    'times',
    'memory MB',
    'beside',
  ],
];
for (const [phase, side, words] of LINES) {
  const [ours, plain] = ['rate', 'wal', 'memory'].reduce(
    ([a, b], what) => [
      [...a, of('main', phase, 'batchinf', what)],
      [...b, of('main', phase, side, what)],
    ],
    [[], []],
  );
  table.push([
    phase,
    count(ours[0]),
    words,
    count(plain[0]),
    (plain[0] / ours[0]).toFixed(2),
    megabytes(ours[1]),
    megabytes(plain[1]),
    plain[1] > 1e6 ? (ours[1] / plain[1]).toFixed(2) : '-',
    megabytes(ours[2]),
    megabytes(plain[2]),
  ]);
}
print(table);

const memory = [['memory MB', 'all rows', 'a tenth', '200 of 1 MB']];
for (const phase of ['stage', 'render', 'fetch', 'deliver']) {
  memory.push([
    phase,
    ...['main', 'tenth', 'wide'].map((kind) => megabytes(of(kind, phase, 'batchinf', 'memory'))),
  ]);
}
print(memory);

function print(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const shown = lines.map((line) =>
    line
      .map((cell, i) =>
        /^[-\d.,]+$/.test(cell) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]),
      )
      .join('  '),
  );
  console.log(`${shown.join('\n')}\n`);
}
