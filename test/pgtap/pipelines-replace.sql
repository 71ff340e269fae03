-- Pipelines that replace the rows of values: a value with a row that is due is sent whole.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai', $$max_requests '4'$$);
CREATE TABLE doc (id int PRIMARY KEY, body text);
CREATE TABLE piece (doc int, n int, chunk text, embedding text, PRIMARY KEY (doc, n));
INSERT INTO doc SELECT d, (SELECT string_agg('doc ' || d || ' part ' || n, E'\n\n' ORDER BY n)
    FROM generate_series(1, 3) n) FROM generate_series(1, 5) d;
SELECT batch_create_pipeline('pieces',
    'SELECT d.id, s.n, s.chunk, s.chunk AS input FROM doc d, batch_split(d.body, 20) s', 'openai',
    task => 'embedding', model => 'text-embedding-3-small', key => 'id, n', target => 'piece',
    write_mode => 'replace', replace_by => 'doc', retry_failed_after => '1 hour',
    write_back => '{"doc": {"column": "id"}, "n": {"column": "n"}, "chunk": {"column": "chunk"},
        "embedding": "$"}');
CREATE FUNCTION pieces() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(doc || ':' || t, ' ' ORDER BY doc)
    FROM (SELECT doc, string_agg(n::text, ',' ORDER BY n) AS t FROM piece GROUP BY doc) p $$;
CREATE FUNCTION counts() RETURNS text LANGUAGE sql AS $$
    SELECT format('%s rows, %s answered, %s due, %s in flight, %s failed', rows, answered, due,
        in_flight, failed) FROM batch_pipelines WHERE name = 'pieces' $$;
CREATE FUNCTION sent() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(key[1] || '.' || key[2], ' ' ORDER BY key[1]::int, key[2]::int)
    FROM batchinf.record WHERE job_id = (SELECT max(job_id) FROM batchinf.job) $$;
CREATE FUNCTION body(d int, n int, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
    SELECT string_agg('doc ' || d || ' part ' || i || more, E'\n\n' ORDER BY i)
    FROM generate_series(1, n) i $$;

SELECT isnt(batch_refresh('pieces'), NULL, 'the first refresh');
SELECT is(counts(), '15 rows, 0 answered, 0 due, 15 in flight, 0 failed', '… sends all');
SELECT is(batch_refresh('pieces'), NULL, '… once');
CALL batch_work('60 s');
SELECT is(pieces(), '1:1,2,3 2:1,2,3 3:1,2,3 4:1,2,3 5:1,2,3', 'pieces are written');
SELECT is(batch_refresh('pieces'), NULL, 'nothing is due');
SELECT is(counts(), '15 rows, 15 answered, 0 due, 0 in flight, 0 failed', '… as it is counted');
SELECT is((SELECT count(*) FROM batchinf.answered WHERE written AND value IS NOT NULL), 15::bigint,
    '… and remembered');

-- a document changes in one piece
UPDATE doc SET body = replace(body, 'part 2', 'PART 2') WHERE id = 2;
SELECT batch_refresh('pieces') \g /dev/null
SELECT is(sent(), '2.1 2.2 2.3', 'a changed piece: its document is sent whole');
SELECT is(counts(), '15 rows, 12 answered, 0 due, 3 in flight, 0 failed', '… no other one');
CALL batch_work('60 s');
SELECT is((SELECT string_agg(chunk, ', ' ORDER BY n) FROM piece WHERE doc = 2),
    'doc 2 part 1, doc 2 PART 2, doc 2 part 3', '… and written');
-- … shrinks, so that all other pieces are as they were
UPDATE doc SET body = body(3, 2) WHERE id = 3;
SELECT batch_refresh('pieces') \g /dev/null
SELECT is(sent(), '3.1 3.2', 'a document that has lost its last piece is due');
CALL batch_work('60 s');
SELECT is(pieces(), '1:1,2,3 2:1,2,3 3:1,2 4:1,2,3 5:1,2,3', '… and leaves no old piece');
SELECT is(batch_refresh('pieces'), NULL, '… once');
SELECT is(counts(), '14 rows, 14 answered, 0 due, 0 in flight, 0 failed', '… as it is counted');
-- … grows, and another one is new; one is deleted
UPDATE doc SET body = body(3, 4) WHERE id = 3;
INSERT INTO doc VALUES (6, body(6, 1));
DELETE FROM doc WHERE id = 5;
SELECT batch_refresh('pieces') \g /dev/null
SELECT is(sent(), '3.1 3.2 3.3 3.4 6.1', 'one that grows, and a new one');
CALL batch_work('60 s');
SELECT is(pieces(), '1:1,2,3 2:1,2,3 3:1,2,3,4 4:1,2,3 5:1,2,3 6:1',
    '… a document that is gone from the query keeps its pieces');

-- changed while its job is open: it waits for that
UPDATE doc SET body = body(1, 3, ' a') WHERE id = 1;
SELECT batch_refresh('pieces') \g /dev/null
UPDATE doc SET body = body(1, 4, ' a') WHERE id = 1;
SELECT is(batch_refresh('pieces'), NULL, 'a document of which an open job has pieces is not sent');
SELECT is(counts(), '15 rows, 11 answered, 0 due, 4 in flight, 0 failed', '… none of it');
CALL batch_work('60 s');
SELECT batch_refresh('pieces') \g /dev/null
SELECT is(sent(), '1.1 1.2 1.3 1.4', '… but whole after that');
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM piece WHERE doc = 1 AND chunk LIKE '% a'), 4::bigint,
    '… and written');

