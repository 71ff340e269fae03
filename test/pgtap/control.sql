-- What a user does with a job: cancel, pause, resume, retry, wait, a deadline, and changes of
-- server or rights while it runs. Nothing is sent that is no longer wanted, and what was paid for
-- is kept.
\i lib.sql
SELECT no_plan();

SELECT sim.server('openai');
SELECT sim.server('small', $$max_requests '5', max_batches '1'$$);
SELECT sim.tickets(20);

-- A job over the first n tickets.
CREATE FUNCTION submit(n int, server name DEFAULT 'openai', deadline interval DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    UPDATE tickets SET label = NULL;
    SELECT batch_submit(format('SELECT id, body FROM tickets WHERE id <= %s ORDER BY id', n),
        server => server, prompt => '{{body}}', target => 'tickets', write_back => '{"label": "$"}',
        deadline => deadline, in_flight => 'send', write_if => 'always');
$$;

-- Counts of one job.
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, records, 'pending', pending, 'succeeded', succeeded, 'errored',
        errored, 'expired', expired, 'cancelled', cancelled, 'missing', missing, 'invalid',
        invalid_output, 'written', written)
    FROM batch_jobs WHERE job_id = job;
$$;
CREATE FUNCTION adds_up(job bigint) RETURNS bool LANGUAGE sql AS $$
    SELECT pending = 0
    AND records = succeeded + errored + expired + cancelled + missing + invalid_output + skipped
    AND records = (SELECT count(*) FROM batch_records WHERE job_id = job AND outcome IS NOT NULL)
    AND succeeded = (SELECT count(*) FROM batch_records
                     WHERE job_id = job AND outcome = 'succeeded')
    FROM batch_jobs WHERE job_id = job;
$$;
CREATE FUNCTION billed() RETURNS int LANGUAGE sql AS $$
    SELECT (sim.ledger() ->> 'billed_requests')::int
$$;
CREATE FUNCTION requests(route text) RETURNS int LANGUAGE sql AS $$
    SELECT COALESCE((sim.ledger() #>> ARRAY['requests', route])::int, 0)
$$;

--
-- Cancel
--
SELECT submit(5) AS job \gset
SELECT batch_cancel(:job);
SELECT is(
    counts(:job),
    'cancelling 5 pending 5 succeeded 0 errored 0 expired 0 cancelled 0 missing 0 invalid 0 '
    'written 0',
    'cancel: a wish until a worker sees it');
CALL batch_work('20 s');
SELECT is(
    counts(:job),
    'cancelled 5 pending 0 succeeded 0 errored 0 expired 0 cancelled 5 missing 0 invalid 0 written '
    '0',
    'cancel before anything is sent: all records are cancelled');
SELECT is(sim.ledger() -> 'requests', '{}', '… and nothing was sent');
SELECT is(sim.psql(format('SELECT batch_cancel(%s)', :job)),
    format('NOTICE:  batch job %s has ended already', :job), 'cancel after the end is a notice');
SELECT is(
    counts(:job),
    'cancelled 5 pending 0 succeeded 0 errored 0 expired 0 cancelled 5 missing 0 invalid 0 written '
    '0',
    '… and changes nothing');

SELECT sim.config('{"batch_seconds": 6}');
SELECT submit(10) AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until('SELECT billed() >= 2', 'true'), 'true',
    'a batch is running and has finished some requests');
SELECT batch_cancel(:job);
SELECT is(sim.finish('worker'), '', 'batch_work ends');
SELECT is(state, 'cancelled', 'cancel while running: cancelled') FROM batch_jobs
WHERE job_id = :job;
SELECT ok(succeeded >= 2 AND cancelled >= 1 AND written = succeeded,
    '… what is finished is kept and written, the rest is cancelled')
FROM batch_jobs WHERE job_id = :job;
SELECT ok(adds_up(:job), 'promise 3: … every record has one outcome');
SELECT is(billed()::bigint, succeeded, '… and no more is billed') FROM batch_jobs
WHERE job_id = :job;
SELECT is(sim.ledger() #>> '{batches,0,status}', 'cancelled', '… at the provider too');
SELECT is(sim.ledger() -> 'files_left', '[]', 'promise 10: … nothing is left there');
SELECT is(count(*), (SELECT succeeded FROM batch_jobs WHERE job_id = :job),
    '… the target rows have their values')
FROM tickets WHERE label IS NOT NULL;
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM batch_chunks WHERE job_id = :job),
    'cancelled', '… its chunk is cancelled');

