-- Answers that add rows: insert, upsert, each; what fills a column beside the output; bad items.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');

-- A prompt that the model answers with this JSON, or with this text.
CREATE FUNCTION answer(output jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT '[[sim:json=' || string_agg(CASE WHEN c ~ '[A-Za-z0-9]' THEN c
        ELSE regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '%\1', 'g') END, ''
        ORDER BY n) || ']]'
    FROM regexp_split_to_table(output::text, '') WITH ORDINALITY AS t(c, n) $$;
CREATE TABLE doc (id int PRIMARY KEY, title text, said jsonb);
CREATE FUNCTION submitted(target regclass, write_back jsonb, mode text, more text DEFAULT '')
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE format(
        'SELECT batch_submit(%L, %L, target => %L, write_back => %L, write_mode => %L %s)',
        'SELECT id, title, answer(said) AS prompt FROM doc ORDER BY id', 'openai', target,
        write_back, mode, more) INTO job;
    RETURN job;
END $$;
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', record_id, COALESCE(write_state, outcome), items,
        items_failed), ', ' ORDER BY seq)
    FROM batch_records WHERE job_id = job $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s written, %s failed, %s partly, %s stale', state, written, write_failed,
        partly, stale) FROM batch_jobs WHERE job_id = job $$;

--
-- insert
--
CREATE TABLE person (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
    born date CHECK (born < '2100-01-01'), doc int, title text, source text DEFAULT 'none',
    tags text[], raw jsonb, n int);
INSERT INTO doc VALUES (1, 'it''s "one"', '{"name": "Ada", "born": "1815-12-10"}'),
    (2, NULL, '{"name": "Grace", "born": "1906-12-09"}');
SELECT submitted('person', '{"name": "$.name", "born": "$.born", "doc": {"column": "id"},
    "title": {"column": "title"}, "source": {"const": "model \"x\""}, "tags": {"const": ["a", "b"]},
    "raw": "$", "n": {"ordinal": true}}', 'insert') AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written', 'insert: a row for each answer');
SELECT results_eq('SELECT name, born, doc, title, source, tags, raw ->> ''name'', n FROM person
    ORDER BY id',
    $$VALUES ('Ada', '1815-12-10'::date, 1, 'it''s "one"', 'model "x"', '{a,b}'::text[], 'Ada', 1),
        ('Grace', '1906-12-09', 2, NULL, 'model "x"', '{a,b}', 'Grace', 1)$$,
    'paths, columns of the query as they were sent, constants, defaults and identity');
SELECT is(counts(:job), 'completed: 2 written, 0 failed, 0 partly, 0 stale', '… counted');

SELECT results_eq($$SELECT column_name, record_id, current FROM batch_lineage('person', '2')
    WHERE column_name IN ('name', 'source') ORDER BY 1$$,
    $$VALUES ('name', '2', true), ('source', '2', true)$$, 'batch_lineage of a row that was added');
UPDATE person SET name = 'Ada L.' WHERE id = 1;
SELECT is((SELECT bool_or(current) FROM batch_lineage('person', '1')), false,
    '… which has changed since');
SELECT matches(sim.psql(format('SELECT batch_revert(%s)', :job)),
    'NOTICE:  not put back of batch job \d+: 1 rows? \(changed since: 1\)\n1',
    'batch_revert takes back rows that were added, where they are as they were');
SELECT is((SELECT array_agg(name) FROM person), '{Ada L.}', '… and no others');
SELECT is(states(:job), '1 written, 2 reverted', '… and says so');
SELECT is((SELECT written || ' ' || reverted FROM batch_jobs WHERE job_id = :job), '1 1',
    '… in the counts, too');

-- a bad row loses only itself
TRUNCATE doc, person;
INSERT INTO doc SELECT i, 'doc ' || i, jsonb_build_object('name', CASE WHEN i % 10 <> 7
    THEN 'name ' || i END, 'born', CASE WHEN i = 3 THEN '2100-02-02' ELSE '2000-01-01' END)
