-- How long texts stay: batchinf.keep_inputs, batchinf.keep_results and the argument keep; what goes
-- and what stays; batch_delete; what is deleted by hand. The work is done by CALL batch_work(),
-- which removes what is due before it returns.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
SELECT sim.tickets(3);
UPDATE tickets SET body = 'zebra ' || body;
CREATE FUNCTION ask(more text DEFAULT '') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE format('SELECT batch_submit(''SELECT id, body FROM tickets'', server => ''openai'', '
        'prompt => ''{{body}}''%s)', more)
    INTO job;
    RETURN job;
END $$;

-- Each text that can be one of a row's is the word, of an ended job.
CREATE PROCEDURE plant(job bigint) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE batchinf.result SET error = 'zebra', write_error = 'zebra', reasoning = 'zebra',
        old = '["zebra"]' WHERE job_id = $1;
    UPDATE batchinf.record SET columns = '{zebra}' WHERE job_id = $1;
    UPDATE batchinf.chunk SET error = 'zebra' WHERE job_id = $1;
    UPDATE batchinf.job SET error = 'zebra' WHERE job_id = $1;
    UPDATE batchinf.event SET detail = 'zebra' WHERE job_id = $1;
END $$;

-- Where the word still is.
CREATE FUNCTION found(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ',
        (SELECT 'record' FROM batchinf.record t WHERE job_id = $1
         AND (to_jsonb(t) - 'columns')::text ~ 'zebra' LIMIT 1),
        (SELECT 'columns' FROM batchinf.record t WHERE job_id = $1 AND columns::text ~ 'zebra'
         LIMIT 1),
        (SELECT 'output' FROM batchinf.result t WHERE job_id = $1 AND output ~ 'zebra' LIMIT 1),
        (SELECT 'reasoning' FROM batchinf.result t WHERE job_id = $1 AND reasoning ~ 'zebra'
         LIMIT 1),
        (SELECT 'error' FROM batchinf.result t WHERE job_id = $1 AND error ~ 'zebra' LIMIT 1),
        (SELECT 'write_error' FROM batchinf.result t WHERE job_id = $1 AND write_error ~ 'zebra'
         LIMIT 1),
        (SELECT 'old' FROM batchinf.result t WHERE job_id = $1 AND old ~ 'zebra' LIMIT 1),
        (SELECT 'other' FROM batchinf.result t WHERE job_id = $1
         AND (to_jsonb(t) - '{output,reasoning,error,write_error,old}'::text[])::text ~ 'zebra'
         LIMIT 1),
        (SELECT 'chunk' FROM batchinf.chunk t WHERE job_id = $1 AND t::text ~ 'zebra' LIMIT 1),
        (SELECT 'batch' FROM batchinf.batch t JOIN batchinf.chunk c USING (chunk_id)
         WHERE c.job_id = $1 AND t::text ~ 'zebra' LIMIT 1),
        (SELECT 'job' FROM batchinf.job t WHERE job_id = $1 AND t::text ~ 'zebra'),
        (SELECT 'event' FROM batchinf.event t WHERE job_id = $1 LIMIT 1))
$$;

