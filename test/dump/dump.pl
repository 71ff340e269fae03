#!/usr/bin/perl
# Dumps, copies and renames of databases. Jobs of another installation or database are foreign, and
# nothing of them runs before batch_adopt.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster =
    Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");
my $bin = $Cluster::bin;
my $frozen =
    "SELECT string_agg(concat_ws(' ', chunk_id, state, polls, failures, tries, refs, holder_pid,
        next_step_at, waiting_for, written), ', ' ORDER BY chunk_id)
              FROM batchinf.chunk LEFT JOIN batchinf.batch USING (chunk_id)
              WHERE job_id = ANY ('{JOBS}')";

sub sql { return $cluster->sql(@_) }

sub state_of {
    return sql($_[0],
              "SELECT string_agg(state, ' ' ORDER BY job_id) FROM batch_jobs "
            . "WHERE job_id = ANY ('{$_[1]}')");
}

sub submit_sql {
    my ($from, $to) = @_;
    return
          "SELECT batch_submit('SELECT id, body FROM tickets WHERE id BETWEEN $from AND $to', "
        . "server => 'openai', prompt => '{{body}}', target => 'tickets', "
        . "write_back => '{\"label\": \"\$\"}', in_flight => 'send', write_if => 'always')";
}

sub labels {
    return sql($_[0],
        "SELECT count(*) FROM tickets WHERE label IS NOT NULL AND id BETWEEN $_[1] AND $_[2]");
}

sub pipe_dump {
    my ($from, $to, @options) = @_;
    my $before = ref $options[-1] ? pop @options : [];
    $cluster->do_sql('postgres', "CREATE DATABASE $to");
    $cluster->do_sql($to, @$before) if @$before;
    my $connection = join ' ', $cluster->connection;
    my $restore =
        grep({ $_ eq '-Fc' } @options)
        ? "$bin/pg_restore --exit-on-error"
        : "$bin/psql -XqAt -o /dev/null -v ON_ERROR_STOP=1";
    my $file = "$Cluster::dir/$to.dump";
    my $read = $restore =~ /psql/ ? "-f $file" : $file;
    return qx{($bin/pg_dump $connection @options -f $file $from && \\
        $restore $connection -d $to $read) 2>&1};
}

# A job of each kind: ended, at the provider, and not sent yet.
$cluster->do_sql('postgres', 'CREATE ROLE jim', 'CREATE ROLE ann', 'CREATE DATABASE source');
$cluster->do_sql(
    'source',
    'CREATE EXTENSION batchinf',
    $sim->server_sql('openai'),
    'CREATE TABLE tickets (id int PRIMARY KEY, body text, label text)',
    "INSERT INTO tickets SELECT i, 'body ' || i FROM generate_series(1, 40) i",
    'GRANT ALL ON tickets TO jim, ann',
    'GRANT USAGE ON FOREIGN SERVER openai TO jim, ann',
    "CREATE USER MAPPING FOR jim SERVER openai OPTIONS (api_key 'sk-sim')",
    "CREATE USER MAPPING FOR ann SERVER openai OPTIONS (api_key 'sk-sim')");
my $ended = $cluster->do_sql('source', 'SET ROLE jim', submit_sql(1, 10));
is( $cluster->poll_sql('source', "SELECT state FROM batch_jobs WHERE job_id = $ended", 'completed'),
    'completed',
    'a job that has ended');
$sim->config({batch_seconds => 60});
my $flying = $cluster->do_sql('source', 'SET ROLE jim', submit_sql(11, 20));
is( $cluster->poll_sql(
        'source', "SELECT provider_batch_id IS NOT NULL FROM batch_chunks WHERE job_id = $flying",
        't'),
    't',
    'a job at the provider');
my $queued = $cluster->do_sql(
    'source',
    'SET ROLE jim',
    'BEGIN; ' . submit_sql(21, 30) =~
        s/^SELECT (.*)$/SELECT batch_pause(j), j FROM (SELECT $1 AS j) s; COMMIT/r);