FROM generate_series(1, 40) i;
SELECT submitted('person', '{"name": "$.name", "born": "$.born", "doc": {"column": "id"}}',
    'insert') AS job \gset
CALL batch_work('60 s');
SELECT is(counts(:job), 'completed: 35 written, 5 failed, 0 partly, 0 stale',
    'promise 4: rows that fail stop no other');
SELECT is((SELECT array_agg(doc ORDER BY doc) FROM person),
    (SELECT array_agg(i) FROM generate_series(1, 40) i WHERE i % 10 <> 7 AND i <> 3),
    '… each of the others is there once');
SELECT matches((SELECT write_error FROM batch_records WHERE job_id = :job AND record_id = '7'),
    'null value in column "name"', '… and the reason is told');

--
-- each
--
CREATE TABLE tag (doc int NOT NULL, n int, tag text NOT NULL CHECK (tag <> 'bad'), kind text,
    PRIMARY KEY (doc, tag));
TRUNCATE doc;
INSERT INTO doc VALUES (1, 'a', '{"tags": [{"t": "x"}, {"t": "y"}, {"t": "z"}]}'),
    (2, 'b', '{"tags": []}'), (3, 'c', '{}'),
    (4, 'd', '{"tags": [{"t": "x"}, {"t": "bad"}, {"t": "y"}, {"t": "x"}, {}, {"t": "w"}]}'),
    (5, 'e', '{"tags": [{"t": "bad"}, {"t": null}]}'), (6, 'f', '{"tags": "one"}');
SELECT submitted('tag', '{"doc": {"column": "id"}, "n": {"ordinal": true}, "tag": "$.t",
    "kind": {"const": null}}', 'insert', $$, each => '$.tags[*]'$$) AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job), '1 written 3 0, 2 written 0 0, 3 written 0 0, 4 partly 6 3, '
    '5 write_failed 2 2, 6 write_failed 1 1', 'each: items, and those that failed');
SELECT results_eq('SELECT doc, n, tag FROM tag ORDER BY 1, 2',
    $$VALUES (1, 1, 'x'), (1, 2, 'y'), (1, 3, 'z'), (4, 1, 'x'), (4, 3, 'y'), (4, 6, 'w')$$,
    '… a row for each good one');
SELECT matches((SELECT write_error FROM batch_records WHERE job_id = :job AND record_id = '4'),
    '^3 of 6 items are not written: numbers 2, 4, 5 \(new row for relation "tag" violates check',
    '… the numbers of the others are told');
SELECT is(counts(:job), 'completed: 3 written, 2 failed, 1 partly, 0 stale', '… and counted');
SELECT is((SELECT items || ' ' || items_failed FROM batch_records WHERE job_id = :job
    AND record_id = '4'), '6 3', '… in batch_records');

-- whole items, scalars, many of them
CREATE TABLE word (doc int, n int, word text, raw jsonb);
TRUNCATE doc;
INSERT INTO doc VALUES (1, '', '["a \"b\"", {"c": 1}, 3, null, [4]]'),
    (2, '', (SELECT jsonb_agg('w' || i) FROM generate_series(1, 3000) i));
SELECT submitted('word', '{"doc": {"column": "id"}, "n": {"ordinal": true}, "word": "$",
    "raw": "$"}', 'insert', $$, each => '$[*]'$$) AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job), '1 written 5 0, 2 written 3000 0', 'items as they are');
SELECT results_eq('SELECT n, word, raw::text FROM word WHERE doc = 1 ORDER BY n',
    $$VALUES (1, 'a "b"', '"a \"b\""'), (2, '{"c": 1}', '{"c": 1}'), (3, '3', '3'),
        (4, NULL, NULL), (5, '[4]', '[4]')$$, '… texts and JSON');
