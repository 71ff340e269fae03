-- Code of the target's owner runs too long in a write-back: batchinf.write_timeout ends it. And a
-- cancel of the session is not taken for a cancel by that code.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');
SELECT sim.connect('other');

-- A table of so many rows, and what its trigger does for one.
CREATE FUNCTION make(name text, rows int, body text, kind text DEFAULT 'TRIGGER x BEFORE UPDATE',
    late text DEFAULT '')
RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, answer text)', name);
    EXECUTE format('INSERT INTO %I SELECT generate_series(1, %s)', name, rows);
    EXECUTE format('CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS %L', name || '_does',
        format('BEGIN %s; RETURN NEW; END', body));
    EXECUTE format('CREATE %s ON %I %s FOR EACH ROW EXECUTE FUNCTION %I()', kind, name, late,
        name || '_does');
END $f$;
CREATE FUNCTION ask(target regclass) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id FROM %s', target), server => 'openai',
        prompt => 'for {{id}}', target => target, write_back => '{"answer": "$"}') $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s written, %s waiting, %s failed', state, written, write_waiting,
        write_failed)
    FROM batch_jobs WHERE job_id = job $$;
-- Works until the counts of a job are these.
CREATE FUNCTION comes_to(job bigint, wanted text, description text) RETURNS text LANGUAGE sql AS $$
    SELECT sim.work_until(format('counts(%s) = %L', job, wanted));
    SELECT is(counts(job), wanted, description);
$$;
CREATE FUNCTION why(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT write_error, ', ') FROM batch_records
    WHERE job_id = job AND write_state = 'waiting'
$$;
-- The trigger is gone: what waits is written.
CREATE PROCEDURE mend(name text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TRIGGER x ON %I', name);
    UPDATE batchinf.chunk SET write_at = now() WHERE write_waiting > 0;
    COMMIT;
    CALL batch_work('60 s');
END $$;

-- one row that takes for ever
SET batchinf.write_timeout = '1s';
SELECT make('sleeps', 5, 'IF NEW.id = 2 THEN PERFORM pg_sleep(1e9); END IF');
SELECT ask('sleeps') AS job \gset
SELECT comes_to(:job, 'running: 4 written, 1 waiting, 0 failed',
    'a trigger that sleeps for ever: its row waits, promise 4: the others are written');
SELECT is(why(:job), 'canceling write-back due to batchinf.write_timeout',
    '… and what it waits for is told');
CALL mend('sleeps');
SELECT is(counts(:job), 'completed: 5 written, 0 waiting, 0 failed', '… it is written later');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 5, 'promise 1: and nothing was sent again');

-- many of them
SELECT make('many', 60, 'IF NEW.id % 2 = 0 THEN PERFORM pg_sleep(1e9); END IF');
SELECT ask('many') AS job \gset
SELECT comes_to(:job, 'running: 30 written, 30 waiting, 0 failed',
    'more such rows than there is time for: all others are written');
CALL mend('many');
SELECT is(counts(:job), 'completed: 60 written, 0 waiting, 0 failed', '… they are written later');

-- rows that need most of the time that there is
SELECT make('long', 3, 'PERFORM pg_sleep(0.7)');
SELECT ask('long') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed: 3 written, 0 waiting, 0 failed',
    'rows of which a transaction can take only one are written one by one');

-- a trigger's own settings do not help it
SELECT make(
    'waits', 2,
    'IF NEW.id = 1 THEN SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; PERFORM '
    'FROM public.sleeps WHERE id = 1 FOR UPDATE; END IF');
SELECT ask('waits') AS job \gset
SELECT dblink_exec('other', 'BEGIN'), dblink_exec('other', 'UPDATE sleeps SET id = id');
SELECT comes_to(:job, 'running: 1 written, 1 waiting, 0 failed',
    'a trigger that waits for a lock without an end');
SELECT dblink_exec('other', 'COMMIT');
CALL mend('waits');
SELECT is(counts(:job), 'completed: 2 written, 0 waiting, 0 failed', '… is written later');

-- nor does it to catch the cancel
SELECT make(
    'stubborn', 2,
    'IF NEW.id = 1 THEN BEGIN PERFORM pg_sleep(1e9); EXCEPTION WHEN query_canceled THEN PERFORM '
    'pg_sleep(1e9); END; END IF');
SELECT ask('stubborn') AS job \gset
SELECT comes_to(:job, 'running: 1 written, 1 waiting, 0 failed',
    'a trigger that catches the cancel and goes on is cancelled again');
CALL mend('stubborn');

-- an error of its own is none of ours
SELECT make('raises', 2,
    'IF NEW.id = 1 THEN RAISE EXCEPTION ''mine'' USING ERRCODE = ''57014''; END IF');
