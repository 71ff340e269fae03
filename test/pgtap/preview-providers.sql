-- batch_preview at each provider: what is sent, what comes back, and what each class of error
-- becomes: of the row, of load, of the account, of the model.
\i lib.sql
SELECT no_plan();

CREATE FUNCTION place(path text) RETURNS text LANGUAGE sql AS $$
    SELECT replace(sim.url(), '/v1', path)
$$;
CREATE FUNCTION make(name text, provider text, model text, options text,
    mapping text DEFAULT $$api_key 'sk-sim'$$) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider %L, model %L, '
        '%s)', name, provider, model, options);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%s)', name, mapping);
END $$;
-- Outcome, code and output of one prompt.
CREATE FUNCTION asked(server name, prompt text, model text DEFAULT NULL,
    task text DEFAULT 'chat') RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', outcome, split_part(error, ':', 1),
        CASE WHEN outcome <> 'succeeded' THEN NULL WHEN task = 'chat' THEN output ELSE
            jsonb_array_length(output::jsonb) || ' numbers' END,
        CASE WHEN input_tokens > 0 AND outcome = 'succeeded' THEN 'counted' END)
    FROM batch_preview(format('SELECT 1, %L AS %I', prompt,
        CASE task WHEN 'chat' THEN 'prompt' ELSE 'input' END), server, model => model, task => task)
$$;
-- The same of a reply with that status and error code in place of the provider's.
CREATE FUNCTION refused(server name, status int, code text DEFAULT NULL,
    headers jsonb DEFAULT '{"retry-after": "900"}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    PERFORM sim.fault(jsonb_build_object('times', 'always', 'match',
        '{"path_regex": "(completions|messages|converse|generateContent)$"}'::jsonb,
        'action', jsonb_strip_nulls(jsonb_build_object('status', status, 'error_code', code,
            'headers', headers))));
    told := asked(server, 'a');
    PERFORM sim.clear_faults();
    RETURN told;
