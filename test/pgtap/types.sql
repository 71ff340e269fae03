-- Write-back by an SQL/JSON path, through the input of each column type: values that fit, values
-- that do not, and outputs that are not JSON.
\i lib.sql
CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS hstore;
SELECT no_plan();
SELECT sim.server('openai');
SELECT sim.server('embed', '', 'text-embedding-3-small');

CREATE FUNCTION url(text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(encode(convert_to($1, 'UTF8'), 'hex'), '(..)', '%\1', 'g')
$$;

CREATE TYPE mood AS ENUM ('calm', 'Very "angry"');
CREATE TYPE place AS (town text, zip int, tags text[]);
CREATE DOMAIN short_word AS text CHECK (length(VALUE) <= 5);
CREATE DOMAIN counted AS int CHECK (VALUE >= 0);
CREATE DOMAIN identified AS uuid;
CREATE DOMAIN labels AS text[] CHECK (cardinality(VALUE) < 3);
CREATE TABLE typed (
    id int PRIMARY KEY,
    -- a NULL that was written is told from one that was not
    a_text text DEFAULT 'before', a_varchar varchar(5), a_char char(5), a_byte "char", a_name name,
    a_citext citext, a_hstore hstore,
    a_jsonb jsonb, a_json json, a_numeric numeric(5,2), an_int int, a_bigint bigint, a_float float8,
    a_real real, a_bool boolean,
    a_mood mood, a_date date, a_time timestamptz, a_stamp timestamp, an_interval interval,
    a_uuid uuid, a_bytea bytea, an_inet inet,
    a_range int4range, a_bit bit(4),
    texts text[] DEFAULT '{before}', shorts varchar(3)[], ints int[], grid int[], reals real[],
    floats float8[], numerics numeric[], moods mood[], jsons jsonb[], places place[],
    a_place place, a_word short_word, some_labels labels, a_vector vector(3), a_small smallint,
    a_count counted, an_id identified,
    "Größe" text, "with space" text, "quo""ted" text, "select" text, "$" text);

CREATE TABLE cases (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, col text NOT NULL,
    path text NOT NULL, output text NOT NULL, outcome text NOT NULL, wanted text,
    about text NOT NULL, error text);
CREATE PROCEDURE good(col text, path text, output text, wanted text, about text) LANGUAGE sql AS $$
    INSERT INTO cases (col, path, output, outcome, wanted, about)
    VALUES (col, path, output, 'succeeded written', wanted, about)
$$;
CREATE PROCEDURE bad(col text, path text, output text, error text, about text) LANGUAGE sql AS $$
    INSERT INTO cases (col, path, output, outcome, error, about)
    VALUES (col, path, output, 'succeeded write_failed', error, about)
$$;
CREATE PROCEDURE invalid(col text, path text, output text, about text) LANGUAGE sql AS $$
    INSERT INTO cases (col, path, output, outcome, error, about)
    VALUES (col, path, output, 'invalid_output', '%not JSON%', about)
$$;

-- whole outputs
CALL good('a_text', '$', 'plain "quoted" \ text' || E'\n\tÄ€😀',
    'plain "quoted" \ text' || E'\n\tÄ€😀', 'a text takes any output as it is');
CALL good('a_text', '$', '{"b": 1,  "a":2}', '{"b": 1,  "a":2}',
    'a text takes JSON as it is, spaces included');
CALL good('a_text', '$', '"x"', '"x"',
    'a text keeps the quotes of a JSON string that is the whole output');
CALL good('a_jsonb', '$', '{"b": 1,  "a":[true,null]}', '{"a": [true, null], "b": 1}',
    'a jsonb takes the whole output');
CALL good('a_json', '$', '{"b": 1,  "a":2}', '{"b": 1,  "a":2}',
    'a json takes the whole output as it is');
CALL good('a_jsonb', '$', '12', '12', 'a jsonb takes a scalar');
CALL invalid('a_jsonb', '$', 'no json', 'a jsonb does not take plain text');
CALL invalid('a_json', '$', '{"a":', 'a json does not take half an object');
CALL invalid('a_json', '$', '1}, {"seq": 1, "k0": "1", "c0": 2',
    'an output cannot reach out of its own value');
CALL invalid('a_jsonb', '$', '{"a": "\u0000"}', 'a jsonb cannot hold NUL');
CALL good('an_int', '$', ' 42 ', '42', 'an int takes its text form');
CALL bad('an_int', '$', 'forty-two', '%invalid input syntax for type integer%',
    'an int does not take words');
CALL good('a_bool', '$', 'yes', 'true', 'a boolean takes its words');
CALL good('a_date', '$', '2026-02-28', '2026-02-28', 'a date takes its text form');
CALL good('a_mood', '$', 'Very "angry"', 'Very "angry"', 'an enum takes its label');
CALL bad('a_mood', '$', 'Calm', '%invalid input value for enum%',
    'an enum does not take another word');
CALL good('texts', '$', '["a,b", "c\"d", null, "{}"]', '{"a,b","c\"d",NULL,"{}"}',
    'an array takes a whole JSON array');
CALL invalid('texts', '$', 'a, b', 'an array needs JSON');
CALL invalid('texts', '$', '[1]} , {"seq":1',
    'an array needs one JSON value and nothing behind it');
CALL good('a_place', '$', '{"zip": 1010, "town": "Wien (1)", "tags": ["x"], "more": 1}',
    '("Wien (1)",1010,{x})', 'a row type takes a JSON object by names');
CALL invalid('a_place', '$', '(Wien,1010)', 'a row type needs JSON');
CALL good('a_vector', '$', '[1, 2.5, -3]', '[1,2.5,-3]', 'a vector takes a JSON array');
CALL bad('a_vector', '$', '[1, 2]', '%expected 3 dimensions%',
    'a vector does not take other dimensions');

-- 11.6: numbers without a fraction are integers, however they are written
CALL good('an_int', '$.a', '{"a": 3.0}', '3', 'int from 3.0');
CALL good('an_int', '$.a', '{"a": -3.000}', '-3', 'int from -3.000');
CALL good('an_int', '$.a', '{"a": 1.5e1}', '15', 'int from 1.5e1');
CALL good('an_int', '$', '3.0', '3', 'int from the whole output 3.0');
CALL good('an_int', '$', ' 30e-1 ', '3', 'int from the whole output 30e-1');
CALL bad('an_int', '$.a', '{"a": 85.5}', '%invalid input syntax for type integer: "85.5"%',
    'int does not take 85.5');
CALL bad('an_int', '$', '85.5', '%invalid input syntax for type integer: "85.5"%',
    'int does not take the whole output 85.5');
CALL bad('an_int', '$', '1e99999', '%invalid input syntax for type integer%',
    'int does not take a number without end');
CALL bad('an_int', '$', '3.', '%invalid input syntax for type integer%',
    'int does not take what is no number of JSON');
CALL good('a_small', '$.a', '{"a": 7.0}', '7', 'smallint from 7.0');
CALL bad('a_small', '$.a', '{"a": 70000.0}', '%out of range%', 'smallint does not take 70000.0');
CALL good('a_bigint', '$.a', '{"a": 12345678901234567.0}', '12345678901234567',
    'bigint from 12345678901234567.0');
CALL good('a_count', '$.a', '{"a": 4.0}', '4', 'a domain over int from 4.0');
CALL bad('a_count', '$.a', '{"a": -4.0}', '%check constraint%', 'and its check holds');
CALL good('a_bool', '$.a', '{"a": 1.0}', 'true', 'boolean from 1.0');
CALL bad('a_bool', '$.a', '{"a": 2.0}', '%invalid input syntax for type boolean%',
    'boolean does not take 2.0');
CALL good('ints', '$.a', '{"a": [1.0, 2, null]}', '{1,2,NULL}', 'int[] from [1.0, 2, null]');
CALL good('ints', '$', '[1.0, 2e0]', '{1,2}', 'int[] from the whole output');
CALL good('ints', '$.a[*]', '{"a": [5.0]}', '{5}', 'int[] from one item');
CALL good('grid', '$.a', '{"a": [[1.0, 2.0], [3, 4]]}', '{{1,2},{3,4}}',
    'int[][] from [[1.0, 2.0], [3, 4]]');
CALL bad('ints', '$.a', '{"a": [1.5]}', '%invalid input syntax for type integer: "1.5"%',
    'int[] does not take [1.5]');
CALL good('a_place', '$.a', '{"a": {"town": "3.0", "zip": 1010.0, "tags": ["3.0"]}}',
    '(3.0,1010,{3.0})', 'a member of a row type from 1010.0, its texts untouched');
CALL good('places', '$.a', '{"a": [{"zip": 1.0}, {"zip": 2}]}', '{"(,1,)","(,2,)"}',
    'the same in an array');
CALL good('a_text', '$.a', '{"a": 3.0}', '3.0', 'text keeps 3.0');
CALL good('a_text', '$', '3.0', '3.0', 'text keeps the whole output 3.0');
CALL good('a_jsonb', '$.a', '{"a": [3.0]}', '[3.0]', 'jsonb keeps 3.0');

-- 11.12: blanks at the ends say nothing to a type that is no text
CALL good('a_mood', '$', E' calm \n', 'calm', 'an enum from a label with blanks');
CALL good('a_mood', '$.a', '{"a": "\tcalm "}', 'calm', 'the same by a path');
CALL good('moods', '$.a', '{"a": [" calm", "calm "]}', '{calm,calm}', 'the same in an array');
CALL good('a_uuid', '$', E'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\n',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a uuid with a line break behind it');
CALL good('an_id', '$.a', '{"a": " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 "}',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a domain over uuid');
CALL good('an_inet', '$', E'10.0.0.1\n', '10.0.0.1/32', 'an inet');
CALL good('a_bit', '$.a', '{"a": " 1010 "}', '1010', 'a bit string');
CALL good('an_int', '$.a', '{"a": " 7 "}', '7', 'an int from a string with blanks, as before');
CALL good('a_text', '$', E' x \n', E' x \n', 'text keeps its blanks');
CALL good('a_varchar', '$.a', '{"a": " x "}', ' x ', 'varchar keeps its blanks');
CALL good('a_citext', '$.a', '{"a": " x "}', ' x ', 'citext keeps its blanks');
CALL good('a_bytea', '$.a', '{"a": " x "}', '\x207820', 'bytea keeps its blanks');
CALL good('a_jsonb', '$.a', '{"a": " x "}', '" x "', 'jsonb keeps its blanks');

-- 11.13: JSON in a fenced block, and control characters within its strings
CALL good('a_text', '$.a', '```json' || E'\n{"a": 1}\n```', '1',
    'a path looks into a fenced block');
CALL good('a_jsonb', '$', '```' || E'\n{"a": 1}\n```\n', '{"a": 1}',
    'jsonb takes the content of a fenced block');
CALL good('a_json', '$', '~~~json' || E'\n{"b": 1,  "a": 2}\n~~~', '{"b": 1,  "a": 2}',
    'json takes it as it is');
CALL good('ints', '$', '```json' || E'\n[1, 2]\n```', '{1,2}',
    'an array takes the content of a fenced block');
CALL good('a_place', '$', '```json' || E'\n{"zip": 1}\n```', '(,1,)', 'a row type too');
CALL good('a_text', '$', '```json' || E'\n{"a": 1}\n```', '```json' || E'\n{"a": 1}\n```',
    'text keeps the fence');
CALL good('a_text', '$.a', E'{"a": "one\ntwo\tthree"}', E'one\ntwo\tthree',
    'raw control characters within a string are read');
CALL good('a_jsonb', '$', E'{"a": "one\ntwo"}', '{"a": "one\ntwo"}', 'in jsonb too');
CALL invalid('a_text', '$.a', '```json' || E'\n{"a": 1}\n```\nThat is all.',
    'a fenced block and words beside it');
CALL invalid('a_jsonb', '$', '```json' || E'\nno json\n```', 'a fenced block without JSON');

-- scalars by path
CALL good('a_text', '$.a', '{"a": "x"}', 'x', 'a string goes into text without its quotes');
CALL good('a_text', '$.a', '{"a": 1.50}', '1.50', 'a number goes into text');
CALL good('a_text', '$.a', '{"a": {"b": [1]}}', '{"b": [1]}', 'an object goes into text as JSON');
CALL good('a_text', '$.a', '{"a": ""}', '', 'an empty string is no NULL');
CALL good('a_text', '$.a', '{"a": null}', NULL, 'JSON null is NULL');
CALL good('a_text', '$.a', '{"b": 1}', NULL, 'a path that finds nothing writes NULL');
CALL good('a_text', 'strict $.a', '{"b": 1}', NULL, 'a strict path that finds nothing writes NULL');
CALL good('a_text', 'strict $.a', '{"a": "s"}', 's', 'a strict path');
CALL good('a_text', 'lax $.a.b[0]', '{"a": [{"b": "lax"}]}', 'lax', 'a lax path looks into arrays');
CALL good('a_text', 'strict $.a.b[0]', '{"a": [{"b": "lax"}]}', NULL,
    'a strict path does not look into arrays');
CALL good('a_text', '$.a.b[0]', '{"a": {"b": ["first", "second"]}}', 'first',
    'members and subscripts');
CALL good('a_text', '$."größe \"x\""', '{"größe \"x\"": "€"}', '€', 'a quoted unicode member');
CALL good('a_text', '$.items[*] ? (@.ok == true).name',
    '{"items": [{"ok": false, "name": "n"}, {"ok": true, "name": "y"}]}', 'y',
    'a path with a filter');
CALL good('a_text', '$.items[*].name', '{"items": [{"name": "n"}, {"name": "y"}]}', '["n", "y"]',
    'several items go into text as a JSON array');
CALL good('a_text', '$.n.double()', '{"n": "12.5"}', '12.5', 'a path with a method');
CALL invalid('a_text', '$.a', 'no json', 'a path needs JSON');
CALL invalid('a_text', '$.a', 'Sure! {"a": 1}', 'a path needs JSON and no words around it');
CALL good('a_text', '$.a', E' \n {"a": 1} \n', '1', 'a path takes JSON with white space around');
CALL good('a_varchar', '$.a', '{"a": "äöüß€"}', 'äöüß€', 'varchar(5) takes five characters');
CALL bad('a_varchar', '$.a', '{"a": "sixsix"}', '%too long for type character varying(5)%',
    'varchar(5) does not take six');
CALL good('a_char', '$.a', '{"a": "ab"}', 'ab', 'char(5) takes less');
CALL bad('a_char', '$.a', '{"a": "sixsix"}', '%too long for type character(5)%',
    'char(5) does not take six');
CALL good('a_byte', '$.a', '{"a": "x"}', 'x', '"char"');
CALL good('a_name', '$.a', '{"a": "x"}', 'x', 'name');
CALL good('a_citext', '$.a', '{"a": "Xy"}', 'Xy', 'a type of an extension');
CALL good('a_hstore', '$.a', '{"a": "k=>v"}', '"k"=>"v"', 'hstore by its own input');
CALL good('a_jsonb', '$.a', '{"a": "x"}', '"x"', 'a string in jsonb stays a JSON string');
CALL good('a_jsonb', '$.a', '{"a": {"b": 1}}', '{"b": 1}', 'an object in jsonb');
CALL good('a_jsonb', '$.a[*]', '{"a": [1, 2]}', '[1, 2]', 'several items in jsonb');
CALL good('a_json', '$.a', '{"a": [1, "x"]}', '[1, "x"]', 'an array in json');
CALL good('a_numeric', '$.a', '{"a": 123.456}', '123.46', 'numeric(5,2) rounds');
CALL good('a_numeric', '$.a', '{"a": "1e2"}', '100.00', 'numeric from a string');
CALL bad('a_numeric', '$.a', '{"a": 1234.5}', '%numeric field overflow%', 'numeric(5,2) overflows');
CALL good('an_int', '$.a', '{"a": -7}', '-7', 'int');
CALL good('an_int', '$.a', '{"a": "7"}', '7', 'int from a string');
CALL bad('an_int', '$.a', '{"a": 7.5}', '%invalid input syntax for type integer%',
    'int does not take a fraction');
CALL bad('an_int', '$.a', '{"a": {"b": 1}}', '%invalid input syntax for type integer%',
    'int does not take an object');
CALL bad('an_int', '$.a', '{"a": 3000000000}', '%out of range%', 'int overflows');
CALL good('a_bigint', '$.a', '{"a": 9223372036854775807}', '9223372036854775807',
    'the largest bigint, without a detour over float');
CALL bad('a_bigint', '$.a', '{"a": 9223372036854775808}', '%out of range%', 'bigint overflows');
CALL good('a_float', '$.a', '{"a": 0.1}', '0.1', 'float8');
CALL good('a_real', '$.a', '{"a": 1e-3}', '0.001', 'real');
CALL good('a_bool', '$.a', '{"a": false}', 'false', 'boolean');
CALL good('a_bool', '$.a', '{"a": "on"}', 'true', 'boolean from a word');
CALL bad('a_bool', '$.a', '{"a": "perhaps"}', '%invalid input syntax for type boolean%',
    'boolean does not take another word');
CALL good('a_mood', '$.a', '{"a": "calm"}', 'calm', 'enum');
CALL bad('a_mood', '$.a', '{"a": "wild"}', '%invalid input value for enum%"wild"%',
    'enum does not take another label');
CALL good('a_date', '$.a', '{"a": "2024-02-29"}', '2024-02-29', 'date');
CALL bad('a_date', '$.a', '{"a": "2023-02-29"}', '%out of range%', 'a day that does not exist');
CALL good('a_time', '$.a', '{"a": "2026-01-02T03:04:05Z"}', '2026-01-02 03:04:05+00',
    'timestamptz');
CALL good('a_stamp', '$.a', '{"a": "2026-01-02T03:04:05.678"}', '2026-01-02 03:04:05.678',
    'timestamp');
CALL good('an_interval', '$.a', '{"a": "P1DT2H"}', '1 day 02:00:00', 'interval');
CALL good('a_uuid', '$.a', '{"a": "A0EEBC999C0B4EF8BB6D6BB9BD380A11"}',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'uuid');
CALL bad('a_uuid', '$.a', '{"a": "none"}', '%invalid input syntax for type uuid%', 'no uuid');
CALL good('a_bytea', '$.a', '{"a": "\\x00ff"}', '\x00ff', 'bytea');
CALL good('an_inet', '$.a', '{"a": "10.0.0.1"}', '10.0.0.1/32', 'inet');
CALL good('a_range', '$.a', '{"a": "[1,5]"}', '[1,6)', 'a range');
CALL good('a_bit', '$.a', '{"a": "1010"}', '1010', 'bit(4)');
CALL bad('a_bit', '$.a', '{"a": "10"}', '%does not match type bit(4)%', 'bit(4) does not take two');

-- arrays, row types, domains
CALL good('texts', '$.a', '{"a": ["x", "y,z"]}', '{x,"y,z"}', 'text[] from an array');
CALL good('texts', '$.a[*].n', '{"a": [{"n": "x"}, {"n": "y"}]}', '{x,y}',
    'text[] from several items');
CALL good('texts', '$.a', '{"a": "x"}', '{x}', 'text[] from one item');
CALL good('texts', '$.a', '{"a": []}', '{}', 'text[] from an empty array');
CALL good('texts', '$.a', '{"a": null}', NULL, 'text[] from null');
CALL good('texts', '$.a', '{}', NULL, 'text[] from nothing');
CALL bad('shorts', '$.a', '{"a": ["x", "long"]}', '%too long for type character varying(3)%',
    'varchar(3)[] checks each member');
CALL good('ints', '$.a', '{"a": [1, 2]}', '{1,2}', 'int[]');
CALL bad('ints', '$.a', '{"a": [1, "x"]}', '%invalid input syntax for type integer%',
    'int[] does not take words');
CALL good('grid', '$.a', '{"a": [[1, 2], [3, 4]]}', '{{1,2},{3,4}}', 'an array of two dimensions');
CALL good('reals', '$.a', '{"a": [0.5, -1e3]}', '{0.5,-1000}', 'real[]');
CALL good('floats', '$.a', '{"a": [0.1, 1]}', '{0.1,1}', 'float8[]');
CALL good('numerics', '$.a', '{"a": [1.10, 2]}', '{1.10,2}', 'numeric[]');
CALL good('moods', '$.a', '{"a": ["calm"]}', '{calm}', 'an array of an enum');
CALL good('jsons', '$.a', '{"a": [{"x": 1}, "s"]}', '{"{\"x\": 1}","\"s\""}', 'jsonb[]');
CALL good('places', '$.a', '{"a": [{"town": "A"}, {"town": "B", "zip": 2}]}', '{"(A,,)","(B,2,)"}',
    'an array of a row type');
CALL good('a_place', '$.a', '{"a": {"town": "Graz", "zip": 8010}}', '(Graz,8010,)', 'a row type');
CALL bad('a_place', '$.a', '{"a": {"zip": "x"}}', '%invalid input syntax for type integer%',
    'a row type checks each member');
CALL bad('a_place', '$.a', '{"a": [1, 2]}', '%', 'a row type takes no array');
CALL good('a_word', '$.a', '{"a": "fives"}', 'fives', 'a domain');
CALL bad('a_word', '$.a', '{"a": "sixsix"}', '%violates check constraint%', 'a domain is checked');
CALL good('some_labels', '$.a', '{"a": ["x", "y"]}', '{x,y}', 'a domain over an array');
CALL bad('some_labels', '$.a', '{"a": ["x", "y", "z"]}', '%violates check constraint%',
    'a domain over an array is checked');
CALL good('a_vector', '$.a', '{"a": [1, 2, 3]}', '[1,2,3]', 'vector by path');
CALL good('a_vector', '$.a[*]', '{"a": [1, 2, 3]}', '[1,2,3]', 'vector from several items');

-- names
CALL good('Größe', '$', 'x', 'x', 'a unicode column');
CALL good('with space', '$', 'x', 'x', 'a column with a space');
CALL good('quo"ted', '$', 'x', 'x', 'a column with a quote');
CALL good('select', '$', 'x', 'x', 'a column that is a key word');
CALL good('$', '$', 'x', 'x', 'a column named $');

INSERT INTO typed (id) SELECT id FROM cases;
CREATE TABLE jobs AS
SELECT col, path,
    batch_submit(
        format(
            'SELECT id, output FROM (SELECT id, ''[[sim:say='' || url(output) || '']]'' AS output '
            'FROM cases WHERE col = %L AND path = %L) x',
            col, path),
        server => 'openai', prompt => '{{output}}', key => 'id', target => 'typed',
        write_back => jsonb_build_object(col, path)) AS job_id
FROM (SELECT DISTINCT col, path FROM cases) c;
SET timezone = 'UTC';
CALL batch_work('60 s');

CREATE FUNCTION content(id int, col text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE value text;
BEGIN
    EXECUTE format('SELECT %I::text FROM typed WHERE id = $1', col) INTO value USING id;
    RETURN value;
END $$;
CREATE VIEW got AS
SELECT c.*, concat_ws(' ', r.outcome, r.write_state) AS got_outcome, content(c.id, c.col) AS got,
    COALESCE(r.write_error, r.error) AS got_error
FROM cases c JOIN jobs j USING (col, path) LEFT JOIN batch_records r
ON r.job_id = j.job_id AND r.record_id = c.id::text;

SELECT is(got_outcome || ': ' || COALESCE(got, 'NULL'), outcome || ': ' || COALESCE(wanted, 'NULL'),
    about)
FROM got WHERE error IS NULL ORDER BY id;
SELECT ok(
    got_outcome = outcome AND COALESCE(got, 'before') IN ('before', '{before}')
    AND got_error LIKE error,
    about || ', and is told')
FROM got WHERE error IS NOT NULL ORDER BY id;
SELECT diag(about || ': ' || concat_ws(' | ', got_outcome, got, got_error)) FROM got
WHERE error IS NOT NULL
AND NOT (
    got_outcome = outcome AND COALESCE(got, 'before') IN ('before', '{before}')
    AND got_error LIKE error);

-- several columns of one output; the row is written whole or not at all
CREATE TABLE wide (id int PRIMARY KEY, label text, score numeric(3,1), tags text[], raw jsonb,
    untouched text DEFAULT 'untouched');
INSERT INTO wide (id) SELECT generate_series(1, 3);
SELECT batch_submit(
    $$SELECT *
      FROM (VALUES (1, '{"label": "bug", "score": 9.5, "tags": ["x", "y"]}'),
                (2, '{"label": "bug", "score": 1000}'), (3, '[]')) v(id, o)$$,
    server => 'openai', prompt => 'no directive {{o}}', target => 'wide',
    write_back => '{"raw": "$"}', write_if => 'always') AS plain \gset
SELECT batch_submit(
    $$SELECT id, '[[sim:json=' || url(o) || ']]' AS o
      FROM (VALUES (1, '{"label": "bug", "score": 9.5, "tags": ["x", "y"]}'),
                (2, '{"label": "bug", "score": 1000}'), (3, '[]')) v(id, o)$$,
    server => 'openai', prompt => '{{o}}', target => 'wide',
    write_back => '{"label": "$.label", "score": "$.score", "tags": "$.tags", "raw": "$"}',
    in_flight => 'send', write_if => 'always') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    'SELECT id, label, score, tags, raw, untouched FROM wide WHERE id <> 2 ORDER BY id',
    $$VALUES (1, 'bug', 9.5, '{x,y}'::text[],
              '{"label": "bug", "score": 9.5, "tags": ["x", "y"]}'::jsonb, 'untouched'),
          (3, NULL, NULL, NULL, '[]', 'untouched')$$,
    'one output fills several columns');
SELECT results_eq('SELECT label, score, raw FROM wide WHERE id = 2',
    $$VALUES (NULL::text, NULL::numeric, NULL::jsonb)$$,
    'a row that cannot be written whole is not written at all');
SELECT results_eq(
    format('SELECT record_id, write_state FROM batch_records WHERE job_id = %s ORDER BY seq', :job),
    $$VALUES ('1', 'written'), ('2', 'write_failed'), ('3', 'written')$$,
    'promise 4: the rows beside a bad one are written');
SELECT is(invalid_output, 3::bigint, 'outputs that jsonb cannot take are counted') FROM batch_jobs
WHERE job_id = :plain;

-- embeddings
CREATE TABLE docs (id int PRIMARY KEY, body text, e_vector vector, e_real real[], e_float float8[],
    e_numeric numeric[], e_jsonb jsonb, e_text text, first_real real[]);
INSERT INTO docs SELECT i, 'some words about document ' || i FROM generate_series(1, 3) i;
SELECT batch_submit(
    'SELECT id, body FROM docs', server => 'embed', prompt => '{{body}}', task => 'embedding',
    params => '{"dimensions": 8}', target => 'docs',
    write_back => '{"e_vector": "$", "e_real": "$", "e_float": "$", "e_numeric": "$", '
                  '"e_jsonb": "$", "e_text": "$", "first_real": "$[0]"}') AS job \gset
CALL batch_work('60 s');
SELECT is(written, 3::bigint, 'embeddings are written') FROM batch_jobs WHERE job_id = :job;
SELECT is(count(*), 3::bigint,
    'an embedding is the same in vector, real[], float8[], numeric[], jsonb and text')
FROM docs
WHERE vector_dims(e_vector) = 8 AND cardinality(e_real) = 8 AND e_vector::real[] = e_real
AND e_float::real[] = e_real AND e_numeric::real[] = e_real AND jsonb_array_length(e_jsonb) = 8
AND e_text::jsonb = e_jsonb AND first_real = e_real[1:1];
SELECT is(count(DISTINCT e_vector), 3::bigint, 'each row has its own embedding') FROM docs;
SELECT throws_like(
    $$SELECT batch_submit('SELECT id, body FROM docs', server => 'embed', prompt => '{{body}}',
          task => 'embedding', target => 'docs', write_back => '{"id": "$"}')$$,
    '%cannot take the output%', 'a scalar cannot take an embedding');

SELECT * FROM finish();
