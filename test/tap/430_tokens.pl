# What a consumer may do with a task that it has claimed, as long as it has the token: leases are written by hand
# here, as a superuser may, so that each is as the test wants it.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
value($node, q{
	CREATE ROLE robot LOGIN;
	CREATE ROLE other LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO robot, other;
	SELECT ratchet.create_queue('parcels', consumers => '{robot}', max_attempts => 3);
	SELECT ratchet.create_queue('kept', consumers => '{robot}', retention => '1 day');
	CREATE TABLE effect (what text);
	GRANT ALL ON effect TO PUBLIC});

# A task in the hands of who has the token.
sub claimed
{
	my ($queue, $token, $lease) = @_;
	my $task = value($node, "SELECT ratchet.enqueue('$queue', '{}')");
	value($node, "UPDATE ratchet.task SET token = $token, lease_until = now() + '$lease', claimed_at = now(), claimed_by = 'robot'::regrole WHERE task_id = $task");
	return $task;
}

sub state_of
{
	my ($task) = @_;
	return value($node, "SELECT state FROM ratchet.tasks WHERE task_id = $task");
}

my $stale = qr/ERROR:  55000: .*is not in the hands of this consumer/;

promise 'with the token a task is completed, in the transaction of its effect' => sub {
	my $task = claimed('parcels', 7, '1 minute');
	is(state_of($task), 'running', 'it is in hand');
	value($node, "BEGIN; INSERT INTO effect VALUES ('undone'); SELECT ratchet.complete($task, 7); ROLLBACK", user => 'robot');
	is(state_of($task), 'running', 'rolled back, it is not');
	value($node, "BEGIN; INSERT INTO effect VALUES ('done'); SELECT ratchet.complete($task, 7); COMMIT", user => 'robot');
	is(state_of($task), '', 'committed, it is, and gone');
	is(value($node, 'SELECT string_agg(what, $$,$$) FROM effect'), 'done', 'with its effect');
	psql_fails($node, "SELECT ratchet.complete($task, 7)", $stale, 'it cannot be completed twice', user => 'robot');
};

promise 'the result is kept as long as the task is' => sub {
	my $task = claimed('kept', 7, '1 minute');
	value($node, qq{SELECT ratchet.complete($task, 7, '{"label": 12}')}, user => 'robot');
	is(value($node, "SELECT concat_ws('|', state, result->>'label', finished_at IS NOT NULL, started_at IS NOT NULL, lease_until) FROM ratchet.tasks WHERE task_id = $task"),
		'completed|12|t|t', 'completed');
	is(value($node, "SELECT ratchet.retry_task($task)"), 'f', 'it is not done again');
};

promise 'an old token cannot complete, fail or extend, and what its transaction has done is rolled back' => sub {
	my $task = claimed('parcels', 8, '1 minute');
	for my $call ("complete($task, 7)", "fail($task, 7, 'x')", "extend($task, 7, '1 hour')", "complete(ARRAY[$task]::bigint[], ARRAY[7]::bigint[])")
	{
		psql_fails($node, "BEGIN; INSERT INTO effect VALUES ('stale'); SELECT ratchet.$call; COMMIT", $stale, $call, user => 'robot');
	}
	is(value($node, q{SELECT count(*) FROM effect WHERE what = 'stale'}), 0, 'nothing of it is there');
	is(value($node, "SELECT ratchet.cancel_task($task)"), 't', 'the owner cancels it');
	psql_fails($node, "SELECT ratchet.complete($task, 8)", $stale, 'then the token is worth nothing', user => 'robot');
	psql_fails($node, "SELECT ratchet.complete(666666, 1)", $stale, 'as for a task that was never there', user => 'robot');
};

promise 'a lease that is over can be used as long as nobody else has the task' => sub {
	my $task = claimed('parcels', 7, '-1 second');
	value($node, "SELECT ratchet.extend($task, 7, '1 hour')", user => 'robot');
	is(value($node, "SELECT lease_until > now() + interval '59 minutes' FROM ratchet.tasks WHERE task_id = $task"), 't', 'extended');
	value($node, "SELECT ratchet.complete($task, 7)", user => 'robot');
};

