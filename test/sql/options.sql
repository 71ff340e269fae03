-- The options of servers and user mappings: what the validator takes, and what
-- it says of everything else.  No network.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS batchinf;
CREATE ROLE regress_batchinf_owner;
CREATE ROLE regress_batchinf_reader;
CREATE ROLE regress_batchinf_other;
GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO regress_batchinf_owner;
GRANT pg_read_server_files TO regress_batchinf_reader;
RESET client_min_messages;

-- the wrapper itself and foreign tables have none
ALTER FOREIGN DATA WRAPPER batchinf OPTIONS (ADD model 'm');

-- provider
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf;
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (model 'm');
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'opnai');
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'OpenAI');
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (provider '');
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai');
DROP SERVER s1;

-- names
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', modle 'm');
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', max_request '5');
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', "Model" 'm');
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', colour 'red');
-- a key does not belong here, and is not repeated
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', api_key 'sk-not-to-be-seen');

-- all at once
CREATE SERVER s1 FOREIGN DATA WRAPPER batchinf OPTIONS (
    provider 'openai', base_url 'https://api.example.com:8443/proxy/v1/', model 'gpt-5.4-mini',
    organization 'org-1', project 'proj_1', completion_window '24h',
    max_requests '50000', min_requests '1', max_bytes '100MB', max_batches '10',
    max_enqueued_tokens '90000000', poll_interval '30', expires_after '86400');
SELECT option_name, option_value
FROM pg_options_to_table((SELECT srvoptions FROM pg_foreign_server WHERE srvname = 's1'))
ORDER BY option_name COLLATE "C";

-- numbers
ALTER SERVER s1 OPTIONS (SET max_requests '0');
ALTER SERVER s1 OPTIONS (SET max_requests '-5');
ALTER SERVER s1 OPTIONS (SET max_requests 'many');
ALTER SERVER s1 OPTIONS (SET max_requests '10.5');
ALTER SERVER s1 OPTIONS (SET max_requests '5kB');
ALTER SERVER s1 OPTIONS (SET max_requests '10000001');
ALTER SERVER s1 OPTIONS (SET max_requests '99999999999999999999999999');
ALTER SERVER s1 OPTIONS (SET max_requests ' 5');
ALTER SERVER s1 OPTIONS (SET max_requests '');
ALTER SERVER s1 OPTIONS (SET max_batches '0x10');
ALTER SERVER s1 OPTIONS (SET max_enqueued_tokens '1e6');
ALTER SERVER s1 OPTIONS (SET poll_interval '0');
ALTER SERVER s1 OPTIONS (SET poll_interval '3601');
ALTER SERVER s1 OPTIONS (SET expires_after '60');
ALTER SERVER s1 OPTIONS (SET expires_after '2592001');
ALTER SERVER s1 OPTIONS (SET expires_after '0');
ALTER SERVER s1 OPTIONS (SET expires_after '2592000', SET poll_interval '3600');
ALTER SERVER s1 OPTIONS (SET min_requests '200', SET max_requests '100');
ALTER SERVER s1 OPTIONS (SET min_requests '100', SET max_requests '100');
ALTER SERVER s1 OPTIONS (SET min_requests '60000', DROP max_requests);
ALTER SERVER s1 OPTIONS (DROP min_requests, DROP max_requests);

-- names of tags
ALTER SERVER s1 OPTIONS (ADD reasoning_tags '<think>');
ALTER SERVER s1 OPTIONS (ADD reasoning_tags 'think,');
ALTER SERVER s1 OPTIONS (ADD reasoning_tags 'a,b,c,d,e,f,g,h,i');
ALTER SERVER s1 OPTIONS (ADD reasoning_tags 'think, ns:thought_2.b-c');
ALTER SERVER s1 OPTIONS (DROP reasoning_tags);

