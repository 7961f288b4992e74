-- The queues of the chaos test, who enqueues and who consumes, and what Chaos::Checks::Tasks looks at:
-- CALL chaos.define_queues(how many of each kind).

CREATE TABLE chaos.queue (queue text PRIMARY KEY, kind text NOT NULL);
-- What has been enqueued and committed, and what a producer has rolled back.
CREATE TABLE chaos.sent (task_id bigint PRIMARY KEY, queue text NOT NULL, bad boolean NOT NULL, unique_key text, ordering_key text,
	ticket bigint NOT NULL DEFAULT nextval('chaos.ticket'));
CREATE TABLE chaos.unsent (task_id bigint NOT NULL);
-- What has been done.
CREATE TABLE chaos.did (task_id bigint NOT NULL, queue text NOT NULL, attempt int, who name NOT NULL DEFAULT session_user,
	t0 bigint NOT NULL, t1 bigint NOT NULL DEFAULT nextval('chaos.ticket'), began timestamptz NOT NULL DEFAULT clock_timestamp());
GRANT SELECT ON chaos.queue, chaos.sent, chaos.did TO PUBLIC;
GRANT INSERT ON chaos.sent, chaos.unsent, chaos.did TO PUBLIC;

-- One task, with keys as its queue has them. Those of an ordering key are enqueued by one session, one after the other:
-- the numbers of two transactions that are open at the same time say nothing about their order.
CREATE FUNCTION chaos.send(queue text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	kind text := (SELECT q.kind FROM chaos.queue q WHERE q.queue = send.queue);
	bad boolean := kind IN ('mail', 'parcel') AND random() < 0.05;
	unique_key text := CASE WHEN kind IN ('mail', 'parcel') AND random() < 0.4 THEN 'u' || floor(random() * 10) END;
	ordering_key text := CASE WHEN kind IN ('order', 'parcel') AND unique_key IS NULL THEN format('%s/%s', pg_backend_pid(), floor(random() * 3)) END;
	task bigint := ratchet.enqueue(queue, jsonb_build_object('bad', bad, 'alone', ordering_key), unique_key => unique_key, ordering_key => ordering_key,
		delay => CASE WHEN ordering_key IS NULL AND random() < 0.2 THEN random() * interval '400 ms' END, priority => floor(random() * 3)::int,
		group_key => CASE WHEN kind = 'tenant' THEN 'g' || floor(random() * 3) END);
BEGIN
	-- With a unique key it may be the number of one that is there already.
	INSERT INTO chaos.sent VALUES (task, queue, bad, unique_key, ordering_key) ON CONFLICT DO NOTHING;
	RETURN task;
END $$;

CREATE FUNCTION chaos.send_some() RETURNS SETOF bigint LANGUAGE sql AS $$
	SELECT chaos.send(queue) FROM (SELECT queue FROM chaos.queue ORDER BY random() LIMIT 1) q, generate_series(1, 1 + (20 * random() ^ 3)::int)
$$;

-- What handlers do. alone: what nobody else may have in hand at the same time.
CREATE FUNCTION chaos.do_task(queue text, task jsonb, alone text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t0 bigint := nextval('chaos.ticket');
	mishap float8 := random();
BEGIN
	IF alone IS NOT NULL THEN
		PERFORM chaos.enter('task of ' || queue || ' ' || alone);
	END IF;
	PERFORM pg_sleep(0.02 * random() ^ 2);
	IF (task ->> 'bad')::boolean THEN
		PERFORM ratchet.discard('bad');
		RETURN;
	END IF;
	IF mishap > 0.97 THEN
		PERFORM ratchet.snooze('50 ms');
		RETURN;
	END IF;
	INSERT INTO chaos.did VALUES (ratchet.task_id(), queue, ratchet.task_attempt(), session_user, t0);
	IF mishap < 0.04 THEN
		RAISE EXCEPTION 'mishap in a task' USING ERRCODE = (ARRAY['P0001', '40001', '57014', '53100'])[1 + floor(random() * 4)::int];
	ELSIF mishap < 0.045 THEN
		PERFORM pg_terminate_backend(pg_backend_pid());
	ELSIF mishap < 0.07 THEN
		PERFORM chaos.send(queue);
	END IF;
END $$;

CREATE FUNCTION chaos.do_tasks(queue text, tasks bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO chaos.did SELECT id, queue, NULL, session_user, nextval('chaos.ticket') FROM unnest(tasks) id;
	IF random() < 0.05 THEN
		RAISE EXCEPTION 'mishap in % tasks', cardinality(tasks);
	END IF;
END $$;

CREATE PROCEDURE chaos.define_queue(kind text, i int, handler text, options text DEFAULT '') LANGUAGE plpgsql AS $$
DECLARE
	queue text := kind || '_' || i;
BEGIN
	INSERT INTO chaos.queue VALUES (queue, kind);
	EXECUTE format('SELECT ratchet.create_queue(%L, %s, run_as => %L::regrole, producers => ''{chaos1,chaos2,chaos3}'', consumers => ''{chaos1,chaos2,chaos3}'',
		max_attempts => 1000, max_crashes => 1000, backoff => ''50 ms'', backoff_cap => ''1 s'' %s)',
		queue, coalesce(format(handler, quote_literal(queue)), 'NULL'), 'chaos' || i % 3 + 1, options);
END $$;

CREATE PROCEDURE chaos.define_queues(scale int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. scale LOOP
		CALL chaos.define_queue('mail', i, '$h$SELECT chaos.do_task(%s, $1)$h$', ', concurrency => 2');
		CALL chaos.define_queue('bulk', i, '$h$SELECT chaos.do_tasks(%s, $2)$h$', ', per => ''batch'', batch_size => 50, concurrency => 2');
		CALL chaos.define_queue('order', i, '$h$SELECT chaos.do_task(%s, $1, $1 ->> ''alone'')$h$', ', concurrency => 3, batch_size => 5');
		CALL chaos.define_queue('tenant', i, '$h$SELECT chaos.do_task(%s, $1, (SELECT group_key FROM ratchet.task WHERE task_id = $2))$h$',
			', concurrency => 3, concurrency_per_key => 1, synchronous => false');
		CALL chaos.define_queue('rated', i, '$h$SELECT chaos.do_task(%s, $1)$h$', ', concurrency => 2, rate => 20, rate_period => ''500 ms''');
		CALL chaos.define_queue('parcel', i, NULL, ', lease => ''500 ms''');
	END LOOP;
END $$;

-- A task that was claimed, in a transaction of its own: done, failed, forgotten, or too late.
CREATE PROCEDURE chaos.consume_one(queue text, task jsonb, t0 bigint) LANGUAGE plpgsql AS $$
DECLARE
	id bigint := task ->> 'task_id';
	token bigint := task ->> 'token';
	mishap float8 := random();
BEGIN
	IF mishap < 0.1 THEN
		PERFORM pg_sleep(0.7 * random());
	ELSIF mishap < 0.15 THEN
		RETURN;
	END IF;
	BEGIN
		IF mishap BETWEEN 0.15 AND 0.2 THEN
			PERFORM ratchet.extend(id, token, '1 second');
		END IF;
		IF (task -> 'payload' ->> 'bad')::boolean THEN
			PERFORM ratchet.fail(id, token, 'bad', discard => true);
		ELSIF mishap BETWEEN 0.2 AND 0.25 THEN
			PERFORM ratchet.fail(id, token, 'mishap', retry_in => random() * interval '200 ms');
		ELSE
			INSERT INTO chaos.did VALUES (id, queue, (task ->> 'attempt')::int, session_user, t0);
			PERFORM ratchet.complete(id, token);
		END IF;
	EXCEPTION WHEN object_not_in_prerequisite_state THEN
		NULL; -- the lease is over, and somebody else has it
	END;
END $$;

CREATE PROCEDURE chaos.consume(rounds int) LANGUAGE plpgsql AS $$
DECLARE
	queue text;
	tasks jsonb;
	task jsonb;
	t0 bigint;
BEGIN
	FOR round IN 1 .. rounds LOOP
		SELECT q.queue INTO queue FROM chaos.queue q WHERE kind = 'parcel' ORDER BY random() LIMIT 1;
		SELECT jsonb_agg(to_jsonb(c)) INTO tasks FROM ratchet.claim(queue, 1 + (random() * 4)::int, wait => random() * interval '200 ms') c;
		t0 := nextval('chaos.ticket');
		IF random() < 0.5 THEN
			-- All in one transaction, or none.
			FOR task IN SELECT jsonb_array_elements(tasks) LOOP
				CALL chaos.consume_one(queue, task, t0);
			END LOOP;
			IF random() < 0.2 THEN
				ROLLBACK;
			ELSE
				COMMIT;
			END IF;
		ELSE
			COMMIT;
			FOR i IN 0 .. coalesce(jsonb_array_length(tasks), 0) - 1 LOOP
				CALL chaos.consume_one(queue, tasks -> i, t0);
				COMMIT;
			END LOOP;
		END IF;
	END LOOP;
END $$;
