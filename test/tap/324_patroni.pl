# Two servers under Patroni change places in the middle of runs of all kinds, there and back, and in the end the
# primary is killed. By data: what a job does to an item it does once. A switchover is no crash and no failure; what
# it has ended is taken up again on the other server, by itself; and no standby runs anything.

use strict;
use warnings;

use Kept;
use PatroniCluster;
use PostgreSQL::Test::Utils;
use RatchetTest;
use Test::More;

my $missing = PatroniCluster::missing();
plan(skip_all => "there is no $missing here (Debian: patroni, python3-etcd, etcd-server), so nothing is said about Patroni") if $missing ne '';

my $cluster = PatroniCluster->new(
	'shop',
	parameters => {
		'ratchet.max_workers'  => 16,
		'ratchet.cancel_grace' => '3s',
		'ratchet.log_runs'     => 'none',
		log_statement          => 'none',
		# pg_rewind asks for it.
		full_page_writes => 'on'
	},
	own => { max_worker_processes => 99 });

# Keys of three kinds, in rows that are not in their order.
value($cluster->primary, q{
	CREATE EXTENSION pg_ratchet;
	CREATE TABLE invoice (id uuid PRIMARY KEY, total numeric(10, 2));
	INSERT INTO invoice SELECT gen_random_uuid(), i FROM generate_series(1, 600) i;
	CREATE TABLE customer (email text PRIMARY KEY, name text);
	INSERT INTO customer SELECT lower(replace(name, ' ', '.')) || i || '@example.org', name
	  FROM generate_series(1, 100) i, unnest(ARRAY['Ana Peña', 'Bjørn Östberg', 'Siobhán O''Neill', 'ليلى حداد', '佐藤 結衣', 'Zoë%_\de Vries']) name
	 ORDER BY md5(name || i);
	CREATE TABLE reading (meter text, day date, kwh numeric, PRIMARY KEY (meter, day)) PARTITION BY RANGE (day);
	CREATE TABLE reading_2023 PARTITION OF reading FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
	CREATE TABLE reading_2024 PARTITION OF reading FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
	CREATE TABLE reading_later PARTITION OF reading DEFAULT;
	INSERT INTO reading SELECT 'M-' || m, date '2023-11-01' + 20 * d, m * d FROM generate_series(1, 20) m, generate_series(1, 30) d ORDER BY md5(m || '/' || d);
	CREATE TABLE parcel (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, address text);

	-- What was done, without a constraint that would keep it from being done twice.
	CREATE TABLE done (job text, item text, run_id bigint);
	CREATE TABLE effect (job text, payload jsonb, run_id bigint, at timestamptz);
	CREATE TABLE label (parcel bigint, run_id bigint);

	-- What hangs, hangs until another server is the primary.
	CREATE TABLE hangs_on (server timestamptz);
	CREATE FUNCTION hang(seconds float8 DEFAULT 3600) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_sleep(seconds) FROM hangs_on WHERE server = pg_postmaster_start_time();
	END $$;
	CREATE FUNCTION work(job text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO effect VALUES (job, ratchet.payload(), ratchet.run_id(), ratchet.scheduled_at());
		PERFORM hang();
	END $$;
	CREATE FUNCTION do_items(job text, VARIADIC items text[]) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO done SELECT job, item, ratchet.run_id() FROM unnest(items) item;
		PERFORM hang(0.04 * cardinality(items));
	END $$;

	SELECT ratchet.schedule('clock', '200 ms', 'INSERT INTO effect VALUES (''clock'', NULL, ratchet.run_id(), ratchet.scheduled_at())',
		misfire => 'all', misfire_limit => 10000, overlap => 'queue');
	SELECT ratchet.schedule('labels', '@manual', 'INSERT INTO label SELECT id, ratchet.run_id() FROM parcel WHERE NOT EXISTS (SELECT FROM label WHERE parcel = id)');
	SELECT ratchet.trigger_on_change('parcel', 'labels', debounce => '100 ms');
});

# Jobs of all kinds, whose names begin with that of the day.
sub define_day
{
	my ($day) = @_;
	return define_job("$day report", "SELECT work('$day report')")
	  . define_job("$day statements", "INSERT INTO done VALUES ('$day statements', 'first'); SELECT hang(); INSERT INTO done VALUES ('$day statements', 'last')", q{transaction => 'per_statement'})
	  . define_batch("$day invoices", 'SELECT id FROM invoice', "SELECT do_items('$day invoices', \$1::text)", 'batch_size => 10')
	  . define_batch("$day letters", 'SELECT email FROM customer', "SELECT do_items('$day letters', VARIADIC \$1)", q{batch_size => 15, per => 'batch'})
	  . define_batch("$day readings", 'SELECT meter, day FROM reading', "SELECT do_items('$day readings', \$1 || ' on ' || \$2)", q{batch_size => 12, key => '{meter,day}'})
	  # Fails once, and is in the middle of its second attempt.
	  . define_job("$day again", "SELECT 1 / (ratchet.attempt() - 1); SELECT work('$day again')", q{max_attempts => 4, backoff => '10 ms'})
	  # Fails once, and its second attempt has time.
	  . define_job("$day rests", 'SELECT 1 / 0', q{max_attempts => 4, backoff => '1 hour'})
	  # Two runs, of which the second waits for the first.
	  . define_job("$day queue", "SELECT work('$day queue')", q{overlap => 'queue'})
	  # In the foreground of a session.
	  . define_job("$day till", "SELECT work('$day till')");
}

# What their runs are, oldest first, when the server is stopped in their middle, and when it is killed. Who had
# called what runs in the foreground knows, and of a session that is killed there is no record.
my $stopped = 'the server was shut down';
my $cut     = 'the server stopped or crashed during the run';
my %runs    = (
	stopped => {
		(map { $_ => "trigger 1 canceled $stopped, retry 1 succeeded" } qw(report statements)),
		(map { $_ => "trigger 1 partial $stopped, catchup 1 succeeded" } qw(invoices letters readings)),
		again => "trigger 1 failed, retry 2 canceled $stopped, retry 2 succeeded",
		rests => 'trigger 1 failed, retry 2 queued',
		queue => "trigger 1 canceled $stopped, trigger 1 succeeded, retry 1 succeeded",
		till  => "foreground 1 canceled $stopped",
	},
	killed => {
		(map { $_ => "trigger 1 crashed $cut, retry 2 succeeded" } qw(report statements invoices letters readings)),
		again => "trigger 1 failed, retry 2 crashed $cut, retry 3 succeeded",
		rests => 'trigger 1 failed, retry 2 queued',
		queue => "trigger 1 crashed $cut, trigger 1 succeeded, retry 2 succeeded",
	});

# Begins runs of all of them, and waits until they are in their middle. Returns the session with that in the foreground.
sub begin_day
{
	my ($day) = @_;
	my $node = $cluster->primary;
	value($node, 'TRUNCATE hangs_on; INSERT INTO hangs_on VALUES (pg_postmaster_start_time());' . define_day($day)
		  . join('', map { "SELECT ratchet.trigger('$day $_');" } qw(report statements invoices letters readings again rests))
		  . join('', map { qq{SELECT ratchet.trigger('$day queue', payload => '$_', "coalesce" => false);} } 1 .. 2));
	my $foreground = session($node);
	$foreground->query_until(qr/begins/, "\\echo begins\nCALL ratchet.run('$day till');\n");
	wait_until($node, qq{
		SELECT (SELECT count(*) FROM ratchet.running JOIN pg_stat_activity USING (pid)
		         WHERE job_name IN ('$day report', '$day statements', '$day again', '$day queue', '$day till') AND wait_event = 'PgSleep') = 5
		   AND (SELECT count(*) FROM (SELECT job FROM done JOIN ratchet.running USING (run_id) WHERE job LIKE '$day %' GROUP BY job HAVING count(*) >= 30) walk) = 3
		   AND (SELECT count(*) FROM ratchet.runs WHERE job_name IN ('$day rests', '$day queue') AND status = 'queued') = 2},
		"$day: runs of all kinds are under way");
	return $foreground;
}

sub day_ends_well
{
	my ($day, $how) = @_;
	my $node = $cluster->primary;
	wait_until($node, qq{
		SELECT count(*) FILTER (WHERE status = 'succeeded') = 8 AND count(*) FILTER (WHERE status IN ('queued', 'running')) = 1
		  FROM ratchet.runs WHERE job_name LIKE '$day %'}, "$day: everything comes to its end by itself");
	is_deeply(
		row($node, qq{
			SELECT json_object_agg(split_part(job_name, ' ', 2), runs) AS of FROM
				(SELECT job_name, string_agg(concat_ws(' ', cause, attempt, status, reason), ', ' ORDER BY run_id) AS runs
				   FROM ratchet.runs WHERE job_name LIKE '$day %' GROUP BY 1) job})->{of},
		$runs{$how}, "$day: the runs are recorded as $how") or diag(RatchetTest::recent_runs($node));
	is(value($node, qq{
			SELECT string_agg(format('%s %s %s', split_part(job, ' ', 2), n, items), ', ' ORDER BY job) FROM
				(SELECT job, count(*) AS n, count(DISTINCT item) AS items FROM done WHERE job LIKE '$day %' AND job <> '$day statements' GROUP BY 1) walk}),
		'invoices 600 600, letters 600 600, readings 600 600', "$day: each item is done once");
	is(value($node, qq{
			SELECT string_agg(format('%s %s %s', job_name, status, items_done), ', ') FROM ratchet.runs r, LATERAL (SELECT count(*) AS n FROM done d WHERE d.run_id = r.run_id) d
			 WHERE job_name ~ '^$day (invoices|letters|readings)' AND (n <> items_done OR n = 0)}),
		'', "$day: a part of them on each server, as the log says");
	is(value($node, "SELECT string_agg(concat_ws(' ', split_part(job, ' ', 2), payload), ', ' ORDER BY job, payload) FROM effect WHERE job LIKE '$day %'"),
		'again, queue 1, queue 2, report', "$day: the others have had their effects once, and what was in the foreground none");
	is(value($node, "SELECT string_agg(item, ' ' ORDER BY item) FROM done WHERE job = '$day statements'"), 'first first last', "$day: statements that commit on their own begin again");
	is(value($node, "SELECT string_agg(concat_ws(' ', split_part(job_name, ' ', 2), consecutive_failures), ', ') FROM ratchet.jobs WHERE job_name LIKE '$day %' AND consecutive_failures > 0"),
		'rests 1', "$day: none counts as a failure");
	return;
}

# It has nothing of ours but the library.
sub keeps_still
{
	my ($node) = @_;
	is(value($node, q{SELECT state || ' ' || (SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet%') FROM ratchet.status() WHERE component = 'launcher'}),
		'standby 0', 'the standby knows what it is, and no process of ours is there');
	psql_fails($node, q{SELECT ratchet.trigger('clock')}, qr/25006/, 'it takes no orders');
	return;
}

# Told, and not tested: how long it took from the promotion of a server to the first start of a run there, and how
# long nothing had run at all.
sub tell_times
{
	my ($what, $from, $to) = @_;
	my ($promoted) = reverse(slurp_file($cluster->node($to)->logfile) =~ /^(\S+ \S+ \S+) .*archive recovery complete/mg);
	my $node = $cluster->primary;
	my $started = "SELECT min(started_at) FROM ratchet.runs WHERE node = '$to' AND started_at > '$promoted'";
	wait_until($node, "SELECT ($started) IS NOT NULL", 'the new primary starts runs');
	diag(value($node, "SELECT format('$what: first start %s ms after the promotion, %s ms after the last on the server before', round(1000 * extract(epoch FROM at - '$promoted')),
		round(1000 * extract(epoch FROM at - (SELECT max(started_at) FROM ratchet.runs WHERE node = '$from' AND started_at < at)))) FROM ($started) AS s (at)"));
	return;
}

# Somebody who sends parcels all the time, to whichever server takes them. What it was told is in its list.
my $list = PostgreSQL::Test::Utils::tempdir() . '/parcels';
my $writer = begin_writer();

sub begin_writer
{
	my @nodes = map { $cluster->node($_) } qw(anna bela);
	my $either = sprintf 'host=%s,%s port=%s,%s dbname=postgres target_session_attrs=read-write', (map { $_->host } @nodes), (map { $_->port } @nodes);
	my $sends = "INSERT INTO parcel (address) VALUES (concat('Rue Chénier ', random())) RETURNING id;\nSELECT pg_sleep(0.1) \\g /dev/null\n" x 20;
	return begin_process($list, 'sh', '-c', 'while :; do printf %s "$1" 2>/dev/null | psql -XAtq -v ON_ERROR_STOP=1 -d "$2" -f - 2>/dev/null; done', 'writer', $sends, $either);
}

promise 'what is set where' => sub {
	for my $name (qw(anna bela))
	{
		is(value($cluster->node($name), q{SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings
				WHERE name IN ('cluster_name', 'max_worker_processes', 'ratchet.max_workers', 'ratchet.node', 'shared_preload_libraries')}),
			"shop 24 16 $name pg_ratchet", "$name: max_worker_processes counts where members share it, and they share a cluster_name");
	}
};

promise 'switchovers in the middle of runs of all kinds, there and back' => sub {
	for my $day (qw(Monday Tuesday Wednesday))
	{
		my ($from, $to) = ($cluster->leader, $cluster->follower);
		my $foreground = begin_day($day);
		$cluster->switchover;
		eval { $foreground->quit };    # its server is gone
		day_ends_well($day, 'stopped');
		tell_times($day, $from, $to);
		$cluster->is_whole;
		is($cluster->follower, $from, "$from is the standby now");
		keeps_still($cluster->standby);
	}
	is(value($cluster->primary, q{SELECT count(*) FROM ratchet.runs WHERE status = 'crashed'}), 0, 'nothing has crashed');
	is(value($cluster->primary, q{SELECT string_agg(DISTINCT split_part(job_name, ' ', 2), ' ') FROM ratchet.runs WHERE status = 'failed'}), 'again rests', 'nothing has failed but what was to fail');
};

my $dead;
promise 'the primary is killed, with synchronous_mode' => sub {
	my ($from, $to) = ($cluster->leader, $cluster->follower);
	my $foreground = begin_day('Thursday');
	$dead = $cluster->kill_primary;
	eval { $foreground->quit };
	day_ends_well('Thursday', 'killed');
	tell_times('Thursday', $from, $to);
};

promise 'what is killed comes back as a standby, and as a primary' => sub {
	$cluster->start_member($dead);
	$cluster->is_whole;
	keeps_still($cluster->standby);
	$cluster->switchover;
	is(run_job($cluster->primary, 'Friday', q{SELECT work('Friday')})->{status}, 'succeeded', 'it runs what it is asked to');
	is(value($cluster->primary, q{SELECT DISTINCT node FROM ratchet.runs WHERE job_name = 'Friday'}), $dead, 'itself');
};

promise 'nobody who was told that something is there has to miss it' => sub {
	my $node = $cluster->primary;
	end_process($writer);
	my @told = split /\n/, slurp_file($list);
	cmp_ok(scalar(@told), '>', 30, scalar(@told) . ' parcels were sent');
	is(value($node, 'SELECT count(*) FROM unnest(ARRAY[' . join(',', @told) . ']) AS told WHERE NOT EXISTS (SELECT FROM parcel WHERE id = told)'), 0, 'all of them are there');
	wait_until($node, 'SELECT NOT EXISTS (SELECT FROM parcel WHERE NOT EXISTS (SELECT FROM label WHERE parcel = id))', 'the change trigger has seen each of them');
	is(value($node, 'SELECT count(*) - count(DISTINCT parcel) FROM label'), 0, 'once');
};

promise 'every occurrence of a schedule is accounted for' => sub {
	my $node = $cluster->primary;
	wait_until($node, q{SELECT max(at) > now() - interval '2 seconds' FROM effect WHERE job = 'clock'}, 'it has caught up');
	value($node, q{SELECT ratchet.pause_job('clock')});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE job_name = 'clock' AND status IN ('queued', 'running'))});
	is(value($node, q{SELECT count(*) - count(DISTINCT at) FROM effect WHERE job = 'clock'}), 0, 'none is done twice');
	is(value($node, q{SELECT (extract(epoch FROM max(at) - min(at)) * 5 + 1)::bigint - count(*) FROM effect WHERE job = 'clock'}), 0, 'none is left out');
};

check_board($cluster->primary);
$cluster->stop;
finish();
