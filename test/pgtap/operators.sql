-- Keys are compared by the operator of their type, whatever operators others have made; and keys of
-- any length are remembered.
\i lib.sql
CREATE EXTENSION IF NOT EXISTS citext;
SELECT no_plan();
SELECT sim.server('openai');
CREATE ROLE op_ann;
CREATE ROLE op_mallory;
GRANT USAGE ON FOREIGN SERVER openai TO op_ann;
CREATE USER MAPPING FOR op_ann SERVER openai OPTIONS (api_key 'sk-sim');
GRANT CREATE ON SCHEMA public TO op_ann, op_mallory;

SET ROLE op_ann;
CREATE DOMAIN code AS citext;
CREATE TABLE parts (id code PRIMARY KEY, body text, label text);
INSERT INTO parts VALUES ('A', 'first'), ('B', 'second');
SET ROLE op_mallory;
CREATE TABLE caught (who name);
GRANT INSERT ON caught TO op_ann;
CREATE FUNCTION same(code, code) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.caught VALUES (current_user);
    RETURN true;
END $$;
CREATE OPERATOR public.= (leftarg = code, rightarg = code, function = same);
SET ROLE op_ann;
SELECT batch_submit('SELECT id, body FROM parts', 'openai', prompt => '{{body}}',
    target => 'parts', write_back => '{"label": "$"}') AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is((SELECT string_agg(right(label, 6), ',' ORDER BY id) FROM parts), ' first,second',
    'each row has its own answer');
SET ROLE op_ann;
CREATE TABLE copies (id code PRIMARY KEY, label text);
INSERT INTO copies VALUES ('b', 'old');
SELECT batch_submit('SELECT id, body FROM parts', 'openai', prompt => '{{body}}',
    target => 'copies', write_mode => 'upsert', write_if => 'always',
    write_back => '{"id": {"column": "id"}, "label": "$"}') AS job \gset
RESET ROLE;
CALL batch_work('60 s');
SELECT is((SELECT string_agg(id || right(label, 6), ',' ORDER BY id) FROM copies),
    'A first,bsecond', '… and each of an upsert');
SELECT is((SELECT count(*) FROM caught), 0::bigint,
    'an operator that somebody made for the domain of a key is not called');

-- keys that are too long for an index
CREATE TABLE texts (id text, body text, label text);
INSERT INTO texts SELECT string_agg(md5(i::text), ''), 'long', NULL FROM generate_series(1, 400) i;
INSERT INTO texts VALUES ('short', 'short', NULL);
SELECT batch_create_pipeline('long', 'SELECT id, body FROM texts', 'openai', prompt => '{{body}}',
    key => 'id', target => 'texts', write_back => '{"label": "$"}');
SELECT isnt(batch_refresh('long'), NULL, 'a pipeline with a long key');
CALL batch_work('60 s');
SELECT is((SELECT count(label) FROM texts), 2::bigint, '… saves its answers');
SELECT is(batch_refresh('long'), NULL, '… and sends nothing again');
SELECT is(batch_forget('long', ARRAY(SELECT id FROM texts)), 2::bigint, '… until it is forgotten');
UPDATE texts SET label = NULL;
SELECT isnt(batch_refresh('long'), NULL, '… then it is due');
CALL batch_work('60 s');
SELECT is((SELECT count(label) FROM texts), 2::bigint, '… and written');

-- times beyond all calendars
SELECT throws_ok(format(
    $$SELECT batch_create_pipeline('far', 'SELECT id, body FROM texts', 'openai',
        prompt => '{{body}}', %s => '100000000 years')$$, argument), '22023',
    'arguments "every", "max_age" and "retry_failed_after" must be at most 1000 years', argument)
FROM unnest('{every,max_age,retry_failed_after}'::text[]) argument;
SELECT * FROM finish();
DROP OWNED BY op_ann, op_mallory CASCADE;
DROP ROLE op_ann, op_mallory;