SELECT ask('raises') AS job \gset
SET batchinf.write_give_up = '1s';
CALL batch_work('30 s');
RESET batchinf.write_give_up;
SELECT is(counts(:job), 'completed: 1 written, 0 waiting, 1 failed',
    'a trigger that raises the code of a cancel, again and again, has failed in the end');

-- what a superuser's triggers leave for the commit
SELECT make('late', 3, 'IF NEW.id = 2 THEN PERFORM pg_sleep(1e9); END IF',
    'CONSTRAINT TRIGGER x AFTER UPDATE', 'DEFERRABLE INITIALLY DEFERRED');
SELECT ask('late') AS job \gset
SELECT comes_to(:job, 'running: 2 written, 1 waiting, 0 failed',
    'a deferred trigger that sleeps for ever');
CALL mend('late');
RESET batchinf.write_timeout;

-- A cancel, an end and a statement_timeout of the session are theirs.
SELECT make('cancelled', 2, 'IF NEW.id = 2 THEN PERFORM pg_sleep(1e9); END IF');
SELECT ask('cancelled') AS job \gset
SELECT sim.start('work', 'CALL batch_work()');
SELECT is(
    sim.until('SELECT wait_event FROM pg_stat_activity WHERE application_name = ''work''',
        'PgSleep'),
    'PgSleep', 'a session is in a trigger that sleeps');
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'work';
SELECT is(sim.finish('work'), 'canceling statement due to user request', '… it can be cancelled');
SELECT is(counts(:job), 'running: 0 written, 0 waiting, 0 failed',
    'promise 2: … with its whole transaction');
SELECT sim.start('work', 'CALL batch_work()');
SELECT is(
    sim.until('SELECT wait_event FROM pg_stat_activity WHERE application_name = ''work''',
        'PgSleep'),
    'PgSleep', 'a session is in a trigger that sleeps');
SELECT is(pg_terminate_backend(pid, 1500), true, '… it can be terminated') FROM pg_stat_activity
WHERE application_name = 'work';
SELECT isnt(sim.finish('work'), '', '… and is gone');
SELECT matches(sim.psql('SET statement_timeout = ''3 s''', 'CALL batch_work()'),
    '^ERROR:  canceling statement due to statement timeout',
    'statement_timeout ends the CALL while a trigger sleeps');
SELECT is(counts(:job), 'running: 0 written, 0 waiting, 0 failed', '… with its whole transaction');
SELECT matches(
    sim.psql('SET batchinf.write_timeout = ''1 s''', 'SET statement_timeout = ''6 s''',
        'CALL batch_work()'),
    '^ERROR:  canceling statement due to statement timeout',
    '… also where triggers were cancelled before');
SELECT is(counts(:job), 'running: 1 written, 1 waiting, 0 failed', '… which was none of its');
CALL mend('cancelled');
SELECT is(counts(:job), 'completed: 2 written, 0 waiting, 0 failed', '… the job is done');

-- The owner's own statement_timeout is for his sessions.
CREATE ROLE slow_owner LOGIN;
GRANT CREATE ON SCHEMA public TO slow_owner;
GRANT USAGE ON FOREIGN SERVER openai TO slow_owner;
CREATE USER MAPPING FOR slow_owner SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE slow_owner;
SELECT make('owned', 2, 'PERFORM pg_sleep(0.4)');
SELECT ask('owned') AS job \gset
RESET ROLE;
ALTER ROLE slow_owner SET statement_timeout = '100ms';
CALL batch_work('30 s');
SELECT is(counts(:job), 'completed: 2 written, 0 waiting, 0 failed',
    'a statement_timeout of the job''s owner does not cancel its writes');

SELECT is(
    (SELECT count(*) FROM batch_jobs
     WHERE records
         <> pending + succeeded + invalid_output + errored + expired + cancelled + missing + skipped
     OR succeeded <> written + write_waiting + stale + target_missing + write_failed),
    0::bigint, 'promise 3: the sums of every job agree');
DROP OWNED BY slow_owner;
DROP ROLE slow_owner;
-- A statement that costs much by itself, as on thousands of partitions: its groups are not made
-- smaller for that, for then each row would cost as much as the statement.
SET batchinf.write_timeout = '30s';
CREATE SEQUENCE statements;
CREATE TABLE costly (id int PRIMARY KEY, answer text);
INSERT INTO costly SELECT generate_series(1, 3000);
CREATE FUNCTION cost() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('public.statements'), pg_sleep(1.2);
    RETURN NULL;
END $$;
CREATE TRIGGER x BEFORE UPDATE ON costly FOR EACH STATEMENT EXECUTE FUNCTION cost();
SELECT ask('costly') AS job \gset
CALL batch_work('120 s');
SELECT is(counts(:job), 'completed: 3000 written, 0 waiting, 0 failed',
    'a statement that takes as long as many rows');
SELECT cmp_ok((SELECT last_value FROM statements), '<', 15::bigint,
    '… is not run for each few of them');

SELECT * FROM finish();
