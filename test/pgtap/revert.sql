-- What an answer has overwritten is kept, and batch_revert puts it back where the row still holds
-- what was written.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE TABLE t (id int PRIMARY KEY, body text, label text, n int);
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE t;
    INSERT INTO t SELECT i, 'body ' || i, CASE WHEN i > 1 THEN 'old ' || i END, i
    FROM generate_series(1, 6) i $$;
CREATE FUNCTION ask(query text DEFAULT 'SELECT id, body FROM t ORDER BY id',
    write_if text DEFAULT 'unchanged',
    target regclass DEFAULT 't', write_back jsonb DEFAULT '{"label": "$"}', prompt text DEFAULT
    '[[sim:say=new]] {{body}}') RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', prompt => prompt, target => target,
        write_back => write_back, write_if => write_if) $$;
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(record_id || ' ' || write_state, ', ' ORDER BY record_id) FROM batch_records
    WHERE job_id = job $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s written, %s reverted, %s stale, %s missing, %s failed, %s waiting', state,
        written, reverted, stale, target_missing, write_failed, write_waiting)
    FROM batch_jobs WHERE job_id = job $$;
CREATE FUNCTION labels() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(COALESCE(label, '-'), ', ' ORDER BY id) FROM t $$;
CREATE FUNCTION old(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(COALESCE(s.old, '-'), ' ' ORDER BY s.seq) FROM batchinf.result s
    WHERE s.job_id = job $$;
-- the notices of batch_revert, and its result
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT sim.psql('SET client_min_messages = notice', format('SELECT batch_revert(%s)', job)) $$;

--
-- There and back
--
SELECT fill();
SELECT ask() AS a \gset
SELECT throws_ok(format('SELECT batch_revert(%s)', :a), '55006',
    format('cannot revert batch job %s: it has not ended', :a), 'an open job');
CALL batch_work('60 s');
SELECT is(labels(), 'new, new, new, new, new, new', 'answers are written');
SELECT is(old(:a), '[null] ["old 2"] ["old 3"] ["old 4"] ["old 5"] ["old 6"]',
    'what they have overwritten is kept');
SELECT is((SELECT count(*) FROM batchinf.result s JOIN t ON t.id = s.seq
           WHERE s.job_id = :a AND s.print = batch_fingerprint(ROW(t.label))), 6::bigint,
    '… and the fingerprint of what they have written');
UPDATE t SET label = 'by hand' WHERE id = 2;
UPDATE t SET n = -3 WHERE id = 3;
DELETE FROM t WHERE id = 4;
SELECT is(told(:a),
    format(E'NOTICE:  not put back of batch job %s: 2 rows (changed since: 1, gone: 1)\n4', :a),
    'batch_revert: how many rows, and how many not, and why');
SELECT is(labels(), '-, by hand, old 3, old 5, old 6',
    '… puts back what a row held, where it holds what was written');
SELECT is((SELECT n FROM t WHERE id = 3), -3, '… in the written columns only');
SELECT is(states(:a),
    '1 reverted, 2 written, 3 reverted, 4 written, 5 reverted, 6 reverted',
    '… write_state says so');
SELECT is(counts(:a), 'completed: 2 written, 4 reverted, 0 stale, 0 missing, 0 failed, 0 waiting',
    '… and the counts do');
UPDATE t SET label = 'mine' WHERE id = 5;
SELECT is(told(:a),
    format(E'NOTICE:  not put back of batch job %s: 2 rows (changed since: 1, gone: 1)\n0', :a),
    'a second time nothing changes');
SELECT is(labels(), '-, by hand, old 3, mine, old 6', '… indeed');
SELECT is(counts(:a), 'completed: 2 written, 4 reverted, 0 stale, 0 missing, 0 failed, 0 waiting',
    '… the counts, too');
SELECT is(batch_rewrite(:a), 0::bigint, 'batch_rewrite leaves reverted answers out');
SELECT is(batch_rewrite(:a, '{reverted}'), 4::bigint, '… unless it names them');
SELECT is(counts(:a), 'running: 2 written, 0 reverted, 0 stale, 0 missing, 0 failed, 4 waiting',
    '… the counts are right meanwhile');
CALL batch_work('60 s');
SELECT is(labels(), 'new, by hand, new, mine, new',
    '… they are written again, where the row holds what it held at submit');
SELECT is(counts(:a), 'completed: 5 written, 0 reverted, 1 stale, 0 missing, 0 failed, 0 waiting',
    '… and counted');
SELECT is(batch_revert(:a), 3::bigint, '… and put back again');
SELECT is(labels(), '-, by hand, old 3, mine, old 6', '… as before');
BEGIN;
SELECT fill();
SELECT ask() AS b \gset
COMMIT;
CALL batch_work('60 s');
BEGIN;
SELECT is(batch_revert(:b), 6::bigint, 'in a transaction');
ROLLBACK;
SELECT is(labels() || ' ' || counts(:b), 'new, new, new, new, new, new completed: 6 written, '
    '0 reverted, 0 stale, 0 missing, 0 failed, 0 waiting', '… that is rolled back nothing is done');

--
-- Two writes of one row; jobs one after the other
--
SELECT ask(write_if => 'always', prompt => '[[sim:say=newer]] {{body}}') AS c \gset
CALL batch_work('60 s');
SELECT is(told(:b),
    format(E'NOTICE:  not put back of batch job %s: 6 rows (changed since: 6)\n0', :b),
    'what a later job has overwritten is not put back');
SELECT is(batch_revert(:c), 6::bigint, '… before that is');
SELECT is(batch_revert(:b), 6::bigint, '… then it is');
SELECT is(labels(), '-, old 2, old 3, old 4, old 5, old 6', '… to what it was at first');
CREATE TABLE twice (id numeric PRIMARY KEY, label text);
INSERT INTO twice VALUES (1, 'old');
SELECT batch_submit('SELECT * FROM (VALUES (1.0, ''one''), (1, ''two'')) v(id, p)',
    server => 'openai', prompt => '[[sim:say={{p}}]]', target => 'twice', key => 'id',
    write_back => '{"label": "$"}', write_if => 'always', in_flight => 'send') AS twice \gset
CALL batch_work('60 s');
SELECT is(old(:twice) || ' ' || (SELECT label FROM twice), '["old"] ["one"] two',
    'two answers to one row: the second has overwritten the first');
SELECT is(batch_revert(:twice), 2::bigint, '… both are undone');
SELECT is(label, 'old', '… in the other order') FROM twice;

--
-- What is not known
--
UPDATE batchinf.result SET old = NULL, print = NULL WHERE job_id = :a AND seq = 2;
SELECT is(told(:a),
    format(E'NOTICE:  not put back of batch job %s: 2 rows (changed since: 1, old value unknown: 1)'
           '\n0', :a), 'a row of an older version');
CREATE TABLE copies (id int, body text, label text);
INSERT INTO copies VALUES (1, 'a', 'first'), (1, 'a', 'second'), (2, 'b', 'only');
SELECT batch_submit('SELECT 1 AS id, ''x'' AS body UNION ALL SELECT 2, ''y''', server => 'openai',
    prompt => '[[sim:say=new]] {{body}}', target => 'copies', key => 'id',
    write_back => '{"label": "$"}', write_if => 'always') AS copies \gset
CALL batch_work('60 s');
SELECT is(old(:copies), '- ["only"]', 'several rows with the key: nothing is kept');
SELECT is(told(:copies),
    format(E'NOTICE:  not put back of batch job %s: 1 rows (old value unknown: 1)\n1', :copies),
    '… and nothing put back');
SELECT is(string_agg(label, ', ' ORDER BY label), 'new, new, only', '… indeed') FROM copies;
CREATE ROLE revert_blind;
GRANT USAGE ON FOREIGN SERVER openai TO revert_blind;
CREATE USER MAPPING FOR revert_blind SERVER openai OPTIONS (api_key 'sk-sim');
GRANT SELECT (id, body), UPDATE (label) ON t TO revert_blind;
SELECT fill();
SET ROLE revert_blind;
SELECT ask() AS blind \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is(old(:blind) || ' ' || labels(), '- - - - - - new, new, new, new, new, new',
    'a role that may not read the column has no old values of it');
GRANT SELECT (label) ON t TO revert_blind;
SELECT is(told(:blind),
    format(E'NOTICE:  not put back of batch job %s: 6 rows (old value unknown: 6)\n0', :blind),
    '… also when it may later');

--
-- Types come back exactly
--
CREATE TYPE mood AS ENUM ('fine', 'not "so" fine');
CREATE DOMAIN mark AS numeric(4, 1) CHECK (VALUE >= 0);
CREATE DOMAIN doc AS jsonb;
CREATE TYPE pair AS (a int, b text);
CREATE TABLE types (id int PRIMARY KEY, label text, i2 int2, i8 int8, f4 float4, f8 float8,
    num numeric, num2 numeric(6, 2), mny money, tx text, vc varchar(9), ch char(5), nm name,
    one "char", ba bytea, bl bool, dt date, ts timestamp, tz timestamptz, tm time, tmz timetz,
    iv interval, uu uuid, ip inet, cd cidr, mac macaddr, bt bit(3), vb varbit, js json, jb jsonb,
    xm xml, pt point, bx box, tsv tsvector, rng int4range, tzr tstzrange, mr int4multirange,
    ai int[], at text[], aa int[], atz timestamptz[], md mood, amd mood[], mk mark, dc doc, pr pair,
    apr pair[], lsn pg_lsn, rc regclass, jn jsonb, nul text);
INSERT INTO types VALUES (1, NULL, -7, 9007199254740993, 0.1, 0.1::float8 + 0.2, 1e-30, 1.50,
    '$1,234.56', E'a"b\\c\n\t\u00e9', 'it''s', 'ab', 'name', 'x', '\x00ff27', false,
    '0044-03-15 BC',
    '2026-01-31 12:00:00.123456', '2026-03-29 02:30:00+02', '24:00', '12:00:00.5+05:30',
    '-1 year +2 days -03:04:05.6', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::1/64', '10/8',
    '08:00:2b:01:02:03', B'101', B'', '{"b" :1, "a": [1.0,  null]}', '{"b": 1.10, "a": null}',
    '<a>x</a>', '(0.1,2)', '(1,1),(0,0)', 'fat:2 cat:1A', '[1,5)', '[2026-01-01 00:00+01,)',
    '{[1,3),[7,9)}', '{{1,2},{NULL,4}}', '{"a,b",NULL,"null","",x}', '[0:1]={5,6}',
    '{2026-01-01 00:00:00+01}', 'not "so" fine', '{fine,"not \"so\" fine"}', 12.3,
    '[1, {"x": 2}]',
    '(1,"a ""b"", c")', '{"(1,x)","(,)"}', '16/B374D848', 'types', 'null', NULL);
CREATE TABLE before AS SELECT * FROM types;
CREATE FUNCTION same() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(o.key, ', ') FROM before b, types t,
        json_each_text(to_json(ROW(b.*)::before)) o JOIN json_each_text(to_json(ROW(t.*)::types)) n
            USING (key) WHERE o.value IS DISTINCT FROM n.value $$;
SELECT batch_submit('SELECT id FROM types', server => 'openai', prompt => '[[sim:say=null]] {{id}}',
    target => 'types', write_if => 'always', write_back => (
        SELECT jsonb_object_agg(attname, CASE WHEN attname = 'label' THEN '$' ELSE '$.none' END)
        FROM pg_attribute
        WHERE attrelid = 'types'::regclass AND attnum > 2 AND attname <> 'nul')) AS types \gset
CALL batch_work('60 s');
SELECT is((SELECT write_state || COALESCE(': ' || write_error, '') FROM batch_records
           WHERE job_id = :types), 'written', 'a row of many types is written');
SELECT is((SELECT count(*) FROM types t, json_each_text(to_json(ROW(t.*)::types)) n
           WHERE value IS NOT NULL), 1::bigint, '… all is overwritten');
SET DateStyle = 'German';
SET IntervalStyle = 'sql_standard';
SET TimeZone = 'Asia/Kolkata';
SET extra_float_digits = -3;
SET bytea_output = 'escape';
SET array_nulls = off;
SELECT is(batch_revert(:types), 1::bigint, 'it is put back, in a session with other settings');
RESET ALL;
SET client_min_messages = error;
SELECT is(same(), NULL, '… exactly');
SELECT ok(record_image_eq(b, t), '… byte for byte') FROM before b, types t;

--
-- Others write the row meanwhile
--
-- Answers are being written while another session has row 2: the update waits, and sees the row as
-- that session leaves it.
CREATE PROCEDURE race(how text, update text) LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    PERFORM fill();
    job := ask('SELECT id, n AS body FROM t', how);
    COMMIT;
    PERFORM sim.connect('one'), dblink_exec('one', 'BEGIN'), dblink_exec('one', update);
    PERFORM sim.work_beside();
    CALL sim.await('EXISTS (SELECT FROM pg_locks WHERE NOT granted)');
    PERFORM dblink_exec('one', 'COMMIT'), dblink_disconnect('one');
    COMMIT;
    CALL sim.await(format('(SELECT state = ''completed'' FROM batch_jobs WHERE job_id = %s)', job));
    PERFORM set_config('test.job', job::text, false);
END $$;
CREATE FUNCTION raced() RETURNS text LANGUAGE sql AS $$
    SELECT old(current_setting('test.job')::bigint) $$;
CALL race('always', $$UPDATE t SET label = 'meanwhile' WHERE id = 2$$);
SELECT is(raced(), '[null] ["meanwhile"] ["old 3"] ["old 4"] ["old 5"] ["old 6"]',
    'write_if always: what is kept is what the other transaction left');
SELECT is(batch_revert(current_setting('test.job')::bigint), 6::bigint, '… and is put back');
SELECT is(labels(), '-, meanwhile, old 3, old 4, old 5, old 6', '… indeed');
CALL race('unchanged', $$UPDATE t SET label = 'meanwhile' WHERE id = 2$$);
SELECT is(raced(), '[null] - ["old 3"] ["old 4"] ["old 5"] ["old 6"]',
    'write_if unchanged: a row that is not written has no old value');
CALL race('unchanged', $$UPDATE t SET body = 'meanwhile' WHERE id = 2$$);
SELECT is(raced(), '[null] ["old 2"] ["old 3"] ["old 4"] ["old 5"] ["old 6"]',
    '… one that another transaction changed elsewhere has it');
CALL race('always', $$UPDATE t SET label = repeat('x', 100000) WHERE id = 2$$);
SELECT is(length((SELECT old FROM batchinf.result
                  WHERE job_id = current_setting('test.job')::bigint AND seq = 2)), 100004,
    '… also a large one');
-- the same with a BEFORE trigger, which locks the row first
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.label := upper(NEW.label);
    RETURN CASE WHEN OLD.id = 5 THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER shout BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION shout();
CALL race('always', $$UPDATE t SET label = 'meanwhile' WHERE id = 2$$);
SELECT is(raced(), '[null] ["MEANWHILE"] ["old 3"] ["old 4"] - ["old 6"]',
    'a BEFORE trigger: what the row held before it');
SELECT is((SELECT count(*) FROM batchinf.result s JOIN t ON t.id = s.seq
           WHERE s.job_id = current_setting('test.job')::bigint AND t.label = 'NEW'
               AND s.print = batch_fingerprint(ROW(t.label))), 5::bigint,
    '… and the fingerprint of what the trigger made of the answer');
SELECT is(told(current_setting('test.job')::bigint), '5', 'a revert runs the trigger');
SELECT is(labels(), '-, MEANWHILE, OLD 3, OLD 4, old 5, OLD 6', '… which has its say');
DROP TRIGGER shout ON t;
-- a revert that waits for another transaction
SELECT fill();
SELECT ask() AS wait \gset
CALL batch_work('60 s');
SELECT sim.connect('one'), dblink_exec('one', 'BEGIN'),
    dblink_exec('one', $$UPDATE t SET label = 'meanwhile' WHERE id = 2$$),
    dblink_exec('one', $$UPDATE t SET body = 'meanwhile' WHERE id = 3$$) \g /dev/null
SELECT sim.start('two', format('SELECT batch_revert(%s)::text', :wait));
CALL sim.await($$EXISTS (SELECT FROM pg_locks WHERE NOT granted)$$);
SELECT dblink_exec('one', 'COMMIT'), dblink_disconnect('one') \g /dev/null
SELECT is(sim.finish('two'), '', 'a revert waits for another transaction');
SELECT is(labels(), '-, meanwhile, old 3, old 4, old 5, old 6',
    '… and puts back what that has not changed');
SELECT is(counts(:wait), 'completed: 1 written, 5 reverted, 0 stale, 0 missing, 0 failed, '
    '0 waiting', '… one row is not');

--
-- Partitions, rows that move, plans, errors
--
CREATE TABLE parts (id int, label text, PRIMARY KEY (id, label)) PARTITION BY LIST (label);
CREATE TABLE parts_new PARTITION OF parts FOR VALUES IN ('new');
CREATE TABLE parts_old PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT i, 'old ' || i FROM generate_series(1, 4) i;
SELECT batch_submit('SELECT id, ''x'' AS body FROM parts', server => 'openai',
    prompt => '[[sim:say=new]] {{body}}', target => 'parts', key => 'id',
    write_back => '{"label": "$"}') AS parts \gset
CALL batch_work('60 s');
SELECT is(old(:parts) || (SELECT count(*) FROM parts_new),
    '["old 1"] ["old 2"] ["old 3"] ["old 4"]4', 'rows that move to another partition');
UPDATE parts SET label = 'mine' WHERE id = 1;
SELECT is(told(:parts),
    format(E'NOTICE:  not put back of batch job %s: 1 rows (changed since: 1)\n3', :parts),
    '… move back');
SELECT is(string_agg(tableoid::regclass || ' ' || label, ', ' ORDER BY id),
    'parts_old mine, parts_old old 2, parts_old old 3, parts_old old 4', '… indeed') FROM parts;
-- … also when another session has changed one of them meanwhile
SELECT batch_submit('SELECT id, ''x'' AS body FROM parts', server => 'openai',
    prompt => '[[sim:say=new]] {{body}}', target => 'parts', key => 'id', write_if => 'always',
    write_back => '{"label": "$"}') AS parts_race \gset
SELECT sim.connect('one'), dblink_exec('one', 'BEGIN'),
    dblink_exec('one', $$UPDATE parts SET label = 'meanwhile' WHERE id = 2$$) \g /dev/null
SELECT sim.work_beside();
CALL sim.await('EXISTS (SELECT FROM pg_locks WHERE NOT granted)');
SELECT dblink_exec('one', 'COMMIT'), dblink_disconnect('one') \g /dev/null
CALL sim.await(format('(SELECT state = ''completed'' FROM batch_jobs WHERE job_id = %s)',
                      :parts_race));
SELECT is(old(:parts_race), '["mine"] ["meanwhile"] ["old 3"] ["old 4"]',
    '… what is kept is what the other session left');
SELECT is(batch_revert(:parts_race), 4::bigint, '… and is put back');
SELECT is(string_agg(tableoid::regclass || ' ' || label, ', ' ORDER BY id),
    'parts_old mine, parts_old meanwhile, parts_old old 3, parts_old old 4', '… indeed')
FROM parts;
SET max_parallel_workers_per_gather = 4;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET force_parallel_mode = on;
SET enable_nestloop = off;
SELECT fill();
SELECT ask() AS hash \gset
CALL batch_work('60 s');
SELECT is(old(:hash), '[null] ["old 2"] ["old 3"] ["old 4"] ["old 5"] ["old 6"]',
    'a hash join, and settings that favour parallel plans');
SELECT is(batch_revert(:hash), 6::bigint, '… back, too');
SET enable_hashjoin = off;
SELECT ask(write_if => 'always') AS merge \gset
CALL batch_work('60 s');
SELECT is(old(:merge), '[null] ["old 2"] ["old 3"] ["old 4"] ["old 5"] ["old 6"]', 'a merge join');
SELECT is(batch_revert(:merge), 6::bigint, '… back, too');
RESET ALL;
SET client_min_messages = error;
ALTER TABLE t ADD CONSTRAINT odd CHECK (label IS DISTINCT FROM 'new' OR id <> 3);
SELECT ask() AS odd \gset
CALL batch_work('60 s');
SELECT is(old(:odd), '[null] ["old 2"] - ["old 4"] ["old 5"] ["old 6"]',
    'after an error each row has its own old value');
ALTER TABLE t DROP CONSTRAINT odd;
ALTER TABLE t ADD CONSTRAINT odd CHECK (label IS DISTINCT FROM 'old 4') NOT VALID;
SELECT is(told(:odd),
    format(E'NOTICE:  not put back of batch job %s: 1 rows (refused by the table: 1)\n'
           'DETAIL:  The first error was: new row for relation "t" violates check constraint '
           '"odd"\n4', :odd), 'a row that the table refuses stops no other');
SELECT is(labels(), '-, old 2, old 3, new, old 5, old 6', '… indeed');
ALTER TABLE t DROP CONSTRAINT odd;
SELECT fill();

--
-- Groups of large values
--
CREATE TABLE large (id int PRIMARY KEY, label text);
INSERT INTO large SELECT i, repeat(i || E'\n', 3000000 / (1 + length(i::text)))
FROM generate_series(1, 12) i;
CREATE TABLE was AS SELECT * FROM large;
SELECT batch_submit('SELECT id FROM large', server => 'openai', prompt => '[[sim:say=x]] {{id}}',
    target => 'large', write_back => '{"label": "$"}', write_if => 'always') AS large \gset
CALL batch_work('60 s');
SELECT is((SELECT count(old) FROM batchinf.result WHERE job_id = :large), 12::bigint,
    'old values that are too large for one group are kept');
SELECT is((SELECT string_agg(DISTINCT label, '') FROM large), 'x', '… the answers are written');
SELECT is(batch_revert(:large), 12::bigint, '… all are put back');
SELECT is((SELECT count(*) FROM large JOIN was USING (id, label)), 12::bigint, '… indeed');

--
-- The target changes between write and revert
--
CREATE TABLE moved (dropped int, id int PRIMARY KEY, label text, other text);
ALTER TABLE moved DROP dropped;
INSERT INTO moved SELECT i, 'old ' || i FROM generate_series(1, 3) i;
SELECT ask('SELECT id, label AS body FROM moved', target => 'moved') AS moved \gset
CALL batch_work('60 s');
ALTER TABLE moved RENAME COLUMN label TO "The label";
ALTER TABLE moved RENAME COLUMN id TO "the id";
ALTER TABLE moved ADD COLUMN label text DEFAULT 'mine';
ALTER TABLE moved RENAME TO "Moved";
SELECT is(batch_revert(:moved), 3::bigint, 'renamed table and columns are followed');
SELECT is(string_agg("The label" || ' ' || label, ', ' ORDER BY "the id"),
    'old 1 mine, old 2 mine, old 3 mine', '… indeed') FROM "Moved";
CREATE TABLE swapped (id int PRIMARY KEY, label text);
INSERT INTO swapped SELECT i, 'old ' || i FROM generate_series(1, 3) i;
SELECT ask('SELECT id, label AS body FROM swapped', target => 'swapped') AS swapped \gset
CALL batch_work('60 s');
CREATE TABLE swapped_new (more text, label text, id int PRIMARY KEY);
INSERT INTO swapped_new (id, label) SELECT id, label FROM swapped WHERE id < 3;
ALTER TABLE swapped RENAME TO swapped_old;
ALTER TABLE swapped_new RENAME TO swapped;
DROP TABLE swapped_old;
SELECT is(told(:swapped),
    format(E'NOTICE:  not put back of batch job %s: 1 rows (gone: 1)\n2', :swapped),
    'a table that was exchanged');
ALTER TABLE swapped DROP COLUMN label;
SELECT throws_ok(format('SELECT batch_revert(%s)', :swapped), '55000',
    'column "label" of target table public.swapped does not exist any more', 'a dropped column');

--
-- Rights, and hostile code
--
CREATE ROLE revert_owner;
CREATE ROLE revert_member IN ROLE revert_owner;
CREATE ROLE revert_other;
GRANT CREATE, USAGE ON SCHEMA public TO revert_owner, revert_other;
GRANT USAGE ON FOREIGN SERVER openai TO revert_owner;
CREATE USER MAPPING FOR revert_owner SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE revert_owner;
CREATE TABLE theirs (id int PRIMARY KEY, body text, label text, seen text);
INSERT INTO theirs SELECT i, 'body', 'old ' || i FROM generate_series(1, 3) i;
SELECT ask('SELECT id, body FROM theirs', target => 'theirs') AS theirs \gset
RESET ROLE;
CALL batch_work('60 s');
SET ROLE revert_other;
SELECT throws_ok(format('SELECT batch_revert(%s)', :theirs), '42501',
    format('permission denied to revert batch job %s', :theirs), 'another role may not');
RESET ROLE;
SELECT is((SELECT string_agg(DISTINCT label, '') FROM theirs), 'new', '… and changes nothing');
-- its code runs as the owner, in a restricted operation, also if a superuser reverts
SET ROLE revert_owner;
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.seen := format('%s %s %s', current_user, public.batch_note(1, 1, ROW('forged')),
        COALESCE(public.batch_noted(1, 1), 'none'));
    PERFORM pg_advisory_lock(4711);
    BEGIN
        CREATE TEMP TABLE left_behind ();
    EXCEPTION WHEN insufficient_privilege THEN
        NEW.seen := NEW.seen || ' restricted';
    END;
    RETURN NEW;
END $$;
CREATE TRIGGER spy BEFORE UPDATE ON theirs FOR EACH ROW EXECUTE FUNCTION spy();
RESET ROLE;
SELECT pg_advisory_lock(42) \g /dev/null
BEGIN;
SELECT is(batch_revert(:theirs), 3::bigint, 'a superuser reverts');
SELECT is(current_user::text, 'postgres', '… and is themselves afterwards');
SELECT is(string_agg(DISTINCT seen, ', '), 'revert_owner t none restricted',
    '… code of the table runs as the owner of the job, in a restricted operation')
FROM theirs;
ROLLBACK;
SELECT ok(pg_advisory_unlock(42), '… advisory locks of the session stay');
SELECT pg_advisory_unlock_all() \g /dev/null
SET ROLE revert_member;
SELECT is(batch_revert(:theirs), 3::bigint, 'a member of the owner may');
SELECT pg_advisory_unlock_all() \g /dev/null
RESET ROLE;
-- code of the table calls the functions while an answer is written
SET ROLE revert_owner;
SELECT ask('SELECT id, body FROM theirs', target => 'theirs') AS forged \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is(old(:forged), '["old 1"] ["old 2"] ["old 3"]', 'code of the table forges no old values');
SET ROLE revert_other;
SELECT ok(batch_note(1, 1, ROW(1)), 'batch_note does nothing in a call by hand');
SELECT is(batch_noted(1, 1), NULL, '… nor does batch_noted');
RESET ROLE;
-- a superuser's job on the table of an ordinary role
SELECT ask('SELECT id, body FROM theirs', target => 'theirs', write_if => 'always') AS super \gset
CALL batch_work('60 s');
SET ROLE revert_owner;
SELECT throws_ok(format('SELECT batch_revert(%s)', :super), '42501',
    format('permission denied to revert batch job %s', :super),
    'the owner of the table may not revert a superuser''s job');
RESET ROLE;
SELECT is(batch_revert(:super), 3::bigint, 'a superuser may');
SELECT pg_advisory_unlock_all() \g /dev/null
SELECT is(string_agg(DISTINCT seen, ', '), 'revert_owner t none restricted',
    '… code of the table runs as its owner') FROM theirs;
DROP TRIGGER spy ON theirs;
REVOKE EXECUTE ON FUNCTION batch_noted(bigint, int) FROM PUBLIC;
SET ROLE revert_owner;
SELECT ask('SELECT id, body FROM theirs', target => 'theirs', write_if => 'always') AS revoked \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is(old(:revoked) || states(:revoked), '- - -1 written, 2 written, 3 written',
    'a role that may not call the functions is written, without old values');
GRANT EXECUTE ON FUNCTION batch_noted(bigint, int) TO PUBLIC;
-- deferred constraints
CREATE TABLE labels (label text PRIMARY KEY);
INSERT INTO labels VALUES ('new'), ('old');
CREATE TABLE refers (id int PRIMARY KEY, body text,
    label text REFERENCES labels DEFERRABLE INITIALLY DEFERRED);
INSERT INTO refers VALUES (1, 'b', 'old');
SELECT ask('SELECT id, body FROM refers', target => 'refers') AS refers \gset
CALL batch_work('60 s');
SELECT is(batch_revert(:refers), 1::bigint, 'a deferred foreign key');
SELECT is(label, 'old', '… is checked') FROM refers;

SELECT throws_ok('SELECT batch_revert(NULL)', '22004', 'argument "job_id" must not be null',
    'no job');
SELECT throws_ok('SELECT batch_revert(0)', '42704', 'batch job 0 does not exist', 'an unknown job');
SELECT batch_submit('SELECT 1 AS id, ''x'' AS p', server => 'openai', prompt => '{{p}}') AS none
\gset
CALL batch_work('60 s');
SELECT is(batch_revert(:none), 0::bigint, 'a job that writes nothing');
UPDATE batchinf.job SET install = gen_random_uuid() WHERE job_id = :none;
SELECT throws_like(format('SELECT batch_revert(%s)', :none), '%it belongs to another installation',
    'a job of another installation');
CREATE ROLE revert_gone IN ROLE revert_owner;
GRANT USAGE ON FOREIGN SERVER openai TO revert_gone;
CREATE USER MAPPING FOR revert_gone SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE revert_gone;
SELECT ask('SELECT id, body FROM theirs', target => 'theirs', write_if => 'always') AS gone \gset
RESET ROLE;
CALL batch_work('60 s');
DROP USER MAPPING FOR revert_gone SERVER openai;
REVOKE USAGE ON FOREIGN SERVER openai FROM revert_gone;
DROP ROLE revert_gone;
SELECT throws_ok(format('SELECT batch_revert(%s)', :gone), '28000',
    'the owner of the batch job does not exist any more', 'a job whose owner is gone');
SELECT batch_adopt(:gone, 'revert_owner') \g /dev/null
SELECT is(batch_revert(:gone), 3::bigint, '… and that another role has now');
SELECT * FROM finish();
DROP OWNED BY revert_blind, revert_owner, revert_member, revert_other CASCADE;
DROP ROLE revert_blind, revert_member, revert_owner, revert_other;
