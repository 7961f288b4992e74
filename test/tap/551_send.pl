# ratchet send: messages reach their receivers, once the transaction that sends them has committed, whatever is killed.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_base64);
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use RatchetProgram;
use RatchetTest;
use Test::More;

my $node = sender_node('main', conf => "max_connections = 60\n");
my $http = receiver('receive_http');
my $base = "http://127.0.0.1:$http->{port}";
my $key = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
my $folder = secret(hook_key => $key);
secret(slack_url => "$base/slack/T0/B0/secret-of-slack");
secret(hc_url => "$base/ping/6f1c1f0e-0000-4000-8000-000000000001");
my @send = ('send', '--secrets', $folder, '--allow-host', '127.0.0.1');

sub channel
{
	my ($name, $kind, $config) = @_;
	return value($node, "SELECT ratchet.create_channel('$name', '$kind', \$c\$$config\$c\$)");
}

sub message
{
	my ($channel, $subject, $body) = @_;
	return value($node, "SELECT ratchet.send('$channel', \$s\$$subject\$s\$, " . (defined $body ? "\$b\$$body\$b\$" : 'NULL') . ')');
}

sub paths { return map { $_->{path} } received($http) }

channel('hook', 'webhook', qq({"url": "$base/hook", "secret": {"secret": "hook_key"}, "headers": {"X-Team": "ops"}}));
channel('slack', 'slack', '{"url": {"secret": "slack_url"}}');
channel('checks', 'healthchecks', '{"url": {"secret": "hc_url"}}');
my $sender = start_ratchet($node, \@send);

promise 'a message is sent when its transaction has committed, and not before' => sub {
	value($node, q{BEGIN; SELECT ratchet.send('hook', 'never'); ROLLBACK});
	my $delivery = message('hook', 'Grüße', "two\nlines");
	my $ended = wait_ended($node, $delivery);
	is_deeply([ @$ended{qw(status attempts code error)} ], [ 'delivered', 1, 200, undef ], 'delivered');
	my $request = wait_received($http, 'it is there', sub { $_->{path} eq '/hook' });
	my $body = JSON::PP->new->decode($request->{body});
	is(utf8_bytes($body->{data}{subject}), 'Grüße', 'with its subject');
	is(scalar(grep { $_->{body} =~ /never/ } received($http)), 0, 'nothing of what was rolled back');
	my $headers = $request->{headers};
	is($headers->{'webhook-id'}, value($node, "SELECT message_id FROM ratchet.deliveries WHERE delivery_id = $delivery"), 'webhook-id');
	my $signed = hmac_sha256_base64(join('.', $headers->{'webhook-id'}, $headers->{'webhook-timestamp'}, utf8_bytes($request->{body})), decode_base64(substr($key, 6)));
	$signed .= '=' while length($signed) % 4;
	is($headers->{'webhook-signature'}, "v1,$signed", 'webhook-signature, as the receiver computes it');
	is($headers->{'x-team'}, 'ops', 'a header of the settings');
};

sub utf8_bytes { my ($text) = @_; utf8::encode($text); return $text }

promise 'Slack and Healthchecks get what their documentation asks for' => sub {
	is(wait_ended($node, message('slack', '<!channel> & co', 'body'))->{status}, 'delivered', 'Slack has taken it');
	my ($request) = grep { $_->{path} =~ /^\/slack/ } received($http);
	is(JSON::PP->new->decode($request->{body})->{text}, '&lt;!channel&gt; &amp; co', 'escaped');
	is(wait_ended($node, message('checks', 'a word', 'body'))->{status}, 'delivered', 'Healthchecks');
	ok((grep { $_ eq '/ping/6f1c1f0e-0000-4000-8000-000000000001/log' } paths()), 'what is no signal is logged');
};

promise 'what a receiver says is done: retried when it says, or final' => sub {
	channel('busy', 'webhook', qq({"url": "$base/busy/1/2"}));
	my $ended = wait_ended($node, message('busy', 'x'));
	is_deeply([ @$ended{qw(status attempts code)} ], [ 'delivered', 2, 200 ], 'Retry-After as seconds');
	my @times = map { $_->{time} } grep { $_->{path} eq '/busy/1/2' } received($http);
	cmp_ok($times[1] - $times[0], '>=', 1.9, 'not before');
	my @ids = map { $_->{headers}{'webhook-id'} } grep { $_->{path} eq '/busy/1/2' } received($http);
	is($ids[0], $ids[1], 'under the same id');
	channel('dated', 'webhook', qq({"url": "$base/busy/1/3/date"}));
	is(wait_ended($node, message('dated', 'x'))->{attempts}, 2, 'Retry-After as a date');
	@times = map { $_->{time} } grep { $_->{path} eq '/busy/1/3/date' } received($http);
	cmp_ok($times[1] - $times[0], '>=', 1.9, 'not before');
	for my $code (400, 404, 410, 422)
	{
		channel("gone$code", 'webhook', qq({"url": "$base/status/$code/no%20thanks"}));
		$ended = wait_ended($node, message("gone$code", 'x'));
		is_deeply([ @$ended{qw(status attempts code)} ], [ 'failed', 1, $code ], "$code is final");
		like($ended->{error}, qr/HTTP status $code.*no thanks/, 'with what was said');
	}
	channel('unknown_check', 'healthchecks', qq({"url": "$base/status/200/OK%20(not%20found)"}));
	is(wait_ended($node, message('unknown_check', 'x'))->{status}, 'failed', 'a check that is not there, although the status is 200');
};