SELECT is((SELECT count(DISTINCT word) FROM word WHERE doc = 2), 3000::bigint, '… thousands');

-- many bad items among many
TRUNCATE doc, word;
ALTER TABLE word ADD CHECK (word <> 'bad');
INSERT INTO doc VALUES (1, '',
    (SELECT jsonb_agg(CASE WHEN i % 100 = 50 THEN 'bad' ELSE 'w' || i END)
    FROM generate_series(1, 1500) i));
SELECT submitted('word', '{"n": {"ordinal": true}, "word": "$"}', 'insert', $$, each => '$[*]'$$)
    AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job), '1 partly 1500 15', 'fifteen bad ones among 1,500');
SELECT is((SELECT count(*) FROM word), 1485::bigint, '… the others are there');

--
-- upsert
--
CREATE TABLE label (doc int PRIMARY KEY, label text, by text, seen int DEFAULT 0);
TRUNCATE doc;
INSERT INTO doc SELECT i, 't', jsonb_build_object('l', 'label ' || i) FROM generate_series(1, 6) i;
INSERT INTO label VALUES (1, NULL, NULL, 7), (2, 'old', 'hand', 7), (3, 'old', 'hand', 7);
SELECT submitted('label', '{"doc": {"column": "id"}, "label": "$.l", "by": {"const": "model"}}',
    'upsert') AS job \gset
SELECT is((SELECT guarded FROM batch_jobs WHERE job_id = :job), '{by,label}',
    'upsert: the columns of rows that are there are guarded');
UPDATE label SET label = 'edited' WHERE doc = 3;
INSERT INTO label VALUES (4, 'new', 'hand'), (5, NULL, NULL);
CALL batch_work('60 s');
SELECT results_eq('SELECT doc, label, seen FROM label ORDER BY 1',
    $$VALUES (1, 'label 1', 7), (2, 'label 2', 7), (3, 'edited', 7), (4, 'new', 0),
        (5, 'label 5', 0), (6, 'label 6', 0)$$,
    'promise 11: rows are added or updated, but not those that have changed since');
SELECT is(states(:job),
    '1 written, 2 written, 3 stale, 4 stale, 5 written, 6 written', '… which are stale');
SELECT is(batch_rewrite(:job, '{stale}'), 2::bigint, 'batch_rewrite of stale ones');
CALL batch_work('60 s');
SELECT is((SELECT string_agg(label, ',' ORDER BY doc) FROM label),
    'label 1,label 2,label 3,label 4,label 5,label 6', '… overwrites');
SELECT submitted('label', '{"doc": {"column": "id"}, "label": "$.l"}', 'upsert',
    $$, write_if => 'null'$$) AS job \gset
UPDATE label SET label = NULL WHERE doc = 1;
DELETE FROM label WHERE doc = 6;
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 stale, 3 stale, 4 stale, 5 stale, 6 written',
    'upsert where the columns are null');

-- keys in the output; equal ones
CREATE EXTENSION citext;
CREATE TABLE topic (name citext, lang text, n int, PRIMARY KEY (name, lang));
TRUNCATE doc;
INSERT INTO doc VALUES (1, '', '{"t": [["Sea", 1], ["SEA", 2], ["sky", 3], [null, 4], ["x", 5]]}'),
    (2, '', '{"t": [["moon", 6]]}');
SELECT matches(
    sim.psql($$SELECT submitted('topic', '{"name": "$[0]", "lang": {"const": "en"}, "n": "$[1]"}',
        'upsert', ', each => ''$.t[*]''')$$),
    'NOTICE:  changes of rows that are there are not noticed', 'a key that the output has');
CALL batch_work('60 s');
SELECT max(job_id) AS job FROM batch_jobs \gset
SELECT results_eq('SELECT name::text, n FROM topic ORDER BY 2',
    $$VALUES ('SEA', 2), ('sky', 3), ('x', 5), ('moon', 6)$$, 'a key twice: the last one is there');