$queued =~ s/\D//g;
is(state_of('source', $queued), 'paused', 'a job of which nothing is sent');
my $jobs = "$ended,$flying,$queued";
$cluster->do_sql(
    'source',
    "SELECT batch_set_price('openai', 'own', 'batch', 'input', 1, server => 'openai')",
    "SELECT batch_set_price('openai', 'own', 'batch', 'output', 2)",
    "SELECT batch_set_budget(500, 'month', 'jim', 'openai', 'wait')");

# ---- dumps ----

my $dump = qx{$bin/pg_dump @{[$cluster->connection]} source};
unlike($dump, qr/batchinf\.install\b/, 'the identity of the install is not dumped');
like($dump, qr/COPY batchinf\.\Q$_\E /, "batchinf.$_ is dumped")
    for qw(job chunk record result event price budget);
unlike($dump, qr/COPY batchinf\.price_list /, '… and the shipped prices are not');

# Without the schema: into a database that has the extension, the server and the tables.
my @made = (
    $sim->server_sql('openai'),
    'CREATE TABLE tickets (id int PRIMARY KEY, body text, label text)',
    'GRANT ALL ON tickets TO jim, ann',
    'GRANT USAGE ON FOREIGN SERVER openai TO jim, ann',
    "CREATE USER MAPPING FOR jim SERVER openai OPTIONS (api_key 'sk-sim')",
    "CREATE USER MAPPING FOR ann SERVER openai OPTIONS (api_key 'sk-sim')");
for (
    ['plain'],
    ['inserts', '--inserts'],
    ['custom', '-Fc'],
    ['data', '--data-only'],
    ['data_custom', '--data-only', '-Fc'],
    ['data_inserts', '--data-only', '--inserts'])
{
    my ($copy, @options) = @$_;
    my @before = "@options" =~ /--data-only/ ? ('CREATE EXTENSION batchinf', @made) : ();
    is(pipe_dump('source', $copy, @options, \@before), '', "$copy: pg_dump and restore");
    is( sql($copy, "SELECT count(*) FROM batchinf.$_"),
        sql('source', "SELECT count(*) FROM batchinf.$_"),
        "$copy: with each row of batchinf.$_") for qw(job chunk record result price budget);
    is( sql($copy, "SELECT concat_ws(' ', role, server, amount, state) FROM batch_budgets"),
        'jim openai 500 open', "$copy: a budget finds its role and server");
    is( sql(
            $copy,
            "SELECT string_agg(concat_ws(' ', server, kind, state), ', ' ORDER BY kind) "
                . "FROM batch_prices WHERE origin = 'own'"),
        'openai input in force, output in force',
        "$copy: … and prices count here, a server's too");
    isnt(
        sql($copy, 'SELECT uuid FROM batchinf.install'),
        sql('source', 'SELECT uuid FROM batchinf.install'),
        "$copy: the restored database is another install");
    is( state_of($copy, $jobs),
        'completed foreign foreign',
        "$copy: its jobs are foreign, but for the one that had ended");
    is(sql($copy, 'SELECT count(*) FROM batch_records WHERE outcome IS NOT NULL'),
        10, "$copy: with their outcomes");
}
$cluster->do_sql('postgres', 'CREATE DATABASE template_copy TEMPLATE source');
is( state_of('template_copy', $jobs),
    'completed foreign foreign',
    'template_copy: CREATE DATABASE … TEMPLATE: foreign too');
is(state_of('source', $jobs), 'completed running paused', 'in the source they are what they were');

# ---- nothing of them runs ----

