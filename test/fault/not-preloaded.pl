#!/usr/bin/perl
# Without shared_preload_libraries, batch_submit starts a worker at commit, and that worker does the
# job.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster = Cluster->new('main', "batchinf.settle_time = '1s'");
my @databases = qw(one two);
my $done = 'completed 20 20';

sub status {
    return "SELECT concat_ws(' ', state, succeeded, written) FROM batch_jobs WHERE job_id = $_[0]";
}

sub visits {
    return "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf visit' "
        . "AND datname = '$_[0]'";
}

sub submit_sql {
    return
          "SELECT batch_submit('SELECT id, body FROM tickets', "
        . "server => '@{[$_[0] // 'openai']}', prompt => '{{body}}', target => 'tickets', "
        . "write_back => '{\"label\": \"\$\"}', in_flight => 'send', write_if => 'always')";
}

for my $db (@databases) {
    $cluster->do_sql('postgres', "CREATE DATABASE $db");
    $cluster->do_sql(
        $db,
        'CREATE EXTENSION batchinf',
        $sim->server_sql('openai'),
        $sim->server_sql('hanging'),
        'CREATE TABLE tickets (id int PRIMARY KEY, body text, label text)',
        "INSERT INTO tickets SELECT i, 'body ' || i FROM generate_series(1, 20) i");
}
my $url = $sim->url;
$cluster->do_sql($_, "ALTER SERVER hanging OPTIONS (SET base_url '$url/v1/hang')") for @databases;

my $said = $cluster->sql('one', submit_sql());
like(
    $said,
    regex(
        qr/^NOTICE:  .*\nDETAIL:  batchinf is not in shared_preload_libraries: /,
        qr/a worker is started at commit, but not again after a restart of the server\./),
    'batch_submit says what a missing preload means');
like($said, qr/^1$/m, '… and submits');
is($cluster->poll_sql('one', status(1), $done, 5),
    $done, 'the worker that its commit starts does the job');
is($cluster->poll_sql('postgres', visits('one'), 0), 0, '… and leaves');
is($cluster->log_count('LOG:  batch job 1 has ended: completed, 20 records'),
    1, '… with a line in the log');

# two databases, several jobs, one of them hanging
$sim->call('POST', 'faults',
    {match => {path_regex => '^/v1/hang'}, action => {hang => \1}, times => 'always'});
$cluster->do_sql($_, submit_sql('hanging')) for @databases;
$cluster->do_sql($_, submit_sql(), submit_sql()) for @databases;
for my $db (@databases) {
    my ($second, $third) = split /\n/,
        $cluster->sql($db,
        'SELECT job_id FROM batch_jobs WHERE server = \'openai\' ORDER BY job_id DESC LIMIT 2');
    is($cluster->poll_sql($db, status($_), $done, 8),
        $done, "promise 4: $db: a job beside one that hangs is done")
        for $second, $third;
    is($cluster->sql('postgres', visits($db)), 1, "$db: by one visit");
}
is($sim->ledger->{billed_requests}, 20 + 4 * 20, 'promise 1: each record is billed once');

# a worker that is gone, and its claim with it
my $pid = $cluster->sql('postgres',
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'batchinf visit' AND datname = 'one'");
$cluster->do_sql('postgres', "SELECT pg_terminate_backend($pid, 5000)");
is($cluster->sql('postgres', visits('one')), 0, 'a terminated visit is gone');
$sim->clear;
$cluster->do_sql('one', "ALTER SERVER hanging OPTIONS (SET base_url '$url/v1')");
my $hung = $cluster->sql('one', "SELECT job_id FROM batch_jobs WHERE server = 'hanging'");
is($cluster->sql('one', 'CALL batch_work(\'20 s\')'), '', 'batch_work does what it has left');
is($cluster->sql('one', status($hung)), $done, '… to its end');

# DROP EXTENSION and a fast stop while an exchange hangs
my ($got, $seconds) = timed(
    sub {
        $cluster->sql('two', 'SET client_min_messages = warning',
            'DROP EXTENSION batchinf CASCADE');
    });
is($got, '', 'promise 8: DROP EXTENSION while a visit waits for a provider');
cmp_ok($seconds, '<', 1.5, '… does not wait for it');
is($cluster->poll_sql('postgres', visits('two'), 0, 10), 0, '… and the visit leaves');
my $met = $sim->faults_met;
$sim->call('POST', 'faults',
    {match => {path_regex => 'files'}, action => {hang => \1}, times => 'always'});
$cluster->do_sql('one', submit_sql());
is(poll(1, 10, sub { $sim->faults_met > $met ? 1 : 0 }), 1, 'an exchange hangs');
(undef, $seconds) = timed(sub { $cluster->stop('fast') });
cmp_ok($seconds, '<', 5, 'promise 8: a fast stop does not wait for it');
$sim->clear;
$cluster->start;
is($cluster->sql('one', 'CALL batch_work(\'20 s\')'), '', 'after the restart batch_work goes on');
is($cluster->sql('one', "SELECT count(*) FROM batch_jobs WHERE state <> 'completed'"),
    0, '… until all is done');
is($cluster->log_count('PANIC|TRAP|terminated by signal|cannot go on'), 0,
    'nothing odd in the log');
done_testing();
