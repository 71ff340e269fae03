-- What base/measure.c estimates, against real tokenizers: test/fixtures/tokens; offline.
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set texts :here '/fixtures/tokens/texts.json'
\set counts :here '/fixtures/tokens/counts.json'
\i :functions
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION estimate(text text, model text DEFAULT 'gpt-5.4-mini') RETURNS bigint LANGUAGE sql
AS $$ SELECT unit_measure(convert_to(text, 'UTF8'), model) $$;
CREATE VIEW unit.estimated AS
SELECT t.key AS name, m.tokenizer, (c.value ->> m.tokenizer)::numeric AS counted,
       estimate(t.value, m.model) AS estimated
FROM jsonb_each_text(pg_read_file(:'texts')::jsonb) t
JOIN jsonb_each(pg_read_file(:'counts')::jsonb) c ON c.key = t.key
CROSS JOIN (VALUES ('o200k', 'gpt-5.4-mini'), ('cl100k', 'text-embedding-3-small'),
                   ('gemma', 'gemini-3.5-flash')) m(tokenizer, model);
-- no language is off by more than a quarter, JSON and SQL by no more than a third; and the mean
SELECT tokenizer, name, counted, estimated, round(100 * estimated / counted) AS percent
FROM unit.estimated ORDER BY 1, 2;
SELECT * FROM unit.estimated
WHERE abs(estimated / counted - 1) > CASE WHEN name IN ('JSON', 'SQL') THEN 0.33 ELSE 0.25 END;
SELECT tokenizer, avg(abs(estimated / counted - 1)) < 0.13 FROM unit.estimated
GROUP BY 1 ORDER BY 1;
-- runs
SELECT t, estimate(t)
FROM (VALUES (''), (' '), ('  '), ('a'), ('house'), ('a house'), ('internationalisation'),
             ('HTTPServerError'), ('12'), ('1234567'), ('...'), ('a, b'), ('né'), ('привет'),
             ('你好'), ('안녕'), ('😀')) v(t);
-- bytes that are not UTF-8
SELECT unit_measure('\xfffe41', 'gpt-5.4-mini'), unit_measure('\x00', 'gpt-5.4-mini');
-- models
SELECT m, estimate(repeat('word ', 100), m), estimate(repeat('1', 300), m),
       estimate(repeat('слово ', 100), m)
FROM (VALUES ('gpt-5.4-mini'), ('gpt-4o'), ('gpt-4.1'), ('gpt-4'), ('gpt-4-turbo'),
             ('gpt-3.5-turbo'), ('text-embedding-3-large'), ('gemini-2.5-flash'),
             ('publishers/google/models/gemini-2.5-pro'), ('llama-3.3-70b'), ('claude-3-5-haiku'),
             ('claude-haiku-4-5-20251001'), ('claude-opus-4-6'), ('claude-opus-4-7'),
             ('claude-sonnet-4-20250514'), ('claude-sonnet-5'),
             ('us.anthropic.claude-opus-4-8-v1:0'), ('claude')) v(m);
-- the same text twice is twice as much
SELECT estimate(repeat('Who are you? ', 1000)) / estimate('Who are you? ');
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