$frozen =~ s/JOBS/$jobs/;
my %before = map { $_ => sql($_, $frozen) } qw(plain inserts custom template_copy);
$sim->config({batch_seconds => 0.2});
for my $copy (sort keys %before) {
    like(
        sql($copy, "CALL batch_wait($flying)"),
        regex(
            qr/ERROR:  cannot wait for batch job $flying: /s,
            qr/it belongs to another installation\n.*batch_adopt\($flying\)/s),
        "$copy: batch_wait for a foreign job is an error");
    like(
        sql($copy, "SELECT batch_$_($flying)"),
        qr/ERROR:  cannot $_ batch job $flying/,
        "$copy: batch_$_ too") for qw(cancel pause resume retry);
    my $new = sql($copy, 'SET ROLE jim', submit_sql(31, 40));
    like($new, qr/^\d+$/, "$copy: a new job after the restore");
    cmp_ok($new, '>', $queued, "$copy: … has a new number");
    is( $cluster->poll_sql(
            $copy, "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $new",
            'completed 10'),
        'completed 10',
        "$copy: … and is done");
    is(sql($copy, 'CALL batch_work()'), '', "$copy: batch_work finds nothing to do");
    is(sql($copy, $frozen), $before{$copy}, "$copy: nothing was done to the foreign jobs");
    is(labels($copy, 11, 30), 0, "$copy: … nor to their rows");
}
is( $cluster->poll_sql(
        'source', "SELECT state FROM batch_jobs WHERE job_id = $flying", 'completed'),
    'completed',
    'the source goes on');

# ---- a job that had ended ----

for my $copy (qw(plain data)) {
    is(sql($copy, "SELECT state, succeeded FROM batch_jobs WHERE job_id = $ended"),
        'completed|10', "$copy: a job that had ended stays what it was");
    like(
        sql($copy, "CALL batch_wait($ended)"),
        qr/^NOTICE:  batch job.* is completed: 10 of 10/,
        "$copy: … nobody waits for it");
    like(
        sql($copy, "SELECT batch_$_($ended)"),
        qr/^NOTICE:  batch job $ended has ended already/,
        "$copy: … batch_$_ says so") for qw(cancel pause resume);
    like(
        sql($copy, "SELECT batch_retry($ended, '{errored}')"),
        regex(
            qr/ERROR:  cannot retry batch job $ended: /s,
            qr/it belongs to another installation\n.*batch_adopt\($ended\)/s),
        "$copy: … batch_retry says what to do first");
}
is(sql('data', 'SET ROLE jim', "SELECT batch_adopt($ended)"),
    '', 'data: batch_adopt of a job that had ended');
is(sql('data', 'SET ROLE jim', "SELECT batch_retry($ended, '{errored}')"),
    '0', '… lets batch_retry look at it');
is(state_of('data', $ended), 'completed', '… and changes nothing else');

# ---- batch_adopt ----

like(
    sql('plain', "SELECT batch_adopt(99999)"),
    qr/ERROR:  batch job 99999 does not exist/,
    'batch_adopt of a job that is not');
$cluster->do_sql('plain', 'REVOKE ALL ON tickets FROM jim', 'GRANT SELECT ON tickets TO jim');
like(
    sql('plain', 'SET ROLE jim', "SELECT batch_adopt($queued)"),
    qr/ERROR:  permission denied for column "label"/,
    'batch_adopt without UPDATE on the target');
$cluster->do_sql(
    'plain',
    'REVOKE USAGE ON FOREIGN SERVER openai FROM jim',
    'GRANT ALL ON tickets TO jim');
like(
    sql('plain', 'SET ROLE jim', "SELECT batch_adopt($queued)"),
    qr/ERROR:  permission denied for foreign server openai/,
    'batch_adopt without USAGE on the server');
$cluster->do_sql('plain', 'GRANT USAGE ON FOREIGN SERVER openai TO jim');
is(state_of('plain', $jobs), 'completed foreign foreign', '… changes nothing');
like(
    sql('plain', 'SET ROLE ann', "SELECT batch_adopt($queued)"),
    qr/ERROR:  permission denied to adopt batch job $queued\n/,
    'batch_adopt by a stranger: what it holds was read with its owner\'s rights');
