-- The columns, states, progress and sums of the views that users read. And that the worker's
-- queries cost as much as there is unfinished work, not as much as there ever was.
\i lib.sql
SELECT no_plan();

-- the columns of design.md section 5, in that order; more may follow
CREATE FUNCTION columns(view regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = view AND attnum > 0
$$;
CREATE FUNCTION starts(view regclass, wanted text) RETURNS text LANGUAGE sql AS $$
    SELECT is(left(columns(view), length(wanted) + 1), wanted || ',', 'the columns of ' || view)
$$;
SELECT starts(
    'batch_jobs',
    'job_id bigint, name text, owner name, server name, model text, task text, state text, '
    'records bigint, pending bigint, succeeded bigint, invalid_output bigint, errored bigint, '
    'expired bigint, cancelled bigint, missing bigint, skipped bigint, written bigint, '
    'write_waiting bigint, stale bigint, target_missing bigint, write_failed bigint, '
    'progress numeric, input_tokens bigint, output_tokens bigint, '
    'created_at timestamp with time zone, deadline timestamp with time zone, '
    'finished_at timestamp with time zone, error text');
SELECT starts(
    'batch_chunks',
    'job_id bigint, chunk_id bigint, attempt integer, state text, records bigint, bytes bigint, '
    'provider_batch_id text, submitted_at timestamp with time zone, '
    'ended_at timestamp with time zone, next_step_at timestamp with time zone, waiting_for text, '
    'error text');
SELECT starts(
    'batch_records',
    'job_id bigint, record_id text, seq bigint, attempt integer, outcome text, output text, '
    'finish_reason text, model text, input_tokens bigint, cached_tokens bigint, '
    'output_tokens bigint, error_code text, error text, write_state text, write_error text, '
    'finished_at timestamp with time zone');
SELECT is(
    columns('batch_servers'),
    'server name, provider text, model text, limits jsonb, batches_in_flight bigint, '
    'paused_until timestamp with time zone, pause_reason text, last_error text, '
    'last_error_at timestamp with time zone, under_way bigint, turn text',
    'the columns of batch_servers');
SELECT is(
    array_agg(relname::text ORDER BY relname),
    '{batch_attempts,batch_budgets,batch_chunks,batch_events,batch_job_details,batch_jobs,'
    'batch_pipelines,batch_prices,batch_records,batch_servers,batch_spend,batch_storage}'::text[],
    'each of the views is a security barrier')
FROM pg_class
WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
AND 'security_barrier=true' = ANY (reloptions);
SELECT is(count(*), 0::bigint, 'all that the extension made has a comment or is a part of what has')
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'batchinf'
JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
WHERE d.deptype = 'e' AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL;

-- states
SELECT sim.server('openai', $$max_requests '10'$$);
CREATE FUNCTION state(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT state FROM batch_jobs WHERE job_id = job
$$;
CREATE FUNCTION ask(query text, name text) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', prompt => '{{p}}', name => name)
$$;
SELECT ask('SELECT 1 AS id, ''p'' AS p', 'plain') AS job \gset
SELECT is(state(:job), 'queued', 'state queued');
SELECT batch_pause(:job) AS x \gset
SELECT is(state(:job), 'paused', 'state paused');
SELECT batch_resume(:job) AS x \gset
SELECT is(state(:job), 'queued', 'state queued after batch_resume');
SELECT sim.config('{"batch_seconds": 20}');
SELECT ask('SELECT 1 AS id, ''p'' AS p', 'slow') AS slow \gset
SELECT sim.work_until('(SELECT count(*) = 2 FROM batch_chunks '
                      'WHERE step IN (''submitted'', ''running''))');
SELECT is(state(:slow), 'running', 'state running');
SELECT results_eq(
    format(
        'SELECT state IN (''submitted'', ''running''), records, submitted_at IS NOT NULL, '
        'ended_at IS NULL, provider_batch_id LIKE ''batch_%%'', '
        'next_step_at > now() - interval ''1 min'', waiting_for FROM batch_chunks '
        'WHERE job_id = %s',
        :slow),
    $$VALUES (true, 1::bigint, true, true, true, true, NULL)$$,
    'a chunk that runs at the provider');
SELECT results_eq(
    'SELECT server, provider, model, batches_in_flight, limits ->> ''max_requests'', paused_until, '
    'pause_reason, last_error FROM batch_servers',
    $$VALUES ('openai'::name, 'openai', 'gpt-5.4-mini', 2::bigint, '10', NULL::timestamptz, NULL,
              NULL)$$,
    'a server with batches in flight');
SELECT batch_cancel(:slow) AS x, batch_cancel(:job) AS y \gset
SELECT is(state(:slow), 'cancelling', 'state cancelling');
CALL batch_work('60 s');
SELECT is(state(:slow), 'cancelled', 'state cancelled');
SELECT sim.config('{"batch_seconds": 0.2}');
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"batch_outcome":"failed","errors":[{"code":"invalid_request",'
                 '"message":"No such thing.","param":null,"line":null}]}}');
SELECT ask('SELECT 1 AS id, ''p'' AS p', 'refused') AS refused \gset
CALL batch_work('60 s');
SELECT is(state || ': ' || error, 'failed: No such thing.', 'state failed, with the reason')
FROM batch_jobs WHERE job_id = :refused;
SELECT ask('SELECT 1 AS id, ''p'' AS p', 'elsewhere') AS elsewhere \gset
UPDATE batchinf.job SET install = gen_random_uuid() WHERE job_id = :elsewhere;
SELECT is(state(:elsewhere), 'foreign', 'state foreign: it belongs to another install');
CALL batch_work('60 s');
SELECT is(state(:elsewhere), 'foreign', 'and nothing runs');
SELECT throws_like(format('SELECT batch_cancel(%s)', :elsewhere), '%another installation%',
    'nor is it managed');
UPDATE batchinf.job SET install = (SELECT uuid FROM batchinf.here), database = 1
WHERE job_id = :elsewhere;
SELECT is(state(:elsewhere), 'foreign', 'state foreign: it belongs to another database');
SELECT batch_adopt(:elsewhere) AS x \gset
SELECT is(state(:elsewhere), 'queued', 'until batch_adopt');
SELECT batch_submit('SELECT 1 AS id, NULL AS prompt', server => 'openai') AS skipped \gset
SELECT results_eq(
    format(
        'SELECT state, records, skipped, pending, progress, finished_at IS NOT NULL '
        'FROM batch_jobs WHERE job_id = %s',
        :skipped),
    $$VALUES ('completed', 1::bigint, 1::bigint, 0::bigint, 1::numeric, true)$$,
    'a job of nothing but skipped records is completed at once');

-- a job with every outcome and every kind of write
CREATE TABLE mixed (id int PRIMARY KEY, p text, answer varchar(10));
INSERT INTO mixed VALUES
    (1, '[[sim:say=good]]'),
    (2, '[[sim:say=much%20too%20long]]'),
    (3, '[[sim:say=gone]]'),
    (4, '[[sim:refusal]]'),
    (5, '[[sim:length]]'),
    (6, '[[sim:error=400]]'),
    (7, '[[sim:expired]]'),
    (8, '[[sim:missing]]'),
    (9, NULL),
    (10, '[[sim:say=good]][[sim:duplicate]]'),
    (11, '[[sim:say=good]]'),
    (12, '[[sim:cancelled]]'),
    (13, '[[sim:badjson]]'),
    (14, '[[sim:say=good]]');
SELECT batch_submit('SELECT id, p AS prompt FROM mixed', server => 'openai', target => 'mixed',
    write_back => '{"answer": "$"}', max_attempts => 2, name => 'mixed') AS job \gset
SELECT results_eq(
    format(
        'SELECT name, task, model, pending, progress, finished_at FROM batch_jobs '
        'WHERE job_id = %s',
        :job),
    $$VALUES ('mixed', 'chat', 'gpt-5.4-mini', 13::bigint, trunc(1 / 14.0, 4), NULL::timestamptz)$$,
    'pending and progress of a new job');
DELETE FROM mixed WHERE id = 3;
CALL batch_work('60 s');
SELECT results_eq(
    format(
        'SELECT state, records, pending, succeeded, invalid_output, errored, expired + cancelled, '
        'missing, skipped, written, write_waiting, stale, target_missing, write_failed, progress '
        'FROM batch_jobs WHERE job_id = %s',
        :job),
    $$VALUES ('completed', 14::bigint, 0::bigint, 6::bigint, 2::bigint, 2::bigint, 2::bigint,
              1::bigint, 1::bigint, 4::bigint, 0::bigint, 0::bigint, 1::bigint, 1::bigint, 1.0)$$,
    'promise 3: a job with every outcome');
SELECT is(
    (SELECT string_agg(concat_ws(' ', record_id, outcome, write_state), ', ' ORDER BY seq)
     FROM batch_records WHERE job_id = :job AND outcome <> 'cancelled' AND outcome <> 'expired'),
    '1 succeeded written, 2 succeeded write_failed, 3 succeeded target_missing, 4 invalid_output, '
    '5 invalid_output, 6 errored, 8 missing, 9 skipped, 10 succeeded written, '
    '11 succeeded written, 13 errored, 14 succeeded written',
    'promise 3: each record has its outcome');
CREATE VIEW sums AS
SELECT j.job_id,
    j.records
        = pending + succeeded + invalid_output + errored + expired + cancelled + missing + skipped
    AND (
        j.target IS NULL
        OR succeeded = written + write_waiting + stale + target_missing + write_failed) AS counts,
    (records, succeeded, invalid_output, errored, expired, cancelled, missing, skipped, written,
     write_failed, target_missing, pending)
        IS NOT DISTINCT FROM (SELECT (count(*), count(*) FILTER (WHERE outcome = 'succeeded'),
                                  count(*) FILTER (WHERE outcome = 'invalid_output'),
                                  count(*) FILTER (WHERE outcome = 'errored'),
                                  count(*) FILTER (WHERE outcome = 'expired'),
                                  count(*) FILTER (WHERE outcome = 'cancelled'),
                                  count(*) FILTER (WHERE outcome = 'missing'),
                                  count(*) FILTER (WHERE outcome = 'skipped'),
                                  count(*) FILTER (WHERE write_state = 'written'),
                                  count(*) FILTER (WHERE write_state = 'write_failed'),
                                  count(*) FILTER (WHERE write_state = 'target_missing'),
                                  count(*) FILTER (WHERE outcome IS NULL))
                              FROM batch_records r WHERE r.job_id = j.job_id) AS records,
    progress = CASE WHEN j.records = 0 THEN 1
        ELSE trunc((j.records - pending) / j.records::numeric, 4) END AS progress
FROM batch_jobs j;
SELECT is(count(*), 0::bigint,
    'promise 3: the sums of every job agree, with each other and with its records')
FROM sums WHERE NOT (counts AND records AND progress);
SELECT is((SELECT sum(input_tokens) FROM batch_records WHERE job_id = :job), input_tokens::numeric,
    'a job''s tokens are its records''')
FROM batch_jobs WHERE job_id = :job AND retried = 0
UNION ALL SELECT ok(
    input_tokens >= (SELECT sum(input_tokens) FROM batch_records WHERE job_id = :job),
    'a job''s tokens are of every attempt')
FROM batch_jobs WHERE job_id = :job AND retried > 0;
SELECT is(duplicates || ' ' || malformed, '1 0', 'promise 3: lines that join no record are counted')
FROM batch_jobs WHERE job_id = :job;
SELECT is(sum(k.records), sum(DISTINCT j.records - j.skipped + j.retried),
    'the chunks of a job hold its records, those sent again again')
FROM batch_chunks k JOIN batch_jobs j USING (job_id) WHERE job_id = :job;

-- what is polled costs what is unfinished: a table with many finished jobs
INSERT INTO batchinf.job (install, database, spec, owner, owner_name, server, server_name, model,
    task, records, skipped, ended, finished_at)
SELECT h.uuid, h.database, '{}', 10, 'x', s.oid, 'openai', 'm', 'chat', 10, 0, 'completed', now()
FROM batchinf.here h, pg_foreign_server s, generate_series(1, 20000);
INSERT INTO batchinf.chunk (job_id, state, attempt, attempts_left, intent, records, bytes, tokens,
    next_step_at, succeeded)
SELECT job_id, 'done', 1, 0, md5(job_id || ' ' || i), 10, 1000, 10, NULL, 10
FROM batchinf.job, generate_series(1, 2) i WHERE spec = '{}';
INSERT INTO batchinf.result (job_id, seq, attempt, chunk_id, outcome, write_state)
SELECT k.job_id, k.chunk_id, 1, k.chunk_id, 'succeeded', 'written' FROM batchinf.chunk k
JOIN batchinf.job j USING (job_id) WHERE j.spec = '{}';
ANALYZE batchinf.job, batchinf.chunk, batchinf.result;
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        plan := plan || line || E'\n';
    END LOOP;
    RETURN plan;
END $$;
-- as for all statements of store/
SET enable_bitmapscan = off;
SET enable_seqscan = off;
SET jit = off;
CREATE TABLE plans AS SELECT about, index, plan_of(query) AS plan
FROM (VALUES ('chunks that are due', 'chunk_ready', 'SELECT * FROM batchinf.schedule'),
          ('chunks that wait', 'chunk_waiting', 'SELECT * FROM batchinf.next_due'),
          ('batch_servers', 'chunk_sent', 'SELECT * FROM batch_servers'),
          ('jobs that may be over', 'job_unfinished',
           'SELECT job_id FROM batchinf.job WHERE ended IS NULL'),
          ('the chunks of a job', 'chunk_job', 'SELECT * FROM batch_jobs WHERE job_id = 1'),
          ('writes that wait', 'result_write_waiting',
           $$SELECT seq FROM batchinf.result WHERE chunk_id = 1 AND write_state = 'waiting'$$),
          ('records to send again', 'result_retryable',
           'SELECT seq FROM batchinf.result WHERE chunk_id = 1 AND retryable'),
          ('a job''s records', 'record_pkey', 'SELECT * FROM batch_records WHERE job_id = 1'),
          ('a job''s attempts', 'result_pkey.*record_pkey',
           'SELECT * FROM batch_attempts WHERE job_id = 1'),
          ('what a job was asked to send', 'job_pkey',
           'SELECT * FROM batch_job_details WHERE job_id = 1')) v(about, index, query);
RESET enable_bitmapscan;
SELECT ok(plan ~ index AND plan !~ 'Seq Scan on (chunk|result|record)', 'an index serves ' || about)
FROM plans;
SELECT diag(about || E'\n' || plan) FROM plans
WHERE NOT (plan ~ index AND plan !~ 'Seq Scan on (chunk|result|record)');
SELECT * FROM finish();
