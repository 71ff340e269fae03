-- What provider/bedrock_store.c, s3*.c and xml.c write to an object store and read from it,
-- offline: addresses, requests, errors, lists, hostile documents; and the turns of batch_check.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set fixtures :here '/fixtures/bedrock/'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
SELECT set_config('unit.fixtures', :'fixtures', false) IS NOT NULL;
-- every call is this server's; more are members of the call
CREATE FUNCTION call(more jsonb DEFAULT '{}') RETURNS bytea LANGUAGE sql AS
  $$ SELECT convert_to(jsonb_set(jsonb_set('{"secret":"{\"AccessKeyId\":\"AKIDEXAMPLE\",'
  '\"SecretAccessKey\":\"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\",\"bearer\":\"APIKEY\"}"}'
  || more,
       '{server}', '{"provider":"bedrock","region":"us-east-1",'
       '"role_arn":"arn:aws:iam::123456789012:role/r","storage_url":"s3://bkt/jobs/"}'
       || coalesce(more -> 'server', '{}')),
       '{chunk}', '{"batch_id":"abcdef123456"}' || coalesce(more -> 'chunk', '{}'))::text,
       'UTF8') $$;
CREATE FUNCTION file(name text) RETURNS bytea LANGUAGE sql
  AS $$ SELECT pg_read_binary_file(current_setting('unit.fixtures') || name) $$;
CREATE FUNCTION reply(routine text, status int, name text, more jsonb DEFAULT '{}') RETURNS text
  LANGUAGE sql AS
  $$ SELECT unit_reply(routine, call(jsonb_build_object('status', status) || more), file(name)) $$;
