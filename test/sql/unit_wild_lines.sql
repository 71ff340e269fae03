-- Lines as they were met in the wild, at every provider (issue 11, points 9 to 11), offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
-- A line of each shape; TEXT and REASON are JSON.
CREATE TABLE shape (n int GENERATED ALWAYS AS IDENTITY, name text, call text, line text);
INSERT INTO shape (name, call, line) VALUES
  ('openai', '{"server":{"provider":"openai"}}', '{"custom_id":"01234567-1","response":'
  '{"status_code":200,"body":{"choices":[{"message":{"content":TEXT},"finish_reason":REASON}]}},'
  '"error":null}'),
  ('azure', '{"server":{"provider":"azure_openai"}}', '{"custom_id":"01234567-1","response":'
  '{"status_code":200,"body":{"choices":[{"message":{"content":TEXT},"finish_reason":REASON}]}},'
  '"error":null}'),
  ('anthropic', '{"server":{"provider":"anthropic"}}', '{"custom_id":"01234567-1","result":{"type":'
  '"succeeded","message":{"content":[{"type":"text","text":TEXT}],"stop_reason":REASON}}}'),
  ('converse', '{"server":{"provider":"bedrock"}}', '{"recordId":"01234567-1","modelOutput":'
  '{"output":{"message":{"content":[{"text":TEXT}]}},"stopReason":REASON}}'),
  ('bedrock claude', '{"server":{"provider":"bedrock"}}', '{"recordId":"01234567-1","modelOutput":'
  '{"content":[{"type":"text","text":TEXT}],"stop_reason":REASON}}'),
  ('bedrock openai', '{"server":{"provider":"bedrock"}}', '{"recordId":"01234567-1","modelOutput":'
  '{"choices":[{"message":{"content":TEXT},"finish_reason":REASON}]}}'),
  ('bedrock mistral chat', '{"server":{"provider":"bedrock"}}', '{"recordId":"01234567-1",'
  '"modelOutput":{"choices":[{"message":{"content":TEXT},"stop_reason":REASON}]}}'),
  ('bedrock llama', '{"server":{"provider":"bedrock"}}',
  '{"recordId":"01234567-1","modelOutput":{"generation":TEXT,"stop_reason":REASON}}'),
  ('bedrock mistral', '{"server":{"provider":"bedrock"}}',
  '{"recordId":"01234567-1","modelOutput":{"outputs":[{"text":TEXT,"stop_reason":REASON}]}}'),
  ('bedrock titan', '{"server":{"provider":"bedrock"}}', '{"recordId":"01234567-1","modelOutput":'
  '{"results":[{"outputText":TEXT,"completionReason":REASON}]}}'),
  ('bedrock cohere', '{"server":{"provider":"bedrock"}}',
  '{"recordId":"01234567-1","modelOutput":{"generations":[{"text":TEXT,"finish_reason":REASON}]}}'),
  ('vertex gemini', '{"server":{"provider":"vertex"},"spec":{"model":"gemini-3.5-flash-lite"},'
  '"chunk":{"intent":"0123456789abcdef0123456789abcdef"}}', '{"key":"01234567-1","request":{},'
  '"response":{"candidates":[{"content":{"parts":[{"text":TEXT}]},"finishReason":REASON}]}}'),
  ('vertex claude', '{"server":{"provider":"vertex"},"spec":{"model":"claude-haiku-5-5"},"chunk":'
  '{"intent":"0123456789abcdef0123456789abcdef"}}', '{"custom_id":"01234567-1","request":{},'
  '"response":{"content":[{"type":"text","text":TEXT}],"stop_reason":REASON}}'),
  ('gemini', '{"server":{"provider":"gemini"},"spec":{"model":"gemini-3.5-flash-lite"},"chunk":'
  '{"intent":"0123456789abcdef0123456789abcdef"}}', '{"key":"01234567-1","response":{"candidates":'
  '[{"content":{"parts":[{"text":TEXT}]},"finishReason":REASON}]}}');
CREATE FUNCTION told(call text, line bytea) RETURNS text LANGUAGE sql
    AS $$ SELECT concat_ws(' ', a->>'outcome', a->>'code') FROM (SELECT unit_line(convert_to(call,
    'UTF8'), line)::jsonb AS a) x $$;
