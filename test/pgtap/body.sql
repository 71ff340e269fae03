-- Reply bodies that are too large: the limits of batchinf.max_result_size and temp_file_limit,
-- compressed bodies, bodies without an end, and transfers that nobody wants any more.
\i lib.sql
SELECT no_plan();

-- A server at each provider; results: the path of what is downloaded, input: of what is sent.
CREATE TABLE place (server name PRIMARY KEY, provider text, address text, model text, more text,
    results text, mapping text DEFAULT 'api_key ''sk-sim''');
INSERT INTO place VALUES
    ('openai',    'openai',       '/v1',            'gpt-5.4-mini',     '', '/content$'),
    ('azure',     'azure_openai', '/openai/v1',     'mini-batch',       '', '/content$'),
    ('anthropic', 'anthropic',    '',               'claude-haiku-5-5', '', '/results$'),
    ('gemini',    'gemini',       '',               'gemini-3.5-flash-lite', '', ':download$');
INSERT INTO place
SELECT 'bedrock', 'bedrock', '', 'us.amazon.nova-lite-v1:0',
    format(
        $$, region 'us-east-1', role_arn 'arn:aws:iam::123456789012:role/BedrockBatch',
          storage_url 's3://batch', storage_base_url %L, min_requests '1'$$,
        replace(sim.url(), '/v1', '')),
    'jsonl[.]out$',
    $$access_key_id 'AKIDEXAMPLE', secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'$$;
INSERT INTO place
SELECT 'vertex', 'vertex', '', 'gemini-3.5-flash-lite',
    format(
        $$, project 'proj-1', location 'us-central1', storage_url 'gs://batch',
          storage_base_url %L$$,
        replace(sim.url(), '/v1', '')),
    'predictions', format('service_account %L', sim.call('GET', '/_sim/google_credentials'));
SELECT sim.config('{"bedrock_min_records": 1}');
CREATE FUNCTION make_server(p place) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP SERVER IF EXISTS %I CASCADE', p.server);
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider %L, model %L, '
        'base_url %L, poll_interval ''1'' %s)',
        p.server, p.provider, p.model, replace(sim.url(), '/v1', p.address), p.more);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%s)', p.server,
        p.mapping);
END $$;
SELECT make_server(p) FROM place p;
CREATE FUNCTION ask(name) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT generate_series(1, 20)', server => $1,
        prompt => 'about {{generate_series}}', name => $1)
$$;
CREATE FUNCTION fault(path text, action jsonb, method text DEFAULT 'GET',
    times text DEFAULT '"always"')
RETURNS void LANGUAGE sql AS $$
    SELECT sim.fault(jsonb_build_object(
        'match', jsonb_build_object('method', method, 'path_regex', path), 'times', times::jsonb,
        'action', action)) $$;
CREATE FUNCTION fault_all(action jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT fault(results, action) FROM place GROUP BY results
$$;
CREATE FUNCTION waits() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT state || ': ' || COALESCE(waiting_for, 'nothing'), '; ')
    FROM batchinf.chunk WHERE next_step_at IS NOT NULL
$$;
-- Works until so many chunks wait for that: longer each time, because what is under way when the
-- work ends begins anew.
CREATE PROCEDURE work_until(reason text, chunks int DEFAULT 1) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..7 LOOP
        CALL public.batch_work(make_interval(secs => 4 * i));
        EXIT WHEN (SELECT count(*) FROM batch_chunks WHERE waiting_for ~ reason) = chunks;
    END LOOP;
END $$;
CREATE PROCEDURE hurry() LANGUAGE sql AS $$
    UPDATE batchinf.chunk SET next_step_at = now() WHERE next_step_at > now()
$$;
CREATE FUNCTION downloads() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
    WHERE r ->> 'method' = 'GET' AND EXISTS (SELECT FROM place WHERE r ->> 'path' ~ results) $$;

