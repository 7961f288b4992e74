# Consumers behind PgBouncer in transaction mode: each transaction has whichever connection to the server is free, so
# that neither a claim nor a wait may depend on the session. What dies in the middle gives back what it had in hand.

use strict;
use warnings;

use IPC::Run ();
use PgBouncer;
use RatchetTest;
use Test::More;

plan skip_all => 'there is no pgbouncer here' unless defined PgBouncer::version();

my $node = new_node('main');
value($node, q{
	CREATE ROLE robot LOGIN;
	CREATE ROLE shop LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO robot, shop;
	SELECT ratchet.create_queue('parcels', consumers => '{robot}', producers => '{shop}', max_attempts => 2, max_crashes => 100);
	CREATE TABLE effect (task bigint, who text DEFAULT session_user);
	GRANT ALL ON effect TO robot});
my $pool = PgBouncer->new($node, users => { robot => 'secret', shop => 'other' }, size => 2);
my @robot = (via => $pool->connstr('robot'));
my @shop  = (via => $pool->connstr('shop'));

sub enqueue { return value($node, q{SELECT ratchet.enqueue('parcels', '{"weight": 3}')}, @shop); }

sub state_of
{
	my ($task) = @_;
	return value($node, "SELECT state FROM ratchet.tasks WHERE task_id = $task");
}

my $pid = 'SELECT pg_backend_pid()';    # of the server

# Runs SQL in one transaction while others have the connection $busy to the server. Returns the process of the server
# that has done it.
sub elsewhere
{
	my ($busy, $sql) = @_;
	my @sessions = map { session($node, @robot) } 1 .. 2;
	my @has;
	for my $session (@sessions)
	{
		push @has, $session->query_safe("BEGIN; $pid");
		last if $has[-1] == $busy;
	}
	# The first one has found the other connection.
	$sessions[0]->query_safe('ROLLBACK') if @has == 2;
	my ($process) = reverse split /\n/, value($node, "BEGIN; $sql; $pid; COMMIT", @robot);
	$_->quit for @sessions;
	return $process;
}

promise 'a task is claimed, prolonged and completed in three transactions, of different sessions of the server' => sub {
	my $task = enqueue();
	my ($claimed_by, $token) = split /\|/, value($node, q{SELECT pg_backend_pid(), token FROM ratchet.claim('parcels', lease => '1 minute')}, @robot);
	my $extended_by = elsewhere($claimed_by, "SELECT ratchet.extend($task, $token, '1 hour')");
	isnt($extended_by, $claimed_by, 'another process has prolonged the lease');
	is(value($node, "SELECT lease_until > now() + interval '59 minutes' FROM ratchet.tasks WHERE task_id = $task"), 't', 'for an hour');
	my $completed_by = elsewhere($extended_by, "INSERT INTO effect VALUES ($task); SELECT ratchet.complete($task, $token)");
	isnt($completed_by, $extended_by, 'another one has completed it');
	is(state_of($task), '', 'it is gone');
	is(value($node, "SELECT who FROM effect WHERE task = $task"), 'robot', 'with its effect');
	psql_fails($node, "SELECT ratchet.complete($task, $token)", qr/ERROR:  55000/, 'then the token is stale', @robot);
};

promise 'a task that failed in another session is tried again, and then dead' => sub {
	my $task = enqueue();
	for my $attempt (1, 2)
	{
		my ($by, $token, $is) = split /\|/, value($node, q{SELECT pg_backend_pid(), token, attempt FROM ratchet.claim('parcels', wait => '1 minute')}, @robot);
		is($is, $attempt, "attempt $attempt");
		my $failed_by = elsewhere($by, "SELECT ratchet.fail($task, $token, 'the printer is on fire', retry_in => '0')");
		isnt($failed_by, $by, 'another process has failed it');
	}
	is(state_of($task), 'dead', 'it is dead');
};

promise 'claim, effect and completion in one transaction: all or nothing' => sub {
	my $task = enqueue();
	my $all = qq{BEGIN; INSERT INTO effect SELECT task_id FROM (SELECT task_id, ratchet.complete(task_id, token) FROM ratchet.claim('parcels', wait => '1 minute')) done};
	value($node, "$all; ROLLBACK", @robot);
	wait_until($node, "SELECT state = 'ready' FROM ratchet.tasks WHERE task_id = $task", 'rolled back, it is ready');
	value($node, "$all; COMMIT", @robot);
	is(state_of($task), '', 'committed, it is gone');
	is(value($node, "SELECT count(*) FROM effect WHERE task = $task"), 1, 'with one effect');
};

# A client that waits for a task, and its process in the server.
sub begin_to_wait
{
	my $session = session($node, @_);
	$session->query_until(qr/waiting/, "\\echo waiting\nINSERT INTO effect SELECT task_id FROM ratchet.claim('parcels', wait => '5 minutes');\n");
	my $waits = q{FROM pg_stat_activity WHERE query LIKE 'INSERT INTO effect SELECT task_id FROM ratchet.claim%' AND state = 'active' AND wait_event_type = 'Extension'};
	wait_until($node, "SELECT count(*) = 1 $waits", 'it waits');
	return ($session, value($node, "SELECT pid $waits"));
}

