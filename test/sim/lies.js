'use strict';
// What a network may make of a provider's reply, whatever the provider: the action's lie, and gzip.
// Pure.

const fs = require('fs');
const zlib = require('zlib');

const LONG = 100e6;
const DEEP = 1e5;

const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

// Each line that is JSON, changed by edit(value, text); what is none (XML) goes through
// otherwise(text).
function eachLine(bytes, edit, otherwise) {
  const text = bytes.toString();
  if (parse(text) !== undefined) return Buffer.from(edit(parse(text), text));
  const lines = text.split('\n');
  if (lines.some((line) => line && parse(line) === undefined)) return Buffer.from(otherwise(text));
  return Buffer.from(lines.map((line) => line && edit(parse(line), line)).join('\n'));
}

// A copy with each string changed.
function withStrings(value, change) {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => withStrings(item, change));
  if (!value || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withStrings(item, change)]),
  );
}

// Words of eight characters and more that have digits are ids, of batches, files, records.
const otherIds = (text) =>
  text.replace(/[0-9a-z]{8,}/gi, (word) =>
    word.replace(/\d/g, (digit) => (Number(digit) + 1) % 10),
  );

// Each member twice, null at first.
function twice(value) {
  if (Array.isArray(value)) return `[${value.map(twice).join(',')}]`;
  if (!value || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .flatMap(([key, item]) => [
      `${JSON.stringify(key)}:null`,
      `${JSON.stringify(key)}:${twice(item)}`,
    ])
    .join(',')}}`;
}

const middle = (text, what) =>
  `${text.slice(0, text.length / 2)}${what}${text.slice(text.length / 2)}`;

// A member of an object, or a line before the others.
function longLine(bytes) {
  const text = bytes.toString();
  const after = /^\{[^\n]+\}$/.test(text) ? `",${text.slice(1)}` : `"}\n${text}`;
  return Buffer.concat([Buffer.from('{"padding":"'), Buffer.alloc(LONG, 'x'), Buffer.from(after)]);
}

// Each string of the text with the characters that pick(character, index) takes as escapes.
const escaped = (pick, write) => (text) => {
  const one = (c, i) => (c <= '~' && pick(c, i) ? write(c) : JSON.stringify(c).slice(1, -1));
  return text.replace(
    /"(?:[^"\\]|\\.)*"/g,
    (string) => `"${[...JSON.parse(string)].map(one).join('')}"`,
  );
};
const unicode = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
const rewritten = (change) => (bytes) =>
  eachLine(
    bytes,
    (value, text) => change(text),
    (text) => text,
  );

const LIES = {
  half: (bytes) => bytes.subarray(0, bytes.length >> 1),
  empty: () => Buffer.alloc(0),
  other_id: (bytes) =>
    eachLine(bytes, (value) => JSON.stringify(withStrings(value, otherIds)), otherIds),
  nul: (bytes) =>
    eachLine(
      bytes,
      (value) => JSON.stringify(withStrings(value, (text) => `${text}\0`)),
      (text) => middle(text, '\0'),
    ),
  utf8: (bytes) =>
    Buffer.from(
      eachLine(
        bytes,
        (value, text) => middle(text, '\u{fff}'),
        (text) => middle(text, '\u{fff}'),
      )
        .toString('latin1')
        .replace(/\xe0\xbf\xbf/g, '\xff'),
      'latin1',
    ),
  duplicate: (bytes) => eachLine(bytes, twice, (text) => text),
  deep: () => Buffer.from(`${'['.repeat(DEEP)}${']'.repeat(DEEP)}\n`),
  long: longLine,
  unicode: rewritten(escaped(() => true, unicode)),
  partly: rewritten(escaped((c, i) => i % 2 === 1, unicode)),
  slashes: rewritten(
    escaped(
      (c) => c === '/',
      () => '\\/',
    ),
  ),
};

function bytesOf(reply) {
  if (reply.file)
    return fs
      .readFileSync(reply.file.path)
      .subarray(reply.file.start || 0, (reply.file.start || 0) + reply.file.size);
  return Buffer.from(reply.json !== undefined ? JSON.stringify(reply.json) : reply.text || '');
}

// gzip: true packs it, unasked; "lie" only says so.
// bomb: so many MB of empty lines behind it, packed.
function spoil(reply, { lie, gzip, bomb }) {
  if (bomb)
    return spoil(
      {
        ...reply,
        file: undefined,
        json: undefined,
        text: Buffer.concat([bytesOf(reply), Buffer.alloc(bomb * 1e6, '\n')]),
      },
      { gzip: true },
    );
  if (!lie && !gzip) return reply;
  const { file, json, text, ...rest } = reply;
  const bytes = lie ? LIES[lie](bytesOf(reply)) : bytesOf(reply);
  const headers = {
    ...(json !== undefined ? { 'Content-Type': 'application/json' } : {}),
    ...rest.headers,
    ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
  };
  return { ...rest, headers, text: gzip === true ? zlib.gzipSync(bytes) : bytes };
}

module.exports = { spoil, LIES };
