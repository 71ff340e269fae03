-- Jobs of another installation are foreign. The test proves who sees them, who may adopt them with
-- batch_adopt, and with whose rights they go on. A foreign job is made by changing the installation
-- that batchinf.job names.
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
    SELECT concat_ws(' ', (SELECT count(*) FROM batch_jobs), (SELECT count(*) FROM batch_chunks),
        (SELECT count(*) FROM batch_records), (SELECT count(*) > 0 FROM batch_events)) $$;

--
-- A restored job: the oids of its owner, server and table are other things' here
--
SET ROLE adopt_alice;
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'a secret') AS job \gset
RESET ROLE;
CALL batch_work('60 s');
CREATE FUNCTION tool.restore(job bigint, owner name) RETURNS void LANGUAGE sql AS $$
    UPDATE batchinf.job
    SET install = gen_random_uuid(), owner = (SELECT oid FROM pg_roles WHERE rolname = 'adopt_bob'),
        owner_name = $2, server = (SELECT oid FROM pg_foreign_server WHERE srvname = 'other')
    WHERE job_id = $1 $$;
SELECT tool.restore(:job, 'adopt_alice');
INSERT INTO batchinf.pause (server, owner, until, reason, install, database)
SELECT s.oid, 0, now() + interval '1 hour', 'words of another server', h.uuid, h.database
FROM pg_foreign_server s, batchinf.here h WHERE s.srvname = 'other';
UPDATE batchinf.chunk SET state = 'planned', next_step_at = now() WHERE job_id = :job;
SET ROLE adopt_bob;
SELECT is(tool.seen(), '0 0 0 f',
    'a foreign job is not shown to a role that only has its owner''s old oid');
SELECT throws_ok(format('SELECT %s(%s)', f, :job), '42501',
    format('permission denied to %s batch job %s', substr(f, 7), :job),
    '… nor may that role call ' || f)
FROM unnest('{batch_cancel,batch_pause,batch_resume,batch_retry}'::text[]) f;
RESET ROLE;
SELECT matches(sim.psql('SET ROLE adopt_bob', format('CALL batch_wait(%s)', :job)),
    'permission denied to wait for batch job', '… nor batch_wait');
SET ROLE adopt_alice;
SELECT is(tool.seen(), '1 1 1 t', '… but to the role that has its owner''s name');
SELECT is(waiting_for, NULL, '… without the pause of a server that only has its server''s old oid')
FROM batch_chunks;
SELECT throws_ok(format('SELECT batch_retry(%s)', :job), '55000', NULL,
    '… which cannot manage it before batch_adopt');
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

--
-- Adoption changes nobody's rights: a table's trigger, a superuser who adopts
--
CREATE TABLE tool.witness (who text DEFAULT current_user);
GRANT INSERT ON tool.witness TO PUBLIC;
SET ROLE adopt_alice;
CREATE TABLE alice.t (id int PRIMARY KEY, answer text);
INSERT INTO alice.t VALUES (1);
CREATE FUNCTION alice.attack() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tool.witness DEFAULT VALUES;
    BEGIN
        ALTER ROLE adopt_alice SUPERUSER;
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    RETURN NEW;
END $$;
CREATE TRIGGER attack BEFORE UPDATE ON alice.t FOR EACH ROW EXECUTE FUNCTION alice.attack();
CREATE FUNCTION alice.ask() RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT id FROM alice.t', server => 'openai', prompt => 'x',
        target => 'alice.t', write_back => '{"answer": "$"}', in_flight => 'send',
        write_if => 'always') $$;
SELECT alice.ask() AS job \gset
RESET ROLE;
SELECT tool.restore(:job, 'adopt_alice');
SELECT batch_adopt(:job) AS x \gset
SELECT is(owner::text, 'adopt_alice',
    'promise 5: a job that a superuser adopts goes on as the role that has its owner''s name')
