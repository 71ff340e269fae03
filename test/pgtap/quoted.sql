-- A line of results quotes the API key, in many forms. The test proves that nobody can read the key
-- anywhere afterwards (promise 6), at every provider.
\i lib.sql
SELECT no_plan();

-- One server each, whose mapping has the secret; results: the path of what is downloaded.  Cloud
-- Storage gives a checksum, so what changes on the way is refused there.
CREATE TABLE place (server name PRIMARY KEY, provider text, address text, model text, more text,
    results text, secret text DEFAULT 'sk-quoted/key+4711', mapping text);
INSERT INTO place (server, provider, address, model, more, results) VALUES
    ('openai',    'openai',       '/v1',            'gpt-5.4-mini',     '', '/content$'),
    ('azure',     'azure_openai', '/openai/v1',     'mini-batch',       '', '/content$'),
    ('anthropic', 'anthropic',    '',               'claude-haiku-5-5', '', '/results$'),
    ('gemini',    'gemini',       '',               'gemini-3.5-flash-lite', '', ':download$');
INSERT INTO place
SELECT 'bedrock', 'bedrock', '', 'us.amazon.nova-lite-v1:0',
    format(
        $$, region 'us-east-1', role_arn 'arn:aws:iam::123456789012:role/BedrockBatch',
          storage_url 's3://batch', storage_base_url %L, min_requests '1'$$,
        replace(sim.url(), '/v1', '')),
    '[.]out$', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    $$access_key_id 'AKIDEXAMPLE', secret_access_key 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'$$;
INSERT INTO place
SELECT 'vertex', 'vertex', '', 'gemini-3.5-flash-lite',
    format(
        $$, project 'proj-1', location 'us-central1', storage_url 'gs://batch', storage_base_url %L,
          request_labels 'off'$$,
        replace(sim.url(), '/v1', '')),
    'predictions', c ->> 'private_key', format('service_account %L', c)
FROM sim.call('GET', '/_sim/google_credentials') c;
SELECT sim.config('{"bedrock_min_records": 1, "api_keys": ["sk-sim", "sk-quoted/key+4711"]}');
CREATE FUNCTION make_server(p place) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE SERVER %I FOREIGN DATA WRAPPER batchinf OPTIONS (provider %L, model %L, '
        'base_url %L, poll_interval ''1'' %s)',
        p.server, p.provider, p.model, replace(sim.url(), '/v1', p.address), p.more);
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%s)', p.server,
        COALESCE(p.mapping, format('api_key %L', p.secret)));
END $$;
SELECT make_server(p) FROM place p;

