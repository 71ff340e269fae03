-- Jobs at Anthropic end to end: answers of each kind, lost calls, batches of somebody else, faults
-- of the API, and how batches end.
\i lib.sql
SELECT plan(20);
CREATE OR REPLACE FUNCTION sim.anthropic(name text, more text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP SERVER IF EXISTS %I CASCADE', name);
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''anthropic'', '
        'model ''claude-haiku-5-5'', base_url %L, poll_interval ''1''%s)',
        name, regexp_replace(sim.url(), '/v1$', ''),
        CASE WHEN more = '' THEN '' ELSE ', ' || more END);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (api_key ''sk-sim'')',
        name);
END $$;
SELECT sim.anthropic('anth');
SELECT is(status, 'ok', detail) FROM batch_check('anth');
CREATE TABLE tickets (id int PRIMARY KEY, subject text, body text, label text);
INSERT INTO tickets SELECT i, 'subject ' || i, 'body ' || i FROM generate_series(1, 50) i;
SELECT batch_submit('SELECT id, subject, body FROM tickets WHERE label IS NULL', server => 'anth',
    system_prompt => 'be short', prompt => 'Label this ticket. {{subject}}: {{body}}',
    target => 'tickets', write_back => '{"label": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT results_eq('SELECT state, records, succeeded, written, pending, progress FROM batch_jobs',
    $$VALUES ('completed', 50::bigint, 50::bigint, 50::bigint, 0::bigint, 1.0)$$,
    'all records are written');
SELECT is((SELECT count(*) FROM tickets WHERE label LIKE '%body ' || id), 50::bigint,
    'each row has the answer to its own prompt');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 50, 'each record is billed once');
SELECT is(
    (SELECT bool_and((b ->> 'deleted')::bool)
     FROM jsonb_array_elements(sim.ledger() -> 'batches') b),
    true, 'batch deleted');

-- lost answer: answer dropped after the effect
SELECT sim.reset();
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"times":1,"action":{"lost_after_effect":true}}');
SELECT sim.anthropic('bearer', $$auth 'bearer', api_version '2026-10-21', prompt_cache '1h'$$);
SELECT batch_submit(
    'SELECT id, subject FROM tickets', server => 'bearer',
    system_prompt => repeat('be short ', 2000), prompt => 'Label {{subject}}',
    response_schema => '{"type":"object","properties":{"l":{"type":"string","minLength":1},'
                       '"n":{"type":"integer","minimum":0}},"required":["l"]}') AS job \gset
CALL batch_work('60 s');
SELECT is(succeeded, 50::bigint, 'lost answer') FROM batch_jobs WHERE job_id = :job;
SELECT is((sim.ledger() ->> 'billed_requests')::int, 50, 'each record is billed once');
SELECT is(jsonb_array_length(sim.ledger() -> 'batches'), 1);

-- lost before the effect, a foreign one beside it
SELECT sim.reset();
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"times":1,"action":{"reset":"before"}}');
SELECT sim.call('POST', '/_sim/foreign',
    '{"provider":"anthropic","requests":50,"count":1}') IS NOT NULL;
SELECT batch_submit('SELECT id, subject FROM tickets', server => 'anth',
    prompt => 'Label {{subject}}') AS job \gset
CALL batch_work('60 s');
SELECT is(succeeded, 50::bigint, 'lost call') FROM batch_jobs WHERE job_id = :job;
SELECT is((sim.ledger() ->> 'billed_requests')::int, 50, 'each record is billed once');
SELECT is(jsonb_array_length(sim.ledger() -> 'batches'), 2);

-- transient 404
SELECT sim.reset();
SELECT sim.config('{"absent_after_create":2,"absent_after_end":2}');
SELECT batch_submit('SELECT id, subject FROM tickets', server => 'anth',
    prompt => 'Label {{subject}}') AS job \gset
CALL batch_work('100 s');
SELECT is(succeeded, 50::bigint, 'transient 404') FROM batch_jobs WHERE job_id = :job;
SELECT sim.config('{"absent_after_create":0,"absent_after_end":0}');

