'use strict';
// The life of one job by the clock of config.batch_seconds: a tenth each queued and pending, the
// rest running. Outputs appear with the end, of whatever was processed.

const fs = require('fs');
const { Pace } = require('../pace');
const { CODES } = require('../errors');
const { stamp, tick } = require('../times');
const { shuffled } = require('../../text');
const { uriOf, needAccess, openInput, scan, lineAt, Failure } = require('./input');
const { runLine } = require('./lines');

const PARTIAL = ['cancelled', 'expired', 'partial', 'in_progress_forever'];
const ENDS = { partial: 'PARTIALLY_SUCCEEDED', expired: 'EXPIRED', cancelled: 'CANCELLED' };

const INCREMENTAL = 'incremental_predictions_0001.jsonl';

// The files of results, then the one that has everything again.
function outputNames({ vertex_shards: shards, vertex_incremental: again }) {
  const names =
    shards === 1
      ? ['predictions.jsonl']
      : Array.from(
          { length: shards },
          (_, i) => `predictions_${String(i + 1).padStart(4, '0')}.jsonl`,
        );
  return again ? [...names, INCREMENTAL] : names;
}

class Life {
  constructor(sim, state, job) {
    Object.assign(this, { sim, state, job, files: [], outputs: [] });
    this.pace = new Pace(
      () => !job.forgotten && !(job.cancelling && !sim.config.vertex_cancel_too_late),
      () => job.forgotten,
    );
  }

  async live() {
    const { job } = this;
    try {
      if (await this.prepare()) await this.work();
    } catch (error) {
      if (error instanceof Failure) job.end('FAILED', error.status);
      else if (!job.forgotten) process.stderr.write(`sim: job ${job.id}: ${error.stack}\n`);
    } finally {
      for (const file of this.files) fs.closeSync(file.fd);
      for (const { sink } of this.outputs) sink.drop();
    }
  }

  // Until it runs; false if the job has ended before.
  async prepare() {
    const { job, pace, sim } = this;
    const tenth = sim.config.batch_seconds * 100;
    await pace.wait(tenth);
    if (pace.alive()) job.enter('PENDING');
    await pace.wait(tenth);
    if (pace.alive()) await this.import();
    if (job.forgotten) return false;
    if (!pace.alive()) job.end('CANCELLED', { code: CODES.CANCELLED, message: 'CANCELLED' });
    else if (job.faults.outcome === 'expired' && !job.faults.finished)
      job.end('EXPIRED', {
        code: CODES.DEADLINE_EXCEEDED,
        message: 'The job expired in the queue.',
      });
    return !job.over;
  }

  async import() {
    const { job, sim } = this;
    const { outcome, errors } = job.faults;
    if (outcome === 'failed')
      throw Object.assign(
        new Failure('INTERNAL', ((errors || [])[0] || {}).message || 'INTERNAL'),
        errors && errors[0].code ? { status: errors[0] } : {},
      );
    this.files = openInput(sim, job);
    needAccess(sim, job, uriOf(job.output).bucket, 'storage.objects.create');
    for (const file of this.files) {
      for (const _ of scan(file, job.model.kind)) await this.pace.breathe();
    }
    job.lines = this.files.reduce((n, file) => n + file.spans.length / 2, 0);
    const most = Math.min(job.model.limit, sim.config.vertex_max_requests);
    if (!job.lines) throw new Failure('INVALID_ARGUMENT', 'The input file is empty.');
    if (job.lines > most)
      throw new Failure(
        'INVALID_ARGUMENT',
        `The input has ${job.lines} requests, more than the maximum of ${most}.`,
      );
  }

  async work() {
    const { job, sim } = this;
    const { outcome, finished } = job.faults;
    job.enter('RUNNING');
    job.started = job.updated;
    job.counts = { ok: 0, failed: 0 };
    this.outputs = outputNames(sim.config).map((file) => ({ file, sink: sim.gcs.sink() }));
    const all = this.files.flatMap((file) =>
      Array.from({ length: file.spans.length / 2 }, (_, index) => [file, index]),
    );
    const order = sim.config.vertex_order === 'input' ? all.map((_, i) => i) : shuffled(all.length);
    const goal = PARTIAL.includes(outcome) ? Math.floor(all.length * finished) : all.length;
    await this.pace.run(
      goal,
      sim.config.batch_seconds * 800,
      (i) => this.one(...all[order[i]], i),
      outcome === 'in_progress_forever',
    );
    if (!job.forgotten) this.close();
  }

  one(file, index, done) {
    const { job, sim, state } = this;
    const { ok, texts } = runLine(sim, state, job, lineAt(file, index), index);
    if (ok !== undefined) job.counts[ok ? 'ok' : 'failed']++;
    const shard = done % sim.config.vertex_shards;
    for (const text of texts)
      this.outputs.forEach(
        ({ sink }, i) => (i === shard || i >= sim.config.vertex_shards) && sink.line(text),
      );
  }

  close() {
    const { job, sim } = this;
    const { bucket, name } = uriOf(job.output);
    const folder = `${name.replace(/\/$/, '')}${name ? '/' : ''}prediction-model-${stamp(tick())}`;
    for (const { file, sink } of this.outputs)
      sim.gcs.put(bucket, `${folder}/${file}`, sink, sink.hasher.digest(), {
        type: 'application/octet-stream',
      });
    this.outputs = [];
    job.folder = `gs://${bucket}/${folder}`;
    const end =
      job.cancelling && !sim.config.vertex_cancel_too_late
        ? 'CANCELLED'
        : ENDS[job.faults.outcome] || 'SUCCEEDED';
    if (end === 'PARTIALLY_SUCCEEDED')
      job.partial = job.faults.errors || [
        { code: CODES.INTERNAL, message: 'Some requests were not processed.' },
      ];
    job.end(end, end === 'CANCELLED' ? { code: CODES.CANCELLED, message: 'CANCELLED' } : undefined);
  }
}

module.exports = { Life };
