'use strict';
// The rules of request bodies of /v1/chat/completions and /v1/embeddings; those of /v1/responses
// stand in responses.js. A check returns null or
// {status, body} with OpenAI's error. No side effects.

const { isObject } = require('./params');
const { bad, badType, checked, unknownKeys, checkNumber } = require('./bad');
const responses = require('./responses');
const { strictViolation } = require('../schema');
const { tokens } = require('../text');

const CHAT_KEYS = new Set([
  'model',
  'messages',
  'max_completion_tokens',
  'max_tokens',
  'temperature',
  'top_p',
  'n',
  'stop',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'user',
  'seed',
  'response_format',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'stream',
  'stream_options',
  'store',
  'metadata',
  'logprobs',
  'top_logprobs',
  'reasoning_effort',
  'verbosity',
  'modalities',
  'audio',
  'prediction',
  'service_tier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'web_search_options',
  'functions',
  'function_call',
]);
const EMBEDDING_KEYS = new Set(['model', 'input', 'dimensions', 'encoding_format', 'user']);
const MESSAGE_KEYS = new Set([
  'role',
  'content',
  'name',
  'refusal',
  'tool_calls',
  'tool_call_id',
  'audio',
  'function_call',
  'annotations',
]);
const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'];
const PARTS = {
  text: 'text',
  image_url: 'image_url',
  input_audio: 'input_audio',
  file: 'file',
  refusal: 'refusal',
};
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'];
const RANGES = {
  temperature: [0, 2],
  top_p: [0, 1],
  presence_penalty: [-2, 2],
  frequency_penalty: [-2, 2],
};
const COUNTS = {
  max_completion_tokens: [1, 1e6],
  max_tokens: [1, 1e6],
  n: [1, 128],
  top_logprobs: [0, 20],
};

function chat(body, model) {
  unknownKeys(body, CHAT_KEYS);
  if (model.kind !== 'chat' || model.only)
    bad(
      'model',
      'This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did ' +
        'you mean to use v1/embeddings?',
      null,
    );
  checkMessages(body.messages);
  if (body.stream)
    bad(
      'stream',
      'Streaming is not supported by this simulator, nor in batches.',
      'unsupported_value',
    );
  for (const [key, [low, high]] of Object.entries(RANGES)) checkNumber(body, key, low, high, false);
  for (const [key, [low, high]] of Object.entries(COUNTS)) checkNumber(body, key, low, high, true);
  if (body.max_tokens != null && body.max_completion_tokens != null)
    bad(
      'max_tokens',
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      'invalid_parameter_combination',
    );
  checkReasoning(body, model);
  checkFormat(body);
  const size = promptTokens(body);
  if (size > model.context)
    bad(
      'messages',
      `This model's maximum context length is ${model.context} tokens. However, your messages ` +
        `resulted in ${size} tokens. Please reduce the length of the messages.`,
      'context_length_exceeded',
    );
}

// Reasoning models refuse max_tokens always, and sampling settings unless their effort is none.
function checkReasoning(body, model) {
  const effort = body.reasoning_effort == null ? model.effort : body.reasoning_effort;
  if (body.reasoning_effort != null && !model.reasoning)
    bad('reasoning_effort', 'Unrecognized request argument supplied: reasoning_effort', null);
  if (effort !== undefined && !EFFORTS.includes(effort))
    bad(
      'reasoning_effort',
      `Invalid value: '${effort}'. Supported values are: ` +
        `${EFFORTS.map((e) => `'${e}'`).join(', ')}.`,
    );
  if (effort === 'none' && model.effort !== 'none')
    bad(
      'reasoning_effort',
      "Unsupported value: 'reasoning_effort' does not support 'none' with this model.",
      'unsupported_value',
    );
  if (!model.reasoning) return;
  if (body.max_tokens != null)
    bad(
      'max_tokens',
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use " +
        "'max_completion_tokens' instead.",
      'unsupported_parameter',
    );
  if (effort === 'none') return;
  for (const key of ['temperature', 'top_p']) {
    if (body[key] != null && body[key] !== 1)
      bad(
        key,
        `Unsupported value: '${key}' does not support ${body[key]} with this model. Only the ` +
          'default (1) value is supported.',
        'unsupported_value',
      );
  }
}

function checkMessages(messages) {
  if (messages === undefined)
    bad('messages', "Missing required parameter: 'messages'.", 'missing_required_parameter');
  if (!Array.isArray(messages)) badType('messages', 'an array of objects', messages);
  if (!messages.length)
    bad(
      'messages',
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an " +
        'empty array instead.',
      'empty_array',
    );
  messages.forEach((m, i) => checkMessage(m, `messages[${i}]`));
}

