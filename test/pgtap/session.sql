-- batch_wait and batch_work as a session meets them: refusals, notices, cancels, locks and
-- settings.
\i lib.sql
SELECT no_plan();

SELECT sim.server('openai');
SELECT sim.tickets(20);
CREATE FUNCTION submit(n int) RETURNS bigint LANGUAGE sql AS $$
    UPDATE tickets SET label = NULL;
    SELECT batch_submit(format('SELECT id, body FROM tickets WHERE id <= %s ORDER BY id', n),
        server => 'openai', prompt => '{{body}}', target => 'tickets',
        write_back => '{"label": "$"}');
$$;
CREATE FUNCTION billed() RETURNS int LANGUAGE sql AS $$
    SELECT (sim.ledger() ->> 'billed_requests')::int
$$;
CREATE VIEW holders AS SELECT count(*) FROM batchinf.chunk
WHERE holder_pid IS NOT NULL AND next_step_at IS NOT NULL;

--
-- Where they may be called
--
SELECT submit(5) AS job \gset
SELECT matches(sim.psql('BEGIN; CALL batch_work(); COMMIT'),
    'ERROR:  batch_work cannot run inside a transaction block',
    'batch_work refuses a transaction block');
SELECT matches(sim.psql(format('BEGIN; CALL batch_wait(%s); COMMIT', :job)),
    'ERROR:  batch_wait cannot run inside a transaction block',
    'batch_wait refuses a transaction block');
SELECT throws_ok('CALL batch_work()', '25001', 'batch_work cannot run inside a transaction block',
    'batch_work refuses a function');
SELECT throws_ok(format('CALL batch_wait(%s)', :job), '25001',
    'batch_wait cannot run inside a transaction block', 'batch_wait refuses a function');
SELECT matches(sim.psql('DO $d$ BEGIN CALL batch_work(''1 ms''); END $d$'), '^$',
    'batch_work in a DO block, which may commit');
SELECT matches(sim.psql('CALL batch_work(''-1 s'')'),
    'ERROR:  argument "max_time" must not be negative', 'a negative time is refused');
SELECT matches(sim.psql('CALL batch_wait(NULL)'), 'ERROR:  argument "job_id" must not be null',
    'batch_wait(NULL)');
SELECT matches(sim.psql('CALL batch_wait(99999)'), 'ERROR:  batch job 99999 does not exist',
    'batch_wait for a job that is not');
CREATE ROLE session_other LOGIN;
SELECT matches(sim.psql('SET ROLE session_other', format('CALL batch_wait(%s)', :job)),
    'ERROR:  permission denied to wait for batch job', 'batch_wait for another''s job');
SELECT matches(sim.psql('SET ROLE session_other', 'CALL batch_work()'),
    'ERROR:  permission denied for procedure batch_work', 'batch_work is not for everybody');

--
-- batch_wait
--
SELECT matches(
    sim.psql(format('CALL batch_wait(%s, ''300 ms'')', :job)),
    format(
        E'^NOTICE:  no background worker does batch job %1$s\nDETAIL:  batchinf.enabled is '
        'off.\nHINT:  CALL batch_work\\(\\) does it in a session.\nNOTICE:  batch job %1$s is '
        '(?:queued|running): 0 of 5 records done, 0 succeeded\nERROR:  batch job %1$s has not '
        'ended in time\nDETAIL:  It is (?:queued|running), 5 of 5 records are pending.\nHINT:  The '
        'job goes on',
        :job),
    'batch_wait: a timeout is an error');
SELECT sim.start('worker', 'CALL batch_work()');
SELECT matches(sim.psql(format('CALL batch_wait(%s, ''30 s'')', :job)),
    format(E'NOTICE:  batch job %s is completed: 5 of 5 records done, 5 succeeded, '
        'cost 0\\.\\d+ USD$', :job),
    'batch_wait tells progress and returns at the end');
SELECT is(sim.finish('worker'), '', 'batch_work returns too');
SELECT is(sim.psql(format('CALL batch_wait(%s)', :job)),
    format('NOTICE:  batch job %s is completed: 5 of 5 records done, 5 succeeded, cost %s USD',
        :job, (SELECT cost FROM batch_jobs WHERE job_id = :job)),
    'batch_wait for what has ended returns at once');
