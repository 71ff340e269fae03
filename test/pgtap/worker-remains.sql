-- What the code of one owner leaves in a worker's process is not there for the next owner's code,
-- and holds nobody up (promise 5).
\i lib.sql
SELECT no_plan();

CREATE ROLE left_alice REPLICATION;
CREATE ROLE left_bob;
SELECT sim.server('openai');
GRANT USAGE ON FOREIGN SERVER openai TO left_alice, left_bob;
CREATE USER MAPPING FOR left_alice SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR left_bob SERVER openai OPTIONS (api_key 'sk-sim');
CREATE SCHEMA alice AUTHORIZATION left_alice;
CREATE SCHEMA bob AUTHORIZATION left_bob;
CREATE SCHEMA tool;
GRANT USAGE ON SCHEMA tool, alice TO PUBLIC;
GRANT EXECUTE ON FUNCTION dblink_connect_u(text), dblink_connect_u(text, text) TO left_alice;
CREATE TABLE tool.log (what text, result text, pid int DEFAULT pg_backend_pid());
CREATE TABLE tool.here AS
SELECT format('host=%s port=%s dbname=%s user=postgres', current_setting('unix_socket_directories'),
    current_setting('port'), current_database()) AS line;
GRANT ALL ON tool.log, tool.here TO PUBLIC;
CREATE FUNCTION tool.try(statement text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement INTO result;
EXCEPTION WHEN OTHERS THEN
    result := sqlerrm;
END $$;
CREATE FUNCTION tool.try() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tool.log VALUES (NEW.id, COALESCE(tool.try(NEW.act), 'nothing'));
    RETURN NEW;
END $$;
CREATE FUNCTION tool.ask(t regclass) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, ''[[sim:say=x]]'' AS p FROM %s', t), server => 'openai',
        prompt => '{{p}}', key => 'id', target => t, write_back => '{"answer": "$"}') $$;

