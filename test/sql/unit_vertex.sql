-- What provider/vertex*.c, gcs.c and gemini_spec.c write and read, offline: refusals, lines,
-- requests, replies, jobs, lists.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set fixtures :here '/fixtures/vertex/'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
SELECT set_config('unit.fixtures', :'fixtures', false) IS NOT NULL;
-- every call is this server's; more are members of the call
CREATE FUNCTION call(more jsonb DEFAULT '{}') RETURNS bytea LANGUAGE sql AS
  $$ SELECT convert_to(jsonb_set(jsonb_set(jsonb_set('{}' || more,
       '{server}', '{"provider":"vertex","project":"proj-1","location":"us-central1",'
       '"storage_url":"gs://bkt/jobs"}' || coalesce(more -> 'server', '{}')),
       '{spec}', '{"model":"gemini-3.5-flash-lite"}' || coalesce(more -> 'spec', '{}')),
       '{chunk}', '{"batch_id":"5264058627175130951"}' || coalesce(more -> 'chunk', '{}'))::text,
       'UTF8') $$;
CREATE FUNCTION file(name text) RETURNS bytea LANGUAGE sql
  AS $$ SELECT pg_read_binary_file(current_setting('unit.fixtures') || name) $$;
CREATE FUNCTION reply(routine text, status int, name text, more jsonb DEFAULT '{}') RETURNS text
  LANGUAGE sql AS
  $$ SELECT unit_reply(routine, call(jsonb_build_object('status', status) || more), file(name)) $$;
SELECT substring(unit_limits(call()) FROM 'vertex [^\n]*');
SELECT m || ': ' || substring(unit_limits(call(jsonb_build_object('server',
  jsonb_build_object('model', m)))) FROM 'vertex [^ ]* (requests [^ ]*).*') || ', '
  || substring(unit_limits(call(jsonb_build_object('server', jsonb_build_object('model', m))))
  FROM 'vertex [^\n]*(batches \d+)')
FROM unnest('{gemini-2.5-pro,gemini-embedding-001,text-embedding-005,'
  'text-multilingual-embedding-002,claude-haiku-5-5,publishers/anthropic/models/claude-opus-5,'
  '12345}'::text[]) m;
SELECT substring(unit_limits(call('{"server":{"model":"text-embedding-005","max_requests":50}}'))
  FROM 'vertex [^ ]* (requests [^ ]*)');

-- lines of Gemini
SELECT unit_frame(call(c::jsonb), i) FROM (VALUES
  ('{}', E'say "hi"\n\\ /'), ('{}', ''), ('{"server":{"request_labels":"off"}}', 'x'),
  ('{"server":{"request_labels":"on"}}', 'x'),
  ('{"spec":{"system_prompt":"be \"short\"\n"}}', 'x'), ('{"spec":{"system_prompt":""}}', 'x'),
  ('{"spec":{"params":{"generationConfig":{"temperature":0.20,"thinkingConfig":{"thinkingBudget":0}'
  ',"seed":null},"tools":[{"googleSearch":{}}],"labels":{"team":"a-1"},"safetySettings":null}}}',
  'x'),
  ('{"spec":{"params":{"generation_config":{"top_k":5},"labels":{"team":"a-1"}}},'
  '"server":{"request_labels":"off"}}', 'x'), ('{"spec":{"params":{}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a_b":{"type":"string"}}}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object"},"params":{"generationConfig":{"maxOutputTokens":5}'
  '}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object"},'
  '"params":{"generationConfig":{"responseSchema":{"type":"OBJECT"},'
  '"responseMimeType":"application/json"}}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object"},'
  '"params":{"generation_config":{"response_mime_type":"text/x.enum"}}}}', 'x'),
  ('{"spec":{"input":"messages","system_prompt":"s"}}',
  E' [ {"role":"user",\r\n"parts":[{"text":"a\\nb"}]} , {"role":"model","parts":[{"text":"]"}]}\n] '
  '\n'),
  ('{"spec":{"input":"body"}}',
  E' {"contents":[{"role":"user",\n"parts":[{"text":"}"}]}], "generation_config":{"top_k":1} }\n'),
  ('{"spec":{"input":"body"},"server":{"request_labels":"off"}}',
  '{"contents":[{"role":"user","parts":[{"text":"x"}]}]}')) AS t(c, i);
