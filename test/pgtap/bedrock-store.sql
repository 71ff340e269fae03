-- What goes wrong between Bedrock and its bucket: throttling that looks like a refusal, results
-- that are cut short, objects that are left behind, a stop that is refused.
\i lib.sql
SELECT plan(13);
CREATE TABLE tickets (id int PRIMARY KEY, body text);
INSERT INTO tickets SELECT i, 'body ' || i FROM generate_series(1, 10) i;
CREATE FUNCTION begin(VARIADIC faults jsonb[] DEFAULT '{}') RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.reset();
    PERFORM sim.bedrock('bed');
    PERFORM sim.fault(f) FROM unnest(faults) f;
    RETURN batch_submit('SELECT id, body FROM tickets', server => 'bed', prompt => '{{body}}');
END $$;
-- How it ended, what was billed (more than once), jobs and objects left.
CREATE FUNCTION books(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', j.state, j.succeeded, 'billed', l ->> 'billed_requests',
        l ->> 'content_billed_again', 'jobs', jsonb_array_length(l -> 'batches'), 'left',
        jsonb_array_length(l -> 'files_left'))
    FROM sim.ledger() l, batch_jobs j WHERE j.job_id = job $$;
-- Without what only a poll of a slow machine meets.
CREATE FUNCTION history(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(event, ', ' ORDER BY event_id) FROM batch_events
    WHERE job_id = job AND event <> 'running'
$$;

-- Load with the status of a refusal
SELECT begin(
    '{"match": {"method": "PUT"}, "action": {"status": 400, "error_code": "RequestTimeout"}}',
    '{"match": {"method": "PUT"}, "after": 1, "action": {"status": 400, '
    '"error_code": "KMS.ThrottlingException"}}') AS job \gset
CALL batch_work('60 s');
SELECT is(books(:job), 'completed 10 billed 10 0 jobs 1 left 0',
    'a store that gives up waiting for bytes, or is throttled itself, is asked again');
SELECT is(string_agg(split_part(detail, ':', 1), ' ' ORDER BY event_id),
    'RequestTimeout KMS.ThrottlingException', '… which the history tells')
FROM batch_events WHERE job_id = :job AND event = 'deferred';

-- An upload whose answer is lost, and then nobody wants it any more
SELECT begin('{"match": {"method": "PUT"}, "action": {"lost_after_effect": true}}',
    '{"match": {"method": "PUT"}, "after": 1, "times": "always", "action": {"status": 503}}') AS job
\gset
SELECT sim.work_beside();
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_events WHERE job_id = %s AND event = ''deferred'')', :job));
SELECT is(jsonb_array_length(sim.ledger() -> 'files_left'), 1,
    'an upload whose answer was lost is there');
SELECT batch_cancel(:job);
CALL sim.await(format(
    'NOT EXISTS (SELECT FROM batchinf.chunk WHERE job_id = %s AND next_step_at IS NOT NULL)',
    :job));
SELECT is(books(:job), 'cancelled 0 billed 0 0 jobs 0 left 0',
    '… and is removed where the job is cancelled');
SELECT begin('{"match": {"method": "PUT"}, "times": "always", "action": {"status": 503, '
             '"headers": {"retry-after": "600"}}}') AS job \gset
SELECT batch_cancel(:job);
CALL batch_work('20 s');
SELECT is(history(:job), 'cancelled', 'what was never sent needs no cleaning');

-- Results that come short are asked for again, however often the store failed before
SELECT begin(
    '{"match": {"method": "GET", "path_regex": "^/batch/$"}, '
    '"action": {"status": 503, "headers": {"retry-after": "600"}}}',
    '{"match": {"method": "GET", "path_regex": "input.jsonl.out$"}, '
    '"action": {"status": 200, "body": ""}}') AS job \gset
SELECT sim.work_beside('20 s');
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_chunks WHERE job_id = %s AND state = ''waiting'')', :job));
SELECT is(history(:job), 'uploaded, submitted, completed, deferred',
    'a store that fails when results are there');
UPDATE batchinf.chunk SET failures = 9, next_step_at = now() WHERE job_id = :job;
DELETE FROM batchinf.pause;
CALL sim.await(format(
    '(SELECT count(*) = 2 FROM batch_events WHERE job_id = %s AND event = ''deferred'')', :job));
SELECT matches(detail, '^incomplete: 0 lines came, and the provider reports 10',
    '… and then gives too little')
FROM batch_events WHERE job_id = :job AND event = 'deferred' ORDER BY event_id DESC LIMIT 1;
UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id = :job;
CALL batch_work('20 s');
SELECT is(books(:job), 'completed 10 billed 10 0 jobs 1 left 0',
    '… is asked again, and nothing is paid for twice');
-- … but not for ever
SELECT begin('{"match": {"method": "GET", "path_regex": "input.jsonl.out$"}, '
             '"times": 6, "action": {"status": 200, "body": ""}}') AS job \gset
SELECT sim.work_beside('60 s');
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_events WHERE job_id = %s AND event = ''deferred'')', :job));
UPDATE batchinf.batch SET refs = refs || '{"short": "5"}'
WHERE chunk_id IN (SELECT chunk_id FROM batchinf.chunk WHERE job_id = :job);
UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id = :job;
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_events WHERE job_id = %s AND event = ''delivered'')', :job));
SELECT is(history(:job) ~ '^uploaded, submitted, completed, deferred, delivered', true,
    'results that stay short are taken as they are in the end');
SELECT matches(detail, '^0 lines came', '… which the history tells') FROM batch_events
WHERE job_id = :job AND event = 'delivered' ORDER BY event_id LIMIT 1;
SELECT batch_cancel(:job);
CALL batch_work('20 s');

-- A stop that is refused is asked for again
SELECT begin(
    '{"match": {"path_regex": "/model-invocation-job$"}, '
    '"action": {"batch_outcome": "in_progress_forever"}}',
    '{"match": {"path_regex": "/stop$"}, "times": 1, "action": {"status": 409, '
    '"error_code": "ConflictException"}}') AS job \gset
SELECT sim.work_beside();
CALL sim.await('jsonb_array_length(sim.ledger() -> ''batches'') = 1');
SELECT batch_cancel(:job);
CALL sim.await(format('(SELECT state = ''cancelled'' FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is(string_agg(r ->> 'status', ' ' ORDER BY i), '409 200',
    'a stop that is refused is asked for again')
FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) WITH ORDINALITY x(r, i)
WHERE r ->> 'path' ~ '/stop$';
SELECT is(count(*), 1::bigint, '… which the history need not tell') FROM batch_events
WHERE job_id = :job AND event = 'cancel sent';
CALL sim.await('sim.ledger() -> ''files_left'' = ''[]''');
SELECT is(regexp_replace(books(:job), '^(cancelled) \d+ billed \d+', '\1'),
    'cancelled 0 jobs 1 left 0', '… and nothing is left');
SELECT * FROM finish();
