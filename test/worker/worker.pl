#!/usr/bin/perl
# The life of the workers, event by event, as doc/worker.md tells it: start, databases that come and
# go, settings, crashes, stops.
#
# Makes its own private clusters with the installed extension of the pg_config that
# $PG_CONFIG names, and removes them.  As root it runs itself as the user postgres.
# Work that does not end is a job whose server accepts connections and never answers.
use strict;
use warnings;
use File::Temp;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

exec('runuser', '-u', 'postgres', '--', $^X, $0, @ARGV) if $> == 0;

chomp(my $bin = `@{[$ENV{PG_CONFIG} // 'pg_config']} --bindir`);
my $dir = File::Temp->newdir('batchinf-worker-XXXXXX', TMPDIR => 1);
my $port = 5432;    # only a part of the socket's name
my @running;
my $listener_pid;

# so that END is run
$SIG{$_} = sub { exit 1 }
    for qw(INT TERM HUP PIPE);

END {
    my $status = $?;
    if (defined $dir) {
        system("$bin/pg_ctl", '-D', $_, '-m', 'immediate', '-s', 'stop')
            for grep { -f "$_/postmaster.pid" } @running;
    }
    kill 'KILL', $listener_pid if $listener_pid;
    $? = $status;
}

# ---- clusters ----

sub run {
    my ($what, @command) = @_;
    my $out = qx{@{[join ' ', map { quotemeta } @command]} 2>&1};
    BAIL_OUT("$what: $out") if $?;
    return $out;
}

sub configure {
    my ($data, @lines) = @_;
    open my $conf, '>>', "$data/postgresql.conf" or die $!;
    print $conf "$_\n" for @lines;
    close $conf;
}

sub start {
    my ($data, @options) = @_;
    system("$bin/pg_ctl", '-D', $data, '-l', "$data.log", '-w', '-s', @options, 'start') == 0
        or BAIL_OUT("no start: " . `tail -20 $data.log`);
}

sub stop {
    my ($data) = @_;
    run('stop', "$bin/pg_ctl", '-D', $data, '-m', 'fast', '-w', '-s', 'stop');
}

sub socket_dir { return "$dir/$_[0].s" }

sub cluster {
    my ($name, @lines) = @_;
    my $data = "$dir/$name";
    mkdir socket_dir($name) or die $!;
    run('initdb', "$bin/initdb", '-D', $data, '-A', 'trust',
        '-U', 'postgres', '-N', '--locale=C', '-E', 'UTF8');
    configure(
        $data,
        "listen_addresses = ''",
        "unix_socket_directories = '" . socket_dir($name) . "'",
        "port = $port",
        "fsync = off",
        "max_prepared_transactions = 4",
        "log_min_messages = debug1",
        "batchinf.stall_timeout = '10min'",
        "batchinf.allowed_http_hosts = '127.0.0.1'",
        @lines);
    push @running, $data;
    start($data);
    return $data;
}

sub log_count {
    my ($data, $pattern) = @_;
    open my $log, '<', "$data.log" or die $!;
    return scalar grep {/$pattern/} <$log>;
}

# ---- SQL ----

my $current;    # the cluster that sql() talks to

sub sql {
    my ($database, $sql) = @_;
    my @command = (
        "$bin/psql", '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', socket_dir($current), '-p', $port,
        '-U', 'postgres', '-d', $database);
    my $out = qx{@{[join ' ', map { quotemeta } @command, '-c', $sql]} 2>&1};
    chomp $out;
    return $out;
}

# The same where an error would only show later.
sub do_sql {
    my $out = sql(@_);
    fail("$_[1]: $out") if $out =~ /ERROR|FATAL/;
    return $out;
}

sub poll {
    my ($wanted, $seconds, $code) = @_;
    my $end = time + $seconds;
    my $got;
    do {
        $got = $code->();
        return $got if ref $wanted ? $got =~ $wanted : $got eq $wanted;
        sleep 0.05;
    } while (time < $end);
    diag("still \"$got\" after $seconds s");
    return $got;
}

sub poll_sql {
    my ($database, $sql, $wanted, $seconds) = @_;
    return poll($wanted, $seconds // 15, sub { sql($database, $sql) });
}

sub workers { return "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf $_[0]'" }
sub visits { return workers('visit') . " AND datname = '$_[0]'" }

my $ours = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'batchinf %'";

sub visit_pid {
    my ($database) = @_;
    return sql('postgres',
              "SELECT pid FROM pg_stat_activity WHERE backend_type = 'batchinf visit' "
            . "AND datname = '$database'");
}

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 100) or die $!;
my $listener_port = $listener->sockport;

