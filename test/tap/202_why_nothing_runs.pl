# Why a job does not run is said to who defines it, or by ratchet.status().

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', extension => 0, conf => "shared_preload_libraries = ''\n");

sub status_of
{
	my ($component, %option) = @_;
	return value($node, "SELECT concat_ws('; ', state, detail, hint) FROM ratchet.status() WHERE component = '$component'", %option);
}

# What psql prints for the statements of one session.
sub said
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	is($status, 0, 'no error');
	return $err;
}

promise 'a server without the library says so when it is given something to run' => sub {
	my $warning = qr/WARNING:  pg_ratchet is not loaded by the server\nDETAIL: .*none runs.*\nHINT: .*shared_preload_libraries/;
	like(said('CREATE EXTENSION pg_ratchet'), $warning, 'CREATE EXTENSION');
	like(said(q{SELECT ratchet.schedule('tick', '100 ms', 'SELECT 1')}), $warning, 'schedule');
	like(said(q{SELECT ratchet.trigger('tick')}), $warning, 'trigger');
	my $twice = said(q{SELECT ratchet.schedule('tock', '@manual', 'SELECT 1'); SELECT ratchet.trigger('tock')});
	is(scalar(() = $twice =~ /WARNING/g), 1, 'once in a session');
	is(said(q{SELECT ratchet.run_id(); TABLE ratchet.jobs; SELECT ratchet.next_runs('1 day')}), '', 'who only looks is told nothing');
	like(status_of('library'), qr/^not preloaded; .*none runs; Add pg_ratchet/, 'ratchet.status() has it, too');
};

finish();
