-- batch_revert and batch_lineage of replaced values: the new rows go and the deleted ones come
-- back, where the value has just the rows that were written.
\i lib.sql
\i lib-revert.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai', $$max_requests '3'$$);
CREATE TABLE part (doc int, n int, body text);
CREATE TABLE piece (id int GENERATED ALWAYS AS IDENTITY, doc int NOT NULL, n int, gone int,
    body text NOT NULL, extra text DEFAULT 'x',
    twice text GENERATED ALWAYS AS (body || body) STORED, PRIMARY KEY (doc, n));
ALTER TABLE piece DROP gone;
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE part, piece RESTART IDENTITY;
    INSERT INTO piece (doc, n, body, extra) SELECT d, n, 'old ' || d || n, 'mine ' || d
    FROM generate_series(1, 4) d, generate_series(1, 3) n WHERE d <> 3;
    INSERT INTO part SELECT d, n, 'new' FROM generate_series(1, 3) d, generate_series(1, 2) n $$;
CREATE FUNCTION submitted(target text DEFAULT 'piece', more text DEFAULT '') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE format('SELECT batch_submit(''SELECT doc, n, ''''[[sim:say='''' || body || '''']]''''
        AS prompt FROM part ORDER BY n, doc'', ''openai'', key => ''doc, n'', target => %L,
        write_mode => ''replace'', replace_by => ''doc'',
        write_back => ''{"doc": {"column": "doc"}, "n": {"column": "n"}, "body": "$"}''%s)',
        target, more) INTO job;
    RETURN job;
END $$;
CREATE FUNCTION pieces() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s.%s %s', doc, n, body), ', ' ORDER BY doc, n) FROM piece $$;
-- all that the table holds, byte for byte
CREATE FUNCTION image(what regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    EXECUTE format('SELECT md5(string_agg(whole::text, '','' ORDER BY whole::text)) FROM %s whole',
        what)
    INTO found;
    RETURN found;
END $$;
CREATE FUNCTION counts(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s written, %s incomplete, %s reverted', state, written, incomplete,
        reverted)
    FROM batch_jobs WHERE job_id = job $$;

--
-- There and back
--
SELECT fill();
SELECT image('piece') AS before \gset
SELECT submitted() AS job \gset
CALL batch_work('60 s');
SELECT is(pieces(), '1.1 new, 1.2 new, 2.1 new, 2.2 new, 3.1 new, 3.2 new, 4.1 old 41, 4.2 old 42, '
    '4.3 old 43', 'values are replaced');
SELECT is((SELECT string_agg(added || ' ' || removed || ' ' || COALESCE(json_array_length(old::json)
    ::text, '-'), ', ' ORDER BY removed) FROM batchinf.replaced WHERE job_id = :job),
    '2 0 -, 2 3 3, 2 3 3', '… what was deleted is kept');
SELECT is(DISTINCT_columns, '{id,doc,n,NULL,body,extra,NULL}', '… all columns of it')
FROM (SELECT DISTINCT columns::text FROM batchinf.replaced WHERE job_id = :job) c(DISTINCT_columns);
SELECT is(said('piece', '(1,2)'), format('n %s true, doc %1$s true, body %1$s true', :job),
    'the lineage of a new row');
SELECT is(said('piece', '(1,3)'), NULL, '… and of one that was deleted');
SELECT is(told(:job), '12', 'a revert: six rows go, six come back');
SELECT is(image('piece'), :'before', '… as they were, with identity and generated columns');
SELECT is(counts(:job), 'completed: 0 written, 0 incomplete, 6 reverted', '… and it counts');
SELECT is((SELECT count(*) FROM batchinf.replaced) + (SELECT count(*) FROM batchinf.written),
    0::bigint, '… and keeps nothing any more');
SELECT is(told(:job), '0', 'a second time nothing changes');
SELECT is(batch_rewrite(:job, '{reverted}'), 6::bigint, 'they are written again');
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM piece WHERE body = 'new'), 6::bigint, '… indeed');
SELECT is(batch_revert(:job), 12::bigint, '… and put back again');
SELECT is(image('piece'), :'before', '… as they were');

--
-- Where a value does not have just the rows that were written
--
SELECT submitted() AS job \gset
CALL batch_work('60 s');
UPDATE piece SET body = 'by hand' WHERE doc = 1 AND n = 2;
UPDATE piece SET extra = 'by hand' WHERE doc = 2 AND n = 2;
DELETE FROM piece WHERE doc = 3;
SELECT is(said('piece', '(1,2)'), format('n %s false, doc %1$s false, body %1$s false', :job),
    'a row that has changed');