CREATE FUNCTION request(routine text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
  AS $$ SELECT regexp_replace(unit_request(routine, call(more)), ', Signature=[0-9a-f]{64}', '') $$;
CREATE FUNCTION url(routine text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
  AS $$ SELECT split_part(unit_request(routine, call(more)), E'\n', 1) $$;

-- the input: signed by the keys, whatever the control plane has; the body by its hash over plain
-- http only
SELECT request('upload'), request('upload', '{"server":{"storage_base_url":"http://127.0.0.1:1/stor'
  'e//","storage_kms_key":"alias/k","storage_owner":"123456789012"}}');
-- the bucket that is made first
SELECT request('upload', '{"cursor":"bucket"}'),
  request('upload',
  '{"cursor":"bucket","server":{"region":"eu-central-1","storage_owner":"123456789012"}}'),
  url('upload', '{"cursor":"again"}');
-- addresses
SELECT url('upload', jsonb_build_object('server', s::jsonb))
  FROM unnest(ARRAY['{"storage_url":"s3://my.bucket/a"}', '{"storage_url":"s3://my_bucket"}',
  '{"storage_style":"path"}', '{"storage_url":"s3://my.bucket","storage_style":"virtual"}',
  '{"region":"cn-north-1"}',
  '{"storage_base_url":"https://store.example.com"}',
  '{"storage_base_url":"https://store.example.com:8443/prefix/","storage_style":"virtual"}',
  '{"storage_url":"s3://bkt/a/b-c_d.e"}']) AS s;
-- where the input was put counts, and not where the option says now
SELECT url('outputs'), url('outputs',
  '{"chunk":{"refs":{"input":"s3://old/x/batchinf/i/input.jsonl"}}}'),
  url('outputs', '{"chunk":{"batch_id":null}}'), url('outputs', '{"cursor":"page tok+/=&"}'),
  url('outputs', '{"cursor":"manifest"}');
SELECT part, unit_request('fetch', call(refs || jsonb_build_object('part', part))) IS NULL,
  split_part(unit_request('fetch', call(refs || jsonb_build_object('part', part))),
  E'\n', 1) FROM generate_series(0, 2) AS part,
  (VALUES ('{"chunk":{"refs":{"object.0":"out/abcdef123456/a.jsonl.out","object.1":"input.jsonl",'
  '"object.2":"out/abcdef123456/b c\u00e9&.jsonl.out","object.3":"out/deaddead0000/a.jsonl.out",'
  '"object.4":"out/abcdef123456/manifest.json.out"}}}'::jsonb)) AS r(refs);
SELECT unit_request('fetch',
  call('{"chunk":{"batch_id":null,"refs":{"object.0":"out//a.jsonl.out"}}}')) IS NULL,
  unit_request('fetch', call()) IS NULL, unit_request('discard', call()) IS NULL;
SELECT part, coalesce(url('discard', jsonb_build_object('part', part)
  || '{"server":{"storage_owner":"1"},"chunk":{"refs":{"input":"s3://old/i/input.jsonl",'
  '"object.0":"input.jsonl","object.1":"out/x y"}}}'), 'none') FROM generate_series(0, 2) AS part;
SELECT request('discard', '{"chunk":{"refs":{"object.0":"input.jsonl"}}}');

-- replies to the input and to the bucket's making
SELECT c, status, name, reply('upload', status, name, c::jsonb)
  FROM (VALUES ('{"headers":"etag: x"}', 200, 'created-empty.json'), ('{}', 200, 'page.html'),
  ('{"headers":"etag: x","chunk":{"refs":{"other":"x","object.0":"y"}}}', 200,
   'created-empty.json'),
  ('{}', 404, 's3-nosuchbucket.xml'),
  ('{"server":{"storage_create":"off"}}', 404, 's3-nosuchbucket.xml'),
  ('{"server":{"storage_create":"on"}}', 404, 's3-nosuchbucket.xml'),
  ('{"server":{"storage_create":"on"},"cursor":"again"}', 404, 's3-nosuchbucket.xml'),
  ('{"cursor":"bucket"}', 200, 'created-empty.json'),
  ('{"cursor":"bucket"}', 409, 's3-bucketalreadyownedbyyou.xml'),
  ('{"cursor":"bucket"}', 409, 's3-bucketalreadyexists.xml'),
  ('{"cursor":"bucket"}', 409, 's3-operationaborted.xml'),
  ('{"cursor":"bucket"}', 403, 's3-accessdenied.xml'),
  ('{"cursor":"bucket"}', 400, 's3-illegallocationconstraintexception.xml')) AS t(c, status, name);
-- what the store's codes mean
SELECT status, name, reply('upload', status, name) FROM (VALUES (403, 's3-accessdenied.xml'),
  (403, 's3-signaturedoesnotmatch.xml'), (403, 's3-invalidaccesskeyid.xml'),
  (403, 's3-requesttimetooskewed.xml'), (400, 's3-expiredtoken.xml'), (503, 's3-slowdown.xml'),
  (503, 's3-serviceunavailable.xml'), (500, 's3-internalerror.xml'),
  (307, 's3-temporaryredirect.xml'), (301, 's3-permanentredirect.xml'),
  (400, 's3-malformed-region.xml'), (400, 's3-kms.notfoundexception.xml'),
  (400, 's3-entitytoolarge.xml'), (400, 's3-invalidrequest.xml'),
  (412, 's3-preconditionfailed.xml'), (409, 's3-operationaborted.xml'), (400, 's3-entities.xml'),
  (400, 's3-no-code.xml'), (403, 's3-empty.xml'),
  (400, 'page.html'), (403, 'page.html'), (404, 'page.txt'), (502, 'page.html'), (429, 'page.txt'),
  (301, 'page.html'), (400, 's3-other-root.xml')) AS t(status, name);
SELECT status, reply('upload', status, name, '{"headers":"x-amz-bucket-region: eu-west-1"}')
  FROM (VALUES (301, 's3-permanentredirect.xml'), (400, 'page.txt'), (403, 's3-accessdenied.xml'))
  AS t(status, name);
SELECT reply('upload', 403, 's3-accessdenied.xml', '{"headers":"x-amz-bucket-region: us-east-1"}');
SELECT transport, unit_reply('upload', call(jsonb_build_object('transport', transport, 'cause', 6)),
  '') FROM unnest('{unsent,broken}'::text[]) AS transport;
-- hostile documents are no words of the store's
SELECT name, reply('upload', 400, name) FROM unnest('{s3-bomb.xml,s3-external.xml,s3-cdata.xml,'
  's3-comment.xml,s3-unknown-entity.xml,s3-bad-reference.xml,s3-unclosed.xml,s3-crossed.xml,'
  's3-two-roots.xml,s3-bad-attribute.xml}'::text[]) AS name;
SELECT left(unit_reply('upload', call('{"status":400}'), convert_to(x, 'UTF8')),
  90) FROM unnest(ARRAY[repeat('<a>', 100000), repeat('<a>', 16) || repeat('</a>', 16),
  '<Error>' || repeat('<a/>', 100000) || '</Error>', '<Error><Code>' || repeat('x', 5000000)
  || '</Code></Error>', '<Error><Code>a' || chr(1) || E'b\n</Code></Error>', '<Error', '<',
  '<?xml ', '<?xml ?>', '<Error></Error', '<Error><Code>&', '<Error a', '<Error a="<"/>',
  '<Error a=''>''/>', '<-/>', '<:/>']) AS x;
SELECT unit_reply('upload', call('{"status":400}'),
  body) FROM unnest(ARRAY['\x3c4572726f723e3c436f64653eff3c2f436f64653e3c2f4572726f723e',
  '\x3c4572726f723e3c436f64653e00003c2f436f64653e3c2f4572726f723e']::bytea[]) AS body;

-- what an ended job left there
SELECT name, reply('outputs', 200, name, '{"chunk":{"batch_end":"completed"}}')
  FROM pg_ls_dir(:'fixtures') AS name WHERE name LIKE 'list-objects%' ORDER BY name COLLATE "C";
SELECT c, reply('outputs', 200, 'list-objects.xml', c::jsonb)
  FROM unnest(ARRAY['{"chunk":{"batch_id":null}}',
  '{"chunk":{"cleaning":true,"batch_end":"completed"}}',
  '{"cursor":"page x","chunk":{"refs":{"object.0":"before","lines":"5"}}}',
  '{"chunk":{"refs":{"object.0":"before","object.1":"x","lines":"5","other":"d"}}}']) AS c;
SELECT reply('outputs', 200, 'list-objects-none.xml', c::jsonb)
  FROM unnest(ARRAY['{"chunk":{"batch_end":"expired","refs":{"lines":"3"}}}',
  '{"chunk":{"batch_end":"completed","refs":{"lines":"0"}}}', '{"chunk":{"batch_end":"expired"}}',
  '{"chunk":{"batch_end":"cancelled"}}', '{"chunk":{"batch_end":"completed","cleaning":true}}'])
  AS c;
SELECT reply('outputs', 404, 's3-nosuchbucket.xml'), reply('outputs', 403, 's3-accessdenied.xml'),
  reply('outputs', 200, 'page.html');
SELECT left(unit_reply('outputs', call(),
  convert_to('<ListBucketResult><IsTruncated>false</IsTruncated>'
  || repeat('<Contents><Key>jobs/batchinf/0123456789abcdef0123456789abcdef/k</Key></Contents>', n)
  || '</ListBucketResult>', 'UTF8')), 150) FROM unnest('{1,1001}'::int[]) AS n;
SELECT name, reply('outputs', status, name,
  '{"cursor":"manifest","chunk":{"refs":{"object.0":"x"}}}') FROM (VALUES (200, 'manifest.json'),
  (200, 'manifest-odd.json'), (200, 'manifest-negative.json'), (200, 'manifest-huge.json'),
  (200, 'page.html'), (404, 's3-nosuchkey.xml'), (503, 's3-slowdown.xml')) AS t(status, name);
-- results, and their removal
SELECT status, headers, unit_reply('fetch', call(jsonb_build_object('status', status, 'headers',
  headers)), '') FROM (VALUES (200, 'content-type: binary/octet-stream'), (200, ''),
  (200, 'Content-Type: text/html; charset=utf-8'), (204, ''), (206, ''), (302, ''),
  (500, '')) AS t(status, headers);
SELECT status, name, reply('fetch', status, name) FROM (VALUES (404, 's3-nosuchkey.xml'),
  (403, 's3-accessdenied.xml'), (404, 'page.html')) AS t(status, name);
SELECT status, name, reply('discard', status, name) FROM (VALUES (204, 'created-empty.json'),
  (404, 's3-nosuchkey.xml'), (403, 's3-accessdenied.xml'), (403, 's3-invalidaccesskeyid.xml'),
  (503, 's3-slowdown.xml')) AS t(status, name);

-- batch_check, turn by turn
CREATE FUNCTION check_call(more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql
  AS $$ SELECT '{"spec":{"model":"amazon.titan-embed-text-v2:0"}}'::jsonb || more $$;
SELECT cursor, regexp_replace(request('check',
  check_call(jsonb_strip_nulls(jsonb_build_object('cursor', cursor)))),
  E'\n(x-amz-date|authorization|Authorization): [^\n]*', '', 'g')
  FROM unnest(ARRAY[NULL, 'bp', 'p', 'c', 'wabcdef123456', 'dgwords']) AS cursor;
-- the newest probe: none, under way, ended well, ended badly; now is 10:00
CREATE FUNCTION probe(status text, message text, changed text DEFAULT '2026-11-20T09:59:30Z',
  arn text DEFAULT 'arn:aws:bedrock:us-east-1:1:model-invocation-job/abcdef123456') RETURNS bytea
  LANGUAGE sql AS $$
    SELECT convert_to(jsonb_build_object('invocationJobSummaries',
    jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('jobArn', arn, 'status', status,
    'message', message, 'submitTime', changed, 'lastModifiedTime', changed))))::text, 'UTF8') $$;
SELECT status, changed, unit_reply('check', call(check_call()), probe(status, message, changed))
  FROM (VALUES ('Submitted', NULL, '2026-11-20T09:59:30Z'),
  ('Validating', NULL, '2026-11-18T09:59:30Z'), ('Stopped', NULL, '2026-11-20T09:59:30Z'),
  ('Failed', 'Line 1 is not valid JSON.', '2026-11-20T09:59:30Z'),
  ('Failed', 'Line 1 is not valid JSON.', '2026-11-19T09:59:30Z'),
  ('Failed', 'Line 1 is not valid JSON.', 'yesterday'),
  ('Failed', 'Could not validate PutObject permissions', '2026-11-20T09:59:30Z'),
  ('Failed', 'Could not validate PutObject permissions', '2026-11-20T09:58:59Z'),
  ('Failed', NULL, '2026-11-20T09:59:30Z'),
  ('Failed', 'The system encountered an unexpected error during processing.',
  '2026-11-20T09:59:30Z')) AS t(status, message, changed);
SELECT unit_reply('check', call(check_call()), probe('Submitted', NULL, arn => 'x')),
  reply('check', 200, 'list-none.json', check_call());
SELECT status, name, type, reply('check', status, name, check_call(jsonb_build_object('headers',
  'x-amzn-errortype: ' || type))) FROM (VALUES (200, 'page.html', ''), (200, 'created.json', ''),
  (404, 'error-missing.json', 'UnknownOperationException'),
  (403, 'error-pass.json', 'AccessDeniedException'),
  (429, 'error-throttling.json', 'ThrottlingException')) AS t(status, name, type);
SELECT unit_reply('check',
  call(check_call('{"status":403,"headers":"x-amzn-errortype: InvalidSignatureException"}')),
  '{"message":"Credential should be scoped to a valid region."}');
-- the bucket, the probe's input, the probe
SELECT cursor, status, name, reply('check', status, name, check_call(jsonb_build_object('cursor',
  cursor) || c::jsonb)) FROM (VALUES ('bp', 200, 'list-objects-none.xml', '{}'),
  ('bwabcdef123456', 200, 'list-objects-none.xml', '{}'), ('b', 200, 'list-objects-none.xml', '{}'),
  ('bp', 404, 's3-nosuchbucket.xml', '{}'),
  ('bp', 404, 's3-nosuchbucket.xml', '{"server":{"storage_create":"on"}}'),
  ('bp', 403, 's3-accessdenied.xml', '{}'),
  ('bp', 403, 's3-accessdenied.xml', '{"server":{"storage_owner":"1"}}'),
  ('bp', 403, 's3-invalidaccesskeyid.xml', '{}'), ('bp', 400, 's3-malformed-region.xml', '{}'),
  ('bp', 404, 'page.txt', '{}'), ('p', 200, 'created-empty.json', '{}'),
  ('p', 403, 's3-accessdenied.xml', '{}'), ('p', 400, 's3-kms.notfoundexception.xml', '{}'),
  ('dgall is well', 204, 'created-empty.json', '{}'),
  ('dmno model', 403, 's3-accessdenied.xml', '{}'), ('drbad', 500, 'page.html', '{}'))
  AS t(cursor, status, name, c);
SELECT status, type, name, reply('check', status, name, check_call(jsonb_build_object('cursor', 'c',
  'headers', 'x-amzn-errortype: ' || type))) FROM (VALUES (200, '', 'created.json'),
  (200, '', 'page.html'), (403, 'AccessDeniedException', 'error-pass.json'),
  (400, 'ValidationException', 'error-model.json'),
  (403, 'AccessDeniedException', 'error-access.json'),
  (400, 'ValidationException', 'error-role.json'),
  (400, 'ServiceQuotaExceededException', 'error-quota.json'),
  (500, 'InternalServerException', 'error-missing.json'),
  (400, 'ValidationException', 'error-validation.json')) AS t(status, type, name);
SELECT name, reply('check', status, name, check_call('{"cursor":"wabcdef123456"}'))
  FROM (VALUES (200, 'job-submitted.json'), (200, 'job-failed-few.json'),
  (200, 'job-failed-rights.json'), (200, 'job-stopped.json'), (200, 'job-failed-throttled.json'),
  (200, 'page.html'), (404, 'error-missing.json'), (503, 'page.html')) AS t(status, name);
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