-- results without end stop at the limit, at every provider
SET batchinf.max_result_size = '3MB';
SELECT fault_all('{"endless": true}');
SELECT ask(server) FROM place \g /dev/null
CALL work_until('^results_too_large', 6);
SELECT is(
    (SELECT count(*) FROM batch_chunks
     WHERE waiting_for ~ '^results_too_large: the results have at least 3[01][0-9][0-9] kB, '
                         'and batchinf.max_result_size allows 3072 kB'),
    6::bigint, 'endless results: each chunk says the setting and both figures');
SELECT ok(downloads() <= 2 * 6, '… and waits before it downloads them again');
SELECT is(count(*), 0::bigint, '… nothing of it is stored') FROM batchinf.result;
SELECT sim.clear_faults();
CALL hurry();
CALL batch_work('60 s');
SELECT is(
    (SELECT string_agg(format('%s %s', state, succeeded), ', ')
     FROM (SELECT DISTINCT state, succeeded FROM batch_jobs) j),
    'completed 20', 'paid answers are fetched later');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 120,
    'promise 1: each provider was asked once for each record');

-- a size that is told is believed before the bytes come
SELECT fault('/content$', jsonb_build_object('lie', 'long'));
SELECT ask('openai') AS job \gset
CALL work_until('^results_too_large');
SELECT matches(
    waits(),
    'fetching: results_too_large: the results have at least 976[0-9][0-9] kB, '
    'and batchinf.max_result_size allows 3072 kB',
    'results whose size is told');
SELECT sim.clear_faults();
CALL hurry();
CALL batch_work('30 s');
SELECT is(succeeded, 20::bigint, '… are fetched later') FROM batch_jobs WHERE job_id = :job;

-- what is packed counts as what it is, at every provider
SELECT fault_all('{"bomb": 50}');
SELECT ask(server) FROM place \g /dev/null
CALL work_until('^results_too_large', 6);
SELECT is(
    (SELECT count(*) FROM batch_chunks
     WHERE waiting_for ~ '^results_too_large: the results have at least 3[01][0-9][0-9] kB'),
    6::bigint, 'packed results of 50 MB');
SELECT sim.clear_faults();
CALL hurry();
CALL batch_work('60 s');
SELECT is((SELECT string_agg(DISTINCT state, ', ') FROM batch_jobs), 'completed',
    '… are fetched later');

-- replies in memory too
SELECT fault('/batches/', '{"bomb": 50}', times => '2');
SELECT ask('openai') AS job \gset
CALL batch_work('30 s');
SELECT is(count(*), 2::bigint, 'a reply that is packed and large is refused') FROM batch_events
WHERE job_id = :job AND detail ~ '^reply_too_large';
SELECT is(succeeded, 20::bigint, '… and asked for again') FROM batch_jobs WHERE job_id = :job;

-- by itself the limit is what the requests can bring
RESET batchinf.max_result_size;
SELECT fault('/content$', '{"bomb": 120}');
SELECT ask('openai') AS job \gset
CALL work_until('^results_too_large');
SELECT matches(waits(), 'allows 860[0-9][0-9] kB', '64 MB, 1 MB a record, four times the requests');
SELECT sim.clear_faults();
CALL hurry();
CALL batch_work('30 s');

-- temp_file_limit, of downloads and uploads
SET temp_file_limit = '1MB';
SELECT fault('/content$', '{"endless": true}');
SELECT ask('openai') AS job \gset
CALL work_until('^results_too_large');
SELECT matches(
    waits(),
    'fetching: results_too_large: the files of batch jobs in this process reach temp_file_limit '
    '\(1024 kB\)',
    'temp_file_limit ends a download');
SELECT sim.clear_faults();
CALL hurry();
CALL batch_work('30 s');
SELECT is(succeeded, 20::bigint, '… what is within it is fetched') FROM batch_jobs
WHERE job_id = :job;
SELECT batch_submit('SELECT i, repeat(''x'', 1000) AS x FROM generate_series(1, 2000) i',
    server => 'openai', prompt => '{{x}}') AS job \gset
CALL work_until('temp_file_limit');
SELECT matches(
    waits(),
    'planned: could not render the requests: temporary file size exceeds temp_file_limit '
    '\(1024kB\)',
    'temp_file_limit ends the writing of an input');
