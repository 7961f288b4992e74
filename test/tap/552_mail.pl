# Mail, sent to a mail server on this host: what arrives, and what is made of what it answers.

use strict;
use warnings;

use RatchetProgram;
use RatchetTest;
use Test::More;

my $node = sender_node('main');
my ($certificate, $private) = certificate('DNS:localhost,IP:127.0.0.1');
my ($of_another) = my @another = certificate('DNS:mail.example.com');
my $folder = secret(mail_password => 'word-of-mail');
my @tls = ("certificate=$certificate", "key=$private");
my $sender = start_ratchet($node, [ 'send', '--secrets', $folder, '--allow-host', 'localhost', '--allow-host', '127.0.0.1', '--ca-file', $certificate, '--log-level', 'debug' ]);
my $number = 0;

# A channel to that server, a message through it, and what became of that.
sub mail
{
	my ($server, $config, $subject, $body) = @_;
	my $channel = 'mail' . ++$number;
	value($node, qq(SELECT ratchet.create_channel('$channel', 'email', '{"to": ["dba\@example.com"], "from": "watch\@example.com", "host": "localhost", "timeout": "5 s"}'
		|| jsonb_build_object('port', $server->{port}) || '$config')));
	return value($node, "SELECT ratchet.send('$channel', \$s\$$subject\$s\$, \$b\$" . ($body // '') . "\$b\$)");
}

sub ending { my $ended = wait_ended($node, mail(@_)); return join('|', map { $_ // '' } @$ended{qw(status attempts code error)}) }

promise 'STARTTLS with user and password' => sub {
	my $server = receiver('receive_mail', @tls, 'tls=starttls', 'user=robot', 'password=word-of-mail');
	is(ending($server, '{"user": "robot", "password": {"secret": "mail_password"}}', 'Grüße aus der Nacht €', "first\n.\n..dots\nFrom here\nßßß"), 'delivered|1|250|', 'delivered');
	my ($mail) = received($server);
	ok($mail->{tls} && $mail->{authenticated}, 'over TLS, as somebody');
	is_deeply([ $mail->{from}, $mail->{to} ], [ 'watch@example.com', ['dba@example.com'] ], 'from and to');
	my $parsed = parsed($mail->{content});
	is($parsed->{subject}, 'Grüße aus der Nacht €', 'the subject, decoded by another program');
	like($parsed->{plain}, qr/^first\n\.\n\.\.dots\nFrom here\nßßß$/m, 'the text, with its dots');
	like($parsed->{html}, qr/<h2>Gr/, 'and as HTML');
	like($mail->{content}, qr/^Message-ID: <[0-9a-f-]{36}\@example\.com>\r?$/m, 'Message-ID');
	unlike($mail->{content}, qr/[^\r]\n|\r[^\n]/, 'lines end in CR LF');
	is(join('', map { $_->{data} } @{ $parsed->{defects} }), '', 'nothing is wrong with it');
	secret(wrong_password => 'wrong-word');
	like(ending($server, '{"user": "robot", "password": {"secret": "wrong_password"}}', 'x'), qr/^failed\|1\|535\|/, 'a wrong password is final');
	is(scalar(received($server)), 1, 'nothing was sent');
};

# As Python's mail library reads it, which is not ours.
sub parsed
{
	my ($content) = @_;
	my $program = <<'PYTHON';
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)
print(json.dumps({"subject": m["subject"], "headers": m.keys(), "plain": m.get_body(("plain",)).get_content().replace("\r\n", "\n"), "html": m.get_body(("html",)).get_content(),
  "defects": [{"data": str(d)} for p in m.walk() for d in p.defects]}))
PYTHON
	utf8::encode($content);
	my ($out, $err) = ('', '');
	IPC::Run::run([ '/usr/bin/python3', '-c', $program ], '<', \$content, '>', \$out, '2>', \$err) or die $err;
	my $parsed = JSON::PP->new->decode($out);
	utf8::encode($parsed->{$_}) for qw(subject plain html);
	return $parsed;
}

promise 'TLS from the first byte on' => sub {
	my $server = receiver('receive_mail', @tls, 'tls=tls', 'user=robot', 'password=word-of-mail');
	is(ending($server, '{"tls": "tls", "user": "robot", "password": {"secret": "mail_password"}}', 'x'), 'delivered|1|250|', 'delivered');
};

promise 'nothing is sent in the open when TLS is wanted, nor without authentication when there is a user' => sub {
	my $server = receiver('receive_mail');
	my $delivery = mail($server, '{}', 'x');
	wait_until($node, "SELECT attempts > 0 AND error IS NOT NULL FROM ratchet.deliveries WHERE delivery_id = $delivery", 'a server without STARTTLS');
	my $name = receiver('receive_mail', "certificate=$another[0]", "key=$another[1]", 'tls=starttls');
	$delivery = mail($name, '{}', 'x');
	wait_until($node, "SELECT attempts > 0 AND error IS NOT NULL FROM ratchet.deliveries WHERE delivery_id = $delivery", 'a certificate for another name');
	my $open = receiver('receive_mail', @tls, 'tls=starttls', 'everybody=welcome');
	like(ending($open, '{"user": "robot", "password": {"secret": "mail_password"}}', 'x'), qr/^failed\|1\|[^|]*\|.*does not offer the authentication/, 'a server that asks nobody who they are');
	is(scalar(map { received($_) } $server, $name, $open), 0, 'none of them got anything');
};

promise 'one who is not known there does not keep it from the others' => sub {
	my $server = receiver('receive_mail', 'refuse=gone@example.com');
	like(ending($server, '{"tls": "none", "to": ["gone@example.com", "dba@example.com"]}', 'x'),
		qr/^delivered\|1\|250\|not to all: gone\@example\.com: 550 5\.1\.1 no such user here$/, 'delivered, and who was refused');
	is_deeply((received($server))[0]{to}, ['dba@example.com'], 'to the other one');
	like(ending($server, '{"tls": "none", "to": ["gone@example.com"]}', 'x'), qr/^failed\|1\|550\|gone\@example\.com: 550/, 'all of them refused');
};

promise 'a mail server that says later is asked later, and one that says no is not' => sub {
	my $server = receiver('receive_mail', 'defer=dba@example.com');
	my $delivery = mail($server, '{"tls": "none"}', 'x');
	wait_until($node, "SELECT attempts > 0 AND code = 451 AND status = 'waiting' OR attempts > 1 FROM ratchet.deliveries WHERE delivery_id = $delivery", 'greylisting');
	$server = receiver('receive_mail', 'data=554 5.7.1 spam');
	like(ending($server, '{"tls": "none"}', 'x'), qr/^failed\|1\|554\|554 5\.7\.1 spam/, 'a refusal of the message');
	$server = receiver('receive_mail', 'data=452 4.3.1 disk full');
	$delivery = mail($server, '{"tls": "none"}', 'x');
	wait_until($node, "SELECT code = 452 AND error ~ 'disk full' FROM ratchet.deliveries WHERE delivery_id = $delivery", 'a disk that is full');
};

promise 'a mail server that hangs at the end delays nobody' => sub {
	my $slow = receiver('receive_mail', 'stall=100');
	my $quick = receiver('receive_mail');
	my $delivery = mail($slow, '{"tls": "none", "timeout": "3 s"}', 'x');
	wait_until($node, "SELECT attempts > 0 FROM ratchet.deliveries WHERE delivery_id = $delivery", 'it is on its way');
	my $begun = Time::HiRes::time();
	like(ending($quick, '{"tls": "none"}', 'x'), qr/^delivered/, 'another one is sent');
	wait_until($node, "SELECT error ~* 'time' FROM ratchet.deliveries WHERE delivery_id = $delivery", 'the slow one is timed out');
	like(ending($quick, '{"tls": "none"}', 'x'), qr/^delivered/, 'and another one');
	cmp_ok(Time::HiRes::time() - $begun, '<', within(20), 'without waiting for its farewell');
};

promise 'nobody adds a field to a mail, whatever a message says' => sub {
	my $server = receiver('receive_mail');
	my ($status) = $node->psql('postgres', "SELECT ratchet.create_channel('evil', 'email', jsonb_build_object('to', ARRAY['dba\@example.com'], 'from', 'watch\@example.com',
		'host', 'localhost', 'tls', 'none', 'port', $server->{port}, 'subject_prefix', E'x\\r\\nBcc: a\@example.com'))");
	my @subjects = ("E'x\\r\\nBcc: victim\@example.com'", "E'x\\nBcc: victim\@example.com\\n\\n<b>'", "E'=?UTF-8?B?DQpCY2M6IHZpY3RpbUBleGFtcGxlLmNvbQ==?='");
	value($node, qq(SELECT ratchet.create_channel('named', 'email', '{"to": ["dba\@example.com"], "from": "watch\@example.com", "host": "localhost", "tls": "none", "port": $server->{port}}')));
	for my $channel ('named', $status == 0 ? 'evil' : ())
	{
		# The server may refuse it, which is as good.
		$node->psql('postgres', "SELECT ratchet.send('$channel', $_, E'body\\r\\nBcc: victim\@example.com')") for @subjects;
	}
	is(wait_ended($node, value($node, q{SELECT ratchet.send('named', 'the last')}))->{status}, 'delivered', 'all are sent');
	wait_until($node, q{SELECT count(*) = 0 FROM ratchet.deliveries WHERE channel_name IN ('named', 'evil') AND status NOT IN ('delivered', 'failed')});
	for my $mail (received($server))
	{
		my $parsed = parsed($mail->{content});
		is(scalar(grep { /^bcc$/i } @{ $parsed->{headers} }), 0, 'no such field');
		is_deeply($mail->{to}, ['dba@example.com'], 'nor recipient');
		unlike($parsed->{subject}, qr/[\r\n]/, 'nor line in the subject');
	}
};

is(stop_ratchet($sender, 'TERM'), 0, 'the sender ends in order');
unlike(ratchet_log($sender), qr/word-of-mail|wrong-word/, 'its log has no password');
finish();
