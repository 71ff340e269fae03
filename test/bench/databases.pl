#!/usr/bin/perl
# What many databases cost with few worker slots: 200 idle ones with the extension, and 60 with work
# of their own, in a private cluster with max_worker_processes = 8. Prints when all is done, the
# processes that were started and the CPU, then the same of a minute in which nothing is due.
#
# databases.pl [IDLE BUSY]
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use POSIX;
use Time::HiRes qw(sleep time);

Cluster::as_postgres();

my ($idle, $busy) = (@ARGV, 200, 60);
my $sim = Cluster::Sim->new;
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    "batchinf.settle_time = '1s'",
    'batchinf.enabled = off',
    'log_min_messages = debug1',
    'max_connections = 30',
    'max_worker_processes = 8',
    'batchinf.max_visits = 8');

sub visits { return $cluster->log_count('starting background worker process "batchinf visit"') }

# CPU of a process, in seconds.
sub cpu {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/stat" or return 0;
    my @fields = split ' ', <$in> =~ s/.*\) //r;
    return ($fields[11] + $fields[12]) / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}

sub pid_of {
    return $cluster->sql('postgres',
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'batchinf launcher'");
}

$cluster->do_sql('postgres', 'CREATE DATABASE house');
$cluster->do_sql(
    'house',
    'SET client_min_messages = error; CREATE EXTENSION batchinf',
    'CREATE TABLE t (id int PRIMARY KEY, label text)',
    'INSERT INTO t SELECT generate_series(1, 5)');
$cluster->do_sql('postgres', "CREATE DATABASE d$_ TEMPLATE house") for 1 .. $idle + $busy;
for my $n (1 .. $busy) {
    $cluster->do_sql(
        "d$n",
        'SET client_min_messages = error',
        $sim->server_sql('s'),
        q{SELECT batch_submit('SELECT id FROM t', server => 's', prompt => '{{id}}',
              target => 't', write_back => '{"label": "$"}')});
}

my ($start, $visits) = (time, visits());
$cluster->do_sql('postgres', 'ALTER SYSTEM SET batchinf.enabled = on', 'SELECT pg_reload_conf()');
my %left = map { ("d$_" => 1) } 1 .. $busy;
my @ended;
while (%left && time < $start + 600) {
    for my $database (sort keys %left) {
        my $state = $cluster->sql($database, 'SELECT state FROM batch_jobs');
        next if $state ne 'completed';
        delete $left{$database};
        push @ended, time - $start;
    }
    sleep 1;
}
my $n = keys %left;
printf "%d databases, %d with work: half of them done after %.0f s, all after %.0f s; %d left\n",
    $idle + $busy, $busy, $ended[$#ended / 2], time - $start, $n;
printf "meanwhile: %d visits, %.1f s of CPU in the launcher\n", visits() - $visits, cpu(pid_of());
$cluster->poll_sql('postgres',
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf visit'",
    0, 300);
$visits = visits();
my $cpu = cpu(pid_of());
sleep 60;
printf "a minute with nothing to do: %d visits, %.2f s of CPU in the launcher\n",
    visits() - $visits, cpu(pid_of()) - $cpu;
