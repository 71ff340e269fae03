-- Pipelines: what is due and what is not, versions, settings and rights, refreshes at once, what a
-- pipeline leaves when jobs go.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
SELECT sim.tickets(20);

SELECT is(
    batch_create_pipeline('labels', 'SELECT id, body FROM tickets', 'openai',
        prompt => 'Label: {{body}}', target => 'tickets', write_back => '{"label": "$"}'),
    1, 'a pipeline has version 1');
CREATE FUNCTION refreshed(name text DEFAULT 'labels', force bool DEFAULT false) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    job bigint := batch_refresh(name, force => force);
BEGIN
    RETURN COALESCE((SELECT b.records::text FROM batch_jobs b WHERE b.job_id = job), 'nothing');
END $$;
CREATE FUNCTION numbers(p text DEFAULT 'labels') RETURNS text LANGUAGE sql AS $$
    SELECT format('%s rows, %s answered, %s due, %s in flight, %s failed, %s', rows, answered, due,
        in_flight, failed, coverage)
    FROM batch_pipelines WHERE name = p $$;
CREATE FUNCTION billed() RETURNS int LANGUAGE sql AS $$
    SELECT (sim.ledger() ->> 'billed_requests')::int $$;

--
-- What is due
--
SELECT batch_refresh('labels') AS job \gset
SELECT is((SELECT state || ' ' || records || ' ' || pipeline || ' ' || version FROM batch_jobs
    WHERE job_id = :job), 'queued 20 labels 1', 'the first refresh sends all rows');
SELECT is(refreshed(), 'nothing', 'a second one sends nothing of what is in flight');
SELECT is(numbers(), '20 rows, 0 answered, 0 due, 20 in flight, 0 failed, 0.0000', '… and counts');
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM tickets WHERE label LIKE '%body ' || id), 20::bigint,
    'the rows are labelled');
SELECT is(refreshed(), 'nothing', 'a refresh where nothing has changed sends nothing');
SELECT is(numbers(), '20 rows, 20 answered, 0 due, 0 in flight, 0 failed, 1.0000',
    '… all is answered');
SELECT is(billed(), 20, '… and nothing is paid');
SELECT matches(sim.psql($$SELECT batch_refresh('labels')$$),
    'NOTICE:  nothing is due in pipeline "labels"', '… a NOTICE says so');
INSERT INTO tickets SELECT i, 'body ' || i FROM generate_series(21, 23) i;
UPDATE tickets SET body = 'edited 1' WHERE id = 1;
UPDATE tickets SET label = 'by hand' WHERE id = 2;
UPDATE tickets SET label = NULL WHERE id = 3;
SELECT batch_refresh('labels') AS job \gset
SELECT is((SELECT array_agg(record_id ORDER BY record_id::int) FROM batch_records
    WHERE job_id = :job), '{1,21,22,23}', 'new and changed rows are due, and no others');
CALL batch_work('60 s');
SELECT is((SELECT array_agg(COALESCE(label, '-') ORDER BY id) FROM tickets WHERE id IN (2, 3)),
    '{by hand,-}', 'an edit of the label is not overwritten, nor is NULL filled again');
SELECT is(refreshed(), 'nothing', '… at no refresh');
SELECT is(batch_forget('labels', '{2,3,77}'), 2::bigint, 'batch_forget');
SELECT is(refreshed(), '2', '… makes rows due');
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM tickets WHERE label LIKE '%body ' || id), 22::bigint,
    '… they are labelled again');

-- jobs go, answers stay known
DELETE FROM batchinf.job;
SELECT is(refreshed(), 'nothing', 'no row is due because its job was deleted');

-- most of it at once
UPDATE tickets SET body = 'again ' || id;
SELECT is(refreshed(), 'nothing', 'more than half of the answered rows: it stops');
SELECT matches((SELECT last_error FROM batch_pipelines),
    '^23 of 23 answered rows would be sent again, under the same version', '… with last_error');
SELECT matches(sim.psql($$SELECT batch_refresh('labels')$$),
    'WARNING:  pipeline "labels" was not refreshed', '… and a WARNING');
SELECT is(refreshed(force => true), '23', 'force => true');
CALL batch_work('60 s');
SELECT is((SELECT last_error FROM batch_pipelines), NULL, '… there is no error any more');

