-- Other sessions write the same rows at the same time. The test makes deadlocks, serialization
-- failures and locks that stay, and proves that our write is repeated, is done once, and never
-- makes the other session lose. The work is done by CALL batch_work(). worker-contention.sql runs
-- the same file with the background worker.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');
SELECT sim.server('other');

CREATE FUNCTION ask(target regclass, server name DEFAULT 'openai') RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(
        format('SELECT id, ''[[sim:say=new%%20'' || id || '']]'' AS p FROM %s ORDER BY id', target),
        server => server, prompt => '{{p}}', key => 'id', target => target,
        write_back => '{"answer": "$"}', in_flight => 'send', write_if => 'always') $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s pending, %s written, %s waiting, %s failed', state, pending, written,
        write_waiting, write_failed)
    FROM batch_jobs WHERE job_id = job $$;
CREATE FUNCTION answers(target regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE format('SELECT string_agg(concat_ws('': '', id, answer), '', '' ORDER BY id) FROM %s',
        target)
    INTO said;
    RETURN said;
END $$;
-- Its waiting writes are due.
CREATE FUNCTION hurry(job bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE batchinf.chunk SET write_at = now() WHERE job_id = job AND write_waiting > 0
$$;

-- Signs that sessions give each other: held until the end of the (sub)transaction, and seen at
-- once.
CREATE FUNCTION is_given(sign int) RETURNS bool LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM pg_locks
                   WHERE locktype = 'advisory' AND objid = sign AND granted
                   AND database = (SELECT oid FROM pg_database
                                   WHERE datname = current_database())) $$;
CREATE FUNCTION giver_waits(sign int) RETURNS bool LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM pg_locks
                   WHERE NOT granted
                   AND pid IN (SELECT pid FROM pg_locks
                               WHERE locktype = 'advisory' AND objid = sign AND granted)) $$;
