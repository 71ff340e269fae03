#!/usr/bin/perl
# Processes are killed before and after the one paid call of a provider that takes its input with
# that call and marks no batch. Afterwards the simulator's ledger and our tables agree.
#
# As kill.pl: a database and a simulator for each point, a fault that holds its exchange there;
# first all visits are killed with SIGKILL at once, then the whole server.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;
use Time::HiRes qw(time);

Cluster::as_postgres();

my $batches = '/batches$';
my $results = '/results$';
my $batch = '/batches/[^/]+$';

# fault: method, path and action of what holds it there (then: a second one); batches: how many
# of ours are at the provider at the kill; event: what must happen afterwards; big: rows of so many
# bytes; twin: a foreign batch of the same size beside it; gate: deliveries wait in the target's
# trigger
my @points = (
    {   name => 'create before its effect',
        fault => ['POST', $batches, {hang => \1}],
        batches => 0,
        event => 'not found'},
    {   name => 'create after its effect',
        fault => ['POST', $batches, {hang => 'after'}],
        event => 'found again'},
    {   name => 'create before its effect, a twin beside it',
        fault => ['POST', $batches, {hang => \1}],
        twin => 1,
        batches => 0,
        event => 'not found'},
    {   name => 'create after its effect, a twin beside it',
        fault => ['POST', $batches, {hang => 'after', foreign => 1}],
        event => 'found again'},
    {   name => 'a large body before its effect',
        fault => ['POST', $batches, {hang => \1}],
        big => 200_000,
        batches => 0,
        event => 'not found'},
    {   name => 'find after a lost create',
        fault => ['POST', $batches, {lost_after_effect => \1}],
        then => ['GET', $batches, {hang => \1}],
        event => 'found again'},
    {   name => 'peek after a lost create',
        fault => ['POST', $batches, {lost_after_effect => \1}],
        then => ['GET', $results, {hang => \1}],
        event => 'found again'},
    {name => 'poll', fault => ['GET', $batch, {hang => \1}]},
    {name => 'fetch', fault => ['GET', $results, {hang => \1}]},
    {name => 'fetch after it was served', fault => ['GET', $results, {hang => 'after'}]},
    {name => 'mid-download', fault => ['GET', $results, {drip => 300}]},
    {name => 'delivery', gate => 1},
    {name => 'clean before its effect', fault => ['DELETE', $batch, {hang => \1}]},
    {name => 'clean after its effect', fault => ['DELETE', $batch, {hang => 'after'}]},);
my $records = 20;
my $n = 0;

for my $point (@points) {
    $point->{db} = 'p' . ++$n;
    $point->{sim} = Cluster::Sim->new;
    $point->{batches} //= 1;
}

my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    "batchinf.settle_time = '2s'",
    'batchinf.max_visits = 30');

sub make_database {
    my ($point) = @_;
    my $url = $point->{sim}->url;
    $cluster->do_sql('postgres', "CREATE DATABASE $point->{db}");
    $cluster->do_sql(
        $point->{db}, 'SET client_min_messages = warning; CREATE EXTENSION batchinf',
        "CREATE SERVER anth FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'anthropic',
            model 'claude-haiku-5-5', base_url '$url', poll_interval '1');
         CREATE USER MAPPING FOR CURRENT_USER SERVER anth OPTIONS (api_key 'sk-sim')",
        'CREATE TABLE gate AS SELECT true AS open;
         CREATE TABLE tickets (id int PRIMARY KEY, body text, label text, writes int DEFAULT 0)',
        'CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             WHILE EXISTS (SELECT FROM public.gate WHERE NOT open) LOOP
                 PERFORM pg_sleep(0.01);
             END LOOP;
             NEW.writes := OLD.writes + 1;
             RETURN NEW;
         END $$',
        'CREATE TRIGGER gate BEFORE UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION wait_at_gate()'
    );
}

sub submit {
    my ($point, $round) = @_;
    my $tail = $point->{big} ? " || repeat('' .'', @{[$point->{big} / 2]})" : '';
    $point->{sim}->fault(@{$point->{$_}}) for grep { $point->{$_} } qw(fault then);
    $point->{sim}
        ->call('POST', 'foreign', {provider => 'anthropic', requests => $records, count => 1})
        if $point->{twin};
    $cluster->do_sql($point->{db}, 'UPDATE gate SET open = false') if $point->{gate};
    $point->{job} = $cluster->do_sql(
        $point->{db},
        "BEGIN; TRUNCATE tickets; INSERT INTO tickets SELECT i, 'round $round of ' || i "
            . "FROM generate_series(1, $records) i; COMMIT",
        "SELECT batch_submit('SELECT id, body$tail AS body FROM tickets', server => 'anth', "
            . "prompt => '{{body}}', target => 'tickets', write_back => '{\"label\": \"\$\"}')");
}