SELECT length(unit_frame(call(), repeat(E'\x01"', 2500000)));
-- … of embeddings, old and new
SELECT unit_frame(call(jsonb_set(c::jsonb, '{spec,task}', '"embedding"')), i) FROM (VALUES
  ('{"spec":{"model":"gemini-embedding-001"}}', E'a "b"\n'),
  ('{"spec":{"model":"gemini-embedding-001","params":{"output_dimensionality":768,'
  '"taskType":"RETRIEVAL_DOCUMENT","title":"t","other":1,"autoTruncate":null}}}', 'x'),
  ('{"spec":{"model":"gemini-embedding-2","params":{"outputDimensionality":3}}}', 'x'),
  ('{"spec":{"model":"gemini-embedding-001","input":"body"}}',
  '{"content":{"parts":[{"text":"x"}]}}'),
  ('{"spec":{"model":"text-embedding-005"}}', E'a "b"\n'),
  ('{"spec":{"model":"text-embedding-005","params":{"task_type":"CLUSTERING",'
  '"output_dimensionality":5}}}', 'x'),
  ('{"spec":{"model":"text-embedding-005","input":"body"}}', '{"content":"x","title":"y"}'),
  ('{"spec":{"model":"77"}}', 'x')) AS t(c, i);
-- … of Claude
SELECT unit_frame(call(c::jsonb), i) FROM (VALUES
  ('{"spec":{"model":"claude-haiku-5-5"}}', E'say "hi"\n'),
  ('{"spec":{"model":"publishers/anthropic/models/claude-3-haiku@20240307","system_prompt":"s",'
  '"params":{"temperature":0.5}},"server":{"prompt_cache":"1h"}}', 'x'),
  ('{"spec":{"model":"claude-haiku-5-5","input":"messages","params":{"max_tokens":5}}}',
  '[{"role":"user","content":"x"}]'),
  ('{"spec":{"model":"claude-haiku-5-5","input":"body"}}',
  '{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"messages":[{"role":"user",'
  '"content":"x"}]}')) AS t(c, i);