-- a few at a time
UPDATE tickets SET body = 'few ' || id WHERE id <= 6;
SELECT batch_refresh('labels', max_rows => 4) AS few \gset
SELECT is((SELECT records FROM batch_jobs WHERE job_id = :few), 4::bigint, 'max_rows');
SELECT is(numbers(), '23 rows, 17 answered, 2 due, 4 in flight, 0 failed, 0.7391',
    '… the rest is due');
SELECT isnt((SELECT oldest_due FROM batch_pipelines), NULL, '… since a time');
SELECT batch_refresh('labels', max_rows => 4) AS rest \gset
SELECT is((SELECT records FROM batch_jobs WHERE job_id = :rest), 2::bigint,
    '… and goes at the next refresh, not what is in flight');
CALL batch_work('60 s');

--
-- Failures
--
UPDATE tickets SET body = '[[sim:refuse]] ' || id WHERE id = 5;
SELECT is(refreshed(), '1', 'a row that fails');
CALL batch_work('60 s');
SELECT is(refreshed(), 'nothing', '… is not sent again by itself');
SELECT is(numbers(), '23 rows, 22 answered, 0 due, 0 in flight, 1 failed, 0.9565', '… but counted');
SELECT is(batch_alter_pipeline('labels', retry_failed_after => '1 microsecond'), 2,
    'retry_failed_after');
SELECT is(refreshed(), '1', '… makes it due again');
CALL batch_work('60 s');
SELECT is(batch_alter_pipeline('labels', retry_failed_after => '1 day'), 3, '… after its time');
SELECT is(refreshed(), 'nothing', '… not before');
UPDATE tickets SET body = 'good again' WHERE id = 5;
SELECT is(refreshed(), '1', 'a failed row that has changed is due');
CALL batch_work('60 s');

--
-- Versions
--
SELECT is(batch_alter_pipeline('labels', prompt => 'Name it: {{body}}'), 4, 'another prompt');
SELECT is(refreshed(), 'nothing', '… makes no answered row due');
UPDATE tickets SET body = 'edited 7' WHERE id = 7;
SELECT is(batch_alter_pipeline('labels', prompt => 'Call it: {{body}}'), 5,
    'another one, while a row has changed');
SELECT batch_refresh('labels') AS job \gset
SELECT is((SELECT array_agg(record_id) FROM batch_records WHERE job_id = :job), '{7}',
    '… that row is due');
SELECT is((SELECT input FROM batch_records WHERE job_id = :job), 'Call it: edited 7',
    '… with the new prompt');
SELECT is((SELECT version FROM batch_jobs WHERE job_id = :job), 5, '… and version');
CALL batch_work('60 s');
SELECT is(batch_alter_pipeline('labels', resend => true), 6, 'resend');
SELECT is(refreshed(), '23', '… makes all rows due that older versions answered');
CALL batch_work('60 s');
SELECT is(refreshed(), 'nothing', '… once');
COMMENT ON COLUMN tickets.label IS 'a comment';
ALTER SERVER openai OPTIONS (ADD max_requests '100');
SELECT is(refreshed(), 'nothing', 'comments and limits make nothing due');
ALTER SERVER openai OPTIONS (SET model 'gpt-5.4');
SELECT is(refreshed(), 'nothing', 'another model of the server makes all due: it stops');
SELECT matches((SELECT last_error FROM batch_pipelines), '^23 of 23', '… and says so');
ALTER SERVER openai OPTIONS (SET model 'gpt-5.4-mini');
SELECT is(refreshed(), 'nothing', '… nothing is due');
SELECT is((SELECT last_error FROM batch_pipelines), NULL, '… no error');

--
-- An answer that came too late is written once its text is back
--
SELECT batch_drop_pipeline('labels');
TRUNCATE tickets;
INSERT INTO tickets SELECT i, 'body ' || i FROM generate_series(1, 5) i;
SELECT batch_create_pipeline('labels', 'SELECT id, body FROM tickets', 'openai',
    prompt => '{{body}}', target => 'tickets', write_back => '{"label": "$"}');
SELECT is(refreshed(), '5', 'sent');
UPDATE tickets SET body = 'other' WHERE id = 1;
CALL batch_work('60 s');
SELECT is((SELECT string_agg(write_state, ',' ORDER BY record_id) FROM batch_records
    WHERE job_id = (SELECT max(job_id) FROM batch_jobs)),
    'stale,written,written,written,written', 'one row has changed meanwhile');