RESET temp_file_limit;
CALL hurry();
CALL batch_work('60 s');
SELECT is(succeeded, 2000::bigint, '… which goes on when there is room') FROM batch_jobs
WHERE job_id = :job;

-- a cancelled job does not wait for results that are too large: what came is kept
SET batchinf.max_result_size = '3MB';
SELECT fault('/content$', '{"endless": true}');
SELECT ask('openai') AS job \gset
CALL work_until('^results_too_large');
SELECT batch_cancel(:job);
CALL batch_work('20 s');
SELECT is(format('%s %s %s', state, succeeded, pending), 'cancelled 20 0',
    'a job whose results do not end can be cancelled')
FROM batch_jobs WHERE job_id = :job;
RESET batchinf.max_result_size;
SELECT sim.clear_faults();

-- Transfers that nobody wants any more, while another session works.
CREATE FUNCTION work() RETURNS void LANGUAGE sql AS $$
    SELECT sim.start('work', 'CALL batch_work(''60 s'')')
$$;

-- batch_cancel and a download that drips, at every provider
SELECT fault_all('{"drip": 300, "endless": true}');
SELECT ask(server) AS job FROM place \g /dev/null
SELECT work();
SELECT is(sim.until('SELECT count(*) FROM batch_chunks WHERE state = ''fetching''', '6'), '6',
    'six downloads drip');
SELECT pg_sleep(2);
SELECT batch_cancel(job_id) FROM batch_jobs WHERE state = 'running';
SELECT is(sim.until('SELECT count(*) FROM batch_jobs WHERE finished_at IS NULL', '0'), '0',
    'batch_cancel ends them');
SELECT is(
    (SELECT count(*) FROM batch_events
     WHERE event = 'download ended'
     AND detail
         ~ 'the job was cancelled while the exchange was under way; [1-9][0-9]* bytes had come'),
    6::bigint, '… which is told');
SELECT is((SELECT sum(pending) FROM batch_jobs), 0::numeric, '… every record has its outcome');
SELECT is(sim.finish('work'), '', 'the session has nothing left to do');
SELECT sim.reset(), sim.config('{"bedrock_min_records": 1}');

-- a deadline does the same
SELECT fault('/content$', '{"drip": 300, "endless": true}');
SELECT batch_submit('SELECT generate_series(1, 20)', server => 'openai', prompt => 'x',
    deadline => '5 s') AS job \gset
CALL batch_work('30 s');
SELECT is(format('%s %s', state, pending), 'completed 0', 'a deadline ends a download that drips')
FROM batch_jobs WHERE job_id = :job;
SELECT ok(expired > 0, '… what has not come is expired') FROM batch_jobs WHERE job_id = :job;
SELECT sim.reset();

-- an upload whose reply does not come
SELECT fault('/files$', '{"drip": 5, "endless": true}', 'POST');
SELECT ask('openai') AS job \gset
SELECT work();
SELECT is(
    sim.until('SELECT state FROM batchinf.chunk ORDER BY chunk_id DESC LIMIT 1', 'uploading'),
    'uploading', 'an upload drips');
SELECT pg_sleep(2);
SELECT batch_cancel(:job);
SELECT is(sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :job), 'cancelled'),
    'cancelled', 'batch_cancel ends it');
SELECT is(sim.finish('work'), '', 'the session has nothing left to do');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 0, '… nothing was bought');
SELECT sim.reset();

-- a create call whose reply does not come: its batch is found, and cancelled there
ALTER DATABASE test SET batchinf.stall_timeout = '3s';
SELECT fault('/batches$', '{"drip": 5, "endless": true}', 'POST', '1');
SELECT ask('openai') AS job \gset
SELECT sim.start('work', 'CALL batch_work(''60 s'')');
SELECT is(sim.until('SELECT state FROM batchinf.chunk ORDER BY chunk_id DESC LIMIT 1', 'creating'),
    'creating', 'a create call drips');
SELECT pg_sleep(2);
SELECT batch_cancel(:job);
SELECT is(
    sim.until(
        format('SELECT count(*) FROM batch_events WHERE job_id = %s AND event = ''found again''',
            :job),
        '1', 90),
    '1', 'promise 1: a create call that is ended is not forgotten');
