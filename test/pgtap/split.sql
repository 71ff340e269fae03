-- batch_split: known texts, what holds for all texts, errors, other encodings, and large texts.
\i lib.sql
SELECT no_plan();
-- start and text of each piece
CREATE FUNCTION pieces(t text, size int, overlap int DEFAULT 0) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(start || ':' || chunk, '|' ORDER BY n) FROM batch_split(t, size, overlap) $$;

-- The levels, each where the ones above it do not fit.
SELECT is(pieces(t.t, s.size), s.pieces, 'English: ' || s.size) FROM
(VALUES (E'Title\n\nA dog. A cat came!\n\nThe third one\nhas lines.')) t(t),
(VALUES (100, E'1:Title\n\nA dog. A cat came!\n\nThe third one\nhas lines.'),
    (30, E'1:Title\n\nA dog. A cat came!|28:The third one\nhas lines.'),
    (22, E'1:Title|8:A dog. A cat came!|28:The third one|42:has lines.'),
    (13, E'1:Title|8:A dog.|15:A cat came!|28:The third one|42:has lines.'),
    (8, '1:Title|8:A dog.|15:A cat|21:came!|28:The|32:third|38:one|42:has|46:lines.'),
    (3, '1:Tit|4:le|8:A|10:dog|13:.|15:A|17:cat|21:cam|24:e!|28:The|32:thi|35:rd|38:one|42:has|'
        '46:lin|49:es.')) s(size, pieces);
SELECT is(pieces(E'One line.\r\nTwo.\r\n \r\nThree.\rFour.\u2028Five.\u2029Six.', 20),
    E'1:One line.\r\nTwo.|21:Three.\rFour.\u2028Five.|40:Six.', 'each kind of line and paragraph');
SELECT is(pieces('He said: "No." (Really?) Yes… Who? Me', 16),
    '1:He said: "No."|16:(Really?) Yes…|31:Who? Me', 'quotes and brackets belong to the sentence');
SELECT is(pieces('Pi is 3.14159 and so on, www.example.com', 14),
    '1:Pi is 3.14159|15:and so on,|26:www.example.co|40:m',
    'a full stop within a word ends nothing');
SELECT is(pieces('Die Größe beträgt 5 m. „Wirklich?“ Ja.', 24),
    '1:Die Größe beträgt 5 m.|24:„Wirklich?“ Ja.', 'German');
SELECT is(pieces('你好。我叫李雷！你叫什么名字？“我叫韩梅梅。”再见', 9),
    '1:你好。我叫李雷！|9:你叫什么名字？|16:“我叫韩梅梅。”|24:再见', 'Chinese');
SELECT is(pieces('هل هذا صحيح؟ نعم، هو كذلك. شكرا', 16), '1:هل هذا صحيح؟|14:نعم، هو كذلك.|28:شكرا',
    'Arabic');
SELECT is(pieces('राम घर गया। सीता आई।', 13), '1:राम घर गया।|13:सीता आई।', 'Hindi: sentences');
SELECT is(pieces('क्षत्रिय', 4), '1:क्ष|4:त्रि|8:य', 'Hindi: syllables, also conjuncts');
SELECT is(pieces('ภาษาไทยที่นี่', 4), '1:ภาษา|5:ไทย|8:ที่|11:นี่', 'Thai: vowels and tones');
SELECT is(pieces(E'ភាសា\u200Bខ្មែរ', 6), E'1:ភាសា\u200B|6:ខ្មែរ',
    'Khmer: words end at zero width spaces');
SELECT is(pieces('👩‍👩‍👧‍👦👍🏽❤️🇩🇪🇫🇷', 4), '1:👩‍👩‍👧‍👦|8:👍🏽❤️|12:🇩🇪🇫🇷',
    'a family longer than a piece, a hand, a heart, flags');
