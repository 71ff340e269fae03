#!/usr/bin/perl
# Processes are killed at each point of base/crash.h, and while each request is in flight.
# Afterwards the work goes on, and the simulator's ledger and our tables agree.
#
# crash.pl a fixed choice: each point at one provider or more, each provider at a third of its
# points
# crash.pl SECONDS [SEED] at random, for that long: points, moments, providers, sizes, faults of the
# network, what users do, how the answers are written, which records copy the answers of others,
# whether refreshes of a pipeline send the rows (promise 11), and bad owners in the same database
# (promise 8)
#
# Which points a job passes is found out first, by running each story at each provider without a
# crash.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cluster;
use Fleet;
use List::Util qw(max min shuffle);
use Modes;
use Provider;
use Test::More;
use Time::HiRes qw(time);

Cluster::as_postgres();

my ($seconds, $seed) = @ARGV;
my @ways = qw(visits server sessions);
my @stories = sort keys %Fleet::story;
my $start = time;

Cluster::build('CRASH_POINTS=yes', 'COPT=-O0');
my $fleet = Fleet->new(24, 'batchinf.stall_timeout = ' . ($seconds ? '2000' : '60000'));
note sprintf '%.0f s: the fleet is ready', time - $start;

# Several pieces of rendering, of the body and of the results; the other stories need no more than a
# few records. A large value is of several chunks, and written in several pieces.
sub size_of {
    my ($story) = @_;
    return
          $story eq 'plain' ? (records => 520, size => 250)
        : $story eq 'replaced' ? (records => 540, chunk => 270)
        : (records => 20);
}

