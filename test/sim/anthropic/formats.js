'use strict';
// The rules of output_config.format's schema: a subset of JSON Schema. Returns null or what is
// wrong, as text.

const { isObject } = require('./params');

const UNSUPPORTED = [
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  'patternProperties',
  'not',
  'if',
  'then',
  'else',
  'dependentSchemas',
  'oneOf',
];
const MAX_OPTIONAL = 24;

function schemaViolation(schema) {
  const found = { optional: 0 };
  const wrong = violation(schema, schema, [], found);
  if (wrong) return wrong;
  return found.optional > MAX_OPTIONAL
    ? `Schemas contains too many optional parameters (${found.optional}), which would make ` +
        'grammar compilation inefficient. Reduce the number of optional parameters in your ' +
        'schema ' +
        `(limit: ${MAX_OPTIONAL}).`
    : null;
}

// within: the references that lead here.
function violation(s, root, within, found) {
  if (!isObject(s)) return 'schema must be a JSON object';
  const name = Array.isArray(s.type) ? s.type[0] : s.type;
  const bad = UNSUPPORTED.find((key) => key in s);
  if (bad) return `For '${name || 'object'}' type, property '${bad}' is not supported`;
  if (s.minItems > 1)
    return "For 'array' type, 'minItems' values other than 0 or 1 are not supported";
  if (s.$ref !== undefined) return reference(s.$ref, root, within, found);
  const isAnObject = name === 'object' || s.properties !== undefined;
  if (isAnObject && s.additionalProperties !== false)
    return "For 'object' type, 'additionalProperties' must be explicitly set to false";
  if (isAnObject)
    found.optional += Object.keys(s.properties || {}).filter(
      (key) => !(s.required || []).includes(key),
    ).length;
  return inside(s, root, within, found);
}

function inside(s, root, within, found) {
  const children = [
    ...Object.values(s.properties || {}),
    ...(s.anyOf || []),
    ...(s.allOf || []),
    ...(isObject(s.items) ? [s.items] : []),
  ];
  for (const child of children) {
    const wrong = violation(child, root, within, found);
    if (wrong) return wrong;
  }
  return null;
}

function reference(ref, root, within, found) {
  if (typeof ref !== 'string' || !ref.startsWith('#'))
    return 'External schema references ($ref) are not supported';
  if (within.includes(ref) || ref === '#')
    return `Recursive schema references are not supported: '${ref}'`;
  const target = ref
    .slice(2)
    .split('/')
    .reduce((at, key) => (isObject(at) ? at[key] : undefined), root);
  return target === undefined
    ? `Could not resolve the schema reference '${ref}'`
    : violation(target, root, [...within, ref], found);
}

module.exports = { schemaViolation };
