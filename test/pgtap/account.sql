-- A create call is lost, and the key or the address of the server changes before its batch has been
-- searched for (promise 1). The test proves that the batch is neither forgotten nor paid for twice.
\i lib.sql
SELECT plan(9);

SELECT sim.config('{"api_keys": ["sk-sim", "sk-other:other"]}');
SELECT sim.server('openai');
CREATE TABLE ticket AS SELECT i AS id, 'body ' || i AS body FROM generate_series(1, 10) i;

-- The answer to the create call is lost, and the list is not to be had for a while.
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, '
                 '"times": 1, "action": {"lost_after_effect": true}}');
SELECT sim.fault('{"match": {"method": "GET", "path_regex": "/batches$"}, '
                 '"times": "always", "action": {"status": 503}}');
SELECT batch_submit('SELECT id, body FROM ticket', server => 'openai', prompt => '{{body}}') AS job
\gset
SELECT sim.work_until(format('(SELECT step = ''creating'' AND waiting_for IS NOT NULL '
                             'FROM batch_chunks WHERE job_id = %s)', :job));
SELECT is(step, 'creating', 'the fate of the batch is unknown') FROM batch_chunks
WHERE job_id = :job;

ALTER USER MAPPING FOR CURRENT_USER SERVER openai OPTIONS (SET api_key 'sk-other');
SELECT sim.clear_faults();
SELECT sim.work_until(format('(SELECT state = ''ambiguous'' FROM batch_chunks WHERE job_id = %s)',
    :job));
CALL batch_work('1 s');
SELECT is(state, 'ambiguous', 'under another key that nothing is found says nothing')
FROM batch_chunks WHERE job_id = :job;
SELECT matches(waiting_for, 'address or key have changed', '… and it says so') FROM batch_chunks
WHERE job_id = :job;
SELECT is((sim.ledger() ->> 'billed_requests')::int, 10, 'promise 1: nothing is sent again');

ALTER USER MAPPING FOR CURRENT_USER SERVER openai OPTIONS (SET api_key 'sk-sim');
CALL batch_work('60 s');
SELECT is(state, 'completed', 'with the old key it is found') FROM batch_jobs WHERE job_id = :job;
SELECT is(succeeded, 10::bigint, '… and delivered') FROM batch_jobs WHERE job_id = :job;
SELECT is((sim.ledger() ->> 'billed_requests')::int, 10, '… and billed once');
SELECT isnt((SELECT count(*) FROM batch_events WHERE job_id = :job AND event = 'found again'),
    0::bigint, '… found again');
SELECT is((SELECT count(*) FROM batchinf.batch b WHERE to_jsonb(b)::text ~ 'sk-(sim|other)'),
    0::bigint, 'promise 6: no key in what is remembered of it');
SELECT * FROM finish();
