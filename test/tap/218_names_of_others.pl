# What one role names is no other role's business: mutexes, dependencies, names of jobs. Neither an open nor a
# prepared transaction of another role is waited for. See docs/security.md, "Asking for too much".

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main', conf => "ratchet.max_workers = 6\nratchet.cancel_grace = '300 ms'\n");
value($node, q{
	CREATE ROLE marketing LOGIN;
	CREATE ROLE billing LOGIN;
	CREATE ROLE "Data.Team" LOGIN;
	CREATE ROLE auditor SUPERUSER LOGIN;
	CREATE ROLE dba SUPERUSER LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC});

# What somebody has to do at once, whoever has what open: a lock for which it waits fails it.
sub at_once
{
	my ($user, $sql, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return psql_ok($node, "SET lock_timeout = '5 s'; SET statement_timeout = '60 s';\n$sql", $what, user => $user);
}

sub starts
{
	my ($job, $user) = @_;
	my $run = value($node, "SELECT ratchet.trigger('$job')", user => $user);
	wait_until($node, "SELECT status = 'running' FROM ratchet.runs WHERE run_id = $run");
	return $run;
}

# ---- Mutexes

promise 'a mutex belongs to the owner of the job: who guesses its name holds up nobody' => sub {
	value($node, define_job('holds', 'SELECT pg_sleep(100000)', q{mutex => 'nightly'}), user => 'marketing');
	my $held = starts('holds', 'marketing');
	for my $user ('billing', 'dba', 'Data.Team')
	{
		is(run_job($node, "nightly of $user", 'SELECT 1', q{mutex => 'nightly'}, user => $user)->{status}, 'succeeded', "the job of $user runs");
		psql_ok($node, "CALL ratchet.run('nightly of $user')", '... in the foreground, too', user => $user);
	}
	my $waits = begin_run($node, 'its own', 'SELECT 1', q{mutex => 'nightly'}, user => 'marketing');
	wait_until($node, qq{SELECT waits_for = 'mutex "nightly", held by run $held of job "holds"' FROM ratchet.jobs WHERE job_name = 'its own'}, 'another job of its owner waits');
	value($node, "SELECT ratchet.cancel($held)", user => 'marketing');
	wait_run($node, $waits, 'succeeded', 'and has its turn');
};

promise 'a mutex is shared by who has the privileges of the role that is named' => sub {
	value($node, q{CREATE ROLE loads NOLOGIN; GRANT loads TO marketing, "Data.Team"});
	value($node, define_job('holds', 'SELECT pg_sleep(100000)', q{mutex => 'loads.nightly'}), user => 'marketing');
	my $held = starts('holds', 'marketing');
	my $waits = begin_run($node, 'load', 'SELECT 1', q{mutex => 'loads.nightly'}, user => 'Data.Team');
	wait_until($node, q{SELECT waits_for IS NOT NULL FROM ratchet.jobs WHERE job_name = 'load'}, 'its job waits');
	is(value($node, q{SELECT waits_for FROM ratchet.jobs WHERE job_name = 'load'}, user => 'Data.Team'), qq{mutex "loads.nightly", held by run $held}, '... and is not told of whose job');
	is(run_job($node, 'other', 'SELECT 1', q{mutex => 'loads.weekly'}, user => 'Data.Team')->{status}, 'succeeded', 'one with another mutex does not');
	is(run_job($node, 'nobody', 'SELECT 1', q{mutex => 'nightly'}, user => 'Data.Team')->{status}, 'succeeded', 'nor one with that name of its own');
	psql_fails($node, define_job('joins', 'SELECT 1', q{mutex => 'loads.nightly'}), qr/42501: .*does not have the privileges of role "loads"/, 'who does not have them is refused', user => 'billing');
	psql_fails($node, define_job('joins', 'SELECT 1', q{mutex => 'loads.nightly', run_as => 'billing'}), qr/42501/, 'whoever asks for it', user => 'dba');
	psql_fails($node, define_job('joins', 'SELECT 1', q{mutex => 'nowhere.nightly'}), qr/42704: .*role "nowhere" does not exist/, 'so is a role that is not there', user => 'billing');
	psql_fails($node, define_job('joins', 'SELECT 1', qq{mutex => '$_'}), qr/22023/, "and $_", user => 'billing') for '.nightly', 'billing.', '.';
	is(run_job($node, 'dotted', 'SELECT 1', q{mutex => 'Data.Team.nightly'}, user => 'Data.Team')->{status}, 'succeeded', 'the name of a role may have dots');
	psql_ok($node, q{SELECT ratchet.schedule('both', '@manual', 'SELECT 1', mutex => 'loads.nightly')}, 'a superuser joins', user => 'dba');
	psql_fails($node, q{SELECT ratchet.alter_job('both', run_as => 'billing')}, qr/42501/, '... but not for somebody else', user => 'dba');
	value($node, "SELECT ratchet.cancel($held)", user => 'marketing');
	wait_run($node, $waits, 'succeeded', 'who waited has its turn');
};

promise 'a membership that is lost is the end of a shared mutex' => sub {
	my $held = starts('holds', 'marketing');
	my $waits = begin_run($node, 'load', 'SELECT 1', q{mutex => 'loads.nightly'}, user => 'Data.Team');
	wait_until($node, q{SELECT waits_for LIKE 'mutex%' FROM ratchet.jobs WHERE job_name = 'load'});
	value($node, 'REVOKE loads FROM marketing');
	value($node, 'SELECT pg_sleep(1.2)');    # roles are looked at once a second
	value($node, "SELECT ratchet.cancel($held)", user => 'marketing');
	wait_run($node, $waits, 'succeeded');
	$held = starts('holds', 'marketing');
	is(run_job($node, 'load', 'SELECT 1', q{mutex => 'loads.nightly'}, user => 'Data.Team')->{status}, 'succeeded', 'from its next run on it holds up itself at most');
	value($node, "SELECT ratchet.cancel($held)", user => 'marketing');
	value($node, 'GRANT loads TO marketing');
	value($node, 'SELECT pg_sleep(1.2)');
	$held = starts('holds', 'marketing');
	$waits = begin_run($node, 'load', 'SELECT 1', q{mutex => 'loads.nightly'}, user => 'Data.Team');
	wait_until($node, q{SELECT waits_for LIKE 'mutex%' FROM ratchet.jobs WHERE job_name = 'load'}, 'and shares it again when it is a member again');
	value($node, "SELECT ratchet.cancel($held)", user => 'marketing');
	wait_run($node, $waits, 'succeeded');
};

# ---- Dependencies

promise 'a dependency does not follow a name to the job of somebody else' => sub {
	value($node, q{SELECT ratchet.schedule('import', '@manual', 'SELECT 1'); SELECT ratchet.schedule('report', '@manual', 'SELECT 1', depends_on => '{import}')}, user => 'marketing');
	value($node, q{SELECT ratchet.trigger('import')}, user => 'marketing');
	wait_until($node, q{SELECT count(*) = 1 FROM ratchet.runs WHERE job_name = 'report' AND status = 'succeeded'}, 'it follows one of its owner');
	value($node, q{SELECT ratchet.unschedule('import')}, user => 'marketing');
	for my $command ('SELECT 1', 'SELECT 1/0')
	{
		wait_until($node, "SELECT status IN ('succeeded', 'failed') FROM ratchet.runs WHERE run_id = " . begin_run($node, 'import', $command, undef, user => 'billing'));
	}
	is(run_job($node, 'meanwhile', 'SELECT 1', undef, user => 'marketing')->{status}, 'succeeded');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'report'}), 1, 'it neither runs nor is left out for what that does');
	is(value($node, q{SELECT waits_for FROM ratchet.jobs WHERE job_name = 'report'}, user => 'marketing'), 'job "import", which does not exist', 'for its owner there is no such job');
	psql_fails($node, q{SELECT ratchet.schedule('report', '@manual', 'SELECT 2', depends_on => '{import,meanwhile}'); SELECT ratchet.alter_job('report', depends_on => '{meanwhile}'); SELECT ratchet.alter_job('report', depends_on => '{import}')}, qr/42501: must be owner of job "import"/, 'and none that it could name', user => 'marketing');
};

