package Fleet;

# A cluster with many berths, each a database and a simulator with every provider: jobs run in them
# side by side, are stopped at points of base/crash.h, killed all at once in one way or another, go
# on, and are checked against the simulator's ledger.
#
# A task is what one berth does in one round: {provider, story, records, …}, and where it is to be
# killed: {point, nth} or, while a request waits, {hold => [request, action]}. With {mode} its
# answers add rows (Modes.pm), and with {meddles} somebody meddles. Afterwards it has {facts,
# ledger, passed, missed}.
use strict;
use warnings;
use Cluster;
use JSON::PP;
use Modes;
use Provider;
use Refreshes;
use Test::More;
use Time::HiRes qw(sleep time);

# What happens to a job, as it would without a crash.
#
# fault: request and action of the simulator; foreign: a batch of the same size by somebody else;
# body: of the first rows, before all else; wish: what its user does meanwhile; end: its state and
# counts (succeeded, errored), where not all succeed; batches: how many, where not 1; points: those
# that it is told for; refreshes: a pipeline sends its rows (Refreshes.pm); mode: how it writes;
# copies: records that copy answers: 'dedup': of others with the same text; 'cache': each second one
# of an earlier job; 'dedup, cache': both; limited: max_cost is what its batches reserve together:
# what is reserved twice ends it.
our %story = (
    plain => {limited => 1, points => qr{^(?!running|submitted.* 2|ended).* [12]$}},
    lost => {fault => ['create', {lost_after_effect => \1}], points => qr{^creating.* [23]$}},
    unsent => {fault => ['create', {reset => 'before'}], points => qr{^creating.record.* [23]$}},
    beside => {foreign => 1, points => qr{^$}},
    twin => {
        foreign => 1,
        fault => ['create', {lost_after_effect => \1}],
        points => qr{^creating.* [34]$}},
    slow => {
        fault => ['create', {lost_after_effect => \1}],
        config => {batch_seconds => 6},
        points => qr{^(ambiguous|running).* 1$}},
    again => {
        body => '[[sim:fail_times=1]]',
        batches => 2,
        points => qr{^(delivering.record.* 1|(uploading|creating).claim 2)$}},
    locked => {wish => 'unlock', points => qr{^(\w+.rewrite|done.*) 1$}},
    refused => {
        fault => ['create', {batch_outcome => 'failed', finished => 0}, times => 2],
        end => qr{^\w+ \d+ \d+$},
        batches => undef,
        points => qr{^(submitted.record|cleaning).* 1$}},
    cancelled => {
        config => {batch_seconds => 6},
        wish => 'cancel',
        end => qr{^cancelled \d+ 0$},
        points => qr{^(cancelling.* [12]|delivering.record.* 1)$}},
    refreshed => {
        refreshes => 1,
        points => qr{^(refresh/\w+|ended/sweep) 1$}},
    partly => {mode => 'insert_each', points => qr{(/rows|items/partly) 1$}},
    repeated => {
        copies => 'dedup, cache',
        batches => undef,
        points => qr{^(copies/\w+|delivering/(claim|work|rows|group|record|recorded)) [123]$}},
    replaced => {
        mode => 'replace',
        batches => undef,
        points => qr{/(marking|marked|removed|piece|swapped) 1$}},);

sub has_refreshes { return $_[0]{refreshes} || $story{$_[0]{story}}{refreshes} }

sub mode_of {
    my ($task) = @_;
    return has_refreshes($task) ? undef : $task->{mode} // $story{$task->{story}}{mode};
}

sub copies_of {
    my ($task) = @_;
    return '' if has_refreshes($task) || mode_of($task);
    return $task->{copies} // $story{$task->{story}}{copies} // '';
}