UPDATE tickets SET body = 'body 1' WHERE id = 1;
SELECT billed() AS billed \gset
SELECT is(refreshed(), 'nothing', 'its text is again what was answered: nothing is sent');
CALL batch_work('60 s');
SELECT ok((SELECT label LIKE '%body 1' FROM tickets WHERE id = 1), '… the kept answer is written');
SELECT is(billed(), :billed, '… without paying');
SELECT is(refreshed(), 'nothing', '… and that is all');
SELECT is(numbers(), '5 rows, 5 answered, 0 due, 0 in flight, 0 failed, 1.0000',
    '… all is answered');

-- … but not while another job has the row
UPDATE tickets SET body = 'one 2' WHERE id = 2;
SELECT batch_refresh('labels') AS kept \gset
UPDATE tickets SET body = 'other 2' WHERE id = 2;
CALL batch_work('60 s');
SELECT is(refreshed(), '1', 'a row whose answer is kept is sent with another text');
UPDATE tickets SET body = 'one 2' WHERE id = 2;
SELECT is(refreshed(), 'nothing', '… it has its old text again while that is in flight');
SELECT is((SELECT write_state FROM batch_records WHERE job_id = :kept), 'stale',
    '… the kept answer is not written meanwhile');
CALL batch_work('60 s');
SELECT is(refreshed(), '1', '… and the row is due');
CALL batch_work('60 s');
SELECT ok((SELECT label LIKE '%one 2' FROM tickets WHERE id = 2), '… its own answer is written');
SELECT is(refreshed(), 'nothing', '… and that is all');

-- a label that was edited by hand, while its row was in flight, stays
UPDATE tickets SET body = 'slow ' || id WHERE id IN (2, 3);
SELECT is(refreshed(), '2', 'two rows are sent');
UPDATE tickets SET label = 'by hand' WHERE id = 2;
CREATE TABLE away AS SELECT * FROM tickets WHERE id = 3;
DELETE FROM tickets WHERE id = 3;
CALL batch_work('60 s');
CREATE FUNCTION left_alone() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(write_state || ' ' || (SELECT state FROM batch_jobs j
        WHERE j.job_id = r.job_id), ',' ORDER BY record_id)
    FROM batch_records r WHERE input LIKE 'slow%' $$;
SELECT is(left_alone(), 'stale completed,target_missing completed', '… and not written');
INSERT INTO tickets SELECT * FROM away;
SELECT is(refreshed(), 'nothing', '… the next refresh tries the kept answers once more');
SELECT is(left_alone(), 'waiting running,waiting running', '… which wait to be written');
CALL batch_work('60 s');
SELECT is(left_alone(), 'stale completed,written completed',
    '… what is there again is written, an edit is not overwritten');
SELECT is(refreshed(), 'nothing', '… and sends nothing at the next one');
SELECT is(left_alone(), 'stale completed,written completed',
    '… which tries nothing, as that row holds what it held');
UPDATE tickets SET label = 'other hand' WHERE id = 2;
SELECT is(refreshed(), 'nothing', '… edited again');
SELECT is(left_alone(), 'waiting running,written running', '… it is tried again, once');
CALL batch_work('60 s');
SELECT is(left_alone(), 'stale completed,written completed', '… and stays');

-- a key with two texts: one would be sent at each refresh
CREATE TABLE text (id int, body text);
INSERT INTO text SELECT i, 'text ' || i FROM generate_series(1, 3) i;
SELECT batch_create_pipeline('twice', 'SELECT id, body FROM text', 'openai', prompt => '{{body}}');
SELECT is(refreshed('twice'), '3', 'a pipeline whose query has a key once');
CALL batch_work('60 s');
INSERT INTO text VALUES (2, 'another text 2');
SELECT throws_ok($$SELECT batch_refresh('twice')$$, '23505',
    'the query returns the key "2" more than once', '… and twice, of which one is answered');
INSERT INTO text SELECT i, 'text ' || i FROM generate_series(4, 4000) i;
UPDATE text SET id = 4000 WHERE body LIKE 'another%';
SELECT throws_ok($$SELECT batch_refresh('twice')$$, '23505',
    'the query returns the key "4000" more than once', '… or none');
DELETE FROM text WHERE body LIKE 'another%';
SELECT is(refreshed('twice'), '3997', '… once again');
SELECT batch_drop_pipeline('twice');