function checkMessage(m, at) {
  if (!isObject(m)) badType(at, 'an object', m);
  const extra = Object.keys(m).find((k) => !MESSAGE_KEYS.has(k));
  if (extra !== undefined)
    bad(`${at}.${extra}`, `Unknown parameter: '${at}.${extra}'.`, 'unknown_parameter');
  if (m.role === undefined)
    bad(`${at}.role`, `Missing required parameter: '${at}.role'.`, 'missing_required_parameter');
  if (!ROLES.includes(m.role))
    bad(
      `${at}.role`,
      `Invalid value: '${m.role}'. Supported values are: ${ROLES.map((r) => `'${r}'`).join(', ')}.`,
    );
  if (typeof m.content === 'string') return;
  if (
    (m.content === null || m.content === undefined) &&
    m.role === 'assistant' &&
    (m.tool_calls || m.refusal)
  )
    return;
  if (m.content === undefined)
    bad(
      `${at}.content`,
      `Missing required parameter: '${at}.content'.`,
      'missing_required_parameter',
    );
  if (!Array.isArray(m.content))
    bad(
      `${at}.content`,
      "Invalid value for 'content': expected a string, got " +
        `${m.content === null ? 'null' : typeof m.content}.`,
      null,
    );
  if (!m.content.length)
    bad(`${at}.content`, `Invalid '${at}.content': empty array.`, 'empty_array');
  m.content.forEach((part, i) => checkPart(part, `${at}.content[${i}]`));
}

function checkPart(part, at) {
  if (!isObject(part)) badType(at, 'an object', part);
  const key = PARTS[part.type];
  if (!key)
    bad(
      `${at}.type`,
      `Invalid value: '${part.type}'. Supported values are: ${Object.keys(PARTS)
        .map((p) => `'${p}'`)
        .join(', ')}.`,
    );
  if (part[key] === undefined)
    bad(
      `${at}.${key}`,
      `Missing required parameter: '${at}.${key}'.`,
      'missing_required_parameter',
    );
  if (part.type === 'text' && typeof part.text !== 'string')
    badType(`${at}.text`, 'a string', part.text);
  if (part.type === 'image_url' && typeof part.image_url.url !== 'string')
    bad(`${at}.image_url`, `Invalid '${at}.image_url'.`);
}

function checkFormat(body) {
  const format = body.response_format;
  if (format === undefined || format === null) return;
  if (!isObject(format)) badType('response_format', 'an object', format);
  if (!['text', 'json_object', 'json_schema'].includes(format.type))
    bad(
      'response_format.type',
      `Invalid value: '${format.type}'. Supported values are: 'json_object', 'json_schema', and ` +
        "'text'.",
    );
  const known = format.type === 'json_schema' ? ['type', 'json_schema'] : ['type'];
  const extra = Object.keys(format).find((k) => !known.includes(k));
  if (extra !== undefined)
    bad(
      `response_format.${extra}`,
      `Unknown parameter: 'response_format.${extra}'.`,
      'unknown_parameter',
    );
  if (format.type === 'json_schema') checkJsonSchema(format.json_schema);
  if (format.type === 'json_object' && !/json/i.test(JSON.stringify(body.messages)))
    bad(
      'messages',
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type " +
        "'json_object'.",
      null,
    );
}

function checkJsonSchema(spec) {
  const at = 'response_format.json_schema';
  if (!isObject(spec))
    bad(at, `Missing required parameter: '${at}'.`, 'missing_required_parameter');
  const extra = Object.keys(spec).find(
    (k) => !['name', 'description', 'schema', 'strict'].includes(k),
  );
  if (extra !== undefined)
    bad(`${at}.${extra}`, `Unknown parameter: '${at}.${extra}'.`, 'unknown_parameter');
  if (spec.name === undefined)
    bad(`${at}.name`, `Missing required parameter: '${at}.name'.`, 'missing_required_parameter');
  if (typeof spec.name !== 'string' || !/^[a-zA-Z0-9_-]+$/.test(spec.name))
    bad(
      `${at}.name`,
      `Invalid '${at}.name': string does not match pattern. Expected a string that matches the ` +
        "pattern '^[a-zA-Z0-9_-]+$'.",
    );
  if (spec.name.length > 64)
    bad(
      `${at}.name`,
      `Invalid '${at}.name': string too long. Expected a string with maximum length 64.`,
      'string_above_max_length',
    );
  if (spec.strict !== undefined && spec.strict !== null && typeof spec.strict !== 'boolean')
    badType(`${at}.strict`, 'a boolean', spec.strict);
  if (spec.schema !== undefined && !isObject(spec.schema))
    badType(`${at}.schema`, 'an object', spec.schema);
  if (spec.strict && spec.schema === undefined)
    bad(
      `${at}.schema`,
      `Missing required parameter: '${at}.schema'.`,
      'missing_required_parameter',
    );
  const why = spec.strict ? strictViolation(spec.schema) : null;
  if (why)
    bad('response_format', `Invalid schema for response_format '${spec.name}': ${why}`, null);
}