FROM batch_jobs WHERE job_id = :job;
CALL batch_work('60 s');
SELECT is(state || ' ' || written, 'completed 1', '… and is done') FROM batch_jobs
WHERE job_id = :job;
SELECT is(string_agg(who, ','), 'adopt_alice',
    'promise 5: … its target''s trigger ran as that role')
FROM tool.witness;
SELECT is(rolsuper, false, 'promise 5: … and made nobody a superuser') FROM pg_roles
WHERE rolname = 'adopt_alice';

--
-- Who may adopt, and what an owner may be named
--
CREATE FUNCTION tool.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    m text;
    d text;
    h text;
    c text;
BEGIN
    EXECUTE call;
    RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT,
    c = PG_EXCEPTION_CONTEXT;
    RETURN concat_ws(' | ', sqlstate, m, NULLIF(d, ''), NULLIF(h, ''),
        substring(c FROM 'adoption of [^\n]*'));
END $$;
CREATE ROLE adopt_boss SUPERUSER;
SET ROLE adopt_alice;
SELECT alice.ask() AS job \gset
RESET ROLE;
SELECT tool.restore(:job, 'adopt_alice');
SET ROLE adopt_bob;
SELECT is(
    tool.refused(format('SELECT batch_adopt(%s)', :job)),
    format(
        '42501 | permission denied to adopt batch job %s | Only a superuser, '
        'or a member of the role "adopt_alice" that it belonged to, may do this.',
        :job),
    'a stranger, though with the owner''s old oid, may not adopt');
SELECT is(
    tool.refused(format('SELECT batch_adopt(%s, ''adopt_bob'')', :job)),
    format(
        '42501 | permission denied to adopt batch job %s | Only a superuser may name the role that '
        'a job goes on as.',
        :job),
    '… nor name himself');
SET ROLE adopt_alice;
SELECT matches(tool.refused(format('SELECT batch_adopt(%s, ''adopt_alice'')', :job)),
    '^42501 .*Only a superuser may name', '… nor may the owner name one');
RESET ROLE;
SELECT is(
    tool.refused(format('SELECT batch_adopt(%s, owner => ''adopt_bob'')', :job)),
    format(
        '22023 | cannot name another owner for batch job %s | The role "adopt_alice" that it '
        'belonged to exists. | Use batch_adopt(%1$s) to let it go on as that role.',
        :job),
    'a superuser names no other owner while the former one exists');
ALTER ROLE adopt_alice SUPERUSER;
SELECT is(
    tool.refused(format('SELECT batch_adopt(%s)', :job)),
    format(
        '42501 | batch job %s cannot go on as the superuser "adopt_alice" '
        '| Its owner is not known to have been a superuser. | As a superuser, '
        'name a role that is not one: batch_adopt(%1$s, owner => ''role'').',
        :job),
    'promise 5: a role that is a superuser here gets no ordinary role''s job');
ALTER ROLE adopt_alice NOSUPERUSER;
REVOKE USAGE ON FOREIGN SERVER openai FROM adopt_alice;
SELECT is(
    tool.refused(format('SELECT batch_adopt(%s)', :job)),
    format(
        '42501 | permission denied for foreign server openai | adoption of batch job %s for role '
        '"adopt_alice"',
        :job),
    'promise 5: the owner''s rights count, not the caller''s: USAGE on the server');
GRANT USAGE ON FOREIGN SERVER openai TO adopt_alice;
ALTER TABLE alice.t OWNER TO adopt_bob;
SELECT matches(tool.refused(format('SELECT batch_adopt(%s)', :job)),
    '^42501 \| permission denied for column "id" of target table "t" .*for role "adopt_alice"$',
    '… rights on the target');
ALTER TABLE alice.t OWNER TO adopt_alice;
ALTER SCHEMA alice OWNER TO adopt_bob;
SELECT matches(tool.refused(format('SELECT batch_adopt(%s)', :job)),
    '^42501 \| permission denied for schema alice', '… USAGE on its schema');
