-- batch_revert and batch_lineage of upserts: a row that was there gets its old values back, one
-- that was added goes.
\i lib.sql
\i lib-revert.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE TABLE word (word text PRIMARY KEY, meaning text, seen int DEFAULT 7);
CREATE TABLE ask (id int PRIMARY KEY, word text, say text);
CREATE FUNCTION submitted(more text DEFAULT '', target regclass DEFAULT 'word', write_back jsonb
    DEFAULT '{"word": {"column": "word"}, "meaning": "$"}') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE format('SELECT batch_submit(''SELECT id, word, ''''[[sim:say='''' || say || '''']]''''
        AS prompt FROM ask ORDER BY id'', ''openai'', target => %L, write_mode => ''upsert'',
        write_back => %L%s)', target, write_back, more) INTO job;
    RETURN job;
END $$;
CREATE FUNCTION words() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(word || '=' || COALESCE(meaning, '-') || seen, ' ' ORDER BY word)
    FROM word $$;
CREATE FUNCTION kept(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s%s %s', row_id, CASE WHEN added THEN '+' END, old), ', '
        ORDER BY seq, item) FROM batchinf.written WHERE job_id = job $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s written, %s partly, %s reverted', state, written, partly, reverted)
    FROM batch_jobs WHERE job_id = job $$;

--
-- There and back
--
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE word, ask;
    INSERT INTO word VALUES ('a', 'old a', 1), ('b', NULL, 2), ('c', 'old c', 3);
    INSERT INTO ask SELECT i, w, 'new' FROM unnest('{a,b,c,d,e}'::text[]) WITH ORDINALITY u(w, i)
$$;
SELECT fill();
SELECT submitted() AS job \gset
CALL batch_work('60 s');
SELECT is(words(), 'a=new1 b=new2 c=new3 d=new7 e=new7', 'an upsert');
SELECT is(kept(:job), 'a ["old a"], b [null], c ["old c"], d+ , e+ ',
    '… what it has overwritten is kept, and what it has added');
SELECT is((SELECT count(*) FROM batchinf.written w JOIN word t ON t.word = w.row_id
           WHERE w.print = batch_fingerprint(ROW(t.word, t.meaning)) AND w.key IS NULL), 5::bigint,
    '… with the fingerprint of what was written');
SELECT is((SELECT count(*) FROM batchinf.result WHERE job_id = :job AND (old IS NOT NULL OR print IS
    NOT NULL)), 0::bigint, '… once');
SELECT is(said('word', 'a'), format('word %s true, meaning %1$s true', :job),
    'the lineage of a row that was there');
SELECT is(said('word', 'd'), format('word %s true, meaning %1$s true', :job), '… and of a new one');
UPDATE word SET meaning = 'by hand' WHERE word = 'b';
UPDATE word SET seen = 9 WHERE word = 'c';
UPDATE word SET meaning = 'by hand' WHERE word = 'e';
SELECT is(said('word', 'b'), format('word %s false, meaning %1$s false', :job),
    '… of one that has changed since');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 2 rows (changed since: 2)\n3',
    'a revert says how many it has put back, and how many not');
SELECT is(words(), 'a=old a1 b=by hand2 c=old c9 e=by hand7',
    '… old values come back, new rows go, where they hold what was written');
SELECT is(counts(:job), 'completed: 2 written, 0 partly, 3 reverted', '… and it counts them');
SELECT is(kept(:job), 'b [null], e+ ', '… of the others it knows what it knew');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 2 rows (changed since: 2)\n0',
    'a second time nothing changes');
SELECT is(said('word', 'd'), NULL, 'a row that is gone has no past');
SELECT is(batch_rewrite(:job, '{reverted}'), 3::bigint, 'they are written again');
CALL batch_work('60 s');
SELECT is(words() || ' ' || kept(:job), 'a=new1 b=by hand2 c=new9 d=new7 e=by hand7 '
    'a ["old a"], b [null], c ["old c"], d+ , e+ ', '… and kept again');

--
-- Jobs one after the other; several answers to one row
--
SELECT fill();
SELECT submitted() AS first \gset
CALL batch_work('60 s');
UPDATE ask SET say = 'newer';
SELECT submitted($$, write_if => 'always'$$) AS second \gset
CALL batch_work('60 s');
SELECT is(kept(:second), 'a ["new"], b ["new"], c ["new"], d ["new"], e ["new"]',
    'a second upsert overwrites what the first has added');
SELECT is(told(:first), E'NOTICE:  not put back of the job: 5 rows (changed since: 5)\n0',
    '… so the first is not put back before it');
