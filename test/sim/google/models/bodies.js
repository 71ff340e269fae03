'use strict';
// The rules of a GenerateContentRequest, on Vertex AI and on the Gemini Developer API, which has no
// labels and wants no roles. judge() returns the request with camelCase names and without nulls, or
// throws Bad. No side effects.

const { labelViolation } = require('../labels');
const { camel, isObject } = require('../params');
const { checkSchema } = require('./schemas');
const { Bad, bad } = require('./bad');

const REQUEST = [
  'contents',
  'systemInstruction',
  'generationConfig',
  'tools',
  'toolConfig',
  'safetySettings',
  'cachedContent',
];
const MORE = {
  vertex: ['labels', 'modelArmorConfig'],
  developer: ['model', 'store', 'serviceTier'],
};
const CONFIG = [
  'audioTimestamp',
  'candidateCount',
  'enableAffectiveDialog',
  'frequencyPenalty',
  'imageConfig',
  'logprobs',
  'maxOutputTokens',
  'mediaResolution',
  'presencePenalty',
  'responseJsonSchema',
  'responseLogprobs',
  'responseMimeType',
  'responseModalities',
  'responseSchema',
  'routingConfig',
  'seed',
  'speechConfig',
  'stopSequences',
  'temperature',
  'thinkingConfig',
  'topK',
  'topP',
];
const DATA = [
  'text',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
];
const PART = [...DATA, 'thought', 'thoughtSignature', 'videoMetadata', 'mediaResolution'];
const MIMES = ['text/plain', 'application/json', 'text/x.enum'];
const LEVELS = ['THINKING_LEVEL_UNSPECIFIED', 'MINIMAL', 'LOW', 'MEDIUM', 'HIGH'];

// A copy of an object with camelCase names, without nulls.
function fields(object, known, at) {
  if (!isObject(object)) bad(`Invalid value at '${at}'`);
  const unknown = Object.keys(object).find((name) => !known.includes(camel(name)));
  if (unknown !== undefined)
    bad(
      `Invalid JSON payload received. Unknown name "${unknown}"${at ? ` at '${at}'` : ''}: ` +
        'Cannot find field.',
    );
  return Object.fromEntries(
    Object.entries(object)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [camel(name), value]),
  );
}

// service: vertex or developer
function judge(given, model, service) {
  const request = fields(given, [...REQUEST, ...MORE[service]], '');
  const { contents = [] } = request;
  if (contents.length === 0)
    bad(
      service === 'vertex'
        ? 'at least one contents field is required'
        : '* GenerateContentRequest.contents: contents is not specified\n',
    );
  if (!Array.isArray(contents)) bad("Invalid value at 'contents'");
  request.contents = contents.map((content, i) =>
    checkContent(content, `contents[${i}]`, service === 'vertex'),
  );
  if (request.systemInstruction)
    request.systemInstruction = checkContent(
      request.systemInstruction,
      'system_instruction',
      false,
    );
  request.generationConfig = checkConfig(request.generationConfig || {}, model);
  const wrong = request.labels === undefined ? null : labelViolation(request.labels);
  if (wrong) bad(wrong);
  if (request.cachedContent !== undefined)
    bad('Cached content is not supported in batch prediction.');
  for (const name of ['tools', 'safetySettings'])
    if (request[name] !== undefined && !Array.isArray(request[name]))
      bad(`Invalid value at '${name}'`);
  return request;
}

function checkContent(given, at, needsRole) {
  const content = fields(given, ['role', 'parts'], at);
  if (
    needsRole
      ? !['user', 'model'].includes(content.role)
      : ![undefined, 'user', 'model', 'system', 'function'].includes(content.role)
  )
    bad('Please use a valid role: user, model.');
  if (!Array.isArray(content.parts) || !content.parts.length)
    bad(
      'Unable to submit request because it must include at least one parts field, which ' +
        'describes the prompt input.',
    );
  return {
    ...content,
    parts: content.parts.map((part, i) => checkPart(part, `${at}.parts[${i}]`)),
  };
}

function checkPart(given, at) {
  const part = fields(given, PART, at);
  const data = DATA.filter((name) => part[name] !== undefined);
  if (data.length > 1)
    bad(
      `Invalid value at '${at}' (oneof), oneof field 'data' is already set. Cannot set ` +
        `'${data[1]}'`,
    );
  if (!data.length || part.text === '')
    bad('Unable to submit request because it must have a text parameter.');
  if (part.text !== undefined && typeof part.text !== 'string')
    bad(`Invalid value at '${at}.text' (TYPE_STRING), ${JSON.stringify(part.text)}`);
  return part;
}