-- sizes
ALTER SERVER s1 OPTIONS (SET max_bytes '200000000');
ALTER SERVER s1 OPTIONS (SET max_bytes '1.5 GB');
ALTER SERVER s1 OPTIONS (SET max_bytes '500 kB');
ALTER SERVER s1 OPTIONS (SET max_bytes '500 kb');
ALTER SERVER s1 OPTIONS (SET max_bytes '5 apples');
ALTER SERVER s1 OPTIONS (SET max_bytes '1.5');
ALTER SERVER s1 OPTIONS (SET max_bytes '0MB');
ALTER SERVER s1 OPTIONS (SET max_bytes '2TB');
ALTER SERVER s1 OPTIONS (SET max_bytes 'infinity');
ALTER SERVER s1 OPTIONS (SET max_bytes '1MBMB');

-- texts
ALTER SERVER s1 OPTIONS (SET model '');
ALTER SERVER s1 OPTIONS (SET model E'gpt\n5');
ALTER SERVER s1 OPTIONS (SET model 'a model of ours');
ALTER SERVER s1 OPTIONS (SET organization 'two words');
ALTER SERVER s1 OPTIONS (SET project E'p\r\nx-header: y');
ALTER SERVER s1 OPTIONS (SET completion_window '');
CREATE SERVER anthropic FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'anthropic');
ALTER SERVER anthropic OPTIONS (ADD api_version '2026 10 21');
ALTER SERVER anthropic OPTIONS (ADD auth 'Bearer');
ALTER SERVER anthropic OPTIONS (ADD auth '');
ALTER SERVER anthropic OPTIONS (ADD prompt_cache '60m');
ALTER SERVER anthropic
OPTIONS (ADD api_version '2026-10-21', ADD auth 'bearer', ADD prompt_cache '1h');
ALTER SERVER anthropic OPTIONS (SET auth 'x-api-key', SET prompt_cache '5m');
ALTER SERVER anthropic OPTIONS (SET prompt_cache 'off');

-- URLs; they are never repeated, for they may hold a password
ALTER SERVER s1 OPTIONS (SET base_url 'api.example.com/v1');
ALTER SERVER s1 OPTIONS (SET base_url 'ftp://api.example.com');
ALTER SERVER s1 OPTIONS (SET base_url 'file:///etc/passwd');
ALTER SERVER s1 OPTIONS (SET base_url 'https://');
ALTER SERVER s1 OPTIONS (SET base_url 'https:///v1');
ALTER SERVER s1 OPTIONS (SET base_url 'https://user:secret@api.example.com/v1');
ALTER SERVER s1 OPTIONS (SET base_url 'https://api.example.com\@evil.example.com');
ALTER SERVER s1 OPTIONS (SET base_url 'https://api.example.com/v1?key=secret');
ALTER SERVER s1 OPTIONS (SET base_url 'https://api.example.com/v1#x');
ALTER SERVER s1 OPTIONS (SET base_url 'https://api.example.com/v 1');
ALTER SERVER s1 OPTIONS (SET base_url E'https://api.example.com/\nv1');
ALTER SERVER s1 OPTIONS (SET base_url 'https://api%2eexample.com/v1');
ALTER SERVER s1 OPTIONS (SET base_url 'https://api.example.com:port/v1');
ALTER SERVER s1 OPTIONS (SET base_url 'https://api.example.com:/v1');
ALTER SERVER s1 OPTIONS (SET base_url 'https://api.example.com:65536');
ALTER SERVER s1 OPTIONS (SET base_url 'https://[::1');
ALTER SERVER s1 OPTIONS (SET base_url 'https://[]/v1');
ALTER SERVER s1 OPTIONS (SET base_url '');
DO $$
DECLARE
    why text;
BEGIN
    EXECUTE format('ALTER SERVER s1 OPTIONS (SET base_url %L)',
        'https://api.example.com/' || repeat('x', 2048));
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
    RAISE NOTICE '%: %', SQLERRM, why;
END $$;
ALTER SERVER s1 OPTIONS (SET base_url 'https://[2001:db8::1]:8443/v1');
ALTER SERVER s1 OPTIONS (SET base_url 'https://localhost');

