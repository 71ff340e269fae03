#!/usr/bin/perl
# From each released version to this one. After ALTER EXTENSION UPDATE the catalog is the one that
# CREATE EXTENSION makes, and between the upgrade of the files and that command nothing is lost.
use strict;
use warnings;
use File::Basename;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sql = "$FindBin::RealBin/../../sql";
my ($new) = do {
    open my $in, '<', "$sql/../batchinf.control" or die $!;
    join('', <$in>) =~ /default_version = '([^']+)'/;
};
my @released = sort grep { $_ ne $new && !/--/ }
    map { basename($_) =~ /^batchinf--(.*)\.sql$/ } glob("$sql/batchinf--*.sql");
ok(scalar @released, "released versions: @released");

my $sim = Cluster::Sim->new;
my $cluster =
    Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");

sub sql { return $cluster->sql(@_) }
sub do_sql { return $cluster->do_sql(@_) }

# All that the extension's objects are, each line one fact, without oids.
sub snapshot {
    my ($database) = @_;
    my $members = "SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass
        AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'batchinf') AND deptype = 'e'";
    my $tables = "SELECT objid FROM ($members) m WHERE classid = 'pg_class'::regclass";
    return join "\n",
        map { do_sql($database, $_) }
        "SELECT extversion, extrelocatable, extnamespace::regnamespace,
           (SELECT string_agg(t::regclass || ' ' || c, ', ' ORDER BY t::regclass::text)
               FROM unnest(extconfig, extcondition) u(t, c)) FROM pg_extension
               WHERE extname = 'batchinf'",
        "SELECT pg_describe_object(classid, objid, 0) AS o, obj_description(objid, "
        . "classid::regclass::name) FROM ($members) m ORDER BY 1",
        "SELECT c.oid::regclass, c.relkind, c.relacl, c.reloptions, c.relrowsecurity,
            c.relowner::regrole, c.relpersistence
           FROM pg_class c WHERE c.oid IN ($tables) ORDER BY 1::text",
        "SELECT a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
            a.attnotnull, a.attidentity, a.attacl,
           pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
           FROM pg_attribute a
           LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN ($tables)
           ORDER BY 1::text, a.attnum",
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        . "WHERE conrelid IN ($tables) ORDER BY 1::text, 2",
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ($tables) ORDER BY 1",
        "SELECT objid::regclass, pg_get_viewdef(objid) FROM ($members) m
            JOIN pg_class c ON c.oid = objid
           WHERE classid = 'pg_class'::regclass AND relkind = 'v' ORDER BY 1::text",
        "SELECT pg_get_functiondef(p.oid), p.proacl, p.proowner::regrole FROM ($members) m "
        . "JOIN pg_proc p ON p.oid = objid WHERE classid = 'pg_proc'::regclass ORDER BY 1",
        "SELECT castsource::regtype, casttarget::regtype, castfunc, castcontext, castmethod "
        . "FROM pg_cast WHERE oid IN (SELECT objid FROM ($members) m "
        . "WHERE classid = 'pg_cast'::regclass) ORDER BY 1::text",
        "SELECT typname, typlen, typalign, typstorage, typcategory, typinput, typoutput,
            typreceive, typsend, typacl FROM pg_type
           WHERE oid IN (SELECT objid FROM ($members) m WHERE classid = 'pg_type'::regclass)
               AND typtype = 'b' ORDER BY 1",
        "SELECT tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger "
        . "WHERE tgrelid IN ($tables) AND NOT tgisinternal ORDER BY 1::text, 2",
        "SELECT evtname, evtevent, evtowner::regrole, evtfoid::regprocedure, evtenabled, evttags
            FROM ($members) m JOIN pg_event_trigger e ON e.oid = objid
           WHERE classid = 'pg_event_trigger'::regclass",
        "SELECT fdwname, fdwvalidator::regprocedure, fdwhandler, fdwacl, fdwoptions "
        . "FROM pg_foreign_data_wrapper WHERE fdwname = 'batchinf'";
}

