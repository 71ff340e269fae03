-- What provider/openai*.c writes: refusals, request lines, requests; offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
SELECT unit_limits('{}');
SELECT unit_limits('{"server":{"base_url":"http://h:1/p/v1//","max_requests":7,"min_requests":2,'
  '"max_bytes":9,"max_batches":3,"max_enqueued_tokens":11,"poll_interval":1,"expires_after":0}}');

-- request lines
SELECT unit_frame(convert_to(c, 'UTF8'), i) FROM (VALUES
  ('{"spec":{"model":"m"}}', E'say "hi"\n\\ /'),
  ('{"spec":{"model":"m","system_prompt":"be \"short\"\n","params":{"temperature":0.20,'
  '"max_completion_tokens":200,"seed":123456789012345678901234567890,"stop":["a","\n"]}}}', 'x'),
  ('{"spec":{"model":"m","params":{}}}', ''),
  ('{"spec":{"model":"m","response_schema":{"type":"object","properties":{"a":{"type":"string"}},'
  '"required":["a"],"additionalProperties":false}}}', 'x'),
  ('{"spec":{"model":"m","response_schema":{"type":"object","properties":{"a":{"type":"string"}}},'
  '"params":{"n":1}}}', 'x'),
  ('{"spec":{"model":"m","response_schema":{"type":"object"},"params":{"response_format":{"type":'
  '"json_object"}}}}', 'x'),
  ('{"spec":{"model":"m","input":"messages"}}',
  E' [ {"role":"user",\r\n"content":"a\\nb"} , {"role":"assistant","content":"[c]"}\n] \n'),
  ('{"spec":{"model":"m","input":"messages","system_prompt":"s","params":{"n":1}}}',
  '[{"role":"user","content":"a"}]'),
  ('{"spec":{"model":"m","input":"body"}}', E' {"model":"m",\n"messages":[]}\n'),
  ('{"spec":{"model":"e","task":"embedding"}}', 'text'),
  ('{"spec":{"model":"e","task":"embedding","params":{"dimensions":256,"encoding_format":"float"}}}'
  , 'text'),
  ('{"spec":{"model":"e","task":"embedding","input":"body"}}', '{"model":"e","input":"x"}')) AS t(c,
  i);
-- the same for /v1/responses
SELECT unit_frame(convert_to(c, 'UTF8'), i) FROM (VALUES
  ('{"spec":{"model":"m","endpoint":"responses"}}', E'say "hi"\n\\ /'),
  ('{"spec":{"model":"m","endpoint":"responses","system_prompt":"be \"short\"\n","params":'
  '{"max_output_tokens":200,"reasoning":{"effort":"low"},"store":true}}}', 'x'),
  ('{"spec":{"model":"m","endpoint":"responses","params":{"instructions":"i"},"response_schema":'
  '{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"string"}},"required":["b",'
  '"a"],"additionalProperties":false}}}', 'x'),
  ('{"spec":{"model":"m","endpoint":"responses","params":{"top_p":1,"text":{"verbosity":"low",'
  '"format":null},"user":"u"},"response_schema":{"type":"object"}}}', 'x'),
  ('{"spec":{"model":"m","endpoint":"responses","params":{"text":{"format":{"type":'
  '"json_object"}}},"response_schema":{"type":"object"}}}', 'x'),
  ('{"spec":{"model":"m","endpoint":"responses","input":"messages","system_prompt":"s"}}',
  E' [ {"role":"user",\r\n"content":"a\\nb"} , {"type":"item_reference","id":"[c]"}\n] \n'),
  ('{"spec":{"model":"m","endpoint":"responses","input":"body"}}',
  E' {"model":"m",\n"input":[]}\n'),
  ('{"spec":{"model":"e","endpoint":"responses","task":"embedding"}}', 'text')) AS t(c, i);
SELECT length(unit_frame('{"spec":{"model":"m"}}', repeat(E'\x01"', 2500000)));

