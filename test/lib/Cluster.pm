package Cluster;

# Private clusters and simulators for tests in perl: on sockets and on 127.0.0.1, in a
# temporary folder, with the installed extension of the pg_config that $PG_CONFIG names.
# As root a test runs itself as the user postgres: call Cluster::as_postgres first.
# Processes are ended by the pids noted here.
use strict;
use warnings;
use Exporter 'import';
use File::Basename;
use File::Temp;
use HTTP::Tiny;
use JSON::PP;
use POSIX ':sys_wait_h';
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(poll regex timed);

chomp(our $bin = `@{[$ENV{PG_CONFIG} // 'pg_config']} --bindir`);
our $dir;
my $root = dirname(__FILE__) . '/../..';
my $sims = 0;
my (@clusters, @sims);

# Returns the pattern of these patterns in a row.
sub regex { my $all = join '', @_; return qr/$all/ }

# Makes a certificate that nobody has signed but itself, $dir/NAME.crt, and its key.
# names: the value of subjectAltName.
sub certificate {
    my ($name, $host, $names) = @_;
    system(   "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$host "
            . "-addext subjectAltName=$names -keyout $dir/$name.key -out $dir/$name.crt "
            . '>/dev/null 2>&1');
    return {cert => "$dir/$name.crt", key => "$dir/$name.key"};
}

sub as_postgres {
    exec('runuser', '-u', 'postgres', '--', $^X, $0, @ARGV) if $> == 0;
    chdir '/';
    $dir = File::Temp->newdir('batchinf-test-XXXXXX', TMPDIR => 1);
}

# END runs also then.
$SIG{$_} = sub { exit 1 }
    for qw(INT TERM HUP PIPE);

END {
    my $status = $?;
    $_->stop('immediate') for grep { $_->running } @clusters;
    $_->end for @sims;
    $? = $status;
}

# From here on: a build of the checkout with these arguments of make, and no other's.
sub build {
    my (@arguments) = @_;
    my $out = run('bash', "$root/test/lib/private.sh", "$dir/build", @arguments);
    chomp($bin = `@{[(split /\n/, $out)[-1]]} --bindir`);
}

# Asks until the answer is as wanted (a string or a pattern); the last answer.
sub poll {
    my ($wanted, $seconds, $code) = @_;
    my $end = time + $seconds;
    my $got;
    do {
        $got = $code->();
        return $got if ref $wanted ? $got =~ $wanted : $got eq $wanted;
        sleep 0.05;
    } while (time < $end);
    diag("still \"$got\" after $seconds s");
    return $got;
}

sub timed {
    my ($code) = @_;
    my $start = time;
    my $got = $code->();
    return ($got, time - $start);
}

sub run {
    my (@command) = @_;
    my $out = qx{@{[join ' ', map { quotemeta } @command]} 2>&1 </dev/null};
    BAIL_OUT("$command[0]: $out") if $?;
    return $out;
}

# A cluster that runs; lines are added to its postgresql.conf.
sub new {
    my $self = create(@_);
    $self->start;
    return $self;
}

# The same, not started.
sub create {
    my ($class, $name, @lines) = @_;
    my $self = bless {data => "$dir/$name", log => "$dir/$name.log", socket => "$dir/$name.s"},
        $class;
    mkdir $self->{socket} or die $!;
    run("$bin/initdb", '-D', $self->{data}, '-A', 'trust', '-U',
        'postgres', '-N', '--locale=C.UTF-8', '-E', 'UTF8');
    $self->configure(
        "listen_addresses = ''",
        "unix_socket_directories = '$self->{socket}'",
        'fsync = off',
        'jit = off',    # compiling takes longer than any of these queries
        'max_worker_processes = 40',
        "log_line_prefix = '%m [%p] %b %d '", @lines);
    push @clusters, $self;
    return $self;
}

sub configure {
    my ($self, @lines) = @_;
    open my $conf, '>>', "$self->{data}/postgresql.conf" or die $!;
    print $conf "$_\n" for @lines;
    close $conf;
}

sub start {
    my ($self) = @_;
    system("$bin/pg_ctl", '-D', $self->{data}, '-l', $self->{log}, '-w', '-s', 'start') == 0
        or BAIL_OUT("no start: " . `tail -20 $self->{log}`);
}

sub stop {
    my ($self, $mode) = @_;
    run("$bin/pg_ctl", '-D', $self->{data}, '-m', $mode, '-w', '-s', 'stop');
}

sub running { return -f "$_[0]{data}/postmaster.pid" }

sub log_lines {
    my ($self, $pattern) = @_;
    open my $log, '<', $self->{log} or die $!;
    return grep {/$pattern/} <$log>;
}

sub log_count { return scalar(my @lines = log_lines(@_)) }

