'use strict';
// JSON Schema as structured output uses it: the rules of strict mode, and a value that conforms to
// a schema.
// Knows no provider's wording beyond the text of the strict errors.

const { hash32, firstWords, words } = require('./text');

const UNSUPPORTED = [
  'allOf',
  'not',
  'dependentRequired',
  'dependentSchemas',
  'if',
  'then',
  'else',
  'patternProperties',
];
const MAX_DEPTH = 10;

// Strict mode's rules. Returns null or the first violation as text.
function strictViolation(schema) {
  if (!isObject(schema)) return 'schema must be a JSON object.';
  if (schema.type !== 'object')
    return (
      `schema must be a JSON Schema of 'type: "object"', got 'type: ` +
      `"${schema.type || 'None'}"'.`
    );
  return violation(schema, schema, [], 0);
}

function violation(s, root, path, depth) {
  const at = `In context=(${path.map((p) => `'${p}'`).join(', ')})`;
  if (!isObject(s)) return `${at}, schema must be a JSON object.`;
  if (depth > MAX_DEPTH) return `${at}, schema exceeds the maximum nesting of ${MAX_DEPTH} levels.`;
  const bad = UNSUPPORTED.find((k) => k in s);
  if (bad) return `${at}, '${bad}' is not permitted.`;
  if (s.$ref !== undefined)
    return resolve(s.$ref, root)
      ? null
      : `${at}, reference can only point to definitions defined at the top level of the schema.`;
  const own =
    objectViolation(s, at) ||
    (!s.type && !s.anyOf && !s.enum && s.const === undefined
      ? `${at}, schema must have a 'type' key.`
      : null);
  return own || childViolation(s, root, path, depth);
}

function objectViolation(s, at) {
  if (s.type !== 'object' && !(Array.isArray(s.type) && s.type.includes('object'))) return null;
  if (s.additionalProperties !== false)
    return `${at}, 'additionalProperties' is required to be supplied and to be false.`;
  const keys = Object.keys(s.properties || {});
  const required = Array.isArray(s.required) ? s.required : [];
  const prefix =
    `${at}, 'required' is required to be supplied and to be an array including ` +
    'every key in properties.';
  const missing = keys.find((k) => !required.includes(k));
  if (missing !== undefined) return `${prefix} Missing '${missing}'.`;
  const extra = required.find((k) => !keys.includes(k));
  return extra === undefined ? null : `${prefix} Extra required key '${extra}' supplied.`;
}

function childViolation(s, root, path, depth) {
  if (s.type === 'array' && !s.items)
    return `In context=(${path.map((p) => `'${p}'`).join(', ')}), array schema missing items.`;
  const children = [
    ...Object.entries(s.properties || {}).map(([k, v]) => [v, [...path, 'properties', k]]),
    ...Object.entries(s.$defs || s.definitions || {}).map(([k, v]) => [v, [...path, '$defs', k]]),
    ...(s.anyOf || []).map((v, i) => [v, [...path, 'anyOf', String(i)]]),
    ...(s.items ? [[s.items, [...path, 'items']]] : []),
  ];
  for (const [child, where] of children) {
    const found = violation(child, root, where, depth + 1);
    if (found) return found;
  }
  return null;
}

// "#" or "#/a/b" inside root, or undefined.
function resolve(ref, root) {
  if (ref === '#') return root;
  if (typeof ref !== 'string' || !ref.startsWith('#/')) return undefined;
  return ref
    .slice(2)
    .split('/')
    .reduce(
      (at, key) => (isObject(at) ? at[key.replace(/~1/g, '/').replace(/~0/g, '~')] : undefined),
      root,
    );
}

// A value that conforms to `schema`, chosen by the text: the same for the same text.
// `pattern` is met only if one of a few usual shapes meets it.
const conforming = (schema, text) => value(schema, { root: schema, text }, 'value', 0);

function value(s, ctx, name, depth) {
  if (!isObject(s)) return null;
  if (s.$ref) return value(resolve(s.$ref, ctx.root), ctx, name, depth + 1);
  if (s.const !== undefined) return s.const;
  if (Array.isArray(s.enum)) return pickEnum(s.enum, ctx, name);
  const choices = s.anyOf || s.oneOf;
  if (choices) return value(pickBranch(choices, ctx, name, depth), ctx, name, depth + 1);
  const maker = MAKERS[typeOf(s)];
  return maker ? maker(s, ctx, name, depth) : null;
}