CREATE FUNCTION told(shape, reason text, said text DEFAULT '"Lima"') RETURNS text LANGUAGE sql
    AS $$ SELECT told($1.call, convert_to(replace(replace($1.line, 'REASON', reason), 'TEXT', said),
    'UTF8')) $$;
-- 11.9: each reason, and the shapes at which it ends a whole answer
SELECT reason, string_agg(s.name, ', ' ORDER BY n) FILTER (WHERE told(s, reason::text) =
  'succeeded') AS good
  FROM shape s, jsonb_array_elements('[null,"","stop","STOP","Stop","tool_calls","function_call",'
  '"eos","stop_sequence","end_turn","END_TURN","tool_use","FINISH","COMPLETE","STOP_CRITERIA_MET"]')
  WITH ORDINALITY AS r(reason, i) GROUP BY i, reason ORDER BY i;
-- … and by which no API does, with its code, which is the same everywhere
SELECT reason, string_agg(DISTINCT told(s, reason::text), ', ')
  FROM shape s, jsonb_array_elements('["abort","error","length","LENGTH","max_tokens","MAX_TOKENS",'
  '"model_length","content_filter","CONTENT_FILTERED","SAFETY","safety","RECITATION",'
  '"IMAGE_SAFETY","ERROR_TOXIC","refusal","Refusal","pause_turn","insufficient_system_resource",'
  '"A\tB","7"]' || to_jsonb(repeat('x', 200))) WITH ORDINALITY AS r(reason, i) GROUP BY i, reason
  ORDER BY i;
-- 11.11: an empty answer with a good reason, or with no reason
SELECT said, string_agg(DISTINCT told(s, reason, said::text), ', ') FROM shape s,
  jsonb_array_elements('["",null," ","\n\t \r\n","\f\u000b"," x ","\u00a0","\"\"","{}","null"]')
  WITH ORDINALITY AS t(said, i),
  LATERAL (SELECT g::text AS reason FROM jsonb_array_elements('[null,"stop","end_turn","complete"]')
  g WHERE told(s, g::text) = 'succeeded') r GROUP BY i, said ORDER BY i;
-- what a model thought is no answer, nor is an answer without its place
SELECT s.name, told(s.call, convert_to(l.line, 'UTF8')) FROM shape s JOIN (VALUES
  ('openai', '{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"message":'
  '{"content":"","reasoning_content":"so it is"},"finish_reason":"stop"}]}}}'),
  ('openai', '{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"message":'
  '{"content":[{"type":"text","text":" "}]},"finish_reason":"stop"}]}}}'),
  ('openai', '{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"message":{},'
  '"finish_reason":"stop"}]}}}'),
  ('anthropic', '{"custom_id":"a","result":{"type":"succeeded","message":{"content":[{"type":'
  '"thinking","thinking":"so it is"}],"stop_reason":"end_turn"}}}'),
  ('converse', '{"recordId":"a","modelOutput":{"output":{"message":{"content":[{"reasoningContent":'
  '{"reasoningText":{"text":"so it is"}}}]}},"stopReason":"end_turn"}}'),
  ('vertex gemini', '{"key":"01234567-1","response":{"candidates":[{"content":{"parts":[{"text":'
  '"so it is","thought":true}]},"finishReason":"STOP"}]}}'),
  ('gemini', '{"key":"01234567-1","response":{"candidates":[{"content":{"parts":[{"text":"so it '
  'is","thought":true},{"text":""}]},"finishReason":"STOP"}]}}'),
  ('vertex claude',
  '{"custom_id":"01234567-1","response":{"content":[],"stop_reason":"end_turn"}}')) l(name, line)
  USING (name) ORDER BY n, l.line;