-- All that is known of the job's records beside the texts.
CREATE FUNCTION lineage(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT md5(string_agg(concat_ws('|', r.seq, r.record_id, r.key, r.input_hash, r.guard,
        r.attempt, s.outcome, s.finish_reason, s.model, s.input_tokens, s.output_tokens,
        s.error_code, s.request_id, s.write_state, s.finished_at), E'\n' ORDER BY r.seq))
        || (SELECT concat_ws(' ', b.state, b.records, b.succeeded, b.written, b.input_tokens,
                b.output_tokens, b.finished_at)
            FROM batch_jobs b WHERE b.job_id = $1)
    FROM batchinf.record r JOIN batchinf.result s USING (job_id, seq, attempt) WHERE r.job_id = $1
$$;

-- The job has ended this long ago.
CREATE FUNCTION age(job bigint, since interval) RETURNS void LANGUAGE sql AS $$
    UPDATE batchinf.job SET kept_since = now() - since WHERE job_id = $1 $$;

-- Whoever adds a column that can hold words decides whether it goes: store/keep.c.
SELECT is(
    (SELECT string_agg(format('%s.%s', c.relname, a.attname), ' ' ORDER BY c.relname, a.attname)
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'batchinf'::regnamespace AND a.attnum > 0
         AND c.relname IN ('job', 'chunk', 'batch', 'record', 'result', 'event')
         AND a.atttypid IN ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype, 'json'::regtype)),
    'batch.account batch.batch_end batch.batch_id batch.refs chunk.copies chunk.error chunk.intent '
    'chunk.state chunk.wait_kind chunk.waiting_for event.detail event.event event.request_id '
    'event.state job.ended job.error job.model job.name job.pause_reason job.spec job.target_name '
    'job.task record.columns record.input record.key record.record_id result.error '
    'result.error_code result.finish_reason result.model result.old result.outcome '
    'result.output result.reasoning result.request_id result.write_error result.write_state',
    'the columns that can hold words');

--
-- Settings
--
SELECT is(
    current_setting('batchinf.keep_inputs') || ' ' || current_setting('batchinf.keep_results'),
    '30d -1', 'inputs stay for 30 days, results for ever');
SELECT ask() AS job, ask() AS young, ask() AS elsewhere \gset
SELECT is((SELECT inputs_kept_until FROM batch_job_details WHERE job_id = :job), NULL,
    'an open job has no time');
CALL batch_work('60 s');
CALL plant(:job);
CALL plant(:young);
CALL plant(:elsewhere);
SELECT found(:young) AS all_texts \gset
SELECT is(:'all_texts'::text,
    'record columns output reasoning error write_error old chunk job event',
    'the texts of a job that has ended');
SELECT is(
    (SELECT date_trunc('minute', inputs_kept_until - finished_at) FROM batch_job_details
     JOIN batch_jobs USING (job_id) WHERE job_id = :job), '720:00:00'::interval,
    'batch_job_details says until when inputs stay');
SELECT is((SELECT results_kept_until FROM batch_job_details WHERE job_id = :job), NULL,
    '… results stay for ever');
SELECT lineage(:job) AS lineage \gset
SELECT age(:job, '29 days 23 hours');
CALL batch_work('60 s');
SELECT is(found(:job), :'all_texts'::text, 'one hour before its time all is there');

-- one open, one younger, one foreign
SELECT sim.config('{"batch_seconds": 600}');
SELECT ask() AS open \gset
SELECT sim.work_until('(SELECT step IN (''submitted'', ''running'') FROM batch_chunks '
                      'WHERE job_id = ' || :open || ')');
SELECT age(:job, '31 days'), age(:elsewhere, '31 days');
UPDATE batchinf.job SET install = gen_random_uuid() WHERE job_id = :elsewhere;
SELECT sim.work_until('(SELECT inputs_next IS NULL FROM batchinf.job WHERE job_id = ' || :job
                      || ')');
SELECT is(found(:job), 'columns output reasoning old',
    'after its time inputs, errors and events are gone');
SELECT is(lineage(:job), :'lineage'::text,
    '… keys, hashes, outcomes, write states, counts and tokens stay');
SELECT is((SELECT count(*) FROM batch_records WHERE job_id = :job AND input IS NULL
           AND output IS NOT NULL), 3::bigint, '… batch_records shows NULL there');
SELECT is(
    (SELECT format('%s %s', inputs_removed_at IS NOT NULL, results_removed_at IS NOT NULL)
     FROM batch_job_details WHERE job_id = :job), 't f',
    '… batch_job_details says what is removed');
SELECT is(found(:young), :'all_texts'::text, '… a younger job keeps its texts');
SELECT is(found(:elsewhere), :'all_texts'::text, '… a foreign one, too');
SELECT is((SELECT count(*) FROM batch_records WHERE job_id = :open AND input IS NOT NULL),
    3::bigint, '… and an open one');
