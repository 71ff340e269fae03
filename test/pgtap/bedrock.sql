-- Jobs at Bedrock end to end: through S3, with each family of models, and each way in which a job
-- ends there.
\i lib.sql
SELECT plan(65);
SELECT sim.tickets();
CREATE FUNCTION fill(n int, directive text DEFAULT '', every int DEFAULT 1) RETURNS void
LANGUAGE sql AS $$
    TRUNCATE tickets;
    INSERT INTO tickets
    SELECT i, CASE WHEN i % every = 0 THEN directive ELSE '' END || ' body ' || i
    FROM generate_series(1, n) i;
$$;
CREATE FUNCTION submit(server name, more text DEFAULT '') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE format(
        'SELECT batch_submit(''SELECT id, body FROM tickets ORDER BY id'', server => %L, '
        'prompt => ''Label: {{body}}'', target => ''tickets'', write_back => ''{"label": "$"}'', '
        'in_flight => ''send'', write_if => ''always''%s)',
        server, CASE WHEN more = '' THEN '' ELSE ', ' || more END)
    INTO job;
    RETURN job;
END $$;
CREATE FUNCTION refusal(server name, options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    why text;
BEGIN
    PERFORM sim.bedrock(server, options);
    PERFORM submit(server);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
    RETURN why;
END $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(', ', state, NULLIF(succeeded, 0) || ' succeeded',
        NULLIF(invalid_output, 0) || ' invalid', NULLIF(errored, 0) || ' errored',
        NULLIF(expired, 0) || ' expired', NULLIF(cancelled, 0) || ' cancelled',
        NULLIF(missing, 0) || ' missing', NULLIF(pending, 0) || ' pending', written || ' written')
    FROM batch_jobs WHERE job_id = job $$;
-- What there was of jobs at the provider: billed requests (more than once), jobs, objects left.
CREATE FUNCTION books() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'billed', l ->> 'billed_requests', 'again', l ->> 'content_billed_again',
        'jobs', jsonb_array_length(l -> 'batches'), 'left', jsonb_array_length(l -> 'files_left'))
    FROM sim.ledger() l $$;
-- Requests of that method and path: status and body.
CREATE FUNCTION requests(method text, path text)
RETURNS TABLE (path text, status int, body text, headers jsonb) LANGUAGE sql AS $$
    SELECT r ->> 'path', (r ->> 'status')::int, r ->> 'body', r -> 'headers'
    FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
    WHERE r ->> 'method' = $1 AND r ->> 'path' ~ $2 $$;

-- A job
SELECT sim.bedrock('bed');
SELECT fill(50);
SELECT submit(
    'bed',
    $$system_prompt => 'Be short.',
      params => '{"temperature": 0, "max_tokens": 300, "top_k": 5}'$$) AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 50 succeeded, 50 written', 'a job');
SELECT is((SELECT count(*) FROM tickets WHERE label LIKE '%body ' || id), 50::bigint,
    'each row has the answer to its own prompt: the order of results is never used');
SELECT is(books(), 'billed 50 again 0 jobs 1 left 0', '… billed once, and nothing is left');
SELECT is(b ->> 'endpoint', 'Converse', '… by Converse')
FROM jsonb_array_elements(sim.ledger() -> 'batches') b;
SELECT matches(provider_batch_id, '^[a-z0-9]{12}$', '… known by the short id') FROM batch_chunks
WHERE job_id = :job;
SELECT is(count(*), 0::bigint, '… which is all that is ever in a path') FROM requests('GET', 'arn');
SELECT is(
    string_agg(event || COALESCE(' ' || substring(detail FROM '^\d+ records'), ''),
        ', ' ORDER BY event_id),
    'uploaded 50 records, submitted, completed, delivered, cleaned', '… and its history')
FROM batch_events WHERE job_id = :job AND event <> 'running';
SELECT is(input_tokens > 0 AND output_tokens > 0, true, '… tokens are told') FROM batch_jobs
WHERE job_id = :job;