function checkConfig(given, model) {
  const config = fields(given, CONFIG, 'generation_config');
  number(config, 'temperature', 0, 2);
  number(config, 'topP', 0, 1);
  number(config, 'topK', 1, 1000);
  number(config, 'presencePenalty', -2, 2);
  number(config, 'frequencyPenalty', -2, 2);
  for (const name of ['candidateCount', 'maxOutputTokens', 'seed', 'logprobs']) {
    if (config[name] !== undefined && !Number.isInteger(config[name]))
      bad(
        `Invalid value at 'generation_config.${name}' (TYPE_INT32), ` +
          `${JSON.stringify(config[name])}`,
      );
  }
  range(config.maxOutputTokens, 'maxOutputTokens', 1, model.output + 1);
  range(config.candidateCount, 'candidateCount', 1, 9);
  const { stopSequences: stops, responseMimeType: mime = 'text/plain' } = config;
  const fine =
    stops === undefined ||
    (Array.isArray(stops) &&
      stops.length <= 5 &&
      stops.every((stop) => typeof stop === 'string' && stop));
  if (!fine)
    bad(
      'Unable to submit request because it has invalid stopSequences: at most 5 texts that are ' +
        'not empty.',
    );
  if (!MIMES.includes(mime))
    bad(`Unsupported MIME type: ${mime}. Allowed mimetypes are ${MIMES.join(', ')}.`);
  checkFormat(config, mime);
  config.thinkingConfig = checkThinking(config.thinkingConfig, model);
  return config;
}

function number(config, name, low, high) {
  const value = config[name];
  if (value === undefined) return;
  if (typeof value !== 'number')
    bad(`Invalid value at 'generation_config.${name}' (TYPE_FLOAT), ${JSON.stringify(value)}`);
  if (value < low || value > high) outside(name, value, low, `${high} (inclusive)`);
}

function range(value, name, low, high) {
  if (value !== undefined && (value < low || value >= high))
    outside(name, value, low, `${high} (exclusive)`);
}

const outside = (name, value, low, high) =>
  bad(
    `Unable to submit request because it has a ${name} value of ${value} but the supported range ` +
      `is from ${low} (inclusive) to ${high}. Update the value and try again.`,
  );

function checkFormat({ responseSchema: schema, responseJsonSchema: json }, mime) {
  if (schema === undefined && json === undefined) return;
  if (schema !== undefined && json !== undefined)
    bad('response_json_schema and response_schema must not both be set.');
  if (mime === 'text/plain')
    bad(
      'Function calling config or response schema requires response_mime_type: a response schema ' +
        'is only supported with "application/json" or "text/x.enum".',
    );
  if (schema !== undefined) checkSchema(schema, 'generation_config.response_schema');
  else if (!isObject(json)) bad("Invalid value at 'generation_config.response_json_schema'");
}

function checkThinking(given, model) {
  if (given === undefined) return {};
  const thinking = fields(
    given,
    ['includeThoughts', 'thinkingBudget', 'thinkingLevel'],
    'generation_config.thinking_config',
  );
  if (model.thinking === 'none')
    bad(`Unable to submit request because thinking is not supported by ${model.id}.`);
  const { thinkingBudget: budget, thinkingLevel: level } = thinking;
  if (budget !== undefined && level !== undefined)
    bad('You can only set only one of thinking budget and thinking level.');
  if (budget !== undefined && !(Number.isInteger(budget) && budget >= -1 && budget <= 32768))
    bad(`The thinking budget ${budget} is invalid. Please choose a value between 0 and 32768.`);
  if (budget === 0 && model.thinking === 'always')
    bad('Budget 0 is invalid. This model only works in thinking mode.');
  if (level !== undefined && !LEVELS.includes(String(level).toUpperCase()))
    bad(
      "Invalid value at 'generation_config.thinking_config.thinking_level', " +
        `${JSON.stringify(level)}`,
    );
  return thinking;
}

// What the model is asked: the last user content as one text. Never throws.
function questionOf(request) {
  const contents = isObject(request) && Array.isArray(request.contents) ? request.contents : [];
  const last = contents
    .filter((c) => isObject(c) && (c.role === 'user' || c.role === undefined))
    .pop();
  return textOf(last);
}

const textOf = (content) =>
  isObject(content) && Array.isArray(content.parts)
    ? content.parts.map((p) => (isObject(p) && typeof p.text === 'string' ? p.text : '')).join('\n')
    : '';

module.exports = { judge, fields, questionOf, textOf, Bad };