SELECT is(
    (SELECT count(*) FROM batchinf.removable r WHERE r.at < now()), 0::bigint, 'nothing is due');
SELECT throws_ok(format('SELECT batch_retry(%s, ''errored'')', :job), '55000',
    format('cannot retry batch job %s: its inputs are removed', :job), 'batch_retry');
SELECT matches(sim.psql(format('SELECT batch_retry(%s)', :job)),
    'DETAIL:  Setting batchinf.keep_inputs says how long they stay', '… names the setting');
SELECT is(batch_rewrite(:job), 0::bigint, 'batch_rewrite has what it needs');

-- results
SET batchinf.keep_results = '40d';
SELECT is(
    (SELECT date_trunc('minute', results_kept_until - finished_at) FROM batch_job_details
     JOIN batch_jobs USING (job_id) WHERE job_id = :young), '960:00:00'::interval,
    'keep_results');
SELECT age(:job, '41 days');
SELECT sim.work_until('(SELECT results_next IS NULL FROM batchinf.job WHERE job_id = ' || :job
                      || ')');
SELECT is(found(:job), '', 'after keep_results no text is left');
SELECT is(lineage(:job), :'lineage'::text, '… and nothing else is gone');
SELECT is((SELECT count(*) FROM batch_attempts WHERE job_id = :job AND output IS NULL
           AND outcome = 'succeeded'), 3::bigint, '… batch_attempts shows NULL there');
SELECT throws_ok(format('SELECT batch_rewrite(%s)', :job), '55000',
    format('cannot rewrite batch job %s: its results are removed', :job), 'batch_rewrite');
SET batchinf.keep_results = '0';
SET batchinf.keep_inputs = '-1';
SELECT sim.work_until('(SELECT results_next IS NULL FROM batchinf.job WHERE job_id = ' || :young
                      || ')');
SELECT is(found(:young), 'record', 'results may go before inputs: errors and events go with them');
SET batchinf.keep_results = '-1';
SELECT age(:young, '10 years');
SELECT is((SELECT count(*) FROM batchinf.removable), 0::bigint, '-1 is for ever');
RESET batchinf.keep_results;
RESET batchinf.keep_inputs;

-- a foreign job that is adopted begins its time
SELECT batch_adopt(:elsewhere);
SELECT is(
    (SELECT inputs_kept_until > now() + interval '29 days' FROM batch_job_details
     WHERE job_id = :elsewhere), true, 'the time of a job that is adopted begins then');

--
-- The argument keep
--
SELECT sim.config('{"batch_seconds": 0}');
SELECT throws_ok($$SELECT ask(', keep => ''-1 day''')$$, '22023',
    'argument "keep" must not be a negative interval', 'a negative keep');
SELECT throws_ok($$SELECT ask(', keep => ''2000 years''')$$, '22023',
    'argument "keep" must be at most 1000 years', 'a keep that is too long');
SET IntervalStyle = sql_standard;
SELECT ask(', keep => ''1 month -1 day 2 hours''') AS month \gset
RESET IntervalStyle;
SELECT ask(', keep => ''0''') AS zero \gset
SELECT sim.config('{"batch_seconds": 0}');
SELECT batch_cancel(:open);
CALL batch_work('60 s');
SELECT is(
    (SELECT keep || ' ' || (results_kept_until = finished_at + interval '1 month -1 day 2 hours'
         AND inputs_kept_until = results_kept_until)
     FROM batch_job_details JOIN batch_jobs USING (job_id) WHERE job_id = :month),
    '1 mon -1 days +02:00:00 true', 'keep is for inputs and results');
