-- max_failure_rate: a job most of whose answers fail is paused before it has cost much.
\i lib.sql
SELECT no_plan();
SELECT sim.server('s');
CREATE FUNCTION submit(rows text, rate numeric, server text DEFAULT 's', attempts int DEFAULT 1)
RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(rows, server => server, max_attempts => attempts, max_failure_rate => rate)
$$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s pending %s succeeded %s errored %s', state, pending, succeeded, errored)
    FROM batch_jobs WHERE job_id = job
$$;
CREATE FUNCTION sizes(job bigint) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(records::text, ' ' ORDER BY chunk_id) FROM batch_chunks WHERE job_id = job $$;
CREATE FUNCTION bad(n int, until int) RETURNS text LANGUAGE sql AS $$
    SELECT format(
        'SELECT i AS id, CASE WHEN i <= %s THEN ''[[sim:error=400]]'' ELSE ''good'' END AS prompt '
        'FROM generate_series(1, %s) i',
        until, n)
$$;

-- what it may be
CREATE FUNCTION said(rate numeric) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN submit('SELECT 1 AS id, ''x'' AS prompt WHERE false', rate) > 0;
EXCEPTION WHEN invalid_parameter_value THEN RETURN SQLERRM;
END $$;
SELECT is(said(v), 'argument "max_failure_rate" must be between 0 and 1', v::text)
FROM unnest('{NaN,-0.0001,1.0000000000000000000001,Infinity,-Infinity}'::numeric[]) v;
SELECT is(said(v), 'true', COALESCE(v::text, 'NULL'))
FROM unnest('{0,1,0.5,0.00000000000000000001,NULL}'::numeric[]) v;

-- a bad prompt: the first batch is small, and nothing comes after it
SELECT submit(bad(500, 500), 0.1) AS job \gset
SELECT is(sizes(:job), '50 450', 'the first batch has as many records as are to be known');
CALL batch_work('60 s');
SELECT is(counts(:job), 'paused pending 450 succeeded 0 errored 50',
    'a bad prompt costs 50 answers');
SELECT alike(
    waiting_for,
    'the job is paused: 50 of 50 answers failed, and max_failure_rate is 0.1; batch_resume(' || :job
        || ')%',
    '… and says why')
FROM batch_jobs WHERE job_id = :job;
SELECT is(count(*), 1::bigint, '… in batch_events too') FROM batch_events
WHERE job_id = :job AND event = 'job paused'
AND detail = '50 of 50 answers failed, and max_failure_rate is 0.1';
SELECT is((SELECT count(*) FROM jsonb_path_query(sim.ledger(), '$.batches[*]')), 1::bigint,
    '… one batch at the provider');
SELECT batch_resume(:job);
SELECT is((SELECT format('%s %s', paused, pause_reason) FROM batchinf.job WHERE job_id = :job),
    'f ', 'batch_resume ends it');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed pending 0 succeeded 0 errored 500',
    'it goes on; where nothing is left to send there is no pause');
SELECT is(batch_retry(:job), 500::bigint, 'batch_retry begins the count again too');
SELECT is(
    (SELECT format('%s %s', answers_before, failures_before) FROM batchinf.job WHERE job_id = :job),
    '500 500', '… from here');
CALL batch_work('60 s');
SELECT is(counts(:job), 'paused pending 450 succeeded 0 errored 50', '… and one batch comes first');
SELECT batch_cancel(:job);
CALL batch_work('60 s');

-- a good one: the second batch waits for the answers of the first
SELECT submit(bad(120, 0), 0.1) AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed pending 0 succeeded 120 errored 0', 'a good job goes through');
SELECT ok(
    (SELECT min(e.at) FROM batch_events e
     WHERE e.job_id = :job AND e.chunk_id = c.second AND e.event = 'uploaded')
        > (SELECT e.at FROM batch_events e
           WHERE e.job_id = :job AND e.chunk_id = c.first AND e.event = 'delivered'),
    '… and its second batch after the answers of the first')
FROM (SELECT min(chunk_id) AS first, max(chunk_id) AS second FROM batch_chunks
      WHERE job_id = :job) c;
SELECT submit(bad(120, 0), NULL) AS job \gset
SELECT is(sizes(:job), '120', 'without max_failure_rate nothing of it');
SELECT batch_cancel(:job);

-- the bound itself
SELECT submit(bad(60, 5), 0.1) AS at, submit(bad(60, 6), 0.1) AS above,
    submit(bad(60, 1), 0) AS zero, submit(bad(60, 60), 1) AS one, submit(bad(49, 49), 0) AS few,
    submit(bad(50, 50), 0) AS last \gset
CALL batch_work('120 s');
SELECT is(counts(:at), 'completed pending 0 succeeded 55 errored 5', 'as large a share as allowed');
SELECT is(counts(:above), 'paused pending 10 succeeded 44 errored 6', 'a larger one');
SELECT is(counts(:zero), 'paused pending 10 succeeded 49 errored 1', 'none is allowed');
SELECT is(counts(:one), 'completed pending 0 succeeded 0 errored 60', 'all are');
SELECT is(counts(:few), 'completed pending 0 succeeded 0 errored 49', 'fewer than fifty');
SELECT is(counts(:last), 'completed pending 0 succeeded 0 errored 50', 'nothing left to send');

