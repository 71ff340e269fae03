-- Jobs at Vertex AI end to end: through Cloud Storage, how answers are joined to rows, and each way
-- in which a job ends there.
\i lib.sql
SELECT no_plan();
SELECT sim.tickets();
CREATE FUNCTION fill(n int, directive text DEFAULT '', every int DEFAULT 1) RETURNS void
LANGUAGE sql AS $$
    TRUNCATE tickets;
    INSERT INTO tickets
    SELECT i, CASE WHEN i % every = 0 THEN directive ELSE '' END || ' body ' || i
    FROM generate_series(1, n) i;
$$;
-- A server with a service account's key.
CREATE FUNCTION vertex(name text, more text DEFAULT '', model text DEFAULT 'gemini-3.5-flash-lite')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    url text := regexp_replace(sim.url(), '/v1$', '');
BEGIN
    EXECUTE format('DROP SERVER IF EXISTS %I CASCADE', name);
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''vertex'', model %L, '
        'base_url %L, storage_base_url %L, project ''proj-1'', poll_interval ''1''%s%s%s%s)',
        name, model, url, url,
        CASE WHEN more ~ 'settle_time' THEN '' ELSE ', settle_time ''1''' END,
        CASE WHEN more ~ 'location' THEN '' ELSE ', location ''us-central1''' END,
        CASE WHEN more ~ 'storage_url' THEN '' ELSE ', storage_url ''gs://batch/jobs/''' END,
        CASE WHEN more = '' THEN '' ELSE ', ' || more END);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (service_account %L)',
        name, sim.call('GET', '/_sim/google_credentials'));
END $$;
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
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(', ', state, NULLIF(succeeded, 0) || ' succeeded',
        NULLIF(invalid_output, 0) || ' invalid', NULLIF(errored, 0) || ' errored',
        NULLIF(expired, 0) || ' expired', NULLIF(cancelled, 0) || ' cancelled',
        NULLIF(missing, 0) || ' missing', NULLIF(pending, 0) || ' pending', written || ' written')
    FROM batch_jobs WHERE job_id = job $$;
-- What there was of jobs at the provider: billed requests (more than once), jobs, jobs in the list,
-- objects left.
CREATE FUNCTION books() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(
        ' ', 'billed', l ->> 'billed_requests', 'again', l ->> 'content_billed_again', 'jobs',
        jsonb_array_length(l -> 'batches'), 'listed',
        (SELECT count(*) FROM jsonb_array_elements(l -> 'batches') b
         WHERE NOT (b ->> 'deleted')::bool),
        'left', jsonb_array_length(l -> 'files_left'))
    FROM sim.ledger() l $$;
-- Requests of that method and path: status and body.
CREATE FUNCTION requests(method text, path text)
RETURNS TABLE (path text, status int, body text, headers jsonb) LANGUAGE sql AS $$
    SELECT r ->> 'path', (r ->> 'status')::int, r ->> 'body', r -> 'headers'
    FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
    WHERE r ->> 'method' = $1 AND r ->> 'path' ~ $2 $$;