SELECT matches((SELECT write_error FROM batch_records WHERE job_id = :job AND record_id = '1'),
    '^2 of 5 items are not written: numbers 1, 4 \(a later row that is written with it has the '
    'same key',
    '… it is told, not raised');
SELECT submitted('topic', '{"name": "$[0]", "lang": {"const": "en"}}', 'upsert',
    $$, each => '$.t[*]', conflict => 'lang, name'$$) AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM topic), 4::bigint, 'nothing but keys: what is there stays');
SELECT is((SELECT written FROM batch_jobs WHERE job_id = :job), 1::bigint,
    '… and counts as written');

-- constraints, triggers, policies
CREATE FUNCTION stop_odd() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.doc = 1 THEN RETURN NULL; END IF;
    IF NEW.doc = 2 THEN RAISE 'not two'; END IF;
    NEW.kind = upper(NEW.tag); RETURN NEW;
END $$;
CREATE TRIGGER stop_odd BEFORE INSERT ON tag FOR EACH ROW EXECUTE FUNCTION stop_odd();
TRUNCATE doc, tag;
INSERT INTO doc SELECT i, '', '["a", "b"]' FROM generate_series(1, 4) i;
SELECT submitted('tag', '{"doc": {"column": "id"}, "tag": "$"}', 'insert', $$, each => '$[*]'$$)
    AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job), '1 write_failed 2 2, 2 write_failed 2 2, 3 written 2 0, 4 written 2 0',
    'triggers that keep rows away');
SELECT matches((SELECT write_error FROM batch_records WHERE job_id = :job AND record_id = '1'),
    'a trigger of the table kept the row from being inserted', '… are told');
SELECT is((SELECT string_agg(kind, ',' ORDER BY doc, kind) FROM tag), 'A,B,A,B',
    '… and those that change them are in force');

CREATE ROLE insert_bob;
GRANT USAGE ON FOREIGN SERVER openai TO insert_bob;
CREATE USER MAPPING FOR insert_bob SERVER openai OPTIONS (api_key 'sk-sim');
GRANT SELECT ON doc TO insert_bob;
CREATE TABLE note (doc int PRIMARY KEY, by name DEFAULT current_user, note text);
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON note USING (true) WITH CHECK (doc <> 3);
SET ROLE insert_bob;
SELECT throws_ok($$SELECT submitted('note', '{"doc": {"column": "id"}, "note": "$"}', 'insert')$$,
    '42501', 'permission denied for column "doc" of target table "note"', 'INSERT is needed');
RESET ROLE;
GRANT INSERT ON note TO insert_bob;
SET ROLE insert_bob;
SELECT submitted('note', '{"doc": {"column": "id"}, "note": "$"}', 'insert') AS job \gset
SELECT throws_ok($$SELECT submitted('note', '{"doc": {"column": "id"}, "note": "$"}', 'upsert')$$,
    '42501', NULL, '… and more for an upsert');
RESET ROLE;
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written, 3 write_failed, 4 written',
    'promise 5: row level security WITH CHECK');
SELECT is((SELECT array_agg(DISTINCT by) FROM note), '{insert_bob}'::name[], '… as the owner');

--
-- A row that is locked waits, and none of its output's items is added twice
--
DROP TRIGGER stop_odd ON tag;
TRUNCATE doc, tag;
INSERT INTO doc VALUES (1, '', '["a", "b", "c"]'), (2, '', '["a", "bad"]');
SELECT sim.connect('other');
SELECT dblink_exec('other', 'BEGIN');
SELECT dblink_exec('other', $$INSERT INTO tag VALUES (1, 0, 'b')$$);
SELECT submitted('tag', '{"doc": {"column": "id"}, "tag": "$"}', 'insert', $$, each => '$[*]'$$)
    AS job \gset