--
-- A wish for a running batch whose server cannot be asked
--
SELECT sim.server('lost');
SELECT sim.config('{"batch_seconds": 600}');
SELECT submit(3, 'lost') AS job \gset
SELECT submit(3, 'lost', '1 h') AS late \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until(
        format(
            'SELECT bool_and(step IN (''submitted'', ''running'')) FROM batch_chunks '
            'WHERE job_id IN (%s, %s)',
            :job, :late),
        'true'),
    'true', 'two batches are running');
DROP USER MAPPING FOR CURRENT_USER SERVER lost;
UPDATE batchinf.job SET deadline = now() WHERE job_id = :late;
SELECT batch_cancel(:job);
SELECT is(
    sim.until(
        format(
            'SELECT bool_and(step = ''cancelling'' AND waiting_for LIKE ''%%no user mapping%%'') '
            'FROM batch_chunks WHERE job_id IN (%s, %s)',
            :job, :late),
        'true'),
    'true', 'without a key, cancel and deadline wait for one');
SELECT pg_current_xact_id()::text::bigint AS before \gset
SELECT sim.until(
    format(
        'SELECT min(next_step_at) < now() + interval ''28 s'' FROM batch_chunks '
        'WHERE job_id IN (%s, %s)',
        :job, :late),
    'true') AS waited \gset
SELECT cmp_ok(pg_current_xact_id()::text::bigint - :before, '<', 100::bigint,
    '… and the worker does not turn in circles meanwhile');
DROP SERVER lost CASCADE;
SELECT dblink_cancel_query('worker') AS said, sim.finish('worker') AS done \gset
UPDATE batchinf.chunk SET next_step_at = now()
WHERE job_id IN (:job, :late) AND next_step_at IS NOT NULL;
CALL batch_work('20 s');
SELECT is(
    counts(:job),
    'cancelled 3 pending 0 succeeded 0 errored 0 expired 0 cancelled 3 missing 0 invalid 0 written '
    '0',
    'of a server that was dropped a cancelled job ends all the same');
SELECT is(
    counts(:late),
    'completed 3 pending 0 succeeded 0 errored 0 expired 3 cancelled 0 missing 0 invalid 0 written '
    '0',
    '… and one whose deadline has passed');
SELECT is((SELECT string_agg(DISTINCT step, ' ') FROM batch_chunks WHERE job_id IN (:job, :late)),
    'cancelled done', '… with their chunks');
SELECT ok(bool_or(event = 'left behind' AND detail = 'server "lost" does not exist any more'),
    '… and the history says what stays at the provider')
FROM batch_events WHERE job_id = :job;
SELECT sim.reset();

--
-- … and for one whose create call had no answer
--
SELECT sim.server('lost');
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"times": 1, "action": {"lost_after_effect": true}}');
SELECT sim.fault('{"match": {"method": "GET", "path_regex": "/batches$"}, '
                 '"times": "always", "action": {"status": 503}}');
SELECT submit(3, 'lost') AS job \gset
SELECT sim.start('worker', 'CALL batch_work(''60 s'')');
SELECT is(
    sim.until(
        format('SELECT step FROM batch_chunks WHERE job_id = %s AND waiting_for IS NOT NULL', :job),
        'creating'),
    'creating', 'nobody knows whether there is a batch');