-- Without what only a poll of a slow machine meets.
CREATE FUNCTION history(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(event, ', ' ORDER BY event_id) FROM batch_events
    WHERE job_id = job AND event <> 'running'
$$;
CREATE FUNCTION joined(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(detail, ' | ' ORDER BY event_id) FROM batch_events
    WHERE job_id = job AND event = 'delivered'
$$;

-- A job
SELECT vertex('ver');
SELECT fill(50);
SELECT submit(
    'ver',
    $$system_prompt => 'Be short.',
      params => '{"generationConfig": {"temperature": 0.4, '
                '"thinkingConfig": {"thinkingBudget": 0}}, "labels": {"team": "a-1"}}'$$) AS job
\gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 50 succeeded, 50 written', 'a job');
SELECT is((SELECT count(*) FROM tickets WHERE label LIKE '%body ' || id), 50::bigint,
    'each row has the answer to its own prompt: the order of results is never used');
SELECT is(books(), 'billed 50 again 0 jobs 1 listed 0 left 0',
    '… billed once, and nothing is left in bucket and list');
SELECT matches(history(:job), '^uploaded, submitted, (running, )?completed, delivered, cleaned$',
    '… and its history');
SELECT is(joined(:job), 'joined by label: 50', '… which says how answers were joined');
SELECT matches(provider_batch_id, '^[0-9]+$', '… known by its id') FROM batch_chunks
WHERE job_id = :job;
SELECT is(input_tokens > 0 AND output_tokens > 0, true, '… tokens are told') FROM batch_jobs
WHERE job_id = :job;
SELECT is(b #>> '{metadata,batchinf_try}', '1', '… its labels carry intent and try')
FROM jsonb_array_elements(sim.ledger() -> 'batches') b
WHERE b #>> '{metadata,batchinf_intent}' ~ '^[0-9a-f]{32}$';

-- How requests come back, and how their answers find home
CREATE TABLE echo (ways text, labels text, want text);
INSERT INTO echo VALUES
    ('["reordered", "nulls", "camel", "floats"]', 'on', 'label'),
    ('["key", "no_labels", "nulls", "camel"]', 'on', 'content'),
    ('[]', 'off', 'content'),
    ('["reordered", "nulls", "camel", "floats"]', 'off', 'content');
CREATE TABLE echoed (ways text, labels text, counts text, own bigint, joined text, books text);
CREATE PROCEDURE try_echo() LANGUAGE plpgsql AS $$
DECLARE
    e echo;
    job bigint;
BEGIN
    FOR e IN SELECT * FROM echo LOOP
        PERFORM sim.reset(),
            sim.config(
                format('{"vertex_echo": %s, "vertex_shards": 3, "vertex_incremental": true}',
                    e.ways)::jsonb),
            vertex('ver', format('request_labels %L', e.labels)), fill(20);
        UPDATE tickets SET body = 'the same body 0' WHERE id % 2 = 0;
        job := submit(
            'ver',
            $q$system_prompt => 'Be short.',
               params => '{"generation_config": {"temperature": 0.4, "top_k": 5.0, '
                         '"thinking_config": {"thinking_budget": 0}}, "safetySettings": []}'$q$);
        COMMIT;
        CALL batch_work('60 s');
        INSERT INTO echoed
        SELECT e.ways, e.labels, counts(job),
            (SELECT count(*) FROM tickets
             WHERE label LIKE '%body ' || CASE WHEN id % 2 = 0 THEN 0 ELSE id END),
            joined(job), books();
        COMMIT;
    END LOOP;
END $$;
CALL try_echo();
SELECT is(
    concat_ws(' / ', d.counts, own, joined, books),
    format(
        'completed, 20 succeeded, 20 written / 20 / joined by %s: 20 / billed 20 again 1 jobs 1 '
        'listed 0 left 0',
        want),
    format('echo %s, labels %s', ways, labels))
FROM echo LEFT JOIN echoed d USING (ways, labels);

-- A crash in the middle of a delivery that joins by content: the same answers come to the same rows
SELECT sim.reset();
SELECT vertex('ver', $$request_labels 'off'$$);
SELECT fill(1200);
UPDATE tickets SET body = 'the same body ' || id % 3 WHERE id % 2 = 0;
CREATE TABLE gate (open bool);
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    WHILE NEW.id > 700 AND NOT EXISTS (SELECT FROM public.gate) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION wait_at_gate();
SELECT sim.config('{"vertex_order": "input"}');
SELECT submit('ver') AS job \gset
SELECT sim.work_beside();
CALL sim.await('EXISTS (SELECT FROM tickets WHERE label IS NOT NULL) AND EXISTS (SELECT '
               'FROM pg_stat_activity WHERE wait_event = ''PgSleep'')');
CREATE TABLE before AS SELECT id, label FROM tickets WHERE label IS NOT NULL;
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE wait_event = 'PgSleep' AND pid <> pg_backend_pid() \g /dev/null
INSERT INTO gate VALUES (true);
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 1200 succeeded, 1200 written',
    'a delivery that joins by content was cut short, and is made again');
SELECT is((SELECT count(*) FROM before) BETWEEN 500 AND 700, true, '… in its middle');
SELECT is(
    (SELECT count(*) FROM tickets
     WHERE label LIKE '%body ' || CASE WHEN id % 2 = 0 THEN id % 3 ELSE id END),
    1200::bigint, '… each row has the answer to its own prompt');
SELECT is((SELECT count(*) FROM before JOIN tickets USING (id, label)),
    (SELECT count(*) FROM before), '… what was written stays');
SELECT is(books(), 'billed 1200 again 3 jobs 1 listed 0 left 0',
    '… billed once, but for what is the same prompt');
SELECT sim.config('{"vertex_order": "shuffled"}');
DROP TRIGGER gate ON tickets;

-- Schemas, messages, bodies
SELECT sim.reset();
SELECT sim.config('{"vertex_echo": ["camel", "nulls"]}');
SELECT vertex('ver');
SELECT fill(3);
SELECT submit(
    'ver',
    $$response_schema => '{"type": "object", "properties": {"a": {"type": "string"}, '
                         '"is_b": {"type": "boolean"}}, "required": ["a", "is_b"], '
                         '"additionalProperties": false}'$$) AS job \gset
SELECT batch_submit(
    $$SELECT 1 AS id,
          '[{"role": "user", "parts": [{"text": "one"}]}, '
          '{"role": "model", "parts": [{"text": "two"}]}, '
          '{"role": "user", "parts": [{"text": "three"}]}]'::jsonb AS messages$$,
    server => 'ver') AS job2 \gset
SELECT batch_submit(
    $$SELECT i AS id,
          jsonb_build_object(
              'contents', jsonb_build_array(jsonb_build_object('role', 'user',
                  'parts', jsonb_build_array(jsonb_build_object('text', 'body')))),
              'generation_config',
              jsonb_build_object('max_output_tokens', i * 10, 'temperature', 0.1)) AS body
      FROM generate_series(1, 3) i$$,
    server => 'ver') AS job3 \gset
SELECT vertex('plain', $$request_labels 'off'$$);
SELECT batch_submit(
    $$SELECT i AS id,
          jsonb_build_object(
              'contents', jsonb_build_array(jsonb_build_object('role', 'user',
                  'parts', jsonb_build_array(jsonb_build_object('text', 'body ' || i)))),
              'generation_config',
              jsonb_build_object('max_output_tokens', 50, 'temperature', 0.1)) AS body
      FROM generate_series(1, 3) i$$,
    server => 'plain') AS job4 \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 3 succeeded, 3 written', 'a schema');
SELECT is(jsonb_typeof(output::jsonb -> 'is_b'), 'boolean', '… is asked of the model')
FROM batch_records WHERE job_id = :job AND record_id = '1';
SELECT is(succeeded, 1::bigint, 'messages') FROM batch_jobs WHERE job_id = :job2;
SELECT is(succeeded, 3::bigint, 'bodies') FROM batch_jobs WHERE job_id = :job3;
SELECT is(joined(:job3), 'joined by label: 3', '… which take a label');
SELECT is(
    (SELECT count(*) FROM batch_records WHERE job_id = :job4 AND output LIKE '%body ' || record_id),
    3::bigint, '… and are told from each other without');
SELECT is(books(), 'billed 10 again 1 jobs 4 listed 0 left 0', '… nothing is left');

-- Embeddings
SELECT sim.reset();
SELECT sim.config('{"vertex_full_dimensions": true}');
SELECT vertex('emb', '', 'gemini-embedding-001');
SELECT vertex('old', '', 'text-embedding-005');
CREATE TABLE texts (id int PRIMARY KEY, body text, vector jsonb);
INSERT INTO texts SELECT i, CASE WHEN i % 5 = 0 THEN 'the same' ELSE 'text ' || i END
FROM generate_series(1, 20) i;
CREATE FUNCTION embed(server name, params jsonb) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT id, body FROM texts ORDER BY id', server => server,
        prompt => '{{body}}', task => 'embedding', params => params, target => 'texts',
        write_back => '{"vector": "$"}', dedup => false) $$;
CREATE FUNCTION norm(v jsonb) RETURNS numeric LANGUAGE sql AS $$
    SELECT round(sqrt(sum(x::float8 ^ 2))::numeric, 4) FROM jsonb_array_elements_text(v) x
$$;
SELECT embed('emb', '{"output_dimensionality": 256, "task_type": "RETRIEVAL_DOCUMENT"}') AS job
\gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 20 succeeded, 20 written', 'Gemini''s embeddings');
SELECT is(joined(:job), 'joined by key: 20', '… joined by key');
SELECT is(string_agg(DISTINCT jsonb_array_length(vector) || ' ' || norm(vector), ', '),
    '256 1.0000', '… cut to what was asked for, and of length one again')
FROM texts;
SELECT is(input_tokens > 0, true, '… tokens are told') FROM batch_jobs WHERE job_id = :job;
SELECT sim.config('{"vertex_echo": ["camel", "nulls", "no_key"], "vertex_full_dimensions": false}');
SELECT embed('emb', '{"output_dimensionality": 256, "task_type": "RETRIEVAL_DOCUMENT"}') AS job2
\gset
CALL batch_work('60 s');
SELECT is(joined(:job2), 'joined by content: 20', '… or by what was asked');
SELECT is(count(DISTINCT vector), 17::bigint, '… each text has its own vector') FROM texts;
SELECT embed('old', '{"task_type": "CLUSTERING"}') AS job3 \gset
CALL batch_work('60 s');
SELECT is(counts(:job3), 'completed, 20 succeeded, 20 written', 'older embeddings');
SELECT is(joined(:job3), 'joined by content: 20', '… whose lines have no id at all');
SELECT is(count(DISTINCT vector), 17::bigint, '… each text has its own') FROM texts;
SELECT is(limits ->> 'max_requests', '30000', '… of which a batch has less room') FROM batch_servers
WHERE server = 'old';
SELECT is(
    (SELECT count(*) FROM jsonb_array_elements(sim.ledger() -> 'batches') b
     WHERE NOT (b ->> 'deleted')::bool)
        + jsonb_array_length(sim.ledger() -> 'files_left'),
    0::bigint, '… nothing is left');

-- Claude
SELECT sim.reset();
SELECT vertex('cla', $$prompt_cache '5m'$$, 'claude-haiku-5-5');
SELECT fill(20, '[[sim:tool_use]]', 10);
SELECT submit('cla', $$system_prompt => 'Be short.', params => '{"max_tokens": 300}'$$) AS job \gset
SELECT batch_submit(
    $$SELECT 1 AS id,
          '{"anthropic_version": "vertex-2023-10-16", "max_tokens": 50, '
          '"messages": [{"role": "user", "content": "hello"}]}'::jsonb AS body$$,
    server => 'cla') AS job2 \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 20 succeeded, 20 written', 'Claude');
SELECT is(joined(:job), 'joined by custom_id: 20', '… joined by its custom ids');
SELECT is((SELECT count(*) FROM tickets WHERE label LIKE '%body ' || id), 18::bigint,
    '… each row has the answer to its own prompt');
SELECT is(succeeded, 1::bigint, '… whole bodies') FROM batch_jobs WHERE job_id = :job2;
SELECT is(limits ->> 'max_batches', '4', '… of which a project runs four at a time')
FROM batch_servers WHERE server = 'cla';
SELECT is(books(), 'billed 21 again 0 jobs 2 listed 0 left 0', '… nothing is left');

-- How requests end
SELECT sim.reset();
SELECT vertex('ver');
TRUNCATE tickets;
INSERT INTO tickets SELECT i, d || ' body ' || i
FROM unnest(ARRAY['[[sim:refusal]]', '[[sim:content_filter]]', '[[sim:length]]',
    '[[sim:nochoices]]', '[[sim:null_content]]', '[[sim:error=400]]', '[[sim:error=429]]',
    '[[sim:error=503]]', '[[sim:status0]]', '[[sim:timeout]]', '[[sim:missing]]',
    '[[sim:fail_times=1]]', '[[sim:thinking]]', '[[sim:parts]]', '[[sim:stop=RECITATION]]',
    '[[sim:stop=MALFORMED_FUNCTION_CALL]]', '[[sim:duplicate]]', '[[sim:unknown]]', '[[sim:nul]]',
    '[[sim:cached]]', '[[sim:badjson]]', '[[sim:both]]', '[[sim:error=403]]',
    '[[sim:fail_times=1]][[sim:duplicate]]']) WITH ORDINALITY AS t(d, i);
SELECT submit('ver', 'max_attempts => 2') AS job \gset
CALL batch_work('60 s');
SELECT is(r.outcome || COALESCE(' ' || r.error_code, '') || ' after ' || r.attempt, w.want,
    w.id || ': ' || substring(t.body FROM 'sim:([^]]*)'))
FROM (VALUES (1, 'invalid_output content_filter after 1'),
          (2, 'invalid_output content_filter after 1'), (3, 'invalid_output length after 1'),
          (4, 'invalid_output no_output after 1'), (5, 'invalid_output no_output after 1'),
          (6, 'errored INVALID_ARGUMENT after 1'), (7, 'errored RESOURCE_EXHAUSTED after 2'),
          (8, 'errored UNAVAILABLE after 2'), (9, 'errored request_failed after 2'),
          (10, 'errored DEADLINE_EXCEEDED after 2'), (11, 'missing missing after 2'),
          (12, 'succeeded after 2'), (13, 'succeeded after 1'), (14, 'succeeded after 1'),
          (15, 'invalid_output content_filter after 1'),
          (16, 'invalid_output malformed_output after 1'), (17, 'succeeded after 1'),
          (18, 'succeeded after 1'), (19, 'invalid_output nul_character after 1'),
          (20, 'succeeded after 1'), (21, 'missing missing after 2'), (22, 'succeeded after 1'),
          (23, 'errored PERMISSION_DENIED after 1'), (24, 'succeeded after 2')) w(id, want)
JOIN tickets t USING (id) LEFT JOIN batch_records r ON r.job_id = :job AND r.record_id = w.id::text
ORDER BY id;
SELECT is(
    output_tokens - (SELECT output_tokens FROM batch_records
                     WHERE job_id = :job AND record_id = '14') > 50,
    true, 'thoughts count as output')
FROM batch_records WHERE job_id = :job AND record_id = '13';
SELECT is(cached_tokens > 0 AND cached_tokens < input_tokens, true,
    'what was cached is part of the input')
FROM batch_records WHERE job_id = :job AND record_id = '20';
SELECT matches(error, 'PROHIBITED_CONTENT', 'a blocked prompt says why') FROM batch_records
WHERE job_id = :job AND record_id = '1';
SELECT is(
    split_part(joined(:job), ' | ', 1),
    'joined by label: 22; 2 duplicate, 1 unknown and 1 malformed lines; 2 of 24 requests have no '
    'answer',
    'lines that join nothing are counted');
SELECT matches(books(), 'listed 0 left 0$', '… nothing is left');

-- How jobs end, and accidents on the way: each job at a place of its own, where one thing goes
-- wrong.
CREATE TABLE trial (what text PRIMARY KEY, location text, method text, path text, action jsonb,
    counts text, events text, attempts int DEFAULT 1);
CREATE FUNCTION bucket(t trial) RETURNS text LANGUAGE sql AS $$
    SELECT 'at-' || substring(md5(t.what) FOR 8)
$$;
CREATE PROCEDURE try_all() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.reset(), fill(10);
    PERFORM sim.config(jsonb_build_object('vertex_list_lag_ms', 1500,
        'gcs_buckets', (SELECT jsonb_object_agg(bucket(t), '{}'::jsonb) FROM trial t)));
    PERFORM vertex(t.what,
        format('location %L, storage_url %L, settle_time ''4''', t.location, 'gs://' || bucket(t)))
    FROM trial t;
    PERFORM sim.fault(jsonb_build_object(
        'match', jsonb_build_object('method', t.method,
            'path_regex', replace(replace(t.path, 'LOCATION', t.location), 'BUCKET', bucket(t))),
        'times', 1, 'action', t.action))
    FROM trial t;
    PERFORM batch_submit('SELECT id, body FROM tickets', server => t.what,
        prompt => '{{body}} of ' || t.what, name => t.what, max_attempts => t.attempts)
    FROM trial t;
    COMMIT;
    CALL batch_work('60 s');
    PERFORM sim.config('{"vertex_list_lag_ms": 0, "gcs_buckets": {"batch": {}}}');
END $$;
CREATE VIEW tried AS
SELECT t.*, j.job_id, j.error, counts(j.job_id) AS got, history(j.job_id) AS had,
    (SELECT string_agg(e.detail, ' | ' ORDER BY event_id) FROM batch_events e
     WHERE e.job_id = j.job_id) AS details
FROM trial t LEFT JOIN batch_jobs j ON j.name = t.what;

INSERT INTO trial
SELECT what, location, 'POST', '/LOCATION/batchPredictionJobs$', action::jsonb, counts, events,
    attempts
FROM (VALUES ('partly', 'us-central1', '{"batch_outcome": "partial", "finished": 0.5}',
              'completed, 5 succeeded, 5 missing, 0 written', 'completed', 1),
          ('expired', 'us-east1', '{"batch_outcome": "expired", "finished": 0.5}',
           'completed, 5 succeeded, 5 expired, 0 written', 'expired', 1),
          ('never begun', 'us-west1', '{"batch_outcome": "expired"}',
           'completed, 10 expired, 0 written', 'expired', 1),
          ('cancelled', 'europe-west1', '{"batch_outcome": "cancelled", "finished": 0.3}',
           'completed, 3 succeeded, 7 cancelled, 0 written', 'cancelled', 1),
          ('failed', 'europe-west4',
           '{"batch_outcome": "failed", "errors": [{"code": 3, "message": "no such thing"}]}',
           'failed, 10 errored, 0 written', 'failed', 1),
          ('partly, again', 'global', '{"batch_outcome": "partial", "finished": 0.4}',
           'completed, 10 succeeded, 0 written', 'completed.*completed', 2),
          ('expired, again', 'us', '{"batch_outcome": "expired", "finished": 0.2}',
           'completed, 10 succeeded, 0 written', 'expired.*completed', 2),
          ('no room', 'eu',
           '{"batch_outcome": "failed", "errors": [{"code": 8, "message": "no room"}]}',
           'completed, 10 succeeded, 0 written', 'deferred.*completed',
           1)) v(what, location, action, counts, events, attempts);
CALL try_all();
SELECT is(got, counts, 'a job ends: ' || what) FROM tried ORDER BY what;
SELECT matches(had, events, '… which its history says') FROM tried ORDER BY what;
SELECT matches(books(), 'listed 0 left 0$', '… of none is anything left');
SELECT is(error, 'no such thing', '… the words of a failure are kept') FROM tried
WHERE what = 'failed';
SELECT matches(details, 'RESOURCE_EXHAUSTED: no room.*joined by label: 10',
    '… one without room is made again')
FROM tried WHERE what = 'no room';
SELECT matches(details, 'INTERNAL: Some requests were not processed', '… partial failures are told')
FROM tried WHERE what ~ 'partly';

TRUNCATE trial;
INSERT INTO trial
SELECT what, location, method, path, action::jsonb, 'completed, 10 succeeded, 0 written', events, 1
FROM (VALUES ('create, answer lost', 'us-central1', 'POST', '/LOCATION/batchPredictionJobs$',
              '{"lost_after_effect": true}', 'found again'),
          ('create, lost', 'us-east1', 'POST', '/LOCATION/batchPredictionJobs$',
           '{"reset": "before"}', 'not found, submitted'),
          ('create, 503', 'us-west1', 'POST', '/LOCATION/batchPredictionJobs$', '{"status": 503}',
           'not found, submitted'),
          ('upload, answer lost', 'europe-west1', 'POST', '/upload/storage/v1/b/BUCKET/o$',
           '{"lost_after_effect": true}', 'deferred, uploaded'),
          ('upload, other bytes', 'europe-west1', 'POST', '/upload/storage/v1/b/BUCKET/o$',
           '{"status": 200, "body": "{\"generation\": \"5\", \"size\": \"1\", '
           '\"crc32c\": \"AAAAAA==\"}"}',
           'deferred, uploaded'),
          ('download, cut', 'europe-west1', 'GET', '/b/BUCKET/o/.*predictions.jsonl$',
           '{"truncate": 300}', 'deferred, delivered'),
          ('download, other bytes', 'europe-west1', 'GET', '/b/BUCKET/o/.*predictions.jsonl$',
           '{"status": 200, "body": "{}", "headers": {"x-goog-hash": "crc32c=AAAAAA=="}}',
           'deferred, delivered'),
          ('list of objects, 503', 'europe-west1', 'GET', '/storage/v1/b/BUCKET/o$',
           '{"status": 503}', 'deferred, delivered'),
          ('delete of an object, 503', 'europe-west1', 'DELETE', '/b/BUCKET/o/', '{"status": 503}',
           'deferred, cleaned'),
          ('delete of a job, too early', 'europe-west4', 'DELETE', '/LOCATION/batchPredictionJobs/',
           '{"status": 400, "body": "{\"error\": {\"code\": 400, '
           '\"status\": \"FAILED_PRECONDITION\"}}"}',
           'deferred, cleaned')) v(what, location, method, path, action, events);
CALL try_all();
SELECT is(got, counts, 'an accident: ' || what) FROM tried ORDER BY what;
SELECT matches(had, events, '… which its history says') FROM tried ORDER BY what;
SELECT is(books(), 'billed 100 again 0 jobs 10 listed 0 left 0',
    '… all is billed once, and nothing is left');
SELECT matches(details, 'other_bytes: ', '… what became of an upload is looked at') FROM tried
WHERE what = 'upload, other bytes';
SELECT matches(details, 'checksum: ', '… and of a download') FROM tried
WHERE what = 'download, other bytes';

-- POST as ourselves; INTENT in path and body is the last chunk's.
CREATE FUNCTION google(path text, body text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s record;
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS told (line text);
    SELECT port, root, (SELECT intent FROM batchinf.chunk ORDER BY chunk_id DESC LIMIT 1) AS intent
    INTO s FROM sim_setting;
    EXECUTE format(
        'COPY told FROM PROGRAM %L WITH (FORMAT csv, DELIMITER E''\x01'', QUOTE E''\x02'')',
        replace(
            format($q$KEY=ya29.sim perl %s/test/lib/http.pl POST 'http://127.0.0.1:%s%s' '%s'$q$,
                s.root, s.port, path, body),
            'INTENT', s.intent));
END $$;

-- What an upload of other bytes left behind makes room
SELECT sim.reset(), vertex('ver'), fill(10) \g /dev/null
SELECT submit('ver') AS job \gset
SELECT google(
    '/upload/storage/v1/b/batch/o?uploadType=media&name=jobs%2Fbatchinf%2FINTENT%2Finput.jsonl',
    '{"old": true}');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 10 succeeded, 10 written',
    'an input of other bytes makes room');
SELECT is(string_agg(status::text, ' '), '412 200', '… for ours: created only where nothing is')
FROM requests('POST', '/upload/.*&ifGenerationMatch=0&');
SELECT is(string_agg(status::text, ' '), '200', '… looked at') FROM requests('GET', 'input.jsonl$');
SELECT is(string_agg(status::text, ' '), '204 204', '… removed as it was seen, and ours in the end')
FROM requests('DELETE', 'input.jsonl(\?ifGenerationMatch=\d+)?$');

-- A call that had its effect twice: one job is followed, the other told and removed
SELECT sim.reset(), fill(10) \g /dev/null
SELECT submit('ver') AS job \gset
SELECT google(
    '/v1/projects/proj-1/locations/us-central1/batchPredictionJobs',
    '{"displayName": "twin", "model": "publishers/google/models/gemini-3.5-flash-lite", '
    '"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://batch/none.jsonl"]}},'
    '"outputConfig": {"predictionsFormat": "jsonl", '
    '"gcsDestination": {"outputUriPrefix": "gs://batch/none"}}, '
    '"labels": {"batchinf_intent": "INTENT", "batchinf_try": "1"}}');
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batchPredictionJobs$"}, '
                 '"times": 1, "action": {"lost_after_effect": true}}');
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 10 succeeded, 10 written', 'a call that had its effect twice');
SELECT matches(detail, '^\d+; the call also made \d+, which nobody follows$', '… is told')
FROM batch_events WHERE job_id = :job AND event = 'found again';
SELECT is(books(), 'billed 10 again 0 jobs 2 listed 0 left 0', '… and nothing is left');

