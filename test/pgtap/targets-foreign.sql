-- Foreign tables of postgres_fdw as targets: what is written and what is sent there, guards, remote
-- errors, a remote commit without the local one, servers that are down or hang, foreign partitions,
-- and with whose rights and user mapping the connection is made.
\i lib.sql
SELECT no_plan();

CREATE ROLE foreign_app LOGIN;
CREATE ROLE foreign_mallory LOGIN;
CREATE ROLE foreign_boss SUPERUSER;
SELECT sim.server('openai');
GRANT USAGE ON FOREIGN SERVER openai TO foreign_app, foreign_mallory;
CREATE USER MAPPING FOR foreign_app SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR foreign_mallory SERVER openai OPTIONS (api_key 'sk-sim');
CREATE USER MAPPING FOR foreign_boss SERVER openai OPTIONS (api_key 'sk-sim');

-- The remote side: another database of the same cluster, which logs what foreign_app sends.
SELECT split_part(current_setting('unix_socket_directories'), ',', 1) AS socket \gset
SELECT current_setting('port') AS port \gset
DROP DATABASE IF EXISTS foreign_far;
CREATE DATABASE foreign_far;
ALTER ROLE foreign_app IN DATABASE foreign_far SET log_statement = 'all';
CREATE FUNCTION far(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    target text := format('host=%s port=%s dbname=foreign_far user=postgres',
        split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'));
BEGIN
    IF command ~* '^select' THEN
        SELECT * INTO answer FROM dblink(target, command) AS t(answer text);
    ELSE
        answer := dblink_exec(target, command);
    END IF;
    RETURN answer;
END $$;
SELECT far('CREATE TABLE t (id int PRIMARY KEY, body text, '
    'label text CHECK (label <> ''checked''))');
SELECT far('INSERT INTO t SELECT i, ''body '' || i FROM generate_series(1, 1000) i');
SELECT far('CREATE TABLE keys (a varchar(9), b jsonb, label text)');
SELECT far('INSERT INTO keys VALUES (''x'', ''1'', NULL), (''y'', ''null'', NULL)');
SELECT far('CREATE TABLE cut (a char(5), b bit(3), label text)');
SELECT far('INSERT INTO cut VALUES (''ab'', B''101'', NULL), (''ac'', B''100'', NULL)');
SELECT far('CREATE TABLE witness (who text DEFAULT current_user)');
SELECT far('CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN '
    'INSERT INTO public.witness DEFAULT VALUES; '
    'IF NEW.id = 6 THEN RETURN NULL; END IF; '
    'IF NEW.id = 7 THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $f$');
SELECT far('CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()');
SELECT far('GRANT SELECT, UPDATE ON t, keys, cut TO PUBLIC; GRANT INSERT ON witness TO PUBLIC');

CREATE EXTENSION postgres_fdw;
SELECT format('CREATE SERVER %I FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, '
    'dbname %L)', name, :'socket', :'port', db)
FROM (VALUES ('far', 'foreign_far'), ('here', current_database()), ('hostile', 'foreign_far'))
    v(name, db)
\gexec
ALTER SERVER hostile OWNER TO foreign_mallory;
CREATE USER MAPPING FOR foreign_app SERVER far
    OPTIONS (user 'foreign_app', password_required 'false');
CREATE USER MAPPING FOR foreign_app SERVER hostile
    OPTIONS (user 'foreign_app', password_required 'false');
CREATE USER MAPPING FOR foreign_app SERVER here
    OPTIONS (user 'foreign_app', password_required 'false');
GRANT USAGE ON FOREIGN SERVER far, here, hostile TO foreign_app;
CREATE FOREIGN TABLE ft (id int, body text, label text) SERVER far OPTIONS (table_name 't');
CREATE FOREIGN TABLE fkeys (a varchar(9), b jsonb, label text) SERVER far
    OPTIONS (table_name 'keys');
CREATE FOREIGN TABLE fcut (a char(5), b bit(3), label text) SERVER far OPTIONS (table_name 'cut');
GRANT SELECT, UPDATE ON ft, fkeys, fcut TO foreign_app;

-- What foreign_app has sent since then, as the remote server has logged it: a statement a line.
CREATE TABLE log_place AS SELECT 0::bigint AS at;
CREATE FUNCTION log_begin() RETURNS void LANGUAGE sql AS $$
    UPDATE log_place SET at = (pg_stat_file(
        split_part(current_setting('unix_socket_directories'), ',', 1) || '/log')).size $$;
CREATE FUNCTION log_text() RETURNS text LANGUAGE sql AS $$
    SELECT pg_read_file(
        split_part(current_setting('unix_socket_directories'), ',', 1) || '/log', at, 10000000)
    FROM log_place $$;
-- of the remote database only
CREATE FUNCTION sent() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT line FROM regexp_split_to_table(log_text(), E'\n(?=\\d{4}-\\d\\d-\\d\\d )') line
    WHERE line ~ 'client backend foreign_far (LOG|DETAIL)' $$;

CREATE FUNCTION ask(query text, target text, key text DEFAULT 'id',
    write_if text DEFAULT 'unchanged', label text DEFAULT 'new') RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit(query, server => 'openai', target => target::regclass, key => key,
        prompt => 'PROMPTWORD [[sim:say=' || label || ']] {{body}}',
        write_back => '{"label": "$"}', write_if => write_if) $$;
CREATE FUNCTION states(job bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(record_id || ' ' || write_state, ', ' ORDER BY seq) FROM batch_records
    WHERE job_id = job $$;
CREATE FUNCTION told(job bigint, record text) RETURNS text LANGUAGE sql AS $$
    SELECT write_error FROM batch_records WHERE job_id = job AND record_id = record $$;
CREATE FUNCTION refused(target text, key text DEFAULT 'id', wb jsonb DEFAULT '{"label": "$"}')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM batch_submit('SELECT 1 AS id, ''x'' AS body', server => 'openai',
        prompt => '{{body}}', target => target::regclass, write_back => wb, key => key,
        write_if => 'always');
    RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''));
END $$;
CREATE FUNCTION all_wait(job bigint) RETURNS void LANGUAGE sql AS $$
    SELECT sim.work_until(format(
        '(SELECT bool_and(write_state IS NOT DISTINCT FROM ''waiting'') FROM batch_records '
        'WHERE job_id = %s)', job)) $$;

--
-- Written, stale, missing, refused
--
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM ft WHERE id <= 6', 'ft') AS job \gset
RESET ROLE;
SELECT is((SELECT guarded FROM batch_jobs WHERE job_id = :job), '{label,body}',
    'a foreign table is guarded as a table is');
SELECT far('UPDATE t SET body = ''edited'' WHERE id = 2');
SELECT far('UPDATE t SET label = ''by hand'' WHERE id = 3');
SELECT far('DELETE FROM t WHERE id = 4');
SELECT log_begin();
CALL batch_work('20 s');
SELECT is(states(:job),
    '1 written, 2 stale, 3 stale, 4 target_missing, 5 written, 6 write_failed',
    'promise 11: rows of a foreign table that have changed since they were sent stay as they are');
SELECT is(far('SELECT string_agg(id || '' '' || label, '', '' ORDER BY id) FROM t'),
    '1 new, 3 by hand, 5 new', '… the remote table has the others');
SELECT is(told(:job, '6'), 'a trigger or policy of the table kept the row from being updated',
    'a remote trigger that returns NULL has the reason');
SELECT ok(bool_and(line ~ 'WHERE \(\(id = ANY \(\$1::integer\[\]\)\)\)'),
    'each SELECT that is sent has the keys: no other row is fetched, or locked there')
FROM sent() line WHERE line ~ 'SELECT .* FROM public\.t';
SELECT ok(count(*) > 0, '… and the rows are locked there') FROM sent() line
WHERE line ~ 'FROM public\.t WHERE .* FOR UPDATE';
SELECT is(
    (SELECT array_agg(DISTINCT line) FROM (
        SELECT regexp_replace(line, '.*(LOG|DETAIL):  ([a-z]+ )(c\d+|<unnamed>|pgsql_fdw\S+)?:? *',
            '') AS line FROM sent() line) l WHERE line ~ '(PROMPTWORD|sk-|sim:say|fingerprint)'),
    NULL, 'promise 6: no prompt and no key goes there');
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM ft WHERE id IN (8, 9)', 'ft', label => 'checked') AS job \gset
RESET ROLE;
CALL batch_work('20 s');
SELECT is(states(:job), '8 write_failed, 9 write_failed', 'a remote constraint');
SELECT matches(told(:job, '8'), 'violates check constraint "t_label_check"', '… is told');
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM ft WHERE id IN (8, 9)', 'ft', write_if => 'null') AS job \gset
RESET ROLE;
SELECT far('UPDATE t SET label = ''by hand'' WHERE id = 8');
CALL batch_work('20 s');
SELECT is(states(:job), '8 stale, 9 written', 'write_if => ''null''');

-- keys of other types, and of several columns
SET ROLE foreign_app;
SELECT ask('SELECT a, b, a AS body FROM fkeys', 'fkeys', 'a, b') AS job \gset
RESET ROLE;
SELECT log_begin();
CALL batch_work('20 s');
SELECT is(states(:job), '(x,1) written, (y,null) written', 'a key of varchar and jsonb');
SELECT ok(count(*) > 0, '… each column''s values are sent') FROM sent() line
WHERE line ~ 'a = ANY \(\$1::text\[\]\)\)\) AND \(\(b = ANY \(\$2::jsonb\[\]\)\)\) FOR UPDATE';
SET ROLE foreign_app;
SELECT ask('SELECT a, b, a AS body FROM fcut', 'fcut', 'a, b') AS job \gset
RESET ROLE;
CALL batch_work('20 s');
SELECT is(far('SELECT count(label)::text FROM cut'), '2', 'a key of char and bit is not cut');

-- rows in flight
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM ft WHERE id IN (20, 21)', 'ft') AS job \gset
SELECT ask('SELECT id, body FROM ft WHERE id IN (21, 22)', 'ft') AS second \gset
RESET ROLE;
SELECT is((SELECT already_in_flight FROM batch_jobs WHERE job_id = :second), 1::bigint,
    'rows of a foreign table that are in an open job are left out');
CALL batch_work('20 s');
SELECT is(states(:job) || ', ' || states(:second), '20 written, 21 written, 22 written', '…');

--
-- Two commits: the remote one, and ours
--
SELECT far('UPDATE t SET label = NULL WHERE id >= 30');
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM ft WHERE id IN (30, 31)', 'ft') AS job \gset
RESET ROLE;
-- as a crash between the two leaves it
SELECT far('UPDATE t SET label = ''new'' WHERE id = 30');
CALL batch_work('20 s');
SELECT is(states(:job), '30 written, 31 written',
    'a row that has the answer already is written: a crash after the remote commit makes none '
    'stale');
-- a server whose commits fail: that of the first commits, or does not, and ours is rolled back
SELECT far('CREATE TABLE bad (id int PRIMARY KEY, body text, label text)');
SELECT far('INSERT INTO bad VALUES (1001, ''bad'')');
SELECT far('CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN '
    'RAISE ''refused at commit''; END $f$');
SELECT far('CREATE CONSTRAINT TRIGGER r AFTER UPDATE ON bad DEFERRABLE INITIALLY DEFERRED '
    'FOR EACH ROW EXECUTE FUNCTION refuse()');
SELECT far('GRANT SELECT, UPDATE ON bad TO PUBLIC');
CREATE SERVER far2 FOREIGN DATA WRAPPER postgres_fdw;
SELECT format('ALTER SERVER far2 OPTIONS (host %L, port %L, dbname ''foreign_far'')', :'socket',
    :'port') \gexec
CREATE USER MAPPING FOR foreign_app SERVER far2
    OPTIONS (user 'foreign_app', password_required 'false');
CREATE TABLE parts (id int, body text, label text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE parts1 PARTITION OF parts FOR VALUES FROM (1) TO (1001) SERVER far
    OPTIONS (table_name 't');
CREATE FOREIGN TABLE parts2 PARTITION OF parts FOR VALUES FROM (1001) TO (1002) SERVER far2
    OPTIONS (table_name 'bad');
CREATE TABLE parts3 PARTITION OF parts FOR VALUES FROM (1002) TO (2000);
INSERT INTO parts VALUES (1002, 'local');
GRANT SELECT, UPDATE ON parts TO foreign_app;
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM parts WHERE id IN (40, 41, 1001, 1002)', 'parts') AS job \gset
RESET ROLE;
SELECT log_begin();
CALL batch_work('20 s');
SELECT is(states(:job), '40 written, 41 written, 1001 write_failed, 1002 written',
    'promise 4: a remote commit that fails is the fault of its row only');
SELECT is(told(:job, '1001'), 'refused at commit', '… which has the reason');
SELECT is(
    far('SELECT (SELECT string_agg(label, '','') FROM t WHERE id IN (40, 41)) '
        '|| coalesce((SELECT label FROM bad), '' -'')') || ' ' || label,
    'new,new - new', '… the tables have the others') FROM parts3;
SELECT ok(bool_and(line ~ 'id = ANY \(\$1'), 'foreign partitions are sent the keys, too')
FROM sent() line WHERE line ~ 'FROM public\.t .*FOR UPDATE';

--
-- What is refused
--
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE of_file (id int, body text, label text) SERVER files
    OPTIONS (filename '/dev/null');
CREATE FOREIGN TABLE fixed (id int, body text, label text) SERVER far
    OPTIONS (table_name 't', updatable 'false');
SELECT is(refused('of_file'),
    '42809 | cannot write back to "of_file" | It is a foreign table of server "files", which does '
    'not let it be written.', 'a wrapper that cannot update');
SELECT is(refused('fixed'),
    '42809 | cannot write back to "fixed" | It is a foreign table of server "far", which does not '
    'let it be written.', 'a foreign table that is not updatable');
SELECT is(refused('parts', 'body', '{"id": "$"}'),
    '0A000 | cannot write back to "parts" | A column to be written is in the partition key of '
    '"parts", and a partition is a foreign table, into which rows cannot be moved: remote and '
    'local server do not commit together.', 'a row that could move into a foreign partition');

--
-- Whose connection (promise 5)
--
SELECT far('TRUNCATE witness');
ALTER FOREIGN TABLE ft OWNER TO foreign_app;
SET ROLE foreign_boss;
SELECT ask('SELECT 50 AS id, ''x''::text AS body', 'ft') AS job \gset
RESET ROLE;
CALL batch_work('20 s');
SELECT is(states(:job), '50 written', 'a superuser''s job on an ordinary role''s foreign table');
SELECT is(far('SELECT string_agg(DISTINCT who, '','') FROM witness'), 'foreign_app',
    'promise 5: … is written through the user mapping of that role');
CREATE FOREIGN TABLE boss_ft (id int, body text, label text) SERVER hostile
    OPTIONS (table_name 't');
SET ROLE foreign_boss;
SELECT is(refused('boss_ft'),
    '42501 | cannot write to "public.boss_ft" for a superuser | Its server belongs to other roles '
    'that are not superusers: "foreign_mallory".',
    'promise 5: a superuser connects to no server of another: its owner says which files are read');
RESET ROLE;
CREATE USER MAPPING FOR foreign_mallory SERVER far
    OPTIONS (user 'foreign_mallory', password_required 'false');
GRANT SELECT, UPDATE ON ft TO foreign_mallory;
SET ROLE foreign_mallory;
SELECT ask('SELECT 51 AS id, ''x''::text AS body', 'ft') AS job \gset
RESET ROLE;
DROP USER MAPPING FOR foreign_mallory SERVER far;
SELECT all_wait(:job);
SELECT matches(told(:job, '51'), 'user mapping not found for "foreign_mallory"',
    'without a user mapping of the job''s owner answers wait');
CREATE USER MAPPING FOR foreign_mallory SERVER far
    OPTIONS (user 'foreign_mallory', password_required 'false');
CALL batch_work('20 s');
SELECT is(states(:job), '51 written', '… until there is one');

-- a hostile server gets the keys and the answers, and nothing else of us
CREATE FOREIGN TABLE hostile_ft (id int, body text, label text) SERVER hostile
    OPTIONS (table_name 't');
GRANT SELECT, UPDATE ON hostile_ft TO foreign_app;
SET ROLE foreign_mallory;
ALTER SERVER hostile OPTIONS (extensions 'batchinf', use_remote_estimate 'true');
RESET ROLE;
SELECT log_begin();
SET ROLE foreign_app;
SELECT ask('SELECT 60 AS id, ''BODYWORD''::text AS body', 'hostile_ft') AS job \gset
RESET ROLE;
CALL batch_work('20 s');
SELECT is(states(:job), '60 written', 'a server of a hostile role is written to');
SELECT ok(count(*) FILTER (WHERE line ~ 'new') > 0 AND count(*) FILTER (WHERE line ~ '\{60\}') > 0,
    '… it is sent the key and the answer') FROM sent() line;
SELECT is(count(*) FILTER (WHERE line ~ '(PROMPTWORD|BODYWORD|sk-|sim:|fingerprint|openai)'),
    0::bigint, 'promise 6: … and no prompt, key or guard') FROM sent() line;

--
-- A foreign table of a table of this very database
--
CREATE TABLE local_t (id int PRIMARY KEY, body text, label text);
INSERT INTO local_t SELECT i, 'body ' || i FROM generate_series(1, 3) i;
GRANT SELECT, UPDATE ON local_t TO foreign_app;
CREATE FOREIGN TABLE loop (id int, body text, label text) SERVER here
    OPTIONS (table_name 'local_t');
GRANT SELECT, UPDATE ON loop TO foreign_app;
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM loop', 'loop') AS job, ask('SELECT id, body FROM local_t',
    'local_t', label => 'local') AS second \gset
RESET ROLE;
CALL batch_work('20 s');
SELECT is(count(*) FILTER (WHERE write_state = 'written'), 3::bigint,
    'a foreign table of a table of this database: each row is written once')
FROM batch_records WHERE job_id IN (:job, :second);
SELECT is(count(*) FILTER (WHERE write_state = 'stale'), 3::bigint,
    '… by the job that came first, and nobody waits for ourselves')
FROM batch_records WHERE job_id IN (:job, :second);

--
-- Servers that are down, slow, or silent (promise 8)
--
SELECT far('UPDATE t SET label = NULL WHERE id >= 30');
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM ft WHERE id IN (70, 71)', 'ft') AS job \gset
RESET ROLE;
ALTER SERVER far OPTIONS (SET port '1');
SELECT all_wait(:job);
SELECT matches(told(:job, '70'), '^could not connect to server "far"',
    'a server that is down: answers wait');
SELECT format('ALTER SERVER far OPTIONS (SET port %L)', :'port') \gexec
SELECT batch_resume(:job);
CALL batch_work('20 s');
SELECT is(states(:job), '70 written, 71 written', '… until it is there again');

SET batchinf.write_timeout = '1s';
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM ft WHERE id IN (7, 72)', 'ft') AS job \gset
RESET ROLE;
SELECT sim.work_until(format('(SELECT count(write_state) = 2 FROM batch_records '
    'WHERE job_id = %s)', :job));
SELECT is(states(:job), '7 waiting, 72 written',
    'a remote statement that takes too long is cancelled; promise 4: others are written');
SELECT is(told(:job, '7'), 'canceling write-back due to batchinf.write_timeout', '… and waits');
SELECT is(far('SELECT count(*)::text FROM pg_stat_activity WHERE query ~ ''^UPDATE public'' '
    'AND state = ''active'''), '0', '… it does not go on there');
SELECT far('DROP TRIGGER touch ON t');
SELECT batch_resume(:job);
CALL batch_work('20 s');
SELECT is(states(:job), '7 written, 72 written', '… until it is fast');

-- a remote server that is slow to commit
SELECT far('CREATE TABLE late (id int PRIMARY KEY, body text, label text)');
SELECT far('INSERT INTO late VALUES (1, ''one''), (2, ''two'')');
SELECT far('CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN '
    'IF NEW.id = 1 THEN PERFORM pg_sleep(60); END IF; RETURN NULL; END $f$');
SELECT far('CREATE CONSTRAINT TRIGGER w AFTER UPDATE ON late DEFERRABLE INITIALLY DEFERRED '
    'FOR EACH ROW EXECUTE FUNCTION wait()');
SELECT far('GRANT SELECT, UPDATE ON late TO PUBLIC');
CREATE FOREIGN TABLE late (id int, body text, label text) SERVER far;
GRANT SELECT, UPDATE ON late TO foreign_app;
SET ROLE foreign_app;
SELECT ask('SELECT id, body FROM late', 'late') AS job \gset
RESET ROLE;
SELECT all_wait(:job);
SELECT is(states(:job), '1 waiting, 2 waiting',
    'promise 8: a remote commit that takes too long is not waited for: the answers wait');
SELECT is(far('SELECT count(*)::text FROM pg_stat_activity WHERE query = ''COMMIT TRANSACTION'' '
    'AND state = ''active'''), '1', '… while it is still under way');
SELECT far('SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity '
    'WHERE query = ''COMMIT TRANSACTION'' AND state = ''active''');
SELECT far('DROP TRIGGER w ON late');
SELECT batch_resume(:job);
CALL batch_work('20 s');
SELECT is(states(:job), '1 written, 2 written', '… and are written when it is over');
-- other ways of writing: an upsert finds its row again when it is repeated, an insert does not
SELECT far('CREATE TABLE ups (id int PRIMARY KEY, label text)');
SELECT far('INSERT INTO ups VALUES (1, ''old''), (2, ''old'')');
SELECT far('GRANT SELECT, INSERT, UPDATE ON ups TO PUBLIC');
CREATE FOREIGN TABLE ups (id int, label text) SERVER far;
GRANT SELECT, INSERT, UPDATE, DELETE ON ups TO foreign_app;
CREATE FUNCTION put(mode text) RETURNS bigint LANGUAGE sql AS $$
    SELECT batch_submit('SELECT i AS id, ''[[sim:say=new]]'' AS prompt '
        'FROM generate_series(2, 3) i', 'openai', target => 'ups', write_mode => mode,
        conflict => CASE WHEN mode = 'upsert' THEN 'id' END,
        replace_by => CASE WHEN mode = 'replace' THEN 'id' END,
        write_if => 'always', write_back => '{"id": {"column": "id"}, "label": "$"}') $$;
SET ROLE foreign_app;
SELECT put('upsert') AS job \gset
SELECT throws_ok($$SELECT put('insert')$$, '0A000', NULL, 'an insert into a foreign table');
SELECT throws_ok($$SELECT put('replace')$$, '0A000', NULL, '… or a replace is refused');
RESET ROLE;
CALL batch_work('20 s');
SELECT is(states(:job), '2 written, 3 written', 'an upsert of a foreign table');
SELECT is(far('SELECT string_agg(id || label, '' '' ORDER BY id) FROM ups'), '1old 2new 3new',
    '… updates the row that is there and adds the other');
UPDATE batchinf.result SET write_state = 'write_failed' WHERE job_id = :job;
SELECT is(batch_rewrite(:job), 2::bigint, '… repeated');
CALL batch_work('20 s');
SELECT is(far('SELECT string_agg(id || label, '' '' ORDER BY id) FROM ups'), '1old 2new 3new',
    '… it adds nothing twice');
-- a key of a type that is not built in: all rows are fetched, and the right ones written
SELECT far('CREATE TYPE colour AS ENUM (''red'', ''blue'')');
SELECT far('CREATE TABLE by_colour (id colour PRIMARY KEY, body text, label text)');
SELECT far('INSERT INTO by_colour VALUES (''red''), (''blue'')');
SELECT far('GRANT SELECT, UPDATE ON by_colour TO PUBLIC');
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE FOREIGN TABLE by_colour (id colour, body text, label text) SERVER far;
GRANT SELECT, UPDATE ON by_colour TO foreign_app;
SET ROLE foreign_app;
SELECT ask('SELECT ''red''::colour AS id, ''x'' AS body', 'by_colour') AS job \gset
RESET ROLE;
CALL batch_work('20 s');
SELECT is(states(:job), 'red written', 'a key of a type that is not sent');

DROP DATABASE foreign_far WITH (FORCE);
SELECT * FROM finish();