SELECT submit(5) AS foreign_job \gset
UPDATE batchinf.job SET install = gen_random_uuid() WHERE job_id = :foreign_job;
SELECT matches(
    sim.psql(format('CALL batch_wait(%s)', :foreign_job)),
    format('ERROR:  cannot wait for batch job %s: it belongs to another installation',
        :foreign_job),
    'batch_wait for a foreign job is an error');
SELECT is(state, 'foreign', '… whose state says so') FROM batch_jobs WHERE job_id = :foreign_job;
SELECT throws_ok(format('SELECT batch_cancel(%s)', :foreign_job), '55000', NULL,
    '… batch_cancel too');
SELECT throws_ok(format('SELECT batch_retry(%s)', :foreign_job), '55000', NULL,
    '… batch_retry too');
CALL batch_work('10 s');
SELECT is(billed(), 5, 'a foreign job is not worked on');
UPDATE batchinf.job SET install = (SELECT uuid FROM batchinf.here) WHERE job_id = :foreign_job;
CALL batch_work('20 s');

--
-- NOTIFY at the end
--
SELECT submit(3) AS job \gset
SELECT matches(
    sim.psql('LISTEN batchinf', 'CALL batch_work()', 'SELECT'),
    format(
        'Asynchronous notification "batchinf" with payload "{"job_id" : %s, "state" : "completed", '
        '"records" : 3, "succeeded" : 3,',
        :job),
    'NOTIFY batchinf at the end of a job');
SELECT submit(3) AS job \gset
SELECT batch_cancel(:job);
SELECT matches(
    sim.psql('LISTEN batchinf', 'CALL batch_work()', 'SELECT'),
    format(
        'Asynchronous notification "batchinf" with payload "{"job_id" : %s, "state" : "cancelled", '
        '"records" : 3, "succeeded" : 0,',
        :job),
    '… and when it was cancelled');

--
-- batch_work leaves nothing behind
--
SELECT sim.reset();
SELECT sim.config('{"batch_seconds": 3}');
SELECT submit(5) AS job \gset
SELECT clock_timestamp() AS began \gset
CALL batch_work('1 s');
SELECT ok(clock_timestamp() - :'began' BETWEEN interval '0.9 s' AND interval '2.5 s',
    'batch_work returns when max_time has passed');
TABLE holders \gset
SELECT is(:count, 0, '… and holds nothing');
SELECT sim.fault('{"match": {"method": "GET", "path_regex": "/batches"}, '
                 '"times": "always", "action": {"hang": true}}');
CALL batch_work('2 s');
TABLE holders \gset
SELECT is(:count, 0, '… also when an exchange was under way');

-- A poll claims its chunk if that waits for something, as after a failure.
CREATE PROCEDURE let_wait() LANGUAGE sql AS $$
    UPDATE batchinf.chunk SET wait_kind = 'server', waiting_for = 'a test'
    WHERE next_step_at IS NOT NULL $$;
CALL let_wait();
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until('SELECT count > 0 FROM holders', 'true'), 'true',
    'batch_work waits for a provider that hangs');
SELECT pid AS worker FROM pg_stat_activity WHERE application_name = 'worker' \gset
SELECT is(
    sim.until(
        format(
            $$SELECT concat_ws(' ', backend_xid, backend_xmin, wait_event_type)
              FROM pg_stat_activity WHERE pid = %s$$,
            :worker),
        'Extension'),
    'Extension', 'promise 8: while it waits it has no xid and no snapshot');
SELECT is((SELECT string_agg(DISTINCT locktype, ' ') FROM pg_locks WHERE pid = :worker),
    'virtualxid', 'promise 8: … and no lock but its virtualxid');
SELECT is(state, 'active', '… in its CALL') FROM pg_stat_activity WHERE pid = :worker;
SELECT clock_timestamp() AS began \gset
SELECT pg_cancel_backend(:worker);
SELECT is(sim.finish('worker'), 'canceling statement due to user request',
    'batch_work is cancelled by pg_cancel_backend');