END $$;
CREATE FUNCTION sent(path text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM jsonb_array_elements(sim.call('GET', '/_sim/requests')) r
    WHERE r ->> 'path' ~ path
$$;
CREATE FUNCTION realtime() RETURNS int LANGUAGE sql AS $$
    SELECT (sim.ledger() ->> 'realtime_requests')::int
$$;

--
-- Anthropic
--
SELECT make('anthropic', 'anthropic', 'claude-haiku-4-5', format('base_url %L', place('')));
SELECT is(asked('anthropic', '[[sim:say=yes]]'), 'succeeded yes counted', 'Anthropic');
SELECT results_eq(
    $$SELECT request - 'max_tokens', outcome FROM batch_preview('SELECT 1, ''hello'' AS prompt',
        'anthropic', system_prompt => 'Be short.')$$,
    $$VALUES ('{"model": "claude-haiku-4-5", "system": "Be short.",
        "messages": [{"role": "user", "content": "hello"}]}'::jsonb, 'succeeded')$$,
    '… what is sent');
SELECT is(string_agg(asked('anthropic', p), ', ' ORDER BY i),
    'invalid_output refusal, invalid_output length, errored invalid_request_error, '
    'errored unexpected_reply, errored cut_off', '… outcomes')
FROM (VALUES (1, '[[sim:refusal]]'), (2, '[[sim:length]] a long text'), (3, '[[sim:error=400]]'),
    (4, '[[sim:badjson]]'), (5, '[[sim:status0]]')) x(i, p);
SELECT is(refused('anthropic', 429), 'errored rate_limit_error', '… load');
SELECT is(refused('anthropic', 429, 'enforced_spend_limit_reached', '{}'),
    'errored enforced_spend_limit_reached', '… money');
SELECT is(refused('anthropic', 529), 'errored overloaded_error', '… overloaded');
SELECT is(asked('anthropic', 'a', 'claude-none'), 'errored not_found_error', '… no such model');

--
-- Azure OpenAI
--
SELECT make('v1', 'azure_openai', 'mini-batch', format('base_url %L', place('/openai/v1/')));
SELECT make('classic', 'azure_openai', 'mini-batch',
    format('base_url %L, api_version ''2024-10-21''', place('')));
SELECT is(asked('v1', 'a'), 'errored OperationNotSupported', 'Azure: a deployment of batches');
SELECT ok((SELECT error ~ 'realtime_model' FROM batch_preview('SELECT 1, ''a'' AS prompt', 'v1')),
    '… and the hint');
ALTER SERVER v1 OPTIONS (ADD realtime_model 'mini-live');
ALTER SERVER classic OPTIONS (ADD realtime_model 'mini-live');
SELECT is(asked('v1', '[[sim:say=yes]]'), 'succeeded yes counted', 'Azure, v1');
SELECT is(asked('classic', '[[sim:say=yes]]'), 'succeeded yes counted',
    'Azure, the classic surface');
SELECT is(sent('^/openai/deployments/mini-live/chat/completions'), 1::bigint,
    '… whose path names the deployment');
SELECT is(asked('v1', 'a', 'small-live', 'embedding'), 'succeeded 1536 numbers counted',
    'Azure, embeddings');
SELECT is(asked('classic', 'a', 'small-live', 'embedding'), 'succeeded 1536 numbers counted',
    '… on the classic surface');
SELECT is(asked('v1', 'a', 'nothing'), 'errored DeploymentNotFound', '… no such deployment');
SELECT is(refused('v1', 429), 'errored rate_limit_exceeded', '… load');
SELECT is(refused('v1', 401), 'errored invalid_api_key', '… a bad key');
ALTER SERVER v1 OPTIONS (ADD endpoint 'responses', SET realtime_model 'pro-live');
ALTER SERVER classic OPTIONS (ADD endpoint 'responses', SET realtime_model 'pro-live');
SELECT is(asked('v1', '[[sim:say=yes]]'), 'succeeded yes counted', 'Azure, v1, responses');
SELECT is(asked('classic', '[[sim:say=yes]]'), 'succeeded yes counted',
    'Azure, the classic surface, responses');
SELECT results_eq(
    $$SELECT request ->> 'model', outcome FROM batch_preview('SELECT 1, jsonb_build_object(
        ''model'', ''mini-batch'', ''input'', ''a'') AS body', 'v1')$$,
    $$VALUES ('pro-live', 'succeeded')$$, 'a body that was written for batches');

--
-- Gemini
--
SELECT make('gemini', 'gemini', 'gemini-2.5-flash', format('base_url %L', place('')));
SELECT is(asked('gemini', '[[sim:say=yes]]'), 'succeeded yes counted', 'Gemini');
SELECT is(asked('gemini', 'a', 'gemini-embedding-001', 'embedding'), 'succeeded 3072 numbers',
    'Gemini, embeddings');
SELECT results_eq(
    $$SELECT request, outcome FROM batch_preview('SELECT 1, ''hello'' AS prompt', 'gemini',
        system_prompt => 'Be short.', params => '{"generationConfig": {"temperature": 0.5}}')$$,
    $$VALUES ('{"systemInstruction": {"parts": [{"text": "Be short."}]},
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "generationConfig": {"temperature": 0.5}}'::jsonb, 'succeeded')$$, '… what is sent');
SELECT is(string_agg(asked('gemini', p), ', ' ORDER BY i),
    'invalid_output content_filter, invalid_output length', '… outcomes')
FROM (VALUES (1, '[[sim:refusal]]'), (2, '[[sim:length]]')) x(i, p);
SELECT is(string_agg(asked('gemini', p), ', ' ORDER BY i),
    'errored INVALID_ARGUMENT, errored unexpected_reply, errored INTERNAL', '… errors')
FROM (VALUES (1, '[[sim:error=400]]'), (2, '[[sim:badjson]]'), (3, '[[sim:status0]]')) x(i, p);
SELECT is(refused('gemini', 429), 'errored RESOURCE_EXHAUSTED', '… load');
SELECT is(refused('gemini', 400, 'API_KEY_INVALID'), 'errored INVALID_ARGUMENT', '… a bad key');
SELECT is(asked('gemini', 'a', 'gemini-none'), 'errored NOT_FOUND', '… no such model');

--
-- Vertex AI
--
SELECT make('vertex', 'vertex', 'gemini-2.5-flash', format(
    'base_url %L, project ''proj-1'', location ''us-central1'', storage_url ''gs://batch''',
    place('')),
    format('service_account %L', sim.call('GET', '/_sim/google_credentials')));
SELECT is(asked('vertex', '[[sim:say=yes]]'), 'succeeded yes counted', 'Vertex AI');
SELECT is(asked('vertex', '[[sim:say=yes]]', 'claude-haiku-4-5@20251001'), 'succeeded yes counted',
    'Vertex AI, Claude');
SELECT is(asked('vertex', 'a', 'text-embedding-005', 'embedding'), 'succeeded 768 numbers counted',
    'Vertex AI, text embeddings');
SELECT is(asked('vertex', 'a', 'gemini-embedding-001', 'embedding'),
    'succeeded 3072 numbers counted', 'Vertex AI, gemini-embedding-001');
SELECT results_eq(
    $$SELECT request, outcome, jsonb_array_length(output::jsonb) FROM batch_preview(
        'SELECT 1, ''hello'' AS input', 'vertex', model => 'gemini-embedding-001',
        task => 'embedding', params => '{"task_type": "CLUSTERING", "outputDimensionality": 8}')$$,
    $$VALUES ('{"instances": [{"content": "hello", "task_type": "CLUSTERING"}],
        "parameters": {"outputDimensionality": 8}}'::jsonb, 'succeeded', 8)$$, '… what is sent');
SELECT is(refused('vertex', 429), 'errored RESOURCE_EXHAUSTED', '… load');
SELECT is(refused('vertex', 403), 'errored PERMISSION_DENIED', '… a right');
SELECT is(asked('vertex', 'a', 'gemini-none'), 'errored NOT_FOUND', '… no such model');

--
-- Bedrock
--
SELECT sim.bedrock('bedrock', format('runtime_base_url %L', place('')));
SELECT is(asked('bedrock', '[[sim:say=yes]]'), 'succeeded yes counted', 'Bedrock: Converse');
SELECT is(asked('bedrock', '[[sim:say=yes]]',
    'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0'),
    'succeeded yes counted', '… by an ARN, which is one part of the path');
SELECT is(asked('bedrock', 'a', 'amazon.titan-embed-text-v2:0', 'embedding'),
    'succeeded 1024 numbers counted', 'Bedrock: InvokeModel');
SELECT results_eq(
    $$SELECT request, outcome FROM batch_preview('SELECT 1, ''hello'' AS prompt', 'bedrock',
        params => '{"max_tokens": 50}')$$,
    $$VALUES ('{"messages": [{"role": "user", "content": [{"text": "hello"}]}],
        "inferenceConfig": {"maxTokens": 50}}'::jsonb, 'succeeded')$$, '… what is sent');
SELECT is(string_agg(asked('bedrock', p), ', ' ORDER BY i),
    'errored ValidationException, errored unexpected_reply, errored InternalServerException, '
    'errored ModelTimeoutException', '… errors')
FROM (VALUES (1, '[[sim:error=400]]'), (2, '[[sim:badjson]]'), (3, '[[sim:status0]]'),
    (4, '[[sim:timeout]]')) x(i, p);
SELECT is(refused('bedrock', 429), 'errored ThrottlingException', '… load');
SELECT is(refused('bedrock', 400, 'ServiceQuotaExceededException'),
    'errored ServiceQuotaExceededException', '… a quota');
SELECT is(refused('bedrock', 403), 'errored AccessDeniedException', '… a right');

SELECT ok(realtime() > 15, 'the simulator counts them');
SELECT * FROM finish();
