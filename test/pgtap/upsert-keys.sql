-- Keys of an upsert that are NULL, or equal in a way that their text does not show.
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(record_id || ' ' || write_state, ', ' ORDER BY record_id)
    FROM batch_records WHERE job_id = job $$;

-- NULL is a key that no row has, at submit and later
CREATE TABLE entry (k text UNIQUE, v text);
INSERT INTO entry VALUES ('x', 'old'), (NULL, 'old');
SELECT batch_submit($$SELECT * FROM (VALUES (1, NULL, 'a'), (2, 'x', 'b'), (3, 'y', 'c'))
    v(id, k, prompt)$$, 'openai', target => 'entry', write_mode => 'upsert', conflict => 'k',
    write_back => '{"k": {"column": "k"}, "v": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 written, 3 written', 'a null key');
SELECT is((SELECT string_agg(COALESCE(k, '-') || CASE v WHEN 'old' THEN ' old' ELSE '' END, ', '
    ORDER BY k, v = 'old') FROM entry), 'x, y, -, - old', '… is a row of its own');
CREATE TABLE pair (a int, b text, v text, UNIQUE (a, b));
INSERT INTO pair VALUES (1, NULL, 'old');
SELECT batch_submit($$SELECT * FROM (VALUES (1, 1, NULL, 'a'), (2, NULL, 'x', 'b'),
    (3, 1, 'y', 'c')) v(id, a, b, prompt)$$, 'openai', target => 'pair', write_mode => 'upsert',
    conflict => 'a, b', write_back =>
    '{"a": {"column": "a"}, "b": {"column": "b"}, "v": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job) || (SELECT count(*) FROM pair), '1 written, 2 written, 3 written4',
    '… a part of it');
-- … beside a row that is not written: it is added once
TRUNCATE entry;
INSERT INTO entry VALUES ('x', 'old');
SELECT batch_submit($$SELECT * FROM (VALUES (1, NULL, 'a'), (2, 'x', 'b'), (3, 'y', 'c'))
    v(id, k, prompt)$$, 'openai', target => 'entry', write_mode => 'upsert', conflict => 'k',
    write_back => '{"k": {"column": "k"}, "v": "$"}') AS job \gset
UPDATE entry SET v = 'by hand';
CALL batch_work('60 s');
SELECT is(states(:job), '1 written, 2 stale, 3 written', '… beside a row that has changed');
SELECT is((SELECT string_agg(COALESCE(k, '-'), ', ' ORDER BY k) FROM entry), 'x, y, -',
    '… is added once');
CREATE TABLE doc (k jsonb UNIQUE, v text);
INSERT INTO doc VALUES ('"x"', 'old');
SELECT batch_submit($$SELECT * FROM (VALUES (1, NULL, 'a'), (2, '"x"', 'b'), (3, '"y"', 'c'))
    v(id, k, prompt)$$, 'openai', target => 'doc', write_mode => 'upsert', conflict => 'k',
    write_back => '{"k": {"column": "k"}, "v": "$"}') AS job \gset
UPDATE doc SET v = 'by hand';
CALL batch_work('60 s');
SELECT is(states(:job) || (SELECT count(*) FROM doc), '1 written, 2 stale, 3 written3',
    '… a key that is JSON');
CREATE TABLE single (k int UNIQUE NULLS NOT DISTINCT, v text);
SELECT throws_ok($$SELECT batch_submit('SELECT 1 AS k, ''a'' AS prompt', 'openai',
    target => 'single', write_mode => 'upsert', conflict => 'k',
    write_back => '{"k": {"column": "k"}, "v": "$"}')$$, '42P10', NULL,
    'an index for which nulls are equal');

