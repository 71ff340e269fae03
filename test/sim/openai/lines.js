'use strict';
// The lines of batch files: reading and judging input lines, rendering output and error lines.

const fs = require('fs');
const { isUtf8 } = require('buffer');
const { isObject } = require('./params');
const { embeddingInputs, promptTokens } = require('./bodies');

const BLOCK = 1 << 20;
const MAX_ERRORS = 100;
const LINE_KEYS = ['custom_id', 'method', 'url', 'body'];
const MAX_INPUTS = 50000;
const KIND = {
  '/v1/chat/completions': 'chat',
  '/v1/responses': 'chat',
  '/v1/embeddings': 'embedding',
};

// Yields {bytes, offset} for each line of the open file, without its newline. Memory: one line and
// one block.
function* linesOf(fd) {
  let carry = [];
  let start = 0;
  let at = 0;
  for (let block = readAt(fd, 0, BLOCK); block.length; block = readAt(fd, at, BLOCK)) {
    let from = 0;
    for (let nl = block.indexOf(10); nl >= 0; nl = block.indexOf(10, from)) {
      const bytes = carry.length
        ? Buffer.concat([...carry, block.subarray(from, nl)])
        : block.subarray(from, nl);
      yield { bytes, offset: start };
      carry = [];
      from = nl + 1;
      start = at + from;
    }
    if (from < block.length) carry.push(block.subarray(from));
    at += block.length;
  }
  if (carry.length) yield { bytes: Buffer.concat(carry), offset: start };
}

function readAt(fd, position, length) {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, fs.readSync(fd, buffer, 0, length, position));
}

// Judges lines one after another; afterwards has errors, model, tokens, and where each line lies.
class Judge {
  constructor(endpoint, maxLines, state) {
    Object.assign(this, {
      endpoint,
      maxLines,
      state,
      url: null,
      errors: [],
      seen: new Set(),
      model: null,
      tokens: 0,
      inputs: 0,
      spans: [],
    });
  }

  take({ bytes, offset }) {
    this.spans.push(offset, bytes.length);
    const error = this.wrong(bytes);
    if (error && this.errors.length < MAX_ERRORS) this.errors.push({ ...error, line: this.count });
  }

  get count() {
    return this.spans.length / 2;
  }

  // After the last line: what only the whole file shows.
  finish() {
    const whole = (code, message) => this.errors.push({ code, message, param: null, line: null });
    const wrong =
      this.model === null ? null : this.state.dialect.deployed(this.state.sim, this.model);
    if (wrong) this.errors.push(wrong);
    if (!this.count)
      whole(
        'empty_file',
        'The input file is empty. Please ensure that the batch contains at least one request.',
      );
    if (this.count > this.maxLines)
      whole(
        'too_many_tasks',
        `The number of requests in the batch file exceeds the maximum of ${this.maxLines}.`,
      );
    if (this.inputs > MAX_INPUTS)
      whole(
        'too_many_tasks',
        `The number of embedding inputs in the batch file exceeds the maximum of ${MAX_INPUTS}.`,
      );
  }

  wrong(bytes) {
    const line = parseLine(bytes);
    if (!isObject(line))
      return problem('invalid_json_line', 'This line is not parseable as valid JSON.');
    const missing = LINE_KEYS.find((key) => line[key] === undefined);
    if (missing)
      return problem(
        'missing_required_parameter',
        `Missing required parameter: '${missing}'.`,
        missing,
      );
    const extra = Object.keys(line).find((key) => !LINE_KEYS.includes(key));
    if (extra !== undefined)
      return problem('invalid_request', `Unknown parameter: '${extra}'.`, extra);
    return this.wrongId(line.custom_id) || this.wrongCall(line) || this.wrongModel(line.body);
  }

  wrongId(id) {
    if (typeof id !== 'string' || !id || id.length > 64)
      return problem(
        'invalid_request',
        'The custom_id must be a string of 1 to 64 characters.',
        'custom_id',
      );
    if (this.seen.has(id))
      return problem(
        'duplicate_custom_id',
        `The custom_id '${id}' for this request is a duplicate of another request. The custom_id ` +
          'parameter must be unique for each request in a batch.',
        'custom_id',
      );
    this.seen.add(id);
    return null;
  }

  wrongCall({ method, url, body }) {
    if (method !== 'POST')
      return problem(
        'invalid_method',
        `The method '${method}' is not supported. Only POST is supported.`,
        'method',
      );
    if (this.url === null) this.url = url;
    if (url !== this.url || !this.state.dialect.fits(this.state.dialect.urlOf(url), this.endpoint))
      return problem(
        'url_mismatch',
        'The URL provided for this request does not match the batch endpoint. (expected: ' +
          `${this.endpoint}, got: ${url})`,
        'url',
      );
    return isObject(body)
      ? null
      : problem('invalid_request', 'The body must be a JSON object.', 'body');
  }

  wrongModel(body) {
    if (typeof body.model !== 'string')
      return problem(
        'missing_required_parameter',
        "Missing required parameter: 'model'.",
        'body.model',
      );
    if (this.model === null) this.model = body.model;
    if (body.model !== this.model)
      return problem(
        'mismatched_model',
        'The model for this request does not match the rest of the batch. Each batch must ' +
          'contain requests for a single model.',
        'body.model',
      );
    const known = this.state.findModel(body.model);
    if (!known || known.kind !== KIND[this.endpoint])
      return problem('model_not_found', this.state.dialect.modelMissing(body.model), 'body.model');
    this.tokens += promptTokens(body);
    this.inputs += ((known.kind === 'embedding' && embeddingInputs(body.input)) || []).length;
    return null;
  }
}

const problem = (code, message, param = null) => ({ code, message, param });

// A BOM, a blank line, bytes that are no UTF-8, and the directive invalid_line are all no JSON.
function parseLine(bytes) {
  if (!isUtf8(bytes) || bytes.includes('[[sim:invalid_line')) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

const NOT_EXECUTED = {
  batch_expired: 'This request could not be executed before the completion window expired.',
  batch_cancelled: 'This request was not executed because the batch was cancelled.',
  request_timeout: 'The request timed out while being processed.',
};

const answeredLine = (id, requestId, customId, status, body) => ({
  id,
  custom_id: customId,
  response: { status_code: status, request_id: requestId, body },
  error: null,
});
const unexecutedLine = (id, customId, code) => ({
  id,
  custom_id: customId,
  response: null,
  error: { code, message: NOT_EXECUTED[code] },
});

// A failure as servers with one file write it: the words in "error", no body.
const plainLine = ({ response, error, ...rest }) => ({
  ...rest,
  response: response && { ...response, body: null },
  error: error ? error.message : (response.body.error || {}).message || 'failed',
});

module.exports = { linesOf, readAt, Judge, answeredLine, unexecutedLine, plainLine };