-- Looks until it is so, but not for ever.  Functions that a write-back calls name their schema: it
-- has no path to them.
CREATE FUNCTION until_so(condition text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_catalog AS $$
DECLARE
    so bool := false;
BEGIN
    FOR i IN 1..3000 LOOP
        EXECUTE 'SELECT ' || condition INTO so;
        EXIT WHEN so;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;

--
-- A deadlock: a transaction has row 2 and waits for row 1, which the worker has, when the worker
-- comes to row 2
--
CREATE TABLE crossed (id int PRIMARY KEY, answer text);
INSERT INTO crossed VALUES (1), (2), (3);
CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_catalog AS $$
BEGIN
    IF NEW.answer LIKE 'new%' AND is_given(1) THEN
        PERFORM pg_advisory_xact_lock(2);
        PERFORM until_so('NOT is_given(1) OR giver_waits(1)');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER meet BEFORE UPDATE ON crossed FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION meet();
SELECT deadlocks FROM pg_stat_database WHERE datname = current_database() \gset
SELECT sim.start('crossing', $$DO $do$
BEGIN
    PERFORM pg_advisory_xact_lock(1);
    UPDATE crossed SET answer = 'theirs' WHERE id = 2;
    PERFORM until_so('is_given(2)');
    UPDATE crossed SET answer = 'theirs' WHERE id = 1;
END $do$ $$);
SELECT is(sim.until('SELECT is_given(1)', 'true'), 'true', 'a transaction has the second row');
SELECT ask('crossed') AS job \gset
SELECT sim.begin_work();
SELECT is(sim.finish('crossing'), '',
    'a deadlock with a transaction that waited first: it is not the victim');
SELECT is(
    sim.until(format('SELECT counts(%s)', :job),
        'completed: 0 pending, 3 written, 0 waiting, 0 failed', 60),
    'completed: 0 pending, 3 written, 0 waiting, 0 failed',
    '… the worker is, and all rows are written afterwards');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(
    sim.until(
        format('SELECT deadlocks > %s FROM pg_stat_database WHERE datname = current_database()',
            :deadlocks),
        'true'),
    'true', '… PostgreSQL has counted the deadlock');
SELECT is(answers('crossed'), '1: new 1, 2: new 2, 3: new 3', '… nothing is lost');

--
-- A serialization failure: in read committed too, where a row has moved to another partition since
-- the statement began
--
CREATE TABLE parted (id int, region text, answer text) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b');
CREATE TABLE moves (n int);
INSERT INTO parted SELECT i, CASE i WHEN 1 THEN 'a' ELSE 'b' END FROM generate_series(1, 3) i;
INSERT INTO moves VALUES (0);
CREATE FUNCTION await_move() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_catalog AS $$
DECLARE
    before int := (SELECT n FROM moves);
BEGIN
    IF current_setting('application_name') = 'mover' OR NOT is_given(3) THEN RETURN NULL; END IF;
    PERFORM pg_advisory_xact_lock(4);
    PERFORM until_so('NOT is_given(3) OR (SELECT n FROM moves) <> ' || before);
    RETURN NULL;
END $$;
CREATE TRIGGER await_move BEFORE UPDATE ON parted FOR EACH STATEMENT EXECUTE FUNCTION await_move();
-- moves row 1 under whoever updates, until it is told to stop
CREATE PROCEDURE keep_moving() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_lock(3);
    FOR i IN 1..10000 LOOP
        EXIT WHEN is_given(5);
        IF is_given(4) THEN
            UPDATE parted SET region = CASE region WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = 1;
            UPDATE moves SET n = n + 1;
        END IF;
        COMMIT;
        PERFORM pg_sleep(0.005);
    END LOOP;
    PERFORM pg_advisory_unlock(3);
END $$;
SELECT sim.start('mover', 'CALL keep_moving()');
SELECT is(sim.until('SELECT is_given(3)', 'true'), 'true', 'a session moves a row to and fro');
SELECT ask('parted') AS job \gset
SELECT sim.begin_work();
SELECT is(
    sim.until(
        format(
            'SELECT string_agg(concat_ws('': '', record_id, write_state, write_error), '', '' '
            'ORDER BY seq) FROM batch_records WHERE job_id = %s',
            :job),
        '1: waiting: tuple to be locked was already moved to another partition due to concurrent '
        'update, 2: written, 3: written',
        60),
    '1: waiting: tuple to be locked was already moved to another partition due to concurrent '
    'update, 2: written, 3: written',
    'a row that moved: its write is not serialisable now and waits, the others are written');
SELECT pg_advisory_lock(5);
SELECT is(sim.finish('mover'), '', 'the session has met no error');
SELECT pg_advisory_unlock(5);
SELECT hurry(:job);
SELECT is(
    sim.until(format('SELECT counts(%s)', :job),
        'completed: 0 pending, 3 written, 0 waiting, 0 failed', 60),
    'completed: 0 pending, 3 written, 0 waiting, 0 failed', '… once the row stays it is written');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(answers('parted'), '1: new 1, 2: new 2, 3: new 3', '… where it lies now, once');

--
-- Sessions that are serializable by default: the write-back is read committed all the same.  It
-- reads nothing that it has not locked, and what a row has become meanwhile is no failure
--
SELECT current_database() AS db \gset
SELECT sim.connect('holder');
CREATE TABLE strict (id int PRIMARY KEY, answer text, changed int DEFAULT 0, isolation text);
INSERT INTO strict SELECT generate_series(1, 3);
CREATE FUNCTION note_isolation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.isolation := current_setting('transaction_isolation');
    RETURN NEW;
END $$;
CREATE TRIGGER note_isolation BEFORE UPDATE OF answer ON strict FOR EACH ROW
EXECUTE FUNCTION note_isolation();
ALTER DATABASE :"db" SET default_transaction_isolation = 'serializable';
ALTER DATABASE :"db" SET default_transaction_deferrable = on;
SELECT is(sim.psql('SHOW transaction_isolation'), 'serializable',
    'a database whose sessions are serializable');
SELECT dblink_exec('holder', 'BEGIN ISOLATION LEVEL SERIALIZABLE'),
    dblink_exec('holder', 'UPDATE strict SET changed = (SELECT count(*) FROM strict) WHERE id = 2');
-- the next one begins with these settings
SELECT sim.until(
    'SELECT count(*) FROM pg_stat_activity WHERE backend_type = ''batchinf visit'' '
    'AND datname = current_database()',
    '0');
SELECT ask('strict') AS job \gset
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT written + write_waiting FROM batch_jobs WHERE job_id = %s', :job), '3',
        60),
    '3', 'results come while a row is locked');
SELECT dblink_exec('holder', 'COMMIT');
SELECT is(
    sim.until(format('SELECT counts(%s)', :job),
        'completed: 0 pending, 3 written, 0 waiting, 0 failed', 60),
    'completed: 0 pending, 3 written, 0 waiting, 0 failed', 'all are written');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(string_agg(concat_ws(' ', id, answer, changed, isolation), ', ' ORDER BY id),
    '1 new 1 0 read committed, 2 new 2 3 read committed, 3 new 3 0 read committed',
    '… in read committed, and what others wrote stands')
FROM strict;
ALTER DATABASE :"db" RESET default_transaction_isolation;
ALTER DATABASE :"db" RESET default_transaction_deferrable;

