# A primary is killed while walks, retries and jobs that depend on others are under way, and its standby is
# promoted. Compared by data: with a synchronous standby nothing is lost and nothing is done twice; with an
# asynchronous one what is lost is lost consistently. A standby keeps still, before and after.

use strict;
use warnings;

use RatchetTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $items = 300;

# Everything that is under way when the primary dies. Bad items are those that end in 7. Walks wait in
# the middle while somebody holds lock 1.
my $define = qq{
	CREATE TABLE item (id int PRIMARY KEY);
	INSERT INTO item SELECT generate_series(1, $items);
	CREATE TABLE done (job text, item int, run_id bigint);
	CREATE TABLE effect (job text, run_id bigint, scheduled_at timestamptz);
	CREATE FUNCTION work(job text) RETURNS void BEGIN ATOMIC
		INSERT INTO effect VALUES (job, ratchet.run_id(), ratchet.scheduled_at());
	END;
	CREATE FUNCTION do_items(job text, ids int[]) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		INSERT INTO done SELECT job, id, ratchet.run_id() FROM unnest(ids) AS id;
		PERFORM pg_advisory_xact_lock_shared(1) WHERE $items / 2 = ANY (ids);
		IF EXISTS (SELECT FROM unnest(ids) AS id WHERE id % 10 = 7) THEN
			RAISE EXCEPTION 'a bad item';
		END IF;
	END \$\$;
	SELECT ratchet.schedule_batch('by item', '\@manual', 'SELECT id FROM item', 'SELECT do_items(''by item'', ARRAY[\$1])', batch_size => 20);
	SELECT ratchet.schedule_batch('by batch', '\@manual', 'SELECT id FROM item', 'SELECT do_items(''by batch'', \$1)',
		batch_size => 15, per => 'batch');
	SELECT ratchet.schedule('plain', '100 ms', 'SELECT work(''plain'')', misfire => 'all', misfire_limit => 1000);
	SELECT ratchet.schedule('retried', '300 ms', 'SELECT work(''retried''); SELECT 1 / (ratchet.attempt() - 1)',
		max_attempts => 100, backoff => '50 ms', backoff_cap => '200 ms', overlap => 'queue');
	SELECT ratchet.schedule('parent', '250 ms', 'SELECT work(''parent'')');
	SELECT ratchet.schedule('child', '\@manual', 'SELECT work(''child'')', depends_on => '{parent}');
	SELECT ratchet.schedule('asked', '\@manual', 'SELECT work(''asked'')', overlap => 'allow');
};

sub new_pair
{
	my ($name, $conf) = @_;
	my $primary = new_node("${name}_primary", init => [ allows_streaming => 1 ], extension => 0,
		conf => "ratchet.log_runs = none\nlog_statement = none\nwal_receiver_status_interval = 1\n");
	$primary->backup('copy');
	my $standby = PostgreSQL::Test::Cluster->new("${name}_standby");
	$standby->init_from_backup($primary, 'copy', has_streaming => 1);
	watch_log($standby);
	$standby->start;
	$primary->append_conf('postgresql.conf', $conf);
	$primary->reload;
	$primary->safe_psql('postgres', "CREATE EXTENSION pg_ratchet; $define");
	return ($primary, $standby);
}