-- one piece fails
UPDATE doc SET body = replace(body(4, 3), 'part 2', '[[sim:status=400]]') WHERE id = 4;
SELECT batch_refresh('pieces') AS failed \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(chunk, ', ' ORDER BY n) FROM piece WHERE doc = 4),
    'doc 4 part 1, doc 4 part 2, doc 4 part 3', 'a piece that fails: the old ones stay');
SELECT is(batch_refresh('pieces'), NULL, '… and nothing is paid for at the next refresh');
SELECT is((SELECT failed FROM batch_pipelines WHERE name = 'pieces'), 1::bigint, '… it is counted');
UPDATE batchinf.answered SET at = at - interval '1 day';
SELECT batch_refresh('pieces') \g /dev/null
SELECT is(sent(), '4.1 4.2 4.3 4.4', '… later all of the document is tried again');
CALL batch_work('60 s');
UPDATE doc SET body = body(4, 2) WHERE id = 4;
SELECT batch_refresh('pieces') \g /dev/null
CALL batch_work('60 s');
SELECT is((SELECT string_agg(chunk, ', ' ORDER BY n) FROM piece WHERE doc = 4),
    'doc 4 part 1, doc 4 part 2', '… once it is mended it is replaced');
UPDATE batchinf.record SET input = 'part 2' WHERE job_id = :failed AND input LIKE '%sim:status%';
SELECT batch_retry(:failed) \g /dev/null
CALL batch_work('60 s');
SELECT is((SELECT string_agg(DISTINCT outcome || ' ' || write_state || ': ' || write_error, ', ')
    FROM batch_records WHERE job_id = :failed),
    'succeeded stale: a later job of the pipeline has replaced the rows of this value',
    'an older job that succeeds at last: its answers are stale');
SELECT is((SELECT state || ' ' || stale FROM batch_jobs WHERE job_id = :failed), 'completed 4',
    '… as it is counted');
SELECT is((SELECT string_agg(chunk, ', ' ORDER BY n) FROM piece WHERE doc = 4),
    'doc 4 part 1, doc 4 part 2', '… and the newer rows stay');
SELECT batch_rewrite(:failed) \g /dev/null
CALL batch_work('60 s');
SELECT is((SELECT state || ' ' || stale FROM batch_jobs WHERE job_id = :failed), 'completed 4',
    '… whoever writes them again');

-- whole documents by max_rows; more than half of all; forgotten ones
UPDATE doc SET body = body || ' more';
SELECT is(batch_refresh('pieces'), NULL, 'most would be sent again');
SELECT matches((SELECT last_error FROM batch_pipelines WHERE name = 'pieces'),
    '^14 of 14 answered rows would be sent again', '… which is refused');
SELECT is(batch_refresh('pieces', max_rows => 1, force => true) > 0, true, 'at most one row');
SELECT is((SELECT count(*) FROM batchinf.record r WHERE job_id = (SELECT max(job_id) FROM
    batchinf.job) AND NOT EXISTS (SELECT FROM doc d, batch_split(d.body, 20) s WHERE
    d.id::text = r.key[1] AND s.n::text = r.key[2])), 0::bigint, '… sends a document');
SELECT is((SELECT count(DISTINCT key[1]) FROM batchinf.record WHERE job_id = (SELECT max(job_id)
    FROM batchinf.job)), 1::bigint, '… one');
CALL batch_work('60 s');
SELECT batch_refresh('pieces', force => true) \g /dev/null
CALL batch_work('60 s');
SELECT is(batch_refresh('pieces'), NULL, '… the others follow');
SELECT is(batch_forget('pieces', '{"(2,1)"}'), 1::bigint, 'a piece is forgotten');
SELECT batch_refresh('pieces') \g /dev/null
SELECT matches(sent(), '^2.1 2.2 2.3', '… its document is sent');
CALL batch_work('60 s');
SELECT is((SELECT string_agg(DISTINCT write_state, ' ') FROM batch_records b JOIN batchinf.record
    USING (job_id, seq) WHERE key[1] = '2'), 'written', '… and written');

