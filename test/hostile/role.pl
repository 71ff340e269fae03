#!/usr/bin/perl
# A role that is no superuser owns everything that it may own, the database included, and means
# harm: its code runs wherever code of a target's owner runs (mallory.sql), while its sessions do,
# by chance, what they may. It must never run as anybody else, see or touch what is not its own,
# stop the jobs of others, or leave something in a session.
#
#   role.pl                     for a short time, from a fixed seed
#   role.pl SECONDS [SEED]      for that long, from a seed that it prints
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use List::Util qw(max);
use Provider;
use Test::More;
use Time::HiRes qw(sleep time);

my ($seconds, $seed) = @ARGV;
$seed //= $seconds ? time ^ $$ : 'batchinf';
$seconds //= 25;
my $patience = 90;

Cluster::as_postgres();
diag "seed $seed";
srand unpack '%32C*', $seed;
my $start = time;

sub one_of { return $_[rand @_] }

# What the database's owner has set does not hold for our own sessions.
$ENV{PGOPTIONS} = join ' ',
    map {"-c $_"}
    qw(statement_timeout=0 lock_timeout=0 default_transaction_read_only=off
    idle_in_transaction_session_timeout=0 search_path=public row_security=on DateStyle=ISO
    standard_conforming_strings=on transform_null_equals=off bytea_output=hex jit=off
    client_min_messages=warning), 'default_transaction_isolation=read\\ committed';

my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    'batchinf.max_visits = 3',
    "batchinf.settle_time = '1s'",
    'batchinf.sweep_interval = 1',
    "batchinf.write_timeout = '2s'",
    "batchinf.allowed_http_hosts = '127.0.0.1'",
    'max_prepared_transactions = 10',
    'max_locks_per_transaction = 64',
    'track_activity_query_size = 10000');
my ($sim, $other, $alices) = map { Cluster::Sim->new } 1 .. 3;

# ---- who is there ----

$cluster->do_sql(
    'postgres',
    'CREATE ROLE mallory LOGIN; CREATE ROLE m_member LOGIN; GRANT m_member TO mallory; '
        . 'CREATE ROLE alice LOGIN',
    'CREATE DATABASE d1 OWNER mallory');
$cluster->do_sql(
    'd1',
    'CREATE EXTENSION batchinf; ALTER SCHEMA public OWNER TO postgres; '
        . 'GRANT CREATE ON SCHEMA public TO mallory; GRANT USAGE ON FOREIGN DATA WRAPPER batchinf '
        . 'TO mallory, alice',
    'CREATE SCHEMA alice AUTHORIZATION alice; CREATE TABLE public.alice_jobs (job bigint, '
        . 'tag text, at timestamptz DEFAULT clock_timestamp()); GRANT '
        . 'SELECT ON public.alice_jobs TO mallory; GRANT ALL ON public.alice_jobs TO alice',
    'CREATE SCHEMA boss; CREATE TABLE boss.tickets (id serial PRIMARY KEY, tag text, n int, '
        . 'label text); CREATE TABLE boss.jobs (job bigint, tag text, '
        . 'at timestamptz DEFAULT clock_timestamp())',
    'SET ROLE alice',
    'CREATE TABLE alice.tickets (id serial PRIMARY KEY, tag text, n int, label text)');
$cluster->do_sql('d1',
    Provider::server_sql($Provider::by_name{openai}, 'boss_server', $alices->url));
$cluster->do_sql('d1',
    'SET ROLE alice; '
        . Provider::server_sql($Provider::by_name{openai}, 'alice_server', $alices->url));
run_file("$FindBin::RealBin/mallory.sql");
mallory_servers();
note sprintf '%.0f s: ready', time - $start;

sub run_file {
    my ($file) = @_;
    my $out =
        Cluster::run("$Cluster::bin/psql", '-XAtq', '-v', 'ON_ERROR_STOP=1', $cluster->connection,
        '-d', 'd1', '-f', $file);
    fail("$file: $out") if $out =~ /ERROR/;
}

