-- What provider/gemini.c and its files write and read: the Gemini Developer API, offline. Requests
-- and results in general are
-- unit_vertex's too.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set fixtures :here '/fixtures/gemini/'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
SELECT set_config('unit.fixtures', :'fixtures', false) IS NOT NULL;
-- every call is this server's; more are members of the call
CREATE FUNCTION call(more jsonb DEFAULT '{}') RETURNS bytea LANGUAGE sql AS
  $$ SELECT convert_to(('{"chunk":{"batch_id":"batches/abc123","records":3,'
  '"refs":{"input":"files/in-1","output":"files/batch-abc123"}}}' || more ||
       jsonb_build_object('server', '{"provider":"gemini"}' || coalesce(more -> 'server', '{}'),
       'spec', '{"model":"gemini-3.5-flash-lite"}' || coalesce(more -> 'spec', '{}')))::text,
       'UTF8') $$;
CREATE FUNCTION file(name text) RETURNS bytea LANGUAGE sql
  AS $$ SELECT pg_read_binary_file(current_setting('unit.fixtures') || name) $$;
CREATE FUNCTION request(routine text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
  AS $$ SELECT E'\n' || unit_request(routine, call(more)) $$;
CREATE FUNCTION reply(routine text, status int, name text, more jsonb DEFAULT '{}') RETURNS text
  LANGUAGE sql AS
  $$ SELECT unit_reply(routine, call(jsonb_build_object('status', status) || more), file(name)) $$;
SELECT substring(unit_limits(call()) FROM 'gemini [^\n]*');

-- lines: a key beside the request, no labels
SELECT unit_frame(call(c::jsonb), i) FROM (VALUES
  ('{}', E'say "hi"\n'), ('{"spec":{"system_prompt":"be short",'
  '"params":{"generationConfig":{"temperature":0,"thinkingConfig":{"thinkingBudget":0}}}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"}}}}}', 'x'),
  ('{"server":{"request_labels":"on"}}', 'x'),
  ('{"spec":{"input":"messages"}}', '[{"role":"user","parts":[{"text":"a"}]}]'),
  ('{"spec":{"input":"body"}}',
  '{"contents":[{"parts":[{"text":"a"}]}],"generation_config":{"seed":1}}'),
  ('{"spec":{"task":"embedding","model":"gemini-embedding-001"}}', 'x'),
  ('{"spec":{"task":"embedding","model":"gemini-embedding-001",'
  '"params":{"output_dimensionality":256,"task_type":"RETRIEVAL_DOCUMENT"}}}', 'x'),
  ('{"spec":{"task":"embedding","input":"body","model":"gemini-embedding-001"}}',
  '{"content":{"parts":[{"text":"a"}]}}')) AS t(c, i);
SELECT coalesce(unit_refuse(call(c::jsonb), NULL),
  'fine') FROM unnest(ARRAY['{}', '{"spec":{"params":{"labels":{"a":"b"}}}}',
  '{"spec":{"params":{"temperature":1}}}', '{"spec":{"params":{"model":"x"}}}',
  '{"spec":{"task":"embedding","system_prompt":"x"}}']) AS c;

-- requests
SELECT request(routine) FROM unnest('{upload,create,find,poll,cancel,fetch,check}'::text[])
  WITH ORDINALITY AS r(routine, i) ORDER BY i;
SELECT request('upload', '{"cursor":"https://generativelanguage.googleapis.com/upload/v1beta/files?'
  'upload_id=u1&upload_protocol=resumable"}');
SELECT request('create', '{"spec":{"task":"embedding","model":"models/gemini-embedding-001"}}');
SELECT split_part(request('create', jsonb_build_object('spec', jsonb_build_object('model', model))),
  E'\n', 2) FROM unnest('{models/gemini-x,tunedModels/a b,"../files?x=#"}'::text[]) AS model;
SELECT split_part(request('find', '{"cursor":"a/b=&c d"}'), E'\n', 2);
SELECT split_part(request('check', '{"spec":{"model":"models/gemini-x"}}'), E'\n', 2);
-- other addresses
SELECT split_part(request(routine,
  '{"server":{"base_url":"https://gw.example.com/gemini/","api_version":"v1"}}'),
  E'\n', 2) FROM unnest('{upload,create,poll,fetch}'::text[]) AS routine;
-- all that may be left there goes, in this order
SELECT i, split_part(unit_request('discard', call(jsonb_build_object('part', i, 'chunk',
  '{"batch_id":"batches/abc123","refs":{"input":"files/in-1","output":"files/batch-abc123"},'
  '"buried":"batches/d1 batches/d2"}'::jsonb))), E'\n', 1) FROM generate_series(0, 6) AS i;
SELECT i, split_part(unit_request('discard', call(jsonb_build_object('part', i, 'chunk',
  '{"batch_id":null,"buried":"batches/d1"}'::jsonb))), E'\n', 1) FROM generate_series(0, 2)
  AS i;
SELECT i, split_part(unit_request('discard', call(jsonb_build_object('part', i, 'chunk',
  '{"batch_id":null,"refs":{}}'::jsonb))), E'\n', 1) FROM generate_series(0, 1) AS i;
SELECT unit_request('fetch', call('{"part":1}')) IS NULL AS "one file", unit_request('fetch',
  call('{"chunk":{"batch_id":"batches/a","refs":{}}}')) IS NULL AS "none without output";

-- the upload's address: the configured host's and no other's
SELECT base, url, unit_reply('upload', call(jsonb_build_object('status', 200, 'server',
  jsonb_build_object('base_url', base),
  'headers', 'X-Goog-Upload-Status: active' || coalesce(E'\nX-Goog-Upload-URL: ' || url, ''))),
  '') FROM (VALUES
  (1, NULL, 'https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=u1&upload_prot'
  'ocol=resumable'), (2, NULL, 'https://GenerativeLanguage.googleapis.com/upload?x'),
  (3, NULL, 'https://generativelanguage.googleapis.com?x'),
  (4, NULL, NULL), (5, NULL, ''), (6, NULL, 'http://generativelanguage.googleapis.com/upload'),
  (7, NULL, 'https://generativelanguage.googleapis.com'),
  (8, NULL, 'https://generativelanguage.googleapis.com.example.com/upload'),
  (9, NULL, 'https://generativelanguage.googleapis.com@example.com/upload'),
  (10, NULL, 'https://generativelanguage.googleapis.com:8443/upload'),
  (11, NULL, '/upload/v1beta/files?upload_id=u1'), (12, NULL, 'https://169.254.169.254/upload'),
  (13, 'https://gw.example.com:8443/gemini', 'https://gw.example.com:8443/other'),
  (14, 'https://gw.example.com:8443/gemini', 'https://gw.example.com/gemini/upload'),
  (15, 'https://gw.example.com:8443/gemini', 'https://generativelanguage.googleapis.com/upload'),
  (16, NULL, 'https://generativelanguage.googleapis.com/up load')) AS t(n, base, url) ORDER BY n;
\set finish '{"cursor":"https://generativelanguage.googleapis.com/upload"}'
SELECT name, reply('upload', 200, name || '.json', :'finish')
  FROM unnest('{file,file-short,file-nameless,empty,error-key}'::text[]) AS name;
-- a file of that name is there: what was sent before, whose answer was lost, or another, which
-- makes room
SELECT cursor, status, name, reply('upload', status, name,
  jsonb_strip_nulls(jsonb_build_object('cursor', cursor)))
  FROM (VALUES (NULL, 409, 'error-exists.json'),
  ('https://generativelanguage.googleapis.com/upload', 409, 'error-exists.json'),
  ('look', 200, 'file-there.json'), ('look', 200, 'file-other.json'), ('look', 200, 'empty.json'),
  ('look', 403, 'error-file.json'), ('remove', 200, 'empty.json'),
  ('remove', 403, 'error-file.json'), ('remove', 503, 'error-busy.json'),
  ('again', 409, 'error-exists.json')) AS t(cursor, status, name);
SELECT request('upload', jsonb_build_object('cursor', cursor))
  FROM unnest('{look,remove,again}'::text[]) AS cursor;
SELECT reply('upload', 404, 'error-absent.json', :'finish');
SELECT reply('upload', 503, 'error-busy.json');
SELECT reply('upload', 400, 'error-key.json');

-- batches
SELECT name, reply('poll', 200, name || '.json') FROM unnest('{batch-pending,batch-running,'
  'batch-succeeded,batch-succeeded-response,batch-succeeded-late,batch-succeeded-odd,'
  'batch-failed-line,batch-failed-load,batch-failed-bare,batch-cancelled,batch-expired,'
  'batch-new-state,batch-bare,batch-other,empty,list,error-key}'::text[]) AS name;
SELECT name, reply('create', 200, name || '.json')
  FROM unnest('{batch-pending,batch-bare,empty,list,file}'::text[]) AS name;
SELECT reply('poll', 200, 'page.html'), reply('create', 200, 'page.html');
SELECT id, unit_reply('create', call('{"status":200}'),
  convert_to(jsonb_build_object('name', id)::text, 'UTF8'))::json ->> 'verdict'
  FROM unnest('{batches/a-B_9,batches/,batches/a/b,batches/a?b,"batches/a b",files/a,a}'::text[])
  AS id;

-- errors, as they count for create, poll and cancel
SELECT name, status, reply('create', status, name || '.json'),
  reply('poll', status, name || '.json')::json ->> 'verdict'
  AS poll, reply('cancel', status, name || '.json')::json ->> 'verdict' AS cancel FROM (VALUES
  (1, 'error-key', 400), (2, 'error-expired', 400), (3, 'error-no-key', 403),
  (4, 'error-location', 400), (5, 'error-model', 404), (6, 'error-file', 403),
  (7, 'error-file-state', 400), (8, 'error-quota', 429),
  (9, 'error-argument', 400), (10, 'error-ended', 400), (11, 'error-absent', 404),
  (12, 'error-busy', 503), (13, 'empty', 500), (14, 'empty', 400), (15, 'empty', 302))
  AS t(n, name, status) ORDER BY n;
SELECT routine, status, reply(routine, status, 'page.html') FROM unnest('{create,find}'::text[])
  AS routine, unnest('{404,413,502}'::int[]) AS status;

-- looking for a batch: by its name, twice too, but none that has failed before; a list that is odd
-- proves nothing
SELECT name, reply('find', 200, name || '.json')
  FROM unnest('{list,list-twice,list-others,list-more,list-none,list-odd,list-nameless,empty,'
  'batch-pending}'::text[]) AS name;
SELECT reply('find', 200, 'list-twice.json',
  '{"chunk":{"batch_id":null,"buried":"batches/b0 batches/b1"}}');
SELECT reply('find', 200, 'list-twice.json',
  '{"chunk":{"batch_id":null,"buried":"batches/b3 batches/b2 batches/b1"}}');
SELECT reply('find', 200, 'list-more.json', '{"cursor":"tok/=&1"}') AS "the same page again";
SELECT reply('find', 200, 'list-more.json', '{"cursor":"tok"}') AS "another page";
SELECT body, unit_reply('find', call('{"status":200}'), convert_to(body, 'UTF8'))
  FROM unnest(ARRAY['[]', '{"operations":{}}', '{"operations":[null]}', '{"operations":null}',
  '{"operations":[],"nextPageToken":""}', '{"nextPageToken":"a"}', '{"nextPageToken":{}}',
  '{"error":{"code":500}}', '{"operations":[],"unreachable":["x"]}', '']) AS body;

-- results and removals
SELECT status, name, reply('fetch', status, name) FROM (VALUES (200, 'lines.jsonl'),
  (206, 'lines.jsonl'), (403, 'error-file.json'), (403, 'error-no-key.json'),
  (404, 'error-absent.json')) AS t(status, name);
SELECT reply('fetch', 200, 'page.html', '{"headers":"Content-Type: text/html; charset=UTF-8"}');
SELECT status, name, reply('discard', status, name) FROM (VALUES (200, 'empty.json'),
  (403, 'error-file.json'), (404, 'error-absent.json'), (400, 'error-key.json'),
  (503, 'error-busy.json')) AS t(status, name);

-- the model
SELECT name, reply('check', 200, name || '.json')
  FROM unnest('{model,model-embedding,model-live,model-old,models,empty,list}'::text[]) AS name;
SELECT reply('check', 404, 'error-model.json');
SELECT reply('check', 400, 'error-key.json');

-- lines of results
SELECT unit_line(call(), convert_to(line, 'UTF8'))
  FROM regexp_split_to_table(rtrim(convert_from(file('lines.jsonl'), 'UTF8'), E'\n'),
  E'\n') AS line;
SELECT unit_line(call('{"spec":{"task":"embedding","model":"gemini-embedding-001"}}'),
  convert_to(line, 'UTF8')) FROM regexp_split_to_table(rtrim(convert_from(file('embeddings.jsonl'),
  'UTF8'), E'\n'), E'\n') AS line;
SELECT unit_line(call('{"spec":{"task":"embedding","model":"gemini-embedding-001",'
  '"params":{"output_dimensionality":2}}}'), convert_to(line, 'UTF8'))
  FROM regexp_split_to_table(rtrim(convert_from(file('embeddings.jsonl'), 'UTF8'), E'\n'),
  E'\n') AS line LIMIT 2;
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