SELECT is(found(:zero), '', 'keep => 0: all texts are gone once the job has ended');
SELECT sim.fault('{"match": {"method": "DELETE"}, "action": {"delay_ms": 3000}}');
SELECT ask(', keep => ''0''') AS cleaned \gset
CALL batch_work('60 s');
SELECT is(found(:cleaned), '', '… and no event comes after them');
SELECT is((SELECT format('%s %s', state, succeeded) FROM batch_jobs WHERE job_id = :zero),
    'completed 3', '… and what became of it stays');
SELECT matches(sim.psql(format('SELECT batch_rewrite(%s)', :zero)),
    'DETAIL:  Its argument "keep" says how long they stay', '… batch_rewrite names the argument');
SELECT age(:month, '10 years');
SELECT is(found(:month), 'record output event', 'a keep is longer than the setting, too');

-- skipped records alone: the job ends at its submit
SELECT batch_submit('SELECT 1 AS id, NULL AS p', server => 'openai', prompt => '{{p}}',
    keep => '0') AS skipped \gset
CALL batch_work('20 s');
SELECT is((SELECT inputs_next || '|' || results_next FROM batchinf.job WHERE job_id = :skipped),
    NULL, 'a job without records to send');

-- in pieces
INSERT INTO tickets SELECT i, 'zebra ' || i FROM generate_series(4, 2500) i;
SELECT ask(', keep => ''0''') AS large \gset
CREATE TABLE steps (job bigint, next bigint, transaction xid8);
CREATE FUNCTION note_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.steps VALUES (NEW.job_id, NEW.inputs_next, pg_current_xact_id());
    RETURN NULL;
END $$;
CREATE TRIGGER note_step AFTER UPDATE OF inputs_next ON batchinf.job FOR EACH ROW
    WHEN (NEW.inputs_next IS DISTINCT FROM OLD.inputs_next) EXECUTE FUNCTION note_step();
CALL batch_work('60 s');
SELECT is(found(:large), '', 'a job of 2500 records');
SELECT is((SELECT string_agg(COALESCE(next::text, 'end'), ' ' ORDER BY transaction) FROM steps
           WHERE job = :large AND (next <> 0 OR next IS NULL)), '1001 2001 2501 end',
    '… in pieces of 1000 records');
SELECT is((SELECT count(DISTINCT transaction) = count(*) FROM steps WHERE job = :large), true,
    '… each in a transaction of its own');
DROP TRIGGER note_step ON batchinf.job;
DELETE FROM tickets WHERE id > 3;

-- a job that is locked is passed over
SELECT ask() AS locked, ask() AS free \gset
CALL batch_work('60 s');
SELECT age(:locked, '32 days'), age(:free, '31 days');
SELECT sim.connect('holder');
SELECT dblink_exec('holder', 'BEGIN');
SELECT dblink_exec('holder', format('UPDATE batchinf.job SET name = name WHERE job_id = %s',
    :locked));
CALL batch_work('60 s');
SELECT is(found(:locked) || ', ' || found(:free), 'record output event, output',
    'a job that is locked is passed over, and holds nobody up');
SELECT dblink_exec('holder', 'COMMIT');
SELECT dblink_disconnect('holder');
SELECT sim.work_until('(SELECT inputs_next IS NULL FROM batchinf.job WHERE job_id = ' || :locked
                      || ')');
SELECT is(found(:locked), 'output', '… and goes later');

-- a retry that is not committed yet, then is
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'zebra [[sim:error=400]]',
    max_attempts => 1) AS retried \gset
CALL batch_work('60 s');
SELECT age(:retried, '31 days');
SELECT sim.connect('holder');
SELECT dblink_exec('holder', 'SET client_min_messages = error');
SELECT dblink_exec('holder', 'BEGIN');
SELECT is((SELECT n FROM dblink('holder', format('SELECT batch_retry(%s)', :retried)) AS t(n int)),
    1, 'batch_retry of a job whose inputs are about to go');