SELECT is(told(:job),
    E'NOTICE:  not put back of the job: 7 rows (changed since: 5, gone: 2)\n5',
    'a value with a changed row stays, so does one whose rows are gone');
SELECT is(pieces(), '1.1 new, 1.2 by hand, 2.1 old 21, 2.2 old 22, 2.3 old 23, 4.1 old 41, '
    '4.2 old 42, 4.3 old 43', '… whole; a column that was not written does not count');
SELECT is(counts(:job), 'completed: 4 written, 0 incomplete, 2 reverted', '… counted so');
UPDATE piece SET body = 'new' WHERE doc = 1 AND n = 2;
INSERT INTO piece (doc, n, body) VALUES (1, 9, 'mine');
SELECT is(told(:job),
    E'NOTICE:  not put back of the job: 7 rows (changed since: 5, gone: 2)\n0',
    '… a value with one more row stays, too');
DELETE FROM piece WHERE n = 9;
INSERT INTO piece (doc, n, body) VALUES (3, 1, 'new'), (3, 2, 'new');
SELECT is(told(:job), '7', '… until it is again as it was written');

--
-- Two jobs one after the other; a job that replaces a value by nothing
--
SELECT fill();
SELECT image('piece') AS before \gset
SELECT submitted() AS first \gset
CALL batch_work('60 s');
SELECT image('piece') AS between \gset
DELETE FROM part WHERE doc = 2 AND n = 2;
UPDATE part SET body = 'newer';
SELECT submitted() AS second \gset
CALL batch_work('60 s');
SELECT is(told(:first),
    E'NOTICE:  not put back of the job: 12 rows (changed since: 12)\n0',
    'what a later job has replaced is not put back');
SELECT is(told(:second), '11', '… before that is');
SELECT is(image('piece'), :'between', '… byte for byte');
SELECT is(told(:first), '12', '… then it is');
SELECT is(image('piece'), :'before', '… to what it was at first');
CREATE TABLE tag (doc int, n int, tag text, PRIMARY KEY (doc, n));
INSERT INTO tag SELECT 1, n, 'old' FROM generate_series(1, 5) n;
SELECT batch_submit($$SELECT 1 AS id, '[[sim:json=%5B%5D]]' AS prompt$$, 'openai',
    target => 'tag', write_mode => 'replace', each => '$[*]',
    write_back => '{"doc": {"column": "id"}, "n": {"ordinal": true}, "tag": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM tag), 0::bigint, 'a value without items');
SELECT is(batch_revert(:job), 5::bigint, '… its old rows come back');
SELECT is((SELECT string_agg(DISTINCT tag, '') FROM tag), 'old', '… indeed');

--
-- The table refuses; foreign keys; triggers
--
SELECT fill();
SELECT submitted() AS job \gset
CALL batch_work('60 s');
ALTER TABLE piece ADD CONSTRAINT odd CHECK (body <> 'old 21') NOT VALID;
SELECT is(told(:job), E'NOTICE:  not put back of the job: 5 rows (refused by the table: 5)\n'
    'DETAIL:  The first error was: new row for relation "piece" violates check constraint "odd"\n7',
    'a row that the table refuses fails its value, and no other');
SELECT is(pieces(), '1.1 old 11, 1.2 old 12, 1.3 old 13, 2.1 new, 2.2 new, 4.1 old 41, 4.2 old 42, '
    '4.3 old 43', '… whose new rows stay');
ALTER TABLE piece DROP CONSTRAINT odd;
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN NEW.n = 3 THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER skip BEFORE INSERT ON piece FOR EACH ROW EXECUTE FUNCTION skip();
SELECT is(told(:job), E'NOTICE:  not put back of the job: 5 rows (refused by the table: 5)\n'
    'DETAIL:  The first error was: a trigger of the table kept the row from being inserted\n0',
    'a trigger that keeps one from being inserted');
DROP TRIGGER skip ON piece;
SELECT is(told(:job), '5', '… until it is gone');
CREATE TABLE note (doc int, n int, FOREIGN KEY (doc, n) REFERENCES piece ON DELETE CASCADE);
INSERT INTO note VALUES (1, 1);
SELECT submitted() AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM note), 0::bigint,
    'a foreign key that deletes rows of another table');
SELECT is(told(:job), E'NOTICE:  rows of other tables that the job has deleted or changed by '
    'foreign keys are not put back\nDETAIL:  Foreign keys follow the rows that it has replaced'
    ' from: public.note.\n12', '… these do not come back, which is said');
