-- AWS signatures as base/sigv4.c makes them, offline. The vectors' signatures are those of AWS's
-- own signer, which
-- test/client/conformance-sigv4.mjs asks again.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set vectors :here '/fixtures/sigv4/vectors.json'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
CREATE TEMP TABLE vector AS SELECT n, v, v ->> 'name' AS name
  FROM jsonb_array_elements(convert_from(pg_read_binary_file(:'vectors'),
  'UTF8')::jsonb) WITH ORDINALITY AS e(v, n);
CREATE FUNCTION sign(v jsonb) RETURNS text LANGUAGE sql
  AS $$ SELECT unit_sigv4(convert_to(v::text, 'UTF8')) $$;
CREATE FUNCTION authorization_of(v jsonb) RETURNS text LANGUAGE sql AS $$ SELECT substring(sign(v)
  FROM '\nauthorization: ([^\n]*)\n$') $$;

-- every vector
SELECT CASE WHEN authorization_of(v) = v ->> 'authorization' THEN 'same' ELSE 'WRONG' END, name
  FROM vector ORDER BY n;
-- the six of the facts, signed by another of AWS's programs
SELECT right(authorization_of(v), 64), name FROM vector WHERE name ~ '^V[1-6] ' ORDER BY n;

-- the headers that are sent
SELECT E'\n' || sign(v) FROM vector WHERE name ~ '^V[124] ' ORDER BY n;
SELECT E'\n' || sign(v || '{"time":1709164800}') FROM vector WHERE name = 'session token in S3';

-- whatever changes, the signature does; nothing at all changes none
SELECT more, authorization_of(v || more::jsonb) <> v ->> 'authorization' AS other
  FROM vector, unnest(ARRAY['{}', '{"method":"PUT"}',
  '{"url":"https://bedrock.us-east-1.amazonaws.com/model-invocation-joB"}',
  '{"url":"https://bedrock.us-east-1.amazonaws.com:444/model-invocation-job"}',
  '{"url":"https://bedrock.us-east-1.amazonaws.com/model-invocation-job?a"}',
  '{"body":{"head":"{\"jobName\":\"j2\"}"}}', '{"headers":[["content-type","application/jsoN"]]}',
  '{"headers":[]}', '{"secret_key":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ"}',
  '{"session_token":"t"}', '{"region":"us-east-2"}', '{"service":"bedrocl"}', '{"time":1795168801}',
  '{"time":1795255200}', '{"s3":true}']) AS more
 WHERE name ~ '^V1 ';

-- what is not signed at all
SELECT sign(v || '{"url":"http://127.0.0.1:9000/bkt/k"}') FROM vector WHERE name ~ '^V4 ';
SELECT sign(v || '{"s3":false}') FROM vector WHERE name ~ '^V4 ';
SELECT sign(v || '{"payload":"abc"}') FROM vector WHERE name ~ '^V4 ';
SELECT sign(jsonb_set(v, '{payload}', to_jsonb(upper(v ->> 'payload')))) FROM vector
  WHERE name = 'hash given';
SELECT sign(v || '{"headers":[["X-Amz-Date","20261120T100000Z"]]}') FROM vector WHERE name ~ '^V1 ';
SELECT sign(v || '{"headers":[["Authorization","Bearer x"]]}') FROM vector WHERE name ~ '^V1 ';
SELECT sign(v || '{"url":"ftp://example.com/"}') FROM vector WHERE name ~ '^V1 ';
SELECT sign(v || '{"url":"https:///k"}') FROM vector WHERE name ~ '^V1 ';
SELECT sign(v || '{"url":"https://user@example.com/"}') FROM vector WHERE name ~ '^V1 ';
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