# The lines that only one of both has.
sub difference {
    my ($ours, $theirs) = map { { map { $_ => 1 } split /\n/ } } @_;
    return join "\n", (map {"- $_"} grep { !$ours->{$_} } sort keys %$theirs),
        map {"+ $_"} grep { !$theirs->{$_} } sort keys %$ours;
}

do_sql('postgres', 'CREATE DATABASE fresh');
do_sql('fresh', 'CREATE EXTENSION batchinf');
my $fresh = snapshot('fresh');
like($fresh, qr/batchinf\.record/, 'a snapshot of the catalogs');

my $at_provider = qr/^(submitted|running)$/;
my $write_back = q{target => 't', write_back => '{"label": "$"}'};

sub submit_sql {
    return
        "SELECT batch_submit('SELECT id FROM t', server => 'openai', prompt => 'n {{id}}'"
        . join('', map {", $_"} @_) . ')';
}
sub state_of { return sql($_[0], "SELECT state FROM batch_jobs WHERE job_id = $_[1]") }

# A database with an old version, a server and ten rows.
sub create_old {
    my ($database, $old) = @_;
    do_sql('postgres', "CREATE DATABASE $database");
    do_sql(
        $database,
        "CREATE EXTENSION batchinf VERSION '$old'",
        $sim->server_sql('openai'),
        'CREATE TABLE t (id int PRIMARY KEY, label text)',
        'INSERT INTO t SELECT generate_series(1, 10)');
}

