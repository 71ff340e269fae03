-- Target rows that are locked, or cannot be written now for another reason. Their writes wait, and
-- are repeated from the stored output.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');
SELECT sim.connect('other');

CREATE FUNCTION say(text) RETURNS text LANGUAGE sql AS $$
    SELECT '[[sim:say=' || regexp_replace(encode(convert_to($1, 'UTF8'), 'hex'), '(..)', '%\1', 'g')
        || ']]'
$$;
CREATE FUNCTION ask(target regclass) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, say(''new '' || id) AS p FROM %s', target),
        server => 'openai', prompt => '{{p}}', target => target,
        write_back => '{"answer": "$"}', in_flight => 'send', write_if => 'always') $$;
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(n || ' ' || write_state, ', ' ORDER BY write_state DESC)
    FROM (SELECT write_state, count(*) AS n FROM batch_records WHERE job_id = job GROUP BY 1) x $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s pending, %s written, %s waiting, %s failed', state, pending, written,
        write_waiting, write_failed)
    FROM batch_jobs WHERE job_id = job $$;
CREATE FUNCTION make(name text, rows int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, answer text)', name);
    EXECUTE format('INSERT INTO %I SELECT generate_series(1, %s)', name, rows);
END $$;

-- one locked row
SELECT make('few', 5);
SELECT ask('few') AS job \gset
SELECT dblink_exec('other', 'BEGIN'),
    dblink_exec('other', 'UPDATE few SET answer = ''theirs'' WHERE id = 3');
SELECT sim.work_until(format('states(%s) = ''4 written, 1 waiting''', :job));
SELECT is(states(:job), '4 written, 1 waiting', 'a locked row waits, the others are written');
SELECT is(counts(:job), 'running: 0 pending, 4 written, 1 waiting, 0 failed',
    'the job is not completed before it is written');
SELECT matches(write_error, 'lock timeout', 'what it waits for is told') FROM batch_records
WHERE job_id = :job AND record_id = '3';
SELECT is(output, 'new 3', 'promise 2: the output is stored already') FROM batch_records
WHERE job_id = :job AND record_id = '3';
SELECT dblink_exec('other', 'COMMIT');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed: 0 pending, 5 written, 0 waiting, 0 failed',
    'when the lock is gone it is written, and the job completed');
SELECT is(count(*), 5::bigint, 'with the stored outputs') FROM few WHERE answer = 'new ' || id;
SELECT is(count(*), 0::bigint, 'nothing is told of it any more') FROM batch_records
WHERE job_id = :job AND write_error IS NOT NULL;
SELECT is((sim.ledger() ->> 'billed_requests')::int, 5, 'promise 1: and nothing was sent again');

-- rows that stay locked do not stand before the others, however many those are
SELECT make('many', 1300);
SELECT ask('many') AS job \gset
SELECT dblink_exec('other', 'BEGIN'),
    dblink_exec('other', 'UPDATE many SET answer = ''theirs'' WHERE id <= 100 AND id % 2 = 0');
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(sim.until(format('SELECT written FROM batch_jobs WHERE job_id = %s', :job), '1250', 50),
    '1250', 'promise 4: rows that stay locked stop no other');
SELECT dblink_exec('other', 'COMMIT');
UPDATE batchinf.chunk SET write_at = now() WHERE write_waiting > 0;
SELECT is(sim.finish('work'), '', 'the work ends');
SELECT is(counts(:job), 'completed: 0 pending, 1300 written, 0 waiting, 0 failed',
    'and all are written in the end');

-- a locked table: more rows than one group
SELECT make('closed', 1200);
SELECT ask('closed') AS job \gset
SELECT dblink_exec('other', 'BEGIN'), dblink_exec('other', 'LOCK TABLE closed');
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(
    sim.until(format('SELECT write_waiting FROM batch_jobs WHERE job_id = %s', :job), '1200'),
    '1200', 'a table in ACCESS EXCLUSIVE lock: its rows wait');
SELECT is(counts(:job), 'running: 0 pending, 0 written, 1200 waiting, 0 failed', 'none fails');
SELECT dblink_exec('other', 'COMMIT');
SELECT clock_timestamp() AS opened \gset
UPDATE batchinf.chunk SET write_at = now() WHERE write_waiting > 0;
SELECT is(sim.finish('work'), '', 'the work ends');
SELECT is(counts(:job), 'completed: 0 pending, 1200 written, 0 waiting, 0 failed',
    'when it is open all are written');
SELECT ok(clock_timestamp() - :'opened' < interval '10 s',
    'one group after the other, without waiting between them');

-- deadlock and serialization failures, as a trigger meets them
SELECT make('unlucky', 4);
CREATE FUNCTION unlucky() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 1 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF;
    IF NEW.id = 2 THEN RAISE EXCEPTION 'not serialisable' USING ERRCODE = '40001'; END IF;
    IF NEW.id = 3 THEN RAISE EXCEPTION 'broken' USING ERRCODE = 'P0001'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER unlucky BEFORE UPDATE ON unlucky FOR EACH ROW EXECUTE FUNCTION unlucky();
SELECT ask('unlucky') AS job \gset
SELECT sim.work_until(format('counts(%s) = ''running: 0 pending, 1 written, 2 waiting, 1 failed''',
    :job));
SELECT is(string_agg(concat_ws(' ', write_state, write_error), ', ' ORDER BY seq),
    'waiting deadlock, waiting not serialisable, write_failed broken, written',
    'deadlocked and not serialisable rows wait, a broken one fails, the other is written')
