-- An answer never overwrites a row that has changed since it was sent (write_if): which columns are
-- guarded, whatever the query looks like, and what becomes of a stale answer.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE TABLE t (id int PRIMARY KEY, body text, other text, label text, at timestamptz DEFAULT now(),
    n float8 DEFAULT 0.1);
INSERT INTO t SELECT i, 'body ' || i, 'other ' || i FROM generate_series(1, 6) i;

CREATE FUNCTION ask(query text, prompt text DEFAULT '{{body}}', write_if text DEFAULT 'unchanged',
    target regclass DEFAULT 't', write_back jsonb DEFAULT '{"label": "$"}') RETURNS bigint
LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', prompt => prompt, target => target,
        write_back => write_back, write_if => write_if) $$;
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(record_id || ' ' || write_state, ', ' ORDER BY record_id) FROM batch_records
    WHERE job_id = job $$;
-- what is guarded by a job, which ends at once
CREATE FUNCTION guarded(query text, prompt text DEFAULT '{{body}}', target regclass DEFAULT 't')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    job bigint;
    names text;
BEGIN
    job := batch_submit(query, server => 'openai', prompt => prompt, target => target,
        write_back => '{"label": "$"}');
    SELECT array_to_string(b.guarded, ' ') INTO names FROM batch_jobs b WHERE b.job_id = job;
    DELETE FROM batchinf.job j WHERE j.job_id = job;
    RETURN names;
END $$;

--
-- Written, stale, and not guarded
--
SELECT ask('SELECT id, body FROM t') AS a \gset
SELECT is((SELECT guarded FROM batch_jobs WHERE job_id = :a), '{label,body}',
    'guarded are the column to be written, and that which the prompt names');
UPDATE t SET body = 'edited' WHERE id = 1;
UPDATE t SET label = 'by hand' WHERE id = 2;
UPDATE t SET other = 'edited', at = now() + interval '1 day' WHERE id = 3;
UPDATE t SET body = 'edited' WHERE id = 4;
UPDATE t SET body = 'body 4' WHERE id = 4;
DELETE FROM t WHERE id = 5;
CALL batch_work('60 s');
SELECT is(states(:a), '1 stale, 2 stale, 3 written, 4 written, 5 target_missing, 6 written',
    'promise 11: an answer never overwrites a row that has changed since it was sent');
SELECT results_eq('SELECT label FROM t WHERE id IN (1, 2) ORDER BY id',
    $$VALUES (NULL), ('by hand')$$, '… the rows have what they had');
SELECT is((SELECT stale || ' ' || written FROM batch_jobs WHERE job_id = :a), '2 3',
    '… batch_jobs counts them');
SELECT is((SELECT write_error FROM batch_records WHERE job_id = :a AND record_id = '1'),
    'the row has changed since it was sent', '… with the reason');
SELECT isnt((SELECT output FROM batch_records WHERE job_id = :a AND record_id = '1'), NULL,
    '… the answer is kept');
SELECT is(batch_rewrite(:a), 1::bigint, 'batch_rewrite leaves them out');
CALL batch_work('60 s');
SELECT is(states(:a), '1 stale, 2 stale, 3 written, 4 written, 5 target_missing, 6 written',
    '… for their rows are as they were');
SELECT is(batch_rewrite(:a, '{stale}'), 2::bigint, 'to name them is the wish to overwrite');
CALL batch_work('60 s');
SELECT is(states(:a), '1 written, 2 written, 3 written, 4 written, 5 target_missing, 6 written',
    '… they are written');

UPDATE t SET label = NULL;
SELECT ask('SELECT id, body FROM t', write_if => 'null') AS b \gset
UPDATE t SET body = 'edited', other = 'too' WHERE id = 1;
UPDATE t SET label = 'by hand' WHERE id = 2;
CALL batch_work('60 s');
SELECT is(states(:b), '1 written, 2 stale, 3 written, 4 written, 6 written',
    'write_if => ''null'': only where the column is null');
SELECT is((SELECT write_error FROM batch_records WHERE job_id = :b AND record_id = '2'),
    'a column to be written is not null any more', '… with the reason');
SELECT is(batch_rewrite(:b, '{stale}'), 1::bigint, '… may be overwritten, too');
CALL batch_work('60 s');
SELECT is(states(:b), '1 written, 2 written, 3 written, 4 written, 6 written', '… and is');
SELECT ask('SELECT id, body FROM t', write_if => 'always') AS c \gset
UPDATE t SET body = 'new ' || id, label = 'by hand';
CALL batch_work('60 s');
SELECT is(states(:c), '1 written, 2 written, 3 written, 4 written, 6 written',
    'write_if => ''always''');
SELECT is((SELECT guarded FROM batch_jobs WHERE job_id = :c), '{}', '… guards nothing');

