'use strict';
// The rules of a Messages body, alone or as the params of a batched request. A check returns null
// or {status, message}.
// No side effects.

const { isObject } = require('./params');
const { schemaViolation } = require('./formats');
const { promptTokens } = require('./cache');

const KEYS = new Set([
  'model',
  'max_tokens',
  'messages',
  'cache_control',
  'container',
  'diagnostics',
  'inference_geo',
  'metadata',
  'output_config',
  'service_tier',
  'speed',
  'stop_sequences',
  'stream',
  'system',
  'temperature',
  'thinking',
  'tool_choice',
  'tools',
  'top_k',
  'top_p',
]);
const NOT_IN_BATCHES = ['speed', 'store', 'previous_thread_event_id', 'cache_hint', 'context_hint'];
const BLOCKS = new Set([
  'text',
  'image',
  'document',
  'search_result',
  'thinking',
  'redacted_thinking',
  'tool_use',
  'tool_result',
  'server_tool_use',
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'container_upload',
]);
const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'];
const LONG_OUTPUT = 300000;
const MAX_BREAKPOINTS = 4;

class Bad extends Error {}
const bad = (message) => {
  throw new Bad(message);
};
const oneOf = (value, allowed, at) =>
  allowed.includes(value) ||
  bad(`${at}: Input should be ${allowed.map((a) => `'${a}'`).join(' or ')}`);

// how: {version, betas, batched}; model: of models.js.
function checkBody(body, model, how) {
  try {
    rules(body, model, how);
    return null;
  } catch (error) {
    if (error instanceof Bad) return { status: 400, message: error.message };
    throw error;
  }
}

function rules(body, model, how) {
  checkKeys(body, how);
  checkMaxTokens(body.max_tokens, model, how);
  checkSampling(body, model, how.version);
  checkSystem(body.system);
  checkMessages(body.messages, model, how.version);
  checkThinking(body, model);
  checkOutput(body.output_config);
  checkTools(body);
  checkRest(body);
  checkCaching(body);
  const size = promptTokens(body);
  if (size > model.context) bad(`prompt is too long: ${size} tokens > ${model.context} maximum`);
}

function checkKeys(body, { batched }) {
  const barred = batched && NOT_IN_BATCHES.find((key) => key in body);
  if (barred) bad(`${barred}: not supported in message batches`);
  if (batched && body.research_preview_2026_02 === 'active')
    bad('research_preview_2026_02: not supported in message batches');
  const extra = Object.keys(body).find((key) => !KEYS.has(key));
  if (extra !== undefined) bad(`${extra}: Extra inputs are not permitted`);
  if (body.stream)
    bad(
      batched
        ? 'stream: not supported in message batches'
        : 'stream: this simulator does not stream',
    );
}

function checkMaxTokens(value, model, { batched, betas }) {
  if (value === undefined) bad('max_tokens: Field required');
  if (!Number.isInteger(value)) bad('max_tokens: Input should be a valid integer');
  const least = batched ? 1 : 0;
  if (value < least) bad(`max_tokens: Input should be greater than or equal to ${least}`);
  const most =
    batched && model.long && betas.includes('output-300k-2026-03-24')
      ? LONG_OUTPUT
      : model.maxTokens;
  if (value > most)
    bad(
      `max_tokens: ${value} > ${most}, which is the maximum allowed number of output tokens for ` +
        `${model.id}`,
    );
}

// The version of 2026 has no sampling parameters; models from 4.7 on take only the defaults.
function checkSampling(body, model, version) {
  for (const key of ['temperature', 'top_p', 'top_k']) {
    const value = body[key];
    if (value === undefined) continue;
    if (version !== '2023-06-01')
      bad(`${key}: Extra inputs are not permitted in version ${version}`);
    if (typeof value !== 'number' || value < 0 || (key !== 'top_k' && value > 1))
      bad(`${key}: range: 0..${key === 'top_k' ? '' : 1}`);
    if (key === 'top_k' && !Number.isInteger(value)) bad('top_k: Input should be a valid integer');
    if (model.generation >= 4.7 && (key === 'top_k' || value !== 1))
      bad(`${key}: only the default value is supported by ${model.id}`);
  }
}

function checkSystem(system) {
  if (system === undefined || typeof system === 'string') return;
  if (!Array.isArray(system)) bad('system: Input should be a valid string or list');
  system.forEach((block, i) => {
    if (!isObject(block) || block.type !== 'text') bad(`system.${i}.type: Input should be 'text'`);
    checkText(block, `system.${i}`, 'system: text content blocks must be non-empty');
  });
}

