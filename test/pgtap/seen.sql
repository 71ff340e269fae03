-- What users see of their jobs, what monitors see of all; and that a deleted job leaves nothing.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai', $$max_requests '20'$$);
CREATE FUNCTION ask(query text, max_attempts int DEFAULT 1) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', prompt => '{{p}}', max_attempts => max_attempts) $$;

-- a job that is deleted by hand leaves nothing behind
CREATE FUNCTION left_of(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s %s %s', (SELECT count(*) FROM batchinf.record WHERE job_id = job), (SELECT count(*) FROM batchinf.result WHERE job_id = job),
                  (SELECT count(*) FROM batchinf.chunk WHERE job_id = job), (SELECT count(*) FROM batchinf.event WHERE job_id = job)) $$;
SELECT ask('SELECT i AS id, ''p'' AS p FROM generate_series(1, 50) i') AS kept \gset
SELECT ask('SELECT i AS id, CASE WHEN i > 1 THEN ''p'' END AS p FROM generate_series(1, 50) i') AS gone \gset
CALL batch_work('60 s');
SELECT matches(left_of(:gone), '^50 50 3 [1-9]', 'records, results, chunks and events of a job');
SELECT left_of(:kept) AS before \gset
DELETE FROM batchinf.job WHERE job_id = :gone;
SELECT is(left_of(:gone), '0 0 0 0', 'a deleted job leaves none of them');
SELECT is(left_of(:kept), :'before', '… and those of another one as they were');
SELECT ask('SELECT 1 AS id, ''p'' AS p') AS queued \gset
DELETE FROM batchinf.job WHERE job_id = :queued;
SELECT is(left_of(:queued), '0 0 0 0', '… nor one of which nothing is sent');
BEGIN;
TRUNCATE batchinf.job CASCADE;
SELECT is(left_of(:kept), '0 0 0 0', 'TRUNCATE … CASCADE neither');
ROLLBACK;
SELECT is(left_of(:kept), :'before', '… unless it is rolled back');

-- while its answers are being delivered: what a process inserts afterwards is nobody's
CREATE TABLE slow (id int PRIMARY KEY, p text, label text);
INSERT INTO slow SELECT i, 'p' FROM generate_series(1, 5) i;
CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(1); RETURN NEW; END $$;
CREATE TRIGGER rest BEFORE UPDATE ON slow FOR EACH ROW EXECUTE FUNCTION rest();
SELECT batch_submit('SELECT id, p FROM slow', server => 'openai', prompt => '{{p}}', target => 'slow', write_back => '{"label": "$"}') AS gone \gset
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(sim.until('SELECT count(*) FROM pg_stat_activity WHERE application_name = ''work'' AND wait_event = ''PgSleep''', '1'), '1', 'answers are being written');
DELETE FROM batchinf.job WHERE job_id = :gone;
SELECT is(sim.finish('work'), '', 'their job is deleted: the process goes on');
SELECT is(left_of(:gone), '0 0 0 0', '… and nothing of the job is left');

SELECT * FROM finish();
