# A session remembers the queues to which it enqueues. Whatever becomes of one is seen by the next call of a
# session that has used it before, also in the middle of a transaction.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "max_prepared_transactions = 2\n");

value($node, q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE shop LOGIN;
	CREATE ROLE till LOGIN IN ROLE shop;
	GRANT USAGE ON SCHEMA ratchet TO alice, bob, shop});

# A queue of alice that is paused, so that its tasks stay, and a session that knows it.
sub session_that_knows
{
	my ($user, $queue, %options) = @_;
	my $session = session($node, user => $user);
	$session->query_safe('BEGIN') if $options{in_transaction};
	$session->query_safe("SELECT ratchet.enqueue('$queue', '1')") for 1 .. 2;
	return $session;
}

sub make_queue
{
	my ($queue, $options) = @_;
	return value($node,
		"SELECT ratchet.create_queue('$queue', 'SELECT \$1', enabled => false" . ($options ? ", $options" : '') . ')',
		user => 'alice');
}

# What the session gets told: an error, or nothing.
sub told
{
	my ($session, $sql) = @_;
	my ($out, $failed) = $session->query($sql);
	my $said = $session->{stderr};
	$session->{stderr} = '';
	return $said;
}

promise 'a producer that is taken off the list cannot enqueue any more' => sub {
	make_queue('producers', "producers => '{bob, shop}'");
	my %sessions = (
		'after its transaction' => session_that_knows('bob', 'producers'),
		'in its transaction'    => session_that_knows('bob', 'producers', in_transaction => 1));
	value($node, q{SELECT ratchet.alter_queue('producers', producers => '{shop}')}, user => 'alice');
	for my $when (sort keys %sessions)
	{
		like(told($sessions{$when}, q{SELECT ratchet.enqueue('producers', '2')}),
			qr/permission denied for queue "producers"/, "enqueue, $when");
		like(told($sessions{$when}, q{ROLLBACK; SELECT ratchet.enqueue_many('producers', '{2}')}),
			qr/permission denied for queue "producers"/, "enqueue_many, $when");
	}
	value($node, q{SELECT ratchet.alter_queue('producers', producers => '{shop,bob}')}, user => 'alice');
	is(told($sessions{'after its transaction'}, q{SELECT ratchet.enqueue('producers', '2')}), '', 'and may again');
};

promise 'who loses a membership, or another role, loses what that could do' => sub {
	make_queue('members', "producers => '{shop}'");
	my $session = session_that_knows('till', 'members');
	my $open = session_that_knows('till', 'members', in_transaction => 1);
	value($node, 'REVOKE shop FROM till');
	like(told($_, q{SELECT ratchet.enqueue('members', '2')}), qr/permission denied/, 'after REVOKE') for $session, $open;

	my $boss = session($node);
	$boss->query_safe(q{SELECT ratchet.enqueue('members', '3')});
	like(told($boss, q{SET ROLE bob; SELECT ratchet.enqueue('members', '4')}), qr/permission denied/, 'after SET ROLE');
	is(told($boss, q{SET ROLE shop; SELECT ratchet.enqueue('members', '5')}), '', 'and as a producer');
	like(told($boss, q{RESET ROLE; SET SESSION AUTHORIZATION bob; SELECT ratchet.enqueue('members', '6')}),
		qr/permission denied/, 'after SET SESSION AUTHORIZATION');
};

promise 'a new owner' => sub {
	make_queue('owners');
	my $session = session_that_knows('alice', 'owners');
	value($node, q{SELECT ratchet.alter_queue('owners', run_as => 'bob')});
	like(told($session, q{SELECT ratchet.enqueue('owners', '2')}), qr/permission denied for queue "owners"/, 'the former one');
};

promise 'another name, and another queue of that name' => sub {
	my $id = make_queue('names');
	my $session = session_that_knows('alice', 'names');
	value($node, q{SELECT ratchet.alter_queue('names', new_name => 'other_names')}, user => 'alice');
	like(told($session, q{SELECT ratchet.enqueue('names', '2')}), qr/queue "names" does not exist/, 'the old name');
	my $other = make_queue('names');
	my $task = $session->query_safe(q{SELECT ratchet.enqueue('names', '3')});
	is(value($node, "SELECT queue_id FROM ratchet.task WHERE task_id = $task"), $other, 'the new queue of that name');
	isnt($other, $id, 'is another one');
};