-- plain http: a superuser's server may, another only to an allowed host
ALTER SERVER s1 OPTIONS (SET base_url 'http://127.0.0.1:1/v1');
SET ROLE regress_batchinf_owner;
CREATE SERVER s2 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', base_url 'http://127.0.0.1:1/v1');
SET batchinf.allowed_http_hosts = '127.0.0.1';
RESET ROLE;
SET batchinf.allowed_http_hosts = 'example.com, LocalHost ,[::1]';
SET ROLE regress_batchinf_owner;
CREATE SERVER s2 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', base_url 'http://127.0.0.1:1/v1');
CREATE SERVER s2 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', base_url 'http://localhost.example.com');
CREATE SERVER s2 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', base_url 'http://local');
CREATE SERVER s2 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'openai', base_url 'http://LOCALHOST:8080/v1');
ALTER SERVER s2 OPTIONS (SET base_url 'http://[::1]:8080/v1');
RESET ROLE;
RESET batchinf.allowed_http_hosts;

-- the settings: none for an ordinary user
SELECT name, boot_val, unit, context FROM pg_settings WHERE name LIKE 'batchinf.%'
ORDER BY name COLLATE "C";
SET batchinf.no_such_setting = 1;

-- keys: one of three, and never repeated
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_kye 'sk-not-to-be-seen');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (model 'm');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_key '');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_key 'sk not to be seen');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_key E'sk-not-to-be-seen\nx-header: y');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_key 'a', api_key_env 'B');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_key_file 'relative/key');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_key_file '');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_key_env '1KEY');
CREATE USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (api_key_env 'sk-not-to-be-seen');
CREATE USER MAPPING FOR PUBLIC SERVER s1;
ALTER USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (ADD api_key 'sk-1');
ALTER USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (ADD api_key_file '/nonexistent/key');
ALTER USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (DROP api_key, ADD api_key_file '/nonexistent/key');

-- a client's secret needs to be told whose it is; a file may hold it
CREATE SERVER azure FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'azure_openai', base_url 'https://r.openai.azure.com');
CREATE USER MAPPING FOR PUBLIC SERVER azure OPTIONS (api_key_file '/nonexistent/key');
ALTER USER MAPPING FOR PUBLIC SERVER azure
OPTIONS (DROP api_key_file, ADD client_secret 'not-to-be-seen');
ALTER USER MAPPING FOR PUBLIC SERVER azure
OPTIONS (DROP api_key_file, ADD client_secret 'not-to-be-seen', ADD tenant_id 'contoso.example');
ALTER USER MAPPING FOR PUBLIC SERVER azure OPTIONS (ADD tenant_id 'contoso.example');
ALTER USER MAPPING FOR PUBLIC SERVER azure OPTIONS (ADD client_id '11111111-2222');
ALTER USER MAPPING FOR PUBLIC SERVER azure
OPTIONS (ADD client_secret 'not-to-be-seen', ADD tenant_id 'contoso.example',
    ADD client_id '11111111-2222');
ALTER USER MAPPING FOR PUBLIC SERVER azure
OPTIONS (DROP api_key_file, ADD api_key 'not-to-be-seen', ADD tenant_id 'contoso.example',
    ADD client_id '11111111-2222');
ALTER USER MAPPING FOR PUBLIC SERVER azure
OPTIONS (DROP api_key_file, ADD client_secret 'not to be seen', ADD tenant_id 'contoso.example',
    ADD client_id '11111111-2222');
ALTER USER MAPPING FOR PUBLIC SERVER azure
OPTIONS (DROP api_key_file, ADD client_secret 'not-to-be-seen', ADD tenant_id 'contoso.example',
    ADD client_id '11111111-2222');
ALTER USER MAPPING FOR PUBLIC SERVER azure
OPTIONS (DROP client_secret, ADD api_key_file '/nonexistent/key');
ALTER USER MAPPING FOR PUBLIC SERVER azure OPTIONS (DROP tenant_id, DROP client_id);

-- Azure has no address of its own; what else its servers and compatible ones may need
CREATE SERVER s3 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'azure_openai');
CREATE SERVER s3 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'azure', base_url 'https://r.openai.azure.com');
CREATE SERVER s3 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'azure_openai', base_url 'https://r.openai.azure.com/openai/v1/',
    authority_url 'login.microsoftonline.com');
