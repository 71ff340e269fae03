-- Jobs at Azure OpenAI end to end: both surfaces, keys and tokens, files that are still pending,
-- quotas, deployments, the API's oddities, and a lost answer.
\i lib.sql
SELECT no_plan();

-- A server of Azure's with a mapping; address is behind the simulator's host.
CREATE FUNCTION azure(name text, address text, more text DEFAULT '',
    mapping text DEFAULT $$api_key 'sk-sim'$$, model text DEFAULT 'mini-batch')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''azure_openai'', '
        'model %L, base_url %L, poll_interval ''1'' %s)',
        name, model, replace(sim.url(), '/v1', address), more);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%s)', name, mapping);
END $$;
CREATE FUNCTION authority() RETURNS text LANGUAGE sql AS $$
    SELECT format(', authority_url %L', replace(sim.url(), '/v1', '/entra'))
$$;
SELECT sim.server('openai');
SELECT azure('v1', '/openai/v1/');
SELECT azure('classic', '', $$, api_version '2024-10-21'$$);
SELECT azure('entra', '/openai/v1', authority(),
    $$tenant_id 'sim-tenant', client_id 'sim-client', client_secret 'sim-secret~1&='$$);
SELECT azure('gateway', '', $$, expires_after '2592000', metadata 'off'$$);
SELECT sim.tickets(20);

CREATE FUNCTION submit(server name, n int DEFAULT 5, model text DEFAULT NULL) RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT id, body FROM tickets WHERE id <= %s ORDER BY id', n),
        server => server, prompt => '{{body}}', model => model);
$$;
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, 'succeeded', succeeded, 'errored', errored, 'pending', pending)
    FROM batch_jobs WHERE job_id = job;
$$;
CREATE FUNCTION answers(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(
        concat_ws(' ', record_id, outcome, output, input_tokens, output_tokens, finish_reason),
        E'\n' ORDER BY seq)
    FROM batch_records WHERE job_id = job
$$;
CREATE FUNCTION waits(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT waiting_for, ' | ') FROM batch_chunks WHERE job_id = job
$$;
CREATE FUNCTION billed() RETURNS int LANGUAGE sql AS $$
    SELECT (sim.ledger() ->> 'billed_requests')::int
$$;
CREATE FUNCTION requests(route text) RETURNS int LANGUAGE sql AS $$
    SELECT COALESCE((sim.ledger() #>> ARRAY['requests', route])::int, 0)
$$;
CREATE FUNCTION logged(method text, path text) RETURNS SETOF jsonb LANGUAGE sql AS $$
    SELECT r FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
    WHERE r ->> 'method' = method AND r ->> 'path' ~ path;
$$;

--
-- The same job on every surface has the same answers
--
SELECT submit('openai') AS openai, submit('v1') AS v1, submit('classic') AS classic,
    submit('entra') AS entra, submit('gateway') AS gateway \gset
CALL batch_work('60 s');
SELECT is(told(:v1), 'completed succeeded 5 errored 0 pending 0', 'v1: done');
SELECT is(answers(:v1), answers(:openai), '… with the answers of OpenAI');
SELECT is(answers(:classic), answers(:openai), 'classic: the same');
SELECT is(answers(:entra), answers(:openai), 'Entra ID: the same');
SELECT is(answers(:gateway), answers(:openai),
    'the resource''s endpoint without a version: the same');
SELECT is(sim.ledger() -> 'files_left', '[]', 'promise 10: no file is left');
SELECT is(billed(), 25, 'each request is paid for once');
SELECT is(count(*), 1::bigint, 'one token serves for the visit') FROM logged('POST', 'oauth2');
SELECT ok(bool_and(request_id ~ '^[0-9a-f]{32}$'), 'events have Azure''s request ids')
FROM batchinf.event WHERE job_id = :v1 AND event IN ('uploaded', 'submitted');
SELECT ok(
    bool_and(
        r -> 'headers' ? 'authorization' AND NOT r -> 'headers' ? 'api-key'
        OR r -> 'headers' ->> 'api-key' = '...-sim'),
    'each request has one proof')
FROM logged('POST', '^/openai') r;
SELECT is(string_agg(b ->> 'endpoint', ' '),
    array_to_string(array_fill('/v1/chat/completions'::text, '{5}'), ' '),
    'each of the five made one batch')
FROM jsonb_array_elements(sim.ledger() -> 'batches') b;
SELECT ok(
    requests('POST /openai/batches') > 0 AND requests('POST /openai/v1/batches') > 2
    AND requests('POST /v1/batches') = 1,
    '… on its own surface');

--
-- A file that is pending is waited for, without another upload
--
SELECT sim.reset();
SELECT sim.config('{"azure_file_pending_ms": 1500}');
SELECT submit('v1') AS job, submit('openai') AS other \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until(format('SELECT waits(%s) ~ %L', :job, 'pending'), 'true'), 'true',
    'a pending file: the reason is told');
SELECT is(sim.finish('worker'), '', 'batch_work ends');
SELECT is(told(:job), 'completed succeeded 5 errored 0 pending 0', '… it is done');
SELECT is(requests('POST /openai/v1/files'), 1, '… of one upload');
SELECT is(NOT EXISTS (SELECT FROM batch_servers WHERE server = 'v1' AND pause_reason IS NOT NULL),
    true, '… and the server was not paused');

--
-- Room for files
--
SELECT sim.reset();
SELECT sim.config('{"azure_max_expiring_files": 0}');
SELECT submit('v1') AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until(format('SELECT waits(%s) ~ %L', :job, 'quotaExceeded'), 'true'), 'true',
    'no room for files: a wait with its reason');
SELECT sim.config('{"azure_max_expiring_files": 500}');
SELECT is(sim.finish('worker'), '', 'batch_work ends');
SELECT is(told(:job), 'completed succeeded 5 errored 0 pending 0', '… until there is room');

--
-- Tokens: told late, and at once
--
SELECT sim.reset();
SELECT sim.config('{"quotas": {"mini-batch": 1}, "quirks": {"failed_files": true}}');
SELECT submit('v1') AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until(format('SELECT waits(%s) ~ %L', :job, 'token_limit_exceeded'), 'true'), 'true',
    'no room for tokens, told by the batch: a wait with its reason');
