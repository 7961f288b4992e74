# Queues whose tasks are requests, which ratchet send makes.

use strict;
use warnings;

use JSON::PP ();
use RatchetProgram;
use RatchetTest;
use Test::More;

my $node = sender_node('main', conf => "max_connections = 60\n");
my $http = receiver('receive_http');
my $base = "http://127.0.0.1:$http->{port}";
my $folder = secret(crm_token => 'Bearer token-of-crm');
my $sender = start_ratchet($node, [ 'send', '--secrets', $folder, '--allow-host', '127.0.0.1' ]);

sub queue
{
	my ($name, $config, $options) = @_;
	return value($node, "SELECT ratchet.create_queue('$name', http => '$config', retention => '1 day'" . (defined $options ? ", $options" : '') . ')');
}

sub task
{
	my ($queue, $payload) = @_;
	return value($node, "SELECT ratchet.enqueue('$queue', \$p\$$payload\$p\$)");
}

sub wait_task
{
	my ($task, $states) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until($node, "SELECT state IN ($states) FROM ratchet.tasks WHERE task_id = $task");
	return row($node, "SELECT state, error, attempts, result FROM ratchet.tasks WHERE task_id = $task");
}

promise 'a task is a request, and its answer the result' => sub {
	queue('crm', qq({"url": "$base/status/201/made", "method": "PUT", "timeout": "10 s", "headers": {"X-Source": "shop"}, "secret_headers": {"Authorization": "crm_token"}}));
	my $task = task('crm', '{"id": 5, "name": "Größe"}');
	my $ended = wait_task($task, q{'completed', 'dead'});
	is($ended->{state}, 'completed', 'completed') or diag($ended->{error});
	is($ended->{result}{status}, 201, 'status');
	is($ended->{result}{body}, 'made', 'body');
	my $request = wait_received($http, 'it was made', sub { $_->{method} eq 'PUT' });
	like($request->{body}, qr/"id": 5.*"Gr\x{f6}\x{df}e"/, 'the payload');
	is($request->{headers}{authorization}, 'Bearer token-of-crm', 'a header that is a secret');
	is($request->{headers}{'x-source'}, 'shop', 'and one that is none');
	is($request->{headers}{'idempotency-key'}, qq("crm-$task"), 'the same key in each attempt');
	unlike(value($node, 'SELECT string_agg(q::text, $$ $$) FROM ratchet.queues q'), qr/token-of-crm/, 'the server does not know the secret');
};

promise 'an answer decides: later, as it says, or never' => sub {
	queue('busy', qq({"url": "$base/busy/1/2"}));
	my $task = task('busy', '1');
	my $ended = wait_task($task, q{'completed', 'dead'});
	is($ended->{state}, 'completed', 'after Retry-After');
	my @times = map { $_->{time} } grep { $_->{path} eq '/busy/1/2' } received($http);
	cmp_ok($times[1] - $times[0], '>=', 1.9, 'not before');
	queue('gone', qq({"url": "$base/status/404/no%20such%20contact"}));
	$ended = wait_task(task('gone', '1'), q{'completed', 'dead'});
	is($ended->{state}, 'dead', '404 is final');
	like($ended->{error}, qr/HTTP status 404: no such contact/, 'with what was said');
	queue('large', qq({"url": "$base/big"}));
	$ended = wait_task(task('large', '1'), q{'completed', 'dead'});
	is(length($ended->{result}{body}), 8000, 'a large answer is cut');
};

promise 'a slow receiver delays its own queue alone, and connections are used again' => sub {
	queue('slow', qq({"url": "$base/hang", "timeout": "5 s"}), q{concurrency => 2});
	value($node, q{SELECT ratchet.enqueue_many('slow', '{1,2,3,4}')});
	wait_received($http, 'they hang', sub { $_->{path} eq '/hang' });
	value($node, q{SELECT ratchet.enqueue_many('crm', (SELECT array_agg(to_jsonb(i)) FROM generate_series(1, 50) i))});
	wait_until($node, q{SELECT count(*) >= 51 FROM ratchet.tasks WHERE queue_name = 'crm' AND state = 'completed'}, 'the others are done');
	is(value($node, q{SELECT count(*) FROM ratchet.tasks WHERE queue_name = 'slow' AND state = 'completed'}), 0, 'before those');
	my %connections = map { $_->{connection} => 1 } grep { $_->{path} =~ /^\/status\/201/ } received($http);
	cmp_ok(scalar(keys %connections), '<', 30, 'over few connections');
};

promise 'kill -9 of the sender loses no task' => sub {
	value($node, q{SELECT ratchet.alter_queue('crm', lease => '3 s')});
	value($node, q{SELECT ratchet.enqueue_many('crm', (SELECT array_agg(to_jsonb(1000 + i)) FROM generate_series(1, 200) i))});
	wait_received($http, 'it is at work', sub { $_->{body} =~ /^10[2-9]\d$/ });
	stop_ratchet($sender, 'KILL');
	$sender = start_ratchet($node, [ 'send', '--secrets', $folder, '--allow-host', '127.0.0.1' ]);
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.tasks WHERE queue_name = 'crm' AND state <> 'completed'}, 'another one does them all');
	my %done = map { $_->{body} => 1 } grep { $_->{body} =~ /^1[01]\d\d$|^1200$/ } received($http);
	is(scalar(keys %done), 200, 'each was made');
	is(stop_ratchet($sender, 'TERM'), 0, 'it ends in order');
};

promise 'a sender claims queues that are requests, and no others' => sub {
	value($node, q{SELECT ratchet.create_queue('private')});
	value($node, q{SELECT ratchet.enqueue('private', '1')});
	psql_fails($node, q{SELECT * FROM ratchet.claim('private')}, qr/42501/, 'another queue', user => 'ratchet_sender');
};

finish();
