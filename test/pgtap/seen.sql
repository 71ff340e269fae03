-- What users see of their own jobs, what monitoring roles see of all, that the views agree with
-- each other, and that a deleted job leaves no row behind.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai', $$max_requests '20'$$);
CREATE FUNCTION ask(query text, max_attempts int DEFAULT 1) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', prompt => '{{p}}',
        max_attempts => max_attempts) $$;

-- a job that is deleted by hand leaves nothing behind
CREATE FUNCTION left_of(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s %s %s', (SELECT count(*) FROM batchinf.record WHERE job_id = job),
        (SELECT count(*) FROM batchinf.result WHERE job_id = job),
        (SELECT count(*) FROM batchinf.chunk WHERE job_id = job),
        (SELECT count(*) FROM batchinf.event WHERE job_id = job)) $$;
SELECT ask('SELECT i AS id, ''p'' AS p FROM generate_series(1, 50) i') AS kept \gset
SELECT ask('SELECT i AS id, CASE WHEN i > 1 THEN ''p'' END AS p FROM generate_series(1, '
           '50) i') AS gone \gset
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
CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_sleep(1);
    RETURN NEW;
END $$;
CREATE TRIGGER rest BEFORE UPDATE ON slow FOR EACH ROW EXECUTE FUNCTION rest();
SELECT batch_submit('SELECT id, p FROM slow', server => 'openai', prompt => '{{p}}',
    target => 'slow', write_back => '{"label": "$"}') AS gone \gset
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(
    sim.until(
        'SELECT count(*) FROM pg_stat_activity WHERE application_name = ''work'' '
        'AND wait_event = ''PgSleep''',
        '1'),
    '1', 'answers are being written');
DELETE FROM batchinf.job WHERE job_id = :gone;
SELECT is(sim.finish('work'), '', 'their job is deleted: the process goes on');
SELECT is(left_of(:gone), '0 0 0 0', '… and nothing of the job is left');

--
-- What was sent
--
CREATE TABLE t (id int PRIMARY KEY, p text, y text);
INSERT INTO t VALUES (1, '[[sim:json=%7B%22z%22%3A1%2C%22a%22%3A2%7D]]', NULL), (2, NULL, NULL);
SELECT batch_submit('SELECT id, p FROM t', server => 'openai', prompt => 'about {{p}}',
    system_prompt => 'be brief', params => '{"temperature": 0, "n": 1}',
    response_schema => '{"type": "object", "properties": {"zebra": {}, "a": {}}}', target => 't',
    write_back => '{"y": "$"}', max_attempts => 2) AS job \gset
SELECT results_eq(
    format(
        'SELECT query, prompt, system_prompt, params::text, response_schema::text, write_back, '
        'key, input_kind, max_attempts FROM batch_job_details WHERE job_id = %s',
        :job),
    $$VALUES ('SELECT id, p FROM t', 'about {{p}}', 'be brief', '{"temperature":0,"n":1}',
              '{"type":"object","properties":{"zebra":{},"a":{}}}', '{"y": "$"}'::jsonb,
              '{id}'::text[], 'text', 2)$$,
    'what a job was asked to send, in the order in which it was written');
SELECT is(array_agg(input ORDER BY seq), ARRAY['about ' || (SELECT p FROM t WHERE id = 1), NULL],
    '… and each record''s input')
FROM batch_records WHERE job_id = :job;
SELECT results_eq(
    format(
        'SELECT record_id, attempt, outcome, provider_batch_id, input_tokens FROM batch_attempts '
        'WHERE job_id = %s',
        :job),
    $$VALUES ('1', 1, NULL, NULL, NULL::bigint)$$,
    'an attempt that is pending; what is skipped has none');
SELECT ask('SELECT 1 AS id, ''p'' AS p') AS plain \gset
SELECT ok(
    system_prompt IS NULL AND params IS NULL AND response_schema IS NULL AND write_back IS NULL,
    'what was not given is NULL')
FROM batch_job_details WHERE job_id = :plain;
CALL batch_work('60 s');
SELECT results_eq(
    format(
        'SELECT outcome, provider_batch_id, model, input_tokens > 0, output_tokens > 0, output, '
        'submitted_at <= finished_at FROM batch_attempts WHERE job_id = %s',
        :job),
    format(
        'SELECT r.outcome, k.provider_batch_id, r.model, true, true, r.output, true '
        'FROM batch_records r JOIN batch_chunks k USING (chunk_id) WHERE r.job_id = %s',
        :job),
    '… with its outcome, batch and tokens');