CREATE SERVER s3 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'azure_openai', base_url 'https://r.openai.azure.com', token_scope 'two scopes');
CREATE SERVER s3 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'azure_openai', base_url 'https://r.openai.azure.com', metadata 'no');
CREATE SERVER s3 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'azure_openai', base_url 'https://r.openai.azure.com', endpoint 'completions');
CREATE SERVER s3 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'azure_openai', base_url 'https://r.openai.azure.com', api_version '2024-10-21',
    metadata 'off', authority_url 'https://login.microsoftonline.us',
    token_scope 'https://cognitiveservices.azure.us/.default');
DROP SERVER s3;

-- references to files and the environment are privileged
SET ROLE regress_batchinf_owner;
CREATE USER MAPPING FOR CURRENT_USER SERVER s2 OPTIONS (api_key_file '/nonexistent/key');
CREATE USER MAPPING FOR CURRENT_USER SERVER s2 OPTIONS (api_key_env 'PATH');
CREATE USER MAPPING FOR CURRENT_USER SERVER s2 OPTIONS (api_key 'sk-2');
RESET ROLE;
ALTER USER MAPPING FOR regress_batchinf_owner SERVER s2
OPTIONS (DROP api_key, ADD api_key_env 'REGRESS_BATCHINF_NOT_SET');
SET ROLE regress_batchinf_owner;
ALTER USER MAPPING FOR CURRENT_USER SERVER s2 OPTIONS (SET api_key_env 'PATH');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER s2 TO regress_batchinf_reader, regress_batchinf_other;
SET ROLE regress_batchinf_reader;
CREATE USER MAPPING FOR CURRENT_USER SERVER s2 OPTIONS (api_key_file '/nonexistent/key');
RESET ROLE;

-- what servers of clouds need besides: a region, a role, a place for files
CREATE SERVER s4 FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'bedrock');
CREATE SERVER s4 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'bedrock', region 'us-east-1', role_arn 'arn:aws:iam::123456789012:role/Batch');
CREATE SERVER s4 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'bedrock', region 'us-east-1', role_arn 'arn:aws:iam::123456789012:role/Batch',
    storage_url 'gs://bucket/prefix');
CREATE SERVER s4 FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'bedrock', region 'us-east-1', role_arn 'arn:aws:iam::123456789012:role/Batch',
    storage_url 's3://bucket/prefix', storage_base_url 'https://minio.example.com:9000',
    storage_style 'path', storage_kms_key 'alias/batch', storage_owner '123456789012',
    storage_create 'on', runtime_base_url 'https://bedrock-runtime.us-east-1.amazonaws.com',
    authority_url 'https://sts.us-east-1.amazonaws.com');
ALTER SERVER s4 OPTIONS (DROP region);
CREATE SERVER vertex FOREIGN DATA WRAPPER batchinf
OPTIONS (provider 'vertex', project 'p', location 'us-central1', storage_url 'gs://bucket',
    request_labels 'on');
-- they become parts of host names and paths
DO $$
DECLARE
    option text[];
BEGIN
    FOREACH option SLICE 1 IN ARRAY '{{region,"us east"},{region,us_east_1},{region,US-EAST-1},'
                                    '{region,us-east-1.evil.example},{region,evil.example/},'
                                    '{location,EU},{role_arn,"two words"},{storage_kms_key,"a b"},'
                                    '{storage_owner,"1 2"}, {storage_style,Path},'
                                    '{storage_create,yes},{request_labels,yes},'
                                    '{storage_base_url,minio.example.com},'
                                    '{storage_base_url,https://minio.example.com?x},'
                                    '{runtime_base_url,/x},{authority_url,'
                                    'https://user:secret@sts.example.com}, {storage_url,s},'
                                    '{storage_url,s3:/},{storage_url,s3://},{storage_url,s3://ab},'
                                    '{storage_url,S3://bucket},{storage_url,http://bucket},'
                                    '{storage_url,s3://Bucket},{storage_url,s3://bucket?x},'
                                    '{storage_url,s3://bucket@evil},'
                                    '{storage_url,s3://bucket:80/x}, {storage_url,s3://bucket/a b},'
                                    '{storage_url,s3://bucket//a},{storage_url,s3://bucket/../a},'
                                    '{storage_url,s3://bucket/.},{storage_url,s3://bucket/a=b},'
                                    '{storage_url,s3://bucket/a%2fb}}'::text[] LOOP
        BEGIN
            EXECUTE format('ALTER SERVER %I OPTIONS (SET %I %L)',
                CASE WHEN option[1] IN ('location', 'request_labels') THEN 'vertex' ELSE 's4' END,
                option[1], option[2]);
            RAISE NOTICE '% was taken for "%"', option[2], option[1];
        EXCEPTION WHEN invalid_parameter_value THEN
            CONTINUE;
        END;
    END LOOP;
