-- Everything that batch_submit refuses, each time with SQLSTATE, message, detail and hint; what it
-- accepts; and that a refused call leaves nothing behind.
\i lib.sql
SELECT plan(187);

-- What a statement says: SQLSTATE, message, detail and hint.
CREATE FUNCTION said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
    detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', state, message, nullif(detail, ''), nullif(hint, ''));
END $$;

-- What batch_submit says to arguments.
CREATE FUNCTION refused(arguments text) RETURNS text LANGUAGE sql AS $$
    SELECT said('SELECT batch_submit(' || arguments || ')')
$$;
CREATE FUNCTION refused_query(query text) RETURNS text LANGUAGE sql AS $$
    SELECT refused(format('%L, %L, %L', query, 's', 'p'))
$$;

SELECT sim.server('s');
SELECT sim.server('e', model => 'text-embedding-3-small');
CREATE TABLE t (id int PRIMARY KEY, subject text, "Odd Name" text, label text, n int, d date,
    b bool, j jsonb, r real[], g text GENERATED ALWAYS AS (subject || '!') STORED,
    i int GENERATED ALWAYS AS IDENTITY);
INSERT INTO t (id, subject, "Odd Name") SELECT x, 'subject ' || x, 'odd ' || x
FROM generate_series(1, 3) x;

-- The query
SELECT is(refused_query(''),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE | It is empty.',
    'an empty query');
SELECT is(refused_query(' -- nothing'),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE | It is empty.',
    'a comment is no query');
SELECT is(
    refused_query('VACUUM t'),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE '
    '| It is a utility statement.',
    'a utility statement');
SELECT is(
    refused_query('COPY t TO STDOUT'),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE '
    '| It is a utility statement.',
    'COPY');
SELECT is(
    refused_query('COMMIT'),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE '
    '| It is a utility statement.',
    'transaction control');
SELECT is(
    refused_query('SELECT 1; SELECT 2'),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE '
    '| It has several statements.',
    'several statements');
SELECT is(
    refused_query('SELECT * INTO u FROM t'),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE '
    '| It has an INTO clause.',
    'SELECT INTO');
SELECT is(refused_query('INSERT INTO t (id) VALUES (9) RETURNING id'),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE | It changes data.',
    'INSERT … RETURNING');
SELECT is(
    refused_query('WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x'),
    '22023 | argument "query" must be one SELECT, VALUES or TABLE | It has a '
    'WITH clause that changes data.',
    'a data-modifying CTE');
SELECT is(refused_query('SELEC id FROM t'), '42601 | syntax error at or near "SELEC"',
    'a syntax error of the query');
SELECT is(refused_query('SELECT nonesuch FROM t'), '42703 | column "nonesuch" does not exist',
    'an unknown column in the query');
SELECT is(refused_query('SELECT id FROM nonesuch'), '42P01 | relation "nonesuch" does not exist',
    'an unknown table in the query');
SELECT is(refused_query('SELECT $1::int AS id'), '42P02 | there is no parameter $1',
    'a parameter in the query');
SELECT is(refused_query('SELECT'), '22023 | the query returns no columns',
    'a query without columns');
SELECT is(refused_query('SELECT id / 0 FROM t'), '22012 | division by zero', 'an error of a row');
SELECT is(refused($$NULL, 's'$$), '22004 | argument "query" must not be null', 'no query');
SELECT is((SELECT count(*) FROM t), 3::bigint, 'nothing of that was done');

-- The template
SELECT is(
    refused($$'SELECT * FROM t', 's', 'Label {{subjct}}'$$),
    '42703 | the query has no column "subjct", which the prompt names '
    '| Perhaps you meant {{subject}}.',
    'an unknown column in the prompt, with the nearest');
SELECT is(
    refused($$'SELECT * FROM t', 's', 'Label {{quite_another}}'$$),
    '42703 | the query has no column "quite_another", which the prompt names '
    '| A literal {{ is written \{{.',
    'an unknown column with none near');
SELECT is(refused($$'SELECT * FROM t', 's', 'Label {{}}'$$),
    '42703 | the query has no column "", which the prompt names | A literal {{ is written \{{.',
    'no column between the braces');
SELECT is(refused($$'SELECT * FROM t', 's', 'Label {{subject'$$),
    '42601 | unterminated {{ in the prompt | A literal {{ is written \{{.', 'unterminated {{');
SELECT batch_submit('SELECT * FROM t WHERE id = 1', 's',
    '\{{literal}} {{ subject }} {{Odd Name}} } {') AS job \gset
SELECT is(input, '{{literal}} subject 1 odd 1 } {', 'a literal {{, spaces inside, any column name')
FROM batchinf.record WHERE job_id = :job;

-- What is sent
SELECT is(
    refused($$'SELECT id, subject FROM t', 's'$$),
    '22023 | there is nothing to send | Give the argument "prompt", or return a column "prompt", '
    '"messages" or "body" from the query.',
    'nothing to send');
SELECT is(
    refused($$'SELECT id, subject FROM t', 'e', task => 'embedding'$$),
    '22023 | there is nothing to send | Give the argument "prompt", '
    'or return a column "input" or "body" from the query.',
    'nothing to embed');
SELECT is(
    refused($$'SELECT id, subject AS prompt, ''[]''::jsonb AS messages FROM t', 's'$$),
    '22023 | the query returns both a column "prompt" and a column "messages" '
    '| Leave one of them out, or give the argument "prompt".',
    'prompt and messages');
SELECT is(refused($$'SELECT 1 AS id, ''{}''::jsonb AS messages', 's'$$),
    '22023 | record "1" cannot be sent | messages must be a JSON array that is not empty',
    'messages that are no array');
