-- Anthropic's batches carry no mark of ours until they have ended. The test loses the answers of
-- create calls there and proves that the batch is looked for by time and count, is recognised by
-- its results, is ambiguous meanwhile, and is never created twice.
\i lib.sql
SELECT plan(39);
CREATE FUNCTION sim.anthropic(name text, more text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''anthropic'', '
        'model ''claude-haiku-5-5'', base_url %L, poll_interval ''1''%s)',
        name, regexp_replace(sim.url(), '/v1$', ''), more);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (api_key ''sk-sim'')',
        name);
END $$;
SELECT sim.anthropic('anth');
SELECT sim.anthropic('sevens', $$, max_requests '7'$$);
SELECT sim.tickets();

-- A job whose rows tell which test they are of; batches end at once, or not before sim.end_all.
CREATE FUNCTION sim.begin(ends bool) RETURNS void LANGUAGE sql AS $$
    SELECT sim.reset(), sim.clear_faults(),
        sim.config(jsonb_build_object('batch_seconds', CASE WHEN ends THEN 0 ELSE 600 END)) $$;
CREATE FUNCTION sim.end_all() RETURNS void LANGUAGE sql AS $$
    SELECT sim.config('{"batch_seconds":0}')
$$;
CREATE FUNCTION sim.lose(action jsonb, after int DEFAULT 0, times int DEFAULT 1) RETURNS void
LANGUAGE sql AS $$
    SELECT sim.fault(jsonb_build_object(
        'match', '{"method":"POST","path_regex":"/batches$"}'::jsonb, 'after', after,
        'times', times, 'action', action)) $$;
CREATE FUNCTION sim.twin() RETURNS void LANGUAGE sql AS $$
    SELECT sim.call('POST', '/_sim/foreign', '{"provider":"anthropic","requests":7,"count":1}') $$;
CREATE FUNCTION sim.job(test text, records int DEFAULT 7, server text DEFAULT 'anth') RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM tickets;
    INSERT INTO tickets SELECT i, test || ', row ' || i FROM generate_series(1, records) i;
    RETURN batch_submit('SELECT id, body FROM tickets', server => server, prompt => '{{body}}',
        target => 'tickets', write_back => '{"label": "$"}');
END $$;
CREATE FUNCTION sim.ours() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM jsonb_array_elements(sim.ledger() -> 'batches') b
    WHERE NOT (b ->> 'foreign')::bool $$;