promise 'a task that failed waits for its next attempt, and is dead after the last one' => sub {
	my $task = claimed('parcels', 7, '1 minute');
	value($node, "SELECT ratchet.fail($task, 7, 'printer on fire')", user => 'robot');
	is(value($node, "SELECT concat_ws('|', state, attempts, error, lease_until, run_at > now() + interval '100 seconds') FROM ratchet.tasks WHERE task_id = $task"),
		'scheduled|1|printer on fire|t', 'with back-off');
	psql_fails($node, "SELECT ratchet.complete($task, 7)", $stale, 'nobody has it', user => 'robot');
	value($node, "UPDATE ratchet.task SET token = 9, lease_until = now() + '1 minute' WHERE task_id = $task");
	value($node, "SELECT ratchet.fail($task, 9, 'again', retry_in => '1 day')", user => 'robot');
	is(value($node, "SELECT concat_ws('|', attempts, run_at > now() + interval '23 hours') FROM ratchet.tasks WHERE task_id = $task"), '2|t', 'when the consumer says');
	value($node, "UPDATE ratchet.task SET token = 10, lease_until = now() + '1 minute' WHERE task_id = $task");
	value($node, "SELECT ratchet.fail($task, 10, 'for good')", user => 'robot');
	is(value($node, "SELECT concat_ws('|', state, attempts, error) FROM ratchet.tasks WHERE task_id = $task"), 'dead|3|for good', 'dead');
	is(value($node, q{SELECT ratchet.redrive('parcels', error_like => '%fire%')}), 0, 'another error is not redriven');
	is(value($node, q{SELECT ratchet.redrive('parcels', error_like => 'for%')}), 1, 'this one is');
	is(value($node, "SELECT concat_ws('|', state, attempts, error) FROM ratchet.tasks WHERE task_id = $task"), 'ready|0|for good', 'with all its attempts, and the error to be seen');
	my $discarded = claimed('parcels', 7, '1 minute');
	value($node, "SELECT ratchet.fail($discarded, 7, repeat('x', 20000), discard => true)", user => 'robot');
	is(value($node, "SELECT concat_ws('|', state, length(error)) FROM ratchet.tasks WHERE task_id = $discarded"), 'dead|8000', 'one that is discarded is dead at once, its error shortened');
};

promise 'several are completed together or not at all' => sub {
	my ($one, $two) = (claimed('parcels', 1, '1 minute'), claimed('parcels', 2, '1 minute'));
	psql_fails($node, "SELECT ratchet.complete('{$one,$two}'::bigint[], '{1,3}')", $stale, 'one token is wrong', user => 'robot');
	is(state_of($one), 'running', 'none is completed');
	psql_fails($node, "SELECT ratchet.complete('{$one,$two}'::bigint[], '{1}')", qr/ERROR:  22023/, 'a token is missing', user => 'robot');
	value($node, "SELECT ratchet.complete('{$two,$one}'::bigint[], '{2,1}')", user => 'robot');
	is(state_of($one) . state_of($two), '', 'both are');
};

promise 'the token alone is not enough' => sub {
	my $task = claimed('parcels', 7, '1 minute');
	for my $call ("complete($task, 7)", "fail($task, 7, 'x')", "extend($task, 7, '1 hour')")
	{
		psql_fails($node, "SELECT ratchet.$call", qr/ERROR:  42501/, "who is no consumer: $call", user => 'other');
	}
	is(state_of($task), 'running', 'nothing has changed');
};

promise 'what makes no sense is refused' => sub {
	my $task = claimed('parcels', 7, '1 minute');
	psql_fails($node, "SELECT ratchet.$_->[0]", $_->[1], $_->[0], user => 'robot') for
		[ "fail($task, 7, NULL)", qr/22004/ ], [ "fail($task, 7, 'x', retry_in => '-1 s')", qr/22023/ ], [ "extend($task, 7, '0')", qr/22023/ ],
		[ "extend($task, 7, NULL)", qr/22004/ ], [ "complete(NULL, 7)", qr/22004/ ], [ "complete($task, NULL)", qr/22004/ ],
		[ "claim('parcels', 0)", qr/22023/ ], [ "claim('parcels', 501)", qr/22023/ ], [ "claim('parcels', lease => '0')", qr/22023/ ],
		[ "claim('parcels', wait => '-1 s')", qr/22023/ ], [ "claim('parcel')", qr/42704.*Perhaps you mean queue "parcels"/s ], [ 'claim(NULL)', qr/22004/ ];
};

finish();