# In a session of mallory's, whatever it says.
sub mallory {
    my (@sql) = @_;
    return $cluster->sql(
        'd1',
        '\connect - mallory',
        'SET search_path = mallory, public',
        "SET statement_timeout = '10s'", @sql);
}

sub mallory_servers {
    mallory(
        map {
            my $p = $_;
            map {"$_"} split /; /, Provider::server_sql($Provider::by_name{$p}, "m_$p", $sim->url)
        } qw(openai anthropic gemini));
    mallory('SELECT mallory.fill()');
}

# ---- what mallory does ----

my @targets = map {"mallory.$_"}
    qw(plain triggers deferred defining checked domains indexed generated ruled instead policed
    parted pairs moods keyed cascade view);

sub submit_sql {
    my ($target) = (one_of(@targets));
    my $query = one_of(
        "SELECT id, ''x'' || id AS body FROM $target",
        "SELECT id, mallory.spy_immutable(''y'', ''the query'') AS body FROM $target",
        "SELECT id, ''[[sim:say=never]]'' AS body FROM $target",
        "SELECT i AS id, ''z'' AS body FROM generate_series(1, 5) i "
            . "WHERE mallory.spy(''the query'')");
    return
          "SELECT batch_submit('$query', server => '"
        . one_of(qw(m_openai m_openai m_openai m_anthropic m_gemini))
        . "', prompt => '{{body}}', key => 'id', target => '$target', "
        . "write_back => '{\"label\": \"\$\"}', in_flight => 'send', write_if => 'always')";
}