-- calls of tools are the output, whatever blank text stands beside them
SELECT s.name, unit_line(convert_to(s.call, 'UTF8'), convert_to(l.line, 'UTF8'))::jsonb - 'tokens'
  FROM shape s JOIN (VALUES
  ('openai', '{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"message":'
  '{"content":"\n\n","tool_calls":[{"id":"c"}]},"finish_reason":"tool_calls"}]}}}'),
  ('openai', '{"custom_id":"b","response":{"status_code":200,"body":{"choices":[{"message":'
  '{"content":"Lima","tool_calls":[{"id":"c"}]},"finish_reason":"TOOL_CALLS"}]}}}'),
  ('openai', '{"custom_id":"c","response":{"status_code":200,"body":{"choices":[{"message":'
  '{"content":null,"tool_calls":[]},"finish_reason":"tool_calls"}]}}}'),
  ('anthropic', '{"custom_id":"a","result":{"type":"succeeded","message":{"content":[{"type":'
  '"text","text":""},{"type":"tool_use","id":"c"}],"stop_reason":"tool_use"}}}'),
  ('converse', '{"recordId":"a","modelOutput":{"output":{"message":{"content":[{"toolUse":{"name":'
  '"c"}}]}},"stopReason":"tool_use"}}'),
  ('gemini', '{"key":"01234567-1","response":{"candidates":[{"content":{"parts":[{"functionCall":'
  '{"name":"c"}}]},"finishReason":"STOP"}]}}')) l(name, line) USING (name) ORDER BY n, l.line;
-- embeddings without a number
SELECT name, said, told(replace(call, '{"server"', '{"spec":{"task":"embedding"' || more ||
  '},"server"'), convert_to(replace(line, 'VALUES', said::text), 'UTF8'))
  FROM (VALUES ('openai', '{"server":{"provider":"openai"}}', '',
  '{"custom_id":"a","response":{"status_code":200,"body":{"data":[{"embedding":VALUES}]}}}'),
               ('bedrock', '{"server":{"provider":"bedrock"}}', '',
               '{"recordId":"a","modelOutput":{"embedding":VALUES}}'),
               ('vertex', '{"server":{"provider":"vertex"},"chunk":{"intent":"01234567"}}',
               ',"model":"text-embedding-005"',
               '{"key":"01234567-1","predictions":[{"embeddings":{"values":VALUES}}]}'),
               ('gemini', '{"server":{"provider":"gemini"},"chunk":{"intent":"01234567"}}',
               ',"model":"gemini-embedding-001"',
               '{"key":"01234567-1","response":{"embedding":{"values":VALUES}}}')) e(name, call,
               more, line),
       jsonb_array_elements('[[],null,[null],"",[[]],["1"],[0.5]]') WITH ORDINALITY AS v(said, i)
       ORDER BY name, i;
