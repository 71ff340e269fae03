'use strict';
// The models this simulator knows, and how an id, an inference profile or an ARN names one.

const { findModel: findClaude } = require('../anthropic/models');

const MODELS = [
  ['amazon.nova-micro-v1:0', 'nova'],
  ['amazon.nova-lite-v1:0', 'nova'],
  ['amazon.nova-pro-v1:0', 'nova'],
  ['amazon.nova-premier-v1:0', 'nova'],
  ['amazon.titan-embed-text-v2:0', 'titan'],
  ['amazon.nova-2-multimodal-embeddings-v1:0', 'novaembed'],
  ['cohere.embed-english-v3', 'cohere3'],
  ['cohere.embed-multilingual-v3', 'cohere3'],
  ['cohere.embed-v4:0', 'cohere4'],
  ['meta.llama3-1-8b-instruct-v1:0', 'llama'],
  ['meta.llama3-3-70b-instruct-v1:0', 'llama'],
  ['mistral.mistral-large-2407-v1:0', 'mistral'],
  ['mistral.mistral-small-2402-v1:0', 'mistral'],
  ['amazon.titan-text-express-v1', 'none'],
  ['amazon.rerank-v1:0', 'none'],
].map(([id, family]) => ({ id, family }));
const EMBEDDING = ['titan', 'novaembed', 'cohere3', 'cohere4'];

// {id, family, embeds, claude} or null; family none = without batch inference. claude: the model's
// name at Anthropic.
function findModel(name) {
  const id = name
    .replace(/^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(foundation-model|inference-profile)\//, '')
    .replace(/^(us|eu|apac|global|us-gov)\./, '');
  const claude = /^anthropic\.(claude-[a-z0-9-]+?)(-v\d+(:\d+)?)?$/.exec(id);
  if (claude)
    return findClaude(claude[1])
      ? { id, family: 'claude', embeds: false, claude: claude[1] }
      : null;
  const found = MODELS.find((model) => model.id === id);
  return found ? { ...found, embeds: EMBEDDING.includes(found.family) } : null;
}

module.exports = { findModel };