promise 'who waits behind the pool gets a task when it is enqueued, and asks nobody meanwhile' => sub {
	my ($session, $process) = begin_to_wait(@robot);
	my $asked = "SELECT query_start, state_change, xact_start FROM pg_stat_activity WHERE pid = $process";
	my $before = value($node, $asked);
	my $task = enqueue();
	is(value($node, $asked), $before, 'one statement waits all the time') if state_of($task) eq 'ready';
	wait_until($node, "SELECT count(*) = 1 FROM effect WHERE task = $task", 'it has it');
	value($node, "SELECT ratchet.cancel_task($task)");
	$session->quit;
};

promise 'what is claimed in a transaction whose client is killed is given to another one' => sub {
	my $task = enqueue();
	my $session = session($node, @robot);
	is($session->query_safe(q{BEGIN; SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')}), $task, 'it is in hand');
	$session->{run}->signal('KILL');
	is(value($node, q{SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')}, @robot), $task, 'somebody else gets it');
	value($node, "SELECT ratchet.cancel_task($task)");
	eval { $session->quit };
};

promise 'and in one whose session in the server is terminated' => sub {
	my $task = enqueue();
	my $session = session($node, @robot);
	my ($process) = split /\n/, $session->query_safe(qq{BEGIN; $pid; SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')});
	value($node, "SELECT pg_terminate_backend($process)");
	is(value($node, q{SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')}, @robot), $task, 'somebody else gets it');
	value($node, "SELECT ratchet.cancel_task($task)");
	eval { $session->quit };
};

promise 'who waits and is killed gets nothing: the next task is given to somebody who is there' => sub {
	for my $through (\@robot, [ user => 'robot' ])
	{
		my $what = $through == \@robot ? 'behind the pool' : 'without a pool';
		my ($session, $process) = begin_to_wait(@$through);
		$session->{run}->signal('KILL');
		wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $process", "$what: the session ends with its client");
		my $task = enqueue();
		is(value($node, q{SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')}, @robot), $task, "$what: who asks next gets the task");
		value($node, "SELECT ratchet.cancel_task($task)");
		eval { $session->quit };
	}
};

promise 'when the pool itself is killed, what was in its hands comes back' => sub {
	my $task = enqueue();
	my $session = session($node, @robot);
	$session->query_safe(q{BEGIN; SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')});
	my ($waiting, $process) = begin_to_wait(@robot);
	$pool->kill_and_start;
	wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $process", 'who has waited is gone');
	is(value($node, q{SELECT task_id FROM ratchet.claim('parcels', wait => '1 minute')}, @robot), $task, 'the task is there');
	value($node, "SELECT ratchet.cancel_task($task)");
	eval { $_->quit } for $session, $waiting;
};

# pgbench behind the pool, with more clients than the pool has connections.
sub consume
{
	my ($protocol, $count) = @_;
	value($node, "TRUNCATE effect; SELECT ratchet.enqueue_many('parcels', array_agg(to_jsonb(i))) FROM generate_series(1, $count) i");
	my $path = $node->basedir . '/consume.sql';
	open(my $file, '>', $path) or die "cannot write $path: $!";
	print $file <<'SQL';
WITH mine AS MATERIALIZED (SELECT * FROM ratchet.claim('parcels', 5)), done AS (INSERT INTO effect SELECT task_id FROM mine)
SELECT ratchet.complete(task_id, token) FROM mine;
SQL
	close($file);
	my ($out, $err) = ('', '');
	IPC::Run::run([ $node->installed_command('pgbench'), '-n', '-M', $protocol, '-c', 8, '-j', 2, '-t', $count / 20, '-f', $path, $pool->connstr('robot') ],
		'>', \$out, '2>', \$err);
	return $err;
}

promise 'consumers do each task once in each way to talk to the server that the pool has' => sub {
	my @ways = ('simple', 'extended');
	push @ways, 'prepared' if PgBouncer::version() >= 121;
	for my $way (@ways)
	{
		my $err = consume($way, 200);
		unlike($err, qr/ERROR|aborted/, "$way: none has an error") or diag($err);
		is(value($node, 'SELECT count(*), count(DISTINCT task) FROM effect'), '200|200', "$way: each is done once");
	}
	# Before, a statement is known to one connection to the server only: what it is about is not what we can mend.
	like(consume('prepared', 40), qr/prepared statement .*(does not exist|already exists)/, 'prepared: not with a PgBouncer before 1.21') if PgBouncer::version() < 121;
	value($node, q{SELECT count(ratchet.cancel_task(task_id)) FROM ratchet.tasks WHERE queue_name = 'parcels' AND state <> 'dead'});
};

promise 'a statement that is prepared, executed and deallocated in one transaction works in all of them' => sub {
	my $task = enqueue();
	is(value($node, q{BEGIN; PREPARE take (int) AS SELECT task_id FROM ratchet.claim('parcels', $1, wait => '1 minute'); EXECUTE take (3); DEALLOCATE take; COMMIT}, @robot),
		$task, 'claimed');
};

$pool->stop;
finish();