# Accepts, and never answers.
$listener_pid = fork;
if (!$listener_pid) {
    my @connections;
    while (my $connection = $listener->accept) { push @connections, $connection }
    require POSIX;
    POSIX::_exit(0);
}

sub create_server {
    my ($database) = @_;
    return sql(
        $database, "CREATE EXTENSION batchinf;
        CREATE SERVER hang FOREIGN DATA WRAPPER batchinf
          OPTIONS (provider 'openai', model 'm', base_url 'http://127.0.0.1:$listener_port/v1');
        CREATE USER MAPPING FOR postgres SERVER hang OPTIONS (api_key 'k')");
}

sub submit {
    return sql($_[0], "SELECT batch_submit('SELECT 1 AS id', server => 'hang', prompt => 'x')");
}

# A database whose job never ends.
sub busy_database {
    my ($database) = @_;
    do_sql('postgres', "CREATE DATABASE $database");
    create_server($database);
    submit($database);
    return poll_sql('postgres', visits($database), 1);
}

# "Within a second", and what a machine with other work takes: of a command's whole time, psql's or
# pg_ctl's own included.
my $second = 1.5;

sub within {
    my ($wanted, $what, $code) = @_;
    my $start = time;
    my $got = $code->();
    my $took = time - $start;
    is($got, $wanted, $what);
    cmp_ok($took, '<', $second, sprintf('... within a second (%d ms)', $took * 1000));
}

sub sql_within {
    my ($what, $database, $sql) = @_;
    within('', $what, sub { sql($database, $sql) });
}

# ---- preloaded ----

$current = 'main';
my $main = cluster('main', "shared_preload_libraries = 'batchinf'");
is(poll_sql('postgres', workers('launcher'), 1), 1, 'the launcher runs');
is(poll(1, 10, sub { log_count($main, 'starting background worker process "batchinf visit"') }),
    1, 'one visit at start: postgres, but no template');
is(poll_sql('postgres', workers('visit'), 0), 0, 'a visit without extension leaves');

is(create_server('postgres'), '', 'CREATE EXTENSION');
unlike(submit('postgres'), qr/NOTICE.*preload/s,
    'batch_submit does not complain of missing workers');
is(poll_sql('postgres', visits('postgres'), 1), 1, 'a commit of batch_submit wakes a visit');
is( poll_sql(
        'postgres', "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE a.backend_type = 'batchinf visit'", 0),
    0,
    'a visit that waits holds no lock');
is( poll_sql(
        'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf visit'
      AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)", 0),
    0,
    '... no snapshot and no xid');
submit('postgres') for 1 .. 3;
is(sql('postgres', visits('postgres')), 1, 'further jobs need no further visit');
like(
    sql('postgres',
        "BEGIN; SELECT batch_submit('SELECT 1 AS id', server => 'hang', prompt => 'x'); "
            . "PREPARE TRANSACTION 'x'"),
    qr/cannot PREPARE a transaction that has called batch_submit/,
    'PREPARE is refused');

# switched off and on
do_sql('postgres', 'ALTER SYSTEM SET batchinf.enabled = off');
do_sql('postgres', 'SELECT pg_reload_conf()');
is(poll_sql('postgres', workers('visit'), 0), 0, 'batchinf.enabled = off: visits leave');
submit('postgres');
sleep 1.5;
is(sql('postgres', workers('visit')), 0, '... and none starts');
do_sql('postgres', 'ALTER SYSTEM RESET batchinf.enabled');
do_sql('postgres', 'SELECT pg_reload_conf()');
is(poll_sql('postgres', visits('postgres'), 1), 1, 'batchinf.enabled = on: they come back');

# the extension comes and goes
my $pid = visit_pid('postgres');
do_sql('postgres', 'BEGIN; DROP EXTENSION batchinf CASCADE; ROLLBACK');
is(visit_pid('postgres'), $pid, 'DROP EXTENSION, rolled back: the visit stays');
sql_within(
    'DROP EXTENSION does not wait for the visit',
    'postgres',
    'SET client_min_messages = error; DROP EXTENSION batchinf CASCADE');
is(poll_sql('postgres', workers('visit'), 0), 0, '... which leaves');
is(create_server('postgres'), '', 'CREATE EXTENSION again');
submit('postgres');
is(poll_sql('postgres', visits('postgres'), 1), 1, '... and the visit is back');

# versions
do_sql('postgres', "UPDATE pg_extension SET extversion = '0.0.0' WHERE extname = 'batchinf'");
is(poll_sql('postgres', workers('visit'), 0),
    0, 'another version of the SQL side: the visit leaves');
is(poll(1, 5, sub { log_count($main, 'ALTER EXTENSION batchinf UPDATE') }),
    1, '... and says why, once');
do_sql('postgres', "UPDATE pg_extension SET extversion = '0.3.0' WHERE extname = 'batchinf'");
submit('postgres');
is(poll_sql('postgres', visits('postgres'), 1), 1, '... and is back after the update and a wake');

# terminated by an administrator
do_sql('postgres',
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        . "WHERE backend_type = 'batchinf launcher'");
is(poll_sql('postgres', workers('launcher'), 1), 1, 'a terminated launcher is started again');
is(poll_sql('postgres', visits('postgres'), 1), 1, '... and the visit goes on');
$pid = visit_pid('postgres');
within(
    't',
    'a visit ends by pg_terminate_backend',
    sub { sql('postgres', "SELECT pg_terminate_backend($pid, 5000)") });
is(poll_sql('postgres', visits('postgres'), 1), 1, '... and another comes');

# settings that would spoil the work
do_sql('postgres', 'CREATE DATABASE spoiled');
create_server('spoiled');
do_sql('postgres', "ALTER DATABASE spoiled SET $_")
    for 'default_transaction_read_only = on', 'search_path = nowhere',
    'statement_timeout = 1', "default_transaction_isolation = 'serializable'",
    'session_replication_role = replica', "datestyle = 'German'";
do_sql(
    'spoiled',
    "SET statement_timeout = 0; SET default_transaction_read_only = off; BEGIN READ WRITE;
    SELECT public.batch_submit('SELECT 1 AS id', server => 'hang', prompt => 'x'); COMMIT");
is( poll_sql(
        'spoiled', 'SET statement_timeout = 0; SELECT state FROM public.batch_chunks',
        'uploading'),
    'uploading',
    'a visit works under its own settings');
do_sql('postgres', 'DROP DATABASE spoiled');

# databases
is(busy_database('db_a'), 1, 'a visit sits in a second database');
do_sql('postgres', 'CREATE DATABASE other');
sql_within('DROP DATABASE of another database does not wait', 'postgres', 'DROP DATABASE other');

do_sql('postgres', 'CREATE ROLE nobody LOGIN CREATEDB');
$pid = visit_pid('db_a');
for my $statement (
    'DROP DATABASE db_a',
    'ALTER DATABASE db_a RENAME TO db_z',
    'CREATE DATABASE db_z TEMPLATE db_a')
{
    like(
        sql('postgres', "SET ROLE nobody; $statement")
            . sql('postgres', "SET SESSION AUTHORIZATION nobody"),
        qr/ERROR/,
        "$statement without the right");
}
is(visit_pid('db_a'), $pid, '... and the visit is not disturbed');

sub in_session {
    my ($database, $code) = @_;
    open my $psql, '|-', "$bin/psql", '-Xq', '-h', socket_dir($current), '-p', $port, '-U',
        'postgres', '-d', $database, '-o', '/dev/null'
        or die $!;
    $psql->autoflush(1);
    print $psql "SELECT 1;\n";
    poll_sql(
        'postgres',
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '$database' "
            . "AND backend_type = 'client backend'",
        1);
    $code->();
    close $psql;
    poll_sql(
        'postgres',
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '$database' "
            . "AND backend_type = 'client backend'",
        0);
}

in_session(
    'db_a',
    sub {
        like(
            sql('postgres', 'DROP DATABASE db_a'),
            qr/being accessed by other users.*1 other session/s,
            'DROP DATABASE of a used database fails for the other session only');
        is(poll_sql('postgres', visits('db_a'), 1), 1, '... and the visit is back');
    });

sql_within('RENAME', 'postgres', 'ALTER DATABASE db_a RENAME TO db_b');
is(poll_sql('postgres', visits('db_b'), 1), 1, '... and the visit is back under the new name');
is( sql('postgres',
        "BEGIN; ALTER DATABASE db_b RENAME TO db_c; SELECT pg_sleep(2); "
            . workers('visit')
            . " AND datname IN ('db_b', 'db_c'); ROLLBACK"),
    "\n0",
    'RENAME in a transaction keeps the visit away');
is(poll_sql('postgres', visits('db_b'), 1), 1, '... until it is rolled back');
like(
    sql('postgres',
        "BEGIN; ALTER DATABASE db_b RENAME TO db_c; SELECT pg_terminate_backend(pg_backend_pid())"),
    qr/terminating connection/,
    '... or its session is terminated');
is(poll_sql('postgres', visits('db_b'), 1), 1, '... which brings it back too');

sql_within('CREATE DATABASE TEMPLATE', 'postgres', 'CREATE DATABASE copy TEMPLATE db_b');
is(sql('copy', 'SELECT DISTINCT state FROM batch_jobs'),
    'foreign', '... the jobs of the copy are foreign');
is(poll_sql('postgres', visits('db_b'), 1), 1, '... and the visit is back');

mkdir "$dir/space" or die $!;
do_sql('postgres', "CREATE TABLESPACE space LOCATION '$dir/space'");
sql_within('SET TABLESPACE', 'postgres', 'ALTER DATABASE db_b SET TABLESPACE space');
is(poll_sql('postgres', visits('db_b'), 1), 1, '... and the visit is back');

sql_within('DROP DATABASE', 'postgres', 'DROP DATABASE db_b');
do_sql('postgres', 'DROP DATABASE copy');
is( log_count($main, 'FATAL:  database \d+ does not exist|FATAL:  database "db_b" does not exist'),
    0,
    '... and no visit is sent to what is gone');

# many databases, few visits
do_sql('postgres', 'ALTER SYSTEM SET batchinf.max_visits = 2');
do_sql('postgres', 'SELECT pg_reload_conf()');
do_sql('postgres', "CREATE DATABASE d$_") for 1 .. 3;
create_server("d$_"), submit("d$_") for 1 .. 3;
is(poll_sql('postgres', workers('visit'), 2), 2, 'no more than batchinf.max_visits visits');
sleep 1;
is(sql('postgres', workers('visit')), 2, '... whatever is due');
do_sql('postgres', 'ALTER SYSTEM RESET batchinf.max_visits');
do_sql('postgres', 'SELECT pg_reload_conf()');
is( poll_sql(
        'postgres',
        "SELECT count(DISTINCT datname) FROM pg_stat_activity "
            . "WHERE backend_type = 'batchinf visit'",
        4),
    4,
    'then a visit in each database with work');

do_sql('postgres', 'ALTER DATABASE d3 IS_TEMPLATE true');
is(poll_sql('postgres', visits('d3'), 0), 0, 'a visit leaves what becomes a template');

# crash
kill 'KILL', split ' ', visit_pid('d1');
is(poll_sql('postgres', workers('launcher'), 1, 30),
    1, 'kill -9 of a visit: the launcher is back after the crash restart');
is( poll_sql(
        'postgres',
        "SELECT string_agg(DISTINCT datname, ' ' ORDER BY datname) FROM pg_stat_activity "
            . "WHERE backend_type = 'batchinf visit'",
        'd1 d2 postgres',
        30),
    'd1 d2 postgres',
    '... and the visits wherever there is work, but not in a template');

# standby
run('pg_basebackup', "$bin/pg_basebackup", '-D', "$dir/standby", '-h', socket_dir('main'), '-p',
    $port, '-U', 'postgres', '-R', '-c', 'fast', '-T', "$dir/space=$dir/standby.space");
mkdir socket_dir('standby') or die $!;
configure("$dir/standby", "unix_socket_directories = '" . socket_dir('standby') . "'");
push @running, "$dir/standby";
within('', 'a fast stop while visits wait', sub { stop($main) });
start("$dir/standby");
$current = 'standby';
sleep 1.5;
is(sql('postgres', $ours), 0, 'nothing of us runs on a standby');
like(
    submit('d1'),
    qr/^ERROR:  cannot execute batch_submit\(\) in a read-only transaction/,
    '... batch_submit does not either');
like(
    sql('d1', 'CALL batch_work()'),
    qr/^ERROR:  cannot execute batch_work\(\) during recovery/,
    '... nor batch_work');
like(
    sql('d1', "SELECT batch_cancel(1)"),
    qr/^ERROR:  cannot execute \w+.* (during recovery|in a read-only transaction)/,
    '... nor batch_cancel');
is(sql('d1', 'SELECT count(*) > 0 FROM batch_jobs'), 't', '... jobs can be looked at');
is(sql('postgres', $ours), 0, '... and nothing was started');
within('', 'a promotion',
    sub { run('promote', "$bin/pg_ctl", '-D', "$dir/standby", '-w', '-s', 'promote') });
is(poll_sql('postgres', workers('launcher'), 1), 1, '... starts the launcher');
is(poll_sql('postgres', visits('d1'), 1), 1, '... and the visits');
within('', 'a fast stop while visits wait', sub { stop("$dir/standby") });

# pg_upgrade
$current = 'main';
start($main, '-o', '-b');
sleep 1;
is(sql('postgres', $ours), 0, 'nothing of us runs in pg_upgrade');
like(submit('d1'), qr/NOTICE.*binary upgrade mode/s, '... batch_submit says so');
sleep 1;
is(sql('postgres', $ours), 0, '... and starts nothing');
stop($main);

# ---- no free worker slot ----

configure($main, 'max_worker_processes = 2');
start($main);
my $told = 'could not start a batchinf visit: no background worker slot is free';
is(poll(1, 10, sub { log_count($main, $told) }), 1, 'no free worker slot is told');
sleep 6;
is(log_count($main, $told), 1, '... once');
is(sql('postgres', workers('launcher')), 1, '... and the launcher waits');
within('', '... and can be stopped', sub { stop($main) });

# ---- not preloaded ----

configure($main, "shared_preload_libraries = ''", 'max_worker_processes = 8');
start($main);
sleep 1;
is(sql('postgres', workers('launcher')), 0, 'not preloaded: no launcher');
is(sql('postgres', workers('visit')), 0, '... and no visit after a restart');
like(
    submit('d1'),
    qr/NOTICE.*not in shared_preload_libraries/s,
    'batch_submit tells who does the work');
is(poll_sql('postgres', visits('d1'), 1), 1, '... a visit that its commit starts');
submit('d1') for 1 .. 3;
sleep 1;
is(sql('postgres', visits('d1')), 1, 'further jobs go to the visit that is there');
submit('d2');
is(poll_sql('postgres', visits('d2'), 1), 1, 'another database has its own');
like(
    sql('postgres', 'DROP DATABASE d2'),
    qr/being accessed by other users/,
    'DROP DATABASE meets the visit');
sql_within('DROP DATABASE WITH (FORCE) ends it', 'postgres', 'DROP DATABASE d2 WITH (FORCE)');
$pid = visit_pid('d1');
do_sql('postgres', "SELECT pg_terminate_backend($pid, 5000)");
sleep 1;
is(sql('postgres', visits('d1')), 0, 'a terminated visit does not come back by itself');
submit('d1');
is(poll_sql('postgres', visits('d1'), 1), 1, '... but with the next job');
configure($main, 'batchinf.enabled = off');
do_sql('postgres', 'SELECT pg_reload_conf()');
is(poll_sql('postgres', workers('visit'), 0), 0, 'batchinf.enabled = off: it leaves');
like(submit('d1'), qr/NOTICE.*batchinf\.enabled is off/s, '... and batch_submit says so');
configure($main, 'batchinf.enabled = on');
do_sql('postgres', 'SELECT pg_reload_conf()');
poll('on', 5, sub { sql('d1', 'LOAD \'batchinf\'; SHOW batchinf.enabled') });
submit('d1');
is(poll_sql('postgres', visits('d1'), 1), 1, 'batchinf.enabled = on and a job: it comes');
within('', 'a fast stop while it waits', sub { stop($main) });

start($main, '-o', '-b');
like(
    submit('d1'),
    qr/NOTICE.*binary upgrade mode/s,
    'not preloaded, in pg_upgrade: batch_submit says that no worker will come');
sleep 1;
is(sql('postgres', $ours), 0, '... and none does');
stop($main);

is( log_count(
        "$dir/$_",
        'PANIC|TRAP|server process .* was terminated by signal (?!9)|cache lookup failed'),
    0,
    "nothing odd in the log of $_") for qw(main standby);
done_testing();