ALTER SCHEMA alice OWNER TO adopt_alice;
SET ROLE adopt_member;
SELECT is(batch_adopt(:job)::text, '', 'a member of the former owner adopts');
SELECT is(owner::text, 'adopt_alice', '… and the job is the former owner''s') FROM batch_jobs
WHERE job_id = :job;
SELECT matches(tool.refused(format('SELECT batch_adopt(%s)', :job)),
    format('^55000 \| batch job %s is not foreign', :job), '… once');
RESET ROLE;

-- the former owner does not exist
SELECT tool.restore(:job, 'adopt_gone');
SELECT is(
    tool.refused(format('SELECT batch_adopt(%s)', :job)),
    format(
        '42704 | the owner of batch job %s does not exist | It belonged to a role "adopt_gone". '
        '| Name the role that it goes on as: batch_adopt(%1$s, owner => ''role'').',
        :job),
    'a job whose owner does not exist: the error says what to do');
SELECT matches(tool.refused(format('SELECT batch_adopt(%s, ''adopt_boss'')', :job)),
    '^42501 \| batch job \d+ cannot go on as the superuser "adopt_boss"',
    'promise 5: … a superuser cannot be named for an ordinary role''s job');
SELECT matches(tool.refused(format('SELECT batch_adopt(%s, ''adopt_bob'')', :job)),
    '^42501 .*for role "adopt_bob"$', '… nor who lacks rights');
GRANT USAGE ON SCHEMA alice TO adopt_bob;
GRANT SELECT, UPDATE ON alice.t TO adopt_bob;
SET ROLE adopt_alice;
SELECT matches(tool.refused(format('SELECT batch_adopt(%s)', :job)),
    '^42501 .*for the job of a role that does not exist', '… nor does an ordinary role get it');
RESET ROLE;
SELECT is(batch_adopt(:job, owner => 'adopt_bob')::text, '', '… who has them can be named');
SELECT is(owner::text, 'adopt_bob', '… and is the owner') FROM batch_jobs WHERE job_id = :job;
TRUNCATE tool.witness;
UPDATE batchinf.chunk SET next_step_at = now() WHERE job_id = :job;
CALL batch_work('60 s');
SELECT is(state || ' ' || written, 'completed 1', '… the job is done') FROM batch_jobs
WHERE job_id = :job;
SELECT is(string_agg(who, ','), 'adopt_bob', 'promise 5: … with his rights') FROM tool.witness;

-- a superuser's job; and one of 0.1.0, which did not say
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS boss_job,
    batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS old_job \gset
SELECT tool.restore(:boss_job, current_user), tool.restore(:old_job, current_user);
UPDATE batchinf.job SET spec = spec - 'owner_superuser' WHERE job_id = :old_job;
SELECT lives_ok(format('SELECT batch_adopt(%s)', :boss_job),
    'a superuser''s job goes on as the superuser of that name');
SELECT is(owner::text, current_user::text, '… whose it is') FROM batch_jobs
WHERE job_id = :boss_job;
SELECT matches(tool.refused(format('SELECT batch_adopt(%s)', :old_job)),
    '^42501 \| batch job \d+ cannot go on as the superuser', 'a job of 0.1.0 does not');
SELECT lives_ok(format('SELECT batch_adopt(%s, owner => ''adopt_bob'')', :old_job),
    '… a role that is no superuser can be named for it');
SELECT is(owner::text, 'adopt_bob', '… whose it is') FROM batch_jobs WHERE job_id = :old_job;
SELECT tool.restore(:boss_job, 'adopt_gone');
SELECT batch_adopt(:boss_job, owner => 'adopt_bob') AS x \gset
SELECT tool.restore(:boss_job, 'adopt_boss');
SELECT matches(tool.refused(format('SELECT batch_adopt(%s)', :boss_job)),
    '^42501 \| batch job \d+ cannot go on as the superuser',
    'promise 5: a job that an ordinary role has had is no superuser''s any more');