FROM batch_records WHERE job_id = :job;
DROP TRIGGER unlucky ON unlucky;
UPDATE batchinf.chunk SET write_at = now() WHERE write_waiting > 0;
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed: 0 pending, 3 written, 0 waiting, 1 failed',
    'they are written later');

-- a real deadlock, with another transaction that holds one row and wants the next
SELECT make('crossed', 2);
SELECT ask('crossed') AS job \gset
SELECT dblink_exec('other', 'BEGIN'), dblink_exec('other', 'SET LOCAL deadlock_timeout = ''10 s'''),
    dblink_exec('other', 'UPDATE crossed SET answer = ''theirs'' WHERE id = 2');
SELECT dblink_send_query('other', 'UPDATE crossed SET answer = ''theirs'' WHERE id = 1; COMMIT');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed: 0 pending, 2 written, 0 waiting, 0 failed',
    'rows that another transaction takes in the other order are written');
SELECT count(*) AS n FROM dblink_get_result('other', false) AS r(s text) \gset
SELECT count(*) AS n FROM dblink_get_result('other', false) AS r(s text) \gset
SELECT count(*) AS n FROM dblink_get_result('other', false) AS r(s text) \gset

-- what happens to the target while writes wait
SELECT make('dropped', 2), make('altered', 2), make('column_gone', 2), make('deleted', 2);
SELECT ask('dropped') AS dropped, ask('altered') AS altered, ask('column_gone') AS column_gone,
    ask('deleted') AS deleted \gset
SELECT dblink_exec('other', 'BEGIN'), dblink_exec('other', 'UPDATE dropped SET id = id'),
    dblink_exec('other', 'UPDATE altered SET id = id'),
    dblink_exec('other', 'UPDATE column_gone SET id = id'),
    dblink_exec('other', 'UPDATE deleted SET id = id');
ALTER DATABASE test SET batchinf.write_give_up = '15s';	-- a target that is gone may come back
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
ALTER DATABASE test RESET batchinf.write_give_up;
SELECT is(sim.until('SELECT sum(write_waiting) FROM batch_jobs', '8'), '8', 'all wait');
SELECT dblink_exec('other', 'DROP TABLE dropped'),
    dblink_exec('other', 'ALTER TABLE altered ALTER answer TYPE text[] USING NULL'),
    dblink_exec('other', 'ALTER TABLE column_gone DROP COLUMN answer'),
    dblink_exec('other', 'DELETE FROM deleted WHERE id = 1'), dblink_exec('other', 'COMMIT');
UPDATE batchinf.chunk SET write_at = now() WHERE write_waiting > 0;
SELECT is(sim.finish('work'), '', 'the work ends');
SELECT is(counts(:dropped), 'completed: 0 pending, 0 written, 0 waiting, 2 failed',
    'a table dropped meanwhile: write_failed');
SELECT matches(string_agg(DISTINCT write_error, ','), 'does not exist', 'with the reason')
FROM batch_records WHERE job_id = :dropped;
SELECT is(counts(:altered), 'completed: 0 pending, 0 written, 0 waiting, 2 failed',
    'a column altered meanwhile that cannot take the output: write_failed');
SELECT is(string_agg(DISTINCT outcome, ','), 'succeeded', 'the outcome stands') FROM batch_records
WHERE job_id = :altered;
SELECT is(counts(:column_gone), 'completed: 0 pending, 0 written, 0 waiting, 2 failed',
    'a column dropped meanwhile: write_failed');
SELECT is(states(:deleted), '1 written, 1 target_missing',
    'a row deleted meanwhile: target_missing');

-- a user's open transaction on a job stops nothing but that job's end
SELECT make('open_job', 3), make('beside', 3);
SELECT ask('open_job') AS job, ask('beside') AS beside \gset
SELECT dblink_exec('other', 'BEGIN'),
    dblink_exec('other', format('DO $do$ BEGIN PERFORM batch_pause(%s); END $do$', :job));
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :beside), 'completed'),
    'completed', 'promise 4: a job in a user''s open transaction does not hold up others');
SELECT is(sim.until(format('SELECT written FROM batch_jobs WHERE job_id = %s', :job), '3'), '3',
    'and is itself worked on');
SELECT is(
    sim.until(
        format('SELECT count(*) FROM batchinf.chunk WHERE job_id = %s AND next_step_at IS NULL',
            :job),
        '1'),
    '1', 'until its chunk is done');
SELECT is(
    sim.until(
        'SELECT count(*) FROM pg_stat_activity WHERE application_name = ''work'' '
        'AND state = ''active''',
        '0', 1.5),
    '1', 'the work waits for its end');
SELECT dblink_exec('other', 'ROLLBACK');
SELECT is(sim.finish('work'), '', 'the work ends');
SELECT is(counts(:job), 'completed: 0 pending, 3 written, 0 waiting, 0 failed',
    'when the transaction is over the job ends');

-- a session with defaults of its own
SELECT make('strict', 3);
SELECT ask('strict') AS job \gset
SET default_transaction_isolation = 'serializable';
SET default_transaction_read_only = on;
CALL batch_work('60 s');
RESET default_transaction_isolation;
RESET default_transaction_read_only;
SELECT is(counts(:job), 'completed: 0 pending, 3 written, 0 waiting, 0 failed',
    'batch_work works in a session whose transactions are serializable and read only by default');

SELECT is(
    (SELECT count(*) FROM batch_jobs
     WHERE records
         <> pending + succeeded + invalid_output + errored + expired + cancelled + missing + skipped
     OR succeeded <> written + write_waiting + stale + target_missing + write_failed),
    0::bigint, 'promise 3: the sums of every job agree');
SELECT * FROM finish();