function checkText(block, at, empty) {
  if (typeof block.text !== 'string')
    bad(
      `${at}.text: ` +
        `${block.text === undefined ? 'Field required' : 'Input should be a valid string'}`,
    );
  if (!block.text) bad(empty);
}

function checkMessages(messages, model, version) {
  if (messages === undefined) bad('messages: Field required');
  if (!Array.isArray(messages)) bad('messages: Input should be a valid list');
  if (!messages.length) bad('messages: at least one message is required');
  if (messages.length > 100000) bad('messages: List should have at most 100000 items');
  const roles = model.generation >= 5 ? ['user', 'assistant', 'system'] : ['user', 'assistant'];
  messages.forEach((m, i) =>
    checkMessage(m, `messages.${i}`, { roles, version, last: i === messages.length - 1 }),
  );
  if (messages[0].role !== 'user') bad('messages: first message must use the "user" role');
  if (model.generation >= 4.6 && messages[messages.length - 1].role !== 'user')
    bad(
      'This model does not support assistant message prefill. The conversation must end with a ' +
        'user message.',
    );
}

function checkMessage(m, at, { roles, version, last }) {
  if (!isObject(m)) bad(`${at}: Input should be a valid dictionary`);
  const extra = Object.keys(m).find((key) => key !== 'role' && key !== 'content');
  if (extra !== undefined) bad(`${at}.${extra}: Extra inputs are not permitted`);
  if (m.role === undefined) bad(`${at}.role: Field required`);
  oneOf(m.role, roles, `${at}.role`);
  if (m.content === undefined) bad(`${at}.content: Field required`);
  if (typeof m.content !== 'string' && !Array.isArray(m.content))
    bad(`${at}.content: Input should be a valid string or list`);
  if (!m.content.length && !(last && m.role === 'assistant'))
    bad(`${at}: ${m.role} messages must have non-empty content`);
  if (Array.isArray(m.content))
    m.content.forEach((block, i) => checkBlock(block, `${at}.content.${i}`, m.role, version));
}

function checkBlock(block, at, role, version) {
  if (!isObject(block)) bad(`${at}: Input should be a valid dictionary`);
  if (!BLOCKS.has(block.type))
    bad(
      `${at}: Input tag '${block.type}' found using 'type' does not match any of the expected tags`,
    );
  if (block.type === 'text')
    checkText(block, `${at}.text`, 'messages: text content blocks must be non-empty');
  if (version === '2023-06-01') return;
  if (block.type === 'document' && role === 'assistant')
    bad(`${at}: document blocks are not permitted in assistant messages`);
  if (
    block.type === 'text' &&
    role === 'user' &&
    Array.isArray(block.citations) &&
    block.citations.length
  )
    bad(`${at}.text.citations: not permitted in user messages`);
}

function checkThinking({ thinking, max_tokens: most }, model) {
  if (thinking === undefined) return;
  if (!isObject(thinking)) bad('thinking: Input should be a valid dictionary');
  oneOf(thinking.type, ['enabled', 'disabled', 'adaptive'], 'thinking.type');
  if (thinking.type === 'disabled' && model.always)
    bad(`thinking: "disabled" is not supported by ${model.id}`);
  if (thinking.type === 'adaptive' && model.generation < 4.6)
    bad(`adaptive thinking is not supported by ${model.id}`);
  if (thinking.type !== 'enabled') return;
  if (model.generation >= 4.7)
    bad(
      `thinking: "enabled" is not supported by ${model.id}. Use "adaptive" and ` +
        'output_config.effort.',
    );
  if (!Number.isInteger(thinking.budget_tokens))
    bad('thinking.enabled.budget_tokens: Field required');
  if (thinking.budget_tokens < 1024)
    bad('thinking.enabled.budget_tokens: Input should be greater than or equal to 1024');
  if (thinking.budget_tokens >= most)
    bad('`max_tokens` must be greater than `thinking.budget_tokens`.');
}