is(sql('plain', 'SET ROLE ann', 'SELECT batch_adopt(NULL)'), '', '… of all: none is a stranger\'s');
is(state_of('plain', $jobs), 'completed foreign foreign', '… changes nothing');
$cluster->do_sql('postgres', 'GRANT jim TO ann');
is(sql('plain', 'SET ROLE ann', "SELECT batch_adopt($queued)"),
    '', 'batch_adopt by a role with the rights');
is(sql('plain', "SELECT owner, state FROM batch_jobs WHERE job_id = $queued"),
    'jim|paused', '… lets it go on as the role that it belonged to');
like(
    sql('plain', 'SET ROLE ann', "SELECT batch_adopt($queued)"),
    qr/ERROR:  batch job $queued is not foreign/,
    '… once');
is(sql('plain', 'SET ROLE ann', "SELECT batch_resume($queued)"), '', '… to do with as it likes');
is( $cluster->poll_sql(
        'plain', "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $queued",
        'completed 10'),
    'completed 10',
    '… and it is done');
is(labels('plain', 21, 30), 10, '… into the rows of this database');
is(labels('source', 21, 30), 0, '… and no other');

# Two at once: the second one waits for the first, and finds a job that is not foreign any more.
my $waited =
      "DO 'BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP PERFORM "
    . "pg_sleep(0.02); END LOOP; END'";
my $first = $cluster->beside('inserts', 'BEGIN', "SELECT batch_adopt($queued)", $waited, 'COMMIT');
$cluster->poll_sql(
    'inserts',
    "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'transactionid' AND granted "
        . "AND pid IN (SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %')",
    't');
like(
    sql('inserts', "SELECT batch_adopt($queued)"),
    qr/ERROR:  batch job $queued is not foreign/,
    'batch_adopt twice at once');
is(Cluster::output($first), '', '… the first one has it');

# A database that has moved: its batches are at the provider, its source is gone.
$sim->config({batch_seconds => 60});
my $moved = $cluster->do_sql('source', 'SET ROLE jim', submit_sql(1, 5));
$cluster->poll_sql('source',
    "SELECT provider_batch_id IS NOT NULL FROM batch_chunks WHERE job_id = $moved", 't');
is(pipe_dump('source', 'moved'), '', 'a database moves');
$cluster->do_sql('postgres', 'DROP DATABASE source');
my $created = $sim->ledger->{requests}{'POST /v1/batches'};
is(sql('moved', 'SELECT batch_adopt(NULL)'), '', 'batch_adopt of all foreign jobs');
$sim->config({batch_seconds => 0.2});
is( $cluster->poll_sql(
        'moved', "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $moved",
        'completed 5'),
    'completed 5',
    '… what was at the provider is delivered');
is($sim->ledger->{requests}{'POST /v1/batches'},
    $created, 'promise 1: … from the batch that was there');
is(sql('moved', "SELECT count(*) FROM batch_jobs WHERE owner <> 'jim' OR state = 'foreign'"),
    0, '… all are their owner\'s still, though a superuser has called it');
is( state_of('moved', "$ended,$flying,$queued"),
    'completed completed paused',
    '… in the state that they were in');

# A dump of a hostile role's table and job: a superuser restores and adopts it.
$sim->config({batch_seconds => 60});
$cluster->do_sql(
    'moved',
    'CREATE TABLE seen (who text DEFAULT current_user)',
    'GRANT INSERT ON seen TO PUBLIC',
    'CREATE SCHEMA trap AUTHORIZATION jim',
    'SET ROLE jim',
    'CREATE TABLE trap.tickets (id int PRIMARY KEY, body text, label text)',
    "INSERT INTO trap.tickets SELECT i, 'x' FROM generate_series(1, 5) i",
    'CREATE FUNCTION trap.rise() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO '
        . 'public.seen DEFAULT VALUES; BEGIN ALTER ROLE jim SUPERUSER; EXCEPTION WHEN OTHERS '
        . 'THEN NULL; END; RETURN NEW; END$$',
    'CREATE TRIGGER rise BEFORE UPDATE ON trap.tickets FOR EACH ROW EXECUTE FUNCTION trap.rise()');
