-- Providers that are slow on purpose: replies that drip, requests that are read slowly. Each such
-- exchange ends in time, its chunk goes on later, and nothing is paid twice. What is large and
-- moves may take its time.
\i lib.sql
\i lib-places.sql
SELECT no_plan();
\set config '{"bedrock_min_records": 1, "azure_file_pending_ms": 0}'
SELECT sim.config(:'config');

-- The requests that meet a slow provider once each: those whose reply has a body. A create call
-- whose reply drips had its effect, and is looked for.
CREATE TABLE request (server name, method text, path text, after int DEFAULT 0);
INSERT INTO request
SELECT server, method, prefix || path
FROM (VALUES ('openai', '^/v1'), ('azure', '^/openai/v1'), ('classic', '^/openai')) s
        (server, prefix),
    (VALUES ('POST', '/files$'), ('POST', '/batches$'), ('GET', '/batches$'),
        ('GET', '/batches/[^/]+$'), ('GET', '/files/[^/]+/content$'), ('DELETE', '/files/')) r
        (method, path);
INSERT INTO request VALUES
    ('anthropic', 'POST', '^/v1/messages/batches$'),
    ('anthropic', 'GET', '^/v1/messages/batches$'),
    ('anthropic', 'GET', '^/v1/messages/batches/[^/]+$'),
    ('anthropic', 'DELETE', '^/v1/messages/batches/'),
    ('gemini', 'POST', ':batchGenerateContent$'),
    ('gemini', 'GET', '^/v1beta/batches$'),
    ('gemini', 'GET', '^/v1beta/batches/[^/]+$'),
    ('gemini', 'GET', ':download$'),
    ('gemini', 'DELETE', '^/v1beta/files/'),
    ('bedrock', 'POST', '/model-invocation-job$'),
    ('bedrock', 'GET', '/model-invocation-jobs$'),
    ('bedrock', 'GET', '/model-invocation-job/[^/]+$'),
    ('bedrock', 'GET', '^/batch/$'),
    ('bedrock', 'GET', '/manifest.json.out$'),
    ('bedrock', 'GET', '/input.jsonl.out$'),
    ('vertex', 'POST', '/token$'),
    ('vertex', 'POST', '^/upload/storage/'),
    ('vertex', 'POST', '/batchPredictionJobs$'),
    ('vertex', 'GET', '/batchPredictionJobs$'),
    ('vertex', 'GET', '/batchPredictionJobs/[^/]+$'),
    ('vertex', 'GET', '/o$'),
    ('vertex', 'GET', '/o/.'),
    ('vertex', 'GET', 'predictions'),
    ('vertex', 'DELETE', '/batchPredictionJobs/');
-- the bytes of a resumable upload; results behind a look at them, which decides whose they are
INSERT INTO request VALUES
    ('gemini', 'POST', '^/upload/v1beta/files$', 1),
    ('anthropic', 'GET', '^/v1/messages/batches/.*/results$', 1);
DELETE FROM request WHERE server = 'classic' AND method = 'DELETE';
DELETE FROM place WHERE server NOT IN (SELECT server FROM request);
CREATE FUNCTION ask(name, rows int DEFAULT 5, chars int DEFAULT 1) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(
        format('SELECT i, repeat(''x'', %s) AS x FROM generate_series(1, %s) i', chars, rows),
        server => $1, prompt => format('%s about {{i}} {{x}} [[sim:say=fine]]', $1), name => $1)
$$;
CREATE FUNCTION fault(method text, path text, after int, action jsonb) RETURNS void
LANGUAGE sql AS $$
    SELECT sim.fault(jsonb_build_object(
        'match', jsonb_build_object('method', method, 'path_regex', path), 'after', after,
        'action', action))
$$;
CREATE FUNCTION unmet() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(f ->> 'match', ' ')
    FROM jsonb_array_elements(sim.call('GET', '/_sim/faults')) f
    WHERE f ->> 'hits' = '0'
$$;
CREATE FUNCTION outcome() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT format('%s %s of %s', state, succeeded, records), ', ')
    FROM batch_jobs