# What it may do in a session, while its jobs run; each is a list of statements.
my @deeds = (
    sub {
        'BEGIN; LOCK TABLE '
            . one_of(@targets)
            . ' IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); COMMIT';
    },
    sub {
        "BEGIN; UPDATE mallory.plain SET label = 'held'; PREPARE TRANSACTION 'm"
            . int(rand 3) . "'";
    },
    sub { map {"COMMIT PREPARED 'm$_'"} one_of(0 .. 2) },
    sub { map {"ROLLBACK PREPARED 'm$_'"} one_of(0 .. 2) },
    sub {
        my $t = one_of(qw(triggers checked indexed parted));
        "ALTER TABLE mallory.$t RENAME TO gone; SELECT pg_sleep(0.5); "
            . "ALTER TABLE mallory.gone RENAME TO $t";
    },
    sub {
        'DROP TABLE mallory.cascaded, mallory.cascade; CREATE TABLE mallory.cascade (id text '
            . 'PRIMARY KEY, label int); CREATE TABLE mallory.cascaded (label int)';
    },
    sub {
        'ALTER TABLE mallory.plain ALTER COLUMN label TYPE '
            . one_of('varchar(3)', 'text', 'varchar(200)')
            . ' USING left(label::text, 3)';
    },
    sub {
        'ALTER TABLE mallory.plain RENAME COLUMN label TO l; '
            . 'SELECT pg_sleep(0.3); ALTER TABLE mallory.plain RENAME COLUMN l TO label';
    },
    sub { 'ALTER SERVER m_openai OPTIONS (SET model ' . one_of("'gpt-5.4-mini'", "'none'") . ')' },
    sub {
        "ALTER SERVER m_openai OPTIONS (SET base_url '"
            . one_of($sim->url . '/v1', $sim->url . '/v1', $other->url . '/v1',
            'http://127.0.0.1:9')
            . "')";
    },
    sub {
        'DROP USER MAPPING FOR CURRENT_USER SERVER m_openai; SELECT pg_sleep(0.5)',
            "CREATE USER MAPPING FOR CURRENT_USER SERVER m_openai OPTIONS (api_key '"
            . one_of('sk-sim', 'sk-sim', 'wrong') . "')";
    },
    sub {
        'DROP SERVER m_gemini CASCADE; '
            . Provider::server_sql($Provider::by_name{gemini}, 'm_gemini', $sim->url);
    },
    sub {
        'REVOKE ALL ON mallory.plain FROM PUBLIC, mallory; SELECT pg_sleep(0.5); '
            . 'GRANT ALL ON mallory.plain TO PUBLIC, mallory';
    },
    sub {
        my ($name, $value) = split / /,
            one_of(
            'search_path mallory',
            'search_path public,mallory',
            'statement_timeout 1',
            'lock_timeout 1',
            'default_transaction_read_only on',
            'default_transaction_isolation serializable',
            'row_security off',
            'DateStyle German',
            'IntervalStyle sql_standard',
            'transform_null_equals on',
            'standard_conforming_strings off',
            'bytea_output escape',
            'timezone Pacific/Kiritimati',
            'work_mem 64',
            'enable_seqscan off',
            'force_parallel_mode regress',
            'idle_in_transaction_session_timeout 1',
            'client_encoding LATIN1',
            'default_tablespace nowhere',
            'temp_tablespaces nowhere',
            'plan_cache_mode force_generic_plan',
            'check_function_bodies off',
            'array_nulls off',
            'role mallory',
            'xmloption document',
            'synchronous_commit off',
            'default_table_access_method nothing',
            'constraint_exclusion on',
            'geqo_threshold 2',
            'from_collapse_limit 1',
            'lc_messages C',
            'application_name alice',
            'vacuum_cost_delay 100');
        one_of(
            "ALTER DATABASE d1 SET $name = '$value'",
            "ALTER ROLE mallory SET $name = '$value'",
            "ALTER ROLE mallory IN DATABASE d1 SET $name = '$value'",
            'ALTER DATABASE d1 RESET ALL',
            'ALTER ROLE mallory RESET ALL');
    },
    sub {
        'SELECT * FROM batch_records WHERE mallory.leak(output)',
            'SELECT * FROM batch_events WHERE mallory.leak(detail)',
            'SELECT * FROM batch_jobs WHERE mallory.leak(name)',
            'SELECT * FROM batch_chunks WHERE mallory.leak(error)',
            'SELECT * FROM batch_servers WHERE mallory.leak(last_error)';
    },
    sub {
        map {"SELECT $_(job_id) FROM batch_jobs ORDER BY random() LIMIT 3"}
            one_of(qw(batch_cancel batch_pause batch_resume batch_retry));
    },
    sub {'SELECT batch_resume(job_id) FROM batch_jobs WHERE state = \'paused\''},
    sub {
        'BEGIN; SELECT count(*) FROM batch_jobs; LOCK TABLE batch_jobs IN ACCESS SHARE MODE; '
            . 'SELECT pg_sleep(1); COMMIT';
    },
    sub {'LISTEN batchinf; BEGIN; SELECT 1; SELECT pg_sleep(2); COMMIT'},
    sub { map {"NOTIFY batchinf, '{\"job_id\": $_, \"state\": \"completed\"}'"} 1 .. 3 },
    sub {'SELECT pg_advisory_lock(i) FROM generate_series(1, 3000) i; SELECT pg_sleep(1)'},
    sub {
        'BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM batch_records; '
            . 'SELECT pg_sleep(1); ROLLBACK';
    },
    sub { "SELECT * FROM batch_check('" . one_of(qw(m_openai m_anthropic alice_server)) . "')" },
    sub {'SELECT mallory.spy(\'a session\')'},
    sub { 'SET ROLE m_member', one_of('SELECT count(*) FROM batch_jobs', submit_sql()) },
    sub {
        'ALTER TABLE mallory.parted DETACH PARTITION mallory.parted_1; '
            . 'ALTER TABLE mallory.parted ATTACH PARTITION mallory.parted_1 FOR VALUES '
            . 'FROM (0) TO (3)';
    },
    sub {
        'CREATE OR REPLACE FUNCTION mallory.definer() RETURNS trigger '
            . 'LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM mallory.spy(\'replaced\'); '
            . 'NEW.id := NEW.id + 1000; RETURN NEW; END $$';
    },
    sub {'CREATE INDEX CONCURRENTLY ON mallory.plain (label)'},
    sub { 'ALTER DATABASE d1 CONNECTION LIMIT ' . one_of(-1, -1, 0, 1) },
    sub {'ALTER DATABASE d1 RENAME TO d2'},
    sub {'SELECT mallory.fill()'},);

