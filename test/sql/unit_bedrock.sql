-- What provider/bedrock*.c writes to Bedrock and reads from it, offline: refusals, records,
-- requests, replies, jobs, lists, result lines.
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
  $$ SELECT convert_to(jsonb_set(jsonb_set(jsonb_set('{"secret":"{\"AccessKeyId\":\"AKIDEXAMPLE\",'
  '\"SecretAccessKey\":\"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\"}"}' || more,
       '{server}', '{"provider":"bedrock","region":"us-east-1",'
       '"role_arn":"arn:aws:iam::123456789012:role/r","storage_url":"s3://bkt/jobs"}'
       || coalesce(more -> 'server', '{}')),
       '{chunk}', '{"batch_id":"abcdef123456"}' || coalesce(more -> 'chunk', '{}')),
       '{spec}', '{"model":"us.amazon.nova-lite-v1:0"}' || coalesce(more -> 'spec', '{}'))::text,
       'UTF8') $$;
CREATE FUNCTION file(name text) RETURNS bytea LANGUAGE sql
  AS $$ SELECT pg_read_binary_file(current_setting('unit.fixtures') || name) $$;
CREATE FUNCTION reply(routine text, status int, name text, more jsonb DEFAULT '{}') RETURNS text
  LANGUAGE sql AS
  $$ SELECT unit_reply(routine, call(jsonb_build_object('status', status) || more), file(name)) $$;
-- without the signature, which unit_sigv4 has
CREATE FUNCTION request(routine text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
  AS $$ SELECT regexp_replace(unit_request(routine, call(more)), ', Signature=[0-9a-f]{64}', '') $$;
SELECT substring(unit_limits(call()) FROM 'bedrock [^\n]*');

-- records: Converse
SELECT unit_frame(call(c::jsonb), i) FROM (VALUES
  ('{}', E'say "hi"\n\\ /'), ('{}', ''), ('{"spec":{"system_prompt":"be \"short\"\n"}}', 'x'),
  ('{"spec":{"system_prompt":""}}', 'x'),
  ('{"spec":{"params":{"temperature":0.20,"max_tokens":16,"top_p":1,"stop_sequences":["a","\n"]}}}',
  'x'), ('{"spec":{"params":{"maxTokens":16,"topP":0.5,"stopSequences":[]}}}', 'x'),
  ('{"spec":{"params":{"inferenceConfig":{"maxTokens":7},'
  '"guardrailConfig":{"guardrailIdentifier":"g"},"top_k":5,"thinking":{"type":"enabled"}}}}', 'x'),
  ('{"spec":{"params":{}}}', 'x'), ('{"spec":{"params":{"temperature":null}}}', 'x'),
  ('{"spec":{"params":{"additionalModelRequestFields":{"top_k":5},"serviceTier":{"type":"flex"},'
  '"system":[{"text":"own"}],"requestMetadata":{"a":"b"}}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"},'
  '"n":{"type":"integer","minimum":0}},"required":["a"]}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"}}},'
  '"params":{"outputConfig":{"textFormat":{"type":"json_schema"}}}}}', 'x'),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"}}},'
  '"params":{"outputConfig":null}}}', 'x'),
  ('{"spec":{"input":"messages","system_prompt":"s","params":{"temperature":1}}}',
  E' [ {"role":"user",\r\n"content":[{"text":"a\\nb"}]} , {"role":"assistant",'
  '"content":[{"text":"[c]"}]}\n] \n'),
  ('{"spec":{"input":"body","response_schema":{"type":"object"}}}',
  E' {"anthropic_version":"bedrock-2023-05-31",\n"max_tokens":1,"messages":[]}\n')) AS t(c, i);
