-- JSON as base/json.c reads and writes it, offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions

-- compact, slashes and characters as they are, numbers as they were written
SELECT unit_json(convert_to(t, 'UTF8'))
FROM unnest(ARRAY[
    ' { "a" : [ 1 , 2.50, -0.0, 1E+2, 0.1e-7, true, false, null ] , "b/c" : "x/y" } ',
    '"\u00e9\ud83d\ude00 \" \\ \/ \b\f\n\r\t \u001f"', '123456789012345678901234567890',
    '-9223372036854775808', '9223372036854775807', '18446744073709551616', '-0', '[-0,0]',
    '1234567890123456789012345678901234567890.5e3', '1e400', '1.5E+0000000', 'null', 'true', '""',
    '{}', '[]', '{"":{"":[]}}', E'\n[1]\t\r\n']) AS t;
-- the last of two keys counts; escapes that are only half of a character become U+FFFD
SELECT unit_json('{"a":1,"b":2,"a":3}'),
    unit_json(convert_to('"\ud800x"', 'UTF8')) = convert_from('\x22efbfbd7822', 'UTF8') AS replaced;
-- a NUL byte in a string stays; in a key it is refused
SELECT unit_json(convert_to('{"a":"x\u0000y"}', 'UTF8')) AS kept,
    unit_json(convert_to('{"a\u0000b":1}', 'UTF8')) AS refused,
    unit_json(convert_to('{"a\\u0000b":1}', 'UTF8')) AS no_nul;
-- what is no JSON
SELECT t, unit_json(convert_to(t, 'UTF8')) AS none
FROM unnest(ARRAY['', '  ', '{', '[1,', '{"a":1', '"abc', '"a\', '"a\u12', '[1,]', '{"a":1,}',
    '{,}', '[1 2]', '{"a" 1}', '{1:2}', '{a:1}', '[1] x', '{}{}', '1 2', '01', '-', '1.', '.5',
    '+1', '1e', '0x10', '-01', 'NaN', 'Infinity', '-Infinity', '[NaN]', 'True', 'nul', 'nulll',
    '''a''', '/* c */ 1', '[1] // c', '"a\x"', '<html>', 'undefined']) AS t
WHERE unit_json(convert_to(t, 'UTF8')) IS NULL;
SELECT count(*) AS raw_control_characters FROM generate_series(0, 31) AS c
 WHERE unit_json('\x22'::bytea || set_byte('\x00', 0, c) || '\x22'::bytea) IS NOT NULL;
-- no UTF-8: a lone byte, an overlong form, a surrogate, too high, cut off, a NUL byte behind
SELECT b, unit_json('\x22'::bytea || b || '\x22'::bytea) AS none
  FROM unnest('{"\\xff","\\xc080","\\xeda080","\\xf4908080","\\xe282"}'::bytea[]) AS b;
SELECT unit_json('\x5b315d00') AS none, unit_json('\xefbbbf5b315d') AS byte_order_mark;
-- depth: 128 levels, no more, and no crash for many more
SELECT n, unit_json(convert_to(repeat('[', n) || repeat(']', n), 'UTF8')) IS NOT NULL AS taken
FROM unnest('{1,127,128,129,130,1000000}'::int[]) AS n;
SELECT n,
    unit_json(convert_to(repeat('{"a":', n) || '1' || repeat('}', n), 'UTF8')) IS NOT NULL AS taken
FROM unnest('{127,128,129,100000}'::int[]) AS n;
-- large: one string of 5 MB, many members
SELECT length(unit_json(convert_to('{"a":"' || repeat('x', 5000000) || '"}', 'UTF8')));
SELECT length(unit_json(convert_to('{' || string_agg(format('"k%s":%s', i, i), ',') || '}',
    'UTF8')))
FROM generate_series(1, 200000) AS i;
-- cut anywhere, a text is none
SELECT count(*) AS taken FROM generate_series(1, 88) AS n
WHERE unit_json(substr(
    convert_to(
        '{"custom_id":"01234567-1","response":{"status_code":200,"body":{"a":[1.5e3,"\u00e9",'
        'null]}}}',
        'UTF8'),
    1, n)) IS NOT NULL;
-- every reader of every type, and of nothing
SELECT key,
    unit_json_read(
        convert_to(
            '{"null":null,"true":true,"int":42,"big":123456789012345678901,'
            '"edge":9223372036854775807,"whole":7.0, "double":2.5,"huge":1e300,"string":"ab",'
            '"nul":"a\u0000b","digits":"12","array":[null,1],"object":{"a":1}}',
            'UTF8'),
        key)
