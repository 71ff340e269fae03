// Drives the simulator with Anthropic's official client, of both lines: 0.x (2023-06-01, x-api-key)
// and 1.x (2026-10-21, bearer). Every operation, the error classes, a whole batch. Prints TAP.

import { call, startSim, Tap, until } from '../sim/harness.mjs';

for (const name of Object.keys(process.env))
  if (name.startsWith('ANTHROPIC_')) delete process.env[name];
const clients = {
  '0.x': (await import('@anthropic-ai/sdk')).default,
  '1.x': (await import('anthropic-sdk-1')).default,
};

const tap = new Tap();
const sim = await startSim(['--api-key', 'sk-sim', '--batch-seconds', '0.2']);
const control = (name, value) =>
  call(sim, 'POST', `/_sim/${name}`, { body: JSON.stringify(value) });
const logged = async () => JSON.parse((await call(sim, 'GET', '/_sim/requests')).body).pop();
const BATCHES = { method: 'POST', path_regex: '/batches$' };

const params = (content, more = {}) => ({
  model: 'claude-haiku-5-5',
  max_tokens: 256,
  messages: [{ role: 'user', content }],
  ...more,
});
const request = (id, content, more) => ({ custom_id: id, params: params(content, more) });

// The tests of one line of the client.
class Line {
  constructor(name, Client) {
    Object.assign(this, { name, Client, old: name === '0.x' });
    this.client = this.connect('sk-sim');
    this.batches = this.client.messages.batches;
  }

  connect(apiKey, maxRetries = 0, prefix = '') {
    return new this.Client({
      apiKey,
      maxRetries,
      baseURL: `http://127.0.0.1:${sim.port}${prefix}`,
      logLevel: 'off',
    });
  }

  ok(condition, name, shown) {
    tap.ok(condition, `${this.name}: ${name}`, shown);
  }

  is(got, wanted, name) {
    tap.is(got, wanted, `${this.name}: ${name}`);
  }

  async throws(promise, Kind, name, more = () => true) {
    const error = await promise.then(
      () => null,
      (e) => e,
    );
    this.ok(error instanceof this.Client[Kind] && more(error), `${name}: ${Kind}`, String(error));
  }

  ended(id, batches = this.batches) {
    return until(async () => {
      const batch = await batches.retrieve(id);
      return batch.processing_status === 'ended' && batch;
    }, `batch ${id} to end`);
  }

  async results(id, batches = this.batches) {
    const found = {};
    for await (const line of await batches.results(id)) found[line.custom_id] = line.result;
    return found;
  }

