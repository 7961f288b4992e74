# $3 in an action means the column that was the third one of the source when the job was defined: after columns were
# dropped, added, renamed and changed their types, before a run and in the middle of one.

use strict;
use warnings;

use JSON::PP ();
use RatchetTest;
use Test::More;

# A batch that gave way while it waits for this test would let others in too early.
my $node = new_node('main', conf => 'ratchet.lock_timeout = 0');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE done (job text, id text, value text);
CREATE FUNCTION work(the_job text, the_id text, the_value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT count(*) FROM done WHERE job = the_job) = 7 THEN
		PERFORM pg_advisory_xact_lock_shared(7);
	END IF;
	INSERT INTO done VALUES (the_job, the_id, the_value);
END $$;
SQL
my $json = JSON::PP->new;
my $jobs = 0;

# A job over 20 rows (id, a, b, c) that notes down their b, which is "b" and the id.
sub table
{
	my ($what, $options, $action) = @_;
	my $n = ++$jobs;
	$action //= "SELECT work('job $n', \$1::text, \$3::text)";
	$action =~ s/'/''/g;
	$options = defined $options ? ", $options" : '';
	$node->safe_psql('postgres', "CREATE TABLE t$n (id uuid PRIMARY KEY, a int, b text, c text);
		INSERT INTO t$n SELECT md5(i::text)::uuid, i, 'b' || md5(i::text)::uuid, 'c' FROM generate_series(1, 20) i;
		SELECT ratchet.schedule_batch('job $n', '\@manual', 'SELECT * FROM t$n', '$action', batch_size => 5$options)");
	return ("job $n", "t$n");
}

# Its run after the change.
sub after
{
	my ($job, $sql) = @_;
	return $json->decode($node->safe_psql('postgres', "\\o /dev/null\n$sql;\nSELECT ratchet.trigger('$job') AS run \\gset\nCALL ratchet.wait_for(:run, '3 minutes');
		\\o\nSELECT row_to_json(r) FROM ratchet.runs r WHERE run_id = :run"));
}

# Its run in whose middle the change comes.
sub during
{
	my ($job, $sql) = @_;
	my $holder = lock_session($node, 7);
	my $run = value($node, "SELECT ratchet.trigger('$job')");
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)});
	my $changer = session($node);
	$changer->query_until(qr/begun/, "\\echo begun\n$sql;\n");
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted)});
	$holder->quit;
	wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run");
	$changer->quit;
	return run_record($node, $run);
}

sub is_right
{
	my ($job, $count, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value($node, "SELECT count(*) || ' of ' || count(DISTINCT id) || ', wrong ' || count(*) FILTER (WHERE value IS DISTINCT FROM 'b' || id) FROM done WHERE job = '$job'"),
		"$count of $count, wrong 0", $what);
	return;
}

my @kept = (
	[ 'one before it is dropped',          'ALTER TABLE TABLE_ DROP a' ],
	[ 'one before and one behind',         'ALTER TABLE TABLE_ DROP a, DROP c' ],
	[ 'one is added',                      'ALTER TABLE TABLE_ ADD d int' ],
	[ 'as many added as dropped',          'ALTER TABLE TABLE_ DROP a, ADD d text' ],
	[ 'another one is renamed',            'ALTER TABLE TABLE_ RENAME a TO z' ],
	[ 'its type becomes a like one',       'ALTER TABLE TABLE_ ALTER b TYPE varchar(99)' ],
	[ 'all are in another order',          'BEGIN; ALTER TABLE TABLE_ RENAME TO old_TABLE_; CREATE TABLE TABLE_ AS SELECT c, b, id FROM old_TABLE_; COMMIT' ],
	[ 'an added one takes the old name',   'ALTER TABLE TABLE_ DROP a, ADD a text' ]);

