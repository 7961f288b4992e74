# Values of types that belong to somebody else, where the library writes them down and reads them back: in
# results, failed items, keys and checkpoints. A client that fetches them gets what their output functions
# write, and runs none of their owner's code: neither casts to json nor the checks of domains.

use strict;
use warnings;

use RatchetTest;
use Test::More;

my $node = new_node('main');
my $superuser = value($node, 'SELECT current_user');

# What belongs to mallory writes down as whom it runs.
value($node, q{
	CREATE ROLE mallory LOGIN;
	GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
	CREATE SCHEMA AUTHORIZATION mallory;
	GRANT USAGE ON SCHEMA mallory TO PUBLIC;
	CREATE TABLE loot (who text, what text);
	GRANT INSERT ON loot TO PUBLIC});
value($node, q{
	CREATE FUNCTION mallory.note(what text) RETURNS void LANGUAGE sql AS $$INSERT INTO public.loot VALUES (current_user, what)$$;
	CREATE TYPE mallory.mood AS ENUM ('glad', 'sad', 'so "so"');
	CREATE DOMAIN mallory.humour AS mallory.mood;
	CREATE TYPE mallory.span AS RANGE (subtype = mallory.mood, multirange_type_name = mallory.spans);
	CREATE TYPE mallory.pair AS (m mallory.mood, n int);
	CREATE TABLE mallory.t (id int PRIMARY KEY, m mallory.mood UNIQUE, ms mallory.mood[] UNIQUE, h mallory.humour UNIQUE,
		hs mallory.humour[], s mallory.span UNIQUE, ss mallory.spans, p mallory.pair UNIQUE, ps mallory.pair[]);
	INSERT INTO mallory.t VALUES (1, 'glad', '{glad,"so \"so\"",NULL}', 'sad', '{sad}', '[glad,sad)', '{[glad,sad]}', '(sad,1)', '{"(sad,)"}'),
		(2, 'sad', '{{sad},{glad}}', 'glad', '{}', 'empty', '{}', '(,)', '{}'),
		(3, 'so "so"', NULL, NULL, NULL, NULL, NULL, NULL, NULL)}, user => 'mallory');
for my $type ('mood', 'mood[]', 'humour', 'span', 'spans', 'pair', 't')
{
	(my $name = $type) =~ s/\W+/_list/;
	# Were they implicit, the server could not tell which "<" is meant by that of an enum, a row or a range.
	for my $to ('json', 'jsonb', 'text', 'varchar')
	{
		psql_ok($node, qq{
			CREATE FUNCTION mallory.${name}_$to(mallory.$type) RETURNS $to LANGUAGE plpgsql AS \$\$
			BEGIN PERFORM mallory.note('cast of $type to $to'); RETURN '"x"'; END \$\$;
			CREATE CAST (mallory.$type AS $to) WITH FUNCTION mallory.${name}_$to(mallory.$type) } . ($to =~ /json/ ? '' : 'AS ASSIGNMENT'),
			"a cast of $type to $to", user => 'mallory');
	}
}

sub loot { return value($node, q{WITH gone AS (DELETE FROM loot RETURNING *) SELECT string_agg(DISTINCT concat_ws(': ', who, what), E'\n') FROM gone}) }

# What a client sees of the first row: each column as text, but for what JSON has words for.
my %shown = (
	'SELECT m FROM mallory.t ORDER BY id' => '{"m":"glad"}',
	'SELECT m FROM mallory.t ORDER BY id DESC' => '{"m":"so \"so\""}',
	'SELECT ms FROM mallory.t ORDER BY id' => '{"ms":["glad","so \"so\"",null]}',
	'SELECT ms FROM mallory.t WHERE id = 2' => '{"ms":[["sad"],["glad"]]}',
	'SELECT h, hs FROM mallory.t ORDER BY id' => '{"h":"sad","hs":["sad"]}',
	'SELECT s, ss FROM mallory.t ORDER BY id' => '{"s":"[glad,sad)","ss":"{[glad,sad]}"}',
	'SELECT p, ps FROM mallory.t ORDER BY id' => '{"p":{"m":"sad","n":1},"ps":[{"m":"sad","n":null}]}',
	'SELECT row(m, h) AS r, array[m] AS a FROM mallory.t ORDER BY id' => '{"r":{"f1":"glad","f2":"sad"},"a":["glad"]}',
	'SELECT t FROM mallory.t WHERE id = 3' =>
	  '{"t":{"id":3,"m":"so \"so\"","ms":null,"h":null,"hs":null,"s":null,"ss":null,"p":null,"ps":null}}',
	'UPDATE mallory.t SET m = m WHERE id = 1 RETURNING id, m' => '{"id":1,"m":"glad"}',
	'SELECT * FROM mallory.t WHERE id = 2' =>
	  '{"id":2,"m":"sad","ms":[["sad"],["glad"]],"h":"glad","hs":[],"s":"empty","ss":"{}","p":{"m":null,"n":null},"ps":[]}');

