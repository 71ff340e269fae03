-- What provider/anthropic*.c writes and reads, offline: refusals, requests, replies, lists, result
-- lines.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set fixtures :here '/fixtures/anthropic/'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
SELECT set_config('unit.fixtures', :'fixtures', false) IS NOT NULL;
-- every call is this server's; more are members of the call
CREATE FUNCTION call(more jsonb DEFAULT '{}') RETURNS bytea LANGUAGE sql AS
  $$ SELECT convert_to(jsonb_set(jsonb_set('{"spec":{"model":"claude-haiku-5-5"},"chunk":'
  '{"batch_id":"msgbatch_1","records":3,"claimed_at":"2026-11-20 12:00:00Z"}}' || more,
       '{server}', '{"provider":"anthropic"}' || coalesce(more -> 'server', '{}')), '{spec}',
       '{"model":"claude-haiku-5-5"}' || coalesce(more -> 'spec', '{}'))::text, 'UTF8') $$;
CREATE FUNCTION file(name text) RETURNS bytea LANGUAGE sql AS $$ SELECT
  pg_read_binary_file(current_setting('unit.fixtures') || name) $$;
CREATE FUNCTION reply(routine text, status int, name text, more jsonb DEFAULT '{}') RETURNS text
  LANGUAGE sql AS
  $$ SELECT unit_reply(routine, call(jsonb_build_object('status', status) || more), file(name)) $$;
SELECT substring(unit_limits(call()) FROM 'anthropic [^\n]*');

-- requests in a batch
SELECT unit_frame(call(c::jsonb), i) FROM (VALUES
  ('{}', E'say "hi"\n\\ /'), ('{"spec":{"model":"claude-3-haiku-20240307"}}', ''),
  ('{"spec":{"model":"claude-3-5-haiku-20241022"}}', 'x'),
  ('{"spec":{"model":"claude-3-7-sonnet-20250219"}}', 'x'),
  ('{"spec":{"system_prompt":"be \"short\"\n"}}', 'x'), ('{"spec":{"system_prompt":""}}', 'x'),
  ('{"server":{"prompt_cache":"off"},"spec":{"system_prompt":"s"}}', 'x'),
  ('{"server":{"prompt_cache":"5m"},"spec":{"system_prompt":"s"}}', 'x'),
  ('{"server":{"prompt_cache":"1h"},"spec":{"system_prompt":"be \"short\""}}', 'x'),
  ('{"server":{"prompt_cache":"1h"}}', 'x'),
  ('{"spec":{"params":{"max_tokens":16,"temperature":0.20,"stop_sequences":["a","\n"],"n":'
  '123456789012345678901234567890}}}', 'x'), ('{"spec":{"params":{}}}', 'x'),
  ('{"spec":{"params":{"system":[{"type":"text","text":"own"}],"output_config":{"effort":"low"}}}}',
  'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"}},"required":'
  '["a"],"additionalProperties":false}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"}}},"params":'
  '{"max_tokens":5,"output_config":{"effort":"low"}}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"}}},"params":'
  '{"output_config":{"effort":"low","format":{"type":"json_schema","schema":{}}}}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"}}},"params":'
  '{"output_format":{"type":"json_schema","schema":{}}}}}', 'x'),
  ('{"spec":{"input":"messages","system_prompt":"s"}}',
  E' [ {"role":"user",\r\n"content":"a\\nb"} , {"role":"assistant","content":"[c]"}\n] \n'),
  ('{"server":{"prompt_cache":"1h"},"spec":{"input":"body","response_schema":{"type":"object"}}}',
  E' {"model":"claude-haiku-5-5",\n"max_tokens":1,"messages":[]}\n')) AS t(c, i);
SELECT length(unit_frame(call(), repeat(E'\x01"', 2500000)));