SELECT sim.config('{"quotas": {}}');
SELECT is(sim.finish('worker'), '', 'batch_work ends');
SELECT is(told(:job), 'completed succeeded 5 errored 0 pending 0',
    '… until there is room, of the same input');
SELECT is(requests('POST /openai/v1/files'), 1, '… that was uploaded once');
SELECT is((SELECT max(attempt) FROM batch_records WHERE job_id = :job), 1,
    '… and counts as no attempt');
SELECT sim.reset();
SELECT sim.config('{"quotas": {"mini-batch": 1}, "azure_fail_fast": true}');
SELECT submit('v1') AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until(format('SELECT waits(%s) ~ %L', :job, 'token_limit_exceeded.*may have 1 enqueued'),
        'true'),
    'true', 'told at once: a wait with its reason and the deployment''s limit');
SELECT sim.config('{"quotas": {}}');
SELECT is(sim.finish('worker'), '', 'batch_work ends');
SELECT is(told(:job), 'completed succeeded 5 errored 0 pending 0', '… until there is room');

--
-- Deployments
--
SELECT sim.reset();
SELECT submit('v1', model => 'nowhere') AS nowhere, submit('v1', model => 'mini-live') AS live \gset
CALL batch_work('60 s');
SELECT is(told(:nowhere), 'failed succeeded 0 errored 5 pending 0',
    'a deployment that is missing: no record is sent again');
SELECT is(string_agg(DISTINCT error_code || ': ' || left(error, 60), ' | '),
    'model_not_found: The Azure OpenAI model deployment name ''nowhere'' that was sp',
    '… and each says so')
FROM batch_records WHERE job_id = :nowhere;
SELECT is(told(:live), 'failed succeeded 0 errored 5 pending 0',
    'a deployment of another type: no record is sent again');
SELECT is(string_agg(DISTINCT error_code || ': ' || left(error, 50), ' | '),
    'invalid_request: The deployment SKU ''GlobalStandard'' is invalid. Pl', '… and each says so')
FROM batch_records WHERE job_id = :live;
SELECT is(billed(), 0, '… nothing is paid for');
SELECT is(sim.ledger() -> 'files_left', '[]', '… and nothing is left');