-- Families of models: prompts by Converse, whoever made the model
SELECT sim.reset();
SELECT sim.config('{"bedrock_min_records": 1}');
SELECT sim.bedrock('of_' || n, '', model)
FROM unnest(ARRAY[
    'anthropic.claude-haiku-4-5-20251001-v1:0', 'global.anthropic.claude-haiku-4-5-20251001-v1:0',
    'eu.amazon.nova-pro-v1:0', 'meta.llama3-3-70b-instruct-v1:0', 'mistral.mistral-large-2407-v1:0',
    'arn:aws:bedrock:us-east-1:123456789012:inference-profile/'
    'us.meta.llama3-1-8b-instruct-v1:0']) WITH ORDINALITY AS m(model, n);
SELECT fill(3);
SELECT submit(
    server,
    $$response_schema => '{"type": "object", "properties": {"a": {"type": "string"}}, '
                         '"required": ["a"], "additionalProperties": false}'$$)
FROM batch_servers WHERE server LIKE 'of%' ORDER BY server \g /dev/null
CALL batch_work('60 s');
SELECT is(j.succeeded, 3::bigint, s.model || ' with a schema') FROM batch_jobs j
JOIN batch_servers s USING (server) WHERE server LIKE 'of%' ORDER BY server;
-- ... and whole bodies as the model itself takes them
SELECT sim.reset();
SELECT sim.config('{"bedrock_min_records": 1}');
SELECT sim.bedrock('bed');
CREATE TABLE body (model text PRIMARY KEY, body jsonb, task text DEFAULT 'chat');
INSERT INTO body (model, body) VALUES
    ('us.anthropic.claude-haiku-4-5-20251001-v1:0',
     '{"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": [{"role": "user", '
     '"content": "hello"}]}'),
    ('us.amazon.nova-lite-v1:0',
     '{"schemaVersion": "messages-v1", "messages": [{"role": "user", '
     '"content": [{"text": "hello"}]}], "inferenceConfig": {"maxTokens": 100}}'),
    ('meta.llama3-3-70b-instruct-v1:0', '{"prompt": "hello", "max_gen_len": 100}'),
    ('mistral.mistral-large-2407-v1:0', '{"prompt": "<s>[INST] hello [/INST]", "max_tokens": 100}');
INSERT INTO body VALUES
    ('amazon.titan-embed-text-v2:0', '{"inputText": "hello", "dimensions": 256}', 'embedding'),
    ('cohere.embed-english-v3', '{"texts": ["hello"], "input_type": "search_query"}', 'embedding');
SELECT batch_submit(format('SELECT 1 AS id, body FROM body WHERE model = %L', model),
    server => 'bed', model => model, task => task, name => model)
FROM body \g /dev/null
CALL batch_work('60 s');
SELECT is(
    r.outcome || ' '
        || CASE WHEN b.task = 'chat' THEN substring(r.output FROM '[Hh]ello')
            ELSE jsonb_array_length(r.output::jsonb)::text END
        || CASE WHEN r.input_tokens > 0 THEN ' tokens' ELSE '' END,
    'succeeded '
        || CASE b.model WHEN 'amazon.titan-embed-text-v2:0' THEN '256 tokens'
            WHEN 'cohere.embed-english-v3' THEN '1024'
            WHEN 'mistral.mistral-large-2407-v1:0' THEN 'hello' ELSE 'hello tokens' END,
    b.model || ' with a body of its own')
FROM body b JOIN batch_jobs j ON j.name = b.model LEFT JOIN batch_records r USING (job_id)
ORDER BY b.model;
SELECT is(array_agg(DISTINCT b ->> 'endpoint'), '{InvokeModel}', '… by InvokeModel')
FROM jsonb_array_elements(sim.ledger() -> 'batches') b;

-- A corpus with Titan, into a vector and a real[]
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE docs (id int PRIMARY KEY, body text, v vector(256), r real[]);
INSERT INTO docs (id, body) VALUES
    (1, 'the cat sat on the mat'),
    (2, 'a cat on a mat'),
    (3, 'interest rates of central banks'),
    (4, 'central banks and interest rates'),
    (5, NULL);
INSERT INTO docs (id, body) SELECT i, md5(i::text) FROM generate_series(6, 120) i;
SELECT sim.reset();
SELECT sim.bedrock('titan', '', 'amazon.titan-embed-text-v2:0');
ALTER SERVER titan OPTIONS (DROP min_requests);
SELECT sim.reset();
SELECT batch_submit('SELECT id, body FROM docs', server => 'titan', prompt => '{{body}}',
    task => 'embedding', params => '{"dimensions": 256, "normalize": true}', target => 'docs',
    write_back => '{"v": "$", "r": "$"}', in_flight => 'send', write_if => 'always') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 119 succeeded, 119 written',
    'a corpus is embedded, at the quota''s own minimum of 100 records');
