-- What a schema or a path may cost is bounded. Too costly ones are refused at submit, with their
-- figure. If a stored job has one, each record ends by itself, and a cancel, batchinf.enabled and
-- the jobs of others do not wait for it.
\i lib.sql
SELECT no_plan();
SELECT sim.server('s');
CREATE TABLE t (id int PRIMARY KEY, said text, label jsonb);
CREATE FUNCTION say(answer text) RETURNS text LANGUAGE sql AS $$
    SELECT '[[sim:say='
        || regexp_replace(encode(convert_to(answer, 'UTF8'), 'hex'), '(..)', '%\1', 'g') || ']]'
$$;
CREATE FUNCTION submit(n int, schema jsonb DEFAULT NULL, path text DEFAULT NULL) RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, say(said) AS prompt FROM t ORDER BY id LIMIT %s', n),
        's', key => 'id', response_schema => schema,
        target => CASE WHEN path IS NOT NULL THEN 't'::regclass END,
        write_back => CASE WHEN path IS NOT NULL THEN jsonb_build_object('label', path) END,
        in_flight => 'send', write_if => 'always') $$;
CREATE FUNCTION outcomes(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', n, outcome, error_code, error), '; ')
    FROM (SELECT count(*) AS n, outcome, error_code, error FROM batch_records WHERE job_id = job
          GROUP BY 2, 3, 4 ORDER BY 2, 3, 4) x $$;
CREATE FUNCTION doubled(depth int) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        '$ref', '#/$defs/d0',
        '$defs', jsonb_object_agg(
            'd' || i,
            CASE WHEN i = depth THEN 'false'::jsonb
                ELSE format('{"anyOf":[{"$ref":"#/$defs/d%s"},{"$ref":"#/$defs/d%1$s"}]}',
                    i + 1)::jsonb END))
    FROM generate_series(0, depth) i $$;

--
-- At submit
--
INSERT INTO t SELECT i, '"' || repeat('xy', 20) || '"' FROM generate_series(1, 5) i;
SELECT throws_matching($$SELECT submit(1, '{"type":"string","pattern":"^((x?){38}){38}$"}')$$,
    'invalid response_schema', 'a pattern that takes seconds to compile is refused');
SELECT throws_matching($$SELECT submit(1, doubled(26))$$, 'invalid response_schema',
    'so are schemas that lead to others too often');
SELECT throws_matching($$SELECT submit(1, path => '$.**.**.**.**.**.**.**.**')$$,
    'write_back path of column "label" costs too much', 'and a path of many ".**"');
SELECT throws_matching(
    $$SELECT submit(1,
          path => '$[0,0,0,0,0,0,0,0,0,0,0][0,0,0,0,0,0,0,0,0,0,0][0,0,0,0,0,0,0,0,0,0,0]')$$,
    'costs too much', '… of many subscripts');
SELECT throws_matching($$SELECT submit(1, path => '$ ? (@ like_regex "^((x?){21}){21}$")')$$,
    'costs too much', '… with a costly like_regex');
SELECT alike(sim.psql($$SELECT submit(1, '{"pattern":"^((x?){38}){38}$"}')$$),
    '%8902, of 2000 at most%', 'the figure and the limit are told: a pattern');
SELECT ok(sim.psql($$SELECT submit(1, doubled(26))$$) ~ '16381 of them, of 10000 at most',
    '… schemas');
SELECT ok(
    sim.psql($$SELECT submit(1, path => '$.**.**.**.**.**.**.**.**')$$) ~ '8 times, of 2 at most',
    '… a path');
SELECT lives_ok(
    $$SELECT submit(1, '{"pattern":"^[a-z]{1,255}$"}'), submit(1, path => '$.**.name'),
          submit(1, path => '$ ? (@ like_regex "^a.*\\.$" flag "i")'),
          submit(1, path => '$ ? (@ like_regex "((((" flag "q")')$$,
    'what is common is taken');

