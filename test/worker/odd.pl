#!/usr/bin/perl
# What an administrator does now and then to databases, schemas and roles that the worker needs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;
use Time::HiRes qw(sleep);

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    "batchinf.settle_time = '1s'",
    'log_min_messages = debug1');
sub do_sql { return $cluster->do_sql('postgres', @_) }
sub sql { return $cluster->sql('postgres', @_) }
sub poll_sql { return $cluster->poll_sql('postgres', @_) }

my $submit = q{SELECT batch_submit('SELECT id FROM public.t', server => 's', prompt => '{{id}}',
        target => 't', write_back => '{"label": "$"}', in_flight => 'send', write_if => 'always')};
my $state = "SELECT state || ' ' || written FROM batch_jobs ORDER BY job_id DESC LIMIT 1";
my $visits =
      "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf visit' "
    . "AND datname = 'postgres'";
sub starts { return $cluster->log_count('starting background worker process "batchinf visit"') }
sub is_done { return is(poll_sql($state, 'completed 5', 40), 'completed 5', $_[0]) }

# ---- who owns the extension ----

do_sql('CREATE ROLE boss SUPERUSER', 'SET ROLE boss', 'CREATE EXTENSION batchinf');
do_sql(
    $sim->server_sql('s'),
    'CREATE TABLE t (id int PRIMARY KEY, label text)',
    'INSERT INTO t SELECT generate_series(1, 5)');
do_sql('ALTER ROLE boss NOSUPERUSER', $submit);
is_done("the extension's owner is no superuser any more");
do_sql('ALTER ROLE boss RENAME TO chief', $submit);
is_done('... and has another name');
like(
    sql('DROP ROLE chief'),
    qr/cannot be dropped because some objects depend on it/,
    '... PostgreSQL does not drop it');
like(
    sql('CREATE ROLE heir', 'REASSIGN OWNED BY chief TO heir'),
    qr/owner of a foreign-data wrapper must be a superuser/,
    '... nor hand what it has to an ordinary role');
do_sql('ALTER ROLE heir SUPERUSER', 'REASSIGN OWNED BY chief TO heir', $submit);
is_done('... but to a superuser, and the work goes on');

# ---- ALTER EXTENSION SET SCHEMA beside those who submit ----

do_sql('CREATE SCHEMA other');
my $session = $cluster->beside('postgres', map {$submit} 1 .. 10);
like(
    sql('ALTER EXTENSION batchinf SET SCHEMA other'),
    qr/ERROR:  extension "batchinf" does not support SET SCHEMA/,
    'SET SCHEMA is refused under load');
unlike(Cluster::output($session), qr/ERROR/, '... nobody is disturbed');
is(poll_sql("SELECT count(*) FROM batch_jobs WHERE state <> 'completed'", 0, 60),
    0, '... and all is done');

# ---- a database that nobody may connect to ----

sub elsewhere { return $cluster->sql('template1', @_) }
$sim->fault('POST', '/batches$', {hang => \1}, times => 'always');
do_sql($submit);
is(poll(1, 15, sub { elsewhere($visits) && $sim->faults_met ? 1 : 0 }), 1, 'a visit is at work');
is(elsewhere('ALTER DATABASE postgres ALLOW_CONNECTIONS false'), '', 'ALLOW_CONNECTIONS false');
is(poll(0, 15, sub { elsewhere($visits) }), 0, '... the visit leaves');
$sim->clear;
my $starts = starts();
sleep 3;
is(starts() - $starts, 0, '... and none is started');
is($cluster->log_count('not currently accepting connections'), 0, '... nor fails to start');
is(elsewhere('ALTER DATABASE postgres ALLOW_CONNECTIONS true'), '', 'ALLOW_CONNECTIONS true');
is_done('... it comes back');

# ---- kill -9 in the midst of a download ----

my $billed = $sim->ledger->{billed_requests};
$sim->fault('GET', '/content$', {drip => 400_000}, times => 'always');
do_sql($submit =~ s/\{\{id\}\}/{{id}} [[sim:big=1000000]]/r);
sub spools { return scalar(grep {-s} glob "$cluster->{data}/base/pgsql_tmp/*") }
is(poll(qr/[1-9]/, 20, \&spools) > 0, 1, 'results are on their way into a spool');
kill 'KILL', split ' ',
    do_sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'batchinf visit' "
        . "AND datname = 'postgres'");
is(poll(0, 20, \&spools), 0, 'kill -9 of the visit: the restart of the server removes its spools');
$sim->clear;
is_done('... and a later visit fetches the results again');
is(do_sql('SELECT min(length(label)) > 900000 FROM t'), 't', '... all of them');
is($sim->ledger->{billed_requests} - $billed, 5, '... nothing is billed again');
is(spools(), 0, '... and no spool is left');

is($cluster->log_count('PANIC|TRAP|terminated by signal (?!9)|cache lookup failed'),
    0, 'nothing odd in the log');
done_testing();