SELECT ok(clock_timestamp() - :'began' < interval '1.5 s', 'promise 8: … within a second');
TABLE holders \gset
SELECT is(:count, 0, '… and holds nothing any more');

SELECT matches(sim.psql('SET statement_timeout = ''2s''', 'CALL batch_work()'),
    'ERROR:  canceling statement due to statement timeout',
    'batch_work is cancelled by statement_timeout');
TABLE holders \gset
SELECT is(:count, 0, '… and holds nothing any more');

CALL let_wait();
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until('SELECT count > 0 FROM holders', 'true'), 'true',
    'batch_work waits for a provider that hangs');
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker';
SELECT isnt(sim.finish('worker'), '', 'batch_work is terminated');
SELECT is(sim.until('SELECT count(*) FROM batchinf.due WHERE held', '0'), '0',
    '… what it held is free');

-- it leaves while somebody else has locked our table
CREATE VIEW waits AS SELECT l.waitstart FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.application_name = 'worker' AND NOT l.granted;
SELECT sim.connect('locker');
CALL let_wait();
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until('SELECT count(*) FROM batchinf.due WHERE held', '1'), '1',
    'batch_work waits for a provider that hangs');
SELECT dblink_exec('locker', 'BEGIN'),
    dblink_exec('locker', 'LOCK TABLE batchinf.chunk IN SHARE MODE');
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker';
SELECT is(sim.until('SELECT count(*) FROM waits', '1'), '1',
    'it is cancelled, and may not write that it holds nothing');
SELECT waitstart FROM waits \gset
SELECT is(sim.until(format('SELECT count(*) FROM waits WHERE waitstart > %L', :'waitstart'), '1'),
    '1', '… it tries again');
SELECT dblink_exec('locker', 'COMMIT');
SELECT is(sim.finish('worker'), 'canceling statement due to user request', '… and ends');
TABLE holders \gset
SELECT is(:count, 0, '… and holds nothing any more');

CALL let_wait();
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until('SELECT count(*) FROM batchinf.due WHERE held', '1'), '1',
    'batch_work waits for a provider that hangs');
SELECT dblink_exec('locker', 'BEGIN'),
    dblink_exec('locker', 'LOCK TABLE batchinf.chunk IN SHARE MODE');
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker';
SELECT is(sim.until('SELECT count(*) FROM waits', '1'), '1',
    'it is cancelled, and may not write that it holds nothing');
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker';
SELECT is(sim.until('SELECT dblink_is_busy(''worker'')', '0', 8), '0',
    '… it ends all the same, cancelled once more');
SELECT count(*) FROM dblink_get_result('worker', false) AS r(status text) \gset
SELECT matches(dblink_error_message('worker'), 'canceling statement due to user request',
    '… and says so');
SELECT count(*) FROM dblink_get_result('worker', false) AS r(status text) \gset
TABLE holders \gset
SELECT is(:count, 1, '… its claim stands');
SELECT is(n, 0::bigint, '… but nothing of it is in memory, no key either')
FROM dblink('worker',
    'SELECT count(*) FROM pg_backend_memory_contexts WHERE name ~ ''^batchinf''') AS r(n bigint);
