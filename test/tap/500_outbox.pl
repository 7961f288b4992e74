# Messages on their way: what is sent in a transaction, how senders take it, and what becomes of it. There is no
# program here: who sends is this test, by SQL.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
value($node, q{
	CREATE ROLE shop LOGIN;
	CREATE ROLE till LOGIN IN ROLE shop;
	CREATE ROLE other LOGIN;
	CREATE ROLE postman LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO shop, other;
	SELECT ratchet.grant_sender('postman');
	CREATE TABLE receipt (delivery_id bigint, what text);
	GRANT ALL ON receipt TO PUBLIC});
value($node, q{
	SELECT ratchet.create_channel('ops', 'webhook', '{"url": "https://hooks.example.org/x"}');
	SELECT ratchet.create_channel('spare', 'email', '{"to": "a@example.org", "from": "b@example.org", "host": "mail.example.org"}');
	SELECT ratchet.create_channel('chat', 'slack', '{"url": {"secret": "slack_ops"}, "rate": "2 per hour"}')}, user => 'shop');

sub claim
{
	my ($arguments, %params) = @_;
	return value($node, "SELECT string_agg(delivery_id || ' ' || token, E'\\n' ORDER BY delivery_id) FROM ratchet.claim_deliveries('test'" . ($arguments ? ", $arguments" : '') . ')',
		user => 'postman', %params);
}

sub sent
{
	my ($channel, $subject, $more) = @_;
	return value($node, "SELECT ratchet.send('$channel', '$subject'" . ($more ? ", $more" : '') . ')', user => 'shop');
}

sub is_row
{
	my ($delivery, $columns, $expected, $name) = @_;
	is(value($node, "SELECT concat_ws(' ', $columns) FROM ratchet.deliveries WHERE delivery_id = $delivery"), $expected, $name);
	return;
}

sub ended
{
	my ($claimed, $more) = @_;
	my ($delivery, $token) = split / /, $claimed;
	value($node, "SELECT ratchet.end_delivery($delivery, $token, $more)", user => 'postman');
	return $delivery;
}

promise 'a message is sent when its transaction commits, and not otherwise' => sub {
	value($node, q{BEGIN; SELECT ratchet.send('ops', 'undone'); ROLLBACK}, user => 'shop');
	is(claim(), '', 'rolled back: nothing');
	my $delivery = sent('ops', 'done', q{'body', '{"a": 1}'});
	my $row = value($node, q{SELECT concat_ws('|', delivery_id, channel_name, kind, config, attempt, message ->> 'subject', message ->> 'body', message -> 'details', message ->> 'notice',
		message ->> 'type', message ->> 'database', message ->> 'sender', message_id::text = message ->> 'episode') FROM ratchet.claim_deliveries('test')}, user => 'postman');
	is($row, qq{$delivery|ops|webhook|{"url": "https://hooks.example.org/x"}|1|done|body|{"a": 1}|send|incident|postgres|shop|t}, 'committed: this');
	is(claim(), '', 'nobody else gets it');
	is_row($delivery, 'status, sender', 'sending test', 'it is being sent');
	value($node, "SELECT ratchet.end_delivery($delivery, token, 'delivered', 200) FROM ratchet.delivery WHERE delivery_id = $delivery");
	is_row($delivery, 'status, code, next_try_at', 'delivered 200', 'and delivered');
};