CALL batch_work('60 s');
SELECT dblink_exec('holder', 'COMMIT');
SELECT dblink_disconnect('holder');
SELECT is(
    (SELECT format('%s %s %s', b.state, r.input ~ 'zebra', d.inputs_removed_at IS NULL)
     FROM batch_jobs b JOIN batch_records r USING (job_id) JOIN batch_job_details d USING (job_id)
     WHERE job_id = :retried), 'running t t', '… has them');
CALL batch_work('60 s');
SELECT is((SELECT format('%s %s', attempt, outcome) FROM batch_records WHERE job_id = :retried),
    '2 errored', '… and sends them');

-- a retry while a piece is removed waits for it
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'zebra [[sim:error=400]]',
    max_attempts => 1) AS raced \gset
CALL batch_work('60 s');
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep(2);
    RETURN NULL;
END $$;
CREATE TRIGGER hold AFTER UPDATE OF inputs_removed_at ON batchinf.job FOR EACH ROW
    EXECUTE FUNCTION hold();
SELECT age(:raced, '31 days');
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(
    sim.until(
        'SELECT count(*) FROM pg_stat_activity '
        'WHERE application_name = ''work'' AND wait_event = ''PgSleep''',
        '1'), '1', 'a piece is being removed');
SELECT throws_ok(format('SELECT batch_retry(%s)', :raced), '55000',
    format('cannot retry batch job %s: its inputs are removed', :raced),
    'batch_retry waits for it, and sends nothing');
SELECT is(sim.finish('work'), '', '… which the removal does not notice');
DROP TRIGGER hold ON batchinf.job;
SELECT is(found(:raced), 'job', '… all is removed; the prompt is the job''s, and stays');

-- a job whose outputs are written again has a new end
SELECT batch_submit('SELECT id, body FROM tickets', server => 'openai', prompt => '{{body}}',
    target => 'tickets', write_back => '{"label": "$"}') AS written \gset
ALTER TABLE tickets ADD CONSTRAINT refuse CHECK (label !~ 'zebra');
CALL batch_work('60 s');
SELECT is((SELECT write_failed FROM batch_jobs WHERE job_id = :written), 3::bigint,
    'answers that a table refuses');
SELECT age(:written, '31 days');
CALL batch_work('60 s');
SELECT is(found(:written), 'output', '… their errors quote them, and are gone');
ALTER TABLE tickets DROP CONSTRAINT refuse;
SELECT is(batch_rewrite(:written), 3::bigint, 'batch_rewrite after the inputs are gone');
SELECT is(
    (SELECT format('%s %s', inputs_kept_until IS NULL, inputs_removed_at IS NULL)
     FROM batch_job_details WHERE job_id = :written), 't f', '… the job is open');
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM tickets WHERE label ~ 'zebra'), 3::bigint, '… writes them');
SELECT is(
    (SELECT kept_since > now() - interval '1 minute' AND inputs_next = 0 FROM batchinf.job
     WHERE job_id = :written), true, '… and has a new end');

--
-- Pipelines
--
CREATE TABLE poems (id int PRIMARY KEY, body text, label text);
INSERT INTO poems SELECT i, 'zebra ' || i FROM generate_series(1, 4) i;
SELECT sim.config('{"batch_seconds": 600}');
SELECT batch_create_pipeline('poems', 'SELECT id, body FROM poems', 'openai',
    prompt => '{{body}}', target => 'poems', write_back => '{"label": "$"}', keep => '1 day');
SELECT batch_refresh('poems') AS poems \gset
SELECT is((SELECT keep FROM batch_job_details WHERE job_id = :poems), '1 day'::interval,
    'a pipeline hands keep to its jobs');
SELECT sim.work_until('(SELECT step IN (''submitted'', ''running'') FROM batch_chunks '
                      'WHERE job_id = ' || :poems || ')');
UPDATE poems SET body = 'edited' WHERE id = 1;
SELECT sim.config('{"batch_seconds": 0}');
CALL batch_work('60 s');
SELECT is((SELECT format('%s %s', written, stale) FROM batch_jobs WHERE job_id = :poems), '3 1',
    'one row has changed: its answer is kept');
