-- What base/loose.c makes of JSON as models write it; offline.
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
-- one fenced block and nothing else
SELECT replace(unit_loose(t), E'\n', '|')
FROM (VALUES (E'```json\n{"a": 1}\n```'), (E'```\n[1]\n```'), (E' \n```JSON \n{}\n``` \n'),
          (E'~~~\n{}\n~~~'), (E'````json\n"```"\n````'), (E'```\r\n{}\r\n```\r\n'),
          (E'```json\n{"a":\n 1}\n  ```')) v(t);
-- anything else stays as it is, but for blanks at its ends where there is a control character
SELECT replace(unit_loose(t), E'\n', '|')
FROM (VALUES (E'Here it is:\n```json\n{}\n```'), (E'```json\n{}\n```\nDone.'),
          (E'```json\n{}\n```\n```json\n{}\n```'), (E'```json\n{}'), (E'```json {} ```'), (E'```'),
          (E'```\n```'), (E'````\n{}\n```'), (E'``\n{}\n``'), ('`{}`'), (''), (' '), ('plain'),
          ('{"a": 1}')) v(t);
-- control characters within strings are escapes then; outside of them they stay
SELECT replace(unit_loose(t), E'\n', '|')
FROM (VALUES (E'{"a": "x\ny\tz"}'), (E'{\n"a"\n:\t1}'), (E'{"a": "x\\"\n"}'),
          (E'{"a\nb": "\\\\\n"}'), (E'"x\n'), (E'"a\\\nb"'), (E'```json\n{"a": "x\ny"}\n```')) v(t);
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