my $trap = $cluster->do_sql('moved', 'SET ROLE jim', submit_sql(1, 5) =~ s/tickets/trap.tickets/gr);
my $bosses = $cluster->do_sql('moved', submit_sql(1, 5) =~ s/tickets/trap.tickets/gr);
$cluster->poll_sql(
    'moved',
    "SELECT bool_and(provider_batch_id IS NOT NULL) FROM batch_chunks "
        . "WHERE job_id IN ($trap, $bosses)",
    't');
is(pipe_dump('moved', 'trapped'), '', 'a database with a hostile role is dumped and restored');
# else both would fetch the same results, and the first to have them removes them at the provider
$cluster->do_sql('postgres', 'DROP DATABASE moved');
is(sql('trapped', 'SELECT batch_adopt(NULL)'), '', '… a superuser adopts its jobs');
$sim->config({batch_seconds => 0.2});
is( $cluster->poll_sql(
        'trapped', "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $_",
        'completed 5'),
    'completed 5',
    '… which are done') for $trap, $bosses;
is( sql('trapped', 'SELECT DISTINCT who FROM seen'),
    'jim',
    'promise 5: … the hostile role\'s trigger ran as that role, '
        . 'in its own job and in a superuser\'s');
is(sql('trapped', "SELECT rolsuper FROM pg_roles WHERE rolname = 'jim'"),
    'f', 'promise 5: … and made nobody a superuser');

# ---- a dump of a version that took each secret at each provider ----

my $apart = Cluster::Sim->new;
my $owner = 'SET ROLE ann';
my $kind = q{SELECT status || ': ' || detail FROM batch_check('openai')};
$cluster->do_sql('postgres', 'CREATE DATABASE kinds');
$cluster->do_sql(
    'kinds',
    'CREATE EXTENSION batchinf',
    'SET client_min_messages = error',
    'SET check_function_bodies = off',
    $apart->server_sql('openai', "api_version '1'"),
    'GRANT USAGE ON FOREIGN SERVER openai TO ann',
    "CREATE USER MAPPING FOR ann SERVER openai OPTIONS (service_account '{}')",
    'ALTER SERVER openai OWNER TO jim');
unlike(
    qx{$bin/pg_dump @{[$cluster->connection]} kinds},
    qr/EVENT TRIGGER/,
    'the event trigger is the extension\'s: it is not dumped');
for (['kinds_plain'], ['kinds_custom', '-Fc']) {
    my ($copy, @options) = @$_;
    my $said = pipe_dump('kinds', $copy, @options);
    like(
        $said,
        qr/WARNING:  invalid option "$_" for provider "openai"/,
        "$copy: the restore warns of $_")
        for @options
        ? ()
        : ('api_version', 'service_account');    # pg_restore keeps warnings to itself
    unlike($said, qr/ERROR/, "$copy: … and is whole");
    is( sql($copy,
            'SELECT srvowner::regrole, umuser::regrole, srvoptions @> $${api_version=1}$$, '
                . 'umoptions FROM pg_foreign_server s JOIN pg_user_mapping m ON m.umserver = s.oid '
                . 'WHERE umoptions::text LIKE $$%service%$$'),
        'jim|ann|t|{"service_account={}"}',
        "$copy: … with all options");
    like(
        sql($copy, $owner, $kind),
        regex(
            qr/^bad_key: the user mapping has option "service_account", /,
            qr/which provider "openai" does not take/),
        "$copy: … but that user mapping is not used");
    like(
        sql($copy, "CREATE USER MAPPING FOR PUBLIC SERVER openai OPTIONS (service_account '{}')"),
        qr/ERROR:  invalid option "service_account"/,
        "$copy: … and no other comes");
}
is(scalar @{$apart->call('GET', 'requests')}, 0, '… nothing is sent');

# ---- names that change in the own install ----

