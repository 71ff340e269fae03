'use strict';
// Files, batches and ids of one provider of OpenAI's kind, and what the ledger shows of them.

const crypto = require('crypto');
const { longId } = require('./quirks');

class State {
  // dialect: dialect.js or its like
  constructor(sim, dialect) {
    this.sim = sim;
    this.dialect = dialect;
    this.seed = crypto.randomBytes(4).toString('hex');
    this.ids = 0;
    this.batches = new Map();
    this.clear();
  }

  clear() {
    for (const batch of this.batches.values()) batch.forgotten = true;
    this.files = new Map();
    this.batches = new Map();
    this.attempts = new Map();
    this.prompts = []; // the last ones: cache.js
  }

  findModel(name) {
    return this.dialect.findModel(this.sim, name);
  }

  // Unique over resets and restarts.
  newId(prefix, length) {
    return `${prefix}${this.seed}${(++this.ids).toString(16).padStart(length - 8, '0')}`;
  }

  // Of a file or batch: as long as the quirk wants it.
  newName(prefix, length) {
    const id = this.newId(prefix, length);
    return this.sim.config.quirks.ids ? longId(id, this.sim.config.quirks.ids) : id;
  }

  // Prompt tokens of the batches of this model that have not ended.
  enqueued(model) {
    return [...this.batches.values()].reduce(
      (n, b) => n + (b.enqueued && b.enqueued.model === model ? b.enqueued.tokens : 0),
      0,
    );
  }
}

const ledgerBatch = (b) => ({
  id: b.id,
  input_file_id: b.input_file_id,
  endpoint: b.endpoint,
  model: b.model,
  status: b.status,
  metadata: b.metadata,
  lines: b.counts.total,
  completed: b.counts.completed,
  failed: b.counts.failed,
  output_file_id: b.output_file_id || null,
  error_file_id: b.error_file_id || null,
});

const ledgerFile = ({ id, purpose, filename, expires_at, data }) => ({
  id,
  purpose,
  filename,
  expires_at,
  bytes: data.size,
});

module.exports = { State, ledgerBatch, ledgerFile };
