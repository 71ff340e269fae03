#!/usr/bin/perl
# Processes are killed at every point of a chunk's life. Afterwards the simulator's ledger and our
# tables agree.
#
# Each point has a database and a simulator of its own; a fault holds its exchange, or a
# trigger its delivery, there.  When all are at their points, all visits are killed with
# SIGKILL at once, and the same again with the whole server.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;
use Time::HiRes qw(time);

Cluster::as_postgres();

my $batches = '/batches$';
my $content = '/content$';
my $batch = '/batches/[^/]+$';

# fault: method, path and action of what holds it there (then: a second one); batches: how many
# there are at the provider at the kill; event: what must happen afterwards
my @points = (
    {name => 'upload before its effect', fault => ['POST', '/files$', {hang => \1}]},
    {name => 'upload after its effect', fault => ['POST', '/files$', {hang => 'after'}]},
    {name => 'create before its effect', fault => ['POST', $batches, {hang => \1}]},
    {   name => 'create whose effect comes after the kill',
        fault => ['POST', $batches, {delay_ms => 3000}],
        late => 1,
        batches => 0,
        event => 'found again'},
    {   name => 'create after its effect',
        fault => ['POST', $batches, {hang => 'after'}],
        event => 'found again'},
    {   name => 'find after a lost create',
        fault => ['POST', $batches, {lost_after_effect => \1}],
        then => ['GET', $batches, {hang => \1}],
        event => 'found again'},
    {name => 'poll', fault => ['GET', $batch, {hang => \1}]},
    {name => 'poll after the end', fault => ['GET', $batch, {hang => 'after'}]},
    {name => 'fetch', fault => ['GET', $content, {hang => \1}]},
    {name => 'mid-download', fault => ['GET', $content, {drip => 300}]},
    {name => 'delivery', gate => 1},
    {name => 'delivery, second group', gate => 600, records => 700},
    {name => 'clean before its effect', fault => ['DELETE', '/files/', {hang => \1}]},
    {name => 'clean after its effect', fault => ['DELETE', '/files/', {hang => 'after'}]},);
my $n = 0;

for my $point (@points) {
    $point->{db} = 'p' . ++$n;
    $point->{sim} = Cluster::Sim->new;
    $point->{records} //= 20;
    $point->{batches} //=
        $point->{name} =~ /before its effect|upload/ && $point->{name} !~ /clean/ ? 0 : 1;
}

my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    "batchinf.settle_time = '4s'",
    'batchinf.max_visits = 30');

# Rows from id gate on wait, within the delivering transaction, until the gate is opened.
sub make_database {
    my ($point) = @_;
    my $gate = $point->{gate} // 0;
    $cluster->do_sql('postgres', "CREATE DATABASE $point->{db}");
    $cluster->do_sql(
        $point->{db}, 'SET client_min_messages = warning; CREATE EXTENSION batchinf',
        $point->{sim}->server_sql('openai'),
        "CREATE TABLE gate AS SELECT true AS open;
         CREATE TABLE tickets (id int PRIMARY KEY, body text, label text, writes int DEFAULT 0)",
        'CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             WHILE '
            . (
            $gate ? "NEW.id >= $gate AND EXISTS (SELECT FROM public.gate WHERE NOT open)" : 'false')
            . ' LOOP PERFORM pg_sleep(0.01); END LOOP;
             NEW.writes := OLD.writes + 1;
             RETURN NEW;
         END $$',
        'CREATE TRIGGER gate BEFORE UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION wait_at_gate()',
        "SELECT batch_create_pipeline('p', 'SELECT id, body FROM tickets', 'openai', "
            . "prompt => '{{body}}', target => 'tickets', write_back => '{\"label\": \"\$\"}')");
}

