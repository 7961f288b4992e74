-- What the jobs of the chaos test write, so that the promises can be checked from it: see Chaos::Checks.
-- Executed in each database that has jobs.

CREATE EXTENSION pg_ratchet;
GRANT USAGE ON SCHEMA ratchet TO PUBLIC;
CREATE SCHEMA chaos;
GRANT USAGE ON SCHEMA chaos TO PUBLIC;

-- The order of things: clocks are set while the test runs, a sequence only grows.
CREATE SEQUENCE chaos.ticket;
-- Used once for each run that met another one which it must not meet. Sequences do not roll back.
CREATE SEQUENCE chaos.overlaps;
CREATE SEQUENCE chaos.brief;

-- What a job is for. single: each of its runs writes one row into effect, in its only transaction.
CREATE TABLE chaos.kind (job_name text PRIMARY KEY, kind text NOT NULL, single boolean NOT NULL);

CREATE TABLE chaos.effect (
	job text NOT NULL, run_id bigint, attempt int, scheduled_at timestamptz, payload jsonb,
	who name NOT NULL DEFAULT session_user, marker int, leaks text, asked bigint, seen bigint,
	t0 bigint NOT NULL, t1 bigint NOT NULL);
-- Of procedures that commit by themselves, and of per_statement commands.
CREATE TABLE chaos.step (job text NOT NULL, walk bigint NOT NULL, n int NOT NULL, run_id bigint NOT NULL);
CREATE TABLE chaos.slice (job text NOT NULL, run_id bigint NOT NULL, n int NOT NULL);
-- Of batch jobs.
CREATE TABLE chaos.item (id int PRIMARY KEY, bad boolean NOT NULL);
CREATE TABLE chaos.done (job text NOT NULL, item int NOT NULL, run_id bigint NOT NULL);
CREATE TABLE chaos.event (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, bad boolean NOT NULL);

-- What sessions beside the jobs have committed.
CREATE TABLE chaos.asked (run_id bigint NOT NULL, job text NOT NULL);
CREATE TABLE chaos.forgotten (run_id bigint NOT NULL);
CREATE TABLE chaos.changed (id bigint GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE chaos.wanted (from_time timestamptz NOT NULL, to_time timestamptz NOT NULL);
CREATE TABLE chaos.switch (is_on boolean NOT NULL);
INSERT INTO chaos.switch VALUES (true);

-- Something to read in parallel.
CREATE TABLE chaos.crowd WITH (parallel_workers = 60) AS SELECT g AS id FROM generate_series(1, 200) g;

CREATE TABLE chaos.swept (a int);
ALTER TABLE chaos.swept OWNER TO chaos_crowd;

-- From where the occurrences of each job are counted, and the tickets of the round.
CREATE TABLE chaos.account (job_id bigint PRIMARY KEY, since timestamptz NOT NULL);
-- What happened up to `quiet` has had time to be followed by what follows from it.
CREATE TABLE chaos.round (n int NOT NULL, ticket bigint NOT NULL, quiet bigint);

CREATE FUNCTION chaos.leaks() RETURNS text LANGUAGE sql AS $$
	SELECT nullif(concat_ws(', ',
		CASE WHEN coalesce(current_setting('chaos.leak', true), '') <> '' THEN 'a setting' END,
		CASE WHEN session_user <> current_user THEN 'a role' END,
		CASE WHEN to_regclass('pg_temp.leak') IS NOT NULL THEN 'a temporary table' END,
		CASE WHEN EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'leak') THEN 'a statement' END,
		CASE WHEN random() < 0.1 AND EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid()
			AND locktype = 'advisory' AND classid = 4711) THEN 'a lock' END), '')
$$;

-- What a job may leave behind in its session.
CREATE FUNCTION chaos.leave_a_mess() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('chaos.leak', 'left', false) WHERE random() < 0.3;
	PERFORM pg_advisory_lock(4711, (random() * 1e9)::int) WHERE random() < 0.2;
	IF random() < 0.02 THEN
		EXECUTE 'CREATE TEMPORARY TABLE leak (a int)';
	END IF;
	IF random() < 0.05 THEN
		EXECUTE 'PREPARE leak AS SELECT 1';
	END IF;
	PERFORM set_config('role', 'chaos_crowd', false) WHERE random() < 0.1;
END $$;