--
-- The check
--
SELECT matches((SELECT status || ': ' || detail FROM batch_check('v1')),
    '^ok: address and key are good; Azure OpenAI has no free call that proves a deployment',
    'batch_check tells what it cannot tell');
SELECT is((SELECT status FROM batch_check('classic')), 'ok', '… on the classic surface too');
SELECT is((SELECT status FROM batch_check('entra')), 'ok', '… and with a token');
SELECT azure('badkey', '/openai/v1', mapping => $$api_key 'sk-wrong-key'$$);
SELECT is((SELECT status FROM batch_check('badkey')), 'bad_key', 'a wrong key');
SELECT azure('badsecret', '/openai/v1', authority(),
    $$tenant_id 'sim-tenant', client_id 'sim-client', client_secret 'not-to-be-seen'$$);
SELECT matches((SELECT status || ': ' || detail FROM batch_check('badsecret')),
    '^bad_key: HTTP status 401: AADSTS7000215', 'a wrong secret');
SELECT azure('badtenant', '/openai/v1', authority(),
    $$tenant_id 'no-tenant', client_id 'sim-client', client_secret 'sim-secret~1&='$$);
SELECT matches((SELECT status || ': ' || detail FROM batch_check('badtenant')),
    ': HTTP status 400: AADSTS90002', 'a tenant that is none');
SELECT azure('badversion', '', $$, api_version '2024-07-18'$$);
SELECT matches((SELECT status || ': ' || detail FROM batch_check('badversion')),
    '^provider_error: .*api_version', 'a version that is none');
SELECT azure('early', '/openai/v1', $$, expires_after '86400'$$);
SELECT throws_ok($$ SELECT submit('early') $$, NULL, NULL,
    'an expiry out of range is refused at submit');

--
-- A wrong secret holds up its owner until it is right
--
SELECT sim.reset();
SELECT submit('badsecret') AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(
    sim.until(format('SELECT waits(%s) ~ %L', :job, 'invalid_client: AADSTS7000215'), 'true'),
    'true', 'a secret that Entra ID refuses: a wait with its reason');
ALTER USER MAPPING FOR CURRENT_USER SERVER badsecret OPTIONS (SET client_secret 'sim-secret~1&=');
SELECT is(sim.finish('worker'), '', 'batch_work ends');
SELECT is(told(:job), 'completed succeeded 5 errored 0 pending 0', '… until it is right');
-- a token that ends in the middle is renewed
SELECT sim.reset();
SELECT sim.config('{"azure_token_seconds": 1, "batch_seconds": 3}');
SELECT submit('entra') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job), 'completed succeeded 5 errored 0 pending 0', 'a token of a second: done');
SELECT cmp_ok(count(*), '>', 2::bigint, '… with several') FROM logged('POST', 'oauth2');

--
-- Every oddity at once; also cancelled
--
SELECT sim.reset();
SELECT sim.config('{"quirks": {"status": "capital", "times": "iso", "counts": "null", '
                  '"empty_ids": true, "canceled": true, "list": "value", "failed_files": true}}');
SELECT submit('v1') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job), 'completed succeeded 5 errored 0 pending 0', 'oddities: done');
SELECT sim.config('{"batch_seconds": 6}');
SELECT submit('classic', 10) AS job \gset
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until('SELECT billed() >= 7', 'true'), 'true', 'a batch is running');
SELECT batch_cancel(:job);
SELECT is(sim.finish('worker'), '', 'batch_work ends');
SELECT ok(state = 'cancelled' AND succeeded + cancelled = 10 AND succeeded > 0,
    'oddities: cancelled, what is finished is kept')
FROM batch_jobs WHERE job_id = :job;

--
-- Promise 1: a lost answer buys nothing again
--
SELECT sim.reset();
SELECT sim.config('{"azure_file_pending_ms": 0, "quirks": {"list": "value", '
                  '"metadata": "dropped"}}');
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"action": {"lost_after_effect": true}}');
SELECT submit('v1') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job), 'completed succeeded 5 errored 0 pending 0', 'a lost answer to create: done');
SELECT is(requests('POST /openai/v1/batches'), 1, '… with one create');
SELECT is(billed(), 5, '… paid for once, though no metadata is kept');

SELECT * FROM finish();
