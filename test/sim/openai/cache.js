'use strict';
// Automatic prompt caching: a prompt reads from the cache what it has in common with the beginning
// of one of the last cached_prompts, if that is long enough, in steps.

const { tokens } = require('../text');

const SHORTEST = 1024;
const STEP = 128;

function shared(a, b) {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a[i] === b[i]) i++;
  return i;
}

// Returns how many tokens of the request's prompt are read from `recent`, an array of prompts, to
// which the prompt is added.
function cachedTokens(recent, most, body) {
  if (most === 0) return 0;
  const prompt = JSON.stringify([body.model, body.tools, body.messages || body.input]);
  const longest = Math.max(0, ...recent.map((other) => shared(prompt, other)));
  const found = Math.floor(tokens(prompt.slice(0, longest)) / STEP) * STEP;
  recent.push(prompt);
  while (recent.length > most) recent.shift();
  return found < SHORTEST ? 0 : found;
}

module.exports = { cachedTokens };
