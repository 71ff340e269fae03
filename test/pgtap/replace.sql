-- Answers that replace the rows of a value, once all of its records have succeeded.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai', $$max_requests '3'$$);
CREATE TABLE part (doc int, n int, body text);
CREATE TABLE piece (doc int NOT NULL, n int, body text NOT NULL CHECK (body !~ 'refused'),
    extra text DEFAULT 'x', PRIMARY KEY (doc, n));
CREATE FUNCTION submitted(more text DEFAULT '') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
BEGIN
    EXECUTE 'SELECT batch_submit(''SELECT doc, n, body AS prompt FROM part ORDER BY n, doc'',
        ''openai'', key => ''doc, n'', target => ''piece'', write_mode => ''replace'',
        write_back => ''{"doc": {"column": "doc"}, "n": {"column": "n"}, "body": "$"}'',
        replace_by => ''doc''' || more || ')' INTO job;
    RETURN job;
END $$;
CREATE FUNCTION pieces() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(doc || ':' || t, ' ' ORDER BY doc)
    FROM (SELECT doc, string_agg(n::text, ',' ORDER BY n) AS t FROM piece GROUP BY doc) p $$;
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(key[1] || ':' || key[2] || ' ' || COALESCE(write_state, outcome), ', '
        ORDER BY key[1]::int, key[2]::int)
    FROM (SELECT b.*, r.key FROM batch_records b JOIN batchinf.record r USING (job_id, seq)) b
    WHERE job_id = job $$;

INSERT INTO part SELECT d, n, 'doc ' || d || ' part ' || n FROM generate_series(1, 3) d,
    generate_series(1, 4) n;
SELECT submitted() AS job \gset
CALL batch_work('60 s');
SELECT is(pieces(), '1:1,2,3,4 2:1,2,3,4 3:1,2,3,4', 'values whose records are in several chunks');
SELECT is((SELECT count(DISTINCT chunk_id) FROM batch_chunks WHERE job_id = :job), 4::bigint,
    '… of which there are four');
SELECT is((SELECT state || ' ' || written || ' ' || incomplete FROM batch_jobs
    WHERE job_id = :job), 'completed 12 0', '… all are written');

-- a document that shrinks, one that grows, one that is not in the job
DELETE FROM part WHERE doc = 1 AND n > 2 OR doc = 3;
INSERT INTO part VALUES (2, 5, 'more');
UPDATE part SET body = body || ' new';
UPDATE piece SET extra = 'by hand' WHERE doc = 3;
SELECT submitted() AS job \gset
CALL batch_work('60 s');
SELECT is(pieces(), '1:1,2 2:1,2,3,4,5 3:1,2,3,4', 'what has shrunk leaves no old row');
SELECT is((SELECT count(*) FROM piece WHERE doc < 3 AND extra = 'x' AND body LIKE '%new'),
    7::bigint, '… the rows are new');
SELECT is((SELECT count(*) FROM piece WHERE extra = 'by hand'), 4::bigint,
    '… others stay as they are');

-- one record of a value fails
UPDATE part SET body = '[[sim:refusal]]' WHERE doc = 2 AND n = 3;
DELETE FROM part WHERE doc = 1 AND n = 2;
SELECT submitted() AS job \gset
CALL batch_work('60 s');
SELECT is(pieces(), '1:1 2:1,2,3,4,5 3:1,2,3,4', 'a value of which one fails keeps its rows');
SELECT is(states(:job), '1:1 written, 2:1 incomplete, 2:2 incomplete, 2:3 invalid_output, '
    '2:4 incomplete, 2:5 incomplete', '… and its answers are incomplete');
SELECT is((SELECT state || ' ' || written || ' ' || incomplete FROM batch_jobs
    WHERE job_id = :job), 'completed 1 4', '… they are counted');
SELECT is((SELECT count(*) FROM piece WHERE doc = 2 AND body LIKE '%new'), 5::bigint,
    '… the old rows are whole');
UPDATE batchinf.record SET input = 'now it works' WHERE job_id = :job AND input LIKE '%refusal%';
SELECT is(batch_retry(:job), 1::bigint, 'the one that failed is sent again');
CALL batch_work('60 s');
SELECT is(states(:job), '1:1 written, 2:1 written, 2:2 written, 2:3 written, 2:4 written, '
    '2:5 written', '… then all of the value is written');
SELECT is((SELECT string_agg(body, '|') FROM piece WHERE doc = 2 AND n = 3),
    (SELECT output FROM batch_records WHERE job_id = :job AND input = 'now it works'), '… once');
SELECT is((SELECT state || ' ' || written || ' ' || incomplete || ' ' || write_waiting
    FROM batch_jobs WHERE job_id = :job), 'completed 6 0 0', '… and counted');

-- a row that the table refuses
UPDATE part SET body = 'part ' || doc || '.' || n;
UPDATE part SET body = '[[sim:say=refused]]' WHERE doc = 2 AND n = 5;
INSERT INTO part VALUES (4, 1, 'four');
SELECT submitted() AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job), '1:1 written, 2:1 write_failed, 2:2 write_failed, 2:3 write_failed, '
    '2:4 write_failed, 2:5 write_failed, 4:1 written',
    'a row that the table refuses fails its value');
SELECT is(pieces(), '1:1 2:1,2,3,4,5 3:1,2,3,4 4:1', '… whose old rows stay');
SELECT matches((SELECT write_error FROM batch_records WHERE job_id = :job AND write_state =
    'write_failed' LIMIT 1), 'violates check constraint', '… the reason is told');
ALTER TABLE piece DROP CONSTRAINT piece_body_check;
SELECT is(batch_rewrite(:job), 5::bigint, 'batch_rewrite');
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM piece WHERE doc = 2 AND body = 'refused'), 1::bigint,
    '… replaces them');

-- a lock
SELECT sim.connect('other');
SELECT dblink_exec('other', 'BEGIN');
SELECT dblink_exec('other', 'UPDATE piece SET extra = extra WHERE doc = 4');
SELECT submitted() AS job \gset
SELECT sim.work_until(format('(SELECT written = 6 FROM batch_jobs WHERE job_id = %s)', :job));
SELECT is(states(:job), '1:1 written, 2:1 written, 2:2 written, 2:3 written, 2:4 written, '
    '2:5 written, 4:1 waiting', 'a value whose rows are locked waits, the others are written');
SELECT dblink_exec('other', 'COMMIT');
SELECT dblink_disconnect('other');
CALL batch_work('60 s');
SELECT is((SELECT written FROM batch_jobs WHERE job_id = :job), 7::bigint, '… until it can be');

-- the target takes no rows when answers come: a value is not written in parts
SELECT sim.server('openai', $$max_requests '3'$$);
TRUNCATE part, piece;
INSERT INTO part SELECT d, n, 'doc ' || d || ' part ' || n FROM generate_series(1, 2) d,
    generate_series(1, 4) n;
INSERT INTO piece SELECT d, -n, 'old' FROM generate_series(1, 2) d, generate_series(1, 2) n;
UPDATE part SET body = '[[sim:refusal]]' WHERE doc = 2 AND n = 3;
SELECT submitted() AS job \gset
ALTER TABLE piece ALTER n ADD GENERATED ALWAYS AS IDENTITY;
SELECT sim.work_until(format('(SELECT succeeded + invalid_output = 8 FROM batch_jobs
    WHERE job_id = %s)', :job));
ALTER TABLE piece ALTER n DROP IDENTITY;
CALL batch_work('60 s');
SELECT is(pieces(), '1:1,2,3,4 2:-2,-1',
    'answers that come while the target takes none: a whole value is replaced, no other');
SELECT is(states(:job), '1:1 written, 1:2 written, 1:3 written, 1:4 written, 2:1 incomplete, '
    '2:2 incomplete, 2:3 invalid_output, 2:4 incomplete', '… the others are incomplete');
UPDATE batchinf.record SET input = 'now it works' WHERE job_id = :job AND input LIKE '%refusal%';
SELECT batch_retry(:job);
CALL batch_work('60 s');
SELECT is(pieces(), '1:1,2,3,4 2:1,2,3,4', '… until the rest has come');

-- a value is written and has failed before the delivery of its last chunk is over
UPDATE part SET body = 'doc ' || doc || ' part ' || n || ' refused' WHERE doc = 2;
UPDATE part SET body = body || ' too' WHERE doc = 1;
ALTER TABLE piece ADD CONSTRAINT unrefused CHECK (body !~ 'refused') NOT VALID;
SELECT submitted() AS job \gset
CALL batch_work('60 s');
ALTER TABLE piece DROP CONSTRAINT unrefused;
CREATE TEMP TABLE last AS SELECT max(chunk_id) AS chunk_id FROM batchinf.chunk WHERE job_id = :job;
UPDATE batchinf.chunk c SET state = 'delivering', next_step_at = 'infinity'
    FROM last l WHERE c.chunk_id = l.chunk_id;
SELECT is(batch_rewrite(:job), 0::bigint, 'a value of which a chunk is delivered is not rewritten');
UPDATE batchinf.chunk c SET state = 'done', next_step_at = NULL FROM last l
    WHERE c.chunk_id = l.chunk_id;
SELECT is(batch_rewrite(:job), 4::bigint, '… but whole, once that is over');
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM piece WHERE doc = 2 AND body LIKE '%refused'), 4::bigint,
    '… and has all of its rows');

-- one large value, and many small ones, of which the tables' statistics know nothing
ANALYZE;
SELECT sim.server('openai');
TRUNCATE part, piece;
INSERT INTO part SELECT 1, n, 'part ' || n FROM generate_series(1, 1700) n;
INSERT INTO part SELECT n, 1, 'doc ' || n FROM generate_series(2, 1200) n;
SELECT submitted() AS job \gset
CALL batch_work('120 s');
SELECT is((SELECT count(*) || ' ' || count(DISTINCT (doc, n)) || ' '
    || count(*) FILTER (WHERE doc = 1) FROM piece), '2899 2899 1700',
    'a value of 1,700 rows, and 1,199 of one');
SELECT is((SELECT written || ' ' || write_waiting FROM batch_jobs WHERE job_id = :job), '2899 0',
    '… all are written');

-- values that are equal for their type
CREATE EXTENSION citext;
CREATE TABLE word (name citext, n int, body text, PRIMARY KEY (name, n));
INSERT INTO word VALUES ('SEA', 1, 'old'), ('SEA', 2, 'old'), ('sky', 1, 'old');
SELECT batch_submit($$SELECT * FROM (VALUES (1, 'Sea', 7, 'a'), (2, 'seA', 8, 'b')) v(id, name, n,
    prompt)$$, 'openai', target => 'word', write_mode => 'replace', replace_by => 'name',
    write_back => '{"name": {"column": "name"}, "n": {"column": "n"}, "body": "$"}');
CALL batch_work('60 s');
SELECT results_eq('SELECT name::text, n FROM word ORDER BY 1, 2',
    $$VALUES ('Sea', 7), ('seA', 8), ('sky', 1)$$, 'equal values of citext are one');

-- each item a row, and the default of replace_by
CREATE TABLE tag (doc int, n int, tag text, PRIMARY KEY (doc, n));
INSERT INTO tag SELECT 1, n, 'old' FROM generate_series(1, 5) n;
SELECT batch_submit($$SELECT 1 AS id, '[[sim:json=%5B%22a%22%2C%22b%22%5D]]' AS prompt$$, 'openai',
    target => 'tag', write_mode => 'replace', each => '$[*]',
    write_back => '{"doc": {"column": "id"}, "n": {"ordinal": true}, "tag": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(doc || '.' || n || tag, ' ' ORDER BY n) FROM tag), '1.1a 1.2b',
    'the items of an answer replace those of the last one');
SELECT is((SELECT write_state || ' ' || items FROM batch_records WHERE job_id = :job), 'written 2',
    '… and are counted');
-- none at all
SELECT batch_submit($$SELECT 1 AS id, '[[sim:json=%5B%5D]]' AS prompt$$, 'openai',
    target => 'tag', write_mode => 'replace', each => '$[*]',
    write_back => '{"doc": {"column": "id"}, "n": {"ordinal": true}, "tag": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM tag), 0::bigint, 'an answer without items removes the old rows');

-- bad input
CREATE FUNCTION refused(more text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT batch_submit(''SELECT doc, n, body AS prompt FROM part'', ''openai'',
        key => ''doc, n'', write_mode => ''replace'', target => ''piece'', ' || more || ')';
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT is(
    refused($$write_back => '{"doc": {"column": "doc"}, "n": {"column": "n"}, "body": "$"}'$$),
    '22023 argument "replace_by" is missing', 'a default that would replace single rows');
SELECT is(refused($$write_back => '{"body": "$"}'$$), '22023 argument "replace_by" is missing',
    '… or nothing');
SELECT is(refused($$write_back => '{"body": "$", "n": {"const": 1}}', replace_by => 'n'$$),
    '22023 column "n" of argument "replace_by" is not filled from the query', 'a constant');
SELECT is(refused($$write_back => '{"body": "$"}', replace_by => 'doc'$$),
    '22023 column "doc" of argument "replace_by" is not in write_back',
    'a column that is not filled');
INSERT INTO part VALUES (NULL, 1, 'x');
SELECT throws_ok('SELECT submitted()', '22004', NULL, 'a null');

-- two jobs replace the same value at once, in two processes; the table has no key
CREATE TABLE keyless (doc int, n int, body text);
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.2);
    RETURN NULL;
END $$;
CREATE TRIGGER linger AFTER INSERT ON keyless EXECUTE FUNCTION linger();
CREATE ROLE replace_bob SUPERUSER;
CREATE USER MAPPING FOR replace_bob SERVER openai OPTIONS (api_key 'sk-sim');
CREATE FUNCTION ask_keyless(word text) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(format('SELECT 1 AS doc, n, %L AS prompt FROM generate_series(1, 3) n',
            '[[sim:say=' || word || ']]'),
        'openai', key => 'n', target => 'keyless', write_mode => 'replace', replace_by => 'doc',
        write_back => '{"doc": {"column": "doc"}, "n": {"column": "n"}, "body": "$"}') $$;
INSERT INTO keyless VALUES (1, 0, 'old');
SELECT ask_keyless('one') AS one \gset
SET ROLE replace_bob;
SELECT ask_keyless('two') AS two \gset
RESET ROLE;
SELECT sim.start('one', 'CALL batch_work(''60 s'')'), sim.start('two', 'CALL batch_work(''60 s'')');
CALL sim.await(format('(SELECT sum(written) = 6 FROM batch_jobs WHERE job_id IN (%s, %s))', :one,
    :two));
SELECT sim.finish('one'), sim.finish('two');
SELECT is((SELECT count(*) || ' ' || count(DISTINCT n) || ' ' || count(DISTINCT body)
    FROM keyless), '3 3 1', 'of two jobs that replace a value at once, its rows are those of one');
SELECT * FROM finish();
DROP OWNED BY replace_bob CASCADE;
DROP ROLE replace_bob;
