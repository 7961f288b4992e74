-- What applications do meanwhile: CALL chaos.traffic(how often), by a role that owns jobs.

CREATE FUNCTION chaos.any_job(of_kind text) RETURNS text LANGUAGE sql AS $$
	SELECT j.job_name FROM ratchet.jobs j JOIN chaos.kind k USING (job_name)
	 WHERE k.kind = of_kind AND j.owner = session_user::regrole ORDER BY random() LIMIT 1
$$;

CREATE FUNCTION chaos.ask(job text, own boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	asked bigint := ratchet.trigger(job, CASE WHEN random() < 0.5 THEN jsonb_build_object('n', (random() * 5)::int) END,
		run_at => CASE WHEN random() < 0.2 THEN clock_timestamp() + interval '300 ms' END, "coalesce" => NOT own);
BEGIN
	INSERT INTO chaos.asked VALUES (asked, job);
	RETURN asked;
END $$;

-- A job that lives shortly; its run has been asked for all the same.
CREATE FUNCTION chaos.short_life() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name text := 'brief_' || nextval('chaos.brief');
BEGIN
	INSERT INTO chaos.kind VALUES (name, 'brief', true);
	PERFORM ratchet.schedule(name, CASE WHEN random() < 0.5 THEN '@manual' ELSE '200 ms' END, format('SELECT chaos.work(%L, nap => 0.05)', name),
		max_attempts => 1000, backoff => '100 ms', backoff_cap => '1 s');
	PERFORM chaos.ask(name, true);
END $$;

CREATE PROCEDURE chaos.traffic(rounds int) LANGUAGE plpgsql AS $traffic$
DECLARE
	what int;
	name text;
	asked bigint;
	sent bigint[];
	at_time timestamptz;
BEGIN
	FOR round IN 1 .. rounds LOOP
		what := floor(random() * 23);
		CASE
		WHEN what <= 2 THEN
			name := chaos.any_job('asked');
			CONTINUE WHEN name IS NULL;
			PERFORM chaos.ask(name, random() < 0.3);
			COMMIT;
		WHEN what = 3 THEN
			name := chaos.any_job('asked');
			CONTINUE WHEN name IS NULL;
			asked := chaos.ask(name, true);
			ROLLBACK;
			INSERT INTO chaos.forgotten VALUES (asked);
			COMMIT;
		WHEN what <= 6 THEN
			INSERT INTO chaos.changed (what) SELECT 'seen' FROM generate_series(1, 1 + (random() * 3)::int);
			IF random() < 0.2 THEN
				ROLLBACK;
			ELSE
				COMMIT;
			END IF;
		WHEN what <= 9 THEN
			INSERT INTO chaos.event (bad) SELECT random() < 0.05 FROM generate_series(1, 1 + (random() * 8)::int);
			PERFORM pg_sleep(random() * 0.1);
			IF random() < 0.2 THEN
				ROLLBACK;
			ELSE
				COMMIT;
			END IF;
		WHEN what >= 17 THEN
			SELECT array_agg(t) INTO sent FROM chaos.send_some() t;
			IF random() < 0.2 THEN
				ROLLBACK;
				INSERT INTO chaos.unsent SELECT unnest(sent);
			END IF;
			COMMIT;
		WHEN what = 10 THEN
			UPDATE chaos.switch SET is_on = NOT is_on;
			COMMIT;
		WHEN what = 11 THEN
			INSERT INTO chaos.asked SELECT ratchet.replay(run_id), job_name FROM (
				SELECT run_id, job_name FROM ratchet.run_log r JOIN chaos.kind k USING (job_name)
				 WHERE k.kind IN ('grid', 'cron', 'batch', 'asked', 'brief') AND status = 'succeeded'
				   AND owner = session_user::regrole AND items_of IS NULL
				 ORDER BY random() LIMIT 1) r;
			COMMIT;
		WHEN what = 12 THEN
			name := chaos.any_job('past');
			IF name IS NOT NULL AND (SELECT count(*) < 3 FROM ratchet.backfills) THEN
				SELECT coalesce(max(to_time) + interval '1 minute', '2020-01-01') INTO at_time FROM chaos.wanted;
				INSERT INTO chaos.wanted VALUES (at_time, at_time + interval '4 minutes');
				PERFORM ratchet.backfill(name, at_time, at_time + interval '4 minutes');
			END IF;
			COMMIT;
		WHEN what = 13 THEN
			name := chaos.any_job('grid');
			CONTINUE WHEN name IS NULL;
			PERFORM ratchet.alter_job(name, command => (SELECT regexp_replace(command, ', \d+, ', format(', %s, ', 1 + (random() * 1e6)::int))
				FROM ratchet.jobs WHERE job_name = name));
			IF random() < 0.3 THEN
				ROLLBACK;
			ELSE
				COMMIT;
			END IF;
		WHEN what = 14 THEN
			PERFORM ratchet.schedule('phantom', '100 ms', $$SELECT chaos.work('phantom')$$);
			PERFORM ratchet.trigger('phantom');
			PERFORM pg_sleep(0.15);
			ROLLBACK;
		WHEN what = 15 THEN
			PERFORM chaos.short_life();
			COMMIT;
			PERFORM pg_sleep(random() * 0.3);
			PERFORM ratchet.unschedule(j.job_name) FROM ratchet.jobs j JOIN chaos.kind k USING (job_name)
			  WHERE k.kind = 'brief' AND owner = session_user::regrole;
			COMMIT;
		ELSE
			PERFORM ratchet.cancel(run_id) FROM ratchet.running WHERE owner = session_user::regrole ORDER BY random() LIMIT 1;
			COMMIT;
		END CASE;
		PERFORM pg_sleep(random() * 0.2);
	END LOOP;
END $traffic$;