function checkOutput(config) {
  if (config === undefined) return;
  if (!isObject(config)) bad('output_config: Input should be a valid dictionary');
  const extra = Object.keys(config).find((key) => key !== 'effort' && key !== 'format');
  if (extra !== undefined) bad(`output_config.${extra}: Extra inputs are not permitted`);
  if (config.effort !== undefined && config.effort !== null)
    oneOf(config.effort, EFFORTS, 'output_config.effort');
  const { format } = config;
  if (format === undefined || format === null) return;
  if (!isObject(format)) bad('output_config.format: Input should be a valid dictionary');
  oneOf(format.type, ['json_schema'], 'output_config.format.type');
  const other = Object.keys(format).find((key) => key !== 'type' && key !== 'schema');
  if (other !== undefined) bad(`output_config.format.${other}: Extra inputs are not permitted`);
  if (format.schema === undefined) bad('output_config.format.schema: Field required');
  const wrong = schemaViolation(format.schema);
  if (wrong) bad(`output_config.format.schema: ${wrong}`);
}

function checkTools({ tools, tool_choice: choice }) {
  if (tools !== undefined && !Array.isArray(tools)) bad('tools: Input should be a valid list');
  (tools || []).forEach((tool, i) => {
    if (
      !isObject(tool) ||
      typeof tool.name !== 'string' ||
      !/^[a-zA-Z0-9_-]{1,128}$/.test(tool.name)
    )
      bad(`tools.${i}.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
    if (tool.type === undefined || tool.type === 'custom')
      if (!isObject(tool.input_schema) || tool.input_schema.type !== 'object')
        bad(`tools.${i}.input_schema.type: Input should be 'object'`);
  });
  if (choice === undefined) return;
  if (!isObject(choice)) bad('tool_choice: Input should be a valid dictionary');
  oneOf(choice.type, ['auto', 'any', 'tool', 'none'], 'tool_choice.type');
  if (!tools || !tools.length) bad('tool_choice: may only be specified while providing `tools`.');
  if (choice.type === 'tool' && !tools.some((tool) => tool.name === choice.name))
    bad(`tool_choice: Tool '${choice.name}' not found in provided tools`);
}

function checkRest({ stop_sequences: stops, metadata, service_tier: tier }) {
  if (stops !== undefined && (!Array.isArray(stops) || stops.some((s) => typeof s !== 'string')))
    bad('stop_sequences: Input should be a valid list of strings');
  if ((stops || []).some((s) => !s.trim()))
    bad('stop_sequences: each stop sequence must contain non-whitespace');
  if (
    metadata !== undefined &&
    (!isObject(metadata) || Object.keys(metadata).some((key) => key !== 'user_id'))
  )
    bad('metadata: Extra inputs are not permitted');
  if (tier !== undefined) oneOf(tier, ['auto', 'standard_only'], 'service_tier');
}

function checkCaching(body) {
  const marked = [
    ...(Array.isArray(body.tools) ? body.tools : []),
    ...(Array.isArray(body.system) ? body.system : []),
    ...body.messages.flatMap((m) => (Array.isArray(m.content) ? m.content : [])),
    body,
  ]
    .map((holder) => holder.cache_control)
    .filter((c) => c !== undefined && c !== null);
  for (const control of marked) {
    if (!isObject(control) || control.type !== 'ephemeral')
      bad("cache_control.type: Input should be 'ephemeral'");
    if (control.ttl !== undefined) oneOf(control.ttl, ['5m', '1h'], 'cache_control.ephemeral.ttl');
    const extra = Object.keys(control).find((key) => key !== 'type' && key !== 'ttl');
    if (extra !== undefined)
      bad(`cache_control.ephemeral.${extra}: Extra inputs are not permitted`);
  }
  if (marked.length > MAX_BREAKPOINTS)
    bad(
      `A maximum of ${MAX_BREAKPOINTS} blocks with cache_control may be provided. Found ` +
        `${marked.length}.`,
    );
  const late = marked.findIndex(
    (c, i) => c.ttl === '1h' && marked.slice(0, i).some((earlier) => earlier.ttl !== '1h'),
  );
  if (late >= 0)
    bad(
      "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' " +
        'cache_control block.',
    );
}

// What the model is asked: the last user content as one text. Never throws.
function questionOf(body) {
  const last = Array.isArray(body.messages)
    ? body.messages.filter((m) => isObject(m) && m.role === 'user').pop()
    : undefined;
  if (!last) return '';
  if (typeof last.content === 'string') return last.content;
  return Array.isArray(last.content)
    ? last.content.map((b) => (isObject(b) && typeof b.text === 'string' ? b.text : '')).join('\n')
    : '';
}

module.exports = { checkBody, questionOf };
