#!/usr/bin/perl
# Each request of each provider meets each of the faults below once. Whatever the fault, the job
# waits, ends with an outcome or says a clear error. Then the network is good again: the job is
# done, each record is billed once, and nothing is left. Each third job is a pipeline's refresh: a
# second one sends nothing (promise 11). Each third one adds its rows, by insert, upsert or replace.
#
#   network.pl        each fault of each request at one provider, in turn
#   network.pl all    all of them
#
# Each is a cell: a job of a few records with a server and a lane of the simulator of its own, all
# of them at once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Provider;
use Test::More;
use Time::HiRes qw(sleep time);
use Time::Local;

Cluster::as_postgres();

my $all = ($ARGV[0] // '') eq 'all';
my $records = 3;
my $start = time;
my $other = Cluster::Sim->new;    # a host that nobody has a key for
my $again = {'retry-after' => 3};

# What a reply's body is, nobody needs to know who reads its status or its headers alone; libcurl
# repeats by itself what may be repeated, at a connection that was good before; and a candidate
# whose results cannot be read is only looked at again.
my $status_tells = qr/ (cancel|discard|manifest|check)$|^(bedrock|gemini) upload$| peek$/;
my $no_body = qr/^(bedrock|vertex) discard$|^(bedrock|gemini) upload$| peek$/;
my $is_repeated = qr/ (poll|find|outputs|manifest|fetch|discard|peek)$|^bedrock upload$/;
my $undecided = qr/ peek$/;
my $odd = qr/unexpected_reply|incomplete|truncated|checksum|not UTF-8/;

# says: what the job's events tell of it; where silent matches "<provider> <request>" they need not;
# rests: for so many seconds nothing more is sent
my @faults = (
    {name => 'refused', shut => 'refused', says => qr/unreachable/},
    {   name => 'wrong certificate',
        shut => 'certificate',
        says => qr/bad_certificate/,
        silent => qr/ discard$/},
    {   name => 'reset before its effect',
        action => {reset => 'before'},
        says => qr/cut_off/,
        silent => $is_repeated},
    {   name => 'reset after its effect',
        action => {reset => 'after'},
        says => qr/cut_off/,
        silent => $is_repeated},
    {   name => 'hangs before its effect',
        action => {hang => \1},
        says => qr/stalled/,
        silent => $undecided},
    {   name => 'hangs after its effect',
        action => {hang => 'after'},
        says => qr/stalled/,
        silent => $undecided},
    {   name => 'hangs within the body',
        action => {stall => 10},
        says => qr/stalled/,
        silent => $no_body},
    {name => 'drips', action => {drip => 400}},
    {   name => 'drips without end',
        action => {drip => 20, endless => \1},
        says => qr/stalled/,
        silent => $no_body},
    {name => 'truncated', action => {truncate => 20}, says => qr/cut_off/, silent => $no_body},
    {   name => 'length too large',
        action => {wrong_length => \1},
        says => qr/cut_off/,
        silent => $no_body},
    {   name => 'length too small',
        action => {wrong_length => -9},
        says => $odd,
        silent => qr/ (?!fetch)\w+$/},    # of what is packed only a checksum is lost
    {name => 'gzip', action => {gzip => \1}},
    {name => 'no gzip', action => {gzip => 'lie'}, says => qr/cut_off/, silent => $no_body},
    {name => 'a page', action => {html => 200}, says => $odd, silent => $status_tells},
    {name => 'a page, 502', action => {html => 502}, says => qr/http_502/, silent => $undecided},
    {name => '500', action => {status => 500}, says => qr/deferred/},
    {   name => '500, again in 3 s',
        action => {status => 500, headers => $again},
        says => qr/deferred/,
        rests => 3},
    {name => '429', action => {status => 429}, says => qr/deferred/},
    {   name => '429, again in 3 s',
        action => {status => 429, headers => $again},
        says => qr/deferred/,
        rests => 3},
    {   name => 'redirect to another host',
        action => {redirect => $other->url . '/stolen'},
        says => qr/redirects are not followed/,
        silent => $undecided},
    {   name => 'answer for another id',
        action => {lie => 'other_id'},
        says => qr/deferred|found again/,
        silent => qr/$status_tells| upload$/},
    {name => 'half of the JSON', action => {lie => 'half'}, says => $odd, silent => $status_tells},
    {name => 'an empty body', action => {lie => 'empty'}, says => $odd, silent => $status_tells},
    {name => '100 MB of one line', action => {lie => 'long'}},   # the simulator itself is slow then
    {name => 'deeply nested', action => {lie => 'deep'}, says => $odd, silent => $status_tells},
    {name => 'invalid UTF-8', action => {lie => 'utf8'}, says => $odd, silent => $status_tells},
    {   name => '\u0000 in each text',
        action => {lie => 'nul'},
        says => $odd,
        silent => qr/$status_tells|^bedrock find$/},
    {name => 'each key twice', action => {lie => 'duplicate'}},);

# ---- cells ----

# The order in which a chunk makes its requests.
my @order = qw(login upload bytes create poll outputs manifest fetch discard);

sub before {
    my ($provider, $request) = @_;
    return 'create' if $request =~ /^(find|cancel)$/;
    return 'find' if $request eq 'peek';
    my @has = grep { $provider->{requests}{$_} } @order;
    my ($n) = grep { $has[$_] eq $request } 0 .. $#has;
    return $n ? $has[$n - 1] : undef;
}

# The providers at which this request meets this fault: all, or each in its turn.
sub providers_of {
    my ($request, $turn) = @_;
    my @have = grep { $_->{requests}{$request} } @Provider::all;
    return $all ? @have : $have[$turn % @have];
}

sub make_cells {
    my @requests = (@order, qw(find peek cancel check));
    my @cells;
    for my $r (0 .. $#requests) {
        for my $f (0 .. $#faults) {
            push @cells, map {
                {   provider => $_,
                    request => $requests[$r],
                    fault => $faults[$f],
                    name => "$_->{name}, $requests[$r]: $faults[$f]{name}"}
            } providers_of($requests[$r], $r + $f);
        }
    }
    return @cells;
}

my @cells = make_cells();
$cells[$_]{id} = $_ for 0 .. $#cells;

# ---- databases ----

my @tls = map { Cluster::certificate($_, 'localhost', 'IP:127.0.0.1') } qw(right wrong);
my @places = map { {db => "d$_", sim => Cluster::Sim->new} } 0 .. 4;
my $cluster = Cluster->new(
    'main',
    "shared_preload_libraries = 'batchinf'",
    'batchinf.max_visits = 10',
    "batchinf.stall_timeout = '8s'",    # a busy machine needs seconds for a reply
    "batchinf.connect_timeout = '5s'",
    "batchinf.settle_time = '2s'",
    "batchinf.ca_file = '$tls[0]{cert}'",
    'batchinf.enabled = off');

sub sql_of {
    my ($place) = @_;
    return (
        'SET client_min_messages = warning; CREATE EXTENSION batchinf',
        'CREATE TABLE cell (id int PRIMARY KEY, job bigint, cancel bool, refreshed bool); '
            . 'CREATE TABLE ticket (cell int, id int, body text, label text, PRIMARY KEY (cell, '
            . 'id)); CREATE TABLE answer (cell int, id int, label text, PRIMARY KEY (cell, id))',
        'CREATE FUNCTION submit_rows(c int, mode text) RETURNS bigint LANGUAGE sql AS $$
             SELECT batch_submit(format(\'SELECT cell, id, body FROM ticket
                 WHERE cell = %s\', c), server => \'s\' || c, prompt => \'{{body}}\',
                 target => \'answer\', write_mode => mode,
                 replace_by => CASE mode WHEN \'replace\' THEN \'cell\' END,
                 write_back => \'{"cell": {"column": "cell"}, "id": {"column": "id"},
                     "label": "$"}\')
         $$',
        'CREATE FUNCTION submit(c int) RETURNS bigint LANGUAGE sql AS $$
             SELECT CASE c % 9 WHEN 1 THEN submit_rows(c, \'insert\') WHEN 4
                 THEN submit_rows(c, \'upsert\') WHEN 7 THEN submit_rows(c, \'replace\')
                 ELSE batch_submit(format(\'SELECT cell, id, body FROM ticket
                 WHERE cell = %s\', c), server => \'s\' || c, prompt => \'{{body}}\',
                 target => \'ticket\', write_back => \'{"label": "$"}\') END
         $$',
        'CREATE FUNCTION refresh(c int) RETURNS bigint LANGUAGE sql AS $$
             SELECT batch_create_pipeline(\'p\' || c, format(\'SELECT cell, id, body FROM ticket
                 WHERE cell = %s\', c), server => \'s\' || c, prompt => \'{{body}}\',
                 target => \'ticket\', write_back => \'{"label": "$"}\');
             SELECT batch_refresh(\'p\' || c)
         $$',
        # cancels whose batches run; what the cells have waited for, and which are over
        'CREATE FUNCTION tend() RETURNS TABLE (cell int, over bool, deferred text)
         LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM batch_cancel(job) FROM cell c WHERE cancel
                 AND EXISTS (SELECT FROM batch_chunks k WHERE k.job_id = c.job
                     AND step IN (\'submitted\', \'running\'))
                 AND NOT EXISTS (SELECT FROM batch_jobs j WHERE j.job_id = c.job
                     AND j.state = \'cancelling\');
             RETURN QUERY SELECT c.id, NOT EXISTS (SELECT FROM batch_chunks k WHERE k.job_id = c.job
                     AND step NOT IN (\'done\', \'cancelled\', \'failed\'))
                 AND EXISTS (SELECT FROM batch_jobs j WHERE j.job_id = c.job
                     AND j.state IN (\'completed\', \'cancelled\', \'failed\')),
                 (SELECT replace(string_agg(e.detail, \', \'), E\'\\n\', \' \')
                     FROM batch_events e WHERE e.job_id = c.job AND e.event = \'deferred\')
                 FROM cell c;
         END $$',
        'CREATE FUNCTION report() RETURNS SETOF json LANGUAGE sql AS $$
             SELECT json_build_object(\'id\', c.id,
                 \'state\', concat_ws(\' \', j.state, j.succeeded, j.written),
                 \'rows\', (SELECT count(*) FROM (SELECT cell, id, label FROM ticket
                         UNION ALL TABLE answer) t WHERE t.cell = c.id
                     AND t.label LIKE format(\'%%cell %s record %s\', t.cell, t.id)),
                 \'batches\', (SELECT json_agg(provider_batch_id) FROM batch_chunks k
                     WHERE k.job_id = c.job),
                 \'steps\', (SELECT string_agg(
                         format(\'%s%s\', step, \': \' || waiting_for), \'; \')
                     FROM batch_chunks k WHERE k.job_id = c.job),
                 \'events\', (SELECT string_agg(
                         event || coalesce(\' (\' || detail || \')\', \'\'), \', \'
                         ORDER BY event_id)
                     FROM batch_events e WHERE e.job_id = c.job),
                 \'again\', CASE WHEN refreshed THEN batch_refresh(\'p\' || c.id) END)
             FROM cell c JOIN batch_jobs j ON j.job_id = c.job
         $$');
}

sub sim_fault {
    my ($cell, $request, $action, @more) = @_;
    my ($method, $path, $after) = @{$cell->{provider}{requests}{$request}};
    $cell->{place}{sim}->call(
        'POST', 'faults',
        {   match => {method => $method, path_regex => $path, lane => $cell->{port}},
            action => $action,
            after => $after // 0,
            @more});
}

# Its lane, what it meets there, and the SQL of its server and rows.
sub prepare {
    my ($cell) = @_;
    my ($sim, $request, $fault, $id) = ($cell->{place}{sim}, @$cell{qw(request fault id)});
    $cell->{port} = shift @{$cell->{place}{ports}{is_tls($cell) ? 'tls' : 'plain'}};
    my $before = before($cell->{provider}, $request);
    sim_fault($cell, 'create', {lost_after_effect => \1}) if $request =~ /^(find|peek)$/;
    sim_fault(
        $cell, 'create',
        {batch_outcome => 'in_progress_forever', finished => 0},
        times => 'always') if $request eq 'cancel';
    sim_fault($cell, $request, $fault->{action}) if $fault->{action};
    sim_fault($cell, $before, {shut_after => $fault->{shut}}) if $fault->{shut} && $before;
    $sim->call('POST', 'shut', {port => $cell->{port}, how => $fault->{shut}})
        if $fault->{shut} && !$before;
    my @sql = Provider::server_sql($cell->{provider}, "s$id", $sim->url, undef,
        (is_tls($cell) ? 'https' : 'http') . "://127.0.0.1:$cell->{port}", "sk-$id");
    push @sql,
        "INSERT INTO ticket SELECT $id, i, 'cell $id record ' || i "
        . "FROM generate_series(1, $records) i",
        "INSERT INTO cell VALUES ($id, NULL, "
        . join(', ', map { $_ ? 'true' : 'false' } $request eq 'cancel', is_refresh($cell)) . ')'
        if $request ne 'check';
    return @sql;
}

# What was cancelled is due again, so that its refresh would send it.
sub is_refresh { return $_[0]{id} % 3 == 0 && $_[0]{request} ne 'cancel' }

sub is_tls { return ($_[0]{fault}{shut} // '') eq 'certificate' }

# Before any is shut, so that nobody has its port meanwhile.
sub open_lanes {
    my ($place) = @_;
    my @mine = grep { $_->{place} == $place } @cells;
    my $sim = $place->{sim};
    $sim->config(
        {   api_keys => ['sk-sim', map {"sk-$_->{id}:p$_->{id}"} @mine],
            bedrock_max_jobs => 1000,
            map { %{$_->{config} // {}} } @Provider::all});
    $place->{ports} = {
        plain => $sim->call('POST', 'lanes', {count => scalar grep { !is_tls($_) } @mine})->{ports},
        tls => $sim->call('POST', 'lanes',
            {count => scalar grep({ is_tls($_) } @mine), tls => {%{$tls[0]}, wrong => $tls[1]}})
            ->{ports},};
}

sub prepare_all {
    my ($place) = @_;
    $cluster->do_sql('postgres', "CREATE DATABASE $place->{db}");
    my @sql = (sql_of($place), map { prepare($_) } grep { $_->{place} == $place } @cells);
    while (my @some = splice @sql, 0, 100) {
        $cluster->do_sql($place->{db}, 'SET client_min_messages = warning', join '; ', @some);
    }
}

# The long ones keep a simulator busy: they have one of their own.
$_->{place} = $places[$_->{fault}{name} =~ /MB/ ? 0 : 1 + $_->{id} % $#places] for @cells;
open_lanes($_) for @places;
prepare_all($_) for @places;
note sprintf '%.0f s: %d cells are ready', time - $start, scalar @cells;

# ---- all at once ----

my %by_id = map { $_->{id} => $_ } @cells;
my @checks = grep { $_->{request} eq 'check' } @cells;
my @jobs = grep { $_->{request} ne 'check' } @cells;

sub admit { $_[0]{place}{sim}->call('POST', 'admit', {port => $_[0]{port}}) if !$_[0]{admitted}++ }

# batch_check of each of these cells that are at the place in turn, in a session beside us.
sub check_all {
    my ($place, @cells) = @_;
    my @mine = grep { $_->{place} == $place } @cells;
    return @mine
        ? $cluster->beside($place->{db},
        map {"SELECT $_->{id} || ' ' || status || ': ' || detail FROM batch_check('s$_->{id}')"}
            @mine)
        : ();
}

sub take_checks {
    my ($key, @sessions) = @_;
    for my $line (map { split /\n/, Cluster::output($_) } @sessions) {
        $line =~ /^(\d+) (.*)/ ? $by_id{$1}{$key} = $2 : fail("batch_check raises: $line");
    }
}

# True if the cell has met that its lane is shut, not only something else before, such as a stall
# on a busy machine, or the loss of the reply to create.
sub has_met_shut {
    my ($cell, $deferred) = @_;
    return $cell->{fault}{shut} && $deferred =~ $cell->{fault}{says};
}

# How many jobs are not over; a lane that was shut is open again once that has been noticed.
sub tend {
    my $left = 0;
    for my $place (@places) {
        for my $row (split /\n/,
            $cluster->sql($place->{db}, 'SELECT cell, over, deferred FROM tend()'))
        {
            my ($id, $over, $deferred) = split /\|/, $row, 3;
            admit($by_id{$id}) if has_met_shut($by_id{$id}, $deferred);
            $left++ if $over ne 't';
        }
    }
    return $left;
}

$cluster->do_sql(
    $_->{db},
    'SET client_min_messages = warning',
    'UPDATE cell SET job = CASE WHEN refreshed THEN refresh(id) ELSE submit(id) END'
) for @places;
note sprintf '%.0f s: %d jobs are submitted', time - $start, scalar @jobs;
$cluster->do_sql('postgres', 'ALTER SYSTEM SET batchinf.enabled = on', 'SELECT pg_reload_conf()');
take_checks('checked', map { check_all($_, @checks) } @places);
note sprintf '%.0f s: batch_check has met them', time - $start;
my $left;
for (my $end = time + 400; time < $end && ($left = tend()); sleep 0.5) { }
note sprintf '%.0f s: %d jobs are left', time - $start, $left;
admit($_) for grep { $_->{fault}{shut} } @checks;
# where the machine is slow the fault may not have been met before
for (
    my @left = @checks, my $times = 3;
    @left && $times--;
    @left = grep { $_->{checked_again} !~ /^ok/ } @left)
{
    take_checks('checked_again', map { check_all($_, @left) } @places);
}

# ---- what came of it ----

for my $place (@places) {
    $place->{ledger} = $place->{sim}->ledger;
    $place->{lanes} = $place->{sim}->call('GET', 'lanes');
    for my $line (
        split /\n/,
        $cluster->sql($place->{db}, 'SET client_min_messages = error', 'SELECT report()'))
    {
        my $fact = decode_json($line);
        $by_id{$fact->{id}}{facts} = $fact;
    }
}

sub seconds_of {
    $_[0] =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z$/ or die;
    return timegm(0, $5, $4, $3, $2 - 1, $1) + $6;
}

# When it met its fault, and the first request after that; undef where it met none.
sub meeting {
    my ($cell) = @_;
    my ($method, $path) = @{$cell->{provider}{requests}{$cell->{request}}};
    my @requests = @{$cell->{place}{lanes}{$cell->{port}}};
    my ($n) = grep {
               $requests[$_]{fault}
            && $requests[$_]{method} eq $method
            && $requests[$_]{path} =~ s/\?.*//r =~ $path
            && !$requests[$_]{fault}{lost_after_effect}
    } 0 .. $#requests;
    return defined $n ? map { seconds_of($_->{at}) } grep {$_} @requests[$n, $n + 1] : ();
}

sub must_say {
    my ($cell) = @_;
    my $fault = $cell->{fault};
    return $fault->{says}
        && !($fault->{silent} && "$cell->{provider}{name} $cell->{request}" =~ $fault->{silent});
}

# What is wrong with a job, in words.
sub wrong_with_job {
    my ($cell) = @_;
    my ($f, $fault, $by_content) =
        ($cell->{facts}, $cell->{fault}, $cell->{place}{ledger}{by_content});
    my $billed = join ',',
        map { $by_content->{sha256_hex("cell $cell->{id} record $_")} // 0 } 1 .. $records;
    my ($is, $met, $next) = ("$f->{state}, $f->{rows} rows, billed $billed", meeting($cell));
    my $shall =
        $cell->{request} eq 'cancel'
        ? 'cancelled 0 0, 0 rows, billed 0,0,0'
        : 'completed 3 3, 3 rows, billed 1,1,1';
    return (
        $is ne $shall ? "$is; $f->{steps}" : (),
        $fault->{action} && !$met ? 'it did not come to that' : (),
        defined $f->{again} ? 'promise 11: a second refresh sends rows again' : (),
        # a busy machine may make a request stall that was to meet more
        must_say($cell) && $f->{events} !~ /$fault->{says}|stalled/ ? "not told: $f->{events}" : (),
               $fault->{rests}
            && $next
            && $next - $met < $fault->{rests} - 0.1
            && $f->{events} !~ /stalled/ ? sprintf('asked again after %.1f s', $next - $met) : ());
}

sub wrong_with_check {
    my ($cell) = @_;
    my $body_only =
          !$cell->{fault}{says}
        || $cell->{fault}{says} eq $odd
        || $cell->{fault}{name} =~ /another id/;
    return (
        !$body_only && $cell->{checked} =~ /^ok/ ? "not told: $cell->{checked}" : (),
        $cell->{checked_again} =~ /^ok/ ? () : "not good again: $cell->{checked_again}");
}

is(join('; ', $_->{request} eq 'check' ? wrong_with_check($_) : wrong_with_job($_)), '', $_->{name})
    for @cells;
is(join(' ', map {"$_->{method} $_->{path}"} @{$other->call('GET', 'requests')}),
    '', 'promise 6: nobody else was asked anything');
# a busy machine may make each try to remove something stall; then that is told
my $told = () = map { $_->{facts}{events} =~ /left behind \([^)]*stalled/g } @jobs;
my @left_for_ever = grep { !$_->{expires_at} } map { @{$_->{ledger}{files_left}} } @places;
note "$_->{name}: $_->{facts}{events}" for grep { $_->{facts}{events} =~ /left behind/ } @jobs;
$told
    ? cmp_ok(scalar @left_for_ever, '<=', 3 * $told, 'promise 10: what is left for ever is told')
    : is(join(' ', map { $_->{id} } @left_for_ever), '', 'promise 10: nothing is left for ever');
is($cluster->poll_sql($_->{db}, 'SELECT count(*) FROM batchinf.in_flight', 0),
    0, "promise 11: $_->{db}: no row is in flight any more")
    for @places;
is($cluster->log_count('PANIC|TRAP|terminated by signal'), 0, 'nothing odd in the log');
is($cluster->log_count('cannot go on|could not record'), 0, 'no step met an error of ours');
done_testing();