-- schemas: what the API cannot assert goes into descriptions, objects are closed
SELECT substring(unit_frame(call(jsonb_build_object('spec', jsonb_build_object('response_schema',
  s::jsonb))), 'x') FROM '"schema":(.*)}}}}$') FROM unnest(ARRAY[
  '{"type":"object","properties":{"n":{"type":"integer","minimum":0,"maximum":5,"description":"how '
  'many"},"s":{"type":"string","minLength":1,"pattern":"^a"}},"required":["n"],"title":"t",'
  '"$schema":"x"}',
  '{"type":"object","properties":{"l":{"type":"array","minItems":1,"maxItems":3,"items":{"type":'
  '"object","properties":{"d":{"type":"string","format":"date"},"z":{"type":"string","format":'
  '"zodiac"}}}},"m":{"type":"array","minItems":2,"items":{"enum":["a",null,1.50]}}}}',
  '{"type":["object","null"],"properties":{"a":{"oneOf":[{"type":"string","maxLength":3},{"const":'
  '7}]},"b":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/x"}]},"c":{"$ref":"#/$defs/x","description":'
  '"beside"}},"$defs":{"x":{"properties":{"minimum":{"type":"number","exclusiveMinimum":0}}}}}',
  '{"type":"object","properties":{"a":{"oneOf":[{"type":"string"}],"anyOf":[{"type":"string"}]},'
  '"b":{"allOf":[{"type":"string"}],"not":{"const":"x"},"default":"y"},"e":{"type":"string",'
  '"description":""},"f":{"type":"string","description":7}}}',
  '{"type":"object","additionalProperties":false}', '{"$ref":"#/$defs/x","$defs":{"x":{"type":'
  '"object","properties":{"a":{"type":"object","properties":{"b":{"type":"null"}},'
  '"additionalProperties":true}}}}}', '{"$ref":"#/$defs/x","properties":{"a":{"type":"null"}},'
  '"$defs":{"x":{"type":"object","properties":{"a":{}}}}}']) AS s;