promise 'what the job does not use may go' => sub {
	for my $case (@kept)
	{
		my ($what, $sql) = @$case;
		my ($job, $table) = table($what);
		is_run(after($job, $sql =~ s/TABLE_/$table/gr), { status => 'succeeded', items_done => 20 }, "$what, before a run");
		is_right($job, 20, 'the column is the one that was meant');
	}
	for my $case (@kept)
	{
		my ($what, $sql) = @$case;
		my ($job, $table) = table($what);
		is_run(during($job, $sql =~ s/TABLE_/$table/gr), { status => 'succeeded', items_done => 20 }, "$what, during a run");
		is_right($job, 20, 'the column is the one that was meant');
	}
	my ($job, $table) = table('arrays', q{per => 'batch'}, "INSERT INTO done SELECT 'arrays', * FROM unnest(\$1, \$3)");
	is_run(after($job, "ALTER TABLE $table DROP a"), { status => 'succeeded', items_done => 20 }, 'as arrays');
	is_right('arrays', 20, 'likewise');
};

promise 'what it uses may not' => sub {
	for my $when ('before', 'during')
	{
		for my $sql ('ALTER TABLE TABLE_ DROP b', 'ALTER TABLE TABLE_ RENAME b TO e', 'ALTER TABLE TABLE_ DROP b, ADD e text')
		{
			my ($job, $table) = table($sql);
			my $change = $sql =~ s/TABLE_/$table/gr;
			my $run = $when eq 'before' ? after($job, $change) : during($job, $change);
			is_run($run,
				{ status => 'failed', sqlstate => '42703', error => 'column "b" of the source is gone', items_done => $when eq 'before' ? 0 : 10,
					error_detail => 'It was column 3, which the job uses, when the job was defined.',
					error_hint => 'Give the job a source that names its columns, and an action that fits it.' },
				"$sql, $when a run");
			is_right($job, $when eq 'before' ? 0 : 10, 'nothing is done with another column');
		}
	}
	my ($job, $table) = table('key');
	is_run(after($job, "ALTER TABLE $table DROP id"), { status => 'failed', sqlstate => '42703', error => 'column "id" of the source is gone' }, 'the key');
	($job, $table) = table('type', undef, 'INSERT INTO done SELECT $1::text, $2 + 1');
	is_run(after($job, "ALTER TABLE $table ALTER a TYPE bigint"), { status => 'succeeded', items_done => 20 }, 'another type with which the action can be planned');
	my $run = after($job, "ALTER TABLE $table ALTER a TYPE text");
	is_run($run, { status => 'failed', sqlstate => '42883', items_done => 0 }, 'one with which it cannot');
	like($run->{error_context}, qr/^column "a" of the source was of type integer when the job was defined, and is of type text now$/m, 'the context says why');
};

promise 'columns of one name' => sub {
	$node->safe_psql('postgres', q{CREATE TABLE one (id int PRIMARY KEY, x text); CREATE TABLE two (y text, id int PRIMARY KEY, x text);
		INSERT INTO one VALUES (1, 'one'); INSERT INTO two VALUES ('y', 1, 'two');
		SELECT ratchet.schedule_batch('twins', '@manual', 'SELECT a.id AS key, * FROM one a JOIN two b USING (id)', 'INSERT INTO done VALUES (''twins'', $1, $5)')});
	is_run(after('twins', 'ALTER TABLE two DROP y'), { status => 'succeeded' }, 'the second x');
	is(value($node, q{SELECT value FROM done WHERE job = 'twins'}), 'two', 'is still the second one');
	is_run(after('twins', 'ALTER TABLE one DROP x'), { status => 'failed', sqlstate => '42702', error => 'column "x" of the source is ambiguous' }, 'which of them is left is not guessed');
};

sub said
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	return $status == 0 ? $err : "failed: $err";
}