SELECT is(count(*), 119::bigint, '… into a vector and a real[] alike') FROM docs
WHERE vector_dims(v) = 256 AND v::real[] = r;
SELECT is(array_agg(id ORDER BY v <-> (SELECT v FROM docs WHERE id = 1)), '{1,2}',
    '… and what is alike is near')
FROM (SELECT * FROM docs ORDER BY v <-> (SELECT v FROM docs WHERE id = 1) LIMIT 2) d;
SELECT is(books(), 'billed 119 again 0 jobs 1 left 0', '… billed once');
SELECT sim.config('{"bedrock_min_records": 1}');
SELECT sim.bedrock(name, '', model)
FROM (VALUES ('cohere3', 'cohere.embed-multilingual-v3'), ('cohere4', 'global.cohere.embed-v4:0'),
          ('nova', 'amazon.nova-2-multimodal-embeddings-v1:0')) AS m(name, model);
ALTER TABLE docs ALTER v TYPE vector;
SELECT batch_submit(
    'SELECT id, body FROM docs WHERE id < 5', server => server, prompt => '{{body}}',
    task => 'embedding',
    params => CASE server WHEN 'cohere4' THEN '{"output_dimension": 512}'
        WHEN 'nova' THEN '{"embeddingDimension": 384}' END::jsonb,
    target => 'docs', write_back => '{"v": "$"}', name => server, in_flight => 'send',
    write_if => 'always')
FROM unnest('{cohere3,cohere4,nova}'::name[]) AS server \g /dev/null
CALL batch_work('60 s');
SELECT results_eq(
    $$SELECT j.name, min(jsonb_array_length(r.output::jsonb)), count(*) FROM batch_jobs j
      JOIN batch_records r USING (job_id)
      WHERE outcome = 'succeeded' AND j.name IN ('cohere3', 'cohere4', 'nova') GROUP BY 1
      ORDER BY 1$$,
    $$VALUES ('cohere3', 1024, 4::bigint), ('cohere4', 512, 4), ('nova', 384, 4)$$,
    'embeddings of Cohere and Nova');

-- How jobs end
SELECT sim.reset(), sim.bedrock('bed'),
    sim.fault('{"match":{"path_regex":"/model-invocation-job$"},'
              '"action":{"batch_outcome":"partial"}}'),
    fill(20);
SELECT submit('bed') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job) || ' ' || books(),
    'completed, 20 succeeded, 20 written billed 20 again 0 jobs 2 left 0',
    'PartiallyCompleted: what is finished is kept, the rest sent again');
SELECT is(count(*), 10::bigint, '… as their second attempt') FROM batch_records
WHERE job_id = :job AND attempt = 2;
SELECT sim.reset(), sim.bedrock('bed'),
    sim.fault('{"match":{"path_regex":"/model-invocation-job$"},'
              '"action":{"batch_outcome":"expired"}}');
SELECT submit('bed', 'max_attempts => 1') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job) || ' ' || books(),
    'completed, 20 expired, 0 written billed 0 again 0 jobs 1 left 0',
    'Expired: there are no results');
SELECT matches(detail, '^Expired: The job expired', '… with Bedrock''s words') FROM batch_events
WHERE job_id = :job AND event = 'expired';
SELECT sim.reset(), sim.bedrock('bed'),
    sim.fault('{"match":{"path_regex":"/model-invocation-job$"},'
              '"action":{"batch_outcome":"cancelled"}}');
SELECT submit('bed') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job) || ' ' || books(),
    'completed, 10 succeeded, 10 cancelled, 10 written billed 10 again 0 jobs 1 left 0',
    'Stopped by somebody: what is finished is kept, nothing is sent again');
SELECT sim.reset(), sim.bedrock('bed'),
    sim.fault('{"match":{"path_regex":"/model-invocation-job$"},'
              '"action":{"batch_outcome":"failed",'
              '"errors":[{"message":"The file input.jsonl has records that are too long."}]}}');
