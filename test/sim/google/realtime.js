'use strict';
// One request to a model of Google's, answered at once: what its answer becomes on the wire.

const { sha256 } = require('../text');

// result: {asked, question or sum, and one of json with spent, error, none}
function replyOf(ctx, model, { asked, question, sum, spent, error, none, json }) {
  if (none || asked.has('missing')) return { drop: true };
  if (error) return { status: error.code, json: error.type ? bare(error) : { error } };
  ctx.sim.ledger.bill({
    batch_id: null,
    custom_id: null,
    model: model.id,
    prompt_tokens: spent.prompt,
    completion_tokens: spent.completion,
    content_sha256: sum || sha256(question),
  });
  if (!asked.has('badjson')) return { json };
  return {
    text: JSON.stringify(json).slice(0, 20),
    headers: { 'Content-Type': 'application/json' },
  };
}

// An error of Claude's, without the status that is beside it.
const bare = ({ code, ...error }) => error;

module.exports = { replyOf };