-- jobs and inputs that are refused
SELECT coalesce(unit_refuse(call(c::jsonb), i), 'fine') FROM (VALUES
  ('{}', NULL), ('{}', 'any text'), ('{"spec":{"system_prompt":"x",'
  '"response_schema":{"type":"object"},"params":{"generationConfig":{}}}}', NULL),
  ('{"spec":{"params":[1]}}', NULL), ('{"spec":{"params":{"model":"x"}}}', NULL),
  ('{"spec":{"params":{"contents":[]}}}', NULL), ('{"spec":{"params":{"stream":true}}}', NULL),
  ('{"spec":{"params":{"cached_content":"x"}}}', NULL),
  ('{"spec":{"params":{"temperature":1}}}', NULL),
  ('{"spec":{"params":{"max_output_tokens":1}}}', NULL),
  ('{"spec":{"params":{"thinkingConfig":{}}}}', NULL),
  ('{"spec":{"params":{"generationConfig":7}}}', NULL),
  ('{"spec":{"params":{"generationConfig":{"candidateCount":2}}}}', NULL),
  ('{"spec":{"params":{"generation_config":{"candidate_count":"2"}}}}', NULL),
  ('{"spec":{"params":{"generationConfig":{"candidateCount":1}}}}', NULL),
  ('{"spec":{"params":{"system_instruction":{}}}}', NULL),
  ('{"spec":{"system_prompt":"s","params":{"system_instruction":{}}}}', NULL),
  ('{"spec":{"params":{"labels":[]}}}', NULL), ('{"spec":{"params":{"labels":{"rid":"x"}}}}', NULL),
  ('{"spec":{"params":{"labels":{"a":"x"}}}}', NULL),
  ('{"spec":{"response_schema":[]}}', NULL),
  ('{"spec":{"input":"body","system_prompt":"x"}}', NULL),
  ('{"spec":{"input":"body","params":{"a":1}}}', NULL),
  ('{"spec":{"input":"body","params":{}}}', NULL),
  ('{"spec":{"model":"gemini-embedding-001"}}', NULL), ('{"spec":{"task":"embedding"}}', NULL),
  ('{"spec":{"model":"meta/llama-4"}}', NULL),
  ('{"spec":{"model":"publishers/meta/models/llama-4"}}', NULL),
  ('{"spec":{"model":"google/gemini-2.5-pro"}}', NULL),
  ('{"spec":{"model":"a b"}}', NULL), ('{"spec":{"model":"publishers/google/models/../x"}}', NULL),
  ('{"spec":{"model":"x/"}}', NULL), ('{"spec":{"model":""}}', NULL),
  ('{"spec":{"model":"projects/p/locations/l/models/7"},"server":{"location":"global"}}', NULL),
  ('{"spec":{"model":"7"},"server":{"location":"global"}}', NULL), ('{"spec":{"model":"7"}}', NULL),
  ('{"spec":{"model":"7","task":"embedding"}}', NULL)) AS t(c, i);
SELECT coalesce(unit_refuse(call(jsonb_set(c::jsonb, '{spec,task}', '"embedding"')), i),
  'fine') FROM (VALUES
  ('{"spec":{"model":"gemini-embedding-001","input":"messages"}}', NULL),
  ('{"spec":{"model":"gemini-embedding-001","system_prompt":"x"}}', NULL),
  ('{"spec":{"model":"gemini-embedding-001","response_schema":{"type":"object"}}}', NULL),
  ('{"spec":{"model":"gemini-embedding-001","params":{"content":1}}}', NULL),
  ('{"spec":{"model":"gemini-embedding-001","params":{"output_dimensionality":"x"}}}', NULL),
  ('{"spec":{"model":"gemini-embedding-001","params":{"output_dimensionality":-5}}}', NULL),
  ('{"spec":{"model":"gemini-embedding-001","params":{"task_type":"X","title":"y"}}}', NULL),
  ('{"spec":{"model":"gemini-embedding-2","params":{"task_type":"X"}}}', NULL),
  ('{"spec":{"model":"gemini-embedding-001","params":5}}', NULL),
  ('{"spec":{"model":"text-embedding-005","input":"body"}}', '{"content":"x"}'),
  ('{"spec":{"model":"text-embedding-005","input":"body"}}', '{"text":"x"}'),
  ('{"spec":{"model":"text-embedding-005","input":"body"}}', '[]'),
  ('{"spec":{"model":"claude-haiku-5-5"}}', NULL)) AS t(c, i);
SELECT coalesce(unit_refuse(call(jsonb_build_object('spec', jsonb_build_object('input',
  'messages'))), i), 'fine') FROM unnest(ARRAY['[{"role":"user","parts":[{"text":"x"}]}]', '[]',
  '{}', 'null', '[7]', '[{"role":"user","parts":[]}]', '[{"parts":[{"text":"x"}]}]',
  '[{"role":"assistant","parts":[{"text":"x"}]}]',
  '[{"role":"user","parts":[{"text":"x"}]},{"role":"model","content":"x"}]']) AS i;
