'use strict';
// Pure helpers on text and numbers: hashes, seeded random numbers, words, tokens. No state.

const crypto = require('crypto');
const { tokens } = require('./tokenizer');

const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');

// FNV-1a over UTF-16 units: stable across node versions and runs.
function hash32(text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

// mulberry32: a function returning numbers in [0, 1), the same for the same seed.
function prng(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// A permutation of 0..n-1, the same for the same n, never the identity for n > 1.
function shuffled(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  const random = prng(n);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  if (n > 1 && order.every((v, i) => v === i)) order.reverse();
  return order;
}

const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
const firstWords = (text, n) => text.trim().split(/\s+/).slice(0, n).join(' ');

// The first `bytes` bytes of a text, never cutting inside a character.
function cutBytes(text, bytes) {
  const buf = Buffer.from(text);
  if (buf.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && (buf[end] & 0xc0) === 0x80) end--;
  return buf.toString('utf8', 0, end);
}

module.exports = { sha256, hash32, prng, shuffled, words, firstWords, tokens, cutBytes };
