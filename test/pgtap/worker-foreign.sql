-- A foreign table whose server accepts connections and never answers: the answers wait, and what
-- others have is done meanwhile (promise 8).
\i lib.sql
SELECT no_plan();
CREATE ROLE silent_app;
SELECT sim.server('openai');
GRANT USAGE ON FOREIGN SERVER openai TO silent_app;
CREATE USER MAPPING FOR silent_app SERVER openai OPTIONS (api_key 'sk-sim');
SELECT sim.tickets(20);

-- The silent server: the kernel accepts, nobody reads.  It ends by itself after two minutes.
CREATE TEMP TABLE silent (line text);
CREATE FUNCTION run(program text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY silent FROM PROGRAM %L', program);
END $$;
SELECT run($$perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(Listen => 50, LocalAddr => "127.0.0.1") or exit 1;
    my $pid = fork;
    if ($pid) { print $s->sockport, " $pid\n"; exit }
    close STDOUT; close STDERR; alarm 120; sleep 200'$$);
SELECT split_part(line, ' ', 1) AS port, split_part(line, ' ', 2) AS pid FROM silent \gset
CREATE EXTENSION postgres_fdw;
CREATE SERVER silent FOREIGN DATA WRAPPER postgres_fdw;
ALTER SERVER silent OPTIONS (host '127.0.0.1', port :'port', dbname 'x');
CREATE USER MAPPING FOR silent_app SERVER silent OPTIONS (user 'x', password 'x');
GRANT USAGE ON FOREIGN SERVER silent TO silent_app;
CREATE FOREIGN TABLE ft (id int, label text) SERVER silent;
GRANT SELECT, UPDATE ON ft TO silent_app;
ALTER SYSTEM SET batchinf.connect_timeout = '3s';
SELECT pg_reload_conf();
CALL sim.await($$sim.psql('SHOW batchinf.connect_timeout') ~ '3s'$$);

SET ROLE silent_app;
SELECT batch_submit('SELECT i AS id FROM generate_series(1, 3) i', server => 'openai',
    prompt => '{{id}}', target => 'ft', write_back => '{"label": "$"}', write_if => 'always',
    key => 'id') AS job \gset
RESET ROLE;
CALL sim.await(format($$(SELECT count(*) > 0 FROM batch_chunks WHERE job_id = %s
    AND step IN ('delivering', 'cleaning', 'done'))$$, :job));
SELECT batch_submit('SELECT id, body FROM tickets', server => 'openai', prompt => '{{body}}',
    target => 'tickets', write_back => '{"label": "$"}') AS good \gset
CALL batch_wait(:good, '60 s');
SELECT is((SELECT written FROM batch_jobs WHERE job_id = :good), 20::bigint,
    'promise 8: a job of another owner is done meanwhile');
CALL sim.await(format($$(SELECT bool_and(write_state IS NOT DISTINCT FROM 'waiting')
    FROM batch_records WHERE job_id = %s)$$, :job), '120 s');
SELECT matches(string_agg(DISTINCT write_error, ' '),
    '^could not connect to server "silent" .*timeout expired',
    'the answers wait: the connection was given up, without an option connect_timeout')
FROM batch_records WHERE job_id = :job;
SELECT batch_cancel(:job);
SELECT run('kill ' || :'pid');
ALTER SYSTEM RESET batchinf.connect_timeout;
SELECT pg_reload_conf();
SELECT * FROM finish();
