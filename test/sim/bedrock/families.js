'use strict';
// The bodies of each model family and of Converse: what is in them, what is wrong with them, how an
// answer looks.
// A family is {keys, needs, question(input), limit(input), answer(spoken, usage, input)}; embedding
// ones have texts(input) and vectors(list, used, input). No side effects.

const { isObject } = require('../anthropic/params');

const join = (content) =>
  Array.isArray(content)
    ? content
        .map((block) => (isObject(block) && typeof block.text === 'string' ? block.text : ''))
        .join('\n')
    : '';
const lastUser = (input) =>
  Array.isArray(input.messages)
    ? join((input.messages.filter((m) => isObject(m) && m.role === 'user').pop() || {}).content)
    : '';
const inference = (input) =>
  (isObject(input.inferenceConfig) && input.inferenceConfig.maxTokens) || 4096;
const counted = ({ input, output }) => ({
  inputTokens: input,
  outputTokens: output,
  totalTokens: input + output,
});
const blocks = (spoken) => [
  ...(spoken.thinking
    ? [{ reasoningContent: { reasoningText: { text: 'The question is considered.' } } }]
    : []),
  ...(spoken.empty ? [] : [{ text: spoken.text }]),
];
const ENDS = {
  end: 'end_turn',
  length: 'max_tokens',
  filter: 'content_filtered',
  refusal: 'guardrail_intervened',
};
const spokenMessage = (spoken, usage) => ({
  output: { message: { role: 'assistant', content: blocks(spoken) } },
  stopReason: spoken.stop || ENDS[spoken.end],
  usage: counted(usage),
});
const shortEnd = (spoken) => spoken.stop || (spoken.end === 'length' ? 'length' : 'stop');
const MESSAGES = {
  needs: ['messages'],
  question: lastUser,
  limit: inference,
  answer: spokenMessage,
};

const PURPOSES = [
  'GENERIC_INDEX',
  'GENERIC_RETRIEVAL',
  'TEXT_RETRIEVAL',
  'CLASSIFICATION',
  'CLUSTERING',
];

const FAMILIES = {
  converse: {
    ...MESSAGES,
    keys: [
      'messages',
      'system',
      'inferenceConfig',
      'additionalModelRequestFields',
      'additionalModelResponseFieldPaths',
      'outputConfig',
      'guardrailConfig',
      'performanceConfig',
      'requestMetadata',
      'promptVariables',
      'serviceTier',
    ],
    answer: (spoken, usage) => ({ ...spokenMessage(spoken, usage), metrics: { latencyMs: 1 } }),
  },
  nova: {
    ...MESSAGES,
    keys: ['schemaVersion', 'messages', 'system', 'inferenceConfig', 'toolConfig'],
  },
  llama: {
    keys: ['prompt', 'max_gen_len', 'temperature', 'top_p', 'images'],
    needs: ['prompt'],
    question: (i) => i.prompt,
    limit: (i) => i.max_gen_len || 512,
    answer: (spoken, usage) => ({
      generation: spoken.text,
      prompt_token_count: usage.input,
      generation_token_count: usage.output,
      stop_reason: shortEnd(spoken),
    }),
  },
  mistral: {
    keys: ['prompt', 'max_tokens', 'temperature', 'top_p', 'top_k', 'stop'],
    needs: ['prompt'],
    question: (i) => i.prompt,
    limit: (i) => i.max_tokens || 512,
    answer: (spoken) => ({ outputs: [{ text: spoken.text, stop_reason: shortEnd(spoken) }] }),
  },
  titan: {
    keys: ['inputText', 'dimensions', 'normalize', 'embeddingTypes'],
    needs: ['inputText'],
    texts: (i) => [i.inputText],
    sizes: [256, 512, 1024],
    size: (i) => (i.dimensions === undefined ? 1024 : i.dimensions),
    vectors: ([embedding], used) => ({
      embedding,
      embeddingsByType: { float: embedding },
      inputTextTokenCount: used,
    }),
  },
  cohere3: {
    keys: ['texts', 'input_type', 'truncate', 'embedding_types'],
    needs: ['texts', 'input_type'],
    texts: (i) => i.texts,
    sizes: [1024],
    size: () => 1024,
    vectors: (embeddings, used, i) => ({
      id: 'sim',
      texts: i.texts,
      embeddings,
      response_type: 'embeddings_floats',
    }),
  },
  cohere4: {
    keys: ['texts', 'input_type', 'truncate', 'embedding_types', 'output_dimension', 'max_tokens'],
    needs: ['texts', 'input_type'],
    texts: (i) => i.texts,
    sizes: [256, 512, 1024, 1536],
    size: (i) => (i.output_dimension === undefined ? 1536 : i.output_dimension),
    vectors: (embeddings, used, i) => ({
      id: 'sim',
      texts: i.texts,
      embeddings: { float: embeddings },
      response_type: 'embeddings_by_type',
    }),
  },
  novaembed: {
    keys: ['schemaVersion', 'taskType', 'singleEmbeddingParams'],
    needs: ['taskType', 'singleEmbeddingParams'],
    texts: (i) => novaTexts(i),
    sizes: [256, 384, 1024, 3072],
    size: (i) =>
      i.singleEmbeddingParams.embeddingDimension === undefined
        ? 3072
        : i.singleEmbeddingParams.embeddingDimension,
    vectors: ([embedding]) => ({ embeddings: [{ embeddingType: 'TEXT', embedding }] }),
  },
};