END $$;
ALTER SERVER s4 OPTIONS (SET region 'eu-west-1.evil.example');
ALTER SERVER s4 OPTIONS (SET storage_url 's3://bucket/a b');
ALTER SERVER s4 OPTIONS (SET storage_style 'paht');
ALTER SERVER s4
OPTIONS (SET storage_url 's3://a.b-c/x/y_z.1', SET storage_style 'virtual',
    SET storage_create 'off');
ALTER SERVER vertex OPTIONS (SET request_labels 'off', SET location 'europe-west4');
ALTER SERVER s4 OPTIONS (SET storage_url 's3://abc');

-- credentials of AWS and of Google: several values that belong together, never repeated
CREATE USER MAPPING FOR PUBLIC SERVER s4 OPTIONS (access_key_id 'AKID');
CREATE USER MAPPING FOR PUBLIC SERVER s4 OPTIONS (secret_access_key 'not-to-be-seen');
CREATE USER MAPPING FOR PUBLIC SERVER s4 OPTIONS (session_token 'not-to-be-seen');
CREATE USER MAPPING FOR PUBLIC SERVER s4
OPTIONS (access_key_id 'AKID', secret_access_key 'not to be seen');
CREATE USER MAPPING FOR PUBLIC SERVER s4
OPTIONS (access_key_id 'AKID', secret_access_key 'not-to-be-seen',
    session_token E'not-to-be-seen\r\nx: y');
CREATE USER MAPPING FOR PUBLIC SERVER vertex OPTIONS (service_account 'not-to-be-seen');
CREATE USER MAPPING FOR PUBLIC SERVER vertex OPTIONS (service_account '["not-to-be-seen"]');
CREATE USER MAPPING FOR PUBLIC SERVER vertex
OPTIONS (service_account '{"private_key": "not-to-be-seen"');
CREATE USER MAPPING FOR PUBLIC SERVER vertex
OPTIONS (service_account '{}', service_account_file '/nonexistent/key');
CREATE USER MAPPING FOR PUBLIC SERVER vertex OPTIONS (service_account_file 'relative/key');
CREATE USER MAPPING FOR PUBLIC SERVER s4 OPTIONS (credential_source 'imds');
CREATE USER MAPPING FOR PUBLIC SERVER s4 OPTIONS (credential_source '');
-- a document has lines; an API key of Bedrock goes beside any credentials
CREATE USER MAPPING FOR PUBLIC SERVER vertex
OPTIONS (service_account E'{\n\t"type": "service_account"\r\n}', credential_source 'static');
CREATE USER MAPPING FOR PUBLIC SERVER s4
OPTIONS (access_key_id 'AKID', secret_access_key 'not-to-be-seen', session_token 'not-to-be-seen',
    api_key 'not-to-be-seen', credential_source 'static');
-- a source of the machine's says that there are none in the mapping
ALTER USER MAPPING FOR PUBLIC SERVER s4 OPTIONS (SET credential_source 'environment');
ALTER USER MAPPING FOR PUBLIC SERVER s4
OPTIONS (SET credential_source 'instance', DROP access_key_id, DROP secret_access_key);
ALTER USER MAPPING FOR PUBLIC SERVER s4
OPTIONS (SET credential_source 'instance', DROP access_key_id, DROP secret_access_key,
    DROP session_token);