-- Too many requests: Google says how long to wait
SELECT sim.reset(), sim.config('{"google_retry_delay": "3.5s"}'), fill(10) \g /dev/null
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batchPredictionJobs$"}, '
                 '"times": 1, "action": {"status": 429}}');
SELECT submit('ver') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed, 10 succeeded, 10 written', '429 is waited out');
SELECT is(max(at) - min(at) >= '3.5 s', true, '… as long as Google says')
FROM (SELECT (r ->> 'at')::timestamptz AS at
      FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
      WHERE r ->> 'method' = 'POST' AND r ->> 'path' ~ '/batchPredictionJobs$') x;
SELECT sim.config('{"google_retry_delay": "1s"}');

-- What a person must set right is waited for, and what is wrong for good is told
SELECT sim.reset(), fill(10), vertex('ver', $$storage_url 'gs://nowhere/jobs'$$) \g /dev/null
SELECT submit('ver') AS job \gset
SELECT sim.work_beside('20 s');
CALL sim.await($$(SELECT waiting_for ~ 'bucket does not exist' FROM batch_chunks
                  ORDER BY chunk_id DESC LIMIT 1)$$);
SELECT sim.config('{"gcs_buckets": {"batch": {}, "nowhere": {}}}');
CALL sim.await(format($$(SELECT counts(%s) = 'completed, 10 succeeded, 10 written')$$, :job));
SELECT pass('a missing bucket is waited for');
SELECT sim.reset(), vertex('ver', $$location 'mars-north1'$$) \g /dev/null
SELECT submit('ver') AS job \gset
SELECT sim.work_beside('30 s');
CALL sim.await($$(SELECT waiting_for ~ 'there is no location "mars-north1" at this address'
                  FROM batch_chunks ORDER BY chunk_id DESC LIMIT 1)$$);
