'use strict';
// The life of one batch, from validating to its end, by the clock of config.batch_seconds:
// a quarter validating, a half in_progress, a quarter finalizing (or cancelling). Long work makes
// it longer.

const fs = require('fs');
const { Judge, linesOf, readAt, answeredLine, unexecutedLine, plainLine } = require('./lines');
const { run } = require('./run');
const { addFile, now } = require('./files');
const { shuffled } = require('../text');
const { sleep } = require('../reply');

const SLICE_MS = 8;
const NOT_EXECUTED = {
  expired: 'batch_expired',
  cancelled: 'batch_cancelled',
  timeout: 'request_timeout',
};

class Life {
  // batch: the object of batches.js; fd: its input file, open, closed here at the end.
  constructor(sim, state, batch, fd) {
    Object.assign(this, { sim, state, batch, fd, born: Date.now(), sliceEnd: 0 });
    this.judge = new Judge(batch.endpoint, state.dialect.maxLines(sim.config), state);
    this.out = null;
    this.err = null;
  }

  async live() {
    try {
      await this.stages();
    } catch (error) {
      if (!this.batch.forgotten)
        process.stderr.write(`sim: batch ${this.batch.id}: ${error.stack}\n`);
    } finally {
      fs.closeSync(this.fd);
      for (const writer of [this.out, this.err]) if (writer) writer.close();
    }
  }

  async stages() {
    await this.validate();
    await this.until(0.25);
    const errors = this.failure();
    if (errors) return this.fail(errors);
    this.begin();
    if (!this.batch.cancelling_at) await this.work();
    return this.close();
  }

  async validate() {
    for (const line of linesOf(this.fd)) {
      this.judge.take(line);
      await this.breathe();
    }
    this.judge.finish();
    const known = this.state.findModel(this.judge.model);
    this.batch.model = known ? known.snapshot : null;
  }

  // errors.data of a batch that may not start, or null.
  failure() {
    const { outcome } = this.batch.faults;
    if (outcome === 'failed')
      return (
        this.batch.faults.errors || [
          { code: 'invalid_request', message: 'The batch failed.', param: null, line: null },
        ]
      );
    if (this.judge.errors.length) return this.judge.errors;
    const limit = this.sim.config.quotas[this.judge.model];
    if (limit === undefined || this.state.enqueued(this.judge.model) + this.judge.tokens <= limit)
      return null;
    return [
      {
        code: 'token_limit_exceeded',
        param: null,
        line: null,
        message: this.state.dialect.tokensFull(this.judge.model, limit),
      },
    ];
  }

  fail(errors) {
    if (this.sim.config.quirks.failed_files) {
      const empty = (kind) => this.keep(this.sim.store.create(), kind, true);
      Object.assign(this.batch, { output_file_id: empty('output'), error_file_id: empty('error') });
    }
    Object.assign(this.batch, {
      status: 'failed',
      failed_at: now(),
      errors: { object: 'list', data: errors },
    });
  }

  begin() {
    const { batch, judge } = this;
    this.order = this.sim.config.run_in_order
      ? Uint32Array.from({ length: judge.count }, (_, i) => i)
      : shuffled(judge.count);
    this.done = 0;
    this.out = this.sim.store.create();
    this.err = this.sim.store.create();
    batch.counts.total = judge.count;
    batch.enqueued = { model: judge.model, tokens: judge.tokens };
    if (!batch.cancelling_at)
      Object.assign(batch, { status: 'in_progress', in_progress_at: now() });
  }

  // Runs requests at the pace of the clock, up to the point where a fault stops them.
  async work() {
    const { outcome, finished } = this.batch.faults;
    const goal = outcome ? Math.floor(this.judge.count * finished) : this.judge.count;
    const started = Date.now();
    while (
      this.alive() &&
      (this.done < goal || this.share(started) < 1 || outcome === 'in_progress_forever')
    ) {
      const target = Math.floor(goal * this.share(started));
      while (this.done < target && this.alive()) {
        this.one(this.order[this.done++]);
        await this.breathe();
      }
      if (this.done >= target) await sleep(5);
    }
    if (this.alive() && outcome === 'cancelled')
      Object.assign(this.batch, { status: 'cancelling', cancelling_at: now() });
  }

  share(started) {
    return Math.min(1, (Date.now() - started) / Math.max(1, this.sim.config.batch_seconds * 500));
  }

  alive() {
    return !this.batch.cancelling_at && !this.batch.forgotten;
  }

  // The last stage: what is left becomes lines of the error file; the files appear together with
  // the end.
  async close() {
    const { batch } = this;
    const expired = batch.faults.outcome === 'expired' && !batch.cancelling_at;
    if (!batch.cancelling_at && !expired)
      Object.assign(batch, { status: 'finalizing', finalizing_at: now() });
    const started = Date.now();
    while (Date.now() - started < this.sim.config.batch_seconds * 250) await sleep(5);
    const end = batch.cancelling_at ? 'cancelled' : expired ? 'expired' : 'completed';
    for (; this.done < this.judge.count; this.done++) {
      this.leave(this.order[this.done], NOT_EXECUTED[end]);
      await this.breathe();
    }
    if (batch.forgotten) return;
    this.publish();
    Object.assign(batch, { status: end, [`${end}_at`]: now(), enqueued: null });
  }

