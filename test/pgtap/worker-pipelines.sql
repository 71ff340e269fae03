-- Pipelines that the worker refreshes: every, after, min_rows and max_age, an error, a pause, the
-- time zone of a schedule.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
SELECT sim.tickets(10);
ALTER TABLE tickets ADD summary text;
CREATE FUNCTION pipeline(name text, col text DEFAULT 'label', more text DEFAULT '') RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    version int;
BEGIN
    EXECUTE format('SELECT batch_create_pipeline(%L, ''SELECT id, body FROM tickets'', ''openai'', '
        'prompt => ''{{body}}'', target => ''tickets'', write_back => %L%s)', name,
        jsonb_build_object(col, '$'), more)
    INTO version;
    RETURN version;
END $$;
-- Its time has come.
CREATE FUNCTION due(p text) RETURNS void LANGUAGE sql AS $$
    UPDATE batchinf.pipeline SET next_refresh = now() WHERE name = p;
    SELECT batch_resume_pipeline(p) $$;
CREATE FUNCTION jobs(p text) RETURNS text LANGUAGE sql AS $$
    SELECT COALESCE(string_agg(state || ' ' || written, ', ' ORDER BY job_id), '-')
    FROM batch_jobs WHERE pipeline = p $$;

SELECT pipeline('labels', more => ', every => ''1 hour''');
SELECT cmp_ok((SELECT next_refresh FROM batch_pipelines), '>', now() + interval '59 minutes',
    'the first refresh comes after "every"');
SELECT due('labels');
SELECT is(sim.until($$SELECT jobs('labels')$$, 'completed 10', 30), 'completed 10',
    'the worker refreshes what is due');
SELECT cmp_ok((SELECT next_refresh FROM batch_pipelines), '>', now() + interval '58 minutes',
    '… and again after "every"');
SELECT due('labels');
SELECT is(sim.until($$SELECT answered FROM batch_pipelines$$, '10', 30), '10',
    'a refresh where nothing is due');
SELECT is(jobs('labels'), 'completed 10', '… makes no job');

-- after
SELECT pipeline('summaries', 'summary', ', after => ''labels''');
SELECT is((SELECT next_refresh FROM batch_pipelines WHERE name = 'summaries'), NULL,
    'a pipeline that comes after another one has no time');
UPDATE tickets SET body = 'edited ' || id WHERE id < 3;
SELECT due('labels');
SELECT is(sim.until($$SELECT jobs('labels')$$, 'completed 10, completed 2', 30),
    'completed 10, completed 2', 'a job of that one has ended');
SELECT is(sim.until($$SELECT jobs('summaries')$$, 'completed 10', 30), 'completed 10',
    '… and it is refreshed');

-- min_rows and max_age
SELECT batch_alter_pipeline('labels', min_rows => 3, max_age => '1 day');
UPDATE tickets SET body = 'few ' || id WHERE id < 3;
SELECT due('labels');
SELECT is(sim.until($$SELECT last_error FROM batch_pipelines WHERE name = 'labels'$$,
    '2 rows are due, fewer than min_rows', 30), '2 rows are due, fewer than min_rows', 'min_rows');
SELECT is(jobs('labels'), 'completed 10, completed 2', '… nothing is sent');
UPDATE batchinf.pipeline SET due_since = now() - interval '2 days' WHERE name = 'labels';
SELECT due('labels');
SELECT is(sim.until($$SELECT jobs('labels')$$, 'completed 10, completed 2, completed 2', 30),
    'completed 10, completed 2, completed 2', 'max_age');

-- an error stops no other pipeline
SELECT batch_create_pipeline('broken', 'SELECT id, 1 / (id - 5) AS body FROM tickets', 'openai',
    prompt => '{{body}}', every => '1 hour');
SELECT due('broken');
SELECT is(sim.until($$SELECT last_error FROM batch_pipelines WHERE name = 'broken'$$,
    'division by zero', 30), 'division by zero', 'an error of a refresh is told');
SELECT cmp_ok((SELECT next_refresh FROM batch_pipelines WHERE name = 'broken'), '<',
    now() + interval '2 minutes', '… and tried again');
UPDATE tickets SET body = 'all ' || id WHERE id < 5;
SELECT due('labels');
SELECT is(sim.until($$SELECT right(jobs('labels'), 11)$$, 'completed 4', 30), 'completed 4',
    '… no other is held up');

-- a pause
SELECT batch_pause_pipeline('broken');
UPDATE batchinf.pipeline SET next_refresh = now(), last_error = NULL WHERE name = 'broken';
SELECT due('labels');
SELECT pg_sleep(1);
SELECT is((SELECT last_error FROM batch_pipelines WHERE name = 'broken'), NULL,
    'a paused one is not refreshed');

-- when the next refresh is
SELECT is(batchinf.next_time('2026-03-28 03:00+01', '1 day', 'Europe/Berlin',
    '2026-03-28 12:00+01'), '2026-03-29 03:00+02'::timestamptz,
    'the hour stays the same in summer');
SELECT is(batchinf.next_time('2026-10-24 03:00+02', '1 day', 'Europe/Berlin',
    '2026-10-24 12:00+02'), '2026-10-25 03:00+01'::timestamptz, '… and in winter');
SELECT is(batchinf.next_time('2026-01-01 03:00+00', '1 hour', 'UTC', '2026-01-05 03:10+00'),
    '2026-01-05 04:00+00'::timestamptz,
    'what was missed while the server was down is made up once');
SELECT is(batchinf.next_time('2026-01-10 03:00+00', '1 month', 'UTC', '2026-01-12 03:10+00'),
    '2026-02-10 03:00+00'::timestamptz, 'months');
SELECT is(batchinf.next_time('2026-10-25 01:58+02', '5 minutes', 'Europe/Berlin',
    '2026-10-25 01:59+02'), '2026-10-25 02:03+02', 'the hour that clocks repeat: every 5 minutes');
SELECT is(batchinf.next_time('2026-10-25 02:58+02', '5 minutes', 'Europe/Berlin',
    '2026-10-25 02:59+02'), '2026-10-25 02:03+01', '… also of the second time');
SELECT is(batchinf.next_time('2026-10-25 01:30+02', '1 hour', 'Europe/Berlin',
    '2026-10-25 01:31+02'), '2026-10-25 02:30+02', '… every hour');
SELECT is(batchinf.next_time('2026-10-24 14:30+02', '12 hours', 'Europe/Berlin',
    '2026-10-25 02:31+01'), '2026-10-25 14:30+01', '… every 12 hours: the hour stays');
SELECT is(batchinf.next_time(NULL, NULL, 'UTC', now()), NULL, 'without "every" there is no time');

-- without a worker
ALTER SYSTEM SET batchinf.enabled = off;
SELECT pg_reload_conf();
CALL sim.await($$NOT EXISTS (SELECT FROM pg_stat_activity
    WHERE backend_type = 'batchinf visit' AND datname = current_database())$$);
UPDATE tickets SET body = 'session ' || id WHERE id < 6;
SELECT due('labels');
CALL batch_work('30 s');
SELECT is(right(jobs('labels'), 11), 'completed 5', 'batch_work refreshes what is due');
SELECT batch_drop_pipeline(name) FROM batch_pipelines;
SELECT * FROM finish();