SELECT is(refused($$'SELECT 1 AS id, ''[{"content":"x"}]''::jsonb AS messages', 's'$$),
    '22023 | record "1" cannot be sent | message 1 must be an object with a "role"',
    'a message without a role');
SELECT is(refused($$'SELECT 1 AS id, ''[]''::jsonb AS body', 's'$$),
    '22023 | record "1" cannot be sent | body must be a JSON object', 'a body that is no object');
SELECT is(
    refused($$'SELECT 1 AS id, ''{"model":"gpt-4o-mini"}''::jsonb AS body', 's'$$),
    '22023 | record "1" cannot be sent | body must have "model" and it must be "gpt-5.4-mini": a '
    'batch has one model',
    'a body with another model');
SELECT is(
    refused($$'SELECT 1 AS id, ''{"model":"gpt-5.4-mini","stream":true}''::jsonb AS body', 's'$$),
    '22023 | record "1" cannot be sent | body may not set "stream"', 'a body that streams');
SELECT is(
    refused($$'SELECT 1 AS id, ''x'' AS body', 's'$$),
    '22023 | record "1" cannot be sent | body must be a JSON object '
    '| A column "body" holds the provider''s whole request, as JSON. If it is the text to send, '
    'return it under another name: body AS prompt.',
    'a body that is text');
SELECT is(
    refused($$'SELECT 1 AS id, ''x''::varchar AS body', 'e', task => 'embedding'$$),
    '22023 | record "1" cannot be sent | body must be a JSON object '
    '| A column "body" holds the provider''s whole request, as JSON. If it is the text to send, '
    'return it under another name: body AS input.',
    '… to embed');
SELECT is(
    refused($$'SELECT 1 AS id, ''x'' AS messages', 's'$$),
    '22023 | record "1" cannot be sent | messages must be a JSON array that is not empty '
    '| A column "messages" holds a conversation, as JSON. If it is the text to send, '
    'return it under another name: messages AS prompt.',
    'messages that are text');
SELECT is(
    refused($$'SELECT 1 AS id, ''x'' AS body', 's', system_prompt => 'x'$$),
    '0A000 | server "s" cannot do this job | system_prompt cannot be used where the query returns '
    'whole bodies | A column "body" holds the provider''s whole request, '
    'as JSON. If it is the text to send, return it under another name: body AS prompt.',
    'a body that is text beside a system prompt');
