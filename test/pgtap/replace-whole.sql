-- A value is replaced whole or not at all, whatever keeps one of its answers from being written.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai', $$max_requests '1'$$);
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(record_id || ' ' || COALESCE(write_state, outcome), ', ' ORDER BY record_id)
    FROM batch_records WHERE job_id = job $$;
CREATE TABLE piece (doc int, n int, body text);
CREATE FUNCTION pieces() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(doc || '.' || n, ' ' ORDER BY doc, n) FROM piece $$;
CREATE FUNCTION submitted(prompts text[], more text DEFAULT '') RETURNS bigint LANGUAGE plpgsql
AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE format('SELECT batch_submit(%L, ''openai'', target => ''piece'',
        write_mode => ''replace'', replace_by => ''doc'', write_back =>
        ''{"doc": {"column": "doc"}, "n": {"column": "n"}, "body": "$"}''%s)',
        format('SELECT n, 1 AS doc, prompt FROM unnest(%L::text[]) WITH ORDINALITY u(prompt, n)',
            prompts), more) INTO job;
    RETURN job;
END $$;

-- the target cannot be written when the first answer comes
INSERT INTO piece VALUES (1, 0, 'old');
SELECT submitted('{a,[[sim:refusal]]}') AS job \gset
SELECT sim.work_until(format('(SELECT count(provider_batch_id) = 2 FROM batch_chunks
    WHERE job_id = %s)', :job));
ALTER TABLE piece DROP COLUMN body;
SELECT sim.work_until(format('(SELECT pending = 0 FROM batch_jobs WHERE job_id = %s)', :job), 20);
ALTER TABLE piece ADD COLUMN body text;
SELECT batch_resume(:job);
CALL batch_work('60 s');
SELECT is(pieces(), '1.0', 'an answer that could not be written does not replace the value alone');
SELECT is(states(:job), '1 incomplete, 2 invalid_output', '… it waits for the others');
UPDATE batchinf.record SET input = 'b' WHERE job_id = :job AND seq = 2;
SELECT batch_retry(:job);
CALL batch_work('60 s');
SELECT is(pieces() || ' ' || states(:job), '1.1 1.2 1 written, 2 written',
    '… then all are written');

-- one output that is JSON, and no jsonb
TRUNCATE piece;
INSERT INTO piece VALUES (1, 0, 'old');
SELECT submitted('{[[sim:json=%5B%22a%22%5D]],[[sim:json=%5B1e200000%5D]]}',
    $$, each => '$[*]'$$) AS job \gset
CALL batch_work('60 s');
SELECT is(pieces(), '1.0', 'an output whose values are not found fails its value');
SELECT is(states(:job), '1 write_failed, 2 write_failed', '… with all of its records');
SELECT matches((SELECT min(write_error) FROM batch_records WHERE job_id = :job),
    'overflow', '… and the reason is told');

-- only a part of a value is to be rewritten
SELECT submitted('{a,b}') AS job \gset
ALTER TABLE piece ADD CHECK (n = 0);
CALL batch_work('60 s');
SELECT is(states(:job), '1 write_failed, 2 write_failed', 'a value that has failed');
ALTER TABLE piece DROP CONSTRAINT piece_n_check;
UPDATE batchinf.chunk SET state = 'delivering', next_step_at = 'infinity'
WHERE chunk_id = (SELECT chunk_id
    FROM batch_records WHERE job_id = :job AND record_id = '2');
SELECT is(batch_rewrite(:job), 0::bigint, '… is not rewritten while a chunk of it is delivered');
UPDATE batchinf.chunk SET state = 'done', next_step_at = NULL WHERE job_id = :job;
SELECT is(batch_rewrite(:job), 2::bigint, '… and rewritten then');
CALL batch_work('60 s');
SELECT is(pieces() || ' ' || states(:job), '1.1 1.2 1 written, 2 written', '… all of it');
-- equal values of which the texts differ
CREATE TABLE listed (k numeric[], body text);
CREATE TABLE spanned (k int4range, body text);
SELECT throws_ok(format($$SELECT batch_submit('SELECT ''%s'' AS k, ''a'' AS prompt', 'openai',
    target => %L, write_mode => 'replace', replace_by => 'k',
    write_back => '{"k": {"column": "k"}, "body": "$"}')$$, v, t), '0A000', NULL, t)
FROM (VALUES ('{1.0}', 'listed'), ('[1,2]', 'spanned')) v(v, t);
SELECT * FROM finish();