promise 'the result of a run shows values as a client gets them, and no cast of their type is called' => sub {
	is(value($node, q{SELECT to_json(m) FROM mallory.t WHERE id = 1}), '"x"', 'to_json would call it');
	is(loot(), "$superuser: cast of mood to json", 'as whoever looks');
	for my $command (sort keys %shown)
	{
		my $run = run_job($node, 'shows', $command);
		is_run($run, { status => 'succeeded', result => $shown{$command} }, $command);
		value($node, qq{SELECT ratchet.schedule('shown', '\@manual', \$command\$$command\$command\$)});
		psql_ok($node, q{CALL ratchet.run('shown')}, 'in the foreground');
		is(value($node, q{SELECT result FROM ratchet.runs WHERE job_name = 'shown' ORDER BY run_id DESC LIMIT 1}), $shown{$command}, 'the same');
	}
	is_run(run_job($node, 'shows', 'SELECT 1 AS one; SELECT m FROM mallory.t WHERE id = 2', "transaction => 'per_statement'"),
		{ result => '{"m":"sad"}' }, 'several statements');
	is(loot(), '', 'nothing of mallory has run');
};

promise 'what is built in looks as to_json shows it' => sub {
	my @values = (
		q{1::smallint}, q{-7}, q{9223372036854775807}, q{1.50}, q{'NaN'::numeric}, q{'infinity'::float8}, q{1e300::float8}, q{0.1::real}, q{true},
		q{NULL::int}, q{'Müller "x" \ '::text || chr(9) || chr(10)}, q{''::text}, q{'ab'::char(4)}, q{'n'::name}, q{'2026-02-28'::date},
		q{'infinity'::date}, q{'2026-02-28 01:02:03.04'::timestamp}, q{'2026-02-28 01:02:03+02'::timestamptz}, q{'-infinity'::timestamptz},
		q{'01:02:03'::time}, q{'1 day 2 h'::interval}, q{'{"a": [1, {"b": null}]}'::json}, q{'{"a": [1, {"b": null}]}'::jsonb},
		q{'\x00ff'::bytea}, q{'9e107d9d-372b-4dd6-8e1b-2fbd0c1a2b3c'::uuid}, q{'10.0.0.1/8'::inet}, q{B'101'}, q{'<a/>'::xml}, q{'(1,2)'::point},
		q{'{}'::int[]}, q{'{{1,2},{3,NULL}}'::int[]}, q{'[0:1]={a,"b,c"}'::text[]}, q{ARRAY['2026-01-01'::date]}, q{'1 2'::int2vector},
		q{ARRAY['{"a": 1}'::jsonb]}, q{row(1, 'x'::text, NULL, row('2026-01-01'::date, '{1}'::int[]))}, q{ARRAY[row(1, true)]},
		q{'[2026-01-01,2026-02-01)'::daterange}, q{'{[1,3),[5,7)}'::int4multirange}, q{'pg_class'::regclass}, q{'a & b'::tsquery}, q{pg_sleep(0)});
	my $number = 0;
	my $row = join(', ', map { "$_ AS v" . ++$number } @values);
	is(run_job($node, 'builtin', "SELECT $row, 1 AS \"a \"\"b\"\"\"")->{result},
		value($node, "SELECT row_to_json(x) FROM (SELECT $row, 1 AS \"a \"\"b\"\"\") x"), 'a value of each type');
	is(run_job($node, 'builtin', 'SELECT')->{result}, '{}', 'no column');
	is(run_job($node, 'builtin', 'SELECT x FROM generate_series(1, 3) x')->{result}, '{"x":1}', 'of a function');
	is(run_job($node, 'builtin', 'VALUES (1, 2), (3, 4)')->{result}, '{"column1":1,"column2":2}', 'of values');
	is(run_job($node, 'builtin', 'SELECT * FROM (VALUES (1, NULL)) v (a, "b ""c")')->{result}, '{"a":1,"b \"c":null}', 'of values with names');
	is(run_job($node, 'builtin', 'SELECT most_common_vals AS v FROM pg_stats WHERE most_common_vals IS NOT NULL ORDER BY tablename, attname LIMIT 1')->{status},
		'succeeded', 'an array of whatever');
};