function embeddings(body, model) {
  unknownKeys(body, EMBEDDING_KEYS);
  if (model.kind !== 'embedding')
    bad('model', 'You are not allowed to generate embeddings from this model', null);
  if (body.input === undefined)
    bad('input', "Missing required parameter: 'input'.", 'missing_required_parameter');
  const inputs = embeddingInputs(body.input);
  if (!inputs || !inputs.length || inputs.some((i) => !i.length))
    bad(
      'input',
      "'$.input' is invalid. Please check the API reference: " +
        'https://platform.openai.com/docs/api-reference.',
      null,
    );
  if (inputs.length > 2048)
    bad(
      'input',
      "Invalid 'input': array too long. Expected an array with maximum length 2048, but got an " +
        `array with length ${inputs.length} instead.`,
      'array_above_max_length',
    );
  const sizes = inputs.map(inputTokens);
  const long = sizes.find((n) => n > 8192);
  if (long)
    bad(
      'input',
      `This model's maximum context length is 8192 tokens, however you requested ${long} tokens ` +
        `(${long} in your prompt; 0 for the completion). Please reduce your prompt; or ` +
        'completion ' +
        'length.',
      null,
    );
  if (sizes.reduce((a, b) => a + b, 0) > 300000)
    bad('input', 'Requested more than max 300000 tokens per request.', 'max_tokens_per_request');
  if (body.encoding_format != null && !['float', 'base64'].includes(body.encoding_format))
    bad(
      'encoding_format',
      `Invalid value: '${body.encoding_format}'. Supported values are: 'float' and 'base64'.`,
    );
  checkNumber(body, 'dimensions', 1, model.dimensions, true);
}

// The inputs as a list of texts or token lists; null if of no known form.
function embeddingInputs(input) {
  if (typeof input === 'string') return [input];
  if (!Array.isArray(input)) return null;
  if (input.every(Number.isInteger)) return input.length ? [input] : null;
  const fine =
    input.every((i) => typeof i === 'string') ||
    input.every((i) => Array.isArray(i) && i.every(Number.isInteger));
  return fine ? input : null;
}

const inputTokens = (input) => (typeof input === 'string' ? tokens(input) : input.length);

const partText = (part) => (part && typeof part.text === 'string' ? part.text : '');
const textOf = (content) =>
  typeof content === 'string'
    ? content
    : Array.isArray(content)
      ? content.map(partText).join('\n')
      : '';

// Messages, or a response's input that is a list of items; else null.
function itemsOf(body) {
  const list = [body.messages, body.input].find(Array.isArray);
  return list && (list === body.messages || list.some(isObject)) ? list.filter(isObject) : null;
}

// What the model is asked: the last user content, or the embedding inputs, as one text.
function questionOf(body) {
  const items = itemsOf(body);
  if (items) {
    const last = items.filter((m) => m.role === 'user').pop();
    return last ? textOf(last.content) : '';
  }
  return typeof body.input === 'string'
    ? body.input
    : Array.isArray(body.input)
      ? body.input.filter((i) => typeof i === 'string').join('\n')
      : '';
}

// The schema of an answer is a part of the prompt.
function schemaTokens(body) {
  const asked = body.response_format || (body.text || {}).format || {};
  const schema = (asked.json_schema || asked).schema;
  return schema ? tokens(JSON.stringify(schema)) : 0;
}

// Never throws, whatever the body.
const promptTokens = (body) => schemaTokens(body) + textTokens(body);

// The texts, and a few tokens for each message.
function textTokens(body) {
  const items = Array.isArray(body.messages) ? body.messages : itemsOf(body);
  const told = typeof body.instructions === 'string' ? 4 + tokens(body.instructions) : 0;
  if (items)
    return items.reduce((n, m) => n + 4 + (isObject(m) ? tokens(textOf(m.content)) : 0), 3 + told);
  if (told) return 7 + told + (typeof body.input === 'string' ? tokens(body.input) : 0);
  return (embeddingInputs(body.input) || []).reduce((n, i) => n + inputTokens(i), 0);
}

const CHECKS = {
  '/v1/chat/completions': chat,
  '/v1/embeddings': embeddings,
  '/v1/responses': responses.check,
};
const checkBody = (endpoint, body, model) => checked(CHECKS[endpoint], body, model);

module.exports = { checkBody, embeddingInputs, inputTokens, questionOf, promptTokens };
