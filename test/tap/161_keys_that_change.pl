# What becomes of a walk whose key changes after its first half: it goes on where the order is the same, and else
# fails and says what helps. It never begins again in silence, and leaves nothing out.

use strict;
use warnings;

use JSON::PP ();
use RatchetTest;
use Test::More;

# A batch that gave way while it waits for this test would let others in too early.
my $node = new_node('main', conf => 'ratchet.lock_timeout = 0');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE done (n bigint GENERATED ALWAYS AS IDENTITY, job text, key text);
CREATE TABLE stop (job text, after int);
-- Ends the run, not the item, behind so many items.
CREATE FUNCTION work(the_job text, the_key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT count(*) FROM done WHERE job = the_job) >= (SELECT after FROM stop WHERE job = the_job) THEN
		RAISE 'stopped here' USING ERRCODE = 'XX000';
	END IF;
	INSERT INTO done (job, key) VALUES (the_job, the_key);
END $$;
-- Stops in the middle of a batch while somebody holds the lock.
CREATE FUNCTION wait_at(the_job text, the_key text, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT count(*) FROM done WHERE job = the_job) = n THEN
		PERFORM pg_advisory_xact_lock_shared(7);
	END IF;
	INSERT INTO done (job, key) VALUES (the_job, the_key);
END $$;
SQL
my $icu = value($node, q{SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'});
my $citext = value($node, q{SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'});
$node->safe_psql('postgres', 'CREATE EXTENSION citext') if $citext;
$node->safe_psql('postgres', <<'SQL') if $icu;
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION same_as_und (provider = icu, locale = 'und');
SQL
my $jobs = 0;
my $json = JSON::PP->new;

sub counts
{
	my ($job) = @_;
	return value($node, "SELECT count(*) || ' of ' || count(DISTINCT key) FROM done WHERE job = '$job'");
}

# Runs the job after the SQL, in one session. Returns the run's record and what a query says then.
sub after
{
	my ($sql, $job, $query) = @_;
	my $out = $node->safe_psql('postgres', <<"SQL");
\\o /dev/null
$sql;
SELECT ratchet.trigger('$job') AS run \\gset
CALL ratchet.wait_for(:run, '3 minutes');
\\o
SELECT row_to_json(r) FROM ratchet.runs r WHERE run_id = :run;
@{[ $query // 'SELECT NULL' ]};
SQL
	my ($record, $answer) = split /\n/, $out;
	return ($json->decode($record), $answer);
}

# A table of 20 rows with keys of this type, in no order, and its walk up to the tenth of them.
sub half
{
	my ($type, $value, %option) = @_;
	my $job = 'job ' . ++$jobs;
	my $table = "t$jobs";
	my $direction = $option{descending} ? ' DESC' : '';
	my $mode = $option{mode} // 'full';
	my ($run) = after("CREATE TABLE $table (gone int, k $type PRIMARY KEY, other text);
		ALTER TABLE $table DROP gone;
		INSERT INTO $table SELECT $value, 'x' FROM generate_series(1, 20) i ORDER BY md5(i::text);
		INSERT INTO stop VALUES ('$job', 10);
		SELECT ratchet.schedule_batch('$job', '\@manual', 'SELECT k FROM $table', 'SELECT work(''$job'', \$1::text)',
			key => '{k$direction}', batch_size => 5, mode => '$mode')", $job);
	is_run($run, { status => 'failed', items_done => 10, error => 'stopped here' }, "$type: half a walk");
	return ($job, $table);
}

sub changed
{
	my ($job, $table, $to) = @_;
	return "DELETE FROM stop WHERE job = '$job';" . join ';', map { s/TABLE_/$table/gr } ref $to ? @$to : $to;
}

# The record of a run that was asked for, when it has ended.
sub ended
{
	my ($run) = @_;
	wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $run");
	return run_record($node, $run);
}

sub again { return (after('SELECT', $_[0]))[0]; }

sub goes_on
{
	my ($type, $value, $to, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($job, $table) = half($type, $value, %option);
	$to = "ALTER TABLE TABLE_ ALTER k TYPE $to" unless $to =~ /^(ALTER|DELETE) /;
	my ($run, $done) = after(changed($job, $table, $to), $job, "SELECT count(*) FROM done WHERE job = '$job'");
	is_run($run, { status => 'succeeded', items_done => 10, error => undef }, "$type, then $to: goes on");
	is($done, 20, 'each item once');
	isnt($run->{checkpoint_from}, undef, 'behind its checkpoint');
	return ($job, $table, $run);
}

sub fails
{
	my ($type, $value, $to, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($job, $table) = half($type, $value, %option);
	$to = "ALTER TABLE TABLE_ ALTER k TYPE $to" unless ref $to || $to =~ /^(ALTER|UPDATE|CREATE) /;
	my ($run) = after(changed($job, $table, $to), $job);
	my %failure = (status => 'failed', sqlstate => '55000', items_done => 0,
		error => qq{the checkpoint of job "$job" is void: the order of its key has changed},
		error_hint => "Use ratchet.reset_checkpoint('$job') to let the job begin at the start.");
	is_run($run, \%failure, "$type, then " . (ref $to ? $to->[-1] : $to) . ': fails') or return;
	like($run->{error_detail}, $option{detail} // qr/^Key column "k" was .+, and is .+ now\.$/, 'says why');
	($run) = after('SELECT', $job);
	is_run($run, \%failure, 'and again');
	my $count = "SELECT count(*) FROM done WHERE job = '$job'";
	($run, my $done) = after("CREATE TABLE before_$jobs AS $count; SELECT ratchet.reset_checkpoint('$job')", $job,
		"SELECT count || ' ' || ($count) FROM before_$jobs");
	is_run($run, { status => 'succeeded', items_done => 20 }, 'as it says, it then begins at the start');
	is($done, '10 30', 'and not before');
	return;
}

my $word = q{CASE i % 2 WHEN 0 THEN 'a' ELSE 'B' END || chr(64 + i)};

promise 'the order stays the same' => sub {
	goes_on('int', 'i', 'bigint');
	goes_on('int', 'i', 'bigint', mode => 'incremental');
	goes_on('smallint', 'i - 10', 'int', descending => 1);
	goes_on('bigint', 'i', 'smallint');
	goes_on('bigint', 'i', 'int', mode => 'incremental');
	goes_on('int', 'i', 'numeric');
	goes_on('int', 'i - 7', 'numeric(12,3)');
	goes_on('numeric(20,0)', 'i', 'bigint');
	goes_on('numeric(10,2)', 'i / 7.0', 'numeric(12,4)');
	goes_on('varchar(20)', $word, 'text');
	goes_on('text', $word, 'varchar(30)', mode => 'incremental');
	goes_on('varchar(200)', $word, 'varchar(2)', descending => 1);
	goes_on('char(5)', $word, 'char(8)');
	goes_on('name', $word, 'ALTER TABLE TABLE_ ALTER k TYPE text COLLATE "C"');
	goes_on('date', q{'2026-01-01'::date + i}, 'timestamp');
	goes_on('date', q{'2026-01-01'::date + i}, 'timestamp', descending => 1);
	goes_on('timestamp(0)', q{'2026-01-01'::timestamp + i * interval '1 h'}, 'ALTER TABLE TABLE_ ALTER k TYPE timestamp');
	goes_on('cidr', q{('10.0.' || i || '.0/24')::cidr}, 'inet');
	goes_on('uuid', 'md5(i::text)::uuid', 'ALTER TABLE TABLE_ DROP other, ADD other int DEFAULT 1');
	$node->safe_psql('postgres', 'CREATE DOMAIN number AS bigint CHECK (VALUE > 0)');
	goes_on('int', 'i', 'ALTER TABLE TABLE_ ALTER k TYPE number');
	goes_on('number', 'i', 'int');
	# A collation is known by what it does.
	goes_on('text', $word, 'ALTER TABLE TABLE_ ALTER k TYPE text COLLATE "POSIX"');
	goes_on('text COLLATE "und-x-icu"', $word, 'ALTER TABLE TABLE_ ALTER k TYPE varchar COLLATE same_as_und') if $icu;
};

promise 'a checkpoint that does not fit any more' => sub {
	# Rows up to the checkpoint are gone, so that the others fit into the smaller type.
	my $big = q{CASE WHEN i <= 10 THEN i - 3000000000 ELSE i END};
	goes_on('bigint', $big, 'DELETE FROM TABLE_ WHERE k < 0; ALTER TABLE TABLE_ ALTER k TYPE int');
	$big = q{CASE WHEN i > 10 THEN i + 3000000000 ELSE i END};
	goes_on('bigint', $big, 'DELETE FROM TABLE_ WHERE k > 20; ALTER TABLE TABLE_ ALTER k TYPE smallint', descending => 1);
	goes_on('numeric(30,0)', q{CASE WHEN i > 10 THEN 10 ^ 25::numeric + i ELSE i END},
		'DELETE FROM TABLE_ WHERE k > 20; ALTER TABLE TABLE_ ALTER k TYPE bigint', descending => 1);
	# All that is left lies before it.
	my ($job, $table) = half('bigint', q{i + 3000000000});
	my ($run) = after(changed($job, $table, 'DELETE FROM TABLE_; INSERT INTO TABLE_ VALUES (1); ALTER TABLE TABLE_ ALTER k TYPE int'), $job);
	is_run($run, { status => 'succeeded', items_done => 0 }, 'behind everything: nothing is left');
};

promise 'the order may be another one' => sub {
	fails('int', 'i', 'text');
	fails('int', 'i', 'float8');
	fails('real', 'i', 'double precision');
	fails('numeric(10,4)', 'i / 7.0', 'numeric(10,2)');
	fails('numeric', 'i', 'bigint', mode => 'incremental');
	fails('timestamptz', q{'2026-10-25 00:00+00'::timestamptz + i * interval '10 min'}, 'timestamp');
	fails('timestamp', q{'2026-10-25'::timestamp + i * interval '10 min'}, 'timestamptz', descending => 1);
	fails('timestamp', q{'2026-10-25'::timestamp + i * interval '1 day'}, 'date');
	fails('timestamp', q{'2026-10-25'::timestamp + i * interval '1 s'}, 'ALTER TABLE TABLE_ ALTER k TYPE timestamp(0)');
	fails('text', $word, 'char(10)');
	fails('uuid', 'md5(i::text)::uuid', 'text');
	fails('int[]', 'ARRAY[i, 1]', 'bigint[] USING k::bigint[]');
	fails('int4range', 'int4range(i, i + 1)', 'ALTER TABLE TABLE_ ALTER k TYPE int8range USING int8range(lower(k), upper(k))');
	fails('text', $word, 'citext') if $citext;
  SKIP:
	{
		skip 'the server has no ICU', 1 unless $icu;
		fails('text COLLATE "C"', $word, 'text COLLATE "und-x-icu"');
		fails('text COLLATE "und-x-icu"', $word, 'text COLLATE "C"', mode => 'incremental');
		fails('varchar(9) COLLATE "und-x-icu"', $word, 'text COLLATE nocase', descending => 1);
		fails('text[] COLLATE "C"', "ARRAY[$word]", 'text[] COLLATE "und-x-icu"');
		# As after an upgrade of the library that sorts.
		fails('text COLLATE "und-x-icu"', $word,
			q{UPDATE ratchet.job_checkpoint SET key = replace(key, 'icu und', 'icu und 1') WHERE job_id = (SELECT max(job_id) FROM ratchet.job);
				SELECT ratchet.adopt()});
	}
};

promise 'enums' => sub {
	my $label = q{('{l01,l02,l03,l04,l05,l06,l07,l08,l09,l10,l11,l12,l13,l14,l15,l16,l17,l18,l19,l20}'::text[])[i]};
	my $create = sub { "CREATE TYPE $_[0] AS ENUM (" . join(', ', map { sprintf "'l%02d'", $_ } @{ $_[1] }) . ')' };
	$node->safe_psql('postgres', $create->($_, [ 1 .. 20 ])) for qw(renamed grown twin swapped moved);
	$node->safe_psql('postgres', $create->(other => [ reverse 1 .. 20 ]));
	goes_on('renamed', "$label\::renamed", q{ALTER TYPE renamed RENAME VALUE 'l10' TO 'the tenth'});
	goes_on('renamed', "coalesce(nullif($label, 'l10'), 'the tenth')::renamed", q{ALTER TYPE renamed RENAME TO called; ALTER TYPE called RENAME VALUE 'the tenth' TO 'l10'}, descending => 1);
	goes_on('grown', "$label\::grown", q{ALTER TYPE grown ADD VALUE 'l09b' BEFORE 'l10'});
	goes_on('twin', "$label\::twin", q{ALTER TYPE twin RENAME VALUE 'l10' TO 'x'; ALTER TYPE twin RENAME VALUE 'l15' TO 'l10'; ALTER TYPE twin RENAME VALUE 'x' TO 'l15'});
	fails('swapped', "$label\::swapped", 'other USING k::text::other', detail => qr/^Key column "k" was public.swapped, and is public.other now\.$/);
	fails('moved', "$label\::moved", ['ALTER TYPE moved RENAME TO old_moved', $create->(moved => [ 2 .. 20, 1 ]),
		'ALTER TABLE TABLE_ ALTER k TYPE moved USING k::text::moved'],
		detail => qr/^Labels of enum public.moved, the type of key column "k", are gone or in another order\.$/);
	fails('moved[]', "ARRAY[$label]::moved[]", q{ALTER TYPE moved RENAME VALUE 'l10' TO 'the tenth'});
};

promise 'types of users' => sub {
	$node->safe_psql('postgres', <<'SQL');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE longer AS (a int, b text, c text);
CREATE TYPE number_like AS (n int);
CREATE FUNCTION n_cmp(number_like, number_like) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($1.n, $2.n)';
CREATE FUNCTION n_lt(number_like, number_like) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT n_cmp($1, $2) < 0';
CREATE FUNCTION n_le(number_like, number_like) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT n_cmp($1, $2) <= 0';
CREATE FUNCTION n_eq(number_like, number_like) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT n_cmp($1, $2) = 0';
CREATE FUNCTION n_ge(number_like, number_like) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT n_cmp($1, $2) >= 0';
CREATE FUNCTION n_gt(number_like, number_like) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT n_cmp($1, $2) > 0';
CREATE OPERATOR < (leftarg = number_like, rightarg = number_like, function = n_lt, commutator = >, negator = >=);
CREATE OPERATOR <= (leftarg = number_like, rightarg = number_like, function = n_le);
CREATE OPERATOR = (leftarg = number_like, rightarg = number_like, function = n_eq, commutator = =);
CREATE OPERATOR >= (leftarg = number_like, rightarg = number_like, function = n_ge);
CREATE OPERATOR > (leftarg = number_like, rightarg = number_like, function = n_gt);
CREATE OPERATOR CLASS n_ops DEFAULT FOR TYPE number_like USING btree AS
	OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 n_cmp (number_like, number_like);
SQL
	goes_on('pair', q{ROW(i / 3, chr(65 + i))::pair}, 'ALTER TABLE TABLE_ DROP other');
	goes_on('number_like', 'ROW(i)::number_like', 'ALTER TABLE TABLE_ DROP other');
	fails('pair', q{ROW(i / 3, chr(65 + i))::pair}, q{ALTER TABLE TABLE_ ALTER k TYPE longer USING ROW((k).a, (k).b, '')::longer});
	fails('number_like', 'ROW(i)::number_like',
		q{CREATE OR REPLACE FUNCTION n_cmp(number_like, number_like) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -btint4cmp($1.n, $2.n)'});
};

promise 'keys of several columns' => sub {
	my ($n, @jobs) = (0);
	for my $to ('a TYPE bigint, ALTER b TYPE varchar(50)', 'b TYPE int USING ascii(b)')
	{
		my $job = 'several ' . ++$n;
		$node->safe_psql('postgres', "CREATE TABLE several_$n (a int, b text, PRIMARY KEY (a, b));
			INSERT INTO several_$n SELECT i / 4, chr(65 + i) FROM generate_series(1, 20) i; INSERT INTO stop VALUES ('$job', 10)");
		run_batch($node, $job, "SELECT b, a FROM several_$n", "SELECT work('$job', \$1::text)", q{key => '{a,b}', batch_size => 5});
		my ($run) = after("DELETE FROM stop; ALTER TABLE several_$n ALTER $to", $job);
		is_run($run, $n == 1 ? { status => 'succeeded', items_done => 10 } : { status => 'failed', sqlstate => '55000', items_done => 0 }, $to);
	}
};

promise 'another key by alter_job' => sub {
	my ($job, $table) = half('int', 'i');
	$node->safe_psql('postgres', "DELETE FROM stop; ALTER TABLE $table ADD second int; UPDATE $table SET second = -k; ALTER TABLE $table ADD UNIQUE (second)");
	my ($status, $out, $err) = $node->psql('postgres', "SELECT ratchet.alter_job('$job', source => 'SELECT k, second FROM $table', key => '{second}')");
	like($err, qr/the checkpoint of job "$job" is void and has been deleted/, 'says so at once');
	is_run(again($job), { status => 'succeeded', items_done => 20, checkpoint_from => undef }, 'and begins at the start');
};

promise 'replays' => sub {
	my ($job, $table, $run) = goes_on('int', 'i', 'bigint');
	my $replay = value($node, "SELECT ratchet.replay($run->{run_id})");
	is_run(ended($replay), { status => 'succeeded', items_done => 10 }, 'of the range of a run, behind another type');
	$node->safe_psql('postgres', changed($job, $table, 'ALTER TABLE TABLE_ ALTER k TYPE text'));
	$replay = value($node, "SELECT ratchet.replay($run->{run_id})");
	is_run(ended($replay),
		{ status => 'failed', items_done => 0, sqlstate => '55000',
			error => "the range of run $run->{run_id}, which is to be replayed, is void: the order of its key has changed",
			error_hint => "Use ratchet.trigger('$job') for a run of what the source has now." },
		'behind another order');

	# Failed items: by their labels' OIDs.
	$node->safe_psql('postgres', q{CREATE TYPE state AS ENUM ('one', 'two', 'three'); CREATE TABLE states (k state PRIMARY KEY);
		INSERT INTO states VALUES ('three'), ('one'), ('two'); CREATE TABLE bad (k text); INSERT INTO bad VALUES ('two')});
	my $failed = run_batch($node, 'states', 'SELECT k FROM states',
		q{INSERT INTO done (job, key) SELECT 'states', 1 / (CASE WHEN EXISTS (SELECT FROM bad) AND $1 = (SELECT k::state FROM bad) THEN 0 ELSE 1 END)});
	is_run($failed, { status => 'succeeded', items_done => 2, items_failed => 1 }, 'an item fails');
	$node->safe_psql('postgres', q{DELETE FROM bad; ALTER TYPE state RENAME VALUE 'two' TO 'deux'});
	$replay = value($node, "SELECT ratchet.replay($failed->{run_id}, only_failed => true)");
	is_run(ended($replay), { status => 'succeeded', items_done => 1 }, 'and is found again under the new name of its label');

	# Labels that were renamed on the way of the run, and again later; two of them have changed places.
	$node->safe_psql('postgres', q{
		CREATE TYPE step AS ENUM ('s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8');
		CREATE TABLE steps (gone int, k step PRIMARY KEY, n int NOT NULL);
		ALTER TABLE steps DROP gone;
		INSERT INTO steps SELECT k, row_number() OVER (ORDER BY k) FROM unnest(enum_range(NULL::step)) k ORDER BY k DESC;
		CREATE TABLE bad_steps (n int);
		INSERT INTO bad_steps VALUES (2), (3), (7);
		CREATE FUNCTION take(n int) RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			IF n = 5 THEN
				PERFORM pg_advisory_xact_lock_shared(9);
			END IF;
			IF EXISTS (SELECT FROM bad_steps b WHERE b.n = take.n) THEN
				RAISE 'step % is bad', n;
			END IF;
			INSERT INTO done (job, key) VALUES ('steps', n);
		END $$});
	my $holder = lock_session($node, 9);
	my $steps = begin_batch($node, 'steps', 'SELECT k, n FROM steps', 'SELECT take($2)', 'batch_size => 4');
	wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)});
	$node->safe_psql('postgres', q{
		ALTER TYPE step RENAME VALUE 's2' TO 'x';
		ALTER TYPE step RENAME VALUE 's4' TO 's2';
		ALTER TYPE step RENAME VALUE 'x' TO 's4';
		ALTER TYPE step RENAME VALUE 's3' TO 'third';
		ALTER TYPE step RENAME VALUE 's7' TO 'seventh'});
	$holder->quit;
	is_run(ended($steps), { status => 'succeeded', items_done => 5, items_failed => 3 }, 'items fail before and after labels are renamed');
	$node->safe_psql('postgres', q{
		TRUNCATE bad_steps;
		ALTER TYPE step RENAME VALUE 'third' TO 'troisieme';
		ALTER TYPE step RENAME VALUE 'seventh' TO 'septieme'});
	$replay = value($node, "SELECT ratchet.replay($steps, only_failed => true)");
	is_run(ended($replay), { status => 'succeeded', items_done => 3, items_failed => 0 }, 'all of them are found again');
	is(value($node, q{SELECT string_agg(key, ' ' ORDER BY n) FROM done WHERE job = 'steps'}), '1 4 5 6 8 2 3 7', 'and they are what had failed');

	# One that no row can have any more.
	$node->safe_psql('postgres', 'CREATE TABLE wide (k bigint PRIMARY KEY); INSERT INTO wide VALUES (1), (3000000000)');
	$failed = run_batch($node, 'wide', 'SELECT k FROM wide', 'SELECT 1 / (3000000000 - $1)');
	is_run($failed, { status => 'succeeded', items_done => 1, items_failed => 1 }, 'an item fails');
	$node->safe_psql('postgres', 'DELETE FROM wide WHERE k > 1; ALTER TABLE wide ALTER k TYPE int');
	$replay = value($node, "SELECT ratchet.replay($failed->{run_id}, only_failed => true)");
	is_run(ended($replay), { status => 'succeeded', items_done => 0 }, 'a key that does not fit is not there any more');
	is(value($node, "SELECT count(*) FROM ratchet.failed_items WHERE job_name = 'wide' AND resolved_at IS NULL"), 0, 'and is resolved');
};

promise 'between two batches of one run' => sub {
	my $n = 0;
	for my $case (
		[ 'int', 'i', 'ALTER TABLE TABLE_ ALTER k TYPE bigint', 1 ],
		[ 'bigint', 'i', 'ALTER TABLE TABLE_ ALTER k TYPE smallint', 1 ],
		[ 'bigint', 'CASE WHEN i < 20 THEN i ELSE 3000000000 END', 'BEGIN; DELETE FROM TABLE_ WHERE k > 20; ALTER TABLE TABLE_ ALTER k TYPE smallint; COMMIT', 19 ],
		[ 'varchar(20)', $word, 'ALTER TABLE TABLE_ ALTER k TYPE text', 1 ],
		[ 'int', 'i', 'ALTER TABLE TABLE_ ALTER k TYPE text', 0 ],
		[ 'text', $word, q{ALTER TABLE TABLE_ ALTER k TYPE int USING ascii(right(k, 1))}, 0 ],
		[ 'labels', q{('l' || i)::labels}, q{ALTER TYPE labels RENAME VALUE 'l12' TO 'twelve'; ALTER TYPE labels RENAME VALUE 'l10' TO 'ten'}, 1 ],
		[ 'uuid', 'md5(i::text)::uuid', 'ALTER TABLE TABLE_ DROP other', 1 ],
		[ 'uuid', 'md5(i::text)::uuid', 'BEGIN; DROP TABLE TABLE_; CREATE TABLE TABLE_ (k int PRIMARY KEY); INSERT INTO TABLE_ VALUES (1), (100); COMMIT', 0 ],
		$icu ? ([ 'text COLLATE "C"', $word, 'ALTER TABLE TABLE_ ALTER k TYPE text COLLATE "und-x-icu"', 0 ]) : ())
	{
		my ($type, $value, $to, $goes_on) = @$case;
		my $job = 'between ' . ++$n;
		$node->safe_psql('postgres', 'CREATE TYPE labels AS ENUM (' . join(', ', map { "'l$_'" } 1 .. 20) . ')') if $type eq 'labels';
		$node->safe_psql('postgres', "CREATE TABLE between_$n (k $type PRIMARY KEY, other text);
			INSERT INTO between_$n SELECT $value, 'x' FROM generate_series(1, 20) i");
		my $holder = lock_session($node, 7);
		my $run = begin_batch($node, $job, "SELECT k FROM between_$n", "SELECT wait_at('$job', \$1::text, 7)", 'batch_size => 5');
		wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)});
		my $changer = session($node);
		$to =~ s/TABLE_/between_$n/g;
		$changer->query_until(qr/begun/, "\\echo begun\n$to;\n");
		wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted)}) unless $type eq 'labels';
		wait_until($node, q{SELECT EXISTS (SELECT FROM pg_enum WHERE enumlabel = 'ten')}) if $type eq 'labels';
		$holder->quit;
		my $record = ended($run);
		$changer->quit;
		if ($goes_on)
		{
			my $count = $goes_on > 1 ? $goes_on : 20;
			is_run($record, { status => 'succeeded', items_done => $count }, "$type, $to: goes on");
			is(counts($job), "$count of $count", 'each item once');
		}
		else
		{
			is_run($record, { status => 'failed', sqlstate => '55000', items_done => 10 }, "$type, $to: fails");
			is(counts($job), '10 of 10', 'what is done is done once');
			is_run(again($job), { status => 'failed', sqlstate => '55000', items_done => 0 }, 'and so does the next run');
		}
	}
};

promise 'a table that was emptied' => sub {
	$node->safe_psql('postgres', q{CREATE TABLE log (id bigserial PRIMARY KEY, note text); INSERT INTO log (note) SELECT 'x' FROM generate_series(1, 30)});
	my $color = q{SELECT color || ': ' || why FROM ratchet.job_health WHERE job_name = 'log'};
	my ($run, $health) = after(q{SELECT ratchet.schedule_batch('log', '@manual', 'SELECT id FROM log', 'SELECT $1', mode => 'incremental')}, 'log', $color);
	is_run($run, { status => 'succeeded', items_done => 30, reason => undef }, 'all of it');
	($run, $health) = after('SELECT', 'log', $color);
	is_run($run, { status => 'succeeded', items_done => 0, reason => undef }, 'nothing new');
	is($health, 'green: the last run succeeded', 'green');
	($run, $health) = after(q{TRUNCATE log RESTART IDENTITY; INSERT INTO log (note) SELECT 'y' FROM generate_series(1, 3)}, 'log', $color);
	my $why = 'the largest key of the source, {"id": 3}, lies before the checkpoint {"id": 30}';
	is_run($run, { status => 'succeeded', items_done => 0, reason => $why }, 'numbers begin anew: the record says so');
	is($health, "amber: $why", 'and so does job_health');
	($run, $health) = after(q{SELECT ratchet.reset_checkpoint('log')}, 'log', $color);
	is_run($run, { status => 'succeeded', items_done => 3, reason => undef }, 'from the start again');
	is($health, 'green: the last run succeeded', 'green again');
};

promise 'a collation that is not up to date' => sub {
	plan skip_all => 'the server has no ICU' unless $icu;
	$node->safe_psql('postgres', q{CREATE COLLATION aged (provider = icu, locale = 'und'); CREATE TABLE aged (k text COLLATE aged PRIMARY KEY);
		INSERT INTO aged VALUES ('b'), ('a'); UPDATE pg_collation SET collversion = '1' WHERE collname = 'aged'});
	my ($run) = after(q{SELECT ratchet.schedule_batch('aged', '@manual', 'SELECT k FROM aged', 'SELECT $1')}, 'aged');
	is_run($run, { status => 'succeeded', items_done => 2 }, 'is walked');
	like($run->{reason}, qr/^collation "aged" was of version 1, and is of version .+: an index may be in another order until it is rebuilt$/, 'and the record says so');
	($run) = after(q{ALTER COLLATION aged REFRESH VERSION}, 'aged');
	is_run($run, { status => 'succeeded', reason => undef }, 'until it is said to be rebuilt');
	# The index as it would be after such an upgrade.
	$node->safe_psql('postgres', q{CREATE TABLE upgraded (k text COLLATE "C" PRIMARY KEY); INSERT INTO upgraded VALUES ('a'), ('B'), ('c');
		UPDATE pg_attribute SET attcollation = 'und-x-icu'::regcollation WHERE attrelid = 'upgraded_pkey'::regclass;
		UPDATE pg_attribute SET attcollation = 'und-x-icu'::regcollation WHERE attrelid = 'upgraded'::regclass AND attname = 'k';
		UPDATE pg_index SET indcollation = 'und-x-icu'::regcollation::oid::text::oidvector WHERE indexrelid = 'upgraded_pkey'::regclass});
	($run) = after(q{SELECT ratchet.schedule_batch('upgraded', '@manual', 'SELECT k FROM upgraded', 'SELECT $1', settings => '{"enable_sort": "off"}')}, 'upgraded');
	is_run($run, { status => 'failed', sqlstate => 'XX002', items_done => 0, error_hint => 'Rebuild the indexes of its tables by REINDEX.' }, 'rows out of order are noticed');
	($run) = after('REINDEX TABLE upgraded', 'upgraded');
	is_run($run, { status => 'succeeded', items_done => 3 }, 'and not once the index is rebuilt');
};

promise 'rows whose columns are null' => sub {
	my ($run) = after(q{CREATE TYPE two AS (a int, b int); CREATE TABLE rows_as_keys (k two);
		INSERT INTO rows_as_keys SELECT ROW(i, NULL)::two FROM generate_series(1, 8) i; INSERT INTO rows_as_keys VALUES (ROW(NULL, NULL)::two);
		SELECT ratchet.schedule_batch('rows', '@manual', 'SELECT k FROM rows_as_keys', 'SELECT work(''rows'', $1::text)', batch_size => 4)}, 'rows');
	is_run($run, { status => 'succeeded', items_done => 9 }, 'are keys as any other');
	is(counts('rows'), '9 of 9', 'each once');
	($run) = after('INSERT INTO rows_as_keys VALUES (NULL)', 'rows');
	is_run($run, { status => 'failed', sqlstate => '22004' }, 'and a row that is null is none');
	# One that is added when the end of the walk is known.
	($run) = after(q{CREATE TABLE parent (k int); CREATE TABLE child () INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2);
		CREATE UNIQUE INDEX ON parent (k);
		SELECT ratchet.schedule_batch('parent', '@manual', 'SELECT k FROM parent', 'INSERT INTO child SELECT NULL WHERE $1 = 1')}, 'parent');
	is_run($run, { status => 'failed', sqlstate => '22004' }, 'of a table with children, too');
};

promise 'in the foreground' => sub {
	my ($job, $table) = half('int', 'i');
	$node->safe_psql('postgres', changed($job, $table, 'ALTER TABLE TABLE_ ALTER k TYPE bigint'));
	psql_ok($node, "CALL ratchet.run('$job')", 'goes on');
	is(counts($job), '20 of 20', 'each item once');
	($job, $table) = half('int', 'i');
	$node->safe_psql('postgres', changed($job, $table, 'ALTER TABLE TABLE_ ALTER k TYPE text'));
	psql_fails($node, "CALL ratchet.run('$job')", qr/55000: the checkpoint of job "$job" is void.*HINT:  Use ratchet.reset_checkpoint\('$job'\)/s, 'fails with a hint');
	is(counts($job), '10 of 10', 'nothing is done twice');
};

finish();