-- Only one may be inside: until the end of the transaction, which no cancel and no crash survives.
CREATE FUNCTION chaos.enter(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT pg_try_advisory_xact_lock(4712, hashtext(what)) THEN
		PERFORM nextval('chaos.overlaps');
		RAISE LOG 'chaos: overlap of "%" in run %', what, ratchet.run_id();
	END IF;
END $$;

-- The work of a job. mishap: how often it fails; nap: it takes up to so many seconds; alone: a mutex.
CREATE FUNCTION chaos.work(job text, marker int DEFAULT 0, mishap float8 DEFAULT 0, nap float8 DEFAULT 0,
	alone text DEFAULT NULL, seen bigint DEFAULT NULL, may_overlap boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	t0 bigint := nextval('chaos.ticket');
	leaks text := chaos.leaks();
BEGIN
	IF NOT may_overlap THEN
		PERFORM chaos.enter(job);
	END IF;
	IF alone IS NOT NULL THEN
		PERFORM chaos.enter(alone);
	END IF;
	IF nap > 0 THEN
		PERFORM pg_sleep(nap * random());
	END IF;
	INSERT INTO chaos.effect VALUES (job, ratchet.run_id(), ratchet.attempt(), ratchet.scheduled_at(), ratchet.payload(),
		session_user, marker, leaks, (SELECT count(*) FROM chaos.asked a WHERE a.run_id = ratchet.run_id()), seen,
		t0, nextval('chaos.ticket'));
	IF random() < mishap THEN
		RAISE EXCEPTION 'mishap in "%"', job;
	END IF;
	PERFORM chaos.leave_a_mess();
	RETURN t0;
END $$;

-- Commits three steps, and goes on where it was cut.
CREATE PROCEDURE chaos.steps(job text, mishap float8) LANGUAGE plpgsql AS $$
DECLARE
	walk bigint := coalesce((ratchet.checkpoint() ->> 'walk')::bigint, ratchet.run_id());
BEGIN
	FOR n IN coalesce((ratchet.checkpoint() ->> 'n')::int, 0) + 1 .. 3 LOOP
		PERFORM chaos.enter(job);
		INSERT INTO chaos.step VALUES (job, walk, n, ratchet.run_id());
		PERFORM ratchet.save_checkpoint(jsonb_build_object('walk', walk, 'n', n));
		IF random() < mishap THEN
			RAISE EXCEPTION 'mishap in "%"', job;
		END IF;
		COMMIT;
		PERFORM pg_sleep(0.02 * random());
	END LOOP;
END $$;

CREATE FUNCTION chaos.do_item(job text, id int, bad boolean, mishap float8 DEFAULT 0) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM chaos.enter(job);
	INSERT INTO chaos.done VALUES (job, id, ratchet.run_id());
	IF bad OR random() < mishap THEN
		RAISE EXCEPTION 'bad item %', id USING ERRCODE = CASE id % 3 WHEN 0 THEN '22012' WHEN 1 THEN 'P0001' ELSE '23514' END;
	END IF;
END $$;

CREATE FUNCTION chaos.do_items(job text, ids int[], bad boolean[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM chaos.enter(job);
	INSERT INTO chaos.done SELECT job, id, ratchet.run_id() FROM unnest(ids) id;
	IF true = ANY (bad) THEN
		RAISE EXCEPTION 'a bad item in %', ids;
	END IF;
END $$;

-- With which run each run began, by retries and by what goes on with the same work.
CREATE VIEW chaos.lineage AS
WITH RECURSIVE l AS (
	SELECT run_id, run_id AS root, cause AS root_cause FROM ratchet.run_log r
	 WHERE retry_of IS NULL OR NOT EXISTS (SELECT FROM ratchet.run_log p WHERE p.run_id = r.retry_of)
	UNION ALL
	SELECT r.run_id, l.root, l.root_cause FROM ratchet.run_log r JOIN l ON r.retry_of = l.run_id)
SELECT * FROM l;

-- The walks of batch jobs: a walk ends with the run that succeeds. Replays walk beside.
CREATE VIEW chaos.walk AS
SELECT r.run_id, r.job_name, r.status, l.root_cause,
	CASE WHEN l.root_cause = 'replay' THEN 'replay ' || l.root
	ELSE 'walk ' || coalesce(count(*) FILTER (WHERE r.status = 'succeeded' AND l.root_cause <> 'replay')
		OVER (PARTITION BY r.job_name ORDER BY r.started_at, r.run_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) END AS walk
FROM ratchet.run_log r JOIN chaos.lineage l USING (run_id) JOIN chaos.kind k USING (job_name)
WHERE k.kind = 'batch' AND r.items_of IS NULL AND NOT r.dry_run AND r.status <> 'skipped';

-- Every item of a walk, and what it has become of it.
CREATE VIEW chaos.walked AS
SELECT w.job_name, w.walk, w.root_cause, item, sum(done) AS done, sum(failed) AS failed FROM (
	SELECT job AS job_name, run_id, item, 1 AS done, 0 AS failed FROM chaos.done
	UNION ALL
	SELECT job_name, run_id, (key ->> 'id')::int, 0, 1 FROM ratchet.failed_item) x
JOIN chaos.walk w USING (job_name, run_id) GROUP BY 1, 2, 3, 4;

GRANT SELECT ON ALL TABLES IN SCHEMA chaos TO PUBLIC;
GRANT INSERT ON chaos.effect, chaos.step, chaos.slice, chaos.done, chaos.event, chaos.asked, chaos.forgotten,
	chaos.changed, chaos.wanted, chaos.kind TO PUBLIC;
GRANT UPDATE ON chaos.switch TO PUBLIC;
GRANT TRIGGER ON chaos.changed TO PUBLIC;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA chaos TO PUBLIC;
