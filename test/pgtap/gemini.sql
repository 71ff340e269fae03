-- Jobs at the Gemini Developer API end to end: uploads in parts, batches, results of each kind,
-- lost calls; nothing is left behind and nothing is bought twice.
\i lib.sql
SELECT plan(38);
CREATE FUNCTION sim.gemini(name text, more text DEFAULT '',
    model text DEFAULT 'gemini-3.5-flash-lite', key text DEFAULT 'sk-sim')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP SERVER IF EXISTS %I CASCADE', name);
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''gemini'', model %L, '
        'base_url %L, poll_interval ''1'', settle_time ''1'' %s)',
        name, model, regexp_replace(sim.url(), '/v1$', ''),
        CASE WHEN more = '' THEN '' ELSE ', ' || more END);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (api_key %L)', name,
        key);
END $$;
SELECT sim.gemini('gem');
SELECT sim.tickets();
CREATE FUNCTION sim.lose(path text, action jsonb, times int DEFAULT 1, after int DEFAULT 0)
RETURNS void LANGUAGE sql AS $$
    SELECT sim.fault(jsonb_build_object(
        'match', jsonb_build_object('method', 'POST', 'path_regex', path), 'times', times,
        'after', after, 'action', action)) $$;
\set create '''batchGenerateContent$'''
\set files '''/upload/v1beta/files'''
CREATE FUNCTION sim.job(test text, records int DEFAULT 7) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM tickets;
    INSERT INTO tickets SELECT i, test || ', row ' || i FROM generate_series(1, records) i;
    RETURN batch_submit('SELECT id, body FROM tickets', server => 'gem', prompt => '{{body}}',
        target => 'tickets', write_back => '{"label": "$"}');
