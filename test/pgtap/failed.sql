-- Batches and calls that fail, and calls that have their effect twice. No record is lost, none is
-- paid for twice, and a fault of a call is never recorded as a fault of a row (promise 9).
\i lib.sql
SELECT plan(69);

SELECT sim.server('s');
CREATE TABLE t (id int PRIMARY KEY, x text, y text);
INSERT INTO t (id, x) SELECT i, 'x' || i FROM generate_series(1, 10) i;

-- A job of n rows, written back.
CREATE FUNCTION submit(rows int DEFAULT 10, server text DEFAULT 's', prompt text DEFAULT '{{x}}',
    attempts int DEFAULT 3, model text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    UPDATE t SET y = NULL;
    SELECT batch_submit(format('SELECT id, x FROM t WHERE id <= %s ORDER BY id', rows), server,
        prompt, model => model, target => 't', write_back => '{"y":"$"}',
        max_attempts => attempts)
$$;
CREATE FUNCTION billed() RETURNS int LANGUAGE sql AS $$
    SELECT (sim.ledger() ->> 'billed_requests')::int
$$;
CREATE FUNCTION made(kind text) RETURNS int LANGUAGE sql AS $$
    SELECT COALESCE((sim.ledger()->'requests'->>('POST /v1/' || kind))::int, 0)
$$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, succeeded, 'succeeded', nullif(errored, 0) || ' errored',
        nullif(expired, 0) || ' expired', nullif(cancelled, 0) || ' cancelled',
        nullif(pending, 0) || ' pending', written, 'written', nullif(retried, 0) || ' again')
    FROM batch_jobs WHERE job_id = job $$;
