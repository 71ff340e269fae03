-- Code of tables whose foreign keys follow a DELETE never runs with a superuser's rights
-- (promise 5).
\i lib.sql
SELECT no_plan();
SET client_min_messages = error;
SELECT sim.server('openai');
CREATE ROLE replace_evil;
CREATE SCHEMA evil AUTHORIZATION replace_evil;
CREATE TABLE witness (who text);
GRANT ALL ON witness TO PUBLIC;
CREATE TABLE parent (k int PRIMARY KEY, v text);
INSERT INTO parent VALUES (1, 'old');
GRANT REFERENCES ON parent TO replace_evil;
SET ROLE replace_evil;
CREATE FUNCTION evil.look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.witness VALUES (current_user);
    RETURN OLD;
END $$;
CREATE TABLE evil.child (k int REFERENCES public.parent ON DELETE CASCADE);
CREATE TRIGGER look AFTER DELETE ON evil.child FOR EACH ROW EXECUTE FUNCTION evil.look();
RESET ROLE;
INSERT INTO evil.child VALUES (1);
SELECT batch_submit($$SELECT 1 AS k, 'a' AS prompt$$, 'openai', target => 'parent',
    write_mode => 'replace', replace_by => 'k', write_back => '{"k": {"column": "k"}, "v": "$"}')
    AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT string_agg(who, ' ') FROM witness), NULL,
    'promise 5: a trigger behind ON DELETE CASCADE does not run as a superuser');
SELECT is((SELECT write_state || ': ' || write_error FROM batch_records WHERE job_id = :job),
    'write_failed: cannot write to "public.parent" for a superuser (Partitions, child tables or '
    'tables whose foreign keys follow it belong to other roles that are not superusers: '
    '"replace_evil".)', '… and the reason is told');
-- what deletes nothing goes on
SELECT batch_submit($$SELECT 1 AS k, 'a' AS prompt$$, 'openai', target => 'parent',
    write_back => '{"v": "$"}') AS job \gset
CALL batch_work('60 s');
SELECT is((SELECT write_state FROM batch_records WHERE job_id = :job), 'written', 'an update may');
DROP SCHEMA evil CASCADE;
SELECT is(batch_rewrite(job_id), 1::bigint, '… and a replace once that table is gone')
FROM batch_jobs ORDER BY job_id LIMIT 1;
CALL batch_work('60 s');
SELECT is((SELECT string_agg(DISTINCT write_state, ' ') FROM batch_records), 'written',
    '… is written');
REASSIGN OWNED BY replace_evil TO CURRENT_USER;
DROP OWNED BY replace_evil;
DROP ROLE replace_evil;
SELECT * FROM finish();