SELECT is(sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :job), 'cancelled'),
    'cancelled', '… the job is cancelled');
SELECT is(sim.finish('work'), '', 'the session has nothing left to do');
SELECT is((sim.ledger() ->> 'content_billed_again')::int, 0, '… nothing was bought twice');
ALTER DATABASE test RESET batchinf.stall_timeout;
SELECT sim.reset();

-- server, mapping or USAGE that are gone, in each direction
CREATE ROLE body_owner LOGIN;
CREATE PROCEDURE prepare(path text, method text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.reset();
    PERFORM sim.server('openai');
    GRANT USAGE ON FOREIGN SERVER openai TO body_owner;
    CREATE USER MAPPING FOR body_owner SERVER openai OPTIONS (api_key 'sk-sim');
    PERFORM fault(path, '{"drip": 100, "endless": true}', method);
END $$;
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$
    SELECT state FROM batchinf.chunk ORDER BY chunk_id DESC LIMIT 1
$$;
CREATE FUNCTION event() RETURNS text LANGUAGE sql AS $$
    SELECT detail FROM batch_events WHERE detail ~ '^stopped' ORDER BY event_id DESC LIMIT 1
$$;
CALL prepare('/content$', 'GET');
SET ROLE body_owner; SELECT ask('openai') AS job \gset
RESET ROLE;
SELECT work();
SELECT is(sim.until('SELECT state()', 'fetching'), 'fetching', 'a download drips');
SELECT pg_sleep(1.5);
REVOKE USAGE ON FOREIGN SERVER openai FROM body_owner;
SELECT is(
    sim.until('SELECT event()',
        'stopped: the job''s owner lost USAGE on the server while the exchange was under way'),
    'stopped: the job''s owner lost USAGE on the server while the exchange was under way',
    'REVOKE USAGE ends it');
SELECT is(state(), 'fetching', '… the results stay where they are');
GRANT USAGE ON FOREIGN SERVER openai TO body_owner;
CALL hurry();
SELECT is(
    sim.until(
        'SELECT count(*) > 1 FROM jsonb_array_elements(sim.call(''GET'', ''/_sim/requests'')) r '
        'WHERE r ->> ''path'' ~ ''content$''',
        'true'),
    'true', '… and are asked for again');
SELECT pg_sleep(1.5);
DROP USER MAPPING FOR body_owner SERVER openai;
SELECT is(
    sim.until('SELECT event()',
        'stopped: the user mapping was dropped while the exchange was under way'),
    'stopped: the user mapping was dropped while the exchange was under way',
    'DROP USER MAPPING ends it');
SELECT sim.clear_faults();
CREATE USER MAPPING FOR body_owner SERVER openai OPTIONS (api_key 'sk-sim');
CALL hurry();
SELECT is(sim.until(format('SELECT succeeded FROM batch_jobs WHERE job_id = %s', :job), '20'), '20',
    '… the answers are there in the end');
SELECT is(sim.finish('work'), '', 'the session has nothing left to do');
CALL prepare('/files$', 'POST');
SET ROLE body_owner; SELECT ask('openai') AS job \gset
RESET ROLE;
SELECT work();
SELECT is(sim.until('SELECT state()', 'uploading'), 'uploading', 'an upload drips');
SELECT pg_sleep(1.5);
DROP SERVER openai CASCADE;
SELECT is(
    sim.until('SELECT event()', 'stopped: the server was dropped while the exchange was under way'),
    'stopped: the server was dropped while the exchange was under way', 'DROP SERVER ends it');
SELECT matches(
    sim.until(format('SELECT waiting_for FROM batch_chunks WHERE job_id = %s', :job),
        'server "openai" does not exist any more'),
    'does not exist any more', '… the chunk says what is missing');
SELECT batch_cancel(:job);
SELECT is(sim.finish('work'), '', 'the session has nothing left to do');
SELECT is(state, 'cancelled', 'the job can be cancelled') FROM batch_jobs WHERE job_id = :job;
SELECT * FROM finish();
