'use strict';
// Prompt caching: what a request counts as input, as written to the cache and as read from it. A
// prefix is kept for its ttl, from its last use on. Requests run in groups of cache_at_once: what
// one of them writes the others of its group do not find, so they write it too, and pay for it.

const { isObject } = require('./params');
const { sha256, tokens } = require('../text');

const MESSAGE_TOKENS = 4;
const START_TOKENS = 3;
const TTL_MS = { '5m': 300e3, '1h': 3600e3 };

class PromptCache {
  // Of the configuration: cache_at_once, cache_clock_ms.
  constructor(sim) {
    this.sim = sim;
    this.prefixes = new Map(); // key -> {group: that wrote it, until}
    this.requests = 0;
  }

  now() {
    return Date.now() + this.sim.config.cache_clock_ms;
  }

  // One more request runs: returns its group.
  begin() {
    return Math.floor(this.requests++ / this.sim.config.cache_at_once);
  }

  has(key, group) {
    const kept = this.prefixes.get(key);
    return Boolean(kept) && kept.group < group && kept.until > this.now();
  }

  use({ key, ttl }, group) {
    const kept = this.prefixes.get(key);
    const since = kept && kept.until > this.now() ? kept.group : group;
    this.prefixes.set(key, { group: since, until: this.now() + TTL_MS[ttl] });
  }
}

// The prompt in its order: {text, tokens, cache}; cache is the block's cache_control, or undefined.
// Never throws.
function segmentsOf(params) {
  const segments = [
    ...listOf(params.tools).map((tool) => segment('tool', tool, JSON.stringify(tool))),
    ...blocksOf(params.system).map((block) => segment('system', block, textOf(block))),
    ...listOf(params.messages).flatMap((m) =>
      isObject(m)
        ? blocksOf(m.content).map((b, i) => segment(m.role, b, textOf(b), i ? 0 : MESSAGE_TOKENS))
        : [],
    ),
  ];
  if (params.cache_control && segments.length)
    segments[segments.length - 1].cache = params.cache_control;
  return segments;
}

const listOf = (value) => (Array.isArray(value) ? value : []);
const blocksOf = (content) =>
  typeof content === 'string'
    ? [{ type: 'text', text: content }]
    : listOf(content).filter(isObject);
const textOf = (block) =>
  block.type === 'text' && typeof block.text === 'string' ? block.text : JSON.stringify(block);
const segment = (kind, block, text, extra = 0) => ({
  text: `${kind}\n${text}`,
  tokens: tokens(text) + extra,
  cache: (isObject(block) && block.cache_control) || undefined,
});

const promptTokens = (params) => segmentsOf(params).reduce((n, s) => n + s.tokens, START_TOKENS);

// {input, read, written: {'5m', '1h'}}: together they are promptTokens. Remembers the prefixes in
// `cache`, a PromptCache.
function account(cache, model, params, shortest) {
  const segments = segmentsOf(params);
  const total = segments.reduce((n, s) => n + s.tokens, START_TOKENS);
  const result = { input: total, read: 0, written: { '5m': 0, '1h': 0 } };
  if (!segments.some((s) => s.cache)) return result;
  const marks = marksOf(segments, model).filter((m) => m.tokens >= shortest);
  const group = cache.begin();
  let done = Math.max(0, ...marks.filter((m) => cache.has(m.key, group)).map((m) => m.tokens));
  result.read = done;
  for (const mark of marks) {
    cache.use(mark, group);
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

module.exports = { PromptCache, account, promptTokens };
