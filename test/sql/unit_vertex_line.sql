-- What provider/gemini_line.c, vertex_line.c, gemini_embedding.c and fingerprint.c make of result
-- lines, offline; hostile ones included.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
CREATE FUNCTION call(more jsonb DEFAULT '{}') RETURNS bytea LANGUAGE sql AS
  $$ SELECT convert_to(jsonb_set(jsonb_set('{}' || more, '{server}',
  '{"provider":"vertex","project":"proj-1","location":"us-central1","storage_url":"gs://bkt/jobs"}'
  || coalesce(more -> 'server', '{}')),
       '{spec}', '{"model":"gemini-3.5-flash-lite"}' || coalesce(more -> 'spec', '{}'))::text,
       'UTF8') $$;
CREATE FUNCTION line(line text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
  AS $$ SELECT unit_line(call(more), convert_to(line, 'UTF8')) $$;
-- a line of Gemini with this response and status
CREATE FUNCTION answer(response text, status text DEFAULT '', more jsonb DEFAULT '{}') RETURNS text
  LANGUAGE sql AS
  $$ SELECT line(format('{"status":%s,"processed_time":"2026-11-20T10:03:11.201+00:00",'
  '"request":{"contents":[{"role":"user","parts":[{"text":"?"}]}],"labels":{"rid":"01234567-7"}},'
  '"response":%s}', to_json(status), response), more) $$;

-- whose answer: a name beside the request, a label, the request itself; what is not ours yields
SELECT line(l) FROM unnest(ARRAY[
  '{"key":"01234567-1","request":{"labels":{"rid":"01234567-2"}},"response":{}}',
  '{"custom_id":"01234567-1","key":"01234567-3","request":{}}',
  '{"request":{"labels":{"rid":"01234567-2"}}}', '{"request":{"contents":[]},"response":{}}',
  '{"key":"0","request":{"labels":{"rid":"01234567-2"}}}',
  '{"key":"0","request":{"labels":{"rid":"other"}}}', '{"key":"0"}', '{"key":7,"response":{}}',
  '{"custom_id":{"a":1},"request":{"labels":"x","contents":[1]}}',
  '{"request":{"labels":{"rid":"98765432-2"}}}',
  '{"request":{"labels":{"rid":null},"contents":null}}', '{"instance":{"content":"x"}}',
  '{"request":null}', '{"request":[1]}', '{"request":"x","instance":{"content":"y"}}',
  '{"response":{}}', '{}', '[]', 'null', '7', 'nonsense', '', '{"request":{',
  '{"key":"01234567-1']) AS l;
SELECT unit_line(call(), '\xff7b7d'), unit_line(call(), '\x7b226b6579223a22303132333435363700227d');

-- the same request, however it is written back
SELECT DISTINCT unit_fingerprint(call(), convert_to(l, 'UTF8')) FROM unnest(ARRAY[
  '{"request":{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user",'
  '"parts":[{"text":"a \u00e4"}]}],"generationConfig":{"temperature":0.4,"topK":5,'
  '"maxOutputTokens":100,"thinkingConfig":{"thinkingBudget":0}}}}',
  '{"status":"","response":{"x":1},'
  '"request":{"generation_config":{"thinking_config":{"thinking_budget":0.0},'
  '"max_output_tokens":1e2,"top_k":5.0,"temperature":0.4000000059604645},"labels":{"rid":"a",'
  '"b":"c"},"contents":[{"parts":[{"file_data":null,"text":"a ä","inlineData":{}}],'
  '"role":"user"}],"system_instruction":{"role":"","parts":[{"text":"s"}]},"tools":[],'
  '"toolConfig":{"a":{"b":null}}}}']) AS l;
-- … and others
SELECT count(DISTINCT unit_fingerprint(call(), convert_to(l, 'UTF8'))),
  count(*) FROM unnest(ARRAY['{"request":{"contents":[{"parts":[{"text":"a"}]}]}}',
  '{"request":{"contents":[{"parts":[{"text":"b"}]}]}}',
  '{"request":{"contents":[{"parts":[{"text":"a"},{"text":""}]}]}}',
  '{"request":{"contents":[{"parts":[{"text":" a"}]}]}}',
  '{"request":{"contents":[{"parts":[{"text":"a"}]}],"x":false}}',
  '{"request":{"contents":[{"parts":[{"text":"a"}]}],"x":0}}',
  '{"request":{"contents":[{"parts":[{"text":"a"}]}],"x":"0"}}',
  '{"request":{"contents":[{"parts":[{"text":"a"}]}],"x":0.1}}',
  '{"request":{"contents":[{"parts":[{"text":"a"}]}],"x":9007199254740993}}',
  '{"request":{"contents":[{"parts":[{"text":"a"}]}],"x":9007199254740992}}',
  '{"request":{"contents":[{"parts":[{"text":"a"}]}],"x":1e300}}',
  '{"request":{"contents":[{"parts":[{"text":"a"}]}],"inner":{"labels":{"a":"b"}}}}',
  '{"request":{"contents":[{"parts":[{"text":"a\u0000"}]}]}}']) AS l;
SELECT unit_fingerprint(call(), convert_to(l, 'UTF8'))
  FROM unnest(ARRAY['{"content":"x","title":""}',
  '{"instance":{"title":null,"content":"x"},"predictions":[]}', '{"request":{}}',
  '{"request":{"a_b":1,"aB":2,"":3,"_":4}}', '{"request":{"a":[[],{},null,"",[null]]}}', '[1]',
  '"x"', 'nonsense']) AS l;
-- … also the lines that we send
SELECT unit_fingerprint(call(),
  convert_to(unit_frame(call('{"spec":{"params":{"labels":{"a":"b"}}}}'), 'x'),
  'UTF8')) = unit_fingerprint(call(),
  convert_to(unit_frame(call('{"server":{"request_labels":"off"}}'), 'x'), 'UTF8'));
SELECT length(unit_fingerprint(call(),
  convert_to('{"request":{"a":' || repeat('[', 120) || repeat(']', 120) || '}}', 'UTF8'))),
  unit_fingerprint(call(), convert_to('{"request":' || repeat('{"a":', 120) || '""' || repeat('}',
  120) || '}', 'UTF8'));

-- answers of Gemini
SELECT answer(r) FROM unnest(ARRAY[
  '{"candidates":[{"content":{"role":"model","parts":[{"text":"Li"},{"text":"ma"}]},'
  '"finishReason":"STOP","avgLogprobs":-0.01}],"modelVersion":"gemini-3.5-flash-lite",'
  '"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":6,"thoughtsTokenCount":100,'
  '"cachedContentTokenCount":5,"toolUsePromptTokenCount":3,"totalTokenCount":121},'
  '"responseId":"r-1"}',
  '{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"yes",'
  '"thought":false}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12}}',
  '{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}',
  '{"candidates":[{"content":{"parts":[{"text":"a\u0000b"}]}}]}',
  '{"candidates":[{"content":{"parts":[{"text":"so"},{"functionCall":{"name":"f",'
  '"args":{"a":1.50}}},{"functionCall":{"name":"g"}}]},"finishReason":"STOP"}]}',
  '{"candidates":[{"content":{"parts":[{"text":"cut"}]},"finishReason":"MAX_TOKENS"}]}',
  '{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}]}',
  '{"candidates":[{"finishReason":"SAFETY"}]}', '{"candidates":[{"finishReason":"RECITATION"}]}',
  '{"candidates":[{"finishReason":"IMAGE_PROHIBITED_CONTENT"}]}',
  '{"candidates":[{"finishReason":"SPII","content":{"parts":[{"text":"part"}]}}]}',
  '{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}',
  '{"candidates":[{"finishReason":"OTHER","content":{"parts":[{"text":"part"}]}}]}',
  '{"candidates":[{"finishReason":"STOP"}]}', '{"candidates":[{"content":{"parts":[{"text":"x"}]},'
  '"finishReason":"FINISH_REASON_UNSPECIFIED"}]}',
  '{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9}}',
  '{"promptFeedback":{"blockReason":7}}', '{"promptFeedback":{}}', '{}', 'null', '[]', '"x"',
  '{"candidates":{}}', '{"candidates":[7]}',
  '{"candidates":[{"content":{"parts":{"text":"x"}},"finishReason":["a"]}]}',
  '{"candidates":[{"content":{"parts":[null,7,{"text":9},{"text":"ok"}]}}],'
  '"usageMetadata":{"promptTokenCount":"12","candidatesTokenCount":-4}}',
  '{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":[1],"modelVersion":{"a":1},'
  '"responseId":7}']) AS r;

-- requests that failed: words, perhaps with an error's JSON in them
SELECT s || ' → ' || answer('{}', s) FROM unnest(ARRAY['Bad Request: {"error": {"code": 400,'
  ' "message": "no such field", "status": "INVALID_ARGUMENT"}}',
  'Bad Request: {"error": {"code": 400, "message": "no such', 'INVALID_ARGUMENT: no',
  '400 INVALID_ARGUMENT. {''error'': 1}',
  '{"error":{"code":429,"message":"later","status":"RESOURCE_EXHAUSTED"}}',
  '{"code":503,"message":"down"}', '{"code":13,"message":"inside"}', '{"error":{"code":418}}',
  '{"error":{"code":599}}', '{"error":"text"}', 'Forbidden', 'Too Many Requests',
  'Deadline Exceeded', 'An internal error has occurred. Please retry.', 'INTERNALS are none',
  'UNAVAILABLE', 'Cancelled', 'CANCELLED: by the user', E'a\nb\t\x01', '{', '}']) AS s;
SELECT answer('{}', 'Cancelled', jsonb_build_object('chunk', jsonb_build_object('batch_end', e)))
  FROM unnest('{expired,cancelled,completed}'::text[]) e;
SELECT line(l) FROM unnest(ARRAY['{"key":"01234567-1","error":{"code":3,"message":"bad"}}',
  '{"key":"01234567-1","error":{"code":14}}', '{"key":"01234567-1","error":"words"}',
  '{"key":"01234567-1","error":""}', '{"key":"01234567-1","error":{}}',
  '{"key":"01234567-1","error":null,"response":{}}', '{"key":"01234567-1","error":7}',
  '{"key":"01234567-1","status":{"code":8,"message":"m"}}', '{"key":"01234567-1","status":{}}',
  '{"key":"01234567-1","status":null,"response":{"candidates":[{"content":{"parts":[{"text":"x"}]}}'
  ']}}', '{"key":"01234567-1","status":["x"]}', '{"key":"01234567-1","status":5}']) AS l;
SELECT length(answer('{}', repeat('x', 100000)));

-- embeddings
SELECT line(l, jsonb_build_object('spec', jsonb_build_object('model', 'gemini-embedding-001',
  'task', 'embedding', 'params', p::jsonb))) FROM (VALUES
  ('{"key":"01234567-1","response":{"embedding":{"values":[0.5,-1e-3,2]},'
  '"usageMetadata":{"promptTokenCount":4}}}', '{}'),
  ('{"key":"01234567-1","response":{"tokenCount":"4","embedding":{"values":[3,4,5,6]}}}',
  '{"output_dimensionality":2}'), ('{"key":"01234567-1","response":{"embedding":{"values":[3,4]}}}',
  '{"outputDimensionality":2}'),
  ('{"key":"01234567-1","response":{"embedding":{"values":[3,4]}}}', '{"output_dimensionality":5}'),
  ('{"key":"01234567-1","response":{"embedding":{"values":[0,0,1]}}}',
  '{"output_dimensionality":2}'),
  ('{"key":"01234567-1","response":{"embedding":{"values":[1e308,1e308,1]}}}',
  '{"output_dimensionality":2}'),
  ('{"key":"01234567-1","response":{"embedding":{"values":[]}}}', '{}'),
  ('{"key":"01234567-1","response":{"embedding":{"values":[1,"2"]}}}', '{}'),
  ('{"key":"01234567-1","response":{"embedding":[1,2]}}', '{}'),
  ('{"key":"01234567-1","response":{}}', '{}'),
  ('{"key":"01234567-1","status":"too long","response":{}}', '{}')) v(l, p);
SELECT line(l, '{"spec":{"model":"text-embedding-005","task":"embedding",'
  '"params":{"output_dimensionality":2}}}') FROM unnest(ARRAY['{"instance":{"content":"x"},'
  '"predictions":[{"embeddings":{"values":[3,4,0],"statistics":{"token_count":8,'
  '"truncated":false}}}],"status":""}',
  '{"instance":{"content":"x"},"predictions":[],"status":"Bad Request"}',
  '{"instance":{"content":"x"},"predictions":[],"status":""}',
  '{"instance":{"content":"x"},"predictions":{"embeddings":{"values":[1]}}}',
  '{"instance":{"content":"x","key":"01234567-1"},"predictions":[{"embeddings":{"values":[1]}}]}',
  '{"predictions":[{"embeddings":{"values":[1]}}]}',
  '{"instance":{"content":"x"},"error":{"code":13,"message":"m"}}']) AS l;

-- Claude
SELECT line(l, '{"spec":{"model":"claude-haiku-5-5"}}') FROM unnest(ARRAY[
  '{"custom_id":"01234567-1","status":"","request":{},"response":{"id":"msg_1","type":"message",'
  '"role":"assistant","model":"claude-haiku-5-5","content":[{"type":"text","text":"yes"}],'
  '"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}}',
  '{"custom_id":"01234567-1","response":"{\"content\":[{\"type\":\"text\",\"text\":\"yes\"}],'
  '\"stop_reason\":\"max_tokens\"}"}',
  '{"custom_id":"01234567-1","response":{"type":"error","error":{"type":"overloaded_error",'
  '"message":"later"}}}', '{"custom_id":"01234567-1","response":{"type":"error",'
  '"error":{"type":"invalid_request_error","message":"bad"}}}',
  '{"custom_id":"01234567-1","status":"Bad Request: {\"error\":{\"type\":\"error\",'
  '\"error\":{\"type\":\"invalid_request_error\",\"message\":\"max_tokens: Field required\"},'
  '\"code\":400}}","response":{}}', '{"custom_id":"01234567-1","response":{}}',
  '{"custom_id":"01234567-1","response":"nonsense"}', '{"custom_id":"01234567-1"}',
  '{"custom_id":"98765432-1","response":{}}',
  '{"request":{"messages":[{"role":"user","content":"x"}]},"response":{"content":[],'
  '"stop_reason":"refusal"}}']) AS l;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