sub is_there {
    my ($point) = @_;
    return $cluster->sql('postgres',
              "SELECT count(*) FROM pg_stat_activity WHERE datname = '$point->{db}' "
            . "AND wait_event = 'PgSleep'") eq '1'
        if $point->{gate};
    return $point->{sim}->faults_met >= ($point->{then} ? 2 : 1);
}

sub ours { return grep { !$_->{foreign} } @{$_[0]->{batches}} }

sub arrive {
    my ($round) = @_;
    submit($_, $round) for @points;
    is(poll('', 20, sub { join ', ', map { $_->{name} } grep { !is_there($_) } @points }),
        '', "$round: all are at their points");
    is(poll($_->{batches}, 5, sub { scalar ours($_->{sim}->ledger) }),
        $_->{batches}, "$round, $_->{name}: batches at the kill")
        for @points;
}

sub open_gates {
    for my $point (@points) {
        $point->{sim}->clear;
        $cluster->do_sql($point->{db}, 'UPDATE gate SET open = true') if $point->{gate};
    }
}

sub check {
    my ($round) = @_;
    for my $point (@points) {
        my ($name, $db, $job) = ("$round, $point->{name}", @$point{qw(db job)});
        is( $cluster->poll_sql(
                $db,
                "SELECT state || ' ' || succeeded || ' ' || written FROM batch_jobs "
                    . "WHERE job_id = $job",
                "completed $records $records",
                40),
            "completed $records $records",
            "$name: the work goes on by itself to its end");
        is( $cluster->poll_sql(
                $db, "SELECT count(*) FROM batch_chunks WHERE job_id = $job AND state <> 'done'", 0
            ),
            0,
            "$name: to the last step");
        my $ledger = $point->{sim}->ledger;
        is( "$ledger->{billed_requests} $ledger->{content_billed_again}",
            "$records 0",
            "promise 1: $name: each record is billed once");
        is(join(' ', map { $_->{deleted} ? 'deleted' : 'left' } ours($ledger)),
            'deleted', "promise 10: $name: in one batch, that is removed");
        is(scalar(grep { $_->{foreign} && $_->{deleted} } @{$ledger->{batches}}),
            0, "$name: what is not ours stays");
        is( $cluster->sql(
                $db,
                "SELECT count(*), count(DISTINCT seq), count(DISTINCT attempt) "
                    . "FROM batchinf.result WHERE job_id = $job"),
            "$records|$records|1",
            "promise 3: $name: every record has exactly one outcome");
        is( $cluster->sql(
                $db,
                "SELECT count(*), min(writes), max(writes) FROM tickets "
                    . "WHERE rtrim(label, ' .') LIKE '%round $round of ' || id"),
            "$records|1|1",
            "promise 2: $name: every row has its own value, written once");
        is( $cluster->sql(
                $db,
                "SELECT count(*) FROM batch_events WHERE job_id = $job "
                    . "AND event = '$point->{event}'"),
            1,
            "$name: $point->{event}") if $point->{event};
        $point->{sim}->reset;
    }
}

make_database($_) for @points;

my $start = time;
arrive('killed visits');
my @visits = split /\n/,
    $cluster->sql('postgres',
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'batchinf visit' AND datname ~ '^p[0-9]'"
    );
cmp_ok(scalar @visits, '>=', scalar @points, 'a visit in each database');
kill 'KILL', @visits;
is( $cluster->poll_sql(
        'postgres',
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf launcher' "
            . "AND NOT pid = ANY ('{@{[join ',', @visits]}}')",
        1,
        20),
    1,
    'the launcher is back after the crash');
open_gates();
check('killed visits');
note sprintf '%.1f s', time - $start;

$start = time;
arrive('killed server');
$cluster->stop('immediate');
$cluster->start;
open_gates();
check('killed server');
note sprintf '%.1f s', time - $start;

is($cluster->log_count('PANIC|TRAP|terminated by signal (?!9)'), 0, 'nothing odd in the log');
is($cluster->log_count('cannot go on|could not record'), 0, 'no step met an error of ours');
done_testing();
