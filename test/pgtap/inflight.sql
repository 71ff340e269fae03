-- A row is never in two open jobs for one column (in_flight): which rows are left out, whose key is
-- equal, when they are free again, what other sessions and foreign jobs hold.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;      -- all requests are the same
SELECT sim.server('openai');
SELECT sim.tickets(10);
ALTER TABLE tickets ADD other text;

CREATE FUNCTION ask(rows text, in_flight text DEFAULT 'skip',
    write_back jsonb DEFAULT '{"label": "$"}', target regclass DEFAULT 'tickets',
    key text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(
        format('SELECT * FROM %s WHERE %s', target, rows), server => 'openai', prompt => 'p',
        target => target, write_back => write_back, in_flight => in_flight, key => key) $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s records, %s already in flight', state, records, already_in_flight)
    FROM batch_jobs WHERE job_id = job $$;
CREATE FUNCTION held() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM batchinf.in_flight';

--
-- Left out, refused, or sent
--
SELECT ask('id <= 3') AS a \gset
SELECT is(counts(:a), 'queued: 3 records, 0 already in flight', 'a first job has its rows');
SELECT ask('id <= 5') AS b \gset
SELECT is(counts(:b), 'queued: 2 records, 3 already in flight',
    'promise 11: a row that is in an open job is left out');
SELECT is((SELECT array_agg(record_id ORDER BY seq) FROM batch_records WHERE job_id = :b),
    '{4,5}', '… the others are sent, in their order');
SELECT matches(
    sim.psql($$SELECT ask('id <= 6')$$),
    'NOTICE:  5 of 6 rows are left out because open batch jobs have them', '… a NOTICE says so');
SELECT ask('id <= 6') AS c \gset
SELECT is(counts(:c), 'completed: 0 records, 6 already in flight',
    'where nothing is left the job is completed');
SELECT matches(sim.psql($$SELECT ask('id <= 6')$$), 'no rows are left: the batch job is completed',
    '… and a NOTICE says so');
SELECT throws_ok($$SELECT ask('id <= 6', 'error')$$, '55006',
    'record "1" is in an open batch job already', 'in_flight => ''error''');
SELECT lives_ok($$SELECT ask('id = 7', 'error')$$, '… without such rows');
SELECT throws_ok($$SELECT ask('id = 7', 'maybe')$$, '22023',
    'invalid value for argument "in_flight": "maybe"', 'there is no other word');
SELECT ask('id <= 3', 'send') AS d \gset
SELECT is(counts(:d), 'queued: 3 records, 0 already in flight', 'in_flight => ''send''');

--
-- Of one column; free again with the end of all jobs that have them
--
SELECT is(counts(ask('id <= 3', 'skip', '{"other": "$"}')),
    'queued: 3 records, 0 already in flight', 'another column of the same rows is free');
SELECT is(counts(ask('id <= 4', 'skip', '{"body": "$", "label": "$"}')),
    'completed: 0 records, 4 already in flight', 'one of several columns is enough');
SELECT is(counts(ask('id <= 4', 'skip', '{"body": "$"}')),
    'queued: 4 records, 0 already in flight', '… and the others were not kept');
SELECT batch_cancel(:a);
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"},
    "action": {"batch_outcome": "in_progress_forever", "finished": 0}, "times": "always"}');
CALL batch_work('2 s');
SELECT is((SELECT state FROM batch_jobs WHERE job_id = :a), 'cancelled', 'the first job ends');
SELECT is(counts(ask('id <= 3')), 'completed: 0 records, 3 already in flight',
    'the job that sent them too has them still');
SELECT batch_cancel(job_id) FROM batch_jobs WHERE finished_at IS NULL;
SELECT sim.clear_faults();
CALL batch_work('60 s');
SELECT is(counts(ask('id <= 3')), 'queued: 3 records, 0 already in flight',
    'with the end of all they are free');
CALL batch_work('60 s');
SELECT is(held(), 0::bigint, 'rows of jobs that have ended are removed');

