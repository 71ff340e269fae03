#!/usr/bin/perl
# How much sooner a job's results are written by two visits than by one, where code of its owner
# takes most of the time: a trigger that waits, as one does that asks another server.
#
#   visits.pl [ROWS] [MILLISECONDS a row]
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Time::HiRes qw(sleep time);

Cluster::as_postgres();

my ($rows, $ms) = ($ARGV[0] // 4000, $ARGV[1] // 3);
my $sim = Cluster::Sim->new;
my $cluster =
    Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");
sub do_sql { return $cluster->do_sql('postgres', 'SET client_min_messages = error', @_) }

do_sql(
    'CREATE EXTENSION batchinf',
    $sim->server_sql('s', "max_requests '" . int($rows / 12 + 1) . "'"),
    'CREATE TABLE t (id int PRIMARY KEY, label text, visit int)',
    "INSERT INTO t SELECT generate_series(1, $rows)",
    "CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS \$\$
     BEGIN PERFORM pg_sleep($ms / 1000.0); NEW.visit := pg_backend_pid(); RETURN NEW; END \$\$",
    'CREATE TRIGGER waits BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION waits()');

# Seconds from the first row that is written to the last, and how many rows each visit wrote.
sub run {
    my ($visits) = @_;
    do_sql(
        "ALTER SYSTEM SET batchinf.max_visits_per_database = $visits",
        'SELECT pg_reload_conf()',
        'ALTER TABLE t DISABLE TRIGGER USER',
        'UPDATE t SET label = NULL, visit = NULL',
        'ALTER TABLE t ENABLE TRIGGER USER');
    my $job = do_sql(
        "SELECT batch_submit('SELECT id FROM t', server => 's', prompt => '{{id}}',
        target => 't', write_back => '{\"label\": \"\$\"}')");
    $cluster->poll_sql('postgres', 'SELECT (count(*) > 0)::text FROM t WHERE label IS NOT NULL',
        'true', 60);
    my (undef, $took) = Cluster::timed(
        sub {
            $cluster->poll_sql('postgres', "SELECT state FROM batch_jobs WHERE job_id = $job",
                'completed', 600);
        });
    my $shares = do_sql(
        'SELECT string_agg(n::text, \' + \') FROM (SELECT count(*) n FROM t GROUP BY visit) v');
    printf "%d visits at most: %.1f s, %s rows\n", $visits, $took, $shares;
    return $took;
}

my $one = run(1);
my $two = run(2);
printf "ratio of two to one: %.2f\n", $two / $one;