SELECT matches(
    refused($$'SELECT 1 AS id, '
              '''{"model":"gpt-5.4-mini","messages":[{"role":"user","content":"x"}]}'' AS body',
              's'$$),
    '^no error', 'a body of type text that is JSON is sent');

-- The key
SELECT is(
    refused($$'SELECT subject, 1 AS id FROM t', 's', 'p', key => 'id'$$),
    '23505 | the query returns the key "1" more than once | Each record needs a key of its own: '
    'name other columns in the argument "key".',
    'a duplicate key');
SELECT is(
    refused($$'SELECT 1 AS a, NULL AS b FROM t', 's', 'p', key => 'a, b'$$),
    '22004 | the query returns a row whose key is null | Leave such rows out, '
    'or name other columns in the argument "key".',
    'a NULL in a composite key');
SELECT is(
    refused($$'SELECT NULL::int AS id', 's', 'p'$$),
    '22004 | the query returns a row whose key is null | Leave such rows out, '
    'or name other columns in the argument "key".',
    'a NULL key');
SELECT is(refused($$'SELECT id FROM t', 's', 'p', key => 'nonesuch'$$),
    '42703 | the query has no key column "nonesuch"', 'an unknown key column');
SELECT is(refused($$'SELECT id FROM t', 's', 'p', key => ''$$),
    '22023 | argument "key" must be a list of column names', 'an empty key');
SELECT is(refused($$'SELECT id FROM t', 's', 'p', key => 'id,'$$),
    '22023 | argument "key" must be a list of column names', 'a key that is no list');
SELECT is(refused($$'SELECT id FROM t', 's', 'p', key => 'id subject'$$),
    '22023 | argument "key" must be a list of column names', 'a key without commas');
SELECT is(
    refused($$'SELECT subject FROM t', 's', 'p', target => 't', write_back => '{"label":"$"}'$$),
    '42703 | the query has no key column "id" | It is the target''s primary key; return it, '
    'or give the argument "key".',
    'the query lacks the primary key of the target');
SELECT is(
    refused($$'SELECT id AS x FROM t', 's', 'p', key => 'x', target => 't',
              write_back => '{"label":"$"}'$$),
    '42703 | column "x" of target table "t" does not exist', 'the target lacks the key');
CREATE TABLE jt (id json, label text);
SELECT is(
    refused($$'SELECT ''1''::json AS id', 's', 'p', target => 'jt',
              write_back => '{"label":"$"}'$$),
    '42883 | key column "id" cannot be compared | Its type json has no default btree operator '
    'class.',
    'a key whose type has no equality');

SELECT batch_submit('SELECT id, "Odd Name" FROM t', 's', 'p', key => ' "Odd Name" , ID') AS job
\gset
SELECT results_eq(
    format('SELECT record_id FROM batch_records WHERE job_id = %s ORDER BY seq', :job),
    'SELECT ROW("Odd Name", id)::text FROM t ORDER BY id',
    'key: quoted and folded names, in that order, as ROW(a, b)::text');
SELECT batch_submit('SELECT subject, id FROM t', 's', 'p', target => 't',
    write_back => '{"label":"$"}') AS job \gset
SELECT results_eq(
    format('SELECT record_id FROM batch_records WHERE job_id = %s ORDER BY seq', :job),
    'SELECT id::text FROM t ORDER BY id', 'the key is by default the primary key of the target');
CREATE TABLE t2 (a int, b text, c text, PRIMARY KEY (b, a));
SELECT batch_submit('SELECT 1 AS a, ''x "y"'' AS b', 's', 'p', target => 't2',
    write_back => '{"c":"$"}') AS job \gset
SELECT is(record_id, ROW('x "y"'::text, 1)::text,
    'a composite primary key is a key in its own order')
FROM batch_records WHERE job_id = :job;
SELECT batch_submit('SELECT subject, id FROM t', 's', 'p') AS job \gset
SELECT results_eq(
    format('SELECT record_id FROM batch_records WHERE job_id = %s ORDER BY seq', :job),
    'SELECT subject FROM t ORDER BY id', 'the key is else the first column');

SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -3;
SELECT batch_submit(
    'SELECT date ''2026-02-01'' AS d, interval ''1 day 2 hours'' AS i, float8 ''0.1'' + 0.2 AS f',
    's', 'p', key => 'd, i, f') AS job \gset
SELECT is(current_setting('DateStyle'), 'SQL, DMY', 'the settings of the session stay');
RESET DateStyle;
RESET IntervalStyle;
RESET extra_float_digits;
SELECT is(record_id, '(2026-02-01,"1 day 02:00:00",0.30000000000000004)',
    'settings that change text forms do not change record ids')
FROM batch_records WHERE job_id = :job;

-- The target
CREATE VIEW v AS SELECT * FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT id, subject AS label FROM t;
CREATE SEQUENCE sq;
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER others FOREIGN DATA WRAPPER other;
CREATE FOREIGN TABLE ft (id int, label text) SERVER others;
CREATE TYPE ct AS (id int, label text);
CREATE FUNCTION refused_target(target text) RETURNS text LANGUAGE sql AS $$
    SELECT refused(format('%L, %L, %L, target => %L, write_back => %L', 'SELECT id FROM t', 's',
        'p', target, '{"label":"$"}'))
$$;
SELECT is(
    refused_target('v'),
    '42809 | cannot write back to "v" | It is a view.  A target is an ordinary or '
    'partitioned table. | Name the table behind the view, or give the view an INSTEAD OF UPDATE '
    'trigger and no rule for UPDATE.',
    'a view as target');
SELECT is(
    refused_target('mv'),
    '42809 | cannot write back to "mv" | It is a materialized view.  A target is an ordinary or '
    'partitioned table.',
    'a materialized view as target');
SELECT is(
    refused_target('ft'),
    '42809 | cannot write back to "ft" | It is a foreign table of server "others", which does not '
    'let it be written.',
    'a foreign table that its wrapper cannot update, as target');
SELECT is(
    refused_target('sq'),
    '42809 | cannot write back to "sq" | It is a sequence.  A target is an ordinary or '
    'partitioned table.',
    'a sequence as target');
SELECT is(
    refused_target('t_pkey'),
    '42809 | cannot write back to "t_pkey" | It is an index.  A target is an ordinary or '
    'partitioned table.',
    'an index as target');
SELECT is(
    refused_target('ct'),
    '42809 | cannot write back to "ct" | It is a composite type.  A target is an ordinary or '
    'partitioned table.',
    'a composite type as target');
SELECT is(
    refused($$'SELECT oid FROM pg_class', 's', 'p', target => 'pg_class',
              write_back => '{"relname":"$"}'$$),
    '42501 | cannot write back to "pg_class" | It is a system catalog.', 'a catalog as target');
SELECT is(refused_target('4294967290'), '42P01 | the target table does not exist any more',
    'a target that is gone');
SELECT is(refused_target('nonesuch'), '42P01 | relation "nonesuch" does not exist',
    'an unknown target');

CREATE FUNCTION refused_write(write_back text, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
    SELECT refused(format('%L, %L, %L, target => %L, write_back => %L %s', 'SELECT id FROM t', 's',
        'p', 't', write_back, more))
$$;
SELECT is(refused_write('{"nonesuch":"$"}'),
    '42703 | column "nonesuch" of target table "t" does not exist', 'an unknown target column');
SELECT is(refused_write('{"ctid":"$"}'), '42703 | column "ctid" of target table "t" does not exist',
    'a system column');
SELECT is(refused_write('{"g":"$"}'),
    '428C9 | column "g" cannot be written back to | It is a generated column.',
    'a generated column');
SELECT is(
    refused_write('{"i":"$"}'),
    '428C9 | column "i" cannot be written back to | It is an identity column defined as GENERATED '
    'ALWAYS.',
    'an identity column');
SELECT is(refused_write('{"label":"$["}'), '42601 | syntax error at end of jsonpath input',
    'a bad path');
SELECT is(
    refused_write('{"label":1}'),
    '22023 | write_back of column "label" says nothing that can fill it | Give an SQL/JSON path '
    'into the output ("$" is the whole output), {"column": "a column of the query"}, '
    '{"ordinal": true} or {"const": any value}.',
    'a path that is no string');
SELECT is(
    refused_write('{"label":null}'),
    '22023 | write_back of column "label" says nothing that can fill it | Give an SQL/JSON path '
    'into the output ("$" is the whole output), {"column": "a column of the query"}, '
    '{"ordinal": true} or {"const": any value}.',
    'a path that is null');
SELECT is(
    refused_write('{}'),
    '22023 | write_back must be a JSON object that names at least one column '
    '| For example ''{"label": "$.label"}'', or ''{"label": "$"}'' for the whole output.',
    'an empty write_back');
SELECT is(
    refused_write('["label"]'),
    '22023 | argument "write_back" must be a JSON object | Write {"column": "$"}: which column '
    'takes which part of the output.',
    'a write_back that is no object');
SELECT is(
    refused_write('{"n":"$"}', $$, response_schema => '{"type":"object"}'$$),
    '42804 | column "n" of type integer cannot take the output '
    '| A structured output as a whole is a JSON value. | Use a path to one of its members, '
    'or a column of type jsonb.',
    'a structured output as a whole into an integer');
CREATE FUNCTION refused_embedding(col text) RETURNS text LANGUAGE sql AS $$
    SELECT refused(format('%L, %L, %L, task => %L, target => %L, write_back => %L',
        'SELECT id FROM t', 'e', 'p', 'embedding', 't', json_build_object(col, '$')))
$$;
SELECT is(
    refused_embedding('n'),
    '42804 | column "n" of type integer cannot take the output '
    '| An embedding is an array of numbers. | Use a column of type real[], vector or jsonb.',
    'an embedding into an integer');
SELECT is(
    refused_embedding('d'),
    '42804 | column "d" of type date cannot take the output | An embedding is an array of numbers. '
    '| Use a column of type real[], vector or jsonb.',
    'an embedding into a date');
SELECT is(
    refused_embedding('b'),
    '42804 | column "b" of type boolean cannot take the output '
    '| An embedding is an array of numbers. | Use a column of type real[], vector or jsonb.',
    'an embedding into a boolean');
SELECT is(refused_embedding('r') || refused_embedding('j'), 'no errorno error',
    'an embedding into real[] and jsonb');
SELECT is(
    refused($$'SELECT id FROM t', 's', 'p', target => 't', write_back => '"label"'$$),
    '22023 | argument "write_back" must be a JSON object | Write {"column": "$"}: which column '
    'takes which part of the output.',
    'a write_back that is only a name');
SELECT is(
    refused($$'SELECT id FROM t', 's', 'p', target => 't', write_back => '{"label": "label"}'$$),
    '22023 | write_back path "label" of column "label" does not begin with $ '
    '| Write {"label": "$"} for the whole output, {"label": "$.label"} for a member of it.',
    'a path without $');
SELECT is(
    refused($$'SELECT id FROM t', 's', 'p', target => 't', write_back => '{"label": ""}'$$),
    '22023 | write_back path "" of column "label" does not begin with $ '
    '| Write {"label": "$"} for the whole output, {"label": "$.label"} for a member of it.',
    'an empty path');
SELECT is(
    refused($$'SELECT id FROM t', 's', 'p', target => 't',
              write_back => '{"label": "strict $.x"}'$$),
    'no error', 'a path in strict mode');
SELECT is(
    refused($$'SELECT id FROM t', 's', 'p', write_back => '{"label":"$"}'$$),
    '22023 | arguments "target" and "write_back" belong together | target is the table, '
    'write_back says which column takes which part of the output.',
    'write_back without target');
SELECT is(
    refused($$'SELECT id FROM t', 's', 'p', target => 't'$$),
    '22023 | arguments "target" and "write_back" belong together | target is the table, '
    'write_back says which column takes which part of the output.',
    'target without write_back');

-- Rights
DROP ROLE IF EXISTS submit_user, submit_owner;
CREATE ROLE submit_user;
CREATE ROLE submit_owner;
GRANT SELECT (subject), INSERT ON t TO submit_user;
SET ROLE submit_user;
SELECT is(refused($$'SELECT 1 AS id', 's', 'p'$$), '42501 | permission denied for foreign server s',
    'no USAGE on the server');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER s TO submit_user, submit_owner;
SET ROLE submit_user;
SELECT is(
    refused($$'SELECT 1 AS id', 's', 'p'$$),
    '42704 | user mapping not found for "submit_user" and server "s" '
    '| CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (api_key ''…'') gives the key.',
    'no user mapping');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (api_key 'sk-sim');
SELECT is(refused($$'SELECT id FROM t', 's', 'p'$$), '42501 | permission denied for table t',
    'the query runs with the rights of the caller');
SELECT is(
    refused($$'SELECT 1 AS id', 's', 'p', target => 't', write_back => '{"label":"$"}'$$),
    '42501 | permission denied for column "id" of target table "t" | Write-back needs '
    'SELECT on it.',
    'no SELECT on the key of the target');
RESET ROLE;
GRANT SELECT (id) ON t TO submit_user;
SET ROLE submit_user;
SELECT is(
    refused($$'SELECT 1 AS id', 's', 'p', target => 't', write_back => '{"label":"$"}'$$),
    '42501 | permission denied for column "label" of target table "t" '
    '| Write-back needs UPDATE on it.',
    'no UPDATE on the column of the target');
RESET ROLE;
GRANT UPDATE (label) ON t TO submit_user;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY two ON t USING (id = 2);
SET ROLE submit_user;
SELECT batch_submit('SELECT id, subject FROM t', 's', 'p', target => 't',
    write_back => '{"label":"$"}', in_flight => 'send') AS job \gset
SELECT results_eq(format('SELECT record_id FROM batch_records WHERE job_id = %s', :job), ARRAY['2'],
    'rights on columns are enough, and row security applies to the query');
SELECT is(said('SELECT * FROM batchinf.job'), '42501 | permission denied for schema batchinf',
    'the tables are nobody''s');
RESET ROLE;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
SELECT is(
    refused($$'SELECT 1 AS id', 'nonesuch', 'p'$$),
    '42704 | server "nonesuch" does not exist | Use CREATE SERVER ... FOREIGN DATA WRAPPER '
    'batchinf to create it.',
    'an unknown server');
SELECT is(refused($$'SELECT 1 AS id', 'others', 'p'$$),
    '42809 | server "others" is not a server of foreign-data wrapper "batchinf"',
    'a server of another wrapper');
SELECT is(refused($$'SELECT 1 AS id', NULL, 'p'$$), '22004 | argument "server" must not be null',
    'no server');

-- Arguments that are not built yet: refused, unless they ask for what is done without them.
CREATE FUNCTION asked(argument text) RETURNS text LANGUAGE sql AS $$
    SELECT refused(format($a$'SELECT 1 AS id', 's', 'p', %s$a$, argument))
$$;
SELECT is(
    asked(format('%s => %s', name, value)),
    format('0A000 | argument "%s" of batch_submit is not supported yet | Leave it out: %s.', name,
        hint),
    format('%s => %s', name, value))
FROM (VALUES ('pilot', '100', 'all records are sent at once'),
          ('pilot_gate', $$'succeeded > 95'$$, 'all records are sent at once'),
          ('cascade', $$'{"model": "gpt-5.4"}'$$, 'all records are answered by one model'),
          ('cascade', $$jsonb '{"model": "gpt-5.4"}'$$, 'all records are answered by one model'),
          ('reask', '1', 'an output that does not match its schema is "invalid_output"'),
          ('schema_from_target', 'true',
           'a schema comes from the argument "response_schema" only')) v(name, value, hint);
SELECT is(
    asked(format('%s => %L', name, word)),
    format(
        '0A000 | value "%s" for argument "%s" of batch_submit is not supported yet '
        '| Leave it out: %s.',
        word, name, hint),
    format('%s => %L', name, word))
FROM (VALUES ('mode', '{flex,realtime,auto}'::text[], 'all records are sent in batches'),
          ('left_over', '{flex,realtime}',
           'records that batches cannot finish end as they are')) v(name, words, hint),
    unnest(words) word;
SELECT is(
    asked(format('%s => %L', name, 'fast')),
    format('22023 | invalid value for argument "%s": "fast" | Available values: %s.', name, words),
    format('%s => fast', name))
FROM (VALUES ('write_if', 'unchanged, null, always'), ('in_flight', 'skip, error, send'),
          ('write_mode', 'update, insert, upsert, replace'),
          ('mode', 'batch, flex, realtime, auto'),
          ('left_over', 'stop, flex, realtime')) v(name, words);
SELECT matches(asked('mode => repeat(''x'', 1025)'), '^54000 \| argument "mode" is too large',
               'a word that is too long is not repeated');
SELECT is(asked('cache => ''soon'''), '22007 | invalid input syntax for type interval: "soon"',
          'a value that its type cannot take');