-- each attempt counts for itself
SELECT submit(
    'SELECT i AS id, ''[[sim:fail_times=1]] '' || i AS prompt FROM generate_series(1, 60) i', 0.5,
    attempts => 3) AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'paused pending 60 succeeded 0 errored 0',
    'attempts that are to be repeated count');
SELECT batch_resume(:job);
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed pending 0 succeeded 60 errored 0',
    '… and the count begins again');

-- refused whole, and answers without sense
SELECT submit('SELECT i AS id, ''[[sim:refusal]]'' AS prompt FROM generate_series(1, 60) i',
        0.5) AS invalid,
    submit(
        'SELECT i AS id, CASE WHEN i = 1 THEN NULL ELSE ''[[sim:missing]]'' END AS prompt '
        'FROM generate_series(1, 61) i',
        0.5) AS missing,
    submit('SELECT i AS id, ''[[sim:expired]]'' AS prompt FROM generate_series(1, 60) i',
        0.5) AS expired \gset
CALL batch_work('120 s');
SELECT is(
    (SELECT format('%s %s %s', state, invalid_output, pending) FROM batch_jobs
     WHERE job_id = :invalid),
    'paused 50 10', 'invalid_output');
SELECT is(
    (SELECT format('%s %s %s %s', state, missing, skipped, pending) FROM batch_jobs
     WHERE job_id = :missing),
    'paused 50 1 10', 'missing; not skipped');
SELECT is(
    (SELECT format('%s %s %s', state, expired, pending) FROM batch_jobs WHERE job_id = :expired),
    'paused 50 10', 'expired');

-- answers that cannot be written
CREATE TABLE t (id int PRIMARY KEY, label text CHECK (label IS NULL));
INSERT INTO t SELECT i FROM generate_series(1, 60) i;
SELECT batch_submit('SELECT id, ''x'' AS prompt FROM t', server => 's', target => 't',
    write_back => '{"label": "$"}', max_failure_rate => 0.5) AS job \gset
CALL batch_work('60 s');
SELECT is(
    (SELECT format('%s %s %s %s', state, succeeded, write_failed, pending) FROM batch_jobs
     WHERE job_id = :job),
    'paused 50 50 10', 'write_failed');
CREATE TABLE gone (id int PRIMARY KEY, label text);
INSERT INTO gone SELECT i FROM generate_series(1, 60) i;
SELECT batch_submit('SELECT id, ''x'' AS prompt FROM gone', server => 's', target => 'gone',
    write_back => '{"label": "$"}', max_failure_rate => 0) AS job \gset
DELETE FROM gone;
CALL batch_work('60 s');
SELECT is(
    (SELECT format('%s %s %s', state, succeeded, target_missing) FROM batch_jobs
     WHERE job_id = :job),
    'completed 60 60', 'a row that is gone is no failure');

-- somebody changes the job in an open transaction while its answers come: they are stored, nothing
-- more is sent, and the pause comes later
SELECT submit(bad(60, 60), 0.5) AS job \gset
SELECT sim.connect('locker');
SELECT dblink_exec('locker', 'BEGIN');
SELECT * FROM dblink('locker', format('SELECT batch_pause(%s)::text', :job)) AS l(said text)
\g /dev/null
SELECT sim.start('work', 'CALL public.batch_work(''120 s'')');
CALL sim.await(format('(SELECT errored = 50 FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is(counts(:job), 'running pending 10 succeeded 0 errored 50',
    'an open batch_pause holds up no answers');
SELECT dblink_exec('locker', 'ROLLBACK');
SELECT is(
    sim.until(format('SELECT counts(%s)', :job), 'paused pending 10 succeeded 0 errored 50', 60),
    'paused pending 10 succeeded 0 errored 50', '… and is paused before the next batch');
SELECT is(sim.finish('work'), '', '… by whoever was to send it');

-- a batch has as many records as the provider wants
SELECT sim.server('min', 'min_requests ''100'''),
    sim.server('tight', 'min_requests ''40'', max_requests ''80''');
SELECT submit(bad(150, 0), 0.1, 'min') AS one, submit(bad(250, 0), 0.1, 'min') AS two,
    submit(bad(100, 0), 0.1, 'min') AS least, submit(bad(140, 0), 0.1, 'tight') AS lent,
    submit(bad(60, 0), 0.1, 'tight') AS joined \gset
SELECT is(ARRAY[sizes(:one), sizes(:two), sizes(:least), sizes(:lent), sizes(:joined)],
    '{150,100 150,100,50 50 40,60}', 'min_requests');
SELECT sim.server('mid', 'min_requests ''40'', max_requests ''70'''),
    sim.server('narrow', 'min_requests ''40'', max_requests ''45''');
SELECT is(sizes(submit(bad(125, 0), 0.1, 'mid')), '55 70',
    'the first one takes what nobody else can');
SELECT throws_like($$SELECT submit(bad(50, 0), 0.1, 'narrow')$$, 'the records cannot be cut%',
    'what cannot be cut');
SELECT * FROM finish();