ALTER SERVER ver OPTIONS (SET location 'us-east1');
CALL sim.await(format($$(SELECT counts(%s) = 'completed, 10 succeeded, 10 written')$$, :job));
SELECT pass('so is a location that is none: nothing was made there');
SELECT sim.reset(),
    sim.config('{"gcs_buckets": {"batch": {}, "west-batch": {"location": "US-WEST1"}}}'), fill(10),
    vertex('ver', $$storage_url 'gs://west-batch'$$), vertex('odd', '', 'gemini-9-none')
\g /dev/null
SELECT submit('ver') AS job \gset
SELECT submit('odd') AS job2 \gset
CALL batch_work('60 s');
SELECT matches(counts(:job) || ' ' || error,
    'failed, 10 errored.* in US-WEST1, the job in us-central1',
    'a bucket elsewhere fails the job, with the words')
FROM batch_jobs WHERE job_id = :job;
SELECT matches(counts(:job2) || ' ' || error, 'failed, 10 errored.*gemini-9-none. was not found',
    'so does a model that is not there')
FROM batch_jobs WHERE job_id = :job2;
SELECT matches(books(), 'listed 0 left 0$', '… nothing is left');

-- Cancelled by the user
SELECT sim.reset(), sim.config('{"batch_seconds": 4}'), fill(20), vertex('ver') \g /dev/null
SELECT submit('ver') AS job \gset
SELECT sim.work_beside();
CALL sim.await(format('(SELECT bool_and(state = ''running'') FROM batch_chunks WHERE job_id = %s)',
    :job));
