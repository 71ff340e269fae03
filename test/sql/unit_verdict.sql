-- How far a verdict reaches: the request, the key or the whole server; offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
\set providers '{openai,azure_openai,anthropic,bedrock,vertex,gemini}'
CREATE FUNCTION scope(provider text, routine text, more jsonb,
  body text DEFAULT '{"error":{"message":"x"}}')
RETURNS text LANGUAGE sql AS $$
  SELECT format('%s %s %s', r ->> 'verdict', r ->> 'scope', r ->> 'bad_key')
  FROM CAST(unit_reply(routine, convert_to((more || jsonb_build_object('scope', true,
      'server', '{"region":"us-east-1","location":"global","project":"p"}'::jsonb
        || jsonb_build_object('provider', provider)))::text, 'UTF8'),
    convert_to(body, 'UTF8')) AS jsonb) AS r $$;
-- each provider, by status: verdict, scope, whether the key itself is bad
SELECT status, provider, scope(provider, 'poll', jsonb_build_object('status', status))
FROM unnest('{400,401,402,403,404,408,409,429,500,503,529}'::int[]) AS status,
  unnest(:'providers'::text[]) WITH ORDINALITY p(provider, i)
ORDER BY status, i;
-- no reply came: nothing was sent, or nobody knows
SELECT provider, transport,
  scope(provider, 'poll', jsonb_build_object('transport', transport, 'cause', 2, 'status', 0))
FROM unnest(:'providers'::text[]) WITH ORDINALITY p(provider, i),
  unnest('{unsent,broken}'::text[]) AS transport
ORDER BY i, transport;
-- one that broke off within an error of the server's
SELECT scope('openai', 'poll', '{"transport":"broken","cause":6,"status":502}');
-- money is the key's affair, and no bad key; nor is a file that is not ready anybody else's
SELECT scope('openai', 'create', '{"status":429}',
  '{"error":{"code":"insufficient_quota","message":"x"}}');
SELECT scope('azure_openai', 'create', '{"status":400}',
  '{"error":{"message":"Only files with status processed can be used, this file is pending."}}');
-- bad keys that are no 401
SELECT scope('gemini', 'poll', '{"status":400}', '{"error":{"message":"API key not valid."}}');
-- a good status with a body of somebody else's
SELECT scope('anthropic', 'poll', '{"status":200}', '<html>');
-- logins: a person must act, or the service is down for everybody
SELECT status, scope('azure_openai', 'login', jsonb_build_object('status', status))
FROM unnest('{200,400,401,404,429,500}'::int[]) AS status;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
