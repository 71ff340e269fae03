'use strict';
// Runs one request, batched or not: rules, directives, the model's answer. Bills what succeeded.

const { errorOf, usualError } = require('./errors');
const { findModel } = require('./models');
const { checkBody, questionOf } = require('./bodies');
const { account } = require('./cache');
const { isObject } = require('./params');
const directives = require('../directives');
const model = require('../model');
const { sha256, tokens, cutBytes } = require('../text');

const OWN = new Set(['pause_turn', 'context_window', 'thinking', 'blocks', 'tool_use']);
const THINKING_TOKENS = 64;
const MAX_BIG = 64 * 1024 * 1024;
const ENDS = { expired: 'expired', cancelled: 'canceled' };

// how: {version, betas, batched}; origin: {batch_id, custom_id}, nulls for realtime. Returns {type,
// asked, and one of message, error (an ErrorResponse) with its status}; asked = the directives.
function run(sim, state, params, how, origin) {
  const question = questionOf(params);
  let asked;
  try {
    asked = directives.parse(question, OWN);
  } catch (error) {
    return failed(400, errorOf(400, error.message), new Map());
  }
  const error = errorInstead(state, params, how, question, asked);
  if (error) return failed(...error, asked);
  const end = Object.keys(ENDS).find((name) => asked.has(name));
  if (end) return { type: ENDS[end], asked };
  const message = answer(sim, state, params, how, question, asked);
  directives.recount(asked, message.usage);
  bill(sim, params, message.usage, question, origin);
  return { type: 'succeeded', message, asked };
}

const failed = (status, error, asked) => ({ type: 'errored', status, error, asked });

// [status, error] instead of an answer, or null.
function errorInstead(state, params, how, question, asked) {
  if (typeof params.model !== 'string')
    return [
      400,
      errorOf(
        400,
        'model: ' +
          `${params.model === undefined ? 'Field required' : 'Input should be a valid string'}`,
      ),
    ];
  const known = findModel(params.model);
  if (!known) return [404, errorOf(404, `model: ${params.model}`)];
  const broken = checkBody(params, known, how);
  if (broken) return [broken.status, errorOf(broken.status, broken.message)];
  if (asked.has('timeout')) return [504, usualError(504)];
  if (asked.has('status0')) return [500, usualError(500)];
  if (asked.has('error')) return askedError(asked.get('error'));
  if (
    asked.has('fail_times') &&
    stillFailing(state, params.model, question, Number(asked.get('fail_times')))
  )
    return [500, usualError(500)];
  return null;
}

// "529", "429:enforced_spend_limit_reached", "500:overloaded_error"
function askedError(arg) {
  const [status, code] = arg.split(':');
  return [Number(status) || 500, usualError(Number(status) || 500, code)];
}

function stillFailing(state, name, question, times) {
  const key = `${name}\n${question}`;
  const attempts = (state.attempts.get(key) || 0) + 1;
  state.attempts.set(key, attempts);
  return attempts <= times;
}

function bill(sim, params, usage, question, origin) {
  const [written, read] = [usage.cache_creation_input_tokens, usage.cache_read_input_tokens];
  sim.ledger.bill({
    ...origin,
    model: params.model,
    prompt_tokens: usage.input_tokens + written + read,
    cache_write_tokens: written,
    cached_tokens: read,
    completion_tokens: usage.output_tokens,
    content_sha256: sha256(question),
  });
}

function answer(sim, state, params, how, question, asked) {
  const known = findModel(params.model);
  const thought = thinks(params, known, asked) ? THINKING_TOKENS : 0;
  const spoken = limited(params, spokenOf(params, question, asked), thought);
  const shortest =
    sim.config.cache_min_tokens === null ? known.cacheMin : sim.config.cache_min_tokens;
  const used = account(state.cache, known.id, params, shortest);
  return {
    id: state.newId('msg_', 28),
    type: 'message',
    role: 'assistant',
    model: known.id,
    content: contentOf(state, spoken, thought, asked),
    stop_reason: spoken.reason,
    stop_sequence: spoken.sequence || null,
    stop_details: spoken.details || null,
    usage: usageOf(used, tokens(spoken.text) + thought, thought, how.batched),
  };
}

function thinks({ thinking = {} }, known, asked) {
  return (
    asked.has('thinking') ||
    known.always ||
    thinking.type === 'enabled' ||
    thinking.type === 'adaptive'
  );
}

