#!/usr/bin/perl
# Promise 8: while a provider does not answer, whatever it was asked, nobody waits for us;
# and a server that wants no calls costs none.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster = Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'", 'log_min_messages = debug1');
sub do_sql { return $cluster->do_sql('postgres', @_) }
sub poll_sql { return $cluster->poll_sql('postgres', @_) }

my $visit = "FROM pg_stat_activity WHERE backend_type = 'batchinf visit' AND datname = 'postgres'";

do_sql('CREATE EXTENSION batchinf', $sim->server_sql('openai'), 'CREATE TABLE t (id int PRIMARY KEY, body text, label text)');
my $submit = "SELECT batch_submit('SELECT id, body FROM t', server => 'openai', prompt => '{{body}}', target => 't', write_back => '{\"label\": \"\$\"}')";

# What a DBA does meanwhile; CREATE INDEX CONCURRENTLY waits for whoever holds a snapshot.
my @statements = ('VACUUM FULL t', 'ALTER TABLE t ADD COLUMN more int; ALTER TABLE t DROP COLUMN more', 'CREATE INDEX CONCURRENTLY t_label ON t (label)', 'DROP INDEX CONCURRENTLY t_label',
    'REINDEX TABLE t', 'BEGIN; TRUNCATE t; ROLLBACK', 'BEGIN; LOCK TABLE batchinf.job, batchinf.chunk, batchinf.record IN ACCESS EXCLUSIVE MODE; ROLLBACK',
    'BEGIN; DROP EXTENSION batchinf CASCADE; ROLLBACK', 'BEGIN; ALTER SERVER openai OPTIONS (ADD max_batches \'5\'); ROLLBACK', 'VACUUM FULL batchinf.chunk', 'CHECKPOINT');

for my $phase (['uploading', 'POST', '/files'], ['creating', 'POST', '/batches$'], ['submitted|running', 'GET', '/batches/'], ['fetching', 'GET', '/content']) {
    my ($state, $method, $path) = @$phase;
    $sim->reset;
    do_sql('TRUNCATE t', "INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 20) i");
    $sim->fault($method, $path, { hang => JSON::PP::true }, times => 'always');
    my $job = do_sql($submit);
    like(poll_sql("SELECT state FROM batch_chunks WHERE job_id = $job AND state ~ '$state'", qr/^($state)$/), qr/^($state)$/, "$state: the provider hangs");
    is(poll(1, 10, sub { $sim->faults_met > 0 ? 1 : 0 }), 1, "$state: ... in the midst of a request");
    is(poll_sql("SELECT count(*), count(backend_xmin), count(backend_xid), count(xact_start) $visit", '1|0|0|0'), '1|0|0|0', "$state: the visit has no transaction and no snapshot");
    is(poll_sql("SELECT count(*) FROM pg_locks WHERE pid IN (SELECT pid $visit)", 0), 0, "$state: ... and no lock");
    for my $statement (@statements) {
        my ($said, $seconds) = timed(sub { $cluster->sql('postgres', 'SET client_min_messages = error', split /; /, $statement) });
        is($said, '', "$state: $statement");
        cmp_ok($seconds, '<', 1, "$state: ... within a second");
    }
    my ($said, $seconds) = timed(sub { do_sql("SELECT pg_terminate_backend(pid, 5000) $visit") });
    is($said, 't', "$state: pg_terminate_backend");
    cmp_ok($seconds, '<', 1, "$state: ... within a second");
    $sim->clear;
    is(poll_sql("SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $job", 'completed 20', 60), 'completed 20', "$state: another visit ends the job");
    is($sim->ledger->{billed_requests}, 20, "$state: ... each record billed once");
}

# A server that asks to be left alone for an hour
$sim->reset;
$sim->fault('', '/', { status => 503, headers => { 'retry-after' => '3600' } }, times => 'always');
my $paused = do_sql($submit);
is(poll_sql("SELECT paused_until > now() + interval '50 min' FROM batch_servers WHERE server = 'openai'", 't'), 't', 'a server asks for a pause');
is(poll_sql("SELECT count(*) $visit", 0), 0, '... the visit leaves');
sub starts { return $cluster->log_count('starting background worker process "batchinf visit"') }
my $starts = starts();
do_sql($submit);
is(poll(1, 10, sub { starts() - $starts }), 1, '... a further job wakes one');
is(poll_sql("SELECT count(*) $visit", 0), 0, '... which leaves too');
my $requests = @{ $sim->call('GET', 'requests') };
sleep 4;
is(starts() - $starts, 1, 'while it rests no process is started for it');
is(scalar @{ $sim->call('GET', 'requests') }, $requests, '... and nothing is asked of it');

# and stops nobody else
$sim->clear;
do_sql($sim->server_sql('other'));
my $job = do_sql($submit =~ s/'openai'/'other'/r);
is(poll_sql("SELECT state FROM batch_jobs WHERE job_id = $job", 'completed', 30), 'completed', '... while another server works');
is(do_sql("SELECT state FROM batch_jobs WHERE job_id = $paused"), 'queued', '... the paused one waits');
done_testing();
