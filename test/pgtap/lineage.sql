-- batch_lineage: which jobs have written a row, for those who may see them.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE TABLE t (id int PRIMARY KEY, body text, label text, moods text);
INSERT INTO t SELECT i, 'body ' || i FROM generate_series(1, 3) i;
CREATE FUNCTION ask(word text, target regclass DEFAULT 't', write_back jsonb DEFAULT
    '{"label": "$"}', query text DEFAULT 'SELECT id, body FROM t') RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai',
        prompt => format('[[sim:say=%s]] {{body}}', word), target => target,
        write_back => write_back, write_if => 'always') $$;
-- what is said of a row, a line for each column and job; jobs by their words
CREATE FUNCTION said(target regclass, key text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s %s', column_name,
            COALESCE(substring(prompt FROM 'say=(\w*)'), '?'), COALESCE(current::text, 'unknown')),
        ', ' ORDER BY n)
    FROM batch_lineage(target, key) WITH ORDINALITY l(column_name, job_id, pipeline, version,
        server, model, prompt, mode, record_id, finished_at, cost, current, n) $$;

SELECT is(said('t', '1'), NULL, 'nothing has been written');
SELECT ask('one') AS one \gset
SELECT is(said('t', '1'), NULL, '… not yet');
CALL batch_work('60 s');
SELECT results_eq(
    $$SELECT column_name, job_id, pipeline, version, server, model, prompt, mode, record_id, cost,
        current FROM batch_lineage('t', '1')$$,
    format($$VALUES ('label', %s::bigint, NULL::text, NULL::int, 'openai',
        'gpt-5.4-mini-2026-03-17', '[[sim:say=one]] {{body}}', 'batch', '1', %s, true)$$,
        :one, (SELECT cost FROM batch_records WHERE job_id = :one AND record_id = '1')),
    'a write: its column and its job, and the row still holds it');
SELECT is(l.finished_at, r.finished_at, '… and when the answer was stored')
FROM batch_lineage('t', '1') l JOIN batch_records r USING (job_id, record_id);
SELECT ask('two', write_back => '{"label": "$", "moods": "$"}') AS two \gset
CALL batch_work('60 s');
SELECT is(said('t', '1'), 'label two true, moods two true, label one false',
    'the last job comes first; what it has overwritten is not current');
UPDATE t SET label = 'by hand' WHERE id = 1;
UPDATE t SET body = 'by hand' WHERE id = 2;
DELETE FROM t WHERE id = 3;
SELECT is(said('t', '1'), 'label two false, moods two false, label one false',
    'one of the columns was changed: the row does not hold all that was written');
SELECT is(said('t', '2'), 'label two true, moods two true, label one false',
    'another column was changed');
SELECT is(said('t', '3'), 'label two false, moods two false, label one false',
    'a row that is gone has its past');
UPDATE t SET label = 'one', moods = NULL WHERE id = 1;
SELECT is(said('t', '1'), 'label two false, moods two false, label one true',
    'a value that is there again');
SELECT is(batch_revert(:two), 1::bigint, 'a revert');
SELECT is(said('t', '2'), 'label two false, moods two false, label one true',
    '… what it has taken back is not current, what was before is');
SELECT is(said('t', '4'), NULL, 'a row that was never there');
UPDATE batchinf.result SET old = NULL, print = NULL WHERE job_id = :one;
SELECT is(said('t', '1'), 'label two false, moods two false, label one unknown',
    'of jobs of an older version it is not known whether the row holds what they wrote');

--
-- Pipelines, several keys, other answers
--
SELECT batch_create_pipeline('labels', 'SELECT id, body FROM t', server => 'openai',
    prompt => '[[sim:say=pipe]] {{body}}', target => 't', write_back => '{"moods": "$"}');
SELECT batch_alter_pipeline('labels', prompt => '[[sim:say=piped]] {{body}}');
SELECT batch_refresh('labels') AS pipe \gset
CALL batch_work('60 s');
SELECT is(format('%s %s %s', pipeline, version, prompt), 'labels 2 [[sim:say=piped]] {{body}}',
    'a pipeline and its version')