-- what is refused of each endpoint
SELECT coalesce(unit_refuse(convert_to(c, 'UTF8'), i), 'fine') FROM (VALUES
  ('{"spec":{"endpoint":"responses","params":{"max_output_tokens":20,"text":{"verbosity":"low"},'
  '"reasoning":{}}}}', 'x'), ('{"spec":{"endpoint":"responses","params":{"input":"x"}}}', NULL),
  ('{"spec":{"endpoint":"responses","params":{"max_tokens":20}}}', NULL),
  ('{"spec":{"endpoint":"responses","params":{"max_tokens":null}}}', NULL),
  ('{"spec":{"endpoint":"responses","params":{"max_completion_tokens":20}}}', NULL),
  ('{"spec":{"endpoint":"responses","params":{"response_format":{}}}}', NULL),
  ('{"spec":{"endpoint":"responses","params":{"messages":[]}}}', NULL),
  ('{"spec":{"endpoint":"responses","params":{"reasoning_effort":"low"}}}', NULL),
  ('{"spec":{"endpoint":"responses","params":{"instructions":"x"}}}', 'x'),
  ('{"spec":{"endpoint":"responses","system_prompt":"s","params":{"instructions":"x"}}}', NULL),
  ('{"spec":{"endpoint":"responses","response_schema":{},"params":{"text":7}}}', NULL),
  ('{"spec":{"params":{"max_output_tokens":20}}}', NULL),
  ('{"spec":{"params":{"instructions":"x"}}}', NULL),
  ('{"spec":{"task":"embedding","params":{"max_output_tokens":20}}}', NULL),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","input":"x"}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m"}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","messages":[],"max_output_tokens":7}'),
  ('{"spec":{"input":"body","model":"m","endpoint":"responses"}}',
  '{"model":"m","input":"x","instructions":"i","max_output_tokens":16}'),
  ('{"spec":{"input":"body","model":"m","endpoint":"responses"}}', '{"model":"m","messages":[]}'),
  ('{"spec":{"input":"body","model":"m","endpoint":"responses"}}',
  '{"model":"m","input":"x","response_format":{"type":"text"}}'),
  ('{"spec":{"input":"body","model":"m","endpoint":"responses"}}',
  '{"model":"m","prompt":{"id":"pmpt_1"}}'),
  ('{"spec":{"input":"body","model":"m","endpoint":"responses"}}', '{"model":"M","input":"x"}'),
  ('{"spec":{"input":"body","model":"m","endpoint":"responses"}}',
  '{"model":"m","input":"x","stream":true}'),
  ('{"spec":{"input":"messages","endpoint":"responses"}}',
  '[{"role":"user","content":"x"},{"type":"function_call_output","call_id":"c","output":"x"}]'),
  ('{"spec":{"input":"messages","endpoint":"responses"}}', '[]'),
  ('{"spec":{"input":"messages","endpoint":"responses"}}', '{"role":"user"}'),
  ('{"spec":{"input":"messages","endpoint":"responses"}}', '[{"content":"x"}]'),
  ('{"spec":{"input":"messages","endpoint":"responses"}}', '[{"role":"user","content":"x"},"x"]'),
  ('{"spec":{"input":"messages","endpoint":"responses"}}', '[{"role":"tool","content":"x"}]'),
  ('{"spec":{"input":"messages","endpoint":"responses"}}',
  '[{"role":"user","content":[{"type":"text","text":"x"}]}]'),
  ('{"spec":{"input":"messages","endpoint":"responses"}}', '[{"role":"user","content":[{"type":'
  '"input_text","text":"x"},{"type":"image_url","image_url":{"url":"x"}}]}]')) AS t(c, i);