  publish() {
    const { batch, sim } = this;
    batch.output_file_id = this.keep(this.out, 'output', false);
    batch.error_file_id = this.keep(this.err, 'error', this.state.dialect.emptyErrorFile);
    if (batch.error_file_id) return;
    if (batch.faults.errorFileId !== undefined) batch.error_file_id = batch.faults.errorFileId;
    else if (sim.config.error_file_id_empty) batch.error_file_id = '';
  }

  // Makes a file of what was written; an empty one only where it is wanted.
  keep(writer, kind, empty) {
    const { batch, sim, state } = this;
    const data = writer.close();
    if (!data.size && !empty) return sim.store.remove(data) || null;
    return addFile(sim, state, {
      project: batch.project,
      filename: `${batch.id}_${kind}.jsonl`,
      purpose: 'batch_output',
      data,
      seconds: batch.outputSeconds,
    }).id;
  }

  write(line) {
    this.out.line(JSON.stringify(this.state.dialect.line(line)));
  }

  writeError(line) {
    if (this.sim.config.quirks.error_file === 'none') this.write(plainLine(line));
    else this.err.line(JSON.stringify(this.state.dialect.line(line)));
  }

  request(index) {
    const { spans } = this.judge;
    return JSON.parse(readAt(this.fd, spans[2 * index], spans[2 * index + 1]).toString());
  }

  leave(index, code) {
    this.writeError(
      unexecutedLine(this.state.newId('batch_req_', 24), this.request(index).custom_id, code),
    );
  }

  // Runs one request and writes its lines.
  one(index) {
    const { custom_id: customId, url, body } = this.request(index);
    const result = this.run(customId, url, body);
    const id = this.state.newId('batch_req_', 24);
    const code = ['expired', 'cancelled', 'timeout'].find(
      (name) => result.status === 0 && result.asked.has(name),
    );
    if (code) return this.writeError(unexecutedLine(id, customId, NOT_EXECUTED[code]));
    if (result.status !== 200) return this.failed(id, customId, result);
    this.succeeded(id, customId, result);
    if (result.asked.has('twice')) this.again(customId, this.run(customId, url, body));
  }

  run(customId, url, body) {
    return run(this.sim, this.state, this.state.dialect.urlOf(url), body, {
      batch_id: this.batch.id,
      custom_id: customId,
    });
  }

  // A second answer to the same request.
  again(customId, { body }) {
    const id = this.state.newId('batch_req_', 24);
    this.write(answeredLine(id, this.state.newId('', 32), customId, 200, body));
  }

  // Status 0 is what the service leaves uncounted.
  failed(id, customId, { status, body }) {
    if (status !== 0) this.batch.counts.failed++;
    this.writeError(
      answeredLine(id, status === 0 ? '' : this.state.newId('', 32), customId, status, body),
    );
  }

  succeeded(id, customId, { body, asked }) {
    const line = answeredLine(id, this.state.newId('', 32), customId, 200, body);
    this.batch.counts.completed++;
    addUsage(this.batch.usage, body.usage);
    if (asked.has('missing')) return;
    if (asked.has('badjson')) {
      const text = JSON.stringify(line);
      this.out.line(text.slice(0, text.length >> 1));
    } else this.write(line);
    if (asked.has('duplicate')) this.write(line);
    if (asked.has('both'))
      this.writeError(
        answeredLine(id, this.state.newId('', 32), customId, 500, {
          error: {
            message: 'The server had an error while processing your request.',
            type: 'server_error',
            param: null,
            code: null,
          },
        }),
      );
    if (asked.has('unknown'))
      this.write(answeredLine(id, this.state.newId('', 32), `sim-unknown-${this.done}`, 200, body));
  }

  async until(share) {
    while (
      Date.now() < this.born + this.sim.config.batch_seconds * 1000 * share &&
      !this.batch.cancelling_at
    )
      await sleep(5);
  }

  // Lets other requests be served every few milliseconds.
  async breathe() {
    if (Date.now() < this.sliceEnd) return;
    await new Promise((done) => setImmediate(done));
    if (this.batch.forgotten) throw new Error('forgotten');
    this.sliceEnd = Date.now() + SLICE_MS;
  }
}

function addUsage(total, usage) {
  total.input_tokens += usage.prompt_tokens || usage.input_tokens;
  total.output_tokens += usage.completion_tokens || usage.output_tokens || 0;
  total.output_tokens_details.reasoning_tokens +=
    (usage.completion_tokens_details || usage.output_tokens_details || {}).reasoning_tokens || 0;
  total.total_tokens += usage.total_tokens;
}

module.exports = { Life };
