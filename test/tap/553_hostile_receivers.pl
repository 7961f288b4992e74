# Receivers, names and URLs that mean harm: what the sender connects to, and how much of a receiver's time and bytes it takes.

use strict;
use warnings;

use RatchetProgram;
use RatchetTest;
use Test::More;

my $node = sender_node('main');
my $http = receiver('receive_http');
my ($certificate, $private) = certificate('DNS:localhost,IP:127.0.0.1');
my @another = certificate('DNS:hooks.example.com');
my $number = 0;

sub hook
{
	my ($url, $more) = @_;
	my $channel = 'hook' . ++$number;
	my $folder = secret("url$number" => $url);
	$more //= '{}';
	value($node, "SELECT ratchet.create_channel('$channel', 'webhook', '{\"url\": {\"secret\": \"url$number\"}, \"timeout\": \"3 s\"}' || jsonb '$more')");
	return value($node, "SELECT ratchet.send('$channel', 'x')");
}

sub start
{
	my ($arguments, %option) = @_;
	return start_ratchet($node, [ 'send', '--secrets', secret(), @$arguments ], %option);
}

sub first_error
{
	my ($delivery) = @_;
	wait_until($node, "SELECT error IS NOT NULL OR status = 'delivered' FROM ratchet.deliveries WHERE delivery_id = $delivery");
	return ended($node, $delivery)->{error} // 'none';
}

