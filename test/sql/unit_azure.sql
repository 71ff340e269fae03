-- What provider/azure.c writes and reads: both surfaces, both ways to say who we are, and
-- every oddity of Azure's replies; offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set fixtures :here '/fixtures/azure/'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
-- surface: v1, at (the resource's endpoint alone), classic
CREATE FUNCTION azure(surface text, more text DEFAULT '', server text DEFAULT '') RETURNS bytea
  LANGUAGE sql AS
  $$ SELECT convert_to(format('{"server":{"provider":"azure_openai",%s%s}%s}', CASE surface
       WHEN 'v1' THEN '"base_url":"https://r.openai.azure.com/openai/v1/"' WHEN 'at' THEN
       '"base_url":"https://r.openai.azure.com"'
       WHEN 'classic' THEN '"base_url":"https://r.openai.azure.com/","api_version":"2024-10-21"'
       ELSE surface END, server, more), 'UTF8') $$;
CREATE FUNCTION reply(routine text, status int, file text, headers text DEFAULT '', more text
  DEFAULT '') RETURNS text LANGUAGE sql AS
  $$ SELECT unit_reply(routine, azure('v1', format(',"status":%s,"headers":"%s","chunk":'
  '{"batch_id":"batch_6caaf24d-54a5-46be-b1b7-518884fcbdde","refs":{"input":"file-in"}}%s', status,
  headers, more)),
       pg_read_binary_file(current_setting('unit.fixtures') || file)) $$;
SELECT set_config('unit.fixtures', :'fixtures', false) IS NOT NULL;

-- requests on each surface; the key as api-key
SELECT surface, routine, unit_request(routine, azure(surface,
  ',"chunk":{"batch_id":"batch_1","refs":{"input":"file-1","output":"file-2"}}'))
  FROM unnest('{v1,at,classic}'::text[]) WITH ORDINALITY AS s(surface, i),
  unnest('{create,find,poll,cancel,fetch,discard,check}'::text[]) WITH ORDINALITY AS r(routine, j)
  ORDER BY i, j;
SELECT surface, replace(unit_request('upload', azure(surface)), E'\r', '<CR>') FROM
  unnest('{v1,classic}'::text[]) AS surface;
SELECT unit_request('find', azure('classic', ',"cursor":"batch/z=="'));
SELECT unit_request('create', azure('classic',
  ',"spec":{"task":"embedding"},"chunk":{"tries":2,"refs":{"input":"file-1"}}',
  ',"expires_after":2592000,"completion_window":"24h"'));
-- responses: no endpoint of a create names them
SELECT unit_request('create', azure(surface,
  ',"spec":{"endpoint":"responses"},"chunk":{"refs":{"input":"file-1"}}')) FROM
  unnest('{v1,classic}'::text[]) AS surface;
-- other addresses: a gateway's prefix, a preview of v1, the endpoint with /openai, no expiry
SELECT unit_request('poll', azure('"base_url":"https://gw.example.com/aoai/v1"'));
SELECT unit_request('poll', azure('v1', server => ',"api_version":"preview"'));
SELECT unit_request('poll',
  azure('"base_url":"https://gw.example.com/x/openai","api_version":"2025-04-01-preview"'));
SELECT unit_request('poll', azure('"base_url":"https://gw.example.com/x/openai//"'));
SELECT unit_request('poll', azure('"base_url":"https://r.example.com","api_version":"a&b=c"'));
SELECT unit_request('create', azure('v1', ',"chunk":{"refs":{"input":"file-1"}}',
  ',"expires_after":0'));
SELECT unit_request('upload', azure('v1', server => ',"expires_after":0')) NOT LIKE
  '%expires_after%' AS "no expiry",
  unit_request('upload', azure('v1', server => ',"expires_after":86400')) LIKE '%1209600%' AS
  "the shortest instead of a shorter one";
SELECT unit_request('create', azure('v1', ',"chunk":{"refs":{"input":"file-1"}}',
  ',"metadata":"off","organization":"org-1","project":"p"'));

-- jobs: an expiry that Azure would refuse is refused at submit
SELECT life, coalesce(unit_refuse(azure('v1', server => format(',"expires_after":%s', life)), NULL),
  'fine') FROM unnest('{-1,0,3600,1209599,1209600,2592000,2592001}'::int[]) AS life;
SELECT unit_refuse(azure('v1', ',"spec":{"params":{"model":"x"}}'), NULL), unit_refuse(azure('v1',
  ',"spec":{"input":"body"}'), '{}');
SELECT unit_frame(azure(surface, ',"spec":{"model":"mini-batch","system_prompt":"s"}'), 'x') FROM
  unnest('{v1,classic}'::text[]) AS surface;

-- Entra ID: the login, its token, and then a bearer in the key's place
SELECT coalesce(unit_request('login', azure('v1')), 'none');
SELECT unit_request('login', azure('v1', server =>
  ',"tenant_id":"contoso.onmicrosoft.com","client_id":"11111111-2222"'));
SELECT unit_request('login', azure('v1', server => ',"tenant_id":"a/b","client_id":"c&d",'
  '"authority_url":"https://login.microsoftonline.us/","token_scope":"https:'
  '//cognitiveservices.azure.us/.default"'));
SELECT unit_request('poll', azure('classic', server => ',"tenant_id":"t","client_id":"c"'));
SELECT coalesce(unit_request('login', '{}'), 'none at OpenAI');
SELECT status, name, reply('login', status, name, more => ',"x":1') FROM (VALUES (200,
  'token.json'), (200, 'token-bad.json'), (200, 'token-none.json'), (200, 'models.json'), (401,
  'login-secret.json'), (400, 'login-client.json'),
  (400, 'login-tenant.json'), (404, 'error-resource.json'), (429, 'login-busy.json'), (503,
  'login-busy.json'), (302, 'login-busy.json')) AS t(status, name);
SELECT unit_reply('login', azure('v1', format(',"transport":"%s","cause":2', transport)), '') FROM
  unnest('{unsent,broken}'::text[]) AS transport;

-- files: pending is uploaded; who creates too early waits for this file alone
SELECT status, name, reply('upload', status, name) FROM (VALUES (201, 'file-pending.json'), (200,
  'file-processed.json'), (400, 'error-files-full.json'), (400, 'error-expiry.json'), (404,
  'error-resource.json'), (403, 'error-firewall.json'), (401, 'error-permission.json')) AS t(status,
  name);
SELECT status, name, reply('create', status, name) FROM (VALUES (201,
  'batch-validating-capital.json'), (400, 'error-pending.json'), (400, 'error-file-error.json'),
  (400, 'error-tokens.json'), (400, 'error-tokens-inside.json'), (429, 'error-rate.json'), (401,
  'error-key.json')) AS t(status, name);
SELECT name, reply('create', status, name,
  'deployment-enqueued-tokens: 41000\ndeployment-maximum-enqueued-tokens: 30000') FROM (VALUES (400,
  'error-tokens.json'), (201, 'batch-validating-capital.json')) AS t(status, name);
-- where a batch stands
SELECT name, reply('poll', 200, name) FROM pg_ls_dir(:'fixtures') AS name WHERE name LIKE 'batch-%'
  ORDER BY name COLLATE "C";
SELECT name, reply('find', 200, name) FROM pg_ls_dir(:'fixtures') AS name WHERE name LIKE 'list-%'
  ORDER BY name COLLATE "C";
SELECT status, name, reply('cancel', status, name) FROM (VALUES (200, 'batch-canceled.json'), (400,
  'error-rate.json')) AS t(status, name);
-- a file of zero bytes is whole; so is a deletion without words
SELECT unit_reply('fetch', azure('v1', ',"status":200,"headers":"content-type: '
  'application/octet-stream\ncontent-length: 0","chunk":{"refs":{"error":"file-zer0"}}'), '');
SELECT unit_reply('discard', azure('v1', ',"status":204,"chunk":{"refs":{"input":"file-1"}}'), '');
-- what the check can tell
SELECT status, name, reply('check', status, name) FROM (VALUES (200, 'models.json'), (401,
  'error-key.json'), (403, 'error-firewall.json'), (404, 'error-resource.json'), (500,
  'error-rate.json')) AS t(status, name);

-- result lines
SELECT unit_line(azure('v1'), convert_to(line, 'UTF8')) FROM
  regexp_split_to_table(rtrim(pg_read_file(:'fixtures' || 'lines.jsonl'), E'\n'), E'\n') AS line;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
