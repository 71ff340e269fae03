-- What a session that listens hears: a NOTIFY at the end of each job. And what users read of a
-- provider's own words after a fault.
\ir lib.sql
SELECT no_plan();
SELECT sim.server('s');
CREATE TABLE t (id int PRIMARY KEY, label text);
INSERT INTO t SELECT generate_series(1, 3);
CREATE FUNCTION submit(query text DEFAULT 'SELECT id FROM t') RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 's', prompt => 'a secret {{id}}', target => 't',
        write_back => '{"label": "$"}', name => 'the secret name', in_flight => 'send',
        write_if => 'always') $$;
-- What a session hears that listens while jobs are worked on: the payloads.
CREATE FUNCTION heard(VARIADIC commands text[]) RETURNS SETOF jsonb LANGUAGE sql AS $$
    SELECT m[1]::jsonb
    FROM regexp_matches(sim.psql(VARIADIC ARRAY['LISTEN batchinf'] || commands || ARRAY['SELECT']),
        'payload "(\{.*?\})" received', 'g') m $$;
-- How often the server's log has such a line.
CREATE FUNCTION logged(pattern text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*)
    FROM regexp_split_to_table(pg_read_file(current_setting('data_directory') || '/../log'), '\n') l
    WHERE l ~ pattern $$;

SELECT submit() AS job \gset
SELECT is(
    jsonb_agg(h),
    jsonb_build_array(jsonb_build_object('job_id', :job, 'state', 'completed', 'records', 3,
        'succeeded', 3, 'invalid_output', 0, 'errored', 0, 'expired', 0, 'cancelled', 0,
        'missing', 0, 'skipped', 0, 'written', 3, 'write_failed', 0)),
    'NOTIFY has id, state and counts, and nothing else')
FROM heard('CALL batch_work(''30 s'')') h;

-- A session whose commit does not end keeps the lock of the notify queue.  Any role that a standby
-- leaves waiting does.
ALTER SYSTEM SET synchronous_standby_names = 'nobody';
SET synchronous_commit = local;
SELECT pg_reload_conf() \g /dev/null
-- The server takes its time to hear of that setting: a session whose commit ended came too early.
CREATE TABLE written (i int);
DO $$
BEGIN
    FOR i IN 1..100 LOOP
        PERFORM sim.start('stuck', 'INSERT INTO written VALUES (1); NOTIFY anything');
        PERFORM pg_sleep(0.2);
        EXIT WHEN dblink_is_busy('stuck') = 1;
        PERFORM sim.finish('stuck');
    END LOOP;
END $$;
SELECT is(
    (SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE a.application_name = 'stuck' AND l.locktype = 'object'
     AND l.mode = 'AccessExclusiveLock'),
    1::bigint, 'a session keeps the lock of the notify queue');
SELECT submit() AS job \gset
SELECT submit('SELECT id FROM t WHERE false') AS empty \gset
SELECT submit() AS cancelled \gset
SELECT batch_cancel(:cancelled);
SELECT is(sim.psql('SET synchronous_commit = local', 'CALL batch_work(''30 s'')'), '',
    'NOTIFY does not get through: the work goes on');
SELECT results_eq(
    format('SELECT state || '' '' || written FROM batch_jobs WHERE job_id >= %s ORDER BY job_id',
        :job),
    $$VALUES ('completed 3'), ('completed 0'), ('cancelled 0')$$,
    '… jobs end, by success, without records and cancelled');
SELECT is(logged('LOG:  could not announce the end of batch jobs'), 1::bigint,
    '… the log says so once');
SELECT is(logged('could not record'), 0::bigint, '… and nothing has failed to be recorded');

-- Whoever works next announces them, once.
ALTER SYSTEM RESET synchronous_standby_names;
SELECT pg_reload_conf() \g /dev/null
SELECT is(sim.finish('stuck'), '', 'the session that was stuck goes on');
SELECT results_eq(
    format($$SELECT h->>'job_id', h->>'state' FROM heard('CALL batch_work(''30 s'')') h
             ORDER BY (h->>'job_id')::bigint$$),
    format($$VALUES ('%s', 'completed'), ('%s', 'completed'), ('%s', 'cancelled')$$, :job, :empty,
        :cancelled),
    'what was not announced is announced later');
SELECT is((SELECT count(*) FROM heard('CALL batch_work(''30 s'')')), 0::bigint, '… once');

-- A job that goes on again is not announced for what it was.
UPDATE batchinf.job SET to_announce = true WHERE job_id = :cancelled;
SELECT is(batch_retry(:cancelled, '{cancelled}'), 3::bigint,
    'batch_retry of a job whose end was not announced');
SELECT results_eq(
    format($$SELECT h->>'job_id', h->>'state' FROM heard('CALL batch_work(''30 s'')') h$$),
    format($$VALUES ('%s', 'completed')$$, :cancelled),
    '… its new end is announced, and that only');

--
-- A provider's words are for whose request it was
--
CREATE ROLE announce_ann;
CREATE ROLE announce_bob;
CREATE ROLE announce_reader IN ROLE pg_read_all_data;
CREATE ROLE announce_monitor IN ROLE pg_monitor;
GRANT USAGE ON FOREIGN SERVER s TO announce_ann, announce_bob, announce_reader;
GRANT SELECT, UPDATE ON t TO announce_ann, announce_bob;
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (api_key 'sk-sim');
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"action": {"status": 503, "headers": {"retry-after": "600"}, '
                 '"body": {"error": {"message": "overloaded by the words of ann", '
                 '"type": "server_error", "code": "busy"}}}}');
SET ROLE announce_ann;
SELECT submit() AS ann \gset
RESET ROLE;
SELECT sim.work_beside('60 s');
CALL sim.await('EXISTS (SELECT FROM batchinf.pause WHERE until > now())');
SET ROLE announce_bob;
SELECT submit() AS bob \gset
RESET ROLE;
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :bob), 'completed', 30),
    'completed', 'promise 8: a server that fails for one key goes on for another');

CREATE FUNCTION shown(role text) RETURNS text LANGUAGE sql AS $$
    SELECT sim.psql(
        'SET ROLE ' || role,
        'SELECT paused_until > now() + ''5 min'', pause_reason, last_error, last_error_at <= now() '
        'FROM batch_servers WHERE server = ''s''') $$;
SELECT matches(shown('announce_ann'), '^t\|[^|]*words of ann\|[^|]*words of ann\|t$',
    'whose request it was sees what the provider said');
SELECT is(shown('announce_bob'), '|||', '… another, for whom the server works, sees nothing');
SELECT is(shown('announce_monitor'), 't|HTTP status 503|HTTP status 503|t',
    '… pg_monitor sees what kind it is, and when');
SELECT matches(shown('announce_reader'), 'words of ann', '… pg_read_all_data sees all');
SELECT matches(shown('postgres'), 'words of ann', '… and a superuser');
SELECT is(
    sim.psql(
        'SET ROLE announce_monitor',
        'SELECT waiting_for, next_step_at > now() + ''5 min'' FROM batch_chunks WHERE job_id = '
            || :ann),
    'HTTP status 503|t', '… a chunk that waits for the server says no more');
SELECT is(
    sim.psql(
        'SET ROLE announce_monitor',
        'SELECT * FROM batch_chunks c, batch_servers s, batch_jobs j, batch_events e WHERE (c, s, '
        'j, e)::text ~ ''words of ann'''),
    '', '… nor does any view');
SELECT batch_cancel(job_id) FROM batch_jobs WHERE state IN ('queued', 'running') \g /dev/null
SELECT * FROM finish();