promise 'another scheduler judges dependencies in the same way' => sub {
	value($node, q{SELECT ratchet.unschedule('report'); SELECT ratchet.schedule('import 2', '@manual', 'SELECT 1');
		SELECT ratchet.schedule('report', '@manual', 'SELECT 1', depends_on => '{import 2}'); SELECT ratchet.unschedule('import 2')}, user => 'marketing');
	value($node, define_job('import 2', 'SELECT 1'), user => 'billing');
	terminate_ratchet($node, 'scheduler');
	wait_run($node, value($node, q{SELECT ratchet.trigger('import 2')}, user => 'billing'), 'succeeded');
	is(run_job($node, 'meanwhile', 'SELECT 1', undef, user => 'marketing')->{status}, 'succeeded');
	is(value($node, q{SELECT count(*) FROM ratchet.runs WHERE job_name = 'report' AND run_id > (SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'import 2')}), 0, 'after a restart of it');
	value($node, q{GRANT billing TO marketing});
	wait_run($node, value($node, q{SELECT ratchet.trigger('import 2')}, user => 'billing'), 'succeeded');
	# Also the run before, if the scheduler has heard of the grant while that was the last one.
	wait_until($node, q{SELECT count(*) > 0 AND NOT EXISTS (SELECT FROM ratchet.running) FROM ratchet.runs WHERE job_name = 'report' AND status = 'succeeded' AND run_id > (SELECT max(run_id) FROM ratchet.runs WHERE job_name = 'import 2')}, 'who is made a member follows');
	value($node, q{REVOKE billing FROM marketing});
	my $last = value($node, q{SELECT max(run_id) FROM ratchet.runs});
	wait_until($node, q{SELECT waits_for = 'job "import 2", which does not exist' FROM ratchet.jobs WHERE job_name = 'report'}, 'who is none any more does not');
	value($node, q{SELECT pg_sleep(1.2)});
	wait_run($node, value($node, q{SELECT ratchet.trigger('import 2')}, user => 'billing'), 'succeeded');
	is(run_job($node, 'meanwhile', 'SELECT 1', undef, user => 'marketing')->{status}, 'succeeded');
	is(value($node, "SELECT count(*) FROM ratchet.runs WHERE job_name = 'report' AND run_id > $last"), 0, '... from its next run on');
};

