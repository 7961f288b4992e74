# Which roles can dump a database that has the extension, and how. See docs/operations.md, "Who may dump".

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', extension => 0);
my $superuser = value($node, 'SELECT current_user');
value($node, q{
	CREATE ROLE landlord LOGIN;
	CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
	CREATE ROLE backup LOGIN BYPASSRLS IN ROLE pg_read_all_data;
	CREATE DATABASE shop OWNER landlord});
value($node, q{CREATE EXTENSION pg_ratchet; GRANT USAGE ON SCHEMA ratchet TO landlord}, db => 'shop');
value($node, q{CREATE TABLE stock (id int PRIMARY KEY); INSERT INTO stock VALUES (4711)}, db => 'shop', user => 'landlord');

# What pg_dump says, and what it gives.
sub dump_as
{
	my ($role, @options) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '-d', $node->connstr('shop'), '-U', $role, @options ]);
	return ($out, $err);
}

sub dumps
{
	my ($what, $role, $options, @patterns) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($out, $err) = dump_as($role, @$options);
	is($err, '', "$what: no error");
	like($out, $_, "$what: $_") for qr/CREATE EXTENSION IF NOT EXISTS pg_ratchet/, qr/^4711$/m, qr/PostgreSQL database dump complete/, @patterns;
	return $out;
}

promise 'without a single job' => sub {
	dumps('a superuser', $superuser, []);
	dumps('a role for backups', 'backup', []);
	dumps('the owner of the database, with row security', 'landlord', ['--enable-row-security']);
	dumps('the owner of the database, without our data', 'landlord', ['--exclude-table-data=ratchet.*']);
	dumps('a reader, without our data', 'reader', ['--exclude-table-data=ratchet.*']);
};

value($node, q{SELECT ratchet.schedule('of the owner', '@manual', 'SELECT 1')}, db => 'shop', user => 'landlord');
value($node, q{SELECT ratchet.schedule('of a superuser', '@manual', 'SELECT 1')}, db => 'shop');

promise 'with jobs' => sub {
	dumps($_->[0], $_->[1], [], qr/of the owner/, qr/of a superuser/)
	  for [ 'a superuser', $superuser ], [ 'a role for backups', 'backup' ];
	my $own = dumps('the owner of the database, with row security', 'landlord', ['--enable-row-security'],
		qr/of the owner/, qr/setval\('ratchet\.job_id_seq', 2, true\)/);
	unlike($own, qr/of a superuser/, 'it dumps what it sees');
	my $none = dumps('the owner of the database, without our data', 'landlord', ['--exclude-table-data=ratchet.*']);
	unlike($none, qr/of the owner/, 'no jobs');
};

promise 'who sees less than all of it is told by pg_dump' => sub {
	for my $role ('landlord', 'reader')
	{
		my ($out, $err) = dump_as($role);
		like($err, qr/query would be affected by row-level security policy/, "$role: it does not leave out rows in silence");
	}
};

promise 'such a dump can be restored' => sub {
	value($node, 'CREATE DATABASE copy');
	my $file = "$PostgreSQL::Test::Utils::tmp_check/shop.sql";
	for my $role ('backup', 'landlord')
	{
		value($node, 'DROP DATABASE copy');
		value($node, 'CREATE DATABASE copy');
		$node->command_ok([ 'pg_dump', '-d', $node->connstr('shop'), '-U', $role, '--enable-row-security', '-f', $file ], "$role dumps");
		$node->command_ok([ 'psql', '-XAtqv', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr('copy'), '-f', $file ], 'a superuser restores it');
		is(value($node, q{SELECT string_agg(job_name, ', ' ORDER BY job_name) FROM ratchet.jobs}, db => 'copy'),
			$role eq 'backup' ? 'of a superuser, of the owner' : 'of the owner', 'its jobs are there');
		wait_until($node, q{SELECT state = 'quarantined' FROM ratchet.status() WHERE component = 'scheduler'}, 'they are held back', db => 'copy');
		my ($status, $id, $said) = $node->psql('copy', q{SELECT ratchet.schedule('next', '@manual', 'SELECT 1')});
		is($id, 3, 'numbers go on');
		is($said, '', 'a job that is defined here is none of them');
		($status, $id, $said) = $node->psql('copy', q{SELECT ratchet.schedule('of the owner', '@manual', 'SELECT 2', run_as => 'landlord')});
		like($said, qr/NOTICE:  job "of the owner" is held back.*\nHINT: .*ratchet\.adopt\(\)/, 'who changes one that was restored is told');
	}
};

finish();