DROP TABLE note;
CREATE TABLE strict (doc int, n int, FOREIGN KEY (doc, n) REFERENCES piece);
SELECT submitted() AS job \gset
CALL batch_work('60 s');
INSERT INTO strict VALUES (1, 1);
SELECT matches(told(:job), 'refused by the table: 5\)\nDETAIL:  .*violates foreign key .*\n7$',
    'a new row that another table refers to stays, with its value');
DROP TABLE strict;

--
-- Columns and tables that change between write and revert
--
SELECT fill();
SELECT submitted() AS job \gset
CALL batch_work('60 s');
ALTER TABLE piece RENAME body TO "The body";
ALTER TABLE piece RENAME doc TO "the doc";
ALTER TABLE piece ADD body text DEFAULT 'default';
ALTER TABLE piece DROP extra;
ALTER TABLE piece RENAME TO "Piece";
SELECT is(told(:job), '12', 'renamed, new and dropped columns');
SELECT is((SELECT string_agg("The body" || ' ' || body, ', ' ORDER BY "the doc", n) FROM "Piece"
    WHERE "the doc" = 1), 'old 11 default, old 12 default, old 13 default', '… are followed');
ALTER TABLE "Piece" DROP body;
ALTER TABLE "Piece" RENAME "The body" TO body;
ALTER TABLE "Piece" RENAME "the doc" TO doc;
ALTER TABLE "Piece" RENAME TO piece;
SELECT submitted() AS job \gset
CALL batch_work('60 s');
CREATE TABLE piece_new (body text, more text DEFAULT 'more', n int, doc int, PRIMARY KEY (doc, n));
INSERT INTO piece_new (doc, n, body) SELECT doc, n, body FROM piece WHERE doc <> 2;
DROP TABLE piece;
ALTER TABLE piece_new RENAME TO piece;
SELECT is(told(:job), E'NOTICE:  not put back of the job: 5 rows (gone: 5)\n7',
    'a table that was exchanged: columns count by their names');
SELECT is(pieces() || (SELECT string_agg(DISTINCT more, '') FROM piece),
    '1.1 old 11, 1.2 old 12, 1.3 old 13, 4.1 old 41, 4.2 old 42, 4.3 old 43more', '… indeed');

--
-- Kinds of tables
--
CREATE TABLE parts (doc int, n int, body text, PRIMARY KEY (doc, n)) PARTITION BY LIST (doc);
CREATE TABLE parts_1 (n int, doc int NOT NULL, body text, PRIMARY KEY (doc, n));
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT doc, n, body FROM piece;
SELECT image('parts') AS before \gset
SELECT submitted('parts') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job) || (image('parts') = :'before'), '9true', 'a partitioned table');
SELECT is((SELECT count(*) FROM parts_1), 3::bigint, '… rows are in their partitions');
CREATE TABLE keyless (doc int, n int, body text, v float8[], j jsonb, c "char", t timestamptz);
INSERT INTO keyless SELECT doc, n, body, '{0.1,NULL}', '{"a": 1.10}', 'c', '2026-01-01' FROM piece;
INSERT INTO keyless SELECT * FROM keyless WHERE doc = 1;
SELECT image('keyless') AS before \gset
SELECT submitted('keyless') AS job \gset
CALL batch_work('60 s');
SET TimeZone = 'Asia/Kolkata';
SET DateStyle = 'German';
SELECT is(batch_revert(:job), 12::bigint, 'a table without a primary key');
RESET TimeZone;
RESET DateStyle;
SELECT is(image('keyless'), :'before', '… comes back byte for byte');
CREATE TABLE base (doc int, n int, body text);
CREATE TABLE child (more text) INHERITS (base);
INSERT INTO child VALUES (1, 1, 'old', 'more');
SELECT submitted('base') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 6 rows (old value unknown: 6)\n0',
    'rows of child tables are not kept: they have more columns');

--
-- Rights, policies, hostile code
--
CREATE ROLE replace_ann;
GRANT CREATE, USAGE ON SCHEMA public TO replace_ann;
GRANT USAGE ON FOREIGN SERVER openai TO replace_ann;
CREATE USER MAPPING FOR replace_ann SERVER openai OPTIONS (api_key 'sk-sim');
GRANT SELECT ON part TO replace_ann;
CREATE TABLE partial (doc int, n int, body text, secret text DEFAULT 's');
GRANT INSERT, DELETE, SELECT (doc, n, body) ON partial TO replace_ann;
INSERT INTO partial VALUES (1, 1, 'old');
SET ROLE replace_ann;
SELECT submitted('partial') AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM batchinf.replaced WHERE job_id = :job), 0::bigint,
    'an owner who may not read a column: nothing of it is kept');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 6 rows (old value unknown: 6)\n0',
    '… and nothing put back');