SELECT is(batch_revert(:second) + batch_revert(:first), 10::bigint, '… but after it');
SELECT is(words(), 'a=old a1 b=-2 c=old c3', '… and all is as it was');
-- the later record is written first: its chunk comes first
SELECT sim.server('openai', $$max_requests '2'$$);
TRUNCATE word;
UPDATE ask SET word = 'a', say = 'say ' || id;
SELECT batch_submit('SELECT id, say AS prompt, say AS word FROM ask ORDER BY id', 'openai',
    target => 'word', write_mode => 'upsert', write_if => 'always',
    write_back => '{"word": {"const": "a"}, "meaning": {"column": "word"}}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM batchinf.written WHERE job_id = :job) + (SELECT write_failed FROM
    batch_jobs WHERE job_id = :job), 5::bigint, 'answers to one row, in several chunks');
SELECT count(*) AS n FROM batchinf.written WHERE job_id = :job \gset
SELECT is(batch_revert(:job), :n::bigint,
    '… all that were written are undone, whatever their order');
SELECT is(words(), NULL, '… and the row is gone');
SELECT is((SELECT count(*) FROM batchinf.written WHERE job_id = :job), 0::bigint, '… indeed');
SELECT sim.server('openai');

--
-- Items
--
CREATE TABLE tag (doc int, tag text, n int, note text DEFAULT 'x', PRIMARY KEY (doc, tag));
INSERT INTO tag VALUES (1, 'a', 10, 'mine'), (1, 'z', 11, 'mine');
SELECT batch_submit($$SELECT 1 AS id,
    '[[sim:json=%5B%22a%22%2C%22b (1),%22%2C%22a%22%5D]]' AS prompt$$, 'openai',
    target => 'tag', write_mode => 'upsert', each => '$[*]',
    write_back => '{"doc": {"column": "id"}, "tag": "$", "n": {"ordinal": true}}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(tag || n || note, ' ' ORDER BY tag) FROM tag WHERE doc = 1),
    'a3mine b (1),2x z11mine', 'items of an upsert');
SELECT is(kept(:job), '(1,"b (1),")+ , (1,a) ["10"]', '… each is kept');
SELECT is(said('tag', '(1,a)'), format('n %s true, doc %1$s true, tag %1$s true', :job),
    '… and in the lineage of its row');
SELECT is(counts(:job), 'completed: 0 written, 1 partly, 0 reverted', '… one was repeated');
SELECT is(batch_revert(:job), 2::bigint, '… all are put back');
SELECT is((SELECT string_agg(tag || n || note, ' ' ORDER BY tag) FROM tag WHERE doc = 1),
    'a10mine z11mine', '… indeed');
SELECT is(counts(:job), 'completed: 0 written, 0 partly, 1 reverted', '… and counted');

--
-- Another unique index than the primary key; no primary key
--
CREATE TABLE person (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" UNIQUE,
    age text, twice text GENERATED ALWAYS AS (age || age) STORED);
INSERT INTO person (name, age) VALUES ('b', 'old');
TRUNCATE ask;
INSERT INTO ask VALUES (1, 'a', 'new'), (2, 'b', 'new'), (3, NULL, 'new'), (4, NULL, 'new');
SELECT submitted(', conflict => ''name''', 'person',
    '{"name": {"column": "word"}, "age": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(COALESCE(name, '-') || twice, ' ' ORDER BY id) FROM person),
    'bnewnew anewnew -newnew -newnew', 'an upsert by another key');
SELECT is(said('person', '1'), format('age %s true, name %1$s true', :job),
    '… its rows are known by the primary key');