SELECT batch_cancel(:job);
CALL sim.await(format('(SELECT state = ''cancelled'' FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is(cancelled + succeeded, 20::bigint, 'cancelled: what was done is kept') FROM batch_jobs
WHERE job_id = :job;
CALL sim.await($$(SELECT books() ~ 'listed 0 left 0$')$$);
SELECT pass('… nothing is left');
SELECT sim.config('{"batch_seconds": 0.2}');

-- Places
SELECT sim.reset(), fill(5), vertex('glo', $$location 'global'$$),
    vertex('eur', $$location 'eu', storage_url 'gs://batch'$$),
    vertex('pub', $$location 'europe-west4'$$, 'publishers/google/models/gemini-2.5-flash')
\g /dev/null
SELECT submit(s) FROM unnest('{glo,eur,pub}'::text[]) s \g /dev/null
CALL batch_work('60 s');
SELECT is(succeeded, 5::bigint, 'location of ' || server) FROM batch_jobs
WHERE server IN ('glo', 'eur', 'pub') ORDER BY server;
SELECT matches(books(), 'listed 0 left 0$', '… nothing is left');

-- batch_check
SELECT sim.reset(), vertex('ver'), vertex('far', $$location 'mars-north1'$$),
    vertex('poor', $$storage_url 'gs://nowhere'$$), vertex('odd', '', 'gemini-9-none'),
    vertex('cla', '', 'claude-haiku-5-5') \g /dev/null
SELECT is(status, 'ok', detail) FROM batch_check('ver');
SELECT matches(detail, 'only a batch shows$', '… it says what it cannot tell')
FROM batch_check('ver');
SELECT is(status, 'ok', 'a model of Anthropic''s') FROM batch_check('cla');
SELECT is(status, 'provider_error', detail) FROM batch_check('far');
SELECT is(status, 'provider_error', detail) FROM batch_check('poor');
SELECT is(status, 'no_model', detail) FROM batch_check('odd');
SELECT sim.config('{"google_service_accounts": {"batch@proj-1.iam.gserviceaccount.com": {"deny": '
                  '["storage.objects.list"]}}}');
SELECT is(status || ' ' || (detail ~ 'bucket "batch" may not be listed')::text, 'bad_key true',
    detail)
FROM batch_check('ver');
SELECT sim.config('{"google_service_accounts": {"batch@proj-1.iam.gserviceaccount.com": {"deny": '
                  '["aiplatform.batchPredictionJobs.list"]}}}');
SELECT is(status || ' ' || (detail ~ 'aiplatform.batchPredictionJobs.list')::text, 'bad_key true',
    detail)
FROM batch_check('ver');
SELECT sim.config('{"google_service_accounts": {"batch@proj-1.iam.gserviceaccount.com": {}}}');

-- What can be known to be wrong is said at once
SELECT throws_ok(
    $$CREATE SERVER bad FOREIGN DATA WRAPPER batchinf
      OPTIONS (provider 'vertex', location 'us-central1', storage_url 'gs://batch')$$,
    'HV002', 'option "project" is required for provider "vertex"');
SELECT throws_ok(
    $$CREATE SERVER bad FOREIGN DATA WRAPPER batchinf
      OPTIONS (provider 'vertex', project 'p', location 'us-central1', storage_url 's3://batch')$$,
    '22023', 'invalid value for option "storage_url"');
SELECT throws_ok(
    $$SELECT batch_submit('SELECT 1 AS id', server => 'ver', prompt => 'x',
          params => '{"temperature": 1}')$$,
    '0A000', 'server "ver" cannot do this job');
SELECT throws_ok(
    $$SELECT batch_submit('SELECT 1 AS id', server => 'ver', prompt => 'x',
          model => 'gemini-embedding-001')$$,
    '0A000', 'server "ver" cannot do this job');
SELECT throws_ok(
    $$SELECT batch_submit(
          'SELECT 1 AS id, ''[{"role": "user", "content": "x"}]''::jsonb AS messages',
          server => 'ver')$$,
    '22023', 'record "1" cannot be sent');
SELECT * FROM finish();
