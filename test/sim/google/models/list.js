'use strict';
// The models that Google's services of this simulator know. thinking: none; optional (off unless
// asked for); usual (on unless turned off); always. Of embedding models: dimensions, limit (rows of
// one job) and, where not everywhere, locations.

const { findModel: findClaude } = require('../../anthropic/models');

const GEMINI = [
  ['gemini-3.8-flash', 'usual'],
  ['gemini-3.7-flash', 'usual'],
  ['gemini-3.6-flash', 'usual'],
  ['gemini-3.5-flash', 'usual'],
  ['gemini-3.5-flash-lite', 'optional'],
  ['gemini-3.1-flash-lite', 'optional'],
  ['gemini-3.1-pro-preview', 'always'],
  ['gemini-2.5-pro', 'always'],
  ['gemini-2.5-flash', 'usual'],
  ['gemini-2.5-flash-lite', 'optional'],
  ['gemini-2.0-flash-001', 'none', 'gemini-2.0-flash'],
].map(([id, thinking, alias]) => ({
  id,
  alias,
  kind: 'gemini',
  publisher: 'google',
  thinking,
  context: 1048576,
  output: thinking === 'none' ? 8192 : 65536,
  limit: 200000,
}));
const EMBEDDING = [
  {
    id: 'gemini-embedding-001',
    kind: 'embedding',
    dimensions: 3072,
    context: 2048,
    limit: 1000000,
    locations: [
      'us-central1',
      'us-east1',
      'us-east4',
      'us-west1',
      'us-west4',
      'europe-west1',
      'europe-west4',
    ],
  },
  {
    id: 'gemini-embedding-2',
    kind: 'embedding',
    dimensions: 3072,
    context: 8192,
    limit: 1000000,
    locations: ['global', 'us', 'eu'],
  },
  { id: 'text-embedding-005', kind: 'legacy', dimensions: 768, context: 2048, limit: 30000 },
  {
    id: 'text-multilingual-embedding-002',
    kind: 'legacy',
    dimensions: 768,
    context: 2048,
    limit: 30000,
  },
].map((model) => ({ publisher: 'google', ...model }));
const MODELS = [...GEMINI, ...EMBEDDING];
const BY_NAME = new Map(
  MODELS.flatMap((m) => [
    [m.id, m],
    [m.alias || m.id, m],
  ]),
);

// A model of Google's by its id.
const findModel = (id) => BY_NAME.get(id);

// A model of a publisher; Anthropic's have their dates behind an @.
function findPublished(publisher, id) {
  if (publisher === 'google') return findModel(id);
  const claude = publisher === 'anthropic' && findClaude(id.replace('@', '-'));
  return claude
    ? { id, kind: 'claude', publisher, claude: claude.id, context: claude.context, limit: 200000 }
    : undefined;
}

module.exports = { MODELS, findModel, findPublished };