SELECT dblink_exec('locker', 'COMMIT'), dblink_disconnect('locker');
SELECT sim.clear_faults();
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT dblink_exec('worker', 'CALL batch_work(''30 s'')'), dblink_disconnect('worker');
SELECT results_eq(
    format('SELECT state, succeeded, written FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 5::bigint, 5::bigint)$$, 'the next batch_work of that session goes on');
SELECT is(billed(), 5, 'promise 1: and each record is billed once');
SELECT is(sim.ledger() -> 'files_left', '[]', 'promise 10: nothing is left');

-- two at once
SELECT sim.reset();
SELECT submit(20) AS job \gset
SELECT sim.start('one', 'CALL batch_work(''30 s'')'), sim.start('two', 'CALL batch_work(''30 s'')');
CALL batch_work('30 s');
SELECT is(sim.finish('one') || sim.finish('two'), '', 'several batch_work at once');
SELECT results_eq(
    format('SELECT state, succeeded, written FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 20::bigint, 20::bigint)$$, '… share the work');
SELECT is(billed(), 20, 'promise 1: … and each record is billed once');

--
-- Settings that are hostile to us
--
-- A job worked on by a session with these settings, which it still has afterwards.
CREATE FUNCTION works_with(VARIADIC settings text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
    job bigint;
BEGIN
    PERFORM sim.reset();
    job := sim.psql('SET client_min_messages = error', 'SELECT submit(4)');
    said := sim.psql(
        VARIADIC (SELECT array_agg('SET ' || s) FROM unnest(settings) s)
            || 'CALL public.batch_work(''30 s'')'::text
            || (SELECT array_agg('SHOW ' || split_part(s, ' = ', 1)) FROM unnest(settings) s));
    RETURN (SELECT concat_ws(' ', state, succeeded, written) FROM batch_jobs WHERE job_id = job)
        || E'\n' || said;
END $$;
SELECT is(works_with('default_transaction_isolation = serializable'),
    E'completed 4 4\nserializable', 'batch_work works in a serializable session');
SELECT is(
    works_with('default_transaction_isolation = "repeatable read"',
        'default_transaction_read_only = on'),
    E'completed 4 4\nrepeatable read\non', '… in a read-only session');
SELECT is(
    works_with('DateStyle = ''SQL, DMY''', 'IntervalStyle = sql_standard',
        'extra_float_digits = -15', 'bytea_output = escape', 'standard_conforming_strings = off',
        'transform_null_equals = on', 'client_encoding = LATIN1'),
    E'completed 4 4\nSQL, DMY\nsql_standard\n-15\nescape\noff\non\nLATIN1',
    '… whatever the session''s formats');
SELECT is(
    works_with('row_security = off', 'session_replication_role = replica', 'lock_timeout = ''1ms''',
        'idle_in_transaction_session_timeout = ''10ms''', 'jit_above_cost = 0'),
    E'completed 4 4\noff\nreplica\n1ms\n10ms\n0', '… whatever else it has set');

-- A schema of the caller's in front of pg_catalog, with operators and functions that do harm.
CREATE SCHEMA evil;
CREATE FUNCTION evil.boom() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'boom'; END $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$
    SELECT 'infinity'::timestamptz + evil.boom() * interval '1 s'
$$;
CREATE FUNCTION evil.eq(bigint, bigint) RETURNS bool LANGUAGE sql AS $$
    SELECT evil.boom() IS NULL
$$;
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.eq);
CREATE FUNCTION evil.eq(text, text) RETURNS bool LANGUAGE sql AS $$ SELECT evil.boom() IS NULL $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
SELECT is(works_with('search_path = evil, pg_catalog, public'),
    E'completed 4 4\nevil, pg_catalog, public',
    'promise 5: batch_work uses nothing of the session''s search_path');

-- The same settings of the database and of the role.
SELECT sim.reset();
SELECT submit(4) AS job \gset
SELECT current_database() AS db \gset
ALTER DATABASE :db SET default_transaction_read_only = on;
ALTER DATABASE :db SET search_path = evil, pg_catalog;
ALTER DATABASE :db SET default_transaction_isolation = 'serializable';
ALTER DATABASE :db SET session_replication_role = 'replica';
ALTER ROLE postgres IN DATABASE :db SET lock_timeout = '1ms';
ALTER ROLE postgres IN DATABASE :db SET DateStyle = 'German, DMY';
ALTER ROLE postgres IN DATABASE :db SET row_security = off;
SELECT is(sim.psql('CALL public.batch_work(''30 s'')'), '',
    'settings of database and role do not stop batch_work');
SELECT results_eq(
    format('SELECT state, succeeded, written FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 4::bigint, 4::bigint)$$, '… the job is done');
ALTER DATABASE :db RESET ALL;
ALTER ROLE postgres IN DATABASE :db RESET ALL;
DROP ROLE session_other;

SELECT * FROM finish();
