-- An UPDATE that changes no row although the row is there, for example because a trigger or a
-- policy skips it, is recorded as such.
\i lib.sql
SELECT no_plan();
SELECT sim.server('openai');
CREATE FUNCTION ask(target regclass, say text DEFAULT 'new',
    write_back jsonb DEFAULT '{"answer": "$"}')
RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(
        format('SELECT id, %L AS p FROM %s ORDER BY id', format('[[sim:say=%s]]', say), target),
        server => 'openai', prompt => '{{p}}', key => 'id', target => target,
        write_back => write_back) $$;
CREATE FUNCTION told(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', record_id, write_state, write_error), ', ' ORDER BY record_id)
    FROM batch_records WHERE job_id = job $$;

CREATE TABLE redundant (id int PRIMARY KEY, answer text, doc json, n numeric(6, 2));
INSERT INTO redundant VALUES
    (1, '{"a":1}', '{"a":1}', 1), (2, 'old', NULL, NULL), (4, '{"a":1}', '{"a":1}', 1);
CREATE TRIGGER same BEFORE UPDATE ON redundant FOR EACH ROW
EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT ask('redundant', '{%22a%22:1}', '{"answer": "$", "doc": "$", "n": "$.a"}') AS redundant \gset

-- Row 1 is kept, row 2 written, row 3 removed; the trigger is asked row by row and as a group.
CREATE TABLE kept (id int PRIMARY KEY, answer text);
INSERT INTO kept SELECT generate_series(1, 3);
CREATE FUNCTION keep_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN OLD.id <> 1 THEN NEW END;
END $$;
CREATE TRIGGER keep BEFORE UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION keep_row();
SELECT ask('kept') AS kept \gset
DELETE FROM kept WHERE id = 3;
DELETE FROM redundant WHERE id = 4;

-- A policy for UPDATE that is narrower than the one for SELECT; what SELECT does not show is
-- missing, as before.
CREATE ROLE untouched_owner;
GRANT USAGE ON FOREIGN SERVER openai TO untouched_owner;
CREATE USER MAPPING FOR untouched_owner SERVER openai OPTIONS (api_key 'sk-sim');
CREATE TABLE guarded (id int PRIMARY KEY, shown bool DEFAULT true, answer text);
INSERT INTO guarded SELECT generate_series(1, 3);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY show ON guarded FOR SELECT USING (shown);
CREATE POLICY change ON guarded FOR UPDATE USING (id > 1);
GRANT SELECT (id, shown), UPDATE (answer) ON guarded TO untouched_owner;
SET ROLE untouched_owner;
SELECT ask('guarded') AS guarded \gset
RESET ROLE;
UPDATE guarded SET shown = false WHERE id = 3;

CREATE TABLE parted (id int, answer text) PARTITION BY LIST (answer);
CREATE TABLE parted_old PARTITION OF parted FOR VALUES IN ('old');
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
INSERT INTO parted VALUES (1, 'old');
SELECT ask('parted') AS parted \gset

CALL batch_work('60 s');
SELECT is(told(:redundant), '1 written, 2 written, 4 target_missing',
    'suppress_redundant_updates_trigger: the row that has the value already is written');
SELECT is(string_agg(concat_ws(' ', id, answer, doc, n), ', ' ORDER BY id),
    '1 {"a":1} {"a":1} 1.00, 2 {"a":1} {"a":1} 1.00', '… as it should be')
FROM redundant;
SELECT is(
    told(:kept),
    '1 write_failed a trigger or policy of the table kept the row from being updated, 2 written, '
    '3 target_missing',
    'a trigger that returns NULL: the row is there, and has failed');
SELECT is(
    told(:guarded),
    '1 write_failed a trigger or policy of the table kept the row from being updated, 2 written, '
    '3 target_missing',
    'so has one that a policy keeps from UPDATE, but not one that the owner cannot see');
SELECT is(told(:parted), '1 written', 'a row that moves to another partition is written');
DROP OWNED BY untouched_owner;
DROP ROLE untouched_owner;
SELECT * FROM finish();