END $$;
-- What became of the job, its rows and what it left there.
CREATE FUNCTION sim.books(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format(
        '%s: %s of %s, %s rows, billed %s (%s again), batches %s (%s left), files left %s', j.state,
        j.succeeded, j.records, (SELECT count(*) FROM tickets WHERE label LIKE '%' || body),
        l ->> 'billed_requests', l ->> 'content_billed_again', count(b),
        count(b) FILTER (WHERE NOT (b ->> 'deleted')::bool),
        COALESCE(jsonb_array_length(NULLIF(l -> 'files_left', 'null')), 0))
    FROM batch_jobs j, sim.ledger() l LEFT JOIN jsonb_array_elements(l -> 'batches') b ON true
    WHERE j.job_id = job GROUP BY j.state, j.succeeded, j.records, l $$;
\set good '''completed: 7 of 7, 7 rows, billed 7 (0 again), batches 1 (0 left), files left 0'''
CREATE FUNCTION sim.told(job bigint, word text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM batch_events WHERE job_id = job AND event = word $$;
CREATE FUNCTION sim.begin(config jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    SELECT sim.reset(), sim.clear_faults(), sim.config('{"batch_seconds": 0.1}' || config)
$$;

-- is all well there?
SELECT is(status, 'ok', detail) FROM batch_check('gem');
SELECT sim.gemini('bad', key => 'AIzaSyNobodysKey');
SELECT is(status || ': ' || detail,
    'bad_key: HTTP status 400: API key not valid. Please pass a valid API key.',
    'a bad key, though the status is 400')
FROM batch_check('bad');
SELECT sim.gemini('none', model => 'gemini-9');
SELECT is(status, 'no_model', 'no such model') FROM batch_check('none');

-- a job
SELECT sim.begin();
SELECT sim.job('plain', 7) AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good, 'a job: each row has its own answer, and nothing is left there');
SELECT is(
    count(*) FILTER (WHERE input_tokens > 0 AND output_tokens > 0
                     AND model = 'gemini-3.5-flash-lite'),
    7::bigint, 'tokens and model are told')
FROM batch_records WHERE job_id = :job;
SELECT is(provider_batch_id ~ '^batches/[a-z0-9]+$', true, 'the batch is named as the API names it')
FROM batch_chunks WHERE job_id = :job;

-- a schema, a system prompt, params; answers shuffled
SELECT sim.begin();
DELETE FROM tickets;
INSERT INTO tickets SELECT i, '[[sim:json=%7B%22l%22:%22n' || i || '%22%7D]] row ' || i
FROM generate_series(1, 300) i;
SELECT batch_submit(
    'SELECT id, body FROM tickets', server => 'gem', system_prompt => 'be short',
    prompt => '{{body}}', target => 'tickets', write_back => '{"label": "$.l"}',
    params => '{"generationConfig": {"temperature": 0, "thinkingConfig": {"thinkingBudget": 0}}}',
    response_schema => '{"type":"object","properties":{"l":{"type":"string"}},"required":["l"],'
                       '"additionalProperties":false}') AS job \gset
CALL batch_work('60 s');
SELECT is(count(*), 300::bigint, 'joined by key, whatever the order') FROM tickets
WHERE label = 'n' || id;

-- whole messages and bodies
SELECT batch_submit(
    $$SELECT 1 AS id,
          '[{"role":"user","parts":[{"text":"hello"}]},{"role":"model","parts":[{"text":"hi"}]},'
          '{"role":"user","parts":[{"text":"you"}]}]'::jsonb AS messages$$,
    server => 'gem', system_prompt => 'x') AS job \gset
SELECT batch_submit(
    $$SELECT 1 AS id,
          '{"contents":[{"role":"user","parts":[{"text":"hello"}]}],'
          '"generation_config":{"max_output_tokens":70}}'::jsonb AS body$$,
    server => 'gem') AS job2 \gset
CALL batch_work('60 s');
SELECT is(sum(succeeded), 2::numeric, 'messages and body') FROM batch_jobs
WHERE job_id IN (:job, :job2);
SELECT throws_ok(
    $$SELECT batch_submit('SELECT 1 AS id', server => 'gem', prompt => 'x',
          params => '{"temperature": 1}')$$,
    '0A000', NULL, 'an option that stands at the wrong place');
SELECT throws_ok(
    $$SELECT batch_submit('SELECT 1 AS id', server => 'gem', prompt => 'x',
          params => '{"labels": {"a": "b"}}')$$,
    '0A000', NULL, 'labels, which this API has not');

-- embeddings
SELECT sim.gemini('emb', model => 'models/gemini-embedding-001');
SELECT is(status, 'ok', 'a model of embeddings: ' || detail) FROM batch_check('emb');
SELECT batch_submit('SELECT i AS id, ''text '' || i AS input FROM generate_series(1, 20) i',
    server => 'emb', task => 'embedding', params => '{"outputDimensionality": 64}') AS job \gset
CALL batch_work('60 s');
SELECT is(count(*) FILTER (WHERE jsonb_array_length(output::jsonb) = 64 AND input_tokens > 0),
    20::bigint, 'embeddings, of the size that was asked for')
FROM batch_records WHERE job_id = :job;

-- what else lines may hold
SELECT sim.begin();
SELECT batch_submit(
    $$SELECT *
      FROM (VALUES (1, '[[sim:blocked=SAFETY]]'), (2, '[[sim:length]] b'),
                (3, '[[sim:nochoices]] c'), (4, '[[sim:error=400]] d'), (5, '[[sim:error=429]] e'),
                (6, '[[sim:content_filter]]'), (7, '[[sim:thinking]]x'), (8, '[[sim:missing]]'),
                (9, '[[sim:fail_times=1]]z'), (10, '[[sim:badjson]]'), (11, '[[sim:duplicate]] y'),
                (12, '[[sim:unknown]] y'), (13, '[[sim:both]] y')) v(id, subject)$$,
    server => 'gem', prompt => '{{subject}}', max_attempts => 2) AS job \gset
CALL batch_work('60 s');
SELECT is(
    string_agg(record_id || ' ' || outcome || ' ' || attempt || COALESCE(' ' || error_code, ''),
        ', ' ORDER BY record_id::int),
    '1 invalid_output 1 content_filter, 2 invalid_output 1 length, 3 invalid_output 1 no_output, '
    '4 errored 1 INVALID_ARGUMENT, 5 errored 2 RESOURCE_EXHAUSTED, '
    '6 invalid_output 1 content_filter, 7 succeeded 1, 8 missing 2 missing, '
        || '9 succeeded 2, 10 errored 1 unreadable_line, 11 succeeded 1, 12 succeeded 1, '
           '13 succeeded 1',
    'each line ends in one outcome')
FROM batch_records WHERE job_id = :job;

-- create calls that were lost
SELECT sim.begin(), sim.lose(:create, '{"lost_after_effect": true}');
SELECT sim.job('lost after') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good, 'lost after its effect: no second batch');
SELECT is(sim.told(:job, 'found again'), 1::bigint, 'lost after its effect: found by its name');
SELECT sim.begin(), sim.lose(:create, '{"reset": "before"}');
SELECT sim.job('lost before') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good, 'lost before its effect: made once');
SELECT is(sim.told(:job, 'not found'), 1::bigint, 'lost before its effect: looked for first');
ALTER SERVER gem OPTIONS (SET settle_time '4');
SELECT sim.begin(), sim.lose(:create, '{"lost_after_effect": true, "list_lag_ms": 2000}');
SELECT sim.job('a list that lags') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good, 'a list that lags: no second batch');
SELECT is(sim.told(:job, 'found again') || ' ' || sim.told(:job, 'not found'), '1 0',
    'a list that lags: found when it is listed');
ALTER SERVER gem OPTIONS (SET settle_time '1');

-- uploads that were lost: the begin, and the bytes
SELECT sim.begin(), sim.lose(:files, '{"lost_after_effect": true}');
SELECT sim.job('a begin that was lost') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good, 'an upload whose begin was lost');
SELECT sim.begin(), sim.lose(:files, '{"lost_after_effect": true}', after => 1);
SELECT sim.job('bytes that were lost') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good,
    'an upload whose end was lost: found by its name, nothing is left');