-- 413 from the front end, a limit of spending
SELECT sim.reset();
SELECT sim.config('{"max_create_bytes":5000}');
SELECT batch_submit('SELECT id, subject FROM tickets', server => 'anth',
    prompt => 'Label {{subject}}') AS job \gset
CALL batch_work('60 s');
SELECT is(
    error,
    'the request is larger than the API takes: a smaller "max_bytes" of the server makes smaller '
    'batches')
FROM batch_jobs WHERE job_id = :job;
SELECT sim.config('{"max_create_bytes":256000000}');
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"times":1,"action":{"status":429,"error_code":"enforced_spend_limit_reached"}}');
SELECT batch_submit('SELECT id, subject FROM tickets', server => 'anth',
    prompt => 'Label {{subject}}') AS job \gset
CALL batch_work('60 s');
SELECT is(succeeded, 50::bigint, 'after a limit of spending') FROM batch_jobs WHERE job_id = :job;

-- directives
SELECT sim.reset();
SELECT batch_submit(
    $$SELECT *
      FROM (VALUES (1, '[[sim:refusal=bio]] a'), (2, '[[sim:length]] b'),
                (3, '[[sim:nochoices]] c'), (4, '[[sim:error=400]] d'), (5, '[[sim:error=429]] e'),
                (6, '[[sim:tool_use]]f'), (7, '[[sim:pause_turn]]'), (8, '[[sim:context_window]]'),
                (9, '[[sim:thinking]]x'), (10, '[[sim:blocks]]y'), (11, '[[sim:missing]]'),
                (12, '[[sim:timeout]]'), (13, '[[sim:expired]]'), (14, '[[sim:cancelled]]'),
                (15, '[[sim:null_content]]'), (16, '[[sim:fail_times=1]]z'),
                (17, '[[sim:badjson]]')) v(id, subject)$$,
    server => 'anth', prompt => '{{subject}}', max_attempts => 2) AS job \gset
CALL batch_work('60 s');
SELECT is(state, 'completed') FROM batch_jobs WHERE job_id = :job;
SELECT throws_ok(
    $$SELECT batch_submit('SELECT 1 AS id, ''x'' AS input', server => 'anth',
          task => 'embedding')$$,
    '0A000');
SELECT throws_ok(
    $$SELECT batch_submit('SELECT 1 AS id', server => 'bearer', prompt => 'x',
          params => '{"temperature":1}')$$,
    '0A000');
SELECT throws_ok(
    $$SELECT batch_submit(
          'SELECT 1 AS id, ''[{"role":"system","content":"x"}]''::jsonb AS messages',
          server => 'anth')$$,
    '22023');
SELECT batch_submit(
    $$SELECT 1 AS id,
          '[{"role":"user","content":"hello"},{"role":"user","content":[{"type":"text",'
          '"text":"you"}]}]'::jsonb AS messages$$,
    server => 'anth', system_prompt => 'x') AS job \gset
SELECT batch_submit(
    $$SELECT 1 AS id,
          '{"model":"claude-haiku-5-5","max_tokens":7,"messages":[{"role":"user",'
          '"content":"hello"}]}'::jsonb AS body$$,
    server => 'anth') AS job2 \gset
CALL batch_work('60 s');
SELECT is(sum(succeeded), 2::numeric, 'messages and body') FROM batch_jobs
WHERE job_id IN (:job, :job2);

-- cancel
SELECT sim.reset();
SELECT sim.config('{"batch_seconds":20}');
SELECT batch_submit('SELECT id, subject FROM tickets', server => 'anth',
    prompt => 'Label {{subject}}') AS job \gset
SELECT sim.work_beside();
CALL sim.await(format('(SELECT bool_and(state = ''running'') FROM batch_chunks WHERE job_id = %s)',
    :job));
SELECT batch_cancel(:job);
CALL sim.await(format('(SELECT state = ''cancelled'' FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is(cancelled + succeeded, 50::bigint, 'cancelled') FROM batch_jobs WHERE job_id = :job;
CALL sim.await('(SELECT bool_and((b ->> ''deleted'')::bool) FROM jsonb_array_elements(sim.ledger() '
               '-> ''batches'') b)');
SELECT * FROM finish();