DROP SERVER lost CASCADE;
SELECT batch_cancel(:job);
UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id = :job AND next_step_at IS NOT NULL;
SELECT sim.finish('worker') AS done \gset
SELECT is(
    counts(:job),
    'cancelled 3 pending 0 succeeded 0 errored 0 expired 0 cancelled 3 missing 0 invalid 0 written '
    '0',
    'a cancelled job whose create call had no answer ends without its server');
SELECT ok(bool_or(event = 'left behind' AND detail = 'server "lost" does not exist any more'),
    '… and the history says what may stay there')
FROM batch_events WHERE job_id = :job;
SELECT sim.reset();

--
-- Pause and resume
--
SELECT sim.reset();
SELECT submit(5) AS job \gset
SELECT batch_pause(:job);
SELECT is(state, 'paused', 'pause: the state says so') FROM batch_jobs WHERE job_id = :job;
SELECT clock_timestamp() AS began \gset
CALL batch_work('20 s');
SELECT ok(clock_timestamp() - :'began' < interval '3 s',
    'batch_work returns when only paused jobs are left');
SELECT is(sim.ledger() -> 'requests', '{}', '… and nothing was sent');
SELECT submit(3) AS other \gset
CALL batch_work('20 s');
SELECT is(state, 'completed', '… another job is worked on') FROM batch_jobs WHERE job_id = :other;
SELECT batch_resume(:job);
CALL batch_work('20 s');
SELECT is(state, 'completed', 'resume: it goes on') FROM batch_jobs WHERE job_id = :job;
SELECT is(sim.psql(format('SELECT batch_pause(%s)', :job)),
    format('NOTICE:  batch job %s has ended already', :job), 'pause after the end is a notice');
SELECT is(sim.psql(format('SELECT batch_resume(%s)', :job)),
    format('NOTICE:  batch job %s has ended already', :job), 'resume after the end is a notice');

SELECT sim.reset();
SELECT sim.config('{"batch_seconds": 2}');
SELECT submit(20, 'small') AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until(
        format(
            $$SELECT count(*) FROM batch_chunks
              WHERE job_id = %s AND provider_batch_id IS NOT NULL$$,
            :job),
        '1'),
    '1', 'one of four chunks is at the provider');
SELECT batch_pause(:job);
SELECT is(sim.finish('worker'), '', 'batch_work returns');
SELECT is(
    counts(:job),
    'paused 20 pending 15 succeeded 5 errored 0 expired 0 cancelled 0 missing 0 invalid 0 written '
    '5',
    'pause while running: the running batch is polled, fetched and delivered');
SELECT is(jsonb_array_length(sim.ledger() -> 'batches'), 1, '… nothing new is created');
SELECT is(requests('POST /v1/files'), 1, '… nothing new is uploaded');
SELECT is(
    (SELECT count(*) FROM batchinf.chunk
     WHERE job_id = :job AND holder_pid IS NOT NULL AND next_step_at IS NOT NULL),
    0::bigint, '… nobody holds a chunk');
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT batch_resume(:job);
CALL batch_work('60 s');
SELECT is(
    counts(:job),
    'completed 20 pending 0 succeeded 20 errored 0 expired 0 cancelled 0 missing 0 invalid 0 '
    'written 20',
    'resume: the rest is done');
SELECT is(billed(), 20, 'promise 1: each record is billed once');
SELECT sim.config('{"batch_seconds": 2}');
SELECT submit(5) AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until(
        format('SELECT provider_batch_id IS NOT NULL FROM batch_chunks WHERE job_id = %s', :job),
        'true'),
    'true', 'all of a job is at the provider');
