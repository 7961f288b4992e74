package Chaos::Checks::Effects;

# P1: effects and record commit together. P3: no overlap. P4: a bad row fails alone.

use strict;
use warnings;

# A run of a job that does its work in one transaction, of those that count here.
my $single = q{ratchet.run_log r JOIN chaos.kind k USING (job_name) WHERE k.single AND NOT r.dry_run};

sub checks
{
	return (
		{
			promise => 'P1', name => 'what was done is recorded as done',
			rows => q{SELECT format('run %s of %s is %s', e.run_id, e.job, coalesce(r.status, 'not recorded'))
				FROM chaos.effect e LEFT JOIN ratchet.run_log r USING (run_id)
				WHERE r.status IS DISTINCT FROM 'succeeded' OR r.dry_run},
			plant => q{UPDATE ratchet.run_log SET status = 'crashed' WHERE run_id = (SELECT max(run_id) FROM chaos.effect)},
		},
		{
			promise => 'P1', name => 'what is recorded as done was done, once',
			rows => qq{SELECT format('run %s of %s: %s effects', r.run_id, r.job_name, (SELECT count(*) FROM chaos.effect e WHERE e.run_id = r.run_id))
				FROM $single AND r.status = 'succeeded' AND r.run_id NOT IN (SELECT run_id FROM chaos.effect GROUP BY 1 HAVING count(*) = 1)},
			plant => q{INSERT INTO chaos.effect SELECT * FROM chaos.effect WHERE run_id = (SELECT max(run_id) FROM chaos.effect)},
		},
		{
			promise => 'P1', name => 'the record is that of the run',
			rows => q{SELECT format('run %s: %s %s %s, and recorded as %s %s %s', run_id, e.job, e.attempt, e.scheduled_at, r.job_name, r.attempt, r.scheduled_at)
				FROM chaos.effect e JOIN ratchet.run_log r USING (run_id)
				WHERE (e.job, e.attempt, e.scheduled_at) IS DISTINCT FROM (r.job_name, r.attempt, r.scheduled_at)},
			plant => q{UPDATE chaos.effect SET scheduled_at = scheduled_at - interval '1 s' WHERE run_id = (SELECT max(run_id) FROM chaos.effect)},
		},
		{
			promise => 'P1', name => 'the steps of a procedure are done once, in order',
			rows => q{SELECT format('%s, walk %s: %s', job, walk, array_agg(n ORDER BY n)) FROM chaos.step GROUP BY job, walk
				HAVING count(*) <> count(DISTINCT n) OR min(n) <> 1 OR max(n) <> count(*)},
			plant => q{INSERT INTO chaos.step SELECT job, walk, n, run_id FROM chaos.step ORDER BY run_id DESC LIMIT 1},
		},
		{
			promise => 'P1', name => 'a procedure succeeds once for three steps',
			rows => q{SELECT format('%s: %s times all steps, %s times succeeded', job_name, whole, succeeded) FROM (
				SELECT job_name, (SELECT count(*) FROM chaos.step s WHERE s.job = k.job_name AND n = 3) AS whole,
					(SELECT count(*) FROM ratchet.run_log r WHERE r.job_name = k.job_name AND status = 'succeeded') AS succeeded
				FROM chaos.kind k WHERE kind = 'steps') x WHERE whole - succeeded NOT IN (0, 1)},
			plant => q{UPDATE ratchet.run_log SET status = 'failed' WHERE job_name LIKE 'steps%'},
		},
		{
			promise => 'P1', name => 'statements on their own have run in order',
			rows => q{SELECT format('run %s of %s is %s: %s', run_id, r.job_name, r.status, s.done)
				FROM (SELECT run_id, array_agg(n ORDER BY n) AS done FROM chaos.slice GROUP BY 1) s FULL JOIN
					(SELECT run_id, r.job_name, status FROM ratchet.run_log r JOIN chaos.kind k USING (job_name) WHERE kind = 'slices') r USING (run_id)
				WHERE CASE WHEN status = 'succeeded' THEN done IS DISTINCT FROM '{1,2}' ELSE status IS NULL OR done = '{1,2}' OR done = '{2}' END},
			plant => q{DELETE FROM chaos.slice WHERE n = 2 AND run_id = (SELECT max(run_id) FROM chaos.slice WHERE n = 2)},
		},
		{
			promise => 'P1', name => 'no walk does an item twice', unless => 'clock_moved',
			rows => q{SELECT format('%s, %s: item %s done %s times, failed %s times', job_name, walk, item, done, failed)
				FROM walked WHERE done + failed > 1},
			plant => q{INSERT INTO chaos.done SELECT job, item, run_id FROM chaos.done d JOIN chaos.walk w USING (run_id) LIMIT 1},
		},
		{
			promise => 'P1', name => 'a walk that is complete has done every item', unless => 'clock_moved',
			rows => q{SELECT format('%s, %s: item %s', w.job_name, w.walk, i.id) FROM
				(SELECT job_name, walk FROM walk WHERE status = 'succeeded' AND walk LIKE 'walk%') w CROSS JOIN chaos.item i
				LEFT JOIN walked d ON (d.job_name, d.walk, d.item) = (w.job_name, w.walk, i.id)
				WHERE d.item IS NULL},
			plant => q{DELETE FROM chaos.done d USING chaos.walk w WHERE w.run_id = d.run_id AND w.status = 'succeeded' AND w.walk LIKE 'walk%'},
		},
		{
			promise => 'P1', name => 'counters are the rows',
			rows => q{SELECT format('run %s of %s is %s: items %s and %s, rows %s and %s', r.run_id, r.job_name, r.status, items_done, items_failed, done, failed)
				FROM (SELECT r.*, coalesce(done, 0) AS done, coalesce(failed, 0) AS failed FROM ratchet.run_log r
					LEFT JOIN (SELECT run_id, count(*) AS done FROM chaos.done GROUP BY 1) d USING (run_id)
					LEFT JOIN (SELECT run_id, count(*) AS failed FROM ratchet.failed_item GROUP BY 1) f USING (run_id)) r JOIN chaos.kind k USING (job_name)
				WHERE k.kind IN ('batch', 'events') AND r.items_of IS NULL AND NOT r.dry_run AND r.status <> 'skipped'
				AND (coalesce(items_done, 0), coalesce(items_failed, 0)) <> (done, failed)},
			plant => q{UPDATE ratchet.run_log SET items_done = items_done + 1 WHERE run_id = (SELECT max(run_id) FROM chaos.done JOIN ratchet.run_log USING (run_id) WHERE items_of IS NULL)},
		},
		{
			promise => 'P1', name => 'the checkpoint is the last key',
			rows => q{SELECT format('run %s of %s is %s: checkpoint %s, last key %s', r.run_id, r.job_name, r.status, checkpoint_to, last)
				FROM (SELECT r.*, greatest(done, failed) AS last FROM ratchet.run_log r
					LEFT JOIN (SELECT run_id, max(item) AS done FROM chaos.done GROUP BY 1) d USING (run_id)
					LEFT JOIN (SELECT run_id, max((key ->> 'id')::int) AS failed FROM ratchet.failed_item GROUP BY 1) f USING (run_id)) r JOIN chaos.kind k USING (job_name)
				WHERE k.kind IN ('batch', 'events') AND r.items_of IS NULL AND NOT r.dry_run AND r.batches > 0
				AND last IS NOT NULL AND (checkpoint_to ->> 'id')::int IS DISTINCT FROM last},
			plant => q{UPDATE ratchet.run_log SET checkpoint_to = '{"id": -1}' WHERE run_id = (SELECT max(run_id) FROM chaos.done JOIN ratchet.run_log USING (run_id) WHERE items_of IS NULL)},
		},
		{
			promise => 'P1', name => 'an incremental walk has done every new row once',
			rows => q{SELECT format('%s: event %s done %s times, failed %s times', job_name, id, done, failed) FROM (
				SELECT k.job_name, e.id, coalesce(d.done, 0) AS done, coalesce(f.failed, 0) AS failed
				FROM chaos.kind k CROSS JOIN chaos.event e LEFT JOIN
					(SELECT job AS job_name, item AS id, count(*) AS done FROM chaos.done GROUP BY 1, 2) d USING (job_name, id) LEFT JOIN
					(SELECT job_name, (key ->> 'id')::int AS id, count(*) AS failed FROM ratchet.failed_item GROUP BY 1, 2) f USING (job_name, id)
				WHERE k.kind = 'events') x WHERE done + failed <> 1},
			plant => q{DELETE FROM chaos.done WHERE job LIKE 'events%' AND item = (SELECT max(item) FROM chaos.done WHERE job LIKE 'events%')},
		},
		{
			promise => 'P3', name => 'nobody met a run that it must not meet',
			rows => q{SELECT format('%s times: see the server log', last_value) FROM chaos.overlaps WHERE is_called},
			plant => q{SELECT nextval('chaos.overlaps')},
			stays => q{ALTER SEQUENCE chaos.overlaps RESTART},
		},
		{
			promise => 'P3', name => 'runs of a job follow each other',
			rows => q{SELECT format('%s: run %s began before run %s had ended', job, run_id, run_before) FROM (
				SELECT e.job, e.run_id, e.t0, lag(e.t1) OVER w AS t1_before, lag(e.run_id) OVER w AS run_before
				FROM chaos.effect e JOIN ratchet.run_log r USING (run_id) LEFT JOIN ratchet.job j ON j.job_name = e.job
				WHERE j.overlap IS DISTINCT FROM 'allow' OR j.mutex IS NOT NULL
				WINDOW w AS (PARTITION BY coalesce(j.mutex, e.job) ORDER BY e.t0)) x WHERE t0 < t1_before},
			plant => q{UPDATE chaos.effect SET t1 = t1 + 1000000 WHERE job = 'heart' AND t0 = (SELECT min(t0) FROM chaos.effect WHERE job = 'heart')},
		},
		{
			promise => 'P4', name => 'a bad item leaves nothing and is told', unless => 'clock_moved',
			rows => q{SELECT format('%s: bad item %s was done by run %s', d.job, d.item, d.run_id) FROM chaos.done d JOIN chaos.item i ON i.id = d.item
				WHERE i.bad AND d.job NOT LIKE 'events%'
				UNION ALL
				SELECT format('%s, %s: bad item %s is not told', w.job_name, w.walk, i.id) FROM walk w CROSS JOIN chaos.item i
				WHERE w.status = 'succeeded' AND w.walk LIKE 'walk%' AND i.bad AND NOT EXISTS (SELECT FROM walked d
					WHERE (d.job_name, d.walk, d.item) = (w.job_name, w.walk, i.id) AND d.failed > 0)},
			plant => q{DELETE FROM ratchet.failed_item},
		},
	);
}

1;
