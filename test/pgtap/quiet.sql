-- Open batches are polled from memory: while nothing changes no row is written, whatever the poll
-- finds is saved all the same, and what the owner wishes meanwhile comes first.
\i lib.sql
SELECT plan(17);

SELECT sim.server('quiet');
SELECT sim.server('refused');
SELECT sim.tickets(4);
CREATE FUNCTION submit(deadline interval DEFAULT NULL, server text DEFAULT 'quiet')
RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT id, body FROM tickets ORDER BY id', server, '{{body}}',
        target => 'tickets', write_back => '{"label": "$"}', deadline => deadline,
        in_flight => 'send', write_if => 'always') $$;
-- The polls of a job's batch, as the simulator saw them; hanging: only those without a reply yet.
CREATE FUNCTION polls(job bigint, hanging bool DEFAULT false) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
    JOIN batchinf.batch b ON r->>'path' = '/v1/batches/' || b.batch_id
    JOIN batchinf.chunk c USING (chunk_id)
    WHERE c.job_id = job AND r->>'method' = 'GET' AND (NOT hanging OR r->>'status' IS NULL) $$;
CREATE FUNCTION rows_of(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', c.ctid, c.xmin, c.xmax, b.ctid, b.xmin, b.xmax), ', ')
    FROM batchinf.batch b JOIN batchinf.chunk c USING (chunk_id) WHERE c.job_id = job $$;
CREATE PROCEDURE await_polls(job bigint, more int) LANGUAGE plpgsql AS $$
DECLARE
    before bigint := polls(job);
BEGIN
    CALL sim.await(format('polls(%s) >= %s', job, before + more));
END $$;
CREATE FUNCTION cancels(job bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM batch_events WHERE job_id = job AND event = 'cancel sent' $$;

-- Two sessions poll the same batch: nothing is written, and one of them delivers.
SELECT sim.config('{"batch_seconds": 8}');
SELECT submit() AS job \gset
SELECT sim.start('one', 'CALL batch_work(''60 s'')');
SELECT sim.start('two', 'CALL batch_work(''60 s'')');
CALL sim.await(format('(SELECT state = ''running'' FROM batchinf.chunk WHERE job_id = %s)', :job));
SELECT rows_of(:job) AS rows \gset
CALL await_polls(:job, 3);
SELECT is(rows_of(:job), :'rows', 'polls that find nothing new write no row');
SELECT is((SELECT count(*) FROM batchinf.chunk WHERE holder_pid IS NOT NULL AND job_id = :job),
    0::bigint, '… and nobody holds the chunk');
SELECT is(sim.finish('one') || sim.finish('two'), '', 'two sessions poll the same batch');
SELECT results_eq(
    format('SELECT state, succeeded, written, duplicates FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 4::bigint, 4::bigint, 0::bigint)$$, '… and one of them delivers');
SELECT is((sim.ledger()->>'billed_requests')::int, 4, '… what was billed once');

-- A cancel while a poll hangs
SELECT sim.config('{"batch_seconds": 600}');
SELECT sim.fault('{"match": {"method": "GET", "path_regex": "^/v1/batches/"}, '
                 '"times": 1, "action": {"hang": true}}');
SELECT submit() AS job \gset
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(sim.until(format('SELECT polls(%s, true)', :job), '1'), '1', 'a poll hangs');
SELECT batch_cancel(:job) \g /dev/null
SELECT is(sim.until(format('SELECT cancels(%s)', :job), '1', 10), '1',
    'a cancel while a poll is under way is sent at once');
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'work';
SELECT isnt(sim.finish('work'), '', '… and the work is cancelled');
SELECT sim.clear_faults();

-- A deadline, a paused server and a refused key are seen by a chunk that is polled quietly.
SELECT submit('4 s') AS job \gset
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(sim.until(format('SELECT cancels(%s)', :job), '1'), '1',
    'a deadline that passes while a batch is polled cancels it');
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'work';
SELECT isnt(sim.finish('work'), '', '… and the work is cancelled');

SELECT submit(NULL, 'refused') AS job \gset
SELECT sim.start('work', 'CALL batch_work(''120 s'')');
CALL sim.await(format('polls(%s) >= 1', :job));
SELECT sim.config('{"api_keys": ["sk-other"]}');
SELECT is(sim.until(format('SELECT wait_kind FROM batchinf.chunk WHERE job_id = %s', :job), 'key'),
    'key', 'a key that is refused at a quiet poll: the chunk waits and says so');
SELECT cmp_ok((SELECT count(*) FROM batchinf.pause_here WHERE failures > 0), '>', 0::bigint,
    '… and the server is paused');
SELECT sim.config('{"api_keys": ["sk-sim"]}');
SELECT is(
    sim.until(format('SELECT wait_kind IS NULL FROM batchinf.chunk WHERE job_id = %s '
                     'AND holder_pid IS NULL', :job), 'true', 60),
    'true', 'a key that is good again is found out');
SELECT rows_of(:job) AS rows \gset
CALL await_polls(:job, 2);
SELECT cmp_ok(polls(:job), '>=', 3::bigint, '… and polls go on');

-- A process that is gone: the next one goes on.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'work';
SELECT isnt(sim.finish('work'), '', 'the process ends');
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
CALL await_polls(:job, 1);
SELECT is(rows_of(:job), :'rows', '… and the next one polls, and writes nothing');
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'work';
SELECT isnt(sim.finish('work'), '', '… until it ends, too');
SELECT * FROM finish();