SELECT batch_pause(:job);
SELECT is(sim.finish('worker'), '', '… and it is paused');
SELECT is(state, 'completed', 'a paused job whose batches have all ended is completed')
FROM batch_jobs WHERE job_id = :job;
SELECT sim.config('{"batch_seconds": 0.2}');
UPDATE batchinf.result SET outcome = 'errored' WHERE job_id = :job AND seq = 1;
UPDATE batchinf.chunk SET succeeded = succeeded - 1, errored = 1 WHERE job_id = :job;
SELECT is(batch_retry(:job), 1::bigint, '… and can be sent again');
SELECT is(state, 'running', '… without being resumed') FROM batch_jobs WHERE job_id = :job;
CALL batch_work('20 s');
SELECT is(state, 'completed', '… to its end') FROM batch_jobs WHERE job_id = :job;
SELECT submit(5) AS job \gset
SELECT batch_pause(:job);
SELECT batch_cancel(:job);
CALL batch_work('20 s');
SELECT is(state, 'cancelled', 'a paused job can be cancelled') FROM batch_jobs WHERE job_id = :job;

--
-- Retry
--
SELECT sim.reset();
CREATE TABLE odd (id text PRIMARY KEY, body text, out text);
INSERT INTO odd VALUES
    ('errored', 'x [[sim:error=400]]'),
    ('expired', 'x [[sim:expired]]'),
    ('missing', 'x [[sim:missing]]'),
    ('invalid_output', 'x [[sim:refusal]]'),
    ('succeeded', 'x'),
    ('later', 'x [[sim:fail_times=2]]');
SELECT batch_submit('SELECT id, body FROM odd', server => 'openai', prompt => '{{body}}',
    target => 'odd', write_back => '{"out": "$"}', max_attempts => 2) AS job \gset
CALL batch_work('60 s');
SELECT is(
    counts(:job),
    'completed 6 pending 0 succeeded 1 errored 2 expired 1 cancelled 0 missing 1 invalid 1 written '
    '1',
    'each record its outcome');
SELECT is(string_agg(record_id || attempt, ' ' ORDER BY record_id),
    'errored1 expired2 invalid_output1 later2 missing2 succeeded1',
    '… after max_attempts where it can be sent again')
FROM batch_records WHERE job_id = :job;
SELECT throws_ok(format($$SELECT batch_retry(%s, '{succeeded}')$$, :job), '22023',
    'records with outcome "succeeded" cannot be sent again',
    'retry of what has succeeded is refused');
SELECT throws_ok(format($$SELECT batch_retry(%s, '{expired,nonsense}')$$, :job), '22023',
    'records with outcome "nonsense" cannot be sent again',
    'retry of an unknown outcome is refused');
SELECT throws_ok(format($$SELECT batch_retry(%s, '{skipped}')$$, :job), '22023',
    'records with outcome "skipped" cannot be sent again', 'retry of what was skipped is refused');
SELECT is(batch_retry(:job, '{cancelled}'), 0::bigint, 'retry: nothing ended so');
SELECT is(state, 'completed', '… and the job stays ended') FROM batch_jobs WHERE job_id = :job;

SELECT is(batch_retry(:job, '{errored}'), 2::bigint, 'retry of errored: two records');
SELECT is(counts(:job),
    'running 6 pending 2 succeeded 1 errored 0 expired 1 cancelled 0 missing 1 invalid 1 written 1',
    '… they are pending again, the job is running');
SELECT is(finished_at, NULL, '… and has no end') FROM batch_jobs WHERE job_id = :job;
CALL batch_work('60 s');
SELECT is(
    counts(:job),
    'completed 6 pending 0 succeeded 2 errored 1 expired 1 cancelled 0 missing 1 invalid 1 written '
    '2',
    '… one has succeeded now and is written');
SELECT is(string_agg(record_id || attempt, ' ' ORDER BY record_id),
    'errored2 expired2 invalid_output1 later3 missing2 succeeded1', '… each with one attempt more')
FROM batch_records WHERE job_id = :job;
SELECT ok(out IS NOT NULL, '… into its row') FROM odd WHERE id = 'later';
SELECT is(batch_retry(:job, '{missing}'), 1::bigint, 'retry of missing');
CALL batch_work('60 s');
SELECT is(attempt, 4, '… its attempts start anew') FROM batch_records
WHERE job_id = :job AND record_id = 'missing';
SELECT is(batch_retry(:job, '{expired}'), 1::bigint, 'retry of expired');
CALL batch_work('60 s');
SELECT is(attempt, 4, '… its attempts start anew') FROM batch_records
WHERE job_id = :job AND record_id = 'expired';
SELECT is(batch_retry(:job, '{invalid_output}'), 1::bigint, 'retry of invalid_output');
SELECT is(batch_retry(:job), 3::bigint,
    'retry while running: what has ended, by default all that has failed');
