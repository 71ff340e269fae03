-- One bad server, or one large job, stops nothing else (promise 4). Servers that hang, fail or
-- throttle have many chunks; the test proves that the jobs of a good server end meanwhile.
\i lib.sql
SELECT no_plan();

SELECT sim.server('openai');
SELECT replace(sim.url(), '/v1', '/v1/hang') AS hanging \gset
CREATE FUNCTION submit(n int, server name) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT i AS id FROM generate_series(1, %s) i', n), server => server,
        prompt => '{{id}}') $$;

-- Every chunk of three servers waits for a reply that does not come: 60 of them.
SELECT sim.fault('{"match": {"path_regex": "^/v1/hang"}, "times": "always", '
                 '"action": {"hang": true}}');
SELECT sim.server('hanging' || i, $$max_requests '1'$$) FROM generate_series(1, 3) i;
SELECT format('ALTER SERVER hanging%s OPTIONS (SET base_url %L)', i, :'hanging' || i || '/v1')
FROM generate_series(1, 3) i \gexec
SELECT submit(20, 'hanging' || i::text) FROM generate_series(1, 3) i;
SELECT sim.start('worker', 'CALL batch_work()');
SELECT is(sim.until('SELECT count(*) >= 16 FROM batchinf.due WHERE held', 'true', 30), 'true',
    'dead servers have many chunks under way');
SELECT submit(5, 'openai') AS job \gset
SELECT is(
    sim.until(format('SELECT state FROM batch_jobs WHERE job_id = %s', :job), 'completed', 30),
    'completed', 'promise 4: servers that hang do not hold up another one''s jobs');
SELECT is(count(DISTINCT d.server), 3::bigint, 'each server has its share')
FROM batchinf.due d JOIN pg_foreign_server s ON s.oid = d.server
WHERE d.held AND s.srvname LIKE 'hanging%';
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker';
SELECT isnt(sim.finish('worker'), '', 'batch_work is cancelled');
SELECT batch_cancel(job_id) FROM batch_jobs WHERE state <> 'completed';
SELECT sim.clear_faults();
CALL batch_work('20 s');

-- The key of one owner fails, and another's request hangs at the same server: it is not the server
-- that failed.
SELECT sim.config('{"api_keys": ["sk-sim", "sk-ann", "sk-bob"]}');
CREATE ROLE ann;
CREATE ROLE bob;
SELECT sim.server('shared');
GRANT USAGE ON FOREIGN SERVER shared TO ann, bob;
CREATE USER MAPPING FOR ann SERVER shared OPTIONS (api_key 'not-a-key');
CREATE USER MAPPING FOR bob SERVER shared OPTIONS (api_key 'sk-bob');
SELECT sim.fault('{"match": {"method": "GET", "path_regex": "^/v1/batches/"}, '
                 '"times": "always", "action": {"hang": true}}');
SET ROLE bob;
SELECT submit(1, 'shared') AS bobs \gset
RESET ROLE;
SELECT sim.start('worker', 'CALL batch_work()');
CREATE FUNCTION hanging(job bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
    JOIN batchinf.batch b ON r->>'path' = '/v1/batches/' || b.batch_id
    JOIN batchinf.chunk c USING (chunk_id)
    WHERE c.job_id = job AND r->>'status' IS NULL $$;
SELECT is(sim.until(format('SELECT hanging(%s)', :bobs), '1', 10), '1',
    'a request of one owner hangs');
SET ROLE ann;
SELECT submit(1, 'shared') AS anns \gset
RESET ROLE;
SELECT is(
    sim.until(
        'SELECT count(*) FROM batchinf.pause_here q JOIN pg_roles r ON r.oid = q.owner '
        'WHERE rolname = ''ann''',
        '1', 10),
    '1', '… the key of another fails');
ALTER USER MAPPING FOR ann SERVER shared OPTIONS (SET api_key 'sk-ann');
SELECT is(
    sim.until(format('SELECT state FROM batchinf.chunk WHERE job_id = %s', :anns), 'submitted', 20),
    'submitted', 'promise 4: … and once it is good again, her jobs do not wait for his');
SELECT is(hanging(:bobs), 1::bigint, '… whose request hangs still');
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker';
SELECT isnt(sim.finish('worker'), '', 'batch_work is cancelled');
SELECT sim.clear_faults();
CALL batch_work('20 s');
SELECT is((SELECT count(*) FROM batch_jobs WHERE job_id IN (:anns, :bobs) AND state = 'completed'),
    2::bigint, '… and both are done in the end');

-- The login of one owner fails, at an address that her own mapping gives.
SELECT replace(sim.url(), '/v1', '') AS base \gset
SELECT sim.call('GET', '/_sim/google_credentials') AS credentials \gset
SELECT sim.reset();
CREATE SERVER clouds FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'vertex', model 'gemini-3.5-flash-lite', base_url :'base',
    storage_base_url :'base', project 'proj-1', location 'us-central1',
    storage_url 'gs://batch/jobs', poll_interval '1', settle_time '1');