UPDATE batchinf.job SET keep_until = now() WHERE job_id = :poems;
CALL batch_work('60 s');
SELECT is(found(:poems), '', 'the texts of the pipeline''s job are gone');
UPDATE poems SET body = 'zebra 1' WHERE id = 1;
SELECT batch_refresh('poems') AS again \gset
SELECT is((SELECT array_agg(record_id) FROM batch_records WHERE job_id = :again), '{1}',
    'a row whose text comes back is due, for its answer is gone; no other is');
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM poems WHERE label ~ 'zebra'), 4::bigint, '… and is answered');

--
-- batch_delete
--
CREATE FUNCTION leftovers() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ',
        (SELECT 'chunk' FROM batchinf.chunk t WHERE NOT EXISTS
            (SELECT FROM batchinf.job j WHERE j.job_id = t.job_id) LIMIT 1),
        (SELECT 'batch' FROM batchinf.batch t WHERE NOT EXISTS
            (SELECT FROM batchinf.chunk c WHERE c.chunk_id = t.chunk_id) LIMIT 1),
        (SELECT 'record' FROM batchinf.record t WHERE NOT EXISTS
            (SELECT FROM batchinf.job j WHERE j.job_id = t.job_id)
            OR NOT EXISTS (SELECT FROM batchinf.chunk c WHERE c.chunk_id = t.chunk_id)
                AND t.chunk_id IS NOT NULL LIMIT 1),
        (SELECT 'result' FROM batchinf.result t WHERE NOT EXISTS
            (SELECT FROM batchinf.record r WHERE r.job_id = t.job_id AND r.seq = t.seq) LIMIT 1),
        (SELECT 'event' FROM batchinf.event t WHERE NOT EXISTS
            (SELECT FROM batchinf.job j WHERE j.job_id = t.job_id)
            OR NOT EXISTS (SELECT FROM batchinf.chunk c WHERE c.chunk_id = t.chunk_id)
                AND t.chunk_id IS NOT NULL LIMIT 1),
        (SELECT 'in_flight' FROM batchinf.in_flight t WHERE NOT EXISTS
            (SELECT FROM batchinf.job j WHERE j.job_id = t.job_id) LIMIT 1))
$$;
CREATE FUNCTION rows_of(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT count(*) FROM batchinf.job WHERE job_id = $1),
        (SELECT count(*) FROM batchinf.chunk WHERE job_id = $1),
        (SELECT count(*) FROM batchinf.record WHERE job_id = $1),
        (SELECT count(*) FROM batchinf.result WHERE job_id = $1),
        (SELECT count(*) FROM batchinf.event WHERE job_id = $1),
        (SELECT count(*) FROM batchinf.in_flight WHERE job_id = $1))
$$;
CREATE ROLE keep_ann;
CREATE ROLE keep_bob;
CREATE ROLE keep_member IN ROLE keep_ann;
GRANT USAGE ON FOREIGN SERVER openai TO keep_ann, keep_bob;
CREATE USER MAPPING FOR keep_ann SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR keep_bob SERVER openai OPTIONS (api_key 'sk-sim');
CREATE TABLE anns (id int PRIMARY KEY, label text);
INSERT INTO anns VALUES (1), (2);
ALTER TABLE anns OWNER TO keep_ann;
CREATE FUNCTION of_ann(key text) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT id FROM anns', server => 'openai', prompt => 'zebra {{id}}',
        target => 'anns', write_back => '{"label": "$"}', in_flight => 'send',
        idempotency_key => key) $$;
SET ROLE keep_ann;
SELECT of_ann('one') AS anns, of_ann('two') AS hers, of_ann('three') AS foreign \gset
RESET ROLE;
SELECT throws_ok(format('SELECT batch_delete(%s)', :anns), '55006',
    format('batch job %s has not ended', :anns), 'an open job is not deleted');
SELECT matches(sim.psql(format('SELECT batch_delete(%s)', :anns)),
    format('HINT:  Use batch_cancel\(%s\)', :anns), '… the hint is batch_cancel');
