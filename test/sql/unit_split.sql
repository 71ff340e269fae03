-- Grapheme clusters as Unicode's own test has them, and texts of other encodings in pieces,
-- offline.
\getenv here PG_ABS_SRCDIR
\set module :here '/unit/batchinf_unit'
\set functions :here '/unit/functions.sql'
\set clusters :here '/fixtures/unicode/GraphemeBreakTest.txt'
\i :functions
\pset format unaligned
\pset tuples_only on
-- each line: ÷ 0020 × 0308 ÷ …, and a comment
CREATE TEMP TABLE line AS
  SELECT btrim(regexp_replace(split_part(l, '#', 1), '[ \t]+', ' ', 'g'), ' ÷') AS l
  FROM string_to_table(convert_from(pg_read_binary_file(:'clusters'), 'UTF8'), E'\n') AS t(l)
  WHERE l LIKE '÷%';
SELECT count(*) FROM line;
SELECT count(*) FILTER (WHERE right_one), count(*) FILTER (WHERE NOT right_one),
  min(l) FILTER (WHERE NOT right_one)
FROM (SELECT l, replace(replace(l, ' × ', ' '), '÷', '/') = unit_graphemes(ARRAY(
        SELECT ('x' || lpad(m[1], 8, '0'))::bit(32)::int
        FROM regexp_matches(l, '[0-9A-F]{4,6}', 'g') AS m)) AS right_one FROM line) u;
-- start and bytes of each piece
CREATE FUNCTION split(t text, encoding name, size int, overlap int) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(split_part(c, ':', 1) || ':' ||
    convert_from(decode(split_part(c, ':', 2), 'hex'), encoding), ' | ' ORDER BY n)
  FROM string_to_table(unit_split(convert_to(t, encoding), encoding, size, overlap), ' ')
    WITH ORDINALITY AS s(c, n) $$;
CREATE TEMP TABLE text AS SELECT '吾輩は猫である。名前はまだ無い。「どこ？」　生れた！見当' AS japanese,
  'Größe: 5 m. «Où?» Là-bas…' || chr(160) || ' Ça va! ' || chr(160) AS latin;
SELECT e, split(japanese, e, 12, 0) FROM text, unnest('{UTF8,EUC_JP,EUC_JIS_2004}'::name[]) e;
SELECT e, split(japanese, e, 12, 5) FROM text, unnest('{UTF8,EUC_JP,EUC_JIS_2004}'::name[]) e;
SELECT e, split('你好。我叫李雷！你叫什么名字？', e, 7, 0) FROM unnest('{UTF8,EUC_CN}'::name[]) e;
SELECT e, split(latin, e, 13, 0) FROM text, unnest('{UTF8,WIN1252}'::name[]) e;
SELECT e, split(replace(latin, '…', '...'), e, 13, 0) FROM text, unnest('{UTF8,LATIN1}'::name[]) e;
SELECT e, split('هل هذا صحيح؟ نعم هو', e, 14, 0) FROM unnest('{UTF8,WIN1256}'::name[]) e;
-- Thai vowels above and below, and the accents of Vietnamese
SELECT e, split('ที่นี่ดี', e, 1, 0) FROM unnest('{UTF8,WIN874}'::name[]) e;
SELECT e, split('e' || U&'\0300' || 'a' || U&'\0301', e, 1, 0)
FROM unnest('{UTF8,WIN1258}'::name[]) e;
-- bytes that nothing is known of, and characters that are cut off
SELECT unit_split('\x61ff622e2063c320', 'SQL_ASCII', 5, 0);
SELECT unit_split('\x6162c3', 'UTF8', 1, 0), unit_split('\xc3', 'UTF8', 1, 0),
  unit_split('\x80bf', 'UTF8', 1, 0), unit_split('\xf0', 'UTF8', 1, 0),
  unit_split('\xa4', 'EUC_JP', 1, 0), unit_split('\x8fa4', 'EUC_JP', 1, 0);
SELECT unit_split('', 'UTF8', 1, 0) = '', unit_split('\x20090a0d0a', 'UTF8', 1, 0) = '';
SET client_min_messages = warning;
DROP SCHEMA unit CASCADE;