promise 'failed items show values as a client gets them, and no cast of their type is called' => sub {
	my $seen = q{SELECT string_agg(concat_ws(' ', key, item), E'\n' ORDER BY item_id) FROM ratchet.failed_items WHERE run_id = };

	my $run = run_batch($node, 'fails', 'SELECT id, m, ms, h, s, p FROM mallory.t', q{SELECT 1 / ($1 - 1)});
	is_run($run, { status => 'succeeded', items_failed => 1 }, 'by a key that is a number');
	is(value($node, $seen . $run->{run_id}),
		'{"id": 1} {"h": "sad", "m": "glad", "p": {"m": "sad", "n": 1}, "s": "[glad,sad)", "id": 1, "ms": ["glad", "so \"so\"", null]}', 'as it is seen');
	my %key = (
		m => ['', '{"m": "glad"}'],
		h => ['WHERE h IS NOT NULL', '{"h": "glad"}'],
		ms => ['WHERE ms IS NOT NULL', '{"ms": "{glad,\"so \\\\\"so\\\\\"\",NULL}"}'],
		s => ['WHERE s IS NOT NULL', '{"s": "empty"}'],
		p => ['WHERE p IS NOT NULL', '{"p": "(sad,1)"}']);
	for my $key (sort keys %key)
	{
		my ($where, $first) = @{ $key{$key} };
		my $source = "SELECT $key, id FROM mallory.t $where";
		my $failing = value($node, "SELECT id FROM mallory.t $where ORDER BY $key LIMIT 1");
		$run = run_batch($node, "by_$key", $source, "SELECT 1 / (\$2 - $failing)", 'batch_size => 1');
		is_run($run, { items_failed => 1 }, "by $key");
		is(value($node, "SELECT key FROM ratchet.failed_items WHERE run_id = $run->{run_id}"), $first, 'its key');
		is(value($node, "SELECT checkpoint_to FROM ratchet.runs WHERE run_id = $run->{run_id}"),
			value($node, "SELECT jsonb_build_object('$key', format('%s', $key)) FROM mallory.t $where ORDER BY $key DESC LIMIT 1"), 'where it has come to');
		my $again = value($node, "SELECT ratchet.replay($run->{run_id}, only_failed => true)");
		wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $again");
		is(value($node, "SELECT items_failed FROM ratchet.runs WHERE run_id = $again"), 1, 'found again by its key');
	}
	value($node, 'UPDATE mallory.t SET m = m');
	psql_ok($node, q{CALL ratchet.run('by_m')}, 'in the foreground');
	psql_fails($node, q{CALL ratchet.run('by_m', dry_run => true)}, qr{54000: 1 of 3 items failed in the dry run}, 'for a try');
	is(loot(), '', 'nothing of mallory has run');
};

# Types whose input function makes the checks of a domain that is somewhere within.
my @domains = (
	{ type => 'checked[]', rows => q{SELECT ARRAY[i, i + 1] FROM generate_series(%d, %d) i} },
	{ type => 'checked[]', rows => q{SELECT ARRAY[[i, NULL], [3, 4]] FROM generate_series(%d, %d) i} },
	{ type => 'one', rows => q{SELECT (i, 'it''s "(a, b)" \ ')::mallory.one FROM generate_series(%d, %d) i} },
	{ type => 'one', rows => q{SELECT (i, NULL)::mallory.one FROM generate_series(%d, %d) i} },
	{ type => 'one[]', rows => q{SELECT ARRAY[(i, 'a,{b}')::mallory.one, NULL] FROM generate_series(%d, %d) i} },
	{ type => 'many', rows => q{SELECT (ARRAY[i], ARRAY[(i, '')::mallory.one], (i, 'x')::mallory.one)::mallory.many FROM generate_series(%d, %d) i} },
	{ type => 'list', rows => q{SELECT ARRAY[i]::mallory.list FROM generate_series(%d, %d) i} },
	{ type => 'reach', rows => q{SELECT mallory.reach(i, i + 5, '[]') FROM generate_series(%d, %d) i} },
	{ type => 'reach', rows => q{SELECT mallory.reach(i, NULL, '(]') FROM generate_series(%d, %d) i} },
	{ type => 'reaches', rows => q{SELECT mallory.reaches(mallory.reach(i, i + 1), mallory.reach(i + 5, NULL)) FROM generate_series(%d, %d) i} },
	{ type => 'far', rows => q{SELECT mallory.reach(i, i + 5)::mallory.far FROM generate_series(%d, %d) i} },
	{ type => 'fars', rows => q{SELECT mallory.reaches(mallory.reach(i, i + 5))::mallory.fars FROM generate_series(%d, %d) i} },
	{ type => 'reach[]', rows => q{SELECT ARRAY[mallory.reach(i, i + 1), 'empty'] FROM generate_series(%d, %d) i} },
	{ type => 'checked', rows => q{SELECT i FROM generate_series(%d, %d) i} });