SELECT submit('bed') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job) || ' ' || books(),
    'failed, 20 errored, 0 written billed 0 again 0 jobs 1 left 0',
    'Failed: the records end with it');
SELECT is(string_agg(DISTINCT error_code || ': ' || error, ''),
    'Failed: The file input.jsonl has records that are too long.', '… and with Bedrock''s words')
FROM batch_records WHERE job_id = :job;
SELECT sim.reset(), sim.bedrock('bed'),
    sim.fault('{"match":{"path_regex":"/model-invocation-job$"},'
              '"action":{"batch_outcome":"failed",'
              '"errors":[{"message":"Throttled: the account has exceeded its quota of '
              'tokens."}]}}');
SELECT submit('bed') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job) || ' ' || books(),
    'completed, 20 succeeded, 20 written billed 20 again 0 jobs 2 left 0',
    'Failed for quota: the same input makes another job later');
SELECT is(count(DISTINCT b ->> 'token') || ' ' || bool_and(b ->> 'token' = b ->> 'name'), '2 true',
    '… with another token and name, for the first ones stand for the failed job')
FROM jsonb_array_elements(sim.ledger() -> 'batches') b;
SELECT is(count(*), 1::bigint, '… and one upload') FROM requests('PUT', 'input.jsonl');
SELECT is(max(attempt), 1, '… and no attempt is charged') FROM batch_records WHERE job_id = :job;

-- Cancelled by us
SELECT sim.reset(), sim.bedrock('bed'),
    sim.fault('{"match":{"path_regex":"/model-invocation-job$"},'
              '"action":{"batch_outcome":"in_progress_forever"}}');
SELECT submit('bed') AS job \gset
SELECT sim.work_beside();
CALL sim.await('(sim.ledger() ->> ''billed_requests'')::int = 10');
SELECT batch_cancel(:job);
CALL sim.await(format(
    '(SELECT state = ''cancelled'' AND pending = 0 FROM batch_jobs WHERE job_id = %s) '
    'AND books() LIKE ''%%left 0''',
    :job));
SELECT is(counts(:job) || ' ' || books(),
    'cancelled, 10 succeeded, 10 cancelled, 10 written billed 10 again 0 jobs 1 left 0',
    'batch_cancel stops the job and keeps what is finished');
SELECT is(array_agg(status), '{200}', '… by the short id')
FROM requests('POST', '/model-invocation-job/[a-z0-9]{12}/stop$');

-- Lines
SELECT sim.reset(), sim.bedrock('bed');
TRUNCATE tickets;
INSERT INTO tickets VALUES
    (1, '[[sim:error=400:bad]]'),
    (2, '[[sim:error=429:slow]]'),
    (3, '[[sim:status0]]'),
    (4, '[[sim:timeout]]'),
    (6, '[[sim:duplicate]]'),
    (7, '[[sim:badjson]]'),
    (8, '[[sim:unknown]]'),
    (9, '[[sim:both]]'),
    (10, '[[sim:refusal]]'),
    (11, '[[sim:content_filter]]'),
    (12, '[[sim:length]]'),
    (13, '[[sim:nochoices]]'),
    (14, '[[sim:nul]]'),
    (15, '[[sim:thinking]] x'),
    (16, '[[sim:stop=model_context_window_exceeded]]'),
    (17, '[[sim:stop=something_new]] x'),
    (18, '[[sim:fail_times=1]] x'),
    (19, '[[sim:big=2000000]]');
SELECT submit('bed', $$max_attempts => 2, params => '{"maxTokens": 1000000}'$$) AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    format(
        'SELECT t.id, r.outcome, r.attempt, r.error_code FROM tickets t '
        'JOIN batch_records r ON r.record_id = t.id::text WHERE r.job_id = %s ORDER BY 1',
        :job),
    $$VALUES (1, 'errored', 1, 'http_400'), (2, 'errored', 2, 'http_429'),
          (3, 'errored', 2, 'http_500'), (4, 'errored', 2, 'http_408'), (6, 'succeeded', 1, NULL),
          (7, 'errored', 1, 'unreadable_line'), (8, 'succeeded', 1, NULL),
          (9, 'succeeded', 1, NULL), (10, 'invalid_output', 1, 'guardrail'),
          (11, 'invalid_output', 1, 'content_filter'), (12, 'invalid_output', 1, 'length'),
          (13, 'invalid_output', 1, 'no_output'), (14, 'invalid_output', 1, 'nul_character'),
          (15, 'succeeded', 1, NULL), (16, 'invalid_output', 1, 'length'),
          (17, 'invalid_output', 1, 'finish_reason:something_new'), (18, 'succeeded', 2, NULL),
          (19, 'succeeded', 1, NULL)$$,
    'each kind of line');
