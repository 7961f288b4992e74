# A walk over a table of postgres_fdw has the rows sent that it needs, and the server reads no others: both are counted
# there.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
my ($status) = $node->psql('postgres', 'CREATE EXTENSION postgres_fdw');
plan(skip_all => 'postgres_fdw is not installed') if $status != 0;

$node->safe_psql('postgres', 'CREATE DATABASE far');
$node->safe_psql('far', <<'SQL');
CREATE TABLE number (pad text, id int PRIMARY KEY) WITH (autovacuum_enabled = off);
INSERT INTO number SELECT md5(i::text), i FROM generate_series(1, 8000) i ORDER BY md5(i::text);
CREATE TABLE word (id uuid PRIMARY KEY, pad text) WITH (autovacuum_enabled = off);
INSERT INTO word SELECT md5(i::text)::uuid, repeat(md5(i::text), 30) FROM generate_series(1, 8000) i;
CREATE TABLE pair (a int, b int, pad text, PRIMARY KEY (a, b)) WITH (autovacuum_enabled = off);
INSERT INTO pair SELECT i / 7, i % 7, md5(i::text) FROM generate_series(1, 8000) i ORDER BY md5(i::text);
CREATE TABLE three (a text COLLATE "C", b int, c uuid, PRIMARY KEY (a, b, c)) WITH (autovacuum_enabled = off);
INSERT INTO three SELECT 'a' || i % 1000, i % 3, md5(i::text)::uuid FROM generate_series(1, 8000) i;
SQL
$node->safe_psql('postgres', sprintf(<<'SQL', $node->host, $node->port));
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname 'far');
CREATE USER MAPPING FOR CURRENT_USER SERVER far;
IMPORT FOREIGN SCHEMA public FROM SERVER far INTO public;
SQL

my $walks = 0;

# All that has been read there, when no connection is left that has not told.
sub read_there
{
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'postgres_fdw')});
	return value($node, 'SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables', db => 'far');
}

sub fetches
{
	my ($what, $source, $key, $options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $name = ++$walks . " $what";
	value($node, define_batch($name, $source, 'SELECT $1', "key => '{$key}', batch_size => " . ($options->{batch} // 100)));
	my $before = read_there();
	value($node, "CALL ratchet.run('$name')");
	my $there = read_there() - $before;
	my $items = $options->{items} // 8000;
	is_run(row($node, 'SELECT * FROM ratchet.runs ORDER BY run_id DESC LIMIT 1'),
		{ job_name => $name, status => 'succeeded', items_done => $items }, "$what: all items");
	# For each column of the key the server looks once whether it is null in some row.
	my $columns = split /,/, $key;
	cmp_ok($there - $columns * 8000, '<=', ($options->{most} // 1.1) * $items, "$what: rows");
	return;
}

sub walk_all
{
	my ($state) = @_;
	fetches("one column, $state", 'SELECT id, pad FROM number', 'id');
	fetches("one column, descending, $state", 'SELECT id, pad FROM number', 'id DESC');
	fetches("wide rows, $state", 'SELECT id, pad FROM word', 'id');
	# Two or three rows of each batch are read again there, behind the first column of its last key.
	fetches("two columns, $state", 'SELECT a, b, pad FROM pair', 'a,b');
	fetches("two columns, descending, $state", 'SELECT a, b, pad FROM pair', 'a DESC,b DESC');
	fetches("three columns, $state", 'SELECT a, b, c FROM three', 'a,b,c');
	# The server may expect fewer rows than that behind each key, and fetches of a hundred are no part of it.
	fetches("two columns, larger batches, $state", 'SELECT a, b, pad FROM pair', 'a,b', { batch => 250 });
	fetches("three columns, larger batches, $state", 'SELECT a, b, c FROM three', 'a,b,c', { batch => 250 });
	fetches("small batches, $state", 'SELECT id FROM number WHERE id <= 2000', 'id', { batch => 20, items => 2000 });
	return;
}

promise 'never analyzed' => sub { walk_all('never analyzed') };

promise 'with estimates of its server' => sub {
	$node->safe_psql('postgres', q{ALTER SERVER far OPTIONS (ADD use_remote_estimate 'true')});
	walk_all('with estimates of its server');
	$node->safe_psql('postgres', q{ALTER SERVER far OPTIONS (DROP use_remote_estimate)});
};

promise 'analyzed' => sub {
	$node->safe_psql('far', 'ANALYZE');
	$node->safe_psql('postgres', 'ANALYZE number, word, pair, three');
	walk_all('analyzed');
};

promise 'what its server cannot evaluate' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION here(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN $1 % 2 = 0; END';
CREATE TABLE local (id int PRIMARY KEY, name text);
INSERT INTO local SELECT i, i FROM generate_series(1, 100) i;
SQL
	# A hundred rows are fetched at a time, and what is behind the batch in vain.
	fetches('a condition', 'SELECT id, pad FROM number WHERE here(id)', 'id', { items => 4000, most => 2.6 });
};

finish();
