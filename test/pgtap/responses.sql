-- The endpoint /v1/responses end to end: chosen by the server's option or by the body, at OpenAI
-- and on both surfaces of Azure, and what is refused there. gpt-5.4-pro answers at no other
-- endpoint.
\i lib.sql
SELECT no_plan();

CREATE FUNCTION azure(name text, address text, more text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider ''azure_openai'', '
        'model ''pro-batch'', base_url %L, poll_interval ''1'' %s)',
        name, replace(sim.url(), '/v1', address), more);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (api_key ''sk-sim'')',
        name);
END $$;
SELECT sim.server('openai', $$endpoint 'responses'$$, 'gpt-5.4-pro');
SELECT sim.server('chat');
SELECT sim.server('embed', $$endpoint 'responses'$$, 'text-embedding-3-small');
SELECT azure('v1', '/openai/v1', $$, endpoint 'responses'$$);
SELECT azure('classic', '', $$, endpoint 'responses', api_version '2024-10-21'$$);
CREATE FUNCTION said(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
BEGIN
    EXECUTE 'SELECT batch_submit(' || arguments || ')';
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN message || ': ' || detail;
END $$;
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, succeeded, 'of', records, 'errored', errored, 'invalid',
        invalid_output)
    FROM batch_jobs WHERE job_id = job $$;
CREATE FUNCTION answers(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', record_id, outcome, output, error_code, finish_reason),
        E'\n' ORDER BY seq)
    FROM batch_records WHERE job_id = job $$;
CREATE FUNCTION batches() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT b ->> 'endpoint' FROM jsonb_array_elements(sim.ledger() -> 'batches') b
$$;
CREATE TABLE t (id int PRIMARY KEY, ask text, label text);
INSERT INTO t VALUES
    (1, 'This is a bug'),
    (2, '[[sim:refusal]]'),
    (3, '[[sim:length]] a long text'),
    (4, '[[sim:content_filter]]'),
    (5, '[[sim:failed=invalid_prompt]]'),
    (6, '[[sim:items]][[sim:say=in two parts]]'),
    (7, '[[sim:call=look]]'),
    (8, '[[sim:null_content]]'),
    (9, '[[sim:error=400]]'),
    (10, '[[sim:fail_times=1]] again'),
    (11, '[[sim:nochoices]]'),
    (12, 'This is a bug');

--
-- Every outcome, from a prompt, a system prompt and params
--
SELECT batch_submit('SELECT id, ask FROM t ORDER BY id', 'openai', '{{ask}}',
    system_prompt => 'Be short.',
    params => '{"max_output_tokens": 5000, "reasoning": {"effort": "low"}}', target => 't',
    write_back => '{"label": "$"}') AS job \gset
ALTER SERVER openai OPTIONS (SET endpoint 'chat');
CALL batch_work('60 s');
SELECT is(told(:job), 'completed 5 of 12 errored 2 invalid 5',
    'a job at /v1/responses, though the option was changed after it was submitted');
SELECT is((SELECT array_agg(DISTINCT b) FROM batches() b), '{/v1/responses}',
    '… is batches of responses');
SELECT results_eq(
    format(
        'SELECT record_id::int, outcome, error_code, finish_reason FROM batch_records '
        'WHERE job_id = %s AND record_id::int BETWEEN 2 AND 11 ORDER BY seq',
        :job),
    $$VALUES (2, 'invalid_output', 'refusal', 'completed'),
          (3, 'invalid_output', 'length', 'max_output_tokens'),
          (4, 'invalid_output', 'content_filter', 'content_filter'),
          (5, 'errored', 'invalid_prompt', 'failed'), (6, 'succeeded', NULL, 'completed'),
          (7, 'succeeded', NULL, 'completed'), (8, 'invalid_output', 'no_output', 'completed'),
          (9, 'errored', 'invalid_request_error', NULL), (10, 'succeeded', NULL, 'completed'),
          (11, 'invalid_output', 'no_output', 'completed')$$,
    'each end is told');
SELECT is(label, 'in two parts',
    'reasoning, commentary and searches are left out, parts are joined')