# Where the machine was slow, the kill came when an effect that is only delayed had come already. Or
# there was no kill: a batch that is looked for while it runs had ended before the second look. All
# else must be right then.
sub came_too_late {
    my ($task) = @_;
    my @faults = Fleet::faults_of($task);
    return !@faults if $task->{missed} && !$task->{any_end};
    return Fleet::is_late({task => $task}) && ($task->{facts}{events} // '') =~ /^submitted/;
}

sub run_round {
    my ($way, $tasks, @patiences) = @_;
    $fleet->run_round($way, $tasks, @patiences);
    for my $times ($seconds ? () : 1 .. 3) {
        my @late = grep { came_too_late($_) } @$tasks;
        delete $_->{missed} for @late;
        $fleet->run_round($way, \@late, @patiences) if @late;
    }
    for my $task (@$tasks) {
        my @wrong = (
            !$task->{any_end} && $task->{missed} ? 'it never came there' : (),
            Fleet::faults_of($task));
        is(join('; ', @wrong), '', Fleet::name_of($task) . (@patiences ? " ($way)" : ''))
            or diag explain { %$task, ledger => undef, passed => undef };
    }
    note sprintf '%.0f s', time - $start;
}

sub rounds_of {
    my (@tasks) = @_;
    my @rounds;
    push @rounds, [splice @tasks, 0, scalar @{$fleet->{berths}}] while @tasks;
    return @rounds;
}

# ---- what there is to be killed at ----

# provider → story → point → how often it is passed
my %passed;
my @traces = map {
    my $provider = $_;
    map { {provider => $provider->{name}, story => $_, size_of($_), trace => 1} }
        grep { Provider::has_story($provider, $_) }
        @stories
} @Provider::all;
# Beside them jobs of many small chunks, which share values, while somebody meddles.
my %meddled =
    (delete => 'replace', lock => 'replace', retry => 'replace', rewrite => 'replace_each');
my @meddled = map {
    {
        provider => 'openai',
        story => 'plain',
        mode => $meddled{$_},
        meddles => $_,
        records => 60,
        chunk => 7,
        body => '[[sim:fail_times=4]]',
        any_end => 1,
    }
} @Modes::meddling;
run_round('visits', $_) for rounds_of(@traces, @meddled);
for my $task (@traces) {
    $passed{$task->{provider}}{$task->{story}}{$_}++ for @{$task->{passed}};
}

# The sites that the source has, and that some story comes to.
my %sites = map { $_ => 1 } map {m|/(\w+)|} map { keys %$_ } map { values %$_ } values %passed;
is( join(' ', sort keys %sites),
    'applied begin claim group login marked marking partly piece record recorded removed reply '
        . 'rewrite rows send sending storing swapped sweep taken work',
    'the stories pass all points that there are');

# While a request is in flight, before its effect and after it, at the first time of each kind.
sub holds {
    my ($provider) = @_;
    my @holds;
    for my $request (sort keys %{$provider->{requests}}) {
        next if $request eq 'check';
        my $story = {find => 'lost', peek => 'lost', cancel => 'cancelled'}->{$request} // 'plain';
        push @holds, map { {story => $story, hold => [$request, {hang => $_}]} } \1, 'after';
    }
    push @holds, {story => 'plain', hold => ['create', {delay_ms => 2000}]};
    push @holds, map { {story => 'beside', hold => ['create', {hang => $_}]} } \1, 'after'
        if Provider::has_story($provider, 'beside');
    return @holds;
}

# What a lost create call must have led to.
my %event = (
    'creating/work 1' => 'not found',
    'creating/send 1' => 'not found',
    'creating/reply 1' => 'found again',
    'creating/record 1' => 'found again');

sub event_of {
    my ($task) = @_;
    return
          $task->{hold}[0] ne 'create' ? undef
        : ref $task->{hold}[1]{hang} ? 'not found'
        : 'found again'
        if $task->{hold};
    return $task->{story} eq 'plain' ? $event{"$task->{point} $task->{nth}"} : undef;
}

# All that the fixed choice is made of at a provider, by name.
sub cells {
    my ($provider) = @_;
    my @cells = holds($provider);
    for my $story (@stories) {
        my $points = $passed{$provider->{name}}{$story} // {};
        for my $point (sort keys %$points) {
            push @cells, grep { "$point $_->{nth}" =~ $Fleet::story{$story}{points} }
                map { {story => $story, point => $point, nth => $_} }
                1 .. min($points->{$point}, 4);
        }
    }
    for my $cell (@cells) {
        %$cell = (%$cell, provider => $provider->{name}, size_of($cell->{story}));
        $cell->{event} = event_of($cell);
        $cell->{key} = Fleet::name_of($cell) =~ s/^\w+, //r;
    }
    return map { $_->{key} => $_ } @cells;
}

# ---- the fixed choice ----

sub fixed_choice {
    my %cells = map { $_->{name} => {cells($_)} } @Provider::all;
    my %names = map { $_ => 1 } map { keys %$_ } values %cells;
    my %place = map { $Provider::all[$_]{name} => $_ } 0 .. $#Provider::all;
    my %chosen;
    my $n = 0;
    for my $key (sort keys %names) {
        my @has = grep { $cells{$_}{$key} } sort keys %cells;
        my @third = grep { ($n + $place{$_}) % 3 == 0 } @has;
        $n++;
        $chosen{"$key $_"} = $cells{$_}{$key} for @third ? @third : $has[$n % @has];
        # each second one writes in one of the modes
        my $mode = $n % 2 ? undef : $Modes::all[$n / 2 % @Modes::all];
        $_->{mode} = $mode
            for grep {
                !Fleet::has_refreshes($_) && !$Fleet::story{$_->{story}}{mode}
                    && !Fleet::copies_of($_)
            }
            map { $cells{$_}{$key} } @has;
    }
    return map { $chosen{$_} } sort keys %chosen;
}

sub run_fixed {
    my @rounds = rounds_of(fixed_choice());
    run_round($ways[$_ % @ways], $rounds[$_], 25) for 0 .. $#rounds;
}

# ---- at random ----

sub one_of { return $_[rand @_] }

# What a network may do to one request, that it gets over by itself.
my @network = (
    {reset => 'before'},
    {reset => 'after'},
    {hang => \1},
    {hang => 'after'},
    {lost_after_effect => \1},
    {status => 500},
    {status => 429},
    {status => 429, headers => {'retry-after' => 1}},
    {html => 502},
    {html => 200},
    {truncate => 20},
    {wrong_length => \1},
    {delay_ms => 700},
    {drip => 2000});

sub random_task {
    my ($way) = @_;
    my $provider = one_of(@Provider::all);
    my $story = one_of(grep { Provider::has_story($provider, $_) } @stories);
    my $records = one_of(1, 7, 20, 60, 300, 1100);
    my $refreshes = $story eq 'refreshed' || rand() < 0.4;
    my $of_story = $passed{$provider->{name}};
    my $copies = $refreshes ? '' : one_of('', '', 'dedup', 'cache', 'dedup, cache');
    my $mode = $refreshes || $copies || $story eq 'repeated' ? undef : one_of(undef, @Modes::all);
    my $points = {
        %{$of_story->{$story}},
        $refreshes ? %{$of_story->{refreshed}} : (),
        $copies ? %{$of_story->{repeated}} : (),
        ($mode // '') =~ /^replace/ ? %{$of_story->{replaced}} : (),
        ($mode // '') eq 'insert_each' ? %{$of_story->{partly}} : ()};
    my $point = rand() < 0.7 ? one_of(sort keys %$points) : undef;
    my @requests = grep { $_ ne 'check' } sort keys %{$provider->{requests}};
    return {
        provider => $provider->{name},
        story => $story,
        records => $records,
        chunk => one_of(50000, 50000, 1 + int $records / 3),
        size => one_of(0, 0, 250),
        body => one_of(
            $Fleet::story{$story}{body} // '',
            '', '[[sim:fail_times=1]]', '[[sim:error=400]]'),
        wish => one_of('', $way eq 'sessions' ? 'cancel' : qw(cancel pause retry rewrite))
        ,    # batch_work ends where it has nothing to do for now
        faults => [
            map { [one_of(@requests), one_of(@network), after => one_of(0, 0, 1)] }
                1 .. one_of(0, 0, 1, 2)],
        neighbour => one_of('', '', sort keys %Fleet::neighbour),
        refreshes => $refreshes,
        mode => $mode,
        $copies ? (copies => $copies) : (),
        meddles => $mode && $way ne 'sessions' && one_of('', '', @Modes::meddling),
        $point ? (point => $point, nth => 1 + int rand min(6, $points->{$point})) : (),
        any_end => 1,};
}

sub run_random {
    srand $seed;
    diag "seed $seed";
    $fleet->{work_seconds} = 4;
    for (my $end = time + $seconds; time < $end;) {
        my $way = one_of(@ways);
        run_round(
            $way,
            [map { random_task($way) } @{$fleet->{berths}}],
            map { 0.3 + rand 6 } 1 .. one_of(1, 1, 2, 3));
    }
}

$seed //= time ^ $$;
$seconds ? run_random() : run_fixed();
is($fleet->{cluster}->log_count('PANIC|TRAP|terminated by signal (?!9)'),
    0, 'nothing odd in the log');
my @met = $fleet->{cluster}->log_lines('cannot go on|could not record');
is(scalar @met, 0, 'no step met an error of ours') or diag @met;
done_testing();
