-- Which transfers are too slow: a reply has 70 s, a body 1024 bytes a second in each 60 s; offline.
\set VERBOSITY terse
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\i :functions
\pset format unaligned
\pset tuples_only on
-- Looks each half second: at t seconds so many bytes were sent, and have come.
CREATE FUNCTION looks(until int, sent text, received text, flags text) RETURNS text
  LANGUAGE plpgsql AS $$
DECLARE
    looks text;
BEGIN
    EXECUTE format('SELECT string_agg(concat_ws('' '', t, (%s)::bigint, (%s)::bigint, %s), E''\n'''
        ' ORDER BY t) FROM (SELECT i / 2.0 AS t FROM generate_series(0, %s) i) o',
        sent, received, flags, 2 * until) INTO looks;
    RETURN looks;
END $$;
CREATE FUNCTION slow(body bigint, until int, sent text, received text, flags text) RETURNS text
  LANGUAGE sql AS $$ SELECT unit_slow(body, looks(until, sent, received, flags)) $$;
-- small requests: the whole reply has 70 s from the start, at any rate, also behind its head
SELECT slow(100, 69, '100', '0', $$''$$), slow(100, 600, '100', '0', $$''$$);
SELECT slow(100, 600, '100', '2 * t', $$''$$), slow(0, 600, '0', '1000000 * t', $$'r'$$);
SELECT slow(65536, 600, '600 * t', '0', $$''$$);
-- a head that drips, of a reply for a spool
SELECT slow(0, 600, '0', '2 * t', $$CASE WHEN t > 300 THEN 's' ELSE '' END$$);
-- a large body: no time counts while it connects, then its rate counts, then 70 s for the reply
SELECT slow(100000000, 3600, '0', '0', $$'c'$$);
SELECT slow(100000000, 3600, '2000 * t', '0', $$''$$);
SELECT slow(100000000, 3600, '1000 * t', '0', $$''$$);
SELECT slow(100000000, 3600, 'least(3000 * t, 3000 * 130)', '0', $$''$$);
SELECT slow(100000, 3600, 'least(2000 * t, 100000)', '0', $$''$$);
SELECT slow(100000, 119, 'least(2000 * t, 100000)', '0', $$''$$);
-- the reply comes before all was sent
SELECT slow(100000000, 3600, '2000 * least(t, 30)', '2 * t', $$CASE WHEN t > 30 THEN 'r' END$$);
-- a download: fast, at the least rate, below it, in bursts, after a burst; a small one
SELECT slow(0, 3600, '0', '1000000 * t', $$'s'$$), slow(0, 3600, '0', '1024 * t', $$'s'$$);
SELECT slow(0, 3600, '0', '1023 * t', $$'s'$$), slow(0, 3600, '0', '2 * t', $$'s'$$);
SELECT slow(0, 3600, '0', '100000 * floor(t / 50)', $$'s'$$);
SELECT slow(0, 3600, '0', '1000000 * least(t, 20)', $$'s'$$);
SELECT slow(0, 59, '0', '2 * t', $$'s'$$);
-- its time begins with its head
SELECT slow(0, 128, '0', '2 * t', $$CASE WHEN t >= 69 THEN 's' ELSE '' END$$);
SELECT slow(0, 600, '0', '2 * t', $$CASE WHEN t >= 69 THEN 's' ELSE '' END$$);
\pset tuples_only off
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
