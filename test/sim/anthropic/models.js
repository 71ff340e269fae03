'use strict';
// The models this simulator knows. generation decides which parameters they take; cacheMin: the
// shortest prefix, in tokens, that is cached; always: thinking cannot be turned off.

const MODELS = [
  {
    id: 'claude-haiku-5-5',
    name: 'Claude Haiku 5.5',
    generation: 5.5,
    maxTokens: 128000,
    cacheMin: 1024,
    created: '2026-10-14',
  },
  {
    id: 'claude-sonnet-5-5',
    name: 'Claude Sonnet 5.5',
    generation: 5.5,
    maxTokens: 128000,
    cacheMin: 1024,
    created: '2026-10-01',
  },
  {
    id: 'claude-opus-5-5',
    name: 'Claude Opus 5.5',
    generation: 5.5,
    maxTokens: 128000,
    cacheMin: 512,
    always: true,
    created: '2026-09-17',
  },
  {
    id: 'claude-fable-5',
    name: 'Claude Fable 5',
    generation: 5,
    maxTokens: 128000,
    cacheMin: 512,
    always: true,
    created: '2026-06-18',
  },
  {
    id: 'claude-opus-5',
    name: 'Claude Opus 5',
    generation: 5,
    maxTokens: 128000,
    cacheMin: 512,
    long: true,
    created: '2026-06-04',
  },
  {
    id: 'claude-sonnet-5',
    name: 'Claude Sonnet 5',
    generation: 5,
    maxTokens: 128000,
    cacheMin: 1024,
    long: true,
    created: '2026-05-21',
  },
  {
    id: 'claude-opus-4-8',
    name: 'Claude Opus 4.8',
    generation: 4.8,
    maxTokens: 128000,
    cacheMin: 1024,
    long: true,
    created: '2026-04-23',
  },
  {
    id: 'claude-opus-4-6',
    name: 'Claude Opus 4.6',
    generation: 4.6,
    maxTokens: 128000,
    cacheMin: 4096,
    long: true,
    created: '2026-02-05',
  },
  {
    id: 'claude-sonnet-4-6',
    name: 'Claude Sonnet 4.6',
    generation: 4.6,
    maxTokens: 128000,
    cacheMin: 1024,
    long: true,
    created: '2026-02-17',
  },
  {
    id: 'claude-haiku-4-5-20251001',
    alias: 'claude-haiku-4-5',
    name: 'Claude Haiku 4.5',
    generation: 4.5,
    maxTokens: 64000,
    cacheMin: 4096,
    created: '2025-10-15',
  },
  {
    id: 'claude-sonnet-4-5-20250929',
    alias: 'claude-sonnet-4-5',
    name: 'Claude Sonnet 4.5',
    generation: 4.5,
    maxTokens: 64000,
    cacheMin: 1024,
    created: '2025-09-29',
  },
].map((m) => ({ context: m.generation < 4.6 ? 200000 : 1000000, ...m }));
const BY_NAME = new Map(
  MODELS.flatMap((m) => [
    [m.id, m],
    [m.alias || m.id, m],
  ]),
);

const findModel = (name) => BY_NAME.get(name);
const modelObject = (m) => ({
  type: 'model',
  id: m.id,
  display_name: m.name,
  created_at: `${m.created}T00:00:00Z`,
  max_input_tokens: m.context,
  max_tokens: m.maxTokens,
});

module.exports = { MODELS, findModel, modelObject };
