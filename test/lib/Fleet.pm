package Fleet;

# A cluster with many berths, each a database and a simulator with every provider: jobs run in them side by side, are stopped at
# points of base/crash.h, killed all at once in one way or another, go on, and are checked against the simulator's ledger.
#
# A task is what one berth does in one round: {provider, story, records, …}, and where it is to be killed: {point, nth} or, while a
# request waits, {hold => [request, action]}.  Afterwards it has {facts, ledger, passed, missed}.
use strict;
use warnings;
use Cluster;
use JSON::PP;
use Provider;
use Test::More;
use Time::HiRes qw(sleep time);

# What happens to a job, as it would without a crash.
#
# fault: request and action of the simulator; foreign: a batch of the same size by somebody else; body: of the first rows, before all
# else; wish: what its user does meanwhile; end: its state and counts (succeeded, errored), where not all succeed; batches: how many, where
# not 1; points: those that it is told for.
our %story = (
    plain     => { points => qr{^(?!running|submitted.* 2).* [12]$} },
    lost      => { fault => ['create', { lost_after_effect => \1 }], points => qr{^creating.* [23]$} },
    unsent    => { fault => ['create', { reset => 'before' }], points => qr{^creating.record.* [23]$} },
    beside    => { foreign => 1, points => qr{^$} },
    twin      => { foreign => 1, fault => ['create', { lost_after_effect => \1 }], points => qr{^creating.* [34]$} },
    slow      => { fault => ['create', { lost_after_effect => \1 }], config => { batch_seconds => 6 }, points => qr{^(ambiguous|running).* 1$} },
    again     => { body => '[[sim:fail_times=1]]', batches => 2, points => qr{^(delivering.record.* 1|(uploading|creating).claim 2)$} },
    locked    => { wish => 'unlock', points => qr{^(\w+.rewrite|done.*) 1$} },
    refused   => { fault => ['create', { batch_outcome => 'failed', finished => 0 }, times => 2], end => qr{^\w+ \d+ \d+$}, batches => undef,
                   points => qr{^(submitted.record|cleaning).* 1$} },
    cancelled => { config => { batch_seconds => 6 }, wish => 'cancel', end => qr{^cancelled \d+ 0$}, points => qr{^(cancelling.* [12]|delivering.record.* 1)$} },
);

my $await = <<'SQL';
CREATE PROCEDURE await_end(job bigint, wish text, seconds float8) LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + seconds * interval '1 second';
BEGIN
    WHILE clock_timestamp() < until LOOP
        IF NOT EXISTS (SELECT FROM batch_chunks WHERE job_id = job AND step NOT IN ('done', 'cancelled', 'failed'))
            AND EXISTS (SELECT FROM batch_jobs WHERE job_id = job AND state IN ('completed', 'cancelled', 'failed')) THEN
            EXIT WHEN wish <> 'retry' OR batch_retry(job) = 0;
            wish := '';
        END IF;
        IF wish = 'cancel' AND EXISTS (SELECT FROM batch_chunks WHERE job_id = job AND step IN ('submitted', 'running'))
            AND NOT EXISTS (SELECT FROM batch_jobs WHERE job_id = job AND state = 'cancelling') THEN
            PERFORM batch_cancel(job);
        ELSIF wish = 'unlock' AND EXISTS (SELECT FROM batchinf.chunk WHERE job_id = job AND write_tries > 1) THEN
            UPDATE gate SET open = true;
        ELSIF wish = 'pause' AND EXISTS (SELECT FROM batch_chunks WHERE job_id = job AND step <> 'planned') THEN
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

# Facts of a job in one line.
my $report = <<'SQL';
CREATE FUNCTION report(job bigint, round text) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object(
        'state', (SELECT concat_ws(' ', state, succeeded, errored) FROM batch_jobs WHERE job_id = job),
        'succeeded', (SELECT succeeded FROM batch_jobs WHERE job_id = job),
        'written', (SELECT written FROM batch_jobs WHERE job_id = job),
        'pending', (SELECT pending FROM batch_jobs WHERE job_id = job),
        'unfinished', (SELECT string_agg(format('%s%s, next step in %s', step, ': ' || waiting_for, next_step_at - clock_timestamp()), '; ') FROM batch_chunks WHERE job_id = job AND step NOT IN ('done', 'cancelled', 'failed')),
        'outcomes', (SELECT count(*) = count(DISTINCT (seq, attempt)) AND count(DISTINCT seq) = (SELECT count(*) FROM tickets) FROM batchinf.result WHERE job_id = job),
        'right_rows', (SELECT count(*) FROM tickets WHERE label LIKE '%round ' || round || ' of ' || id AND writes = 1),
        'other_rows', (SELECT count(*) FROM tickets WHERE label IS NULL AND writes = 0),
        'rows', (SELECT count(*) FROM tickets),
        'events', (SELECT string_agg(event || coalesce(' (' || detail || ')', ''), ', ' ORDER BY event_id) FROM batch_events WHERE job_id = job))
