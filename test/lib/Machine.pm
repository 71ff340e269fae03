package Machine;

# A machine in a cloud, as far as the server sees it: its environment, and machine.c, which
# takes requests to metadata services to a simulator.
use strict;
use warnings;
use Cluster;
use File::Basename;
use Test::More;

my $source = dirname(__FILE__) . '/machine.c';

# Runs the code, which starts a cluster, on that machine: with these variables and no others of a
# cloud.
sub with {
    my ($port, $variables, $code) = @_;
    my $library = "$Cluster::dir/machine.so";
    Cluster::run(
        'gcc', '-shared', '-fPIC', '-Wall', '-Wextra', '-Werror',
        '-o', $library, $source, '-ldl') if !-e $library;
    local %ENV = %ENV;
    delete @ENV{grep {/^(AWS|GOOGLE|GCE|AZURE)_/} keys %ENV};
    @ENV{keys %$variables} = values %$variables;
    $ENV{MACHINE_PORT} = $port;
    $ENV{LD_PRELOAD} = join ':', $library, grep {$_} $ENV{LD_PRELOAD};
    return $code->();
}

1;
