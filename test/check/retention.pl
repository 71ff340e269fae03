#!/usr/bin/perl
# The tables do not grow without end: jobs are submitted, end, lose their texts and are
# deleted, round after round, while autovacuum works. After a few rounds their size stays as it is.
# And where jobs are not deleted, what stays of them is small beside their texts.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my ($rounds, $records, $bytes) = (10, 2000, 4000);
my $sim = Cluster::Sim->new;
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    'autovacuum_naptime = 1',
    'autovacuum_vacuum_scale_factor = 0.05',
    'autovacuum_vacuum_insert_scale_factor = 0.05',
    'autovacuum_vacuum_cost_delay = 0');

sub sql { return $cluster->do_sql('postgres', @_) }

sql('CREATE EXTENSION batchinf', $sim->server_sql('openai'));

# So incompressible that it takes its place.
sql(      'CREATE TABLE texts AS SELECT i AS id, (SELECT string_agg(md5(i || \' \' || j), \'\') '
        . "FROM generate_series(1, $bytes / 32) j) AS body FROM generate_series(1, $records) i");

sub is_vacuumed {
    return sql( 'SELECT COALESCE(sum(n_dead_tup), 0) < 1000 FROM pg_stat_all_tables '
            . "WHERE schemaname = 'batchinf' OR relid IN (SELECT reltoastrelid FROM pg_class "
            . "WHERE relnamespace = 'batchinf'::regnamespace)");
}

# Returns the size of all tables after a round.
sub round {
    my ($delete) = @_;
    my $job = sql( 'SET client_min_messages = warning; '
            . "SELECT batch_submit('SELECT id, body FROM texts', server => 'openai', "
            . "prompt => '{{body}}', keep => '0')");
    $cluster->poll_sql(
        'postgres',
        "SELECT j.inputs_next IS NULL AND j.results_next IS NULL AND NOT EXISTS (SELECT FROM "
            . "batchinf.chunk c WHERE c.job_id = j.job_id AND c.next_step_at IS NOT NULL) "
            . "FROM batchinf.job j WHERE j.job_id = $job",
        't', 60);
    is( sql(      "SELECT state || ' ' || succeeded || ' ' || (SELECT count(*) FROM batch_records "
                . "WHERE job_id = $job AND (input IS NOT NULL OR output IS NOT NULL)) "
                . "FROM batch_jobs WHERE job_id = $job"),
        "completed $records 0",
        "job $job has ended, and its texts are gone");
    sql("SELECT batch_delete($job)") if $delete;
    poll('t', 60, \&is_vacuumed);
    return sql('SELECT sum(total_bytes) FROM batch_storage');
}

my @sizes = map { round(1) } 1 .. $rounds;
note join ' ', map { int($_ / 1024) . ' kB' } @sizes;
cmp_ok($sizes[-1], '<', 1.25 * $sizes[3], 'the size stays as it is after a few rounds');
is(sql('SELECT sum(n) FROM (SELECT count(*) FROM batchinf.record UNION ALL SELECT count(*) '
            . 'FROM batchinf.result UNION ALL SELECT count(*) FROM batchinf.event) t(n)'),
    0, 'nothing is left of deleted jobs');
my @more = map { round(0) } 1 .. 4;
note join ' ', map { int($_ / 1024) . ' kB' } @more;
cmp_ok(
    $more[-1] - $more[0],
    '<', 3 * $records * $bytes / 4,
    'what stays of a job is small beside its texts');
done_testing();