promise 'a walk by a key that has a domain within it makes no check of that domain' => sub {
	value($node, q{
		CREATE FUNCTION mallory.check(int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM mallory.note('check'); RETURN true; END $$;
		CREATE DOMAIN mallory.checked AS int CHECK (mallory.check(VALUE));
		CREATE TYPE mallory.one AS (c mallory.checked, t text);
		CREATE TYPE mallory.many AS (cs mallory.checked[], ones mallory.one[], gone int, o mallory.one);
		ALTER TYPE mallory.many DROP ATTRIBUTE gone;
		CREATE DOMAIN mallory.list AS mallory.checked[] CHECK (mallory.check(cardinality(VALUE)));
		CREATE TYPE mallory.reach AS RANGE (subtype = mallory.checked, multirange_type_name = mallory.reaches);
		CREATE DOMAIN mallory.far AS mallory.reach CHECK (mallory.check(1));
		CREATE DOMAIN mallory.fars AS mallory.reaches CHECK (mallory.check(1))}, user => 'mallory');
	is(value($node, q{SELECT '{1}'::mallory.checked[]}), '{1}', 'an input function');
	is(loot(), "$superuser: check", 'makes them as whoever calls it');
	my $number = 0;
	for my $domain (@domains)
	{
		my ($type, $job, $table) = ($domain->{type}, 'walk' . ++$number, "mallory.k$number");
		value($node, "CREATE TABLE $table (k mallory.$type PRIMARY KEY, v serial);
			INSERT INTO $table (k) " . sprintf($domain->{rows}, 1, 5) . "; ANALYZE $table", user => 'mallory');
		value($node, 'TRUNCATE loot');
		my $run = run_batch($node, $job, "SELECT k, v FROM $table", 'SELECT 1 / ($2 - 3)', "mode => 'incremental', batch_size => 2");
		is_run($run, { status => 'succeeded', items_done => 4, items_failed => 1 }, "$number. $type: a walk");
		value($node, "INSERT INTO $table (k) " . sprintf($domain->{rows}, 11, 13), user => 'mallory');
		my $next = value($node, "SELECT ratchet.trigger('$job')");
		wait_run($node, $next, 'succeeded', 'goes on behind its checkpoint');
		is(value($node, "SELECT items_done FROM ratchet.runs WHERE run_id = $next"), 3, 'with what is new');
		my $again = value($node, "SELECT ratchet.replay($run->{run_id}, only_failed => true)");
		wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $again");
		is(value($node, "SELECT items_failed FROM ratchet.runs WHERE run_id = $again"), 1, 'what has failed is found again');
		$again = value($node, "SELECT ratchet.replay($run->{run_id})");
		wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $again");
		is(value($node, "SELECT items_done FROM ratchet.runs WHERE run_id = $again"), 4, 'the same range once more');
		is(value($node, "SELECT checkpoint_to ->> 'k' FROM ratchet.runs WHERE run_id = $again"),
			value($node, "SELECT k::text FROM $table WHERE v = 5"), 'up to where it went');
		value($node, "SELECT ratchet.reset_checkpoint('$job')");
		psql_ok($node, "CALL ratchet.run('$job')", 'in the foreground');
		is(value($node, q{SELECT count(*) FROM loot WHERE who <> 'mallory'}), 0, 'nothing of mallory has run as somebody else');
	}
	is(value($node, q{SELECT string_agg(DISTINCT status || ' ' || items_done + items_failed, ',') FROM ratchet.runs
		WHERE cause = 'foreground' AND job_name LIKE 'walk%'}), 'succeeded 8', 'each item once in each');
};

promise 'nor one that was added to the domain while the job stood at a checkpoint' => sub {
	value($node, q{
		CREATE DOMAIN mallory.plain AS text;
		CREATE TABLE mallory.later (k mallory.plain[] PRIMARY KEY);
		INSERT INTO mallory.later SELECT ARRAY[i] FROM generate_series(1, 5) i}, user => 'mallory');
	is_run(run_batch($node, 'later', 'SELECT k FROM mallory.later', 'SELECT $1', "mode => 'incremental', batch_size => 2"),
		{ status => 'succeeded', items_done => 5 }, 'before');
	value($node, q{
		CREATE FUNCTION mallory.check(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM mallory.note('check'); RETURN true; END $$;
		ALTER DOMAIN mallory.plain ADD CONSTRAINT late CHECK (mallory.check(VALUE)) NOT VALID;
		INSERT INTO mallory.later SELECT ARRAY[i] FROM generate_series(6, 9) i}, user => 'mallory');
	is(loot(), 'mallory: check', 'as its owner');
	my $run = value($node, q{SELECT ratchet.trigger('later')});
	wait_run($node, $run, 'succeeded', 'behind the checkpoint');
	is(value($node, "SELECT items_done FROM ratchet.runs WHERE run_id = $run"), 4, 'what is new');
	is(loot(), '', 'nothing of mallory has run');
};

promise 'keys are read back as they were, whatever is in them' => sub {
	value($node, q{
		CREATE TYPE words AS (a text, b text, n numeric(6,2), c char(5));
		CREATE TYPE stretch AS RANGE (subtype = text, collation = "C", multirange_type_name = stretches);
		CREATE DOMAIN three AS char(3); CREATE DOMAIN bits AS bit(4); CREATE DOMAIN letters AS varchar(6);
		CREATE TABLE seen (job text, k text);
		CREATE TABLE odd (t text PRIMARY KEY COLLATE "C");
		INSERT INTO odd VALUES (''), (' '), ('a,b'), ('"'), ('""'), ('\\'), ('{}'), ('()'), ('[x'), ('x]'), ('a b '), (E'\n'), (E'\t"\\,'),
			('NULL'), ('null'), ('empty'), ('Müller'), ('日本'), ('''')});
	my %key = (
		'text[]' => q{SELECT ARRAY[t] FROM odd UNION ALL SELECT ARRAY[t, NULL] FROM odd UNION ALL SELECT ARRAY[[t, 'x'], ['y', t]] FROM odd
			UNION ALL VALUES ('{}'::text[]), ('[0:1]={a,b}'), ('{NULL}')},
		'words' => q{SELECT (t, NULL, 1.5, 'ab')::words FROM odd UNION ALL SELECT (NULL, t, 1, NULL)::words FROM odd UNION ALL SELECT (t, t, 7, 'x')::words FROM odd},
		'words[]' => q{SELECT ARRAY[(t, t, 0.01, 'é')::words, (NULL, t, NULL, NULL)::words] FROM odd},
		'stretch' => q{SELECT stretch(t, t || '~') FROM odd UNION ALL SELECT stretch(t, NULL, '(]') FROM odd UNION ALL SELECT stretch(NULL, t, '(]') FROM odd
			UNION ALL VALUES ('empty'::stretch), ('(,)')},
		'stretches' => q{SELECT stretches(stretch(t, t, '[]'), stretch('~', '~' || t, '[]')) FROM odd UNION ALL VALUES ('{}'::stretches), ('{(,)}')},
		'float8[]' => q{SELECT ARRAY[random(), x] FROM generate_series(1, 5) x UNION ALL VALUES ('{NaN,-Infinity}'::float8[])},
		'timestamptz[]' => q{SELECT ARRAY['2026-03-29 00:59:59.123456+00'::timestamptz + x * interval '1 s'] FROM generate_series(1, 5) x},
		'interval[]' => q{SELECT ARRAY[x * '1 mon -1 day 00:00:00.5'::interval] FROM generate_series(1, 5) x},
		'tstzrange' => q{SELECT tstzrange('2026-03-29 00:59:59+00'::timestamptz + x * interval '1 s', NULL) FROM generate_series(1, 5) x},
		'int4multirange' => q{SELECT int4multirange(int4range(x, x + 2), int4range(x + 10, NULL)) FROM generate_series(1, 5) x},
		'bytea[]' => q{SELECT ARRAY[decode(lpad(to_hex(x), 4, '0'), 'hex')] FROM generate_series(1, 5) x},
		'three' => q{SELECT 'a' || chr(96 + x) FROM generate_series(1, 5) x},
		'bits' => q{SELECT (x + 8)::bit(4) FROM generate_series(1, 5) x},
		'letters' => q{SELECT repeat('x', x) FROM generate_series(1, 5) x},
		'inet[]' => q{SELECT ARRAY['10.0.0.1/8'::inet + x] FROM generate_series(1, 5) x});
	my $number = 0;
	for my $type (sort keys %key)
	{
		my $table = 'key' . ++$number;
		value($node, "CREATE TABLE $table (k $type PRIMARY KEY); INSERT INTO $table $key{$type}");
		is_run(
			run_batch($node, $table, "SELECT k FROM $table", "INSERT INTO seen VALUES ('$table', \$1::text)",
				q{batch_size => 1, settings => '{"DateStyle": "SQL, DMY", "IntervalStyle": "sql_standard", "extra_float_digits": "-5", "bytea_output": "escape"}'}),
			{ status => 'succeeded', items_failed => 0 },
			$type);
		is(value($node, "SELECT count(*) || ' ' || count(DISTINCT k) FROM seen WHERE job = '$table'"),
			value($node, "SELECT count(*) || ' ' || count(DISTINCT k) FROM $table"), "$type: each once");
	}
};

promise 'what a job says is not executed when it is defined, changed or looked at' => sub {
	value($node, q{
		CREATE FUNCTION mallory.spy(int) RETURNS int LANGUAGE plpgsql AS $$BEGIN PERFORM mallory.note('spy'); RETURN $1; END $$;
		CREATE VIEW mallory.v AS SELECT id, mallory.spy(id) AS n FROM mallory.t WHERE mallory.spy(id) > 0}, user => 'mallory');
	value($node, 'TRUNCATE loot');
	for my $owner ('mallory', $superuser)
	{
		psql_ok($node, qq{
			SELECT ratchet.schedule('idle', '\@manual', 'SELECT mallory.spy(1), 1::mallory.checked', only_if => 'SELECT mallory.spy(1) > 0',
				run_as => '"$owner"');
			SELECT ratchet.schedule_batch('idle_walk', '\@manual', 'SELECT id, n FROM mallory.v', 'SELECT mallory.spy(\$1), \$2::mallory.checked',
				only_if => 'SELECT n > 0 FROM mallory.v', mode => 'incremental', run_as => '"$owner"');
			SELECT ratchet.schedule_batch('idle_keys', '\@manual', 'SELECT m, s, p FROM mallory.t', 'SELECT \$1::json', per => 'item',
				key => '{m}', run_as => '"$owner"');
			SELECT ratchet.alter_job('idle', command => 'CALL mallory.spy(2)', schedule => '1 hour');
			SELECT ratchet.alter_job('idle_walk', source => 'SELECT id, n + 1 AS n FROM mallory.v', watch => '{mallory.t}');
			SELECT * FROM ratchet.jobs; SELECT * FROM ratchet.job_health; SELECT * FROM ratchet.stat_jobs; SELECT * FROM ratchet.status();
			SELECT ratchet.next_runs('1 hour');
			SELECT ratchet.apply_jobs(ratchet.export_jobs());
			SELECT ratchet.trigger_on_change('mallory.t', 'idle'); SELECT ratchet.drop_trigger_on_change('mallory.t', 'idle');
			SELECT ratchet.unschedule(job_name) FROM ratchet.jobs WHERE job_name LIKE 'idle%'}, "as $owner");
		is(loot(), '', 'nothing of mallory has run');
	}
};

promise 'operators for a domain take the place of those of its base type in no walk' => sub {
	# As an extension makes a type, in a schema where everybody may create.
	my %operator = ('<' => 'lt', '<=' => 'le', '=' => 'eq', '>=' => 'ge', '>' => 'gt');
	value($node, q{
		CREATE SCHEMA shared; GRANT ALL ON SCHEMA shared TO PUBLIC;
		CREATE TYPE shared.code;
		CREATE FUNCTION shared.code_in(cstring) RETURNS shared.code LANGUAGE internal IMMUTABLE STRICT AS 'textin';
		CREATE FUNCTION shared.code_out(shared.code) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
		CREATE TYPE shared.code (INPUT = shared.code_in, OUTPUT = shared.code_out, LIKE = text, COLLATABLE = true);
		CREATE FUNCTION shared.code_cmp(shared.code, shared.code) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'bttextcmp';}
		  . join('', map { qq{
		CREATE FUNCTION shared.code_$operator{$_}(shared.code, shared.code) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'text$operator{$_}';
		CREATE OPERATOR shared.$_ (FUNCTION = shared.code_$operator{$_}, LEFTARG = shared.code, RIGHTARG = shared.code);} =~ s/textlt/text_lt/r
		  =~ s/text(l|g)([et])'/text_$1$2'/r } sort keys %operator)
		  . q{
		CREATE OPERATOR CLASS shared.code_ops DEFAULT FOR TYPE shared.code USING btree AS
			OPERATOR 1 shared.<, OPERATOR 2 shared.<=, OPERATOR 3 shared.=, OPERATOR 4 shared.>=, OPERATOR 5 shared.>,
			FUNCTION 1 shared.code_cmp(shared.code, shared.code)});
	value($node, 'CREATE DOMAIN mallory.mine AS shared.code; CREATE DOMAIN mallory.mine2 AS mallory.mine;'
		. join('', map { my $o = $_; map { my ($left, $right) = @$_; (my $name = "$left$right$operator{$o}") =~ s/\W/_/g; qq{
		CREATE FUNCTION mallory.$name($left, $right) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM mallory.note(''operator''); RETURN \$1::text $o \$2::text; END';
		CREATE OPERATOR shared.$o (FUNCTION = mallory.$name, LEFTARG = $left, RIGHTARG = $right);} }
		  (['mallory.mine', 'shared.code'], ['mallory.mine', 'mallory.mine'], ['mallory.mine2', 'shared.code'], ['mallory.mine2', 'mallory.mine2']) } sort keys %operator)
		. q{
		CREATE TABLE mallory.codes (k mallory.mine UNIQUE, l mallory.mine2 UNIQUE, PRIMARY KEY (k, l));
		INSERT INTO mallory.codes SELECT chr(96 + i)::shared.code, chr(96 + i)::shared.code FROM generate_series(1, 9) i}, user => 'mallory');
	value($node, 'TRUNCATE loot');
	for my $key ('k', 'l', 'k DESC', 'k, l', 'k DESC, l DESC')
	{
		(my $name = "code $key") =~ s/\W+/_/g;
		my $run = run_batch($node, $name, 'SELECT k, l FROM mallory.codes' . ($key eq 'l' ? ' ORDER BY l LIMIT 100' : ''), q{SELECT 1 / (ascii($1::text) - 98)},
			"batch_size => 2, key => '{$key}'" . ($key =~ /DESC/ ? '' : ", mode => 'incremental'"));
		is_run($run, { status => 'succeeded', items_done => 8, items_failed => 1 }, "by $key");
		my $again = value($node, "SELECT ratchet.replay($run->{run_id}, only_failed => true)");
		wait_until($node, "SELECT status NOT IN ('queued', 'running') FROM ratchet.runs WHERE run_id = $again");
		is(value($node, "SELECT items_failed FROM ratchet.runs WHERE run_id = $again"), 1, 'what has failed');
	}
	is(loot(), '', 'nothing of mallory has run');
};

promise 'an array of values of a domain that is passed to an action is one of its base type' => sub {
	value($node, q{
		CREATE DOMAIN positive AS int CHECK (VALUE > 0);
		CREATE TABLE counted (n positive PRIMARY KEY);
		INSERT INTO counted SELECT generate_series(1, 3);
		CREATE TABLE sums (ns int[])});
	is_run(run_batch($node, 'sums', 'SELECT n FROM counted', 'INSERT INTO sums VALUES ($1)', "per => 'batch'"), { status => 'succeeded' }, 'a batch');
	is(value($node, 'SELECT ns || ARRAY[4] FROM sums'), '{1,2,3,4}', 'as it says itself');
	psql_ok($node, 'DROP TABLE counted; DROP DOMAIN positive', 'and is without the domain');
	is(value($node, 'SELECT ns FROM sums'), '{1,2,3}', 'what it was');
};

finish();
