-- An answer that does not match its response_schema has the outcome invalid_output and is not
-- written.
\i lib.sql
SELECT plan(12);

SELECT sim.server('s');
CREATE TABLE t (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, json text, error text, label text,
    price numeric, tags text[]);
INSERT INTO t (json, error) VALUES
    ('{"label":"a","price":1.5,"tags":["x","y"],"at":{"line":1}}', NULL),
    ('{"label":"b","price":2,"tags":[],"at":{"line":2}}', NULL),
    (' {"at":{"line":3.0},"tags":["x"],"label":"a","price":0}' || E'\n', NULL),
    ('{"label":"a","price":1,"tags":[]}', '"at"'),
    ('{"label":"a","price":"1","tags":[],"at":{"line":1}}', '/price'),
    ('{"label":"c","price":1,"tags":[],"at":{"line":1}}', '/label'),
    ('{"label":null,"price":1,"tags":[],"at":{"line":1}}', '/label'),
    ('{"label":"a","price":1,"tags":[],"at":{"line":1},"more":1}', 'more'),
    ('{"label":"a","price":1,"tags":["x",1],"at":{"line":1}}', '/tags/1'),
    ('{"label":"a","price":1,"tags":[],"at":{"line":"1"}}', '/at/line'),
    ('{"label":"a","price":1,"tags":[],"at":{"line":1.5}}', '/at/line'),
    ('{"label":"a","price":1,"tags":[],"at":{"line":1,"more":1}}', '/at'),
    ('{"label":"a","price":-1,"tags":[],"at":{"line":1}}', '/price'),
    ('[{"label":"a"}]', 'the value'),
    ('"label"', 'the value'),
    ('null', 'the value'),
    ('{"label":"a"', 'JSON'),
    ('Sure! {"label":"a","price":1,"tags":[],"at":{"line":1}}', 'JSON'),
    ('{"label":"a","price":1,"tags":[],"at":{"line":1}} and more', 'JSON'),
    ('', 'no output');

-- What the simulator shall say, percent-encoded.
CREATE FUNCTION directive(answer text) RETURNS text LANGUAGE sql AS $$
    SELECT '[[sim:json='
        || regexp_replace(encode(convert_to(answer, 'UTF8'), 'hex'), '(..)', '%\1', 'g') || ']]'
$$;
SELECT '{"type":"object","properties":{"label":{"type":"string","enum":["a","b"]},'
       '"price":{"type":"number","minimum":0},"tags":{"type":"array","items":{"type":"string"}},'
       '"at":{"$ref":"#/$defs/at"}},"required":["label","price","tags","at"],'
       '"additionalProperties":false,"$defs":{"at":{"type":"object",'
       '"properties":{"line":{"type":"integer"}},"required":["line"],'
       '"additionalProperties":false}}}' AS schema \gset

SELECT batch_submit('SELECT id, directive(json) AS prompt FROM t ORDER BY id', 's',
    response_schema => :'schema', target => 't',
    write_back => '{"label":"$.label","price":"$.price","tags":"$.tags"}') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(format('SELECT state, pending FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 0::bigint)$$, 'the job is completed');
SELECT set_eq(
    format('SELECT record_id FROM batch_records WHERE job_id = %s AND outcome = ''succeeded''',
        :job),
    'SELECT id::text FROM t WHERE error IS NULL', 'what matches has succeeded');
SELECT set_eq(
    format(
        'SELECT record_id FROM batch_records WHERE job_id = %s AND outcome = ''invalid_output'' '
        'AND error_code = ''schema_mismatch''',
        :job),
    $$SELECT id::text FROM t WHERE error NOT IN ('JSON', 'no output')$$,
    'required, type, enum, additionalProperties, nested: what does not match is invalid_output');
SELECT set_eq(
    format(
        'SELECT record_id FROM batch_records WHERE job_id = %s AND outcome = ''invalid_output'' '
        'AND error_code = ''not_json''',
        :job),
    $$SELECT id::text FROM t WHERE error = 'JSON'$$, 'what is no JSON is invalid_output');
SELECT is(string_agg(format('%s: %s', t.json, r.error), E'\n'), NULL,
    'the mismatch is told with its place')
FROM batch_records r JOIN t ON r.record_id = t.id::text
WHERE job_id = :job AND t.error IS NOT NULL AND position(t.error IN r.error) = 0;
SELECT is(
    (SELECT count(*) FROM batch_records r JOIN t ON r.record_id = t.id::text
     WHERE job_id = :job AND r.output IS DISTINCT FROM t.json),
    0::bigint, 'the output is kept, whatever it is');
SELECT is((SELECT count(*) FROM batch_records WHERE job_id = :job AND attempt > 1), 0::bigint,
    'nothing of that is sent again by itself');
SELECT results_eq('SELECT label, price, tags FROM t WHERE error IS NULL ORDER BY id',
    $$VALUES ('a', 1.5, '{x,y}'::text[]), ('b', 2, '{}'), ('a', 0, '{x}')$$,
    'what matches is written');
SELECT is(
    (SELECT count(*) FROM t
     WHERE error IS NOT NULL AND (label IS NOT NULL OR price IS NOT NULL OR tags IS NOT NULL)),
    0::bigint, 'nothing else is written');
SELECT is(
    (SELECT count(write_state) FROM batch_records WHERE job_id = :job AND outcome <> 'succeeded'),
    0::bigint, '… nor told to be');

-- The simulator's own structured answers match.
SELECT batch_submit('SELECT id, json FROM t', 's', '{{json}}', response_schema => :'schema') AS job
\gset
CALL batch_work('60 s');
SELECT results_eq(format('SELECT state, succeeded FROM batch_jobs WHERE job_id = %s', :job),
    $$SELECT 'completed', count(*) FROM t$$, 'a model that keeps to the schema');
SELECT batch_retry(:job - 1, '{invalid_output}') AS again \gset
SELECT is(:again::bigint, (SELECT count(*) FROM t WHERE error IS NOT NULL),
    'batch_retry sends the mismatches again');

SELECT * FROM finish();