FROM batch_lineage('t', '1') WHERE job_id = :pipe;
CREATE TABLE pairs (a int, b text, body text, label text, PRIMARY KEY (a, b));
INSERT INTO pairs VALUES (1, 'x y', 'p'), (2, 'x', 'q');
SELECT ask('pair', 'pairs', query => 'SELECT a, b, body FROM pairs') AS pair \gset
CALL batch_work('60 s');
SELECT is(said('pairs', ROW(1, 'x y'::text)::text), 'label pair true', 'a key of two columns');
SELECT is(said('pairs', '1'), NULL, '… is not found by one of them');
SELECT is(said('t', ROW(1, 'x y'::text)::text), NULL, '… nor in another table');
CREATE TABLE copies (id int, body text, label text);
INSERT INTO copies VALUES (1, 'a'), (1, 'a'), (2, 'b'), (3, 'c');
SELECT batch_submit('SELECT DISTINCT id, body FROM copies', server => 'openai', key => 'id',
    prompt => '[[sim:say=copy]] {{body}}', target => 'copies', write_back => '{"label": "$"}',
    write_if => 'always') AS copies \gset
DELETE FROM copies WHERE id = 3;
CALL batch_work('60 s');
SELECT is(said('copies', '1'), 'label copy unknown', 'several rows with the key');
SELECT is(said('copies', '2'), 'label copy true', '… another key');
INSERT INTO copies VALUES (2, 'b', 'more');
SELECT is(said('copies', '2'), 'label copy true', '… one of two rows holds what was written');
SELECT is(said('copies', '3'), NULL, 'an answer that was not written is not there');

--
-- Renamed, exchanged, partitioned
--
CREATE TABLE moved (id int PRIMARY KEY, body text, label text, moods text);
INSERT INTO moved VALUES (1, 'b');
SELECT ask('moved', 'moved', '{"label": "$", "moods": "$"}', 'SELECT id, body FROM moved') AS moved
\gset
CALL batch_work('60 s');
ALTER TABLE moved RENAME COLUMN label TO "The label";
ALTER TABLE moved RENAME COLUMN id TO "the id";
ALTER TABLE moved RENAME TO "Moved";
CREATE TABLE moved (id int PRIMARY KEY, label text);
SELECT is(said('"Moved"', '1'), 'The label moved true, moods moved true',
    'a renamed table and its renamed columns');
SELECT is(said('moved', '1'), NULL, '… not the one that has its name now');
DROP TABLE moved;
ALTER TABLE "Moved" DROP COLUMN moods;
SELECT is(said('"Moved"', '1'), 'The label moved false',
    'a column was dropped: the row does not hold all that was written');
DROP TABLE "Moved";
CREATE TABLE moved (moods text, label text, id int PRIMARY KEY);
INSERT INTO moved VALUES ('moved', 'moved', 1);
SELECT is(said('moved', '1'), 'label moved true, moods moved true',
    'a table that was exchanged, by its name');
CREATE TABLE parts (id int PRIMARY KEY, body text, label text) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO parts VALUES (1, 'a'), (11, 'b');
SELECT ask('root', 'parts', query => 'SELECT id, body FROM parts') AS root \gset
CALL batch_work('60 s');
SELECT ask('leaf', 'parts_high', query => 'SELECT id, body FROM parts_high') AS leaf \gset
CALL batch_work('60 s');
SELECT is(said('parts', '11'), 'label leaf true, label root false',
    'a partitioned table: also what was written to a partition');
SELECT is(said('parts_high', '11'), 'label leaf true, label root false',
    '… a partition: also what was written to its root');
SELECT is(said('parts_low', '1'), 'label root true', '… another one');

--
-- Who sees what
--
CREATE ROLE lineage_owner;
CREATE ROLE lineage_other;
CREATE ROLE lineage_monitor IN ROLE pg_monitor;
CREATE ROLE lineage_reader IN ROLE pg_read_all_data;
GRANT CREATE, USAGE ON SCHEMA public TO lineage_owner, lineage_other;
GRANT USAGE ON FOREIGN SERVER openai TO lineage_owner;
CREATE USER MAPPING FOR lineage_owner SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE lineage_owner;
CREATE TABLE theirs (id int PRIMARY KEY, body text, label text, moods text);
INSERT INTO theirs VALUES (1, 'body'), (2, 'body');
SELECT ask('secret', 'theirs', '{"label": "$", "moods": "$"}', 'SELECT id, body FROM theirs')
    AS theirs \gset
