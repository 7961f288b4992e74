-- What has not yet come to its end, although nobody asks for more: nothing when the system has settled.
SELECT format('%s runs that were asked for (%s, ...)', count(*), min(run_id)) FROM chaos.asked a
 WHERE NOT EXISTS (SELECT FROM ratchet.run_log r WHERE r.run_id = a.run_id) HAVING count(*) > 0
UNION ALL
SELECT format('%s has seen %s of %s changes', job_name, s.seen, c.n) FROM chaos.kind, (SELECT count(*) AS n FROM chaos.changed) c,
	LATERAL (SELECT max(seen) AS seen FROM chaos.effect e WHERE e.job = job_name) s
 WHERE kind IN ('watch', 'change') AND s.seen IS DISTINCT FROM c.n
UNION ALL
SELECT format('%s has not done %s events', job_name, n) FROM chaos.kind,
	LATERAL (SELECT count(*) AS n FROM chaos.event e WHERE id NOT IN (
		SELECT item FROM chaos.done WHERE job = job_name
		UNION ALL SELECT (key ->> 'id')::int FROM ratchet.failed_item f WHERE f.job_name = kind.job_name)) e
 WHERE kind = 'events' AND n > 0
UNION ALL
SELECT format('a backfill after %s', after_time) FROM ratchet.backfill
UNION ALL
SELECT format('run %s of a backfill', run_id) FROM ratchet.run_queue WHERE backfill_id IS NOT NULL
UNION ALL
SELECT format('%s tasks of %s (%s, ...)', count(*), queue_name, min(task_id)) FROM ratchet.tasks
 WHERE state IN ('scheduled', 'ready', 'blocked', 'running') GROUP BY queue_name
UNION ALL
SELECT format('%s has not run since', job_name) FROM chaos.kind
 WHERE (kind = 'heart' OR kind IN ('parent', 'child', 'grid', 'cron')) AND NOT EXISTS (
	SELECT FROM chaos.effect e WHERE e.job = job_name AND t0 > :ticket)
UNION ALL
SELECT format('%s has not ended a walk since run %s', job_name, :run) FROM chaos.kind k
 WHERE kind IN ('batch', 'steps') AND NOT EXISTS (
	SELECT FROM ratchet.run_log r WHERE r.job_name = k.job_name AND status = 'succeeded' AND run_id > :run);
