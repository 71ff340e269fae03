-- batch_work runs in its caller's session. The test proves that code of owners leaves nothing in
-- that session, and that settings of the session do no harm. worker-remains.sql asks the same of
-- the background worker.
\i lib.sql
SELECT no_plan();

CREATE ROLE left_alice;
SELECT sim.server('openai');
GRANT USAGE ON FOREIGN SERVER openai TO left_alice;
CREATE USER MAPPING FOR left_alice SERVER openai OPTIONS (api_key 'sk-sim');
CREATE SCHEMA alice AUTHORIZATION left_alice;
SET ROLE left_alice;
CREATE TABLE alice.t (id text PRIMARY KEY, answer text);
INSERT INTO alice.t VALUES
    ('SELECT pg_advisory_lock(1)'),
    ('SELECT pg_advisory_lock_shared(2), 1 / 0'),
    ('CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql RETURN 1'),
    ('SELECT setseed(0.5)');
CREATE FUNCTION alice.run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE NEW.id;
    RETURN NEW;
END $$;
CREATE TRIGGER run BEFORE UPDATE ON alice.t FOR EACH ROW EXECUTE FUNCTION alice.run();
SELECT batch_submit('SELECT id, ''[[sim:say=x]]'' AS prompt FROM alice.t', server => 'openai',
    target => 'alice.t', write_back => '{"answer": "$"}') AS job \gset
RESET ROLE;
CREATE TEMP TABLE before AS SELECT count(*) AS n FROM pg_proc
WHERE pronamespace = pg_my_temp_schema();
CALL batch_work('60 s');
SELECT is(string_agg(concat_ws(' ', record_id, write_state, write_error), E'\n' ORDER BY seq),
    E'SELECT pg_advisory_lock(1) written\n'
    'SELECT pg_advisory_lock_shared(2), 1 / 0 write_failed division by zero\n'
    'CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql RETURN 1 write_failed '
    'cannot create an object in a temporary schema in a write-back\n'
    'SELECT setseed(0.5) written',
    'what the code of an owner leaves')
FROM batch_records WHERE job_id = :job;
SELECT is(count(*), 0::bigint, 'promise 5: the caller''s session holds no advisory lock of it')
FROM pg_locks WHERE locktype = 'advisory';
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema()), n,
    'promise 5: … and has no temporary function of it')
FROM before;
SELECT random()::text AS given, setseed(0.5) AS x \gset
SELECT is(count(*), 0::bigint, 'promise 5: … nor its random numbers')
FROM (SELECT random()::text AS r FROM generate_series(1, 20)) s WHERE r = :'given';

-- canceled while the code runs
SET ROLE left_alice;
CREATE TABLE alice.slow (id int PRIMARY KEY, answer text);
INSERT INTO alice.slow VALUES (1);
CREATE FUNCTION alice.slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_lock(7), pg_sleep(30);
    RETURN NEW;
END $$;
CREATE TRIGGER slow BEFORE UPDATE ON alice.slow FOR EACH ROW EXECUTE FUNCTION alice.slow();
SELECT batch_submit('SELECT id, ''[[sim:say=x]]'' AS prompt FROM alice.slow', server => 'openai',
    target => 'alice.slow', write_back => '{"answer": "$"}') AS job \gset
RESET ROLE;
SELECT sim.connect('work');
SELECT dblink_send_query('work', 'CALL batch_work(''60 s'')');
CALL sim.await('EXISTS (SELECT FROM pg_locks WHERE locktype = ''advisory'' AND objid = 7)');
SELECT is(dblink_cancel_query('work'), 'OK',
    'a batch_work is canceled while the code of an owner runs');
SELECT count(*) AS n FROM dblink_get_result('work', false) AS r(s text) \gset
SELECT count(*) AS n FROM dblink_get_result('work', false) AS r(s text) \gset
SELECT is(r, '0', 'promise 5: … its session holds no lock of it')
FROM dblink('work', 'SELECT count(*) FROM pg_locks WHERE locktype = ''advisory''') AS d(r text);
SELECT dblink_disconnect('work');
SELECT batch_cancel(:job) AS x \gset

-- what the session must not bring
SELECT matches(
    sim.psql('SELECT pg_advisory_lock(1)', 'CALL batch_work(''1 s'')'),
    'ERROR:  batch jobs cannot be worked on in a session that holds advisory locks.*HINT:  Use '
    'pg_advisory_unlock_all\(\), or another session\.',
    'a session with advisory locks may not work: all would be released');
SELECT matches(sim.psql('DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'CALL batch_work(''1 s'')'),
    'ERROR:  batch jobs cannot be worked on in a session that has a cursor WITH HOLD.*cursor "c"',
    'nor one with a cursor that code of owners could read');
SELECT matches(
    sim.psql('SELECT pg_advisory_lock(1)', 'SELECT pg_advisory_unlock_all()',
        'CALL batch_work(''1 ms'')'),
    '^\s*$', '… which may when they are given back');
DROP OWNED BY left_alice CASCADE;
DROP ROLE left_alice;
SELECT * FROM finish();
