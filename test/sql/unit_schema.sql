-- JSON Schema as base/schema.c checks it, offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set suite :here '/fixtures/schema/draft2020-12/'
\i :functions
\pset format unaligned

-- the official test suite: all right but for what is listed
SELECT name, unit_schema_suite(pg_read_binary_file(:'suite' || name)) AS result
  FROM pg_ls_dir(:'suite') AS name WHERE name LIKE '%.json' ORDER BY name COLLATE "C";
\pset format aligned

-- the words of a mismatch and its place
SELECT v,
    unit_schema(
        '{"type":"object","required":["items"],"additionalProperties":false,'
        '"properties":{"items":{"type":"array","minItems":1,"items": {"type":"object",'
        '"required":["price"],"properties":{"price":{"type":"number","minimum":0},'
        '"a/b~c":{"type":["string","null"],"maxLength":3}, "color":{"enum":["red","green"]},'
        '"n":{"const":1},"p":{"pattern":"^a+$"},"m":{"multipleOf":0.01}},'
        '"propertyNames":{"maxLength":9}}}}}',
        convert_to(v, 'UTF8')) AS mismatch
FROM unnest(ARRAY['{"items":[{"price":1}]}', '[]', '{}', '{"items":[]}',
    '{"items":[{"price":1}],"more":1}', '{"items":[{"price":1},{"price":"1"}]}', '{"items":[{}]}',
    '{"items":[{"price":-0.5}]}', '{"items":[{"price":1,"a/b~c":7}]}',
    '{"items":[{"price":1,"a/b~c":"long"}]}', '{"items":[{"price":1,"color":"blue"}]}',
    '{"items":[{"price":1,"n":1.0,"color":"red"}]}', '{"items":[{"price":1,"n":"1"}]}',
    '{"items":[{"price":1,"p":"b"}]}', '{"items":[{"price":1,"m":19.99}]}',
    '{"items":[{"price":1,"m":19.999}]}', '{"items":[{"price":1,"ten characters":1}]}', 'null',
    '{"items":null}']) AS v;
SELECT unit_schema(convert_to(s, 'UTF8'), '{"a":[1,1]}')
FROM unnest(ARRAY['false', 'true', '{}', '{"not":{}}',
    '{"anyOf":[{"type":"string"},{"type":"null"}]}', '{"oneOf":[{},{}]}', '{"oneOf":[false]}',
    '{"properties":{"a":{"uniqueItems":true}}}', '{"properties":{"a":{"contains":{"const":2}}}}',
    '{"properties":{"a":{"maxContains":1,"contains":{"const":1}}}}',
    '{"dependentRequired":{"a":["b"]}}', '{"if":{"required":["a"]},"then":{"required":["c"]}}',
    '{"if":{"required":["b"]},"else":{"required":["c"]}}', '{"maxProperties":0}',
    '{"properties":{"a":{"prefixItems":[true,{"type":"null"}]}}}',
    '{"$ref":"#/$defs/x","$defs":{"x":{"minProperties":2}}}']) AS s;
-- long values and places are cut at a character
SELECT unit_schema('{"const":1}',
    convert_to('"' || repeat(convert_from('\xc3a9', 'UTF8'), 100) || '"', 'UTF8'));
SELECT length(unit_schema('{"additionalProperties":false}',
    convert_to('{"' || repeat('k', 10000) || '":1}', 'UTF8')));