SELECT is(count(*) FILTER (WHERE label ~ 'considered'), 0::bigint,
    'what a model thinks is no output')
FROM tickets;
SELECT is(length(label), 2000000, 'an answer of 2 MB') FROM tickets WHERE id = 19;

-- Results that come short of what the manifest counts are fetched again
SELECT sim.reset(), sim.bedrock('bed'), fill(20),
    sim.fault('{"match":{"method":"GET","path_regex":"input.jsonl.out$"},'
              '"action":{"status":200,"body":""}}');
SELECT submit('bed') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job) || ' ' || books(),
    'completed, 20 succeeded, 20 written billed 20 again 0 jobs 1 left 0',
    'a results file that is empty, by the manifest it should not be: fetched again');
SELECT matches(detail, '0 lines came, and the provider reports 20', '… which the history tells')
FROM batch_events WHERE job_id = :job AND event = 'deferred';
-- ... cut, an error page, a listing that is none, and without them
SELECT sim.reset(), sim.bedrock('bed'),
    sim.fault('{"match":{"method":"GET","path_regex":"input.jsonl.out$"},'
              '"action":{"truncate":500}}'),
    sim.fault('{"match":{"method":"GET","path_regex":"input.jsonl.out$"},"action":{"html":200}}'),
    sim.fault('{"match":{"method":"GET","path_regex":"^/batch/$"},'
              '"action":{"status":200,'
              '"body":"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"}}'),
    sim.fault('{"match":{"method":"GET","path_regex":"^/batch/$"},"action":{"html":200}}'),
    sim.fault('{"match":{"method":"GET","path_regex":"manifest"},"action":{"status":503}}');
SELECT submit('bed') AS job \gset
CALL batch_work('120 s');
SELECT is(
    counts(:job) || ' ' || books(),
    'completed, 20 succeeded, 20 written billed 20 again 0 jobs 1 left 0',
    'results cut, a page instead of them or of the list, an empty list, '
    'a store that is slow: all are asked again');

-- Quota
SELECT sim.reset(), sim.bedrock('bed', $$max_requests '5'$$),
    sim.config('{"bedrock_max_jobs": 1, "bedrock_min_records": 1}'), fill(15);
