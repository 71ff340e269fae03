'use strict';
// /v1/responses: the rules of its bodies, and the answer. What is asked is chat's (run.js); only
// the shapes are others. No side effects.

const { isObject } = require('./params');
const { strictViolation } = require('../schema');
const { bad, badType, checkNumber, unknownKeys } = require('./bad');

const KEYS = new Set([
  'model',
  'input',
  'instructions',
  'max_output_tokens',
  'max_tool_calls',
  'metadata',
  'parallel_tool_calls',
  'previous_response_id',
  'conversation',
  'prompt',
  'prompt_cache_key',
  'prompt_cache_retention',
  'reasoning',
  'safety_identifier',
  'service_tier',
  'store',
  'stream',
  'stream_options',
  'temperature',
  'text',
  'tool_choice',
  'tools',
  'top_logprobs',
  'top_p',
  'truncation',
  'user',
  'background',
  'include',
  'context_management',
]);
const MOVED = {
  messages: 'input',
  max_tokens: 'max_output_tokens',
  max_completion_tokens: 'max_output_tokens',
  response_format: 'text.format',
  reasoning_effort: 'reasoning.effort',
  verbosity: 'text.verbosity',
};
const ROLES = ['assistant', 'system', 'developer', 'user'];
const ITEMS = ['message', 'function_call', 'function_call_output', 'reasoning', 'item_reference'];
const PARTS = {
  input_text: 'text',
  input_image: null,
  input_file: null,
  output_text: 'text',
  refusal: 'refusal',
};
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'];

// Throws what is wrong with the body.
function check(body, model) {
  const moved = Object.keys(MOVED).find((key) => body[key] !== undefined);
  if (moved)
    bad(
      moved,
      `Unsupported parameter: '${moved}'. In the Responses API, this parameter has moved to ` +
        `'${MOVED[moved]}'. Try again with the new parameter.`,
      'unsupported_parameter',
    );
  unknownKeys(body, KEYS);
  if (model.kind !== 'chat')
    bad(
      'model',
      `The requested model '${model.id}' cannot be used with the Responses API.`,
      'unsupported_model',
    );
  if (body.stream)
    bad(
      'stream',
      'Streaming is not supported by this simulator, nor in batches.',
      'unsupported_value',
    );
  checkInput(body.input);
  if (body.instructions != null && typeof body.instructions !== 'string')
    badType('instructions', 'a string', body.instructions);
  if (body.store != null && typeof body.store !== 'boolean')
    badType('store', 'a boolean', body.store);
  checkNumber(body, 'max_output_tokens', 16, 1e6, true);
  checkNumber(body, 'temperature', 0, 2, false);
  checkNumber(body, 'top_p', 0, 1, false);
  checkReasoning(body, model);
  checkText(body.text);
}

function checkInput(input) {
  if (input === undefined)
    bad('input', "Missing required parameter: 'input'.", 'missing_required_parameter');
  if (typeof input === 'string') return;
  if (!Array.isArray(input)) badType('input', 'a string or an array of input items', input);
  if (!input.length) bad('input', "Invalid 'input': empty array.", 'empty_array');
  input.forEach((item, i) => checkItem(item, `input[${i}]`));
}

function checkItem(item, at) {
  if (!isObject(item)) badType(at, 'an input item', item);
  const type = item.type === undefined ? 'message' : item.type;
  if (!ITEMS.includes(type))
    bad(
      `${at}.type`,
      `Invalid value: '${type}'. Supported values are: ${ITEMS.map((t) => `'${t}'`).join(', ')}.`,
    );
  if (type !== 'message') return;
  if (!ROLES.includes(item.role))
    bad(
      `${at}.role`,
      `Invalid value: '${item.role}'. Supported values are: ` +
        `${ROLES.map((r) => `'${r}'`).join(', ')}.`,
    );
  if (item.tool_calls !== undefined)
    bad(`${at}.tool_calls`, `Unknown parameter: '${at}.tool_calls'.`, 'unknown_parameter');
  if (typeof item.content === 'string') return;
  if (!Array.isArray(item.content))
    badType(`${at}.content`, 'one of a string or array of objects', item.content);
  item.content.forEach((part, i) => checkPart(part, `${at}.content[${i}]`));
}

function checkPart(part, at) {
  if (!isObject(part)) badType(at, 'an object', part);
  if (!Object.hasOwn(PARTS, part.type))
    bad(
      `${at}.type`,
      `Invalid value: '${part.type}'. Supported values are: ${Object.keys(PARTS)
        .map((p) => `'${p}'`)
        .join(', ')}.`,
    );
  const key = PARTS[part.type];
  if (key && typeof part[key] !== 'string')
    bad(
      `${at}.${key}`,
      `Missing required parameter: '${at}.${key}'.`,
      'missing_required_parameter',
    );
  if (part.type === 'input_image' && part.image_url != null && typeof part.image_url !== 'string')
    badType(`${at}.image_url`, 'an image URL', part.image_url);
}

function checkReasoning(body, model) {
  const { reasoning } = body;
  if (reasoning != null && !isObject(reasoning)) badType('reasoning', 'an object', reasoning);
  if (reasoning != null && reasoning.effort != null && !model.reasoning)
    bad(
      'reasoning.effort',
      "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
      'unsupported_parameter',
    );
  const effort = effortOf(body, model);
  if (effort !== undefined && !EFFORTS.includes(effort))
    bad(
      'reasoning.effort',
      `Invalid value: '${effort}'. Supported values are: ` +
        `${EFFORTS.map((e) => `'${e}'`).join(', ')}.`,
    );
  if (!model.reasoning || effort === 'none') return;
  const key = ['temperature', 'top_p'].find((k) => body[k] != null);
  if (key)
    bad(
      key,
      `Unsupported parameter: '${key}' is not supported with this model.`,
      'unsupported_parameter',
    );
}

