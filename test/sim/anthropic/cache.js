'use strict';
// Prompt caching: what a request counts as input, as written to the cache and as read from it. The cache is a Set of
// prefixes, without expiry; the first request writes, the later ones read.

const { isObject } = require('./params');
const { sha256, tokens } = require('../text');

const MESSAGE_TOKENS = 4;
const START_TOKENS = 3;

// The prompt in its order: {text, tokens, cache}; cache is the block's cache_control, or undefined. Never throws.
function segmentsOf(params) {
  const segments = [
    ...listOf(params.tools).map((tool) => segment('tool', tool, JSON.stringify(tool))),
    ...blocksOf(params.system).map((block) => segment('system', block, textOf(block))),
    ...listOf(params.messages).flatMap((m) => (isObject(m) ? blocksOf(m.content).map((b, i) => segment(m.role, b, textOf(b), i ? 0 : MESSAGE_TOKENS)) : [])),
  ];
  if (params.cache_control && segments.length) segments[segments.length - 1].cache = params.cache_control;
  return segments;
}

const listOf = (value) => (Array.isArray(value) ? value : []);
const blocksOf = (content) => (typeof content === 'string' ? [{ type: 'text', text: content }] : listOf(content).filter(isObject));
const textOf = (block) => (block.type === 'text' && typeof block.text === 'string' ? block.text : JSON.stringify(block));
const segment = (kind, block, text, extra = 0) => ({ text: `${kind}\n${text}`, tokens: tokens(text) + extra, cache: (isObject(block) && block.cache_control) || undefined });

const promptTokens = (params) => segmentsOf(params).reduce((n, s) => n + s.tokens, START_TOKENS);

// {input, read, written: {'5m', '1h'}}: together they are promptTokens. Remembers the prefixes in `cache`.
function account(cache, model, params, shortest) {
  const segments = segmentsOf(params);
  const total = segments.reduce((n, s) => n + s.tokens, START_TOKENS);
  const result = { input: total, read: 0, written: { '5m': 0, '1h': 0 } };
  if (!segments.some((s) => s.cache)) return result;
  const marks = marksOf(segments, model).filter((m) => m.tokens >= shortest);
  let done = Math.max(0, ...marks.filter((m) => cache.has(m.key)).map((m) => m.tokens));
  result.read = done;
  for (const mark of marks) {
    cache.add(mark.key);
    if (mark.tokens <= done) continue;
    result.written[mark.ttl] += mark.tokens - done;
    done = mark.tokens;
  }
  result.input = total - done;
  return result;
}

// The prefixes that end at a cache_control.
function marksOf(segments, model) {
  const marks = [];
  let key = model;
  let size = 0;
  for (const s of segments) {
    key = sha256(`${key}\n${s.text}`);
    size += s.tokens;
    if (s.cache) marks.push({ key, tokens: size, ttl: s.cache.ttl || '5m' });
  }
  return marks;
}

module.exports = { account, promptTokens };
