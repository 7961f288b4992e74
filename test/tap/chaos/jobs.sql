-- The jobs of the chaos test: CALL chaos.define_jobs(how many of each kind, how slowly).

CREATE FUNCTION chaos.plan(kind text, name text, schedule text, command text, i int, options text DEFAULT '', single boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO chaos.kind VALUES (name, kind, single);
	EXECUTE format('SELECT ratchet.schedule(%L, %L, %L, run_as => %L::regrole, backoff => %L, backoff_cap => %L %s)',
		name, schedule, command, 'chaos' || i % 3 + 1, '100 ms', '1 s', options);
END $$;

CREATE FUNCTION chaos.plan_batch(kind text, name text, schedule text, source text, action text, i int, options text DEFAULT '')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO chaos.kind VALUES (name, kind, false);
	EXECUTE format('SELECT ratchet.schedule_batch(%L, %L, %L, %L, run_as => %L::regrole, backoff => %L, backoff_cap => %L %s)',
		name, schedule, source, action, 'chaos' || i % 3 + 1, '100 ms', '1 s', options);
END $$;

CREATE FUNCTION chaos.every(ms float8, pace float8) RETURNS text LANGUAGE sql AS $$ SELECT round(ms * pace) || ' ms' $$;

CREATE PROCEDURE chaos.define_jobs(scale int, pace float8 DEFAULT 1) LANGUAGE plpgsql AS $define$
DECLARE
	name text;
	items text := 'SELECT id, bad FROM chaos.item';
BEGIN
	INSERT INTO chaos.item SELECT g, g % 37 = 5 FROM generate_series(1, 150) g;
	PERFORM chaos.plan('heart', 'heart', '500 ms', $$SELECT chaos.work('heart')$$, 0);
	FOR i IN 1 .. scale LOOP
		-- By the clock.
		FOR o IN 1 .. 3 LOOP
			name := format('grid_%s_%s', i, o);
			PERFORM chaos.plan('grid', name, chaos.every(500 + 300 * o + 70 * i, pace),
				format('SELECT chaos.work(%L, 0, 0.05, 0.02, NULL, NULL, %L)', name, o = 3), i + o,
				format(', overlap => %L, misfire => %L, misfire_limit => 5, max_attempts => %s',
					(ARRAY['skip', 'queue', 'allow'])[o], (ARRAY['once', 'skip', 'all'])[(i + o) % 3 + 1], i % 3 + 1));
		END LOOP;
		name := 'cron_' || i;
		PERFORM chaos.plan('cron', name, format('*/%s * * * * *', least(2 * ceil(pace), 30)), format('SELECT chaos.work(%L)', name), i, ', misfire => ''all'', misfire_limit => 3');
		name := 'rule_' || i;
		PERFORM chaos.plan('rule', name, format('DTSTART:20260101T000000Z RRULE:FREQ=SECONDLY;INTERVAL=%s', ceil(3 * pace)), format('SELECT chaos.work(%L)', name), i + 1);
		name := 'after_' || i;
		PERFORM chaos.plan('after', name, chaos.every(700, pace) || ' after completion', format('SELECT chaos.work(%L, 0, 0.1)', name), i + 2);
		name := 'slow_' || i;
		PERFORM chaos.plan('slow', name, chaos.every(900, pace), format('SELECT chaos.work(%L, 0, 0, 1.5)', name), i, ', overlap => ''queue'', misfire_limit => 3');
		-- In several transactions.
		name := 'steps_' || i;
		PERFORM chaos.plan('steps', name, chaos.every(2000, pace), format('CALL chaos.steps(%L, 0.1)', name), i + 1, ', max_attempts => 2', false);
		name := 'slices_' || i;
		PERFORM chaos.plan('slices', name, chaos.every(3000, pace), format('INSERT INTO chaos.slice VALUES (%1$L, ratchet.run_id(), 1); VACUUM chaos.swept; INSERT INTO chaos.slice VALUES (%1$L, ratchet.run_id(), 2)', name), i + 2,
			', transaction => ''per_statement''', false);
		-- Of items.
		name := 'items_' || i;
		PERFORM chaos.plan_batch('batch', name, chaos.every(3000, pace), items, format('SELECT chaos.do_item(%L, $1, $2, 0.002)', name), i,
			', batch_size => 20, max_attempts => 2');
		name := 'arrays_' || i;
		PERFORM chaos.plan_batch('batch', name, chaos.every(4000, pace), items, format('SELECT chaos.do_items(%L, $1, $2)', name), i + 1,
			', batch_size => 17, per => ''batch'', max_run_time => ''30 ms''');
		name := 'events_' || i;
		PERFORM chaos.plan_batch('events', name, chaos.every(2000, pace), 'SELECT id, bad FROM chaos.event', format('SELECT chaos.do_item(%L, $1, $2)', name), i + 2,
			', batch_size => 10, mode => ''incremental''');
		-- After others, and not beside them.
		name := 'a_' || i;
		PERFORM chaos.plan('parent', name, chaos.every(1500, pace), format('SELECT chaos.work(%L)', name), i, ', max_attempts => 1000');
		PERFORM chaos.plan('child', x || i, '@manual', format('SELECT chaos.work(%L, 0, 0, 0.02)', x || i), i,
			format(', max_attempts => 1000, depends_on => %L', CASE x WHEN 'd_' THEN ARRAY['b_' || i, 'c_' || i] ELSE ARRAY['a_' || i] END))
			FROM unnest(ARRAY['b_', 'c_', 'd_']) x;
		FOR o IN 1 .. 3 LOOP
			name := format('mutex_%s_%s', i, o);
			PERFORM chaos.plan('mutex', name, chaos.every(1100, pace), format('SELECT chaos.work(%L, 0, 0.05, 0.1, %L, NULL, %L)', name, 'm' || i, o = 3), i + o,
				format(', mutex => %L, overlap => %L', 'chaos_crowd.m' || i, (ARRAY['skip', 'queue', 'allow'])[o]));
		END LOOP;
		-- When there is something to do.
		name := 'only_if_' || i;
		PERFORM chaos.plan('only_if', name, chaos.every(800, pace), format('SELECT chaos.work(%L)', name), i, ', only_if => ''SELECT is_on FROM chaos.switch''');
		name := 'watch_' || i;
		PERFORM chaos.plan('watch', name, chaos.every(1000, pace), format('SELECT chaos.work(%L, seen => count(*)) FROM chaos.changed', name), i + 1, ', watch => ''{chaos.changed}''');
		name := 'change_' || i;
		PERFORM chaos.plan('change', name, '@manual', format('SELECT chaos.work(%L, seen => count(*)) FROM chaos.changed', name), i + 2, ', max_attempts => 1000');
		PERFORM ratchet.trigger_on_change('chaos.changed', name, debounce => '100 ms');
		-- When asked.
		name := 'asked_' || i;
		PERFORM chaos.plan('asked', name, '@manual', format('SELECT chaos.work(%L)', name), i, ', max_attempts => 1000');
		name := 'past_' || i;
		PERFORM chaos.plan('past', name, '1 minute', format('SELECT chaos.work(%L)', name), i + 1, ', start_at => ''2020-01-01'', misfire => ''once'', max_attempts => 1000');
		name := 'here_' || i;
		PERFORM chaos.plan('here', name, '@manual', format('SELECT chaos.work(%L, 0, 0.1)', name), i + 2);
		-- Those that do not behave.
		name := 'retry_' || i;
		PERFORM chaos.plan('retry', name, chaos.every(2500, pace), format('SELECT chaos.work(%L, 0, CASE WHEN ratchet.attempt() < 3 THEN 1 ELSE 0 END)', name), i, ', max_attempts => 6, overlap => ''queue''');
		name := 'endless_' || i;
		PERFORM chaos.plan('endless', name, chaos.every(4000, pace), 'SELECT pg_sleep(3600)', i + 1, ', timeout => ''200 ms''', false);
		name := 'deaf_' || i;
		PERFORM chaos.plan('deaf', name, chaos.every(7000, pace), 'DO $$BEGIN LOOP BEGIN PERFORM pg_sleep(3600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END$$', i + 2, ', timeout => ''200 ms''', false);
		name := 'suicide_' || i;
		PERFORM chaos.plan('suicide', name, chaos.every(6000, pace), 'SELECT pg_terminate_backend(pg_backend_pid())', i, ', on_crash => ''next''', false);
		name := 'wrong_' || i;
		PERFORM chaos.plan('wrong', name, chaos.every(2000, pace), 'SELECT 1/0', i + 1, '', false);
		name := 'sort_' || i;
		PERFORM chaos.plan('sort', name, chaos.every(5000, pace), format('SELECT chaos.work(%L) FROM (SELECT count(*) FROM (SELECT md5(g::text) AS m FROM generate_series(1, 20000) g ORDER BY 1) s) c', name), i + 2,
			', settings => ''{"work_mem": "64kB"}''');
	END LOOP;
	PERFORM chaos.plan('continuous', 'continuous', '@continuous', $$SELECT chaos.work('continuous', nap => 0.1)$$, 1);
	PERFORM chaos.plan('startup', 'startup', '@startup', $$SELECT chaos.work('startup')$$, 2);
	INSERT INTO chaos.account SELECT job_id, schedule_since FROM ratchet.job;
END $define$;

-- Where the occurrences of a job are, between two instants: of what goes by a grid that is known.
CREATE FUNCTION chaos.occurrences(j ratchet.job, since timestamptz, upto timestamptz) RETURNS bigint LANGUAGE sql AS $$
	SELECT CASE WHEN j.schedule ~ ' ms$|^\d+ seconds?$' THEN
		floor(extract(epoch FROM upto - j.schedule_since) / extract(epoch FROM j.schedule::interval))::bigint
		- floor(extract(epoch FROM since - j.schedule_since) / extract(epoch FROM j.schedule::interval))::bigint
	ELSE (SELECT count(*) FROM ratchet.next_runs(j.schedule, j.time_zone, 10000, since) t WHERE t <= upto) END
$$;