SELECT coalesce(unit_refuse(call(jsonb_build_object('spec', jsonb_build_object('input', 'body'))),
  i), 'fine') FROM unnest(ARRAY['{"contents":[{"role":"user","parts":[{"text":"x"}]}]}', '{}', '[]',
  'nonsense', '{"contents":"x"}',
  '{"contents":[{"role":"user","parts":[{"text":"x"}]}],"labels":{"a":"b"}}',
  '{"contents":[{"role":"user","parts":[{"text":"x"}]}],"model":"y"}',
  '{"contents":[{"role":"user","parts":[{"text":"x"}]}],"cachedContent":"y"}',
  '{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generation_config":{"candidateCount":3}}',
  '{"model":"m","messages":[]}', '{"key":"a","request":{"contents":[]}}',
  '{"content":{"parts":[]}}']) AS i;
SELECT coalesce(unit_refuse(call(jsonb_build_object('spec', jsonb_build_object('model',
  'claude-haiku-5-5', 'input', 'body'))), i),
  'fine')
  FROM unnest(ARRAY['{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"messages":[]}',
  '{"max_tokens":5,"messages":[]}',
  '{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[]}',
  '{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"model":"x","messages":[]}',
  '{"anthropic_version":"vertex-2023-10-16","messages":[]}',
  '{"anthropic_version":"vertex-2023-10-16","max_tokens":5}', '{"contents":[]}']) AS i;
SELECT coalesce(unit_refuse(call('{"spec":{"model":"claude-haiku-5-5",'
  '"params":{"anthropic_version":"x"}}}'), NULL), 'fine');

-- requests
SELECT unit_request(r, call(c::jsonb)) FROM (VALUES ('upload', '{}'),
  ('upload', '{"cursor":"stat"}'), ('upload', '{"cursor":"drop 5"}'),
  ('create', '{"chunk":{"refs":{"input":"gs://bkt/jobs/batchinf/0123456789abcdef0123456789abcdef/in'
  'put.jsonl"},"tries":3}}'),
  ('find', '{}'), ('find', '{"cursor":"C/+a="}'), ('poll', '{}'), ('cancel', '{}'),
  ('outputs', '{}'), ('outputs', '{"cursor":"C/+a=",'
  '"chunk":{"refs":{"input":"gs://old-bkt/x/batchinf/0123456789abcdef0123456789abcdef/input.jsonl"}'
  '}}'),
  ('check', '{}'), ('check', '{"cursor":"bucket"}'),
  ('check', '{"cursor":"model","server":{"model":"gemini-2.5-pro"}}'),
  ('check', '{"cursor":"model","server":{"model":"claude-3-5-haiku@20241022"}}'),
  ('check', '{"cursor":"model","server":{"model":"77"}}'),
  ('check', '{"cursor":"model",'
  '"server":{"model":"projects/p/locations/l/publishers/google/models/gemini-2.5-pro"}}')) t(r, c);
-- … addresses
SELECT split_part(unit_request('poll', call(jsonb_build_object('server', s::jsonb))),
  E'\n', 1) FROM unnest(ARRAY['{"location":"global"}', '{"location":"us"}', '{"location":"eu"}',
  '{"location":"europe-west4"}', '{"base_url":"https://proxy.example/google/"}',
  '{"project":"example.com:p"}']) s;
SELECT split_part(unit_request('outputs', call(jsonb_build_object('server', s::jsonb))),
  E'\n', 1) FROM unnest(ARRAY['{"storage_base_url":"https://proxy.example/gcs/"}',
  '{"storage_url":"gs://bkt"}', '{"storage_url":"gs://bkt/a/b/"}']) s;
-- … models
SELECT m || ': ' || substring(unit_request('create', call(jsonb_build_object('spec',
  jsonb_build_object('model', m)))) FROM '"model":"([^"]*)"')
  FROM unnest('{gemini-2.5-pro,claude-haiku-5-5,publishers/google/models/x,google/x,'
  'anthropic/claude-9,77,models/77,projects/p/locations/l/models/7}'::text[]) m;
