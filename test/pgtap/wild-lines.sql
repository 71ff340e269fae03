-- Result lines as they were met at real providers, spoilt in many ways, at every provider. Each
-- record gets one outcome, and no line spoils another.
\i lib.sql
SELECT no_plan();
CREATE TABLE place (server name PRIMARY KEY, provider text, address text, model text, more text, 
                    mapping text DEFAULT 'api_key ''sk-sim''');
INSERT INTO place VALUES
    ('openai',    'openai',       '/v1',        'gpt-5.4-mini',     ''),
    ('azure',     'azure_openai', '/openai/v1', 'mini-batch',       ''),
    ('anthropic', 'anthropic',    '',           'claude-haiku-5-5', ''),
    ('gemini',    'gemini',       '',           'gemini-3.5-flash-lite', '');
INSERT INTO place SELECT 'bedrock', 'bedrock', '', 'us.amazon.nova-lite-v1:0',
    format($$, region 'us-east-1', role_arn 'arn:aws:iam::123456789012:role/BedrockBatch', 
           storage_url 's3://batch',
           storage_base_url %L, min_requests '1'$$, replace(sim.url(), '/v1', '')),
    $$access_key_id 'AKIDEXAMPLE', secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'$$;
INSERT INTO place
SELECT name, 'vertex', '', model,
    format(
        $$, project 'proj-1', location 'us-central1', storage_url 'gs://batch',
          storage_base_url %L$$,
        replace(sim.url(), '/v1', '')),
    format('service_account %L', sim.call('GET', '/_sim/google_credentials'))
FROM (VALUES ('vertex', 'gemini-3.5-flash-lite'),
          ('vertex_claude', 'claude-haiku-5-5')) v(name, model);
SELECT sim.config('{"bedrock_min_records": 1}');
CREATE FUNCTION make_server(p place) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider %L, model %L, '
        'base_url %L, poll_interval ''1'' %s)',
        p.server, p.provider, p.model, replace(sim.url(), '/v1', p.address), p.more);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%s)', p.server,
        p.mapping);
END $$;
SELECT make_server(p) FROM place p;

-- One record a shape at each server: its end, how often it is sent, and its answer in the row.
CREATE TABLE shape (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body text, outcome text,
    code text, attempt int DEFAULT 1, answer text);
-- 11.9
INSERT INTO shape (body, outcome, code) VALUES
    ('[[sim:stop=abort]] x', 'invalid_output', 'finish_reason:abort'),
    ('[[sim:stop=Error]] x', 'invalid_output', 'finish_reason:error'),
    ('[[sim:stop=model_length]] x', 'invalid_output', 'length'),
    ('[[sim:stop=max_tokens]] x', 'invalid_output', 'length'),
    ('[[sim:stop=MAX_TOKENS]] x', 'invalid_output', 'length'),
    ('[[sim:stop=SAFETY]] x', 'invalid_output', 'content_filter'),
    ('[[sim:stop=enlightenment]] x', 'invalid_output', 'finish_reason:enlightenment');
-- 11.11
INSERT INTO shape (body, outcome, code) VALUES
    ('[[sim:say=]]', 'invalid_output', 'no_output'),
    ('[[sim:say=%20%0A%09]]', 'invalid_output', 'no_output'),
    ('[[sim:null_content]]', 'invalid_output', 'no_output');
INSERT INTO shape (body, outcome, answer) VALUES
    ('[[sim:say=null]]', 'succeeded', 'null'),
    ('[[sim:say=%220%22]]', 'succeeded', '"0"');
-- 11.10, 11.14
INSERT INTO shape (body, outcome, code, answer) VALUES
    ('[[sim:say=%57ILD-nan]]', 'succeeded', NULL, 'WILD-nan'),
    ('[[sim:say=%57ILD-bom]]', 'succeeded', NULL, 'WILD-bom'),
    ('[[sim:say=%57ILD-blank]]', 'succeeded', NULL, 'WILD-blank'),
    ('[[sim:say=%57ILD-control]]', 'succeeded', NULL, E'WILD-control\t\x01\x1f.'),
    ('[[sim:say=%57ILD-note]]', 'succeeded', NULL, 'WILD-note'),
    ('[[sim:say=%57ILD-utf8]]', 'invalid_output', 'invalid_utf8', NULL),
    ('[[sim:say=%57ILD-deep]]', 'errored', 'unreadable_line', NULL),
    ('[[sim:say=%57ILD-cut]]', 'errored', 'unreadable_line', NULL),
    ('[[sim:say=%57ILD-quote]]', 'errored', 'unreadable_line', NULL);

CREATE TABLE ticket (server name, id int, body text, answer text, PRIMARY KEY (server, id));
INSERT INTO ticket (server, id, body) SELECT server, id, body FROM place, shape;
CREATE FUNCTION submit(place name) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(
        format('SELECT server, id, body FROM ticket WHERE server = %L ORDER BY id', place),
        server => place, prompt => '{{body}}', target => 'ticket', write_back => '{"answer": "$"}',
        name => place) $$;
