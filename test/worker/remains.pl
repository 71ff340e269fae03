#!/usr/bin/perl
# Code of a job's owner has left much memory in use in a worker's process: it makes room for a fresh
# one, with and without a launcher. test/pgtap/worker-remains.sql has the rest.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster = Cluster->new('main', "batchinf.settle_time = '1s'");
my $visits =
    "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = 'batchinf visit'";
my $submit = q{SELECT batch_submit('SELECT id, ''[[sim:say=x]]'' AS prompt FROM t WHERE id = %d',
        server => 'openai', target => 't', write_back => '{"answer": "$"}',
        in_flight => 'send', write_if => 'always')};

$cluster->do_sql(
    'postgres',
    'CREATE EXTENSION batchinf',
    $sim->server_sql('openai'),
    'CREATE TABLE t (id int PRIMARY KEY, answer text)',
    'INSERT INTO t VALUES (1), (2)',
    q{CREATE FUNCTION grow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        PERFORM to_regclass('public.none' || i) FROM generate_series(1, 600000) i;
        RETURN NEW; END$$},
    'CREATE TRIGGER grow BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION grow()'
);

# A batch that runs at the provider is work for the next process.
$sim->fault('POST', '/batches$', {batch_outcome => 'in_progress_forever'});
my $keeper = $cluster->do_sql('postgres', 'SET client_min_messages = error', sprintf $submit, 2);
is( $cluster->poll_sql(
        'postgres',
        "SELECT provider_batch_id IS NOT NULL FROM batch_chunks WHERE job_id = $keeper", 't'),
    't',
    'a batch runs at the provider');
my $first = $cluster->sql('postgres', $visits);
like($first, qr/^\d+$/, '... and a visit waits for it');
my $job = $cluster->do_sql('postgres', 'SET client_min_messages = error', sprintf $submit, 1);
is( $cluster->poll_sql(
        'postgres', "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $job",
        'completed 1', 60),
    'completed 1',
    'a job whose trigger makes the process grow is done');
like($cluster->poll_sql('postgres', $visits, qr/^(?!$first$)\d+$/),
    qr/^(?!$first$)\d+$/, '... and a fresh process goes on');
is($cluster->log_count('visit makes room for a fresh process'), 1, '... which the log says once');
$cluster->do_sql('postgres', 'SET client_min_messages = error', "SELECT batch_cancel($keeper)");
is( $cluster->poll_sql(
        'postgres', "SELECT state FROM batch_jobs WHERE job_id = $keeper", 'cancelled'),
    'cancelled',
    '... with what was under way');
is($cluster->log_count('PANIC|TRAP|terminated by signal|cannot go on|could not drop'),
    0, 'nothing odd in the log');
done_testing();