FROM t WHERE id = 6;
SELECT is(label::jsonb #>> '{0,name}', 'look', 'calls are the output where there is no text') FROM t
WHERE id = 7;
SELECT ok(
    input_tokens > 0 AND cached_tokens = 0 AND output_tokens > 64
    AND model = 'gpt-5.4-pro-2026-03-05',
    'tokens, with those of reasoning, and the model')
FROM batch_records WHERE job_id = :job AND record_id = '1';
SELECT is(sim.ledger() -> 'files_left', '[]', 'promise 10: no file is left');
SELECT is((sim.ledger() ->> 'billed_requests')::int, 11,
    'each record is paid for once; what failed without an answer is not');

--
-- A schema, and messages as items
--
ALTER SERVER openai OPTIONS (SET endpoint 'responses');
SELECT batch_submit(
    'SELECT id, ask FROM t WHERE id IN (1, 12)', 'openai', '{{ask}}',
    params => '{"text": {"verbosity": "low"}}',
    response_schema => '{"type":"object","properties":{"label":{"type":"string","enum":["bug",'
                       '"other"]}},"required":["label"],"additionalProperties":false}',
    target => 't', write_back => '{"label": "$.label"}') AS job \gset
SELECT batch_submit(
    $$SELECT 1 AS id,
          '[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"input_text",'
          '"text":"[[sim:say=from items]]"}]}]'::jsonb AS messages$$,
    'openai', name => 'items') AS items \gset
CALL batch_work('60 s');
SELECT is(told(:job), 'completed 2 of 2 errored 0 invalid 0', 'structured output');
SELECT is(array_agg(label), '{bug,bug}', '… is written') FROM t WHERE id IN (1, 12);
SELECT is(answers(:items), '1 succeeded from items completed',
    'a column "messages" has the items of the input');

--
-- Bodies say their endpoint themselves
--
SELECT batch_submit(
    $$SELECT i AS id,
          format('{"model":"gpt-5.4-mini","input":"[[sim:%s]]","max_output_tokens":99}',
              CASE i WHEN 1 THEN 'say=by its body' ELSE 'refusal' END)::jsonb AS body
      FROM generate_series(1, 2) i$$,
    'chat') AS job \gset
SELECT batch_submit(
    $$SELECT 1 AS id,
          '{"model":"gpt-5.4-mini","messages":[{"role":"user",'
          '"content":"[[sim:say=chat]]"}]}'::jsonb AS body$$,
    'openai', model => 'gpt-5.4-mini') AS chat \gset
SELECT sim.reset();
CALL batch_work('60 s');
SELECT is(answers(:job), E'1 succeeded by its body completed\n2 invalid_output refusal completed',
    'a body with "input" goes to /v1/responses');
SELECT is(answers(:chat), '1 succeeded chat stop',
    'a body with "messages" does not, whatever the option says');
SELECT set_eq('SELECT batches()', '{/v1/chat/completions,/v1/responses}'::text[],
    '… each job has one endpoint');
SELECT is(batch_retry(:job, '{invalid_output}'), 1::bigint, 'batch_retry …');
CALL batch_work('60 s');
SELECT is((SELECT array_agg(b) FROM batches() b),
    '{/v1/responses,/v1/chat/completions,/v1/responses}', '… knows the endpoint still');
SELECT is(
    said($$'SELECT i AS id, CASE i WHEN 1 THEN NULL WHEN 4 THEN '
           '''{"model":"gpt-5.4-mini","messages":[]}'' ELSE '
           '''{"model":"gpt-5.4-mini","input":"x"}'' END::jsonb AS body FROM generate_series(1, '
           '5) i',
           'chat'$$),
    'record "4" cannot be sent: body is one of /v1/chat/completions, '
    'and the bodies before it are of /v1/responses: a job has one endpoint',
    'bodies of two endpoints are no job');
SELECT is(
    said($$'SELECT 1 AS id, ''{"model":"gpt-5.4-mini"}''::jsonb AS body', 'chat'$$),
    'record "1" cannot be sent: body must have "messages", for /v1/chat/completions, or "input", '
    'for /v1/responses',
    'a body of neither');
SELECT is(
    said($$'SELECT 1 AS id, ''{"model":"gpt-5.4-mini","input":"x","max_tokens":7}''::jsonb AS body',
           'chat'$$),
    'record "1" cannot be sent: body may not set "max_tokens": /v1/responses takes '
    '"max_output_tokens"',
    'a body with a name of chat completions');
SELECT is(
    said($$'SELECT 1 AS id', 'openai', 'p', params => '{"max_completion_tokens": 7}'$$),
    'server "openai" cannot do this job: params may not set "max_completion_tokens": /v1/responses '
    'takes "max_output_tokens"',
    'params of chat completions');
SELECT is(
    said($$'SELECT 1 AS id', 'chat', 'p', params => '{"max_output_tokens": 7}'$$),
    'server "chat" cannot do this job: params may not set "max_output_tokens": '
    '/v1/chat/completions takes "max_completion_tokens" or "max_tokens"',
    'params of responses');

--
-- Embeddings have their own; Azure
--
SELECT batch_submit('SELECT id, ask AS input FROM t WHERE id IN (1, 12)', 'embed',
    task => 'embedding') AS embed \gset
SELECT batch_submit('SELECT id, ask FROM t WHERE id IN (1, 2, 3, 5, 6, 12) ORDER BY id', 'openai',
        '{{ask}}', system_prompt => 'Be short.') AS openai,
    batch_submit('SELECT id, ask FROM t WHERE id IN (1, 2, 3, 5, 6, 12) ORDER BY id', 'v1',
        '{{ask}}', system_prompt => 'Be short.') AS v1,
    batch_submit('SELECT id, ask FROM t WHERE id IN (1, 2, 3, 5, 6, 12) ORDER BY id', 'classic',
        '{{ask}}', system_prompt => 'Be short.') AS classic \gset
CALL batch_work('60 s');
SELECT is(told(:embed), 'completed 2 of 2 errored 0 invalid 0',
    'embeddings go where they always went');
SELECT is(told(:v1), 'completed 3 of 6 errored 1 invalid 2', 'Azure, v1');
SELECT is(answers(:v1), answers(:openai), '… with the answers of OpenAI');
SELECT is(answers(:classic), answers(:openai), 'the classic surface: the same');
SELECT is(sim.ledger() -> 'files_left', '[]', 'promise 10: no file is left');

--
-- A create whose reply is lost is found again
--
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"times":1,"action":{"lost_after_effect":true}}');
SELECT batch_submit('SELECT id, ask FROM t WHERE id = 1', 'openai', '{{ask}}') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job), 'completed 1 of 1 errored 0 invalid 0', 'a lost create is found again');
SELECT is(
    (SELECT count(*) FROM jsonb_array_elements(sim.ledger() -> 'batches') b
     WHERE (b ->> 'lines')::int = 1 AND b ->> 'endpoint' = '/v1/responses'
     AND b ->> 'model' ~ 'pro'),
    1::bigint, '… and not made twice');

SELECT * FROM finish();