SELECT is(counts(:job),
    'running 6 pending 4 succeeded 2 errored 0 expired 0 cancelled 0 missing 0 invalid 0 written 2',
    '… counts move');
CALL batch_work('60 s');
SELECT is(
    counts(:job),
    'completed 6 pending 0 succeeded 2 errored 1 expired 1 cancelled 0 missing 1 invalid 1 written '
    '2',
    '… and end');
SELECT ok(adds_up(:job), 'promise 3: every record has one outcome after all retries');
SELECT is(sum(c.records), 6::numeric + (SELECT retried FROM batch_jobs WHERE job_id = :job),
    '… and its chunks tell all that was sent')
FROM batch_chunks c WHERE job_id = :job;

SELECT submit(5) AS job \gset
SELECT batch_cancel(:job);
CALL batch_work('20 s');
SELECT is(batch_retry(:job), 0::bigint, 'retry: cancelled records only when asked for');
SELECT is(batch_retry(:job, '{cancelled}'), 5::bigint, 'retry of cancelled');
CALL batch_work('20 s');
SELECT is(
    counts(:job),
    'completed 5 pending 0 succeeded 5 errored 0 expired 0 cancelled 0 missing 0 invalid 0 written '
    '5',
    '… the job is no longer cancelled');
SELECT is((SELECT count(*) FROM batchinf.chunk WHERE job_id = :job AND cancelled <> 0), 0::bigint,
    '… and its counts have moved');

--
-- Deadline
--
SELECT sim.reset();
SELECT submit(5, deadline => '1 microsecond') AS job \gset
CALL batch_work('20 s');
SELECT is(
    counts(:job),
    'completed 5 pending 0 succeeded 0 errored 0 expired 5 cancelled 0 missing 0 invalid 0 written '
    '0',
    'deadline passed before sending: all expired');
SELECT is(sim.ledger() -> 'requests', '{}', '… and nothing was sent');
SELECT sim.config('{"batch_seconds": 6}');
SELECT submit(10, deadline => '3.5 s') AS job \gset
CALL batch_work('30 s');
SELECT is(state, 'completed', 'deadline while running: completed') FROM batch_jobs
WHERE job_id = :job;
SELECT ok(succeeded >= 1 AND expired >= 1 AND cancelled = 0 AND written = succeeded,
    '… what is finished is kept, the rest is expired')
FROM batch_jobs WHERE job_id = :job;
SELECT ok(adds_up(:job), 'promise 3: … every record has one outcome');
SELECT is(sim.ledger() #>> '{batches,0,status}', 'cancelled',
    '… the batch is cancelled at the provider');
SELECT is(billed()::bigint, succeeded, '… no more is billed') FROM batch_jobs WHERE job_id = :job;
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT ok(batch_retry(:job) >= 1, 'what has expired can be sent again after the deadline');
CALL batch_work('30 s');
SELECT is(
    counts(:job),
    'completed 10 pending 0 succeeded 10 errored 0 expired 0 cancelled 0 missing 0 invalid 0 '
    'written 10',
    '… and succeeds');
SELECT sim.fault('{"match": {"path_regex": "files"}, "times": "always", '
                 '"action": {"status": 503}}');
SELECT submit(5, deadline => '2 s') AS job \gset
CALL batch_work('20 s');
SELECT is(
    counts(:job),
    'completed 5 pending 0 succeeded 0 errored 0 expired 5 cancelled 0 missing 0 invalid 0 written '
    '0',
    'the deadline also comes while the server is paused');