function typeOf(s) {
  if (Array.isArray(s.type)) return s.type.find((t) => t !== 'null') || 'null';
  return s.type || (s.properties ? 'object' : s.items ? 'array' : 'string');
}

const MAKERS = {
  null: () => null,
  boolean: (s, ctx, name) => pick(ctx, name, 2) === 1,
  string: makeString,
  integer: (s, ctx, name) => makeNumber(s, ctx, name, 1),
  number: (s, ctx, name) => makeNumber(s, ctx, name, 0.01),
  array: makeArray,
  object: (s, ctx, name, depth) =>
    Object.fromEntries(
      Object.entries(s.properties || {}).map(([k, v]) => [k, value(v, ctx, k, depth + 1)]),
    ),
};

const pick = (ctx, salt, n) => hash32(`${salt}|${ctx.text}`) % n;

// The value the text speaks of most; on a tie, or if none is named, by hash.
function pickEnum(values, ctx, name) {
  const seen = ctx.seen || (ctx.seen = words(ctx.text));
  const score = values.map((v) => seen.filter((w) => w === String(v).toLowerCase()).length);
  const best = Math.max(...score);
  const top = values.filter((_, i) => score[i] === best);
  return top.length === 1 ? top[0] : top[pick(ctx, name, top.length)];
}

// Deep inside a recursive schema the branch that ends the recursion is taken.
function pickBranch(choices, ctx, name, depth) {
  const leaves = choices.filter((c) => isObject(c) && !c.$ref && !c.properties && !c.items);
  if (depth > 6 && leaves.length) return leaves.find((c) => c.type === 'null') || leaves[0];
  return choices[pick(ctx, `${name}${depth}`, choices.length)];
}

const FORMATS = {
  'date-time': '2026-01-02T03:04:05Z',
  date: '2026-01-02',
  time: '03:04:05Z',
  duration: 'P1D',
  email: 'sim@example.com',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/',
  uuid: '123e4567-e89b-42d3-a456-426614174000',
};

function makeString(s, ctx, name) {
  if (FORMATS[s.format]) return FORMATS[s.format];
  const long = /summary|title|subject|description|text|reason|answer|content/i.test(name);
  let out = firstWords(ctx.text, long ? 8 : 3) || name;
  if (s.pattern)
    out = matching(s.pattern, [
      out,
      name,
      '1',
      '12',
      '123',
      '1234',
      '12345',
      'a',
      'abc',
      'A',
      'ABC',
      'ABC-123',
      'en',
      'en-US',
      '2026-01-02',
      '+15550100',
      '#aabbcc',
      'deadbeef',
    ]);
  if (s.minLength > [...out].length) out = out.padEnd(s.minLength, '.');
  return s.maxLength !== undefined ? [...out].slice(0, s.maxLength).join('') : out;
}

function matching(pattern, candidates) {
  try {
    const re = new RegExp(pattern, 'u');
    return candidates.find((c) => re.test(c)) || candidates[0];
  } catch {
    return candidates[0];
  }
}

function makeNumber(s, ctx, name, unit) {
  const step = s.multipleOf || unit;
  const unitRange = unit < 1 && /confidence|score|probability|likelihood|ratio/i.test(name);
  let low = s.exclusiveMinimum !== undefined ? s.exclusiveMinimum + step : s.minimum;
  let high = s.exclusiveMaximum !== undefined ? s.exclusiveMaximum - step : s.maximum;
  if (low === undefined) low = high === undefined ? 0 : Math.min(0, high);
  if (high === undefined) high = low + (unitRange ? 1 : 100);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.max(first, Math.floor(high / step + 1e-9));
  return Number(((first + pick(ctx, name, last - first + 1)) * step).toFixed(10));
}

function makeArray(s, ctx, name, depth) {
  const low = s.minItems || 0;
  const high = s.maxItems !== undefined ? s.maxItems : Math.max(low, 3);
  const wanted = depth > 6 ? low : Math.max(low, Math.min(high, 1 + pick(ctx, name, 3)));
  return Array.from({ length: wanted }, (_, i) =>
    value(s.items || {}, { ...ctx, text: i ? `${ctx.text} ${i}` : ctx.text }, name, depth + 1),
  );
}

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

module.exports = { strictViolation, conforming };
