#!/usr/bin/perl
# The removal of a job's texts is killed in the middle of a piece and between two pieces. What was
# committed stays removed, the rest is there, and the removal goes on where it was.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $records = 5000;
Cluster::build('CRASH_POINTS=yes', 'COPT=-O0');
my $sim = Cluster::Sim->new;
my $cluster = Cluster->new('main', "shared_preload_libraries = 'batchinf'");
mkdir "$cluster->{data}/crash" or die $!;

sub sql { return $cluster->do_sql('postgres', @_) }

sql('CREATE EXTENSION batchinf', $sim->server_sql('openai'));
my $file = "$cluster->{data}/crash/"
    . sql("SELECT oid FROM pg_database WHERE datname = 'postgres'");

# A job of one record that has ended gets many more, and what belongs to them.
sub make_job {
    my $job = sql( 'SET client_min_messages = warning; '
            . "SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x')");
    $cluster->poll_sql('postgres',
        "SELECT bool_and(step = 'done') FROM batch_chunks WHERE job_id = $job", 't', 30);
    sql(      'INSERT INTO batchinf.record (job_id, seq, chunk_id, attempt, record_id, input, '
            . "input_hash) SELECT job_id, i, chunk_id, 1, i, 'text ' || i, input_hash "
            . "FROM batchinf.record, generate_series(2, $records) i WHERE job_id = $job",
        'INSERT INTO batchinf.result (job_id, seq, chunk_id, attempt, outcome, output, error) '
            . "SELECT job_id, i, chunk_id, 1, outcome, 'text ' || i, 'text' "
            . "FROM batchinf.result, generate_series(2, $records) i WHERE job_id = $job");
    return $job;
}

sub removed {
    my ($job) = @_;
    return sql("SELECT count(*) FROM batchinf.record WHERE job_id = $job AND input IS NULL");
}

sub set_enabled {
    sql("ALTER SYSTEM SET batchinf.enabled = $_[0]", 'SELECT pg_reload_conf()');
}

sub kill_at {
    my ($point, $wanted) = @_;
    my $job = make_job();
    my $lineage = "SELECT md5(string_agg(concat_ws('|', r.seq, r.record_id, r.input_hash, "
        . "s.outcome, s.output), ',' ORDER BY r.seq)) FROM batchinf.record r JOIN "
        . "batchinf.result s USING (job_id, seq) WHERE job_id = $job";
    my $before = sql($lineage);
    open my $armed, '>', $file or die $!;
    print $armed "removal/$point 2";
    close $armed;
    sql(      "UPDATE batchinf.job SET kept_since = now() - interval '31 days' "
            . "WHERE job_id = $job",
        "SET client_min_messages = warning; SELECT batch_cancel($job)");    # wakes the worker
    is(poll(1, 30, sub { -e "$file.reached" ? 1 : 0 }), 1, "$point: it comes there");
    my $pid = sql(
        "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = "
            . "'batchinf visit'");
    set_enabled('off');
    kill 'KILL', split / /, $pid;
    unlink "$file.reached";
    poll('1', 30, sub { $cluster->sql('postgres', 'SELECT 1') });
    is(removed($job), $wanted, '… what was committed stays removed, the rest is there');
    set_enabled('on');
    is( $cluster->poll_sql(
            'postgres', "SELECT inputs_next IS NULL FROM batchinf.job WHERE job_id = $job",
            't', 30),
        't',
        '… it goes on to its end');
    is(removed($job), $records, '… all inputs are removed');
    is( sql(      "SELECT (SELECT count(error) FROM batchinf.result WHERE job_id = $job) + "
                . "(SELECT count(*) FROM batchinf.event WHERE job_id = $job)"),
        0,
        '… errors and events, too');
    is(sql($lineage), $before, '… and nothing else');
}

kill_at('piece', 1000);
kill_at('removed', 2000);
done_testing();
