-- The background worker does jobs without any help: it is woken at commit, works on, and leaves.
\i lib.sql
SELECT no_plan();

SELECT sim.server('openai');
SELECT sim.tickets(20);
CREATE FUNCTION submit(n int, server name DEFAULT 'openai') RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, body FROM tickets WHERE id <= %s ORDER BY id', n),
        server => server, prompt => '{{body}}', target => 'tickets',
        write_back => '{"label": "$"}', in_flight => 'send', write_if => 'always');
$$;
GRANT SELECT, UPDATE ON tickets TO PUBLIC;
CREATE FUNCTION job(id bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, succeeded) FROM batch_jobs WHERE job_id = id
$$;
CREATE FUNCTION log_has(pattern text) RETURNS bool LANGUAGE sql AS $$
    SELECT pg_read_file(regexp_replace(current_setting('data_directory'), '/data$',
        '/log')) ~ pattern $$;
CREATE VIEW visit AS SELECT a.* FROM pg_stat_activity a
WHERE backend_type = 'batchinf visit' AND datname = current_database();

--
-- One job, then one more while the visit is there
--
SELECT is(sim.psql('SELECT submit(5)'), '1', 'batch_submit says nothing of missing workers');
SELECT is(sim.until('SELECT job(1)', 'completed 5', 5), 'completed 5',
    'a job is done within 5 s of its commit');
SELECT is(count(*), 5::bigint, '… and its rows are written') FROM tickets
WHERE label LIKE '%body ' || id;
SELECT is(sim.until('SELECT count(*) FROM batch_chunks WHERE state = ''done''', '1'), '1',
    '… its chunk is done');
SELECT is(sim.ledger() -> 'files_left', '[]', 'promise 10: … nothing is left at the provider');
SELECT is(sim.until('SELECT count(*) FROM visit', '0'), '0',
    'the visit leaves when nothing is left');
SELECT sim.config('{"batch_seconds": 2}');
SELECT submit(5) AS first \gset
SELECT is(sim.until('SELECT count(*) FROM visit', '1'), '1', 'a visit comes');
SELECT pid AS visit FROM visit \gset
SELECT is(
    sim.until(format('SELECT step FROM batch_chunks WHERE job_id = %s', :first), 'running', 10),
    'running', '… its batch runs');
SELECT is(sim.until(format('SELECT count(*) FROM pg_locks WHERE pid = %s', :visit), '0'), '0',
    'promise 8: the visit that waits holds no lock');
SELECT submit(5) AS job \gset
SELECT is(
    sim.until(format('SELECT submitted_at IS NOT NULL FROM batch_chunks WHERE job_id = %s', :job),
        'true'),
    'true', 'a job that comes meanwhile is sent at once');
SELECT is((SELECT string_agg(pid::text, ' ') FROM visit), :'visit', '… by the same visit');
SELECT sim.config('{"batch_seconds": 0.2}');
CALL batch_wait(:job, '20 s');
CALL batch_wait(:first, '20 s');
SELECT ok(log_has('LOG:  batch job ' || :job || ' has ended: completed, 5 records'),
    'the end of a job is a LOG line');
BEGIN;
SELECT submit(5) AS job \gset
ROLLBACK;
SELECT submit(5) AS job2 \gset
CALL batch_wait(:job2, '20 s');
SELECT is((SELECT count(*) FROM batch_jobs WHERE job_id = :job), 0::bigint,
    'a rolled back batch_submit leaves nothing');

--
-- What pg_stat_activity shows
--
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"action": {"delay_ms": 1500}}');
SELECT submit(5) AS job \gset
SELECT is(
    sim.until(
        'SELECT query FROM visit WHERE state = ''active''',
        format('creating chunk %s of batch job %s',
            (SELECT chunk_id FROM batch_chunks WHERE job_id = :job), :job)),
    format('creating chunk %s of batch job %s',
        (SELECT chunk_id FROM batch_chunks WHERE job_id = :job), :job),
    'pg_stat_activity tells what a visit does');
SELECT is(concat_ws(' ', backend_xid, backend_xmin), '',
    'promise 8: … without transaction or snapshot while bytes travel')
FROM visit;
CALL batch_wait(:job, '20 s');