-- … what is fetched and removed
SELECT coalesce(split_part(unit_request(r, call(jsonb_build_object('part', part, 'chunk',
  jsonb_build_object('tries', 1, 'buried', '8 9', 'refs', jsonb_build_object('object.0',
  'input.jsonl', 'object.1', 'out-1/prediction-model-2026-11-20T10:00:05.123456Z/predictions.jsonl',
  'object.2',
  'out-1/prediction-model-2026-11-20T10:00:05.123456Z/incremental_predictions_0001.jsonl'))))),
  E'\n', 1), 'no more') FROM unnest('{fetch,discard}'::text[]) r, generate_series(0, 6) part;

-- uploads
SELECT s || ' ' || f || ' ' || c || ': ' || reply('upload', s, f, c::jsonb)
  FROM (VALUES (200, 'object.json', '{}'), (200, 'object-no-sum.json', '{}'),
  (200, 'object-longer.json', '{}'), (200, 'object-other.json', '{}'),
  (200, 'object-odd.json', '{}'), (200, 'objects-odd.json', '{}'), (200, 'error-html.json', '{}'),
  (412, 'error-storage-412.json', '{}'), (200, 'object.json', '{"cursor":"stat"}'),
  (200, 'object-other.json', '{"cursor":"stat"}'),
  (404, 'error-storage-404.json', '{"cursor":"stat"}'),
  (204, 'objects-none.json', '{"cursor":"drop 5"}'),
  (404, 'error-storage-404.json', '{"cursor":"drop 5"}'),
  (412, 'error-storage-412.json', '{"cursor":"drop 5"}'), (404, 'error-storage-404.json', '{}'),
  (403, 'error-storage-403.json', '{}'), (403, 'error-storage-rate.json', '{}'),
  (503, 'error-503.json', '{}'), (413, 'error-html.json', '{}')) t(s, f, c);

-- errors
SELECT s || ' ' || f || ': ' || reply('poll', s, f) FROM (VALUES (400, 'error-400.json'),
  (401, 'error-401.json'), (403, 'error-403.json'), (404, 'error-404.json'),
  (404, 'error-html.json'), (409, 'error-409.json'), (429, 'error-429.json'),
  (429, 'error-429-odd.json'), (429, 'error-429-none.json'),
  (429, 'error-html.json'), (500, 'error-500.json'), (502, 'error-html.json'),
  (503, 'error-503.json'), (400, 'error-list.json'), (400, 'error-text.json'),
  (302, 'error-html.json'), (200, 'error-html.json'), (200, 'list-empty.json'),
  (400, 'job-running.json')) t(s, f);
SELECT unit_reply('create', call('{"transport":"broken","cause":6}'), ''),
  unit_reply('create', call('{"transport":"unsent","cause":2}'), '');
SELECT s || ' ' || f || ': ' || reply('create', s, f) FROM (VALUES (404, 'error-404.json'),
  (404, 'error-html.json'), (502, 'error-html.json'), (400, 'error-400.json'),
  (429, 'error-429.json'), (503, 'error-503.json'), (200, 'job-no-name.json'),
  (200, 'job-pending.json')) t(s, f);
SELECT s || ' ' || f || ': ' || reply('cancel', s, f) FROM (VALUES (200, 'list-empty.json'),
  (400, 'error-precondition.json'), (400, 'error-400.json'), (404, 'error-404.json'),
  (503, 'error-503.json')) t(s, f);
SELECT s || ' ' || f || ': ' || reply('discard', s, f) FROM (VALUES (200, 'list-empty.json'),
  (204, 'list-empty.json'), (404, 'error-storage-404.json'), (400, 'error-precondition.json'),
  (403, 'error-storage-403.json'), (401, 'error-401.json'), (503, 'error-503.json')) t(s, f);