-- 11.10: what one odd token makes of a line. Each way is a function of bytes; LATIN1 lets bytes
-- pass.
CREATE FUNCTION first_member(line text, member text) RETURNS text LANGUAGE sql AS $$ SELECT
  regexp_replace(line, '^\{', '{' || replace(member, '\', '\\') || ',') $$;
SELECT s.name, w.way, unit_line(convert_to(s.call, 'UTF8'), l.line)::jsonb -
  '{tokens,custom_id,channel,retryable}'::text[] AS answer
  FROM shape s, (VALUES
  (1, 'NaN', '"logprobs":{"top":[NaN,-Infinity, Infinity,{"a":NaN}]}', '"Lima"', ''),
  (2, 'mark', NULL, '"Lima"', '\xefbbbf'),
  (3, 'control', NULL, E'"Li\u0001\t\u001f\u007f ma"', ''),
  (4, 'bad note', E'"note":"\u00ff"', '"Lima"', ''),
  (5, 'bad text', NULL, E'"Li\u00ff\u00fema"', ''),
  (6, 'character cut', NULL, E'"Lima\u00c3"', ''),
  (7, 'deep', '"deep":' || repeat('[', 200) || repeat(']', 200), '"Lima"', ''),
  (8, 'quote', NULL, '"Li"ma"', ''),
  (9, 'no number', '"a":-NaN', '"Lima"', ''),
  (10, 'no word', '"a":nan', '"Lima"', ''),
  (11, 'Infinity as a key', '"a":{NaN:1}', '"Lima"', '')) w(i, way, member, said, head),
  LATERAL (SELECT replace(replace(s.line, 'REASON', 'null'), 'TEXT', said) AS line) t,
  LATERAL (SELECT head::bytea || convert_to(CASE WHEN member IS NULL THEN t.line ELSE
  first_member(t.line, member) END, 'LATIN1') AS line) l
 WHERE s.name IN ('openai', 'anthropic', 'converse', 'vertex gemini', 'vertex claude', 'gemini') OR
   w.i = 1 ORDER BY w.i, s.n;
-- a line that is cut anywhere: whose it is, is known as soon as the id is whole; nothing is read
-- wrongly
SELECT s.name, count(*) FILTER (WHERE a->>'custom_id' = '01234567-1') AS known, count(*) FILTER
  (WHERE a->>'custom_id' <> '01234567-1') AS wrong, count(*) FILTER (WHERE a->>'outcome' <>
  'errored') AS read
  FROM shape s, LATERAL (SELECT convert_to(replace(replace(s.line, 'REASON', 'null'), 'TEXT',
  '"Lima"'), 'UTF8') AS line) l, generate_series(0, length(l.line) - 1) AS len,
  LATERAL (SELECT unit_line(convert_to(s.call, 'UTF8'), substr(l.line, 1, len))::jsonb AS a) x GROUP
  BY s.n, s.name ORDER BY s.n;
-- the id of a line that cannot be parsed: only the object's own, wherever it stands
SELECT l, a->>'custom_id', a->>'line' FROM unnest(ARRAY[
  '{"custom_id":"a","x":}', '{"x":{"custom_id":"b"},"y":}',
  '{"x":["custom_id"],"custom_id" : "c" ,}', '{"x":"{\"custom_id\":\"d\"","custom_id":"e","y":tru}',
  '{"custom_id":7,"custom_id":"f",,}',
  '[{"custom_id":"g"}', '{"x":{"y":[{}],"z":[[]]},"custom_id":"h",}', '}{"custom_id":"i",}',
  '{"custom_id":"j\u0041\"",]', '{"custom_id":"k', '{"custom_id":"\ud800\u0000",]', '{"custom_id"',
  '{"custom_id":', '{"a\":"custom_id":"l"', '{"custom_id":{"custom_id":"m"},]']) WITH ORDINALITY AS
  t(l, i),
  LATERAL (SELECT unit_line('{}', convert_to(l, 'UTF8'))::jsonb AS a) x ORDER BY i;
-- … at Google also the label in what is echoed
SELECT l, a->>'custom_id', a->>'channel' FROM unnest(ARRAY[
  '{"request":{"contents":[{"labels":{"rid":"01234567-3"}}],"labels":{"a":"b","rid":"01234567-2"}},'
  '"response":{"candidates":[', '{"request":{"labels":{"rid":"0123',
  '{"response":{"labels":{"rid":"01234567-4"}},"request":{"labels":{}},',
  '{"key":"other","request":{"labels":{"rid":"01234567-5"}},', '{"key":"other","request":{"x":',
  '{"request":"labels","labels":{"rid":"01234567-6"},',
  '{"instance":{"labels":{"rid":"01234567-7"}},',
  '{"request":{"labels":["rid","01234567-8"]},"labels":']) WITH ORDINALITY AS t(l, i),
  LATERAL (SELECT unit_line((SELECT convert_to(call, 'UTF8') FROM shape WHERE name =
  'vertex gemini'), convert_to(l, 'UTF8'))::jsonb AS a) x ORDER BY i;
-- 5 MB of brackets, and of keys
SELECT unit_line('{}', convert_to('{"custom_id":"deep","x":' || repeat('[{"custom_id":', 300000),
  'UTF8')), unit_line('{}', convert_to('{' || repeat('"custom_id":', 400000) || '"a"', 'UTF8'));
-- 11, reasoning_tags: at each shape
SELECT name || ': ' || concat_ws(' | ', a->>'outcome', a->>'code', a->>'reasoning', a->>'text') FROM
  shape, LATERAL (SELECT
    unit_line(convert_to(jsonb_set(call::jsonb, '{server,reasoning_tags}', '"think"')::text,
    'UTF8'),
              convert_to(replace(replace(line, 'REASON', 'null'), 'TEXT', '"<think>so</think>yes"'),
              'UTF8'))::jsonb AS a) x ORDER BY n;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