--
-- What is guarded
--
CREATE VIEW v AS SELECT id AS key, upper(body) AS text, 'x' || other AS more, label FROM t;
CREATE VIEW vv AS SELECT key AS id, text || more AS mix FROM v;
CREATE TABLE u (id int PRIMARY KEY, t_id int, note text);
INSERT INTO u SELECT i, i, 'note ' || i FROM generate_series(1, 6) i;
SELECT is(guarded('SELECT id, ''x'' || body AS q FROM t', '{{q}}'), 'label body', 'an expression');
SELECT is(guarded('SELECT id, body || other AS prompt FROM t', NULL), 'label body other',
    'the column prompt');
SELECT is(guarded('SELECT id, to_jsonb(t)::text AS q FROM t', '{{q}}'),
    'label id body other at n', 'a whole row');
SELECT is(guarded('SELECT id, mix FROM vv', '{{mix}}'), 'label body other', 'a view of a view');
SELECT is(guarded('SELECT s.id, s.q FROM (SELECT id, body q FROM t WHERE id < 4) s', '{{q}}'),
    'label body', 'a subquery');
SELECT is(guarded('WITH w AS (SELECT id, body FROM t) SELECT * FROM w'), 'label body',
    'a WITH query');
SELECT is(guarded('WITH w AS MATERIALIZED (SELECT id, body FROM t),
    x AS (SELECT id, body || ''!'' AS body FROM w) SELECT * FROM x'), 'label body',
    'one of another');
SELECT is(guarded('SELECT id, body FROM t JOIN u USING (id)'), 'label body', 'a join with USING');
SELECT is(guarded('SELECT t.id, t.body, u.note FROM t JOIN u ON u.t_id = t.id', '{{note}}'),
    'label', 'a column of another table guards nothing');
SELECT is(guarded('SELECT a.id, b.body FROM t a JOIN t b ON b.id = a.id'), 'label',
    'nor does the other side of a self-join');
SELECT is(guarded('SELECT a.id, a.body || b.other AS q FROM t a JOIN t b ON b.id = a.id', '{{q}}'),
    'label body', '… the own side does');
SELECT is(guarded('WITH w AS (SELECT id, body FROM t)
    SELECT a.id, b.body FROM w a JOIN w b ON b.id = a.id'), 'label',
    'two uses of a WITH query are two');
SELECT is(guarded('SELECT id, string_agg(body, '','') AS q FROM t GROUP BY id', '{{q}}'), 'label',
    'nor does an aggregate');
SELECT is(guarded('SELECT id, body FROM t GROUP BY id'), 'label body',
    '… but a grouped column does');
SELECT is(guarded('SELECT id, lag(body) OVER (ORDER BY id) AS q FROM t', '{{q}}'), 'label',
    'nor does a window function');
SELECT is(guarded('SELECT id, body FROM t UNION ALL SELECT id, note FROM u WHERE false'), 'label',
    'nor does a set operation');
SELECT is(guarded('WITH RECURSIVE w AS (SELECT id, body FROM t WHERE id = 1 UNION
    SELECT t.id, t.body FROM t JOIN w ON t.id = w.id + 1) SELECT * FROM w'), 'label',
    'nor does a recursive query');
SELECT is(guarded('SELECT id, (SELECT note FROM u WHERE u.t_id = t.id) || body AS q FROM t',
    '{{q}}'), 'label id body', 'a subquery in an expression: what it takes from outside');
SELECT is(guarded('SELECT t.id, l.q FROM t, LATERAL (SELECT t.body || u.note AS q FROM u
    WHERE u.t_id = t.id) l', '{{q}}'), 'label body', 'LATERAL');
SELECT is(guarded('SELECT id + 0 AS id, body FROM t'), 'label',
    'a key that is computed is another row''s, perhaps');
SELECT is(guarded('SELECT id, body FROM (SELECT id + 0 AS id, body FROM t) s'), 'label',
    '… in a subquery, too');
SELECT is(guarded('SELECT t_id AS id, note AS body FROM u'), 'label', 'a key of another table');
SELECT is(guarded('SELECT id, coalesce(t.body, u.note) AS q FROM t FULL JOIN u USING (id)
    WHERE t.id IS NOT NULL', '{{q}}'), 'label', 'the merged column of a FULL JOIN is computed');
SELECT is(guarded('SELECT * FROM (VALUES (1, ''x'')) v(id, body)'), 'label', 'VALUES');
SELECT matches(
    sim.psql($$SELECT ask('SELECT t.id, u.note AS q FROM t JOIN u ON u.t_id = t.id', '{{q}}')$$),
    'NOTICE:  changes of what the query''s column "q" is made of are not all noticed',
    'a NOTICE says what is not guarded');
DELETE FROM batchinf.job;

-- partitions
CREATE TABLE p (id int, part int, body text, label text, PRIMARY KEY (id, part))
    PARTITION BY LIST (part);
CREATE TABLE p1 (junk int, label text, part int NOT NULL, body text, id int NOT NULL);
ALTER TABLE p1 DROP junk;
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
INSERT INTO p VALUES (1, 1, 'one'), (2, 1, 'two');
SELECT is(guarded('SELECT id, part, body FROM p1', target => 'p'), 'label body',
    'a partition, where the target is the table');
SELECT is(guarded('SELECT id, part, body FROM p', target => 'p1'), 'label body', '… and reversed');
SELECT ask('SELECT id, part, body FROM p', target => 'p') AS p \gset
UPDATE p1 SET body = 'edited' WHERE id = 2;
CALL batch_work('60 s');
SELECT is(states(:p), '(1,1) written, (2,1) stale', '… compared in the partition');

--
-- Text under settings that are always the same
--
UPDATE t SET label = NULL;
SELECT is(guarded('SELECT id, at || '' '' || n AS q FROM t', '{{q}}'), 'label at n',
    'columns whose text depends on settings');
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'German';
SET extra_float_digits = -5;
SELECT ask('SELECT id, at || '' '' || n AS q FROM t', '{{q}}') AS s \gset
RESET TimeZone;
RESET DateStyle;
RESET extra_float_digits;
UPDATE t SET at = at + interval '1 microsecond' WHERE id = 1;
CALL batch_work('60 s');
SELECT is(states(:s), '1 stale, 2 written, 3 written, 4 written, 6 written',
    '… are the same in another session');
SELECT is(batch_fingerprint(ROW(1, 'x')), substr(sha256('(1,x)'), 1, 16), 'batch_fingerprint');

--
-- The snapshot, rights, rows that come later, columns that go
--
UPDATE t SET label = NULL;
SELECT ask('SELECT id, body FROM t UNION ALL SELECT 7, ''seven''') AS later \gset
INSERT INTO t VALUES (7, 'seven', NULL, 'by hand');
INSERT INTO t VALUES (5, 'five');
CALL batch_work('60 s');
SELECT is(states(:later), '1 written, 2 written, 3 written, 4 written, 6 written, 7 stale',
    'a row that was not there at submit, and has a value');
CREATE ROLE unchanged_bob;
GRANT USAGE ON FOREIGN SERVER openai TO unchanged_bob;
CREATE USER MAPPING FOR unchanged_bob SERVER openai OPTIONS (api_key 'sk-sim');
GRANT SELECT (id, body), UPDATE (label) ON t TO unchanged_bob;
SET ROLE unchanged_bob;
SELECT is(guarded, '{body}', 'without SELECT on the column to be written it is not guarded')
FROM batch_jobs WHERE job_id = (
    SELECT batch_submit('SELECT id, body FROM t WHERE id = 1', server => 'openai',
        prompt => '{{body}}', target => 't', write_back => '{"label": "$"}'));
SELECT throws_ok($$SELECT batch_submit('SELECT id, body FROM t WHERE id = 2', server => 'openai',
    prompt => '{{body}}', target => 't', write_back => '{"label": "$"}', write_if => 'null')$$,
    '42501', 'permission denied for column "label" of table public.t',
    '… and cannot be asked whether it is null');
RESET ROLE;
CALL batch_work('60 s');
SELECT is((SELECT states(max(job_id)) FROM batch_jobs), '1 written', '… the row is written');
UPDATE t SET label = NULL;
SELECT ask('SELECT id, body FROM t WHERE id < 3') AS renamed \gset
ALTER TABLE t RENAME body TO content;
UPDATE t SET content = 'edited' WHERE id = 2;
CALL batch_work('60 s');
SELECT is(states(:renamed), '1 written, 2 stale', 'a guarded column that was renamed');
UPDATE t SET label = NULL;
SELECT ask('SELECT id, content FROM t WHERE id < 3', '{{content}}') AS dropped \gset
ALTER TABLE t DROP content CASCADE;
CALL batch_work('60 s');
SELECT is(states(:dropped), '1 stale, 2 stale', 'a guarded column that was dropped');
ALTER TABLE t ADD body text;
UPDATE t SET label = NULL, body = 'body ' || id;

--
-- An update that commits while the answer is being written
--
SELECT ask('SELECT id, body FROM t WHERE id < 4') AS race \gset
SELECT sim.connect('one');
SELECT dblink_exec('one', 'BEGIN');
SELECT dblink_exec('one', 'UPDATE t SET body = ''edited'' WHERE id = 2');
SELECT sim.work_beside();
CALL sim.await($$EXISTS (SELECT FROM pg_locks WHERE NOT granted)$$);
SELECT dblink_exec('one', 'COMMIT');
CALL sim.await(format($$(SELECT state = 'completed' FROM batch_jobs WHERE job_id = %s)$$, :race));
SELECT is(states(:race), '1 written, 2 stale, 3 written',
    'promise 11: decided on the row as the other transaction leaves it');
SELECT dblink_disconnect('one');
SELECT * FROM finish();
DROP OWNED BY unchanged_bob CASCADE;
DROP ROLE unchanged_bob;