SELECT submit(server) FROM place \g /dev/null
CALL batch_work('300 s');
CREATE TEMP VIEW had AS SELECT t.
server, t.id, s.body, t.answer, r.outcome, r.attempt, r.error_code AS code, r.error, r.output,
    r.input_tokens, r.output_tokens, r.job_id
FROM ticket t JOIN shape s USING (id) JOIN batch_jobs j ON j.name = t.server JOIN batch_records r
ON r.job_id = j.job_id AND r.record_id = format('(%s,%s)', t.server, t.id);
SELECT is(state, 'completed', server || ': the job is done') FROM place
JOIN batch_jobs USING (server) ORDER BY server;
SELECT set_eq(
    format('SELECT body, outcome, code, attempt, answer FROM had WHERE server = %L', server),
    'SELECT body, outcome, code, attempt, answer FROM shape',
    server || ': 11.9 to 11.11: half answers, odd lines and nothing')
FROM place ORDER BY server;
SELECT is(
    (SELECT count(*) FROM had
     WHERE code LIKE 'finish_reason:%' AND (output IS NULL OR output_tokens IS NULL)),
    0::bigint, '11.9: what came is kept, and counted');
SELECT is(had.output, U&'WILD-utf8 \FFFD\FFFD.',
    server || ': 11.10: broken UTF-8 is kept with replacement characters')
FROM had WHERE code = 'invalid_utf8' ORDER BY server;
SELECT ok(
    bool_and(
        output LIKE '%WILD_' || substring(body FROM 'ILD-([a-z]+)') || '%'
        AND length(output) <= 65536),
    server || ': 11.10: a line that cannot be read is kept')
FROM had WHERE code = 'unreadable_line' AND body NOT LIKE '%deep%' GROUP BY server ORDER BY server;
SELECT is(
    count(*) FILTER (WHERE input_tokens IS NULL AND output_tokens IS NULL AND error IS NOT NULL),
    count(*), '… its tokens are not known')
FROM had WHERE code = 'unreadable_line';
SELECT results_eq(
    'SELECT sum(malformed)::bigint, sum(duplicates)::bigint, sum(unknown)::bigint '
    'FROM batch_chunks',
    'VALUES (0::bigint, 0::bigint, 0::bigint)',
    '11.10, 11.14: none of these lines is malformed, blank ones neither');
SELECT is(
    (SELECT count(*) FROM batch_events
     WHERE event = 'delivered' AND detail LIKE '%4 lines cannot be read%'),
    (SELECT count(*) FROM place), '… and the event tells of them');
SELECT is(
    (SELECT array_agg(b.key) FROM jsonb_each_text(sim.ledger() -> 'by_custom_id') b
     WHERE b.value::int > 1),
    NULL, 'promise 1: nothing is billed twice');
SELECT is(jsonb_array_length(sim.call('GET', '/_sim/entries')), (SELECT count(*)::int FROM ticket),
    '… and each request is paid for');

-- 11.10: what cannot be read is sent again only if somebody wants it
SELECT is(batch_retry(job_id, '{errored}'), 3::bigint, 'batch_retry sends them again')
FROM batch_jobs WHERE server = 'openai';
CALL batch_work('60 s');
SELECT is(
    (SELECT count(*) FROM had WHERE server = 'openai' AND code = 'unreadable_line' AND attempt = 2),
    3::bigint, '… once');
-- a good line after a broken one for the same record is the better one, and so is another download
SELECT sim.reset();
SELECT sim.fault('{"match":{"method":"GET","path_regex":"/content$"},'
                 '"times":1,"action":{"lie":"utf8"}}');
SELECT batch_submit(
    $$SELECT i AS id, '[[sim:say=Lima]] ' || i AS prompt FROM generate_series(1, 5) i$$,
    server => 'openai') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    format('SELECT outcome, output, count(*) FROM batch_records WHERE job_id = %s GROUP BY 1, 2',
        :job),
    $$VALUES ('succeeded', 'Lima', 5::bigint)$$,
    'a download that was broken on its way is repeated');
SELECT is(jsonb_array_length(sim.call('GET', '/_sim/entries')), 5,
    '… and nothing is paid for again');
-- a line of more than 64 MB
SELECT batch_submit($$VALUES (1, '[[sim:say=%57ILD-long]]'), (2, '[[sim:say=short]]')$$,
    server => 'openai', prompt => '{{column2}}', key => 'column1', name => 'long') AS job \gset
CALL batch_work('120 s');
SELECT results_eq(
    format(
        'SELECT record_id, outcome, error_code, attempt, octet_length(output) FROM batch_records '
        'WHERE job_id = %s ORDER BY 1',
        :job),
    $$VALUES ('1', 'errored', 'unreadable_line', 1, 65536), ('2', 'succeeded', NULL, 1, 5)$$,
    '11.10: a line of 68 MB ends its record, its beginning is kept');
SELECT * FROM finish();