# Nothing of ours runs there but the library.
sub keeps_still
{
	my ($node, $what) = @_;
	is(value($node, q{SELECT state FROM ratchet.status() WHERE component = 'launcher'}), 'standby', "$what: it is a standby");
	is(value($node, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_ratchet%'}), 0, "$what: no process of ours");
	psql_fails($node, q{SELECT ratchet.trigger('asked')}, qr/25006/, "$what: nothing can be asked for");
	return;
}

sub begin_walks
{
	my ($primary) = @_;
	my $lock = lock_session($primary, 1);
	my @walks = map { value($primary, "SELECT ratchet.trigger('$_')") } ('by item', 'by batch');
	wait_until($primary, "SELECT count(*) > $items / 3 FROM done WHERE job = '$_'") for ('by item', 'by batch');
	wait_until($primary, q{SELECT count(DISTINCT job) = 4 FROM effect JOIN ratchet.runs USING (run_id) WHERE status = 'succeeded'}, 'all kinds of jobs have run');
	return ($lock, @walks);
}

# By data alone.
sub agrees
{
	my ($node, $what) = @_;
	is( value(
			$node,
			q{SELECT string_agg(format('%s of %s', run_id, coalesce(e.job, r.job_name)), ', ') FROM (SELECT run_id, min(job) AS job, count(*) AS n FROM effect GROUP BY 1) e
				FULL JOIN (SELECT * FROM ratchet.run_log WHERE status = 'succeeded' AND job_name NOT LIKE 'by %') r USING (run_id)
				WHERE n IS DISTINCT FROM 1 OR r.run_id IS NULL}),
		'',
		"$what: what was done is what is recorded as done");
	is( value(
			$node,
			q{SELECT string_agg(format('run %s of %s, %s: %s and %s', r.run_id, r.job_name, status, items_done, n), ', ') FROM ratchet.run_log r,
				LATERAL (SELECT count(*) AS n FROM done d WHERE d.run_id = r.run_id) d WHERE job_name LIKE 'by %' AND coalesce(items_done, 0) <> n}),
		'',
		"$what: counters are the rows");
	is( value(
			$node,
			q{SELECT string_agg(format('%s at %s', job_name, scheduled_at), ', ') FROM
				(SELECT job_name, scheduled_at FROM ratchet.run_log WHERE status = 'succeeded' AND cause <> 'trigger' GROUP BY 1, 2 HAVING count(*) > 1) r
				WHERE job_name <> 'child'}),
		'',
		"$what: no occurrence was done twice");
	is( value(
			$node,
			q{SELECT string_agg(format('%s of %s', run_id, job_name), ', ') FROM ratchet.run_log r WHERE status = 'crashed'
				AND (SELECT count(*) FROM (SELECT retry_of FROM ratchet.run_log UNION ALL SELECT retry_of FROM ratchet.run_queue) f WHERE f.retry_of = r.run_id) <> 1}),
		'',
		"$what: each run that died is taken up again once");
	return;
}

sub walks_are_whole
{
	my ($node, $what) = @_;
	for my $job ('by item', 'by batch')
	{
		wait_until($node, "SELECT count(*) > 0 FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded'", "$what: the walk $job comes to its end");
		is(value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = '$job' AND status = 'succeeded'"), 1, "$what: once");
		is( value(
				$node,
				qq{SELECT string_agg(format('%s: %s and %s', id, d.n, f.n), ', ') FROM item,
					LATERAL (SELECT count(*) AS n FROM done WHERE job = '$job' AND item = id) d,
					LATERAL (SELECT count(*) AS n FROM ratchet.failed_item WHERE job_name = '$job' AND key = jsonb_build_object('id', id)) f
					WHERE d.n <> (id % 10 <> 7)::int OR f.n <> (id % 10 = 7)::int}),
			'',
			"$what: $job: each item was done once, each bad one has failed once");
	}
	return;
}

# Takes jobs' last occurrences to their end.
sub come_to_rest
{
	my ($node) = @_;
	value($node, qq{SELECT ratchet.pause_job('$_')}) for qw(plain parent);
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.runs WHERE status IN ('queued', 'running') AND job_name NOT IN ('retried'))}, 'what is left comes to its end');
	value($node, q{SELECT ratchet.pause_job('retried')});
	wait_until($node, q{SELECT NOT EXISTS (SELECT FROM ratchet.run_queue WHERE claimed_at IS NOT NULL)});
	return;
}