-- records: embeddings
SELECT model, unit_frame(call(jsonb_build_object('spec', jsonb_build_object('model', model, 'task',
  'embedding', 'params', params::jsonb))), E'a "b"\n') FROM (VALUES
  ('amazon.titan-embed-text-v2:0', NULL),
  ('amazon.titan-embed-text-v2:0',
  '{"dimensions":512,"normalize":true,"embeddingTypes":["float"]}'),
  ('arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0', '{}'),
  ('arn:aws:bedrock:us-east-1:1:custom-model/amazon.titan-embed-text-v2:0/abc', '{}'),
  ('cohere.embed-english-v3', NULL),
  ('eu.cohere.embed-v4:0', '{"input_type":"clustering","output_dimension":256,"truncate":"END"}'),
  ('amazon.nova-2-multimodal-embeddings-v1:0', NULL),
  ('us.amazon.nova-2-multimodal-embeddings-v1:0',
  '{"embeddingDimension":384,"embeddingPurpose":"CLUSTERING","truncationMode":"NONE"}'))
  AS t(model, params);
SELECT unit_frame(call('{"spec":{"task":"embedding","input":"body",'
  '"model":"twelvelabs.marengo-embed-2-7-v1:0"}}'), '{"inputType":"text"}');
SELECT length(unit_frame(call(), repeat(E'\x01"', 2500000)));