SELECT is(batch_revert(:job), 4::bigint, '… and put back');
SELECT is((SELECT string_agg(name || twice, ' ') FROM person), 'boldold', '… indeed');
CREATE TABLE keyless (name text UNIQUE, age text);
SELECT submitted(', conflict => ''name''', 'keyless',
    '{"name": {"column": "word"}, "age": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is(kept(:job), NULL, 'without a primary key nothing is known');
SELECT throws_ok(format('SELECT batch_revert(%s)', :job), '55000',
    'target table public.keyless has no primary key', '… which a revert says');

--
-- Others write meanwhile
--
CREATE PROCEDURE race(how text, other text) LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    PERFORM fill();
    job := submitted(format(', write_if => %L', how));
    COMMIT;
    PERFORM sim.connect('one'), dblink_exec('one', 'BEGIN'), dblink_exec('one', other);
    PERFORM sim.work_beside();
    CALL sim.await('EXISTS (SELECT FROM pg_locks WHERE NOT granted)');
    PERFORM dblink_exec('one', 'COMMIT'), dblink_disconnect('one');
    COMMIT;
    CALL sim.await(format('(SELECT state = ''completed'' FROM batch_jobs WHERE job_id = %s)', job));
    PERFORM set_config('test.job', job::text, false);
END $$;
CALL race('always', $$UPDATE word SET meaning = 'meanwhile' WHERE word = 'a'$$);
SELECT is(kept(current_setting('test.job')::bigint),
    'a ["meanwhile"], b [null], c ["old c"], d+ , e+ ', 'another session updates a row meanwhile');
CALL race('always', $$INSERT INTO word VALUES ('d', 'meanwhile', 4)$$);
SELECT is(kept(current_setting('test.job')::bigint),
    'a ["old a"], b [null], c ["old c"], d ["meanwhile"], e+ ', 'another one adds it meanwhile');
SELECT is(batch_revert(current_setting('test.job')::bigint), 5::bigint, '… it is put back');
SELECT is(words(), 'a=old a1 b=-2 c=old c3 d=meanwhile4', '… as that has left it');

--
-- Rights, policies, triggers
--
CREATE ROLE upsert_ann;
GRANT USAGE ON FOREIGN SERVER openai TO upsert_ann;
CREATE USER MAPPING FOR upsert_ann SERVER openai OPTIONS (api_key 'sk-sim');
GRANT SELECT ON ask TO upsert_ann;
GRANT SELECT, INSERT ON word TO upsert_ann;
GRANT UPDATE (meaning) ON word TO upsert_ann;
SELECT fill();
SET ROLE upsert_ann;
SELECT submitted() AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 2 rows (refused by the table: 2)\n'
    'DETAIL:  The first error was: permission denied for table public.word\n3',
    'an owner without DELETE: old values come back, new rows stay');
SELECT is(words(), 'a=old a1 b=-2 c=old c3 d=new7 e=new7', '… indeed');
GRANT DELETE ON word TO upsert_ann;
ALTER TABLE word ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON word TO upsert_ann USING (word <> 'c') WITH CHECK (true);
SELECT fill();
DELETE FROM ask WHERE word = 'c';
SET ROLE upsert_ann;
SELECT submitted() AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is(kept(:job), 'a ["old a"], b [null], d+ , e+ ', 'row level security');
CREATE POLICY q ON word AS RESTRICTIVE TO upsert_ann USING (word <> 'a');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 1 rows (gone: 1)\n3',
    '… what the owner does not see is not put back');
ALTER TABLE word DISABLE ROW LEVEL SECURITY;
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.word = 'a' THEN RAISE 'stop'; END IF;
    IF OLD.word = 'd' THEN RETURN NULL; END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
SELECT fill();
SELECT submitted() AS job \gset
CALL batch_work('60 s');
CREATE TRIGGER stop BEFORE UPDATE OR DELETE ON word FOR EACH ROW EXECUTE FUNCTION stop();
SELECT is(told(:job), E'NOTICE:  not put back of the job: 2 rows (refused by the table: 2)\n'
    'DETAIL:  The first error was: stop\n3', 'triggers that refuse stop no others');
SELECT is(words(), 'a=new1 b=-2 c=old c3 d=new7', '… indeed');
DROP TRIGGER stop ON word;

--
-- Large values, and what was removed
--
TRUNCATE word, ask;
INSERT INTO word SELECT 'w' || i, repeat(i || E'\n', 3000000 / (1 + length(i::text))), i
FROM generate_series(1, 12) i;
CREATE TABLE was AS SELECT * FROM word;
INSERT INTO ask SELECT i, 'w' || i, 'x' FROM generate_series(1, 13) i;
SELECT submitted() AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(DISTINCT meaning, '') FROM word), 'x', 'large values are overwritten');
SELECT is((SELECT count(old) FROM batchinf.written WHERE job_id = :job), 12::bigint, '… and kept');
SELECT is(batch_revert(:job), 13::bigint, '… all come back');
SELECT is((SELECT count(*) FROM word JOIN was USING (word, meaning, seen)), 12::bigint, '… indeed');
SELECT fill();
SELECT submitted($$, keep => '0'$$) AS job \gset
CALL batch_work('60 s');
SELECT is(kept(:job), 'a , b , c , d+ , e+ ', 'texts that are kept no longer');
SELECT matches(said('word', 'a'), format('^word %s true, meaning %1$s true', :job),
    '… the lineage stays');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 3 rows (old value unknown: 3)\n2',
    '… and only new rows are taken back');
SELECT is(words(), 'a=new1 b=new2 c=new3', '… no row that was there goes');
SELECT batch_delete(:job);
SELECT is(kept(:job), NULL, 'a job that is deleted leaves nothing');
SELECT * FROM finish();
DROP OWNED BY upsert_ann CASCADE;
DROP ROLE upsert_ann;