SELECT is(
    asked('max_costs => 1'),
    '42883 | function batch_submit(unknown, unknown, unknown, max_costs => integer) does not exist '
    '| No function matches the given name and argument types. You might need to add explicit type '
    'casts.',
    'an argument that does not exist');
SELECT is(asked(argument), 'no error', argument || ' is what is done without it')
FROM unnest(ARRAY['write_if => ''always''', 'in_flight => ''send''', 'write_mode => ''update''',
                  'dedup => false', 'mode => ''batch''', 'left_over => ''stop''', 'reask => 0',
                  'schema_from_target => false']) argument;
SELECT is(asked(string_agg(name || ' => NULL', ', ')), 'no error', 'NULL is not given')
FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY a(name, n)
WHERE p.proname = 'batch_submit' AND n > 3;
SELECT is((SELECT pronargs::int FROM pg_proc WHERE proname = 'batch_submit'), 36,
          'all arguments that batch_submit will have are there');

-- Arguments are found by name: a function may have them in another order, lack some, have others.
CREATE FUNCTION sibling(sample int, server name, prompt text, query text, model text DEFAULT NULL,
                        mode text DEFAULT NULL)
    RETURNS bigint AS 'batchinf', 'batchinf_submit' LANGUAGE C;
SELECT sibling(5, 's', 'about {{id}}', 'SELECT 7 AS id', 'gpt-5.4') AS job \gset
SELECT is(j.model || ': ' || r.input, 'gpt-5.4: about 7', 'a sibling')
FROM batch_jobs j JOIN batchinf.record r USING (job_id) WHERE job_id = :job;
SELECT is(said($$SELECT sibling(5, 's', 'p', 'SELECT 7 AS id', mode => 'flex')$$),
          '0A000 | value "flex" for argument "mode" of sibling is not supported yet'
          ' | Leave it out: all records are sent in batches.', 'it is named in messages');
