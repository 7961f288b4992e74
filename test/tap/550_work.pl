# ratchet work: a command for each task, on any machine that reaches the server.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use RatchetProgram;
use RatchetTest;
use Test::More;
use Time::HiRes qw(usleep);

ratchet_program();
my $node = new_node('main', conf => "max_connections = 60\n");
value($node, q{
	CREATE ROLE robot LOGIN;
	CREATE ROLE nobody_here LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO robot, nobody_here;
	SELECT ratchet.create_queue('parcels', consumers => '{robot}', max_attempts => 3, retention => '1 day');
	SELECT ratchet.create_queue('short', consumers => '{robot}', lease => '2 s', retention => '1 day')});
my $dir = PostgreSQL::Test::Utils::tempdir();
my @as_robot = (user => 'robot');

sub state_of
{
	my ($task) = @_;
	return value($node, "SELECT state FROM ratchet.tasks WHERE task_id = $task");
}

promise 'the payload comes on standard input, and exit status 0 completes' => sub {
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', '{"label": "Größe \n 5", "id": 7}')});
	my ($status, $out, $err) = run_ratchet($node, [ 'work', 'parcels', '--once', '--', 'sh', '-c', 'cat; echo "/$RATCHET_QUEUE/$RATCHET_TASK_ID/$RATCHET_ATTEMPT"' ], @as_robot);
	is($status, 0, 'it ends when the queue is empty') or diag($err);
	like($out, qr/"id": 7.*\/parcels\/$task\/1$/s, 'payload, and what is known of the task');
	is(state_of($task), 'completed', 'completed');
};

promise 'anything else fails, with the last lines of standard error' => sub {
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	run_ratchet($node, [ 'work', 'parcels', '--once', '--', 'sh', '-c', 'seq 1 5000 >&2; echo "no label left" >&2; exit 3' ], @as_robot);
	my $error = value($node, "SELECT error FROM ratchet.tasks WHERE task_id = $task");
	like($error, qr/^exit status 3: .*\n5000\nno label left$/s, 'status and last lines');
	cmp_ok(length($error), '<', 4200, 'not all of them');
	is(state_of($task), 'scheduled', 'there is another attempt');
	value($node, "SELECT ratchet.retry_task($task)");
	run_ratchet($node, [ 'work', 'parcels', '--once', '--', '/nonexistent/program', '-x' ], @as_robot);
	like(value($node, "SELECT error FROM ratchet.tasks WHERE task_id = $task"), qr/^exit status 127: .*No such file/, 'a command that is not there');
	value($node, "SELECT ratchet.retry_task($task)");
	run_ratchet($node, [ 'work', 'parcels', '--once', '--', 'sh', '-c', 'kill -9 $$' ], @as_robot);
	like(value($node, "SELECT error FROM ratchet.tasks WHERE task_id = $task"), qr/^killed by signal 9/, 'a command that is killed');
	value($node, "SELECT ratchet.cancel_task($task)");
};

promise 'a payload that the command does not read, and one that is large' => sub {
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', to_jsonb(repeat('x', 1000000)))});
	my ($status, $out) = run_ratchet($node, [ 'work', 'parcels', '--once', '--', 'true' ], @as_robot);
	is(state_of($task), 'completed', 'not read');
	$task = value($node, q{SELECT ratchet.enqueue('parcels', to_jsonb(repeat('x', 1000000)))});
	($status, $out) = run_ratchet($node, [ 'work', 'parcels', '--once', '--', 'wc', '-c' ], @as_robot);
	like($out, qr/^1000002$/, 'read to the end');
};

promise 'several at a time, each task once, and no task lost, whoever is killed' => sub {
	value($node, q{CREATE TABLE done (task bigint, at timestamptz DEFAULT clock_timestamp()); GRANT INSERT ON done TO robot});
	value($node, q{SELECT ratchet.enqueue_many('short', (SELECT array_agg(to_jsonb(i)) FROM generate_series(1, 60) i))});
	my $command = sprintf('sleep 0.2; psql -qXd "%s" -U robot -c "INSERT INTO done VALUES ($RATCHET_TASK_ID)"', $node->connstr('postgres'));
	my @workers = map { start_ratchet($node, [ 'work', 'short', '--lease', '2 s', '--concurrency', '4', '--', 'sh', '-c', $command ], @as_robot) } 1 .. 3;
	wait_until($node, 'SELECT count(*) > 8 FROM done', 'they are at work');
	is(stop_ratchet($workers[0], 'KILL'), 'signal 9', 'one is killed');
	wait_until($node, q{SELECT count(*) = 60 FROM ratchet.tasks WHERE queue_name = 'short' AND state = 'completed'}, 'the others do all of it');
	is(value($node, 'SELECT count(DISTINCT task) FROM done'), 60, 'each is done');
	is(stop_ratchet($workers[$_], 'TERM'), 0, 'the others end in order') for 1, 2;
};