$sim->config({batch_seconds => 2});
$cluster->do_sql('template_copy', 'SELECT batch_adopt(NULL)');
$cluster->do_sql('template_copy', 'ALTER ROLE jim RENAME TO jimmy');
my $renamed = $cluster->do_sql('template_copy', 'SET ROLE jimmy', submit_sql(1, 10));
$cluster->poll_sql('template_copy',
    "SELECT provider_batch_id IS NOT NULL FROM batch_chunks WHERE job_id = $renamed", 't');
$cluster->do_sql(
    'template_copy',
    'ALTER SERVER openai RENAME TO other',
    'ALTER ROLE jimmy RENAME TO james',
    'ALTER TABLE tickets RENAME TO issues',
    'CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO james',
    'ALTER TABLE issues SET SCHEMA s');
$cluster->do_sql('postgres', 'ALTER DATABASE template_copy RENAME TO renamed');
is( $cluster->poll_sql(
        'renamed', "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $renamed",
        'completed 10'),
    'completed 10',
    'renamed server, role, table, schema and database: the job goes on');
is(sql('renamed', "SELECT owner, server FROM batch_jobs WHERE job_id = $renamed"),
    'james|other', '… and shows the new names');

# ---- an owner who is gone ----

# His job is taken over while its batch is being created, and its server has another name by now:
# both are what counts.
my $decoy = Cluster::Sim->new;
$sim->reset;
$cluster->do_sql(
    'renamed',
    'CREATE ROLE eve',
    'GRANT ALL ON s.issues TO eve',
    'GRANT USAGE ON SCHEMA s TO eve',
    'GRANT USAGE ON FOREIGN SERVER other TO eve',
    "CREATE USER MAPPING FOR eve SERVER other OPTIONS (api_key 'sk-sim')",
    'GRANT USAGE ON SCHEMA s TO ann',
    'UPDATE s.issues SET label = NULL');
$sim->config({batch_seconds => 60});
$sim->fault('POST', '/batches$', {delay_ms => 5000});
my $orphan = $cluster->do_sql('renamed', 'SET ROLE eve',
    submit_sql(1, 10) =~ s/openai/other/r =~ s/tickets/s.issues/gr);
is(poll(1, 10, sub { $sim->faults_met }), 1, 'a batch is being created');
$cluster->do_sql(
    'renamed',
    'DROP OWNED BY eve',
    'DROP ROLE eve',
    'ALTER SERVER other RENAME TO third',
    $decoy->server_sql('other'));
like(
    sql('renamed', "SELECT batch_adopt($orphan)"),
    regex(
        qr/ERROR:  the owner of batch job $orphan does not exist\n.*batch_adopt\($orphan, /s,
        qr/owner => 'role'\)/s),
    'batch_adopt of a job without an owner says what to do');
is(sql('renamed', "SELECT batch_adopt($orphan, owner => 'ann')"), '', '… which works meanwhile');
is( sql('renamed',
        "SELECT state, holder_pid IS NOT NULL FROM batchinf.chunk WHERE job_id = $orphan"),
    'creating|t',
    '… leaves the chunk to the process that creates the batch');
is( poll(
        1, 10, sub { scalar grep { $_->{fault} && $_->{status} } @{$sim->call('GET', 'requests')} }
    ),
    1,
    '… which it is after a while');
$sim->config({batch_seconds => 0.2});
is( $cluster->poll_sql(
        'renamed', "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $orphan",
        'completed 10', 30),
    'completed 10',
    '… and the job is done');
is(sql('renamed', "SELECT owner, server FROM batch_jobs WHERE job_id = $orphan"),
    'ann|third', '… as the role that was named, at its own server');
is($sim->ledger->{billed_requests}, 10, 'promise 1: … each record billed once');
is(scalar @{$decoy->call('GET', 'requests')}, 0, '… and nothing sent to another of that name');

is($cluster->log_count('PANIC|TRAP|terminated by signal|cannot go on'), 0,
    'nothing odd in the log');
done_testing();
