-- What is really sent: the lines of the uploaded files, the calls and their headers, read from the
-- simulator. And that the key is in none of our tables, views and logs (promise 6).
\i lib.sql
SELECT no_plan();  -- one point for each table

-- Uploaded files stay to be read.
SELECT sim.fault('{"match":{"method":"DELETE"},"times":"always","action":{"status":400}}');
SELECT sim.config('{"api_keys":["sk-sim","sk-very-secret-key-4711"]}');

-- The lines that were uploaded for a job, in their order.
CREATE FUNCTION sent(job bigint) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT l
    FROM (SELECT refs->>'input' AS file FROM batchinf.chunk JOIN batchinf.batch USING (chunk_id)
          WHERE job_id = job ORDER BY chunk_id) c,
        sim.lines(c.file) l $$;
CREATE FUNCTION bodies(job bigint) RETURNS SETOF jsonb LANGUAGE sql AS $$
    SELECT l::jsonb->'body' FROM sent(job) l
$$;
CREATE TABLE calls AS SELECT NULL::jsonb AS call WITH NO DATA;
CREATE FUNCTION read_calls() RETURNS void LANGUAGE sql AS $$
    TRUNCATE calls;
    INSERT INTO calls SELECT jsonb_array_elements(sim.call('GET', '/_sim/requests'))
$$;

SELECT sim.server('s');
SELECT sim.server('e', $$organization 'org-1', project 'proj_2', expires_after '7200'$$,
    'text-embedding-3-small');
CREATE TABLE t (id int PRIMARY KEY, x text);
INSERT INTO t VALUES
    (1, 'plain'),
    (2, E'"quotes" \\ back\nline\r\ttab \x01\x1f\x7f'),
    (3, 'größe 😀 日本 ' || U&'\2028'),
    (4, ''),
    (5, '{{x}} {"a":1} </script>');

-- A prompt
SELECT batch_submit('SELECT * FROM t ORDER BY id', 's', 'Say {{x}}.', E'Be "terse".\nAlways.',
    params => '{"temperature":0.5,"max_completion_tokens":100,"seed":12345678901234567890,'
              '"stop":["\n","ä"],"user":null}') AS job \gset
SELECT batch_submit(
    'SELECT * FROM t WHERE id = 1', 's', 'Say {{x}}.',
    response_schema => '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],'
                       '"additionalProperties":false}') AS strict \gset
SELECT batch_submit('SELECT * FROM t WHERE id = 1', 's', 'Say {{x}}.',
    response_schema => '{"type":"object","properties":{"a":{"type":"string"}}}',
    params => '{"temperature":0}') AS loose \gset
SELECT batch_submit('SELECT * FROM t WHERE id = 1', 's', 'Say {{x}} as JSON.',
    response_schema => '{"type":"object"}',
    params => '{"response_format":{"type":"json_object"}}') AS format \gset

-- Columns
SELECT '[{"role":"user","content":"x"},{"role":"assistant","content":"y","name":"n"},'
       '{"role":"user","content":[{"type":"text","text":"what?"},'
       '{"type":"image_url","image_url":{"url":"https://example.com/a.png",'
       '"detail":"low"}}]}]' AS messages \gset
SELECT batch_submit(format('SELECT 1 AS id, %L::jsonb AS messages', :'messages'), 's',
    system_prompt => 'Be terse.') AS messages_job \gset
SELECT batch_submit('SELECT 1 AS id, ''[{"role":"user","content":"x"}]''::text AS messages',
    's') AS messages_text \gset
SELECT E'{"zeta" :  1.10, "model":"gpt-5.4-mini",\n"temperature":1e0,"messages":[{"role":"user",'
       '"content":"a\\u00e4\\n"}]}' AS body \gset
SELECT batch_submit(format('SELECT 1 AS id, %L::json AS body', :'body'), 's') AS body_job \gset
SELECT batch_submit('SELECT 7 AS id, ''just this'' AS prompt, ''and not this'' AS input',
    's') AS prompt_job \gset