SELECT is(pieces('🇩🇪🇫🇷', 3), '1:🇩🇪|3:🇫🇷', 'a flag is not cut');
SELECT is(pieces('가각' || U&'\1112\1161\11AB', 3), '1:가각|3:' || U&'\1112\1161\11AB', 'Hangul');
SELECT is(pieces(E'e\u0301e\u0301', 1), E'1:e\u0301|3:e\u0301', 'accents');
SELECT is(pieces(E'a\r\n\u0301b', 1), E'1:a|4:\u0301|5:b',
    'a line break is no letter for an accent');
SELECT is(pieces(E'a \u0301 b', 9), E'1:a \u0301 b', 'white space with an accent is content');
SELECT is(pieces(E' \u0301 ', 9), E'1: \u0301', '… also alone');

-- Overlap.
SELECT is(pieces('one two three four five six', 14, 5),
    '1:one two three|9:three four|15:four five six', 'an overlap begins at a word');
SELECT is(pieces('abcdefghij', 4, 2), '1:abcd|3:cdef|5:efgh|7:ghij',
    '… else anywhere');
SELECT is(pieces('one twothree four', 9, 3), '1:one|5:twothree|14:four',
    '… but not within a word where words are');
SELECT is(pieces(E'A b c d e f.\n\nG h i j k l.', 14, 5), E'1:A b c d e f.|15:G h i j k l.',
    'no overlap tears a paragraph that fits without it');
SELECT is(pieces(E'A b c d e f.\n\nG h i j.', 14, 5), E'1:A b c d e f.|9:e f.\n\nG h i j.',
    '… one that leaves room has a part of it');
SELECT is(pieces(E'T\n\nabc def', 7, 6), E'1:T|4:abc def',
    'an overlap is not the whole piece before');
SELECT is(pieces('🇩🇪🇫🇷🇬🇧', 4, 3), '1:🇩🇪🇫🇷|3:🇫🇷🇬🇧',
    'an overlap begins with a whole flag');
SELECT is(pieces('ab👩‍👩‍👧‍👦cd', 3, 2), '1:ab|3:👩‍👩‍👧‍👦|10:cd',
    'what is longer than a piece overlaps nothing');

-- No rows, and errors.
SELECT is_empty('SELECT * FROM batch_split(NULL, 10)', 'NULL: no rows');
SELECT is_empty(format('SELECT * FROM batch_split(%L, 10)', t), 'blanks: no rows')
FROM unnest(ARRAY['', ' ', E'\n\r\n\t\u00A0\u3000\u2028']) t;
SELECT throws_ok('SELECT * FROM batch_split(''a'', 0)', '22023',
    'invalid value for argument "size": 0', 'size 0');
