'use strict';
// The models this simulator knows. effort: the default reasoning effort; 'none' allows a
// temperature.

const MODELS = [
  {
    id: 'gpt-5.4-mini',
    snapshot: 'gpt-5.4-mini-2026-03-17',
    kind: 'chat',
    reasoning: true,
    effort: 'none',
    context: 400000,
    created: 1773705600,
  },
  {
    id: 'gpt-4o-mini',
    snapshot: 'gpt-4o-mini-2024-07-18',
    kind: 'chat',
    reasoning: false,
    context: 128000,
    created: 1721172741,
  },
  {
    id: 'o4-mini',
    snapshot: 'o4-mini-2025-04-16',
    kind: 'chat',
    reasoning: true,
    effort: 'medium',
    context: 200000,
    created: 1744225351,
  },
  {
    id: 'gpt-5.4-pro',
    snapshot: 'gpt-5.4-pro-2026-03-05',
    kind: 'chat',
    only: '/v1/responses',
    reasoning: true,
    effort: 'medium',
    context: 400000,
    created: 1772668800,
  },
  {
    id: 'text-embedding-3-small',
    snapshot: 'text-embedding-3-small',
    kind: 'embedding',
    dimensions: 1536,
    created: 1705948997,
  },
  {
    id: 'text-embedding-3-large',
    snapshot: 'text-embedding-3-large',
    kind: 'embedding',
    dimensions: 3072,
    created: 1705953180,
  },
];
const BY_NAME = new Map(
  MODELS.flatMap((m) => [
    [m.id, m],
    [m.snapshot, m],
  ]),
);

const findModel = (name) => BY_NAME.get(name);
const modelObject = (m) => ({ id: m.id, object: 'model', created: m.created, owned_by: 'system' });

module.exports = { MODELS, findModel, modelObject };
