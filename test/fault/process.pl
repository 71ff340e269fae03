#!/usr/bin/perl
# A process that cannot record anything makes room for a fresh one, and says so once (promise 4).
#
# What ails it is a trigger on our own table that only a superuser can make: it meets the processes
# that are marked, and no other. It is as if the process had no memory, or no lock, left for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster =
    Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");
sub do_sql { return $cluster->do_sql('postgres', @_) }
sub poll_sql { return $cluster->poll_sql('postgres', @_) }

do_sql(
    'CREATE EXTENSION batchinf', $sim->server_sql('s'),
    'CREATE TABLE t (id int PRIMARY KEY, label text)', 'INSERT INTO t SELECT generate_series(1, 5)',
    'CREATE TABLE marked (pid int)',
    q{CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
          IF EXISTS (SELECT FROM public.marked WHERE pid = pg_backend_pid()) THEN
              RAISE 'this process is unwell';
          END IF;
          RETURN NEW;
      END $$},
    'CREATE TRIGGER fail BEFORE UPDATE ON batchinf.chunk FOR EACH ROW EXECUTE FUNCTION fail()');

my $submit = q{SELECT batch_submit('SELECT id FROM t', server => 's', prompt => '{{id}}',
        target => 't', write_back => '{"label": "$"}', in_flight => 'send', write_if => 'always')};
my $visits = "FROM pg_stat_activity WHERE backend_type = 'batchinf visit'";
sub state_of { return "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $_[0]" }
sub reports { return $cluster->log_count('LOG:  could not record a step of chunk') }

# The paid call is under way, and the process that makes it will not record what came of it.
sub begin {
    my ($who) = @_;
    $sim->fault('POST', '/batches$', {delay_ms => 2000});
    my $job = do_sql('SET client_min_messages = error', $submit);
    my $session =
        $who eq 'session' ? $cluster->beside('postgres', 'CALL batch_work(\'60 s\')') : undef;
    is(poll_sql("SELECT step FROM batch_chunks WHERE job_id = $job", 'creating'),
        'creating', "$who: the paid call is under way");
    my $pid = do_sql(
        "INSERT INTO marked SELECT holder_pid FROM batchinf.chunk WHERE job_id = $job RETURNING pid"
    );
    return ($job, $pid, $session);
}

for my $who ('visit', 'visit that no launcher has started') {
    if ($who ne 'visit') {
        $cluster->stop('fast');
        $cluster->configure("shared_preload_libraries = ''");
        $cluster->start;
    }
    my ($billed, $reports) = ($sim->ledger->{billed_requests} // 0, reports());
    my ($job, $pid) = begin($who);
    is(poll_sql("SELECT count(*) $visits AND pid = $pid", 0, 40),
        0, "$who: ... one that cannot record ends");
    is(poll_sql(state_of($job), 'completed 5', 40), 'completed 5', '... a fresh one goes on');
    is($sim->ledger->{billed_requests} - $billed, 5, 'promise 1: ... nothing is billed again');
    is(reports() - $reports, 1, '... the fault is told once');
    is( $cluster->log_count(
                  "cannot go on with batch jobs in this process: could not record a step of chunk "
                . "\\d+ of batch job $job: this process is unwell"),
        1,
        '... and why the process has ended');
}

# A session ends with the error.
do_sql("LOAD 'batchinf'", 'ALTER SYSTEM SET batchinf.enabled = off', 'SELECT pg_reload_conf()');
is(poll_sql("SELECT count(*) $visits", 0), 0, 'no visit any more');
my ($job, $pid, $session) = begin('session');
like(
    Cluster::output($session),
    qr/^ERROR:  cannot go on with batch jobs in this process: .*: this process is unwell/m,
    'batch_work ends with the error');
is(do_sql("CALL batch_work('60 s')", state_of($job)), 'completed 5', '... the next one goes on');

# What only one chunk meets is no reason to end: others are done beside it, and it waits with the
# reason.
do_sql(
    'TRUNCATE marked', 'CREATE TABLE marked_job (job_id bigint)',
    q{CREATE FUNCTION fail_job() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
          IF NEW.state = 'uploaded'
              AND NEW.job_id IN (SELECT job_id FROM public.marked_job) THEN
              RAISE 'this chunk is unwell';
          END IF;
          RETURN NEW;
      END $$},
    'CREATE TRIGGER fail_job BEFORE UPDATE ON batchinf.chunk FOR EACH ROW '
        . 'EXECUTE FUNCTION fail_job()');
my $unwell = do_sql('SET client_min_messages = error', $submit);
do_sql("INSERT INTO marked_job VALUES ($unwell)");
my $reports = reports();
$session = $cluster->beside('postgres', "CALL batch_work('60 s')");
for (1 .. 3) {
    my $well = do_sql('SET client_min_messages = error', $submit);
    is(poll_sql(state_of($well), 'completed 5', 30),
        'completed 5', 'beside a chunk that cannot be recorded another job is done');
}
is( poll_sql(
        "SELECT step || ': ' || waiting_for FROM batch_chunks WHERE job_id = $unwell",
        'uploading: this chunk is unwell', 30),
    'uploading: this chunk is unwell',
    '... it is let go and gives the reason');
is(reports() - $reports, 1, '... which is told once');
do_sql('TRUNCATE marked_job',
    'UPDATE batchinf.chunk SET next_step_at = now() WHERE next_step_at IS NOT NULL');
is(poll_sql(state_of($unwell), 'completed 5', 30), 'completed 5', '... and goes on later');
is(Cluster::output($session), '', '... in the same session');

# Writes that cannot be repeated are tried later and later, and told once.
do_sql(
    q{CREATE FUNCTION fail_result() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
          IF OLD.write_state = 'waiting' AND EXISTS (SELECT FROM public.marked) THEN
              RAISE 'no result is well';
          END IF;
          RETURN NEW;
      END $$},
    'CREATE TRIGGER fail_result BEFORE UPDATE ON batchinf.result FOR EACH ROW '
        . 'EXECUTE FUNCTION fail_result()',
    'INSERT INTO marked VALUES (0)');
my $lock = $cluster->beside('postgres', 'BEGIN', 'SELECT FROM t FOR UPDATE', 'SELECT pg_sleep(6)');
my $waits = do_sql('SET client_min_messages = error', $submit);
$session = $cluster->beside('postgres', "CALL batch_work('60 s')");
is( poll_sql(
        "SELECT state || ' ' || waiting_for FROM batch_chunks WHERE job_id = $waits",
        qr/could not repeat the writes: no result is well/, 30),
    'done could not repeat the writes: no result is well',
    'writes that cannot be repeated: the chunk says why');
is(poll_sql("SELECT write_tries > 3 FROM batchinf.chunk WHERE job_id = $waits", 't', 30),
    't', '... they are tried again');
is($cluster->log_count('could not repeat the writes'), 1, '... it is told once');
do_sql('TRUNCATE marked', 'UPDATE batchinf.chunk SET write_at = now() WHERE write_waiting > 0');
is(poll_sql(state_of($waits), 'completed 5', 30),
    'completed 5', '... and they are written when that is over');
is(Cluster::output($session) . Cluster::output($lock), '', '... in the same session');
is(do_sql("SELECT waiting_for IS NULL FROM batch_chunks WHERE job_id = $waits"),
    't', '... and nothing waits');
is($cluster->log_count('PANIC|TRAP|terminated by signal'), 0, 'nothing odd in the log');
done_testing();