SELECT is(said($$SELECT sibling(5, 's', 'p', NULL)$$), '22004 | argument "query" must not be null',
          'a sibling without a query');
CREATE FUNCTION wrong(query int, server name) RETURNS bigint
    AS 'batchinf', 'batchinf_submit' LANGUAGE C;
SELECT is(said($$SELECT wrong(1, 's')$$), '42P13 | argument "query" must be of type text',
          'a type that is not the list''s');

-- The other arguments
ALTER SERVER s OPTIONS (DROP model);
SELECT is(
    refused($$'SELECT 1 AS id', 's', 'p'$$),
    '22023 | no model is given | Use the argument "model", or set it for all jobs: ALTER SERVER s '
    'OPTIONS (ADD model ''…'').',
    'no model');
ALTER SERVER s OPTIONS (ADD model 'gpt-5.4-mini');
SELECT is(
    refused($$'SELECT 1 AS id', 's', 'p', model => ''$$),
    '22023 | no model is given | Use the argument "model", or set it for all jobs: ALTER SERVER s '
    'OPTIONS (ADD model ''…'').',
    'an empty model');
SELECT is(refused($$'SELECT 1 AS id', 's', 'p', task => 'sing'$$),
    '22023 | invalid value for argument "task": "sing" | Available values: chat, embedding.',
    'an unknown task');