-- an answer has a model, also where the provider names none
SELECT sim.bedrock('bed');
SELECT batch_submit('SELECT 1 AS id, ''p'' AS prompt', server => 'bed') AS bed \gset
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM batchinf.result WHERE job_id = :bed AND model IS NULL), 1::bigint,
    'a provider that names no model');
SELECT is(outcome || ' ' || model, 'succeeded us.amazon.nova-lite-v1:0',
    '… the record has the job''s')
FROM batch_records WHERE job_id = :bed;
SELECT is(model, 'us.amazon.nova-lite-v1:0', '… and its attempt too') FROM batch_attempts
WHERE job_id = :bed;

--
-- Sums over attempts are the job's, whatever became of them
--
CREATE VIEW sums AS
SELECT j.job_id, (j.input_tokens, j.cached_tokens, j.output_tokens)::text AS of_job,
    (SELECT (COALESCE(sum(input_tokens), 0)::bigint, COALESCE(sum(cached_tokens), 0)::bigint,
         COALESCE(sum(output_tokens), 0)::bigint)::text
     FROM batch_attempts a WHERE a.job_id = j.job_id) AS of_attempts,
    (j.records, j.pending, j.skipped)::text = (SELECT (
                                                   count(*),
                                                   count(*) FILTER (WHERE r.outcome IS NULL),
                                                   count(*) FILTER (WHERE r.outcome
                                                                        = 'skipped'))::text
                                               FROM batch_records r
                                               WHERE r.job_id = j.job_id) AS records_agree,
    (SELECT count(*) FROM batch_records r LEFT JOIN batch_attempts a USING (job_id, seq, attempt)
     WHERE r.job_id = j.job_id AND r.outcome IS DISTINCT FROM 'skipped'
     AND (
         a.record_id IS NULL
         OR (a.outcome, a.input_tokens, a.output_tokens, a.chunk_id, a.model, a.error)
             IS DISTINCT FROM (r.outcome, r.input_tokens, r.output_tokens, r.chunk_id, r.model,
                 r.error))) AS records_differ
FROM batch_jobs j;
CREATE FUNCTION agree(about text) RETURNS text LANGUAGE sql AS $$
    SELECT is(string_agg(sums::text, E'\n'), NULL, about) FROM sums
    WHERE of_job <> of_attempts OR NOT records_agree OR records_differ > 0 $$;
CREATE FUNCTION attempts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s %s', record_id, attempt, COALESCE(outcome, 'pending')),
        ', ' ORDER BY seq, attempt)
    FROM batch_attempts WHERE job_id = job $$;

SELECT sim.server('openai', $$max_requests '4'$$);
CREATE TABLE mixed (id int PRIMARY KEY, p text);
INSERT INTO mixed VALUES
    (1, 'p'), (2, '[[sim:refusal]]'), (3, '[[sim:length]]'), (4, '[[sim:error=400]]'),
    (5, '[[sim:expired]]'), (7, NULL), (8, '[[sim:duplicate]]'), (9, '[[sim:fail_times=1]]');
SELECT ask('SELECT id, p FROM mixed ORDER BY id', 2) AS mixed \gset
CALL batch_work('60 s');
SELECT agree('sums after each outcome and attempts that come by themselves');
SELECT matches(attempts(:mixed),
    '^1 1 succeeded, 2 1 invalid_output.* 5 1 expired, 5 2 expired.* 9 1 errored, 9 2 succeeded',
    '… each attempt is a row');
SELECT input_tokens AS before FROM batch_jobs WHERE job_id = :mixed \gset
SELECT ok(batch_retry(:mixed) > 3, 'batch_retry');
SELECT agree('… sums while attempts are pending');
CALL batch_work('60 s');
SELECT agree('… and when they are over');
SELECT ok(input_tokens > :before, '… the tokens of all are counted') FROM batch_jobs
WHERE job_id = :mixed;
SELECT is(count(*), (SELECT count(*) FROM batch_attempts WHERE job_id = :mixed AND record_id = '5'),
    '… in the batches that they were in')
FROM (SELECT DISTINCT provider_batch_id FROM batch_attempts
      WHERE job_id = :mixed AND record_id = '5' AND provider_batch_id LIKE 'batch_%') b;

