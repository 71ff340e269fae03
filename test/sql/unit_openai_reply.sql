-- What provider/openai*.c makes of replies, offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set fixtures :here '/fixtures/openai/'
\i :functions
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
CREATE FUNCTION reply(routine text, status int, file text, more text DEFAULT '') RETURNS text
  LANGUAGE sql AS
  $$ SELECT unit_reply(routine, convert_to(format(
  '{"status":%s,"chunk":{"refs":{"input":"file-in"},"buried":"batch_dead batch_dead2"}%s}', status,
  more), 'UTF8'), pg_read_binary_file(current_setting('unit.fixtures') || file)) $$;
SELECT set_config('unit.fixtures', :'fixtures', false) IS NOT NULL;

-- where a batch stands
SELECT name, reply('poll', 200, name) FROM pg_ls_dir(:'fixtures') AS name WHERE name LIKE 'batch-%'
  ORDER BY name COLLATE "C";
-- created: 200 or 201, with an id
SELECT status, name, reply('create', status, name) FROM (VALUES (200, 'batch-validating.json'),
  (201, 'batch-azure.json'), (202, 'batch-other-id.json'), (200, 'batch-no-object.json'), (200,
  'batch-object-number.json'), (200, 'batch-no-id.json'), (200, 'batch-bad-id.json'), (200,
  'batch-dots-id.json'),
  (200, 'batch-no-status.json'), (200, 'file.json'), (200, 'error-invalid.json'), (200,
  'page.html'), (200, 'list-ours.json')) AS t(status, name);
-- looked for
SELECT name, reply('find', 200, name) FROM pg_ls_dir(:'fixtures') AS name WHERE name LIKE 'list-%'
  ORDER BY name COLLATE "C";
SELECT 'the same cursor again', reply('find', 200, 'list-more.json', ',"cursor":"batch_z"'),
  reply('find', 200, 'list-more.json', ',"cursor":"batch_y"');
SELECT 'the same word again', reply('find', 200, 'list-cursor-more.json',
  ',"cursor":"cursor=cGFnZTI="'), reply('find', 200, 'list-cursor-more.json',
  ',"cursor":"cursor=cGFnZTE="');
-- ids of hundreds of characters travel escaped and come back whole
SELECT name, length(unit_reply(routine, '{}', b)), unit_reply(routine, '{}', b) LIKE '%' ||
  (convert_from(b, 'UTF8')::json ->> 'id') || '%'
  FROM (VALUES ('create', 'created-long-id.json'), ('upload', 'file-long-id.json')) AS t(routine,
  name), pg_read_binary_file(:'fixtures' || name) AS b;
SELECT split_part(unit_request('poll', convert_to(json_build_object('chunk',
  json_build_object('batch_id', convert_from(b, 'UTF8')::json ->> 'id'))::text, 'UTF8')), E'\n', 1)
  FROM pg_read_binary_file(:'fixtures' || 'created-long-id.json') AS b;
SELECT 'second try', unit_reply('find', '{"chunk":{"tries":2,"refs":{"input":"file-in"}}}',
  pg_read_binary_file(:'fixtures' || name)) FROM
  unnest('{list-ours.json,list-other-try.json,list-by-file-dead-first.json}'::text[]) AS name;
SELECT 'no input known', unit_reply('find', '{}', pg_read_binary_file(:'fixtures' ||
  'list-by-file.json'));
SELECT 'odd', name, reply('find', 200, name) FROM
  unnest('{file.json,error-invalid.json,page.html,batch-validating.json}'::text[]) AS name;
