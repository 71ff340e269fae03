-- When a job is sent (start_after, submit_window), how long records are tried again (retry_for).
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai', $$max_requests '2'$$);
SELECT sim.tickets(5);
CREATE FUNCTION ask(VARIADIC more text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE format('SELECT batch_submit(''SELECT id, body FROM tickets'', server => ''openai'', '
        'prompt => ''{{body}}'', %s)', array_to_string(more, ', '))
    INTO job;
    RETURN job;
END $$;
CREATE FUNCTION waits(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT concat_ws(': ', wait_kind, waiting_for), '; ') FROM batch_chunks
    WHERE job_id = job $$;
-- a window that opens in so many minutes, and is open for an hour
CREATE FUNCTION opens_in(minutes int) RETURNS text LANGUAGE sql AS $$
    SELECT format('submit_window => ''%s-%s UTC''',
        to_char(timezone('UTC', now()) + minutes * interval '1 minute', 'HH24:MI'),
        to_char(timezone('UTC', now()) + (minutes + 60) * interval '1 minute', 'HH24:MI')) $$;

SELECT ask('start_after => now() + interval ''3 s''') AS later \gset
CALL batch_work('1 s');
SELECT matches(waits(:later), '^time: argument start_after: it is sent after 20',
    'start_after: nothing is sent before');
SELECT is(sim.ledger() ->> 'billed_requests', '0', '… nothing is billed');
SELECT matches(waiting_for, 'argument start_after', '… batch_jobs says so') FROM batch_jobs
WHERE job_id = :later;
CALL batch_work('60 s');
SELECT is((SELECT state FROM batch_jobs WHERE job_id = :later), 'completed',
    '… and everything after it');
SELECT cmp_ok(
    (SELECT min(submitted_at) FROM batch_chunks WHERE job_id = :later), '>=',
    (SELECT created_at + interval '3 s' FROM batch_jobs WHERE job_id = :later), '… not earlier');

SELECT ask(opens_in(30)) AS closed \gset
SELECT ask(opens_in(-30)) AS open \gset
CALL batch_work('5 s');
SELECT is((SELECT state FROM batch_jobs WHERE job_id = :open), 'completed',
    'submit_window: sent where it is open');
SELECT matches(waits(:closed), '^time: argument submit_window: ..:..-..:.. UTC opens 20',
    '… not where it is closed');
SELECT cmp_ok((SELECT max(next_step_at) FROM batch_chunks WHERE job_id = :closed), '>',
    now() + interval '28 minutes', '… it is looked at when it opens');
SELECT batch_cancel(:closed);
CALL batch_work('5 s');
SELECT is((SELECT state FROM batch_jobs WHERE job_id = :closed), 'cancelled',
    '… a cancelled job ends meanwhile');
SELECT ask(opens_in(30), 'deadline => interval ''1 s''') AS late \gset
CALL batch_work('10 s');
SELECT is((SELECT state || ' ' || expired FROM batch_jobs WHERE job_id = :late), 'completed 5',
    '… and one whose deadline passes');
SELECT throws_ok($$SELECT ask('submit_window => ''tonight''')$$, '22023',
    'invalid value for argument "submit_window": "tonight"', 'a window that is none');

-- All attempts fail; how many there are.
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"},
    "action": {"batch_outcome": "expired", "finished": 0}, "times": "always"}');
SELECT ask('max_attempts => 3', 'retry_for => interval ''1 hour''') AS long \gset
SELECT ask('max_attempts => 3', 'retry_for => interval ''1 millisecond''') AS short \gset
CALL batch_work('60 s');
SELECT is((SELECT max(attempt) FROM batch_records WHERE job_id = :long), 3,
    'retry_for: within it records are sent again');
SELECT is((SELECT max(attempt) FROM batch_records WHERE job_id = :short), 1, '… not after it');
SELECT is((SELECT state || ' ' || expired FROM batch_jobs WHERE job_id = :short), 'completed 5',
    '… they end as they are');
SELECT throws_ok($$SELECT ask('retry_for => interval ''0''')$$, '22023',
    'argument "retry_for" must be a positive interval', 'no time at all');
SELECT * FROM finish();