--
-- Wishes wake the visit
--
SELECT sim.config('{"batch_seconds": 6}');
SELECT submit(5) AS job \gset
SELECT is(
    sim.until(format('SELECT step FROM batch_chunks WHERE job_id = %s', :job), 'running', 10),
    'running', 'a long batch runs');
SELECT batch_cancel(:job);
SELECT is(
    sim.until(
        format(
            'SELECT batchinf.job.cancelled_at IS NOT NULL AND EXISTS (SELECT FROM batch_events '
            'WHERE job_id = %1$s AND event = ''cancel sent'') FROM batchinf.job '
            'WHERE job_id = %1$s',
            :job),
        'true', 3),
    'true', 'batch_cancel wakes the visit');
SELECT sim.config('{"batch_seconds": 0.2}');
CALL batch_wait(:job, '20 s');
SELECT is(state, 'cancelled', '… and the job ends') FROM batch_jobs WHERE job_id = :job;
SELECT is(batch_retry(:job, '{cancelled}') > 0, true, 'batch_retry');
CALL batch_wait(:job, '20 s');
SELECT is(job(:job), 'completed 5', '… wakes the visit too');

--
-- One server dead
--
SELECT sim.reset();
CREATE SERVER refusing FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', model 'gpt-5.4-mini', base_url 'http://127.0.0.1:1/v1',
    poll_interval '1');
CREATE USER MAPPING FOR CURRENT_USER SERVER refusing OPTIONS (api_key 'sk-sim');
SELECT sim.server('hanging');
SELECT replace(sim.url(), '/v1', '/v1/hang') AS hanging \gset
ALTER SERVER hanging OPTIONS (SET base_url :'hanging');
SELECT sim.fault('{"match": {"path_regex": "^/v1/hang"}, "times": "always", '
                 '"action": {"hang": true}}');
SELECT submit(5, 'refusing') AS refusing, submit(5, 'hanging') AS hanging \gset
SELECT is(
    sim.until('SELECT paused_until > now() FROM batch_servers WHERE server = ''refusing''', 'true'),
    'true', 'a server that refuses connections is paused');
SELECT ok(pause_reason ~* 'refused|could not connect|unreachable' AND last_error = pause_reason,
    'batch_servers tells why')
FROM batch_servers WHERE server = 'refusing';
SELECT ok(log_has('LOG:  server "refusing" is paused for batch jobs of role "'),
    '… and so does the log');
SELECT submit(5) AS job \gset
CALL batch_wait(:job, '20 s');
SELECT is(job(:job), 'completed 5', 'promise 4: dead servers do not hold up another''s jobs');
SELECT is(state, 'waiting', 'the dead server''s chunk waits') FROM batch_chunks
WHERE job_id = :refusing;
SELECT is(
    (SELECT count(*) FROM batch_records WHERE job_id IN (:refusing, :hanging) AND outcome IS NULL),
    10::bigint, 'promise 9: … and no attempt is charged');
SELECT is(paused_until, NULL, 'the good server is not paused') FROM batch_servers
WHERE server = 'openai';

-- the dead come to life
SELECT sim.clear_faults();
SELECT sim.url() AS url \gset
ALTER SERVER refusing OPTIONS (SET base_url :'url');
CALL batch_wait(:refusing, '20 s');
SELECT is(job(:refusing), 'completed 5', 'a server that answers again: its jobs go on');
SELECT is(paused_until, NULL, '… and is no longer paused') FROM batch_servers
WHERE server = 'refusing';
SELECT batch_cancel(:hanging);

--
-- Two users, one with a bad key
--
SELECT sim.reset();
CREATE ROLE worker_ann;
CREATE ROLE worker_bob;
GRANT USAGE ON FOREIGN SERVER openai TO worker_ann, worker_bob;
CREATE USER MAPPING FOR worker_ann SERVER openai OPTIONS (api_key 'sk-wrong');
CREATE USER MAPPING FOR worker_bob SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE worker_ann;
SELECT submit(5) AS ann \gset
SET ROLE worker_bob;
SELECT submit(5) AS bob \gset
RESET ROLE;
SELECT is(sim.until(format('SELECT job(%s)', :bob), 'completed 5', 20), 'completed 5',
    'promise 4: a user''s bad key does not hold up another user''s jobs');