ALTER USER MAPPING FOR PUBLIC SERVER vertex OPTIONS (SET credential_source 'instance');
ALTER USER MAPPING FOR PUBLIC SERVER vertex
OPTIONS (SET credential_source 'instance', DROP service_account,
    ADD service_account_file '/nonexistent/key');
ALTER USER MAPPING FOR PUBLIC SERVER s4
OPTIONS (SET credential_source 'web_identity', DROP api_key,
    ADD api_key_env 'AWS_BEARER_TOKEN_BEDROCK');
SELECT option_name, CASE WHEN option_name LIKE 'a%' THEN option_value END AS option_value
FROM pg_options_to_table((SELECT umoptions FROM pg_user_mappings WHERE srvname = 's4'))
ORDER BY option_name COLLATE "C";

-- what the machine has is privileged: to name it, and to use it
GRANT USAGE ON FOREIGN SERVER s4, vertex TO regress_batchinf_reader, regress_batchinf_other;
SET ROLE regress_batchinf_other;
CREATE USER MAPPING FOR CURRENT_USER SERVER vertex
OPTIONS (service_account_file '/nonexistent/key');
CREATE USER MAPPING FOR CURRENT_USER SERVER s4 OPTIONS (credential_source 'environment');
CREATE USER MAPPING FOR CURRENT_USER SERVER s4 OPTIONS (credential_source 'web_identity');
CREATE USER MAPPING FOR CURRENT_USER SERVER s4 OPTIONS (credential_source 'container');
CREATE USER MAPPING FOR CURRENT_USER SERVER s4 OPTIONS (credential_source 'instance');
CREATE USER MAPPING FOR CURRENT_USER SERVER s4 OPTIONS (credential_source 'static');
SELECT * FROM batch_check('s4');
ALTER USER MAPPING FOR CURRENT_USER SERVER s4 OPTIONS (DROP credential_source);
SELECT * FROM batch_check('s4');
ALTER USER MAPPING FOR CURRENT_USER SERVER s4 OPTIONS (ADD api_key 'not-to-be-seen');
SELECT * FROM batch_check('s4');
RESET ROLE;
SET ROLE regress_batchinf_reader;
CREATE USER MAPPING FOR CURRENT_USER SERVER s4 OPTIONS (credential_source 'instance');
RESET ROLE;
-- a server whose owner may not read the machine's files: nobody's mapping opens it
ALTER SERVER s4 OWNER TO regress_batchinf_owner;
SET ROLE regress_batchinf_reader;
SELECT * FROM batch_check('s4');
RESET ROLE;

