'use strict';
// Runs one request, batched or not: rules, directives, the model's answer. Bills what ran.

const { usualError, errorOf } = require('./errors');
const { cachedTokens } = require('./cache');
const { checkBody, embeddingInputs, inputTokens, questionOf, promptTokens } = require('./bodies');
const directives = require('../directives');
const model = require('../model');
const responses = require('./responses');
const { sha256, tokens, cutBytes } = require('../text');

const REASONING_TOKENS = 64;
const MAX_BIG = 64 * 1024 * 1024;
const RESPONSE_DIRECTIVES = new Set(['failed', 'call', 'items']);
const NOT_RUN = ['status0', 'expired', 'cancelled', 'timeout'];

// Returns {status, body, asked}: asked = the directives. origin: {batch_id, custom_id}, null for
// realtime.
function run(sim, state, endpoint, body, origin) {
  const question = questionOf(body);
  let asked;
  try {
    asked = directives.parse(
      question,
      endpoint === '/v1/responses' ? RESPONSE_DIRECTIVES : undefined,
    );
  } catch (error) {
    return { status: 400, body: errorOf(error.message), asked: new Map() };
  }
  const refused = refusalOf(state, endpoint, body, question, asked);
  if (refused) return { ...refused, asked };
  if (NOT_RUN.some((name) => asked.has(name))) return { status: 0, body: {}, asked };
  const answer = ANSWERS[endpoint](sim, state, body, question, asked);
  directives.recount(asked, answer.usage);
  bill(sim, body, answer.usage, question, origin);
  return { status: 200, body: answer, asked };
}

// The error instead of an answer, or null.
function refusalOf(state, endpoint, body, question, asked) {
  if (typeof body.model !== 'string')
    return { status: 400, body: errorOf('you must provide a model parameter') };
  const known = state.findModel(body.model);
  if (!known)
    return {
      status: 404,
      body: errorOf(`The model \`${body.model}\` does not exist or you do not have access to it.`, {
        code: 'model_not_found',
      }),
    };
  const broken = checkBody(endpoint, body, known);
  if (broken) return broken;
  if (asked.has('error')) return askedError(asked.get('error'));
  if (
    asked.has('fail_times') &&
    stillFailing(state, body.model, question, Number(asked.get('fail_times')))
  )
    return { status: 500, body: usualError(500) };
  return null;
}

// "429" or "429:insufficient_quota"
function askedError(arg) {
  const [status, code] = arg.split(':');
  return { status: Number(status) || 500, body: usualError(Number(status) || 500, code) };
}

function stillFailing(state, name, question, times) {
  const key = `${name}\n${question}`;
  const attempts = (state.attempts.get(key) || 0) + 1;
  state.attempts.set(key, attempts);
  return attempts <= times;
}

const cachedOf = (usage) =>
  (usage.prompt_tokens_details || usage.input_tokens_details || { cached_tokens: 0 }).cached_tokens;

function bill(sim, body, usage, question, origin) {
  const { batch_id, custom_id } = origin || { batch_id: null, custom_id: null };
  sim.ledger.bill({
    batch_id,
    custom_id,
    model: body.model,
    prompt_tokens: usage.prompt_tokens || usage.input_tokens,
    cached_tokens: cachedOf(usage),
    completion_tokens: usage.completion_tokens || usage.output_tokens || 0,
    content_sha256: sha256(question || JSON.stringify(body.input) || ''),
  });
}

function respond(state, body, question, asked) {
  const asChat = responses.asChat(body, state.findModel(body.model));
  const answer = chat(
    state,
    { ...asChat, input: body.input, instructions: body.instructions },
    question,
    asked,
  );
  return responses.fromChat(answer, body, asked, (prefix, length) => state.newId(prefix, length));
}

function chat(state, body, question, asked) {
  const known = state.findModel(body.model);
  const reasoning =
    known.reasoning && (body.reasoning_effort || known.effort) !== 'none' ? REASONING_TOKENS : 0;
  const count = asked.has('nochoices') ? 0 : body.n || 1;
  const choice = limited(
    answerOf(body, question, asked),
    body.max_completion_tokens || body.max_tokens,
    reasoning,
  );
  const spoken = choice.message.content || choice.message.refusal || '';
  const prompt = promptTokens(body);
  const cached = cachedTokens(state.prompts, state.sim.config.cached_prompts, body);
  return {
    id: state.newId('chatcmpl-', 29),
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: known.snapshot,
    choices: Array.from({ length: count }, (_, index) => ({ index, ...choice })),
    usage: chatUsage(
      prompt,
      Math.min(cached, prompt),
      tokens(spoken) * Math.max(1, count) + reasoning,
      reasoning,
    ),
    service_tier: 'default',
    system_fingerprint: null,
  };
}

// The choice without its index, as if no limit of tokens stood.
function answerOf(body, question, asked) {
  if (asked.has('refusal'))
    return choiceOf(null, 'stop', "I'm sorry, I cannot assist with that request.");
  if (asked.has('null_content')) return choiceOf(null, 'stop');
  if (asked.has('content_filter')) return choiceOf('', 'content_filter');
  const text = textOf(body, question, asked);
  return asked.has('length')
    ? choiceOf(cutBytes(text, Math.max(1, Buffer.byteLength(text) >> 1)), 'length')
    : choiceOf(text, asked.get('stop') || 'stop');
}

function textOf(body, question, asked) {
  if (asked.has('say')) return asked.get('say');
  if (asked.has('json')) return asked.get('json');
  if (asked.has('nul')) return 'before\u0000after';
  if (asked.has('big')) return 'x'.repeat(Math.min(MAX_BIG, Number(asked.get('big')) || 0));
  const plain = directives.strip(question);
  const format = (body.response_format || {}).type;
  if (format === 'json_schema')
    return model.jsonAnswer(body.response_format.json_schema.schema, plain);
  return format === 'json_object' ? model.jsonAnswer(null, plain) : model.plainAnswer(plain);
}

const choiceOf = (content, reason, refusal = null) => ({
  message: { role: 'assistant', content, refusal, annotations: [] },
  logprobs: null,
  finish_reason: reason,
});

// Cuts what exceeds max tokens; reasoning counts.
function limited(choice, max, reasoning) {
  const { content } = choice.message;
  if (!max || content === null || tokens(content) + reasoning <= max) return choice;
  return choiceOf(cutBytes(content, Math.max(0, max - reasoning) * 4), 'length');
}

const chatUsage = (prompt, cached, completion, reasoning) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: reasoning,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
});

function embed(sim, state, body, asked) {
  const known = state.findModel(body.model);
  const inputs = embeddingInputs(body.input);
  const vectorOf = (input) => {
    const text = typeof input === 'string' ? directives.strip(input) || input : input.join(' ');
    const vector = model.embedding(
      text,
      body.dimensions || known.dimensions,
      sim.config.dense_embeddings,
    );
    return body.encoding_format === 'base64' ? model.base64Floats(vector) : vector;
  };
  const used = inputs.reduce((n, i) => n + inputTokens(i), 0);
  return {
    object: 'list',
    data: asked.has('nochoices')
      ? []
      : inputs.map((input, index) => ({ object: 'embedding', index, embedding: vectorOf(input) })),
    model: known.snapshot,
    usage: { prompt_tokens: used, total_tokens: used },
  };
}

const ANSWERS = {
  '/v1/chat/completions': (sim, state, body, question, asked) => chat(state, body, question, asked),
  '/v1/responses': (sim, state, body, question, asked) => respond(state, body, question, asked),
  '/v1/embeddings': (sim, state, body, question, asked) => embed(sim, state, body, asked),
};

module.exports = { run };
