-- Target rows are found by the equality of the key's type, not by text. Tried with key columns of
-- many types, composite keys, keys that are not unique, and each kind of target table.
\i lib.sql
CREATE EXTENSION IF NOT EXISTS citext;
SELECT no_plan();
SELECT sim.server('openai');

-- Submits query (id columns, then prompt p) for a target with a column "answer"; the job.
CREATE FUNCTION ask(query text, target regclass, key text DEFAULT NULL, path text DEFAULT '$',
    col text DEFAULT 'answer')
RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', prompt => '{{p}}', key => key, target => target,
        write_back => jsonb_build_object(col, path), in_flight => 'send', write_if => 'always') $$;
CREATE FUNCTION say(text) RETURNS text LANGUAGE sql AS $$
    SELECT '[[sim:say=' || regexp_replace(encode(convert_to($1, 'UTF8'), 'hex'), '(..)', '%\1', 'g')
        || ']]'
$$;
CREATE FUNCTION write_states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(COALESCE(write_state, 'none'), ' ' ORDER BY seq) FROM batch_records
    WHERE job_id = job
$$;

-- each key type: the row's answer is its own key's text
CREATE TYPE mood AS ENUM ('calm', 'wild, "or" so');
CREATE TYPE place AS (town text, zip int);
CREATE DOMAIN code AS varchar(20) CHECK (VALUE <> '');
CREATE TABLE k_int (id int PRIMARY KEY, answer text);
INSERT INTO k_int VALUES (1), (-2), (2147483647);
CREATE TABLE k_bigint (id bigint PRIMARY KEY, answer text);
INSERT INTO k_bigint VALUES (9223372036854775807), (-9223372036854775808), (0);
CREATE TABLE k_text (id text PRIMARY KEY, answer text);
INSERT INTO k_text VALUES
    (''), ('it''s'), ('"q", {a} (b)'), ('Ä€😀'), (E'tab\tnl\n\\ back'), ('%_'), ('{"seq": 1}'),
    (repeat('x', 2000));
CREATE TABLE k_varchar (id varchar(10) PRIMARY KEY, answer text);
INSERT INTO k_varchar VALUES ('a'), ('a '), ('0123456789');
CREATE TABLE k_char (id char(5) PRIMARY KEY, answer text);
INSERT INTO k_char VALUES ('a'), ('ab'), ('12345');
CREATE TABLE k_uuid (id uuid PRIMARY KEY, answer text);
INSERT INTO k_uuid SELECT gen_random_uuid() FROM generate_series(1, 3);
CREATE TABLE k_date (id date PRIMARY KEY, answer text);
INSERT INTO k_date VALUES ('2026-02-03'), ('0044-03-15 BC'), ('infinity');
CREATE TABLE k_time (id timestamptz PRIMARY KEY, answer text);
INSERT INTO k_time VALUES
    ('2026-03-29 01:30+01'),
    ('2026-10-25 02:30+02'),
    ('2026-10-25 02:30+01'),
    ('2026-01-01 00:00:00.123456Z');