-- jobs and inputs that are refused
SELECT coalesce(unit_refuse(call(c::jsonb), i), 'fine') FROM (VALUES
  ('{}', NULL), ('{}', 'any text'), ('{"spec":{"params":{"temperature":1,"top_p":1,"top_k":5}}}',
  'x'), ('{"server":{"api_version":"2023-06-01"},"spec":{"params":{"top_k":5}}}', 'x'),
  ('{"server":{"api_version":"2026-10-21"},"spec":{"params":{"temperature":1}}}', NULL),
  ('{"server":{"api_version":"2026-10-21"},"spec":{"params":{"max_tokens":9,"top_p":null}}}', NULL),
  ('{"server":{"api_version":"2027-01-01"},"spec":{"params":{"top_k":5}}}', NULL),
  ('{"server":{"api_version":"2026-10-21"},"spec":{"params":{"max_tokens":9}}}', NULL),
  ('{"spec":{"task":"embedding"}}', NULL),
  ('{"spec":{"params":[1]}}', NULL), ('{"spec":{"params":{"model":"x"}}}', NULL),
  ('{"spec":{"params":{"messages":null}}}', NULL), ('{"spec":{"params":{"stream":false}}}', NULL),
  ('{"spec":{"params":{"system":"x"}}}', NULL),
  ('{"spec":{"system_prompt":"s","params":{"system":"x"}}}', NULL),
  ('{"spec":{"params":{"speed":"fast"}}}', NULL), ('{"spec":{"params":{"store":true}}}', NULL),
  ('{"spec":{"params":{"previous_thread_event_id":"x"}}}', NULL),
  ('{"spec":{"params":{"cache_hint":"x"}}}', NULL), ('{"spec":{"params":{"context_hint":"x"}}}',
  NULL),
  ('{"spec":{"params":{"research_preview_2026_02":"active"}}}', NULL),
  ('{"spec":{"params":{"research_preview_2026_02":"off"}}}', NULL),
  ('{"spec":{"params":{"max_tokens":0}}}', NULL), ('{"spec":{"params":{"max_tokens":-1}}}', NULL),
  ('{"spec":{"params":{"max_tokens":"5"}}}', NULL), ('{"spec":{"params":{"max_tokens":1.5}}}',
  NULL), ('{"spec":{"params":{"max_tokens":null}}}', NULL),
  ('{"spec":{"params":{"max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":2000}}}}',
  NULL), ('{"spec":{"params":{"thinking":{"type":"enabled","budget_tokens":40000}}}}', NULL),
  ('{"spec":{"params":{"thinking":{"type":"enabled","budget_tokens":1024}}}}', NULL),
  ('{"spec":{"params":{"output_config":"low"}}}', NULL),
  ('{"spec":{"input":"body","system_prompt":"x"}}', NULL),
  ('{"spec":{"input":"body","params":{"n":1}}}', NULL), ('{"spec":{"input":"body","params":{}}}',
  NULL), ('{"spec":{"input":"body","response_schema":{"type":"object"}}}', NULL),
  ('{"spec":{"response_schema":true}}', NULL), ('{"spec":{"response_schema":{}}}', NULL),
  ('{"spec":{"response_schema":{"type":"object"}}}', NULL), ('{"spec":{"response_schema":{"type":'
  '"object","properties":{"a":{"type":"object","additionalProperties":{"type":"string"}}}}}}',
  NULL),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"description":"any"}}}}}', NULL),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"anyOf":[{"type":"null"},'
  'true]}}}}}', NULL), ('{"spec":{"response_schema":{"type":"array","items":{}}}}', NULL),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"$defs":'
  '{"x":7}}}}', NULL),
  ('{"spec":{"input":"messages"}}',
  '[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":"y"}]}]'),
  ('{"spec":{"input":"messages"}}', '[]'), ('{"spec":{"input":"messages"}}', '{}'),
  ('{"spec":{"input":"messages"}}', 'x'),
  ('{"spec":{"input":"messages"}}',
  '[{"role":"user","content":"x"},{"role":"system","content":"x"}]'),
  ('{"spec":{"input":"messages"}}', '[{"role":"tool","content":"x"}]'),
  ('{"spec":{"input":"messages"}}', '[{"content":"x"}]'),
  ('{"spec":{"input":"messages"}}', '[{"role":{}}]'), ('{"spec":{"input":"messages"}}', '["x"]'),
  ('{"spec":{"input":"messages"}}', '[{"role":"user"}]'), ('{"spec":{"input":"messages"}}',
  '[{"role":"user","content":null}]'), ('{"spec":{"input":"messages"}}',
  '[{"role":"user","content":{}}]'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","max_tokens":1,"messages":[]}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"M","max_tokens":1,"messages":[]}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"max_tokens":1,"messages":[]}'),
  ('{"spec":{"input":"body","model":"m"}}', '[]'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","messages":[]}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","max_tokens":0,"messages":[]}'),
  ('{"spec":{"input":"body","model":"m"}}',
  '{"model":"m","max_tokens":1,"stream":true,"messages":[]}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m"'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","max_tokens":1}'),
  ('{"spec":{"input":"body","model":"m"}}',
  '{"contents":[{"role":"user","parts":[{"text":"x"}]}]}'),
  ('{"spec":{"input":"body","model":"m"}}',
  '{"custom_id":"a","params":{"model":"m","max_tokens":1,"messages":[]}}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","input":"x"}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","prompt":"x"}')) AS t(c, i);
-- nested too deep
SELECT unit_refuse(call(jsonb_build_object('spec', jsonb_build_object('response_schema',
  (repeat('{"type":"array","items":', n) || '{"type":"null"}' || repeat('}', n))::jsonb))), NULL)
  FROM unnest('{20,80}'::int[]) AS n;

-- what travels
SELECT unit_request('create', call());
SELECT unit_request('create', call(
  '{"server":{"auth":"bearer","api_version":"2026-10-21","base_url":"http://127.0.0.1:1/prefix//"}}'
  ));
SELECT unit_request('find', call()), unit_request('find', call('{"cursor":"b/../x?y=1&z"}'));
SELECT unit_request('peek', call());
SELECT unit_request('poll', call()), unit_request('poll',
  call('{"chunk":{"batch_id":"a/b c%\u00e9"}}'));
SELECT unit_request('cancel', call('{"server":{"auth":"x-api-key"}}'));
SELECT part, unit_request('fetch', call(jsonb_build_object('part', part))), unit_request('discard',
  call(jsonb_build_object('part', part))) FROM generate_series(0, 1) AS part;
-- no batch was made: nothing to fetch, nothing to remove
SELECT unit_request(routine, call('{"chunk":{"batch_id":null}}')) IS NULL FROM
  unnest('{fetch,discard}'::text[]) AS routine;
SELECT unit_request('check', call('{"spec":{"model":"claude/haiku 5"}}'));

-- where a batch stands
SELECT name, reply('poll', 200, name) FROM pg_ls_dir(:'fixtures') AS name WHERE name LIKE 'batch-%'
  ORDER BY name COLLATE "C";
SELECT status, name, reply('create', status, name) FROM (VALUES (200, 'batch-in-progress.json'),
  (201, 'batch-other-id.json'), (200, 'batch-no-type.json'), (200, 'batch-no-id.json'), (200,
  'batch-bad-id.json'),
  (200, 'batch-no-status.json'), (200, 'model.json'), (200, 'error-invalid.json'), (200,
  'page.html'), (200, 'list-one-ended.json')) AS t(status, name);

-- looked for: 3 requests, claimed at 12:00
SELECT name, reply('find', 200, name,
  '{"chunk":{"records":3,"claimed_at":"2026-11-20 12:00:00Z","buried":"b_other b_dead"}}') FROM
  pg_ls_dir(:'fixtures') AS name WHERE name LIKE 'list-%' ORDER BY name COLLATE "C";
SELECT 'time unknown', reply('find', 200, name, '{"chunk":{"records":3}}') FROM unnest(
  '{list-before-the-window.json,list-more-past-window.json,list-after-the-window.json}'::text[]) AS
  name;
SELECT 'the leap day', reply('find', 200, 'list-day-of-2024.json',
  '{"chunk":{"records":3,"claimed_at":"2024-03-01 00:04:59Z"}}'), reply('find', 200,
  'list-day-of-2024.json', '{"chunk":{"records":3,"claimed_at":"2024-03-01 00:05:00Z"}}');
SELECT 'the same cursor again', reply('find', 200, 'list-more-in-window.json', '{"cursor":"b2"}'),
  reply('find', 200, 'list-more-in-window.json', '{"cursor":"b1"}');
SELECT 'odd', name, reply('find', 200, name) FROM
  unnest('{error-invalid.json,page.html,batch-ended.json,error-array.json}'::text[]) AS name;
-- a candidate's results: whole, cut, ours, another's
SELECT status, convert_from(b, 'UTF8'), unit_reply('peek', call(jsonb_build_object('status',
  status)), b) FROM (VALUES
  (200,
  convert_to(E'{"custom_id":"01234567-2","result":{"type":"canceled"}}\n{"custom_id":"x","result"',
  'UTF8')), (200, convert_to('{"custom_id":"01234567-2","result":{"type":"canceled"}}', 'UTF8')),
  (200, convert_to(E'\n{"result":{"type":"canceled"},"custom_id":"01234567-3"}\n', 'UTF8')), (200,
  convert_to(E'{"result":{"type":"canceled"},"custom_id":"89abcdef-3"}\n', 'UTF8')), (200,
  convert_to('{"custom_id":"01234567-2","result":{"type":"succ', 'UTF8')),
  (200, convert_to('{ "custom_id" : "01234567-2" , "res', 'UTF8')), (200,
  convert_to('{"custom_id":"01234568-2","result":{"type":"succ', 'UTF8')), (200,
  convert_to('{"custom_id":"012345678","result":{"type":"succ', 'UTF8')), (200,
  convert_to('{"custom_id":"0123', 'UTF8')),
  (200, convert_to('{"custom_id":"01234567-2', 'UTF8')), (200, convert_to('{"custom_id":"\u0030"',
  'UTF8')), (200, convert_to('{"custom_id":"","result"', 'UTF8')), (200,
  convert_to('{"result":{"type":"succeeded"', 'UTF8')), (200,
  convert_to('{"custom_id":7,"result":{', 'UTF8')), (200, convert_to('{"custom_id"', 'UTF8')),
  (200, convert_to(E' \n', 'UTF8')), (200, ''), (200, convert_to('<html>', 'UTF8')), (404,
  '{"type":"error","error":{"type":"not_found_error","message":"no results yet"}}'), (429, ''),
  (500, ''), (401, '')) AS t(status, b);
SELECT unit_reply('peek', call(), convert_to('{"custom_id":"01234567-2","result":{"type":'
  '"succeeded","message":{"content":[{"type":"text","text":"' || repeat('x', 65000), 'UTF8'));
SELECT unit_reply('peek', call('{"transport":"broken","cause":6}'), '');

-- what a status means, and the provider's words
SELECT status, name, reply('create', status, name) FROM (VALUES (400, 'error-invalid.json'), (400,
  'error-spend-own.json'), (400, 'error-credit.json'), (400, 'error-hold.json'), (400,
  'error-cmek.json'), (400, 'error-details-null.json'), (400, 'error-odd.json'), (400,
  'error-string.json'),
  (400, 'error-gateway.json'), (400, 'error-array.json'), (400, 'page.html'), (401,
  'error-key.json'), (401, 'page.html'), (402, 'error-billing.json'), (403,
  'error-permission.json'), (403, 'page.txt'), (404, 'error-not-found.json'), (404,
  'error-gateway.json'), (404, 'page.html'), (404, 'page.txt'),
  (405, 'error-string.json'), (408, 'page.html'), (409, 'error-conflict.json'), (413,
  'error-too-large.json'), (413, 'page.html'), (413, 'page.txt'), (422, 'error-odd.json'), (429,
  'error-rate.json'), (429, 'error-ramp.json'), (429, 'error-spend.json'), (429,
  'error-spend-contract.json'),
  (429, 'error-billing.json'), (429, 'page.html'), (500, 'error-api.json'), (503,
  'error-cmek.json'), (504, 'error-timeout.json'), (529, 'error-overloaded.json'), (502,
  'page.html'), (301, 'page.html'), (302, 'error-string.json'), (100, 'model.json'), (0,
  'model.json'), (999, 'model.json')) AS t(status, name);
SELECT unit_reply('create', call('{"status":413}'), ''), unit_reply('poll', call('{"status":404}'),
  '\x6261640a0d09ff00c3');
SELECT length(unit_reply('poll', call('{"status":400}'), convert_to('{"error":{"message":"' ||
  repeat('x', 1000000) || '","type":"' || repeat('c', 1000) || '"}}', 'UTF8'))) AS cut;
SELECT unit_reply('poll', call(), convert_to(repeat('[', 100000), 'UTF8')), unit_reply('find',
  call(), convert_to('{"data":' || repeat('[', 100000), 'UTF8'));
SELECT transport, unit_reply('create', call(jsonb_build_object('transport', transport, 'cause', 6)),
  '') FROM unnest('{unsent,broken}'::text[]) AS transport;
-- the other routines
SELECT status, name, reply('cancel', status, name) FROM (VALUES (200, 'batch-canceling.json'), (400,
  'error-invalid.json'), (409, 'error-conflict.json'), (404, 'error-not-found.json'), (500,
  'error-api.json'), (401, 'error-key.json')) AS t(status, name);
SELECT status, headers, unit_reply('fetch', call(jsonb_build_object('status', status, 'headers',
  headers)), '') FROM (VALUES (200, 'content-type: application/x-jsonl'), (200, ''), (200,
  'Content-Type: text/html; charset=utf-8'), (204, ''), (206, ''), (302, ''), (500, '')) AS
  t(status, headers);
SELECT status, name, reply('fetch', status, name) FROM (VALUES (404, 'error-not-found.json'), (404,
  'page.html')) AS t(status, name);
SELECT status, name, reply('discard', status, name) FROM (VALUES (200, 'deleted.json'), (200,
  'batch-ended.json'), (200, 'page.html'), (404, 'error-not-found.json'), (400,
  'error-invalid.json'), (409, 'error-conflict.json'), (529, 'error-overloaded.json')) AS t(status,
  name);
SELECT unit_reply('discard', call('{"status":204}'), '');
SELECT status, name, reply('check', status, name) FROM (VALUES (200, 'model.json'), (200,
  'models.json'), (200, 'page.html'), (401, 'error-key.json'), (403, 'error-permission.json'), (404,
  'error-not-found.json'), (429, 'error-rate.json')) AS t(status, name);

-- result lines
SELECT unit_line(call(), convert_to(line, 'UTF8'))
  FROM string_to_table(convert_from(file('lines.jsonl'), 'UTF8'), E'\n') WITH ORDINALITY AS l(line,
  n) WHERE line <> '' ORDER BY n;
-- no UTF-8, cut in a character, a NUL byte, a byte order mark, nothing
SELECT unit_line(call(), line) FROM unnest(ARRAY['\x7b22637573746f6d5f6964223a2261ff227d',
  '\x7b22637573746f6d5f6964223a2261c3', '\x7b22637573746f6d5f6964223a226122007d', '\xefbbbf7b7d',
  '']::bytea[]) AS line;
-- a line of 5 MB, deep ones, one that is cut anywhere
SELECT unit_line(call(), convert_to('{"custom_id":"big","result":{"type":"succeeded","message":'
  '{"stop_reason":"end_turn","content":[{"type":"text","text":"' || repeat('x\n', 2500000) ||
  '"}]}}}', 'UTF8'));
SELECT unit_line(call(), convert_to('{"custom_id":"deep","result":' || repeat('[', n) || repeat(']',
  n) || '}', 'UTF8')) FROM unnest('{100,1000000}'::int[]) AS n;
SELECT count(*) FILTER (WHERE unit_line(call(), substr(line, 1, n)) NOT LIKE
  '%"outcome":"errored","retryable":0,%"code":"unreadable_line"%') AS understood
  FROM (SELECT convert_to(split_part(convert_from(file('lines.jsonl'), 'UTF8'), E'\n', 1), 'UTF8')
  AS line) AS l, generate_series(0, length(line) - 1) AS n;
-- a good line with one bit wrong, at every byte: each is read to its end
SELECT substring(unit_line(call(), set_byte(line, n, get_byte(line, n) # 1)) FROM
  '"outcome":"([a-z_]+)"') AS outcome, count(*)
  FROM (SELECT convert_to(split_part(convert_from(file('lines.jsonl'), 'UTF8'), E'\n', 1), 'UTF8')
  AS line) AS l, generate_series(0, length(line) - 1) AS n
 GROUP BY 1 ORDER BY 2 DESC;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
