-- Jobs of another install: who sees them, who may adopt them, and whose rights they go on with.
\i lib.sql
SELECT no_plan();

CREATE ROLE adopt_alice;
CREATE ROLE adopt_bob;
CREATE ROLE adopt_member IN ROLE adopt_alice;
SELECT sim.server('openai');
SELECT sim.server('other');
GRANT USAGE ON FOREIGN SERVER openai TO adopt_alice, adopt_bob;
CREATE USER MAPPING FOR adopt_alice SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR adopt_bob SERVER openai OPTIONS (api_key 'sk-sim');
CREATE SCHEMA alice AUTHORIZATION adopt_alice;
CREATE SCHEMA tool;
GRANT USAGE ON SCHEMA tool TO PUBLIC;
CREATE FUNCTION tool.seen() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT count(*) FROM batch_jobs), (SELECT count(*) FROM batch_chunks), (SELECT count(*) FROM batch_records),
                     (SELECT count(*) > 0 FROM batch_events)) $$;

--
-- A restored job: the oids of its owner, server and table are other things' here
--
SET ROLE adopt_alice;
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'a secret') AS job \gset
RESET ROLE;
CALL batch_work('60 s');
CREATE FUNCTION tool.restore(job bigint, owner name) RETURNS void LANGUAGE sql AS $$
    UPDATE batchinf.job SET install = gen_random_uuid(), owner = (SELECT oid FROM pg_roles WHERE rolname = 'adopt_bob'), owner_name = $2,
                            server = (SELECT oid FROM pg_foreign_server WHERE srvname = 'other') WHERE job_id = $1 $$;
SELECT tool.restore(:job, 'adopt_alice');
INSERT INTO batchinf.pause (server, owner, until, reason, install, database)
SELECT s.oid, 0, now() + interval '1 hour', 'words of another server', h.uuid, h.database FROM pg_foreign_server s, batchinf.here h WHERE s.srvname = 'other';
UPDATE batchinf.chunk SET state = 'planned', next_step_at = now() WHERE job_id = :job;
SET ROLE adopt_bob;
SELECT is(tool.seen(), '0 0 0 f', 'a foreign job is not shown to a role that only has its owner''s old oid');
SELECT throws_ok(format('SELECT %s(%s)', f, :job), '42501', format('permission denied to %s batch job %s', substr(f, 7), :job), '… nor may that role call ' || f)
FROM unnest('{batch_cancel,batch_pause,batch_resume,batch_retry}'::text[]) f;
RESET ROLE;
SELECT matches(sim.psql('SET ROLE adopt_bob', format('CALL batch_wait(%s)', :job)), 'permission denied to wait for batch job', '… nor batch_wait');
SET ROLE adopt_alice;
SELECT is(tool.seen(), '1 1 1 t', '… but to the role that has its owner''s name');
SELECT is(waiting_for, NULL, '… without the pause of a server that only has its server''s old oid') FROM batch_chunks;
SELECT throws_ok(format('SELECT batch_cancel(%s)', :job), '55000', NULL, '… which cannot manage it before batch_adopt');
SET ROLE adopt_member;
SELECT is(tool.seen(), '1 1 1 t', '… and to its members');
RESET ROLE;
SELECT tool.restore(:job, 'adopt_gone');
SET ROLE adopt_alice;
SELECT is(tool.seen(), '0 0 0 f', 'a foreign job whose owner has no name here is nobody''s');
SET ROLE adopt_bob;
SELECT is(tool.seen(), '0 0 0 f', '… whatever the oid');
RESET ROLE;
SELECT is(tool.seen(), '1 1 1 t', '… but a superuser''s to see');
DELETE FROM batchinf.pause;
DELETE FROM batchinf.job WHERE job_id = :job;

DROP OWNED BY adopt_alice, adopt_bob CASCADE;
DROP ROLE adopt_alice, adopt_bob, adopt_member;
SELECT * FROM finish();