-- lines that a provider refuses: the others are sent again in another batch
SELECT ask(
    'SELECT i AS id, CASE i WHEN 2 THEN ''[[sim:invalid_line]]'' ELSE ''p'' END AS p '
    'FROM generate_series(1, 4) i',
    3) AS refused \gset
CALL batch_work('60 s');
SELECT is(attempts(:refused), '1 1 succeeded, 2 1 errored, 3 1 succeeded, 4 1 succeeded',
    'what is sent again without having been an attempt is none');
SELECT agree('… sums');

-- gathered from several chunks, and too few to be sent again
SELECT sim.server('four', $$max_requests '10', min_requests '4'$$);
SELECT batch_submit(
    'SELECT i AS id, CASE WHEN i % 10 < 2 THEN ''[[sim:fail_times=1]]'' ELSE ''p'' END || i AS '
    'prompt FROM generate_series(1, 30) i',
    server => 'four') AS gathered \gset
SELECT batch_submit(
    'SELECT i AS id, CASE WHEN i % 10 = 0 THEN ''[[sim:fail_times=1]]'' ELSE ''p'' END || ''few'' '
    '|| i AS prompt FROM generate_series(1, 20) i',
    server => 'four') AS few \gset
CALL batch_work('60 s');
SELECT is(string_agg(state || ' ' || succeeded || ' ' || errored, ', ' ORDER BY job_id),
    'completed 30 0, completed 18 2', 'chunks that are gathered; too few to be sent again')
FROM batch_jobs WHERE job_id IN (:gathered, :few);
SELECT agree('… sums');
SELECT is(count(*) FILTER (WHERE provider_batch_id IS NULL), 2::bigint,
    '… an attempt that was not sent has no batch')
FROM batch_attempts WHERE job_id = :few;

-- cancelled, and past its deadline, at the provider
SELECT sim.config('{"batch_seconds": 8}');
SELECT ask('SELECT i AS id, ''p'' AS p FROM generate_series(1, 8) i') AS cancelled \gset
SELECT batch_submit('SELECT i AS id, ''p'' AS p FROM generate_series(1, 8) i', server => 'openai',
    prompt => '{{p}}', deadline => '4 s') AS late \gset
CALL batch_work('3 s');
SELECT batch_cancel(:cancelled) \g /dev/null
CALL batch_work('60 s');
SELECT is(string_agg(state || ' ' || pending, ', ' ORDER BY job_id), 'cancelled 0, completed 0',
    'a job that is cancelled, and one whose deadline has passed')
FROM batch_jobs WHERE job_id IN (:cancelled, :late);
SELECT agree('… sums');
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT ok(batch_retry(:cancelled, '{cancelled}') > 0, 'batch_retry of what was cancelled');
CALL batch_work('60 s');
SELECT agree('… sums');
SELECT is(sum(k.records), sum(DISTINCT j.records - j.skipped + j.retried),
    '… as many attempts as chunks hold records')
FROM batch_chunks k JOIN batch_jobs j USING (job_id) WHERE job_id = :cancelled;

--
-- Who sees what
--
CREATE ROLE seen_ann;
CREATE ROLE seen_bob;
CREATE ROLE seen_monitor IN ROLE pg_monitor;
CREATE ROLE seen_reader IN ROLE pg_read_all_data;
GRANT USAGE ON FOREIGN SERVER openai TO seen_ann;
CREATE USER MAPPING FOR seen_ann SERVER openai OPTIONS (api_key 'sk-sim');
CREATE TABLE words (id text PRIMARY KEY, p text, y text);
INSERT INTO words VALUES
    ('mark of the key', 'mark of the input [[sim:say=mark%20of%20the%20answer]]', NULL),
    ('mark of another key', '[[sim:error=400:mark]]', NULL);