my @sessions;

# A session beside us, as long as there are not too many; nobody cares for what it says.
sub beside {
    my (@sql) = @_;
    @sessions = grep { !Cluster::is_over($_) } @sessions;
    push @sessions, $cluster->beside('d1', @sql) if @sessions < 10;
}

sub begin {
    my (@sql) = @_;
    return beside(
        '\connect - mallory',
        'SET search_path = mallory, public',
        "SET statement_timeout = '10s'",
        '\o /dev/null', @sql);
}

# ---- those whose jobs must end ----

my (%late, %most, $jobs);

sub work_of {
    my ($role) = @_;
    return $role eq 'alice'
        ? ('alice', 'alice_server', 'alice.tickets', 'public.alice_jobs')
        : ('postgres', 'boss_server', 'boss.tickets', 'boss.jobs');
}

sub watch {
    my ($role) = @_;
    my ($as, $server, $table, $list) = work_of($role);
    my $is = $cluster->sql('d1',
              "SELECT coalesce(string_agg(concat_ws(' ', s.job_id, s.state), ','), "
            . "'') || '|' || coalesce(max(extract(epoch FROM clock_timestamp() - j.at)), 0)::int "
            . "FROM $list j JOIN batch_jobs s ON s.job_id = j.job WHERE s.state <> 'completed'");
    my ($states, $age) = $is =~ /^(.*)\|(\d+)$/ or return $late{"$role: $is"} = 1;
    $most{$role} = max($most{$role} // 0, $age);
    $late{"$role: $states"} = 1 if $age > $patience;
    return if $states ne '';
    my $tag = substr($role, 0, 1) . ++$jobs;
    $cluster->do_sql(
        'd1',
        "SET ROLE $as",
        "INSERT INTO $table (tag, n) SELECT '$tag', i FROM generate_series(1, 3) i",
        "INSERT INTO $list SELECT batch_submit('SELECT id, tag, "
            . "n FROM $table WHERE tag = ''$tag''', server => '$server', "
            . "prompt => '$role secret {{tag}} record {{n}}', key => 'id', target => '$table', "
            . "write_back => '{\"label\": \"\$\"}', "
            . "in_flight => 'send', write_if => 'always'), '$tag'");
}

# A superuser's own query, into a table of mallory's: what runs there runs as its owner.
sub boss_writes_to_mallory {
    my ($target) = @_;
    beside(
        "SET lock_timeout = '3s'",
        "SELECT batch_submit('SELECT i AS id FROM generate_series(1, 3) i', "
            . "server => 'boss_server', prompt => 'superuser {{id}}', key => 'id', "
            . "target => '$target', write_back => '{\"label\": \"\$\"}', "
            . "in_flight => 'send', write_if => 'always')");
}

# ---- the time ----

for (my ($end, $turn) = (time + $seconds, 0); time < $end; $turn++) {
    begin(submit_sql());
    begin(one_of(@deeds)->());
    watch($_) for qw(alice boss);
    boss_writes_to_mallory(
        one_of(
            map {"mallory.$_"}
                qw(triggers deferred defining checked domains indexed generated ruled policed
                parted cascade))) if $turn % 5 == 0;
    sleep 0.2;
}
Cluster::output($_) for @sessions;
note sprintf '%.0f s: the time is over', time - $start;

$cluster->sql(
    'postgres',
    'ALTER DATABASE d1 CONNECTION LIMIT -1',
    'ALTER DATABASE d1 RESET ALL',
    'ALTER ROLE mallory RESET ALL',
    'ALTER ROLE mallory IN DATABASE d1 RESET ALL');
$cluster->sql('d1', "ROLLBACK PREPARED 'm$_'") for 0 .. 2;
poll(
    '', 60,
    sub {
        $cluster->sql('d1',
                  "SELECT string_agg(concat_ws(' ', s.job_id, s.owner, s.state), ', ') "
                . "FROM batch_jobs s WHERE owner <> 'mallory' AND owner <> 'm_member' "
                . "AND state <> 'completed' AND job_id IN (SELECT job FROM alice_jobs UNION "
                . "SELECT job FROM boss.jobs)");
    });

# ---- what must be true ----

my (%ran, %breach, %left, %leak, $spied);
open my $log, '<', $cluster->{log} or die $!;
while (my $line = <$log>) {
    my $visit = $line =~ /\] batchinf visit /;
    if ($line =~ /LOG:  SPY\|(.*?)\|(.*?)\|(.*?)\|(.*)$/) {
        my ($where, $who, $super) = ($1, $2, $4);
        $spied->{$visit ? 'visit' : 'session'}{$where}++;
        $ran{"$where as $who, superuser $super"} = 1
            if $who !~ /^(mallory|m_member)$/ || $super ne 'f';
    }
    elsif ($line =~ /LOG:  BREACH\|(.*)/) { $breach{$1}++ }
    elsif ($line =~ /LOG:  LEFT\|(.*)/ && $visit) { $left{$1 =~ s/\d{3,}/N/gr}++ }
    elsif ($line =~ /LOG:  LEAK\|(.*(?:alice|boss) secret.*)/) { $leak{$1} = 1 }
}
diag sprintf '%d kinds of places in visits, %d in sessions; most seconds: %s',
    scalar keys %{$spied->{visit}}, scalar keys %{$spied->{session}}, join ', ',
    map {"$_ $most{$_}"} sort keys %most;