// The text of Nova's embeddings where purpose and truncation are known words, else nothing.
function novaTexts({ taskType, singleEmbeddingParams: params }) {
  const known =
    taskType === 'SINGLE_EMBEDDING' &&
    isObject(params) &&
    PURPOSES.includes(params.embeddingPurpose) &&
    isObject(params.text) &&
    ['START', 'END', 'NONE'].includes(params.text.truncationMode);
  return known ? [params.text.value] : [];
}

// What is wrong with a modelInput, or null.
function violation(family, input) {
  if (family === FAMILIES.converse && 'toolConfig' in input)
    return 'toolConfig is not supported in batch inference with Converse.';
  const extra = Object.keys(input).find((key) => !family.keys.includes(key));
  if (extra !== undefined)
    return (
      `Malformed input request: #: extraneous key [${extra}] is not permitted, please ` +
      'reformat your input and try again.'
    );
  const missing = family.needs.find((key) => input[key] === undefined);
  if (missing)
    return (
      `Malformed input request: #: required key [${missing}] not found, please reformat ` +
      'your input and try again.'
    );
  if (family.texts) return textViolation(family, input);
  if (
    family.needs[0] === 'messages' &&
    !(
      Array.isArray(input.messages) &&
      input.messages.length &&
      input.messages.every(
        (m) => isObject(m) && Array.isArray(m.content) && ['user', 'assistant'].includes(m.role),
      )
    )
  )
    return (
      'Malformed input request: #/messages: expected a list of messages with lists of ' +
      'content, please reformat your input and try again.'
    );
  if (family.needs[0] === 'prompt' && (typeof input.prompt !== 'string' || !input.prompt))
    return (
      'Malformed input request: #/prompt: expected minLength: 1, please reformat your input ' +
      'and try again.'
    );
  return Number.isInteger(family.limit(input)) && family.limit(input) > 0
    ? null
    : 'Malformed input request: the limit of tokens must be a positive integer.';
}

function textViolation(family, input) {
  const texts = family.texts(input);
  if (
    !Array.isArray(texts) ||
    !texts.length ||
    texts.length > 96 ||
    texts.some((t) => typeof t !== 'string' || !t)
  )
    return (
      'Malformed input request: expected 1 to 96 texts of minLength: 1, please reformat ' +
      'your input and try again.'
    );
  return family.sizes.includes(family.size(input))
    ? null
    : `Malformed input request: ${family.size(input)} is not a valid enum value, please reformat ` +
        'your input and try again.';
}

module.exports = { FAMILIES, violation };