--
-- Two refreshes at once send each row once
--
UPDATE tickets SET body = 'at once ' || id WHERE id < 3;
SELECT sim.connect('one');
SELECT dblink_exec('one', 'BEGIN');
SELECT * FROM dblink('one', $$SELECT refreshed()$$) AS r(n text);
SELECT sim.start('two', $$SELECT batch_refresh('labels')$$);
CALL sim.await($$EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = 'two' AND wait_event_type = 'Lock')$$);
SELECT dblink_exec('one', 'COMMIT');
SELECT is(sim.finish('two'), '', 'a second refresh waits for the first');
SELECT is((SELECT count(*) FROM batch_records WHERE input LIKE 'at once%'), 2::bigint,
    'promise 11: … and sends no row again');
CALL batch_work('60 s');
SELECT dblink_disconnect('one');

--
-- Settings, rights, the context that it runs in
--
CREATE SCHEMA hers;
CREATE TABLE hers.events (at timestamptz PRIMARY KEY, body text, label text);
INSERT INTO hers.events VALUES ('2026-06-01 12:00+00', 'one'), ('2026-06-01 13:00+00', 'two');
SET search_path = hers, public;
SET TimeZone = 'Asia/Tokyo';
SET my.tenant = 'acme';
SELECT batch_create_pipeline('events',
    'SELECT at, body || '' '' || at || '' '' || current_setting(''my.tenant'') AS body FROM events',
    'openai', prompt => '{{body}}', target => 'events', write_back => '{"label": "$"}');
RESET search_path;
RESET TimeZone;
SET my.tenant = 'other';
SELECT batch_refresh('events') AS job \gset
SELECT is((SELECT min(input) FROM batch_records WHERE job_id = :job),
    'one 2026-06-01 21:00:00+09 acme', 'a refresh runs with the settings of the create');
SELECT is((SELECT min(record_id) FROM batch_records WHERE job_id = :job), '2026-06-01 12:00:00+00',
    'keys are rendered in UTC');
CALL batch_work('60 s');
SET TimeZone = 'Europe/Berlin';
SELECT is(refreshed('events'), 'nothing', '… in any session');
RESET TimeZone;

CREATE ROLE pipe_bob;
GRANT USAGE ON FOREIGN SERVER openai TO pipe_bob;
CREATE USER MAPPING FOR pipe_bob SERVER openai OPTIONS (api_key 'sk-sim');
CREATE TABLE bobs (id int PRIMARY KEY, body text, label text);
INSERT INTO bobs VALUES (1, 'x');
ALTER TABLE bobs OWNER TO pipe_bob;
CREATE TABLE secret (words text);
INSERT INTO secret VALUES ('sesame');
GRANT CREATE ON SCHEMA public TO pipe_bob;
SET ROLE pipe_bob;
CREATE FUNCTION steal() RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT words FROM secret); EXCEPTION WHEN OTHERS THEN RETURN current_user; END $$;
SELECT batch_create_pipeline('bobs', 'SELECT id, body || steal() AS body FROM bobs', 'openai',
    prompt => '{{body}}', target => 'bobs', write_back => '{"label": "$"}');
SELECT throws_ok($$SELECT batch_refresh('labels')$$, '42501',
    'permission denied to refresh pipeline "labels"', 'another''s pipeline');
SELECT throws_ok($$SELECT batch_alter_pipeline('labels', prompt => 'x')$$, '42501', NULL,
    '… is not to be altered');
SELECT throws_ok($$SELECT batch_drop_pipeline('labels')$$, '42501', NULL, '… or dropped');
SELECT is((SELECT array_agg(name) FROM batch_pipelines), '{bobs}', '… or seen');
RESET ROLE;
SELECT batch_refresh('bobs') AS job \gset
SELECT is((SELECT input FROM batchinf.record WHERE job_id = :job), 'xpipe_bob',
    'promise 5: it runs as its owner, whoever refreshes');
SELECT is((SELECT owner FROM batch_jobs WHERE job_id = :job), 'pipe_bob', '… whose job it is');

--
-- Bad input, and what is wrong with the query
--
SELECT throws_ok($$SELECT batch_create_pipeline('labels', 'SELECT 1 AS id', 'openai',
    prompt => 'x')$$, '42710', 'pipeline "labels" already exists', 'a name that is taken');
SELECT throws_ok($$SELECT batch_create_pipeline('bad', 'SELECT no FROM tickets', 'openai',
    prompt => 'x')$$, '42703', NULL, 'an error of the query shows at once');
SELECT throws_ok($$SELECT batch_create_pipeline('bad', 'SELECT id FROM tickets', 'openai',
    prompt => 'x', every => '59 s')$$, '22023', 'argument "every" must be a minute at least',
    'every');