-- each provider takes its own options and secrets, and no other's
CREATE FUNCTION pg_temp.takes(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RAISE EXCEPTION 'taken';
EXCEPTION
    WHEN fdw_invalid_option_name THEN RETURN NULL;
    WHEN OTHERS THEN RETURN SQLERRM;
END $$;
CREATE TEMP TABLE providers AS SELECT *
FROM (VALUES ('openai', ''), ('azure_openai', ', base_url ''https://r.openai.azure.com'''),
          ('anthropic', ''),
          ('bedrock', ', region ''r'', role_arn ''a'', storage_url ''s3://bucket'''),
          ('vertex', ', project ''p'', location ''l'', storage_url ''gs://bucket'''),
          ('gemini', '')) v(name, needs);
CREATE TEMP TABLE mapping_options AS SELECT *
FROM (VALUES ('api_key', 'k'), ('api_key_file', '/k'), ('api_key_env', 'K'), ('tenant_id', 't'),
          ('client_id', 'c'), ('client_secret', 's'), ('service_account', '{}'),
          ('service_account_file', '/k'), ('access_key_id', 'a'), ('secret_access_key', 's'),
          ('session_token', 't'), ('credential_source', 'static')) v(name, value);
CREATE TEMP TABLE server_options AS SELECT *
FROM (VALUES ('organization', 'o'), ('project', 'p'), ('completion_window', '24h'),
          ('api_version', 'v'), ('auth', 'bearer'), ('prompt_cache', 'off'), ('metadata', 'off'),
          ('endpoint', 'responses'), ('authority_url', 'https://a.example'), ('token_scope', 's'),
          ('region', 'r'), ('location', 'l'), ('role_arn', 'a'), ('storage_url', 'x'),
          ('storage_base_url', 'https://s.example'), ('storage_style', 'path'),
          ('storage_kms_key', 'k'), ('storage_owner', 'o'), ('storage_create', 'on'),
          ('runtime_base_url', 'https://r.example'), ('request_labels', 'off'),
          ('expires_after', '3600'), ('settle_time', '9'), ('max_requests', '500'),
          ('min_requests', '1'), ('max_bytes', '1MB'), ('max_batches', '1'),
          ('max_enqueued_tokens', '1'), ('max_enqueued_requests', '1'), ('max_files', '1'),
          ('poll_interval', '1'), ('reasoning_tags', 'think')) v(name, value);
SELECT format('CREATE SERVER kind_%s FOREIGN DATA WRAPPER batchinf OPTIONS (provider %L%s)', name,
    name, needs)
FROM providers \gexec
SELECT p.name, string_agg(o.name, ' ' ORDER BY o.name COLLATE "C") AS "user mapping"
FROM providers p, mapping_options o
WHERE pg_temp.takes(format('CREATE USER MAPPING FOR PUBLIC SERVER kind_%s OPTIONS (%I %L)', p.name,
    o.name, o.value)) IS NOT NULL
GROUP BY 1 ORDER BY min(p.name COLLATE "C");
SELECT o.name AS "server option", string_agg(p.name, ' ' ORDER BY p.name COLLATE "C") AS providers
FROM server_options o, providers p
WHERE pg_temp.takes(format('ALTER SERVER kind_%s OPTIONS (ADD %I %L)', p.name, o.name,
    o.value)) IS NOT NULL
GROUP BY 1 ORDER BY min(o.name COLLATE "C");
ALTER SERVER kind_gemini OPTIONS (ADD authority_url 'https://sts.example.com');
CREATE USER MAPPING FOR PUBLIC SERVER kind_gemini OPTIONS (service_account '{}');
CREATE USER MAPPING FOR CURRENT_USER SERVER kind_gemini
OPTIONS (api_key 'k', client_secret 'not-to-be-seen');
CREATE USER MAPPING IF NOT EXISTS FOR PUBLIC SERVER kind_gemini
OPTIONS (access_key_id 'not-to-be-seen');
CREATE USER MAPPING FOR PUBLIC SERVER kind_gemini OPTIONS (api_key 'k');
ALTER USER MAPPING FOR PUBLIC SERVER kind_gemini
OPTIONS (DROP api_key, ADD service_account_file '/k');
ALTER USER MAPPING FOR PUBLIC SERVER kind_gemini OPTIONS (DROP api_key);

-- the provider stays as long as there is a user mapping, whose ever it is
ALTER SERVER kind_gemini OPTIONS (SET provider 'openai');
ALTER SERVER kind_gemini OPTIONS (DROP provider);
ALTER SERVER kind_gemini OPTIONS (DROP provider, ADD provider 'openai');
ALTER SERVER kind_gemini OPTIONS (SET provider 'gemini', ADD model 'm');
ALTER SERVER kind_gemini RENAME TO kind_renamed;
ALTER SERVER kind_renamed OWNER TO regress_batchinf_owner;
SET ROLE regress_batchinf_owner;
ALTER SERVER kind_renamed OPTIONS (SET provider 'openai');
DROP USER MAPPING FOR PUBLIC SERVER kind_renamed;
ALTER SERVER kind_renamed OPTIONS (SET provider 'anthropic', ADD auth 'bearer');
ALTER SERVER kind_renamed OPTIONS (SET provider 'openai');
ALTER SERVER kind_renamed OPTIONS (SET provider 'openai', DROP auth);
RESET ROLE;

-- a dump of 0.1.0 is restored whole, and nothing is sent with such a mapping
SET check_function_bodies = off;
CREATE SERVER old FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', api_version '1');
CREATE USER MAPPING FOR CURRENT_USER SERVER old
OPTIONS (service_account '{"private_key": "not-to-be-seen"}');
CREATE USER MAPPING FOR PUBLIC SERVER old OPTIONS (api_kye 'not-to-be-seen');
ALTER SERVER old OPTIONS (SET provider 'anthropic');
RESET check_function_bodies;
SELECT * FROM batch_check('old');
ALTER SERVER old OPTIONS (ADD model 'm');
ALTER SERVER old OPTIONS (ADD model 'm', DROP api_version);
ALTER USER MAPPING FOR CURRENT_USER SERVER old OPTIONS (ADD api_key 'k');
ALTER USER MAPPING FOR CURRENT_USER SERVER old OPTIONS (ADD api_key 'k', DROP service_account);

-- the event trigger belongs to the extension and looks at no other wrapper's servers
SELECT evtname, evtevent, evtfoid::regprocedure, evtenabled, evttags FROM pg_event_trigger
WHERE evtname LIKE 'batchinf%';
DROP EVENT TRIGGER batchinf_check_command;
SELECT batchinf.check_command();
SET ROLE regress_batchinf_owner;
ALTER EVENT TRIGGER batchinf_check_command DISABLE;
RESET ROLE;
CREATE FOREIGN DATA WRAPPER regress_batchinf_fdw;
CREATE SERVER s3 FOREIGN DATA WRAPPER regress_batchinf_fdw OPTIONS (provider 'openai');
CREATE USER MAPPING FOR PUBLIC SERVER s3 OPTIONS (service_account 's', colour 'red');
ALTER SERVER s3 OPTIONS (SET provider 'anthropic');
ALTER USER MAPPING FOR PUBLIC SERVER s3 OPTIONS (SET colour 'blue');
CREATE USER MAPPING FOR PUBLIC SERVER no_such_server OPTIONS (service_account 's');

-- where a superuser has disabled it, each use refuses all the same
ALTER EVENT TRIGGER batchinf_check_command DISABLE;
SELECT format('CREATE USER MAPPING FOR CURRENT_USER SERVER kind_%s OPTIONS (service_account %L)',
    name, '{"private_key": "not-to-be-seen"}')
FROM providers WHERE name NOT IN ('vertex', 'gemini')
UNION ALL SELECT 'CREATE USER MAPPING FOR CURRENT_USER SERVER kind_vertex '
                 'OPTIONS (api_key ''not-to-be-seen'')' \gexec
ALTER EVENT TRIGGER batchinf_check_command ENABLE;
SELECT p.name, c.status, c.detail FROM providers p, LATERAL batch_check(('kind_' || p.name)::name) c
WHERE p.name <> 'gemini' ORDER BY p.name COLLATE "C";
SET client_min_messages = warning;
DROP SERVER old, kind_openai, kind_azure_openai, kind_anthropic, kind_bedrock, kind_vertex,
    kind_renamed CASCADE;
RESET client_min_messages;

-- batch_check, as far as it goes without a network
SELECT * FROM batch_check('no_such_server');
SELECT * FROM batch_check('s3');
SET ROLE regress_batchinf_other;
SELECT * FROM batch_check('s1');
SELECT * FROM batch_check('s2');
RESET ROLE;
GRANT pg_read_server_files TO regress_batchinf_owner;
SET ROLE regress_batchinf_owner;
SELECT * FROM batch_check('s2');
SET ROLE regress_batchinf_reader;
SELECT * FROM batch_check('s2');
RESET ROLE;
ALTER USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (SET api_key_file '/');
SELECT * FROM batch_check('s1');
ALTER USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (DROP api_key_file);
SELECT * FROM batch_check('s1');
ALTER USER MAPPING FOR PUBLIC SERVER s1 OPTIONS (ADD api_key 'sk-1');
SELECT status FROM batch_check('s1');

SET client_min_messages = warning;
DROP SERVER s1, s2, s3, s4, anthropic, azure, vertex CASCADE;
DROP FOREIGN DATA WRAPPER regress_batchinf_fdw;
REVOKE USAGE ON FOREIGN DATA WRAPPER batchinf FROM regress_batchinf_owner;
DROP ROLE regress_batchinf_owner, regress_batchinf_reader, regress_batchinf_other;