$$;
-- How often each server's exchanges ended so, in the words of the events.
CREATE FUNCTION stalled(words text) RETURNS TABLE (server name, n bigint) LANGUAGE sql AS $$
    SELECT j.server, count(*) FROM batch_events e JOIN batch_jobs j USING (job_id)
    WHERE e.event = 'deferred' AND e.detail ~ ('^stalled: ' || words) GROUP BY j.server
$$;
SET batchinf.connect_timeout = '1s';
SET batchinf.stall_timeout = '2s';
SET batchinf.settle_time = '1s';

-- replies: 20 bytes a second, without an end
SELECT fault(method, path, after, '{"drip": 20, "endless": true}') FROM request r \g /dev/null
SELECT ask(server) FROM place \g /dev/null
CALL batch_work('180 s');
SELECT is(outcome(), 'completed 5 of 5', 'each reply drips once: the jobs are done');
SELECT is(unmet(), NULL, '… each request has met it');
SELECT results_eq(
    $$ SELECT * FROM stalled('the reply brought [0-9]+ bytes in [0-9.]+ s') ORDER BY 1 $$,
    'SELECT server, count(*) FROM request GROUP BY 1 ORDER BY 1',
    '… and was given up, which is told');
SELECT results_eq(
    $$ SELECT * FROM stalled('.* less than 1024 bytes a second') ORDER BY 1 $$,
    'SELECT server, 1::bigint FROM place ORDER BY 1', '… downloads for their rate');
SELECT is(sim.ledger() -> 'content_billed_again', '0', 'promise 1: nothing was bought twice');
SELECT is((sim.ledger() ->> 'billed_requests')::bigint, 5 * count(*), '… each record once')
FROM place;
SELECT sim.reset(), sim.config(:'config');

-- inputs that are read slowly, 100 bytes a second
CREATE TABLE input AS
SELECT * FROM request r
WHERE method = 'POST' AND (path LIKE '%/files$' OR path LIKE '%/storage/' OR server = 'anthropic');
INSERT INTO input VALUES ('bedrock', 'PUT', '/input.jsonl$');
SELECT fault(method, path, after, '{"read": 100}') FROM input r \g /dev/null
SELECT ask(server) FROM place \g /dev/null
CALL batch_work('60 s');
SELECT is(outcome(), 'completed 5 of 5', 'each input is read slowly once: the jobs are done');
SELECT is(unmet(), NULL, '… each upload has met it');
SELECT is(sim.ledger() -> 'content_billed_again', '0', 'promise 1: nothing was bought twice');
SELECT is((sim.ledger() ->> 'billed_requests')::bigint, 5 * count(*), '… each record once')
FROM place;
SELECT results_eq(
    'SELECT server, count(*) FROM batch_events JOIN batch_jobs USING (job_id)
     WHERE event = ''deferred'' AND detail ~ ''^stalled: '' GROUP BY 1 ORDER BY 1',
    'SELECT server, count(*) + 1 FROM request GROUP BY 1 ORDER BY 1', '… and was given up');
SELECT sim.reset(), sim.config(:'config');

UPDATE request SET after = 0;
-- what is large may last for several times the limits, if it moves
SELECT fault(method, path, after, '{"read": 4000000}') FROM input r
WHERE server IN ('openai', 'anthropic') \g /dev/null
SELECT fault(method, path, after, '{"drip": 3000}') FROM request r
WHERE server IN ('openai', 'anthropic') AND method = 'GET' AND path ~ 'content|results' \g /dev/null
SELECT ask('openai', 48, 500000) AS upload \gset
SELECT ask('anthropic', 48, 500000) AS "create" \gset
CALL batch_work('60 s');
SELECT is(outcome(), 'completed 48 of 48, completed 5 of 5', 'large bodies that move are let be');
SELECT is(unmet(), NULL, '… each is slow');
-- but for one, perhaps, where the machine itself stands still
SELECT cmp_ok(count(*), '<=', 1::bigint, '… none is given up') FROM batch_events
WHERE job_id IN (:upload, :create) AND event = 'deferred';
SELECT ok(max(e.at) - min(e.at) > '8 s', '… at '||server)
FROM batch_events e JOIN batch_jobs j USING (job_id) WHERE job_id IN (:upload, :create)
GROUP BY server;
SELECT * FROM finish();