-- jobs and inputs that are refused
SELECT c, coalesce(unit_refuse(call(c::jsonb), i), 'fine') FROM (VALUES
  ('{}', NULL), ('{}', 'any text'), ('{"spec":{"params":{"temperature":1,"top_k":5}}}', 'x'),
  ('{"spec":{"params":[1]}}', NULL), ('{"spec":{"params":{"model":"x"}}}', NULL),
  ('{"spec":{"params":{"modelId":"x"}}}', NULL), ('{"spec":{"params":{"messages":null}}}', NULL),
  ('{"spec":{"params":{"stream":false}}}', NULL), ('{"spec":{"params":{"tools":[]}}}', NULL),
  ('{"spec":{"params":{"toolConfig":{}}}}', NULL), ('{"spec":{"params":{"system":[]}}}', NULL),
  ('{"spec":{"system_prompt":"s","params":{"system":[]}}}', NULL),
  ('{"spec":{"params":{"max_tokens":0}}}', NULL), ('{"spec":{"params":{"maxTokens":"5"}}}', NULL),
  ('{"spec":{"params":{"max_tokens":5,"maxTokens":5}}}', NULL),
  ('{"spec":{"params":{"topP":1,"top_p":1}}}', NULL),
  ('{"spec":{"params":{"temperature":1,"inferenceConfig":{}}}}', NULL),
  ('{"spec":{"params":{"top_k":1,"additionalModelRequestFields":{}}}}', NULL),
  ('{"spec":{"params":{"inferenceConfig":{},"additionalModelRequestFields":{},'
  '"guardrailConfig":{}}}}', NULL),
  ('{"spec":{"response_schema":true}}', NULL),
  ('{"spec":{"response_schema":{"type":"object"}}}', NULL),
  ('{"spec":{"input":"body","response_schema":{"type":"object"}}}', NULL),
  ('{"spec":{"response_schema":{"type":"object","properties":{"a":{"type":"string"}}}}}', NULL),
  ('{"spec":{"input":"body","system_prompt":"s"}}', NULL),
  ('{"spec":{"input":"body","params":{"temperature":1}}}', NULL),
  ('{"spec":{"input":"body","params":{}}}', NULL),
  ('{"spec":{"task":"embedding"}}', NULL),
  ('{"spec":{"task":"embedding","input":"body"}}', '{"x":1}'),
  ('{"spec":{"task":"embedding","model":"twelvelabs.marengo-embed-2-7-v1:0"}}', NULL),
  ('{"spec":{"task":"embedding",'
  '"model":"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"}}', NULL),
  ('{"spec":{"model":"cohere.embed-v4:0"}}', NULL),
  ('{"spec":{"model":"us.twelvelabs.marengo-embed-3-0-v1:0","input":"body"}}', NULL),
  ('{"spec":{"task":"embedding","model":"cohere.embed-v4:0","input":"messages"}}', NULL),
  ('{"spec":{"task":"embedding","model":"cohere.embed-v4:0","system_prompt":"s"}}', NULL),
  ('{"spec":{"task":"embedding","model":"cohere.embed-v4:0","response_schema":{}}}', NULL),
  ('{"spec":{"task":"embedding","model":"cohere.embed-v4:0","params":{"texts":[]}}}', NULL),
  ('{"spec":{"task":"embedding","model":"cohere.embed-v4:0","params":{"embedding_types":["int8"]}}}'
  , NULL), ('{"spec":{"task":"embedding","model":"cohere.embed-v4:0",'
  '"params":{"embedding_types":["float","int8"]}}}', NULL),
  ('{"spec":{"task":"embedding","model":"cohere.embed-v4:0","params":{"embedding_types":["float"]}}'
  '}', NULL),
  ('{"spec":{"task":"embedding","model":"amazon.titan-embed-text-v2:0",'
  '"params":{"embeddingTypes":["binary"]}}}', NULL),
  ('{"spec":{"task":"embedding","model":"amazon.titan-embed-text-v2:0","params":{"inputText":"x"}}}'
  , NULL), ('{"spec":{"task":"embedding","model":"amazon.nova-2-multimodal-embeddings-v1:0",'
  '"params":{"text":{}}}}', NULL),
  ('{"server":{"role_arn":"BedrockBatch"}}', NULL),
  ('{"server":{"role_arn":"arn:aws:iam::12345678901:role/x"}}', NULL),
  ('{"server":{"role_arn":"arn:aws:iam::123456789012:user/x"}}', NULL),
  ('{"server":{"role_arn":"arn:aws-cn:iam::123456789012:role/path/x"}}', NULL),
  ('{"server":{"storage_owner":"123456789012"}}', NULL),
  ('{"server":{"storage_owner":"me"}}', NULL),
  ('{"server":{"storage_owner":"1234567890123"}}', NULL),
  ('{"server":{"completion_window":"24h"}}', NULL),
  ('{"server":{"completion_window":"168h"}}', NULL),
  ('{"server":{"completion_window":"23h"}}', NULL),
  ('{"server":{"completion_window":"169h"}}', NULL),
  ('{"server":{"completion_window":"2d"}}', NULL), ('{"server":{"completion_window":"h"}}', NULL),
  ('{"server":{"completion_window":"0048h"}}', NULL),
  ('{"spec":{"input":"messages"}}',
  '[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"text":"y"}]}]'),
  ('{"spec":{"input":"messages"}}', '[]'), ('{"spec":{"input":"messages"}}', '{}'),
  ('{"spec":{"input":"messages"}}', 'x'),
  ('{"spec":{"input":"messages"}}', '[{"role":"user","content":"x"}]'),
  ('{"spec":{"input":"messages"}}', '[{"role":"user","content":[]}]'),
  ('{"spec":{"input":"messages"}}', '[{"role":"user","content":["x"]}]'),
  ('{"spec":{"input":"messages"}}', '[{"role":"system","content":[{"text":"x"}]}]'),
  ('{"spec":{"input":"messages"}}', '[{"role":"tool","content":[{"text":"x"}]}]'),
  ('{"spec":{"input":"messages"}}', '["x"]'),
  ('{"spec":{"input":"body"}}', '{"prompt":"x"}'), ('{"spec":{"input":"body"}}', '[]'),
  ('{"spec":{"input":"body"}}', '{"model":"x"}'), ('{"spec":{"input":"body"}}', '{"modelId":"x"}'),
  ('{"spec":{"input":"body"}}', '{"stream":true}'), ('{"spec":{"input":"body"}}', '{"n":2}'),
  ('{"spec":{"input":"body"}}', '{"texts":["a","b"]}'), ('{"spec":{"input":"body"}}', '{"x":'))
  AS t(c, i);