SELECT is(refused($$'SELECT 1 AS id', 's', 'p', deadline => '0'$$),
    '22023 | argument "deadline" must be a positive interval', 'a deadline of nothing');
SELECT is(refused($$'SELECT 1 AS id', 's', 'p', deadline => '-1 day'$$),
    '22023 | argument "deadline" must be a positive interval', 'a deadline in the past');
SELECT is(refused($$'SELECT 1 AS id', 's', 'p', max_attempts => 0$$),
    '22023 | argument "max_attempts" must be between 1 and 100', 'no attempts');
SELECT is(refused($$'SELECT 1 AS id', 's', 'p', max_attempts => 101$$),
    '22023 | argument "max_attempts" must be between 1 and 100', 'too many attempts');
SELECT is(refused($$'SELECT 1 AS id', 's', 'p', response_schema => '[]'$$),
    '22023 | argument "response_schema" must be a JSON object', 'a schema that is no object');
SELECT matches(refused($$'SELECT 1 AS id', 's', 'p', response_schema => '{"type":"nonesuch"}'$$),
    '^22023 \| invalid response_schema \| .*type', 'a malformed schema');
SELECT is(refused($$'SELECT 1 AS id', 's', 'p', params => '[]'$$),
    '22023 | argument "params" must be a JSON object', 'params that are no object');
SELECT is(refused(format($$'SELECT 1 AS id', 's', 'p', params => %L$$, json_build_object(k, 1))),
    format('0A000 | server "s" cannot do this job | params may not set "%s"', k),
    'params with ' || k)
FROM unnest(ARRAY['model', 'messages', 'stream']) k;
SELECT is(refused($$'SELECT 1 AS id', 's', 'p', params => '{"n":2}'$$),
    '0A000 | server "s" cannot do this job | params may not set "n" to anything but 1',
    'params with several answers: all are paid for, one is read');
SELECT is(refused($$'SELECT 1 AS id, ''{"model":"gpt-5.4-mini","n":2}''::jsonb AS body', 's'$$),
    '22023 | record "1" cannot be sent | body may not set "n" to anything but 1',
    'a body with several answers');
SELECT is(refused($$'SELECT 1 AS id', 'e', 'p', task => 'embedding', params => '{"input":"x"}'$$),
    '0A000 | server "e" cannot do this job | params may not set "input"', 'params with input');
SELECT is(
    refused($$'SELECT 1 AS id', 'e', 'p', task => 'embedding',
              params => '{"encoding_format":"base64"}'$$),
    '0A000 | server "e" cannot do this job | params may not set "encoding_format" to anything but '
    '"float"',
    'params with base64');
SELECT is(refused($$'SELECT 1 AS id', 'e', 'p', task => 'embedding', system_prompt => 'x'$$),
    '0A000 | server "e" cannot do this job | system_prompt cannot be used for embeddings',
    'a system prompt for embeddings');
SELECT is(refused($$'SELECT 1 AS id', 'e', 'p', task => 'embedding', response_schema => '{}'$$),
    '0A000 | server "e" cannot do this job | response_schema cannot be used for embeddings',
    'a schema for embeddings');
SELECT is(
    refused($$'SELECT 1 AS id, ''{"model":"gpt-5.4-mini"}''::jsonb AS body', 's',
              system_prompt => 'x'$$),
    '0A000 | server "s" cannot do this job | system_prompt cannot be used where the query returns '
    'whole bodies',
    'a system prompt beside bodies');
SELECT is(
    refused($$'SELECT 1 AS id, ''{"model":"gpt-5.4-mini"}''::jsonb AS body', 's',
              params => '{"seed":1}'$$),
    '0A000 | server "s" cannot do this job | params cannot be used where the query returns whole '
    'bodies',
    'params beside bodies');
SELECT sim.server('small', $$max_bytes '400'$$);
SELECT matches(
    refused($$'SELECT 7 AS id, repeat(''x'', 1000) AS prompt', 'small'$$),
    '^54000 \| record "7" is larger than a whole batch may be \| Its request has 1\d\d\d bytes, '
    'the limit is 400\.$',
    'a record that is larger than a batch may be');
SELECT sim.server('crowd', $$min_requests '10'$$);
SELECT is(
    refused($$'SELECT id FROM t', 'crowd', 'p'$$),
    '22023 | server "crowd" needs at least 10 records a batch | The query returns 3. '
    '| Collect more rows before you submit them, or use another server.',
    'fewer records than a batch must have');

-- What passes
DELETE FROM batchinf.job;
TRUNCATE batchinf.record, batchinf.result, batchinf.event;
CREATE TABLE log (id int);
CREATE FUNCTION noting(x int) RETURNS int LANGUAGE sql VOLATILE AS $$
    INSERT INTO log VALUES (x) RETURNING id
$$;
SELECT is(refused_query('SELECT id FROM t FOR UPDATE'), 'no error', 'row locks');
SELECT is(refused_query('VALUES (1), (2)'), 'no error', 'VALUES');
SELECT is(refused_query('TABLE t'), 'no error', 'TABLE');
SELECT is(
    refused_query('WITH x AS (SELECT id FROM t) SELECT id FROM x UNION SELECT 9 ORDER BY 1;'),
    'no error', 'WITH, UNION and a semicolon');
