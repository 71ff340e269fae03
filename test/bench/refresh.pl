#!/usr/bin/perl
# What a refresh costs over many rows of which few have changed, as a ratio to the plain anti-join
# by the same hash.
#
#   refresh.pl [ROWS] [CHANGED] [ROUNDS]
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;

Cluster::as_postgres();

my ($rows, $changed, $rounds) = ($ARGV[0] // 1_000_000, $ARGV[1] // 1000, $ARGV[2] // 3);
my $sim = Cluster::Sim->new;
my $cluster = Cluster->new('main', "shared_preload_libraries = 'batchinf'",
    'batchinf.enabled = off', "shared_buffers = '2GB'", "max_wal_size = '4GB'", 'autovacuum = off');
sub do_sql { return $cluster->do_sql('postgres', 'SET client_min_messages = error', @_) }

sub seconds {
    my @statements = @_;
    my (undef, $took) = Cluster::timed(sub { do_sql(@statements) });
    return $took;
}

sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[$#sorted / 2] }

do_sql('CREATE EXTENSION batchinf', $sim->server_sql('s'),
    'CREATE TABLE doc (id bigint PRIMARY KEY, body text, label text)',
    "INSERT INTO doc SELECT i, 'document ' || i || repeat(' of some words', 20)
     FROM generate_series(1, 10) i",
    "SELECT batch_create_pipeline('p', 'SELECT id, body FROM doc', 's', prompt => 'Label: {{body}}',
     target => 'doc', write_back => '{\"label\": \"\$\"}')");
my $job = do_sql("SELECT batch_refresh('p')");
my $digest = do_sql("SELECT spec ->> 'digest' FROM batchinf.job WHERE job_id = $job");

# What a row is remembered by: as store/pipeline.c says it.
my $hash = "substr(sha256(convert_to('$digest ' || encode(sha256(convert_to('Label: ' || d.body,
    'UTF8')), 'hex'), 'UTF8')), 1, 16)";
do_sql(
    "INSERT INTO doc SELECT i, 'document ' || i || repeat(' of some words', 20), 'x'
     FROM generate_series(11, $rows) i",
    "SELECT batch_cancel($job)",
    'DELETE FROM batchinf.job',
    "INSERT INTO batchinf.answered (pipeline_id, key, hash, version, failed, written, job_id, seq,
      at) SELECT 1, d.id::text, $hash, 1, false, true, $job, 1, now() FROM doc d",
    "UPDATE doc SET body = body || ' changed' WHERE id % ($rows / $changed) = 0",
    'VACUUM ANALYZE doc', 'VACUUM ANALYZE batchinf.answered');

my (@plain, @refresh);
for (1 .. $rounds) {
    push @plain, seconds("CREATE TEMP TABLE due AS SELECT d.id, 'Label: ' || d.body AS input
        FROM doc d LEFT JOIN batchinf.answered a ON a.pipeline_id = 1 AND a.key = d.id::text
        WHERE a.hash IS DISTINCT FROM $hash");
    push @refresh, seconds('BEGIN', "SELECT batch_refresh('p')", 'ROLLBACK');
}
printf "%d rows, %d changed: anti-join %.1f s, refresh %.1f s, ratio %.2f\n", $rows,
    $changed, median(@plain), median(@refresh), median(@refresh) / median(@plain);
printf "memory of the session: %s kB\n", do_sql('BEGIN', "SELECT batch_refresh('p')",
    "SELECT substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\\s+(\\d+)')", 'ROLLBACK');