-- what travels to the control plane
SELECT request('create');
SELECT request('create', '{"server":{"completion_window":"72h","storage_kms_key":"alias/k",
  "storage_owner":"123456789012","base_url":"http://127.0.0.1:1/prefix//","region":"cn-north-1"},
  "spec":{"input":"body"},
  "chunk":{"tries":7,"refs":{"input":"s3://elsewhere/a/b/input.jsonl"},"buried":"abc def"}}');
SELECT split_part(request('create', '{"server":{"region":"cn-north-1"},"spec":{"task":"embedding",'
  '"model":"amazon.titan-embed-text-v2:0"}}'), E'\n', 1);
SELECT request('create',
  '{"secret":"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"bearer\":\"APIKEY\"}"}') LIKE
  E'%\nAuthorization: Bearer APIKEY\n%';
SELECT request('find'), request('find', '{"cursor":"a+/b==&x","chunk":{"buried":"x"}}');
SELECT request('poll'), request('cancel');

-- where a job stands
SELECT name, reply('poll', 200, name) FROM pg_ls_dir(:'fixtures') AS name
  WHERE name LIKE 'job-%' ORDER BY name COLLATE "C";
SELECT status, name, reply('create', status, name) FROM (VALUES (200, 'created.json'),
  (200, 'created-null.json'), (200, 'created-empty.json'), (200, 'job-arn-upper.json'),
  (200, 'page.html'), (201, 'created.json')) AS t(status, name);
-- looked for
SELECT name, reply('find', 200, name) FROM pg_ls_dir(:'fixtures') AS name
  WHERE name LIKE 'list-%.json' ORDER BY name COLLATE "C";
SELECT 'after one that failed for now', name, reply('find', 200, name,
  '{"chunk":{"buried":"deaddead0000"}}')
  FROM unnest('{list-ours.json,list-second-try.json}'::text[]) AS name;
SELECT 'the same cursor again', reply('find', 200, 'list-more.json', '{"cursor":"a+/b=="}'),
  reply('find', 200, 'list-more.json', '{"cursor":"a+/b"}');
SELECT 'odd', name, reply('find', 200, name)
  FROM unnest('{created.json,page.html,job-array.json}'::text[]) AS name;

-- what a status means, and Bedrock's words
SELECT status, type, name, reply('create', status, name, jsonb_build_object('headers',
  'x-amzn-ErrorType: ' || type)) FROM (VALUES (400,
  'ValidationException:http://internal.amazon.com/coral/', 'error-validation.json'),
  (400, 'ValidationException', 'error-name.json'), (400, 'ConflictException', 'error-token.json'),
  (400, 'ValidationException', 'error-token.json'),
  (400, 'ValidationException', 'error-model.json'), (400, 'ValidationException', 'error-role.json'),
  (403, 'AccessDeniedException', 'error-pass.json'),
  (403, 'AccessDeniedException', 'error-access.json'),
  (400, 'ServiceQuotaExceededException', 'error-quota.json'),
  (429, 'ThrottlingException', 'error-throttling.json'),
  (400, 'ThrottlingException', 'error-throttling.json'),
  (404, 'ResourceNotFoundException', 'error-missing.json'),
  (500, 'InternalServerException', 'error-missing.json'),
  (503, 'ServiceUnavailableException', 'error-throttling.json'),
  (409, 'ConflictException', 'error-token.json'),
  (403, 'com.amazon.coral.service#UnrecognizedClientException:x', 'error-missing.json'),
  (400, '', 'error-capital.json'), (400, '', 'error-code.json'), (400, '', 'error-odd.json'),
  (400, '', 'error-empty.json'), (403, '', 'error-empty.json'),
  (400, 'ValidationException', 'page.html'), (400, '', 'page.html'), (404, '', 'page.html'),
  (403, '', 'page.html'), (502, '', 'page.html'), (429, '', 'page.txt'),
  (301, '', 'error-missing.json'), (413, 'x', 'error-validation.json'),
  (100, 'x', 'error-validation.json'), (999, 'x', 'error-validation.json'))
  AS t(status, type, name);
