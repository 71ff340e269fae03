-- Google's logins as provider/google*.c write and read them: what a mapping means, each step's
-- request, each reply; offline.
-- The assertions are node's, which test/client/conformance-jwt.mjs signs again.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set documents :here '/fixtures/google/documents.json'
\set keys :here '/fixtures/google/bad-keys.json'
\set assertions :here '/fixtures/google/assertions.json'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
CREATE TEMP TABLE document AS SELECT key AS name, value AS v
  FROM json_each(convert_from(pg_read_binary_file(:'documents'), 'UTF8')::json);
CREATE TEMP TABLE bad_key AS SELECT key AS name, value AS pem
  FROM json_each_text(convert_from(pg_read_binary_file(:'keys'), 'UTF8')::json);
CREATE TEMP TABLE assertion AS SELECT n, v
  FROM json_array_elements(convert_from(pg_read_binary_file(:'assertions'),
  'UTF8')::json) WITH ORDINALITY AS e(v, n);
CREATE FUNCTION short(text) RETURNS text LANGUAGE sql AS
  $$ SELECT regexp_replace(regexp_replace($1, '-----BEGIN [^"]*', '<key>', 'g'),
  'assertion=[^&]*', 'assertion=<jwt>') $$;
-- key: of the mapping; host: what the machine has, where the mapping may use it
CREATE FUNCTION secret(key jsonb, host jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS
  $$ SELECT unit_secret(convert_to(jsonb_strip_nulls(jsonb_build_object('server',
  '{"provider":"vertex"}'::jsonb, 'key', key, 'host', host))::text, 'UTF8')) $$;
CREATE FUNCTION of_document(v jsonb, host jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS
  $$ SELECT secret(jsonb_build_object('service_account', v::text), host) $$;
CREATE FUNCTION doc(name text) RETURNS jsonb LANGUAGE sql AS $$ SELECT v::jsonb FROM document AS d
  WHERE d.name = $1 $$;
-- a login's call: of that secret, from that cursor
CREATE FUNCTION call(secret text, cursor text DEFAULT NULL, more jsonb DEFAULT '{}',
  server jsonb DEFAULT '{}') RETURNS bytea LANGUAGE sql AS
  $$ SELECT convert_to((jsonb_strip_nulls(jsonb_build_object('server',
  '{"provider":"vertex"}'::jsonb || server, 'secret', secret, 'cursor', cursor)) || more)::text,
  'UTF8') $$;
CREATE FUNCTION login(secret text, cursor text DEFAULT NULL, more jsonb DEFAULT '{}',
  server jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
  $$ SELECT E'\n' || short(unit_request('login', call(secret, cursor, more, server))) $$;
CREATE FUNCTION reply(secret text, status int, body text, cursor text DEFAULT NULL,
  more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
  $$ SELECT unit_reply('login', call(secret, cursor, jsonb_build_object('status', status) || more),
  convert_to(body, 'UTF8')) $$;

-- the assertion: the same as node's, for two times, for a key in its old form without an id
SELECT a.v ->> 'document', a.v ->> 'now', substring(unit_request('login', call((SELECT d.v::text
  FROM document AS d WHERE d.name = a.v ->> 'document'),
  more => jsonb_build_object('now', a.v -> 'now'))) FROM 'assertion=([^&]*)')
  = a.v ->> 'assertion' AS same FROM assertion AS a ORDER BY n;
-- what is in it
SELECT convert_from(decode(translate(part, '-_', '+/') || repeat('=', -length(part) & 3), 'base64'),
  'UTF8')
  FROM unnest((string_to_array(substring(unit_request('login', call(doc('account')::text))
  FROM 'assertion=([^&]*)'), '.'))[1:2]) AS part;
SELECT substring(unit_request('login', call(doc('account')::text))
  FROM 'assertion=([^&]*)') ~ '^[\w-]+[.][\w-]+[.][\w-]+$' AS base64url;
-- a name that JSON and base64url must escape
SELECT convert_from(decode(translate(part, '-_', '+/') || repeat('=', -length(part) & 3), 'base64'),
  'UTF8')
  FROM split_part(substring(unit_request('login', call((doc('account')
  || '{"client_email":"a\"b\\\u00fc?>~~~\u000a@x"}')::text)) FROM 'assertion=([^&]*)'),
  '.', 2) AS part;

-- which credential a mapping means: its own document, else the machine's file, else the machine's
-- account
SELECT short(of_document(doc('account'))) = short(doc('account')::text) AS "the document itself";
SELECT secret('{}');
SELECT secret('{"credential_source":"static"}');
SELECT secret('{}', '{}');
SELECT secret('{}', jsonb_build_object('variables', jsonb_build_object('GCE_METADATA_HOST', name)))
  FROM unnest('{127.0.0.1:8080,metadata.google.internal,http://gce:80}'::text[]) AS name;
SELECT secret('{}', '{"variables":{"GCE_METADATA_HOST":"n\u00e4her"}}');
SELECT secret('{"credential_source":"instance"}',
  '{"variables":{"GOOGLE_APPLICATION_CREDENTIALS":"/k.json"}}');
SELECT secret('{"credential_source":"instance"}');
SELECT secret('{"credential_source":"environment"}');
SELECT secret('{"credential_source":"environment"}', '{}');
SELECT secret('{"credential_source":"environment"}',
  '{"variables":{"GOOGLE_APPLICATION_CREDENTIALS":"/k.json"}}');
SELECT source, secret(jsonb_build_object('credential_source', source),
    jsonb_build_object('variables', '{"GOOGLE_APPLICATION_CREDENTIALS":"/k.json"}'::jsonb,
      'files', jsonb_build_object('/k.json', doc('user')::text)))::jsonb = doc('user')
    AS "the machine's file"
  FROM unnest('{NULL,environment}'::text[]) AS source;
SELECT secret(jsonb_build_object('credential_source', source),
  '{}') FROM unnest('{web_identity,container}'::text[]) AS source;
-- a federated identity comes with the token that its file has now
SELECT (secret::jsonb - 'subject_token') = doc('file') AS "the document",
  secret::jsonb -> 'subject_token' FROM of_document(doc('file'),
  '{"files":{"/var/run/token":"eyJhbGciOiJub25lIn0.e30.\r\n"}}') AS secret;
SELECT secret::jsonb -> 'subject_token' FROM of_document(doc('file, json'),
  '{"files":{"/var/run/token.json":"{\"id_token\":\"eyJ.x.y\",\"other\":1}"}}') AS secret;
SELECT of_document(doc('file'));
SELECT of_document(doc('file'), '{}');
SELECT of_document(doc('file'), '{"files":{"/var/run/token":"two words"}}');
SELECT text, of_document(doc('file, json'),
  jsonb_build_object('files', jsonb_build_object('/var/run/token.json', text)))
  FROM unnest(ARRAY['eyJ.x.y', '{}', '{"id_token":5}', '{"id_token":""}', '{"id_token":"a\u0000b"}',
  '{"id_token":null}', '[]']) AS text;
SELECT of_document(doc('url'))::jsonb = doc('url') AS "an address needs no file";
SELECT split_part(login(of_document(jsonb_set(doc('url'), '{credential_source,file}', file))),
  E'\n', 2) FROM unnest(ARRAY['5', 'null', '[]', '""']::jsonb[]) AS file;

-- documents that are none
SELECT text, secret(jsonb_build_object('service_account', text))
  FROM unnest(ARRAY['{}', '[]', '{"type":5}', '{"type":null}', '{"type":"gdch_service_account"}',
  '{"type":"impersonated_service_account"}',
  '{"type":"instance","url":"http://169.254.169.254"}', '{"type":"service_account"',
  '{"type":"service_account"}', '{"type":"authorized_user","client_id":"a","client_secret":"b"}',
  '{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"\u0000"}',
  '{"type":"external_account"}']) AS text;
SELECT missing, of_document(doc('account') - missing)
  FROM unnest('{client_email,private_key}'::text[]) AS missing;
SELECT value, of_document(doc('account') || jsonb_build_object('client_email', value))
  FROM unnest(ARRAY['5', '""', '[]', 'null', '"a\u0000b"']::json[]) AS v, to_jsonb(v) AS value
  WHERE v::text !~ 'u0000'
  UNION ALL SELECT NULL, secret(jsonb_build_object('service_account', replace(doc('account')::text,
  'batch@', 'batch\u0000@')));
SELECT name, of_document(doc('account') || jsonb_build_object('private_key', pem))
  FROM bad_key ORDER BY name COLLATE "C";
SELECT missing, of_document(doc('url') - missing)
  FROM unnest('{audience,subject_token_type,credential_source}'::text[]) AS missing;
SELECT source, of_document(jsonb_set(doc('url'), '{credential_source}', source))
  FROM unnest(ARRAY['{}', '[]', '{"executable":{"command":"/bin/id"}}',
  '{"environment_id":"aws1",'
  '"url":"http://169.254.169.254/latest/meta-data/iam/security-credentials"}',
  '{"certificate":{"use_default_certificate_config":true}}',
  '{"url":"https://a","format":{"type":"xml"}}', '{"url":"https://a","format":{"type":"json"}}',
  '{"url":"https://a","headers":{"A":5}}', '{"url":"https://a","headers":{"A":"b\r\nHost: c"}}',
  '{"url":"https://a","headers":{"A: b\r\nHost":"c"}}', '{"url":"https://a","headers":{"":"c"}}',
  '{"file":5,"url":""}']::jsonb[]) AS source;

-- the requests
SELECT login(doc('account')::text);
SELECT login(doc('account, old key form, no key id, no address')::text);
SELECT login(doc('user')::text);
SELECT login((doc('file') || '{"subject_token":"eyJ.x.y"}')::text);
SELECT login(doc('url')::text);
SELECT login(doc('url')::text, '{"subject_token":"eyJ.x.y"}');
SELECT login((doc('file, json') || '{"subject_token":"eyJ.x.y"}')::text,
  '{"bearer":"ya29.federated"}');
SELECT login('{"type":"instance","url":"http://metadata.google.internal"}',
  server => '{"may_use_host":true}');
-- where the server names the authority, it is asked there; the audience stays Google's
SELECT login((doc(name) || '{"subject_token":"eyJ.x.y"}')::text,
  server => '{"authority_url":"https://gw.example.com/google/"}')
  FROM unnest('{account,user,file}'::text[]) AS name;
SELECT convert_from(decode(translate(part, '-_', '+/') || repeat('=', -length(part) & 3), 'base64'),
  'UTF8')::json ->> 'aud' FROM
  split_part(substring(unit_request('login', call(doc('account')::text,
  server => '{"authority_url":"https://gw.example.com/google/"}')) FROM 'assertion=([^&]*)'),
  '.', 2) AS part;

-- what the network may be asked for: a document's addresses no more than its mapping may; a
-- server's as the server may
SELECT d.name, host, authority, coalesce(substring(unit_request('login', call(d.v || d.more,
  d.cursor, '{"allow_http":true}',
    jsonb_build_object('may_use_host', host)
    || CASE WHEN authority THEN '{"authority_url":"http://10.0.0.1"}' ELSE '{}' END::jsonb))
    FROM '\(may ask ([^)]*)\)'), 'outer addresses by https')
  FROM (VALUES (1, 'account', NULL), (2, 'user', NULL), (3, 'file', NULL), (4, 'url', NULL),
  (5, 'url, azure', NULL), (6, 'url', '{"subject_token":"eyJ.x.y"}'),
  (7, 'file, json', '{"bearer":"ya29.federated"}'), (8, 'instance', NULL)) AS c(n, name, cursor)
  CROSS JOIN LATERAL (SELECT c.name, c.cursor, ''
  AS more, CASE c.name WHEN 'instance' THEN '{"type":"instance","url":"http://10.0.0.1"}' ELSE
  (doc(c.name) || '{"subject_token":"eyJ.x.y"}')::text END AS v) AS d
  CROSS JOIN (VALUES (false), (true)) AS h(host) CROSS JOIN (VALUES (false),
  (true)) AS a(authority) ORDER BY n, host, authority;
-- the metadata service for no other address than its own
SELECT url, coalesce(substring(unit_request('login', call(jsonb_set(doc('url'),
  '{credential_source,url}', to_jsonb(url))::text, server => '{"may_use_host":true}'))
  FROM '\(may ask ([^)]*)\)'), 'outer addresses by https')
  FROM unnest('{http://169.254.169.254/x,http://169.254.169.254.example.com/x,'
  'http://169.254.169.254@example.com/x,http://169.254.170.2/x,https://169.254.169.254/x}'::text[])
  AS url;

-- replies with a token
SELECT reply(doc('account')::text, 200,
  '{"access_token":"ya29.a","expires_in":3599,"token_type":"Bearer"}');
SELECT reply(doc('user')::text, 200,
  '{"access_token":"ya29.a","expires_in":3599,"scope":"x","token_type":"Bearer"}');
SELECT reply(doc('file')::text, 200,
  '{"access_token":"ya29.d","issued_token_type":"x","expires_in":3599}');
SELECT reply(doc('file, json')::text, 200,
  '{"access_token":"ya29.d","issued_token_type":"x","expires_in":3599}');
SELECT reply(doc('file, json')::text, 200,
  '{"accessToken":"ya29.e","expireTime":"2026-11-20T10:30:00Z"}', '{"bearer":"ya29.d"}');
SELECT reply(doc('url')::text, 200, '{"value":"eyJ.x.y"}');
SELECT reply((doc('url') #- '{credential_source,format}')::text, 200, E'eyJ.x.y\r\n');
SELECT reply('{"type":"instance"}', 200,
  '{"access_token":"ya29.m","expires_in":1800,"token_type":"Bearer"}',
  more => '{"headers":"Metadata-Flavor: Google"}');
-- lives that are odd
SELECT life, reply(doc('account')::text, 200, format('{"access_token":"t","expires_in":%s}',
  life))::json ->> 'lifetime'
  FROM unnest('{-5,0,1e9,99999999999999999999,"3599",null,3599.5,86401}'::text[]) AS life;
SELECT life, reply(doc('file, json')::text, 200, format('{"accessToken":"t","expireTime":%s}',
  life), '{"bearer":"b"}')::json ->> 'lifetime'
  FROM unnest('{"\"2026-11-20T09:59:59Z\"","\"2026-11-20T10:00:01.999999999Z\"",'
  '"\"2027-11-20T10:00:00Z\"","\"soon\"",5,null}'::text[]) AS life;
-- and with none: it is tried again later
SELECT body, reply(doc('account')::text, 200, body)
  FROM unnest(ARRAY['', '{}', '[]', 'null', '{"access_token":null}', '{"access_token":""}',
  '{"access_token":5}', '{"access_token":["a"]}', '{"access_token":"a\nb"}',
  '{"access_token":"a\u0000b"}', '{"access_token":"a b"}', '<html>', '{"access_token":"a"',
  '{"accessToken":"a"}']) AS body;
SELECT body, reply(doc('url')::text, 200, body) FROM unnest(ARRAY['', 'eyJ.x.y', '{"value":null}',
  '{"value":"a b"}', '{"value":""}', '{"Value":"x"}']) AS body;
SELECT reply(doc('file, json')::text, 200, '{"access_token":"ya29.d"}', '{"bearer":"ya29.d"}');
SELECT reply('{"type":"instance"}', 200, '{"access_token":"ya29.m","expires_in":1800}');
SELECT reply('{"type":"instance"}', 0, '',
  more => '{"transport":"unsent","cause":2,"detail":"no route"}');
SELECT reply('{"type":"instance"}', 200, '{"access_token":"ya29.m","expires_in":1800}',
  more => '{"headers":"Metadata-Flavor: Amazon"}');

-- refusals, and what to do about them
SELECT reply(doc(name)::text, status, format('{"error":"%s","error_description":"%s"}', error,
  words)) FROM (VALUES
  (1, 'account', 400, 'invalid_grant', 'Invalid JWT Signature.'),
  (2, 'account', 400, 'invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes)'
  ' and in a reasonable timeframe. Check your iat and exp values in the JWT claim.'),
  (3, 'account', 400, 'invalid_grant', 'Invalid grant: account not found'),
  (4, 'account', 401, 'disabled_client', 'The OAuth client was disabled.'),
  (5, 'account', 400, 'invalid_grant', 'Account has been deleted'),
  (6, 'account', 400, 'invalid_grant', 'Invalid JWT: Failed audience check.'),
  (7, 'account', 401, 'unauthorized_client', 'Client is unauthorized to retrieve access tokens '
  'using this method, or client not authorized for any of the scopes requested.'),
  (8, 'user', 400, 'invalid_grant', 'Token has been expired or revoked.'),
  (9, 'user', 400, 'invalid_grant', 'reauth related error (invalid_rapt)'),
  (10, 'user', 401, 'invalid_client', 'Unauthorized'),
  (11, 'file', 400, 'invalid_target',
  'The target service indicated by the \"audience\" parameters is invalid.'),
  (12, 'file', 400, 'invalid_grant', 'ID Token issued at 1 is stale to sign-in.'),
  (13, 'file', 400, 'invalid_grant',
  'The credential could not be verified by the identity provider.'))
  AS c(n, name, status, error, words) ORDER BY n;
SELECT reply(doc('file, json')::text, 403, '{"error":{"code":403,'
  '"message":"Permission ''iam.serviceAccounts.getAccessToken'' denied on resource (or it may not '
  'exist).","status":"PERMISSION_DENIED"}}', '{"bearer":"b"}');
SELECT reply(doc('file, json')::text, 400,
  '{"error":{"code":400,"message":"Gaia id not found for email x","status":"NOT_FOUND"}}',
  '{"bearer":"b"}');
SELECT reply(doc('url')::text, 404, '{"error":"no_such_identity"}');
SELECT status, reply('{"type":"instance"}', status, '<!DOCTYPE html><title>Error</title>',
  more => '{"headers":"Metadata-Flavor: Google"}') FROM unnest('{403,404,500}'::int[]) AS status;
-- load and broken lines pass
SELECT status, reply(doc('account')::text, status,
  '{"error":"internal_failure","error_description":"Backend Error"}')
  FROM unnest('{429,500,503,408,302}'::int[]) AS status;
SELECT reply(doc('account')::text, 0, '',
  more => '{"transport":"unsent","cause":2,"detail":"could not connect"}');
SELECT reply(doc('account')::text, 0, '', more => '{"transport":"broken","cause":5}');
-- odd ones
SELECT body, reply(doc('account')::text, 400, body)
  FROM unnest(ARRAY['', '{}', '<html>no</html>', '{"error":null}', '{"error":5}', '{"error":["a"]}',
  '{"error":{"message":5}}', '{"error":"a\u0000b","error_description":"x\u0000y\nz"}',
  'plain words']) AS body;
-- nobody who quotes an assertion is quoted
SELECT reply(doc('account')::text, 400,
  format('{"error":"invalid_grant","error_description":"cannot read %s, sorry"}',
  substring(unit_request('login', call(doc('account')::text)) FROM 'assertion=([^&]*)')));
SELECT reply(doc('account')::text, 400, format('cannot read %s, sorry',
  substring(unit_request('login', call(doc('account')::text)) FROM 'assertion=([^&]*)')));

-- the proof in a request, with the project that pays where a document names one
SELECT unit_request('poll', convert_to('{"server":{"provider":"vertex","project":"p",'
  '"location":"global"},"secret":"ya29.a","chunk":{"batch_id":"2"}}', 'UTF8'));
SELECT unit_request('poll', convert_to('{"server":{"provider":"vertex","project":"p",'
  '"location":"global"},"secret":"{\"bearer\":\"ya29.a\",\"project\":\"proj-1\"}",'
  '"chunk":{"batch_id":"2"}}', 'UTF8'));
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
