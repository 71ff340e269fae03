package Pages;

# The statements that the documents show, run as they stand there, against the simulator.
#
# A page is one psql session of a superuser.  A block of SQL must raise no error.  A block of output
# (```text) is what the block of SQL before it must have printed at its end, except for numbers,
# times and the width of columns.  A block of the shell (```sh) is run in a folder of its own, with
# PGHOST and PGUSER set.  A block of settings (```ini) is added to postgresql.conf, and the server
# is restarted.  What a reader has and a test has not is put in between: the simulator's address and
# key, and, by the heading of a section, the fault that the section is about (%before) and what must
# be true afterwards (%after).
use strict;
use warnings;
use Exporter 'import';
use FindBin;
use Cluster;
use IPC::Open2;
use Test::More;

our @EXPORT = qw(connect_psql leave_psql run_page say_to_psql write_key %after %before);

my $root = "$FindBin::RealBin/../..";
my ($cluster, $sim, $folder, $to_psql, $from_psql, $database);
our (%before, %after);

# Where pages are run from here on.
sub use_servers {
    ($cluster, $sim) = @_;
    $folder = "$Cluster::dir/work";
    mkdir $folder or die $!;
}

# ---- a page ----

# Its blocks: heading, language, text and line.
sub blocks {
    my ($file) = @_;
    open my $in, '<', "$root/$file" or die "$file: $!";
    my ($heading, @blocks, $block) = ('');
    while (my $line = <$in>) {
        if ($block && $line =~ /^```/) {
            push @blocks, $block;
            undef $block;
        }
        elsif ($block) { $block->{text} .= $line }
        elsif ($line =~ /^```(\w*)/) {
            $block = {heading => $heading, language => $1, text => '', place => "$file:$."};
        }
        elsif ($line =~ /^#+ (.*)/) { $heading = $1 }
    }
    return @blocks;
}

# ---- a session ----

sub connect_psql {
    ($database) = @_;
    open2($from_psql, $to_psql,
        "exec $Cluster::bin/psql -X -v ON_ERROR_STOP=1 @{[$cluster->connection]} -d $database 2>&1"
    );
    say_to_psql("\\pset pager off\n\\pset null ''\n");
}

sub leave_psql {
    close $to_psql;
    close $from_psql;
    wait;
}

# What it prints; undef once it has ended, as after an error.
sub say_to_psql {
    my ($text) = @_;
    local $SIG{PIPE} = 'IGNORE';
    print $to_psql "$text\n\\echo -- done --\n";
    $to_psql->flush;
    my $out = '';
    while (my $line = <$from_psql>) {
        return $out if $line eq "-- done --\n";
        $out .= $line;
    }
    diag($out);
    return undef;
}

# Servers that have the vendor's address take the simulator's, and mappings its key.
sub turn_to_simulator {
    my ($name) = @_;
    my $url = $sim->url;
    my $key = "$Cluster::dir/key";
    $cluster->do_sql($name, <<~SQL);
        DO \$\$
        DECLARE r record;
        BEGIN
            FOR r IN SELECT srvname FROM pg_foreign_server
                     WHERE NOT COALESCE(srvoptions::text LIKE '%base_url%', false) LOOP
                EXECUTE format('ALTER SERVER %I OPTIONS (ADD base_url %L, ADD poll_interval %L)',
                               r.srvname, '$url/v1', '1');
            END LOOP;
            FOR r IN SELECT * FROM pg_user_mappings
                     WHERE umoptions::text LIKE '%/etc/batchinf%' LOOP
                EXECUTE format('ALTER USER MAPPING FOR %I SERVER %I OPTIONS (SET api_key_file %L)',
                               r.usename, r.srvname, '$key');
            END LOOP;
        END \$\$
        SQL
}

sub write_key {
    my ($text) = @_;
    open my $out, '>', "$Cluster::dir/key" or die $!;
    print $out "$text\n";
    close $out;
    chmod 0600, "$Cluster::dir/key";
}

# ---- blocks ----

# Words and marks, without numbers, widths, lines of dashes and the names of commands.
sub shape {
    my ($text) = @_;
    $text =~ s/^[A-Z][A-Z ]*\n//mg;    # as SET
    $text =~ s/^\s*[-+]+\s*$/-/mg;
    $text =~ s/\d+(?:[:.\d-]*\d)?/N/g;
    $text =~ s/[ \t]+/ /g;
    $text =~ s/ *\| */|/g;
    $text =~ s/^ | $//mg;
    $text =~ s/\s*\n\s*/\n/g;
    $text =~ s/\A\s+|\s+\z//g;
    return $text;
}

sub run_shell {
    my ($text) = @_;
    local $ENV{PGHOST} = $cluster->{socket};
    local $ENV{PGUSER} = 'postgres';
    local $ENV{PATH} = "$Cluster::bin:$ENV{PATH}";
    open my $script, '>', "$Cluster::dir/block.sh" or die $!;
    print $script $text;
    close $script;
    my $out = qx{cd $folder && bash -eu ../block.sh 2>&1 </dev/null};
    diag($out) if $?;
    return $? ? undef : $out;
}

sub restart_with {
    my ($settings) = @_;
    leave_psql();
    $cluster->stop('fast');
    $cluster->configure($settings);
    $cluster->start;
    connect_psql($database);
}

sub run_page {
    my ($file, $sections) = @_;
    my ($printed, $heading) = ('', '');
    for my $block (grep { !$sections || $_->{heading} =~ $sections } blocks($file)) {
        my ($language, $place) = @$block{qw(language place)};
        if ($block->{heading} ne $heading) {
            $after{$heading}->() if $after{$heading};
            $heading = $block->{heading};
            $before{$heading}->() if $before{$heading};
        }
        if ($language eq 'sql') {
            $printed = say_to_psql($block->{text});
            ok(defined $printed, "$place: SQL");
            BAIL_OUT("$place: $block->{text}") if !defined $printed;
            $database = $1 if $block->{text} =~ /^\\c (\w+)/m;
            turn_to_simulator($database);
        }
        elsif ($language eq 'text') {
            my $wanted = shape($block->{text});
            like(shape($printed), qr/\Q$wanted\E\z/, "$place: … and what it prints");
        }
        elsif ($language eq 'sh' && $file ne 'README.md') {    # it installs
            ok(defined run_shell($block->{text}), "$place: shell");
        }
        elsif ($language eq 'ini') { restart_with($block->{text}) }
    }
    $after{$heading}->() if $after{$heading};
}

1;