SELECT batch_adopt(:boss_job, owner => 'adopt_bob') AS x \gset

-- all of them
SET ROLE adopt_alice;
SELECT alice.ask() AS alice1, alice.ask() AS alice2, alice.ask() AS gone \gset
SET ROLE adopt_bob;
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS bob1,
    batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS bob2 \gset
RESET ROLE;
SELECT tool.restore(j, 'adopt_alice') FROM unnest(ARRAY[:alice1, :alice2]) j;
SELECT tool.restore(j, 'adopt_bob') FROM unnest(ARRAY[:bob1, :bob2]) j;
SELECT tool.restore(:gone, 'adopt_gone');
UPDATE batchinf.job SET server_name = 'no_such_server' WHERE job_id = :bob1;
CREATE FUNCTION tool.owners(VARIADIC jobs bigint[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(owner || ' ' || (state <> 'foreign'), ', ' ORDER BY job_id) FROM batch_jobs
    WHERE job_id = ANY (jobs) $$;
SET ROLE adopt_alice;
SELECT batch_adopt(NULL) AS x \gset
RESET ROLE;
SELECT is(tool.owners(:alice1, :alice2, :gone, :bob1, :bob2),
    'adopt_alice true, adopt_alice true, adopt_gone false, adopt_bob false, adopt_bob false',
    'batch_adopt(NULL): what belonged to the caller by name');
SELECT matches(
    sim.psql('SELECT batch_adopt(NULL)'),
    format(
        'WARNING:  batch job %s was not adopted: the owner of batch job %1$s does not '
        'exist.*HINT:  Name the role.*WARNING:  batch job %s was not adopted: server '
        '"no_such_server" does not exist',
        :gone, :bob1),
    'promise 4: … by a superuser: what cannot be adopted is told');
SELECT is(tool.owners(:gone, :bob1, :bob2), 'adopt_gone false, adopt_bob false, adopt_bob true',
    '… and stops no other job, each of which is its owner''s');
UPDATE batchinf.job SET server_name = 'openai' WHERE job_id = :bob1;
SELECT batch_adopt(NULL, owner => 'adopt_bob') AS x \gset
SELECT is(tool.owners(:gone, :bob1), 'adopt_bob true, adopt_bob false',
    '… with an owner named: what nobody can have by name');
SELECT batch_adopt(NULL) AS x \gset

-- in its own install, an owner who was dropped
CREATE ROLE adopt_eve;
GRANT USAGE ON FOREIGN SERVER openai TO adopt_eve;
CREATE USER MAPPING FOR adopt_eve SERVER openai OPTIONS (api_key 'sk-sim');
SET ROLE adopt_eve;
SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x') AS job \gset
RESET ROLE;
DROP OWNED BY adopt_eve;
DROP ROLE adopt_eve;
CREATE ROLE adopt_eve;
GRANT USAGE ON FOREIGN SERVER openai TO adopt_eve;
SET ROLE adopt_eve;
SELECT is(tool.seen(), '0 0 0 f',
    'a job whose owner was dropped is not shown to a new role of that name');
SELECT matches(tool.refused(format('SELECT batch_adopt(%s)', :job)),
    '^42501 .*for the job of a role that does not exist', '… which cannot adopt it');
RESET ROLE;
SELECT matches(tool.refused(format('SELECT batch_adopt(%s)', :job)),
    '^42704 .*Name the role that it goes on as', '… nor can a superuser for nobody');
SELECT lives_ok(format('SELECT batch_adopt(%s, ''adopt_bob'')', :job),
    '… but for a role that is named');
SELECT is(owner::text, 'adopt_bob', '… whose it is') FROM batch_jobs WHERE job_id = :job;

DROP OWNED BY adopt_eve;
DROP ROLE adopt_eve, adopt_boss;
DROP OWNED BY adopt_alice, adopt_bob CASCADE;
DROP ROLE adopt_alice, adopt_bob, adopt_member;
SELECT * FROM finish();
