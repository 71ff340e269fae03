-- What is too large is refused at the call that gives it, with the figures, and before anything is
-- paid for.
\ir lib.sql
SELECT no_plan();
SELECT sim.server('s');
CREATE TABLE t (id int PRIMARY KEY, label text);
INSERT INTO t VALUES (1), (2);

-- Options and keys
CREATE FUNCTION error_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE command;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN sqlerrm || ': ' || detail;
END $$;
SELECT is(
    error_of(format('ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET api_key %L)',
        repeat('k', 100 << 20))),
    'invalid value for option "api_key": The value must not be longer than 65536 bytes.',
    'a key of 100 MB is refused');
SELECT is(
    error_of(format(
        'CREATE SERVER x FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''openai'', model %L)',
        repeat('m', 10 << 20))),
    'invalid value for option "model": The value must not be longer than 65536 bytes.',
    '… so is any other option');

-- Arguments
CREATE FUNCTION refused(given text, query text DEFAULT 'SELECT id FROM t',
    prompt text DEFAULT '{{id}}')
RETURNS text LANGUAGE sql AS $$
    SELECT error_of(format('SELECT batch_submit(%L, server => ''s'', prompt => %L%s)', query,
        prompt, given)) $$;
SELECT is(
    refused(format(', params => %L', jsonb_build_object('user', repeat('x', 100 << 20)))),
    'argument "params" is too large: It has '
        || length(jsonb_build_object('user', repeat('x', 100 << 20))::text)
        || ' bytes, and may have 1048576.',
    'params of 100 MB are refused');
SELECT is(refused(', system_prompt => repeat(''x'', 100 << 20)'),
    'argument "system_prompt" is too large: It has 104857600 bytes, and may have 8388608.',
    '… a system prompt');
SELECT is(refused('', prompt => repeat('x', 9 << 20)),
    'argument "prompt" is too large: It has 9437184 bytes, and may have 8388608.', '… a prompt');
SELECT matches(refused('', 'SELECT id FROM t WHERE ''' || repeat('x', 9 << 20) || ''' <> '''''),
    '^argument "query" is too large: ', '… a query');
SELECT matches(refused(', name => repeat(''x'', 1 << 20)'), '^argument "name" is too large: ',
    '… and a name');
SELECT is(refused(', name => repeat(''x'', 60000), system_prompt => repeat(''x'', 8 << 20)'),
    'no error', 'what is smaller is taken');

-- A key of 100 MB is told by its beginning
SELECT cmp_ok(
    length(refused('', 'SELECT repeat(''x'', 10 << 20) AS id FROM generate_series(1, 2)', 'p')),
    '<', 500, 'a large key that comes twice makes a short message');
SELECT matches(refused('', 'SELECT repeat(''x'', 10 << 20) AS id FROM generate_series(1, 2)', 'p'),
    '^the query returns the key "x{200}…" more than once', '… with its beginning');

-- 1,600 columns
SELECT format('CREATE TABLE wide (id int PRIMARY KEY, %s)', string_agg(format('c%s text', i), ', '))
FROM generate_series(1, 1599) i \gexec
INSERT INTO wide VALUES (1), (2);
UPDATE wide SET c1599 = 'row ' || id;
CREATE FUNCTION columns(n int, path text) RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_object_agg('c' || i, path)::text FROM generate_series(1, n) i
$$;
SELECT is(
    refused(format(', target => ''wide'', write_back => %L', columns(1599, '$')),
        'SELECT id FROM wide'),
    'cannot write so many columns back: Key columns and written columns are 1600 together, '
    'of at most 1599.',
    'more columns than PostgreSQL can carry are refused, and not paid for');
SELECT batch_cancel(job_id) FROM batch_jobs WHERE state = 'queued' \g /dev/null
SELECT batch_submit('SELECT * FROM wide', server => 's', prompt => '{{c1599}} [[sim:say=x]]',
    target => 'wide', write_back => columns(1598, '$')::jsonb) AS most \gset
CALL batch_work('30 s');
SELECT is(state || ' ' || written, 'completed 2',
    'a query of 1,600 columns, and 1,598 that are written')
FROM batch_jobs WHERE job_id = :most;
SELECT ok(bool_and(c1 IS NOT NULL AND c1598 = c1), '… all of them') FROM wide;

-- A row that no page can hold is its own fault, and nobody else's.
SELECT batch_submit(
    'SELECT id, CASE id WHEN 1 THEN ''[[sim:big=3000]]'' ELSE ''[[sim:say=y]]'' END AS big '
    'FROM wide',
    server => 's', prompt => '{{id}} {{big}}', target => 'wide',
    write_back => columns(1598, '$')::jsonb) AS rows \gset
CALL batch_work('30 s');
SELECT results_eq(
    format(
        'SELECT record_id, write_state, write_error ~ ''row is too big'' FROM batch_records '
        'WHERE job_id = %s ORDER BY record_id',
        :rows),
    $$VALUES ('1', 'write_failed', true), ('2', 'written', NULL)$$,
    'a row that is too big for a page fails alone');
SELECT * FROM finish();