CREATE TABLE k_stamp (id timestamp PRIMARY KEY, answer text);
INSERT INTO k_stamp VALUES ('2026-03-04 05:06:07.000008');
CREATE TABLE k_interval (id interval PRIMARY KEY, answer text);
INSERT INTO k_interval VALUES ('1 mon -2 days +03:04:05'), ('-1 year');
CREATE TABLE k_numeric (id numeric PRIMARY KEY, answer text);
INSERT INTO k_numeric VALUES (1.50), (12345678901234567890.123456789), ('NaN');
CREATE TABLE k_float (id float8 PRIMARY KEY, answer text);
INSERT INTO k_float VALUES (0.1), (1e300), (1::float8 / 3);
CREATE TABLE k_bool (id bool PRIMARY KEY, answer text);
INSERT INTO k_bool VALUES (true), (false);
CREATE TABLE k_enum (id mood PRIMARY KEY, answer text);
INSERT INTO k_enum VALUES ('calm'), ('wild, "or" so');
CREATE TABLE k_domain (id code PRIMARY KEY, answer text);
INSERT INTO k_domain VALUES ('x'), ('y y');
CREATE TABLE k_citext (id citext PRIMARY KEY, answer text);
INSERT INTO k_citext VALUES ('Abc'), ('xYz');
CREATE TABLE k_bytea (id bytea PRIMARY KEY, answer text);
INSERT INTO k_bytea VALUES ('\x00ff'), ('\x');
CREATE TABLE k_inet (id inet PRIMARY KEY, answer text);
INSERT INTO k_inet VALUES ('10.0.0.0/8'), ('::1');
CREATE TABLE k_array (id text[] PRIMARY KEY, answer text);
INSERT INTO k_array VALUES ('{a,"b,c",NULL}'), ('{}');
CREATE TABLE k_row (id place PRIMARY KEY, answer text);
INSERT INTO k_row VALUES ('("St. Pölten, ""NÖ""",3100)'), ('(,1)');
CREATE TABLE k_jsonb (id jsonb PRIMARY KEY, answer text);
INSERT INTO k_jsonb VALUES
    ('{"b": 1, "a": [null]}'), ('"s"'), ('7'), ('null'), ('"null"'), ('[]'), ('""');

CREATE TABLE key_jobs (tab regclass, job_id bigint);
DO $$
DECLARE t text;
BEGIN
    SET LOCAL timezone = 'Europe/Vienna';       -- where clocks are turned back
    SET LOCAL datestyle = 'SQL, DMY';
    SET LOCAL intervalstyle = 'sql_standard';
    SET LOCAL extra_float_digits = 0;
    FOR t IN SELECT relname FROM pg_class WHERE relname ~ '^k_' AND relkind = 'r' LOOP
        INSERT INTO key_jobs
        VALUES (t::regclass,
                ask(
                    format('SELECT id, say(row_number() OVER (ORDER BY id)::text) AS p FROM %I', t),
                    t::regclass));
    END LOOP;