SELECT s || ' ' || f || ': ' || reply('fetch', s, f, c::jsonb)
  FROM (VALUES (200, 'list-empty.json', '{}'), (206, 'list-empty.json', '{}'),
  (200, 'error-html.json', '{"headers":"content-type: text/html"}'), (404, 'error-text.json', '{}'),
  (404, 'error-html.json', '{}'), (404, 'error-storage-404.json', '{}'),
  (416, 'error-400.json', '{}')) t(s, f, c);

-- jobs
SELECT f || ': ' || reply('poll', 200, 'job-' || f || '.json')
  FROM unnest('{queued,pending,paused,unspecified,new-word,running,updating,cancelling,succeeded,'
  'succeeded-no-stats,partial,expired,cancelled,cut-off,cancelled-before-start,failed,failed-quota,'
  'failed-internal,failed-rights,failed-with-results,failed-without-words,bad-stats,huge-stats,'
  'other-id,bad-id,no-name,no-state}'::text[]) f;

-- lists
SELECT f || ': ' || reply('find', 200, f || '.json')
  FROM unnest('{list,list-twins,list-twins-failed,list-without,list-more,list-empty,list-bad-entry,'
  'list-odd,list-odd-token}'::text[]) f;
SELECT 'again: ' || reply('find', 200, 'list-more.json', '{"cursor":"C/+abc="}');
SELECT 'second try: ' || reply('find', 200, 'list.json', '{"chunk":{"tries":9}}');
SELECT reply('find', 403, 'error-403.json');

-- objects
SELECT f || ' ' || c || ': ' || reply('outputs', 200, f || '.json', c::jsonb)
  FROM (VALUES ('objects', '{"chunk":{"refs":{"object.0":"old","object.1":"older","lines":"5"}}}'),
  ('objects-more', '{}'), ('objects', '{"cursor":"C/+o=","chunk":{"refs":{"object.0":"kept"}}}'),
  ('objects-none', '{}'),
  ('objects-foreign', '{}'), ('objects-odd', '{}'), ('error-html', '{}'),
  ('objects', '{"chunk":{"refs":{"input":"gs://bkt/jobs/batchinf/0123456789abcdef0123456789abcdef/i'
  'nput.jsonl"}}}')) t(f, c);
SELECT reply('outputs', 404, 'error-storage-404.json');
-- … of which only the results of the last try are read
WITH refs AS (SELECT (reply('outputs', 200, 'objects.json')::jsonb) -> 'refs' AS r)
SELECT coalesce(substring(unit_request('fetch', call(jsonb_build_object('part', part, 'chunk',
  jsonb_build_object('tries', tries, 'refs', r || more::jsonb)))) FROM '%2F(out[^?]*)'), 'no more')
FROM refs, (VALUES (1, '{}'), (2, '{}'), (3, '{}'),
  (1, '{"output":"gs://bkt/jobs/batchinf/0123456789abcdef0123456789abcdef/out-1/prediction-model-20'
  '26-11-20T10:00:05.123456Z"}'), (1, '{"output":"gs://bkt/elsewhere"}')) t(tries, more),
  generate_series(0, 4) part;

-- checks
SELECT s || ' ' || f || ' ' || c || ': ' || reply('check', s, f, c::jsonb)
  FROM (VALUES (200, 'list-empty.json', '{}'), (404, 'error-html.json', '{}'),
  (404, 'error-404.json', '{}'), (403, 'error-403.json', '{}'), (401, 'error-401.json', '{}'),
  (200, 'objects-none.json', '{"cursor":"bucket"}'),
  (200, 'objects-none.json', '{"cursor":"bucket","server":{"model":"m"}}'),
  (404, 'error-storage-404.json', '{"cursor":"bucket"}'),
  (403, 'error-storage-403.json', '{"cursor":"bucket"}'),
  (200, 'list-empty.json', '{"cursor":"model","server":{"model":"m"}}'),
  (404, 'error-404.json', '{"cursor":"model","server":{"model":"m"}}'),
  (503, 'error-503.json', '{"cursor":"model","server":{"model":"m"}}')) t(s, f, c);
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