-- schemas that are refused
SELECT s, unit_schema(convert_to(s, 'UTF8'), '1') AS refused
FROM unnest(ARRAY['1', 'null', '[]', '"x"', '{"type":"text"}', '{"type":[]}',
    '{"type":["string",1]}', '{"type":{}}', '{"enum":[]}', '{"enum":"a"}', '{"minimum":"1"}',
    '{"multipleOf":0}', '{"multipleOf":-1}', '{"minLength":-1}', '{"minLength":1.5}',
    '{"maxItems":"2"}', '{"uniqueItems":1}', '{"pattern":1}', '{"pattern":"("}',
    '{"pattern":"(a)\\1"}', '{"pattern":"\\p{L}"}', '{"patternProperties":{"[":{}}}',
    '{"required":"a"}', '{"required":[1]}', '{"properties":[]}', '{"properties":{"a":1}}',
    '{"items":[{}]}', '{"prefixItems":[]}', '{"prefixItems":{}}', '{"anyOf":[]}', '{"anyOf":{}}',
    '{"allOf":[null]}', '{"not":null}', '{"dependentRequired":{"a":"b"}}', '{"$ref":1}',
    '{"$ref":"other.json"}', '{"$ref":"https://example.com/s"}', '{"$ref":"#/$defs/none"}',
    '{"$ref":"#anchor"}', '{"$ref":"#/enum/0","enum":[1]}', '{"$ref":"#"}',
    '{"allOf":[{"$ref":"#"}]}',
    '{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"anyOf":[true,{"$ref":"#/$defs/a"}]}}}',
    '{"not":{"$ref":"#"}}', '{"dependentSchemas":{"x":{"$ref":"#"}}}', '{"$dynamicRef":"#a"}',
    '{"unevaluatedProperties":false}', '{"dependencies":{}}', '{"properties":{"a":{"$id":"x"}}}',
    '{"$defs":{"deep":{"properties":{"x":{"type":"nothing"}}}}}']) AS s;
-- and what is no refusal: names that only look like keywords, recursion through a value,
-- annotations, formats
SELECT unit_schema(convert_to(s, 'UTF8'), '{"next":{"next":{"v":1}}}') AS taken
FROM unnest(ARRAY['{"properties":{"$id":{},"type":{},"$ref":{"type":"string"}}}',
    '{"properties":{"next":{"$ref":"#"},"v":{"type":"integer"}},"additionalProperties":false}',
    '{"title":1,"format":"date","x-mine":{"type":7},"default":{"type":7}}',
    '{"const":{"type":7},"enum":[{"$ref":"x"}],"not":{}}',
    '{"$ref":"#/$defs/a~1b%25","$defs":{"a/b%":{"type":"object"}}}',
    '{"$id":"https://example.com/s","$schema":"x"}']) AS s;
SELECT unit_schema('{"properties":{"next":{"$ref":"#"},"v":{"type":"string"}}}',
    '{"next":{"next":{"v":1}}}') AS found_deep_down;

-- bounds: a schema of 2^40 ways, deep recursion, a long chain of references, dear patterns
SELECT unit_schema(
    convert_to(
        '{"$ref":"#/$defs/d0","$defs":{'
            || string_agg(
                format('"d%s":{"anyOf":[{"$ref":"#/$defs/d%s"},{"$ref":"#/$defs/d%s"}]}', i, i + 1,
                    i + 1),
                ',')
            || ',"d40":false}}',
        'UTF8'),
    '1')
FROM generate_series(0, 39) AS i;
SELECT unit_schema(
    convert_to(
        '{"$ref":"#/$defs/d0","$defs":{'
            || string_agg(format('"d%s":{"$ref":"#/$defs/d%s"}', i, i + 1), ',')
            || ',"d5000":false}}',
        'UTF8'),
    '1')
FROM generate_series(0, 4999) AS i;
SELECT unit_schema('{"items":{"$ref":"#"}}',
    convert_to(repeat('[', 128) || repeat(']', 128), 'UTF8')) AS fits;
SELECT unit_schema(
    convert_to('{"patternProperties":{' || string_agg(format('"^%s[a-z]+$":{}', i), ',') || '}}',
        'UTF8'),
    (SELECT convert_to('{' || string_agg(format('"k%s":1', i), ',') || '}', 'UTF8')
     FROM generate_series(1, 1000) AS i))
FROM generate_series(1, 1000) AS i;
SELECT unit_schema('{"uniqueItems":true}',
    convert_to('[' || string_agg(i::text, ',') || ',7]', 'UTF8'))
FROM generate_series(1, 300000) AS i;
SELECT unit_schema('{"items":{"type":"integer","minimum":1}}',
    convert_to('[' || string_agg(i::text, ',') || ']', 'UTF8')) AS fits
FROM generate_series(1, 300000) AS i;

