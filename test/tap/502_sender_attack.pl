# What senders, and roles that have channels, can do to others by odd texts, long leases, many names and transactions that
# stay open.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
my @postman = (user => 'postman');
my @shop = (user => 'shop');
my @mallory = (user => 'mallory');
my $url = q{'{"url": "https://hooks.example.org/x"}'};
value($node, q{
	CREATE ROLE shop LOGIN;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE postman LOGIN;
	CREATE ROLE chief LOGIN SUPERUSER;
	GRANT USAGE ON SCHEMA ratchet TO shop, mallory;
	SELECT ratchet.grant_sender('postman')});

promise 'what a sender says of itself is cut where a character ends' => sub {
	value($node, q{SELECT count(*) FROM ratchet.claim_deliveries('odd', client_version => repeat('é', 40), missing_secrets => ARRAY['xxxx'] || array_fill('é'::text, '{300}'))}, @postman);
	is(value($node, q{SELECT bool_and(convert_from(convert_to(detail, 'UTF8'), 'UTF8') = detail) FROM ratchet.status() WHERE component = 'sender'}), 't', 'ratchet.status() is text');
};

promise 'who waits is not forgotten for the names of others' => sub {
	my $waiting = session($node, @postman);
	$waiting->query_until(qr/asked/, "\\echo asked\nSELECT count(*) FROM ratchet.claim_deliveries('patient', wait => '10 minutes');\n");
	my $is_seen = q{SELECT count(*) = 1 FROM ratchet.status() WHERE component = 'sender' AND state = 'waiting' AND detail LIKE '"patient"%'};
	wait_until($node, $is_seen, 'it waits');
	value($node, "SELECT count(*) FROM ratchet.claim_deliveries('name $_')", @postman) for 1 .. 40;
	is(value($node, $is_seen), 't', 'and is still known');
	value($node, q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%patient%' AND pid <> pg_backend_pid()});
	$waiting->quit;
};

promise 'of a dead channel of a superuser no other role hears' => sub {
	my $die = q{SELECT ratchet.end_delivery(delivery_id, token, 'failed', 404, 'what the receiver says') FROM ratchet.claim_deliveries('p') WHERE channel_name = 'chief'};
	my $told = q{SELECT string_agg(channel_name, ',' ORDER BY delivery_id) FROM ratchet.deliveries WHERE subject LIKE '%takes no messages%'};
	value($node, "SELECT ratchet.create_channel('early', 'webhook', $url)", @mallory);
	value($node, "SELECT ratchet.create_channel('chief', 'webhook', $url), ratchet.send('chief', 'one')");
	value($node, $die, @postman);
	is(value($node, $told), '', 'the channel of another role is not told');
	value($node, "SELECT ratchet.alter_channel('chief'), ratchet.create_channel('next', 'webhook', $url), ratchet.send('chief', 'two')", user => 'chief');
	value($node, $die, @postman);
	is(value($node, $told), 'next', 'that of another superuser is');
	value($node, q{SELECT ratchet.alter_channel('chief'), ratchet.create_alert('both', '{chief,early}'), ratchet.send('chief', 'three')});
	value($node, $die, @postman);
	is(value($node, $told), 'next,early', 'and one that a superuser has put beside it');
};

promise 'no message is left of a channel that is dropped beside it' => sub {
	value($node, "SELECT ratchet.create_channel('brief', 'webhook', $url)", @shop);
	my $sending = session($node, @shop);
	$sending->query_safe(q{BEGIN; SELECT ratchet.send('brief', 'first')});
	psql_fails($node, q{SELECT ratchet.drop_channel('brief')}, qr/ERROR:  55P03: channel "brief" is being used by other transactions/, 'not while somebody sends to it', @shop);
	$sending->query_safe('COMMIT');
	my $dropping = session($node, @shop);
	$dropping->query_safe(q{BEGIN; SELECT ratchet.drop_channel('brief')});
	$sending->query_until(qr/asked/, "\\echo asked\nSELECT ratchet.send('brief', 'second');\n");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 8 AND NOT granted}, 'who sends waits for who drops it');
	$dropping->query_safe('COMMIT');
	$_->quit for $sending, $dropping;
	is(value($node, q{SELECT count(*) FROM ratchet.delivery WHERE channel_name = 'brief'}), 0, 'nothing is left');
};

promise 'a request is leased for a day, not for ever' => sub {
	value($node, q{SELECT ratchet.create_queue('crm', http => '{"url": "https://crm.example.org"}'); SELECT ratchet.enqueue('crm', '1')}, @shop);
	psql_fails($node, q{SELECT * FROM ratchet.claim('crm', lease => '100 years')}, qr/ERROR:  22023: lease of a task that is a request/, 'claimed', @postman);
	my ($task, $token) = split /\|/, value($node, q{SELECT task_id, token FROM ratchet.claim('crm', lease => '1 day')}, @postman);
	psql_fails($node, "SELECT ratchet.extend($task, $token, '100 years')", qr/ERROR:  22023: lease of a task that is a request/, 'or prolonged', @postman);
	value($node, "SELECT ratchet.extend($task, $token, '1 minute')", @postman);
};

promise 'who has lost the right to deliver while it waits gets nothing' => sub {
	value($node, q{SELECT count(ratchet.end_delivery(delivery_id, token, 'delivered')) FROM ratchet.claim_deliveries('p')}, @postman);
	value($node, "SELECT ratchet.create_channel('news', 'webhook', $url)", @shop);
	my $waiting = session($node, @postman);
	$waiting->query_until(qr/asked/, "\\echo asked\nSELECT message ->> 'subject' FROM ratchet.claim_deliveries('thief', wait => '10 minutes');\n\\echo answered\n");
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.status() WHERE component = 'sender' AND state = 'waiting' AND detail LIKE '"thief"%'}, 'it waits');
	value($node, q{SELECT ratchet.revoke_sender('postman')});
	my $delivery = value($node, q{SELECT ratchet.send('news', 'not for thieves')}, @shop);
	unlike($waiting->query_until(qr/answered/, ''), qr/not for thieves/, 'it is not told');
	$waiting->quit;
	is(value($node, "SELECT status FROM ratchet.deliveries WHERE delivery_id = $delivery"), 'waiting', 'the message waits');
	value($node, q{SELECT ratchet.grant_sender('postman')});
};

promise 'who has lost the right to claim while it waits gets no task' => sub {
	value($node, q{SELECT ratchet.create_queue('orders', consumers => '{mallory}')}, @shop);
	my $waiting = session($node, @mallory);
	$waiting->query_until(qr/asked/, "\\echo asked\nSELECT 'got ' || payload::text FROM ratchet.claim('orders', wait => '10 minutes');\n\\echo answered\n");
	wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'mallory' AND state = 'active' AND wait_event_type = 'Extension'}, 'it waits');
	value($node, q{SELECT ratchet.alter_queue('orders', reset => '{consumers}'); SELECT ratchet.enqueue('orders', '7')}, @shop);
	unlike($waiting->query_until(qr/answered/, ''), qr/got/, 'it is not given');
	$waiting->quit;
	is(value($node, q{SELECT payload FROM ratchet.claim('orders', wait => '3 minutes')}, @shop), '7', 'but to who may have it');
};

finish();
