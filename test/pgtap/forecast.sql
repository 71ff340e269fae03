-- What is known of requests before they are sent: their tokens by their texts, corrected by what
-- the provider has counted, and the history that this comes from. The simulator counts as a real
-- tokenizer does.
\i lib.sql
SELECT no_plan();
SELECT sim.config('{"tokenizer": "o200k"}');

CREATE FUNCTION oid_of(server name) RETURNS oid LANGUAGE sql AS $$
    SELECT oid FROM pg_foreign_server WHERE srvname = server
$$;
-- What is expected of a job's requests now.
CREATE FUNCTION forecast(job bigint) RETURNS TABLE (
    input_tokens bigint, output_tokens bigint, output_tokens_p95 bigint, measured bigint,
    input_basis text, output_basis text, error numeric, cost numeric, cost_p95 numeric,
    realtime_cost numeric) LANGUAGE sql AS $$
    SELECT f.* FROM batchinf.job j,
        LATERAL (SELECT sum(c.records)::bigint AS records, sum(c.tokens)::bigint AS tokens
                 FROM batchinf.chunk c WHERE c.job_id = j.job_id) c,
        LATERAL batchinf.forecast(j.server, j.spec, c.records, c.tokens) f
    WHERE j.job_id = job
$$;
-- The share by which a number misses what was measured of a job.
CREATE FUNCTION misses(job bigint, tokens bigint) RETURNS numeric LANGUAGE sql AS $$
    SELECT round(abs(tokens / input_tokens::numeric - 1), 3) FROM batch_jobs WHERE job_id = job
$$;

-- Texts of users: pieces of a letter in five languages, descriptions of packages as in the demo.
\set texts `cat ../fixtures/tokens/texts.json`
CREATE TABLE letter (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, language text, n int,
                     body text);
INSERT INTO letter (language, n, body)
SELECT t.key, n, substr(t.value, 1 + n * 37 % (length(t.value) / 2),
                        length(t.value) / 4 + n * 13 % (length(t.value) / 4))
FROM jsonb_each_text(:'texts') t, generate_series(1, 60) n
WHERE t.key IN ('English', 'German', 'Russian', 'Chinese', 'Hindi') ORDER BY t.key, n;
CREATE TABLE package (name text PRIMARY KEY, section text, description text);
\copy package FROM '../fixtures/tokens/packages.tsv'

CREATE TABLE missed (text text, cold numeric, calibrated numeric);
CREATE PROCEDURE measure(text text, query text, prompt text, more text DEFAULT '') LANGUAGE plpgsql
AS $$
DECLARE
    cold bigint;
    cold_tokens bigint;
    warm bigint;
    warm_tokens bigint;
BEGIN
    PERFORM sim.server('texts');
    EXECUTE format('SELECT batch_submit(%L, ''texts'', %L%s)', query || ' = 0', prompt, more)
        INTO cold;
    SELECT input_tokens INTO cold_tokens FROM forecast(cold);
    COMMIT;
    CALL batch_work('60 s');
    EXECUTE format('SELECT batch_submit(%L, ''texts'', %L%s)', query || ' <> 0', prompt, more)
        INTO warm;
    SELECT input_tokens INTO warm_tokens FROM forecast(warm);
    COMMIT;
    CALL batch_work('60 s');
    INSERT INTO missed VALUES (text, misses(cold, cold_tokens), misses(warm, warm_tokens));
END $$;
SELECT format(
    'CALL measure(%L, %L, %L, %L)', language,
    format('SELECT id, body FROM letter WHERE language = %L AND n %% 3', language),
    'Answer this letter kindly: {{body}}', $$, system_prompt => 'You answer letters.'$$)
FROM (SELECT DISTINCT language FROM letter) l \gexec
CALL measure('packages, as in the demo',
    'SELECT name, description FROM package WHERE abs(hashtext(name)) % 3',
    '{{name}}: {{description}}',
    $$, system_prompt => 'What kind of package is this? Sum it up in a few words.',
        response_schema => '{"type": "object", "properties": {"kind": {"enum": ["library",
        "documentation", "game", "module", "server", "font", "tool"]}, "summary": {"type":
        "string"}}, "required": ["kind", "summary"], "additionalProperties": false}'$$);
