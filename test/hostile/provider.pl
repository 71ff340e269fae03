#!/usr/bin/perl
# A provider that lies in every reply: liar.js lies between the extension and the simulator, at each
# provider, while jobs run.
# Whatever it says, the server goes on, others' jobs end, no secret is kept, no stranger is asked,
# and no row gets the answer of another; once it is honest again each job ends, with one outcome for
# each record.
#
#   provider.pl                     for a short time, from a fixed seed
#   provider.pl SECONDS [SEED]      for that long, from a seed that it prints
#
# LIES=PATTERN in the environment: only lies of such names.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use JSON::PP;
use List::Util qw(max sum0);
use Provider;
use Test::More;
use Time::HiRes qw(sleep time);

my ($seconds, $seed) = @ARGV;
$seed //= $seconds ? time ^ $$ : 'batchinf';
$seconds //= 20;
my $only = $ENV{LIES} // '';
# What has broken something before comes first.
my $first = 'tokens in lines|million numbers|million objects|list of 4 million';
my $memory_kb = 700 * 1024;    # of one visit, beyond shared memory
my $records = 5;
my $patience = 90;

Cluster::as_postgres();
diag "seed $seed";
srand unpack '%32C*', $seed;
my $start = time;

# ---- who is there ----

my @names = map { $_->{name} } @Provider::all;
my %config = (
    bedrock_max_jobs => 1000,
    gemini_max_batches => 1000,
    map { %{$_->{config} // {}} } @Provider::all);
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    'batchinf.max_visits = 4',
    "batchinf.stall_timeout = '3s'",
    "batchinf.connect_timeout = '5s'",
    "batchinf.settle_time = '1s'",
    'batchinf.sweep_interval = 1',
    "batchinf.allowed_http_hosts = '127.0.0.1'",
    "temp_file_limit = '300MB'");
my $honest = Cluster::Sim->new;
my @places = map {
    {db => "d$_", sim => Cluster::Sim->new, key => sprintf('sk-hostile-%d-%08x', $_, rand 2**32)}
} 1 .. 3;
$cluster->do_sql('postgres', 'CREATE ROLE mallory LOGIN; CREATE ROLE alice LOGIN');
make_place($_) for @places;
note sprintf '%.0f s: ready', time - $start;

sub make_place {
    my ($place) = @_;
    my ($db, $sim) = @$place{qw(db sim)};
    $sim->config({%config, api_keys => ['sk-sim', $place->{key}]});
    $place->{liar} =
        Cluster::Sim->spawn('test/hostile/liar.js', '--target', $sim->port, '--seed', "$seed $db");
    $cluster->do_sql('postgres', "CREATE DATABASE $db");
    $cluster->do_sql(
        $db,
        'SET client_min_messages = warning; CREATE EXTENSION batchinf; '
            . 'GRANT USAGE ON FOREIGN DATA WRAPPER batchinf TO mallory, alice; '
            . 'GRANT CREATE ON SCHEMA public TO mallory, alice',
        map { tables_sql($_) } qw(mallory alice));
    $cluster->do_sql(
        $db,
        'SET ROLE mallory',
        map { servers_sql($place, $_, $place->{liar}->url) } @Provider::all);
    $cluster->do_sql(
        $db,
        'SET ROLE alice',
        Provider::server_sql($Provider::by_name{openai}, 'alice_openai', $honest->url));
}

sub servers_sql {
    my ($place, $provider, $url) = @_;
    return Provider::server_sql(
        $provider, $provider->{name},
        $place->{sim}->url,
        "max_batches '50'",
        $url, $place->{key});
}

# Answers end in "tag T record N": whose they are.
sub tables_sql {
    my ($role) = @_;
    return (
        "CREATE SCHEMA $role AUTHORIZATION $role", "SET ROLE $role",
        "CREATE TABLE $role.tickets (id serial PRIMARY KEY, tag text, n int, label text); "
            . "CREATE TABLE $role.job (job bigint, tag text, at timestamptz DEFAULT "
            . "clock_timestamp())",
        "CREATE FUNCTION $role.submit(server text, tag text, n int) RETURNS bigint
         LANGUAGE sql AS \$\$
             INSERT INTO $role.tickets (tag, n) SELECT tag, i FROM generate_series(1, n) i;
             INSERT INTO $role.job SELECT batch_submit(
                 format('SELECT id, tag, n FROM $role.tickets WHERE tag = %L ORDER BY n', tag),
                 server => server, prompt => 'tag {{tag}} record {{n}}', key => 'id',
                 target => '$role.tickets', write_back => '{\"label\": \"\$\"}',
                 in_flight => 'send', write_if => 'always',
                 name => tag, max_attempts => 2), tag RETURNING job \$\$",
        'RESET ROLE');
}

sub liar {
    my ($place, $mode) = @_;
    return decode_json(
        HTTP::Tiny->new(timeout => 60)->request(
            'POST',
            $place->{liar}->url . '/_liar/mode',
            {content => encode_json($mode // {})})->{content});
}

# ---- what is watched meanwhile ----

my (%most, %seen_in, @late, %slow);
my $jobs = 0;

sub visits {
    return $cluster->sql('postgres',
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'batchinf visit'") =~ /^(\d+)$/mg;
}

# Memory of its own, in kB.
sub watch_memory {
    for my $pid (visits()) {
        open my $status, '<', "/proc/$pid/status" or next;
        my ($kb) = map { /^RssAnon:\s*(\d+)/ ? $1 : () } <$status>;
        $most{memory} = max($most{memory} // 0, $kb // 0);
    }
}

sub secrets {
    my %all;
    $all{$_} = 1 for map { $_->{key}, @{liar($_)->{secrets}} } @places;
    return grep {length} keys %all;
}

sub look_for_secrets {
    my ($where, $text) = @_;
    for my $secret (secrets()) {
        $seen_in{"$where: " . substr($secret, 0, 12) . '...'} //=
            substr($text, max(0, $-[0] - 200), 400)
            if $text =~ /\Q$secret/;
    }
}

sub watch_activity {
    look_for_secrets(
        'pg_stat_activity',
        $cluster->sql(
            'postgres',
            "SELECT a::text FROM pg_stat_activity a WHERE pid <> pg_backend_pid() "
                . "AND backend_type <> 'client backend'"));
}

# An honest job of another owner ends meanwhile.
sub watch_alice {
    my ($place) = @_;
    my $is = $cluster->sql($place->{db},
              "SELECT coalesce(string_agg(s.state || ' ' || s.succeeded, ','), "
            . "'') || '|' || coalesce(max(extract(epoch FROM clock_timestamp() - j.at)), 0)::int "
            . "FROM alice.job j JOIN batch_jobs s ON s.job_id = j.job "
            . "WHERE s.state NOT IN ('completed')");
    my ($states, $age) = $is =~ /^(.*)\|(\d+)$/ or return push @late, $is;
    $most{alice} = max($most{alice} // 0, $age);
    push @late, "$place->{db}: $states after $age s" if $age > $patience && !$slow{$place->{db}}++;
    $cluster->do_sql(
        $place->{db},
        'SET ROLE alice',
        "SELECT alice.submit('alice_openai', 'a" . ++$jobs . "', 3)") if $states eq '';
}

# DROP DATABASE returns once every process has looked at its interrupts.
sub watch_interrupts {
    my (undef, $took) = timed(
        sub {
            $cluster->sql(
                'postgres',
                'CREATE DATABASE canary STRATEGY wal_log',
                'DROP DATABASE canary');
        });
    $most{interrupts} = max($most{interrupts} // 0, $took);
}

# ---- the work ----

# Waits that a lie has made are over: nobody wants to see a Retry-After of a day.
sub hurry {
    my ($place) = @_;
    $cluster->sql(
        $place->{db},
        "SET lock_timeout = '2s'",
        'DELETE FROM batchinf.pause',
        "UPDATE batchinf.chunk SET next_step_at = clock_timestamp() "
            . "WHERE next_step_at > clock_timestamp() + interval '1 s'");
}

sub unfinished {
    my ($place) = @_;
    return $cluster->sql($place->{db},
              "SELECT count(*) FROM batch_jobs WHERE owner = 'mallory' "
            . "AND state NOT IN ('completed', 'failed', 'cancelled')");
}

my $turn = 0;

sub submit_some {
    my ($place, $wanted) = @_;
    my $open = unfinished($place);
    return if $open !~ /^\d+$/ || $open >= $wanted;
    $cluster->do_sql(
        $place->{db},
        'SET ROLE mallory',
        map { "SELECT mallory.submit('$names[$turn++ % @names]', 'm" . ++$jobs . "', $records)" }
            1 .. $wanted - $open);
}

sub cancel_one {
    my ($place) = @_;
    $cluster->sql(
        $place->{db},
        'SET ROLE mallory',
        "SELECT batch_cancel(job_id) FROM (SELECT job_id FROM batch_jobs "
            . "WHERE state = 'running' ORDER BY random() LIMIT 1) j");
}

sub cancel_all {
    my ($place) = @_;
    my $out = $cluster->sql(
        $place->{db},
        'SET ROLE mallory',
        "SELECT batch_cancel(job_id) FROM batch_jobs WHERE state IN ('queued', 'running')");
    fail("batch_cancel: $out") if $out =~ /ERROR|FATAL/;
}

sub lie_for {
    my ($seconds) = @_;
    my $turns = 0;
    for (my $end = time + $seconds; time < $end; $turns++) {
        for my $place (@places) {
            submit_some($place, 18);
            watch_alice($place);
            hurry($place);
            cancel_one($place) if rand() < 0.05;
        }
        watch_memory();
        watch_activity() if $turns % 4 == 0;
        watch_interrupts() if $turns % 8 == 4;
        sleep 0.2;
    }
}

# Each job ends; one that a lie keeps waiting for ever ends by a cancel.
sub come_to_an_end {
    my ($place, $seconds) = @_;
    my $end = time + $seconds;
    while (time < $end && unfinished($place) ne '0') {
        hurry($place);
        watch_memory();
        cancel_all($place) if time > $end - $seconds * 0.75;
        sleep 0.3;
    }
    return $cluster->sql(
        $place->{db},
        "SELECT concat_ws(' ', s.job_id, s.server, s.state, k.step, k.waiting_for,
            k.next_step_at - now(),
            (SELECT string_agg(event || coalesce(' (' || left(detail, 100) || ')', ''), ', '
                 ORDER BY event_id)
             FROM (SELECT * FROM batch_events e WHERE e.job_id = s.job_id
                   ORDER BY event_id DESC LIMIT 5) e))
        FROM batch_jobs s LEFT JOIN batch_chunks k USING (job_id)
        WHERE s.owner IN ('mallory', 'alice')
        AND s.state NOT IN ('completed', 'failed', 'cancelled') LIMIT 10"
    );
}

my $listener =
    $cluster->beside('d1', 'LISTEN batchinf', map {'SELECT pg_sleep(1)'} 1 .. $seconds + 20);
liar($_, {honest => \0, chance => 0.5, heavy => 0.03, only => $only, first => $first}) for @places;
lie_for($seconds);
note sprintf '%.0f s: they have lied', time - $start;
liar($_, {honest => \1}) for @places;
is(come_to_an_end($_, 60), '', "$_->{db}: once the provider is honest each job ends") for @places;
note sprintf '%.0f s: all is over', time - $start;

# ---- transfers without end end by a cancel, and by the server's removal ----

liar($_, {honest => \0, chance => 1, heavy => 1, only => 'without end|drips|a hang'}) for @places;
$turn = 0;
submit_some($_, scalar @names) for @places;
poll(qr/^[1-9]/, 20, sub { sum0(map { liar($_)->{open} } @places) });
cancel_all($places[0]);
my ($dropped, $took) =
    timed(sub { $cluster->sql('d2', 'SET ROLE mallory', map {"DROP SERVER $_ CASCADE"} @names) });
is($dropped =~ s/^NOTICE.*\n?//gmr,
    '', 'servers are dropped while their provider sends without end');
cmp_ok($took, '<', 30, 'at once');
poll('0', 60, sub { liar($places[1])->{open} });
is(liar($places[1])->{open}, 0, 'and what was on its way from them ends');
liar($_, {honest => \1}) for @places;
is(come_to_an_end($_, 60),
    '', "$_->{db}: cancelled, without its server, or once the provider is honest, each job ends")
    for @places;
note sprintf '%.0f s: all is over again', time - $start;

# ---- what must be true ----

sub merged {
    my ($what, @reports) = @_;
    my %sum;
    for my $report (@reports) { $sum{$_} += $report->{$what}{$_} for keys %{$report->{$what}} }
    return \%sum;
}

my @reports = map { liar($_) } @places;
my ($counts, $kinds) = map { merged($_, @reports) } qw(counts kinds);
my $of = grep { !$only || /$only/ } @{$reports[0]{lies}};
diag sprintf '%d jobs, %d replies, %d lies of %d kinds (of %d) to %d kinds of requests; most: %s',
    $jobs, sum0(map { $_->{replies} } @reports), sum0(values %$counts), scalar keys %$counts, $of,
    scalar keys %$kinds,
    join ', ', map {"$_ $most{$_}"} sort keys %most;
cmp_ok(sum0(values %$counts), '>', 20, 'it has lied');
is(join('; ', map { @{$_->{strangers}} } @reports), '',
    'promise 6: no stranger was asked anything');
is("@late", '', "promise 8: honest jobs of another owner end meanwhile, within $patience s");
cmp_ok($most{memory}, '<', $memory_kb, "no visit has taken $memory_kb kB");
cmp_ok($most{interrupts} // 0, '<', 20, 'each process looks at its interrupts');

for my $place (@places) {
    my $db = $place->{db};
    is( $cluster->sql(
            $db,
            "SELECT count(*) FROM batch_jobs j JOIN batch_records r USING (job_id) "
                . "WHERE j.state IN ('completed', 'failed', 'cancelled') AND r.outcome IS NULL"),
        0,
        "$db: promise 3: each record has its outcome");
    is( $cluster->sql(
            $db,
            "SELECT count(*) FROM batch_jobs WHERE state IN ('completed', 'failed', "
                . "'cancelled') AND (pending <> 0 OR records <> succeeded + invalid_output + "
                . "errored + expired + cancelled + missing + skipped)"),
        0,
        "$db: and once in the counts");
    for my $role (qw(mallory alice)) {
        is( $cluster->sql(
                $db,
                "SELECT string_agg(tag || ' ' || n || ': ' || right(label, 100), '; ') "
                    . "FROM $role.tickets WHERE label LIKE '%FORGED%' OR label ~ 'tag \\S+ record' "
                    . "AND label NOT LIKE '%tag ' || tag || ' record ' || n"),
            '',
            "$db: no row of $role has the answer of another");
    }
    is( $cluster->sql(
            $db,
            'SELECT count(*) FROM alice.tickets WHERE label IS NULL AND tag IN (SELECT tag '
                . 'FROM alice.job JOIN batch_jobs ON job_id = job WHERE state = \'completed\')'),
        0,
        "$db: alice has all of hers");
    look_for_secrets("$db, tables",
        Cluster::run("$Cluster::bin/pg_dump", $cluster->connection, '-d', $db, '--data-only'));
    look_for_secrets(
        "$db, views",
        $cluster->sql(
            $db,
            map {"SELECT v::text FROM $_ v"}
                qw(batch_jobs batch_chunks batch_records batch_events batch_servers)));
}

look_for_secrets('notifications', Cluster::output($listener));
open my $log, '<', $cluster->{log} or die $!;
look_for_secrets('the log', join '', <$log>);
is(join("\n", map {"$_: $seen_in{$_}"} sort keys %seen_in), '', 'promise 6: no secret is anywhere');
is($cluster->log_count('PANIC|TRAP|terminated by signal|out of memory'), 0, 'no process has died');
is($cluster->log_count('cannot go on|could not record'), 0, 'no step met an error of ours');
my @visits;
poll('0', 40, sub { scalar(@visits = visits()) });
is("@visits", '', 'nothing to do: the visits have left');
is(join(' ', glob "$cluster->{data}/base/pgsql_tmp/*"), '', 'and left no file');
is($cluster->sql('d1', 'SELECT 1'), 1, 'the server takes connections');
done_testing();