-- what costs too much is refused before anything is sent, with the figure
CREATE FUNCTION pattern_refused(pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT COALESCE(
        replace(unit_schema(convert_to(json_build_object('pattern', pattern)::text, 'UTF8'), '1'),
            'refused: "pattern" has a regular expression that we cannot use: ', ''),
        'taken')
$$;
SELECT p, pattern_refused(p)
FROM unnest(ARRAY['^((x?){38}){38}$', '((x{38}){38}){2}', '^((x?){15}){20}$',
    '^([A-Za-z0-9-]{1,63}\.){1,10}[a-z]{2,63}$', '^.{0,255}$', '(a?|b?){250}',
    '(((((x*)*){9})*){9})*', '[]abc-x[:alpha:]]{200}', '[^]\]]{255}{9}', '(?:a|(?:b|c){100}){20}',
    'a\{9\}(?#{255})', '^(?=.*\d)(?!.*\s).{8,64}$', '(?=a(?!b))', '(\y){0,25}', '(\y){0,3}',
    '^((?!foo).)*$', '^a$|^b$|^c$|^d$', '(?i)abc', '(?x) a { 255 }', '***=a{9}', 'x{99999}', '(?=',
    '(', 'a{2', '\', '[', '(?', '())', '{1}']) AS p;
SELECT length(p) AS bytes, pattern_refused(p)
FROM (VALUES (repeat('x?', 2000)), (repeat('a', 1999)), (repeat('a', 2000)),
          (repeat('(', 101) || 'a' || repeat(')', 101)), (repeat('a{255}', 2000))) AS v (p);
SELECT unit_schema(
    convert_to(
        '{"patternProperties":{' || string_agg(format('"k%s(a{255}){7}":{}', i), ',') || '}}',
        'UTF8'),
    '1')
FROM generate_series(1, 20) AS i;
SELECT unit_schema(
    convert_to('{"prefixItems":[' || string_agg('{"type":"null"}', ',') || ']}', 'UTF8'), '1')
FROM generate_series(1, 10000) AS i;
SELECT unit_schema(
    convert_to(
        '{"$ref":"#/$defs/d0","$defs":{'
            || string_agg(
                format('"d%s":{"anyOf":[{"$ref":"#/$defs/d%s"},{"$ref":"#/$defs/d%s"}]}', i, i + 1,
                    i + 1),
                ',')
            || ',"d11":false}}',
        'UTF8'),
    '1') AS taken
FROM generate_series(0, 10) AS i;

-- what costs too much with a value is counted, so that it is so on every machine
SELECT n,
    unit_schema(
        '{"items":{"anyOf":[{"items":{"$ref":"#/items"},"type":"string"},'
        '{"items":{"$ref":"#/items"},"type":"string"}]}}',
        convert_to(repeat('[', n) || repeat(']', n), 'UTF8'))
FROM unnest(ARRAY[8, 30]) AS n;
SELECT n,
    unit_schema('{"pattern":"(a|b)*a(a|b){250}c"}',
        convert_to('"' || repeat('ab', n) || '"', 'UTF8'))
FROM unnest(ARRAY[10, 50000, 1000000]) AS n;
SELECT n,
    unit_schema('{"pattern":"a(?=(a|b)*a(a|b){20}c)"}',
        convert_to('"' || repeat('ab', n) || '"', 'UTF8'))
FROM unnest(ARRAY[10, 20000]) AS n;
SELECT n,
    unit_schema(
        '{"additionalProperties":false,"patternProperties":{"^(a|b)*a(a|b){200}":true}}',
        (SELECT convert_to('{' || string_agg(format('"%s%s":1', repeat('ab', 125), i), ',') || '}',
             'UTF8')
         FROM generate_series(1, n) AS i)) IS NULL AS matches
FROM unnest(ARRAY[1000]) AS n;
SELECT unit_schema(
    '{"items":{"pattern":"^[A-Za-z0-9 ,.-]{1,255}$"}}',
    convert_to('[' || string_agg('"Some words, as a model writes them."', ',') || ']',
        'UTF8')) AS fits
FROM generate_series(1, 10000) AS i;
SELECT unit_schema(convert_to('{"items":{"enum":[' || string_agg(i::text, ',') || ']}}', 'UTF8'),
    convert_to('[' || string_agg('-1', ',') || ']', 'UTF8'))
FROM generate_series(1, 3000) AS i;
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
