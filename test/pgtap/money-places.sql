-- What an answer costs at each provider: examples with figures from the providers' price lists. The
-- simulator reports these tokens in each provider's own words; the cost is by the shipped prices.
\i lib.sql
\i lib-places.sql

CREATE TABLE example (server name, model text, task text DEFAULT 'chat', usage jsonb,
    tokens text, cost numeric, realtime_cost numeric);
INSERT INTO example (server, usage, tokens, cost, realtime_cost)
SELECT server, '{"prompt_tokens": 1000000, "prompt_tokens_details": {"cached_tokens": 400000},
    "completion_tokens": 100000}', '1000000 400000 0 0 100000', 0.465, 0.93
FROM unnest('{openai,azure,classic}'::text[]) server;
INSERT INTO example (server, model, task, usage, tokens, cost, realtime_cost) VALUES
    ('openai', 'text-embedding-3-small', 'embedding', '{"prompt_tokens": 10000000}',
     '10000000 0 0 0 0', 0.1, 0.2),
    ('anthropic', 'claude-haiku-4-5', 'chat', '{"input_tokens": 100000,
        "cache_creation_input_tokens": 600000, "cache_creation": {"ephemeral_5m_input_tokens": 0,
        "ephemeral_1h_input_tokens": 600000}, "cache_read_input_tokens": 300000,
        "output_tokens": 100000}', '1000000 300000 0 600000 100000', 0.915, 1.83),
    ('bedrock', NULL, 'chat', '{"inputTokens": 1000000, "outputTokens": 100000}',
     '1000000 0 0 0 100000', 0.042, 0.084),
    ('vertex', NULL, 'chat', '{"promptTokenCount": 1000000, "cachedContentTokenCount": 400000,
        "candidatesTokenCount": 80000, "thoughtsTokenCount": 20000}',
     '1000000 400000 0 0 100000', 0.227, 0.442),
    ('gemini', NULL, 'chat', '{"promptTokenCount": 1000000, "cachedContentTokenCount": 400000,
        "candidatesTokenCount": 80000, "thoughtsTokenCount": 20000}',
     '1000000 400000 0 0 100000', 0.223, 0.442),
    -- Claude has prices at the location "global" only
    ('vertex_claude', NULL, 'chat', '{"input_tokens": 1000000, "output_tokens": 100000}',
     '1000000 0 0 0 100000', NULL, NULL);
ALTER TABLE example ADD job bigint;
SELECT plan(2 * count(*)::int) FROM example;

UPDATE example SET job = batch_submit(
    format('SELECT 1 AS id, %L AS %I',
        '[[sim:usage=' || replace(usage::text, ']', '%5D') || ']] Hello',
        CASE task WHEN 'chat' THEN 'prompt' ELSE 'input' END),
    server, model => model, task => task);
CALL batch_work('300 s');
SELECT is(
    (SELECT concat_ws(' ', input_tokens, COALESCE(cached_tokens, 0),
        GREATEST(cache_write_tokens, 0), GREATEST(cache_write_1h_tokens, 0),
        COALESCE(output_tokens, 0)) FROM batch_attempts WHERE job_id = job),
    tokens, concat_ws(' ', server, model) || ': tokens')
FROM example ORDER BY server, model;
SELECT is(
    (SELECT concat_ws(' ', 'cost', cost, realtime_cost, saving) FROM batch_jobs
     WHERE job_id = job),
    concat_ws(' ', 'cost', e.cost, e.realtime_cost, e.realtime_cost - e.cost),
    concat_ws(' ', server, model) || ': what they cost')
FROM example e ORDER BY server, model;
SELECT * FROM finish();