--
-- Locks that stay: rows of one job, the table of another; the jobs of another server, and others of
-- the same, go on meanwhile
--
CREATE TABLE held (id int PRIMARY KEY, answer text);
CREATE TABLE shut (LIKE held INCLUDING ALL);
CREATE TABLE free (LIKE held INCLUDING ALL);
CREATE TABLE beside (LIKE held INCLUDING ALL);
INSERT INTO held SELECT generate_series(1, 40);
INSERT INTO shut SELECT generate_series(1, 4);
INSERT INTO free SELECT generate_series(1, 4);
INSERT INTO beside SELECT generate_series(1, 4);
SELECT ask('held') AS held, ask('shut') AS shut \gset
SELECT dblink_exec('holder', 'BEGIN'),
    dblink_exec('holder', 'UPDATE held SET answer = ''theirs'' WHERE id <= 10'),
    dblink_exec('holder', 'LOCK TABLE shut IN ACCESS EXCLUSIVE MODE');
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT counts(%s)', :held),
        'running: 0 pending, 30 written, 10 waiting, 0 failed', 60),
    'running: 0 pending, 30 written, 10 waiting, 0 failed',
    'rows that are locked wait, the others are written');
SELECT is(
    sim.until(format('SELECT counts(%s)', :shut),
        'running: 0 pending, 0 written, 4 waiting, 0 failed', 60),
    'running: 0 pending, 0 written, 4 waiting, 0 failed', 'so do those of a table that is locked');
SELECT ask('free', 'other') AS free, ask('beside') AS beside \gset
SELECT is(
    sim.until(format('SELECT counts(%s)', :free),
        'completed: 0 pending, 4 written, 0 waiting, 0 failed', 60),
    'completed: 0 pending, 4 written, 0 waiting, 0 failed',
    'promise 4: another server''s job goes on');
SELECT is(
    sim.until(format('SELECT counts(%s)', :beside),
        'completed: 0 pending, 4 written, 0 waiting, 0 failed', 60),
    'completed: 0 pending, 4 written, 0 waiting, 0 failed', '… and one of the same server');
SELECT matches(string_agg(DISTINCT write_error, ', '), '^canceling statement due to lock timeout$',
    'what they wait for is told')
FROM batch_records WHERE job_id IN (:held, :shut) AND write_state = 'waiting';
SELECT is(
    sim.until(
        format('SELECT min(write_tries) > 0 FROM batchinf.chunk WHERE job_id IN (%s, %s)', :held,
            :shut),
        'true', 60),
    'true', 'they are tried again now and then');
SELECT dblink_exec('holder', 'COMMIT');
SELECT hurry(:held), hurry(:shut);
SELECT is(
    sim.until(format('SELECT counts(%s)', :held),
        'completed: 0 pending, 40 written, 0 waiting, 0 failed', 90),
    'completed: 0 pending, 40 written, 0 waiting, 0 failed',
    'when the locks are gone the rows are written');
SELECT is(
    sim.until(format('SELECT counts(%s)', :shut),
        'completed: 0 pending, 4 written, 0 waiting, 0 failed', 90),
    'completed: 0 pending, 4 written, 0 waiting, 0 failed', '… and the table''s');
SELECT is(sim.end_work(), '', '… the work ends');
SELECT is(count(*), 0::bigint, '… nothing of theirs is left') FROM held
WHERE answer <> 'new ' || id OR answer IS NULL;

-- A transaction that has a row and then stops its job: neither waits for the other for ever, and it
-- is no victim.
CREATE TABLE stopped (LIKE held INCLUDING ALL);
INSERT INTO stopped SELECT generate_series(1, 3);
SELECT ask('stopped') AS job \gset
SELECT dblink_exec('holder', 'BEGIN'),
    dblink_exec('holder', 'UPDATE stopped SET answer = ''theirs'' WHERE id = 2');
SELECT sim.begin_work();
SELECT is(
    sim.until(format('SELECT write_waiting FROM batch_jobs WHERE job_id = %s', :job), '1', 60), '1',
    'a row of a transaction waits');
SELECT hurry(:job);
SELECT is(
    dblink_exec(
        'holder',
        format(
            'DO $do$ BEGIN PERFORM batch_pause(%s), batch_resume(%1$s), '
            'batch_cancel(%1$s); END $do$',
            :job)),
    'DO', 'which pauses, resumes and cancels the job');
SELECT is(dblink_exec('holder', 'COMMIT'), 'COMMIT', '… and commits');
SELECT is(
    sim.until(format('SELECT state || '' '' || written FROM batch_jobs WHERE job_id = %s', :job),
        'cancelled 3', 60),
    'cancelled 3', 'what was finished is kept and written');
SELECT is(sim.end_work(), '', '… the work ends');

SELECT is((sim.ledger() ->> 'billed_requests')::int, (SELECT sum(records)::int FROM batch_jobs),
    'promise 1: each record was billed once');
SELECT is(
    (SELECT count(*) FROM batch_jobs
     WHERE records
         <> pending + succeeded + invalid_output + errored + expired + cancelled + missing + skipped
     OR succeeded <> written + write_waiting + stale + target_missing + write_failed),
    0::bigint, 'promise 3: the sums of every job agree');
SELECT * FROM finish();