CREATE FUNCTION sim.told(job bigint, word text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM batch_events WHERE job_id = job AND event = word $$;

-- What became of the job's records, rows and batches, and of others' batches.
CREATE FUNCTION sim.books(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format(
        '%s: %s of %s, %s rows, billed %s (%s again), batches %s (%s left), foreign deleted %s',
        j.state, j.succeeded, j.records,
        (SELECT count(*) FROM tickets WHERE label LIKE '%' || body), l ->> 'billed_requests',
        l ->> 'content_billed_again', count(*) FILTER (WHERE NOT (b ->> 'foreign')::bool),
        count(*) FILTER (WHERE NOT (b ->> 'foreign')::bool AND NOT (b ->> 'deleted')::bool),
        count(*) FILTER (WHERE (b ->> 'foreign')::bool AND (b ->> 'deleted')::bool))
    FROM batch_jobs j, sim.ledger() l, jsonb_array_elements(l -> 'batches') b WHERE j.job_id = job
    GROUP BY j.state, j.succeeded, j.records, l $$;
\set good '''completed: 7 of 7, 7 rows, billed 7 (0 again), batches 1 (0 left), foreign deleted 0'''
SELECT 'format(''found again %s, not found %s, ambiguous %s'', sim.told(:job, ''found again''), '
       'sim.told(:job, ''not found''), sim.told(:job, ''ambiguous''))' AS events \gset
\set found '''found again 1, not found 0, ambiguous 0'''
\set found_late '''found again 1, not found 0, ambiguous 1'''
\set absent '''found again 0, not found 1, ambiguous 0'''
\set absent_late '''found again 0, not found 1, ambiguous 1'''
SELECT 'CALL sim.await(format(''EXISTS (SELECT FROM batch_chunks WHERE job_id = %s '
       'AND state = ''''ambiguous'''')'', :job))' AS ambiguous \gset
SELECT 'CALL sim.await(format(''(SELECT state IN (''''completed'''', ''''cancelled'''') '
       'FROM batch_jobs WHERE job_id = %s) AND NOT EXISTS (SELECT FROM batchinf.chunk '
       'WHERE job_id = %s AND next_step_at IS NOT NULL)'', :job, :job))' AS over \gset
\set wait '''a batch that may be this one has not ended; only its results tell'''

-- no candidate
SELECT sim.begin(true), sim.lose('{"reset":"before"}');
SELECT sim.job('lost before its effect') AS job \gset
CALL batch_work('30 s');
SELECT is(sim.books(:job), :good, 'no candidate: made once, when the time has passed');
SELECT is(:events, :absent, 'no candidate: looked for first');

-- ours
SELECT sim.begin(true), sim.lose('{"lost_after_effect":true}');
SELECT sim.job('ours has ended') AS job \gset
CALL batch_work('30 s');
SELECT is(sim.books(:job), :good, 'ours has ended: no second one');
SELECT is(:events, :found, 'ours has ended: found');

SELECT sim.begin(false), sim.lose('{"reset":"after"}');
SELECT sim.job('ours is running') AS job \gset
SELECT sim.work_beside();
:ambiguous;
SELECT is(waiting_for, :wait, 'ours is running: ambiguous until it has ended') FROM batch_chunks
WHERE job_id = :job;
SELECT is(state || ' ' || pending, 'running 7', 'ours is running: the job goes on') FROM batch_jobs
WHERE job_id = :job;
SELECT sim.end_all();
:over;
SELECT is(sim.books(:job), :good, 'ours is running: no second one');
SELECT is(:events, :found_late, 'ours is running: found when it has ended');

-- ours, whose results are not there at once
SELECT sim.begin(true), sim.config('{"absent_after_end":2}'),
    sim.lose('{"lost_after_effect":true}');
SELECT sim.job('results come late') AS job \gset
CALL batch_work('40 s');
SELECT is(sim.books(:job), :good, 'results come late: no second one');
SELECT is(sim.told(:job, 'found again') || ' ' || sim.told(:job, 'not found'), '1 0',
    'results come late: found');
SELECT sim.config('{"absent_after_end":0}');

-- somebody else's
SELECT sim.begin(true), sim.twin(), sim.lose('{"reset":"before"}');
CALL sim.await('(SELECT bool_and(b ->> ''status'' = ''ended'') FROM '
               'jsonb_array_elements(sim.ledger() -> ''batches'') b)');
SELECT sim.job('a foreign one has ended') AS job \gset
CALL batch_work('30 s');
SELECT is(sim.books(:job), :good, 'a foreign one has ended: ours is made once');
SELECT is(:events, :absent, 'a foreign one has ended: told by its results');

SELECT sim.begin(false), sim.twin(), sim.lose('{"reset":"before"}');
SELECT sim.job('a foreign one is running') AS job \gset
SELECT sim.work_beside();
:ambiguous;
SELECT is(waiting_for, :wait, 'a foreign one is running: ambiguous until it has ended')
FROM batch_chunks WHERE job_id = :job;
SELECT is(sim.ours(), 0::bigint, 'a foreign one is running: nothing is bought meanwhile');
SELECT sim.end_all();
:over;
SELECT is(sim.books(:job), :good, 'a foreign one is running: ours is made once, then');
SELECT is(:events, :absent_late, 'a foreign one is running: told by its results');

-- two candidates
SELECT sim.begin(true), sim.twin(), sim.lose('{"lost_after_effect":true}');
SELECT sim.job('an older twin') AS job \gset
CALL batch_work('30 s');
SELECT is(sim.books(:job), :good, 'an older twin: no second one of ours');
SELECT is(:events, :found, 'an older twin: ours is told from it');

SELECT sim.begin(true), sim.lose('{"lost_after_effect":true,"foreign":1}');
SELECT sim.job('a younger twin') AS job \gset
CALL batch_work('30 s');
SELECT is(sim.books(:job), :good, 'a younger twin: no second one of ours');
SELECT is(:events, :found, 'a younger twin: ours is told from it');

SELECT sim.begin(false), sim.twin(), sim.lose('{"lost_after_effect":true,"foreign":1}');
SELECT sim.job('twins that run') AS job \gset
SELECT sim.work_beside();
:ambiguous;
SELECT is(sim.ours(), 1::bigint, 'twins that run: nothing is bought meanwhile');
SELECT sim.end_all();
:over;
SELECT is(sim.books(:job), :good, 'twins that run: no second one of ours');
SELECT is(:events, :found_late, 'twins that run: ours is told from them when they have ended');

-- our own others beside it
SELECT sim.begin(false), sim.lose('{"reset":"before"}', 2);
SELECT sim.job('our own beside it', 21, 'sevens') AS job \gset
SELECT sim.work_beside();
CALL sim.await(format('sim.told(%s, ''submitted'') = 3', :job));
SELECT is(:events, :absent, 'our own beside it: they are known, and no candidates');
SELECT is(count(*), 3::bigint, 'our own beside it: three run') FROM batch_chunks
WHERE job_id = :job AND provider_batch_id IS NOT NULL
AND state IN ('submitted', 'running', 'waiting');
SELECT sim.end_all();
:over;
SELECT is(sim.books(:job),
    'completed: 21 of 21, 21 rows, billed 21 (0 again), batches 3 (0 left), foreign deleted 0',
    'our own beside it: each made once');

SELECT sim.begin(false), sim.lose('{"lost_after_effect":true}', 0, 3);
SELECT sim.job('all are lost', 21, 'sevens') AS job \gset
SELECT sim.work_beside();
CALL sim.await(format(
    '(SELECT count(*) = 3 FROM batch_chunks WHERE job_id = %s AND state = ''ambiguous'')', :job));
SELECT sim.end_all();
:over;
SELECT is(sim.books(:job),
    'completed: 21 of 21, 21 rows, billed 21 (0 again), batches 3 (0 left), foreign deleted 0',
    'all are lost: each finds its own');
SELECT is(:events, 'found again 3, not found 0, ambiguous 3', 'all are lost: three found');

-- a list that lags behind
SET batchinf.settle_time = '5s';
SELECT sim.begin(true), sim.lose('{"lost_after_effect":true,"list_lag_ms":2500}');
SELECT sim.job('the list lags') AS job \gset
CALL batch_work('30 s');
SELECT is(sim.books(:job), :good, 'the list lags: no second one');
SELECT is(:events, :found, 'the list lags: found when it is listed');
SELECT cmp_ok(count(*), '>', 1::bigint, 'the list lags: looked for more than once')
FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
WHERE r ->> 'method' = 'GET' AND r ->> 'path' ~ '/batches(\?|$)';
RESET batchinf.settle_time;

-- cancelled meanwhile
SELECT sim.begin(false), sim.lose('{"lost_after_effect":true}');
SELECT sim.job('cancelled') AS job \gset
SELECT sim.work_beside();
:ambiguous;
SELECT lives_ok(format('SELECT batch_cancel(%s)', :job), 'cancelled: its owner may');
:over;
SELECT is(state || ' ' || cancelled, 'cancelled 7',
    'cancelled: at once, by its owner who knows more')
FROM batch_jobs WHERE job_id = :job;
SELECT is(sim.ours(), 1::bigint, 'cancelled: nothing is bought');
SELECT sim.end_all();
CALL sim.await('(SELECT bool_and(b ->> ''status'' = ''ended'') FROM '
               'jsonb_array_elements(sim.ledger() -> ''batches'') b)');
SELECT is((l ->> 'billed_requests') || ' ' || (l ->> 'content_billed_again'), '7 0',
    'cancelled: what was made is billed once')
FROM sim.ledger() l;
SELECT is(count(*), 0::bigint, 'cancelled: no row has an answer') FROM tickets
WHERE label IS NOT NULL;

-- a long list takes no more memory than a short one
CREATE FUNCTION sim.peak(since bool) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS status (line text);
    TRUNCATE status;
    EXECUTE format(
        'COPY status FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'')',
        format(
            '%s grep VmHWM /proc/%s/status',
            CASE WHEN since THEN ''
                ELSE format('echo 5 > /proc/%s/clear_refs;', pg_backend_pid()) END,
            pg_backend_pid()));
    RETURN (SELECT substring(line FROM '\d+')::bigint FROM status);
END $$;
SELECT sim.begin(true),
    sim.call('POST', '/_sim/foreign', '{"provider":"anthropic","requests":8,"count":6000}'),
    sim.lose('{"reset":"before"}');
SELECT sim.job('a long list') AS job \gset
SELECT sim.peak(false) AS before \gset
CALL batch_work('60 s');
SELECT cmp_ok(sim.peak(true) - :before, '<', 8192::bigint,
    'promise 7: a list of 6,000 batches is not kept in memory (kB)');
SELECT is(state || ' ' || sim.told(job_id, 'not found'), 'completed 1', '… and was read to its end')
FROM batch_jobs WHERE job_id = :job;

SELECT is(count(*), count(DISTINCT (job_id, seq)), 'every record has exactly one outcome')
FROM batchinf.result;
SELECT * FROM finish();