promise 'a lease is kept for as long as the command runs' => sub {
	my $task = value($node, q{SELECT ratchet.enqueue('short', '1')});
	my $worker = start_ratchet($node, [ 'work', 'short', '--lease', '3 s', '--', 'sh', '-c', "touch $dir/began; while [ ! -e $dir/go ]; do sleep 0.1; done" ], @as_robot);
	wait_for('it has begun', sub { -e "$dir/began" });
	my $until = value($node, "SELECT lease_until FROM ratchet.tasks WHERE task_id = $task");
	wait_until($node, "SELECT lease_until > '$until'::timestamptz + interval '6 s' FROM ratchet.tasks WHERE task_id = $task", 'it was made longer, several times');
	is(value($node, q{SELECT count(*) FROM ratchet.claim('short')}), 0, 'nobody else gets it');
	value($node, "SELECT ratchet.cancel_task($task)");
	wait_for('the command of a task that was canceled is ended', sub { ratchet_log($worker) =~ /its task is in other hands/ });
	is(stop_ratchet($worker, 'TERM'), 0, 'and the consumer goes on until it is told');
};

promise 'SIGTERM lets what has begun finish, and begins nothing' => sub {
	unlink "$dir/began", "$dir/go";
	value($node, q{SELECT ratchet.enqueue_many('parcels', '{1,2,3}')});
	my $worker = start_ratchet($node, [ 'work', 'parcels', '--', 'sh', '-c', "touch $dir/began; while [ ! -e $dir/go ]; do sleep 0.1; done" ], @as_robot);
	wait_for('it has begun', sub { -e "$dir/began" });
	kill('TERM', $worker->{pid});
	wait_for('it has heard', sub { ratchet_log($worker) =~ /ending/ });
	write_text("$dir/go", '');
	is($worker->{run}->finish ? 0 : $worker->{run}->result(0), 0, 'it ends');
	is(value($node, q{SELECT count(*) FROM ratchet.tasks WHERE queue_name = 'parcels' AND state = 'ready'}), 2, 'two are left');
	value($node, q{SELECT count(ratchet.cancel_task(task_id)) FROM ratchet.tasks WHERE queue_name = 'parcels'});
};

promise 'the consumer outlives its connections and its server' => sub {
	my $worker = start_ratchet($node, [ 'work', 'parcels', '--', 'true' ], @as_robot);
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	wait_until($node, "SELECT state = 'completed' FROM ratchet.tasks WHERE task_id = $task", 'it works');
	value($node, q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'robot'});
	$task = value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	wait_until($node, "SELECT state = 'completed' FROM ratchet.tasks WHERE task_id = $task", 'after pg_terminate_backend');
	$node->restart;
	$task = value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	wait_until($node, "SELECT state = 'completed' FROM ratchet.tasks WHERE task_id = $task", 'after a restart');
	is(stop_ratchet($worker, 'TERM'), 0, 'it ends in order');
};

promise 'a command that takes too long is ended' => sub {
	my $task = value($node, q{SELECT ratchet.enqueue('parcels', '1')});
	run_ratchet($node, [ 'work', 'parcels', '--once', '--timeout', '300 ms', '--', 'sleep', '600' ], @as_robot);
	like(value($node, "SELECT error FROM ratchet.tasks WHERE task_id = $task"), qr/^it took longer than 0.3 s: killed by signal 15/, 'with the reason');
};

promise 'what is wrong is said, with the exit status that is meant for it' => sub {
	for ([ [ 'work', 'parcel', '--', 'true' ], 78, qr/Perhaps you mean/, 'robot' ],
		[ [ 'work', 'parcels', '--', 'true' ], 77, qr/42501/, 'nobody_here' ],
		[ ['work'], 64, qr/queue is required/, 'robot' ],
		[ [ 'work', 'parcels' ], 64, qr/command is required/, 'robot' ],
		[ [ 'work', 'parcels', '--lease', 'soon', '--', 'true' ], 78, qr/--lease: send.lease has to be a span/, 'robot' ],
		[ [ 'fly' ], 64, qr/./, 'robot' ])
	{
		my ($arguments, $expected, $pattern, $user) = @$_;
		my ($status, $out, $err) = run_ratchet($node, $arguments, user => $user);
		is($status, $expected, "ratchet @$arguments: $expected");
		like($err . $out, $pattern, '... and says why');
	}
};

promise 'passwords are not in the list of processes' => sub {
	my $worker = start_ratchet($node, [ 'work', 'parcels', '--dsn', 'password=hush-hush', '--', 'true' ], @as_robot);
	wait_for('it is there', sub { ratchet_log($worker) =~ /connected/ });
	unlike(slurp_file("/proc/$worker->{pid}/cmdline"), qr/hush/, 'its command line has stars');
	stop_ratchet($worker, 'TERM');
};

finish();