promise 'secrets are in no error and no log, and may be exchanged at any time' => sub {
	secret(slack_url => "$base/status/404/secret-of-slack");
	my $ended = wait_ended($node, message('slack', 'x'));
	is($ended->{status}, 'failed', 'the new value is used');
	unlike($ended->{error}, qr/secret-of-slack|127/, 'and not shown');
	chmod 0644, "$folder/hook_key";
	my $delivery = message('hook', 'x');
	wait_until($node, "SELECT attempts > 0 AND error IS NOT NULL FROM ratchet.deliveries WHERE delivery_id = $delivery", 'a secret that others can read is not used');
	like(ended($node, $delivery)->{error}, qr/secret "hook_key": .*chmod 0600/, 'and why');
	chmod 0600, "$folder/hook_key";
	value($node, "SELECT ratchet.alter_channel('hook')");
	is(wait_ended($node, $delivery)->{status}, 'delivered', 'mended, it is sent');
	my $log = ratchet_log($sender);
	unlike($log, qr/secret-of-slack|whsec_|MfKQ9r8/, 'the log has none of it');
	unlike(PostgreSQL::Test::Utils::slurp_file("/proc/$sender->{pid}/cmdline"), qr/secret-of-slack/, 'nor the list of processes');
};

promise 'the sender outlives its connections and its server' => sub {
	value($node, q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'ratchet_sender'});
	is(wait_ended($node, message('hook', 'after terminate'))->{status}, 'delivered', 'after pg_terminate_backend');
	$node->restart;
	is(wait_ended($node, message('hook', 'after restart'))->{status}, 'delivered', 'after a restart');
	$node->stop('immediate');
	$node->start;
	is(wait_ended($node, message('hook', 'after crash'))->{status}, 'delivered', 'after a crash');
};

promise 'several senders share the work, and killing one loses nothing' => sub {
	my @others = map { start_ratchet($node, [ @send, '--lease', '3 s', '--at-once', '4' ]) } 1 .. 2;
	value($node, q{SELECT count(ratchet.send('hook', 'many ' || i)) FROM generate_series(1, 200) i});
	wait_received($http, 'they are at work', sub { $_->{body} =~ /many 2\d/ });
	is(stop_ratchet($others[0], 'KILL'), 'signal 9', 'one is killed');
	wait_until($node, q{SELECT count(*) = 200 FROM ratchet.deliveries WHERE message->>'subject' LIKE 'many %' AND status = 'delivered'}, 'all are delivered');
	my %seen;
	$seen{ $_->{headers}{'webhook-id'} }++ for grep { $_->{body} =~ /"many \d/ } received($http);
	is(scalar(keys %seen), 200, 'each has arrived');
	is(stop_ratchet($others[1], 'TERM'), 0, 'the other one ends in order');
};

promise 'a slow receiver delays nobody else' => sub {
	channel('slow', 'webhook', qq({"url": "$base/hang", "timeout": "8 s"}));
	my @slow = map { message('slow', "slow $_") } 1 .. 3;
	wait_received($http, 'they hang', sub { $_->{path} eq '/hang' });
	my $begun = Time::HiRes::time();
	is(wait_ended($node, message('hook', 'meanwhile'))->{status}, 'delivered', 'another one is sent');
	cmp_ok(Time::HiRes::time() - $begun, '<', within(6), 'meanwhile');
	wait_until($node, "SELECT bool_and(error LIKE '%timed out%') FROM ratchet.deliveries WHERE delivery_id IN (" . join(',', @slow) . ') AND attempts > 0', 'the slow ones are timed out');
};

promise 'SIGTERM lets what is on its way arrive' => sub {
	channel('shut', 'webhook', qq({"url": "$base/hang", "timeout": "3 s"}));
	my $delivery = message('shut', 'last');
	wait_received($http, 'it is on its way', sub { $_->{path} eq '/hang' && $_->{body} =~ /last/ });
	is(stop_ratchet($sender, 'TERM'), 0, 'it ends in order');
	isnt(ended($node, $delivery)->{status}, 'sending', 'and has told what became of it');
};

promise 'once, for those who call it themselves' => sub {
	my $delivery = message('hook', 'by hand');
	my ($status, $out, $err) = run_ratchet($node, [ @send, '--once', '--log-format', 'json' ]);
	is($status, 0, 'it ends') or diag($err);
	is(ended($node, $delivery)->{status}, 'delivered', 'and has sent it');
	is(scalar(grep { !eval { JSON::PP->new->utf8->decode($_) } } split(/\n/, $err)), 0, 'each line of the log is JSON');
};

promise 'what is wrong is said' => sub {
	value($node, 'CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA ratchet TO stranger');
	my ($status, $out, $err) = run_ratchet($node, [ 'send', '--once' ], user => 'stranger');
	is($status, 77, 'a role that may not send');
	($status, $out, $err) = run_ratchet($node, [ 'send', '--once', '--allow-host', 'http://x' ]);
	is($status, 78, 'a host that is none');
	like($err, qr/allow_hosts: "http:\/\/x" is no host/, 'and why');
	my $superuser = value($node, 'SELECT current_user');
	($status, $out, $err) = run_ratchet($node, [ @send, '--once' ], user => $superuser);
	like($err, qr/superuser.*grant_sender/, 'a superuser is warned');
	($status, $out, $err) = run_ratchet($node, [ 'check', '--secrets', $folder ], user => $superuser);
	is($status, 78, 'check says so, too');
	like($out, qr/^WRONG .*is a superuser/m, 'and what');
	unlink "$folder/hc_url";
	($status, $out, $err) = run_ratchet($node, [ 'check', '--secrets', $folder ]);
	like($out, qr/^WRONG secret "hc_url": there is no file/m, 'a secret that is missing');
	secret(hc_url => 'x');
	($status, $out, $err) = run_ratchet($node, [ 'check', '--secrets', $folder ]);
	is($status, 0, 'and when nothing is wrong, that') or diag($out);
};

finish();
