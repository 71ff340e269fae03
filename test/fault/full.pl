#!/usr/bin/perl
# A disk that is full: for the spool that a batch is rendered into, and for the one that its
# results come into.  The chunk waits with the reason, and goes on once there is room.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Test::More;

Cluster::as_postgres();

my $sim = Cluster::Sim->new;
my $cluster = Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1s'");

# All files of the server end at 24 MB, as on a disk that has no more: ulimit counts in kB.
sub restart {
    my ($limit) = @_;
    $cluster->stop('fast');
    return system('bash', '-c', "ulimit -S -f $limit; $Cluster::bin/pg_ctl -D $cluster->{data} -l $cluster->{log} -w -s start");
}
is(restart(24576), 0, 'a server whose disk is small');

sub do_sql { return $cluster->do_sql('postgres', @_) }
sub poll_sql { return $cluster->poll_sql('postgres', @_) }

# Tables of many small files' worth would meet the limit too: 30 MB of requests come from short records and a long system prompt.
do_sql('CREATE EXTENSION batchinf', $sim->server_sql('openai'), $sim->server_sql('other'), 'CREATE TABLE t (id int PRIMARY KEY, label text)', 'INSERT INTO t SELECT generate_series(1, 300)');
my $submit = sub {
    my ($prompt, $system) = @_;
    return do_sql("SELECT batch_submit('SELECT id FROM t', server => 'openai', prompt => '$prompt', system_prompt => $system, target => 't', write_back => '{\"label\": \"\$\"}')");
};

my $large = $submit->('{{id}}', q{repeat('x', 100000)});
like(poll_sql("SELECT waiting_for FROM batch_chunks WHERE job_id = $large", qr/temporary file/), qr/could not write to temporary file: File too large/, 'no room to render a batch: the chunk waits, and says for what');
is(do_sql("SELECT state FROM batchinf.chunk WHERE job_id = $large"), 'planned', '... and nothing of it is sent');
is($sim->ledger->{billed_requests} // 0, 0, '... nor billed');
my $small = do_sql("SELECT batch_submit('SELECT id FROM t', server => 'other', prompt => '{{id}}')");
is(poll_sql("SELECT state FROM batch_jobs WHERE job_id = $small", 'completed', 30), 'completed', 'promise 4: a smaller one is done meanwhile');
do_sql("SELECT batch_cancel($large)");
is(poll_sql("SELECT state FROM batch_jobs WHERE job_id = $large", 'cancelled'), 'cancelled', 'the one that waits can be cancelled');

# Results: 30 MB come for 300 small requests.
$sim->reset;
my $much = $submit->('{{id}} [[sim:big=100000]]', 'NULL');
like(poll_sql("SELECT waiting_for FROM batch_chunks WHERE job_id = $much", qr/temporary file/, 60), qr/^local_error: could not write to temporary file: File too large$/, 'no room for the results: the chunk waits, and says for what');
is(do_sql("SELECT state FROM batchinf.chunk WHERE job_id = $much"), 'fetching', '... they are not given up');
is(do_sql("SELECT count(*) FROM batch_records WHERE job_id = $much AND outcome IS NOT NULL"), 0, '... and no part of them is taken');

is(restart('unlimited'), 0, 'the disk has room again');
is(poll_sql("SELECT state || ' ' || written FROM batch_jobs WHERE job_id = $much", 'completed 300', 90), 'completed 300', '... the job ends');
is($sim->ledger->{billed_requests}, 300, 'promise 1: each record is billed once');
is($cluster->log_count('PANIC|TRAP|terminated by signal'), 0, 'nothing odd in the log');
done_testing();