promise 'the owner of a job needs the privileges of those on whose jobs it depends, whoever defines it' => sub {
	psql_fails($node, q{SELECT ratchet.schedule('for another', '@manual', 'SELECT 1', depends_on => '{import}', run_as => 'marketing')}, qr/42501: depends_on: role "marketing" may not manage job "import" of role "billing"/, 'a superuser is told', user => 'dba');
	psql_ok($node, q{SELECT ratchet.schedule('of a superuser', '@manual', 'SELECT 1', depends_on => '{import}')}, '... and may depend on it itself', user => 'dba');
	psql_fails($node, q{SELECT ratchet.alter_job('of a superuser', run_as => 'marketing')}, qr/42501/, '... but not hand that on', user => 'dba');
};

# ---- Locks

# Each way to leave something behind, and what others do meanwhile.
my %behind = (
	'an open transaction' => sub {
		my ($sql, $user) = @_;
		my $session = session($node, user => $user);
		$session->query_safe('BEGIN');
		$session->query_safe($sql);
		return sub { $session->query_safe('ROLLBACK'); $session->quit; };
	},
	'a prepared transaction' => sub {
		my ($sql, $user) = @_;
		value($node, "BEGIN; $sql; PREPARE TRANSACTION 'behind'", user => $user);
		return sub { value($node, q{ROLLBACK PREPARED 'behind'}, user => $user); };
	},
	'a savepoint that was rolled back' => sub {
		my ($sql, $user) = @_;
		my $session = session($node, user => $user);
		$session->query_safe("BEGIN; SAVEPOINT s");
		$session->query_safe($sql);
		$session->query_safe("ROLLBACK TO s");
		return sub { $session->query_safe('ROLLBACK'); $session->quit; };
	});

# Two names of the same 32 bits of a hash, as the lock on a name had once.
my @alike = ('nightly', 'm4241nza');

value($node, qq{SELECT ratchet.schedule('$alike[0]', '\@manual', 'SELECT 1'); SELECT ratchet.schedule('first', '\@manual', 'SELECT 1');
	SELECT ratchet.schedule('second', '\@manual', 'SELECT 1')}, user => 'billing');
