# What is said when a command is given that could not run: a WARNING, and the job is defined all the same.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');

value($node, q{
	CREATE ROLE app LOGIN;
	CREATE ROLE reporting LOGIN;
	CREATE ROLE dba SUPERUSER LOGIN;
	CREATE ROLE auditor LOGIN;
	GRANT app TO reporting;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE SCHEMA app AUTHORIZATION app;
	CREATE TABLE public.salaries (name text, amount numeric);
	CREATE TABLE app.orders (id int PRIMARY KEY, total numeric);
	ALTER TABLE app.orders OWNER TO app;
	CREATE PROCEDURE app.close_books(day date) LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
	CREATE PROCEDURE app.secret() LANGUAGE sql AS 'SELECT 1';
	REVOKE EXECUTE ON PROCEDURE app.secret() FROM PUBLIC;
	CREATE FUNCTION app.archive() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE old_orders (id int); END $$;
	CREATE FUNCTION app.share(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 100 / $1; END $$});

# What schedule() says of the command, without its place.
sub said
{
	my ($command, %option) = @_;
	my $options = $option{options} ? ", $option{options}" : '';
	my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT ratchet.schedule('nightly', '\@manual', \$command\$$command\$command\$$options)", extra_params => [ '-U', $option{user} // 'app' ]);
	is($status, 0, "defined: $command") or diag($err);
	return $err =~ s/^psql:<stdin>:\d+: //mgr =~ s/^LOCATION.*\n?//mgr;
}

promise 'a function, a procedure, a table, a column or a schema that is not there' => sub {
	is(said('SELECT settle()') =~ s/\s+\z//r, <<'END' =~ s/\s+\z//r, 'with the way out');
WARNING:  42883: the command of job "nightly" cannot be planned as role app: function settle() does not exist
HINT:  The job is defined. Its runs fail as long as that is so.
END
	like(said('CALL app.close_bocks(current_date)'), qr/^WARNING:  42883: .* procedure app.close_bocks\(date\) does not exist$/m);
	like(said('CALL app.close_books()'), qr/^WARNING:  42883: .* procedure app.close_books\(\) does not exist$/m);
	like(said('DELETE FROM app.order'), qr/^WARNING:  42P01: .* relation "app.order" does not exist$/m);
	like(said('UPDATE app.orders SET sum = 0'), qr/^WARNING:  42703: .* column "sum" of relation "orders" does not exist$/m);
	like(said('INSERT INTO shop.orders VALUES (1)'), qr/^WARNING:  42P01: /m);
	like(said('UPDATE app.orders SET total = 0; SELECT settle()'), qr/^WARNING:  42883: .*\nDETAIL:  In statement 2 of 2\.$/m, 'which statement');
	my $run = value($node, q{SELECT ratchet.trigger('nightly')});
	wait_run($node, $run, 'failed');
	is(value($node, "SELECT sqlstate FROM ratchet.runs WHERE run_id = $run"), '42883', 'and so its run fails');
};

promise 'a privilege that the owner does not have, whoever defines the job' => sub {
	like(said('SELECT sum(amount) FROM public.salaries'), qr/^WARNING:  42501: .* permission denied for table salaries$/m);
	like(said('CALL app.secret()', user => 'dba', options => q{run_as => 'app'}), qr/^WARNING:  42501: .* as role app: permission denied for (function|procedure) secret$/m);
	like(said('SELECT max(amount) FROM public.salaries', user => 'reporting', options => q{run_as => 'app'}), qr/^WARNING:  42501: .* as role app: /m, 'as the owner, not as who calls');
	like(said('SELECT app.archive()', user => 'dba', options => q{run_as => 'auditor'}), qr/^WARNING:  42501: .* as role auditor: permission denied for schema app$/m);
	is(said('SELECT sum(amount) FROM public.salaries', user => 'dba', options => q{run_as => 'dba'}), '', 'whoever may is not warned');
	value($node, q{SELECT ratchet.unschedule('nightly')});
};

promise 'no warning where a run may find what is not there yet' => sub {
	is(said($_), '', 'silent') for (
		'SELECT 1',
		'VACUUM',
		'CREATE TEMP TABLE t AS SELECT * FROM app.orders; INSERT INTO t VALUES (1); DROP TABLE t',
		'CREATE TABLE app.t (id int); INSERT INTO app.t VALUES (1)',
		'SELECT id INTO TEMP t FROM app.orders; DELETE FROM t',
		'SELECT app.archive(); DELETE FROM old_orders',
		'CALL app.close_books(current_date); SELECT settle()',
		'SET search_path = app; DELETE FROM orders',
		q{DO 'BEGIN PERFORM settle(); END'},
		'CALL app.close_books(current_date)',
		'UPDATE app.orders SET total = total + 1; DELETE FROM app.orders WHERE total > 10',
		'SELECT 1 / 0',
		'SELECT app.share(0)',
		'WITH gone AS (DELETE FROM app.orders RETURNING *) INSERT INTO app.orders SELECT * FROM gone',
		'EXPLAIN ANALYZE SELECT 1',
		q{COPY app.orders TO '/nowhere'});
	is(said('DELETE FROM orders', options => q{settings => '{"search_path": "app"}'}), '', 'names are looked up in the path of the job');
	like(said('DELETE FROM orders', options => q{settings => '{"search_path": "public"}'}), qr/42P01/, '... and in no other');
};

promise 'nothing is executed, nobody is waited for, and no lock is left' => sub {
	value($node, q{CREATE SEQUENCE app.ticket; ALTER SEQUENCE app.ticket OWNER TO app});
	is(said(q{SELECT nextval('app.ticket')}), '');
	is(value($node, 'SELECT is_called FROM app.ticket'), 'f', 'the sequence has not moved');
	my $other = session($node);
	$other->query_safe('BEGIN; LOCK TABLE app.orders');
	is(said('DELETE FROM app.orders'), '', 'defined while somebody has the table locked');
	$other->query_safe('ROLLBACK');
	$other->quit;
	is(value($node, q{BEGIN; SELECT ratchet.schedule('nightly', '@manual', 'DELETE FROM app.orders WHERE id < 0') \g /dev/null
		SELECT count(*) FROM pg_locks WHERE relation = 'app.orders'::regclass AND pid = pg_backend_pid(); COMMIT}, user => 'app'), 0, 'no lock');
};

promise 'what does not change the command is not warned of again' => sub {
	like(said('SELECT settle()'), qr/42883/);
	is(said('SELECT settle()'), '', 'the same again');
	my ($status, $out, $err) = $node->psql('postgres', q{SELECT ratchet.alter_job('nightly', timeout => '5 minutes')}, extra_params => [ '-U', 'app' ]);
	is($err, '', 'another option');
	($status, $out, $err) = $node->psql('postgres', q{SELECT ratchet.alter_job('nightly', command => 'SELECT settle(1)')}, extra_params => [ '-U', 'app' ]);
	like($err, qr/WARNING:  the command of job "nightly" cannot be planned as role app: function settle\(integer\) does not exist/, 'another command is looked at');
};

promise 'a command must not be empty, whatever the job was before' => sub {
	value($node, q{SELECT ratchet.schedule_batch('purge', '@manual', 'SELECT id FROM app.orders', 'DELETE FROM app.orders WHERE id = $1')}, user => 'app');
	psql_fails($node, q{SELECT ratchet.schedule('purge', '@manual', '')}, qr/22023: command must not be empty/, 'a batch job neither', user => 'app');
};

finish();
