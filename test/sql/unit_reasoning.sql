-- What a model thought aloud at the head of its answer (reasoning_tags), at every provider,
-- offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION answer(server jsonb, said text, reason text DEFAULT 'stop', more jsonb DEFAULT '{}')
  RETURNS jsonb LANGUAGE sql AS $$
    SELECT unit_line(convert_to(jsonb_build_object('server', server)::text, 'UTF8'),
    convert_to(jsonb_build_object('custom_id', '01234567-1', 'error', NULL,
        'response', jsonb_build_object('status_code', 200, 'body', jsonb_build_object('choices',
        jsonb_build_array(jsonb_build_object(
            'message', jsonb_build_object('content', said) || more, 'finish_reason',
            reason)))))::text, 'UTF8'))::jsonb $$;
CREATE FUNCTION told(tags text, said text, reason text DEFAULT 'stop', more jsonb DEFAULT '{}')
  RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' | ', concat_ws(' ', a->>'outcome', a->>'code'), COALESCE(a->>'reasoning',
    '(nothing)'), COALESCE(a->>'text', (a->'json')::text))
    FROM (SELECT answer(jsonb_build_object('provider', 'openai', 'reasoning_tags', tags), said,
    reason, more) AS a) x $$;
SELECT told(NULL, '<think>so</think>yes');
SELECT told('think', said) FROM (VALUES
    ('yes'), ('<think>so</think>yes'), (E' \n<think>\nso\n</think>\n\n yes \n'),
    (E'<think>\n\n</think>\n\nyes'),
    ('<think>so'), ('<think>'), (E'<think>so</think>\n '), ('</think>yes'),
    (E'Well, so.\n</think>\n\nyes'),
    ('yes <think>so</think>'), ('yes <think>so</think> no'), ('yes <think>so'),
    ('{"say": "</think>"}'), ('["</think>"]'), ('<think>so</think>{"say": "<think>no</think>"}'),
    ('<think>so <think>deep</think>yes</think>no'), ('<think>so</think><think>again</think>yes'),
    ('<Think>so</Think>yes'), ('<think >so</think>yes'), ('<thinking>so</thinking>yes'),
    ('<think>so</ think></think'), ('<'), ('</think'), ('a</think>')) v(said);
SELECT told('reasoning, think', said) FROM (VALUES ('<think>so</think>yes'),
  ('<reasoning>so</think></reasoning>yes'), ('so</think>yes</reasoning>no')) v(said);
SELECT told('think', said, 'length') FROM (VALUES ('<think>so'), ('<think>so</think>ye')) v(said);
-- calls of tools behind it are the output
SELECT told('think', '<think>so</think> ', 'tool_calls', '{"tool_calls": [{"id": "c1"}]}');
-- NUL and its neighbours
SELECT unit_line('{"server":{"provider":"openai","reasoning_tags":"think"}}', convert_to(
  '{"custom_id":"01234567-1","response":{"status_code":200,"body":{"choices":[{"message":'
  '{"content":"<think>s\u0000o</think>y\u0000es"}}]}}}', 'UTF8'));
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