-- How a text may quote a secret.
CREATE FUNCTION percent(text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(encode(convert_to($1, 'UTF8'), 'hex'), '(..)', '%\1', 'g')
$$;
CREATE FUNCTION escapes(text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(encode(convert_to($1, 'UTF8'), 'hex'), '(..)', '\\u00\1', 'g')
$$;
CREATE VIEW quote AS SELECT server, f.*
FROM place,
    LATERAL (VALUES ('plain', secret), ('percent', percent(secret)),
                 ('nested', '{"k": "' || escapes(secret) || '"}'),
                 ('nested twice', to_json('{"k": "' || escapes(secret) || '"}')::text),
                 ('slashes', replace(to_json(secret)::text, '/', '\/'))) f(form, words);
CREATE TABLE ticket (server name, id int, body text, label text, PRIMARY KEY (server, id));
INSERT INTO ticket
SELECT server, row_number() OVER (PARTITION BY server ORDER BY form),
    '[[sim:say=' || percent('key ' || words) || ']]'
FROM quote;
INSERT INTO ticket SELECT server, 11, '[[sim:error=400:' || percent(secret) || ']]' FROM place
WHERE length(secret) < 100;
INSERT INTO ticket SELECT server, 12, '[[sim:say=hello]]' FROM place;

-- The lines as they come, and the same lines in escapes.
CREATE PROCEDURE ask(lie text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sim.clear_faults();
    IF lie <> 'none' THEN
        PERFORM sim.fault(jsonb_build_object(
            'match', jsonb_build_object('method', 'GET', 'path_regex', results), 'times', 'always',
            'action', jsonb_build_object('lie', lie)))
        FROM place WHERE server <> 'vertex' GROUP BY results;
    END IF;
    PERFORM batch_submit(
        format('SELECT server, id, body FROM ticket WHERE server = %L ORDER BY id', server),
        server => server, prompt => '{{body}}', name => server || ' ' || lie, target => 'ticket',
        write_back => '{"label": "$"}', max_attempts => 1)
    FROM place;
    COMMIT;
    CALL public.batch_work('60 s');
END $$;
CALL ask('none');
CALL ask('unicode');
CALL ask('partly');
CALL ask('slashes');

-- Every answer is there, joined to its record, with the secret blotted out.
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM batch_jobs), 'completed',
    'all jobs are done');
SELECT is(
    count(*) FILTER (WHERE outcome = 'succeeded'
                     AND output ~ E'^key [\\\\"{}k: ]*[*]{8,}[\\\\"}]*$'),
    20::bigint, format('%s: a key in each form, in lines in each form', p.server))
FROM place p JOIN batch_jobs j USING (server) JOIN batch_records r USING (job_id) GROUP BY p.server
ORDER BY p.server;
SELECT is(count(*) FILTER (WHERE output = 'hello'), 4::bigint,
    format('%s: what quotes nothing is as it was', p.server))
FROM place p JOIN batch_jobs j USING (server) JOIN batch_records r USING (job_id) GROUP BY p.server
ORDER BY p.server;
SELECT is(count(*) FILTER (WHERE outcome = 'errored'), 4 * count(DISTINCT t.server),
    'errors end as errors')
FROM place p JOIN ticket t ON t.server = p.server AND t.id = 11 JOIN batch_jobs j
ON j.server = p.server JOIN batch_records r
ON r.job_id = j.job_id AND r.record_id = format('(%s,11)', p.server);
SELECT is(sum(duplicates + unknown + malformed), 0::numeric, 'every line has its record')
FROM batch_jobs;

-- Nowhere in what is stored or shown: escapes undone, however many.
CREATE FUNCTION plain(value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    c text;
BEGIN
    FOR c IN SELECT DISTINCT m[1]
    FROM regexp_matches(lower(value), '(?:u00|%)([2-7][0-9a-f])', 'g') m LOOP
        value := regexp_replace(value, '(\\*u00|%)' || c,
            convert_from(decode(replace(c, '5c', '2f'), 'hex'), 'UTF8'), 'gi');
    END LOOP;
    RETURN translate(value, '\', '');
END $$;
UPDATE place SET secret = split_part(secret, E'\n', 2) WHERE server = 'vertex';
SELECT is(
    (SELECT count(*) FROM place, batchinf.result r WHERE position(secret IN plain(r::text)) > 0),
    0::bigint, 'promise 6: the keys are not in batchinf.result');
-- the inputs ask the simulator to quote them
SELECT is(
    (SELECT count(*) FROM place, batch_records r
     WHERE position(secret IN plain((to_jsonb(r) - 'input')::text)) > 0),
    0::bigint, '… nor in batch_records');
SELECT is(
    (SELECT count(*) FROM place, batch_events e WHERE position(secret IN plain(e::text)) > 0),
    0::bigint, '… nor in batch_events');
SELECT is(
    (SELECT count(*) FROM place, batch_chunks c WHERE position(secret IN plain(c::text)) > 0),
    0::bigint, '… nor in batch_chunks');
SELECT is((SELECT count(*) FROM place, ticket t WHERE position(secret IN plain(t.label)) > 0),
    0::bigint, '… nor in target rows');
SELECT is(
    (SELECT count(*) FROM place
     WHERE position(secret IN plain(pg_read_file(
         split_part(current_setting('unix_socket_directories'), ',', 1) || '/log'))) > 0),
    0::bigint, '… nor in the log');

-- Replies in escapes are read after the key is out of them.
SELECT sim.clear_faults();
SELECT sim.fault(jsonb_build_object(
    'match', '{"method":"POST","path_regex":"/files$"}'::jsonb,
    'action', jsonb_build_object(
        'status', 401,
        'body',
        '{"error":{"message":"bad key: ' || escapes('sk-quoted/key+4711') || '.","code":"x"}}')));
SELECT batch_submit('SELECT 1', server => 'openai', prompt => 'x') AS job \gset
CALL batch_work('60 s');
SELECT matches(string_agg(detail, ' '), 'bad key: [*]+\.',
    'a reply in escapes is told without the key')
FROM batch_events WHERE job_id = :job;
SELECT * FROM finish();