CALL measure('packages as messages',
    'SELECT name, jsonb_build_array(jsonb_build_object(''role'', ''user'', ''content'', '
    'description || E''\n"as it is"'')) AS messages FROM package WHERE abs(hashtext(name)) % 3',
    NULL);
CALL measure('packages as bodies',
    'SELECT name, jsonb_build_object(''model'', ''gpt-5.4-mini'', ''messages'', '
    'jsonb_build_array(jsonb_build_object(''role'', ''system'', ''content'', ''Sum it up.''), '
    'jsonb_build_object(''role'', ''user'', ''content'', description))) AS body '
    'FROM package WHERE abs(hashtext(name)) % 3', NULL);
CALL measure('embeddings of packages',
    'SELECT name, description AS input FROM package WHERE abs(hashtext(name)) % 3', NULL,
    $$, task => 'embedding', model => 'text-embedding-3-small'$$);
SELECT ok(cold <= 0.25, format('%s: cold the estimate misses by %s', text, cold)) FROM missed;
SELECT ok(calibrated <= 0.1, format('%s: calibrated by %s', text, calibrated)) FROM missed;
SELECT is(count(*), 9::bigint, 'all of them were tried') FROM missed;

--
-- The history
--
SELECT sim.server('s', $$max_requests '30'$$);
CREATE FUNCTION history(server text) RETURNS SETOF batchinf.history LANGUAGE sql AS $$
    SELECT * FROM batchinf.history WHERE server_name = $1 ORDER BY history_id
$$;
SELECT batch_submit('SELECT id, body FROM letter WHERE language = ''English'' AND n <= 50', 's',
                    'Count the words: {{body}}') AS job \gset
SELECT is(count(*), 0::bigint, 'while a batch is not made nothing is known') FROM history('s');
CALL batch_work('60 s');
SELECT results_eq(
    $$SELECT records, measured, succeeded, invalid_output, errored, expired, cancelled, missing,
          answered, batch_end, late, model FROM history('s') ORDER BY records DESC$$,
    $$VALUES (30::bigint, 30::bigint, 30::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint,
              0::bigint, 30::bigint, 'completed', false, 'gpt-5.4-mini'),
             (20, 20, 20, 0, 0, 0, 0, 0, 20, 'completed', false, 'gpt-5.4-mini')$$,
    'a row for each batch');
SELECT results_eq(
    $$SELECT sum(estimated_tokens), sum(input_tokens), sum(output_tokens) FROM history('s')$$,
    format('SELECT (SELECT sum(estimated_tokens) FROM batch_chunks WHERE job_id = %s),'
           ' input_tokens::numeric, output_tokens::numeric FROM batch_jobs WHERE job_id = %1$s',
           :job),
    '… with the tokens that were estimated and measured');
SELECT results_eq(
    $$SELECT output_p50, output_p95 FROM history('s') ORDER BY records DESC$$,
    format('SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY output_tokens),'
           ' percentile_disc(0.95) WITHIN GROUP (ORDER BY output_tokens) FROM batch_records'
           ' WHERE job_id = %s GROUP BY chunk_id ORDER BY count(*) DESC', :job),
    '… and how long answers are');
SELECT is(count(DISTINCT prompt), 1::bigint, '… of one prompt') FROM history('s');
SELECT ok(bool_and(created_at < submitted_at AND submitted_at <= ended_at), '… and its times')
FROM history('s');
SELECT batch_delete(:job);
SELECT is(count(*), 2::bigint, 'it outlives the job') FROM history('s');

-- several attempts
SELECT batch_submit($$SELECT 1 AS id, '[[sim:fail_times=1]]x' AS body
                      UNION ALL SELECT 2, 'y' ORDER BY 1$$, 's', 'Say {{body}}') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    $$SELECT records, measured, succeeded, errored FROM history('s') OFFSET 2$$,
    $$VALUES (2::bigint, 1::bigint, 1::bigint, 1::bigint), (1, 1, 1, 0)$$,
    'each attempt has a row; what was not counted is not in the estimate');