promise 'with a unique_key it is sent once' => sub {
	my $first = sent('ops', 'once', q{unique_key => 'k'});
	is(sent('ops', 'twice', q{unique_key => 'k'}), $first, 'the same one');
	my $waiting = session($node, user => 'shop');
	$waiting->query_safe(q{BEGIN; SELECT ratchet.send('ops', 'third', unique_key => 'l')});
	my $background = session($node, user => 'shop');
	$background->query_until(qr/asked/, "\\echo asked\nSELECT 'third ' || ratchet.send('ops', 'fourth', unique_key => 'l');\n");
	wait_until($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%fourth%' AND pid <> pg_backend_pid()}, 'who comes second waits');
	$waiting->query_safe('ROLLBACK');
	$background->query_safe('SELECT 1');
	$background->quit;
	$waiting->quit;
	is(value($node, q{SELECT string_agg(subject, ',' ORDER BY delivery_id) FROM ratchet.deliveries WHERE unique_key IN ('k', 'l')}), 'once,fourth', 'and is sent when the first one was not');
	ended($_, q{'delivered'}) for split /\n/, claim();
};

promise 'a token of an attempt that is over is good for nothing' => sub {
	my $delivery = sent('ops', 'stale');
	my $old = (split / /, claim(q{lease => '1 second'}))[1];
	my $new = '';
	wait_until($node, "SELECT next_try_at <= clock_timestamp() FROM ratchet.delivery WHERE delivery_id = $delivery", 'its lease is over');
	$new = (split / /, claim())[1];
	isnt($new, $old, 'somebody else has it');
	psql_fails($node, "SELECT ratchet.end_delivery($delivery, $old, 'delivered')", qr/ERROR:  55000: .*is not in the hands of this sender/, 'the first one cannot end it', user => 'postman');
	psql_fails($node, "SELECT ratchet.extend_delivery($delivery, $old, '1 minute')", qr/ERROR:  55000: /, 'nor prolong it', user => 'postman');
	psql_fails($node, "BEGIN; INSERT INTO receipt VALUES ($delivery, 'lost'); SELECT ratchet.end_delivery($delivery, $old, 'delivered'); COMMIT", qr/ERROR:  55000: /, 'what it has done is undone', user => 'postman');
	is(value($node, 'SELECT count(*) FROM receipt'), 0, 'indeed');
	is_row($delivery, 'attempts', '2', 'its second attempt');
	value($node, "SELECT ratchet.extend_delivery($delivery, $new, '1 hour')", user => 'postman');
	ended("$delivery $new", q{'delivered'});
	psql_fails($node, "SELECT ratchet.end_delivery($delivery, $new, 'delivered')", qr/ERROR:  55000: /, 'nor is it ended twice', user => 'postman');
	psql_fails($node, 'SELECT ratchet.end_delivery(NULL, 1, $$delivered$$)', qr/ERROR:  22004: /, 'null is none', user => 'postman');
	psql_fails($node, "SELECT ratchet.end_delivery($delivery, $new, 'perhaps')", qr/ERROR:  22023: invalid value for outcome/, 'there are three outcomes', user => 'postman');
};

promise 'what fails is tried again later, and what the receiver asks for is honoured' => sub {
	my $delivery = sent('ops', 'again');
	ended(claim(), q{'retry', 503, 'no answer'});
	is_row($delivery, 'status, code, error', 'waiting 503 no answer', 'it waits');
	is(value($node, "SELECT next_try_at - ended_at BETWEEN '9 seconds' AND '14 seconds' FROM (SELECT next_try_at, (tries -> 0 ->> 'at')::timestamptz AS ended_at FROM ratchet.deliveries WHERE delivery_id = $delivery) t"), 't', 'for ten seconds or so');
	is(claim(), '', 'and is not given before');
	value($node, "UPDATE ratchet.delivery SET next_try_at = now() WHERE delivery_id = $delivery");
	ended(claim(), q{'retry', 429, 'slowly', '10 minutes'});
	is(value($node, "SELECT next_try_at > now() + '9 minutes' FROM ratchet.deliveries WHERE delivery_id = $delivery"), 't', 'for as long as it was told');
	my $other = sent('ops', 'behind');
	is(claim(), '', 'and so does all that goes there');
	is(value($node, q{SELECT state FROM ratchet.channels WHERE channel_name = 'ops'}), 'resting', 'the channel rests');
	value($node, q{SELECT ratchet.alter_channel('ops')}, user => 'shop');
	ended($_, q{'delivered', 200}) for split /\n/, claim();
	value($node, "UPDATE ratchet.delivery SET next_try_at = now() WHERE delivery_id = $delivery");
	ended(claim(), q{'delivered', 200});
	is_row($delivery, q{status, attempts, jsonb_path_query_array(tries, '$[*].code')}, 'delivered 3 [503, 429, 200]', 'each attempt is told of');
};

promise 'a rate holds, and one channel does not wait for another one' => sub {
	sent('chat', "hello $_") for 1 .. 5;
	my @chat = split /\n/, claim();
	is(scalar @chat, 2, 'two an hour');
	is(claim(), '', 'and no more');
	my $ops = sent('ops', 'beside');
	my @rest = split /\n/, claim();
	is(scalar @rest, 1, 'another channel goes on');
	ended($_, q{'delivered'}) for @chat, @rest;
};

promise 'who lacks a secret gets nothing that needs it' => sub {
	value($node, q{SELECT ratchet.alter_channel('chat', '{"url": {"secret": "slack_ops"}}')}, user => 'shop');
	is(claim(q{missing_secrets => '{slack_ops}'}), '', 'it stays');
	is(value($node, q{SELECT count(*) FROM ratchet.status() WHERE component = 'sender' AND detail LIKE '%slack_ops%'}), 1, 'ratchet.status() names it');
	isnt(claim(), '', 'another one may have it');
	value($node, q{SELECT ratchet.drop_channel('chat')}, user => 'shop');
};

promise 'a receiver that refuses for good is dead, and another channel tells of it' => sub {
	my $delivery = sent('ops', 'nobody there');
	my ($claimed) = grep { /^$delivery / } split /\n/, claim();
	ended($claimed, q{'failed', 404, 'not found'});
	is_row($delivery, 'status, code', 'failed 404', 'the message has failed');
	is(value($node, q{SELECT state || ' ' || last_error FROM ratchet.channels WHERE channel_name = 'ops'}), 'dead not found', 'the channel is dead');
	is(value($node, q{SELECT count(*) FROM ratchet.status() WHERE component = 'channel' AND state = 'dead' AND detail LIKE '%"ops"%'}), 1, 'ratchet.status() says so');
	is(value($node, q{SELECT channel_name || ': ' || subject FROM ratchet.deliveries ORDER BY delivery_id DESC LIMIT 1}), 'spare: channel ops takes no messages any more', 'and another channel');
	my $later = sent('ops', 'later');
	ok(!grep({ /^$later / } split /\n/, claim()), 'what is sent to it waits');
	my $test = value($node, q{SELECT ratchet.test_channel('ops')}, user => 'shop');
	ended($_, q{'delivered'}) for split /\n/, claim();
	is(value($node, q{SELECT state FROM ratchet.channels WHERE channel_name = 'ops'}), 'working', 'a test that is delivered wakes it');
	ended($_, q{'delivered'}) for split /\n/, claim();
	is_row($_, 'status', 'delivered', 'and what has waited goes') for $later, $test;
};

promise 'a channel that does not answer is tried with one message at a time' => sub {
	my @all = map { sent('ops', "storm $_") } 1 .. 10;
	my @claimed = split /\n/, claim();
	ended($_, q{'retry', 503, 'no'}) for @claimed;
	is(value($node, q{SELECT state FROM ratchet.channels WHERE channel_name = 'ops'}), 'resting', 'it rests');
	value($node, q{UPDATE ratchet.delivery SET next_try_at = now() WHERE next_try_at IS NOT NULL AND status = 'waiting'; UPDATE ratchet.channel SET rests_until = NULL});
	@claimed = split /\n/, claim();
	is(scalar @claimed, 1, 'then one is tried');
	is(claim(), '', 'and none beside it');
	ended($claimed[0], q{'delivered'});
	@claimed = split /\n/, claim();
	is(scalar @claimed, 9, 'it is back');
	my ($ids, $tokens) = (join(',', map { (split / /)[0] } @claimed), join(',', map { (split / /)[1] } @claimed));
	my $outcomes = join ',', map { 'delivered' } @claimed;
	psql_fails($node, "SELECT ratchet.end_deliveries('{$ids}', '{$tokens}', '{delivered}')", qr/ERROR:  22023: outcomes must have as many/, 'as many outcomes as deliveries', user => 'postman');
	value($node, "SELECT ratchet.end_deliveries('{$ids}', '{$tokens}', '{$outcomes}', errors => array_fill(NULL::text, '{9}'))", user => 'postman');
	is(value($node, "SELECT count(*) FROM ratchet.deliveries WHERE subject LIKE 'storm%' AND status = 'delivered'"), 10, 'all at once');
};

promise 'who waits hears of a commit at once' => sub {
	my $waiting = session($node, user => 'postman');
	$waiting->query_until(qr/asked/, "\\echo asked\nSELECT message ->> 'subject' FROM ratchet.claim_deliveries('waiting', wait => '3 minutes');\n\\echo answered\n");
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.status() WHERE component = 'sender' AND state = 'waiting'}, 'it waits');
	my $before = time;
	sent('ops', 'wake up');
	my $answer = $waiting->query_until(qr/answered/, "");
	like($answer, qr/wake up/, 'it gets the message');
	cmp_ok(time - $before, '<', within(8), 'and did not wait for the next look');
	$waiting->quit;
};

promise 'a crash of the sender or of the server loses nothing' => sub {
	my $delivery = sent('ops', 'crash');
	my $claimed = claim(q{lease => '2 seconds'});
	$node->stop('immediate');
	$node->start;
	is_row($delivery, 'status, attempts', 'sending 1', 'that it was claimed is known');
	wait_until($node, "SELECT next_try_at <= clock_timestamp() FROM ratchet.delivery WHERE delivery_id = $delivery", 'its lease is over');
	my $again = claim();
	like($again, qr/^$delivery /m, 'it is given again');
	is(value($node, "SELECT count(DISTINCT message_id) FROM ratchet.deliveries WHERE delivery_id = $delivery"), 1, 'with its number');
	ended($_, q{'delivered'}) for split /\n/, $again;
};

promise 'what waits goes when its channel is dropped' => sub {
	my $delivery = sent('ops', 'gone');
	value($node, q{SELECT ratchet.drop_channel('ops')}, user => 'till');
	is(value($node, "SELECT count(*) FROM ratchet.deliveries WHERE delivery_id = $delivery"), 0, 'it is gone');
};

finish();