sub counts_occurrences
{
	my ($node, $what) = @_;
	is( value(
			$node,
			q{SELECT sum(occurrences) - (extract(epoch FROM max(scheduled_at) - min(scheduled_at)) * 10 + 1)::bigint
			    FROM ratchet.run_log WHERE job_name = 'plain' AND retry_of IS NULL}),
		0,
		"$what: every occurrence is accounted for, those of the time without a primary, too");
	return;
}

for my $level (qw(remote_apply on))
{
	promise "a synchronous standby, synchronous_commit = $level" => sub {
		my ($primary, $standby) = new_pair("sync_$level", "synchronous_standby_names = '*'\nsynchronous_commit = $level\n");
		my ($lock, @walks) = begin_walks($primary);
		$primary->wait_for_catchup($standby, 'replay');
		keeps_still($standby, 'before');
		# What a client was told is committed: it must be there afterwards.
		my @told = map { value($primary, "SELECT ratchet.trigger('asked', '$_')") } 1 .. 5;
		push @told, value($primary, q{SELECT ratchet.trigger('asked', '9', run_at => now() + interval '5 seconds')});
		is(value($primary, "SELECT count(*) FROM ratchet.runs WHERE run_id IN ($walks[0], $walks[1]) AND status = 'running'"), 2, 'both walks are under way');
		$primary->kill9;
		eval { $lock->quit };    # its server is gone

		$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''");
		$standby->reload;
		$standby->promote;
		walks_are_whole($standby, 'after');
		wait_until($standby, "SELECT status = 'succeeded' FROM ratchet.runs WHERE run_id = $_", "run $_, which was asked for, has run or runs") for grep {
			# One that was under way has crashed, and its retry has succeeded.
			value($standby, "SELECT status FROM ratchet.runs WHERE run_id = $_") ne 'crashed'
			  || !wait_until($standby, "SELECT status = 'succeeded' FROM ratchet.runs WHERE retry_of = $_", "run $_ was taken up again");
		} @told;
		is(value($standby, "SELECT count(*) FROM ratchet.runs WHERE run_id IN ($walks[0], $walks[1]) AND status = 'crashed'"), 2, 'the walks were cut');
		wait_until($standby, q{SELECT count(DISTINCT job) = 5 FROM effect JOIN ratchet.runs USING (run_id) WHERE node LIKE '%standby'}, 'all kinds of jobs go on');
		come_to_rest($standby);
		agrees($standby, 'after');
		counts_occurrences($standby, 'after');

		# The old primary comes back as a standby, of nobody.
		my $runs = 'SELECT count(*), max(run_id) FROM ratchet.run_log';
		$primary->{_pid} = undef;
		$primary->set_standby_mode;
		$primary->append_conf('postgresql.conf', "primary_conninfo = ''\n");
		$primary->start;
		keeps_still($primary, 'the old primary');
		agrees($primary, 'the old primary');
		is(value($primary, $runs), value($primary, $runs), 'the old primary: nothing is recorded');
	};
}

promise 'an asynchronous standby that is behind' => sub {
	my ($primary, $standby) = new_pair('async', "wal_keep_size = '64MB'\n");
	my ($lock) = begin_walks($primary);
	$primary->wait_for_catchup($standby, 'replay');
	keeps_still($standby, 'before');
	# From here on it gets nothing.
	$standby->append_conf('postgresql.conf', "primary_conninfo = ''");
	$standby->reload;
	wait_until($standby, 'SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)');
	$lock->quit;
	my ($runs, $done) = split /\|/, value($standby, 'SELECT (SELECT count(*) FROM effect), (SELECT count(*) FROM done)');
	wait_until($primary, "SELECT (SELECT count(*) FROM effect) > $runs + 3 AND (SELECT count(*) FROM done) > $done + 50", 'the primary does more than the standby will ever know');
	$primary->kill9;
	$standby->promote;
	walks_are_whole($standby, 'after');
	come_to_rest($standby);
	agrees($standby, 'after');
	counts_occurrences($standby, 'after');
	$primary->{_pid} = undef;
};

finish();