sub submit {
    my ($point, $round) = @_;
    $point->{sim}->fault(@{$point->{$_}}) for grep { $point->{$_} } qw(fault then);
    $point->{sim}->config({batch_seconds => 3})
        if $point->{late};    # its input file must still be there
    $cluster->do_sql($point->{db}, 'UPDATE gate SET open = false') if $point->{gate};
    $point->{job} = $cluster->do_sql(
        $point->{db},
        "BEGIN; TRUNCATE tickets; INSERT INTO tickets SELECT i, 'round $round of ' || i "
            . "FROM generate_series(1, $point->{records}) i; COMMIT",
        "SELECT batch_refresh('p', force => true)");
}

sub is_there {
    my ($point) = @_;
    return $cluster->sql('postgres',
              "SELECT count(*) FROM pg_stat_activity WHERE datname = '$point->{db}' "
            . "AND wait_event = 'PgSleep'") eq '1'
        if $point->{gate};
    return $point->{sim}->faults_met >= ($point->{then} ? 2 : 1);
}

sub wait_for {
    my ($what, @some) = @_;
    is(poll('', 20, sub { join ', ', map { $_->{name} } grep { !is_there($_) } @some }), '', $what);
}

# Those whose effect is only delayed come last: the kill must come before it.
sub arrive {
    my ($round) = @_;
    my @late = grep { $_->{late} } @points;
    my @others = grep { !$_->{late} } @points;
    submit($_, $round) for @others;
    wait_for("$round: all are at their points", @others);
    submit($_, $round) for @late;
    wait_for("$round: the late ones too", @late);
    is(scalar @{$_->{sim}->ledger->{batches}},
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
    my ($round, $times) = @_;
    for my $point (@points) {
        my ($name, $db, $job, $records) = ("$round, $point->{name}", @$point{qw(db job records)});
        is( $cluster->poll_sql(
                $db,
                "SELECT state || ' ' || succeeded || ' ' || written FROM batch_jobs "
                    . "WHERE job_id = $job",
                "completed $records $records",
                40),
            "completed $records $records",
            "$name: the work goes on by itself to its end");
        $cluster->poll_sql($db,
            "SELECT count(*) FROM batch_chunks WHERE job_id = $job AND state <> 'done'", 0);
        poll(
            1, 10,
            sub {
                scalar grep { $_->{fault} && $_->{status} }
                    @{$point->{sim}->call('GET', 'requests')};
            }) if $point->{late};
        my $ledger = $point->{sim}->ledger;
        is( "$ledger->{billed_requests} $ledger->{content_billed_again}",
            "$records 0",
            "promise 1: $name: each record is billed once");
        is(scalar @{$ledger->{batches}}, 1, "promise 1: $name: in one batch");
        is( $cluster->sql(
                $db,
                "SELECT count(*), count(DISTINCT seq), count(DISTINCT attempt) "
                    . "FROM batchinf.result WHERE job_id = $job"),
            "$records|$records|1",
            "promise 3: $name: every record has exactly one outcome");
        is( $cluster->sql(
                $db,
                "SELECT count(*), min(writes), max(writes) FROM tickets "
                    . "WHERE label LIKE '%round $round of ' || id"),
            "$records|1|1",
            "promise 2: $name: every row has its own value, written once");
        is( $cluster->do_sql(
                $db,
                'SET client_min_messages = error',
                "SELECT COALESCE(batch_refresh('p')::text, 'nothing')"),
            'nothing',
            "promise 11: $name: a refresh sends nothing again");
        is($cluster->poll_sql($db, 'SELECT count(*) FROM batchinf.in_flight', 0),
            0, "promise 11: $name: no row is in flight any more");
        is(scalar $point->{sim}->files_for_ever,
            0, "promise 10: $name: nothing is left there for ever");
        is( $cluster->sql(
                $db,
                "SELECT count(*) FROM batch_events WHERE job_id = $job "
                    . "AND event IN ('$point->{event}', 'not found')"),
            1,
            # on a busy machine the request may be lost with the process, and is made again
            "$name: the batch was found again") if $point->{event};
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