FROM unnest(ARRAY['none','null','true','int','big','edge','whole','double','huge','string','nul',
    'digits','array','object']) AS key;
SELECT unit_json_read('[1]', 'a') AS of_an_array, unit_json_read('x', 'a') AS of_nothing;
-- writing, and reading it again
SELECT unit_json_string(t) AS written,
    unit_json(convert_to(unit_json_string(t), 'UTF8')) = unit_json_string(t) AS same
FROM unnest(ARRAY['', 'a"b\c/d', E'\x01\x1f\b\f\n\r\t\x7f', 'plain',
    convert_from('\xc3a9e282acf09f9880e280a8', 'UTF8')]) AS t;
-- equal values have one text
SELECT unit_canonical(convert_to(t, 'UTF8'))
FROM unnest(ARRAY['1', '1.0', '1e0', '100e-2', '-0', '0.0', '12345678901234567890123',
    '12345678901234567890123.0', '1e22', '10000000000000000000000', '0.1', '0.10', '1e400', '"1"',
    '{"b":1,"a":[2.0,{"d":null,"c":true}]}', '{"a":[2,{"c":true,"d":null}],"b":1.0}']) AS t;
-- waiting
SELECT n, unit_backoff(1000, 2, 60000, n, 0.5) FROM unnest('{0,1,5,6,100,2000000000}'::int[]) AS n;
SELECT unit_backoff(1000, 2, 60000, 0, 0) AS lowest,
    unit_backoff(1000, 2, 60000, 0, 0.999999) AS highest;
-- the first times of a series, and its gaps: as long as the step, then growing, then the cap
WITH RECURSIVE series(n, at) AS (SELECT 0, unit_pace(60000, 600000, -1) UNION ALL
    SELECT n + 1, unit_pace(60000, 600000, at) FROM series WHERE n < 24)
SELECT n, round(at::numeric, 1) AS at, round((at - lag(at) OVER (ORDER BY n))::numeric, 1) AS gap
FROM series ORDER BY n;
-- whoever asks at any time is told the next time of the same series
WITH RECURSIVE series(n, at) AS (SELECT 0, unit_pace(1000, 10000, -1) UNION ALL
    SELECT n + 1, unit_pace(1000, 10000, at) FROM series WHERE n < 200)
SELECT count(*) AS tries, count(*) FILTER (WHERE next = (SELECT min(at) FROM series WHERE at > t))
    AS right
FROM generate_series(-7, 700) i, LATERAL (SELECT i * 0.7 AS t) o, unit_pace(1000, 10000, t) next;
SELECT unit_pace(1000, 1000, 1e9) AS steady, unit_pace(3600000, 3600000, 0) AS rare;
SELECT t, unit_retry_after(t, 1795132800)
FROM unnest(ARRAY['', 'retry-after: 7', 'Retry-After-Ms: 1500',
    E'retry-after: 7\nretry-after-ms: 250', 'retry-after: Fri, 20 Nov 2026 00:01:00 GMT',
    'retry-after: Thu, 19 Nov 2026 00:00:00 GMT', 'retry-after: soon', 'retry-after: -5',
    'retry-after: 99999999999999999999']) AS t;

-- long texts are read in pieces of 64 kB: tokens that lie across their ends
SELECT count(*) AS tries, count(*) FILTER (WHERE unit_json(convert_to(t, 'UTF8')) = t) AS same
FROM (SELECT format('["%s",%s]', repeat('a', 65536 - 5 - n), token) AS t
      FROM generate_series(0, 30) AS n,
          unnest(ARRAY['-12.5e+10', '123456789012345678901234567890', 'true', 'null', 'false',
              '"\"\\\n\u001f"', '"é𝄞"', '{"key":{"k":[1,2,{}]}}', '0']) AS token) AS x;
SELECT unit_json(convert_to('["' || repeat('a', 70000) || '",1', 'UTF8')) IS NULL AS cut,
    unit_json(convert_to('["' || repeat('a', 70000) || '"]]', 'UTF8')) IS NULL AS more,
    unit_json(convert_to(repeat('1', 70000), 'UTF8')) = repeat('1', 70000) AS number;
-- trees that would take more than 512 MB of memory are not made
SELECT part, n,
    unit_json(convert_to('[' || repeat(part || ',', n - 1) || part || ']',
        'UTF8')) IS NULL AS refused
FROM (VALUES ('{}', 100000), ('{}', 700000), ('[]', 2500000), ('{"a":1}', 600000)) AS v (part, n);
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