-- a cancel that the provider cannot take
SELECT sim.reset();
SELECT sim.config('{"batch_seconds": 3}');
SELECT sim.fault('{"match": {"path_regex": "/cancel$"}, "times": "always", '
                 '"action": {"status": 500}}');
SELECT submit(5) AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until(format('SELECT step FROM batch_chunks WHERE job_id = %s', :job), 'running', 10),
    'running', 'a batch runs');
SELECT batch_cancel(:job);
SELECT is(sim.finish('worker'), '', 'a cancel that always fails: batch_work ends');
SELECT is(
    counts(:job),
    'cancelled 5 pending 0 succeeded 5 errored 0 expired 0 cancelled 0 missing 0 invalid 0 written '
    '5',
    '… with the batch, whose answers have been paid for');

--
-- Calls that look right (issue 11, point 18)
--
SELECT sim.reset();
SELECT throws_ok(format('SELECT %s(NULL)', f), '22004', 'argument "job_id" must not be null',
    f || '(NULL)')
FROM unnest('{batch_cancel,batch_pause,batch_resume,batch_retry}'::text[]) f;
SELECT throws_ok(format('SELECT %s(NULL)', f), '22004', 'argument "server" must not be null',
    f || '(NULL)')
FROM unnest('{batch_pause_server,batch_resume_server}'::text[]) f;
SELECT batch_submit(
    $$SELECT 1 AS id, '[[sim:refusal]]' AS prompt UNION SELECT 2, '[[sim:error=400]]'$$,
    server => 'openai') AS job \gset
CALL batch_work('30 s');
SELECT throws_ok(format('SELECT batch_retry(%s, NULL)', :job), '22004',
    'argument "outcomes" must not be null', 'batch_retry(job, NULL)');
SELECT throws_ok(format('SELECT batch_retry(NULL, %L)', 'errored'), '22004',
    'argument "job_id" must not be null', 'batch_retry(NULL, outcome)');
SELECT throws_ok(format('SELECT batch_retry(%s, %L)', :job, 'nonsense'), '22023',
    'records with outcome "nonsense" cannot be sent again', 'an unknown outcome');
SELECT throws_ok(format('SELECT batch_retry(%s, %L)', :job, '{errored'), '22P02', NULL,
    'half an array');
SELECT is(
    sim.psql(format('SELECT batch_retry(%s, ''invalid_output'')', :job)),
    E'NOTICE:  1 records are sent again as they were at batch_submit\nHINT:  To send what the rows '
    'hold now, call batch_submit for them.\n1',
    'one outcome as a literal; a NOTICE says what is sent');
CALL batch_work('30 s');
SELECT is(batch_retry(:job, '{errored}'), 1::bigint, 'an array as a literal');
CALL batch_work('30 s');
SELECT is(batch_retry(:job, ARRAY['errored']), 1::bigint, 'an array');
CALL batch_work('30 s');
SELECT is(batch_retry(job_id => :job, outcomes => '{errored}'), 1::bigint, 'by name');
CALL batch_work('30 s');
SELECT is(batch_retry(job_id => :job, outcome => 'errored'), 1::bigint, 'one, by name');
CALL batch_work('30 s');
SELECT is(
    sim.psql(format('CALL batch_wait(%s, 60)', :job)),
    format(
        E'ERROR:  argument "timeout" must be an interval\nHINT:  CALL batch_wait(%s, '
        '''60 s'') waits for that many seconds.',
        :job),
    'a timeout without a unit');
SELECT matches(sim.psql(format('CALL batch_wait(%s%s)', :job, timeout)), 'is completed',
    'batch_wait(job' || timeout || ')')
FROM unnest(ARRAY['', ', ''60 s''', ', NULL', ', interval ''60 s''', ', timeout => ''60 s''',
    ', timeout => NULL', ', ''00:01''']) timeout;
SELECT matches(sim.psql(format('CALL batch_wait(%s, ''soon'')', :job)),
    'ERROR:  invalid input syntax for type interval: "soon"', 'a timeout that is none');

