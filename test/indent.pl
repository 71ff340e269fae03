#!/usr/bin/perl
# test/indent.pl [FILE ...]: the layout of C files, as pgindent would make it, as far as single
# lines tell (TAP).
#
# pgindent itself is in no package of Debian.  This looks at tabs, blanks, width, braces, the place
# of names in declarations (typedefs.list says which words are types), stars and comments.  It
# changes nothing.  Without FILE: all of src/ and of the tests.
use strict;
use warnings;
use FindBin;
use List::Util 'max';

use constant {WIDTH => 100, TAB => 4, NAMES => 12};

chdir "$FindBin::RealBin/.." or die $!;
my @files = @ARGV ? @ARGV : split /\n/,
    qx{find src test -name '*.[ch]' -not -path '*/node_modules/*' | sort};

open my $list, '<', 'typedefs.list' or die "typedefs.list: $!";
chomp(my @types = <$list>);
my $type = join '|', map {quotemeta} sort { length $b <=> length $a } @types;
my $basic = 'void|bool|char|short|int|long|float|double|unsigned|signed|size_t|ssize_t';
my $word = qr/(?:(?:const|volatile|static|unsigned|struct|enum|union)\s+)*
              (?:struct\s+\w+|$type|$basic)\b(?:\s+const\b)?/x;

my @rules = (
    ['lines end without blanks' => sub {/[ \t]$/}],
    [   'indentation is tabs' =>
            sub { /^ {4,}\S/ || /^\t* +\t/ || (/^(?:\t| )* (\S)/ && $1 ne '*' && /^\t* {4,}/) }],
    ['no line is wider than ' . WIDTH . ' columns' => sub { width($_) > WIDTH }],
    ['comments are /* ... */' => sub { m{^\s*//} || m{;\s*//} }],
    ['a keyword is followed by a blank' => sub { $_[0] =~ /\b(?:if|for|while|switch|return)\(/ }],
    [   'a brace has its own line' => sub {
            $_[0] !~ /^#define/
                && (($_[0] =~ /\)\s*\{\s*$/ && $_[0] !~ /return \(|\(Bi\w+\) \{$/)
                || $_[0] =~ /^\s*\}\s*else\b/
                || $_[0] =~ /\belse\s*\{\s*$/);
        }
    ],
    [   'a star stands at the name' => sub {
            $_[0] =~ /\b(?:$type|$basic)\s*\*+\s+\w/
                && $_[0] !~ /[-+=(,<>]\s*\w+\s*\*+\s+\w/
                && $_[0] !~ /\b\w+ \* \w/;
        }
    ],
    [   'the type of a function has its own line' =>
            sub { $_[0] =~ /^(?:static\s+)?(?:inline\s+)?$word\s*\*?\s*\w+\([^;]*\)\s*$/ }],
    ['names of declarations stand in column ' . NAMES => \&misplaced],);

sub width {
    my ($line) = @_;
    1 while $line =~ s/^([^\t]*)\t/$1 . ' ' x (TAB - length($1) % TAB)/e;
    return length $line;
}

# True for a declaration of a variable or member whose name is elsewhere than pgindent puts it.
sub misplaced {
    my ($code) = @_;
    return 0 if $code !~ /^(\t+)($word)(\s+)(\**)(\(\*)?(\w+)\s*(?:[;=,\[:]|\)\s*\()/;
    my ($indent, $what, $name) = ($1, $2, $6);
    return 0 if $5;
    my $before = width(substr $code, 0, $-[6]);
    my $wanted = max(width($indent) + NAMES, width($indent . $what) + 1 + length $4);
    return $before != $wanted;
}

my ($n, $failed) = (0, 0);
my %broken;
for my $file (@files) {
    open my $in, '<:utf8', $file or die "$file: $!";
    my $inside = 0;    # of a comment
    while (<$in>) {
        chomp;
        my $code = $_;
        $code =~ s/"(?:[^"\\]|\\.)*"/""/g;
        $code =~ s/'(?:[^'\\]|\\.)*'/''/g;
        $code =~ s{/\*.*?\*/}{}g;
        if ($inside) { $inside = 0 if $code =~ s{^.*?\*/}{}; $code = '' if $inside }
        $inside = 1 if $code =~ s{/\*.*$}{};
        $code =~ s/\s+$//;

        for my $rule (@rules) {
            push @{$broken{$rule->[0]}}, "$file:$.: $_" if $rule->[1]->($code);
        }
    }
}
# Types that typedefs.list does not have: the rules above would not see their declarations.
my %known = map { $_ => 1 } @types;
for my $file (grep {m{^src/}} @files) {
    local $/;
    open my $in, '<:utf8', $file or die "$file: $!";
    my $code = <$in>;
    my @made = (
        $code =~ /^typedef (?:struct|enum|union) \w+[^;{]*?(\w+);/mg,
        $code =~ /^\}\s*(\w+);/mg,
        $code =~ /^typedef [^;{]*\(\*(\w+)\)/mg);
    push @{$broken{'typedefs.list has each type of src'}},
        map {"$file: $_"} grep { !$known{$_} && /^[A-Z]/ } @made;
}

for my $rule (@rules, ['typedefs.list has each type of src']) {
    my @lines = @{$broken{$rule->[0]} || []};
    printf "%s %d - %s\n", @lines ? 'not ok' : 'ok', ++$n, $rule->[0];
    print "#   $_\n" for @lines;
    $failed = 1 if @lines;
}
print "1..$n\n";
exit $failed;
