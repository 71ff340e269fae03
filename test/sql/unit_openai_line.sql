-- Result lines as provider/openai_line.c reads them, offline: what is paid for and not understood
-- must end in a plain outcome.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set fixtures :here '/fixtures/openai/'
\i :functions
\pset format unaligned
\pset tuples_only on
SELECT unit_line('{}', convert_to(line, 'UTF8'))
  FROM string_to_table(convert_from(pg_read_binary_file(:'fixtures' || 'lines.jsonl'), 'UTF8'),
  E'\n') WITH ORDINALITY AS l(line, n) WHERE line <> '' ORDER BY n;
SELECT unit_line('{"spec":{"task":"embedding"}}', convert_to(line, 'UTF8'))
  FROM string_to_table(convert_from(pg_read_binary_file(:'fixtures' || 'embeddings.jsonl'), 'UTF8'),
  E'\n') WITH ORDINALITY AS l(line, n) WHERE line <> '' ORDER BY n;
-- responses
SELECT unit_line('{"spec":{"endpoint":"responses"}}', convert_to(line, 'UTF8'))
  FROM string_to_table(convert_from(pg_read_binary_file(:'fixtures' || 'responses.jsonl'), 'UTF8'),
  E'\n') WITH ORDINALITY AS l(line, n) WHERE line <> '' ORDER BY n;
-- a response with one bit wrong, at every byte: each is read to its end
SELECT count(*) FILTER (WHERE unit_line('{"spec":{"endpoint":"responses"}}', set_byte(line, n,
  get_byte(line, n) # 1)) ~ '"outcome":"[a-z_]+"') = count(*) AS read
  FROM (SELECT convert_to(split_part(convert_from(pg_read_binary_file(:'fixtures' ||
  'responses.jsonl'), 'UTF8'), E'\n', 3), 'UTF8') AS line) AS l, generate_series(0, length(line) -
  1) AS n;
-- no UTF-8, cut in a character, a NUL byte, a byte order mark, nothing
SELECT unit_line('{}', line) FROM unnest(ARRAY['\x7b22637573746f6d5f6964223a2261ff227d',
  '\x7b22637573746f6d5f6964223a2261c3', '\x7b22637573746f6d5f6964223a226122007d', '\xefbbbf7b7d',
  '']::bytea[]) AS line;
-- a line of 5 MB, a deep one, one that is cut anywhere
SELECT unit_line('{}', convert_to('{"custom_id":"big","response":{"status_code":200,"body":'
  '{"choices":[{"finish_reason":"stop","message":{"content":"' || repeat('x\n', 2500000) ||
  '"}}]}},"error":null}', 'UTF8'));
SELECT unit_line('{"spec":{"task":"embedding"}}',
  convert_to('{"custom_id":"big","response":{"status_code":200,"body":{"data":[{"embedding":[' ||
  string_agg('0.' || i, ',') || ']}]}}}', 'UTF8')) FROM generate_series(100000, 400000) AS i;
SELECT unit_line('{}', convert_to('{"custom_id":"deep","response":' || repeat('[', n) || repeat(']',
  n) || '}', 'UTF8')) FROM unnest('{100,1000000}'::int[]) AS n;
SELECT count(*) FILTER (WHERE unit_line('{}', substr(line, 1, n)) NOT LIKE
  '%"outcome":"errored","retryable":0,%"code":"unreadable_line"%') AS understood
  FROM (SELECT convert_to(split_part(convert_from(pg_read_binary_file(:'fixtures' || 'lines.jsonl'),
  'UTF8'), E'\n', 1), 'UTF8') AS line) AS l, generate_series(0, length(line) - 1) AS n;
-- a good line with one bit wrong, at every byte: each is read to its end
SELECT substring(unit_line('{}', set_byte(line, n, get_byte(line, n) # 1)) FROM
  '"outcome":"([a-z_]+)"') AS outcome, count(*)
  FROM (SELECT convert_to(split_part(convert_from(pg_read_binary_file(:'fixtures' || 'lines.jsonl'),
  'UTF8'), E'\n', 1), 'UTF8') AS line) AS l, generate_series(0, length(line) - 1) AS n
 GROUP BY 1 ORDER BY 2 DESC;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
