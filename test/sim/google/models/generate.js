'use strict';
// Runs one GenerateContentRequest: rules, directives, the model's answer. Bills nothing.

const { stamp, tick } = require('../times');
const { insteadOf, refusal } = require('./instead');
const { judge, questionOf, textOf, Bad } = require('./bodies');
const { jsonSchema, orderedSchema } = require('./schemas');
const directives = require('../../directives');
const model = require('../../model');
const { tokens, cutBytes } = require('../../text');

const OWN = new Set(['blocked', 'thinking', 'parts', 'cached']);
const THINKING_TOKENS = 64;
const MAX_BIG = 64 * 1024 * 1024;
const NOTHING = new Map();

// {asked, question, and one of response with spent {prompt, cached, completion}; error (of
// google.rpc in JSON); none: not processed}
// service: vertex or developer; attempts: Map of those that were to fail.
function generate({ request: given, model: known, service, attempts }) {
  const question = questionOf(given);
  let asked = NOTHING;
  try {
    asked = directives.parse(question, OWN);
    const request = judge(given, known, service);
    const instead = insteadOf(attempts, known, question, asked);
    return { asked, question, ...(instead || answer(request, known, question, asked, service)) };
  } catch (error) {
    if (error instanceof Bad || asked === NOTHING)
      return { asked, question, error: refusal(error) };
    throw error;
  }
}

function answer(request, known, question, asked, service) {
  const { generationConfig: config } = request;
  const prompt = promptTokens(request);
  if (asked.has('refusal') || asked.has('blocked'))
    return blocked(known, asked.get('blocked') || 'PROHIBITED_CONTENT', prompt, service);
  const thought = thoughts(config.thinkingConfig, known, asked);
  const spoken = limited(spokenOf(config, directives.strip(question), asked), config, thought);
  const count = asked.has('nochoices') ? 0 : config.candidateCount || 1;
  const said = tokens(spoken.text) * count;
  const cached = asked.has('cached') ? Math.floor(prompt / 2) : 0;
  const candidates = Array.from({ length: count }, (_, index) =>
    candidateOf(spoken, { config, thought, asked, index, service }),
  );
  const counts = usage({ prompt, said, thought, cached }, service);
  directives.recount(asked, counts);
  return {
    spent: spentOf(counts),
    response: {
      candidates: count ? candidates : undefined,
      ...common(known, service),
      usageMetadata: counts,
    },
  };
}

const spentOf = (counts) => ({
  prompt: counts.promptTokenCount,
  cached: counts.cachedContentTokenCount || 0,
  completion: (counts.candidatesTokenCount || 0) + (counts.thoughtsTokenCount || 0),
});

const promptTokens = (request) =>
  [...request.contents, request.systemInstruction].reduce(
    (n, content) => n + tokens(textOf(content)),
    0,
  );
const common = (known, service) => ({
  modelVersion: known.id,
  responseId: `sim-${tick().toString(36)}`,
  createTime: service === 'vertex' ? stamp(tick()) : undefined,
});

// Counts that are 0 are left out; what is undefined is not there in JSON.
function usage({ prompt, said = 0, thought = 0, cached = 0 }, service) {
  const modality = (tokenCount) => (tokenCount ? [{ modality: 'TEXT', tokenCount }] : undefined);
  const more =
    service === 'vertex'
      ? { candidatesTokensDetails: modality(said), trafficType: 'ON_DEMAND' }
      : {};
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: said || undefined,
    cachedContentTokenCount: cached || undefined,
    thoughtsTokenCount: thought || undefined,
    totalTokenCount: prompt + said + thought,
    promptTokensDetails: modality(prompt),
    cacheTokensDetails: modality(cached),
    ...more,
  };
}

// A prompt that is not answered at all.
function blocked(known, blockReason, prompt, service) {
  const promptFeedback = {
    blockReason,
    blockReasonMessage: service === 'vertex' ? 'The prompt is blocked.' : undefined,
  };
  return {
    spent: { prompt, cached: 0, completion: 0 },
    response: {
      promptFeedback,
      ...common(known, service),
      usageMetadata: usage({ prompt }, service),
    },
  };
}

// Tokens of thinking, by the model's habit and the request's wish.
function thoughts({ thinkingBudget: budget, thinkingLevel: level }, known, asked) {
  if (known.thinking === 'none') return 0;
  if (asked.has('thinking') || known.thinking === 'always')
    return budget > 0 ? Math.min(budget, THINKING_TOKENS) : THINKING_TOKENS;
  if (budget !== undefined) return budget < 0 ? THINKING_TOKENS : Math.min(budget, THINKING_TOKENS);
  if (level !== undefined) return String(level).toUpperCase() === 'MINIMAL' ? 0 : THINKING_TOKENS;
  return known.thinking === 'usual' ? THINKING_TOKENS : 0;
}

// {text, finish, empty}: as if no limit of tokens stood.
function spokenOf(config, plain, asked) {
  if (asked.has('content_filter')) return { text: '', finish: 'SAFETY', empty: true };
  if (asked.has('null_content')) return { text: '', finish: 'STOP', empty: true };
  const text = textFor(config, plain, asked);
  if (asked.has('length'))
    return {
      text: cutBytes(text, Math.max(1, Buffer.byteLength(text) >> 1)),
      finish: 'MAX_TOKENS',
    };
  return { text, finish: asked.get('stop') || 'STOP' };
}

function textFor(
  { responseMimeType: mime, responseSchema: schema, responseJsonSchema: json },
  plain,
  asked,
) {
  if (asked.has('say')) return asked.get('say');
  if (asked.has('json')) return asked.get('json');
  if (asked.has('nul')) return 'before\u0000after';
  if (asked.has('big')) return 'x'.repeat(Math.min(MAX_BIG, Number(asked.get('big')) || 0));
  if (mime === undefined || mime === 'text/plain') return model.plainAnswer(plain);
  const text = model.jsonAnswer(schema ? jsonSchema(schema) : orderedSchema(json || null), plain);
  return mime === 'text/x.enum' ? JSON.parse(text) : text;
}

// Ends the text at a stop sequence, and where maxOutputTokens, which thinking counts against, is
// exceeded.
function limited(spoken, { stopSequences: stops = [], maxOutputTokens: most }, thought) {
  const ends = stops.map((stop) => spoken.text.indexOf(stop)).filter((at) => at >= 0);
  const text = ends.length ? spoken.text.slice(0, Math.min(...ends)) : spoken.text;
  if (most === undefined || tokens(text) + thought <= most) return { ...spoken, text };
  const left = cutBytes(text, Math.max(0, most - thought) * 4);
  return { text: left, finish: 'MAX_TOKENS', empty: left === '' };
}

function candidateOf({ text, finish, empty }, { config, thought, asked, index, service }) {
  const half = cutBytes(text, Buffer.byteLength(text) >> 1);
  const texts = asked.has('parts') ? [half, text.slice(half.length)] : [text];
  const thoughtParts =
    thought && (config.thinkingConfig || {}).includeThoughts
      ? [{ text: 'The question is considered.', thought: true }]
      : [];
  const said = empty
    ? []
    : texts.map((one, i) => ({
        text: one,
        thoughtSignature: thought && i === 0 ? 'c2ltdWxhdGVk' : undefined,
      }));
  const parts = [...thoughtParts, ...said];
  const vertex = service === 'vertex';
  return {
    content: { parts: parts.length ? parts : undefined, role: 'model' },
    finishReason: finish,
    avgLogprobs: vertex ? -0.01 : undefined,
    index: vertex ? index || undefined : index,
  };
}

module.exports = { generate, promptTokens };