cmp_ok(scalar keys %{$spied->{visit}}, '>', 5, 'its code has run in visits');
is(join('; ', sort keys %ran), '', 'promise 5: its code runs as itself, and never as a superuser');
is(join('; ', sort keys %breach), '',
    'promise 5: what it may not do is refused, wherever it tries');
is(join('; ', sort keys %left),
    '', 'nothing of its code is left in a visit for a later transaction');
is(join('; ', sort keys %leak), '', 'no view gives it a row of others, nor its functions');
is(join('; ', sort keys %late), '', "promise 8: jobs of others end meanwhile, within $patience s");

for my $role (qw(alice boss)) {
    my (undef, undef, $table, $list) = work_of($role);
    is( $cluster->sql(
            'd1',
            "SELECT string_agg(concat_ws(' ', job, state), ', ') FROM $list "
                . "JOIN batch_jobs ON job_id = job WHERE state <> 'completed' OR succeeded <> 3 "
                . "OR written <> 3"),
        '',
        "each job of $role is completed");
    is( $cluster->sql(
            'd1',
            "SELECT count(*) FROM $table WHERE label IS NULL OR label NOT LIKE '%$role "
                . "secret ' || tag || ' record ' || n"),
        0,
        "and each row of $role has its answer");
}
is($cluster->sql('postgres', "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper"),
    'postgres', 'there is no other superuser');
is( $cluster->sql(
        'postgres',
        "SELECT count(*) FROM pg_auth_members WHERE member = 'mallory'::regrole "
            . "AND roleid::regrole::text <> 'm_member'"),
    0,
    'it is a member of nobody else');
is($cluster->sql('d1', "SELECT count(*) FROM batchinf.event WHERE event = 'mallory'"),
    0, 'our tables are ours');
is($cluster->log_count('PANIC|TRAP|terminated by signal|out of shared memory'),
    0, 'no process has died');
my @visits;
poll(
    '0', 30,
    sub {
        scalar(
            @visits = $cluster->sql('postgres',
                      "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) "
                    . "WHERE locktype = 'advisory' AND backend_type = 'batchinf visit'") =~
                /^(\d+)$/mg);
    });
is("@visits", '', 'no visit holds a lock of its code');
is($cluster->sql('d1', 'SELECT 1'), 1, 'the server takes connections');
done_testing();