my $await = <<'SQL';
CREATE PROCEDURE await_end(job bigint, wish text, seconds float8) LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + seconds * interval '1 second';
BEGIN
    WHILE clock_timestamp() < until LOOP
        IF NOT EXISTS (SELECT FROM batch_chunks WHERE job_id = job
            AND step NOT IN ('done', 'cancelled', 'failed'))
            AND EXISTS (SELECT FROM batch_jobs WHERE job_id = job
                AND state IN ('completed', 'cancelled', 'failed')) THEN
            EXIT WHEN wish NOT IN ('retry', 'rewrite')
                OR wish = 'retry' AND batch_retry(job) = 0
                OR wish = 'rewrite' AND batch_rewrite(job) = 0;
            wish := '';
        END IF;
        PERFORM see_values();
        IF wish = 'cancel' AND EXISTS (SELECT FROM batch_chunks WHERE job_id = job
            AND step IN ('submitted', 'running'))
            AND NOT EXISTS (SELECT FROM batch_jobs WHERE job_id = job AND state = 'cancelling') THEN
            PERFORM batch_cancel(job);
        ELSIF wish = 'unlock' AND EXISTS (SELECT FROM batchinf.chunk WHERE job_id = job
            AND write_tries > 1) THEN
            UPDATE gate SET open = true;
        ELSIF wish = 'pause' AND EXISTS (SELECT FROM batch_chunks WHERE job_id = job
            AND step <> 'planned') THEN
            PERFORM batch_pause(job);
            COMMIT;
            PERFORM pg_sleep(1), batch_resume(job);
            wish := '';
        END IF;
        COMMIT;
        PERFORM pg_sleep(0.05);
        COMMIT;
    END LOOP;
END $$
SQL

# What a bad owner in the same database makes of the calls of their jobs; undef: nothing, but their
# trigger sleeps.
our %neighbour = (
    sleeps => undef,
    hangs => {hang => \1},
    drips => {drip => 2},
    fails => {status => 503},
    throttles => {status => 429});

