-- Partitioned tables whose rows move: by the answer itself and by others between submit and write,
-- partitions that are detached and attached meanwhile, and a partition as the target.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE FUNCTION ask(query text, target text DEFAULT 'p', wb jsonb DEFAULT '{"label": "$"}',
    say text DEFAULT 'new', write_if text DEFAULT 'unchanged', key text DEFAULT 'id')
RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', target => target::regclass, key => key,
        prompt => '[[sim:say=' || say || ']] {{body}}', write_back => wb, write_if => write_if) $$;
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(record_id || ' ' || write_state, ', ' ORDER BY seq) FROM batch_records
    WHERE job_id = job $$;
CREATE FUNCTION left_out(job bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT already_in_flight FROM batch_jobs WHERE job_id = job $$;
CREATE TABLE p (id int, region text, body text, label text) PARTITION BY LIST (region);
CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a');
-- other numbers of columns than its parent's
CREATE TABLE p_b (label text, gone int, body text, region text, id int);
ALTER TABLE p_b DROP gone;
ALTER TABLE p ATTACH PARTITION p_b FOR VALUES IN ('b');
CREATE TABLE p_c PARTITION OF p FOR VALUES IN ('c') PARTITION BY RANGE (id);
CREATE TABLE p_c1 PARTITION OF p_c FOR VALUES FROM (0) TO (100);
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE p;
    INSERT INTO p SELECT i, 'a', 'body ' || i FROM generate_series(1, 6) i $$;
CREATE FUNCTION places() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', id, tableoid::regclass, label), ', ' ORDER BY id) FROM p $$;

--
-- The answer moves the row
--
SELECT fill();
SELECT ask('SELECT id, body FROM p WHERE id <= 2', say => 'b',
    wb => '{"region": "$", "label": "$"}') AS job \gset
SELECT ask('SELECT id, body FROM p WHERE id = 3', say => 'c',
    wb => '{"region": "$", "label": "$"}') AS deep \gset
SELECT ask('SELECT id, body FROM p WHERE id IN (4, 5)', say => 'z', wb => '{"region": "$"}')
    AS nowhere \gset
CALL batch_work('60 s');
SELECT is(places(), '1 p_b b, 2 p_b b, 3 p_c1 c, 4 p_a, 5 p_a, 6 p_a',
    'an answer that sets the partition key moves its row');
SELECT is(states(:job) || ', ' || states(:deep), '1 written, 2 written, 3 written', '… is written');
SELECT is(string_agg(DISTINCT write_state || ': ' || write_error, ', '),
    'write_failed: no partition of relation "p" found for row (Partition key of the failing row '
    'contains (region) = (z).)', 'where there is no partition it fails, with the reason')
FROM batch_records WHERE job_id = :nowhere;

--
-- Others move it meanwhile
--
SELECT fill();
SELECT ask('SELECT id, body FROM p WHERE id <= 3') AS job \gset
UPDATE p SET region = 'b' WHERE id IN (1, 2);
UPDATE p SET body = 'edited' WHERE id = 2;
UPDATE p SET region = 'c' WHERE id = 3;
SELECT ask('SELECT id, body FROM p WHERE id IN (2, 3, 4)') AS second \gset
SELECT ask('SELECT id, body FROM p_b', 'p_b') AS third \gset
SELECT is(left_out(:second) || ' ' || left_out(:third), '2 2',
    'promise 11: rows that were moved are still in the first job, for its partitions too');
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 stale, 3 written',
    'promise 11: rows that were moved are written, unless they have changed');
SELECT is(places(), '1 p_b new, 2 p_b, 3 p_c1 new, 4 p_a new, 5 p_a, 6 p_a', '… where they are');
SELECT fill();
SELECT ask('SELECT id, region || body AS body FROM p WHERE id <= 2') AS job \gset
UPDATE p SET region = 'b' WHERE id = 1;
CALL batch_work('60 s');
SELECT is(states(:job), '1 stale, 2 written',
    'a row that was moved is stale if its region was sent');
