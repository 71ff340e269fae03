-- A pipeline that comes after another one, and is refreshed while a job of that one ends: what that
-- refresh did not see yet is sent by the next one.  Followers that are paused, refreshed by hand,
-- or have a time of their own.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
SELECT sim.tickets(3);
ALTER TABLE tickets ADD summary text, ADD other text;
SELECT batch_create_pipeline('labels', 'SELECT id, body FROM tickets', 'openai',
    prompt => '{{body}}', target => 'tickets', write_back => '{"label": "$"}');
CREATE FUNCTION follower(name text, col text, more text DEFAULT '') RETURNS int LANGUAGE plpgsql
AS $$
DECLARE
    version int;
BEGIN
    EXECUTE format('SELECT batch_create_pipeline(%L, ''SELECT id, label AS prompt FROM tickets'','
        ' ''openai'', target => ''tickets'', write_back => %L, after => ''labels''%s)', name,
        jsonb_build_object(col, '$'), more)
    INTO version;
    RETURN version;
END $$;
CREATE FUNCTION jobs(p text) RETURNS text LANGUAGE sql AS $$
    SELECT COALESCE(string_agg(state || ' ' || written, ', ' ORDER BY job_id), '-')
    FROM batch_jobs WHERE pipeline = p $$;
SELECT follower('summaries', 'summary'), follower('others', 'other');

-- The end of the job is written, and not committed until this session says so.
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7);
    RETURN NULL;
END $$;
CREATE TRIGGER linger AFTER INSERT ON batchinf.pipeline_ended EXECUTE FUNCTION linger();
SELECT pg_advisory_lock(7);
SELECT sim.connect('other');
SELECT dblink_exec('other', 'BEGIN');
SELECT dblink_exec('other', 'UPDATE tickets SET other = other WHERE id = 2');
SELECT batch_refresh('labels');
SELECT sim.start('work', 'CALL public.batch_work(''60 s'')');
SELECT is(sim.until($$SELECT written || ' ' || write_waiting FROM batch_jobs
    WHERE pipeline = 'labels'$$, '2 1'), '2 1', 'a row is locked, the others are labelled');
SELECT dblink_exec('other', 'COMMIT');
SELECT is(sim.until($$SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
    AND NOT granted$$, '1'), '1', 'its label is written with the end of the job');
SELECT batch_refresh('summaries') AS job \gset
SELECT is((SELECT array_agg(record_id ORDER BY record_id) FROM batch_records WHERE job_id = :job
    AND outcome IS DISTINCT FROM 'skipped'), '{1,3}', 'a refresh before its commit cannot see it');
SELECT pg_advisory_unlock(7);
SELECT is(sim.finish('work'), '', 'the job ends');
SELECT is((SELECT string_agg(id || ' ' || (summary IS NOT NULL), ', ' ORDER BY id) FROM tickets),
    '1 true, 2 true, 3 true', '… the follower goes on with what it had not seen');
SELECT is((SELECT count(*) FROM tickets WHERE other IS NOT NULL), 3::bigint,
    '… and so does the other one');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 9, '… each row is paid once in each');
SELECT is((SELECT count(*) FROM batchinf.pipeline_ended), 0::bigint, 'nothing is left to do');
SELECT dblink_disconnect('other');

-- refreshed by hand before the worker comes, and one that is rolled back
DROP TRIGGER linger ON batchinf.pipeline_ended;
UPDATE tickets SET body = 'new ' || id WHERE id = 1;
SELECT batch_pause_pipeline('summaries');
SELECT batch_pause_pipeline('others');
SELECT batch_refresh('labels');
CALL batch_work('60 s');
SELECT is(jobs('summaries') || '; ' || jobs('others'), 'completed 2, completed 1; completed 3',
    'followers that are paused wait');
BEGIN;
SELECT batch_resume_pipeline('summaries');
SELECT isnt(batch_refresh('summaries'), NULL, 'a refresh by hand');
ROLLBACK;
SELECT batch_resume_pipeline('others');
CALL batch_work('60 s');
SELECT is(jobs('others'), 'completed 3, completed 1', '… one that is resumed goes on');
SELECT is(jobs('summaries'), 'completed 2, completed 1', '… and the other one still waits');
SELECT batch_resume_pipeline('summaries');
CALL batch_work('60 s');
SELECT is(jobs('summaries'), 'completed 2, completed 1, completed 1', '… until it is resumed');
SELECT is((SELECT count(*) FROM batchinf.pipeline_ended), 0::bigint, '… and nothing is left');

-- a time of its own beside
ALTER TABLE tickets ADD third text;
SELECT follower('both', 'third', ', every => ''1 hour''');
UPDATE tickets SET body = 'newer ' || id WHERE id = 2;
SELECT batch_refresh('labels');
CALL batch_work('60 s');
SELECT is(jobs('both'), 'completed 3', '"every" beside "after": the end of a job counts');
SELECT cmp_ok((SELECT next_refresh FROM batch_pipelines WHERE name = 'both'), '>',
    now() + interval '58 minutes', '… and so does the time');
SELECT * FROM finish();