# Facts of a job in one line.
my $report = <<'SQL';
CREATE FUNCTION report(job bigint, round text) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object(
        'state', (SELECT concat_ws(' ', state, succeeded, errored) FROM batch_jobs
            WHERE job_id = job),
        'succeeded', (SELECT succeeded FROM batch_jobs WHERE job_id = job),
        'sent', (SELECT count(*) FROM batch_records WHERE job_id = job AND outcome = 'succeeded'
            AND source_job_id IS NULL),
        'written', (SELECT written FROM batch_jobs WHERE job_id = job),
        'pending', (SELECT pending FROM batch_jobs WHERE job_id = job),
        'unfinished', (SELECT string_agg(format('%s%s, next step in %s', step,
            ': ' || waiting_for, next_step_at - clock_timestamp()), '; ') FROM batch_chunks
            WHERE job_id = job AND step NOT IN ('done', 'cancelled', 'failed')),
        'outcomes', (SELECT count(*) = count(DISTINCT (seq, attempt))
            AND count(DISTINCT seq) = (SELECT count(*) FROM tickets) FROM batchinf.result
            WHERE job_id = job),
        'right_rows', (SELECT count(*) FROM tickets WHERE label LIKE '%round ' || round ||
            ' of ' || text AND writes = 1),
        'other_rows', (SELECT count(*) FROM tickets WHERE label IS NULL AND writes = 0),
        'rows', (SELECT count(*) FROM tickets),
        'money', (SELECT concat_ws(', ',
            CASE WHEN (a.n, a.cost + c.stray, a.realtime_cost, a.wasted + c.stray, a.unpriced,
                       a.tokens) IS DISTINCT FROM (a.n, c.cost, c.realtime_cost, c.wasted,
                       c.unpriced, c.tokens) THEN format('answers %s, chunks %s', a, c) END,
            CASE WHEN (a.n, c.cost, c.realtime_cost, c.saving, c.wasted, c.unpriced, c.tokens,
                       c.bytes) IS DISTINCT FROM (e.n, e.cost, e.realtime_cost, e.saving, e.wasted,
                       e.unpriced, e.tokens, e.bytes) THEN format('chunks %s, ledger %s', c, e) END,
            (SELECT format('%s reserved for a batch that is %s', h.reserved, h.state)
             FROM batchinf.chunk h WHERE h.job_id = job AND h.reserved IS NOT NULL
             AND h.state IN ('planned', 'cleaning', 'done', 'cancelled', 'failed') LIMIT 1))
            FROM (SELECT count(*) AS n, COALESCE(sum(cost), 0) AS cost,
                      COALESCE(sum(realtime_cost), 0) AS realtime_cost,
                      COALESCE(sum(cost) FILTER (WHERE wasted), 0) AS wasted,
                      count(*) FILTER (WHERE cost IS NULL) AS unpriced,
                      COALESCE(sum(input_tokens), 0) + COALESCE(sum(output_tokens), 0) AS tokens
                  FROM batchinf.result WHERE job_id = job AND chunk_id IS NOT NULL) a,
                (SELECT sum(cost) AS cost, sum(stray_cost) AS stray,
                     sum(realtime_cost) AS realtime_cost, sum(saving) AS saving,
                     sum(wasted) AS wasted, sum(unpriced) AS unpriced,
                     sum(input_tokens + output_tokens) AS tokens,
                     sum(bytes_up + bytes_down) AS bytes
                 FROM batchinf.chunk WHERE job_id = job) c,
                (SELECT COALESCE(sum(records), 0) AS n, COALESCE(sum(cost), 0) AS cost,
                     COALESCE(sum(realtime_cost), 0) AS realtime_cost,
                     COALESCE(sum(saving), 0) AS saving, COALESCE(sum(wasted), 0) AS wasted,
                     COALESCE(sum(unpriced), 0) AS unpriced,
                     COALESCE(sum(input_tokens + output_tokens), 0) AS tokens,
                     COALESCE(sum(bytes_staged), 0) AS bytes
                 FROM batchinf.spend WHERE job_id = job) e),
        'events', (SELECT string_agg(event || coalesce(' (' || detail || ')', ''), ', '
            ORDER BY event_id) FROM batch_events WHERE job_id = job))
$$
SQL

sub new {
    my ($class, $berths, @lines) = @_;
    my $self = bless {rounds => 0, work_seconds => 1}, $class;
    my @sims = map { Cluster::Sim->new } 1 .. $berths;
    $self->{cluster} = Cluster->new(
        'main',
        "shared_preload_libraries = 'batchinf'",
        "batchinf.settle_time = '1500ms'",
        "deadlock_timeout = '20ms'",
        "batchinf.max_visits = $berths",
        'max_connections = ' . ($berths * 4 + 20),
        'max_worker_processes = ' . ($berths + 10), @lines);
    mkdir "$self->{cluster}{data}/crash" or die $!;
    $self->{cluster}->do_sql('postgres', 'CREATE ROLE bad');
    $self->open_neighbours;
    $self->make_template;
    $self->{berths} = [map { $self->make_berth($_, $sims[$_ - 1]) } 1 .. $berths];
    return $self;
}

# The bad owners have a simulator of their own, with a port for each kind.
sub open_neighbours {
    my ($self) = @_;
    my $sim = $self->{bad_sim} = Cluster::Sim->new;
    for my $kind (sort keys %neighbour) {
        my $port = $self->{bad_port}{$kind} = $sim->call('POST', 'lanes', {count => 1})->{ports}[0];
        next if !$neighbour{$kind};
        $sim->call('POST', 'faults',
            {match => {lane => $port}, times => 'always', action => $neighbour{$kind}});
    }
}

