'use strict';
// The life of one job by the clock of config.batch_seconds: a tenth each for Submitted, Validating
// and Scheduled, the rest in progress. Outputs and the manifest appear with the end, of whatever
// was processed.

const fs = require('fs');
const { sleep } = require('../reply');
const { shuffled, tokens } = require('../text');
const { uriOf, allowed, openInput, scan, recordAt, Invalid } = require('./input');
const { run } = require('./run');
const { storeFor } = require('./storage');

const SLICE_MS = 8;
const PARTIAL = ['cancelled', 'partial', 'in_progress_forever'];

class Life {
  constructor(sim, state, job) {
    Object.assign(this, { sim, state, job, files: [], sliceEnd: 0, spent: [0, 0] });
    this.role = sim.config.aws_roles[job.asked.roleArn];
  }

  async live() {
    try {
      if (await this.prepare()) await this.work();
    } catch (error) {
      if (error instanceof Invalid) this.job.end('Failed', error.message);
      else if (!this.job.forgotten)
        process.stderr.write(`sim: job ${this.job.id}: ${error.stack}\n`);
    } finally {
      for (const file of this.files) {
        fs.closeSync(file.fd);
        if (file.out) file.out.close();
      }
    }
  }

  alive() {
    return !this.job.forgotten && !this.job.stopping;
  }

  async wait() {
    const end = Date.now() + this.sim.config.batch_seconds * 100;
    while (this.alive() && Date.now() < end) await sleep(3);
  }

  // Up to Scheduled; false if the job has ended before it began.
  async prepare() {
    const { job } = this;
    await this.wait();
    if (this.alive()) job.enter('Validating');
    await this.wait();
    if (this.alive()) await this.validate();
    if (this.alive()) job.enter('Scheduled');
    await this.wait();
    if (!this.alive()) job.end('Stopped');
    else if (job.faults.outcome === 'expired')
      job.end('Expired', 'The job expired before it could begin.');
    return !job.ended;
  }

  async validate() {
    const { job, sim, role } = this;
    const { bedrock_min_records: least, bedrock_max_records: most } = sim.config;
    if (job.faults.outcome === 'failed')
      throw new Invalid(
        ((job.faults.errors || [])[0] || {}).message ||
          'The system encountered an unexpected error during processing.',
      );
    if (role.trust === false)
      throw new Invalid(
        `The provided role ${job.asked.roleArn} cannot be assumed by Amazon Bedrock. Please ` +
          'ensure that its trust policy allows bedrock.amazonaws.com.',
      );
    this.files = await openInput(sim, role, job.input);
    this.place = uriOf(job.output.s3Uri);
    this.outputs = storeFor(sim, role, this.place.bucket, job.output.s3BucketOwner);
    await allowed(this.outputs, this.place.bucket, 'PutObject', () => {});
    for (const file of this.files) {
      for (const _ of scan(file)) await this.breathe();
    }
    const total = this.files.reduce((n, f) => n + f.spans.length / 2, 0);
    if (total < least)
      throw new Invalid(
        `Batch job ${job.arn} contains less records (${total}) than the required minimum of: ` +
          `${least}`,
      );
    if (total > most)
      throw new Invalid(
        `Batch job ${job.arn} contains more records (${total}) than the allowed maximum of: ` +
          `${most}`,
      );
    job.counts = { total, processed: 0, success: 0, error: 0 };
  }

  async work() {
    const { job } = this;
    const { outcome, finished } = job.faults;
    job.enter('InProgress');
    for (const file of this.files) file.out = this.sim.store.create();
    const all = this.files.flatMap((file) =>
      Array.from(shuffled(file.spans.length / 2), (index) => [file, index]),
    );
    const goal = PARTIAL.includes(outcome) ? Math.floor(all.length * finished) : all.length;
    const started = Date.now();
    const share = () =>
      Math.min(1, (Date.now() - started) / Math.max(1, this.sim.config.batch_seconds * 700));
    for (
      let done = 0;
      this.alive() && (done < goal || share() < 1 || outcome === 'in_progress_forever');
    ) {
      for (const target = Math.floor(goal * share()); done < target && this.alive(); done++) {
        this.one(...all[done]);
        await this.breathe();
      }
      await sleep(3);
    }
    if (job.forgotten) return;
    await this.close();
    job.end(
      job.stopping || outcome === 'cancelled'
        ? 'Stopped'
        : outcome === 'partial'
          ? 'PartiallyCompleted'
          : 'Completed',
    );
  }

  one(file, index) {
    const { job } = this;
    const { modelInput, recordId = `CALL${String(index).padStart(7, '0')}` } = recordAt(
      file,
      index,
    );
    const { asked, output, error, none } = run(this.sim, this.state, job, recordId, modelInput);
    if (none) return;
    job.counts.processed++;
    job.counts[error ? 'error' : 'success']++;
    const line = (more, id = recordId) => JSON.stringify({ recordId: id, modelInput, ...more });
    const good = error ? { error } : { modelOutput: output };
    if (!error) this.count(modelInput, output);
    if (asked.has('missing')) return;
    file.out.line(asked.has('badjson') ? line(good).slice(0, 60) : line(good));
    if (asked.has('duplicate')) file.out.line(line(good));
    if (asked.has('both'))
      file.out.line(line({ error: { errorCode: 500, errorMessage: 'Internal server error' } }));
    if (asked.has('unknown')) file.out.line(line(good, `sim-unknown-${index}`));
  }

  count(input, { usage = {} }) {
    this.spent[0] += usage.inputTokens || usage.input_tokens || tokens(JSON.stringify(input));
    this.spent[1] += usage.outputTokens || usage.output_tokens || 0;
  }

  async close() {
    const {
      sim,
      job,
      place: { bucket, key },
    } = this;
    const folder = `${key === '' || key.endsWith('/') ? key : `${key}/`}${job.id}/`;
    const sse = job.output.s3EncryptionKeyId
      ? {
          'x-amz-server-side-encryption': 'aws:kms',
          'x-amz-server-side-encryption-aws-kms-key-id': job.output.s3EncryptionKeyId,
        }
      : { 'x-amz-server-side-encryption': 'AES256' };
    const put = (name, file) =>
      allowed(this.outputs, bucket, 'PutObject', () => this.outputs.put(folder + name, file, sse));
    for (const file of this.files) await put(`${file.name}.out`, file.out.close());
    const { total, processed, success, error } = job.counts;
    const manifest = sim.store.create();
    manifest.line(
      JSON.stringify({
        totalRecordCount: total,
        processedRecordCount: processed,
        successRecordCount: success,
        errorRecordCount: error,
        inputTokenCount: this.spent[0],
        ...(job.model.embeds ? {} : { outputTokenCount: this.spent[1] }),
      }),
    );
    await put('manifest.json.out', manifest.close());
  }

  async breathe() {
    if (Date.now() < this.sliceEnd) return;
    await new Promise((done) => setImmediate(done));
    if (this.job.forgotten) throw new Error('forgotten');
    this.sliceEnd = Date.now() + SLICE_MS;
  }
}

module.exports = { Life };