-- what a status means, and the provider's words
SELECT status, name, reply('create', status, name) FROM (VALUES (400, 'error-invalid.json'), (400,
  'error-no-code.json'), (400, 'error-unseen-file.json'), (400, 'error-tokens.json'), (400,
  'page.html'), (401, 'error-key.json'),
  (401, 'page.html'), (402, 'error-string.json'), (403, 'error-key.json'), (403, 'page.html'), (404,
  'error-not-found.json'), (404, 'error-flat.json'), (404, 'error-detail.json'), (404, 'page.html'),
  (405, 'error-string.json'), (408, 'error-string.json'),
  (409, 'error-string.json'), (413, 'error-no-code.json'), (413, 'page.html'), (422,
  'error-odd.json'), (422, 'error-object-words.json'), (422, 'error-unseen-file.json'), (425,
  'error-string.json'), (429, 'error-rate.json'), (429, 'error-quota.json'), (429,
  'error-credit.json'),
  (429, 'page.html'), (500, 'error-string.json'), (502, 'page.html'), (503, 'error-rate.json'),
  (529, 'error-string.json'), (301, 'page.html'), (302, 'error-string.json'), (304, 'file.json'),
  (100, 'file.json'), (0, 'file.json'), (999, 'file.json')) AS t(status, name);
-- errors in a list, as a text, or as a web framework's own refusal
SELECT status, name, reply('create', status, name) FROM (VALUES (400, 'error-list.json'), (400,
  'error-text.json'), (422, 'error-validation.json'), (400, 'error-validation.json'), (429,
  'error-text.json'), (404, 'error-list.json')) AS t(status, name);
-- bodies that are no JSON: plain words are quoted, what cannot be shown is not
SELECT unit_reply('poll', '{"status":404}', b) FROM unnest(ARRAY['404 page not found', '',
  '\x6261640a0d09ff00c3', '\xc3a9']::bytea[]) AS b;
SELECT length(unit_reply('poll', '{"status":400}', convert_to('{"error":{"message":"' || repeat('x',
  1000000) || '","code":"' || repeat('c', 1000) || '"}}', 'UTF8'))) AS cut,
  length(unit_reply('poll', '{"status":400}', convert_to(repeat('x', 1000000), 'UTF8'))) AS cut;
SELECT unit_reply('poll', '{"status":400}', convert_to('{"error":{"message":"a\u0000b\nc"}}',
  'UTF8'));
SELECT unit_reply('poll', '{"status":200}', convert_to(repeat('[', 100000), 'UTF8')),
  unit_reply('find', '{"status":200}', convert_to('{"data":' || repeat('[', 100000), 'UTF8'));
-- no reply at all
SELECT transport, cause, unit_reply('create', convert_to(format('{"transport":"%s","cause":%s}',
  transport, cause), 'UTF8'), '') FROM unnest('{unsent,broken}'::text[]) AS transport,
  generate_series(0, 10) AS cause;
SELECT unit_reply(routine,
  convert_to('{"transport":"broken","cause":6,"detail":"transfer closed with 7 bytes\n remaining"}',
  'UTF8'), '') FROM unnest('{upload,create,find,poll,cancel,fetch,discard,check}'::text[]) AS
  routine;
-- the other routines
SELECT status, name, reply('upload', status, name) FROM (VALUES (200, 'file.json'), (201,
  'file.json'), (200, 'model.json'), (200, 'error-invalid.json'), (200, 'batch-bad-id.json'), (200,
  'page.html'), (400, 'error-no-code.json')) AS t(status, name);
SELECT status, name, reply('cancel', status, name) FROM (VALUES (200, 'batch-cancelling.json'),
  (400, 'error-invalid.json'), (409, 'error-string.json'), (404, 'error-not-found.json'), (500,
  'error-string.json'), (401, 'error-key.json')) AS t(status, name);
SELECT status, headers, unit_reply('fetch', convert_to(format('{"status":%s,"headers":"%s"}',
  status, headers), 'UTF8'), '') FROM (VALUES (200, 'content-type: application/octet-stream'), (200,
  ''), (204, ''), (200, 'Content-Type: text/html; charset=utf-8'), (206, ''), (302, ''), (404, ''),
  (500, '')) AS t(status, headers);
SELECT status, name, reply('discard', status, name) FROM (VALUES (200, 'file-deleted.json'), (200,
  'file-not-deleted.json'), (204, 'error-odd.json'), (404, 'error-not-found.json'), (409,
  'error-string.json')) AS t(status, name);
SELECT status, name, reply('check', status, name) FROM (VALUES (200, 'model.json'), (200,
  'page.html'), (200, 'error-string.json'), (401, 'error-key.json'), (403, 'error-key.json'), (404,
  'error-detail.json'), (429, 'error-rate.json')) AS t(status, name);
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