CREATE TABLE hidden (doc int, n int, body text);
GRANT ALL ON hidden TO replace_ann;
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON hidden TO replace_ann USING (n < 2) WITH CHECK (true);
SET ROLE replace_ann;
SELECT submitted('hidden') AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM hidden), 6::bigint,
    'policies that hide new rows let them be written');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 6 rows (old value unknown: 6)\n0',
    '… and nothing is known of them');
SET ROLE replace_ann;
CREATE TABLE theirs (doc int, n int, body text, seen text);
INSERT INTO theirs SELECT 1, n, 'old' FROM generate_series(1, 3) n;
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.batch_note(1, 1, ROW('forged')), pg_advisory_lock(4711);
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    NEW.seen := format('%s %s', current_user, COALESCE(public.batch_noted(1, 1), 'none'));
    BEGIN
        CREATE TEMP TABLE left_behind ();
    EXCEPTION WHEN insufficient_privilege THEN
        NEW.seen := NEW.seen || ' restricted';
    END;
    RETURN NEW;
END $$;
CREATE TRIGGER spy BEFORE INSERT OR DELETE ON theirs FOR EACH ROW EXECUTE FUNCTION spy();
SELECT submitted('theirs') AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is(batch_revert(:job), 9::bigint, 'a superuser reverts a job of a hostile owner');
SELECT pg_advisory_unlock_all() \g /dev/null
SELECT is((SELECT string_agg(DISTINCT seen || ' ' || body, ', ') FROM theirs),
    'replace_ann none restricted old', '… whose code runs as the owner, in a restricted operation');
SELECT is(current_user::text, 'postgres', '… and is themselves afterwards');
CREATE ROLE replace_other;
SET ROLE replace_other;
SELECT throws_ok(format('SELECT batch_revert(%s)', :job), '42501',
    format('permission denied to revert batch job %s', :job), '… another role may not');
RESET ROLE;

--
-- Many rows, large rows, and what was removed
--
SELECT sim.server('openai');
TRUNCATE part, keyless;
INSERT INTO keyless (doc, n, body) SELECT 1, n, repeat('old ' || n, 40)
FROM generate_series(1, 20000) n;
INSERT INTO keyless (doc, n, body) SELECT 2, n, repeat(n || E'\n', 3000000 / (1 + length(n::text)))
FROM generate_series(1, 12) n;
INSERT INTO keyless (doc, n, body) SELECT d, 1, 'old' FROM generate_series(3, 700) d;
INSERT INTO part SELECT d, n, 'new' FROM generate_series(1, 700) d, generate_series(1, 2) n;
SELECT image('keyless') AS before \gset
SELECT submitted('keyless') AS job \gset
CALL batch_work('120 s');
SELECT is((SELECT count(*) FROM keyless WHERE body = 'new'), 1400::bigint,
    'many values are replaced');
SELECT cmp_ok((SELECT count(*) FROM batchinf.replaced WHERE job_id = :job AND piece > 0), '>',
    20::bigint, '… what was deleted is kept in pieces');
SELECT is(batch_revert(:job), 1400 + 20012 + 698::bigint, '… all come back');
SELECT is(image('keyless'), :'before', '… as they were');
TRUNCATE keyless, part;
INSERT INTO part VALUES (1, 1, 'new');
INSERT INTO keyless VALUES (1, 1, repeat('x', 33 * 1024 * 1024));
SELECT submitted('keyless') AS job \gset
CALL batch_work('60 s');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 2 rows (old value unknown: 2)\n0',
    'a row of more than 32 MB is not kept');
SELECT submitted('keyless', $$, keep => '0'$$) AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT added || ' ' || removed || COALESCE(old, '-') FROM batchinf.replaced
    WHERE job_id = :job), '1 1-', 'texts that are kept no longer');
SELECT is(told(:job), E'NOTICE:  not put back of the job: 2 rows (old value unknown: 2)\n0',
    '… nothing is put back');
SELECT batch_delete(:job);
SELECT is((SELECT count(*) FROM batchinf.replaced WHERE job_id = :job), 0::bigint,
    'a job that is deleted leaves nothing');
SELECT * FROM finish();
DROP OWNED BY replace_ann CASCADE;
DROP ROLE replace_ann, replace_other;