SELECT is(refused_query('SELECT noting(id) FROM t'), 'no error', 'functions that write');
SELECT is((SELECT count(*) FROM log), 3::bigint, '… and have written');

-- No rows, and rows without an input
SELECT batch_submit('SELECT id FROM t WHERE false', 's', 'p', name => 'nothing to do') AS job \gset
SELECT results_eq(
    format(
        'SELECT state, records, pending, progress, finished_at IS NOT NULL, name FROM batch_jobs '
        'WHERE job_id = %s',
        :job),
    $$VALUES ('completed', 0::bigint, 0::bigint, 1::numeric, true, 'nothing to do')$$,
    'an empty result is completed at once');
CREATE FUNCTION noticed(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    CREATE TEMP TABLE notices (line text);
    EXECUTE format(
        'COPY notices FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'', QUOTE E''\x02'')',
        format('psql -qXAt -h %s -p %s -U postgres -d %s -c %s 2>&1',
            split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'),
            current_database(), '''' || replace(statement, '''', '''\''''') || ''''));
    SELECT string_agg(line, ' | ') INTO said FROM notices WHERE line !~ '^\d+$';
    DROP TABLE notices;
    RETURN said;
END $$;
SELECT is(noticed($$SELECT batch_submit('SELECT id FROM t WHERE false', 's', 'p')$$),
    'NOTICE:  the query returns no rows: the batch job is completed',
    'an empty result is told in a NOTICE');
SELECT is((SELECT to_announce FROM batchinf.job ORDER BY job_id DESC LIMIT 1), true,
    '… and is to be announced, as the end of any job');
SELECT matches(
    noticed($$SELECT batch_submit('SELECT id, nullif(subject, ''subject 2'') AS s FROM t', 's',
                  'p {{s}}')$$),
    '^NOTICE:  1 of 3 records are skipped because their input is null \| NOTICE:  no background '
    'worker will do this batch job \| DETAIL:  batchinf.enabled is off. \| HINT:  CALL '
    'batch_work\(\) does it in a session.$',
    'skipped records are told in a NOTICE');
SELECT batch_submit(q, s, p, task => k) AS job
FROM (VALUES ('SELECT 1 AS id, NULL::text AS x', 's', 'p {{x}}', 'chat'),
          ('SELECT 1 AS id, NULL::text AS prompt', 's', NULL, 'chat'),
          ('SELECT 1 AS id, NULL::jsonb AS messages', 's', NULL, 'chat'),
          ('SELECT 1 AS id, NULL::jsonb AS body', 's', NULL, 'chat'),
          ('SELECT 1 AS id, NULL::text AS input', 'e', NULL, 'embedding')) AS a(q, s, p, k)
\g /dev/null
SELECT results_eq(
    $$SELECT spec->>'input', skipped, j.ended, r.outcome FROM batchinf.job j
      JOIN batch_records r USING (job_id) WHERE j.records = 1 AND skipped = 1 ORDER BY job_id$$,
    $$VALUES ('text', 1::bigint, 'completed', 'skipped'), ('text', 1, 'completed', 'skipped'),
          ('messages', 1, 'completed', 'skipped'), ('body', 1, 'completed', 'skipped'),
          ('text', 1, 'completed', 'skipped')$$,
    'a record is skipped whose template column, prompt, messages, body or input is NULL');

-- What a prompt was meant to say (issue 11, point 15)
CREATE FUNCTION warned(prompt text, query text DEFAULT 'SELECT id, subject, "Odd Name" FROM t',
    more text DEFAULT '')
RETURNS text LANGUAGE sql AS $$
    SELECT COALESCE(
        (regexp_match(noticed(format('SELECT batch_submit(%L, ''s'', %L%s)', query, prompt, more)),
             '(WARNING:.*?)(?: \| NOTICE|$)'))[1],
        'nothing') $$;
\set same 'WARNING:  the prompt names no column of the query: all 3 requests are the same | HINT:  '
SELECT is(
    warned('Label this'),
    :'same'
        || 'A prompt names a column of the query in double braces, here {{subject}}, {{Odd Name}}.',
    'a prompt that names no column: the likely ones, without the key');
SELECT is(
    warned('Label %s'),
    :'same'
        || 'A prompt names a column of the query in double braces, here {{subject}}, {{Odd Name}}.',
    '… with a place of printf''s');
SELECT is(
    warned('Label this', 'SELECT id FROM t'),
    :'same'
        || 'Return what each request is about from the query, and name that column in double '
           'braces.',
    '… where there is only the key');
SELECT is(warned('Label this', 'SELECT id, subject FROM t WHERE id = 1'), 'nothing',
    '… but not for one record');
SELECT is(warned('Label ' || v), :'same' || 'Write {{subject}} instead of ' || v || '.',
    'a column named as ' || v)
FROM unnest(
    '{"{subject}","{ Subject }","$subject","${subject}","%(subject)s",":subject","<subject>",'
    '"[subject]"}'::text[]) v;
SELECT is(warned('{"label": "x"} at 12:30 for US$ 5 {{subject}}, \{{subject}} and :subject'),
    'nothing', 'a prompt that names a column and has braces, colons and dollars');
SELECT is(
    warned('{{Odd Name}} {subject}'),
    'WARNING:  the prompt''s {subject} is sent as it is written '
    '| HINT:  Write {{subject}} to send the value of that column.',
    'a prompt that names one column, and another one in other braces');
SELECT is(warned('{{ subject }}'), 'nothing', '{{ column }} as in Jinja');
SELECT is(warned(E'{{\tsubject\n}}'), 'nothing', '… with other blanks');
SELECT is(
    warned('{{subject}}', more => $$, system_prompt => 'You label {{ subject }}'$$),
    'WARNING:  the system prompt''s {{subject}} is sent as it is written '
    '| HINT:  The system prompt is the same for all records. Name columns in the argument '
    '"prompt".',
    'a column in the system prompt');
SELECT is(
    refused($$'SELECT * FROM t', 's', 'Label {{ subject | upper }}'$$),
    '42703 | the query has no column "subject | upper", which the prompt names '
    '| A prompt names columns only: compute the value in the query.',
    'a filter is an error');

-- Transactions
DELETE FROM batchinf.job;
TRUNCATE batchinf.record, batchinf.result, batchinf.event;
BEGIN;
SELECT batch_submit('SELECT id FROM t', 's', 'p') AS job \gset
ROLLBACK;
BEGIN;
SELECT batch_submit('SELECT id FROM t', 's', 'p', name => 'kept') AS job \gset
SAVEPOINT a;
SELECT batch_submit('SELECT id FROM t', 's', 'p') AS job2 \gset
ROLLBACK TO a;
COMMIT;
SELECT results_eq(
    'SELECT name, (SELECT count(*) FROM batchinf.chunk), (SELECT count(*) FROM batchinf.record) '
    'FROM batch_jobs',
    $$VALUES ('kept', 1::bigint, 3::bigint)$$,
    'a transaction or savepoint that is rolled back leaves nothing');

\set ON_ERROR_STOP 0
BEGIN;
SELECT batch_submit('SELECT id FROM t', 's', 'p') AS job \gset
\o /dev/null
PREPARE TRANSACTION 'never';
\o
\set state :LAST_ERROR_SQLSTATE
\set message :LAST_ERROR_MESSAGE
\set ON_ERROR_STOP 1
SELECT is(:'state' || ' ' || :'message',
    '0A000 cannot PREPARE a transaction that has called batch_submit',
    'a transaction that called batch_submit cannot be prepared');

BEGIN;
SELECT batch_submit('SELECT id FROM t', 's', 'p', name => 'snapshot', target => 't',
    write_back => '{"label":"$"}') AS job \gset
INSERT INTO t (id) VALUES (100);
COMMIT;
INSERT INTO t (id) VALUES (101);
CALL batch_work('60 s');
SELECT results_eq($$SELECT state, records, written FROM batch_jobs WHERE name = 'snapshot'$$,
    $$VALUES ('completed', 3::bigint, 3::bigint)$$, 'rows that come later are not sent');
SELECT is((SELECT count(label) FROM t WHERE id >= 100), 0::bigint, '… nor written');

-- Whose
CREATE FUNCTION submitting(name text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN batch_submit('SELECT 1 AS id', 's', 'p', name => name);
END $$;
SELECT submitting('in PL/pgSQL') AS job \gset
SELECT is(owner, 'postgres', 'batch_submit in a PL/pgSQL function') FROM batch_jobs
WHERE name = 'in PL/pgSQL';
ALTER FUNCTION submitting(text) SECURITY DEFINER;
GRANT CREATE ON SCHEMA public TO submit_owner;
ALTER FUNCTION submitting(text) OWNER TO submit_owner;
SET ROLE submit_user;
SELECT is(
    said($$SELECT submitting('as definer')$$),
    '42704 | user mapping not found for "submit_owner" and server "s" '
    '| CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (api_key ''…'') gives the key.',
    'in a SECURITY DEFINER function the key is the definer''s');
RESET ROLE;
CREATE USER MAPPING FOR submit_owner SERVER s OPTIONS (api_key 'sk-sim');
SET ROLE submit_user;
SELECT submitting('as definer') AS job \gset
SELECT is((SELECT count(*) FROM batch_jobs WHERE name = 'as definer'), 0::bigint,
    '… whose job the caller does not see');
RESET ROLE;
SELECT is(owner, 'submit_owner', 'the owner of a job is current_user at the call') FROM batch_jobs
WHERE name = 'as definer';

-- Every argument, at once and by position
SELECT batch_submit(
    'SELECT id, subject FROM t WHERE id = 1', 's', 'p {{subject}}', 'be terse', 'gpt-4o-mini',
    'chat', 'id', 't', '{"label":"$.l"}',
    '{"type":"object","properties":{"l":{"type":"string"}},"required":["l"],'
    '"additionalProperties":false}',
    '{"temperature":0}', 'all', '1 day', 2) AS job \gset
SELECT is(deadline - created_at, interval '1 day', 'the deadline counts from the call')
FROM batch_jobs WHERE job_id = :job;
SELECT is(
    spec - 'response_schema' - 'owner_superuser' - 'aim' - 'estimated_cost',
    '{"settings":{},"key":["id"],"task":"chat","input":"text","model":"gpt-4o-mini",'
    '"query":"SELECT id, subject FROM t WHERE id = 1","params":"{\"temperature\":0}",'
    '"prompt":"p {{subject}}","write_back":{"label":"$.l"},"in_flight":"skip",'
    '"write_if":"unchanged","guarded":["label","subject"],'
    '"max_attempts":2,"system_prompt":"be terse"}',
    'the job knows all that it was told')
FROM batchinf.job WHERE job_id = :job;
CALL batch_work('60 s');
SELECT results_eq(
    format('SELECT state, written, model, server, task FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 1::bigint, 'gpt-4o-mini', 's'::name, 'chat')$$, '… and does it');
SELECT is((SELECT count(*) FROM batch_jobs WHERE state <> 'completed'), 0::bigint,
    'all jobs are completed');

DROP OWNED BY submit_user, submit_owner;
DROP ROLE submit_user, submit_owner;
SELECT * FROM finish();