const effortOf = (body, model) =>
  isObject(body.reasoning) && body.reasoning.effort != null ? body.reasoning.effort : model.effort;

function checkText(text) {
  if (text === undefined || text === null) return;
  if (!isObject(text)) badType('text', 'an object', text);
  unknownMembers(text, ['format', 'verbosity'], 'text');
  const { format } = text;
  if (format === undefined || format === null) return;
  if (!isObject(format)) badType('text.format', 'an object', format);
  if (!['text', 'json_object', 'json_schema'].includes(format.type))
    bad(
      'text.format.type',
      `Invalid value: '${format.type}'. Supported values are: 'json_object', 'json_schema', and ` +
        "'text'.",
    );
  if (format.type !== 'json_schema') return;
  unknownMembers(format, ['type', 'name', 'description', 'schema', 'strict'], 'text.format');
  if (format.name === undefined)
    bad(
      'text.format.name',
      "Missing required parameter: 'text.format.name'.",
      'missing_required_parameter',
    );
  if (typeof format.name !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(format.name))
    bad(
      'text.format.name',
      "Invalid 'text.format.name': string does not match pattern. Expected a string that matches " +
        "the pattern '^[a-zA-Z0-9_-]+$'.",
    );
  if (!isObject(format.schema))
    bad(
      'text.format.schema',
      "Missing required parameter: 'text.format.schema'.",
      'missing_required_parameter',
    );
  const why = format.strict ? strictViolation(format.schema) : null;
  if (why)
    bad(
      'text.format.schema',
      `Invalid schema for response_format '${format.name}': ${why}`,
      'invalid_json_schema',
    );
}

function unknownMembers(object, known, at) {
  const extra = Object.keys(object).find((k) => !known.includes(k));
  if (extra !== undefined)
    bad(`${at}.${extra}`, `Unknown parameter: '${at}.${extra}'.`, 'unknown_parameter');
}

// What chat completions would be asked, as far as the answer depends on it.
function asChat(body, model) {
  const format = (body.text || {}).format;
  return {
    model: body.model,
    max_completion_tokens: body.max_output_tokens,
    reasoning_effort: model.reasoning ? effortOf(body, model) : undefined,
    ...(format && format.type === 'json_schema'
      ? { response_format: { type: 'json_schema', json_schema: format } }
      : format
        ? { response_format: format }
        : {}),
  };
}

const INCOMPLETE = { length: 'max_output_tokens', content_filter: 'content_filter' };

// The answer of chat completions as a response. asked: `failed`, `call` and `items` make other
// shapes of it.
function fromChat(answer, body, asked, newId) {
  const choice = answer.choices[0];
  const reason = choice && INCOMPLETE[choice.finish_reason];
  const error = asked.has('failed')
    ? {
        code: asked.get('failed') || 'server_error',
        message: 'The model failed to generate a response.',
      }
    : null;
  const {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: total,
    completion_tokens_details: details,
  } = answer.usage;
  return {
    id: newId('resp_', 50),
    object: 'response',
    created_at: answer.created,
    status: error ? 'failed' : reason ? 'incomplete' : 'completed',
    background: false,
    error,
    incomplete_details: reason ? { reason } : null,
    instructions: body.instructions || null,
    max_output_tokens: body.max_output_tokens || null,
    model: answer.model,
    output: error ? [] : outputOf(choice, details.reasoning_tokens, asked, newId),
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: (body.reasoning || {}).effort || null, summary: null },
    service_tier: 'default',
    store: body.store !== false,
    text: { format: { type: 'text' }, verbosity: 'medium', ...body.text },
    tool_choice: 'auto',
    tools: body.tools || [],
    truncation: 'disabled',
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: answer.usage.prompt_tokens_details.cached_tokens },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: details.reasoning_tokens },
      total_tokens: total,
    },
    user: null,
    metadata: body.metadata || {},
  };
}

function outputOf(choice, reasoned, asked, newId) {
  const thought =
    reasoned || asked.has('items')
      ? [
          {
            id: newId('rs_', 50),
            type: 'reasoning',
            summary: [{ type: 'summary_text', text: 'a thought' }],
          },
        ]
      : [];
  if (!choice) return thought;
  if (asked.has('call'))
    return [
      ...thought,
      {
        id: newId('fc_', 50),
        type: 'function_call',
        status: 'completed',
        call_id: newId('call_', 24),
        name: asked.get('call') || 'lookup',
        arguments: '{"q":1}',
      },
    ];
  const { content, refusal } = choice.message;
  if (refusal) return [...thought, message([{ type: 'refusal', refusal }], newId)];
  if (content === null) return thought;
  const text = (part) => ({ type: 'output_text', annotations: [], logprobs: [], text: part });
  if (!asked.has('items')) return [...thought, message([text(content)], newId)];
  const half = content.length >> 1;
  return [
    ...thought,
    message([text('I look it up.')], newId, 'commentary'),
    {
      id: newId('ws_', 50),
      type: 'web_search_call',
      status: 'completed',
      action: { type: 'search', query: 'q' },
    },
    message([text(content.slice(0, half)), text(content.slice(half))], newId, 'final_answer'),
  ];
}

const message = (content, newId, phase) => ({
  id: newId('msg_', 50),
  type: 'message',
  status: 'completed',
  role: 'assistant',
  content,
  ...(phase ? { phase } : {}),
});

module.exports = { check, asChat, fromChat };
