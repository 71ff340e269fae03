#!/usr/bin/perl
# test/lib/http.pl METHOD URL [BODY]: one request, the body of the reply on one line; exit 1
# unless it is a 2xx.  With KEY in the environment it is sent as a bearer token, and the
# reply keeps its lines.  Only perl's own modules.
use strict;
use warnings;
use HTTP::Tiny;

my ($method, $url, $body) = @ARGV;
my %options = defined $body
    && length $body ? (content => $body, headers => {'content-type' => 'application/json'}) : ();
$options{headers}{authorization} = "Bearer $ENV{KEY}" if $ENV{KEY};
my $reply = HTTP::Tiny->new(timeout => 90)->request($method, $url, \%options);
my $text = $reply->{content};
$text =~ s/[\r\n]+/ /g unless $ENV{KEY};
print $text, $text =~ /\n\z/ ? "" : "\n";
exit($reply->{success} ? 0 : 1);