# Old SQL, new library: who calls something gets it, or hears what to do; no visit touches anything.
# Then the update.
sub check_version {
    my ($old) = @_;
    my $database = 'old_' . ($old =~ tr/./_/r);
    $sim->reset;
    create_old($database, $old);
    # old arguments; batch_submit belongs to another role, and who may call it are not everybody,
    # and one role that may pass it on
    my $params = q{params => '{"top_p": 1, "n": 1}', response_schema => '{"type": "object"}'};
    do_sql(
        $database,
        "CREATE ROLE caller_of_$database",
        "CREATE ROLE owner_of_$database",
        'REVOKE ALL ON FUNCTION batch_submit FROM PUBLIC',
        "GRANT EXECUTE ON FUNCTION batch_submit TO caller_of_$database WITH GRANT OPTION",
        "ALTER FUNCTION batch_submit OWNER TO owner_of_$database");
    my $callers = "SELECT proowner::regrole, proacl FROM pg_proc WHERE proname = 'batch_submit'";
    my $before = sql($database, $callers);
    do_sql(
        $database,
        "INSERT INTO batchinf.record (job_id, seq, attempt, record_id) "
            . "VALUES (999, 1, 1, 'of a deleted job')",
        "INSERT INTO batchinf.result (job_id, seq, attempt, outcome) VALUES (999, 1, 1, 'skipped')",
        "INSERT INTO batchinf.event (job_id, event) VALUES (999, 'x')");
    my $json = do_sql($database, 'SET client_min_messages = error', submit_sql($params));
    my ($job, $cancelled, $paused, $resumed, $adopted, $foreign) = map {
        do_sql($database, 'SET client_min_messages = error', submit_sql($_ == 0 ? $write_back : ()))
    } 0 .. 5;
    like(
        sql($database, "SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x')"),
        qr/no background worker.*extension version \Q$old\E.*\d/s,
        "$old: batch_submit works, and says why nothing is done");
    like(
        sql($database, 'CALL batch_work()'),
        regex(
            qr/The library has version \Q$new\E, /s,
            qr/the extension version \Q$old\E\..*ALTER EXTENSION batchinf UPDATE/s),
        "$old: batch_work says what to do");
    like(
        sql($database, "CALL batch_wait($job, '1 ms')"),
        qr/batch job $job has not ended in time\n.*It is queued, 10 of 10 records are pending/s,
        "$old: batch_wait waits");
    for (['cancel', $cancelled], ['pause', $paused], ['pause', $resumed], ['resume', $resumed]) {
        my ($call, $of) = @$_;
        is(sql($database, "SELECT batch_$call($of)"), '', "$old: batch_$call works");
    }
    is(sql($database, "SELECT batch_retry($job)"), 0, "$old: batch_retry works");
    do_sql($database,
        "UPDATE batchinf.job SET install = gen_random_uuid() WHERE job_id IN ($adopted, $foreign)");
    is(sql($database, "SELECT batch_adopt($adopted)"), '', "$old: batch_adopt works");
    is( join(' ',
            map { state_of($database, $_) } $job, $cancelled,
            $paused, $resumed,
            $adopted, $foreign),
        'queued cancelling paused queued queued foreign',
        "$old: the views work");
    do_sql(
        $database, "INSERT INTO batchinf.pause (server, owner, until, reason, install, database)
        SELECT s.oid, o.owner, now(), o.reason,
            CASE o.reason WHEN 'ours' THEN h.uuid ELSE gen_random_uuid() END, h.database
        FROM pg_foreign_server s, batchinf.here h, 
            (VALUES (10, 'ours'), (1, 'theirs'), (0, 'of all')) o(owner, reason)"
    );
    is(poll(1, 10, sub { $cluster->log_count("no work in database \"$database\"") > 0 ? 1 : 0 }),
        1, "$old: a visit says in the log that it does nothing");
    is(sql($database, 'SELECT count(*) FROM batchinf.chunk WHERE state <> \'planned\''),
        0, "$old: ... and touches nothing");

    is( sql($database, "SELECT spec->>'params' FROM batchinf.job WHERE job_id = $json"),
        $old eq '0.1.0' ? '{"n": 1, "top_p": 1}' : '{"top_p":1,"n":1}',
        "$old: params are read as they are, jsonb in 0.1.0");
    is(do_sql($database, 'ALTER EXTENSION batchinf UPDATE'), '', "$old: ALTER EXTENSION UPDATE");
    is(sql($database, $callers),
        $before, "$old: ... whose batch_submit is and who may call it stays as it was");
    unlike($before, qr/[{,]=X/, "$old: ... REVOKE ... FROM PUBLIC included");
    is( sql($database, "SELECT count(*) FROM pg_init_privs WHERE objoid = 'batch_submit'::regproc"),
        0,
        "$old: ... and is dumped, for it is not the extension's own");
    like(
        sql($database, "DROP ROLE caller_of_$database"),
        qr/some objects depend on it.*privileges for function batch_submit/s,
        "$old: ... and known of the role");
    like(
        sql($database, "DROP ROLE owner_of_$database"),
        qr/some objects depend on it.*owner of function batch_submit/s,
        "$old: ... as is the owner");
    do_sql(
        $database,
        "ALTER FUNCTION batch_submit OWNER TO CURRENT_USER",
        "DROP ROLE owner_of_$database",
        "DROP OWNED BY caller_of_$database",
        "DROP ROLE caller_of_$database",
        'GRANT EXECUTE ON FUNCTION batch_submit TO PUBLIC',
        'UPDATE pg_proc SET proacl = NULL WHERE proname = \'batch_submit\'');
    is( $cluster->poll_sql(
            $database, "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $job",
            'completed 10', 30),
        'completed 10',
        "$old: the update wakes the visit, and the job is done");
    is( $cluster->poll_sql(
            $database, "SELECT count(*) FROM batch_jobs WHERE state = 'completed'",
            5, 30),
        5,
        "$old: ... and the others");
    is( join(
            ' ', map { state_of($database, $_) } $cancelled, $paused, $resumed, $adopted, $foreign),
        'cancelled paused completed completed foreign',
        "$old: ... each as was wished; a foreign one stays so");
    is(sql($database, 'SELECT reason FROM batchinf.pause_here'),
        'ours', "$old: ... and so does a pause, but for one of all owners");
    is($sim->ledger->{billed_requests}, 41, "$old: ... each record is billed once");
    is( sql($database,
            'SELECT count(*) FROM (SELECT job_id FROM batchinf.record UNION ALL '
                . 'SELECT job_id FROM batchinf.result UNION ALL SELECT job_id '
                . 'FROM batchinf.event) x WHERE job_id = 999'),
        $old eq '0.1.0' ? 0 : 3,
        "$old: ... what jobs that were deleted had left is gone, if that is 0.1.0");
    is(difference(snapshot($database), $fresh),
        '', "$old: updated, the catalogs are those of a fresh install");
}

# Objects of users that call a function that is made again: the error names them, and they work
# again once they have been created again.
sub check_dependents {
    my ($old) = @_;
    my $database = 'dependents_' . ($old =~ tr/./_/r);
    my $call = q{batch_submit('SELECT 1 AS id', 'openai', 'x')};
    my @create = (
        "CREATE VIEW asking AS SELECT $call AS job_id",
        "CREATE FUNCTION ask() RETURNS bigint BEGIN ATOMIC SELECT $call; END",
        "CREATE TABLE asked (job_id bigint DEFAULT $call)",
        'CREATE VIEW adopting AS SELECT batch_adopt(1) IS NULL AS adopted');
    create_old($database, $old);
    do_sql($database, @create);
    do_sql(
        $database,
        "CREATE ROLE of_$database",
        "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO of_$database");
    my $error = sql($database, 'ALTER EXTENSION batchinf UPDATE');
    like(
        $error,
        qr/ERROR:  cannot update extension "batchinf" because objects depend on functions/,
        "$old: objects that depend on old functions stop the update");
    like(
        $error,
        regex(
            qr/DETAIL:  These .*: default value for column job_id of table public\.asked, /m,
            qr/function public\.ask\(\), view public\.adopting, view public\.asking\.$/m),
        "$old: ... it names them");
    like($error, qr/HINT:  Save their definitions/, "$old: ... and says what to do");
    do_sql($database, 'DROP VIEW asking, adopting', 'DROP FUNCTION ask', 'DROP TABLE asked');
    my $ended = do_sql(
        $database,
        'SET client_min_messages = error',
        "SELECT batch_submit('SELECT 1 AS id WHERE false', 'openai', 'x')");
    do_sql($database,
        "UPDATE batchinf.job SET finished_at = now() - interval '1 year' WHERE job_id = $ended");
    is(sql($database, 'ALTER EXTENSION batchinf UPDATE'), '', "$old: ... without them it works");
    is( sql(
            $database, "SELECT now() - kept_since < interval '1 hour' AND inputs_removed_at "
                . "IS NULL FROM batchinf.job WHERE job_id = $ended"),
        't',
        "$old: the time for which texts of ended jobs stay begins with the update");
    do_sql($database, @create);
    is( do_sql(
            $database, 'SET client_min_messages = error',
            'BEGIN', 'SELECT job_id < ask() FROM asking',
            'ROLLBACK'),
        't',
        "$old: ... and they with it");
    unlike(
        sql($database, "DROP ROLE of_$database"),
        qr/privileges for function batch_(submit|adopt)\(/,
        "$old: ... default privileges of new functions are not those of functions made again");
    do_sql($database, "DROP OWNED BY of_$database", "DROP ROLE of_$database");
}

# A database is told that its SQL side has another version.
sub set_version { return "UPDATE pg_extension SET extversion = '$_[0]' WHERE extname = 'batchinf'" }

sub pids {
    return sql('postgres',
              "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity "
            . "WHERE backend_type = 'batchinf visit' AND datname = '$_[0]'");
}

sub is_done {
    return is(
        $cluster->poll_sql(
            $_[0], "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $_[1]",
            'completed 10', 30),
        'completed 10',
        $_[2]);
}

# What the last script makes: a visit of this library needs all of it.  The script can run again.
sub create_working {
    my ($database) = @_;
    $sim->reset;
    create_old($database, $new);
    return;
}

# The SQL side changes under a visit at work: nobody waits for it, nor it for anybody.
sub check_visit_stays {
    my ($old) = @_;
    my $database = 'stays_' . ($old =~ tr/./_/r);
    create_working($database);
    $sim->config({batch_seconds => 60});
    # both write the same rows, in any order
    my $always = "$write_back, in_flight => 'send', write_if => 'always'";
    my $flying = do_sql($database, submit_sql($always));
    like(
        $cluster->poll_sql(
            $database, "SELECT state FROM batch_chunks WHERE job_id = $flying", $at_provider),
        $at_provider,
        "$old: a batch runs at the provider");
    $sim->fault('POST', '/batches$', {delay_ms => 5000});
    my $creating = do_sql($database, submit_sql($always));
    is(poll(1, 10, sub { $sim->faults_met }), 1, "$old: ... and a visit is creating one");
    my $visit = pids($database);
    is( sql($database, "SET lock_timeout = '1s'",
            'BEGIN', set_version($old), 'ALTER EXTENSION batchinf UPDATE', 'COMMIT'),
        '',
        "$old: the update meanwhile waits for nobody");
    is(sql($database, "SELECT state FROM batch_chunks WHERE job_id = $creating"),
        'creating', "$old: ... nor for the provider");
    like(
        $cluster->poll_sql(
            $database, "SELECT state FROM batch_chunks WHERE job_id = $creating", $at_provider),
        $at_provider,
        "$old: ... the visit goes on");
    is(pids($database), $visit, "$old: ... as the same process");
    $sim->config({batch_seconds => 0.2});
    is_done($database, $_, "$old: ... and brings the answers home") for $flying, $creating;
    is($sim->ledger->{billed_requests}, 20, "$old: ... each billed once");
}

# It leaves once it sees another version, whatever it waits for, and what it has sent is taken up
# after the update.
sub check_visit_leaves {
    my ($old) = @_;
    my $database = 'leaves_' . ($old =~ tr/./_/r);
    create_working($database);
    $sim->fault('GET', '/batches/', {hang => JSON::PP::true}, times => 'always');
    my $job = do_sql($database, submit_sql($write_back));
    is(poll(1, 10, sub { $sim->faults_met }), 1, "$old: a batch is at the provider, which hangs");
    do_sql($database, set_version($old));
    is(poll('', 15, sub { pids($database) }),
        '', "$old: the visit leaves once it sees another version");
    $sim->clear;
    is(sql($database, 'ALTER EXTENSION batchinf UPDATE'), '', "$old: the update");
    is_done($database, $job, "$old: ... brings the answers home");
    is($sim->ledger->{billed_requests}, 10, "$old: ... each billed once");
}

# A user mapping with another provider's secret, which the old version took: it is not used, before
# the update and after; and another one is refused then.
sub check_kinds {
    my ($old) = @_;
    my $database = 'kinds_' . ($old =~ tr/./_/r);
    my $create = q{CREATE USER MAPPING FOR PUBLIC SERVER openai OPTIONS (service_account
            '{"private_key": "not-to-be-seen"}')};
    my $check = q{SELECT status || ': ' || detail FROM batch_check('openai')};
    $sim->reset;
    create_old($database, $old);
    is(sql($database, 'DROP USER MAPPING FOR CURRENT_USER SERVER openai', $create),
        '', "$old: a user mapping with a secret that the provider does not take");

    for my $when ('before', 'after') {
        like(
            sql($database, $check),
            regex(
                qr/^bad_key: the user mapping has option "service_account", /,
                qr/which provider "openai" does not take/),
            "$old: ... is not used $when the update");
        do_sql($database, 'ALTER EXTENSION batchinf UPDATE') if $when eq 'before';
    }
    is(scalar @{$sim->call('GET', 'requests')}, 0, "$old: ... nothing is sent");
    is( sql($database,
            "ALTER USER MAPPING FOR PUBLIC SERVER openai OPTIONS (DROP service_account, "
                . "ADD api_key 'sk-sim')",
            q{SELECT status FROM batch_check('openai')}),
        'ok',
        "$old: ... ALTER USER MAPPING mends it");
    like(
        sql($database, 'DROP USER MAPPING FOR PUBLIC SERVER openai', $create),
        qr/ERROR:  invalid option "service_account" for provider "openai"/,
        "$old: ... and no other comes");
}

for my $old (@released) {
    check_version($old);
}
# what 0.2.0 refuses, and functions that it made again
check_kinds('0.1.0');
check_dependents('0.1.0');
check_visit_stays($released[-1]);
check_visit_leaves($released[-1]);

# every version can be reached from each older one
is( sql('fresh',
        "SELECT path IS NOT NULL FROM pg_extension_update_paths('batchinf') "
            . "WHERE source = '$_' AND target = '$new'"),
    't',
    "there is a path from $_ to $new") for @released;
done_testing();
