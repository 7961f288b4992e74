package Chaos::Dice;

# Random numbers that are the same for the same seed, on every machine and version of Perl.
#
#   my $dice = Chaos::Dice->new(4711);
#   $dice->upto(6);  $dice->chance(0.3);  $dice->between(0.1, 2);  $dice->pick(@things);
#   my $other = $dice->another('traffic');    # does not depend on how often this one is cast

use strict;
use warnings;

my $modulus = 2147483647;

sub new
{
	my ($class, $seed) = @_;
	my $self = bless { seed => $seed, state => $seed % ($modulus - 1) + 1 }, $class;
	$self->_next for 1 .. 5;
	return $self;
}

sub _next
{
	my ($self) = @_;
	$self->{state} = $self->{state} * 48271 % $modulus;
	return ($self->{state} - 1) / ($modulus - 1);
}

# 0 .. $n - 1
sub upto { my ($self, $n) = @_; return int($self->_next * $n); }

sub chance { my ($self, $share) = @_; return $self->_next < $share; }

sub between { my ($self, $from, $to) = @_; return $from + ($to - $from) * $self->_next; }

sub pick
{
	my ($self, @things) = @_;
	return $things[ $self->upto(scalar @things) ];
}

sub another
{
	my ($self, $name) = @_;
	my $seed = $self->{seed};
	$seed = ($seed * 31 + $_) % $modulus for unpack('C*', $name);
	return Chaos::Dice->new($seed);
}

1;
