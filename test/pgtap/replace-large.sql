-- Values whose answers have very many items are replaced piece after piece (promise 7).
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE FUNCTION peak_mb() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    CREATE TEMP TABLE status (line text);
    EXECUTE format('COPY status FROM PROGRAM %L',
        format('grep VmHWM /proc/%s/status | tr -dc 0-9', pg_backend_pid()));
    SELECT s.line INTO line FROM status s;
    DROP TABLE status;
    RETURN line::int / 1024;
END $$;
CREATE UNLOGGED TABLE item (k int, doc int, n int);
INSERT INTO item SELECT k, 0, 0 FROM generate_series(0, 2) k;
SELECT batch_submit($$SELECT id, id % 2 AS k,
    '[[sim:json=%5B' || repeat('1,', 19999) || '1%5D]]' AS prompt FROM generate_series(1, 50) id$$,
    'openai', target => 'item', write_mode => 'replace', replace_by => 'k', each => '$[*]',
    write_back => '{"k": {"column": "k"}, "doc": {"column": "id"}, "n": {"ordinal": true}}')
    AS job \gset
CALL batch_work('120 s');
SELECT is((SELECT state || ' ' || written FROM batch_jobs WHERE job_id = :job), 'completed 50',
    'two values of 500,000 rows');
SELECT is((SELECT count(*) || ' ' || count(DISTINCT (doc, n)) FROM item WHERE doc > 0),
    '1000000 1000000', '… are whole');
SELECT is((SELECT string_agg(k::text, ' ') FROM item WHERE doc = 0), '2',
    '… the old rows are gone');
SELECT cmp_ok(peak_mb(), '<', 800, 'promise 7: … and memory stays bounded');
SELECT * FROM finish();