-- Embeddings
SELECT batch_submit('SELECT id, x AS input FROM t WHERE x <> '''' ORDER BY id', 'e',
    task => 'embedding', params => '{"dimensions":8}') AS input_job \gset
SELECT batch_submit('SELECT id, x FROM t WHERE id = 1', 'e', 'about {{x}}',
    task => 'embedding') AS embed_job \gset
CALL batch_work('120 s');
SELECT is((SELECT string_agg(DISTINCT state, ',') FROM batch_jobs), 'completed',
    'all jobs are completed');
SELECT is((SELECT string_agg(DISTINCT outcome, ',') FROM batch_records WHERE job_id <> :body_job),
    'succeeded', 'the provider takes all that we send');

SELECT results_eq(
    format('SELECT b->>''model'', b->''messages'', b - ''model'' - ''messages'' FROM bodies(%s) b',
        :job),
    $$SELECT 'gpt-5.4-mini',
          jsonb_build_array(
              jsonb_build_object('role', 'system', 'content', E'Be "terse".\nAlways.'),
              jsonb_build_object('role', 'user', 'content', 'Say ' || x || '.')),
          '{"temperature":0.5,"max_completion_tokens":100,"seed":12345678901234567890,"stop":["\n",'
          '"ä"],"user":null}'::jsonb
      FROM t ORDER BY id$$,
    'prompt, system prompt and params, whatever characters they hold');
SELECT ok(
    bool_and(
        l::jsonb->>'custom_id' = left(c.intent, 8) || '-' || n
        AND l::jsonb->>'custom_id' ~ '^[0-9a-f]{8}-[1-9][0-9]*$'),
    'custom ids are <8 characters of the intent>-<seq>')
FROM batchinf.chunk c, sent(c.job_id) WITH ORDINALITY s(l, n) WHERE c.job_id = :job;
SELECT results_eq(
    format(
        'SELECT l::jsonb - ''body'' - ''custom_id'', (SELECT array_agg(k) '
        'FROM jsonb_object_keys(l::jsonb) k) FROM sent(%s) l LIMIT 1',
        :job),
    $$SELECT '{"method":"POST","url":"/v1/chat/completions"}'::jsonb,
          '{url,body,method,custom_id}'::text[]$$,
    'a line has four members');
SELECT results_eq(
    format('SELECT b->''response_format'' FROM bodies(%s) b', :strict),
    ARRAY[
        '{"type":"json_schema","json_schema":{"name":"response","strict":true,'
        '"schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],'
        '"additionalProperties":false}}}'::jsonb],
    'a closed schema is strict');
SELECT results_eq(
    format('SELECT b->''response_format'', b->''temperature'' FROM bodies(%s) b', :loose),
    $$VALUES ('{"type":"json_schema","json_schema":{"name":"response","strict":false,'
              '"schema":{"type":"object","properties":{"a":{"type":"string"}}}}}'::jsonb,
              '0'::jsonb)$$,
    'an open schema is not strict');
SELECT results_eq(format('SELECT b->''response_format'' FROM bodies(%s) b', :format),
    ARRAY['{"type":"json_object"}'::jsonb], 'params may say the response format');

SELECT results_eq(format('SELECT b->''messages'' FROM bodies(%s) b', :messages_job),
    ARRAY[('[{"role":"system","content":"Be terse."},' || substr(:'messages', 2))::jsonb],
    'messages pass untouched, behind the system prompt');
SELECT results_eq(format('SELECT b FROM bodies(%s) b', :messages_text),
    ARRAY['{"model":"gpt-5.4-mini","messages":[{"role":"user","content":"x"}]}'::jsonb],
    'messages as text, and nothing else');
SELECT ok(position('"body":' || replace(:'body', E'\n', ' ') || '}' IN l) > 0,
    'a body passes untouched, newlines become spaces')
FROM sent(:body_job) l;
SELECT is((SELECT count(*) FROM sent(:body_job)), 1::bigint, '… and stays one line');
SELECT results_eq(format('SELECT b->''messages'' FROM bodies(%s) b', :prompt_job),
    ARRAY['[{"role":"user","content":"just this"}]'::jsonb], 'a prompt column');
SELECT results_eq(
    format('SELECT b FROM bodies(%s) b', :input_job),
    $$SELECT jsonb_build_object('model', 'text-embedding-3-small', 'input', x,
          'encoding_format', 'float', 'dimensions', 8)
      FROM t WHERE x <> '' ORDER BY id$$,
    'an input column is embedded');
SELECT results_eq(
    format(
        'SELECT b->>''input'', l FROM bodies(%s) b, (SELECT x::jsonb->>''url'' '
        'FROM sent(%1$s) x) u(l)',
        :embed_job),
    $$VALUES ('about plain', '/v1/embeddings')$$, 'a template is embedded');

-- The calls
SELECT read_calls();
SELECT set_eq(
    $$SELECT DISTINCT call->>'method' || ' '
          || regexp_replace(call->>'path', '(file-|batch_)\w+', '…')
      FROM calls
      WHERE call->>'path' LIKE '/v1/%' AND call->'headers'->>'user-agent' NOT LIKE 'HTTP-Tiny%'$$,
    $$VALUES ('POST /v1/files'), ('POST /v1/batches'), ('GET /v1/batches/…'),
          ('GET /v1/files/…/content'), ('DELETE /v1/files/…')$$,
    'no other calls are made');
SELECT set_eq(
    $$SELECT f->>'purpose' AS a, f->>'filename' AS b
      FROM jsonb_array_elements(sim.ledger()->'files_left') f WHERE f->>'purpose' = 'batch'$$,
    $$SELECT 'batch' AS a, format('batchinf-%s-1.jsonl', intent) AS b FROM batchinf.chunk$$,
    'purpose and name of a file');
SELECT set_eq(
    $$SELECT b->'metadata' AS a, b->>'endpoint' AS b, b->>'input_file_id' AS c
      FROM jsonb_array_elements(sim.ledger()->'batches') b$$,
    $$SELECT jsonb_build_object('batchinf_intent', intent, 'batchinf_try', '1') AS a,
          CASE task WHEN 'chat' THEN '/v1/chat/completions' ELSE '/v1/embeddings' END AS b,
          refs->>'input' AS c
      FROM batchinf.chunk JOIN batchinf.batch USING (chunk_id) JOIN batchinf.job USING (job_id)$$,
    'metadata: intent and try');
SELECT set_eq(
    $$SELECT (call->>'body')::jsonb->>'completion_window' AS a,
          (call->>'body')::jsonb->'output_expires_after' AS b,
          call->'headers'->>'openai-organization' AS c, call->'headers'->>'openai-project' AS d
      FROM calls WHERE call->>'method' = 'POST' AND call->>'path' = '/v1/batches'$$,
    $$VALUES ('24h', NULL::jsonb, NULL, NULL),
          ('24h', '{"anchor":"created_at","seconds":7200}', 'org-1', 'proj_2')$$,
    'window, expiry of the output, organization and project');
SELECT is(
    (SELECT count(*) FROM calls
     WHERE call->>'path' LIKE '/v1/%' AND call->'headers'->>'user-agent' NOT LIKE 'HTTP-Tiny%'
     AND call->'headers'->>'authorization' <> '...-sim'),
    0::bigint, 'each call carries the key');
SELECT set_eq(
    $$SELECT CASE WHEN abs(
              (f->>'expires_at')::bigint - extract(epoch FROM now()) - 7200) < 600 THEN 'two hours'
          WHEN abs(
              (f->>'expires_at')::bigint - extract(epoch FROM now())
                  - 7 * 86400) < 600 THEN 'a week' END
      FROM jsonb_array_elements(sim.ledger()->'files_left') f WHERE f->>'purpose' = 'batch'$$,
    $$VALUES ('two hours'), ('a week')$$, 'promise 10: what we upload expires');
SELECT is((SELECT count(*) FROM batch_events WHERE event = 'left behind'),
    (SELECT count(*) FROM batch_chunks), '… and what cannot be deleted is told');
SELECT is(
    (SELECT count(*) FROM batch_events
     WHERE event = 'submitted' AND request_id LIKE 'req_%' AND http_status = 200),
    (SELECT count(*) FROM batch_chunks), 'the provider''s request id is kept');

-- Promise 6: a key of its own, quoted back by the provider, in a job that fails in many ways.
SELECT sim.clear_faults();
SELECT sim.server('secret');
ALTER USER MAPPING FOR CURRENT_USER SERVER secret OPTIONS (SET api_key 'sk-very-secret-key-4711');
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/files$"},'
                 '"action":{"status":401,'
                 '"body":{"error":{"message":"Incorrect API key provided: '
                 'sk-very-secret-key-4711.","code":"sk-very-secret-key-4711"}}}}');
SELECT sim.fault('{"match":{"method":"POST","path_regex":"/batches$"},'
                 '"action":{"status":429,"headers":{"x-request-id":"sk-very-secret-key-4711"},'
                 '"body":"sk-very-secret-key-4711"}}');
SELECT sim.fault('{"match":{"method":"GET","path_regex":"/batches/"},'
                 '"action":{"html":502,"body":"<html>sk-very-secret-key-4711</html>"}}');
SELECT sim.fault('{"match":{"method":"GET","path_regex":"/content$"},'
                 '"action":{"redirect":"http://127.0.0.1:1/sk-very-secret-key-4711"}}');
SELECT sim.fault('{"match":{"method":"GET","path_regex":"/batches/"},'
                 '"times":"always","after":1,"action":{"delay_ms":300}}');
SELECT batch_submit('SELECT id, x FROM t', 'secret', '{{x}}', 'The key is a secret.') AS job \gset
SELECT sim.work_beside();
CALL sim.await(format(
    'EXISTS (SELECT FROM batch_chunks WHERE job_id = %s AND provider_batch_id IS NOT NULL)', :job));
CREATE TABLE seen AS SELECT string_agg(a::text, ' ') AS activity FROM pg_stat_activity a;
CREATE TABLE titles (line text);
COPY titles
FROM PROGRAM 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\000\001\002" " " | grep -a . ; true'
WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02');
CALL sim.await(format('(SELECT state = ''completed'' FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is(succeeded, 5::bigint,
    'a wrong key, too many requests, a page, a redirect: all of that passes')
FROM batch_jobs WHERE job_id = :job;
SELECT ok(position('CALL batch_work' IN activity) > 0 AND position('very-secret' IN activity) = 0,
    'promise 6: the key is not in pg_stat_activity')
FROM seen;
SELECT is((SELECT count(*) FROM titles WHERE line LIKE '%very-secret%'), 0::bigint,
    'promise 6: the key is not in a process title');
SELECT isnt(
    (SELECT count(*) FROM batch_events
     WHERE job_id = :job AND detail LIKE '%Incorrect API key provided: ***%'),
    0::bigint, 'what the provider says is told, but for the key');

CREATE FUNCTION holding(relation regclass, word text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s x WHERE x::text LIKE %L', relation, '%' || word || '%')
    INTO n;
    RETURN n;
END $$;
SELECT is(holding(oid, 'very-secret'), 0::bigint, 'promise 6: the key is not in ' || oid::regclass)
FROM pg_class
WHERE (relnamespace = 'batchinf'::regnamespace AND relkind = 'r')
OR (relname LIKE 'batch\_%' AND relkind = 'v')
ORDER BY oid::regclass::text;
SELECT isnt(holding('batchinf.job', 'The key is a secret'), 0::bigint, '… which can be told');
CREATE FUNCTION log() RETURNS text LANGUAGE sql AS $$
    SELECT pg_read_file(split_part(current_setting('unix_socket_directories'), ',', 1) || '/log')
$$;
SELECT matches(log(), 'server "secret" is paused for batch jobs', 'the log tells of the pause');
SELECT ok(position('very-secret' IN log()) = 0, 'promise 6: the key is not in the log');

SELECT * FROM finish();
