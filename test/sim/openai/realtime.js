'use strict';
// One request, answered at once: chat completions, responses and embeddings.

const { usualError } = require('./errors');
const { readJson } = require('./params');
const { run } = require('./run');

// endpoint: as run.js names it; change(body): what a relative makes of the body. Directives that
// only a batch can play hang up or answer oddly.
async function realtime(ctx, endpoint, change = (body) => body) {
  const body = change(await readJson(ctx));
  const { status, body: answer, asked } = run(ctx.sim, ctx.state, endpoint, body, null);
  if (status === 0 && asked.has('timeout')) return { status: 408, json: usualError(408) };
  if (status === 0 || asked.has('missing')) return { drop: true };
  const headers = limits(ctx);
  if (status === 200 && asked.has('badjson'))
    return {
      text: JSON.stringify(answer).slice(0, 20),
      headers: { 'Content-Type': 'application/json', ...headers },
    };
  return { status, json: answer, headers };
}

// What may be asked in this minute, in requests and tokens, as the service tells it with each
// answer.
const limits = ({ state }) => ({
  'x-ratelimit-limit-requests': '5000',
  'x-ratelimit-limit-tokens': '2000000',
  'x-ratelimit-remaining-requests': '4999',
  'x-ratelimit-remaining-tokens': '1999000',
  'x-ratelimit-reset-requests': state.dialect.reset('12ms', '1'),
  'x-ratelimit-reset-tokens': state.dialect.reset('30ms', '1'),
});

module.exports = { realtime };