UPDATE batchinf.job SET install = gen_random_uuid() WHERE job_id = :foreign;
SELECT throws_ok(format('SELECT batch_delete(%s)', :foreign), '55000',
    format('cannot delete batch job %s: it belongs to another installation', :foreign),
    '… nor a foreign one that has not ended');
UPDATE batchinf.job SET install = h.uuid FROM batchinf.here h WHERE job_id = :foreign;
CALL batch_work('60 s');
SET ROLE keep_bob;
SELECT throws_ok(format('SELECT batch_delete(%s)', :anns), '42501',
    format('permission denied to delete batch job %s', :anns), 'another role may not');
SELECT throws_ok('SELECT batch_delete(1234567)', '42704', 'batch job 1234567 does not exist',
    'no such job');
SELECT throws_ok('SELECT batch_delete(NULL)', '22004', NULL, 'NULL');
RESET ROLE;
SELECT rows_of(:hers) AS hers_rows \gset
UPDATE batchinf.chunk SET state = 'cleaning', next_step_at = 'infinity' WHERE job_id = :anns;
SELECT throws_ok(format('SELECT batch_delete(%s)', :anns), '55006',
    format('batch job %s still has files at the provider', :anns),
    'nor is one whose files are not removed yet');
UPDATE batchinf.chunk SET state = 'done', next_step_at = NULL WHERE job_id = :anns;
SET ROLE keep_member;
SELECT lives_ok(format('SELECT batch_delete(%s)', :anns), 'a member of the owner deletes it');
RESET ROLE;
SELECT is(rows_of(:anns), '0 0 0 0 0 0', '… and all of it is gone');
SELECT is(rows_of(:hers), :'hers_rows'::text, '… another job of hers is not');
SELECT is((SELECT count(*) FROM anns WHERE label ~ 'zebra'), 2::bigint, '… nor are her rows');
SELECT is((SELECT count(*) FROM batchinf.call WHERE job_id = :anns), 1::bigint,
    '… the idempotency_key stays used');
SELECT matches(sim.psql('SET ROLE keep_ann', $$SELECT of_ann('one')$$),
    'DETAIL:  That job was deleted since', '… and the call says that its job is deleted');
SELECT is((SELECT count(*) FROM batch_jobs WHERE owner = 'keep_ann'), 2::bigint,
    '… and makes none');
-- a foreign job that has ended: its owner by name
UPDATE batchinf.job SET install = gen_random_uuid(), owner = 1 WHERE job_id = :foreign;
SET ROLE keep_bob;
SELECT throws_ok(format('SELECT batch_delete(%s)', :foreign), '42501', NULL,
    'a foreign job that has ended: another role may not');
SET ROLE keep_ann;
SELECT lives_ok(format('SELECT batch_delete(%s)', :foreign), '… who has the owner''s name may');
RESET ROLE;
SELECT is(rows_of(:foreign), '0 0 0 0 0 0', '… it is gone');

-- of a pipeline
SELECT last_job_id AS last FROM batch_pipelines WHERE name = 'poems' \gset
SELECT batch_delete(:poems), batch_delete(:again);
SELECT is((SELECT last_job_id FROM batch_pipelines WHERE name = 'poems'), :last::bigint,
    'a pipeline keeps the number of its last job');
SELECT is(batch_refresh('poems'), NULL, '… and knows what is answered');