-- what stays in a session: each tried by alice, and then looked for by bob
SET ROLE left_alice;
CREATE SEQUENCE alice.seq;
GRANT ALL ON SEQUENCE alice.seq TO PUBLIC;
CREATE FUNCTION alice.same(int, text) RETURNS bool LANGUAGE sql RETURN true;
CREATE TABLE alice.t (id text PRIMARY KEY, act text, answer text);
INSERT INTO alice.t VALUES
    ('advisory lock', 'SELECT pg_advisory_lock(1)::text'),
    ('lock before an error', 'SELECT pg_advisory_lock_shared(2)::text || 1 / 0'),
    ('prepared statement', 'PREPARE p AS SELECT 1'),
    ('listen', 'LISTEN alice'),
    ('held cursor', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'),
    ('sequence', 'SELECT nextval(''alice.seq'')'),
    ('seed', 'SELECT setseed(0.5)'),
    ('setting', 'SELECT set_config(''app.alice'', ''hers'', false)'),
    ('named connection', 'SELECT public.dblink_connect_u(''alice'', line) FROM tool.here'),
    ('unnamed connection', 'SELECT public.dblink_connect_u(line) FROM tool.here'),
    ('slot', 'SELECT slot_name FROM pg_create_physical_replication_slot(''alice'', true, true)');
CREATE TRIGGER try BEFORE UPDATE ON alice.t FOR EACH ROW EXECUTE FUNCTION tool.try();
-- these are undone as a whole: without swallowing the error
CREATE TABLE alice.temporary (id text PRIMARY KEY, answer text);
INSERT INTO alice.temporary VALUES
    ('CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql RETURN 1'),
    ('CREATE DOMAIN pg_temp.word AS text'),
    ('CREATE OPERATOR pg_temp.= (LEFTARG = int, RIGHTARG = text, FUNCTION = alice.same)'),
    ('CREATE COLLATION pg_temp.c FROM "C"'),
    ('SELECT 1');
CREATE FUNCTION alice.run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE NEW.id;
    RETURN NEW;
END $$;
CREATE TRIGGER run BEFORE UPDATE ON alice.temporary FOR EACH ROW EXECUTE FUNCTION alice.run();
-- all locks that there are
CREATE TABLE alice.flood (id int PRIMARY KEY, answer text);
INSERT INTO alice.flood VALUES (1), (2);
CREATE FUNCTION alice.flood() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM pg_advisory_lock(i) FROM generate_series(1, 200000) i;
    EXCEPTION WHEN OTHERS THEN
        IF sqlstate <> '53200' THEN RAISE; END IF;
    END;
    IF NEW.id = 2 THEN RAISE EXCEPTION 'flooded'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER flood BEFORE UPDATE ON alice.flood FOR EACH ROW EXECUTE FUNCTION alice.flood();
SET ROLE left_bob;
CREATE TABLE bob.t (id text PRIMARY KEY, act text, answer text);
INSERT INTO bob.t VALUES
    ('advisory lock',
     'SELECT string_agg(objid::text, '','') FROM pg_locks WHERE locktype = ''advisory'' '
     'AND pid = pg_backend_pid()'),
    ('prepared statement', 'SELECT name FROM pg_prepared_statements'),
    ('listen', 'SELECT * FROM pg_listening_channels()'),
    ('held cursor', 'SELECT name FROM pg_cursors WHERE is_holdable'),
    ('sequence', 'SELECT currval(''alice.seq'')'),
    ('seed', 'SELECT random()'),
    ('setting', 'SELECT NULLIF(current_setting(''app.alice'', true), '''')'),
    ('named connection',
     'SELECT r FROM public.dblink(''alice'', ''SELECT current_user'') AS d(r text)'),
    ('unnamed connection', 'SELECT r FROM public.dblink(''SELECT current_user'') AS d(r text)'),
    ('slot', 'SELECT slot_name FROM pg_replication_slots WHERE active_pid = pg_backend_pid()'),
    ('temporary objects',
     'SELECT string_agg(pg_describe_object(classid, objid, 0), '','') FROM pg_depend '
     'WHERE refclassid = ''pg_namespace''::regclass AND refobjid = pg_my_temp_schema()');
CREATE TRIGGER look BEFORE UPDATE ON bob.t FOR EACH ROW EXECUTE FUNCTION tool.try();
RESET ROLE;

-- a batch that runs meanwhile keeps the visit
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"batch_outcome":"in_progress_forever"}}');
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS keeper \gset
CALL sim.await(format('(SELECT provider_batch_id IS NOT NULL FROM batch_chunks WHERE job_id = %s)',
    :keeper));
CREATE VIEW tool.visit AS SELECT pid FROM pg_stat_activity WHERE backend_type = 'batchinf visit';
SET ROLE left_alice;
SELECT tool.ask('alice.t') AS job, tool.ask('alice.temporary') AS temporary \gset
RESET ROLE;
CALL batch_wait(:job, '60 s');
CALL batch_wait(:temporary, '60 s');
SELECT is((SELECT string_agg(what || ': ' || result, E'\n' ORDER BY what) FROM tool.log),
    E'advisory lock: \n'
    'held cursor: cannot create a cursor WITH HOLD within security-restricted operation\n'
    'listen: cannot execute LISTEN within security-restricted operation\n'
    'lock before an error: division by zero\n'
    'named connection: OK\n'
    'prepared statement: cannot execute PREPARE within security-restricted operation\n'
    'seed: \n'
    'sequence: 1\n'
    'setting: hers\n'
    'slot: alice\n'
    'unnamed connection: OK',
    'what the code of one owner tries to leave');
SELECT is(
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
        + (SELECT count(*) FROM pg_replication_slots),
    0::bigint, 'promise 5: locks and temporary slots are gone with its write-back');
SELECT ok(
    CASE WHEN record_id = 'SELECT 1' THEN write_state = 'written'
        ELSE write_state = 'write_failed' AND write_error ~ 'cannot create .*temporary schema' END,
    'promise 5: in a trigger: ' || record_id)
FROM batch_records WHERE job_id = :temporary ORDER BY seq;
SET ROLE left_bob;
SELECT tool.ask('bob.t') AS job \gset
RESET ROLE;
DELETE FROM tool.log WHERE pid <> (SELECT pid FROM tool.visit);
SELECT is(count(*), 11::bigint, 'the visit goes on') FROM tool.log;
CREATE TABLE tool.first AS SELECT DISTINCT pid FROM tool.log;
TRUNCATE tool.log;
CALL batch_wait(:job, '60 s');
SELECT is(string_agg(DISTINCT pid::text, ','), (SELECT string_agg(pid::text, ',') FROM tool.first),
    'the code of another owner runs in the same process')
FROM tool.log;
SELECT is(
    (SELECT string_agg(what || ': ' || result, E'\n' ORDER BY what) FROM tool.log
     WHERE what <> 'seed'),
    E'advisory lock: nothing\n'
    'held cursor: nothing\n'
    'listen: nothing\n'
    'named connection: password is required\n'
    'prepared statement: nothing\n'
    'sequence: currval of sequence "seq" is not yet defined in this session\n'
    'setting: nothing\n'
    'slot: nothing\n'
    'temporary objects: nothing\n'
    'unnamed connection: connection not available',
    'promise 5: … and meets nothing of it');
-- what a session gives after setseed(0.5)
SELECT setseed(0.5) AS x \gset
CREATE TABLE tool.given AS SELECT random()::text AS r FROM generate_series(1, 20);
SELECT is(count(*), 0::bigint, '… not even numbers that it could foretell') FROM tool.log
WHERE what = 'seed' AND result IN (SELECT r FROM tool.given);

-- every lock of the server: its cluster goes on, and so does the visit
SET ROLE left_alice;
SELECT tool.ask('alice.flood') AS job \gset
RESET ROLE;
-- while the trigger runs nobody has a lock: this session asks again
CREATE PROCEDURE tool.wait_through(job bigint) LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '60 s';
    ended bool := false;
BEGIN
    WHILE NOT ended AND clock_timestamp() < deadline LOOP
        BEGIN
            SELECT finished_at IS NOT NULL INTO ended FROM batch_jobs WHERE job_id = job;
        EXCEPTION WHEN out_of_memory THEN
        END;
        COMMIT;
        PERFORM pg_sleep(0.05);
    END LOOP;
END $$;
CALL tool.wait_through(:job);
SELECT is(string_agg(concat_ws(' ', record_id, write_state, write_error), ', ' ORDER BY record_id),
    '1 written, 2 write_failed flooded', 'a trigger that takes all locks of the server')
FROM batch_records WHERE job_id = :job;
SELECT is(count(*), 0::bigint, 'promise 8: … they are given back') FROM pg_locks
WHERE locktype = 'advisory';
SELECT matches(sim.psql('SELECT 1'), '^1$', '… and others can connect');
SELECT is(string_agg(pid::text, ','), (SELECT string_agg(pid::text, ',') FROM tool.first),
    '… the visit goes on')
FROM tool.visit;

-- memory that stays: functions with long bodies that were looked up stay in the catalog cache
SET check_function_bodies = off;
DO $$
DECLARE
    body text := (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32768) i);
BEGIN
    FOR i IN 1..170 LOOP
        EXECUTE format('CREATE FUNCTION alice.f%s() RETURNS int LANGUAGE sql AS %L', i, body);
    END LOOP;
END $$;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA alice TO left_alice;
SET ROLE left_alice;
CREATE TABLE alice.grow (id int PRIMARY KEY, answer text);
INSERT INTO alice.grow VALUES (1);
CREATE FUNCTION alice.grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM to_regprocedure(format('alice.f%s()', i)) FROM generate_series(1, 170) i;
    RETURN NEW;
END $$;
CREATE TRIGGER grow BEFORE UPDATE ON alice.grow FOR EACH ROW EXECUTE FUNCTION alice.grow();
SELECT tool.ask('alice.grow') AS job \gset
RESET ROLE;
CALL batch_wait(:job, '60 s');
SELECT is(written, 1::bigint, 'a trigger that makes the process grow') FROM batch_jobs
WHERE job_id = :job;
CALL sim.await('(SELECT count(*) = 1 FROM tool.visit WHERE pid NOT IN (SELECT pid '
               'FROM tool.first))');
SELECT pass('promise 7: … a fresh process goes on');
SELECT is(state, 'running', '… with what is under way') FROM batch_jobs WHERE job_id = :keeper;
SELECT batch_cancel(:keeper) AS x \gset
CALL batch_wait(:keeper, '60 s');
DROP OWNED BY left_alice, left_bob CASCADE;
DROP ROLE left_alice, left_bob;
SELECT * FROM finish();
