'use strict';
// responseSchema, the subset of OpenAPI's schemas that Gemini takes: its rules, and the JSON Schema
// that it means.

const { camel, isObject } = require('../params');
const { bad } = require('./bad');

const KEYS = [
  'type',
  'format',
  'title',
  'description',
  'nullable',
  'default',
  'items',
  'minItems',
  'maxItems',
  'enum',
  'properties',
  'propertyOrdering',
  'required',
  'minProperties',
  'maxProperties',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'pattern',
  'example',
  'anyOf',
  'additionalProperties',
  'ref',
  'defs',
];
const TYPES = ['STRING', 'NUMBER', 'INTEGER', 'BOOLEAN', 'ARRAY', 'OBJECT', 'NULL'];
const INT64 = ['minItems', 'maxItems', 'minProperties', 'maxProperties', 'minLength', 'maxLength'];
const typeOf = (schema) => String(schema.type).toUpperCase();

function checkSchema(schema, at) {
  if (!isObject(schema)) bad(`Invalid value at '${at}'`);
  const unknown = Object.keys(schema).find((key) => !KEYS.includes(camel(key)));
  if (unknown !== undefined)
    bad(`Invalid JSON payload received. Unknown name "${unknown}" at '${at}': Cannot find field.`);
  if (Array.isArray(schema.type))
    bad(
      `Invalid JSON payload received. Unknown name "type" at '${at}': Proto field is not ` +
        'repeating, cannot start list.',
    );
  if (schema.type === undefined && !schema.anyOf && !schema.ref)
    bad(
      "Unable to submit request because one or more response schemas didn't specify the schema " +
        `type field: ${at}.`,
    );
  if (schema.type !== undefined && !TYPES.includes(typeOf(schema)))
    bad(`Invalid value at '${at}.type' (TYPE_ENUM), ${JSON.stringify(schema.type)}`);
  if (schema.enum !== undefined && !(typeOf(schema) === 'STRING' && isEnum(schema.enum)))
    bad(`${at}.enum: only allowed for STRING type, with texts that are not empty.`);
  for (const name of INT64)
    if (schema[name] !== undefined && !/^\d+$/.test(schema[name]))
      bad(`Invalid value at '${at}.${name}' (TYPE_INT64), ${JSON.stringify(schema[name])}`);
  if (typeOf(schema) === 'ARRAY' && schema.items === undefined) bad(`${at}.items: missing field.`);
  if (typeOf(schema) === 'OBJECT') checkObject(schema, at);
  for (const [child, where] of children(schema)) checkSchema(child, `${at}.${where}`);
}

const isEnum = (list) =>
  Array.isArray(list) && list.every((value) => typeof value === 'string' && value);

function checkObject(schema, at) {
  const names = Object.keys(schema.properties || {});
  if (!names.length) bad(`${at}.properties: should be non-empty for OBJECT type`);
  const wrong = [...(schema.required || []), ...(schema.propertyOrdering || [])].find(
    (name) => !names.includes(name),
  );
  if (wrong !== undefined) bad(`${at}.required: property is not defined: ${wrong}`);
}

// [schema, where it stands] of all that are directly inside.
const children = ({ properties = {}, items, anyOf = [] }) => [
  ...Object.entries(properties).map(([name, child]) => [child, `properties[${name}]`]),
  ...(items === undefined ? [] : [[items, 'items']]),
  ...anyOf.map((child, i) => [child, `any_of[${i}]`]),
];

// The same in JSON Schema.
function jsonSchema(schema) {
  const {
    type,
    items,
    properties,
    anyOf,
    propertyOrdering: order,
    nullable,
    ...rest
  } = Object.fromEntries(Object.entries(schema).map(([key, value]) => [camel(key), value]));
  const out = { ...rest };
  for (const name of INT64) if (out[name] !== undefined) out[name] = Number(out[name]);
  if (type !== undefined) out.type = nullable ? [type.toLowerCase(), 'null'] : type.toLowerCase();
  if (items) out.items = jsonSchema(items);
  if (anyOf) out.anyOf = anyOf.map(jsonSchema);
  if (properties) out.properties = inOrder(properties, order, jsonSchema);
  return out;
}

// A schema is a map here, without an order but the one that is asked for.
const inOrder = (properties, order, each) =>
  Object.fromEntries(
    [...new Set([...(order || []), ...Object.keys(properties).sort()])].map((name) => [
      name,
      each(properties[name]),
    ]),
  );

// A JSON Schema with its properties in the order that is asked for.
function orderedSchema(schema) {
  if (Array.isArray(schema)) return schema.map(orderedSchema);
  if (!isObject(schema)) return schema;
  const out = { ...schema };
  for (const name of ['items', 'prefixItems', 'anyOf', 'oneOf', 'allOf'])
    if (out[name] !== undefined) out[name] = orderedSchema(out[name]);
  for (const name of ['$defs', 'definitions'])
    if (isObject(out[name])) out[name] = inOrder(out[name], null, orderedSchema);
  if (isObject(out.properties))
    out.properties = inOrder(out.properties, out.propertyOrdering, orderedSchema);
  return out;
}

module.exports = { checkSchema, jsonSchema, orderedSchema };
