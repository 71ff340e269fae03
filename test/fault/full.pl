#!/usr/bin/perl
# The disk is full: for the file that a batch is rendered into, for the file that its results come
# into, and for the tables. The chunk waits with the reason, and goes on once there is space.
#
# Where root may mount, temporary files lie on a disk of their own, which is full; elsewhere
# a limit to the size of files does.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use File::Temp;
use Provider;
use Test::More;

# That disk, in a mount namespace of our own.
if ($> == 0 && system('unshare --mount mount -t tmpfs tmpfs /tmp 2>/dev/null') == 0) {
    my $place = File::Temp->newdir('batchinf-disk-XXXXXX', TMPDIR => 1);
    my $tables = File::Temp->newdir('batchinf-disk-XXXXXX', TMPDIR => 1);
    my $status = system(
        'unshare', '--mount', 'bash', '-c',
        'mount -t tmpfs -o size=512m,mode=1777 tmpfs "$1" &&
        mount -t tmpfs -o size=16m,mode=1777 tmpfs "$2" &&
        exec runuser -u postgres -- "${@:3}"', '-', $place, $tables, $^X, $0, $place, $tables);
    exit($status ? 1 : 0);
}
Cluster::as_postgres();
my ($disk, $tables) = @ARGV;

my $sim = Cluster::Sim->new;
my $cluster =
    Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");
my $reason = $disk ? 'No space left on device' : 'File too large';

if ($disk) {
    my $place = "$cluster->{data}/base/pgsql_tmp";
    BAIL_OUT("$place is there already") if !symlink $disk, $place;
}

# No more than 24 MB of room from here on: what else there is of the disk is taken, or all files of
# the server end there (ulimit counts in kB).
sub shrink {
    return system('fallocate', '-l', '488M', "$disk/ballast") if $disk;
    return restart(24576);
}
sub enlarge { return $disk ? 1 - unlink "$disk/ballast" : restart('unlimited') }

sub restart {
    my ($limit) = @_;
    $cluster->stop('fast');
    return system('bash', '-c',
              "ulimit -S -f $limit; $Cluster::bin/pg_ctl -D $cluster->{data} -l $cluster->{log} -w "
            . "-s start");
}

sub do_sql { return $cluster->do_sql('postgres', @_) }
sub poll_sql { return $cluster->poll_sql('postgres', @_) }

# Tables of many small files' worth would meet the limit too: 30 MB of requests come from short
# records and a long system prompt.
do_sql(
    'CREATE EXTENSION batchinf',
    'CREATE TABLE t (id int PRIMARY KEY, label text)',
    'INSERT INTO t SELECT generate_series(1, 300)');

# The answers are longer than a model of Bedrock gives unasked.
my %params = (openai => '{}', bedrock => '{"inferenceConfig": {"maxTokens": 50000}}');

for my $name (sort keys %params) {
    my $provider = $Provider::by_name{$name};
    my ($server, $other) = ("${name}_server", "${name}_other");
    my $submit = sub {
        my ($prompt, $system) = @_;
        return do_sql("SELECT batch_submit('SELECT id FROM t', server => '$server', "
                . "prompt => '$prompt', system_prompt => $system, params => '$params{$name}', "
                . "target => 't', write_back => '{\"label\": \"\$\"}')");
    };
    $sim->reset;
    $sim->config($provider->{config}) if $provider->{config};
    do_sql('UPDATE t SET label = NULL',
        map { Provider::server_sql($provider, $_, $sim->url) } $server, $other);
    is(shrink(), 0, "$name: the disk has little room");

    my $large = $submit->('{{id}}', q{repeat('x', 100000)});
    like(
        poll_sql(
            "SELECT waiting_for FROM batch_chunks WHERE job_id = $large",
            qr/temporary file/, 60),
        qr/could not write to temporary file: $reason/,
        "$name: no room to render a batch: the chunk waits, and says for what");
    is(do_sql("SELECT state FROM batchinf.chunk WHERE job_id = $large"),
        'planned', '... and nothing of it is sent');
    is($sim->ledger->{billed_requests} // 0, 0, '... nor billed');
    my $small =
        do_sql("SELECT batch_submit('SELECT id FROM t', server => '$other', prompt => '{{id}}')");
    is(poll_sql("SELECT state FROM batch_jobs WHERE job_id = $small", 'completed', 30),
        'completed', 'promise 4: a smaller one is done meanwhile');
    do_sql("SELECT batch_cancel($large)");
    is(poll_sql("SELECT state FROM batch_jobs WHERE job_id = $large", 'cancelled'),
        'cancelled', 'the one that waits can be cancelled');

    # Results: 30 MB come for 300 small requests.
    my $billed = $sim->ledger->{billed_requests};
    my $much = $submit->('{{id}} [[sim:big=100000]]', 'NULL');
    like(
        poll_sql(
            "SELECT waiting_for FROM batch_chunks WHERE job_id = $much",
            qr/temporary file/, 60),
        qr/^local_error: could not write to temporary file: $reason$/,
        "$name: no room for the results: the chunk waits, and says for what");
    is(do_sql("SELECT state FROM batchinf.chunk WHERE job_id = $much"),
        'fetching', '... they are not given up');
    is(do_sql("SELECT count(*) FROM batch_records WHERE job_id = $much AND outcome IS NOT NULL"),
        0, '... and no part of them is taken');

    is(enlarge(), 0, 'the disk has room again');
    is( poll_sql(
            "SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $much",
            'completed 300', 90),
        'completed 300',
        '... the job ends');
    is($sim->ledger->{billed_requests} - $billed, 300, 'promise 1: each record is billed once');
    is(do_sql('SELECT count(*) FROM t WHERE length(label) > 90000'),
        300, '... and every row is written');
}
# Issue 11: the tablespace of our results, then the target's, is full for a while: answers of 300 kB
# do not fit, small rows do.
if ($disk) {
    my ($room, $hold) = ("$tables/results", "$tables/filler");
    mkdir $_ or die "$_: $!" for $room, "$tables/target";
    my $server = 'tables_server';
    my $provider = $Provider::by_name{openai};
    $sim->reset;
    do_sql(Provider::server_sql($provider, $server, $sim->url));
    do_sql("CREATE TABLESPACE results LOCATION '$room'");
    do_sql("CREATE TABLESPACE target LOCATION '$tables/target'");
    do_sql(
        'CREATE TABLE wide (id int PRIMARY KEY, answer text) TABLESPACE target',
        'ALTER TABLE wide ALTER answer SET STORAGE EXTERNAL',
        'INSERT INTO wide SELECT generate_series(1, 4)');
    my $ask =
          "SELECT batch_submit('SELECT id, CASE WHEN id <= 2 THEN ''[[sim:big=300000]]'' ELSE "
        . "''[[sim:say=x]]'' END AS p FROM wide', server => '$server', prompt => '{{p}}', "
        . "target => 'wide', write_back => '{\"answer\": \"\$\"}')";
    my $counts =
          "SELECT concat_ws(' ', state, succeeded, invalid_output, written, write_waiting, "
        . "write_failed) FROM batch_jobs WHERE job_id =";
    my $fill = sub { system("dd if=/dev/zero of=$hold bs=64k 2>/dev/null"); return -s $hold };


    do_sql(
        'ALTER TABLE batchinf.result ALTER output SET STORAGE EXTERNAL',
        'ALTER TABLE batchinf.result SET TABLESPACE results');
    my $billed = $sim->ledger->{billed_requests} // 0;
    ok($fill->(), 'the tablespace of the results is full');
    my $full = do_sql($ask);
    like(
        poll_sql(
            "SELECT waiting_for FROM batch_chunks WHERE job_id = $full",
            qr/could not save/, 60),
        regex(
            qr/^local_error: could not save \d answers: /,
            qr/could not extend file .*No space left on device$/),
        '... the answers wait, and the chunk says for what');
    is(do_sql("SELECT invalid_output + write_failed FROM batch_jobs WHERE job_id = $full"),
        0, '... none has ended');
    is(1 - unlink($hold), 0, '... there is room again');
    is( poll_sql("$counts $full", 'completed 4 0 4 0 0', 60),
        'completed 4 0 4 0 0',
        'promise 2: ... all are delivered');
    is(do_sql('SELECT count(*) FROM wide WHERE length(answer) >= 300000'), 2, '... in whole');

    do_sql(
        'ALTER TABLE batchinf.result SET TABLESPACE pg_default',
        'UPDATE wide SET answer = NULL',
        'VACUUM FULL wide');
    ok($fill->(), 'the tablespace of the target is full');
    my $target = do_sql($ask);
    is( poll_sql(
            "SELECT succeeded || ' ' || (write_waiting >= 2) || ' ' || write_failed "
                . "FROM batch_jobs WHERE job_id = $target",
            '4 true 0',
            60),
        '4 true 0',
        '... rows wait, none has failed');
    like(
        do_sql(
                  "SELECT string_agg(DISTINCT write_error, ' ') FROM batch_records "
                . "WHERE job_id = $target AND write_state = 'waiting'"),
        qr/No space left on device/,
        '... and say why');
    is(1 - unlink($hold), 0, '... there is room again');
    is( poll_sql("$counts $target", 'completed 4 0 4 0 0', 90),
        'completed 4 0 4 0 0',
        '... all are written');
    is($sim->ledger->{billed_requests} - $billed, 8, 'promise 1: each record is billed once');
}
is(poll(0, 10, sub { scalar(() = glob "$cluster->{data}/base/pgsql_tmp/*") }),
    0, 'no temporary file is left');
is($cluster->log_count('PANIC|TRAP|terminated by signal'), 0, 'nothing odd in the log');
done_testing();