# Of a row each write is counted; while the gate is shut it fails as if somebody had locked it.
sub make_template {
    my ($self) = @_;
    my $cluster = $self->{cluster};
    $cluster->do_sql('postgres', 'CREATE DATABASE berth');
    $cluster->do_sql(
        'berth', 'SET client_min_messages = warning; CREATE EXTENSION batchinf',
        'CREATE TABLE gate AS SELECT true AS open; CREATE TABLE tickets (id int PRIMARY KEY, '
            . 'body text, label text, writes int DEFAULT 0, text int)',
        'CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT FROM public.gate WHERE NOT open) THEN RAISE
                 EXCEPTION USING ERRCODE = \'lock_not_available\'; END IF;
             NEW.writes := OLD.writes + 1;
             RETURN NEW;
         END $$',
        'CREATE TRIGGER count_write BEFORE UPDATE OF label ON tickets FOR EACH ROW '
            . 'EXECUTE FUNCTION count_write()',
        $Refreshes::sql, $Modes::sql, $await, $report);
    $cluster->do_sql(
        'berth',
        map {
                  "CREATE SERVER bad_$_ FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai', "
                . "base_url 'http://127.0.0.1:$self->{bad_port}{$_}/v1', model 'gpt-5.4-mini', "
                . "poll_interval '1'); GRANT USAGE ON FOREIGN SERVER bad_$_ TO bad; "
                . "CREATE USER MAPPING FOR bad SERVER bad_$_ OPTIONS (api_key 'sk-sim')"
        } sort keys %neighbour);
    $cluster->do_sql(
        'berth',
        'GRANT CREATE ON SCHEMA public TO bad',
        'SET ROLE bad',
        'CREATE TABLE bads AS SELECT id, NULL::text AS label FROM generate_series(1, 12) id',
        'ALTER TABLE bads ADD PRIMARY KEY (id)',
        'CREATE FUNCTION sleeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM pg_sleep(0.5); RETURN NEW; END $$',
        'CREATE TRIGGER sleeps BEFORE UPDATE ON bads FOR EACH ROW EXECUTE FUNCTION sleeps()');
}

# SQL that submits, with a limit that is just enough where the model has a price.
sub limited_sql {
    my ($submit) = @_;
    return "BEGIN; $submit; UPDATE batchinf.job j SET spec = jsonb_set(spec, '{max_cost}', "
        . 'to_jsonb(l.cost::text)) FROM (SELECT h.job_id, sum(f.cost_p95) AS cost '
        . 'FROM batchinf.chunk c JOIN batchinf.job h USING (job_id), '
        . 'batchinf.forecast(h.server, h.spec, c.records, c.tokens) f GROUP BY h.job_id) l '
        . 'WHERE l.job_id = j.job_id AND l.cost IS NOT NULL; COMMIT';
}

# SQL of an earlier job that has answers to each second row.
sub earlier_sql {
    my ($server) = @_;
    return "BEGIN; SELECT batch_submit('SELECT id, body FROM tickets WHERE id % 2 = 0', "
        . "server => '$server', prompt => '{{body}}', dedup => false); "
        . 'INSERT INTO batchinf.result (job_id, seq, attempt, chunk_id, outcome, output) '
        . "SELECT job_id, seq, 1, chunk_id, 'succeeded', input FROM batchinf.record; "
        . "UPDATE batchinf.chunk SET state = 'done', next_step_at = NULL, succeeded = records; "
        . "UPDATE batchinf.job SET ended = 'completed', finished_at = now(); COMMIT";
}

sub make_berth {
    my ($self, $n, $sim) = @_;
    my $db = "b$n";
    my $cluster = $self->{cluster};
    $cluster->do_sql('postgres', "CREATE DATABASE $db TEMPLATE berth");
    $cluster->do_sql($db,
        map { Provider::server_sql($_, $_->{name}, $sim->url, "max_requests '50000'") }
            @Provider::all);
    my $oid = $cluster->sql('postgres', "SELECT oid FROM pg_database WHERE datname = '$db'");
    return {db => $db, sim => $sim, file => "$cluster->{data}/crash/$oid"};
}

