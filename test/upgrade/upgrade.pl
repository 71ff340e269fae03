#!/usr/bin/perl
# From each released version to this one: the catalogs end as CREATE EXTENSION makes them,
# and between the upgrade of the files and ALTER EXTENSION UPDATE nothing is lost.
use strict;
use warnings;
use File::Basename;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sql = "$FindBin::RealBin/../../sql";
my ($new) = do { open my $in, '<', "$sql/../batchinf.control" or die $!; join('', <$in>) =~ /default_version = '([^']+)'/ };
my @released = sort grep { $_ ne $new && !/--/ } map { basename($_) =~ /^batchinf--(.*)\.sql$/ } glob("$sql/batchinf--*.sql");
ok(scalar @released, "released versions: @released");

my $sim = Cluster::Sim->new;
my $cluster = Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");

sub sql { return $cluster->sql(@_) }
sub do_sql { return $cluster->do_sql(@_) }

# All that the extension's objects are, each line one fact, without oids.
sub snapshot {
    my ($database) = @_;
    my $members = "SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass
        AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'batchinf') AND deptype = 'e'";
    my $tables = "SELECT objid FROM ($members) m WHERE classid = 'pg_class'::regclass";
    return join "\n", map { do_sql($database, $_) }
        "SELECT extversion, extrelocatable, extnamespace::regnamespace,
           (SELECT string_agg(t::regclass || ' ' || c, ', ' ORDER BY t::regclass::text) FROM unnest(extconfig, extcondition) u(t, c)) FROM pg_extension WHERE extname = 'batchinf'",
        "SELECT pg_describe_object(classid, objid, 0) AS o, obj_description(objid, classid::regclass::name) FROM ($members) m ORDER BY 1",
        "SELECT c.oid::regclass, c.relkind, c.relacl, c.reloptions, c.relrowsecurity, c.relowner::regrole, c.relpersistence
           FROM pg_class c WHERE c.oid IN ($tables) ORDER BY 1::text",
        "SELECT a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attacl,
           pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
           FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN ($tables) ORDER BY 1::text, a.attnum",
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN ($tables) ORDER BY 1::text, 2",
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ($tables) ORDER BY 1",
        "SELECT objid::regclass, pg_get_viewdef(objid) FROM ($members) m JOIN pg_class c ON c.oid = objid
           WHERE classid = 'pg_class'::regclass AND relkind = 'v' ORDER BY 1::text",
        "SELECT pg_get_functiondef(p.oid), p.proacl, p.proowner::regrole FROM ($members) m JOIN pg_proc p ON p.oid = objid WHERE classid = 'pg_proc'::regclass ORDER BY 1",
        "SELECT tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid IN ($tables) AND NOT tgisinternal ORDER BY 1::text, 2",
        "SELECT fdwname, fdwvalidator::regprocedure, fdwhandler, fdwacl, fdwoptions FROM pg_foreign_data_wrapper WHERE fdwname = 'batchinf'";
}

# The lines that only one of both has.
sub difference {
    my ($ours, $theirs) = map { { map { $_ => 1 } split /\n/ } } @_;
    return join "\n", (map { "- $_" } grep { !$ours->{$_} } sort keys %$theirs), map { "+ $_" } grep { !$theirs->{$_} } sort keys %$ours;
}

do_sql('postgres', 'CREATE DATABASE fresh');
do_sql('fresh', 'CREATE EXTENSION batchinf');
my $fresh = snapshot('fresh');
like($fresh, qr/batchinf\.record/, 'a snapshot of the catalogs');

for my $old (@released) {
    my $database = 'old_' . ($old =~ tr/./_/r);
    do_sql('postgres', "CREATE DATABASE $database");
    do_sql($database, "CREATE EXTENSION batchinf VERSION '$old'", $sim->server_sql('openai'), 'CREATE TABLE t (id int PRIMARY KEY, label text)',
        'INSERT INTO t SELECT generate_series(1, 10)');

    # old SQL, new library
    my $job = do_sql($database, "SET client_min_messages = error; SELECT batch_submit('SELECT id FROM t', server => 'openai', prompt => 'n {{id}}', target => 't', write_back => '{\"label\": \"\$\"}')");
    like(sql($database, "SELECT batch_submit('SELECT 1 AS id', server => 'openai', prompt => 'x')"), qr/no background worker.*extension version \Q$old\E.*\d/s,
        "$old: batch_submit works, and says why nothing is done");
    like(sql($database, 'CALL batch_work()'), qr/The library has version \Q$new\E, the extension version \Q$old\E\..*ALTER EXTENSION batchinf UPDATE/s,
        "$old: batch_work says what to do");
    is($cluster->poll_sql($database, 'SELECT count(*) FROM batch_jobs WHERE state = \'queued\'', 2), 2, "$old: the views work");
    is(poll(1, 10, sub { $cluster->log_count("no work in database \"$database\"") > 0 ? 1 : 0 }), 1, "$old: a visit says so in the log");
    is(sql($database, 'SELECT count(*) FROM batchinf.chunk WHERE state <> \'planned\''), 0, "$old: ... and touches nothing");

    is(do_sql($database, 'ALTER EXTENSION batchinf UPDATE'), '', "$old: ALTER EXTENSION UPDATE");
    is($cluster->poll_sql($database, "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $job", 'completed 10', 30), 'completed 10',
        "$old: the update wakes the visit, and the job is done");
    is($cluster->poll_sql($database, 'SELECT DISTINCT state FROM batch_jobs', 'completed', 30), 'completed', "$old: ... and the other one");
    is(difference(snapshot($database), $fresh), '', "$old: updated, the catalogs are those of a fresh install");

    # a visit at work: it leaves once it sees another version, and no statement waits for it
    my $visits = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf visit' AND datname = '$database'";
    $sim->fault('GET', '/batches/', { hang => JSON::PP::true }, times => 'always');
    $job = do_sql($database, "SELECT batch_submit('SELECT id FROM t', server => 'openai', prompt => 'n {{id}}')");
    is($cluster->poll_sql($database, "SELECT state FROM batch_chunks WHERE job_id = $job", 'submitted'), 'submitted', "$old: a visit is at work, and the provider hangs");
    my (undef, $seconds) = timed(sub { do_sql($database, "UPDATE pg_extension SET extversion = '$old' WHERE extname = 'batchinf'",
        'DROP INDEX batchinf.chunk_batch, batchinf.chunk_dead') });
    cmp_ok($seconds, '<', 2, "$old: the SQL side changes under it");
    is($cluster->poll_sql($database, $visits, 0), 0, "$old: ... and it leaves");
    $sim->clear;
    (undef, $seconds) = timed(sub { do_sql($database, 'ALTER EXTENSION batchinf UPDATE') });
    cmp_ok($seconds, '<', 2, "$old: updated again");
    is($cluster->poll_sql($database, "SELECT state || ' ' || succeeded FROM batch_jobs WHERE job_id = $job", 'completed 10', 30), 'completed 10', "$old: ... the job is done");
    is($sim->ledger->{billed_requests}, 21, "$old: ... and nothing is billed twice");
    $sim->reset;
}

# every version can be reached from each older one
like(sql('fresh', "SELECT string_agg(source || ' ' || COALESCE(path, 'none'), ', ') FROM pg_extension_update_paths('batchinf') WHERE target = '$new' AND source <> '$new'"),
    qr/^(?!.*none)/, 'there is a path from each released version');
done_testing();