-- jobs and inputs that are refused
SELECT coalesce(unit_refuse(convert_to(c, 'UTF8'), i), 'fine') FROM (VALUES
  ('{}', NULL), ('{}', 'any text'), ('{"spec":{"params":{"temperature":1}}}', 'x'),
  ('{"spec":{"params":[1]}}', NULL), ('{"spec":{"params":{"model":"x"}}}', NULL),
  ('{"spec":{"params":{"messages":null}}}', NULL), ('{"spec":{"params":{"stream":false}}}', NULL),
  ('{"spec":{"params":{"input":"x"}}}', NULL),
  ('{"spec":{"task":"embedding","params":{"input":"x"}}}', NULL),
  ('{"spec":{"task":"embedding","params":{"encoding_format":"base64"}}}', NULL),
  ('{"spec":{"task":"embedding","params":{"encoding_format":"float"}}}', NULL),
  ('{"spec":{"task":"embedding","response_schema":{}}}', NULL),
  ('{"spec":{"task":"embedding","system_prompt":"x"}}', NULL),
  ('{"spec":{"task":"embedding","input":"messages"}}', NULL),
  ('{"spec":{"input":"body","system_prompt":"x"}}', NULL),
  ('{"spec":{"input":"body","params":{"n":1}}}', NULL), ('{"spec":{"input":"body","params":{}}}',
  NULL),
  ('{"spec":{"response_schema":true}}', NULL),
  ('{"spec":{"input":"messages"}}', '[{"role":"user","content":"x"}]'),
  ('{"spec":{"input":"messages"}}', '[]'), ('{"spec":{"input":"messages"}}', '{}'),
  ('{"spec":{"input":"messages"}}', 'x'),
  ('{"spec":{"input":"messages"}}', '[{"role":"user"},"x"]'), ('{"spec":{"input":"messages"}}',
  '[{"content":"x"}]'), ('{"spec":{"input":"messages"}}', '[{"role":{}}]'),
  ('{"spec":{"input":"messages"}}', '[{"role":null}]'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","messages":[]}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"M"}'),
  ('{"spec":{"input":"body","model":"m"}}', '{}'), ('{"spec":{"input":"body","model":"m"}}', '[]'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m"'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","stream":true}'),
  ('{"spec":{"input":"body","model":"m"}}', '{"model":"m","messages":[],"stream":false}'),
  ('{"spec":{"input":"body","model":"m","task":"embedding"}}', '{"model":"m","input":["a","b"]}'),
  ('{"spec":{"input":"body","model":"m","task":"embedding"}}', '{"model":"m","input":[1,2]}'),
  ('{"spec":{"input":"body","model":"m","task":"embedding"}}',
  '{"model":"m","input":"a","encoding_format":"base64"}')) AS t(c, i);

-- schemas that OpenAI takes as strict
SELECT unit_openai_strict(convert_to(s, 'UTF8')), s FROM unnest(ARRAY[
  '{"type":"object","properties":{"a":{"type":"string","description":"d"}},"required":["a"],'
  '"additionalProperties":false}',
  '{"type":"object","properties":{"l":{"type":"array","items":{"type":"object","properties":{"n":'
  '{"type":["integer","null"]}},"required":["n"],"additionalProperties":false}}},"required":["l"],'
  '"additionalProperties":false}',
  '{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"required":["a"],'
  '"additionalProperties":false,"$defs":{"x":{"type":"object","properties":{},'
  '"additionalProperties":false}}}',
  '{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":'
  '["a"],"additionalProperties":false}',
  '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}',
  '{"type":"object","properties":{"a":{"type":"string"}},"required":[],"additionalProperties":'
  'false}',
  '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":'
  '{}}', '{"type":"object","additionalProperties":false}',
  '{"type":"object","properties":{"a":{"type":"object"}},"required":["a"],"additionalProperties":'
  'false}', '{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}',
  '{"type":"object","properties":{"a":{"type":"array"}},"required":["a"],"additionalProperties":'
  'false}', '{"type":"object","properties":{"a":{"type":"string","minLength":1}},"required":["a"],'
  '"additionalProperties":false}',
  '{"type":"object","properties":{"a":{"oneOf":[{"type":"string"}]}},"required":["a"],'
  '"additionalProperties":false}', '{"type":"object","properties":{"a":{"anyOf":[{"type":"object",'
  '"properties":{}}]}},"required":["a"],"additionalProperties":false}',
  '{"type":"object","properties":{"a":true},"required":["a"],"additionalProperties":false}',
  '{"type":"array","items":{"type":"string"}}', '{"anyOf":[{"type":"string"}]}', 'true',
  '{"type":"object","properties":{},"additionalProperties":false,"$defs":{"x":{"type":"object",'
  '"properties":{"a":{"type":"string"}}}}}']) AS s;

-- requests
SELECT replace(unit_request('upload', '{}'), E'\r', '<CR>');
SELECT replace(unit_request('upload', '{"server":{"base_url":"https://example.com/v1/",'
  '"organization":"org-1","project":"proj_1","expires_after":0},"chunk":{"attempt":2}}'), E'\r',
  '<CR>');
SELECT replace(unit_request('upload', '{"server":{"expires_after":3600}}'), E'\r', '<CR>');
SELECT unit_request('create', '{"chunk":{"refs":{"input":"file-1"}}}');
SELECT unit_request('create',
  convert_to('{"spec":{"endpoint":"responses"},"chunk":{"refs":{"input":"file-1"}}}', 'UTF8'));
SELECT unit_request('create', convert_to('{"spec":{"task":"embedding"},"server":{"base_url":"http:'
  '//127.0.0.1:1/prefix","completion_window":"4\"8h","expires_after":7200},"chunk":{"tries":3,'
  '"refs":{"input":"f\"1"}}}', 'UTF8'));
SELECT unit_request('create', '{"server":{"metadata":"off"},"chunk":{"refs":{"input":"file-1"}}}');
SELECT unit_request('create',
  '{"server":{"metadata":"on","expires_after":0},"chunk":{"refs":{"input":"file-1"}}}');
SELECT unit_request('find', '{}');
SELECT unit_request('find', '{"cursor":"cursor=cGFnZTI=/&"}');
SELECT unit_request('find', '{"cursor":"batch/../x?y=1&z"}');
SELECT unit_request('poll', '{"chunk":{"batch_id":"batch_abc-1.~"}}');
SELECT unit_request('poll', convert_to('{"chunk":{"batch_id":"a/b c%\u00e9"}}', 'UTF8'));
SELECT unit_request('cancel', '{}');
SELECT part, unit_request('fetch', convert_to(format(
  '{"part":%s,"chunk":{"refs":{"input":"file-in","error":"file-err","output":"file-out"}}}', part),
  'UTF8')) FROM generate_series(0, 2) AS part;
SELECT part, unit_request('fetch',
  convert_to(format('{"part":%s,"chunk":{"refs":{"input":"file-in","error":"file-err"}}}', part),
  'UTF8')) FROM generate_series(0, 1) AS part;
SELECT part, unit_request('discard', convert_to(format('{"part":%s,"chunk":{"refs":{"error":'
  '"file-err","input":"file-in","output":""},"buried":"batch_0"}}', part), 'UTF8')) FROM
  generate_series(0, 2) AS part;
SELECT unit_request('check', '{"spec":{"model":"meta-llama/Llama 3"}}');
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