SELECT status, reply('poll', status, 'error-missing.json',
  '{"headers":"x-amzn-errortype: ResourceNotFoundException"}') FROM unnest('{404,500}'::int[])
  AS status;
SELECT status, type, reply('cancel', status, 'error-missing.json', jsonb_build_object('headers',
  'x-amzn-errortype: ' || type)) FROM (VALUES (200, ''), (400, 'ConflictException'),
  (400, 'ValidationException'), (400, 'ThrottlingException'), (404, 'ResourceNotFoundException'),
  (409, 'x'), (403, 'AccessDeniedException'), (500, 'x')) AS t(status, type);
SELECT transport, unit_reply('create', call(jsonb_build_object('transport', transport, 'cause', 6)),
  '') FROM unnest('{unsent,broken}'::text[]) AS transport;
SELECT length(unit_reply('poll', call('{"status":400,"headers":"x-amzn-errortype: X"}'),
  convert_to('{"message":"' || repeat('x', 1000000) || '"}', 'UTF8')))
  AS cut, unit_reply('poll', call('{"status":400}'), '\x7b226d657373616765223a2261ff0ac3227d');
SELECT unit_reply('poll', call(), convert_to(repeat('[', 100000), 'UTF8')),
  unit_reply('find', call(), convert_to('{"invocationJobSummaries":' || repeat('[', 100000),
  'UTF8'));

-- result lines
SELECT unit_line(call(), convert_to(line, 'UTF8'))
  FROM string_to_table(convert_from(file('lines.jsonl'), 'UTF8'), E'\n') WITH ORDINALITY
  AS l(line, n) WHERE line <> '' ORDER BY n;
SELECT unit_line(call('{"spec":{"task":"embedding"}}'), convert_to(line, 'UTF8'))
  FROM string_to_table(convert_from(file('embeddings.jsonl'), 'UTF8'), E'\n') WITH ORDINALITY
  AS l(line, n) WHERE line <> '' ORDER BY n;
-- no UTF-8, cut in a character, a NUL byte, a byte order mark, nothing
SELECT unit_line(call(), line) FROM unnest(ARRAY['\x7b227265636f72644964223a2261ff227d',
  '\x7b227265636f72644964223a2261c3', '\x7b227265636f72644964223a226122007d', '\xefbbbf7b7d',
  '']::bytea[]) AS line;
-- a line of 5 MB, deep ones, one that is cut anywhere
SELECT unit_line(call(), convert_to('{"recordId":"big","modelOutput":{"stopReason":"end_turn",'
  '"output":{"message":{"content":[{"text":"' || repeat('x\n', 2500000) || '"}]}}}}', 'UTF8'));
SELECT unit_line(call(), convert_to('{"recordId":"deep","modelOutput":' || repeat('[', n)
  || repeat(']', n) || '}', 'UTF8')) FROM unnest('{100,1000000}'::int[]) AS n;
SELECT count(*) FILTER (WHERE unit_line(call(),
  substr(line, 1, n)) NOT LIKE '%"outcome":"errored","retryable":0,%"code":"unreadable_line"%')
  AS understood
  FROM (SELECT convert_to(split_part(convert_from(file('lines.jsonl'), 'UTF8'), E'\n', 1),
  'UTF8') AS line) AS l, generate_series(0, length(line) - 1) AS n;
-- a good line with one bit wrong, at every byte: each is read to its end
SELECT substring(unit_line(call(), set_byte(line, n, get_byte(line, n) # 1))
  FROM '"outcome":"([a-z_]+)"') AS outcome, count(*)
  FROM (SELECT convert_to(split_part(convert_from(file('lines.jsonl'), 'UTF8'), E'\n', 1),
  'UTF8') AS line) AS l, generate_series(0, length(line) - 1) AS n
 GROUP BY 1 ORDER BY 2 DESC;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
