#!/usr/bin/perl
# test/circles.pl: prints the circles of src/, one a line, and nothing if there is none.
#
# A file uses another one if it includes its header, or names a function that the other one
# defines.  A .c and the .h of the same name are one file here.  Files that reach each other by such
# uses make a circle: none of them can be understood, tested or moved without the others.
use strict;
use warnings;
use File::Find;

my (%text, %definer, %uses);

find(sub { $text{$File::Find::name} = read_code($_) if /\.[ch]$/ }, 'src');

# The text of a file without comments.
sub read_code {
    my ($file) = @_;
    local $/;
    open my $in, '<', $file or die "$file: $!";
    my $code = <$in>;
    $code =~ s{/\*.*?\*/}{}gs;
    return $code;
}

# The name without its ending: what a .c and its .h have in common.
sub stem { return $_[0] =~ s/\.[ch]$//r }

for my $file (grep {/\.c$/} keys %text) {
    $definer{$1} = stem($file) while $text{$file} =~ /^(bi_\w+)\(/mg;
}

for my $file (keys %text) {
    my $user = stem($file);
    $uses{$user}{stem("src/$1")} = 1 while $text{$file} =~ /^#include "(\w+\/[\w\/]+\.h)"/mg;
    next if $file =~ /\.h$/;
    while ($text{$file} =~ /\b(bi_\w+)\b/g) {
        $uses{$user}{$definer{$1}} = 1 if exists $definer{$1};
    }
}

# Tarjan's algorithm: groups of files that reach each other.
my ($count, %order, %low, @stack, %open) = (0);

sub visit {
    my ($file) = @_;
    $order{$file} = $low{$file} = ++$count;
    push @stack, $file;
    $open{$file} = 1;
    for my $used (sort keys %{$uses{$file} || {}}) {
        next if $used eq $file;
        visit($used) unless $order{$used};
        $low{$file} = $low{$used} if $open{$used} && $low{$used} < $low{$file};
    }
    return if $low{$file} != $order{$file};
    my @group;
    do { push @group, pop @stack; delete $open{$group[-1]} } until $group[-1] eq $file;
    print join(' <-> ', sort @group), "\n" if @group > 1;
}

$order{$_} or visit($_) for sort keys %uses;