END $$;
SET timezone = 'UTC';
CALL batch_work('60 s');
CREATE FUNCTION right_rows(tab regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
    EXECUTE format(
        'SELECT count(*) FILTER (WHERE answer = n::text) || '' of '' || count(*) '
        'FROM (SELECT answer, row_number() OVER (ORDER BY id) AS n FROM %s) x',
        tab)
    INTO said;
    RETURN said;
END $$;
CREATE FUNCTION all_rows(tab regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
    EXECUTE format('SELECT count(*) || '' of '' || count(*) FROM %s', tab) INTO said;
    RETURN said;
END $$;
SELECT is(right_rows(tab), all_rows(tab),
    'rows are found by a key of type ' || substr(tab::text, 3))
FROM key_jobs ORDER BY tab::text;
SELECT is(sum(written), sum(records), 'and are told as written') FROM batch_jobs
JOIN key_jobs USING (job_id);

-- JSON's null is a value like any other, alone, in a composite key and in a domain; a text is a
-- JSON string
CREATE DOMAIN json_key AS jsonb CHECK (VALUE IS NOT NULL);
CREATE TABLE j_keys (id jsonb, n int, answer text, PRIMARY KEY (id, n));
INSERT INTO j_keys VALUES ('null', 1), ('null', 2), ('{"null": null}', 1);
CREATE TABLE j_domain (id json_key PRIMARY KEY, answer text);
INSERT INTO j_domain VALUES ('null'), ('[null]'), ('"it''s \\"');
SELECT ask($$SELECT id, n, say(id::text || '/' || n) AS p FROM j_keys$$, 'j_keys', 'id, n') AS job1,
       ask($$SELECT id, say(id::text) AS p FROM j_domain$$, 'j_domain') AS job2,
       ask($$SELECT 'it''s \' AS id, say('text') AS p$$, 'j_domain', 'id') AS job3,
       ask($$SELECT 'null'::text AS id, say('again') AS p$$, 'j_domain', 'id') AS job4 \gset
CALL batch_work('60 s');
SELECT is(write_states(:job1), 'written written written', '11.11 JSON null in a composite key');
SELECT is((SELECT count(*) FROM j_keys WHERE answer = id::text || '/' || n), 3::bigint,
    '… each in its own row');
SELECT is(write_states(:job2), 'written written written',
    '11.11 JSON null as the key of a domain over jsonb');
SELECT is(write_states(:job3) || ' ' || write_states(:job4), 'written written',
    '… and the same keys as text');
SELECT throws_ok($$SELECT ask('SELECT NULL::jsonb AS id, 1 AS p', 'j_domain', 'id')$$, NULL, NULL,
    'an SQL NULL as key is an error at submit');

-- another text of the same key
CREATE TABLE same (n numeric(6,2), v varchar(4), c char(4), x citext, answer text);
INSERT INTO same VALUES (1.0, 'ab', 'ab', 'ab');
SELECT ask($$SELECT '1.000' AS n, say('n') AS p$$, 'same', 'n') AS job1,
       ask($$SELECT '1.001' AS n, say('wrong') AS p$$, 'same', 'n') AS job2,
       ask($$SELECT 'ab   ' AS c, say('wrong') AS p$$, 'same', NULL) AS job3,
       ask($$SELECT 'abcdefgh' AS v, say('wrong') AS p$$, 'same', NULL) AS job4 \gset
CALL batch_work('60 s');
SELECT is(write_states(:job1), 'written', 'numeric 1.000 is 1.00 by the type''s equality');
SELECT is(write_states(:job2), 'target_missing',
    'a key is not rounded to its column: 1.001 is not 1.00');
SELECT is(write_states(:job3), 'written', 'char(4) is equal whatever the padding');
SELECT is(write_states(:job4), 'target_missing', 'a key longer than its column is nowhere');
UPDATE same SET answer = NULL;
SELECT ask($$SELECT 'AB' AS x, say('x') AS p$$, 'same', 'x') AS job \gset
CALL batch_work('60 s');
SELECT is(answer, 'x', 'citext AB is ab by the type''s equality') FROM same;
SELECT ask($$SELECT * FROM (VALUES ('1.0', say('one')), ('1.00', say('one'))) v(n, p)$$, 'same',
    'n') AS job \gset
CALL batch_work('60 s');
SELECT is(write_states(:job), 'written written',
    'two texts of one key: both records tell that their row is written');

-- composite keys
CREATE TABLE parts (b text, a int, "C d" date, answer text, PRIMARY KEY (a, b, "C d"));
INSERT INTO parts SELECT t, i, d
FROM unnest(ARRAY['x', 'it''s, "y" (z)', '']) t, generate_series(1, 2) i,
    unnest(ARRAY['2026-01-01', 'infinity']::date[]) d;
SELECT ask($$SELECT b, a, "C d", say(format('%s|%s|%s', a, b, "C d")) AS p FROM parts$$,
    'parts') AS job \gset
CALL batch_work('60 s');
SELECT is(count(*), 12::bigint, 'rows are found by a composite key') FROM parts
WHERE answer = format('%s|%s|%s', a, b, "C d");
SELECT is(count(*), 12::bigint, 'record_id is ROW(…)::text in the key''s order') FROM parts
JOIN batch_records r ON r.job_id = :job AND r.record_id = ROW(a, b, "C d")::text;

-- no row, several rows
CREATE TABLE plain (id int, grp text, answer text);
INSERT INTO plain VALUES (1, 'a'), (2, 'a'), (3, 'b'), (4, 'c');
SELECT ask($$SELECT DISTINCT grp, say(grp || grp) AS p FROM plain$$, 'plain', 'grp') AS job \gset
DELETE FROM plain WHERE grp = 'c';
CALL batch_work('60 s');
SELECT results_eq('SELECT id, answer FROM plain ORDER BY id',
    $$VALUES (1, 'aa'), (2, 'aa'), (3, 'bb')$$,
    'all rows with a key that is not unique are written');
SELECT results_eq(
    format(
        'SELECT record_id, outcome, write_state, write_error FROM batch_records WHERE job_id = %s '
        'ORDER BY record_id',
        :job),
    $$VALUES ('a', 'succeeded', 'written', NULL), ('b', 'succeeded', 'written', NULL),
          ('c', 'succeeded', 'target_missing', NULL)$$,
    'a row deleted meanwhile is target_missing');
SELECT results_eq(
    format('SELECT state, written, target_missing FROM batch_jobs WHERE job_id = %s', :job),
    $$VALUES ('completed', 2::bigint, 1::bigint)$$, 'and the job is completed');

-- partitions: a row moves by what is written; a row has been moved meanwhile
CREATE TABLE part (id int, label text DEFAULT 'new',
    PRIMARY KEY (id, label)) PARTITION BY LIST (label);
CREATE TABLE part_new PARTITION OF part FOR VALUES IN ('new');
CREATE TABLE part_bug PARTITION OF part FOR VALUES IN ('bug');
CREATE TABLE "part Other" PARTITION OF part FOR VALUES IN ('other');
INSERT INTO part SELECT generate_series(1, 4);
SELECT ask(
    $$SELECT id,
          say(
              CASE id WHEN 1 THEN 'bug' WHEN 2 THEN 'other' WHEN 3 THEN 'no partition'
                  ELSE 'bug' END) AS p
      FROM part$$,
    'part', 'id', col => 'label') AS job \gset
UPDATE part SET label = 'other' WHERE id = 4;
CALL batch_work('60 s');
SELECT results_eq(
    'SELECT id, tableoid::regclass::text, label FROM part ORDER BY id',
    $$VALUES (1, 'part_bug', 'bug'), (2, '"part Other"', 'other'), (3, 'part_new', 'new'),
          (4, 'part_bug', 'bug')$$,
    'partitioned tables: a row moves to the partition of what is written');
SELECT ok(write_state = 'write_failed' AND write_error LIKE '%no partition%',
    'a value without a partition is told')
FROM batch_records WHERE job_id = :job AND record_id = '3';
SELECT ask($$SELECT id, say('other') AS p FROM part_new$$, 'part_new', 'id', col => 'label') AS job
\gset
CALL batch_work('60 s');
SELECT is(write_states(:job), 'write_failed', 'a partition as the target keeps its own constraint');

-- inheritance: as UPDATE does it
CREATE TABLE parent (id int PRIMARY KEY, answer text);
CREATE TABLE child (extra int) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2);
SELECT ask('SELECT id, say(''x'') AS p FROM parent', 'parent') AS job \gset
CALL batch_work('60 s');
SELECT is(count(*), 2::bigint, 'inheritance: rows of children are written too') FROM parent
WHERE answer = 'x';

-- triggers that change the row, or keep it
CREATE TABLE changed (id int PRIMARY KEY, answer text, n int DEFAULT 0);
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 2 THEN
        RETURN NULL;
    END IF;
    NEW.answer := upper(NEW.answer);
    NEW.n := OLD.n + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER change BEFORE UPDATE ON changed FOR EACH ROW EXECUTE FUNCTION change();
INSERT INTO changed VALUES (1), (2);
SELECT ask('SELECT id, say(''loud'') AS p FROM changed', 'changed') AS job \gset
CALL batch_work('60 s');
SELECT results_eq('SELECT id, answer, n FROM changed ORDER BY id',
    $$VALUES (1, 'LOUD', 1), (2, NULL, 0)$$, 'a trigger changes the row, once');
SELECT is(write_states(:job), 'written write_failed',
    'a row that a trigger keeps as it is is not told as written');

-- the key itself is written
CREATE TABLE renamed (id text PRIMARY KEY, answer text);
INSERT INTO renamed VALUES ('old'), ('taken');
SELECT batch_submit(
    $$SELECT id, say(CASE id WHEN 'old' THEN 'new' ELSE 'new' END) AS p FROM renamed$$,
    server => 'openai', prompt => '{{p}}', target => 'renamed', write_back => '{"id": "$"}') AS job
\gset
CALL batch_work('60 s');
SELECT is(string_agg(write_state, ' ' ORDER BY write_state), 'write_failed written',
    'promise 4: of two rows that take the same unique value one is written')
FROM batch_records WHERE job_id = :job;

-- odd names
CREATE SCHEMA "My ""odd"" schema";
CREATE TABLE "My ""odd"" schema"."Tab.le" ("The key" int PRIMARY KEY, t text, w text, seq text,
    k0 text, c0 text);
INSERT INTO "My ""odd"" schema"."Tab.le" VALUES (1);
SELECT batch_submit('SELECT "The key", say(''x'') AS p FROM "My ""odd"" schema"."Tab.le"',
    server => 'openai', prompt => '{{p}}', target => '"My ""odd"" schema"."Tab.le"',
    write_back => '{"t": "$", "w": "$", "seq": "$", "k0": "$", "c0": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is(concat(t, w, seq, k0, c0), 'xxxxx', 'odd names of schema, table and columns')
FROM "My ""odd"" schema"."Tab.le";

-- the target changes meanwhile
CREATE TABLE gone (id int PRIMARY KEY, answer text); INSERT INTO gone VALUES (1);
CREATE TABLE lost_column (id int PRIMARY KEY, answer text); INSERT INTO lost_column VALUES (1);
CREATE TABLE altered (id int PRIMARY KEY, answer text); INSERT INTO altered VALUES (1);
CREATE TABLE moved (id int PRIMARY KEY, answer text); INSERT INTO moved VALUES (1);
CREATE TABLE replaced (id int PRIMARY KEY, answer text); INSERT INTO replaced VALUES (1);
SELECT ask('SELECT id, say(''x'') AS p FROM gone', 'gone') AS gone,
    ask('SELECT id, say(''x'') AS p FROM lost_column', 'lost_column') AS lost_column,
    ask('SELECT id, say(''x'') AS p FROM altered', 'altered') AS altered,
    ask('SELECT id, say(''x'') AS p FROM moved', 'moved') AS moved,
    ask('SELECT id, say(''x'') AS p FROM replaced', 'replaced') AS replaced \gset
DROP TABLE gone;
ALTER TABLE lost_column DROP COLUMN answer;
ALTER TABLE altered ALTER answer TYPE int USING 0;
CREATE SCHEMA elsewhere;
ALTER TABLE moved SET SCHEMA elsewhere;
ALTER TABLE elsewhere.moved RENAME TO renamed;
DROP TABLE replaced;
CREATE VIEW replaced AS SELECT 1 AS id, ''::text AS answer;
SELECT sim.work_until(
    format(
        '(SELECT bool_and(state = ''completed'' OR waiting_for IS NOT NULL) FROM batch_jobs '
        'WHERE job_id IN (%s, %s, %s, %s, %s))',
        :gone, :lost_column, :altered, :moved, :replaced));
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT state || ' '
        || (SELECT concat_ws(': ', write_state, write_error) FROM batch_records WHERE job_id = job)
    FROM batch_jobs WHERE job_id = job
$$;
CREATE FUNCTION held(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT split_part(waiting_for, ';', 1) FROM batch_chunks WHERE job_id = job AND step = 'planned'
$$;
SELECT is(held(:gone), 'target table public.gone does not exist any more',
    'a table dropped meanwhile: nothing is sent');
SELECT is(held(:lost_column),
    'column "answer" of target table public.lost_column does not exist any more',
    'a column dropped meanwhile');
SELECT is(told(:altered), 'completed write_failed: invalid input syntax for type integer: "x"',
    'a column altered meanwhile takes by its new type');
SELECT is(held(:replaced), 'target table public.replaced does not exist any more',
    'a view that has the name now is no target');
SELECT batch_cancel(j) FROM unnest(ARRAY[:gone, :lost_column, :replaced]) j \g /dev/null
SELECT is(told(:moved) || answer, 'completed writtenx',
    'a table renamed meanwhile is the same table')
FROM elsewhere.renamed;

-- what is no target
CREATE TEMP TABLE temporary (id int PRIMARY KEY, answer text);
SELECT throws_like($$SELECT ask('SELECT 1 AS id, say(''x'') AS p', 'temporary')$$,
    'cannot write back to "temporary"', 'a temporary table is no target');

SELECT * FROM finish();
