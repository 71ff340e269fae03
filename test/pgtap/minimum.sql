-- No batch has fewer requests than the provider's minimum. The test looks at how jobs are cut, and
-- at what happens to a few records that must be sent again.
\i lib.sql
SELECT plan(21);

CREATE TABLE t (id int PRIMARY KEY, x text, y text);
INSERT INTO t (id, x) SELECT i, 'x' || i FROM generate_series(1, 40) i;
CREATE FUNCTION submit(server text, rows int, prompt text DEFAULT '{{x}}', attempts int DEFAULT 3)
RETURNS bigint LANGUAGE sql AS $$
    UPDATE t SET y = NULL;
    SELECT batch_submit(format('SELECT id, x FROM t WHERE id <= %s ORDER BY id', rows), server,
        prompt, target => 't', write_back => '{"y":"$"}', max_attempts => attempts) $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, succeeded, 'succeeded', nullif(errored, 0) || ' errored',
        nullif(missing, 0) || ' missing', nullif(pending, 0) || ' pending', written, 'written')
    FROM batch_jobs WHERE job_id = job $$;

-- Cut
SELECT sim.fault('{"match":{"method":"DELETE"},"times":"always","action":{"status":400}}');
SELECT sim.server('four', $$max_requests '10', min_requests '4'$$);
SELECT submit('four', 22) AS job \gset
SELECT results_eq(
    format('SELECT records FROM batch_chunks WHERE job_id = %s ORDER BY chunk_id', :job),
    ARRAY[10, 8, 4]::bigint[],
    'a last chunk below min_requests takes what it lacks from the one before');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 22 succeeded 22 written', '… and all records succeed');
SELECT results_eq(
    format('SELECT chunk_id, bytes FROM batch_chunks WHERE job_id = %s ORDER BY 1', :job),
    format(
        'SELECT c.chunk_id, (f->>''bytes'')::bigint FROM batchinf.chunk c '
        'JOIN batchinf.batch b USING (chunk_id) '
        'JOIN jsonb_array_elements(sim.ledger()->''files_left'') f ON f->>''id'' = '
        'b.refs->>''input'' WHERE c.job_id = %s ORDER BY 1',
        :job),
    '… the bytes of each chunk are those of its file');
SELECT submit('four', 24) AS job \gset
SELECT results_eq(
    format('SELECT records FROM batch_chunks WHERE job_id = %s ORDER BY chunk_id', :job),
    ARRAY[10, 10, 4]::bigint[], 'a last chunk of min_requests is left as it is');
CALL batch_work('60 s');
SELECT sim.clear_faults();

-- What cannot be cut so
SELECT throws_like($$SELECT submit('four', 3)$$, '%needs at least 4 records a batch',
    'too few for one batch');
SELECT sim.server('tight', $$max_requests '10', min_requests '8'$$);
SELECT throws_ok($$SELECT submit('tight', 13)$$, '54000',
    'the records cannot be cut into batches of at least 8 each', 'no cut leaves each batch enough');
SELECT lives_ok($$SELECT submit('tight', 18)$$, '… with some more, one does');
CALL batch_work('60 s');
SELECT sim.server('heavy', $$max_bytes '1000', min_requests '8'$$);
SELECT throws_ok($$SELECT submit('heavy', 20)$$, '54000',
    'the records cannot be cut into batches of at least 8 each',
    'records too large for enough of them in a batch');

-- Sent again: two of each chunk are too few, the six of all three are enough.
SELECT sim.reset();
SELECT submit('four', 30, '{{x}}') AS warm \gset
CALL batch_work('60 s');
UPDATE t SET x = x || CASE WHEN id % 10 IN (1, 2) THEN '[[sim:fail_times=1]]' ELSE '' END;
SELECT sim.reset();
SELECT sim.config('{"batch_seconds": 2}');
SELECT submit('four', 30) AS job \gset
SELECT sim.work_beside();
CALL sim.await('jsonb_array_length(sim.ledger() -> ''batches'') = 3');
SELECT batch_pause(:job);       -- until all that is to be sent again is there
CALL sim.await(format('(SELECT count(*) = 3 FROM batch_chunks WHERE job_id = %s AND records = 2)',
    :job));
SELECT batch_resume(:job);
CALL batch_work('60 s');
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT is(counts(:job), 'completed 30 succeeded 30 written',
    'what is sent again is gathered from several chunks');
SELECT results_eq(
    format('SELECT records FROM batch_chunks WHERE job_id = %s ORDER BY chunk_id', :job),
    ARRAY[10, 10, 10, 6]::bigint[], '… into one batch');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 30, '… and each record is billed once');
SELECT is(array_agg(DISTINCT attempt ORDER BY attempt), ARRAY[1, 2], '… at its second attempt')
FROM batch_records WHERE job_id = :job;

-- Three of all are too few: they end as their last attempt did.
UPDATE t SET x = 'x' || id || CASE WHEN id IN (1, 11, 21) THEN '[[sim:fail_times=1]]' ELSE '' END;
SELECT sim.reset();
SELECT submit('four', 30) AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 27 succeeded 3 errored 27 written',
    'too few to be sent again: they end as they did');
SELECT matches(string_agg(detail, ' '), '^3 records, fewer than the 4 that a batch needs$',
    '… which the history tells')
FROM batch_events WHERE job_id = :job AND event = 'not sent';
SELECT is(count(DISTINCT error_code), 1::bigint, '… each with the error it had') FROM batch_records
WHERE job_id = :job AND outcome = 'errored';
SELECT is((SELECT sum(pending) FROM batch_jobs), 0::numeric, '… nothing is pending');

-- By hand: once more are to be sent, they are.
ALTER SERVER four OPTIONS (SET min_requests '3');
SELECT is(batch_retry(:job), 3::bigint, 'batch_retry takes them again');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 30 succeeded 30 written', '… and they succeed');
SELECT is((SELECT count(*) FROM t WHERE y IS NULL AND id <= 30), 0::bigint,
    '… each row has its value');

-- Small ones that cannot be gathered, for they have been tried, do not wait for one another.
SELECT sim.server('two', $$max_requests '2', min_requests '1'$$);
SELECT submit('two', 4) AS job \gset
UPDATE batchinf.chunk SET tries = 1 WHERE job_id = :job;
ALTER SERVER two OPTIONS (SET max_requests '10', SET min_requests '3');
CALL batch_work('20 s');
SELECT is(counts(:job), 'completed 0 succeeded 4 errored 0 written',
    'min_requests is raised meanwhile');
SELECT is(array_agg(DISTINCT error), '{"2 records, fewer than the 3 that a batch needs"}',
    '… which they end with')
FROM batch_records WHERE job_id = :job;

SELECT * FROM finish();