RESET ROLE;
CALL batch_work('60 s');
SET ROLE lineage_other;
SELECT throws_ok($$SELECT * FROM batch_lineage('theirs', '1')$$, '42501',
    'permission denied for table theirs', 'a role that may not read the table');
RESET ROLE;
GRANT SELECT ON theirs TO lineage_other, lineage_monitor;
SET ROLE lineage_other;
SELECT is(said('theirs', '1'), NULL, 'one that may sees no jobs of others');
RESET ROLE;
SET ROLE lineage_monitor;
SELECT is(said('theirs', '1'), 'label ? true, moods ? true', 'pg_monitor: without words of users');
RESET ROLE;
SET ROLE lineage_reader;
SELECT is(said('theirs', '1'), 'label secret true, moods secret true', 'pg_read_all_data: all');
RESET ROLE;
SET ROLE lineage_owner;
SELECT is(said('theirs', '1'), 'label secret true, moods secret true', 'the owner: all');
RESET ROLE;
REVOKE SELECT ON theirs FROM lineage_other;
GRANT lineage_owner TO lineage_other;
ALTER ROLE lineage_other NOINHERIT;
GRANT SELECT (id, label) ON theirs TO lineage_other;
SET ROLE lineage_other;
SELECT is(said('theirs', '1'), NULL, 'a member without INHERIT sees nothing');
RESET ROLE;
ALTER ROLE lineage_other INHERIT;
REVOKE lineage_owner FROM lineage_other;
GRANT lineage_owner TO lineage_other;
REVOKE SELECT ON theirs FROM lineage_owner;
GRANT SELECT (id, label) ON theirs TO lineage_owner;
SET ROLE lineage_other;
SELECT is(said('theirs', '1'), 'label secret unknown',
    'only columns that the caller may read; whether it holds all of them is not told');
RESET ROLE;
GRANT SELECT ON theirs TO lineage_owner;
-- a policy runs as the owner of the table, in a restricted operation
SET ROLE lineage_owner;
CREATE TABLE seen (who text);
CREATE FUNCTION spy(id int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'seen by %', current_user;
    RETURN id = 1;
END $$;
CREATE POLICY spy ON theirs USING (spy(id));
ALTER TABLE theirs ENABLE ROW LEVEL SECURITY;
ALTER TABLE theirs FORCE ROW LEVEL SECURITY;
RESET ROLE;
SELECT is(said('theirs', '1'), 'label secret true, moods secret true', 'a superuser');
SELECT matches(sim.psql($$SELECT count(*) FROM batch_lineage('theirs', '1')$$),
    'seen by lineage_owner', '… code of the table runs as its owner');
SELECT doesnt_match(sim.psql($$SELECT count(*) FROM batch_lineage('theirs', '1')$$), '%postgres%',
    '… not as the superuser');
SET ROLE lineage_owner;
SELECT is(said('theirs', '2'), 'label secret false, moods secret false',
    'a row that a policy hides holds nothing for the caller');
RESET ROLE;
-- a job of another installation counts by its name
UPDATE batchinf.job SET install = gen_random_uuid(), target = 1 WHERE job_id = :root;
SELECT is(said('parts', '1'), 'label root true', 'a job of another installation, by names');

SELECT throws_ok($$SELECT * FROM batch_lineage(NULL, '1')$$, '22004',
    'argument "target" must not be null', 'no table');
SELECT throws_ok($$SELECT * FROM batch_lineage('t', NULL)$$, '22004',
    'argument "key" must not be null', 'no key');
CREATE VIEW v AS SELECT * FROM t;
SELECT is(said('v', '1'), NULL, 'nothing is written to a view');
DROP VIEW v;
ALTER TABLE t ALTER id TYPE uuid USING gen_random_uuid();
SELECT is(said('t', '1'),
    'moods piped unknown, label two unknown, moods two unknown, label one unknown',
    'a key that does not fit any more');
-- quick, however many records there are
SELECT is((SELECT amname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
           JOIN pg_am a ON a.oid = c.relam WHERE i.indexrelid = 'batchinf.record_id'::regclass),
    'hash', 'an index finds records by their key');
SELECT * FROM finish();
DROP OWNED BY lineage_owner, lineage_other, lineage_monitor, lineage_reader CASCADE;
DROP ROLE lineage_owner, lineage_other, lineage_monitor, lineage_reader;