SELECT throws_ok('SELECT * FROM batch_split('''', -1)', '22023',
    'invalid value for argument "size": -1', 'size -1, also of no text');
SELECT throws_ok('SELECT * FROM batch_split(''a'', 1, -1)', '22023',
    'invalid value for argument "overlap": -1', 'overlap -1');
SELECT throws_ok('SELECT * FROM batch_split(''a'', 5, 5)', '22023',
    'argument "overlap" must be less than argument "size"', 'overlap 5 of 5');
SELECT is(pieces('abc def', 2147483647, 2147483646), '1:abc def', 'the largest arguments');

CREATE FUNCTION blank(t text) RETURNS bool LANGUAGE sql
    AS $$ SELECT translate(t, E' \t\n\r\u0085\u00A0\u3000\u2028', '') = '' $$;
-- What holds for all texts.  Returns what does not.
CREATE FUNCTION wrong(t text, size int, overlap int, borders int[]) RETURNS text LANGUAGE sql AS $$
    WITH piece AS (
        SELECT *, start + length(chunk) AS stop FROM batch_split(t, size, overlap)),
    beside AS (
        SELECT *, row_number() OVER w AS number, lag(start) OVER w AS last_start,
            COALESCE(lag(stop) OVER w, 1) AS last_stop,
            COALESCE(lead(start) OVER w, length(t) + 1) AS next_start
        FROM piece WINDOW w AS (ORDER BY n))
    SELECT string_agg(format('%s at %s', what, start), ', ')
    FROM beside, LATERAL (VALUES
        ('number', n = number),
        ('not of the text', chunk = substr(t, start, length(chunk))),
        ('empty', chunk <> ''),
        ('too long', length(chunk) <= size OR
            (SELECT count(*) = 0 FROM unnest(borders) b WHERE b > start AND b < stop)),
        ('begins in a cluster', start = ANY (borders)),
        ('ends in a cluster', stop = ANY (borders)),
        ('begins too early', last_stop - start <= overlap),
        ('begins before the last one', start > last_start IS NOT FALSE),
        ('no progress', stop > last_stop OR n = 1),
        ('content is lost before', blank(substr(t, last_stop, greatest(start - last_stop, 0)))),
        ('content is lost behind', blank(substr(t, stop, greatest(next_start - stop, 0))))
        ) v(what, holds)
    WHERE NOT holds $$;
\set made `perl clusters.pl`
CREATE TEMP TABLE made AS
SELECT t, array_agg(abs(split_part(c, ':', 1)::int) ORDER BY place) || length(t) + 1 AS borders,
    string_agg(c, ' ' ORDER BY place) FILTER (WHERE c NOT LIKE '-%') AS clusters
FROM string_to_table(:'made', E'\n') WITH ORDINALITY AS l(line, number),
    convert_from(decode(split_part(line, ' ', 1), 'hex'), 'UTF8') t,
    string_to_table(substr(line, strpos(line, ' ') + 1), ' ') WITH ORDINALITY AS e(c, place)
WHERE line <> '' GROUP BY number, t;
SELECT is(count(*), 400::bigint, 'texts were made') FROM made;
SELECT is_empty('SELECT t, clusters, found FROM made, LATERAL (SELECT string_agg(start || '':'' ||
    length(chunk), '' '' ORDER BY n) AS found FROM batch_split(t, 1)) f
    WHERE clusters IS DISTINCT FROM found',
    'size 1: each grapheme cluster as perl finds them');
SELECT is_empty(format('SELECT t, w FROM made, wrong(t, %s, %s, borders) w WHERE w <> ''''', s, o),
    format('what is promised of pieces: %s, %s', s, o))
FROM (VALUES (1, 0), (2, 1), (3, 0), (3, 2), (5, 4), (8, 3), (13, 0), (20, 10), (20, 19), (40, 5),
    (1000, 100)) v(s, o);
SELECT is_empty($$SELECT n, s FROM generate_series(1, 40) n, generate_series(1, 13) s
    WHERE wrong(repeat(E'Aa bb. ', n % 7) || repeat(E'c\n', n % 5) || repeat(' ', n % 100) ||
        repeat(E'\n\nDdd ', n % 3) || repeat('eee, ', n / 4), s, s * (n % 10) / 10,
        (SELECT array_agg(b) FROM generate_series(1, 1000) b)) <> ''$$,
    '… of ordinary texts');

-- As it is meant to be used: the key is the document's and the number.
CREATE TABLE doc (id int PRIMARY KEY, body text);
INSERT INTO doc VALUES (1, 'A first sentence. And one more.'), (2, ''), (3, NULL), (4, 'Short.');
SELECT sim.server('openai');
SELECT batch_submit('SELECT d.id, s.n, s.chunk AS input FROM doc d, batch_split(d.body, 20) s',
    server => 'openai', task => 'embedding', model => 'text-embedding-3-small', key => 'id, n')
    AS job \gset
SELECT results_eq(
    format('SELECT record_id, input FROM batch_records WHERE job_id = %s ORDER BY seq',
        :job),
    $$VALUES ('(1,1)', 'A first sentence.'), ('(1,2)', 'And one more.'), ('(4,1)', 'Short.')$$,
    'in the query of a job');

