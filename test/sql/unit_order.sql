-- Members are sent in the order in which they were written, by each provider: schemas, tools,
-- params; offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
-- the shape of a request line for a schema and params as text, which no jsonb has sorted
CREATE FUNCTION frame(server text, model text, schema text, params text) RETURNS text LANGUAGE sql
  AS
  $$ SELECT unit_frame(convert_to(format(
  '{"server":%s,"spec":{"model":"%s","response_schema":%s,"params":%s}}', server, model, schema,
  params), 'UTF8'), 'x') $$;
\set schema '{"type":"object","properties":{"reasons":{"type":"array","items":{"type":"object",'
\set schema :schema '"properties":{"z":{"type":"string"},"a":{"type":"string","minLength":1}},'
\set schema :schema '"required":["z","a"],"additionalProperties":false}},"ok":{"type":"boolean"}},'
\set schema :schema '"required":["reasons","ok"],"additionalProperties":false}'
\set tool '{"type":"object","required":["zebra","ox"],"properties":{"zebra":{"type":"string"},'
\set tool :tool '"ox":{"type":"integer"}}}'
SELECT frame('{"provider":"openai"}', 'm', :'schema',
  '{"top_p":1,"tools":[{"type":"function","function":{"name":"f","parameters":' || :'tool' ||
  '}}],"n":1}');
SELECT frame('{"provider":"azure_openai"}', 'm', :'schema',
  '{"top_p":1,"tools":[{"type":"function","function":{"name":"f","parameters":' || :'tool' ||
  '}}],"n":1}');
SELECT frame('{"provider":"anthropic"}', 'claude-haiku-5-5', :'schema',
  '{"top_p":1,"tools":[{"name":"f","input_schema":' || :'tool' || '}],"top_k":1}');
SELECT frame('{"provider":"vertex","location":"global"}', 'claude-haiku-5-5', :'schema',
  '{"top_p":1,"tools":[{"name":"f","input_schema":' || :'tool' || '}],"top_k":1}');
SELECT frame('{"provider":"bedrock"}', 'us.amazon.nova-lite-v1:0', :'schema',
  '{"top_p":1,"top_k":5,"temperature":0,"max_tokens":9,"a_b":{"z":1,"a":2}}');
-- Google's maps have no order: a list beside the properties says it
SELECT frame(s, 'gemini-3.5-flash-lite', :'schema',
  '{"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":' || :'tool' ||
  '},{"name":"g","parameters":' || :'tool' || '}]}],"generationConfig":{"topP":1,"seed":1}}')
FROM unnest(ARRAY['{"provider":"gemini"}',
  '{"provider":"vertex","location":"global","request_labels":"off"}']) WITH ORDINALITY u(s, i) ORDER
  BY i;
SELECT substring(frame('{"provider":"gemini"}', 'gemini-3.5-flash-lite', 'null', params) FROM
  '\}\]\}\](.*)\}\}$') FROM unnest(ARRAY[
  -- of whoever writes a schema in params, in either spelling
  '{"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT",'
  '"properties":{"b":{"type":"STRING"},"a":{"type":"STRING"}}}}}',
  '{"generation_config":{"response_mime_type":"application/json","response_json_schema":'
  '{"properties":{"b":{"type":"string"},"a":{"anyOf":[{"properties":{"y":{},"x":{}}},{"type":'
  '"null"}]}}}}}',
  -- one of their own stays
  '{"generationConfig":{"responseSchema":{"type":"OBJECT","propertyOrdering":["a","b"],'
  '"properties":{"b":{"type":"STRING"},"a":{"type":"STRING"}}}}}',
  '{"generationConfig":{"responseSchema":{"type":"OBJECT","property_ordering":["a","b"],'
  '"properties":{"b":{"type":"STRING"},"a":{"type":"STRING"}}}}}',
  -- definitions, references, lists of schemas
  '{"generationConfig":{"responseJsonSchema":{"$ref":"#/$defs/n","$defs":{"n":{"type":"object",'
  '"properties":{"b":{"$ref":"#/$defs/n"},"a":true}}}}}}',
  '{"generationConfig":{"responseJsonSchema":{"prefixItems":[{"properties":{"b":{},"a":{}}}],'
  '"oneOf":[{"properties":{"d":{},"c":{}}}],"additionalProperties":{"properties":{"f":{},"e":'
  '{}}}}}}',
  -- what looks like a schema and is none: values, and properties of such names
  '{"generationConfig":{"responseJsonSchema":{"enum":[{"properties":{"b":1,"a":2}}],"properties":'
  '{"properties":{"properties":{"y":{},"x":{}}},"items":{"const":{"properties":{"b":1,"a":2}}}}}}}',
  '{"safetySettings":[{"properties":{"b":1,"a":2}}],"toolConfig":{"b":1,"a":2}}',
  -- odd ones are sent as they are
  '{"generationConfig":{"responseJsonSchema":{"properties":[1,2],"items":[],"anyOf":{"a":1},'
  '"$defs":7}}}',
  '{"generationConfig":{"responseJsonSchema":true},"tools":[]}',
  '{"generationConfig":{"responseSchema":{"properties":{"only":{"type":"STRING"}}}}}',
  '{"generationConfig":{"responseSchema":{"properties":{"q\"":{},"\u00e9\\":{}}}}}']) AS params;
-- Anthropic's descriptions of what it cannot assert, in the order of writing
SELECT substring(frame('{"provider":"anthropic"}', 'claude-haiku-5-5',
  '{"type":"object","properties":{"n":{"minimum":1,"type":"integer","maximum":5,"exclusiveMinimum":'
  '0}},"required":["n"]}', 'null') FROM '"n":\{.*?\}"\}');
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
