#!/usr/bin/perl
# A pipeline that pg_cron refreshes, as the README says, twice in the same minute: one refresh sends
# all rows, the other one nothing. pg_cron's shortest schedule is a minute.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new('--batch-seconds', '0.1');
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf, pg_cron'",
    "batchinf.settle_time = '1s'",
    "cron.use_background_workers = on");
sub do_sql { return $cluster->do_sql('postgres', 'SET client_min_messages = error', @_) }
sub poll_sql { return $cluster->poll_sql('postgres', @_) }

do_sql(
    'CREATE EXTENSION batchinf',
    'CREATE EXTENSION pg_cron',
    $sim->server_sql('openai'),
    'CREATE TABLE ticket (id int PRIMARY KEY, body text, label text)',
    "INSERT INTO ticket SELECT i, 'body ' || i FROM generate_series(1, 10) i",
    "SELECT batch_create_pipeline('label', 'SELECT id, body FROM ticket', 'openai',
         prompt => '{{body}}', target => 'ticket', write_back => '{\"label\": \"\$\"}')",
    map {"SELECT cron.schedule('$_', '* * * * *', \$\$SELECT batch_refresh('label')\$\$)"}
        qw(one other));
is( poll_sql(
        "SELECT string_agg(state || ' ' || written, ', ') FROM batch_jobs", 'completed 10', 90),
    'completed 10',
    'pg_cron refreshes a pipeline');
is(poll_sql("SELECT count(*) > 1 FROM cron.job_run_details WHERE status = 'succeeded'", 't', 90),
    't', '... and again');
is(do_sql("SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'"),
    0, '... without an error');
is(do_sql('SELECT count(*) FROM batch_jobs'), 1, '... which sends nothing');
like(do_sql("SELECT batch_refresh('label')", "SELECT answered || ' ' || due FROM batch_pipelines"),
    qr/^10 0$/m, '... all is answered');
is($sim->ledger->{billed_requests}, 10, 'promise 11: ... each row is billed once');
done_testing();