CREATE TABLE part (id int, n int, embedding jsonb, PRIMARY KEY (id, n));
INSERT INTO part SELECT d.id, s.n FROM doc d, batch_split(d.body, 20) s;
SELECT batch_submit('SELECT d.id, s.n, s.chunk AS input FROM doc d, batch_split(d.body, 20) s',
    server => 'openai', task => 'embedding', model => 'text-embedding-3-small',
    target => 'part', write_back => '{"embedding": "$"}') AS written \gset
CALL batch_work('60 s');
SELECT is((SELECT format('%s %s %s', state, records, written) FROM batch_jobs
    WHERE job_id = :written), 'completed 3 3', '… whose answers are written, a row for each piece');
SELECT is((SELECT count(*) FROM part WHERE jsonb_typeof(embedding) = 'array'), 3::bigint,
    '… all of them');

-- Large: nothing of these is quadratic, and no bound on a search is missing.
SELECT is((SELECT count(*) FROM batch_split(repeat('x', 10000000), 1000, 100)), 11111::bigint,
    'a text without any border');
SELECT is((SELECT count(*) FROM batch_split(repeat('x', 10000000), 100000000, 100)), 1::bigint,
    'a text that is one piece');
SELECT is((SELECT count(*) FROM batch_split(repeat(' ', 10000000), 1000, 999)), 0::bigint,
    'white space alone');
SELECT is((SELECT max(n) FROM batch_split(repeat('x', 3000) || repeat(' ', 5000000) ||
    repeat(E'y\u0301', 3000) || repeat(E'\u0301', 5000000), 1000, 999)), 4502,
    'much white space and a very long cluster behind many pieces');
SELECT is((SELECT sum(length(chunk)) FROM batch_split(repeat(E'a\n\nbb. c ', 1000000), 9, 0)),
    6999999::bigint, 'many short paragraphs');

-- Databases of other encodings find the same pieces, of what their encoding has.
CREATE FUNCTION pieces_in(encoding text, t text, size int, overlap int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS heard (line text);
    TRUNCATE heard;
    EXECUTE format('COPY heard FROM PROGRAM %L', format(
        'PGCLIENTENCODING=UTF8 psql -XAtq -h %s -p %s -d split_%s -c ''SELECT string_agg('
        'start || chr(58) || chunk, chr(124) ORDER BY n) FROM batch_split($t$%s$t$, %s, %s)''',
        current_setting('unix_socket_directories'), current_setting('port'), encoding, t, size,
        overlap));
    SELECT string_agg(line, E'\n') INTO found FROM heard;
    RETURN found;
END $$;
SELECT format('CREATE DATABASE split_%s ENCODING %1$L LOCALE ''C'' TEMPLATE template0', e)
FROM unnest('{latin1,euc_jp,sql_ascii}'::text[]) e \gexec
\! for e in latin1 euc_jp sql_ascii; do psql -Xq -d split_$e -c 'CREATE EXTENSION batchinf'; done
SELECT is(pieces_in(e, t, s, o), pieces(t, s, o), format('%s: %s, %s', e, s, o))
FROM (VALUES ('latin1', E'Größe: 5 m. «Où?» Là-bas!\u00A0Ça va? Élève déjà vu'),
    ('euc_jp', '吾輩は猫である。名前はまだ無い。「どこ？」　生れた！とんと見当が、つかぬ')) v(e, t),
    (VALUES (12, 0), (12, 5), (1, 0)) w(s, o);
SELECT is(pieces_in('sql_ascii', 'ab. cd é', 4, 0), '1:ab.|5:cd|8:é', 'SQL_ASCII: é is two bytes');
SELECT format('DROP DATABASE split_%s', e) FROM unnest('{latin1,euc_jp,sql_ascii}'::text[]) e \gexec
SELECT * FROM finish();