// {text, reason, and where it applies details, tool}: as if no limit of tokens stood.
function spokenOf(params, question, asked) {
  if (asked.has('refusal')) return refusal(asked.get('refusal') || null);
  if (asked.has('content_filter')) return refusal('general_harms');
  if (asked.has('nochoices')) return { text: '', reason: 'end_turn', empty: true };
  if (asked.has('null_content')) return { text: '', reason: 'end_turn' };
  const tool = toolOf(params, asked);
  if (tool)
    return {
      text: JSON.stringify(
        JSON.parse(model.jsonAnswer(tool.input_schema, directives.strip(question))),
      ),
      reason: 'tool_use',
      tool,
    };
  const text = textOf(params, question, asked);
  const half = cutBytes(text, Math.max(1, Buffer.byteLength(text) >> 1));
  if (asked.has('length')) return { text: half, reason: 'max_tokens' };
  if (asked.has('context_window')) return { text: half, reason: 'model_context_window_exceeded' };
  return { text, reason: asked.has('pause_turn') ? 'pause_turn' : asked.get('stop') || 'end_turn' };
}

const refusal = (category) => ({
  text: '',
  reason: 'refusal',
  empty: true,
  details: { type: 'refusal', category, explanation: category && `Declined: ${category}.` },
});

// The tool that is called instead of speaking, or undefined.
function toolOf({ tools, tool_choice: choice }, asked) {
  if (asked.has('tool_use')) return (tools || [])[0] || { name: 'sim_tool', input_schema: null };
  if (!choice || !['any', 'tool'].includes(choice.type)) return undefined;
  return choice.type === 'any' ? tools[0] : tools.find((tool) => tool.name === choice.name);
}

function textOf(params, question, asked) {
  if (asked.has('say')) return asked.get('say');
  if (asked.has('json')) return asked.get('json');
  if (asked.has('nul')) return 'before\u0000after';
  if (asked.has('big')) return 'x'.repeat(Math.min(MAX_BIG, Number(asked.get('big')) || 0));
  const plain = directives.strip(question);
  const format = isObject(params.output_config) && params.output_config.format;
  return format ? model.jsonAnswer(format.schema, plain) : model.plainAnswer(plain);
}

// Ends the text at a stop sequence, and where max_tokens, which thinking counts against, is
// exceeded.
function limited(params, spoken, thought) {
  if (spoken.tool || spoken.empty) return spoken;
  const stops = (params.stop_sequences || [])
    .map((sequence) => [spoken.text.indexOf(sequence), sequence])
    .filter(([at]) => at >= 0)
    .sort(([a], [b]) => a - b);
  const stopped = stops.length
    ? {
        ...spoken,
        text: spoken.text.slice(0, stops[0][0]),
        reason: 'stop_sequence',
        sequence: stops[0][1],
      }
    : spoken;
  if (tokens(stopped.text) + thought <= params.max_tokens) return stopped;
  return {
    text: cutBytes(stopped.text, Math.max(0, params.max_tokens - thought) * 4),
    reason: 'max_tokens',
  };
}

const textBlock = (text) => ({ type: 'text', text, citations: null });

function contentOf(state, spoken, thought, asked) {
  const before = thought
    ? [
        { type: 'thinking', thinking: 'The question is considered.', signature: 'c2ltdWxhdGVk' },
        { type: 'redacted_thinking', data: 'c2ltdWxhdGVk' },
      ]
    : [];
  if (spoken.empty) return before;
  if (spoken.tool)
    return [
      ...before,
      {
        type: 'tool_use',
        id: state.newId('toolu_', 28),
        name: spoken.tool.name,
        input: JSON.parse(spoken.text),
      },
    ];
  if (!asked.has('blocks')) return [...before, textBlock(spoken.text)];
  const half = cutBytes(spoken.text, Buffer.byteLength(spoken.text) >> 1);
  return [
    ...before,
    textBlock(half),
    { type: 'server_tool_use', id: 'srvtoolu_sim', name: 'web_search', input: { query: 'sim' } },
    { type: 'sim_future_block', text: 'not part of the answer' },
    textBlock(spoken.text.slice(half.length)),
  ];
}

const usageOf = ({ input, read, written }, output, thought, batched) => ({
  input_tokens: input,
  cache_creation_input_tokens: written['5m'] + written['1h'],
  cache_read_input_tokens: read,
  cache_creation: {
    ephemeral_5m_input_tokens: written['5m'],
    ephemeral_1h_input_tokens: written['1h'],
  },
  output_tokens: output,
  output_tokens_details: { thinking_tokens: thought },
  server_tool_use: null,
  service_tier: batched ? 'batch' : 'standard',
  inference_geo: 'global',
});

module.exports = { run };