--
-- A server that is paused
--
SELECT sim.reset();
SELECT sim.server('whole', $$max_requests '5', max_batches '1'$$);
SELECT sim.config('{"batch_seconds": 2}');
SELECT submit(10, 'whole') AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until(
        format(
            $$SELECT count(*) FROM batch_chunks
              WHERE job_id = %s AND provider_batch_id IS NOT NULL$$,
            :job),
        '1'),
    '1', 'one of two chunks is at the provider');
SELECT batch_pause_server('whole');
SELECT is(sim.finish('worker'), '',
    'batch_work returns when only jobs of a paused server are left');
SELECT is(
    counts(:job),
    'running 10 pending 5 succeeded 5 errored 0 expired 0 cancelled 0 missing 0 invalid 0 written '
    '5',
    'the running batch is polled, fetched and delivered');
SELECT batch_submit('SELECT 1 AS id, ''x'' AS prompt', 'whole') AS other \gset
CALL batch_work('10 s');
SELECT is(jsonb_array_length(sim.ledger() -> 'batches'), 1, '… nothing new is created for any job');
SELECT is(requests('POST /v1/files'), 1, '… nothing new is uploaded');
SELECT is(paused_until || ' ' || pause_reason, 'infinity batch_pause_server by postgres',
    'batch_servers says so')
FROM batch_servers WHERE server = 'whole';
SELECT matches(
    waiting_for,
    '^server "whole" is paused by its owner; batch_resume_server\(''whole''\) lets its jobs go on; '
    'since ',
    '… and each job')
FROM batch_jobs WHERE job_id IN (:job, :other);
SELECT is(sim.psql('SELECT batch_pause_server(''whole'')'),
    'NOTICE:  server "whole" is paused already', 'a second pause is a notice');
CREATE ROLE control_user;
GRANT USAGE ON FOREIGN SERVER whole TO control_user;
SELECT matches(sim.psql('SET ROLE control_user', 'SELECT batch_resume_server(''whole'')'),
    'ERROR:  must be owner of foreign server "whole"',
    'who only uses a server cannot pause or resume it');
SELECT throws_ok('SELECT batch_pause_server(''nonesuch'')', '42704', NULL, 'an unknown server');
UPDATE batchinf.stop SET install = gen_random_uuid();
SELECT is(paused_until, NULL, 'a pause of another installation does not apply') FROM batch_servers
WHERE server = 'whole';
SELECT is(sim.psql('SELECT batch_resume_server(''whole'')'),
    'NOTICE:  server "whole" is not paused', '… and cannot be ended');
SELECT is(sim.psql('SELECT batch_pause_server(''whole'')'), '',
    '… nor is it in the way of a new one');
ALTER SERVER whole OWNER TO control_user;
SELECT is(sim.psql('SET ROLE control_user', 'SELECT batch_resume_server(''whole'')'), '',
    'its owner may');
ALTER SERVER whole OWNER TO postgres;
DROP OWNED BY control_user;
DROP ROLE control_user;
SELECT sim.config('{"batch_seconds": 0.2}');
CALL batch_work('60 s');
SELECT is(
    counts(:job),
    'completed 10 pending 0 succeeded 10 errored 0 expired 0 cancelled 0 missing 0 invalid 0 '
    'written 10',
    'after batch_resume_server the rest is done');
SELECT submit(3, 'whole') AS job \gset
SELECT batch_pause_server('whole');
SELECT batch_cancel(:job);
CALL batch_work('10 s');
SELECT batch_submit('SELECT 1 AS id, ''x'' AS prompt', 'whole') AS other \gset
DROP SERVER whole CASCADE;
SELECT batch_cancel(:other);
CALL batch_work('10 s');
SELECT is(state, 'cancelled', '… and one whose paused server was dropped') FROM batch_jobs
WHERE job_id = :other;
SELECT is(state, 'cancelled', 'a job of a paused server can be cancelled') FROM batch_jobs
WHERE job_id = :job;

SELECT * FROM finish();