SELECT cmp_ok(estimated_tokens, '<', (SELECT tokens FROM batchinf.chunk WHERE job_id = :job
                                      ORDER BY chunk_id LIMIT 1), '… nor are its tokens')
FROM (SELECT * FROM history('s') OFFSET 2 LIMIT 1) h;

-- ends without answers
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, "times": 1, '
                 '"action": {"batch_outcome": "expired", "finished": 0.5}}');
SELECT batch_submit('SELECT id, body FROM letter WHERE n <= 2 ORDER BY id LIMIT 4', 's',
                    'Expire {{body}}', max_attempts => 1) AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    $$SELECT records, measured, succeeded, expired, batch_end, late FROM history('s') OFFSET 4$$,
    $$VALUES (4::bigint, 2::bigint, 2::bigint, 2::bigint, 'expired', true)$$,
    'a batch that expired was late');
SELECT batch_submit('SELECT 1 AS id, ''[[sim:invalid_line]]'' AS body', 's', 'Fail {{body}}',
                    max_attempts => 1) AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    $$SELECT records, measured, succeeded, errored, batch_end FROM history('s') OFFSET 5$$,
    $$VALUES (1::bigint, 0::bigint, 0::bigint, 1::bigint, 'failed')$$,
    'a batch that was refused has measured nothing');
SELECT batch_submit('SELECT id, body FROM letter LIMIT 3', 's', 'Never {{body}}') AS job \gset
SELECT batch_cancel(:job);
CALL batch_work('60 s');
SELECT is(count(*), 6::bigint, 'what was never sent has none') FROM history('s');
SELECT sim.fault('{"match": {"method": "POST", "path_regex": "/batches$"}, "times": 1, '
                 '"action": {"batch_outcome": "in_progress_forever", "finished": 0}}');
SELECT batch_submit('SELECT id, body FROM letter LIMIT 3', 's', 'Late {{body}}',
                    deadline => '2 s') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    $$SELECT records, measured, late FROM history('s') OFFSET 6$$,
    $$VALUES (3::bigint, 0::bigint, true)$$, 'a batch that met its deadline was late, too');

-- old rows go
INSERT INTO batchinf.history (install, database, server, server_name, model, prompt, records,
    measured, estimated_tokens, input_tokens, succeeded, invalid_output, errored, expired,
    cancelled, missing, answered, output_tokens, created_at, ended_at, late)
SELECT h.install, h.database, h.server, h.server_name, h.model,
    CASE WHEN n > 1820 THEN h.prompt ELSE sha256(n::text::bytea) END,
    1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, now(), now(), false
FROM (SELECT * FROM history('s') LIMIT 1) h, generate_series(1, 2050) n;
SELECT batch_submit('SELECT id, body FROM letter WHERE language = ''English'' AND n <= 5', 's',
                    'Count the words: {{body}}') AS job \gset
CALL batch_work('60 s');
SELECT results_eq(
    $$SELECT count(*), count(*) FILTER (WHERE prompt = (SELECT prompt FROM history('s')
      ORDER BY history_id DESC LIMIT 1)) FROM history('s')$$,
    $$VALUES (2000::bigint, 200::bigint)$$, 'old rows of a prompt and of a model are deleted');
SELECT results_eq($$SELECT records, measured FROM history('s') ORDER BY history_id DESC LIMIT 1$$,
                  $$VALUES (5::bigint, 5::bigint)$$, '… and the newest stay');

--
-- The forecast, from a history that is made up
--
SELECT sim.server('f');
SELECT batch_set_price('openai', 'priced', 'batch', k, p, above_tokens => a)
FROM (VALUES ('input', 2, 0), ('output', 8, 0), ('input', 4, 1000), ('output', 16, 1000))
    v(k, p, a);
SELECT batch_set_price('openai', 'priced', 'realtime', k, p)
FROM (VALUES ('input', 4), ('output', 16)) v(k, p);
CREATE FUNCTION expect(spec jsonb, records bigint, tokens bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', input_tokens, output_tokens, output_tokens_p95, measured, input_basis,
                     output_basis, COALESCE(error::text, '-'), COALESCE(cost::text, '-'),
                     COALESCE(cost_p95::text, '-'), COALESCE(realtime_cost::text, '-'))
    FROM batchinf.forecast(oid_of('f'), '{"model": "priced", "task": "chat", "input": "text"}'
                                        || spec, records, tokens)