--
-- Equal keys, as the type of the target's key column says
--
CREATE EXTENSION citext;
CREATE TABLE n (id numeric PRIMARY KEY, label text);
INSERT INTO n VALUES (1.0), (2);
CREATE TABLE w (id citext PRIMARY KEY, label text);
INSERT INTO w VALUES ('Word'), ('other');
CREATE TABLE big (id bigint PRIMARY KEY, label text);
INSERT INTO big VALUES (1), (4294967296), (-2), (8589934593);
CREATE TABLE two (a int, b timestamptz, label text, PRIMARY KEY (a, b));
INSERT INTO two VALUES (1, '2026-01-01 12:00+00'), (1, '2026-01-01 13:00+00');
CREATE TABLE j (id jsonb PRIMARY KEY, label text);
INSERT INTO j VALUES ('"x"'), ('{"a": 1}');
CREATE TABLE bits (id bit(4) PRIMARY KEY, label text);
INSERT INTO bits VALUES ('0001'), ('0010');
CREATE FUNCTION twice(target regclass, query text, again text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM batch_submit(query, server => 'openai', prompt => 'p', target => target,
        write_back => '{"label": "$"}');
    RETURN counts(batch_submit(again, server => 'openai', prompt => 'p', target => target,
        write_back => '{"label": "$"}'));
END $$;
SELECT is(twice('n', 'SELECT 1.0 AS id', 'SELECT * FROM (VALUES (1.00), (2.000)) v(id)'),
    'queued: 1 records, 1 already in flight', '1.0 is 1.00');
SELECT is(twice('w', 'SELECT ''WORD'' AS id', 'SELECT id FROM w'),
    'queued: 1 records, 1 already in flight', 'citext');
SELECT is(twice('big', 'SELECT 1 AS id UNION ALL SELECT -2', 'SELECT id FROM big'),
    'queued: 2 records, 2 already in flight', 'numbers of eight bytes do not meet by chance');
SET TimeZone = 'Asia/Tokyo';
SELECT is(twice('two', 'SELECT 1 AS a, timestamptz ''2026-01-01 12:00+00'' AS b',
    'SELECT a, b FROM two'), 'queued: 1 records, 1 already in flight', 'a key of two columns');
RESET TimeZone;
SELECT is(twice('j', 'SELECT ''x'' AS id', 'SELECT id FROM j'),
    'queued: 1 records, 1 already in flight', 'jsonb');
SELECT is(twice('bits', 'SELECT b''0001'' AS id', 'SELECT id FROM bits'),
    'queued: 1 records, 1 already in flight', 'a type without a hash');
SELECT throws_like($$SELECT twice('n', 'SELECT * FROM (VALUES (5.0), (5.00)) v(id)', '')$$,
    'the query returns the key "5.0%" more than once', 'equal keys in one query are refused');
SELECT throws_ok($$SELECT twice('big', 'SELECT ''word'' AS id', '')$$, '22P02',
    'invalid input syntax for type bigint: "word"', 'a key that is none');

-- A partition is its parent.
CREATE TABLE p (id int, part int, label text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE p1 (junk int, label text, part int, id int);
ALTER TABLE p1 DROP junk;
ALTER TABLE p1 ALTER id SET NOT NULL, ALTER part SET NOT NULL;
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
INSERT INTO p VALUES (1, 1), (2, 1);
SELECT ask('id = 1', target => 'p', key => 'id, part');
SELECT is(counts(ask('true', target => 'p1', key => 'id, part')),
    'queued: 1 records, 1 already in flight', 'a partition is its parent');

-- Other key columns
UPDATE tickets SET body = id;
ALTER TABLE tickets ADD UNIQUE (body);
SELECT ask('id = 9') AS nine \gset
SELECT throws_ok($$SELECT ask('id = 10', key => 'body')$$, '55006',
    'open batch job ' || :nine || ' knows the rows of public.tickets by other key columns',
    'other key columns');
SELECT lives_ok($$SELECT ask('id = 10', 'send', key => 'body')$$, '… may be sent');
SELECT batch_cancel(job_id) FROM batch_jobs WHERE finished_at IS NULL;
CALL batch_work('60 s');

--
-- Sessions at once: a submit waits for another's row, not for its table
--
SELECT sim.connect('one');
SELECT dblink_exec('one', 'BEGIN');
SELECT * FROM dblink('one', $$SELECT ask('id = 1')$$) AS r(job bigint);
SELECT is(counts(ask('id = 2')), 'queued: 1 records, 0 already in flight',
    'another row of a table that an open transaction submits');
SELECT sim.start('two', $$SELECT ask('id IN (1, 3)')$$);
CALL sim.await($$EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = 'two' AND wait_event_type = 'Lock')$$);
SELECT dblink_exec('one', 'COMMIT');
SELECT is(sim.finish('two'), '', 'the same row: it waits for the other');
SELECT is((SELECT counts(max(job_id)) FROM batch_jobs), 'queued: 1 records, 1 already in flight',
    '… and leaves it out');
SELECT dblink_exec('one', 'BEGIN');
SELECT * FROM dblink('one', $$SELECT ask('id = 4')$$) AS r(job bigint);
SELECT sim.start('two', $$SELECT ask('id = 4')$$);
CALL sim.await($$EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = 'two' AND wait_event_type = 'Lock')$$);
SELECT dblink_exec('one', 'ROLLBACK');
SELECT is(sim.finish('two'), '', 'the other rolls back');
SELECT is((SELECT counts(max(job_id)) FROM batch_jobs), 'queued: 1 records, 0 already in flight',
    '… the row is sent');
