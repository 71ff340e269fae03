#!/usr/bin/perl
# The five minutes of README.md and doc/operations.md, in order, run as they stand there, against
# the simulator: test/lib/Pages.pm says how.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Pages;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster = Cluster->create('main', "batchinf.settle_time = '1s'");
Pages::use_servers($cluster, $sim);

# ---- README.md, not preloaded ----

write_key('sk-sim');
$cluster->start;
$cluster->do_sql('postgres', 'CREATE DATABASE shop');
connect_psql('shop');
$after{'Five minutes with a real key'} = sub {
    is( $cluster->sql(
            'shop', 'SELECT count(*) FROM tickets WHERE urgent IS NOT NULL AND label IS NOT NULL'),
        3,
        'the five minutes: each row has its answer');
    is($sim->ledger->{billed_requests}, 3, '… once');
};
run_page('README.md', qr/^Five minutes/);
$cluster->do_sql('shop', 'UPDATE tickets SET label = NULL');
say_to_psql('SET ROLE app;');
run_page('README.md', qr/^batchinf$/);
my $busy = 'SELECT count(*) FROM batch_chunks WHERE next_step_at IS NOT NULL';
is($cluster->poll_sql('shop', $busy, 0), 0, 'all of it is done');
leave_psql();

# ---- doc/operations.md, preloaded ----

my $tickets = 'UPDATE tickets SET label = NULL, body';
$cluster->stop('fast');
$cluster->configure("shared_preload_libraries = 'batchinf'");
$cluster->start;
$sim->reset;
connect_psql('shop');

$after{'Dry run in a transaction'} = sub {
    sleep 1;
    is(scalar @{$sim->call('GET', 'requests')}, 0, 'a dry run sends nothing');
};
$before{'Why does it wait'} = sub {
    $sim->fault('POST', '/files$', {status => 503}, times => 'always');
    my $job = $cluster->do_sql(
        'shop',
        'SET ROLE app',
        "SELECT batch_submit('SELECT id FROM tickets', server => 'openai', prompt => '{{id}}')");
    $cluster->poll_sql('shop', "SELECT waiting_for FROM batch_jobs WHERE job_id = $job", qr/./);
    say_to_psql("\\set job $job");
};
$after{'Monitor'} = sub {
    like(
        $cluster->sql('shop', 'SELECT waiting_for FROM batch_jobs WHERE finished_at IS NULL'),
        qr/"openai"/,
        'all the while a job waits');
    $sim->clear;
    is($cluster->poll_sql('shop', $busy, 0, 60), 0, '… which goes on by itself');
};
$before{'Records have failed'} = sub {
    $cluster->do_sql('shop', "$tickets = '[[sim:fail_times=3]]' WHERE id = 1");
};
$before{'Rows could not be written'} = sub {
    $cluster->do_sql(
        'shop',
        "$tickets = id",
        'ALTER TABLE tickets ADD CONSTRAINT none CHECK (false) NOT VALID');
};
$before{'Write them again'} = sub {
    $cluster->do_sql('shop', 'ALTER TABLE tickets DROP CONSTRAINT none');
};
$before{'The owner of a job is gone'} = sub {
    $cluster->do_sql(
        'shop',
        'CREATE ROLE leaver',
        'GRANT SELECT, UPDATE ON tickets TO leaver',
        'GRANT USAGE ON FOREIGN SERVER openai TO leaver',
        "CREATE USER MAPPING FOR leaver SERVER openai OPTIONS (api_key 'sk-sim')");
    my $job = $cluster->do_sql(
        'shop',
        'BEGIN',
        'SET LOCAL ROLE leaver',
        "SELECT batch_submit('SELECT id FROM tickets', server => 'openai', prompt => '{{id}}')",
        'COMMIT');
    $cluster->do_sql('shop', 'DROP OWNED BY leaver', 'DROP ROLE leaver');
    say_to_psql("\\set job $job");
};
$after{'The owner of a job is gone'} = sub {
    is($cluster->sql('shop', 'SELECT owner FROM batch_jobs ORDER BY job_id DESC LIMIT 1'),
        'app', 'a job has another owner');
};
$before{'On the old server'} = sub { $sim->config({batch_seconds => 60}) };
$before{'Afterwards'} = sub { $sim->config({batch_seconds => 0.2}) };
$before{'Wait until nothing is left there'} = sub {
    $cluster->poll_sql('new_shop', $busy, 0);
};
$after{'Wait until nothing is left there'} = sub {
    is(scalar @{$sim->ledger->{files_left}}, 0, 'nothing is left at the provider');
};
$after{'Remove it from the database'} = sub {
    is($cluster->sql('new_shop', "SELECT count(*) FROM pg_class WHERE relname ~ 'batch'"),
        0, 'nothing is left in the database');
};
run_page('doc/operations.md');
leave_psql();

done_testing();
