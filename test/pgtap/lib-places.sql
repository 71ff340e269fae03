-- Included by tests that go to every provider.
-- One server each, on the simulator: name, provider, address behind the host, model.
CREATE TABLE place (server name PRIMARY KEY, provider text, address text, model text, more text,
    mapping text DEFAULT 'api_key ''sk-sim''');
INSERT INTO place VALUES
    ('openai', 'openai', '/v1', 'gpt-5.4-mini', ''),
    ('azure', 'azure_openai', '/openai/v1', 'mini-batch', ''),
    ('classic', 'azure_openai', '', 'mini-batch', $$, api_version '2024-10-21'$$),
    ('anthropic', 'anthropic', '', 'claude-haiku-5-5', ''),
    ('gemini', 'gemini', '', 'gemini-3.5-flash-lite', '');
INSERT INTO place
SELECT 'bedrock', 'bedrock', '', 'us.amazon.nova-lite-v1:0',
    format(
        $$, region 'us-east-1', role_arn 'arn:aws:iam::123456789012:role/BedrockBatch',
          storage_url 's3://batch', storage_base_url %L, min_requests '1'$$,
        replace(sim.url(), '/v1', '')),
    $$access_key_id 'AKIDEXAMPLE', secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'$$;
INSERT INTO place
SELECT name, 'vertex', '', model,
    format(
        $$, project 'proj-1', location 'us-central1', storage_url 'gs://batch',
          storage_base_url %L%s$$,
        replace(sim.url(), '/v1', ''), more),
    format('service_account %L', sim.call('GET', '/_sim/google_credentials'))
FROM (VALUES ('vertex', 'gemini-3.5-flash-lite', ''),
          ('unlabelled', 'gemini-3.5-flash-lite', $$, request_labels 'off'$$),
          ('vertex_claude', 'claude-haiku-5-5', '')) v(name, model, more);
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
