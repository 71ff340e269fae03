-- The answers of create calls at Bedrock are lost. The test proves that the job there is found
-- again by its token, or created again with the same token, and never twice.
\i lib.sql
SELECT plan(21);
SELECT sim.tickets(8);
CREATE FUNCTION begin(action jsonb DEFAULT NULL, times int DEFAULT 1) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.reset();
    PERFORM sim.bedrock('bed');
    IF action IS NOT NULL THEN
        PERFORM sim.fault(jsonb_build_object(
            'match', '{"method": "POST", "path_regex": "/model-invocation-job$"}'::jsonb,
            'times', times, 'action', action));
    END IF;
    RETURN batch_submit('SELECT id, body FROM tickets', server => 'bed', prompt => '{{body}}',
        target => 'tickets', write_back => '{"label": "$"}');
END $$;
-- How it ended, what was billed (more than once), jobs, and the creates that were sent with how
-- many tokens.
CREATE FUNCTION books(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(
        ' ', j.state, j.succeeded, 'billed', l ->> 'billed_requests', l ->> 'content_billed_again',
        'jobs', jsonb_array_length(l -> 'batches'), 'left', jsonb_array_length(l -> 'files_left'),
        'creates',
        (SELECT count(*) || ' tokens '
             || count(DISTINCT CAST(r ->> 'body' AS jsonb) ->> 'clientRequestToken')
         FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
         WHERE r ->> 'method' = 'POST' AND r ->> 'path' ~ '/model-invocation-job$'
         AND r ->> 'body' <> ''))
    FROM sim.ledger() l, batch_jobs j WHERE j.job_id = job $$;
-- Without what only a poll of a slow machine meets.
CREATE FUNCTION history(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(event, ', ' ORDER BY event_id) FROM batch_events
    WHERE job_id = job AND event <> 'running'
$$;

SELECT begin('{"lost_after_effect": true}') AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'an answer that is lost: the job is found');
SELECT is(history(:job), 'uploaded, deferred, found again, completed, delivered, cleaned',
    '… by the list');
SELECT matches(
    r ->> 'path',
    '^/model-invocation-jobs\?maxResults=100&nameContains=batchinf-[0-9a-f]{32}&'
    'sortBy=CreationTime&sortOrder=Descending$',
    '… of jobs with its name')
FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r WHERE r ->> 'path' ~ 'nameContains'
LIMIT 1;

SELECT begin('{"reset": "before"}') AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'a call that is lost on its way');
SELECT is(history(:job), 'uploaded, deferred, not found, submitted, completed, delivered, cleaned',
    '… is looked for, then made again');
SELECT is(tries, 2, '… as another try') FROM batchinf.chunk WHERE job_id = :job;

-- the list never shows it: the same token is the same job
SELECT begin('{"lost_after_effect": true, "list_lag_ms": 3600000}') AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 2 tokens 1',
    'a list that does not show the job: the same token again makes no second one');
SELECT is(history(:job), 'uploaded, deferred, not found, submitted, completed, delivered, cleaned',
    '… but gives the first');

-- the list shows it late
SET batchinf.settle_time = '5s';
SELECT begin('{"lost_after_effect": true, "list_lag_ms": 2000}') AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'a list that shows the job late');
RESET batchinf.settle_time;

-- answers that are none
SELECT begin('{"status": 200, "body": {"jobArn": '
             '"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/"}}') AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'an answer without an ARN is looked into');
SELECT begin('{"status": 500}', 2) AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'errors of the service');
SELECT is(history(:job),
    'uploaded, deferred, not found, deferred, not found, submitted, completed, delivered, cleaned',
    '… each is looked into');
SELECT begin('{"html": 502}') AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'a gateway''s page');

-- refusals that say that it is there
SELECT begin('{"lost_after_effect": true, "list_lag_ms": 5000}') AS job \gset
SELECT sim.work_beside();
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_events WHERE job_id = %s AND event = ''deferred'')', :job));
ALTER SERVER bed OPTIONS (ADD completion_window '48h');
CALL sim.await(format(
    '(SELECT state = ''completed'' FROM batch_jobs WHERE job_id = %s) '
    'AND sim.ledger() -> ''files_left'' = ''[]''',
    :job));
SELECT is(regexp_replace(books(:job), ' creates.*', ''), 'completed 8 billed 8 0 jobs 1 left 0',
    'the same token with other parameters: none is made besides');
SELECT matches(history(:job), 'not found, deferred, .*found again',
    '… it is looked for until it is there');
SELECT begin('{"status": 400, "error_code": "ValidationException", '
             '"body": {"message": "The provided job name is currently in use."}}') AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'a name that is in use is looked for');

-- no certainty: another key's list proves nothing, and a list that cannot be read even less
SELECT begin('{"lost_after_effect": true}') AS job \gset
SELECT sim.fault('{"match": {"path_regex": "/model-invocation-jobs"}, '
                 '"times": 2, "action": {"status": 200, '
                 '"body": {"invocationJobSummaries": [{"jobName": "x"}]}}}');
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'a list with an entry that cannot be read says nothing');
SELECT begin('{"lost_after_effect": true}') AS job \gset
SELECT sim.fault('{"match": {"path_regex": "/model-invocation-jobs"}, '
                 '"times": 1, "action": {"status": 200, "body": {"invocationJobSummaries": [], '
                 '"nextToken": 7}}}');
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'nor does one that breaks off');

-- uploads: lost, and made again; a missing right is a wait
SELECT begin() AS job \gset
SELECT sim.fault('{"match": {"method": "PUT"}, "times": 2, "action": {"lost_after_effect": true}}');
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'an upload whose answer is lost');
SELECT begin() AS job \gset
SELECT sim.config('{"s3_buckets": {"batch": {"deny": ["s3:PutObject"]}}}');
SELECT sim.work_beside();
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_chunks WHERE job_id = %s AND waiting_for LIKE ''AccessDenied: '
    '%%s3:PutObject%%'')',
    :job));
SELECT sim.config('{"s3_buckets": {"batch": {}}}');
CALL sim.await(format(
    '(SELECT state = ''completed'' FROM batch_jobs WHERE job_id = %s) '
    'AND sim.ledger() -> ''files_left'' = ''[]''',
    :job));
SELECT is(books(:job), 'completed 8 billed 8 0 jobs 1 left 0 creates 1 tokens 1',
    'a right that somebody must give is waited for');
-- results that nobody may remove stay, and are told
SELECT begin() AS job \gset
SELECT sim.config('{"s3_buckets": {"batch": {"deny": ["s3:DeleteObject"]}}}');
CALL batch_work('60 s');
SELECT is(string_agg(event || ' ' || substring(detail FROM 'perform: (\S+)'), ''),
    'left behind s3:DeleteObject', 'what may not be removed is told')
FROM batch_events WHERE job_id = :job AND event = 'left behind';
SELECT * FROM finish();