$$;
CREATE FUNCTION learn(spec jsonb, records int, estimated int, input int, output int, p95 int,
                      server name DEFAULT 'f')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO batchinf.history (install, database, server, server_name, model, prompt, records,
        measured, estimated_tokens, input_tokens, succeeded, invalid_output, errored, expired,
        cancelled, missing, answered, output_tokens, output_p95, created_at, ended_at, late)
    SELECT h.uuid, h.database, oid_of(server), server, 'priced',
        batchinf.prompt_hash('{"model": "priced", "task": "chat", "input": "text"}' || spec),
        records, records, estimated, input, records, 0, 0, 0, 0, 0, records, output, p95, now(),
        now(), false
    FROM batchinf.here h
$$;
SELECT is(expect('{"prompt": "a"}', 100, 10000),
          '10000 50000 200000 0 text default - 0.42 1.62 0.84',
          'without history: the estimate as it is, and 500 and 2000 tokens of output');
SELECT is(expect('{"prompt": "a", "params": "{\"max_completion_tokens\": 1000}"}', 100, 10000),
          '10000 25000 100000 0 text max_tokens - 0.22 0.82 0.44',
          'with a limit of the answer: a quarter of it, and all of it');
SELECT is(expect('{"prompt": "a", "params": "{\"metadata\": {\"max_tokens\": 1}}"}', 100, 10000),
          '10000 50000 200000 0 text default - 0.42 1.62 0.84', '… not with such words elsewhere');
SELECT is(batchinf.max_tokens(provider, model, params)::text, wanted,
          provider || ' ' || model || ' ' || params)
FROM (VALUES
    ('openai', 'm', '{"max_tokens": 7, "metadata": {"max_completion_tokens": 1}}', '7'),
    ('openai', 'm', '{"metadata": {"max_tokens": 1}, "max_completion_tokens": 1000}', '1000'),
    ('openai', 'm', '{"max_tokens": 1, "max_completion_tokens": 1000}', '1000'),
    ('openai', 'm', '{"max_tokens": 1, "max_completion_tokens": "many"}', NULL),
    ('openai', 'm', '{"max_tokens": 1, "max_completion_tokens": null}', '1'),
    ('openai', 'm', '{"max_tokens": 1, "max_tokens": 1000}', '1000'),
    ('openai', 'm', '{"max_output_tokens": 1e3, "stop": "\u0000\\u0000"}', '1000'),
    ('openai', 'm', '{"max_tokens": 1.5}', NULL),
    ('openai', 'm', '{"max_tokens": 0}', NULL),
    ('openai', 'm', '{"max_tokens": -1}', NULL),
    ('openai', 'm', '{"max_tokens": 1e99}', NULL),
    ('openai', 'm', '{"max_tokens": 1e999999}', NULL),
    ('openai', 'm', '{"max_tokens": {"max_tokens": 1}}', NULL),
    ('openai', 'm', '{"maxTokens": 1}', NULL),
    ('openai', 'm', '[{"max_tokens": 1}]', NULL),
    ('openai', 'm', NULL, NULL),
    ('azure_openai', 'm', '{"max_output_tokens": 9}', '9'),
    ('anthropic', 'm', '{"max_tokens": 9, "metadata": {"max_tokens": 1}}', '9'),
    ('bedrock', 'm', '{"max_tokens": 9}', '9'),
    ('bedrock', 'm', '{"inferenceConfig": {"maxTokens": 40}}', '40'),
    ('bedrock', 'm', '{"requestMetadata": {"maxTokens": 40}}', NULL),
    ('gemini', 'm', '{"generationConfig": {"maxOutputTokens": 40}}', '40'),
    ('vertex', 'm', '{"generation_config": {"max_output_tokens": 40}}', '40'),
    ('vertex', 'm', '{"max_tokens": 9}', NULL),
    ('vertex', 'publishers/anthropic/models/claude-x', '{"max_tokens": 9}', '9')
    ) v(provider, model, params, wanted);