SELECT is(
    (SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
     WHERE r ->> 'path' ~ 'upload_id='),
    1::bigint, 'and the bytes did not travel again');
SELECT sim.begin(), sim.lose(:files, '{"reset": "before"}', after => 1);
SELECT sim.job('bytes that did not travel') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good, 'an upload whose bytes did not arrive');

-- promise 6: the bytes go to no other host
SELECT sim.begin(),
    sim.lose(
        :files,
        jsonb_build_object(
            'status', 200, 'body', '',
            'headers', jsonb_build_object(
                'X-Goog-Upload-URL', replace(sim.url(), '127.0.0.1', 'localhost') || '/steal')));
SELECT sim.job('another host') AS job \gset
CALL batch_work('60 s');
SELECT is(state || ': ' || error,
    'failed: the provider wants the upload at another host than that of option "base_url"',
    'an address of another host for the bytes')
FROM batch_jobs WHERE job_id = :job;
SELECT is(
    (SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
     WHERE r ->> 'path' ~ 'steal'),
    0::bigint, 'is not asked');

-- what comes late
SELECT sim.begin('{"gemini_file_processing_ms": 1500, "gemini_output_late": 2}');
SELECT sim.job('late') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good,
    'a file that is processed for a while, an output that is told later');
SELECT is(
    (SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
     WHERE r ->> 'path' ~ 'upload_id='),
    1::bigint, 'the file went up once');
SELECT is(bool_or(detail ~ 'not in an ACTIVE state') AND bool_or(detail ~ 'have no place yet'),
    true, 'and the chunk said what it waited for')
FROM batch_events WHERE job_id = :job;
SELECT sim.config('{"gemini_file_processing_ms": 0, "gemini_output_late": 0}');

-- limits and loads
SELECT sim.begin(), sim.lose(:create, '{"status": 429}', 2), sim.lose(:files, '{"status": 503}');
SELECT sim.job('load') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job), :good, 'load: tried again');

-- batches that come to nothing
SELECT sim.begin();
SELECT sim.job('[[sim:invalid_line]]', 1) AS job \gset
CALL batch_work('60 s');
SELECT is(state || ': ' || error, 'failed: Line 1 of the input file is not an object.',
    'a batch that failed')
FROM batch_jobs WHERE job_id = :job;
SELECT is(
    COALESCE(jsonb_array_length(NULLIF(l -> 'files_left', 'null')), 0)
        + (SELECT count(*) FROM jsonb_array_elements(l -> 'batches') b
           WHERE NOT (b ->> 'deleted')::bool),
    0::bigint, 'and leaves nothing there')
FROM sim.ledger() l;
SELECT sim.begin(), sim.lose(:create, '{"batch_outcome": "expired", "finished": 0}');
SELECT sim.job('expired') AS job \gset
CALL batch_work('60 s');
SELECT is(sim.books(:job),
    'completed: 7 of 7, 7 rows, billed 7 (0 again), batches 2 (0 left), files left 0',
    'a batch that expired: its records are sent again');
SELECT is((SELECT count(*) FROM batch_records WHERE job_id = :job AND attempt = 2), 7::bigint,
    'as their second attempt');

-- cancel
SELECT sim.begin('{"batch_seconds": 30}');
SELECT sim.job('cancelled') AS job \gset
SELECT sim.work_beside();
CALL sim.await(format('(SELECT bool_and(state = ''running'') FROM batch_chunks WHERE job_id = %s)',
    :job));
SELECT lives_ok(format('SELECT batch_cancel(%s)', :job), 'a running job is cancelled');
CALL sim.await(format(
    '(SELECT state = ''cancelled'' FROM batch_jobs WHERE job_id = %s) AND NOT EXISTS (SELECT '
    'FROM batchinf.chunk WHERE job_id = %s AND next_step_at IS NOT NULL)',
    :job, :job));
SELECT is(cancelled + succeeded, 7::bigint, 'each of its records has its end') FROM batch_jobs
WHERE job_id = :job;
SELECT is((SELECT string_agg(b ->> 'status', ' ') FROM jsonb_array_elements(l -> 'batches') b),
    'BATCH_STATE_CANCELLED', 'there too')
FROM sim.ledger() l;
SELECT is(
    COALESCE(jsonb_array_length(NULLIF(l -> 'files_left', 'null')), 0)
        + (SELECT count(*) FROM jsonb_array_elements(l -> 'batches') b
           WHERE NOT (b ->> 'deleted')::bool),
    0::bigint, 'and nothing is left')
FROM sim.ledger() l;
SELECT is(
    (SELECT array_agg(b.key) FROM jsonb_each_text(sim.ledger() -> 'by_custom_id') b
     WHERE b.value::int > 1),
    NULL, 'promise 1: nothing is billed twice');
SELECT * FROM finish();