--
-- Jobs that an older version has let pass
--
SELECT sim.config('{"batch_seconds": 1}');
CREATE FUNCTION stored(job bigint, field text, value jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    UPDATE batchinf.job SET spec = jsonb_set(spec::jsonb, ARRAY[field], value) WHERE job_id = $1;
    RETURN $1;
END $$;
SELECT stored(submit(5, '{"type":"string"}'), 'response_schema',
    '{"type":"string","pattern":"^((x?){38}){38}$"}') AS pattern \gset
SELECT stored(submit(5, '{"type":"string"}'), 'response_schema', doubled(26)) AS schemas \gset
SELECT stored(submit(5, path => '$.a'), 'write_back',
    '{"label":"$.**.**.**.**.**.**.**.**"}') AS path \gset
CALL batch_wait(:pattern, '60 s');
CALL batch_wait(:schemas, '60 s');
CALL batch_wait(:path, '60 s');
SELECT matches(outcomes(:pattern), '^5 invalid_output too_costly .*8902, of 2000 at most$',
    'a pattern: all records end as too costly');
SELECT matches(outcomes(:schemas), '^5 invalid_output too_costly .*10000 at most$',
    'schemas: the same');
SELECT matches(outcomes(:path), '^5 invalid_output too_costly .*8 times, of 2 at most$',
    'a path: the same');
SELECT is(
    (SELECT count(DISTINCT output) FROM batch_records
     WHERE job_id IN (:pattern, :schemas, :path) AND output = '"' || repeat('xy', 20) || '"'),
    1::bigint, 'the outputs are kept');

--
-- Outputs for which a path just below the limit, and a schema, cost too much
--
TRUNCATE t;
INSERT INTO t VALUES
    (1, '[' || (SELECT string_agg(i::text, ',') FROM generate_series(1, 60000) i) || ']'),
    (2, '{"a":1}'),
    (3, repeat('[', 60) || repeat(']', 60));
SELECT submit(2, path => '$.** ? (exists($.** ? (@ == "x")))') AS job \gset
CALL batch_wait(:job, '120 s');
SELECT results_eq(
    format(
        'SELECT record_id, outcome, error_code, write_state FROM batch_records WHERE job_id = %s '
        'ORDER BY record_id',
        :job),
    $$VALUES ('1', 'invalid_output', 'too_costly', NULL), ('2', 'succeeded', NULL, 'written')$$,
    'an output that a path takes too long for is its record''s fault; another is written');
SELECT matches(
    (SELECT error FROM batch_records WHERE job_id = :job AND record_id = '1'),
    '^putting the output into its columns takes more than (1000 ms of processor time|512 MB of '
    'memory)$',
    '… and says so');
SELECT submit(
    3,
    '{"items":{"anyOf":[{"items":{"$ref":"#/items"},"minItems":1},{"items":{"$ref":"#/items"},'
    '"minItems":1}]}}') AS job \gset
CALL batch_wait(:job, '60 s');
SELECT is(
    (SELECT concat_ws(' ', outcome, error_code, error) FROM batch_records
     WHERE job_id = :job AND record_id = '3'),
    'invalid_output too_costly checking the output against the response schema takes more than '
    '10000000 steps',
    'a schema that an output leads through too often: counted');

--
-- Meanwhile others go on, and wishes are heard
--
TRUNCATE t;
INSERT INTO t
SELECT i, '[' || (SELECT string_agg(j::text, ',') FROM generate_series(1, 60000) j) || ']'
FROM generate_series(1, 40) i;
SELECT sim.server('other');
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT submit(40, path => '$.** ? (exists($.** ? (@ == "x")))') AS costly \gset
SELECT is(
    sim.until(format('SELECT invalid_output > 0 FROM batch_jobs WHERE job_id = %s', :costly),
        'true', 60),
    'true', 'a job of 40 such outputs is being delivered');
SELECT batch_submit('SELECT 1 AS id, ''hello'' AS prompt', 'other') AS small \gset
CALL batch_wait(:small, '180 s');
SELECT is((SELECT state FROM batch_jobs WHERE job_id = :costly), 'running',
    'a small job ends before it');
SELECT batch_cancel(:costly);
ALTER SYSTEM SET batchinf.enabled = off;
SELECT pg_reload_conf();
SELECT is(
    sim.until(
        'SELECT count(*) FROM pg_stat_activity WHERE backend_type = ''batchinf visit'' '
        'AND datname = current_database()',
        '0', 30),
    '0', 'batchinf.enabled = off ends the visit');
SELECT ok((SELECT pending > 0 FROM batch_jobs WHERE job_id = :costly), '… before all is delivered');
ALTER SYSTEM SET batchinf.enabled = on;
SELECT pg_reload_conf();
SELECT * FROM finish();