SELECT throws_ok($$SELECT batch_create_pipeline('bad', 'SELECT id FROM tickets', 'openai',
    prompt => 'x', after => 'none')$$, '42704', 'pipeline "none" does not exist', 'after');
SELECT batch_create_pipeline('second', 'SELECT id FROM tickets', 'openai', prompt => 'x',
    after => 'labels');
SELECT batch_create_pipeline('third', 'SELECT id FROM tickets', 'openai', prompt => 'x',
    after => 'second');
SELECT throws_ok($$SELECT batch_alter_pipeline('labels', after => 'third')$$, '22023',
    'pipeline "labels" would come after itself', 'a circle of pipelines');
SELECT throws_ok($$SELECT batch_alter_pipeline('labels', after => 'labels')$$, '22023',
    'pipeline "labels" would come after itself', '… or one alone');
SELECT batch_drop_pipeline('second');
SELECT throws_ok($$SELECT batch_create_pipeline('second', 'SELECT id FROM tickets', 'openai',
    prompt => 'x', after => 'third')$$, '22023', 'pipeline "second" would come after itself',
    '… or one that is closed by a name that was gone');
SELECT batch_drop_pipeline('third');
SELECT throws_ok($$SELECT batch_create_pipeline('bad', 'SELECT id FROM tickets', 'nowhere',
    prompt => 'x')$$, '42704', NULL, 'the server');
SELECT throws_ok($$SELECT batch_create_pipeline('bad', 'SELECT id FROM tickets', 'openai',
    prompt => 'x', mode => 'flex')$$, '0A000', NULL, 'what is not built');
SELECT throws_ok($$SELECT batch_refresh('none')$$, '42704', 'pipeline "none" does not exist',
    'a pipeline that is not there');
SELECT throws_ok($$SELECT batch_refresh('labels', max_rows => 0)$$, '22023', NULL, 'max_rows');
SELECT batch_pause_pipeline('labels');
SELECT throws_ok($$SELECT batch_refresh('labels')$$, '55000', 'pipeline "labels" is paused',
    'a paused one');
SELECT is((SELECT state FROM batch_pipelines WHERE name = 'labels'), 'paused',
    '… is shown as such');
SELECT batch_resume_pipeline('labels');
SELECT is(refreshed(), 'nothing', '… and resumed');
SELECT matches(
    sim.psql($$SELECT batch_create_pipeline('w', 'SELECT id, body FROM tickets WHERE label IS NULL',
        'openai', prompt => '{{body}}', target => 'tickets', write_back => '{"label": "$"}')$$),
    'WARNING:  the query leaves out rows that are answered',
    'a WHERE on the column to be written is warned of');

-- without a target
SELECT batch_create_pipeline('bare', 'SELECT id, body FROM tickets', 'openai',
    prompt => '{{body}}');
SELECT is(refreshed('bare'), '5', 'a pipeline without a target');
SELECT is(refreshed('bare'), 'nothing', '… sends nothing twice');
CALL batch_work('60 s');
SELECT is(refreshed('bare'), 'nothing', '… and knows its answers');

-- arguments that only the worker's refreshes look at
SELECT matches(sim.psql($$SELECT batch_create_pipeline('idle', 'SELECT id, body FROM tickets',
        'openai', prompt => '{{body}}', min_rows => 5)$$),
    'NOTICE:  "min_rows" and "max_age" of pipeline "idle" have no effect',
    'min_rows without every has no effect, which is told');
SELECT is(sim.psql($$SELECT batch_alter_pipeline('idle', every => '1 day')$$), '2',
    '… until it has both');

--
-- A restored or copied database
--
UPDATE batchinf.pipeline SET database = 1 WHERE name = 'labels';
SELECT is((SELECT state FROM batch_pipelines WHERE name = 'labels'), 'foreign',
    'a restored pipeline is foreign');
UPDATE tickets SET body = 'restored' WHERE id = 1;
SELECT throws_ok($$SELECT batch_refresh('labels')$$, '55000',
    'cannot refresh pipeline "labels": it belongs to another installation', '… sends nothing');
SELECT batch_adopt_pipeline('labels');
SELECT is(refreshed(), '1', '… until it is adopted');
CALL batch_work('60 s');
SELECT batch_drop_pipeline(name) FROM batch_pipelines;
SELECT is((SELECT count(*) FROM batchinf.answered), 0::bigint, 'a dropped pipeline leaves nothing');
SELECT * FROM finish();
DROP OWNED BY pipe_bob CASCADE;
DROP ROLE pipe_bob;