SELECT dblink_exec('one', 'BEGIN ISOLATION LEVEL REPEATABLE READ');
SELECT * FROM dblink('one', 'SELECT count(*) FROM tickets') AS r(n bigint);
SELECT ask('id = 5');
SELECT throws_ok($$SELECT * FROM dblink('one', 'SELECT ask(''id = 5'')') AS r(job bigint)$$,
    '40001', NULL, 'REPEATABLE READ: a serialization failure');
SELECT dblink_disconnect('one');
CALL batch_work('60 s');

--
-- Retry takes rows anew
--
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"},
    "action": {"batch_outcome": "expired", "finished": 0}, "times": "always"}');
UPDATE tickets SET label = NULL;
SELECT batch_submit('SELECT id FROM tickets WHERE id <= 3', server => 'openai', prompt => 'p',
    target => 'tickets', write_back => '{"label": "$"}', max_attempts => 1) AS r \gset
CALL batch_work('60 s');
SELECT is((SELECT state || ' ' || expired FROM batch_jobs WHERE job_id = :r), 'completed 3',
    'a job whose records have expired');
SELECT ask('id = 2') AS two \gset
SELECT is(batch_retry(:r), 2::bigint, 'rows that another job has by now stay');
SELECT matches(sim.psql(format('SELECT batch_retry(%s)', :r)),
    'NOTICE:  1 records stay as they are', '… a NOTICE says so');
SELECT is(counts(ask('id <= 3')), 'completed: 0 records, 3 already in flight',
    '… the others are in flight again');
SELECT sim.clear_faults();
CALL batch_work('60 s');
SELECT is((SELECT succeeded || ' ' || expired FROM batch_jobs WHERE job_id = :r), '2 1',
    '… and answered');

--
-- A job that is deleted; foreign jobs
--
SELECT ask('id = 1') AS gone \gset
DELETE FROM batchinf.job WHERE job_id = :gone;
SELECT is(counts(ask('id = 1')), 'queued: 1 records, 0 already in flight',
    'the rows of a deleted job are free');
SELECT ask('id = 6') AS f \gset
-- as after a restore: another installation
UPDATE batchinf.job SET database = 1, in_flight_target = 77 WHERE job_id = :f;
UPDATE batchinf.in_flight SET target = 77 WHERE job_id = :f;
SELECT is(counts(ask('id = 6')), 'completed: 0 records, 1 already in flight',
    'the rows of a foreign job are held');
SELECT batch_adopt(:f);
SELECT is(counts(ask('id = 6')), 'completed: 0 records, 1 already in flight',
    '… and those of the job once it is adopted');
CALL batch_work('60 s');
SELECT is(held(), 0::bigint, '… until it has ended');

-- A job without a target holds nothing.
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'p');
SELECT is(held(), 0::bigint, 'without a target nothing is in flight');
SELECT * FROM finish();