SELECT submit('bed') AS job \gset
SELECT sim.work_beside('120 s');
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_events WHERE job_id = %s AND detail LIKE '
    '''ServiceQuotaExceededException: You have exceeded%%'')',
    :job));
CALL sim.await('EXISTS (SELECT FROM batch_servers WHERE pause_reason LIKE '
               '''ServiceQuotaExceededException%'' OR last_error LIKE '
               '''ServiceQuotaExceededException%'')');
SELECT pass('no room for another job: the server waits, and says for what');
CALL sim.await(
    format('(SELECT bool_and(step = ''done'') FROM batch_chunks WHERE job_id = %s)', :job),
    '120 s');
SELECT is(counts(:job) || ' ' || books(),
    'completed, 15 succeeded, 15 written billed 15 again 0 jobs 3 left 0', '… until there is room');
SELECT is(max(attempt), 1, '… and no attempt is charged') FROM batch_records WHERE job_id = :job;
SELECT sim.reset(), sim.bedrock('bed'),
    sim.fault('{"match":{"path_regex":"/model-invocation-job$"},"action":{"status":429}}'),
    sim.fault('{"match":{"method":"PUT"},"action":{"status":503}}');
SELECT submit('bed') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job) || ' ' || books(),
    'completed, 15 succeeded, 15 written billed 15 again 0 jobs 1 left 0', 'throttled by either');
-- fewer records than the account's minimum, where the server does not know it
SELECT sim.reset(), sim.bedrock('bed'), sim.config('{"bedrock_min_records": 100}');
SELECT submit('bed') AS job \gset
CALL batch_work('60 s');
SELECT matches(min(error), 'less records \(15\) than the required minimum of: 100',
    'too few records, where min_requests hides the quota')
FROM batch_records WHERE job_id = :job;
SELECT sim.bedrock('many', $$max_requests '200'$$);
ALTER SERVER many OPTIONS (DROP min_requests);
SELECT throws_like($$SELECT submit('many')$$, '%needs at least 100 records a batch',
    '… else that is told at submit');

-- Options, all at once: a bucket that wants a key for encryption, its owner told, no prefix; one in
-- another region by the name of its host; an API key of
-- Bedrock beside the keys for S3; a session's token
SELECT sim.reset(),
    sim.bedrock(
        'kms',
        $$storage_kms_key 'alias/batch', storage_owner '123456789012', completion_window '72h',
          storage_url 's3://sse-batch', storage_style 'path', storage_base_url $$
            || quote_literal(replace(sim.url(), '/v1', '/')));
SELECT sim.bedrock(
    'west',
    format(
        $$storage_url 's3://west-batch/a/b.c', storage_style 'virtual',
          storage_base_url 'http://s3.us-west-2.localhost:%s'$$,
        port))
FROM sim_setting;
ALTER SERVER west OPTIONS (SET region 'us-west-2');
SELECT sim.bedrock(
    'bearer',
    mapping => $$api_key 'BEDROCK_API_KEY', access_key_id 'AKIDEXAMPLE',
                 secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'$$);
SELECT sim.bedrock(
    'session',
    mapping => $$access_key_id 'ASIAEXAMPLE',
                 secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
                 session_token 'TOK/EN=='$$);
SELECT sim.config('{"s3_buckets": {"batch": {}, "west-batch": {"region": "us-west-2"}, '
                  '"sse-batch": {"require_sse": "aws:kms"}}}');
SELECT submit(server) FROM unnest('{kms,west,bearer,session}'::name[]) AS server \g /dev/null
CALL batch_work('60 s');
SELECT is(counts(job_id), 'completed, 15 succeeded, 15 written', 'options: ' || server)
FROM batch_jobs WHERE server IN ('kms', 'west', 'bearer', 'session') ORDER BY server;
SELECT is(books(), 'billed 60 again 15 jobs 4 left 0', 'options: nothing is left');
CREATE TEMP VIEW creates AS SELECT body::jsonb AS body, headers
FROM requests('POST', '/model-invocation-job$');
SELECT results_eq(
    $$SELECT body -> 'timeoutDurationInHours',
          body #>> '{outputDataConfig,s3OutputDataConfig,s3EncryptionKeyId}'
      FROM creates WHERE body::text ~ 'sse-batch'$$,
    $$VALUES ('72'::jsonb, 'alias/batch')$$,
    'completion_window is the job''s time, and results are encrypted as the input is');
SELECT is(count(*), 1::bigint, 'a bucket by the name of its host')
FROM requests('PUT', '^/a/b.c/batchinf/[0-9a-f]{32}/input.jsonl$')
WHERE headers ->> 'host' LIKE 'west-batch.s3.us-west-2.localhost:%';
SELECT is(count(*) FILTER (WHERE NOT headers ? 'x-amz-date'), 1::bigint,
    'one control plane knows its API key, and needs no signature')
FROM creates;
SELECT is(refusal('far', 'completion_window ''12h'''),
    'option "completion_window" of the server must be from "24h" to "168h"',
    'a time that Bedrock does not take');

-- What must be told at once
SELECT throws_like(
    format('CREATE SERVER x FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''bedrock''%s)', o),
    '%option "' || missing || '" is required%', missing || ' is required')
FROM (VALUES ('region', $$, role_arn 'r', storage_url 's3://bucket'$$),
          ('role_arn', $$, region 'r', storage_url 's3://bucket'$$),
          ('storage_url', $$, region 'r', role_arn 'r'$$)) AS t(missing, o);
SELECT throws_like(
    $$CREATE SERVER x FOREIGN DATA WRAPPER batchinf
      OPTIONS (provider 'bedrock', region 'r', role_arn 'r', storage_url 'gs://bucket')$$,
    '%', 'S3 is where it goes');
SELECT is(
    (SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
     WHERE r::text LIKE '%wJalrXUtnFEMI%'),
    0::bigint, 'no key travels');
SELECT * FROM finish();
