#!/usr/bin/env perl
# A generator of amla in plain Perl, with core modules alone: local search.
#
#     perl generator.pl [PORT]
#
# It listens on 127.0.0.1 (port 8751, or a free one for 0, which it prints) and keeps no state: each question holds the
# whole history. The first network is drawn; each one after it is a mutation of the best measured so far. After
# `options.trials` networks (32) it stops.

use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP;

my $LARGEST = 64 * 1024 * 1024;    # bytes of a question
my $json    = JSON::PP->new->utf8->canonical;

# Numbers from 0 to 1 that depend on the seed and the history alone: asked the same, it answers the same.
sub numbers {
    my $state = 88172645;
    $state = ($state * 31 + $_ * 7919 + 1) % 2147483647 for @_;
    return sub { $state = ($state * 48271) % 2147483647; return $state / 2147483647 };
}

sub below { my ($random, $count) = @_; return int($random->() * $count) }

# The inputs that a Pick keeps: how many is drawn first, then which.
sub drawn {
    my ($pick, $random) = @_;
    my @inputs = @{ $pick->{inputs} };
    my $count  = $pick->{at_least} + below($random, $pick->{at_most} - $pick->{at_least} + 1);
    my %kept   = map { $_ => 1 } @inputs[0 .. $pick->{fixed} - 1];
    my @free   = @inputs[$pick->{fixed} .. $#inputs];
    $kept{ splice(@free, below($random, scalar @free), 1) } = 1 while keys %kept < $count;
    return [grep { $kept{$_} } @inputs];    # in the order of the Pick
}

sub sampled {
    my ($picks, $random) = @_;
    return { map { $_ => drawn($picks->{$_}, $random) } sort keys %$picks };
}

# Decisions with one Pick decided anew. Those that come alive through it are drawn, too.
sub mutated {
    my ($picks, $parent, $random) = @_;
    my %child = (%{ sampled($picks, $random) }, %$parent);
    my @names = grep { @{ $picks->{$_}{inputs} } > 1 } sort keys %$parent;
    return \%child unless @names;
    my $name = $names[below($random, scalar @names)];
    for (1 .. 20) {
        last if "@{ $child{$name} }" ne "@{ $parent->{$name} }";
        $child{$name} = drawn($picks->{$name}, $random);
    }
    return \%child;
}

# The measured trial with the highest accuracy, the first of equals; undef if there is none.
sub best {
    my ($question) = @_;
    my ($best, $highest);
    for my $trial (map { $question->{trials}[$_] } @{ $question->{finished} }) {
        my $outcome = $trial->{outcome};
        next unless $outcome && $outcome->{kind} eq 'measurement';
        my $accuracy = $outcome->{metrics}{accuracy};
        next unless defined $accuracy && $accuracy =~ /^-?[\d.]+(?:e[-+]?\d+)?$/i;    # and no "NaN"
        ($best, $highest) = ($trial, $accuracy) if !defined $best || $accuracy > $highest;
    }
    return $best;
}

sub ask {
    my ($question) = @_;
    my $trials = $question->{options}{trials} // 32;
    return { proposal => undef } if @{ $question->{trials} } >= $trials;
    my $random = numbers($question->{seed}, scalar @{ $question->{trials} }, scalar @{ $question->{finished} });
    my $best   = best($question);
    my $decisions =
      $best ? mutated($question->{picks}, $best->{decisions}, $random) : sampled($question->{picks}, $random);
    return { proposal => { decisions => $decisions, budget => $question->{steps}, seed => $question->{seed} } };
}

sub recommend {
    my $best = best($_[0]);
    return { decisions => $best ? $best->{decisions} : undef };
}

my %CALLS = ('/v1/ask' => \&ask, '/v1/recommend' => \&recommend);

sub answer {
    my ($method, $path, $body) = @_;
    return (200, { status => 'ok' }) if $method eq 'GET' && $path eq '/v1/health';
    my $call = $method eq 'POST' && $CALLS{$path} or return (404, { error => "There is no $method $path." });
    my $found = eval { $call->($json->decode($body)) };
    return $found ? (200, $found) : (400, { error => "This is no question: $@" });
}

# One connection, one request.
sub serve {
    my ($client) = @_;
    my ($method, $path) = split ' ', <$client> // '';
    my $length = 0;
    while (defined(my $line = <$client>)) {
        last if $line =~ /^\r?\n$/;
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
    }
    return if !defined $path || $length > $LARGEST;
    my $body = '';
    while (length($body) < $length) { read($client, $body, $length - length($body), length($body)) or return }
    my ($status, $found) = answer($method, $path, $body);
    my $text = $json->encode($found);
    print {$client} "HTTP/1.1 $status \r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ",
      length($text), "\r\n\r\n", $text;
    return;
}

my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0] // 8751, Listen => 64, ReuseAddr => 1)
  or die "No port: $!\n";
$| = 1;
print 'http://127.0.0.1:', $server->sockport, "\n";
while (my $client = $server->accept) {
    $client->timeout(60);
    serve($client);
    close $client;
}
