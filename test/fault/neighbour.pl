#!/usr/bin/perl
# Promise 8: whatever a bad owner does, a small job of another owner ends at most 15 s later than
# the same job alone. For each kind of a bad owner: a database with its visit, the bad owner at work
# in it, and then the good owner's five rows. At the end all kinds at once.
#
# neighbour.pl [KIND ...]: these kinds only.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

Cluster::as_postgres();

my $later = 15;    # the promise, in seconds
my $many = 70;    # servers of the bad owner: more than a visit has steps
my $sim = Cluster::Sim->new;
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    "batchinf.settle_time = '1s'",
    'max_connections = 40');
my ($database, $houses) = ('postgres', 0);
sub do_sql { return $cluster->do_sql($database, 'SET client_min_messages = error', @_) }
sub poll_sql { return $cluster->poll_sql($database, @_) }
sub as { my ($role, @sql) = @_; return do_sql("SET ROLE $role", @sql) }

# ---- the house ----

# SQL that makes a server, which asks that port of the simulator; with a key for both roles.
sub server {
    my ($name, $port, $more) = @_;
    return "CREATE SERVER $name FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai',
                model 'gpt-5.4-mini', base_url 'http://127.0.0.1:$port/v1',
                poll_interval '1' @{[$more // '']});
            GRANT USAGE ON FOREIGN SERVER $name TO bad, good;
            CREATE USER MAPPING FOR bad SERVER $name OPTIONS (api_key 'sk-bad');
            CREATE USER MAPPING FOR good SERVER $name OPTIONS (api_key 'sk-good')";
}

# A new port of the simulator where requests of that kind meet that.
sub port {
    my ($match, $action) = @_;
    my $port = $sim->call('POST', 'lanes', {count => 1})->{ports}[0];
    $sim->call('POST', 'faults',
        {match => {lane => $port, %$match}, times => 'always', action => $action});
    return $port;
}

# A table of that role's, with rows that no job has asked about.
sub table {
    my ($role, $name, $rows) = @_;
    return as(
        $role,
        "CREATE TABLE $name (id int PRIMARY KEY, answer text)",
        "INSERT INTO $name SELECT generate_series(1, $rows)",
        "ANALYZE $name");
}

sub open_house {
    my ($name) = @_;
    $sim->reset;
    $sim->config({batch_seconds => 0.3, api_keys => [qw(sk-bad:bad sk-good:good)]});
    $cluster->do_sql('postgres', "CREATE DATABASE $name");
    $database = $name;
    do_sql(
        'CREATE EXTENSION batchinf',
        server('shared', $sim->port),
        server('narrow', $sim->port, ", max_batches '4', max_requests '1'"),
        'GRANT CREATE ON SCHEMA public TO bad, good');
    table('good', 'good', 5);
}

sub leave_house {
    $sim->clear;
    $cluster->do_sql('postgres', "DROP DATABASE $database WITH (FORCE)");
}

# How many seconds the good owner's job takes, but no more than it is worth to wait for. At the
# narrow server a row is a batch, so that it is one row.
my $alone;

sub good_job {
    my ($server) = @_;
    my $rows = $server eq 'narrow' ? 1 : 5;
    my $since = time;
    my $job = as(
        'good', "SELECT batch_submit('SELECT id FROM good WHERE id <= $rows', '$server',
            prompt => 'for {{id}}', target => 'good', write_back => '{\"answer\": \"\$\"}')");
    my $state = poll_sql(
        "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $job",
        "completed $rows",
        20 + 2 * $later);
    my $took = time - $since;
    diag(
        do_sql("SELECT waiting_for FROM batch_jobs WHERE job_id = $job"),
        do_sql(
            "SELECT at - created_at, event FROM batch_events JOIN batch_jobs USING (job_id)
             WHERE job_id = $job ORDER BY at")) if $took > $later;
    return $took;
}

# ---- the bad owner ----

# A job of the bad owner for each of so many rows of a new table, or one for all with as_one.
# server: an expression in i, the number of the row; says: an expression, what the model answers.
sub submit {
    my ($table, $server, $rows, %more) = @_;
    my $query =
        $more{as_one}
        ? "'SELECT id FROM $table'"
        : "format('SELECT id FROM $table WHERE id = %s', i)";
    my $prompt = $more{says}
        ? "'[[sim:say=' || regexp_replace(encode(convert_to($more{says},
            'UTF8'), 'hex'), '(..)', '%\\1', 'g') || ']]'"
        : q{'for {{id}}'};
    my $path = $more{path} // '$';
    table('bad', $table, $rows);
    as('bad', @{$more{after}}) if $more{after};
    return as(
        'bad', "SELECT count(batch_submit($query, $server, prompt => $prompt, target => '$table',
            write_back => jsonb_build_object('answer', '$path') @{[$more{options} // '']}))
         FROM generate_series(1, @{[$more{as_one} ? 1 : $rows]}) i");
}

# Statements that give a table of the bad owner's a trigger.
sub trigger {
    my ($table, $body) = @_;
    return [
        "CREATE FUNCTION ${table}_does() RETURNS trigger LANGUAGE plpgsql AS \$f\$ $body \$f\$",
        "CREATE TRIGGER does BEFORE UPDATE ON $table FOR EACH ROW EXECUTE FUNCTION ${table}_does()"
    ];
}

sub wait_for {
    my ($what, $condition) = @_;
    return is(poll_sql("SELECT ($condition)", 't', 60), 't', "... $what");
}

my $his = "FROM batchinf.chunk c JOIN batchinf.job j USING (job_id) WHERE j.owner = 'bad'::regrole";
sub at { return "AND c.server = (SELECT oid FROM pg_foreign_server WHERE srvname = '$_[0]')" }

# A server that fails for the bad owner's key only.
sub fails {
    my ($name, $status) = @_;
    do_sql(server($name, port({key => 'sk-bad'}, {status => $status})));
    submit($name, "'$name'", 200);
    return wait_for('they fail', "SELECT count(*) > 0 FROM batchinf.pause WHERE failures > 0");
}

# Servers of the bad owner, each with a job whose upload meets that.
sub many_servers {
    my ($name, $action) = @_;
    my $port = port({path_regex => '^/v1/files$'}, $action);
    do_sql(map { server("$name$_", $port) } 1 .. $many);
    submit($name, "'$name' || i", $many);
    return wait_for('many are under way', "SELECT count(*) > 12 $his AND holder_pid IS NOT NULL");
}

# Jobs of one row whose trigger does that.
sub slow_trigger {
    my ($table, $body) = @_;
    submit($table, "'shared'", 40, after => trigger($table, $body));
    return wait_for('one of them is cut off', "SELECT count(*) > 0 $his AND c.write_waiting > 0");
}

my %does = (
    '503s for his key' => sub { fails('broken', 503) },
    '429s for his key' => sub { fails('busy', 429) },
    drips => sub { many_servers('drip', {drip => 2}) },
    hangs => sub { many_servers('hang', {hang => \1}) },
    'sleeping triggers' => sub {
        slow_trigger('sleeps', 'BEGIN PERFORM pg_sleep(20); RETURN NEW; END');
    },
    'triggers that catch a cancel' => sub {
        slow_trigger('catches',
                  'BEGIN LOOP BEGIN PERFORM pg_sleep(1); '
                . 'EXCEPTION WHEN query_canceled THEN END; END LOOP; END');
    },
    'costly schemas and paths' => sub {
        submit(
            'paths', "'shared'", 40,
            as_one => 1,
            says =>
                q{'[' || (SELECT string_agg(j::text, ',') FROM generate_series(1, 60000) j) || ']'},
            path => '$.** ? (exists($.** ? (@ == "x")))');
        submit(
            'schemas', "'shared'", 40,
            as_one => 1,
            says => q{repeat('[', 60) || repeat(']', 60)},
            options => q{, response_schema => '{"items": {"anyOf": [
                {"items": {"$ref": "#/items"}, "minItems": 1},
                {"items": {"$ref": "#/items"}, "minItems": 1}]}}'});
        wait_for('some are refused',
            "SELECT count(*) > 0 FROM batch_records WHERE error_code = 'too_costly'");
    },
    'a full disk' => sub {
        submit(
            'filled',
            "'shared'",
            2000,
            as_one => 1,
            after => trigger(
                'filled', q{BEGIN RAISE 'no space left on device' USING ERRCODE = '53100'; END}));
        wait_for('it is full', "SELECT count(*) > 0 $his AND c.write_waiting > 0");
    },
    '10,000 queued chunks' => sub {
        submit('queue', "'narrow'", 10000, as_one => 1);
        wait_for('all places there are taken',
            "SELECT count(*) > 3 $his @{[at('narrow')]} AND c.state <> 'planned'");
    },
    '200 idle servers' => sub {
        $sim->config({batch_seconds => 1000});
        do_sql(map { server("idle$_", $sim->port) } 1 .. 200);
        submit('idle', "'idle' || i", 200);
        wait_for('all are open',
            "SELECT count(*) >= 200 $his AND c.state IN ('submitted', 'running')");
        $sim->config({batch_seconds => 0.3});
    });

# In this order all of them come to their work, though they have one owner.
my @kinds = (
    '200 idle servers',
    'a full disk',
    'costly schemas and paths',
    '10,000 queued chunks',
    'sleeping triggers',
    'triggers that catch a cancel',
    '503s for his key',
    '429s for his key',
    'drips',
    'hangs');
my %where = (
    '503s for his key' => 'broken',
    '429s for his key' => 'busy',
    '10,000 queued chunks' => 'narrow',
    'all at once' => 'narrow');

sub try_kind {
    my ($name, @kinds) = @_;
    open_house('house' . ++$houses);
    note($name);
    $does{$_}->() for @kinds;
    my $extra = sprintf '%.1f', good_job($where{$name} // 'shared') - $alone;
    cmp_ok($extra, '<=', $later, "promise 8: $name: $extra s later");
    leave_house();
}

$cluster->do_sql('postgres', "CREATE ROLE $_") for qw(bad good);
open_house('alone');
$alone = good_job('shared');
cmp_ok($alone, '<', 20, sprintf('alone: %.1f s', $alone));
leave_house();
for my $kind (@ARGV ? @ARGV : (@kinds, 'all at once')) {
    try_kind($kind, $kind eq 'all at once' ? @kinds : $kind);
}
done_testing();