--
-- By hand
--
SELECT is(leftovers(), '', 'nothing is left over');
SELECT ask() AS hand \gset
CALL batch_work('60 s');
INSERT INTO batchinf.in_flight (target, hash, col, job_id)
VALUES (1, gen_random_uuid(), 1, :hand);
SELECT matches(rows_of(:hand), '^[1-9]\d*( [1-9]\d*){5}$', 'a job with rows in all tables');
DELETE FROM batchinf.job WHERE job_id = :hand;
SELECT is(rows_of(:hand), '0 0 0 0 0 0', '… is deleted by hand: nothing stays');
SELECT is(leftovers(), '', '… of batches, too');
SELECT sim.server('narrow', 'max_requests ''2''');
SELECT batch_submit('SELECT id, body FROM tickets ORDER BY id', server => 'narrow',
    prompt => '{{body}}') AS parts \gset
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM batchinf.chunk WHERE job_id = :parts), 2::bigint, 'two chunks');
DELETE FROM batchinf.chunk
WHERE chunk_id = (SELECT min(chunk_id) FROM batchinf.chunk WHERE job_id = :parts);
SELECT is((SELECT format('%s %s %s %s', state, records, pending, succeeded) FROM batch_jobs
           WHERE job_id = :parts), 'completed 1 0 1',
    'one is deleted by hand: the job has so many records fewer');
SELECT is((SELECT array_agg(record_id) FROM batch_records WHERE job_id = :parts), '{3}',
    '… and keeps the other one''s');
SELECT is(leftovers(), '', '… nothing is left over');
TRUNCATE batchinf.job CASCADE;
SELECT is(leftovers() || (SELECT count(*) FROM batchinf.record), '0', 'TRUNCATE leaves nothing');

--
-- batch_storage
--
SELECT is(
    (SELECT string_agg(table_name, ' ' ORDER BY table_name)
     FROM batch_storage WHERE total_bytes = bytes + index_bytes AND rows >= 0),
    'answered batch call chunk event history in_flight job record replaced result spend '
        'written',
    'batch_storage');
CREATE ROLE keep_monitor IN ROLE pg_monitor;
SET ROLE keep_ann;
SELECT is((SELECT count(*) FROM batch_storage), 0::bigint, '… shows nothing to an ordinary role');
SET ROLE keep_monitor;
SELECT is((SELECT count(*) FROM batch_storage), 13::bigint, '… and all to pg_monitor');
RESET ROLE;

DROP OWNED BY keep_ann, keep_bob, keep_monitor, keep_member;
DROP ROLE keep_ann, keep_bob, keep_monitor, keep_member;
-- A replace whose results go before its inputs
SELECT sim.server('swap');
SET batchinf.keep_results = '0';
SET batchinf.keep_inputs = '-1';
CREATE TABLE swapped (doc int, n int, body text);
SELECT batch_submit($$SELECT 1 AS doc, n, CASE n WHEN 1 THEN 'one' ELSE '[[sim:status=400]]' END
    AS prompt FROM generate_series(1, 2) n$$, 'swap', key => 'n', target => 'swapped',
    write_mode => 'replace', replace_by => 'doc',
    write_back => '{"doc": {"column": "doc"}, "n": {"column": "n"}, "body": "$"}') AS swap \gset
SELECT sim.work_until('(SELECT results_next IS NULL FROM batchinf.job WHERE job_id = ' || :swap
                      || ')');
SELECT throws_ok(format('SELECT batch_retry(%s)', :swap), '55000',
    format('cannot retry batch job %s: its results are removed', :swap),
    'batch_retry of a replace, whose values need the results that are there');
SELECT is((SELECT string_agg(write_state, ' ') FROM batch_records WHERE job_id = :swap),
    'incomplete', '… which stays incomplete');
-- removed by other hands meanwhile
UPDATE batchinf.job SET results_removed_at = NULL WHERE job_id = :swap;
UPDATE batchinf.record SET input = 'two' WHERE job_id = :swap AND input LIKE '%status%';
SELECT batch_retry(:swap) \g /dev/null
SET batchinf.keep_results = '-1';
CALL batch_work('60 s');
SELECT is((SELECT string_agg(DISTINCT write_state || ': ' || write_error, ' ') FROM batch_records
    WHERE job_id = :swap), 'write_failed: the output is removed', '… whatever was removed');
RESET batchinf.keep_results;
RESET batchinf.keep_inputs;
SELECT * FROM finish();