GRANT ALL ON words TO seen_ann;
SET ROLE seen_ann;
SELECT batch_submit('SELECT id, p /* mark of the query */ FROM words', server => 'openai',
    prompt => 'mark {{p}}', system_prompt => 'mark of the system', name => 'mark of the name',
    target => 'words', write_back => '{"y": "$"}', params => '{"user": "mark"}') AS marked \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"batch_outcome":"failed","errors":[{"code":"mark",'
                 '"message":"mark of the provider","param":null,"line":null}]}}');
SET ROLE seen_ann;
SELECT batch_submit('SELECT 1 AS id, ''mark'' AS prompt', server => 'openai',
    name => 'mark of the failure') AS failed \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"times": "always", "action": {"status": 503, "headers": {"retry-after": "600"}, '
                 '"body": {"error": {"message": "mark of the pause"}}}}');
SET ROLE seen_ann;
SELECT batch_submit('SELECT 1 AS id, ''mark'' AS prompt', server => 'openai',
    name => 'mark of what waits') AS waiting \gset
RESET ROLE;
SELECT sim.work_until(format('(SELECT waiting_for ~ ''mark of the pause'' FROM batch_jobs '
                             'WHERE job_id = %s)', :waiting));
SELECT sim.clear_faults();
CREATE TABLE seen_view AS SELECT relname::text AS name FROM pg_class
WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace AND relname ~ '^batch_'
AND relname NOT IN ('batch_pipelines', 'batch_prices', 'batch_spend', 'batch_budgets',
                    'batch_storage');
CREATE TABLE seen_job AS SELECT unnest(ARRAY[:marked, :failed, :waiting]::bigint[]) AS job_id;
GRANT SELECT ON seen_view, seen_job TO PUBLIC;
-- of each view: does it show rows of ann's, and with marks?
CREATE FUNCTION shown(role name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v text;
    n text;
    said text[];
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    FOR v IN SELECT name FROM public.seen_view ORDER BY name LOOP
        EXECUTE format(
            'SELECT CASE WHEN bool_or(v::text ~ ''mark'') THEN ''words'' WHEN count(*) > 0 THEN '
            '''counts'' ELSE ''nothing'' END FROM public.%I v %s',
            v,
            CASE WHEN v
                    <> 'batch_servers' THEN 'WHERE job_id IN (SELECT job_id FROM '
                                            'public.seen_job)' END)
        INTO n;
        said := said || (replace(v, 'batch_', '') || ' ' || n);
    END LOOP;
    RESET ROLE;
    RETURN array_to_string(said, ', ');
END $$;
SELECT 'attempts words, chunks words, events words, job_details words, jobs words, records words, '
       'servers words' AS all \gset
SELECT is(shown('seen_ann'), :'all', 'the owner sees all of it');
SELECT is(shown('seen_reader'), :'all', 'pg_read_all_data too, without USAGE on a server');
SELECT is(
    shown('seen_monitor'),
    'attempts nothing, chunks counts, events nothing, job_details nothing, jobs counts, '
    'records nothing, servers counts',
    'pg_monitor sees states and counts, and no word of users or providers');
SELECT is(
    shown('seen_bob'),
    'attempts nothing, chunks nothing, events nothing, job_details nothing, jobs nothing, '
    'records nothing, servers nothing',
    'others see nothing');
CREATE FUNCTION counts() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(
        concat_ws(' ', owner, server, state, records, succeeded, errored, input_tokens, progress),
        ', ' ORDER BY job_id)
    FROM batch_jobs $$;
SELECT counts() AS all_counts \gset
SET ROLE seen_monitor;
SELECT is(counts(), :'all_counts', '… pg_monitor of every job');
SELECT is(
    (SELECT count(*) FROM batch_jobs WHERE num_nonnulls(name, error, settings, waiting_for) > 0),
    0::bigint, '… name, error, settings and waiting_for are NULL');
SELECT is((SELECT count(*) FROM batch_chunks WHERE num_nonnulls(provider_batch_id, error) > 0),
    0::bigint, '… and so are a chunk''s error and batch');
SELECT is(string_agg(DISTINCT waiting_for, ', '), 'HTTP status 503',
    '… which waits for what kind of thing')
FROM batch_chunks;
SELECT results_eq(
    'SELECT server, provider, limits IS NOT NULL, paused_until IS NOT NULL, pause_reason, '
    'last_error FROM batch_servers WHERE server = ''openai''',
    $$VALUES ('openai'::name, 'openai', true, true, 'HTTP status 503', 'HTTP status 503')$$,
    '… and each server');
SELECT throws_ok(format('SELECT batch_cancel(%s)', :waiting), '42501', NULL,
    '… but manages nothing');
RESET ROLE;
SELECT is(string_agg(c.relname || '.' || a.attname, ', '), NULL,
    'each column of the new views has a comment')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relname IN ('batch_attempts', 'batch_job_details')
AND col_description(c.oid, a.attnum) IS NULL;

SELECT * FROM finish();