$$
SQL

sub new {
    my ($class, $berths, @lines) = @_;
    my $self = bless { rounds => 0 }, $class;
    my @sims = map { Cluster::Sim->new } 1 .. $berths;
    $self->{cluster} = Cluster->new('main', "shared_preload_libraries = 'batchinf'", "batchinf.settle_time = '1500ms'", "batchinf.max_visits = $berths",
        'max_worker_processes = ' . ($berths + 10), @lines);
    mkdir "$self->{cluster}{data}/crash" or die $!;
    $self->make_template;
    $self->{berths} = [map { $self->make_berth($_, $sims[$_ - 1]) } 1 .. $berths];
    return $self;
}

# Of a row each write is counted; while the gate is shut it fails as if somebody had locked it.
sub make_template {
    my ($self) = @_;
    my $cluster = $self->{cluster};
    $cluster->do_sql('postgres', 'CREATE DATABASE berth');
    $cluster->do_sql('berth', 'SET client_min_messages = warning; CREATE EXTENSION batchinf',
        'CREATE TABLE gate AS SELECT true AS open; CREATE TABLE tickets (id int PRIMARY KEY, body text, label text, writes int DEFAULT 0)',
        'CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT FROM public.gate WHERE NOT open) THEN RAISE EXCEPTION USING ERRCODE = \'lock_not_available\'; END IF;
             NEW.writes := OLD.writes + 1;
             RETURN NEW;
         END $$', 'CREATE TRIGGER count_write BEFORE UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION count_write()', $await, $report);
}

sub make_berth {
    my ($self, $n, $sim) = @_;
    my $db = "b$n";
    my $cluster = $self->{cluster};
    $cluster->do_sql('postgres', "CREATE DATABASE $db TEMPLATE berth");
    $cluster->do_sql($db, map { Provider::server_sql($_, $_->{name}, $sim->url, "max_requests '50000'") } @Provider::all);
    my $oid = $cluster->sql('postgres', "SELECT oid FROM pg_database WHERE datname = '$db'");
    return { db => $db, sim => $sim, file => "$cluster->{data}/crash/$oid" };
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

sub request { return $Provider::by_name{ $_[0]{provider} }{requests}{ $_[1] } }

sub sim_fault {
    my ($sim, $task, $request, $action, @more) = @_;
    my $known = request($task, $request);
    $sim->fault(@$known[0, 1], $action, after => $known->[2] // 0, @more) if $known;
}

sub begin {
    my ($self, $berth) = @_;
    my ($sim, $task) = @$berth{qw(sim task)};
    my $story = $story{ $task->{story} };
    my $cluster = $self->{cluster};
    my ($records, $round) = ($task->{records}, $self->{rounds});
    $sim->reset;
    $sim->config({ %{ $Provider::by_name{ $task->{provider} }{config} // {} }, %{ $story->{config} // {} } });
    $sim->call('POST', 'foreign', { provider => $task->{provider}, requests => $records, count => 1 }) if $story->{foreign};
    sim_fault($sim, $task, @$_) for grep { $_ } $story->{fault}, $task->{hold}, @{ $task->{faults} // [] };
    unlink "$berth->{file}.reached", "$berth->{file}.trace";
    write_file($berth->{file}, "$task->{point} $task->{nth}") if $task->{point};
    write_file("$berth->{file}.trace", '') if $task->{trace};
    my $body = ($task->{body} // $story->{body} // '') . ('.' x ($task->{size} // 0));
    my $chunk = $task->{chunk} // 50000;
    $berth->{job} = $cluster->do_sql($berth->{db}, "SET client_min_messages = warning", "UPDATE gate SET open = " . ($task->{story} eq 'locked' ? 'false' : 'true'),
        'TRUNCATE batchinf.job CASCADE',
        "ALTER SERVER $task->{provider} OPTIONS (SET max_requests '$chunk')",
        "BEGIN; TRUNCATE tickets; INSERT INTO tickets SELECT i, CASE WHEN i <= 5 THEN '$body' ELSE repeat('.', @{[$task->{size} // 0]}) END || ' round $round of ' || i FROM generate_series(1, $records) i; COMMIT",
        "SELECT batch_submit('SELECT id, body FROM tickets', server => '$task->{provider}', prompt => '{{body}}', target => 'tickets', write_back => '{\"label\": \"\$\"}')");
    $self->follow($berth);
}

# Beside us a session sees to what the story wishes, and ends with the job; where no worker may run, another one does its work.
sub follow {
    my ($self, $berth) = @_;
    my $wish = $story{ $berth->{task}{story} }{wish} // $berth->{task}{wish} // '';
    my $cluster = $self->{cluster};
    $berth->{follower} = $cluster->beside($berth->{db}, "SET client_min_messages = warning", "CALL await_end($berth->{job}, '$wish', 40)", "SELECT report($berth->{job}, '$self->{rounds}')");
    $berth->{worker} = $self->{way} eq 'sessions' ? $cluster->beside($berth->{db}, "CALL batch_work('60 s')") : undef;
}

sub is_reached {
    my ($berth) = @_;
    return $berth->{task}{hold} ? $berth->{sim}->faults_met > ($story{ $berth->{task}{story} }{fault} ? 1 : 0) : -f "$berth->{file}.reached";
}

# Until each task is where it is to be killed, or over without having been there, or the time is over: those that did not come.
sub arrive {
    my ($self, $patience, @berths) = @_;
    for (my $end = time + $patience; @berths && time < $end; sleep 0.02) {
        @berths = grep { !is_reached($_) } @berths;
        last if !grep { !Cluster::is_over($_->{follower}) } @berths;
    }
    return map { $_->{task} } @berths;
}

# ---- the kill ----

my %pids = (
    visits => q{backend_type = 'batchinf visit'},
    sessions => q{query LIKE 'CALL batch_work%' AND state = 'active'},
);

# way: 'visits' and 'sessions' end by SIGKILL, the 'server' by an immediate stop.  After a crash of a process visits wait (doc/worker.md),
# not so after a restart.
sub kill_all {
    my ($self) = @_;
    my $cluster = $self->{cluster};
    if ($self->{way} eq 'server') {
        $cluster->stop('immediate');
    }
    else {
        kill 'KILL', split /\n/, $cluster->sql('postgres', "SELECT pid FROM pg_stat_activity WHERE $pids{ $self->{way} }");
        $cluster->poll_sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'batchinf launcher'", 1, 20);
        $cluster->stop('fast');
    }
    $cluster->start;
}

sub set_way {
    my ($self, $way) = @_;
    my $enabled = $way eq 'sessions' ? 'off' : 'on';
    $self->{cluster}->do_sql('postgres', "ALTER SYSTEM SET batchinf.enabled = $enabled", 'SELECT pg_reload_conf()') if ($self->{way} // '') ne $way;
    $self->{way} = $way;
}

# ---- a round ----

# Runs as many tasks as there are berths.  Where any is to be killed, all are, once for each patience: as soon as those are where
# they are to be killed, and after so many seconds at the latest.
sub run_round {
    my ($self, $way, $tasks, @patiences) = @_;
    my @berths = @{ $self->{berths} }[0 .. $#$tasks];
    $self->{rounds}++;
    $self->set_way($way);
    $berths[$_]{task} = $tasks->[$_] for 0 .. $#$tasks;
    $self->begin_some($patiences[0], grep { !is_late($_) } @berths);
    $self->begin_some($patiences[0], grep { is_late($_) } @berths);
    for my $patience (@patiences) {
        $_->{missed} = 1 for $self->arrive($patience, grep { is_to_be_killed($_->{task}) } @berths);
        unlink map { $_->{file} } @berths;     # or a new process might still come there
        $self->kill_all;
        $self->go_on($_) for @berths;
    }
    $self->finish($_) for @berths;
}

# The kill must come before an effect that is only delayed: such tasks begin when the others are at their places.
sub is_late { return $_[0]{task}{hold} && $_[0]{task}{hold}[1]{delay_ms} }

sub begin_some {
    my ($self, $patience, @berths) = @_;
    $self->begin($_) for @berths;
    $self->arrive($patience, grep { is_to_be_killed($_->{task}) } @berths) if $patience;
}

sub is_to_be_killed { return $_[0]{point} || $_[0]{hold} }

sub go_on {
    my ($self, $berth) = @_;
    Cluster::output($_) for grep { $_ } $berth->{follower}, $berth->{worker};
    $self->follow($berth);
}

sub finish {
    my ($self, $berth) = @_;
    my $task = $berth->{task};
    my $out = Cluster::output($berth->{follower});
    Cluster::output($berth->{worker}) if $berth->{worker};
    $task->{facts} = $out =~ /^\{.*\}$/s ? decode_json($out) : { state => $out };
    $task->{ledger} = $berth->{sim}->ledger;
    $task->{passed} = [split /\n/, read_file("$berth->{file}.trace")];
}

# ---- what must be true afterwards ----

# What is wrong with it, in words; none is as it shall be.
sub faults_of {
    my ($task) = @_;
    my ($facts, $story) = ($task->{facts}, $story{ $task->{story} });
    return "no report: $facts->{state}" if !defined $facts->{rows};
    my $end = $story->{end} // "completed $task->{records} 0";
    return (
        $task->{any_end} || (ref $end ? $facts->{state} =~ $end : $facts->{state} eq $end) ? () : "it ended as $facts->{state}",
        defined $facts->{unfinished} ? "unfinished: $facts->{unfinished}" : (),
        $task->{event} && $facts->{events} !~ /\b$task->{event}\b/ ? "no event \"$task->{event}\"" : (),
        $facts->{pending} || !$facts->{outcomes} ? 'promise 3: not every record has its outcome, once' : (),
        $facts->{right_rows} != $facts->{succeeded} || $facts->{written} != $facts->{succeeded} || $facts->{right_rows} + $facts->{other_rows} != $facts->{rows}
            ? "promise 2: $facts->{right_rows} rows of $facts->{rows} have their value, written once" : (),
        left_at_provider($task, $story));
}

# What a user gives up who cancels while the provider gives no certain answer is his.
sub is_given_up { return $_[0]{any_end} && $_[0]{facts}{state} =~ /^cancelled/ && $_[0]{facts}{events} =~ /\bambiguous\b/ }

sub is_forgotten { return $Provider::by_name{ $_[0]{provider} }{forgets_cancelled} && $_[0]{facts}{events} =~ /\bcancelled\b/ }

sub left_at_provider {
    my ($task, $story) = @_;
    my ($ledger, $came) = ($task->{ledger}, $task->{facts}{succeeded});
    my @ours = grep { !$_->{foreign} } @{ $ledger->{batches} };
    my @files = grep { !$_->{expires_at} } @{ $ledger->{files_left} };
    my $batches = exists $story->{batches} ? $story->{batches} : 1;
    my $billed = "promise 1: $ledger->{billed_requests} billed, $ledger->{content_billed_again} of them again, $came came";
    my @wrong = $ledger->{content_billed_again} ? $billed : ();
    push @wrong, 'a batch of somebody else was removed' if grep { $_->{foreign} && $_->{deleted} } @{ $ledger->{batches} };
    return @wrong if is_given_up($task);
    push @wrong, $billed if $ledger->{billed_requests} != $came && !is_forgotten($task);
    push @wrong, 'promise 1: ' . @ours . ' batches' if !$task->{any_end} && defined $batches && @ours != $batches;
    push @wrong, 'promise 10: left there for ever: ' . encode_json(\@files) if @files;
    push @wrong, 'promise 10: batches are left' if $Provider::by_name{ $task->{provider} }{removes_batches} && grep { !$_->{deleted} } @ours;
    return @wrong;
}

sub name_of {
    my ($task) = @_;
    my $where = $task->{point} ? ", $task->{point} $task->{nth}" : $task->{hold} ? ', ' . hold_name(@{ $task->{hold} }) : '';
    return "$task->{provider}, $task->{story}$where";
}

sub hold_name {
    my ($request, $action) = @_;
    return "$request in flight" . ($action->{delay_ms} ? ', its effect comes later' : $action->{hang} eq 'after' ? ', after its effect' : ', before its effect');
}

1;