-- Events of a job, in their order.
CREATE FUNCTION events(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(event, ' ' ORDER BY event_id) FROM batch_events WHERE job_id = job
$$;

-- Quota: the batch is made again of the same file, and no attempt is charged.
SELECT sim.config('{"quotas":{"gpt-5.4-mini":1}}');
SELECT submit() AS job \gset
SELECT sim.work_beside();
CALL sim.await(format(
    '(SELECT count(*) >= 2 FROM batch_events WHERE job_id = %s AND event = ''deferred'' '
    'AND detail LIKE ''token_limit_exceeded: Enqueued token limit reached%%'')',
    :job));
SELECT matches(c.waiting_for, '^token_limit_exceeded: Enqueued token limit',
    'a quota: the chunk waits and says for what')
FROM batch_chunks c WHERE job_id = :job;
SELECT matches(pause_reason, '^token_limit_exceeded', '… the server too') FROM batch_servers
WHERE server = 's';
SELECT sim.config('{"quotas":{}}');
CALL sim.await(format('(SELECT state = ''completed'' FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is(counts(:job), 'completed 10 succeeded 10 written', 'a quota: all records succeed');
SELECT is(made('files'), 1, '… the file is uploaded once');
SELECT cmp_ok(made('batches'), '>=', 3, '… the batch is made again');
SELECT is(array_agg(DISTINCT attempt), ARRAY[1], 'promise 9: a quota is charged to no attempt')
FROM batch_records WHERE job_id = :job;
SELECT is(billed(), 10, '… and each record is billed once');

-- A quota with room for one batch at a time
SELECT sim.reset();
SELECT sim.config('{"quotas":{"gpt-5.4-mini":50}}');
SELECT sim.server('two', $$max_requests '5'$$);
SELECT submit(server => 'two') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 10 succeeded 10 written',
    'a quota with room for one batch at a time');
SELECT is(made('files'), 2, '… each file is uploaded once');
SELECT is(billed(), 10, '… and each record billed once');

-- Bad lines: they end, the others are sent again.
SELECT sim.reset();
SELECT batch_submit(
    'SELECT id, x || CASE WHEN id IN (3, 7) THEN ''[[sim:invalid_line]]'' ELSE '''' END AS prompt '
    'FROM t ORDER BY id',
    's', target => 't', write_back => '{"y":"$"}') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 8 succeeded 2 errored 8 written 8 again',
    'bad lines: the others are sent again');
SELECT results_eq(
    format(
        'SELECT record_id, error_code, error, attempt FROM batch_records WHERE job_id = %s '
        'AND outcome <> ''succeeded'' ORDER BY seq',
        :job),
    $$VALUES ('3', 'invalid_json_line', 'This line is not parseable as valid JSON.', 1),
          ('7', 'invalid_json_line', 'This line is not parseable as valid JSON.', 1)$$,
    '… the bad ones end with the provider''s words');
SELECT is(max(attempt), 1, '… which costs the others no attempt') FROM batch_records
WHERE job_id = :job;
SELECT is(billed(), 8, '… and each of them is billed once');
SELECT is(sim.ledger()->'files_left', '[]', 'promise 10: the files of a failed batch are removed');

-- Failed as a whole
SELECT sim.reset();
INSERT INTO t (id, x) SELECT i, 'x' || i FROM generate_series(11, 250) i;
SELECT submit(250, model => 'gpt-nonesuch') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'failed 0 succeeded 250 errored 0 written',
    'failed as a whole: the job has failed');
SELECT is(error, 'The provided model ''gpt-nonesuch'' is not supported by the Batch API.',
    '… with the provider''s words')
FROM batch_jobs WHERE job_id = :job;
SELECT is(made('batches'), 1, '… and is not tried line by line');
SELECT is(error_code, 'model_not_found', '… which each record has') FROM batch_records
WHERE job_id = :job AND seq = 200;
DELETE FROM t WHERE id > 10;
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"batch_outcome":"failed","errors":[{"code":"server_error",'
                 '"message":"The server had an error.","param":null,"line":null}]}}');
SELECT submit() AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 10 succeeded 10 written',
    'a batch that failed for the provider''s own fault is made again');
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"status":400,"body":{"error":{"message":"Invalid endpoint.",'
                 '"code":"invalid_value","type":"invalid_request_error","param":null}}}}');
SELECT submit() AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'failed 0 succeeded 10 errored 0 written',
    'a create call that is refused fails the job');
SELECT is(error, 'Invalid endpoint.', '… with the provider''s words') FROM batch_jobs
WHERE job_id = :job;

-- Expired and cancelled there, with partial results
SELECT sim.reset();
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"batch_outcome":"expired","finished":0.4}}');
SELECT submit() AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 10 succeeded 10 written 6 again',
    'an expired batch: what is finished is kept, the rest is sent again');
SELECT is(billed(), 10, '… and each record is billed once');
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"batch_outcome":"expired","finished":0.4}}');
SELECT submit(attempts => 1) AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 4 succeeded 6 expired 4 written', '… up to max_attempts');
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"batch_outcome":"cancelled","finished":0.4}}');
SELECT submit() AS job \gset
CALL batch_work('60 s');
SELECT is(
    counts(:job), 'completed 4 succeeded 6 cancelled 4 written',
    'a batch that somebody cancelled at the provider: what is finished is kept, '
    'the rest is not sent against his will');
SELECT is(batch_retry(:job, '{cancelled}'), 6::bigint, '… but can be');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed 10 succeeded 10 written 6 again', '… and is');

-- Each call once with a fault: everything passes, one batch, one bill
CREATE TABLE call (name text, method text, path text);
INSERT INTO call VALUES
    ('upload', 'POST', '/files$'),
    ('create', 'POST', '/batches$'),
    ('poll', 'GET', '/batches/'),
    ('fetch', 'GET', '/content$'),
    ('clean', 'DELETE', '/files/');
CREATE FUNCTION fault_each(action jsonb, which text DEFAULT '.') RETURNS void LANGUAGE sql AS $$
    SELECT sim.reset();
    SELECT sim.fault(jsonb_build_object(
        'match', jsonb_build_object('method', method, 'path_regex', path), 'action', action))
    FROM call WHERE name ~ which;
$$;
CREATE FUNCTION passes(job bigint, what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT is(counts(job), 'completed 10 succeeded 10 written', what);
    RETURN NEXT is((SELECT max(attempt) FROM batch_records WHERE job_id = job), 1,
        '… charged to no attempt');
    RETURN NEXT is(
        billed() || ' billed, ' || jsonb_array_length(sim.ledger()->'batches') || ' batch',
        '10 billed, 1 batch', '… each record is billed once');
END $$;
SELECT fault_each('{"status":429,"headers":{"retry-after":"2"}}');
SELECT submit() AS job \gset
CALL batch_work('90 s');
SELECT passes(:job, 'promise 9: 429 on upload, create, poll, fetch and clean-up');
SELECT cmp_ok(min(wait), '>=', interval '2 s', '… and Retry-After is honoured')
FROM (SELECT event, lead(at) OVER (ORDER BY event_id) - at AS wait FROM batch_events
      WHERE job_id = :job) e
WHERE event = 'deferred';
SELECT is(
    (SELECT count(*) FROM batch_events
     WHERE job_id = :job AND event = 'deferred' AND http_status = 429),
    5::bigint, '… five times');

SELECT fault_each(
    '{"status":429,"body":{"error":{"message":"You exceeded your current quota, '
    'please check your plan and billing details.","type":"insufficient_quota","param":null,'
    '"code":"insufficient_quota"}}}',
    'create');
SELECT submit() AS job \gset
CALL batch_work('90 s');
SELECT passes(:job, 'promise 9: money that has run out and comes again');
SELECT is(
    made('files') || ' ' || detail,
    '1 insufficient_quota: You exceeded your current quota, please check your plan and billing '
    'details.',
    '… told in the provider''s words, and the file is uploaded once')
FROM batch_events WHERE job_id = :job AND event = 'deferred';

SELECT fault_each('{"status":500}');
SELECT submit() AS job \gset
CALL batch_work('90 s');
SELECT passes(:job, 'promise 9: 500 on upload, create, poll, fetch and clean-up');
SELECT fault_each('{"html":503}', 'poll|fetch');
SELECT submit() AS job \gset
CALL batch_work('90 s');
SELECT passes(:job, 'promise 9: a page with 503 on poll and fetch');
SELECT fault_each('{"reset":"before"}');
SELECT submit() AS job \gset
CALL batch_work('90 s');
SELECT passes(:job, 'promise 1: a connection reset before each call has its effect');
SELECT fault_each('{"reset":"after"}');
SELECT submit() AS job \gset
CALL batch_work('90 s');
SELECT passes(:job, 'promise 1: a connection reset after each call has had its effect');
SELECT is((SELECT count(*) FROM batch_events WHERE job_id = :job AND event = 'found again'),
    1::bigint, '… the batch is found again');
SELECT fault_each('{"lost_after_effect":true}');
SELECT submit() AS job \gset
CALL batch_work('90 s');
SELECT passes(:job, 'promise 1: each answer is lost after the effect');
SELECT is((SELECT count(*) FROM batch_events WHERE job_id = :job AND event = 'found again'),
    1::bigint, '… the batch is found again');
SELECT fault_each('{"lost_after_effect":true,"list_lag_ms":600}', 'create');
SELECT submit() AS job \gset
CALL batch_work('90 s');
SELECT passes(:job, 'promise 1: the answer is lost and the list of batches lags behind');
SELECT is((SELECT count(*) FROM batch_events WHERE job_id = :job AND event = 'found again'),
    1::bigint, '… the batch is found again');

-- Results that do not come whole
SELECT fault_each('{"truncate":700}', 'fetch');
SELECT sim.fault('{"match":{"method":"GET","path_regex":"/content$"},'
                 '"after":1,"action":{"truncate":700,"chunked":true}}');
SELECT sim.fault('{"match":{"method":"GET","path_regex":"/content$"},'
                 '"after":2,"action":{"wrong_length":true}}');
SELECT submit() AS job \gset
CALL batch_work('60 s');
SELECT passes(:job, 'promise 3: results that are cut off are fetched again, never half read');
SELECT fault_each('{"redirect":"http://127.0.0.1:9/elsewhere"}', 'fetch');
SELECT submit() AS job \gset
CALL batch_work('60 s');
SELECT passes(:job, 'promise 6: a redirect is not followed');

-- Promise 2: delivered again, nothing changes.
SELECT sim.reset();
SELECT sim.fault('{"match":{"method":"DELETE"},"times":"always","action":{"status":400}}');
SELECT batch_submit(
    'SELECT id, x || CASE id WHEN 1 THEN ''[[sim:error=400]]'' WHEN 2 THEN ''[[sim:refusal]]'' '
    'WHEN 3 THEN ''[[sim:missing]]'' WHEN 4 THEN ''[[sim:duplicate]]'' WHEN 5 THEN '
    '''[[sim:unknown]]'' WHEN 6 THEN ''[[sim:badjson]]'' WHEN 7 THEN ''[[sim:fail_times=1]]'' '
    'WHEN 8 THEN ''[[sim:twice]]'' ELSE '''' END AS prompt FROM t ORDER BY id',
    's', target => 't', write_back => '{"y":"$"}', max_attempts => 2) AS job \gset
CALL batch_work('60 s');
CREATE FUNCTION standing(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(
        E'\n', (SELECT to_jsonb(j) - 'bytes_staged' FROM batch_jobs j WHERE job_id = job),
        (SELECT jsonb_agg(r ORDER BY seq, attempt) FROM batchinf.result r WHERE job_id = job),
        (SELECT jsonb_agg(r ORDER BY seq) FROM batchinf.record r WHERE job_id = job),
        (SELECT string_agg(t.xmin || ' ' || t::text, ',' ORDER BY id) FROM t),
        (SELECT jsonb_agg(to_jsonb(c) - '{requests,bytes_down}'::text[] ORDER BY chunk_id)
         FROM batchinf.chunk c WHERE job_id = job),
        (SELECT concat_ws(' ', sum(records), sum(cost), sum(wasted), sum(unpriced))
         FROM batchinf.spend WHERE job_id = job),
        (SELECT jsonb_agg(to_jsonb(b) - 'ended_at' ORDER BY chunk_id, try)
         FROM batchinf.batch b JOIN batchinf.chunk c USING (chunk_id) WHERE job_id = job),
        (SELECT count(*) FROM batchinf.chunk)) $$;
SELECT is(counts(:job), 'completed 6 succeeded 2 errored 6 written 2 again',
    'a job with a record of every kind');
CREATE TABLE before AS SELECT standing(:job);
UPDATE batchinf.chunk SET state = 'fetching', next_step_at = now() WHERE job_id = :job;
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM batch_events WHERE job_id = :job AND event = 'delivered'),
    4::bigint, 'its two chunks are delivered again');
SELECT is(standing(:job), (SELECT standing FROM before),
    'promise 2: counts, tokens, money, results, records and rows are as they were');
UPDATE batchinf.chunk SET state = 'delivering', next_step_at = now() WHERE job_id = :job;
CALL batch_work('60 s');
SELECT is(standing(:job), (SELECT standing FROM before),
    'promise 2: nor does a step that died while delivering');
SELECT is((SELECT count(*) FROM batchinf.chunk WHERE state NOT IN ('done', 'failed', 'cancelled')),
    0::bigint, 'no chunk is left');

SELECT * FROM finish();