# ---- a task in its berth ----

sub write_file {
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!";
    print $out $text;
    close $out;
}

sub read_file {
    my ($path) = @_;
    open my $in, '<', $path or return '';
    local $/;
    return <$in> // '';
}

sub request { return $Provider::by_name{$_[0]{provider}}{requests}{$_[1]} }

sub sim_fault {
    my ($sim, $task, $request, $action, @more) = @_;
    my $known = request($task, $request);
    $sim->fault(@$known[0, 1], $action, after => $known->[2] // 0, @more) if $known;
}

sub begin {
    my ($self, $berth) = @_;
    my ($sim, $task) = @$berth{qw(sim task)};
    my $story = $story{$task->{story}};
    my $cluster = $self->{cluster};
    my ($records, $round) = ($task->{records}, $self->{rounds});
    delete $task->{said};
    $sim->reset;
    $sim->config(
        {%{$Provider::by_name{$task->{provider}}{config} // {}}, %{$story->{config} // {}}});
    $sim->call('POST', 'foreign', {provider => $task->{provider}, requests => $records, count => 1})
        if $story->{foreign};
    sim_fault($sim, $task, @$_)
        for grep {$_} $story->{fault}, $task->{hold}, @{$task->{faults} // []};
    unlink "$berth->{file}.reached", "$berth->{file}.trace";
    # the refresh below must not stay there: it is ours
    my $is_later = ($task->{point} // '') =~ /^refresh/;
    write_file($berth->{file}, "$task->{point} $task->{nth}") if $task->{point} && !$is_later;
    write_file("$berth->{file}.trace", '') if $task->{trace};
    my @bad = map {
        (   'SET ROLE bad',
            "SELECT count(batch_submit(format('SELECT id FROM bads WHERE id = %s', i), "
                . "server => 'bad_$_', prompt => '{{id}}', target => 'bads', "
                . "write_back => '{\"label\": \"\$\"}')) FROM generate_series(1, 12) i",
            'RESET ROLE')
    } grep {$_} $task->{neighbour};
    my $body = ($task->{body} // $story->{body} // '') . ('.' x ($task->{size} // 0));
    my $chunk = $task->{chunk} // 50000;
    my $copies = copies_of($task);
    my $text = $copies =~ /dedup/ ? 'i % 7' : 'i';
    my $arguments = join '', map { ", $_ => " . ($_ eq 'cache' ? "'1 hour'" : 'true') }
        split /, /, $copies;
    my $submit = "SELECT batch_submit('SELECT id, body FROM tickets', server => "
        . "'$task->{provider}', prompt => '{{body}}', target => 'tickets', "
        . "write_back => '{\"label\": \"\$\"}'$arguments)";
    $berth->{job} = $cluster->do_sql(
        $berth->{db},
        "SET client_min_messages = warning",
        # visits are there, and give way to a TRUNCATE that meets them
        "SET deadlock_timeout = '10s'",
        'SELECT batch_drop_pipeline(name) FROM batch_pipelines',
        'TRUNCATE batchinf.job CASCADE',
        "ALTER SERVER $task->{provider} OPTIONS (SET max_requests '$chunk')",
        "BEGIN; TRUNCATE tickets; INSERT INTO tickets (id, text, body) SELECT i, $text, "
            . "CASE WHEN i <= 5 THEN '$body' ELSE repeat('.', @{[$task->{size} // 0]}) "
            . "END || ' round $round of ' || $text FROM generate_series(1, $records) i; COMMIT",
        $copies =~ /cache/ ? earlier_sql($task->{provider}) : (),
        'TRUNCATE doc',
        mode_of($task) ? Modes::begin_sql(mode_of($task)) : (),
        "UPDATE gate SET open = " . ($task->{story} eq 'locked' ? 'false' : 'true'),
        @bad,
        has_refreshes($task)
        ? (Refreshes::create_sql($task), "SELECT batch_refresh('p')")
        : mode_of($task) ? Modes::submit_sql(mode_of($task), $task->{provider})
        : $story->{limited} && !$task->{any_end} ? limited_sql($submit)
        : $submit
    ) =~ s/\A.*\n//sr;
    write_file($berth->{file}, "$task->{point} $task->{nth}") if $is_later;
    $self->follow($berth);
}

# Beside us a session sees to what the story wishes, and ends with the job; where no worker may run,
# another one does its work.
sub follow {
    my ($self, $berth) = @_;
    my $wish = $story{$berth->{task}{story}}{wish} // $berth->{task}{wish} // '';
    my $cluster = $self->{cluster};
    my $refreshes = has_refreshes($berth->{task});
    my @quiet = 'SET client_min_messages = error';
    $cluster->do_sql($berth->{db}, $Refreshes::begin_sql) if $refreshes;
    $berth->{beside} = [
        map { $cluster->beside($berth->{db}, @quiet, Modes::meddle_sql($_, $berth->{job})) }
            grep {$_} $berth->{task}{meddles}];
    $berth->{refreshers} = [
        map { $cluster->beside($berth->{db}, @quiet, $_) }
            $refreshes ? Refreshes::work_sql($berth->{task}, $self->{rounds}, $self->{work_seconds})
        : ()];
    $berth->{follower} = $cluster->beside(
        $berth->{db}, @quiet,
        "CALL await_end($berth->{job}, '$wish', 40)",
        $refreshes
        ? Refreshes::end_sql($berth->{job})
        : "SELECT report($berth->{job}, '$self->{rounds}')",
        mode_of($berth->{task}) ? Modes::report_sql(mode_of($berth->{task}), $berth->{job}) : ());
    my @work = $refreshes ? @Refreshes::until_quiet : "CALL batch_work('60 s')";
    $berth->{worker} =
        $self->{way} eq 'sessions' ? $cluster->beside($berth->{db}, @quiet, @work) : undef;
}

# What its sessions have said, once they are over.
sub hear {
    my ($berth) = @_;
    push @{$berth->{task}{said}}, map { Cluster::output($_) =~ /^(ERROR.*)/mg }
        @{$berth->{refreshers}}, @{$berth->{beside}};
}

sub is_reached {
    my ($berth) = @_;
    return $berth->{task}{hold}
        ? $berth->{sim}->faults_met > ($story{$berth->{task}{story}}{fault} ? 1 : 0)
        : -f "$berth->{file}.reached";
}

# Until each task is where it is to be killed, or over without having been there, or the time is
# over: those that did not come.
sub arrive {
    my ($self, $patience, @berths) = @_;
    for (my $end = time + $patience; @berths && time < $end; sleep 0.02) {
        @berths = grep { !is_reached($_) } @berths;
        last if !grep { !Cluster::is_over($_->{follower}) } @berths;
    }
    return map { $_->{task} } @berths;
}

# ---- the kill ----

# Sessions that refresh are killed too: one may be at its point.
my $refreshing = q{query LIKE 'CALL refresh_some%' AND state = 'active'};
my %pids = (
    visits => qq{backend_type = 'batchinf visit' OR $refreshing},
    sessions => qq{query LIKE 'CALL batch_work%' AND state = 'active' OR $refreshing},);

# way: 'visits' and 'sessions' end by SIGKILL, the 'server' by an immediate stop. After a crash of a
# process visits wait (doc/worker.md), not so after a restart.
sub kill_all {
    my ($self) = @_;
    my $cluster = $self->{cluster};
    if ($self->{way} eq 'server') {
        $cluster->stop('immediate');
    }
    else {
        kill 'KILL', split /\n/,
            $cluster->sql('postgres',
            "SELECT pid FROM pg_stat_activity WHERE $pids{ $self->{way} }");
        $cluster->poll_sql('postgres',
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf launcher'",
            1, 20);
        $cluster->stop('fast');
    }
    $cluster->start;
}

sub set_way {
    my ($self, $way) = @_;
    my $enabled = $way eq 'sessions' ? 'off' : 'on';
    $self->{cluster}->do_sql(
        'postgres',
        "ALTER SYSTEM SET batchinf.enabled = $enabled",
        'SELECT pg_reload_conf()') if ($self->{way} // '') ne $way;
    $self->{way} = $way;
}

# ---- a round ----

# Runs as many tasks as there are berths. Where any is to be killed, all are, once for each
# patience: as soon as those are where they are to be killed, and after so many seconds at the
# latest.
sub run_round {
    my ($self, $way, $tasks, @patiences) = @_;
    my @berths = @{$self->{berths}}[0 .. $#$tasks];
    $self->{rounds}++;
    $self->set_way($way);
    $berths[$_]{task} = $tasks->[$_] for 0 .. $#$tasks;
    $self->begin_some($patiences[0], grep { !is_late($_) } @berths);
    my $since = time;
    $self->begin_some($patiences[0], grep { is_late($_) } @berths);
    for my $patience (@patiences) {
        $_->{missed} = 1 for $self->arrive($patience, grep { is_to_be_killed($_->{task}) } @berths);
        expect_late($since, grep { is_late($_) } @berths);
        unlink map { $_->{file} } @berths;    # or a new process might still come there
        $self->kill_all;
        $self->go_on($_) for @berths;
    }
    $self->finish($_) for @berths;
}

# The kill must come before an effect that is only delayed: such tasks begin when the others are at
# their places.
sub is_late { return $_[0]{task}{hold} && $_[0]{task}{hold}[1]{delay_ms} }

# On a busy machine the effect may come first: then nothing has to be found again.
sub expect_late {
    my ($since, @berths) = @_;
    for my $task (map { $_->{task} } @berths) {
        delete $task->{event} if time - $since >= $task->{hold}[1]{delay_ms} / 1000;
    }
    return;
}

sub begin_some {
    my ($self, $patience, @berths) = @_;
    $self->begin($_) for @berths;
    $self->arrive($patience, grep { is_to_be_killed($_->{task}) } @berths) if $patience;
}

sub is_to_be_killed { return $_[0]{point} || $_[0]{hold} }

sub go_on {
    my ($self, $berth) = @_;
    hear($berth);
    Cluster::output($_) for grep {$_} $berth->{follower}, $berth->{worker};
    $self->follow($berth);
}

sub finish {
    my ($self, $berth) = @_;
    my $task = $berth->{task};
    hear($berth);
    my $out = Cluster::output($berth->{follower});
    Cluster::output($berth->{worker}) if $berth->{worker};
    my @facts = map { decode_json($_) } $out =~ /^(\{.*\})$/mg;
    $task->{facts} = $facts[0] // {state => $out};
    $task->{facts}{added} = $facts[1] // {wrong => $out} if mode_of($task);
    $task->{ledger} = $berth->{sim}->ledger;
    $task->{passed} = [split /\n/, read_file("$berth->{file}.trace")];
}

# ---- what must be true afterwards ----

# What is wrong with it, in words; none is as it shall be.
sub faults_of {
    my ($task) = @_;
    my ($facts, $story) = ($task->{facts}, $story{$task->{story}});
    return "no report: $facts->{state}" if !defined $facts->{rows};
    return (Refreshes::faults_of($task), left_at_provider($task, $story)) if has_refreshes($task);
    my $end = $story->{end} // "completed $task->{records} 0";
    return (
        $task->{any_end} || (ref $end ? $facts->{state} =~ $end : $facts->{state} eq $end) ? ()
        : "it ended as $facts->{state}",
        defined $facts->{unfinished} ? "unfinished: $facts->{unfinished}" : (),
        $task->{event}
            && $facts->{events} !~ /\b$task->{event}\b/ ? "no event \"$task->{event}\"" : (),
        $facts->{pending}
            || !$facts->{outcomes} ? 'promise 3: not every record has its outcome, once' : (),
        $facts->{money} ? "promise 12: sums of money do not agree: $facts->{money}" : (),
        (map {"a session: $_"} @{$task->{said} // []}),
        mode_of($task) ? Modes::faults_of($facts->{added})
        : $facts->{right_rows} != $facts->{succeeded}
            || $facts->{written} != $facts->{succeeded}
            || $facts->{right_rows} + $facts->{other_rows} != $facts->{rows}
        ? "promise 2: $facts->{right_rows} rows of $facts->{rows} have their value, written once"
        : (),
        left_at_provider($task, $story));
}

# What a user gives up who cancels while the provider gives no certain answer is his.
sub is_given_up {
    return
           $_[0]{any_end}
        && $_[0]{facts}{state} =~ /^cancelled/
        && $_[0]{facts}{events} =~ /\bambiguous\b/;
}

sub is_forgotten {
    return $Provider::by_name{$_[0]{provider}}{forgets_cancelled}
        && $_[0]{facts}{events} =~ /\bcancelled\b/;
}

# Where a pipeline sends again what of a job was paid for and cannot be had, or its user has sent
# again.
sub is_paid_again {
    my ($task) = @_;
    return has_refreshes($task)
        && (is_given_up($task) || is_forgotten($task) || ($task->{wish} // '') eq 'retry');
}

sub left_at_provider {
    my ($task, $story) = @_;
    my ($ledger, $came) = ($task->{ledger}, $task->{facts}{sent} // $task->{facts}{succeeded});
    my @ours = grep { !$_->{foreign} } @{$ledger->{batches}};
    my @files = grep { !$_->{expires_at} } @{$ledger->{files_left}};
    my $batches =
        has_refreshes($task) ? undef : exists $story->{batches} ? $story->{batches} : 1;
    my $billed =
          "promise 1: $ledger->{billed_requests} billed, $ledger->{content_billed_again} of "
        . "them again, $came came";
    my @wrong =
        $ledger->{content_billed_again} > Refreshes::paid_again($task) && !is_paid_again($task)
        ? $billed
        : ();
    push @wrong, 'a batch of somebody else was removed'
        if grep { $_->{foreign} && $_->{deleted} } @{$ledger->{batches}};
    return @wrong if is_given_up($task);
    push @wrong, $billed if $ledger->{billed_requests} != $came && !is_forgotten($task);
    push @wrong, 'promise 1: ' . @ours . ' batches'
        if !$task->{any_end} && defined $batches && @ours != $batches;
    push @wrong, 'promise 10: left there for ever: ' . encode_json(\@files) if @files;
    push @wrong, 'promise 10: batches are left'
        if $Provider::by_name{$task->{provider}}{removes_batches} && grep { !$_->{deleted} } @ours;
    return @wrong;
}

sub name_of {
    my ($task) = @_;
    my $beside = $task->{neighbour} ? " beside one who $task->{neighbour}" : '';
    my $meddled = $task->{meddles} ? " while somebody would $task->{meddles}" : '';
    my $where =
          $task->{point} ? ", $task->{point} $task->{nth}"
        : $task->{hold} ? ', ' . hold_name(@{$task->{hold}})
        : '';
    my $by =
          $task->{copies} ? " with $task->{copies}"
        : $task->{refreshes} ? ' by refreshes'
        : $task->{mode} ? " by $task->{mode}"
        : '';
    return "$task->{provider}, $task->{story}$by$where$beside$meddled";
}

sub hold_name {
    my ($request, $action) = @_;
    return "$request in flight"
        . (
          $action->{delay_ms} ? ', its effect comes later'
        : $action->{hang} eq 'after' ? ', after its effect'
        : ', before its effect');
}

1;