-- equal for the column's collation
CREATE COLLATION "Any ""case" (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE word (k text COLLATE "Any ""case" PRIMARY KEY, v text);
SELECT batch_submit($$SELECT * FROM (VALUES (1, 'A', '[[sim:say=one]]'),
    (2, 'a', '[[sim:say=two]]')) v(id, k, prompt)$$, 'openai', target => 'word',
    write_mode => 'upsert', write_back => '{"k": {"column": "k"}, "v": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job) || (SELECT string_agg((k || v) COLLATE "C", ' ') FROM word),
    'A write_failed, a writtenatwo', 'of keys that are equal for their collation one counts');
-- … and for that of another index only: rows are found by the column's
CREATE TABLE other_index (k text, v text);
CREATE UNIQUE INDEX ON other_index (k COLLATE "Any ""case");
SELECT throws_ok($$SELECT batch_submit('SELECT 1 AS k, ''a'' AS prompt', 'openai',
    target => 'other_index', write_mode => 'upsert', conflict => 'k',
    write_back => '{"k": {"column": "k"}, "v": "$"}')$$, '42P10', NULL,
    'an index for which other keys are equal');
CREATE UNIQUE INDEX ON other_index (k COLLATE "C");
SELECT isnt(batch_submit('SELECT 1 AS k, ''a'' AS prompt', 'openai', target => 'other_index',
    write_mode => 'upsert', conflict => 'k', write_back => '{"k": {"column": "k"}, "v": "$"}'),
    NULL, '… but not one for which the same are');

-- equal once the column has rounded them
CREATE TABLE price (k numeric(5, 2) PRIMARY KEY, v text);
INSERT INTO price VALUES (1.00, 'old');
SELECT batch_submit($$SELECT * FROM (VALUES (1, 1.001, '[[sim:say=one]]'),
    (2, 2.001, '[[sim:say=two]]'), (3, 1.999, '[[sim:say=three]]')) v(id, k, prompt)$$, 'openai',
    target => 'price', write_mode => 'upsert', write_back => '{"k": {"column": "k"}, "v": "$"}')
    AS job \gset
CALL batch_work('60 s');
SELECT is(states(:job) || (SELECT string_agg(' ' || k || v, '' ORDER BY k) FROM price),
    '1.001 written, 1.999 written, 2.001 write_failed 1.00one 2.00three',
    'keys that the column rounds');
CREATE TABLE rounded (k numeric(5, 2), n int);
INSERT INTO rounded VALUES (1.00, 0), (2.00, 0);
SELECT batch_submit($$SELECT id, k, 'a' AS prompt FROM (VALUES (1, 1.001), (2, 1.002), (3, 3))
    v(id, k)$$, 'openai', target => 'rounded', write_mode => 'replace', replace_by => 'k',
    write_back => '{"k": {"column": "k"}, "n": {"column": "id"}}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(k || ' ' || n, ', ' ORDER BY k, n) FROM rounded),
    '1.00 1, 1.00 2, 2.00 0, 3.00 3', '… values that are replaced');

-- a trigger makes other keys of them
CREATE TABLE lowered (k text PRIMARY KEY, v text);
CREATE FUNCTION lower_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.k := lower(NEW.k);
    RETURN NEW;
END $$;
CREATE TRIGGER l BEFORE INSERT ON lowered FOR EACH ROW EXECUTE FUNCTION lower_key();
INSERT INTO lowered VALUES ('a', 'old');
SELECT batch_submit($$SELECT * FROM (VALUES (1, 'A', '[[sim:say=one]]'),
    (2, 'B', '[[sim:say=two]]'), (3, 'C', '[[sim:say=three]]')) v(id, k, prompt)$$, 'openai',
    key => 'id', target => 'lowered', write_mode => 'upsert',
    write_back => '{"k": {"column": "k"}, "v": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(k || v, ' ' ORDER BY k) FROM lowered), 'aold btwo cthree',
    'keys that a trigger changes: new ones are added');
SELECT is(states(:job), '1 target_missing, 2 written, 3 written', '… and told to be');
SELECT is(batch_revert(:job), 2::bigint, '… so that they can be taken back');
SELECT is((SELECT string_agg(k || v, ' ') FROM lowered), 'aold', '… which they are');
SELECT * FROM finish();
