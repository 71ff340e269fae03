'use strict';
// The life of one batch by the clock of config.batch_seconds: a fifth pending, the rest running. Of
// a batch that expired or was cancelled nothing can be had.

const fs = require('fs');
const { CODES } = require('../errors');
const { embed } = require('../models/embed');
const { generate } = require('../models/generate');
const { questionOf, textOf } = require('../models/bodies');
const { Pace } = require('../pace');
const { isObject } = require('../params');
const { addFile, sinkOf } = require('./files');
const { linesOf, readAt } = require('../../openai/lines');
const { sha256, shuffled, tokens } = require('../../text');

const PARTIAL = ['cancelled', 'expired', 'in_progress_forever'];
const status = (name, message) => ({ code: CODES[name], message });

class Failure extends Error {}

class Life {
  constructor(sim, state, batch) {
    Object.assign(this, {
      sim,
      state,
      batch,
      spans: [],
      fd: fs.openSync(batch.data.path, 'r'),
      results: [],
      sink: null,
    });
    this.pace = new Pace(
      () => !batch.forgotten && !batch.cancelling,
      () => batch.forgotten,
    );
  }

  async live() {
    const { batch } = this;
    try {
      await this.scan();
      await this.pace.wait(this.sim.config.batch_seconds * 200);
      await this.work();
      if (!batch.forgotten) this.close();
    } catch (error) {
      if (error instanceof Failure) batch.end('FAILED', status('INVALID_ARGUMENT', error.message));
      else if (!batch.forgotten) process.stderr.write(`sim: batch ${batch.id}: ${error.stack}\n`);
    } finally {
      fs.closeSync(this.fd);
      if (!batch.file) this.sim.store.remove(batch.data);
      if (this.sink) this.sink.drop();
    }
  }

  async scan() {
    const { batch } = this;
    for (const { bytes, offset } of linesOf(this.fd)) {
      const text = bytes.toString();
      if (text.trim()) {
        checkLine(text, this.spans.length / 2 + 1);
        this.spans.push(offset, bytes.length);
      }
      await this.pace.breathe();
    }
    if (!this.spans.length) throw new Failure('The input file is empty.');
    batch.lines = this.spans.length / 2;
    if (batch.faults.outcome === 'failed')
      throw new Failure(((batch.faults.errors || [])[0] || {}).message || 'The batch failed.');
  }

  async work() {
    const { batch, pace, sim } = this;
    const { outcome, finished } = batch.faults;
    if (!pace.alive()) return;
    batch.enter('RUNNING');
    this.sink = sinkOf(sim);
    const order = sim.config.gemini_order === 'input' ? null : shuffled(batch.lines);
    const goal = PARTIAL.includes(outcome) ? Math.floor(batch.lines * finished) : batch.lines;
    await pace.run(
      goal,
      sim.config.batch_seconds * 800,
      (i) => this.one(order ? order[i] : i),
      outcome === 'in_progress_forever',
    );
  }

  one(index) {
    const { batch, sim } = this;
    const line = JSON.parse(
      readAt(this.fd, this.spans[2 * index], this.spans[2 * index + 1]).toString(),
    );
    const result = this.answer(line.request);
    const { asked } = result;
    if (result.none) return;
    batch.counts[result.error ? 'failed' : 'ok']++;
    if (result.error)
      return this.write(line, {
        error: { code: CODES[result.error.status] || CODES.UNKNOWN, message: result.error.message },
      });
    const { prompt, cached, completion } = result.spent;
    const name = line.key || (isObject(line.metadata) ? line.metadata.key : undefined) || null;
    sim.ledger.bill({
      batch_id: batch.id,
      custom_id: name,
      model: batch.model.id,
      prompt_tokens: prompt,
      cached_tokens: cached,
      completion_tokens: completion,
      content_sha256: sha256(result.question),
    });
    return this.spoilt(
      line,
      asked,
      {
        response: result.response || {
          embedding: { values: result.values },
          usageMetadata: { promptTokenCount: prompt },
        },
      },
      index,
    );
  }

  answer(request) {
    const { batch, sim, state } = this;
    if (batch.what === 'GenerateContent')
      return generate({
        request,
        model: batch.model,
        service: 'developer',
        attempts: state.attempts,
      });
    return embed({
      request,
      model: batch.model,
      attempts: state.attempts,
      how: { shape: 'developer', dense: sim.config.dense_embeddings },
    });
  }

  // The good line, and what the directives make of it.
  spoilt(line, asked, good, index) {
    if (asked.has('missing')) return;
    this.write(line, good, asked.has('badjson'));
    if (asked.has('duplicate')) this.write(line, good);
    if (asked.has('both'))
      this.write(line, { error: status('INTERNAL', 'Internal error encountered.') });
    if (asked.has('unknown'))
      this.write(
        {
          ...(line.metadata
            ? { metadata: { key: `sim-unknown-${index}` } }
            : { key: `sim-unknown-${index}` }),
        },
        good,
      );
  }

  write({ key, metadata }, outcome, broken = false) {
    const { batch } = this;
    if (!batch.file)
      return this.results.push({ ...outcome, ...(metadata === undefined ? {} : { metadata }) });
    const text = JSON.stringify({ ...(key === undefined ? {} : { key }), ...outcome });
    return this.sink.line(broken ? text.slice(0, 60) : text);
  }

  close() {
    const { batch } = this;
    if (batch.cancelling || batch.faults.outcome === 'cancelled')
      return batch.end('CANCELLED', status('CANCELLED', 'The batch was cancelled.'));
    if (batch.faults.outcome === 'expired')
      return batch.end('EXPIRED', status('DEADLINE_EXCEEDED', 'The batch expired.'));
    this.publish();
    return batch.end('SUCCEEDED');
  }

  publish() {
    const { batch, sink, results, state } = this;
    if (!batch.file) {
      batch.output = () => ({ inlinedResponses: { inlinedResponses: results } });
      return;
    }
    const { id } = addFile(state, `batch-${batch.id}`, sink, {
      project: batch.project,
      type: 'application/jsonl',
      source: 'GENERATED',
    });
    this.sink = null;
    batch.outputFile = `files/${id}`;
    batch.output = () => ({ responsesFile: batch.outputFile });
  }
}

function checkLine(text, number) {
  let line;
  try {
    line = JSON.parse(text);
  } catch {
    throw new Failure(`Line ${number} of the input file is not valid JSON.`);
  }
  if (!isObject(line) || text.includes('[[sim:invalid_line]]'))
    throw new Failure(`Line ${number} of the input file is not an object.`);
  if (!isObject(line.request))
    throw new Failure(`Line ${number} of the input file has no request.`);
  if (line.key !== undefined && typeof line.key !== 'string')
    throw new Failure(`The key of line ${number} of the input file is no text.`);
}

// Prompt tokens of an input, about. What is no line counts nothing.
function enqueuedTokens({ path }) {
  const fd = fs.openSync(path, 'r');
  try {
    let sum = 0;
    for (const { bytes } of linesOf(fd)) sum += tokensOf(bytes.toString());
    return sum;
  } finally {
    fs.closeSync(fd);
  }
}

function tokensOf(text) {
  try {
    const { request } = JSON.parse(text);
    return tokens(questionOf(request) || textOf(request.content));
  } catch {
    return 0;
  }
}

module.exports = { Life, enqueuedTokens };
