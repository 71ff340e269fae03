-- A pipeline's stored arguments and settings as nobody has written them: wrong types, missing
-- members, deep nesting, huge numbers, any characters. batch_refresh, batch_alter_pipeline, the
-- view batch_pipelines and a visit of the worker say what is wrong; the server and other pipelines
-- go on.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
SELECT sim.tickets(3);
SELECT pid AS launcher FROM pg_stat_activity WHERE backend_type = 'batchinf launcher' \gset

CREATE FUNCTION told(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE command INTO answer;
    RETURN COALESCE('no error: ' || answer, 'no error');
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END $$;
-- One that stores these: given and settings are added to what is good, the others replace it.
CREATE FUNCTION store(name text, given jsonb DEFAULT '{}', settings jsonb DEFAULT '{}',
    all_given jsonb DEFAULT NULL, all_settings jsonb DEFAULT NULL, custom jsonb DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM batch_create_pipeline(name, 'SELECT id, body FROM tickets', 'openai',
        prompt => name || ' {{body}}', target => 'tickets', write_back => '{"label": "$"}',
        every => '1 day');
    UPDATE batchinf.pipeline_version v
    SET given = COALESCE(all_given, jsonb_strip_nulls(v.given || store.given)),
        settings = COALESCE(all_settings, v.settings || store.settings), custom = store.custom
    FROM batchinf.pipeline p WHERE p.pipeline_id = v.pipeline_id AND p.name = store.name;
END $$;
CREATE FUNCTION nested(n int) RETURNS text LANGUAGE sql RETURN repeat('[', n) || repeat(']', n);

-- What is stored, and what is said of it.
CREATE TABLE hostile (name text PRIMARY KEY, says text, given jsonb DEFAULT '{}',
    settings jsonb DEFAULT '{}', all_given jsonb, all_settings jsonb, custom jsonb);
INSERT INTO hostile (name, says, all_given) VALUES
    ('null', 'cannot be read', 'null'),
    ('an array', 'cannot be read', '[{"query": "SELECT 1"}]'),
    ('a text', 'cannot be read', '"query"'),
    ('empty', 'must not be null', '{}'),
    ('nested', 'cannot be read', ('{"query": ' || nested(300) || '}')::jsonb),
    ('nested deeply', 'cannot be read', nested(5000)::jsonb);
INSERT INTO hostile (name, says, given) VALUES
    ('no query', '"query" must not be null', '{"query": null}'),
    ('no server', '"server" must not be null', '{"server": null}'),
    ('no write_back', 'belong together', '{"write_back": null}'),
    ('query is an object', '"query" cannot be read', '{"query": {"a": [1, 2]}}'),
    ('server is a number', '"server" cannot be read', '{"server": 1e300}'),
    ('server of any characters', 'does not exist', '{"server": "\u0001\u202E\uD83D\uDE00"}'),
    ('server with a long name', 'does not exist',
        jsonb_build_object('server', repeat('s', 1000000))),
    ('query is no SQL', 'syntax error', '{"query": "\u00e4 \uffff"}'),
    ('two queries', 'one|single|more than', '{"query": "SELECT 1; DROP TABLE tickets"}'),
    ('query writes', 'SELECT', '{"query": "DELETE FROM tickets RETURNING id, body"}'),
    ('huge integer', 'out of range', '{"max_attempts": "99999999999999999999"}'),
    ('negative integer', 'max_attempts', '{"max_attempts": "-2147483648"}'),
    ('huge numeric', 'max_failure_rate|overflow', '{"max_failure_rate": "1e131000"}'),
    ('not a number', 'max_failure_rate', '{"max_failure_rate": "NaN"}'),
    ('no interval', 'interval', '{"deadline": "soon"}'),
    ('huge interval', 'interval', '{"deadline": "99999999999999 years"}'),
    ('no time', 'timestamp', '{"start_after": "when \u0007"}'),
    ('no window', 'submit_window', '{"submit_window": "25:00-99:00 Nowhere/Bad"}'),
    ('no table', 'does not exist', '{"target": "no.such_table"}'),
    ('number of no table', 'does not exist', '{"target": "4294967295"}'),
    ('zero table', 'belong together', '{"target": "-"}'),
    ('catalog', 'pg_class|column', '{"target": "pg_catalog.pg_class"}'),
    ('name without end', 'improper relation name',
        jsonb_build_object('target', repeat('x.', 100000) || 'x')),
    ('write_back is no JSON', 'json', '{"write_back": "{"}'),
    ('write_back is an array', 'must be a JSON object', '{"write_back": "[]"}'),
    ('write_back is nested', 'stack depth|nested|JSON',
        jsonb_build_object('write_back', nested(200000))),
    ('params are no JSON', 'json', '{"params": "nul"}'),
    ('params are nested', 'levels deep|stack depth|cannot be',
        jsonb_build_object('params', '{"a": ' || nested(1000) || '}')),
    ('schema is no object', 'JSON object', '{"response_schema": "7"}'),
    ('schema is nested', 'levels deep|stack depth|cannot be',
        jsonb_build_object('response_schema', '{"not": ' || nested(1000) || '}')),
    ('no word', 'Available|invalid value', '{"task": "\u0001chat"}'),
    ('no word for in_flight', 'invalid value', '{"in_flight": "SKIP"}'),
    ('not built', 'not supported yet', '{"mode": "realtime"}'),
    ('key is no list', 'key', '{"key": "id, \"unended"}'),
    ('prompt names no column', 'column', '{"prompt": "{{\u0001}}"}'),
    ('no model', 'model', '{"model": ""}');
INSERT INTO hostile (name, says, settings) VALUES
    ('no time zone', '^no error|time zone', '{"TimeZone": "Nowhere/Bad"}'),
    ('time zone of any characters', '^no error|time zone', '{"TimeZone": "\u0001"}'),
    ('nothing is found', 'does not exist', '{"search_path": "nowhere"}');
-- These are as good as what they stand for.
INSERT INTO hostile (name, says, all_settings, custom) VALUES
    ('settings are an array', '^no error', '[1]', '[1]'),
    ('settings are a number', '^no error', '1e400', '"custom"'),
    ('settings of wrong types', '^no error',
        '{"TimeZone": {"a": 1}, "search_path": 7, "DateStyle": null, "row_security": []}', '7'),
    ('settings of wrong names', '^no error', '{"": "", "role": "nobody", "a\u0001b": "x"}',
        '{"": "", "a.b": {"c": 1}, "no dot": "x", "x.y.z": "\u0001"}'),
    ('settings are nested', '^no error', nested(2000)::jsonb, nested(2000)::jsonb);
SELECT store(name, given, settings, all_given, all_settings, custom) FROM hostile;

-- What it says, as the owner of the test reads it.
SELECT matches(told(format('SELECT batch_refresh(%L)', name)), says, 'batch_refresh: ' || name)
FROM hostile;
SELECT unalike(told(format('SELECT batch_refresh(%L)', name)), 'XX000%',
    'batch_refresh: ' || name || ': no internal error') FROM hostile;
SELECT unalike(told(format('SELECT batch_alter_pipeline(%L, system_prompt => ''x'')', name)),
    'XX000%', 'batch_alter_pipeline: ' || name) FROM hostile;
SELECT is((SELECT count(*) FROM batch_pipelines p WHERE p::text <> ''),
    (SELECT count(*) FROM hostile), 'batch_pipelines shows them');

-- Any number is a regclass.
SELECT is(told(format($$SELECT batch_create_pipeline('x', 'SELECT id, body FROM tickets',
    'openai', prompt => '{{body}}', target => %s::oid, write_back => '{"label": "$"}')$$, t)),
    format('42P01 table with OID %s does not exist', t),
    'batch_create_pipeline: no table: ' || t)
FROM unnest('{0,4294967295,123456789}'::oid[]) t;
SELECT is(told($$SELECT batch_alter_pipeline('no query', target => '4294967295')$$),
    '42P01 table with OID 4294967295 does not exist', 'batch_alter_pipeline: no table');

-- A version that is missing.
SELECT store('no version');
DELETE FROM batchinf.pipeline_version v USING batchinf.pipeline p
WHERE p.pipeline_id = v.pipeline_id AND p.name = 'no version';
SELECT is(told($$SELECT batch_refresh('no version')$$),
    'XX001 the stored arguments cannot be read', 'a version that is missing');
SELECT is((SELECT string_agg(name, ', ') FROM batch_pipelines WHERE arguments IS NULL),
    'no version', '… is shown');
SELECT matches(told($$SELECT batch_alter_pipeline('no version', prompt => 'x')$$),
    '"query" must not be null', '… and altered with all that it needs');

-- The worker: each says what is wrong, one after the other; the last one is good.
SELECT store('good');
UPDATE batchinf.pipeline SET last_error = NULL, next_refresh = NULL, regular = now();
CREATE TABLE visited AS SELECT name FROM hostile WHERE name IN ('an array', 'nested deeply',
    'query is an object', 'number of no table', 'write_back is nested', 'not built',
    'no time zone', 'huge integer') UNION SELECT 'no version';
UPDATE batchinf.pipeline SET next_refresh = now() WHERE name IN (SELECT name FROM visited);
UPDATE batchinf.pipeline SET next_refresh = clock_timestamp() WHERE name = 'good';
UPDATE tickets SET body = 'edited ' || id;
SELECT batch_resume_pipeline('good');
SELECT sim.until($$SELECT count(*) FROM batch_jobs WHERE pipeline = 'good'
    AND state = 'completed' AND written = 3$$, '1', 60);
SELECT is((SELECT string_agg(DISTINCT state || ' ' || written, ', ') FROM batch_jobs
    WHERE pipeline = 'good'), 'completed 3', 'a good pipeline is refreshed after them');
SELECT is((SELECT count(*) FROM batch_pipelines WHERE last_error IS NOT NULL), 9::bigint,
    '… each of which says what is wrong');
SELECT matches(p.last_error, COALESCE(replace(h.says, '^no error|', ''), 'cannot be read'),
    'last_error: ' || p.name)
FROM visited v JOIN batch_pipelines p USING (name) LEFT JOIN hostile h USING (name);
SELECT is((SELECT pid FROM pg_stat_activity WHERE backend_type = 'batchinf launcher'), :launcher,
    'no process has died');
SELECT batch_drop_pipeline(name) FROM batch_pipelines;
SELECT * FROM finish();