sub connection { return ('-h', $_[0]{socket}, '-U', 'postgres') }

# Each command of a session of its own; rows, notices and errors.
sub sql {
    my ($self, $database, @commands) = @_;
    my @command = (
        "$bin/psql", '-XAtq', '-v', 'ON_ERROR_STOP=1', $self->connection, '-d', $database,
        map { ('-c', $_) } @commands);
    my $out = qx{@{[join ' ', map { quotemeta } @command]} 2>&1};
    chomp $out;
    return $out;
}

# The same where an error would only show later.
sub do_sql {
    my ($self, @rest) = @_;
    my $out = $self->sql(@rest);
    fail("$rest[-1]: $out") if $out =~ /ERROR|FATAL/;
    return $out;
}

# The same in a session beside us: a handle for is_over and output.
sub beside {
    my ($self, $database, @commands) = @_;
    my @command = (
        "$bin/psql", '-XAtq', '-v', 'ON_ERROR_STOP=1', $self->connection, '-d', $database,
        map { ('-c', $_) } @commands);
    my $pid = open(my $out, '-|', "exec @{[join ' ', map { quotemeta } @command]} 2>&1 </dev/null")
        or die $!;
    return {pid => $pid, out => $out};
}

sub is_over { return $_[0]{over} //= waitpid($_[0]{pid}, WNOHANG) != 0 || undef }

# Waits for its end.
sub output {
    my ($session) = @_;
    local $/;
    my $out = readline($session->{out}) // '';
    close $session->{out};
    $session->{over} = 1;
    return $out =~ s/\n\z//r;
}

sub poll_sql {
    my ($self, $database, $sql, $wanted, $seconds) = @_;
    return poll($wanted, $seconds // 15, sub { $self->sql($database, $sql) });
}

# ---- the simulator ----

package Cluster::Sim;

use strict;
use warnings;
use Time::HiRes qw(sleep);

sub new {
    my ($class, @options) = @_;
    return $class->spawn('test/sim/main.js', @options);
}

# Another program of node that writes its port as the simulator does.
sub spawn {
    my ($class, $script, @options) = @_;
    my $file = "$Cluster::dir/sim" . ++$sims . '.port';
    my $pid = fork // die $!;
    if (!$pid) {
        open STDOUT, '>', "$file.log";
        open STDERR, '>&', \*STDOUT;
        exec('node', "$root/$script", '--port-file', $file, '--parent-pid', getppid, @options)
            or die $!;
    }
    my $self = bless {pid => $pid, file => $file}, $class;
    push @sims, $self;
    return $self;
}

# Waits for its start.
sub port {
    my ($self) = @_;
    for (1 .. 400) {
        last if $self->{port};
        if (-s $self->{file}) {
            open my $in, '<', $self->{file} or die $!;
            chomp($self->{port} = <$in>);
        }
        else { sleep 0.05 }
    }
    return $self->{port} // die 'the simulator does not start: ' . `cat $self->{file}.log`;
}

sub url { return 'http://127.0.0.1:' . $_[0]->port }

sub call {
    my ($self, $method, $path, $body) = @_;
    my $reply = HTTP::Tiny->new(timeout => 90)->request(
        $method,
        $self->url . "/_sim/$path",
        {$body ? (content => JSON::PP::encode_json($body)) : ()});
    die "$method $path: $reply->{status} $reply->{content}" if !$reply->{success};
    return JSON::PP::decode_json($reply->{content});
}

sub fault {
    my ($self, $method, $path, $action, %more) = @_;
    return $self->call('POST', 'faults',
        {match => {method => $method, path_regex => $path}, action => $action, %more});
}

sub clear { return $_[0]->call('DELETE', 'faults') }
sub reset { return $_[0]->call('POST', 'reset', {}) }
sub config { return $_[0]->call('POST', 'config', $_[1]) }
sub ledger { return $_[0]->call('GET', 'ledger') }

# How many requests have met a fault.
sub faults_met { return scalar grep { $_->{fault} } @{$_[0]->call('GET', 'requests')} }

# What is left there for ever.
sub files_for_ever { return grep { !$_->{expires_at} } @{$_[0]->ledger->{files_left}} }

# SQL that makes a server of it, with a mapping for the current user.
sub server_sql {
    my ($self, $name, $more) = @_;
    my $url = $self->url;
    $more = $more ? ", $more" : '';
    return "CREATE SERVER $name FOREIGN DATA WRAPPER batchinf OPTIONS (provider 'openai',
            model 'gpt-5.4-mini', base_url '$url/v1', poll_interval '1'$more);
            CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (api_key 'sk-sim')";
}

sub end {
    my ($self) = @_;
    kill 'TERM', $self->{pid} if $self->{pid};
    waitpid $self->{pid}, 0 if $self->{pid};
    delete $self->{pid};
}

1;