SELECT is(expect('{"task": "embedding"}', 100, 10000),
          '10000 0 0 0 text none - 0.02 0.02 0.04', 'embeddings have no output');
SELECT learn('{"prompt": "b"}', 19, 1000, 2000, 1900, 200);
SELECT is(expect('{"prompt": "a"}', 100, 10000),
          '10000 50000 200000 0 text default 0.5000 0.42 1.62 0.84', '19 records are too few');
SELECT learn('{"prompt": "b"}', 1, 100, 200, 100, 200);
SELECT is(expect('{"prompt": "a"}', 100, 10000),
          '20000 10000 20000 20 model model 0.5000 0.12 0.2 0.24',
          'from 20 on the model''s answers correct both');
SELECT is(expect('{"prompt": "a", "params": "{\"max_tokens\": 50}"}', 100, 10000),
          '20000 5000 5000 20 model model 0.5000 0.08 0.08 0.16', '… up to the limit');
SELECT learn('{"prompt": "a"}', 20, 1000, 1500, 400, 30);
SELECT is(expect('{"prompt": "a"}', 100, 10000),
          '15000 2000 3000 20 prompt prompt 0.4444 0.046 0.054 0.092',
          'those of the same prompt come first');
SELECT is(split_part(expect('{"prompt": "a", "system_prompt": "x"}', 100, 10000), ' ', 5), 'model',
          '… which is another one with another system prompt');
SELECT learn('{"prompt": "a"}', 20, 1000, 1500, 400, 30);
SELECT is(split_part(expect('{"prompt": "a"}', 100, 10000), ' ', 7), '0.3333',
          'the error is that of estimates as they were corrected at their time');
SELECT is(expect('{"prompt": "c"}', 10, 10000), (
          SELECT concat_ws(' ', input_tokens, output_tokens, output_tokens_p95, 60,
                           'model model 0.3333', trim_scale(
                               (input_tokens * 4 + output_tokens * 16) / 1e6), trim_scale(
                               (input_tokens * 4 + output_tokens_p95 * 16) / 1e6), trim_scale(
                               (input_tokens * 4 + output_tokens * 16) / 1e6))
          FROM batchinf.forecast(oid_of('f'), '{"model": "priced", "prompt": "c"}', 10, 10000)),
          'the tier is that of one request, not of all');
SELECT is(expect('{"model": "nobody has priced it"}', 10, 10000),
          '10000 5000 20000 0 text default - - - -', 'what has no price has no cost');
SELECT learn('{"prompt": "z"}', 1000, 1000, 2147483647, 2147483647, 2147483647);
SELECT ok(expect('{"prompt": "z"}', 9000000000000000000, 9000000000000000000)
          LIKE '1000000000000000000 1000000000000000000 %', 'nothing overflows');

-- In a copy a server is known by its name, here by its oid.
SELECT sim.server('g');
SELECT learn('{"prompt": "g"}', 20, 1000, 1500, 400, 30, 'g');
CREATE FUNCTION basis(server name) RETURNS text LANGUAGE sql AS $$
    SELECT input_basis FROM batchinf.forecast(oid_of(server),
        '{"model": "priced", "task": "chat", "input": "text", "prompt": "g"}', 10, 100)
$$;
SELECT is(basis('g'), 'prompt', 'a server has its history');
ALTER SERVER g RENAME TO h;
SELECT is(basis('h'), 'prompt', '… when it is renamed, too');
SELECT sim.server('g');
SELECT is(basis('g'), 'text', '… and not another one with its name');
UPDATE batchinf.history SET install = gen_random_uuid() WHERE server_name = 'g';
SELECT is(basis('g') || ' ' || basis('h'), 'prompt text', '… except in a copy');

-- Nobody else reads it.
CREATE ROLE forecast_ann;
SET ROLE forecast_ann;
SELECT throws_ok('SELECT * FROM batchinf.history', '42501', NULL, 'the history is not for all');
SELECT throws_ok($$SELECT batchinf.forecast(0, '{}', 1, 1)$$, '42501', NULL,
                 'nor is what it forecasts');
RESET ROLE;
DROP ROLE forecast_ann;
SELECT * FROM finish();