SELECT is(
    sim.until('SELECT paused_until > now() FROM batch_servers WHERE server = ''openai''', 'true'),
    'true', 'a bad key pauses the server');
SELECT is(
    sim.psql(
        'SET ROLE worker_bob',
        'SELECT paused_until, pause_reason, last_error FROM batch_servers '
        'WHERE server = ''openai'''),
    '||', '… not for others');
SELECT matches(
    sim.psql(
        'SET ROLE worker_ann',
        'SELECT pause_reason FROM batch_servers WHERE server = ''openai'' '
        'AND last_error = pause_reason'),
    'Incorrect API key', '… its owner sees why');
SELECT unalike(reason, '%sk-wrong%', 'promise 6: … without the key') FROM batchinf.pause;
SELECT is((SELECT count(*) FROM batch_records WHERE job_id = :ann AND outcome IS NULL), 5::bigint,
    'promise 9: … no attempt is charged');
ALTER USER MAPPING FOR worker_ann SERVER openai OPTIONS (SET api_key 'sk-sim');
CALL batch_wait(:ann, '20 s');
SELECT is(job(:ann), 'completed 5', 'after ALTER USER MAPPING the work goes on');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 10, 'promise 1: each record is billed once');

DROP OWNED BY worker_ann, worker_bob;
DROP ROLE worker_ann, worker_bob;
--
-- Triggers that take too long hold up nobody else; statement_timeout of database or role is none of
-- a visit's
--
CREATE ROLE worker_slow;
GRANT USAGE ON FOREIGN SERVER openai TO worker_slow;
CREATE USER MAPPING FOR worker_slow SERVER openai OPTIONS (api_key 'sk-sim');
CREATE TABLE slow (id int PRIMARY KEY, label text);
INSERT INTO slow SELECT generate_series(1, 3);
CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(CASE NEW.id WHEN 1 THEN 1e9 ELSE 0.05 END);
    RETURN NEW;
    END $$;
CREATE TRIGGER sleep BEFORE UPDATE ON slow FOR EACH ROW EXECUTE FUNCTION sleep();
ALTER TABLE slow OWNER TO worker_slow;
SELECT current_database() AS db \gset
ALTER DATABASE :db SET statement_timeout = '20ms';
ALTER ROLE worker_slow SET statement_timeout = '20ms';
ALTER SYSTEM SET batchinf.write_timeout = '1s';
SELECT pg_reload_conf();
SELECT bool_and(pg_terminate_backend(pid, 5000)) AS gone FROM visit \gset
SET ROLE worker_slow;
SELECT batch_submit('SELECT id FROM slow', server => 'openai', prompt => '{{id}}', target => 'slow',
    write_back => '{"label": "$"}') AS slow \gset
RESET ROLE;
SELECT is(
    sim.until(
        format('SELECT concat_ws('' '', written, write_waiting) FROM batch_jobs WHERE job_id = %s',
            :slow),
        '2 1'),
    '2 1',
    'a trigger that sleeps for ever in a visit: its row waits, promise 4: the others are written');
SELECT is(sim.until('SELECT wait_event FROM visit', 'PgSleep'), 'PgSleep', '… it is tried again');
SELECT submit(5) AS job \gset
SELECT is(sim.until(format('SELECT job(%s)', :job), 'completed 5', 10), 'completed 5',
    '… and another job goes on');
SELECT is(sim.until('SELECT wait_event FROM visit', 'PgSleep', 90), 'PgSleep',
    '… it is tried again');
SELECT is(pg_terminate_backend(pid, 1500), true,
    'promise 8: a visit in such a trigger can be terminated')
FROM visit;
DROP TRIGGER sleep ON slow;
SELECT is(sim.until(format('SELECT job(%s)', :slow), 'completed 3', 90), 'completed 3',
    '… the next one ends the job');
ALTER DATABASE :db RESET statement_timeout;
ALTER SYSTEM RESET batchinf.write_timeout;
SELECT pg_reload_conf();
DROP OWNED BY worker_slow;
DROP ROLE worker_slow;

SELECT ok(
    NOT log_has('PANIC|TRAP|terminated by signal|chunk [0-9]+ of batch job [0-9]+ cannot go on'),
    'nothing odd in the log');

SELECT * FROM finish();