-- while the write waits for it
SELECT fill();
SELECT ask('SELECT id, body FROM p WHERE id <= 2') AS job \gset
SELECT sim.connect('mover');
SELECT dblink_exec('mover', 'BEGIN');
SELECT dblink_exec('mover', $$UPDATE p SET region = 'b' WHERE id = 1$$);
SELECT sim.work_until(format('(SELECT count(write_state) = 2 FROM batch_records '
    'WHERE job_id = %s)', :job));
SELECT is(states(:job), '1 waiting, 2 written', 'a row that is being moved waits');
SELECT dblink_exec('mover', 'COMMIT');
SELECT batch_resume(:job);
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written', '… and is written where it went');
SELECT dblink_disconnect('mover');

--
-- A partition as the target
--
SELECT fill();
SELECT ask('SELECT id, body FROM p_a WHERE id <= 3', 'p_a') AS job \gset
SELECT ask('SELECT id, body FROM p_a WHERE id = 4', 'p_a', '{"region": "$"}', 'b') AS out \gset
UPDATE p SET region = 'b' WHERE id = 2;
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 target_missing, 3 written',
    'a row that was moved out of the target is missing');
SELECT is(string_agg(write_state || ': ' || write_error, ''),
    'write_failed: new row for relation "p_a" violates partition constraint (Failing row contains '
    '(4, b, body 4, null).)', 'an answer moves no row out of it')
FROM batch_records WHERE job_id = :out;
UPDATE p SET region = 'a' WHERE id = 2;
SELECT is(batch_rewrite(:job), 1::bigint, 'batch_rewrite, when it is back');
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written, 3 written', '… writes it');

--
-- Detached and attached meanwhile
--
SELECT fill();
INSERT INTO p VALUES (7, 'b', 'body 7');
SELECT ask('SELECT id, body FROM p WHERE id IN (1, 7)') AS job \gset
SELECT ask('SELECT id, body FROM p_b', 'p_b') AS nothing \gset
ALTER TABLE p DETACH PARTITION p_b;
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 7 target_missing', 'a row of a detached partition is missing');
ALTER TABLE p ATTACH PARTITION p_b FOR VALUES IN ('b');
SELECT is(batch_rewrite(:job), 1::bigint, 'batch_rewrite, when it is attached again');
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 7 written', '… writes it');

-- a target that is detached, or attached: its rows are in flight by the same keys
SELECT fill();
SELECT ask('SELECT id, body FROM p_a WHERE id IN (1, 2)', 'p_a') AS job \gset
ALTER TABLE p DETACH PARTITION p_a;
SELECT ask('SELECT id, body FROM p_a WHERE id IN (2, 3)', 'p_a') AS second \gset
SELECT is(left_out(:second), 1::bigint,
    'promise 11: rows of a target that was detached meanwhile are in the first job');
ALTER TABLE p ATTACH PARTITION p_a FOR VALUES IN ('a');
SELECT ask('SELECT id, body FROM p WHERE id IN (1, 3, 4)') AS third \gset
SELECT is(left_out(:third), 2::bigint,
    'promise 11: … and of one that was attached');
CALL batch_work('60 s');
SELECT is(states(:job) || ', ' || states(:second) || ', ' || states(:third),
    '1 written, 2 written, 3 written, 4 written', '… all are written');
CREATE TABLE alone (id int, region text, body text, label text);
INSERT INTO alone SELECT i, 'd', 'body ' || i FROM generate_series(11, 13) i;
SELECT ask('SELECT id, body FROM alone WHERE id <= 12', 'alone') AS job \gset
ALTER TABLE p ATTACH PARTITION alone FOR VALUES IN ('d');
SELECT ask('SELECT id, body FROM p WHERE region = ''d''') AS second \gset
SELECT is(left_out(:second), 2::bigint,
    'promise 11: rows of a table that was attached meanwhile are in the first job');
CALL batch_work('60 s');
SELECT is(states(:job) || ', ' || states(:second), '11 written, 12 written, 13 written',
    '… all are written');

SELECT * FROM finish();