promise 'addresses that are not public are refused, however they are written' => sub {
	my $sender = start([]);
	for my $host ('127.0.0.1', 'localhost', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '0.0.0.0', '169.254.169.254', '10.0.0.1', '[fe80::1]')
	{
		my $delivery = hook("http://$host:$http->{port}/inside");
		my $ended = wait_ended($node, $delivery);
		is($ended->{status}, 'failed', $host);
		like($ended->{error}, qr/is not a public one: the sender's allow_hosts/, '... and says why');
	}
	value($node, qq(SELECT ratchet.create_channel('mail', 'email', '{"to": ["a\@b.example"], "from": "a\@b.example", "host": "localhost", "tls": "none", "port": 25}')));
	like(first_error(value($node, q{SELECT ratchet.send('mail', 'x')})), qr/is not a public one/, 'mail');
	value($node, qq(SELECT ratchet.create_channel('metrics', 'statsd', '{"host": "localhost"}')));
	like(first_error(value($node, q{SELECT ratchet.send('metrics', 'x')})), qr/is not a public one/, 'datagrams');
	for my $url ("file:///etc/passwd", "gopher://127.0.0.1:$http->{port}/x", "ftp://127.0.0.1/x", 'http://', 'nothing')
	{
		is(wait_ended($node, hook($url))->{status}, 'failed', $url);
	}
	is(stop_ratchet($sender, 'TERM'), 0, 'it ends in order');
	is(scalar(received($http)), 0, 'nothing was ever connected to');
};

promise 'a name is judged by the address that it leads to' => sub {
	my $library = PostgreSQL::Test::Utils::tempdir() . '/resolve.so';
	my $made = IPC::Run::run([ 'gcc', '-shared', '-fPIC', '-O1', '-o', $library, "$FindBin::RealBin/programs/resolve.c", '-ldl' ]);
	ok($made, 'a resolver with names of its own') or return;
	my $sender = start([], env => { LD_PRELOAD => $library });
	like(first_error(hook("http://private.test:$http->{port}/inside")), qr/the address 127\.0\.0\.1 of private\.test is not a public one/, 'a name of this host');
	my $silent = hook('http://silent.test/', '{"timeout": "2 s"}');
	my $begun = Time::HiRes::time();
	like(first_error($silent), qr/tim(ed|e)|Resolving/i, 'a name server that is silent is not waited for');
	cmp_ok(Time::HiRes::time() - $begun, '<', within(20), 'for longer than the request may take');
	value($node, q(SELECT ratchet.create_channel('silent', 'statsd', '{"host": "silent.test", "timeout": "2 s"}')));
	like(first_error(value($node, q{SELECT ratchet.send('silent', 'x')})), qr/not resolved in time/, 'nor for datagrams');
	is(stop_ratchet($sender, 'TERM'), 0, 'it ends in order');
	$sender = start([ '--allow-host', 'private.test' ], env => { LD_PRELOAD => $library });
	is(wait_ended($node, hook("http://private.test:$http->{port}/allowed"))->{status}, 'delivered', 'a name that is allowed');
	like(first_error(hook("http://127.0.0.1:$http->{port}/inside")), qr/is not a public one/, 'is not its address');
	stop_ratchet($sender, 'TERM');
};

promise 'redirects are not followed, and proxies of the environment not used' => sub {
	my $sender = start([ '--allow-host', '127.0.0.1' ], env => { http_proxy => 'http://127.0.0.1:1', ALL_PROXY => 'http://127.0.0.1:1' });
	for my $to ("http://169.254.169.254/latest/meta-data", "http://127.0.0.1:$http->{port}/inside", 'file:///etc/passwd')
	{
		my $ended = wait_ended($node, hook("http://127.0.0.1:$http->{port}/redirect?$to"));
		is_deeply([ @$ended{qw(status code)} ], [ 'failed', 302 ], $to);
		like($ended->{error}, qr/redirects are not followed/, '... and says why');
	}
	is(scalar(grep { $_->{path} eq '/inside' } received($http)), 0, 'nothing was asked for');
	stop_ratchet($sender, 'TERM');
};

promise 'time and bytes of a receiver are bounded' => sub {
	my $sender = start([ '--allow-host', '127.0.0.1' ]);
	my $base = "http://127.0.0.1:$http->{port}";
	my $begun = Time::HiRes::time();
	like(first_error(hook("$base/drip", '{"timeout": "2 s"}')), qr/timed out/i, 'a byte at a time');
	cmp_ok(Time::HiRes::time() - $begun, '<', within(20), 'not for ever');
	is(wait_ended($node, hook("$base/big"))->{status}, 'delivered', '10 MB: the status is what counts');
	isnt(first_error(hook("$base/many")), 'none', 'headers without end');
	my ($memory) = PostgreSQL::Test::Utils::slurp_file("/proc/$sender->{pid}/status") =~ /^VmHWM:\s+(\d+) kB/m;
	cmp_ok($memory, '<', 100_000, 'it never took much memory') ;
	is(stop_ratchet($sender, 'TERM'), 0, 'it ends in order');
};

promise 'certificates have to fit' => sub {
	my $right = receiver('receive_http', $certificate, $private);
	my $wrong = receiver('receive_http', @another);
	my $sender = start([ '--allow-host', 'localhost', '--ca-file', $certificate ]);
	is(wait_ended($node, hook("https://localhost:$right->{port}/"))->{status}, 'delivered', 'one that does');
	like(first_error(hook("https://localhost:$wrong->{port}/")), qr/certificate|SSL/i, 'one that nobody has signed');
	like(first_error(hook("http://localhost:$right->{port}/")), qr/./, 'no TLS where TLS is spoken');
	stop_ratchet($sender, 'TERM');
	# Trusted, but somebody else's.
	$sender = start([ '--allow-host', 'localhost', '--ca-file', $another[0] ]);
	like(first_error(hook("https://localhost:$wrong->{port}/")), qr/SSL|certificate/i, 'one of another name');
	is(scalar(received($wrong)), 0, 'nothing was sent there');
	stop_ratchet($sender, 'TERM');
};

promise 'what would end a header is in none' => sub {
	my $sender = start([ '--allow-host', '127.0.0.1' ]);
	my $folder = secret(evil => "x\r\nX-Evil: 1");
	my $delivery = hook("http://127.0.0.1:$http->{port}/headers", '{"secret_headers": {"Authorization": "evil"}}');
	is(wait_ended($node, $delivery)->{status}, 'failed', 'a secret with line breaks');
	is(wait_ended($node, hook("http://127.0.0.1:$http->{port}/x\r\nX-Evil: 1"))->{status}, 'failed', 'a URL with line breaks');
	is(scalar(grep { exists $_->{headers}{'x-evil'} } received($http)), 0, 'nobody got it');
	stop_ratchet($sender, 'TERM');
};

finish();