value($node, q{SELECT ratchet.schedule('own 1', '@manual', 'SELECT 1'); SELECT ratchet.schedule('own 2', '@manual', 'SELECT 1', depends_on => '{own 1}')}, user => 'marketing');
for my $how (sort keys %behind)
{
	promise "nobody waits for what another role has left behind: $how" => sub {
		my $end = $behind{$how}->(qq{SELECT ratchet.schedule('$alike[1]', '\@manual', 'SELECT 1');
			SELECT ratchet.schedule('own 3', '\@manual', 'SELECT 1', depends_on => '{own 1}');
			SELECT ratchet.alter_job('own 2', reset => '{depends_on}'); SELECT ratchet.alter_job('own 1', new_name => 'own one');
			SELECT ratchet.unschedule('$alike[0] or so', if_exists => true)}, 'marketing');
		for my $user ('billing', 'dba')
		{
			at_once($user, "SELECT ratchet.pause_job('$alike[0]'); SELECT ratchet.resume_job('$alike[0]'); SELECT ratchet.alter_job('$alike[0]', comment => '$user')", "$user: a name that is like another one");
			at_once($user, q{SELECT ratchet.alter_job('second', depends_on => '{first}'); SELECT ratchet.alter_job('first', new_name => 'renamed');
				SELECT ratchet.alter_job('renamed', new_name => 'first'); SELECT ratchet.alter_job('second', reset => '{depends_on}')}, "$user: dependencies and renames");
			at_once($user, qq{SELECT ratchet.schedule('$alike[0] or so', '\@manual', 'SELECT 1'); SELECT ratchet.unschedule('$alike[0] or so')}, "$user: a name that somebody has looked for");
			at_once($user, q{SELECT count(*) FROM ratchet.apply_jobs('[{"job_name": "applied", "schedule": "@manual", "command": "SELECT 1"},
				{"job_name": "applied 2", "schedule": "@manual", "command": "SELECT 1", "depends_on": ["applied"]}]'); SELECT ratchet.unschedule('applied 2'); SELECT ratchet.unschedule('applied')}, "$user: a document");
			next if $how =~ /rolled back/;
			psql_fails($node, "SET lock_timeout = '5 s'; SELECT ratchet.schedule('$_', '\@manual', 'SELECT 1')", qr/42710: job "\Q$_\E" is being defined by another transaction/, "$user: $_, which is being taken, is refused at once", user => $user)
			  for $alike[1], 'own 3', 'own one';
			psql_fails($node, "SET lock_timeout = '5 s'; SELECT ratchet.alter_job('first', new_name => '$alike[1]')", qr/42710/, "$user: ... as another name, too", user => $user);
		}
		$end->();
	};
}

promise 'a rename touches no job that only names the same' => sub {
	# A dependency of marketing on what now is billing's job.
	value($node, q{SELECT ratchet.schedule('etl', '@manual', 'SELECT 1'); SELECT ratchet.schedule('m', '@manual', 'SELECT 1', depends_on => '{etl}'); SELECT ratchet.unschedule('etl')}, user => 'marketing');
	value($node, q{SELECT ratchet.schedule('etl', '@manual', 'SELECT 1'); SELECT ratchet.schedule('after etl', '@manual', 'SELECT 1', depends_on => '{etl}')}, user => 'billing');
	my $session = session($node, user => 'marketing');
	$session->query_safe('BEGIN');
	$session->query_safe(q{SELECT ratchet.alter_job('m', comment => 'x')});
	at_once('billing', q{SELECT ratchet.alter_job('etl', new_name => 'etl2')}, 'its transaction is not waited for');
	at_once('dba', q{SELECT ratchet.alter_job('etl2', new_name => 'etl3')}, 'not by a superuser either');
	$session->query_safe('COMMIT');
	$session->quit;
	is(value($node, q{SELECT string_agg(job_name || ' ' || depends_on::text, ', ' ORDER BY job_name) FROM ratchet.jobs WHERE job_name IN ('m', 'after etl')}),
		'after etl {etl3}, m {etl}', 'and those that depend on it follow');
};

promise 'a rename tells of jobs of others that depend on the old name' => sub {
	value($node, q{SELECT ratchet.schedule('audit', '@manual', 'SELECT 1', depends_on => '{etl3}')}, user => 'auditor');
	my ($status, $out, $err) = $node->psql('postgres', q{SELECT ratchet.alter_job('etl3', new_name => 'etl4')}, extra_params => [ '-U', 'billing' ]);
	like($err, qr/WARNING:  jobs depend on job "etl3": 1/, 'with a warning');
	is(value($node, q{SELECT depends_on FROM ratchet.jobs WHERE job_name = 'audit'}), '{etl3}', 'and leaves them alone');
};

finish();