-- a row moves to another document, with the same text
TRUNCATE doc, piece;
CREATE TABLE line (id int PRIMARY KEY, doc int, body text);
INSERT INTO line SELECT i, i % 2, 'line ' || i FROM generate_series(1, 6) i;
SELECT batch_create_pipeline('lines', 'SELECT id, doc, body AS prompt FROM line', 'openai',
    target => 'piece', write_mode => 'replace', replace_by => 'doc',
    write_back => '{"doc": {"column": "doc"}, "n": {"column": "id"}, "chunk": "$"}');
SELECT batch_refresh('lines') \g /dev/null
CALL batch_work('60 s');
SELECT is(pieces(), '0:2,4,6 1:1,3,5', 'two documents');
UPDATE line SET doc = 1 WHERE id = 6;
UPDATE line SET doc = 0 WHERE id = 5;
SELECT batch_refresh('lines', force => true) \g /dev/null
CALL batch_work('60 s');
SELECT is(pieces(), '0:2,4,5 1:1,3,6', 'rows that move to another document');
SELECT is(batch_refresh('lines'), NULL, '… once');
-- what is remembered of rows goes, but the later job has replaced the value all the same
TRUNCATE line, piece;
INSERT INTO line VALUES (1, 1, '[[sim:say=first]]'), (2, 1, '[[sim:say=first]]');
ALTER TABLE piece ADD CONSTRAINT c CHECK (chunk <> 'first');
SELECT batch_refresh('lines', force => true) AS first \gset
CALL batch_work('60 s');
ALTER TABLE piece DROP CONSTRAINT c;
UPDATE line SET body = '[[sim:say=second]]';
SELECT batch_refresh('lines', force => true) AS second \gset
CALL batch_work('60 s');
CREATE FUNCTION chunks() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(chunk, ' ' ORDER BY n) FROM piece $$;
SELECT is(chunks(), 'second second', 'a value that a job has failed to write, and a later one not');
SELECT is(batch_forget('lines', '{1,2}'), 2::bigint, '… its rows are forgotten');
SELECT batch_rewrite(:first) \g /dev/null
CALL batch_work('60 s');
SELECT is(chunks(), 'second second', '… the older job does not overwrite it');
UPDATE line SET body = '[[sim:status=400]]' WHERE id = 2;
SELECT batch_refresh('lines', force => true) \g /dev/null
SELECT batch_rewrite(:first, '{stale}') \g /dev/null
CALL batch_work('60 s');
SELECT is(chunks(), 'second second', '… nor while a third one is open, which fails');
SELECT batch_revert(:second) \g /dev/null
SELECT batch_rewrite(:first, '{stale}') \g /dev/null
CALL batch_work('60 s');
SELECT is(chunks(), 'first first', '… but does once the later one is reverted');

-- the other write modes
TRUNCATE line;
INSERT INTO line SELECT i, i % 2, 'line ' || i FROM generate_series(1, 6) i;
CREATE TABLE word (word text PRIMARY KEY, meaning text);
SELECT batch_create_pipeline('words', 'SELECT id, ''w'' || id AS word, body AS prompt FROM line',
    'openai', target => 'word', write_mode => 'upsert',
    write_back => '{"word": {"column": "word"}, "meaning": "$"}');
SELECT batch_refresh('words') \g /dev/null
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM word), 6::bigint, 'a pipeline that upserts');
SELECT is(batch_refresh('words'), NULL, '… what is answered is not sent again');
UPDATE line SET body = 'newer' WHERE id = 1;
SELECT is((SELECT records FROM batch_jobs WHERE job_id = batch_refresh('words')), NULL,
    '… and what has changed is');
CALL batch_work('60 s');
SELECT is((SELECT string_agg(record_id, ' ') FROM batch_records WHERE job_id = (SELECT max(job_id)
    FROM batch_jobs)), 'w1', '… alone');
CREATE TABLE note (line int, note text);
SELECT batch_create_pipeline('notes', 'SELECT id, body AS prompt FROM line', 'openai',
    target => 'note', write_mode => 'insert',
    write_back => '{"line": {"column": "id"}, "note": "$"}');
SELECT batch_refresh('notes') \g /dev/null
CALL batch_work('60 s');
SELECT is((SELECT count(*) FROM note), 6::bigint, 'a pipeline that inserts');
SELECT is(batch_refresh('notes'), NULL, '… once');
SELECT * FROM finish();