promise 'defined again' => sub {
	$node->safe_psql('postgres', 'SELECT ratchet.unschedule(job_name) FROM ratchet.jobs');
	my ($job, $table) = table('again');
	my $same = "SELECT ratchet.schedule_batch('$job', '\@manual', 'SELECT * FROM $table', 'SELECT work(''$job'', \$1::text, \$3::text)', batch_size => 5)";
	my $version = "SELECT version FROM ratchet.job WHERE job_name = '$job'";
	is(said("ALTER TABLE $table DROP a; $same"), '', 'with the same texts');
	is(value($node, $version), 1, 'is the same');
	is(said("SELECT ratchet.alter_job('$job', timeout => '1 hour')"), '', 'another option');
	is_run(after($job, 'SELECT'), { status => 'succeeded', items_done => 20 }, 'runs');
	is_right($job, 20, 'with the columns that were meant at first');

	# The document has texts, no columns.
	unlike(value($node, 'SELECT ratchet.export_jobs()'), qr/columns/, 'an export does not have them');
	is(value($node, "SELECT count(*) FROM ratchet.apply_jobs(ratchet.export_jobs()) WHERE change <> 'unchanged'"), 0, 'what was exported is what there is');
	is_run(after($job, 'DELETE FROM done'), { status => 'succeeded', items_done => 20 }, 'also after that');
	is_right($job, 20, 'the columns are the same');

	# Nothing is left that $3 could mean.
	like(said("ALTER TABLE $table DROP b, ADD e text; SELECT ratchet.alter_job('$job', timeout => '2 hours')"), qr/^$/, 'an option does not look at it');
	is_run(after($job, 'SELECT'), { status => 'failed', sqlstate => '42703' }, 'the run fails');
	like(said($same), qr/^failed: .*ERROR:  column "b" of the source is gone\n.*HINT:  Give the job a source that names its columns, and an action that fits it\./s, 'the same texts do not come to mean other columns');
	like(said("SELECT * FROM ratchet.apply_jobs(ratchet.export_jobs())"), qr/^failed: .*ERROR:  job "$job": column "b" of the source is gone\n/, 'nor does a document');
	is(said("SELECT ratchet.alter_job('$job', source => 'SELECT id, c, e FROM $table')"), '', 'a source that names its columns');
	is_run(after($job, 'SELECT'), { status => 'succeeded', items_done => 20 }, 'is a new definition');

	# A new action, or source, means the columns of now.
	($job, $table) = table('anew');
	like(said("ALTER TABLE $table DROP a; SELECT ratchet.alter_job('$job', action => 'SELECT work(''$job'', \$1::text, \$2::text)')"),
		qr/^psql:<stdin>:1: WARNING:  the columns of the source of job "$job" have changed\nDETAIL:  \$2 was column "a", and is column "b" now\./, 'a new action');
	is_run(after($job, 'SELECT'), { status => 'succeeded' }, 'runs');
	is_right($job, 20, 'with the columns of now');
	($job, $table) = table('shifted');
	like(said("ALTER TABLE $table DROP b; SELECT ratchet.alter_job('$job', action => 'SELECT work(''$job'', \$1::text, lower(\$3))')"),
		qr/WARNING:  the columns of the source of job "$job" have changed\nDETAIL:  \$3 was column "b", and is column "c" now\./, 'with a warning where they are others');
	like(said("SELECT ratchet.alter_job('$job', action => 'SELECT work(''$job'', \$1::text, \$4::text)')"), qr/^failed: .*there is no parameter \$4/, 'and has no others');
};

promise 'a replay' => sub {
	my ($job, $table) = table('replay');
	my $run = after($job, 'SELECT');
	my $replay = value($node, "ALTER TABLE $table DROP a; DELETE FROM done WHERE job = '$job';
		SELECT ratchet.alter_job('$job', action => 'SELECT \$1') \\g /dev/null\nSELECT ratchet.replay($run->{run_id})");
	wait_run($node, $replay, 'succeeded');
	is_right($job, 20, 'has the columns that its run had');
};

finish();