  async testBatch() {
    const schema = {
      type: 'object',
      properties: { label: { type: 'string', enum: ['bug', 'other'] } },
      required: ['label'],
      additionalProperties: false,
    };
    const made = await this.batches.create({
      requests: [
        request('one', 'plain'),
        request('two', 'This is a bug', {
          output_config: { format: { type: 'json_schema', schema } },
        }),
        request('three', 'x', { max_tokens: 0 }),
        request('four', '[[sim:expired]]'),
        request('five', '[[sim:refusal=bio]]'),
      ],
    });
    const sent = await logged();
    this.is(
      [
        sent.headers['anthropic-version'],
        'x-api-key' in sent.headers,
        'authorization' in sent.headers,
      ],
      this.old ? ['2023-06-01', true, false] : ['2026-10-21', false, true],
      'version and key',
    );
    this.ok(
      made.type === 'message_batch' &&
        made.processing_status === 'in_progress' &&
        made.results_url === null &&
        made._request_id.startsWith('req_'),
      'batches.create',
      made,
    );
    this.is(
      made.request_counts,
      { processing: 5, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
      'counts of a new batch',
    );
    const batch = await this.ended(made.id);
    this.is(
      batch.request_counts,
      { processing: 0, succeeded: 3, errored: 1, canceled: 0, expired: 1 },
      'counts of an ended batch',
    );
    const found = await this.results(made.id);
    this.is(
      (await logged()).headers.accept,
      'application/binary',
      'results are asked for as binary',
    );
    this.is(
      [Object.keys(found).sort(), JSON.parse(found.two.message.content[0].text)],
      [['five', 'four', 'one', 'three', 'two'], { label: 'bug' }],
      'batches.results; structured output',
    );
    this.ok(
      found.one.type === 'succeeded' &&
        found.one.message.stop_reason === 'end_turn' &&
        found.one.message.usage.service_tier === 'batch',
      'a succeeded line',
      found.one,
    );
    this.ok(
      found.three.type === 'errored' && found.three.error.error.type === 'invalid_request_error',
      'an errored line, nested twice',
      found.three,
    );
    this.is(
      [found.four.type, found.five.message.stop_reason, found.five.message.stop_details.category],
      ['expired', 'refusal', 'bio'],
      'expired and refused lines',
    );
    this.is(
      await this.batches.delete(made.id),
      { id: made.id, type: 'message_batch_deleted' },
      'batches.delete',
    );
    await this.throws(
      this.batches.retrieve(made.id),
      'NotFoundError',
      'batches.retrieve of a deleted batch',
    );
  }

  // Sampling parameters are the old version's.
  async testVersion() {
    const { id } = await this.batches.create({
      requests: [request('warm', 'x', { model: 'claude-haiku-4-5', temperature: 0 })],
    });
    await this.ended(id);
    this.is(
      (await this.results(id)).warm.type,
      this.old ? 'succeeded' : 'errored',
      'temperature in a batch',
    );
    const alone = this.client.messages.create(
      params('x', { model: 'claude-haiku-4-5', temperature: 0 }),
    );
    if (this.old) this.is((await alone).stop_reason, 'end_turn', 'temperature alone');
    else await this.throws(alone, 'BadRequestError', 'temperature alone');
  }

  async testBeta() {
    const beta = this.client.beta.messages.batches;
    const { id } = await beta.create({
      betas: ['output-300k-2026-03-24'],
      requests: [request('long', 'x', { model: 'claude-opus-5', max_tokens: 300000 })],
    });
    await this.ended(id, beta);
    this.is(
      (await this.results(id, beta)).long.type,
      'succeeded',
      'the beta path, with its header',
    );
  }

  async testPrefix() {
    const { batches } = this.connect('sk-sim', 0, '/anthropic').messages;
    const { id } = await batches.create({ requests: [request('a', 'x')] });
    await this.ended(id, batches);
    this.is(
      [(await this.results(id, batches)).a.type, (await logged()).path],
      ['succeeded', `/anthropic/v1/messages/batches/${id}/results`],
      'a base URL with a path',
    );
  }

  async testLists() {
    const ids = [];
    for (let i = 0; i < 3; i += 1)
      ids.unshift((await this.batches.create({ requests: [request('a', 'x')] })).id);
    const first = await this.batches.list({ limit: 2 });
    this.ok(
      first.data.length === 2 &&
        first.hasNextPage() &&
        first.data[0].id === ids[0] &&
        first.last_id === ids[1],
      'batches.list, newest first',
    );
    const all = [];
    for await (const batch of this.batches.list({ limit: 1 })) all.push(batch.id);
    this.ok(JSON.stringify(all) === JSON.stringify(ids), 'batches.list pages through', all);
    const newer = [];
    for await (const batch of this.batches.list({ limit: 1, before_id: ids[2] }))
      newer.push(batch.id);
    this.is(newer, [ids[1], ids[0]], 'and the other way');
    await this.throws(this.batches.list({ limit: 1001 }), 'BadRequestError', 'limit');
    const models = [];
    for await (const model of this.client.models.list({ limit: 3 })) models.push(model.id);
    this.ok(
      models.includes('claude-haiku-5-5') && models.length > 6,
      'models.list pages through',
      models,
    );
    this.is(
      (await this.client.models.retrieve('claude-haiku-5-5')).display_name,
      'Claude Haiku 5.5',
      'models.retrieve',
    );
  }

  async testCancel() {
    await control('faults', { match: BATCHES, action: { batch_outcome: 'in_progress_forever' } });
    const { id } = await this.batches.create({
      requests: [1, 2, 3, 4].map((n) => request(`r${n}`, `x ${n}`)),
    });
    await until(
      async () =>
        JSON.parse((await call(sim, 'GET', `/_sim/entries?batch_id=${id}`)).body).length === 2,
      'half of it to run',
    );
    await this.throws(this.batches.results(id), 'AnthropicError', 'batches.results before the end');
    await this.throws(this.batches.delete(id), 'BadRequestError', 'batches.delete before the end');
    const asked = await this.batches.cancel(id);
    this.ok(
      asked.processing_status === 'canceling' && asked.cancel_initiated_at,
      'batches.cancel',
      asked,
    );
    this.is(
      (await this.ended(id)).request_counts,
      { processing: 0, succeeded: 2, errored: 0, canceled: 2, expired: 0 },
      'finished requests are kept',
    );
    this.is(
      Object.values(await this.results(id))
        .map((r) => r.type)
        .sort(),
      ['canceled', 'canceled', 'succeeded', 'succeeded'],
      'their lines',
    );
  }

  async testRealtime() {
    const answer = await this.client.messages.create(params('Say hi'));
    this.ok(
      answer.type === 'message' &&
        answer.content[0].type === 'text' &&
        answer.usage.input_tokens > 0 &&
        answer.usage.service_tier === 'standard' &&
        answer._request_id,
      'messages.create',
      answer,
    );
    this.ok(
      (
        await this.client.messages.countTokens({
          model: 'claude-haiku-5-5',
          messages: [{ role: 'user', content: 'Say hi' }],
        })
      ).input_tokens > 0,
      'messages.countTokens',
    );
    const thought = await this.client.messages.create(
      params('Say hi', { thinking: { type: 'adaptive' } }),
    );
    this.is(
      thought.content.map((b) => b.type),
      ['thinking', 'redacted_thinking', 'text'],
      'adaptive thinking',
    );
  }

  async testErrors() {
    await this.throws(
      this.connect('sk-bad').models.list(),
      'AuthenticationError',
      'wrong key',
      (e) => e.status === 401 && e.error.error.type === 'authentication_error',
    );
    await this.throws(this.client.models.retrieve('claude-0'), 'NotFoundError', 'unknown model');
    await this.throws(
      this.batches.retrieve('msgbatch_nope'),
      'NotFoundError',
      'unknown batch',
      (e) => e.requestID.startsWith('req_'),
    );
    await this.throws(this.batches.create({ requests: [] }), 'BadRequestError', 'no requests');
    await this.throws(
      this.batches.create({ requests: [request('a', 'x'), request('a', 'y')] }),
      'BadRequestError',
      'duplicate custom_id',
    );
    await this.throws(
      this.client.messages.create(params('x', { nonsense: 1 })),
      'BadRequestError',
      'unknown parameter',
    );
    await this.throws(
      this.client.messages.create(params('[[sim:error=529]]')),
      'InternalServerError',
      'overloaded',
      (e) => e.status === 529,
    );
    await control('faults', { match: BATCHES, action: { html: 413 } });
    await this.throws(
      this.batches.create({ requests: [request('a', 'x')] }),
      'APIError',
      'too large, without JSON',
      (e) => e.status === 413,
    );
    const models = { match: { path_regex: '/models$' } };
    await control('faults', {
      ...models,
      action: { status: 429, error_code: 'enforced_spend_limit_reached' },
    });
    await this.throws(
      this.client.models.list(),
      'RateLimitError',
      'spend limit',
      (e) => e.error.error.details.error_code === 'enforced_spend_limit_reached',
    );
    await control('faults', { ...models, action: { reset: 'before' } });
    await this.throws(this.client.models.list(), 'APIConnectionError', 'reset');
    await control('faults', {
      ...models,
      action: { status: 503, headers: { 'retry-after-ms': '20' } },
    });
    this.ok(
      (await this.connect('sk-sim', 1).models.list()).data.length > 0,
      'the client retries a 503',
    );
  }
}

for (const [name, Client] of Object.entries(clients)) {
  const line = new Line(name, Client);
  for (const test of [
    'testBatch',
    'testVersion',
    'testBeta',
    'testPrefix',
    'testLists',
    'testCancel',
    'testRealtime',
    'testErrors',
  ]) {
    await control('reset', {});
    await tap.group(`${name} ${test}`, () => line[test]());
  }
}
await sim.stop();
process.exit(tap.done());