GRANT USAGE ON FOREIGN SERVER clouds TO ann, bob;
SELECT jsonb_set(:'credentials', '{token_uri}', '"https://127.0.0.1:1/token"') AS elsewhere \gset
CREATE USER MAPPING FOR ann SERVER clouds OPTIONS (service_account :'elsewhere');
GRANT pg_read_server_files TO bob; -- who may ask inner addresses
CREATE USER MAPPING FOR bob SERVER clouds OPTIONS (service_account :'credentials');
SET ROLE ann;
SELECT submit(1, 'clouds') AS anns \gset
RESET ROLE;
SELECT sim.work_until($$EXISTS (SELECT FROM batchinf.pause_here q JOIN pg_foreign_server s
                                ON s.oid = q.server WHERE srvname = 'clouds')$$);
SELECT is(
    (SELECT array_agg(owner::regrole::text) FROM batchinf.pause_here q JOIN pg_foreign_server s
     ON s.oid = q.server WHERE srvname = 'clouds'),
    '{ann}', 'promise 4: a login that fails holds up its own mapping''s jobs only');
SELECT batch_cancel(:anns);
SET ROLE bob;
SELECT submit(1, 'clouds') AS bobs \gset
RESET ROLE;
CALL batch_work('20 s');
SELECT is((SELECT state FROM batch_jobs WHERE job_id = :bobs), 'completed', '… another''s go on');

-- A login whose answer drips is no reason to wait: it would take a place from others as long as
-- somebody likes.
SELECT sim.fault('{"match": {"path_regex": "/token$"}, "action": {"drip": 20}}');
SET ROLE bob;
SELECT submit(1, 'clouds') AS bobs \gset
RESET ROLE;
SET batchinf.stall_timeout = '1s';
SET batchinf.connect_timeout = '1s';
SELECT sim.work_until(format('EXISTS (SELECT FROM batch_events WHERE job_id = %s '
                             'AND event = ''deferred'')', :bobs));
RESET batchinf.stall_timeout;
RESET batchinf.connect_timeout;
SELECT matches(
    (SELECT detail FROM batch_events WHERE job_id = :bobs AND event = 'deferred' LIMIT 1),
    '^stalled: ', 'a login that drips is given up');

-- A reply cannot hold up a server for ever.
SELECT sim.fault('{"match": {"path_regex": "/files$"}, "action": {"status": 429, '
                 '"headers": {"retry-after": "9999999999"}}}');
SELECT submit(1, 'openai') AS job \gset
SELECT sim.work_until('EXISTS (SELECT FROM batch_servers WHERE server = ''openai'' '
                      'AND paused_until IS NOT NULL)');
SELECT is(
    (SELECT paused_until BETWEEN now() + interval '23 hours' AND now() + interval '24 hours'
     FROM batch_servers WHERE server = 'openai'),
    true, 'no reply makes a server wait for longer than a day');

SELECT * FROM finish();
