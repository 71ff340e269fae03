'use strict';
// The life of one batch, in_progress (or canceling) until it has ended, by the clock of
// config.batch_seconds: three quarters for the requests, a quarter to end. Counts and results
// appear only with the end.

const fs = require('fs');
const { readAt } = require('./envelope');
const { errorOf } = require('./errors');
const { run } = require('./run');
const { shuffled } = require('../text');
const { sleep } = require('../reply');

const SLICE_MS = 8;

class Life {
  // batch: the object of batches.js; spans: where its requests lie in the file `data`, which is
  // removed at the end.
  constructor(sim, state, batch, { data, spans }) {
    Object.assign(this, { sim, state, batch, data, spans, sliceEnd: 0, done: 0 });
    this.fd = fs.openSync(data.path, 'r');
    this.out = sim.store.create();
    this.order = shuffled(batch.total);
  }

  async live() {
    try {
      await this.work();
      await this.close();
    } catch (error) {
      if (!this.batch.forgotten)
        process.stderr.write(`sim: batch ${this.batch.id}: ${error.stack}\n`);
    } finally {
      fs.closeSync(this.fd);
      this.out.close();
      this.sim.store.remove(this.data);
    }
  }

  // Runs requests at the pace of the clock, up to the point where a fault stops them.
  async work() {
    const { outcome, finished } = this.batch.faults;
    const partial = ['expired', 'cancelled', 'in_progress_forever'].includes(outcome);
    const goal = partial ? Math.floor(this.batch.total * finished) : this.batch.total;
    const started = Date.now();
    while (
      this.alive() &&
      (this.done < goal || this.share(started) < 1 || outcome === 'in_progress_forever')
    ) {
      const target = Math.floor(goal * this.share(started));
      while (this.done < target && this.alive()) {
        this.one(this.request());
        await this.breathe();
      }
      if (this.done >= target) await sleep(5);
    }
    if (this.alive() && outcome === 'cancelled') this.batch.cancel();
  }

  share(started) {
    return Math.min(1, (Date.now() - started) / Math.max(1, this.sim.config.batch_seconds * 750));
  }

  alive() {
    return !this.batch.cancelled && !this.batch.forgotten;
  }

  // What is left gets its line; the results appear together with the end.
  async close() {
    const { batch } = this;
    const started = Date.now();
    while (Date.now() - started < this.sim.config.batch_seconds * 250) await sleep(5);
    for (const type = batch.cancelled ? 'canceled' : 'expired'; this.done < batch.total;) {
      this.write(this.request().custom_id, { type });
      batch.tally[type]++;
      await this.breathe();
    }
    if (!batch.forgotten) batch.end(this.out.close());
  }

  // The next one in the shuffled order.
  request() {
    const index = this.order[this.done++];
    return JSON.parse(readAt(this.fd, this.spans[2 * index], this.spans[2 * index + 1]).toString());
  }

  write(customId, result) {
    this.out.line(JSON.stringify({ custom_id: customId, result }));
  }

  one({ custom_id: customId, params }) {
    const { batch } = this;
    const result = this.result(customId, params);
    batch.tally[result.type]++;
    if (result.type !== 'succeeded')
      return this.write(
        customId,
        result.type === 'errored'
          ? { type: 'errored', error: result.error }
          : { type: result.type },
      );
    return this.succeeded(customId, result);
  }

  // Requests of a foreign batch are nobody's affair: answered, not billed.
  result(customId, params) {
    const { batch } = this;
    const { outcome, errors } = batch.faults;
    if (outcome === 'failed')
      return {
        type: 'errored',
        error: errorOf(500, ((errors || [])[0] || {}).message || 'Internal server error'),
      };
    const sim = batch.foreign ? { ...this.sim, ledger: { bill() {} } } : this.sim;
    return run(
      sim,
      this.state,
      params,
      { ...batch.how, batched: true },
      { batch_id: batch.id, custom_id: customId },
    );
  }

  succeeded(customId, { message, asked }) {
    const result = { type: 'succeeded', message };
    if (asked.has('missing')) return;
    if (asked.has('badjson'))
      this.out.line(JSON.stringify({ custom_id: customId, result }).slice(0, 60));
    else this.write(customId, result);
    if (asked.has('duplicate')) this.write(customId, result);
    if (asked.has('both'))
      this.write(customId, { type: 'errored', error: errorOf(500, 'Internal server error') });
    if (asked.has('unknown')) this.write(`sim-unknown-${this.done}`, result);
  }

  // Lets other requests be served every few milliseconds.
  async breathe() {
    if (Date.now() < this.sliceEnd) return;
    await new Promise((done) => setImmediate(done));
    if (this.batch.forgotten) throw new Error('forgotten');
    this.sliceEnd = Date.now() + SLICE_MS;
  }
}

module.exports = { Life };
