-- AWS's credentials as provider/aws*.c find them, ask for them and sign with them: what a mapping
-- means, each request, each reply; offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set fixtures :here '/fixtures/aws/'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
SELECT set_config('unit.fixtures', :'fixtures', false) IS NOT NULL;
-- key: of the mapping; host: what the machine has, where the mapping may use it
CREATE FUNCTION secret(key jsonb, host jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS
  $$ SELECT unit_secret(convert_to(jsonb_strip_nulls(jsonb_build_object('server',
  '{"provider":"bedrock","region":"us-east-1"}'::jsonb, 'key', key, 'host', host))::text,
  'UTF8')) $$;
CREATE FUNCTION machine(variables jsonb, files jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql
  AS $$ SELECT jsonb_build_object('variables', variables, 'files', files) $$;
CREATE FUNCTION call(more jsonb, server jsonb DEFAULT '{}') RETURNS bytea LANGUAGE sql AS
  $$ SELECT convert_to((jsonb_build_object('server',
  '{"provider":"bedrock","region":"us-east-1","role_arn":"arn:aws:iam::123456789012:role/Batch",'
  '"storage_url":"s3://bkt/in"}'::jsonb || server) || more)::text, 'UTF8') $$;
CREATE FUNCTION login(secret text, cursor text DEFAULT NULL, server jsonb DEFAULT '{}')
  RETURNS text LANGUAGE sql AS
  $$ SELECT E'\n' || coalesce(unit_request('login',
  call(jsonb_strip_nulls(jsonb_build_object('secret', secret, 'cursor', cursor)), server)),
  'none: it is the proof') $$;
CREATE FUNCTION reply(secret text, status int, body bytea, cursor text DEFAULT NULL,
  more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
  $$ SELECT unit_reply('login', call(jsonb_strip_nulls(jsonb_build_object('secret', secret,
  'cursor', cursor, 'status', status)) || more), body) $$;
CREATE FUNCTION file(name text) RETURNS bytea LANGUAGE sql
  AS $$ SELECT pg_read_binary_file(current_setting('unit.fixtures') || name) $$;
CREATE TEMP TABLE keys
  AS SELECT '{"access_key_id":"AKIDSTATIC","secret_access_key":"static/secret"}'::jsonb
  AS static, '{"AWS_ACCESS_KEY_ID":"AKIDENV","AWS_SECRET_ACCESS_KEY":"env/secret"}'::jsonb AS env,
  '{"AWS_WEB_IDENTITY_TOKEN_FILE":"/var/run/token",'
  '"AWS_ROLE_ARN":"arn:aws:iam::123456789012:role/Caller"}'::jsonb
  AS web, '{"/var/run/token":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}'::jsonb AS files,
  '{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI":"/v2/credentials/uuid"}'::jsonb
  AS task, '{"AWS_CONTAINER_CREDENTIALS_FULL_URI":"http://169.254.170.23/v1/credentials",'
  '"AWS_CONTAINER_AUTHORIZATION_TOKEN":"Basic dG9rZW4="}'::jsonb AS pod,
  '{"AWS_EC2_METADATA_DISABLED":"true"}'::jsonb AS off;

-- the mapping's own keys, which need no machine
SELECT secret(static) FROM keys;
SELECT secret(static || '{"session_token":"TOK/EN=="}') FROM keys;
SELECT secret(static || '{"credential_source":"static"}', machine(env)) FROM keys;
SELECT secret('{"credential_source":"static"}', machine(env)) FROM keys;
-- they go before the machine's, and so does their API key
SELECT secret(static, machine(env || web || task
  || '{"AWS_BEARER_TOKEN_BEDROCK":"bedrock-api-key-env"}')) FROM keys;
SELECT secret(static || '{"api_key":"bedrock-api-key-1"}',
  machine('{"AWS_BEARER_TOKEN_BEDROCK":"bedrock-api-key-env"}')) FROM keys;

-- where the machine is not for the mapping: words for who must do what
SELECT secret('{}');
SELECT secret('{"api_key":"bedrock-api-key-1"}');
SELECT source, secret(jsonb_build_object('credential_source', source))
  FROM unnest('{static,environment,web_identity,container,instance}'::text[]) AS source;

-- the machine's, in the order in which AWS's tools look
SELECT n, coalesce(secret::jsonb ->> 'source', secret::jsonb ->> 'AccessKeyId') FROM keys,
  LATERAL (VALUES (1, env || web || task || pod), (2, web || task || pod), (3, task || pod),
  (4, pod), (5, '{}')) AS v(n, variables), LATERAL secret('{}', machine(variables, files))
  AS secret ORDER BY n;
SELECT secret('{}', machine(off)) FROM keys;
-- or the one that is named, whatever else there is
SELECT source, coalesce(secret::jsonb ->> 'source', secret::jsonb ->> 'AccessKeyId')
  FROM keys, unnest('{environment,web_identity,container,instance}'::text[]) AS source,
  LATERAL secret(jsonb_build_object('credential_source', source),
  machine(env || web || task, files)) AS secret;
SELECT source, secret(jsonb_build_object('credential_source', source),
  machine(off)) FROM keys, unnest('{environment,web_identity,container,instance}'::text[])
  AS source;

-- the environment
SELECT secret('{}', machine(env ||
  '{"AWS_SESSION_TOKEN":"TOK/EN==","AWS_BEARER_TOKEN_BEDROCK":"bedrock-api-key-env"}')) FROM keys;
SELECT secret('{"credential_source":"web_identity"}',
    machine(env || web || '{"AWS_BEARER_TOKEN_BEDROCK":"bedrock-api-key-env"}', files))::jsonb
    ? 'bearer' AS "the environment's API key" FROM keys;
SELECT secret('{"api_key":"bedrock-api-key-1"}',
  machine(env || '{"AWS_BEARER_TOKEN_BEDROCK":"bedrock-api-key-env"}')) FROM keys;
SELECT secret('{}', machine('{"AWS_ACCESS_KEY_ID":"AKIDENV"}')),
  secret('{}',
  machine('{"AWS_SECRET_ACCESS_KEY":"env/secret","AWS_EC2_METADATA_DISABLED":"TRUE"}'));
SELECT secret('{}', machine(env || jsonb_build_object(name, E'a b\nc')))
  FROM keys,
  unnest('{AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY,AWS_SESSION_TOKEN,AWS_BEARER_TOKEN_BEDROCK}'::
  text[]) AS name;

-- a web identity: the token that its file has now
SELECT secret('{}', machine(web, files)) FROM keys;
SELECT secret('{}', machine(web || '{"AWS_ROLE_SESSION_NAME":"nightly"}',
  files))::jsonb ->> 'RoleSessionName' FROM keys;
SELECT secret('{}', machine(web)) FROM keys;
SELECT secret('{}', machine(web - 'AWS_ROLE_ARN', files)) FROM keys;
SELECT secret('{}', machine(web, '{"/var/run/token":"eyJ.\r\nX-Evil: 1"}')) FROM keys;
SELECT login(secret, server => server)
  FROM keys, secret('{}', machine(web || '{"AWS_ROLE_SESSION_NAME":"a=b@c"}', files)) AS secret,
  unnest('{"{}","{\"region\":\"cn-north-1\"}","{\"region\":\"eu-central-1\",'
  '\"authority_url\":\"https://vpce-1.sts.eu-central-1.vpce.amazonaws.com/\"}"}'::jsonb[])
  AS server;

-- a container
SELECT name, E'\n' || secret, login(secret) FROM keys, LATERAL (VALUES ('ECS', task, '{}'),
  ('EKS', pod, '{}'), ('EKS by file', pod || '{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE":"/pod"}',
  '{"/pod":"eyJ.e30.pod"}')) AS v(name, variables, found),
  LATERAL secret('{"credential_source":"container"}', machine(variables, found::jsonb)) AS secret;
-- plain http is for the machine and for the two addresses of AWS
SELECT coalesce(secret::jsonb ->> 'url', 'refused')
  FROM unnest('{http://localhost/x,http://LocalHost:1338/x,http://127.0.0.1/x,'
  'http://127.1.2.3:80/x,http://[::1]/x,http://169.254.170.2/x,http://169.254.170.23/x,'
  'http://[fd00:ec2::23]/x,https://creds.example.com/x}'::text[]) AS url,
  LATERAL secret('{}', machine(jsonb_build_object('AWS_CONTAINER_CREDENTIALS_FULL_URI', url)))
  AS secret;
SELECT url, secret('{}', machine(jsonb_build_object('AWS_CONTAINER_CREDENTIALS_FULL_URI', url)))
  FROM unnest('{http://169.254.169.254/x,http://10.0.0.1/x,http://[fd00:ec2::254]/x,
  http://127.0.0.1.example.com/x,http://localhost.example.com/x,
  http://127.0.0.1@example.com/x,http://127.0.0.1#@example.com/,file:///etc/passwd,//x}'::text[])
    AS url;
SELECT path, secret('{}', machine(jsonb_build_object('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  path))) FROM unnest('{v2/credentials/uuid,@example.com/x,:80@example.com/x,/x?y}'::text[])
  AS path;
SELECT secret('{}', machine(pod || '{"AWS_CONTAINER_AUTHORIZATION_TOKEN":"a\r\nX-Evil: 1"}'))
  FROM keys;
SELECT secret('{}', machine(pod || '{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE":"/lost"}')) FROM keys;

-- an instance: its token, its role, its credentials
SELECT secret('{}', machine('{}')), secret('{"credential_source":"instance"}', machine('{}'));
SELECT secret('{"credential_source":"instance"}',
  machine('{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE":"IPv6"}')),
  secret('{"credential_source":"instance"}',
  machine('{"AWS_EC2_METADATA_SERVICE_ENDPOINT":"http://127.0.0.1:1338/"}'));
SELECT secret('{"credential_source":"instance"}',
  machine('{"AWS_EC2_METADATA_SERVICE_ENDPOINT":"169.254.169.254"}'));
SELECT secret('{"credential_source":"instance"}', machine(off)) FROM keys;
\set instance '{"source":"instance","url":"http://169.254.169.254/","bearer":"bedrock-api-key-1"}'
\set last '{"source":"instance","url":"http://169.254.169.254","before":"here and there"}'
SELECT login(:'instance', cursor) FROM
  unnest('{NULL,"{\"Token\":\"AQAA==\"}","{\"Token\":\"AQAA==\",\"role\":\"Caller\"}"}'::text[])
  AS cursor;
SELECT login('{"AccessKeyId":"AKIDSTATIC","SecretAccessKey":"static/secret"}');

-- STS's replies
\set web '{"source":"web_identity","RoleArn":"arn:aws:iam::123456789012:role/Caller",'
\set web :web '"RoleSessionName":"batchinf","WebIdentityToken":"eyJ","bearer":"bedrock-api-key-1"}'
SELECT status, name, reply(:'web', status, file(name)) FROM (VALUES (1, 200, 'sts.xml'),
  (2, 200, 'sts-part.xml'), (3, 200, 'sts-broken.xml'), (4, 200, 'container.json'),
  (5, 403, 'sts-denied.xml'), (6, 400, 'sts-expired.xml'), (7, 400, 'sts-invalid.xml'),
  (8, 400, 'sts-provider.xml'), (9, 400, 'sts-throttled.xml'), (10, 403, 'sts-region.xml'),
  (11, 500, 'sts-internal.xml'), (12, 503, 'container.json'), (13, 404, 'container.json'),
  (14, 302, 'sts.xml')) AS t(n, status, name) ORDER BY n;
SELECT reply(:'web', 0, '', more => '{"transport":"unsent","cause":1,"detail":"Could not resolve '
  'host: sts.us-east-1.amazonaws.com"}');
-- those of a container
\set task '{"source":"container","url":"http://169.254.170.2/v2/credentials/uuid"}'
SELECT status, name, reply(:'task', status, file(name)) FROM (VALUES (1, 200, 'container.json'),
  (2, 200, 'container-bare.json'), (3, 400, 'container-error.json'), (4, 401, 'sts.xml'),
  (5, 500, 'container-error.json'), (6, 429, 'container-error.json'),
  (7, 200, 'sts.xml'), (8, 200, 'container-error.json')) AS t(n, status, name) ORDER BY n;
SELECT reply(:'task', 0, '', more =>
  '{"transport":"unsent","cause":2,"detail":"Connection refused"}');
-- and of an instance, where it was named and where it is the last resort
SELECT status, body, reply(:'instance', status, body::bytea, NULL) FROM (VALUES (1, 200, 'AQAA=='),
  (2, 200, E'AQAA==\n'), (3, 200, ''), (4, 200, 'A B'), (5, 403, ''), (6, 404, '<html>'),
  (7, 503, '')) AS t(n, status, body) ORDER BY n;
SELECT status, body, reply(:'instance', status, convert_to(body, 'UTF8'), '{"Token":"AQAA=="}')
  FROM (VALUES (1, 200, 'Caller'), (2, 200, E'Caller\nOther'), (3, 200, 'a.b_c+d=e,f@g-h'),
  (4, 200, ''), (5, 200, '../../x'), (6, 200, 'a/b'), (7, 200, '<html>'), (8, 404, ''),
  (9, 401, ''), (10, 500, '')) AS t(n, status, body) ORDER BY n;
SELECT status, name, reply(:'instance', status, file(name), '{"Token":"AQAA==","role":"Caller"}')
  FROM (VALUES (1, 200, 'role.json'), (2, 200, 'role-ended.json'), (3, 200, 'role-timeless.json'),
  (4, 200, 'role-unauthorized.json'), (5, 200, 'container-error.json'), (6, 404, 'role.json'),
  (7, 401, 'role.json')) AS t(n, status, name) ORDER BY n;
SELECT reply(:'last', status, body::bytea) FROM (VALUES (1, 200, 'AQAA=='), (2, 403, ''),
  (3, 404, ''), (4, 500, '')) AS t(n, status, body) ORDER BY n;
SELECT transport, reply(secret, 0, '', more => format('{"transport":"%s","cause":%s,"detail":"%s"}',
  transport, cause, detail)::jsonb) FROM (VALUES (1, 'unsent', 2, 'Connection timed out'),
  (2, 'broken', 5, 'no bytes came')) AS t(n, transport, cause, detail), (VALUES (:'instance'),
  (:'last')) AS s(secret) ORDER BY n, secret;

-- how long they last, seen from 10:00
SELECT expiration, reply(:'task', 200, convert_to(
    format('{"AccessKeyId":"A","SecretAccessKey":"S","Expiration":%s}', expiration), 'UTF8'))::jsonb
    -> 'lifetime'
  FROM unnest('{"\"2026-11-20T10:00:01Z\"","\"2026-11-20T10:15:00.999Z\"",
    "\"2026-11-20T11:00:00+00:00\"","\"2026-11-30T10:00:00Z\"","\"2026-11-20T09:00:00Z\"",
    "\"2026-13-20T11:00:00Z\"","\"2026-11-20 11:00:00Z\"","\"2026-11-20T11:00:00\"",
    "\"2026-11-20T11:00:00+01:00\"","\"\"","1795172400","null"}'::text[])
    WITH ORDINALITY AS t(expiration, n)
  ORDER BY n;

-- signatures: of Bedrock with its body, of S3 without it over https, with it over http; an API key
-- goes before, but not in S3
\set keys '{"AccessKeyId":"AKIDEXAMPLE",'
\set keys :keys '"SecretAccessKey":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",'
\set proof :keys '"Token":"TOK/EN=="}'
\set bearer :keys '"bearer":"bedrock-api-key-1"}'
SELECT routine, name, E'\n' || unit_request(routine, call(jsonb_build_object('secret', secret,
  'chunk',
  '{"batch_id":"abcdefghijkl","refs":{"input":"s3://bkt/in/a.jsonl","output":"s3://bkt/out/"}}'::
  jsonb), server::jsonb))
  FROM (VALUES (1, 'poll', 'session', :'proof', '{}'), (2, 'poll', 'API key', :'bearer', '{}'),
  (3, 'upload', 'https', :'bearer', '{}'),
  (4, 'upload', 'http', :'bearer', '{"storage_base_url":"http://127.0.0.1:9000"}'))
  AS t(n, routine, name, secret, server) ORDER BY n;

-- whose jobs they see: all keys of an account in a region
SELECT secret, unit_account(call('{}', server::jsonb), secret) FROM (VALUES (1, :'proof', '{}'),
  (2, :'bearer', '{}'), (3, :'web', '{"role_arn":"arn:aws:iam::123456789012:role/path/Other"}'),
  (4, :'web', '{"region":"eu-central-1"}'),
  (5, :'web', '{"role_arn":"arn:aws-cn:iam::210987654321:role/x"}'),
  (6, :'web', '{"role_arn":"nonsense"}'), (7, :'web', '{"role_arn":""}'))
  AS t(n, secret, server) ORDER BY n;
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
