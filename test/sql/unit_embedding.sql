-- What is known of the sizes of embeddings, and whose a body is that is sent to the wrong API;
-- offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION size(provider text, model text, params jsonb, input text DEFAULT 'text') RETURNS int
  LANGUAGE sql AS
  $$ SELECT unit_embedding_size(convert_to(jsonb_build_object('server',
  jsonb_build_object('provider', provider),
       'spec', jsonb_build_object('task', 'embedding', 'model', model, 'input', input, 'params',
       params))::text, 'UTF8')) $$;
SELECT provider, model, params, size(provider, model, params::jsonb) FROM (VALUES
  ('openai', 'text-embedding-3-small', '{}'), ('openai', 'text-embedding-3-large', '{}'), ('openai',
  'openai/text-embedding-ada-002', '{"user":"u"}'), ('openai', 'text-embedding-3-small',
  '{"dimensions":256}'),
  ('openai', 'nomic-embed-text', '{}'), ('openai', 'nomic-embed-text', '{"dimensions":256}'),
  ('openai', 'text-embedding-3-small-of-ours', '{}'), ('openai', 'my-text-embedding-3-small', '{}'),
  ('openai', 'text-embedding-3-small', '{"dimensions":"many"}'), ('openai',
  'text-embedding-3-small', '{"dimensions":-1}'), ('openai', 'text-embedding-3-small',
  '{"dimensions":99999999999}'),
  ('azure_openai', 'text-embedding-3-small', '{}'), ('azure_openai', 'a-deployment',
  '{"dimensions":512}'), ('anthropic', 'claude-haiku-5-5', '{}'),
  ('bedrock', 'amazon.titan-embed-text-v1', '{}'), ('bedrock', 'amazon.titan-embed-text-v2:0',
  '{}'), ('bedrock', 'amazon.titan-embed-text-v2:0', '{"dimensions":512}'), ('bedrock',
  'us.cohere.embed-v4:0', '{}'),
  ('bedrock', 'cohere.embed-v4:0', '{"output_dimension":512}'), ('bedrock', 'cohere.embed-v4:0',
  '{"dimensions":512}'), ('bedrock', 'cohere.embed-english-v3', '{}'), ('bedrock',
  'cohere.embed-multilingual-v3', '{}'),
  ('bedrock', 'arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0', '{}'),
  ('bedrock', 'arn:aws:bedrock:us-east-1:1:application-inference-profile/abc', '{}'), ('bedrock',
  'twelvelabs.marengo-embed-2-7-v1:0', '{}'),
  ('bedrock', 'amazon.nova-2-multimodal-embeddings-v1:0', '{}'), ('bedrock',
  'amazon.nova-2-multimodal-embeddings-v1:0', '{"embeddingDimension":384}'),
  ('gemini', 'gemini-embedding-001', '{}'), ('gemini', 'gemini-embedding-2', '{}'), ('gemini',
  'gemini-embedding-001', '{"output_dimensionality":768}'), ('gemini',
  'models/gemini-embedding-001', '{"outputDimensionality":256}'),
  ('vertex', 'publishers/google/models/gemini-embedding-001', '{}'), ('vertex',
  'text-embedding-005', '{}'), ('vertex', 'text-multilingual-embedding-002',
  '{"outputDimensionality":100}'), ('vertex', '1234', '{}')) AS t(provider, model, params);
SELECT size('openai', 'text-embedding-3-small', '{}', 'body');

-- whose a body is
CREATE FUNCTION refused(provider text, spec jsonb, body text) RETURNS text LANGUAGE sql AS
  $$ SELECT coalesce(unit_refuse(convert_to(jsonb_build_object('server',
  jsonb_build_object('provider', provider), 'spec', '{"input":"body"}'::jsonb || spec)::text,
  'UTF8'), body), 'fine') $$;
SELECT provider, body, refused(provider, spec, body)
  FROM (VALUES (1, 'openai', '{"model":"m"}'::jsonb), (2, 'openai',
  '{"model":"m","task":"embedding"}'), (3, 'anthropic', '{"model":"m"}'), (4, 'gemini', '{}'), (5,
  'gemini', '{"task":"embedding","model":"gemini-embedding-001"}'),
          (6, 'bedrock', '{}'), (7, 'bedrock',
          '{"task":"embedding","model":"amazon.titan-embed-text-v2:0"}'), (8, 'bedrock',
          '{"task":"embedding","model":"cohere.embed-v4:0"}'),
          (9, 'bedrock', '{"task":"embedding","model":"amazon.nova-2-multimodal-embeddings-v1:0"}'))
          AS p(i, provider, spec),
       unnest(ARRAY['{"model":"m","messages":[{"role":"user","content":"x"}]}',
       '{"model":"m","max_tokens":5,"system":"s","messages":[{"role":"user","content":"x"}]}',
       '{"model":"m","input":"x"}',
          '{"contents":[{"role":"user","parts":[{"text":"x"}]}]}',
          '{"content":{"parts":[{"text":"x"}]}}', '{"inputText":"x"}',
          '{"texts":["x"],"input_type":"search_document"}',
          '{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{}}',
          '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}',
          '{"recordId":"a","modelInput":{}}', '{"key":"a","request":{}}',
          '{"model":"m","prompt":"x"}', '{}']) WITH ORDINALITY AS b(body, j) ORDER BY i, j;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