promise 'a queue that is dropped, and one that is dropped while it is waited for' => sub {
	make_queue('gone');
	my $session = session_that_knows('alice', 'gone');
	value($node, q{SELECT ratchet.drop_queue('gone', force => true)}, user => 'alice');
	like(told($session, q{SELECT ratchet.enqueue('gone', '2')}), qr/queue "gone" does not exist/, 'gone');

	make_queue('going');
	$session = session_that_knows('alice', 'going');
	my $dropping = session($node, user => 'alice');
	$dropping->query_safe(q{BEGIN; SELECT ratchet.drop_queue('going', force => true)});
	my $waiting = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/asked/, "\\echo asked\nSELECT ratchet.enqueue('going', '2');\n");
	wait_until($node, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $waiting AND NOT granted)", 'it waits');
	$dropping->query_safe('COMMIT');
	like(told($session, 'SELECT 1'), qr/queue "going" does not exist/, 'gone while it was waited for');
	is(value($node, q{SELECT count(*) FROM ratchet.task t WHERE NOT EXISTS (SELECT FROM ratchet.queue q
		WHERE q.queue_id = t.queue_id)}), 0, 'no task is left of a queue that is gone');
};

promise 'what a transaction does itself, and takes back' => sub {
	make_queue('own', "producers => '{bob}'");
	my $session = session_that_knows('alice', 'own');
	$session->query_safe('BEGIN');
	$session->query_safe(q{SELECT ratchet.alter_queue('own', new_name => 'own_too')});
	$session->query_safe('SAVEPOINT before');
	like(told($session, q{SELECT ratchet.enqueue('own', '2')}), qr/queue "own" does not exist/, 'renamed in this transaction');
	is(told($session, q{ROLLBACK TO before; SELECT ratchet.enqueue('own_too', '2')}), '', 'by its new name');
	is(told($session, q{SELECT ratchet.create_queue('own', 'SELECT $1', enabled => false); SELECT ratchet.enqueue('own', '3')}),
		'', 'a new one of the old name');
	like(told($session, q{ROLLBACK TO before; SELECT ratchet.enqueue('own', '4')}), qr/does not exist/,
		'whose savepoint is rolled back');
	$session->query_safe('ROLLBACK');
	is(told($session, q{SELECT ratchet.enqueue('own', '5')}), '', 'all is rolled back: the old name');
	like(told($session, q{SELECT ratchet.enqueue('own_too', '6')}), qr/does not exist/, 'and not the new one');

	$session->query_safe(q{BEGIN; SELECT ratchet.alter_queue('own', new_name => 'prepared')});
	$session->query_safe(q{SELECT ratchet.alter_queue('prepared', producers => '{bob}'); PREPARE TRANSACTION 'own'});
	is(told($session, q{SELECT ratchet.enqueue('own', '7')}), '', 'prepared, and not committed');
	my $knows = session_that_knows('bob', 'own');
	value($node, q{COMMIT PREPARED 'own'});
	like(told($_, q{SELECT ratchet.enqueue('own', '8')}), qr/does not exist/, 'prepared, and committed by another session')
		for $session, $knows;
};

promise 'what a superuser writes by hand is not believed' => sub {
	make_queue('planted', "producers => '{shop}'");
	my $session = session_that_knows('shop', 'planted');
	value($node, q{UPDATE ratchet.queue SET producers = '{shop,bob}' WHERE queue_name = 'planted'});
	like(told($session, q{SELECT ratchet.enqueue('planted', '2')}), qr/permission denied/, 'producers');
	value($node, 'SELECT ratchet.adopt()');
	is(told($session, q{SELECT ratchet.enqueue('planted', '3')}), '', 'until it is adopted');
	value($node, q{UPDATE ratchet.job SET owner = 'bob'::regrole WHERE job_name = 'queue planted'});
	like(told($session, q{SELECT ratchet.enqueue('planted', '4')}), qr/permission denied/, 'the owner');
};

promise 'the extension goes, and comes again' => sub {
	make_queue('extension');
	my $session = session($node);
	$session->query_safe(q{SELECT ratchet.enqueue('extension', '1')});
	$session->query_safe('BEGIN; DROP EXTENSION pg_ratchet');
	like(told($session, q{SELECT ratchet.enqueue('extension', '2')}), qr/does not exist/, 'dropped in this transaction');
	$session->query_safe('ROLLBACK');
	is(told($session, q{SELECT ratchet.enqueue('extension', '3')}), '', 'which is rolled back');
	value($node, 'DROP EXTENSION pg_ratchet; CREATE EXTENSION pg_ratchet');
	like(told($session, q{SELECT ratchet.enqueue('extension', '4')}), qr/queue "extension" does not exist/, 'created again');
	value($node, q{SELECT ratchet.create_queue('extension', 'SELECT $1', enabled => false)});
	my $task = $session->query_safe(q{SELECT ratchet.enqueue('extension', '5')});
	is(value($node, "SELECT task_id FROM ratchet.tasks WHERE queue_name = 'extension'"), $task, 'in the new queue');
};

finish();