SELECT sim.work_until(format('(SELECT write_waiting = 1 FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is((SELECT array_agg(doc || tag) FROM tag), '{2a}', 'an item that waits: none is added');
SELECT dblink_exec('other', 'ROLLBACK');
SELECT dblink_disconnect('other');
CALL batch_work('60 s');
SELECT is(states(:job), '1 written 3 0, 2 partly 2 1', '… until all can be');
SELECT is((SELECT array_agg(doc || tag ORDER BY doc, tag) FROM tag), '{1a,1b,1c,2a}', '… once');

-- the same results once more
TRUNCATE doc, tag;
INSERT INTO doc SELECT i, '', '["a", "b"]' FROM generate_series(1, 5) i;
SELECT batch_submit('SELECT id, answer(said) || ''[[sim:duplicate]]'' AS prompt FROM doc', 'openai',
    target => 'tag', write_back => '{"doc": {"column": "id"}, "tag": "$"}', write_mode => 'insert',
    each => '$[*]') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT duplicates FROM batch_jobs WHERE job_id = :job), 5::bigint,
    'each answer comes twice');
SELECT is((SELECT count(*) FROM tag), 10::bigint, '… and adds its rows once');

--
-- Synthetic data: one query over generate_series
--
CREATE TABLE customer (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text, age int);
SELECT batch_submit(
    $$SELECT i, '[[sim:json=%7B%22name%22%3A%22N' || i || '%22%2C%22age%22%3A30%7D]]' AS prompt
      FROM generate_series(1, 25) i$$, 'openai',
    target => 'customer', write_back => '{"name": "$.name", "age": "$.age"}',
    write_mode => 'insert') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT count(DISTINCT name) FROM customer WHERE age = 30), 25::bigint, 'synthetic rows');

--
-- Bad input
--
CREATE FUNCTION refused(more text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text; hint text;
BEGIN
    EXECUTE 'SELECT batch_submit(''SELECT id, ''''x'''' AS prompt FROM doc'', ''openai'', '
        || more || ')';
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT is(refused($$write_mode => 'insert'$$),
    '22023 argument "write_mode" needs the argument "target"', 'no target');
SELECT is(refused($$target => 'label', key => 'id', write_back => '{"label": "$"}',
    each => '$[*]'$$),
    '22023 argument "each" needs write_mode ''insert'', ''upsert'' or ''replace''',
    'each of an update');
SELECT is(refused($$target => 'word', write_back => '{"word": "$"}', write_mode => 'upsert'$$),
    '22023 the target has no primary key', 'an upsert without a key');
SELECT is(refused($$target => 'tag', write_back => '{"tag": "$"}', write_mode => 'upsert'$$),
    '22023 column "doc" of argument "conflict" is not in write_back', '… a key that is not filled');
SELECT is(refused($$target => 'tag', write_back => '{"tag": "$"}', write_mode => 'upsert',
    conflict => 'tag'$$), '42P10 table public.tag has no unique index on the columns of argument '
    '"conflict"', '… or not unique');
SELECT is(refused($$target => 'tag', write_back => '{"tag": "$", "doc": {"column": "no"}}',
    write_mode => 'insert'$$), '42703 the query has no column "no"', 'a column that is not there');
SELECT is(refused($$target => 'tag', write_back => '{"tag": {"colum": "id"}}',
    write_mode => 'insert'$$),
    '22023 write_back of column "tag" says nothing that can fill it', 'a bad fill');
SELECT is(refused($$target => 'tag', write_back => '{"tag": "$"}', write_mode => 'insert',
    each => '$['$$), '42601 syntax error at end of jsonpath input', 'a bad path to the items');
SELECT is(refused($$target => 'person', write_back => '{"id": "$"}', write_mode => 'insert'$$),
    '428C9 column "id" cannot be written back to', 'an identity column');
SELECT * FROM finish();
DROP OWNED BY insert_bob CASCADE;
DROP ROLE insert_bob;
